//! The state directory as a preflight uses it: locked like a run's, with the canaries' log in it. No ledger is begun.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::base::canary::CanaryLine;
use crate::base::probe::StateTrouble;
use crate::base::quantity::Bytes;
use crate::port::probe::{CanaryLog, CanaryLogError};
use crate::store::codec::Header;
use crate::store::directory::prepare;
use crate::store::embedded::{MARKER_FILE, OpenError, Opening, lock};
use crate::store::lock::StateLock;

/// The log's name in the state directory.
pub const CANARY_FILE: &str = "canary.jsonl";

/// A log larger than this is something else: a preflight writes some 200 lines of 300 bytes, and a log without leftovers is removed.
const LOG_MAX: u64 = 16_000_000;

/// The log, while the state directory is held.
#[derive(Debug)]
pub struct FileCanaryLog {
    path: PathBuf,
    file: Mutex<File>,
    // Last: given back when everything is written.
    _lock: StateLock,
}

impl FileCanaryLog {
    /// Makes the state directory where it is missing, takes its lock, and opens the log. The directory must be nobody else's and no other plan's.
    pub fn open(state: &Path, belongs: &Header) -> Result<Self, StateTrouble> {
        let trouble = |error: OpenError| {
            let text = error.to_string();
            match error {
                OpenError::Held { .. } | OpenError::Elsewhere { .. } => StateTrouble::Held(text),
                OpenError::OtherPlan { .. } | OpenError::OtherRealm { .. } => {
                    StateTrouble::OtherPlan(text)
                }
                _ => StateTrouble::NotWritable(text),
            }
        };
        prepare(state, Opening::Create).map_err(trouble)?;
        let lock = lock(state).map_err(trouble)?;
        let found = std::fs::read_to_string(state.join(MARKER_FILE)).unwrap_or_default();
        let found = found.trim();
        if !found.is_empty() && found != belongs.plan.as_str() {
            let text = format!("{} belongs to another plan (hash {found})", state.display());
            return Err(StateTrouble::OtherPlan(text));
        }
        let path = state.join(CANARY_FILE);
        let file = open(&path)
            .map_err(|error| StateTrouble::NotWritable(format!("{}: {error}", path.display())))?;
        Ok(Self {
            path,
            file: Mutex::new(file),
            _lock: lock,
        })
    }

    /// Removes the log. Call it when nothing in it is open.
    pub fn remove(self) {
        // One that stays says nothing false.
        let _ = std::fs::remove_file(&self.path);
    }

    fn failed(&self, error: &std::io::Error) -> CanaryLogError {
        CanaryLogError(format!("{}: {error}", self.path.display()))
    }
}

/// Opens the log and cuts off the line that a crash left half written.
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    let text = read(&mut file)?;
    let whole = text
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    if whole < text.len() {
        file.set_len(whole as u64)?;
        file.sync_all()?;
    }
    if let Some(dir) = path.parent() {
        sync_dir(dir)?;
    }
    Ok(file)
}

/// A new file is durable when its directory is.
fn sync_dir(dir: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

fn read(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(LOG_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LOG_MAX {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

impl CanaryLog for FileCanaryLog {
    fn lines(&self) -> Result<Vec<CanaryLine>, CanaryLogError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let text = read(&mut file).map_err(|error| self.failed(&error))?;
        let mut out = Vec::new();
        for (at, line) in text.split(|b| *b == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let line = serde_json::from_slice(line).map_err(|_| {
                let place = self.path.display();
                CanaryLogError(format!("{place}:{}: not a line of it", at + 1))
            })?;
            out.push(line);
        }
        Ok(out)
    }

    fn append(&self, line: &CanaryLine) -> Result<(), CanaryLogError> {
        let mut text = serde_json::to_vec(line).map_err(|e| CanaryLogError(e.to_string()))?;
        text.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file
            .seek(SeekFrom::End(0))
            .and_then(|_| file.write_all(&text))
            .and_then(|()| file.sync_data());
        written.map_err(|error| self.failed(&error))
    }
}

/// Bytes free on the disk of a path, or of the nearest directory above it that exists; `None` where the system does not say.
pub fn free_on(path: &Path) -> Option<Bytes> {
    #[cfg(unix)]
    {
        let there = path.ancestors().find(|dir| dir.exists())?;
        let there = if there.as_os_str().is_empty() {
            Path::new(".")
        } else {
            there
        };
        let disk = rustix::fs::statvfs(there).ok()?;
        Some(Bytes::new(disk.f_bavail.saturating_mul(disk.f_frsize)))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::canary::{CanaryRun, CanaryStep};
    use crate::base::id::{MailboxId, PlanHash};
    use crate::base::spec::Realm;

    fn header(plan: &str) -> Header {
        Header {
            plan: PlanHash::new(plan),
            realm: Realm::Rehearsal,
        }
    }

    fn line(no: u32) -> CanaryLine {
        CanaryLine {
            run: CanaryRun("r".to_owned()),
            mailbox: MailboxId::new("a@c.example"),
            step: CanaryStep::ItemGone { no },
        }
    }

    #[test]
    fn lines_come_back_and_a_half_written_one_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let log = FileCanaryLog::open(&state, &header("h")).unwrap();
        log.append(&line(1)).unwrap();
        drop(log);
        let path = state.join(CANARY_FILE);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"run\":\"r\",\"mai").unwrap();
        let log = FileCanaryLog::open(&state, &header("h")).unwrap();
        assert_eq!(log.lines().unwrap(), [line(1)]);
        log.append(&line(2)).unwrap();
        assert_eq!(log.lines().unwrap(), [line(1), line(2)]);
        log.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_is_held_or_another_plans_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let log = FileCanaryLog::open(dir.path(), &header("h")).unwrap();
        assert!(matches!(
            FileCanaryLog::open(dir.path(), &header("h")),
            Err(StateTrouble::Held(_))
        ));
        drop(log);
        std::fs::write(dir.path().join(MARKER_FILE), "other\n").unwrap();
        assert!(matches!(
            FileCanaryLog::open(dir.path(), &header("h")),
            Err(StateTrouble::OtherPlan(_))
        ));
    }
}
