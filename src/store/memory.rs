//! A ledger in memory. It remembers everything, and forgets on purpose when a test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::base::books::{Due, FolderSums};
use crate::base::fact::{CopyRow, Fact, FolderRow, JobRow};
use crate::base::id::{FolderNo, JobId, WorkerId};
use crate::base::item::ItemKey;
use crate::base::quantity::Count;
use crate::port::ledger::{Lease, Ledger, LedgerError};
use crate::store::fold::{self, Changed, CopyAt, Filed, Rows};

/// A ledger that lives as long as the value. Two modes: [`MemoryLedger::new`] keeps the port's promise that an append is durable when it
/// returns; [`MemoryLedger::forgetful`] breaks it until [`MemoryLedger::flush`], so that a test can show what the promise is worth.
#[derive(Debug)]
pub struct MemoryLedger {
    forgetful: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    live: Tables,
    /// What a crash leaves. In the durable mode it is not kept: it would equal `live`.
    flushed: Tables,
    /// Changes since the last flush, in order. Empty in the durable mode.
    pending: Vec<Changed>,
}

#[derive(Debug, Default)]
struct Tables {
    jobs: BTreeMap<JobId, JobRow>,
    folders: BTreeMap<(JobId, FolderNo), FolderRow>,
    copies: BTreeMap<CopyAt, Filed>,
    due: BTreeSet<(JobId, FolderNo, Due, ItemKey)>,
    sums: BTreeMap<(JobId, FolderNo), FolderSums>,
}

impl Tables {
    fn put(&mut self, changed: Changed) {
        self.jobs.extend(changed.jobs);
        self.folders.extend(changed.folders);
        for (at, filed) in changed.copies {
            let (job, folder, key) = at;
            let new = filed.due;
            let old = self.copies.insert(at, filed).and_then(|old| old.due);
            if let Some(due) = old {
                self.due.remove(&(job, folder, due, key));
            }
            self.due.extend(new.map(|due| (job, folder, due, key)));
        }
        self.sums.extend(changed.sums);
    }

    fn duplicate(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
            folders: self.folders.clone(),
            copies: self.copies.clone(),
            due: self.due.clone(),
            sums: self.sums.clone(),
        }
    }
}

impl Rows for Tables {
    fn job(&self, job: JobId) -> Result<Option<JobRow>, LedgerError> {
        Ok(self.jobs.get(&job).cloned())
    }

    fn sums(&self, job: JobId, folder: FolderNo) -> Result<FolderSums, LedgerError> {
        Ok(self.sums.get(&(job, folder)).copied().unwrap_or_default())
    }

    fn copy(&self, at: CopyAt) -> Result<Option<CopyRow>, LedgerError> {
        Ok(self.copies.get(&at).map(|filed| filed.row.clone()))
    }
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryLedger {
    /// An empty ledger whose appends are durable when they return: a crash forgets nothing that was acknowledged.
    pub fn new() -> Self {
        Self {
            forgetful: false,
            inner: Mutex::default(),
        }
    }

    /// An empty ledger whose appends are durable only after [`MemoryLedger::flush`].
    pub fn forgetful() -> Self {
        Self {
            forgetful: true,
            inner: Mutex::default(),
        }
    }

    /// Makes everything appended so far durable.
    pub fn flush(&self) {
        let mut inner = self.lock();
        for changed in std::mem::take(&mut inner.pending) {
            inner.flushed.put(changed);
        }
    }

    /// The process dies here: what was not durable is gone. Leases of before stay fenced by the next claim.
    pub fn crash(&self) {
        if self.forgetful {
            let mut inner = self.lock();
            inner.pending.clear();
            inner.live = inner.flushed.duplicate();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is put in whole, so the tables are sound even after a panic elsewhere.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, inner: &mut Inner, changed: Changed) {
        if self.forgetful {
            let copy = Changed {
                jobs: changed.jobs.clone(),
                folders: changed.folders.clone(),
                copies: changed.copies.clone(),
                sums: changed.sums.clone(),
            };
            inner.pending.push(copy);
        }
        inner.live.put(changed);
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn register(&self, jobs: &[JobRow]) -> Result<(), LedgerError> {
        let mut inner = self.lock();
        let changed = fold::register(&inner.live, jobs)?;
        self.store(&mut inner, changed);
        Ok(())
    }

    async fn claim(&self, job: JobId, _who: &WorkerId) -> Result<Lease, LedgerError> {
        let mut inner = self.lock();
        let (lease, changed) = fold::claim(&inner.live, job)?;
        self.store(&mut inner, changed);
        Ok(lease)
    }

    async fn append(&self, lease: &Lease, facts: &[Fact]) -> Result<(), LedgerError> {
        let mut inner = self.lock();
        let changed = fold::append(&inner.live, lease.job, lease.epoch, facts)?;
        self.store(&mut inner, changed);
        Ok(())
    }

    async fn jobs(&self) -> Result<Vec<JobRow>, LedgerError> {
        Ok(self.lock().live.jobs.values().cloned().collect())
    }

    async fn folders(&self, job: JobId) -> Result<Vec<FolderRow>, LedgerError> {
        let inner = self.lock();
        let range = (job, FolderNo(0))..=(job, FolderNo(u32::MAX));
        Ok(inner
            .live
            .folders
            .range(range)
            .map(|(_, row)| row.clone())
            .collect())
    }

    async fn copies(
        &self,
        job: JobId,
        folder: FolderNo,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        let at_most = usize::try_from(at_most.get()).unwrap_or(usize::MAX);
        let first = match after {
            Some(key) => Bound::Excluded((job, folder, key)),
            None => Bound::Included((job, folder, ItemKey([0; 16]))),
        };
        let last = Bound::Included((job, folder, ItemKey([0xFF; 16])));
        let inner = self.lock();
        Ok(inner
            .live
            .copies
            .range((first, last))
            .take(at_most)
            .map(|(_, filed)| filed.row.clone())
            .collect())
    }

    async fn due(
        &self,
        job: JobId,
        folder: FolderNo,
        due: Due,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        let at_most = usize::try_from(at_most.get()).unwrap_or(usize::MAX);
        let first = match after {
            Some(key) => Bound::Excluded((job, folder, due, key)),
            None => Bound::Included((job, folder, due, ItemKey([0; 16]))),
        };
        let last = Bound::Included((job, folder, due, ItemKey([0xFF; 16])));
        let inner = self.lock();
        let tables = &inner.live;
        Ok(tables
            .due
            .range((first, last))
            .take(at_most)
            .filter_map(|(job, folder, _, key)| tables.copies.get(&(*job, *folder, *key)))
            .map(|filed| filed.row.clone())
            .collect())
    }

    async fn folder_sums(&self, job: JobId, folder: FolderNo) -> Result<FolderSums, LedgerError> {
        self.lock().live.sums(job, folder)
    }

    async fn sums(&self, job: JobId) -> Result<BTreeMap<FolderNo, FolderSums>, LedgerError> {
        let inner = self.lock();
        let range = (job, FolderNo(0))..=(job, FolderNo(u32::MAX));
        Ok(inner
            .live
            .sums
            .range(range)
            .map(|((_, folder), sums)| (*folder, *sums))
            .collect())
    }

    async fn copy(
        &self,
        job: JobId,
        folder: FolderNo,
        key: ItemKey,
    ) -> Result<Option<CopyRow>, LedgerError> {
        self.lock().live.copy((job, folder, key))
    }
}
