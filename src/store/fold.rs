//! What an append does to rows, in one place for every backend: facts in, changed rows out, or a refusal and nothing changed.

use std::collections::BTreeMap;

use crate::base::books::{Due, Entry, FolderSums};
use crate::base::fact::{CopyFact, CopyRow, Fact, FolderRow, JobRow};
use crate::base::id::{FolderNo, JobId};
use crate::base::item::ItemKey;
use crate::base::limits;
use crate::flow::copy::{CopyState, replay};
use crate::flow::screened;
use crate::port::ledger::{Lease, LedgerError};

/// The address of a copy row.
pub(super) type CopyAt = (JobId, FolderNo, ItemKey);

/// A copy row as it is filed: with what is to be done about it, which the index is made of.
#[derive(Clone, Debug)]
pub(super) struct Filed {
    pub(super) row: CopyRow,
    pub(super) due: Option<Due>,
}

/// Rows as they stand, for the fold to read.
pub(super) trait Rows {
    /// The sums of a folder; nothing, where it has no rows.
    fn sums(&self, job: JobId, folder: FolderNo) -> Result<FolderSums, LedgerError>;
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
    pub(super) copies: BTreeMap<CopyAt, Filed>,
    pub(super) sums: BTreeMap<(JobId, FolderNo), FolderSums>,
}

impl Changed {
    /// Puts `later` on top.
    pub(super) fn absorb(&mut self, later: Changed) {
        self.jobs.extend(later.jobs);
        self.folders.extend(later.folders);
        self.copies.extend(later.copies);
        self.sums.extend(later.sums);
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

    fn sums(&self, job: JobId, folder: FolderNo) -> Result<FolderSums, LedgerError> {
        match self.above.sums.get(&(job, folder)) {
            Some(sums) => Ok(*sums),
            None => self.below.sums(job, folder),
        }
    }

    fn copy(&self, at: CopyAt) -> Result<Option<CopyRow>, LedgerError> {
        match self.above.copies.get(&at) {
            Some(filed) => Ok(Some(filed.row.clone())),
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
    let mut desk = Desk::default();
    for fact in facts {
        match fact {
            Fact::Folder(folder) => {
                changed.folders.insert((job, folder.no), folder.clone());
            }
            Fact::Found { folder, header } => {
                let at = (job, *folder, ItemKey::of(&header.id));
                desk.found(rows, at, header)?;
            }
            Fact::Copy { folder, key, fact } => desk.happened(rows, (job, *folder, *key), fact)?,
            Fact::Phase(phase, since) => {
                row.phase = *phase;
                row.since = *since;
                changed.jobs.insert(job, row.clone());
            }
            Fact::Hierarchy(token) => {
                row.hierarchy.clone_from(token);
                changed.jobs.insert(job, row.clone());
            }
        }
    }
    desk.finish(rows, &mut changed)?;
    Ok(changed)
}

/// Rows under change, with their states, and what they added to sums and index before.
#[derive(Debug, Default)]
struct Desk {
    open: BTreeMap<CopyAt, (CopyRow, CopyState, Option<Entry>)>,
}

impl Desk {
    fn found(
        &mut self,
        rows: &impl Rows,
        at: CopyAt,
        header: &crate::base::item::SourceHeader,
    ) -> Result<(), LedgerError> {
        if self.fetch(rows, at)? {
            if let Some((row, ..)) = self.open.get_mut(&at) {
                row.header = header.clone();
            }
            return Ok(());
        }
        let (_, folder, key) = at;
        let row = CopyRow {
            folder,
            key,
            header: header.clone(),
            facts: Vec::new(),
        };
        self.open.insert(at, (row, CopyState::NEW, None));
        Ok(())
    }

    fn happened(
        &mut self,
        rows: &impl Rows,
        at: CopyAt,
        fact: &CopyFact,
    ) -> Result<(), LedgerError> {
        let job = at.0;
        self.fetch(rows, at)?;
        let (row, state, _) = self
            .open
            .get_mut(&at)
            .ok_or(LedgerError::UnknownItem(job))?;
        *state = state
            .clone()
            .apply(fact)
            .map_err(|_| LedgerError::Contradiction(job))?;
        row.facts.push(fact.clone());
        if row.facts.len() >= limits::FACTS_PER_ROW_LONG
            && let Some(short) = screened::short(row, state)
        {
            row.facts = short;
        }
        if row.facts.len() > limits::FACTS_PER_ROW_MAX {
            // Attempts are bounded above us, so this is a bug above us; it must not grow rows without end.
            return Err(LedgerError::Unusable(format!(
                "a row of job {job} holds {} facts already",
                row.facts.len() - 1
            )));
        }
        Ok(())
    }

    /// Opens the row as the ledger has it. False: there is none.
    fn fetch(&mut self, rows: &impl Rows, at: CopyAt) -> Result<bool, LedgerError> {
        if self.open.contains_key(&at) {
            return Ok(true);
        }
        let Some(row) = rows.copy(at)? else {
            return Ok(false);
        };
        let state = replay(&row).map_err(|_| LedgerError::Contradiction(at.0))?;
        let before = state.entry(&row);
        self.open.insert(at, (row, state, Some(before)));
        Ok(true)
    }

    fn finish(self, rows: &impl Rows, changed: &mut Changed) -> Result<(), LedgerError> {
        for (at, (row, state, before)) in self.open {
            let (job, folder, _) = at;
            let now = state.entry(&row);
            if before != Some(now) {
                let mut sums = match changed.sums.get(&(job, folder)) {
                    Some(sums) => *sums,
                    None => rows.sums(job, folder)?,
                };
                if let Some(before) = before {
                    sums.take(before);
                }
                sums.add(now);
                changed.sums.insert((job, folder), sums);
            }
            changed.copies.insert(at, Filed { row, due: now.due });
        }
        Ok(())
    }
}

/// Index entry and sums of one row that is written as it stands, for a ledger that is built anew.
pub(super) fn entry_of(job: JobId, row: &CopyRow) -> Result<Entry, LedgerError> {
    let state = replay(row).map_err(|_| LedgerError::Contradiction(job))?;
    Ok(state.entry(row))
}
