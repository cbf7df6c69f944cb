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
use crate::store::directory::room_on;
pub(super) use crate::store::directory::{keep_private, prepare};
use crate::store::fold::{CopyAt, Rows};
use crate::store::lock::{Holder, LOCK_FILE, LockError, StateLock};
use crate::store::migrate;

/// The sled directory inside a state directory.
pub const LEDGER_DIR: &str = "ledger";

/// Says that a ledger was once begun here, so that one that lost its file is not taken for a new one.
pub(super) const MARKER_FILE: &str = "begun";

/// Sled's page cache. It is the smaller part of what a large ledger takes: to open 1,000,000 rows costs 145 MB before a row is read, because sled
/// keeps an entry in memory for each page, and a page holds at most 16 rows; 130,000 creates later it is 177 MB (`scripts/bench.sh ledger`).
const CACHE_BYTES: u64 = 64_000_000;

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
        let shelf = Shelf::open(state)?;
        shelf.check(state, belongs, marker.exists())?;
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
        tokio::task::spawn_blocking(move || read(&own))
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

/// The sled database, with rows for words.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) db: sled::Db,
    path: PathBuf,
}

impl Shelf {
    fn open(state: &Path) -> Result<Self, OpenError> {
        Self::open_at(state, LEDGER_DIR)
    }

    /// Opens, or begins, the database in that directory of a state directory.
    pub(super) fn open_at(state: &Path, name: &str) -> Result<Self, OpenError> {
        let path = state.join(name);
        let config = sled::Config::new()
            .path(&path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        // Opening writes too. The directory of the ledger may not be there yet; its parent is.
        room_on(state).map_err(|error| io_at(&path, error))?;
        // Sled may panic on files that are not its own; a thread of its own turns that into an answer.
        let opened = std::thread::Builder::new()
            .name("ledger-open".to_owned())
            .spawn(move || config.open())
            .map_err(|error| io_at(&path, error))?
            .join();
        let corrupt = |why: &str| OpenError::Corrupt {
            dir: state.to_owned(),
            why: why.to_owned(),
        };
        match opened {
            Ok(Ok(db)) => Ok(Self { db, path }),
            Ok(Err(sled::Error::Io(error))) if error.kind() != ErrorKind::Other => {
                Err(io_at(&path, error))
            }
            Ok(Err(error)) => Err(corrupt(&word(&error))),
            Err(_) => Err(corrupt("its files are not readable")),
        }
    }

    /// Reads the header, or writes it into a ledger that is new.
    fn check(&self, state: &Path, belongs: &Header, begun: bool) -> Result<(), OpenError> {
        let dir = || state.to_owned();
        let corrupt = |why: &str| OpenError::Corrupt {
            dir: dir(),
            why: why.to_owned(),
        };
        let found = self.db.get(HEADER_KEY).map_err(|e| corrupt(&word(&e)))?;
        let Some(found) = found else {
            if begun || !self.db.is_empty() {
                return Err(corrupt("its header is gone"));
            }
            return self
                .db
                .insert(HEADER_KEY, codec::encode(belongs))
                .and_then(|_| self.db.flush())
                .map(|_| ())
                .map_err(|error| match error {
                    sled::Error::Io(error) => io_at(&state.join(LEDGER_DIR), error),
                    other => corrupt(&word(&other)),
                });
        };
        match Self::judge(&found, state, belongs)? {
            codec::FORMAT => Ok(()),
            _ => migrate::to_current(self, belongs).map_err(|error| unusable_at(state, &error)),
        }
    }

    /// The header as it lies there; `None` where there is none.
    pub(super) fn header(&self) -> Result<Option<sled::IVec>, LedgerError> {
        self.db.get(HEADER_KEY).map_err(|error| unusable(&error))
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

    /// Everything, in key order.
    pub(super) fn all(&self) -> sled::Iter {
        self.db.iter()
    }

    fn due(
        &self,
        job: JobId,
        folder: FolderNo,
        due: Due,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        use std::ops::Bound::{Excluded, Included};
        let at_most = usize::try_from(at_most.get()).unwrap_or(usize::MAX);
        let first = match after {
            Some(key) => Excluded(codec::due_key(job, folder, due, key)),
            None => Included(codec::due_key(job, folder, due, ItemKey([0; 16]))),
        };
        let last = Included(codec::due_key(job, folder, due, ItemKey([0xFF; 16])));
        let mut rows = Vec::new();
        for entry in self.db.range((first, last)).take(at_most) {
            let (key, _) = entry.map_err(|error| unusable(&error))?;
            let item = codec::due_item(&key);
            // A batch writes row and entry together, so one without the other is damage.
            let row = item
                .map(|item| self.copy((job, folder, item)))
                .transpose()?;
            rows.push(row.flatten().ok_or_else(|| {
                LedgerError::Unusable("its index names a row that is not there".to_owned())
            })?);
        }
        Ok(rows)
    }

    fn sums_of(&self, job: JobId) -> Result<BTreeMap<FolderNo, FolderSums>, LedgerError> {
        let mut sums = BTreeMap::new();
        for entry in self.db.scan_prefix(codec::sums_of(job)) {
            let (key, bytes) = entry.map_err(|error| unusable(&error))?;
            if let Some(folder) = codec::folder_of(&key) {
                sums.insert(folder, read_back(&bytes)?);
            }
        }
        Ok(sums)
    }

    /// One atomic batch, one flush; refused while the disk still has its reserve, so that nothing is ever half-written for want of room.
    pub(super) fn apply(&self, batch: sled::Batch) -> Result<(), sled::Error> {
        room_on(&self.path)?;
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        Ok(())
    }

    fn get<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, LedgerError> {
        let bytes = self.db.get(key).map_err(|error| unusable(&error))?;
        bytes.map(|bytes| read_back(&bytes)).transpose()
    }

    fn under<T: serde::de::DeserializeOwned>(&self, prefix: &[u8]) -> Result<Vec<T>, LedgerError> {
        let mut rows = Vec::new();
        for entry in self.db.scan_prefix(prefix) {
            let (_, bytes) = entry.map_err(|error| unusable(&error))?;
            rows.push(read_back(&bytes)?);
        }
        Ok(rows)
    }

    fn page(
        &self,
        job: JobId,
        folder: FolderNo,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        use std::ops::Bound::{Excluded, Included};
        let at_most = usize::try_from(at_most.get()).unwrap_or(usize::MAX);
        let first = match after {
            Some(key) => Excluded(codec::copy_key(job, folder, key)),
            None => Included(codec::copy_key(job, folder, ItemKey([0; 16]))),
        };
        let last = Included(codec::copy_key(job, folder, ItemKey([0xFF; 16])));
        let mut rows = Vec::new();
        for entry in self.db.range((first, last)).take(at_most) {
            let (_, bytes) = entry.map_err(|error| unusable(&error))?;
            rows.push(read_back(&bytes)?);
        }
        Ok(rows)
    }
}

impl Rows for Shelf {
    fn job(&self, job: JobId) -> Result<Option<JobRow>, LedgerError> {
        self.get(&codec::job_key(job))
    }

    fn sums(&self, job: JobId, folder: FolderNo) -> Result<FolderSums, LedgerError> {
        let sums = self.get(&codec::sums_key(job, folder))?;
        Ok(sums.unwrap_or_default())
    }

    fn copy(&self, (job, folder, key): CopyAt) -> Result<Option<CopyRow>, LedgerError> {
        self.get(&codec::copy_key(job, folder, key))
    }
}

fn read_back<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, LedgerError> {
    codec::decode(bytes).map_err(|error| LedgerError::Unusable(error.to_string()))
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
