//! How far the ledger knows each folder, for telling whether a verdict still covers it.

use sha2::{Digest as _, Sha256};

use crate::base::books::FolderSums;
use crate::base::fact::{FolderFate, FolderRow};
use crate::base::id::JobId;
use crate::base::limits::LEDGER_PAGE;
use crate::port::ledger::{Ledger, LedgerError};
use crate::verify::fresh::FolderMark;

/// A mark of sums and sync state. Equal ones prove that nothing became known in between: every change of the source moves the sync state in the
/// same append as its facts, and what the engine does by itself moves the sums. Different ones prove nothing.
pub fn quick(row: &FolderRow, sums: Option<&FolderSums>) -> [u8; 16] {
    let mut hash = Sha256::new();
    let sums = serde_json::to_vec(&sums.copied().unwrap_or_default()).unwrap_or_default();
    hash.update((sums.len() as u64).to_le_bytes());
    hash.update(sums);
    if let Some(sync) = &row.sync {
        hash.update(sync.as_str().as_bytes());
    }
    let mut out = [0; 16];
    out.copy_from_slice(&hash.finalize()[..16]);
    out
}

/// The marks of a job's carried folders. Folders that did not move since `known` are not read row by row.
pub async fn marks(
    ledger: &dyn Ledger,
    job: JobId,
    known: &[FolderMark],
) -> Result<Vec<FolderMark>, LedgerError> {
    let sums = ledger.sums(job).await?;
    let mut out = Vec::new();
    for row in ledger.folders(job).await? {
        if row.fate != FolderFate::Carry {
            continue;
        }
        let quick = quick(&row, sums.get(&row.no));
        let before = known.iter().find(|mark| mark.folder == row.no);
        let mut mark = FolderMark::begin(&row);
        mark.quick = Some(quick);
        match before.filter(|before| before.quick == Some(quick)) {
            Some(before) => (mark.rows, mark.facts) = (before.rows, before.facts),
            None => count(ledger, job, &mut mark).await?,
        }
        out.push(mark);
    }
    Ok(out)
}

async fn count(ledger: &dyn Ledger, job: JobId, mark: &mut FolderMark) -> Result<(), LedgerError> {
    let mut after = None;
    loop {
        let rows = ledger.copies(job, mark.folder, after, LEDGER_PAGE).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = Some(last.key);
        for row in &rows {
            mark.count(row.facts.len());
        }
    }
}
