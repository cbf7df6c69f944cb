//! Brings a ledger of format 1 to format 2: rows are written anew, the index of due rows and the sums are built.
//!
//! Killed at any moment, it is simply done again: a row says itself which format it bears, what it adds to the index follows from the row, and
//! the header, written last, says that all of it is done.

use std::collections::BTreeMap;

use crate::base::books::FolderSums;
use crate::base::id::{FolderNo, JobId};
use crate::port::ledger::LedgerError;
use crate::store::codec::{self, CodecError, HEADER_KEY, Header, decode, encode};
use crate::store::codec_v1::{self, FORMAT_1};
use crate::store::embedded::{Shelf, unusable};
use crate::store::fold;

/// Rows written in one atomic batch: about 1 MB.
const ROWS_PER_BATCH: usize = 1_000;

/// Rewrites every row that is still of format 1, and the header last.
pub(super) fn to_current(shelf: &Shelf, header: &Header) -> Result<(), LedgerError> {
    let mut sums: BTreeMap<(JobId, FolderNo), FolderSums> = BTreeMap::new();
    let mut batch = sled::Batch::default();
    let mut waiting = 0;
    for entry in shelf.all() {
        let (key, bytes) = entry.map_err(|error| unusable(&error))?;
        let old = bytes.first() == Some(&FORMAT_1);
        let written = match key.first() {
            Some(b'j') if old => Some(encode(&read(codec_v1::job(&bytes))?)),
            Some(b'f') if old => Some(encode(&read(codec_v1::folder(&bytes))?)),
            Some(b'c') => {
                let row = read(if old {
                    codec_v1::copy(&bytes)
                } else {
                    decode(&bytes)
                })?;
                let job = codec::job_of(&key).ok_or_else(damaged)?;
                let entry = fold::entry_of(job, &row)?;
                sums.entry((job, row.folder)).or_default().add(entry);
                if let Some(due) = entry.due {
                    batch.insert(&codec::due_key(job, row.folder, due, row.key), &[]);
                }
                Some(encode(&row))
            }
            _ => None,
        };
        if let Some(written) = written {
            batch.insert(key, written);
            waiting += 1;
        }
        if waiting == ROWS_PER_BATCH {
            shelf
                .apply(std::mem::take(&mut batch))
                .map_err(|error| unusable(&error))?;
            waiting = 0;
        }
    }
    for ((job, folder), sums) in &sums {
        batch.insert(&codec::sums_key(*job, *folder), encode(sums));
    }
    shelf.apply(batch).map_err(|error| unusable(&error))?;
    // In a batch of its own, after everything it vouches for.
    let mut last = sled::Batch::default();
    last.insert(HEADER_KEY, encode(header));
    shelf.apply(last).map_err(|error| unusable(&error))
}

fn read<T>(row: Result<T, CodecError>) -> Result<T, LedgerError> {
    row.map_err(|error| LedgerError::Unusable(error.to_string()))
}

fn damaged() -> LedgerError {
    LedgerError::Unusable(CodecError::Damaged.to_string())
}
