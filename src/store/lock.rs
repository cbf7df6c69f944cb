//! One process per state directory: an advisory file lock that says who holds it, process and host.
//!
//! A state directory may lie on a share whose file locks other hosts do not see. So a lock that can be taken, but still bears the name of another
//! host, is refused: that host may be at work. A process of this host that died leaves a name behind that counts for nothing, because the
//! system gave its lock back.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// The name of the lock file inside a state directory.
pub const LOCK_FILE: &str = "lock";

/// What is read of a lock file: a process number and a host name of at most 253 bytes.
const HOLDER_BYTES_MAX: u64 = 300;

/// The lock of a state directory; given back on drop, or by the system when the process ends.
#[derive(Debug)]
pub struct StateLock {
    file: File,
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The number of its process.
    pub pid: u32,
    /// The name of its host.
    pub host: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

/// Why the lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it; who, where the file says so.
    Held(Option<Holder>),
    /// Nobody this host can see holds it, and the file bears the name of another host.
    Elsewhere(Holder),
    /// The file could not be made, read or locked.
    Io(std::io::Error),
}

impl StateLock {
    /// Takes the lock without waiting and writes this process and host into it.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let name = gethostname::gethostname();
        let us = Holder {
            pid: std::process::id(),
            host: word(&name.to_string_lossy()),
        };
        Self::take_as(dir, &us)
    }

    fn take_as(dir: &Path, us: &Holder) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(dir.join(LOCK_FILE)).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        if let Some(other) = holder(&mut file).filter(|found| found.host != us.host) {
            return Err(LockError::Elsewhere(other));
        }
        write_holder(&mut file, us).map_err(LockError::Io)?;
        Ok(Self { file })
    }
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // Emptied, so that nobody reads the name of a process that is gone; the system unlocks in any case.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// A host name as one printable word: it is shown to people on another machine.
fn word(name: &str) -> String {
    let plain: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        .collect();
    if plain.is_empty() {
        "unnamed".to_owned()
    } else {
        plain
    }
}

fn write_holder(file: &mut File, us: &Holder) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{} {}", us.pid, us.host)?;
    file.sync_data()
}

fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
    let (pid, host) = text.trim().split_once(' ')?;
    let pid = pid.parse().ok()?;
    (host == word(host)).then(|| Holder {
        pid,
        host: host.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, pid: u32) -> Holder {
        Holder {
            pid,
            host: host.to_owned(),
        }
    }

    #[test]
    fn the_second_taker_learns_who_holds_the_directory() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let first = StateLock::take(dir.path()).expect("free");
        match StateLock::take(dir.path()) {
            Err(LockError::Held(Some(found))) => {
                assert_eq!(found.pid, std::process::id());
                assert_eq!(
                    found.host,
                    word(&gethostname::gethostname().to_string_lossy())
                );
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        StateLock::take(dir.path()).expect("free again");
    }

    #[test]
    fn another_hosts_name_is_believed_and_a_dead_process_of_this_one_is_not() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join(LOCK_FILE);
        let us = at("here", 7);
        std::fs::write(&file, "4711 here\n").expect("written");
        drop(StateLock::take_as(dir.path(), &us).expect("its process is dead"));
        std::fs::write(&file, "4711 there\n").expect("written");
        match StateLock::take_as(dir.path(), &us) {
            Err(LockError::Elsewhere(found)) => {
                assert_eq!(found, at("there", 4711));
                assert_eq!(found.to_string(), "process 4711 on there");
            }
            other => panic!("{other:?}"),
        }
        // What it says stays until a person empties it, or its host takes it again.
        assert!(StateLock::take_as(dir.path(), &us).is_err());
        drop(StateLock::take_as(dir.path(), &at("there", 9)).expect("it is that host's"));
        StateLock::take_as(dir.path(), &us).expect("given back");
    }

    #[test]
    fn what_is_no_holder_counts_for_nothing() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for text in [
            "",
            "\n",
            "4711\n",
            "x there\n",
            "4711 a\u{1b}[31mb\n",
            "\u{0}\u{0}",
        ] {
            std::fs::write(dir.path().join(LOCK_FILE), text).expect("written");
            StateLock::take_as(dir.path(), &at("here", 7)).expect("nobody's");
        }
    }

    #[test]
    fn a_directory_that_is_missing_is_an_error_and_not_a_lock() {
        assert!(matches!(
            StateLock::take(Path::new("/nonexistent/mailferry")),
            Err(LockError::Io(_))
        ));
    }
}
