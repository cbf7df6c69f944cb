//! What an append does to rows, in one place for every backend: facts in, changed rows out, or a refusal and nothing changed.

use std::collections::BTreeMap;

use crate::base::fact::{CopyRow, Fact, FolderRow, JobRow};
use crate::base::id::{FolderNo, JobId};
use crate::base::item::ItemKey;
use crate::base::limits;
use crate::port::ledger::{Lease, LedgerError};

/// The address of a copy row.
pub(super) type CopyAt = (JobId, FolderNo, ItemKey);

/// Rows as they stand, for the fold to read.
pub(super) trait Rows {
    /// The job's row.
    fn job(&self, job: JobId) -> Result<Option<JobRow>, LedgerError>;
    /// One copy row.
    fn copy(&self, at: CopyAt) -> Result<Option<CopyRow>, LedgerError>;
}

/// Rows that replace those of the same address.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) jobs: BTreeMap<JobId, JobRow>,
    pub(super) folders: BTreeMap<(JobId, FolderNo), FolderRow>,
    pub(super) copies: BTreeMap<CopyAt, CopyRow>,
}

impl Changed {
    /// Puts `later` on top.
    pub(super) fn absorb(&mut self, later: Changed) {
        self.jobs.extend(later.jobs);
        self.folders.extend(later.folders);
        self.copies.extend(later.copies);
    }
}

/// Rows with changes on top that are not stored yet.
#[derive(Debug)]
pub(super) struct Layered<'a, R> {
    pub(super) below: &'a R,
    pub(super) above: &'a Changed,
}

impl<R: Rows> Rows for Layered<'_, R> {
    fn job(&self, job: JobId) -> Result<Option<JobRow>, LedgerError> {
        match self.above.jobs.get(&job) {
            Some(row) => Ok(Some(row.clone())),
            None => self.below.job(job),
        }
    }

    fn copy(&self, at: CopyAt) -> Result<Option<CopyRow>, LedgerError> {
        match self.above.copies.get(&at) {
            Some(row) => Ok(Some(row.clone())),
            None => self.below.copy(at),
        }
    }
}

/// Registers jobs that are not there yet, at epoch 0.
pub(super) fn register(rows: &impl Rows, wanted: &[JobRow]) -> Result<Changed, LedgerError> {
    let mut changed = Changed::default();
    for job in wanted {
        if rows.job(job.job)?.is_none() {
            let fresh = JobRow {
                epoch: 0,
                ..job.clone()
            };
            changed.jobs.entry(job.job).or_insert(fresh);
        }
    }
    Ok(changed)
}

/// Raises the job's epoch and returns the lease of it.
pub(super) fn claim(rows: &impl Rows, job: JobId) -> Result<(Lease, Changed), LedgerError> {
    let mut row = rows.job(job)?.ok_or(LedgerError::UnknownJob(job))?;
    row.epoch += 1;
    let lease = Lease {
        job,
        epoch: row.epoch,
    };
    let mut changed = Changed::default();
    changed.jobs.insert(job, row);
    Ok((lease, changed))
}

/// Folds facts of one job over its rows.
pub(super) fn append(
    rows: &impl Rows,
    job: JobId,
    epoch: u64,
    facts: &[Fact],
) -> Result<Changed, LedgerError> {
    let mut row = rows.job(job)?.ok_or(LedgerError::UnknownJob(job))?;
    if row.epoch != epoch {
        return Err(LedgerError::Fenced(job));
    }
    let mut changed = Changed::default();
    for fact in facts {
        match fact {
            Fact::Folder(folder) => {
                changed.folders.insert((job, folder.no), folder.clone());
            }
            Fact::Found { folder, header } => {
                let key = ItemKey::of(&header.id);
                let at = (job, *folder, key);
                let facts = take(rows, &mut changed, at)?.map_or_else(Vec::new, |old| old.facts);
                let renewed = CopyRow {
                    folder: *folder,
                    key,
                    header: header.clone(),
                    facts,
                };
                changed.copies.insert(at, renewed);
            }
            Fact::Copy { folder, key, fact } => {
                let at = (job, *folder, *key);
                let mut copy =
                    take(rows, &mut changed, at)?.ok_or(LedgerError::UnknownItem(job))?;
                if copy.facts.len() >= limits::FACTS_PER_ROW_MAX {
                    // Attempts are bounded above us, so this is a bug above us; it must not grow rows without end.
                    return Err(LedgerError::Unusable(format!(
                        "a row of job {job} holds {} facts already",
                        copy.facts.len()
                    )));
                }
                copy.facts.push(fact.clone());
                changed.copies.insert(at, copy);
            }
            Fact::Phase(phase, since) => {
                row.phase = *phase;
                row.since = *since;
                changed.jobs.insert(job, row.clone());
            }
        }
    }
    Ok(changed)
}

/// The row as this append left it so far.
fn take(
    rows: &impl Rows,
    changed: &mut Changed,
    at: CopyAt,
) -> Result<Option<CopyRow>, LedgerError> {
    match changed.copies.remove(&at) {
        Some(row) => Ok(Some(row)),
        None => rows.copy(at),
    }
}
