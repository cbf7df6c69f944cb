//! The ledger of one workstation: sled in `STATE/ledger`, one process at a time.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use async_trait::async_trait;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::base::books::{Due, FolderSums};
use crate::base::fact::{CopyRow, Fact, FolderRow, JobRow};
use crate::base::id::{FolderNo, JobId, PlanHash, WorkerId};
use crate::base::item::ItemKey;
use crate::base::limits;
use crate::base::quantity::Count;
use crate::base::spec::Realm;
use crate::port::ledger::{Lease, Ledger, LedgerError};
use crate::store::codec::{self, CodecError, HEADER_KEY, Header};
use crate::store::committer::{self, Order};
use crate::store::compact;
pub(super) use crate::store::directory::{keep_private, prepare};
use crate::store::fold::Rows;
use crate::store::lock::{Holder, LOCK_FILE, LockError, StateLock};
use crate::store::migrate;
use crate::store::shelf::Shelf;

/// The sled directory inside a state directory.
pub const LEDGER_DIR: &str = "ledger";

/// Says that a ledger was once begun here, so that one that lost its file is not taken for a new one.
pub(super) const MARKER_FILE: &str = "begun";

/// Why a state directory was not opened. Nothing in it was changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Nothing was begun here yet.
    #[error("{} holds no ledger yet", .0.display())]
    Missing(PathBuf),
    /// Another process works on it.
    #[error("another run holds {}{}", dir.display(), by.as_ref().map_or_else(String::new, |by| format!(" ({by})")))]
    Held {
        /// The state directory.
        dir: PathBuf,
        /// Who, where the lock file says so.
        by: Option<Holder>,
    },
    /// Its lock bears the name of another host, which this one cannot ask.
    #[error("a run on another host may hold {} ({by})", dir.display())]
    Elsewhere {
        /// The state directory.
        dir: PathBuf,
        /// Who.
        by: Holder,
    },
    /// The directory holds other files.
    #[error("{} holds files that are not mailferry's", .0.display())]
    Foreign(PathBuf),
    /// The ledger belongs to another plan.
    #[error("{} belongs to another plan (hash {found})", dir.display())]
    OtherPlan {
        /// The state directory.
        dir: PathBuf,
        /// Whose it is.
        found: PlanHash,
    },
    /// The ledger belongs to another realm.
    #[error("{} belongs to the realm {found:?}, the plan to another", dir.display())]
    OtherRealm {
        /// The state directory.
        dir: PathBuf,
        /// Whose it is.
        found: Realm,
    },
    /// Written by a newer program.
    #[error("{} was written by a newer mailferry (format {found}, this one reads up to {newest})", dir.display())]
    Newer {
        /// The state directory.
        dir: PathBuf,
        /// The format found.
        found: u8,
        /// The newest this program reads.
        newest: u8,
    },
    /// Written by an older program, and only looked at.
    #[error("{} was written by an older mailferry (format {found})", dir.display())]
    Older {
        /// The state directory.
        dir: PathBuf,
        /// The format found.
        found: u8,
    },
    /// The files cannot be read as a ledger.
    #[error("the ledger in {} is damaged: {why}", dir.display())]
    Corrupt {
        /// The state directory.
        dir: PathBuf,
        /// What was found.
        why: String,
    },
    /// The system refused a file.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Whether a ledger may be begun where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Begin one.
    Create,
    /// Refuse with [`OpenError::Missing`].
    Existing,
}

/// A ledger on disk.
#[derive(Debug)]
pub struct EmbeddedLedger {
    shelf: Shelf,
    orders: Option<mpsc::Sender<Order>>,
    committer: Option<JoinHandle<()>>,
    // Last: given back when everything is written.
    _lock: StateLock,
}

