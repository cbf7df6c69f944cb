//! Secrets out of the environment or an owner-only file. The only place that reads the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::secret::Secret;
use crate::base::spec::Realm;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;

/// A file of secrets larger than this is something else.
const FILE_MAX: u64 = 64_000;

/// The file of secrets a lab writes beside its plan.
const LAB_FILE: &str = "secrets.env";

/// Where secrets are looked up: the environment first, then a file.
#[derive(Debug)]
pub struct Secrets {
    file: BTreeMap<String, Secret>,
    path: Option<PathBuf>,
    plan: PathBuf,
}

impl Secrets {
    /// Prepares the look-up for a plan. A rehearsal finds its lab's file by itself; a live plan reads a file only when told to.
    pub fn open(named: Option<&Path>, plan: &Path, realm: Realm) -> Result<Self, CommandError> {
        let beside = plan.with_file_name(LAB_FILE);
        let path = match (named, realm) {
            (Some(path), _) => Some(path.to_owned()),
            (None, Realm::Rehearsal) if beside.is_file() => Some(beside),
            (None, _) => None,
        };
        let file = match &path {
            Some(path) => read_file(path)?,
            None => BTreeMap::new(),
        };
        let plan = plan.to_owned();
        Ok(Self { file, path, plan })
    }

    /// A file that the plan names: relative to the plan, unless it says otherwise.
    pub fn beside(&self, name: &str) -> PathBuf {
        let dir = self.plan.parent().unwrap_or(Path::new(""));
        dir.join(name)
    }

    /// The secret of that name. `what` says what it is for.
    pub fn get(&self, name: &str, what: &str) -> Result<Secret, CommandError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the environment"
        )]
        let found = std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(value) = found {
            return Ok(Secret::new(value));
        }
        self.file.get(name).cloned().ok_or_else(|| {
            let also = self
                .path
                .as_ref()
                .map_or_else(String::new, |path| format!(", nor in {}", path.display()));
            CommandError::new(
                Exit::Unreached,
                format!("{what}: {name} is not in the environment{also}"),
            )
            .hint(format!(
                "set {name}, or name an owner-only file with --secrets"
            ))
        })
    }
}

/// A setting of the system's Kerberos, as its tools are told.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn kerberos_setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the SSH agent listens, as OpenSSH's tools are told.
pub fn agent_socket() -> Option<std::path::PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK")
        .filter(|path| !path.is_empty())
        .map(std::path::PathBuf::from)
}

/// True when the environment asks for no colour (no-color.org).
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn no_color() -> bool {
    std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
}

fn read_file(path: &Path) -> Result<BTreeMap<String, Secret>, CommandError> {
    let meta = std::fs::metadata(path).map_err(|error| CommandError::file(path, &error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(CommandError::new(
                Exit::Refused,
                format!("{} can be read by others", path.display()),
            )
            .hint(format!("chmod 600 {}", path.display())));
        }
    }
    if meta.len() > FILE_MAX {
        let message = format!("{} is too large for a file of secrets", path.display());
        return Err(CommandError::new(Exit::Refused, message));
    }
    let text = std::fs::read_to_string(path).map_err(|error| CommandError::file(path, &error))?;
    parse(&text).map_err(|line| {
        CommandError::new(
            Exit::Refused,
            format!("{}:{line}: no NAME=value", path.display()),
        )
    })
}

/// Lines `NAME=value`; blank lines and `#` comments pass; one pair of quotes around a value is taken off. An error is a line number.
fn parse(text: &str) -> Result<BTreeMap<String, Secret>, usize> {
    let mut out = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(at + 1)?;
        let name = name.trim();
        let named =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !named {
            return Err(at + 1);
        }
        let value = value.trim();
        let bare = ['"', '\'']
            .iter()
            .find_map(|quote| {
                value
                    .strip_prefix(*quote)
                    .and_then(|rest| rest.strip_suffix(*quote))
            })
            .unwrap_or(value);
        out.insert(name.to_owned(), Secret::new(bare));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_name_and_value() {
        let text = "# of the lab\n\nA=x=y\nexport B='two words'\nC=\"\"\nD = 'half\n";
        let read = parse(text).expect("readable");
        let shown: Vec<(&str, &str)> = read
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        assert_eq!(
            shown,
            [("A", "x=y"), ("B", "two words"), ("C", ""), ("D", "'half")]
        );
        assert_eq!(parse("A=1\nhunter2\n"), Err(2));
        assert_eq!(parse("=hunter2"), Err(1));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.env");
        std::fs::write(&path, "A=hunter2\n").expect("written");
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        };
        mode(0o644);
        let error = read_file(&path).expect_err("readable by others");
        assert_eq!(error.exit, Exit::Refused);
        assert!(!error.to_string().contains("hunter2"));
        mode(0o600);
        assert!(read_file(&path).is_ok());
    }
}
