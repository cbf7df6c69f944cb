//! Writes a ledger anew beside the old one, compares them row by row, and puts it in the old one's place.
//!
//! Killed at any moment, it leaves one good ledger: until the old directory is renamed, the old one is in its place; between the two renames
//! [`tidy`] puts it back there; after the second, the new one is in its place, complete, compared and on disk.

use std::fs;
use std::path::Path;

use crate::base::limits::COMPACT_BATCH;
use crate::base::quantity::{Bytes, Count};
use crate::port::ledger::LedgerError;
use crate::store::embedded::{
    LEDGER_DIR, OpenError, Shelf, io_at, keep_private, unusable, unusable_at,
};
use crate::store::inspect::Inspection;

/// Where the new ledger is written.
const NEW_DIR: &str = "ledger.new";

/// Where the old one lies while the new one takes its place.
const OLD_DIR: &str = "ledger.old";

/// What compacting did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Rows, sums and index entries that were written and compared.
    pub rows: Count,
    /// The files before.
    pub before: Bytes,
    /// The files now.
    pub after: Bytes,
}

/// Brings a state directory back to one ledger, after a compaction that was cut off. Belongs under the lock.
pub(super) fn tidy(state: &Path) -> Result<(), OpenError> {
    let at = |name: &str| state.join(name);
    let io = |name: &str, done: std::io::Result<()>| done.map_err(|error| io_at(&at(name), error));
    if !at(LEDGER_DIR).exists() && at(OLD_DIR).exists() {
        io(OLD_DIR, fs::rename(at(OLD_DIR), at(LEDGER_DIR)))?;
        io(LEDGER_DIR, sync(state))?;
    }
    for name in [NEW_DIR, OLD_DIR] {
        if at(name).exists() {
            io(name, fs::remove_dir_all(at(name)))?;
        }
    }
    Ok(())
}

impl Inspection {
    /// Compacts the ledger. Needs room for a second one; on an error the old one stays as it is.
    pub fn compact(self) -> Result<Compacted, OpenError> {
        let state = self.state.clone();
        let before = size(&state.join(LEDGER_DIR));
        let rows = match write_anew(&self.shelf, &state) {
            Ok(rows) => rows,
            Err(error) => {
                // Half a ledger helps nobody, least of all on a full disk.
                let _ = fs::remove_dir_all(state.join(NEW_DIR));
                return Err(error);
            }
        };
        // Both are closed before either is renamed; the lock of the directory is held until the end.
        let Self { shelf, lock, .. } = self;
        drop(shelf);
        let rename = |from: &str, to: &str| {
            fs::rename(state.join(from), state.join(to))
                .and_then(|()| sync(&state))
                .map_err(|error| io_at(&state.join(from), error))
        };
        rename(LEDGER_DIR, OLD_DIR)?;
        rename(NEW_DIR, LEDGER_DIR)?;
        tidy(&state)?;
        keep_private(&state);
        drop(lock);
        Ok(Compacted {
            rows,
            before,
            after: size(&state.join(LEDGER_DIR)),
        })
    }
}

fn write_anew(old: &Shelf, state: &Path) -> Result<Count, OpenError> {
    let failed = |error: &LedgerError| unusable_at(state, error);
    let new = Shelf::open_at(state, NEW_DIR)?;
    let mut batch = sled::Batch::default();
    let mut waiting = 0;
    for entry in old.all() {
        let (key, value) = entry.map_err(|error| failed(&unusable(&error)))?;
        batch.insert(key, value);
        waiting += 1;
        if waiting == COMPACT_BATCH {
            new.apply(std::mem::take(&mut batch))
                .map_err(|error| failed(&unusable(&error)))?;
            waiting = 0;
        }
    }
    new.apply(batch)
        .map_err(|error| failed(&unusable(&error)))?;
    drop(new);
    // Read back from the disk, not from the memory of the one who wrote.
    compare(old, &Shelf::open_at(state, NEW_DIR)?).map_err(|error| failed(&error))
}

/// Compares two ledgers row by row. Returns how many rows they have.
fn compare(old: &Shelf, new: &Shelf) -> Result<Count, LedgerError> {
    let differ = || LedgerError::Unusable("the new ledger is not the old one".to_owned());
    let (mut left, mut right) = (old.all(), new.all());
    let mut rows = 0;
    loop {
        let read = |entry: Option<Result<_, sled::Error>>| {
            entry.transpose().map_err(|error| unusable(&error))
        };
        match (read(left.next())?, read(right.next())?) {
            (None, None) => return Ok(Count::new(rows)),
            (Some(a), Some(b)) if a == b => rows += 1,
            _ => return Err(differ()),
        }
    }
}

/// Makes renames durable.
fn sync(dir: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    fs::File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

fn size(dir: &Path) -> Bytes {
    let Ok(entries) = fs::read_dir(dir) else {
        return Bytes::ZERO;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) => Bytes::new(meta.len()),
            Err(_) => Bytes::ZERO,
        })
        .sum()
}