impl EmbeddedLedger {
    /// Opens the ledger of `state` for a plan, alone. Blocks on the disk: call it off the async threads, or before they start.
    pub fn open(state: &Path, belongs: &Header, opening: Opening) -> Result<Self, OpenError> {
        prepare(state, opening)?;
        let lock = lock(state)?;
        let marker = state.join(MARKER_FILE);
        if opening == Opening::Existing && !marker.exists() {
            return Err(OpenError::Missing(state.to_owned()));
        }
        compact::tidy(state)?;
        let mut shelf = Shelf::open_at(state, LEDGER_DIR)?;
        if check(&shelf, state, belongs, marker.exists())? != codec::FORMAT {
            shelf = migrate::to_current(shelf, state, belongs)?;
        }
        migrate::complete_sums(&shelf, state)?;
        if !marker.exists() {
            fs::write(&marker, format!("{}\n", belongs.plan))
                .map_err(|error| io_at(&marker, error))?;
        }
        keep_private(state);
        let (sender, receiver) = mpsc::channel(limits::APPEND_QUEUE);
        let own = shelf.clone();
        let committer = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || committer::run(&own, receiver))
            .map_err(|error| io_at(state, error))?;
        Ok(Self {
            shelf,
            orders: Some(sender),
            committer: Some(committer),
            _lock: lock,
        })
    }

    async fn order<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, LedgerError>>) -> Order,
    ) -> Result<T, LedgerError> {
        let gone = || LedgerError::Unusable("the ledger's writer has ended".to_owned());
        let (answer, result) = oneshot::channel();
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send(make(answer)).await.map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shelf) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let own = self.shelf.clone();
        let reading = move || {
            let rows = read(&own)?;
            own.refresh()?;
            Ok(rows)
        };
        tokio::task::spawn_blocking(reading)
            .await
            .map_err(|_| LedgerError::Unusable("a read of the ledger was cut short".to_owned()))?
    }
}

impl Drop for EmbeddedLedger {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(committer) = self.committer.take() {
            // It ends after the orders that wait. A panic in it was answered to every waiting caller already.
            let _ = committer.join();
        }
    }
}

#[async_trait]
impl Ledger for EmbeddedLedger {
    async fn register(&self, jobs: &[JobRow]) -> Result<(), LedgerError> {
        let jobs = jobs.to_vec();
        self.order(|answer| Order::Register(jobs, answer)).await
    }

    async fn claim(&self, job: JobId, _who: &WorkerId) -> Result<Lease, LedgerError> {
        self.order(|answer| Order::Claim(job, answer)).await
    }

    async fn append(&self, lease: &Lease, facts: &[Fact]) -> Result<(), LedgerError> {
        let (job, epoch, facts) = (lease.job, lease.epoch, facts.to_vec());
        self.order(|answer| Order::Append {
            job,
            epoch,
            facts,
            answer,
        })
        .await
    }

    async fn jobs(&self) -> Result<Vec<JobRow>, LedgerError> {
        self.read(|shelf| shelf.under(codec::JOBS)).await
    }

    async fn folders(&self, job: JobId) -> Result<Vec<FolderRow>, LedgerError> {
        self.read(move |shelf| shelf.under(&codec::folders_of(job)))
            .await
    }

    async fn copies(
        &self,
        job: JobId,
        folder: FolderNo,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        self.read(move |shelf| shelf.page(job, folder, after, at_most))
            .await
    }

    async fn due(
        &self,
        job: JobId,
        folder: FolderNo,
        due: Due,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        self.read(move |shelf| shelf.due(job, folder, due, after, at_most))
            .await
    }

    async fn folder_sums(&self, job: JobId, folder: FolderNo) -> Result<FolderSums, LedgerError> {
        self.read(move |shelf| Rows::sums(shelf, job, folder)).await
    }

    async fn sums(&self, job: JobId) -> Result<BTreeMap<FolderNo, FolderSums>, LedgerError> {
        self.read(move |shelf| shelf.sums_of(job)).await
    }

    async fn copy(
        &self,
        job: JobId,
        folder: FolderNo,
        key: ItemKey,
    ) -> Result<Option<CopyRow>, LedgerError> {
        self.read(move |shelf| shelf.copy((job, folder, key))).await
    }

    async fn copies_of(
        &self,
        job: JobId,
        folder: FolderNo,
        keys: &[ItemKey],
    ) -> Result<Vec<CopyRow>, LedgerError> {
        let keys = keys.to_vec();
        self.read(move |shelf| {
            let rows = keys.iter().map(|key| shelf.copy((job, folder, *key)));
            rows.filter_map(Result::transpose).collect()
        })
        .await
    }
}

