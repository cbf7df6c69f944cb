//! The state directory as the file system sees it: ours and nobody else's, closed to others, with room on its disk.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::base::limits;
use crate::store::embedded::{LEDGER_DIR, MARKER_FILE, OpenError, Opening, io_at};
use crate::store::lock::LOCK_FILE;

/// What `assess` leaves in a directory that no run has begun yet.
const BEFORE_A_RUN: [&str; 4] = [
    "assess.json",
    "assess-decisions.jsonl",
    "evidence.key",
    "canary.jsonl",
];

/// Makes the state directory, owner-only, or checks that the one that is there is ours.
pub(super) fn prepare(state: &Path, opening: Opening) -> Result<(), OpenError> {
    if state.is_dir() {
        let ours = state.join(LOCK_FILE).exists();
        let empty = fs::read_dir(state)
            .map_err(|error| io_at(state, error))?
            .flatten()
            .all(|entry| BEFORE_A_RUN.iter().any(|name| entry.file_name() == *name));
        return match (ours, empty, opening) {
            (true, _, _) | (false, true, Opening::Create) => {
                set_mode(state, 0o700).map_err(|error| io_at(state, error))
            }
            (false, true, Opening::Existing) => Err(OpenError::Missing(state.to_owned())),
            (false, false, _) => Err(OpenError::Foreign(state.to_owned())),
        };
    }
    if opening == Opening::Existing {
        return Err(OpenError::Missing(state.to_owned()));
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(state).map_err(|error| io_at(state, error))
}

/// Takes the rights of group and others from everything sled made. Files it makes later lie in a directory that is closed to them.
pub(super) fn keep_private(state: &Path) {
    let ledger = state.join(LEDGER_DIR);
    let _ = set_mode(&ledger, 0o700);
    let _ = set_mode(&state.join(MARKER_FILE), 0o600);
    let Ok(entries) = fs::read_dir(&ledger) else {
        return;
    };
    for entry in entries.flatten() {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let _ = set_mode(&entry.path(), if is_dir { 0o700 } else { 0o600 });
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> std::io::Result<()> {
    // Access lists of the parent directory hold; there are no mode bits to set.
    Ok(())
}

/// Refuses as the system would on a full disk, while [`limits::LEDGER_DISK_RESERVE`] is still free. A disk that does not say how full it is
/// passes.
pub(super) fn room_on(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Ok(disk) = rustix::fs::statvfs(path) {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < limits::LEDGER_DISK_RESERVE.get() {
            return Err(ErrorKind::StorageFull.into());
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
