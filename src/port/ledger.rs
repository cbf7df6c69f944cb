//! Durable truth. Everything else can be rebuilt from this and the two mailboxes.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use thiserror::Error;

use crate::base::books::{Due, FolderSums};
use crate::base::fact::{CopyRow, Fact, FolderRow, JobRow};
use crate::base::id::{FolderNo, JobId, WorkerId};
use crate::base::item::ItemKey;
use crate::base::quantity::Count;

/// The right to append to one job. Not `Clone`: who has it holds the job, until a later claim fences it.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which job.
    pub job: JobId,
    /// Of which claim.
    pub epoch: u64,
}

/// What can go wrong with a ledger.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LedgerError {
    /// A later claim holds the job; nothing was written.
    #[error("job {0} was claimed again; this worker may no longer write")]
    Fenced(JobId),
    /// The job was never registered.
    #[error("job {0} is not in this ledger")]
    UnknownJob(JobId),
    /// A fact about an item that was never listed; nothing was written.
    #[error("a fact about an item that was never listed (job {0})")]
    UnknownItem(JobId),
    /// A fact that cannot follow what the row says already; nothing was written. A bug or damage, never bad mail.
    #[error("a fact that contradicts a row of job {0}; run `mailferry ledger check`")]
    Contradiction(JobId),
    /// The store cannot write or read: disk full, file damaged. Nothing after the last acknowledged append is promised.
    #[error("the ledger cannot be used: {0}")]
    Unusable(String),
    /// The disk has no room left.
    #[error("the ledger's disk is full")]
    DiskFull,
}

/// Durable truth about jobs and copies.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Registers jobs that are not there yet, at epoch 0; leaves the others as they are. May be called again.
    async fn register(&self, jobs: &[JobRow]) -> Result<(), LedgerError>;

    /// Takes a job: raises its epoch, durably, and returns a lease of it. Every older lease is fenced from then on.
    async fn claim(&self, job: JobId, who: &WorkerId) -> Result<Lease, LedgerError>;

    /// Appends facts of one job: all or none, in order, durable when this returns. [`LedgerError::Fenced`] if the lease was lost.
    /// `Found` for a key that exists keeps the row's facts. `Copy` for a key that does not exist is [`LedgerError::UnknownItem`], and one that
    /// cannot follow the row's facts is [`LedgerError::Contradiction`]. Sums and the index of due rows change in the same step.
    async fn append(&self, lease: &Lease, facts: &[Fact]) -> Result<(), LedgerError>;

    /// All jobs, in order.
    async fn jobs(&self) -> Result<Vec<JobRow>, LedgerError>;

    /// All folders of a job, by number.
    async fn folders(&self, job: JobId) -> Result<Vec<FolderRow>, LedgerError>;

    /// Rows of one folder in key order, after `after`, at most `at_most`. An empty answer means the end.
    async fn copies(
        &self,
        job: JobId,
        folder: FolderNo,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError>;

    /// Rows of one folder that have this to be done, in key order, after `after`, at most `at_most`. An empty answer means the end. Costs what it
    /// returns, however many rows are at rest.
    async fn due(
        &self,
        job: JobId,
        folder: FolderNo,
        due: Due,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError>;

    /// What the rows of each folder of a job add up to. Folders without rows are left out.
    async fn sums(&self, job: JobId) -> Result<BTreeMap<FolderNo, FolderSums>, LedgerError>;

    /// What the rows of one folder add up to.
    async fn folder_sums(&self, job: JobId, folder: FolderNo) -> Result<FolderSums, LedgerError>;

    /// One row, where it exists.
    async fn copy(
        &self,
        job: JobId,
        folder: FolderNo,
        key: ItemKey,
    ) -> Result<Option<CopyRow>, LedgerError>;

    /// The rows of these keys that exist, in the order asked. A backend overrides it where asking one by one is dear.
    async fn copies_of(
        &self,
        job: JobId,
        folder: FolderNo,
        keys: &[ItemKey],
    ) -> Result<Vec<CopyRow>, LedgerError> {
        let mut rows = Vec::new();
        for key in keys {
            rows.extend(self.copy(job, folder, *key).await?);
        }
        Ok(rows)
    }
}
