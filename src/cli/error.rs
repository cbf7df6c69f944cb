//! What a command says when it cannot go on: what happened, to which file, and what to type next.

use std::fmt;
use std::io::ErrorKind;

use crate::base::outcome::{Setback, StopCause};
use crate::cli::exit::Exit;
use crate::plan::problem::Problem;
use crate::port::ledger::LedgerError;
use crate::store::embedded::OpenError;

/// The end of a command that failed. Holds no secret, no address, no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// What happened, one fact a line.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl CommandError {
    /// An error with an exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// The same error with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A file that was read and refused.
    pub fn problems(file: &str, problems: &[Problem]) -> Self {
        /// A thousand broken rows have a handful of causes.
        const SHOWN: usize = 50;
        let mut lines: Vec<String> = problems
            .iter()
            .take(SHOWN)
            .map(|problem| problem.in_file(file))
            .collect();
        if problems.len() > SHOWN {
            lines.push(format!("and {} more", problems.len() - SHOWN));
        }
        Self::new(Exit::Refused, lines.join("\n"))
    }

    /// A file that could not be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        if is_full(error) {
            return disk_full(path);
        }
        let hint = match error.kind() {
            ErrorKind::NotFound => "check the path",
            ErrorKind::PermissionDenied => "check who may read and write there",
            _ => "check the file and its disk",
        };
        Self::new(Exit::Refused, format!("{}: {error}", path.display())).hint(hint)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nnext: {hint}")?;
        }
        Ok(())
    }
}

/// True when a disk has no room left, or a quota is spent.
fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// Nothing is wrong with what was asked: there is work left, and it goes on once there is room.
fn disk_full(path: &std::path::Path) -> CommandError {
    CommandError::new(
        Exit::Stopped,
        format!("the disk of {} is full", path.display()),
    )
    .hint("make room on that disk, then run again: it goes on where it was")
}

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        if let OpenError::Io { path, error } = &error
            && is_full(error)
        {
            return disk_full(path);
        }
        let hint = match &error {
            OpenError::Missing(_) => "start with `mailferry run PLAN`",
            OpenError::Held { .. } => {
                "wait for that run to end, or look at it with `mailferry status PLAN`"
            }
            OpenError::Elsewhere { .. } => {
                "look there; where that process is gone, empty the file `lock` in the directory and run again"
            }
            OpenError::Foreign(_) => "name an empty or new directory with --state",
            OpenError::OtherPlan { .. } => {
                "use the plan this state began with, or name another directory with --state"
            }
            OpenError::OtherRealm { .. } => "name another directory with --state",
            OpenError::Newer { .. } => "use the newer mailferry",
            OpenError::Corrupt { .. } => {
                "restore the directory from a copy; without one, begin anew with --state NEWDIR: what is on the target already is \
                 recognised and not sent again"
            }
            OpenError::Io { .. } => "check rights and room of the directory",
        };
        let exit = match error {
            OpenError::Held { .. } | OpenError::Elsewhere { .. } => Exit::Held,
            _ => Exit::Refused,
        };
        Self::new(exit, error.to_string()).hint(hint)
    }
}

impl From<LedgerError> for CommandError {
    fn from(error: LedgerError) -> Self {
        let (exit, hint) = match &error {
            LedgerError::Fenced(_) => (Exit::Held, "another run took over this state directory"),
            LedgerError::DiskFull => (Exit::Stopped, "make room on the disk, then run again"),
            LedgerError::UnknownJob(_) | LedgerError::UnknownItem(_) => {
                (Exit::Internal, "please report this")
            }
            LedgerError::Contradiction(_) => (
                Exit::Internal,
                "please report this; `mailferry ledger check PLAN` looks at every row",
            ),
            LedgerError::Unusable(_) => (
                Exit::Refused,
                "check the disk; restore the state directory from a copy, or begin anew with --state NEWDIR",
            ),
        };
        Self::new(exit, error.to_string()).hint(hint)
    }
}

/// Why a side cannot be worked with, in words that help.
pub fn side_closed(cause: StopCause) -> CommandError {
    let (message, hint) = match cause {
        StopCause::SourceCredentials => (
            "the source does not accept the user name and password",
            "check `auth` in the plan and the password in the environment",
        ),
        StopCause::TargetCredentials => (
            "Microsoft 365 does not accept the application's credential",
            "check `client_id` and `credential` in the plan; the secret may have expired",
        ),
        StopCause::UnknownTenant => (
            "Microsoft 365 does not know this tenant",
            "check `tenant` in the plan",
        ),
        StopCause::NoImpersonation => (
            "the service account may not impersonate anybody",
            "give it the role ApplicationImpersonation on the Exchange server",
        ),
        StopCause::NoRights => (
            "the application has no right to import into mailboxes",
            "grant MailboxItem.ImportExport.All and MailboxFolder.ReadWrite.All with admin consent",
        ),
        StopCause::WrongSourceAddress => (
            "the source's `ews_url` does not lead to EWS: it answers with a web page, a redirect or an unknown path",
            "write the URL of EWS into the plan, usually https://HOST/EWS/Exchange.asmx",
        ),
        StopCause::WrongTargetAddress => (
            "a target URL does not lead to Microsoft 365: it answers with a web page, a redirect or an unknown path",
            "check `cloud`, or `login_url` and `graph_url`, in the plan",
        ),
        StopCause::SourceUnreachable => (
            "the source could not be reached any more",
            "check network, name and TLS of `ews_url`, then run again",
        ),
        StopCause::TargetUnreachable => (
            "Microsoft 365 could not be reached any more",
            "check network and proxy, then run again",
        ),
        StopCause::ClientRefused => (
            "the source refuses this kind of client",
            "allow EWS for this application (EwsApplicationAccessPolicy)",
        ),
    };
    CommandError::new(Exit::Unreached, message).hint(hint)
}

/// A setback that ended a command.
pub fn setback(what: &str, setback: &Setback) -> CommandError {
    if let Setback::SideClosed(cause, _) = setback {
        return side_closed(*cause);
    }
    CommandError::new(Exit::Unreached, format!("{what}: {setback}"))
}
