//! Writes a ledger anew beside the old one, compares them row by row, and puts it in the old one's place.
//!
//! Killed at any moment, it leaves one good ledger: until the old directory is renamed, the old one is in its place; between the two renames
//! [`tidy`] puts it back there; after the second, the new one is in its place, complete, compared and on disk.

use std::fs;
use std::path::Path;

use crate::base::limits::COMPACT_BATCH;
use crate::base::quantity::{Bytes, Count};
use crate::port::ledger::LedgerError;
use crate::store::embedded::{LEDGER_DIR, OpenError, io_at, keep_private, unusable, unusable_at};
use crate::store::inspect::Inspection;
use crate::store::shelf::Shelf;

/// Where the new ledger is written.
pub(super) const NEW_DIR: &str = "ledger.new";

/// Where the old one lies while the new one takes its place.
const OLD_DIR: &str = "ledger.old";

/// What compacting did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Entries of the store that were written and compared: leaves of items, folders, mailboxes, sums and the index.
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
        // The lock of the directory is held until the end.
        let Self { shelf, lock, .. } = self;
        replace(shelf, &state)?;
        drop(lock);
        Ok(Compacted {
            rows,
            before,
            after: size(&state.join(LEDGER_DIR)),
        })
    }
}

/// Puts the new ledger, which is complete and closed, in the place of the old one.
pub(super) fn replace(old: Shelf, state: &Path) -> Result<(), OpenError> {
    // Both are closed before either is renamed.
    drop(old);
    let rename = |from: &str, to: &str| {
        fs::rename(state.join(from), state.join(to))
            .and_then(|()| sync(state))
            .map_err(|error| io_at(&state.join(from), error))
    };
    rename(LEDGER_DIR, OLD_DIR)?;
    rename(NEW_DIR, LEDGER_DIR)?;
    tidy(state)?;
    keep_private(state);
    Ok(())
}

fn write_anew(old: &Shelf, state: &Path) -> Result<Count, OpenError> {
    let failed = |error: LedgerError| unusable_at(state, &error);
    let new = Shelf::open_at(state, NEW_DIR)?;
    let mut batch = sled::Batch::default();
    let mut waiting = 0;
    let put = |key: &[u8], value: &[u8]| {
        batch.insert(key, value);
        waiting += 1;
        if waiting == COMPACT_BATCH {
            new.apply(std::mem::take(&mut batch))?;
            new.let_go()?;
            waiting = 0;
        }
        Ok(true)
    };
    old.walk(&[], put).map_err(failed)?;
    new.apply(batch).map_err(failed)?;
    drop(new);
    // Read back from the disk, not from the memory of the one who wrote.
    let new = Shelf::open_at(state, NEW_DIR)?;
    compare(old, &new).map_err(failed)
}

/// Compares two ledgers row by row. Returns how many rows they have.
fn compare(old: &Shelf, new: &Shelf) -> Result<Count, LedgerError> {
    let differ = || LedgerError::Unusable("the new ledger is not the old one".to_owned());
    let mut rows = 0;
    old.walk(&[], |key, value| {
        let same = new.with(|new| new.get(key).map_err(|error| unusable(&error)))?;
        rows += 1;
        if same.is_some_and(|same| &*same == value) {
            Ok(true)
        } else {
            Err(differ())
        }
    })?;
    let mut there = 0;
    new.walk(&[], |_, _| {
        there += 1;
        Ok(true)
    })?;
    if there == rows {
        Ok(Count::new(rows))
    } else {
        Err(differ())
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