/// Reads the header, or writes it into a ledger that is new. Returns the format that was found.
fn check(shelf: &Shelf, state: &Path, belongs: &Header, begun: bool) -> Result<u8, OpenError> {
    let corrupt = |why: &str| OpenError::Corrupt {
        dir: state.to_owned(),
        why: why.to_owned(),
    };
    let header = shelf.header().map_err(|error| unusable_at(state, &error))?;
    if let Some(found) = header {
        return judge(&found, state, belongs);
    }
    let empty = shelf
        .with(|db| Ok(db.is_empty()))
        .map_err(|error| unusable_at(state, &error))?;
    if begun || !empty {
        return Err(corrupt("its header is gone"));
    }
    let mut batch = sled::Batch::default();
    batch.insert(HEADER_KEY, codec::encode(belongs));
    shelf
        .apply(batch)
        .map_err(|error| unusable_at(state, &error))?;
    Ok(codec::FORMAT)
}

/// Whose ledger a header says it is, and of which format; an error where it is not the plan's, or cannot be read.
pub(super) fn judge(header: &[u8], state: &Path, belongs: &Header) -> Result<u8, OpenError> {
    let dir = || state.to_owned();
    match codec::decode_header(header) {
        Err(CodecError::Newer { found }) => Err(OpenError::Newer {
            dir: dir(),
            found,
            newest: codec::FORMAT,
        }),
        Err(CodecError::Damaged) => Err(OpenError::Corrupt {
            dir: dir(),
            why: "its header does not read back".to_owned(),
        }),
        Ok((_, header)) if header.realm != belongs.realm => Err(OpenError::OtherRealm {
            dir: dir(),
            found: header.realm,
        }),
        Ok((_, header)) if header.plan != belongs.plan => Err(OpenError::OtherPlan {
            dir: dir(),
            found: header.plan,
        }),
        Ok((format, _)) => Ok(format),
    }
}

/// What a failed write means to the engine: a full disk is said by name, since waiting or making room helps.
pub(super) fn unusable(error: &sled::Error) -> LedgerError {
    match error {
        sled::Error::Io(io)
            if matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
        {
            LedgerError::DiskFull
        }
        other => LedgerError::Unusable(word(other)),
    }
}

/// The same as the failure of a command that opens a ledger.
pub(super) fn unusable_at(state: &Path, error: &LedgerError) -> OpenError {
    if *error == LedgerError::DiskFull {
        return io_at(&state.join(LEDGER_DIR), ErrorKind::StorageFull.into());
    }
    OpenError::Corrupt {
        dir: state.to_owned(),
        why: error.to_string(),
    }
}

/// What sled says, without the bytes of a row.
pub(super) fn word(error: &sled::Error) -> String {
    match error {
        sled::Error::CollectionNotFound(_) => "a table is missing".to_owned(),
        sled::Error::Unsupported(_) => "its files are of another kind".to_owned(),
        sled::Error::ReportableBug(_) => "the store contradicts itself".to_owned(),
        sled::Error::Io(io) => io.to_string(),
        sled::Error::Corruption { .. } => "its checksums do not match".to_owned(),
    }
}

/// Takes the lock of a state directory.
pub(super) fn lock(state: &Path) -> Result<StateLock, OpenError> {
    StateLock::take(state).map_err(|error| match error {
        LockError::Held(by) => OpenError::Held {
            dir: state.to_owned(),
            by,
        },
        LockError::Elsewhere(by) => OpenError::Elsewhere {
            dir: state.to_owned(),
            by,
        },
        LockError::Io(error) => io_at(&state.join(LOCK_FILE), error),
    })
}

pub(super) fn io_at(path: &Path, error: std::io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_by_name() {
        for errno in [28, 122] {
            let full = sled::Error::Io(std::io::Error::from_raw_os_error(errno));
            assert_eq!(unusable(&full), LedgerError::DiskFull, "errno {errno}");
        }
        let other = sled::Error::Io(std::io::Error::from_raw_os_error(5));
        assert!(matches!(unusable(&other), LedgerError::Unusable(_)));
    }
}
