//! Brings a ledger of format 1 to format 2: its rows are written anew beside it, in leaves, with their index and the sums, and then put in its
//! place.
//!
//! Within format 2 the sums of a folder grew: what is shorter is computed anew from its rows when the ledger is opened.
//!
//! Killed at any moment, it leaves a whole ledger of one of the two formats: the new one is put in the old one's place only when all of it is on
//! disk, as a compacted ledger is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::base::books::FolderSums;
use crate::base::fact::CopyRow;
use crate::base::id::JobId;
use crate::base::limits::{COMPACT_BATCH, LEDGER_PAGE};
use crate::port::ledger::LedgerError;
use crate::store::codec::{self, CodecError, HEADER_KEY, Header, encode};
use crate::store::codec_v1;
use crate::store::compact::{self, NEW_DIR};
use crate::store::embedded::{LEDGER_DIR, OpenError, unusable_at};
use crate::store::fold::{self, CopyAt, Filed};
use crate::store::shelf::Shelf;

/// Writes a ledger of format 1 anew and hands out the new one. On an error the old one stays as it is.
pub(super) fn to_current(old: Shelf, state: &Path, header: &Header) -> Result<Shelf, OpenError> {
    if let Err(error) = write_anew(&old, state, header) {
        let _ = fs::remove_dir_all(state.join(NEW_DIR));
        return Err(error);
    }
    compact::replace(old, state)?;
    Shelf::open_at(state, LEDGER_DIR)
}

/// The sums of a folder that were written before the routes of its copies were counted end where those begin.
const WITHOUT_ROUTES: [u8; 2] = [0; 2];

/// Computes sums anew that were written before all of them were kept. Costs a read per folder, and one per row of those folders, once.
pub(super) fn complete_sums(shelf: &Shelf, state: &Path) -> Result<(), OpenError> {
    let mut short = Vec::new();
    let look = |key: &[u8], bytes: &[u8]| {
        let longer = [bytes, &WITHOUT_ROUTES].concat();
        if codec::decode::<FolderSums>(bytes).is_err()
            && codec::decode::<FolderSums>(&longer).is_ok()
        {
            short.extend(codec::job_of(key).zip(codec::folder_of(key)));
        }
        Ok(true)
    };
    let walked = shelf.walk(codec::ALL_SUMS, look);
    let mend = || {
        walked?;
        for (job, folder) in short {
            let (mut sums, mut after) = (FolderSums::default(), None);
            loop {
                let rows = shelf.page(job, folder, after, LEDGER_PAGE)?;
                let Some(last) = rows.last() else { break };
                after = Some(last.key);
                for row in &rows {
                    sums.add(fold::entry_of(job, row)?);
                }
                shelf.refresh()?;
            }
            let mut batch = sled::Batch::default();
            batch.insert(&codec::sums_key(job, folder), encode(&sums));
            shelf.apply(batch)?;
        }
        Ok(())
    };
    mend().map_err(|error: LedgerError| unusable_at(state, &error))
}

fn write_anew(old: &Shelf, state: &Path, header: &Header) -> Result<(), OpenError> {
    let failed = |error: LedgerError| unusable_at(state, &error);
    let new = Shelf::open_at(state, NEW_DIR)?;
    let mut part = Part::default();
    old.walk(&[], |key, bytes| {
        match key.first() {
            Some(b'j') => part.batch.insert(key, encode(&read(codec_v1::job(bytes))?)),
            Some(b'f') => part
                .batch
                .insert(key, encode(&read(codec_v1::folder(bytes))?)),
            Some(b'c') => {
                let job = codec::job_of(key).ok_or_else(damaged)?;
                part.add(job, read(codec_v1::copy(bytes))?)?;
            }
            _ => return Ok(true),
        }
        part.waiting += 1;
        if part.waiting == COMPACT_BATCH {
            std::mem::take(&mut part).write(&new)?;
        }
        Ok(true)
    })
    .map_err(failed)?;
    // The header is in the last part, after everything it vouches for.
    part.batch.insert(HEADER_KEY, encode(header));
    part.write(&new).map_err(failed)
}

/// Rows that are written together.
#[derive(Default)]
struct Part {
    batch: sled::Batch,
    copies: BTreeMap<CopyAt, Filed>,
    waiting: usize,
}

impl Part {
    fn add(&mut self, job: JobId, row: CopyRow) -> Result<(), LedgerError> {
        let due = fold::entry_of(job, &row)?.due;
        let filed = Filed { row, due };
        self.copies
            .insert((job, filed.row.folder, filed.row.key), filed);
        Ok(())
    }

    fn write(mut self, new: &Shelf) -> Result<(), LedgerError> {
        let mut sums = BTreeMap::new();
        for ((job, folder, _), filed) in &self.copies {
            let sums = match sums.entry((*job, *folder)) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(room) => {
                    room.insert(fold::Rows::sums(new, *job, *folder)?)
                }
            };
            sums.add(fold::entry_of(*job, &filed.row)?);
        }
        for ((job, folder), sums) in &sums {
            self.batch
                .insert(&codec::sums_key(*job, *folder), encode(sums));
        }
        new.file(&self.copies, &mut self.batch)?;
        new.apply(self.batch)?;
        new.let_go()
    }
}

fn read<T>(row: Result<T, CodecError>) -> Result<T, LedgerError> {
    row.map_err(|error| LedgerError::Unusable(error.to_string()))
}

fn damaged() -> LedgerError {
    LedgerError::Unusable(CodecError::Damaged.to_string())
}
