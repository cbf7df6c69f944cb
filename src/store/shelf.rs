//! The sled database, with rows for words.
//!
//! Three things are kept from callers: rows of items lie together in leaves; the index names leaves, not rows; and the store is opened anew from
//! time to time, because it remembers what it touched by counting looks, not bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::ops::Bound::{Excluded, Included};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::base::books::{Due, FolderSums};
use crate::base::fact::{CopyRow, JobRow};
use crate::base::id::{FolderNo, JobId};
use crate::base::item::ItemKey;
use crate::base::limits::{
    LEDGER_CLOSE_WAITS, LEDGER_LEAVES_OPEN, LEDGER_SEGMENT, LEDGER_SEGMENT_OLD,
};
use crate::base::quantity::Count;
use crate::port::ledger::LedgerError;
use crate::store::codec::{self, HEADER_KEY};
use crate::store::directory::room_on;
use crate::store::embedded::{OpenError, io_at, unusable, word};
use crate::store::fold::{CopyAt, Filed, Rows};
use crate::store::leaf::{Leaf, Slot};

/// Sled's page cache: enough for what is between two openings. See [`LEDGER_LEAVES_OPEN`].
const CACHE_BYTES: u64 = 4_000_000;

/// Where the first leaf of a folder begins.
const FIRST: ItemKey = ItemKey([0; 16]);
const LAST: ItemKey = ItemKey([0xFF; 16]);

/// A database of ours. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    /// `None` after it could not be opened anew.
    db: Arc<RwLock<Option<sled::Db>>>,
    /// Leaves touched since it was opened.
    touched: Arc<Mutex<BTreeSet<[u8; 25]>>>,
    path: PathBuf,
}

impl Shelf {
    /// Opens, or begins, the database in that directory of a state directory.
    pub(super) fn open_at(state: &Path, name: &str) -> Result<Self, OpenError> {
        let path = state.join(name);
        // Opening writes too. The directory of the ledger may not be there yet; its parent is.
        room_on(state).map_err(|error| io_at(&path, error))?;
        let corrupt = |why: String| OpenError::Corrupt {
            dir: state.to_owned(),
            why,
        };
        match open(&path) {
            Ok(db) => Ok(Self {
                db: Arc::new(RwLock::new(Some(db))),
                touched: Arc::default(),
                path,
            }),
            Err(sled::Error::Io(error)) if error.kind() != ErrorKind::Other => {
                Err(io_at(&path, error))
            }
            Err(error) => Err(corrupt(word(&error))),
        }
    }

    /// Lends the database out. It must not be kept: while somebody holds it, it cannot be opened anew.
    pub(super) fn with<T>(
        &self,
        act: impl FnOnce(&sled::Db) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let gone = || LedgerError::Unusable("its files could not be opened again".to_owned());
        let done = act(db.as_ref().ok_or_else(gone)?);
        hand_back();
        done
    }

    /// Opens the database anew once enough of it was touched, so that what it remembers stays bounded. Everything written before is on disk.
    pub(super) fn refresh(&self) -> Result<(), LedgerError> {
        // Opening writes; a disk that has no room for that has none for anything, which the next append will say.
        if !self.is_worn() || room_on(&self.path).is_err() {
            return Ok(());
        }
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever waited here behind another one finds it done.
        if !self.is_worn() {
            return Ok(());
        }
        let Some(old) = db.take() else {
            return Ok(());
        };
        self.touched().clear();
        old.flush().map_err(|error| unusable(&error))?;
        drop(old);
        hand_back();
        *db = Some(open(&self.path).map_err(|error| unusable(&error))?);
        Ok(())
    }

    /// The header as it lies there; `None` where there is none.
    pub(super) fn header(&self) -> Result<Option<sled::IVec>, LedgerError> {
        self.with(|db| db.get(HEADER_KEY).map_err(|error| unusable(&error)))
    }

    /// Hands out every key and value, in key order, until `take` says false. For those who work on it alone.
    pub(super) fn walk(
        &self,
        prefix: &[u8],
        mut take: impl FnMut(&[u8], &[u8]) -> Result<bool, LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut next = prefix.to_vec();
        loop {
            // A part at a time: a walk through everything would keep everything.
            let mut part = 0;
            let mut more = true;
            self.with(|db| {
                for entry in db.range(next.clone()..) {
                    let (key, value) = entry.map_err(|error| unusable(&error))?;
                    more = key.starts_with(prefix) && take(&key, &value)?;
                    part += 1;
                    if !more || part == LEDGER_LEAVES_OPEN {
                        next = [&key[..], &[0]].concat();
                        return Ok(());
                    }
                }
                more = false;
                Ok(())
            })?;
            if !more {
                return Ok(());
            }
            // Rows of mailboxes, folders and sums are few and small beside those of items.
            if prefix.is_empty() || prefix == codec::COPIES {
                self.let_go()?;
            }
        }
    }

    /// Opens the database anew after a walk over as much of it as may be touched.
    pub(super) fn let_go(&self) -> Result<(), LedgerError> {
        for n in 0..LEDGER_LEAVES_OPEN {
            let mut key = [0; 25];
            key[..8].copy_from_slice(&n.to_be_bytes());
            self.touch(key);
        }
        self.refresh()
    }

    /// One atomic batch, one flush; refused while the disk still has its reserve, so that nothing is ever half-written for want of room.
    pub(super) fn apply(&self, batch: sled::Batch) -> Result<(), LedgerError> {
        room_on(&self.path).map_err(|error| unusable(&sled::Error::Io(error)))?;
        self.with(|db| {
            db.apply_batch(batch)
                .and_then(|()| db.flush())
                .map(|_| ())
                .map_err(|error| unusable(&error))
        })
    }

    pub(super) fn get<T: serde::de::DeserializeOwned>(
        &self,
        key: &[u8],
    ) -> Result<Option<T>, LedgerError> {
        let bytes = self.with(|db| db.get(key).map_err(|error| unusable(&error)))?;
        bytes.map(|bytes| read_back(&bytes)).transpose()
    }

    pub(super) fn under<T: serde::de::DeserializeOwned>(
        &self,
        prefix: &[u8],
    ) -> Result<Vec<T>, LedgerError> {
        let mut rows = Vec::new();
        self.walk(prefix, |_, bytes| {
            rows.push(read_back(bytes)?);
            Ok(true)
        })?;
        Ok(rows)
    }

    pub(super) fn sums_of(
        &self,
        job: JobId,
    ) -> Result<BTreeMap<FolderNo, FolderSums>, LedgerError> {
        let mut sums = BTreeMap::new();
        self.walk(&codec::sums_of(job), |key, bytes| {
            if let Some(folder) = codec::folder_of(key) {
                sums.insert(folder, read_back(bytes)?);
            }
            Ok(true)
        })?;
        Ok(sums)
    }

    /// Rows of a folder behind `after`, in key order.
    pub(super) fn page(
        &self,
        job: JobId,
        folder: FolderNo,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        let mut picked = Picked::new(after, at_most);
        let mut next = self.leaf_of((job, folder, after.unwrap_or(FIRST)))?;
        while let Some((start, leaf)) = next {
            if picked.take(&leaf, |_| true)? {
                break;
            }
            next = self.leaf_behind(job, folder, start)?;
        }
        Ok(picked.rows)
    }

    /// Rows of a folder behind `after` that have this to be done, in key order.
    pub(super) fn due(
        &self,
        job: JobId,
        folder: FolderNo,
        due: Due,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        let key = |item| codec::due_key(job, folder, due, item);
        let of = |found: Option<Result<(sled::IVec, sled::IVec), sled::Error>>| {
            let found = found.transpose().map_err(|error| unusable(&error))?;
            Ok(found.and_then(|(key, _)| codec::due_item(&key)))
        };
        let mut picked = Picked::new(after, at_most);
        // The leaf that `after` lies in may hold more.
        let from = after.unwrap_or(FIRST);
        let mut next = self.with(|db| {
            of(db
                .range((Included(key(FIRST)), Included(key(from))))
                .next_back())
        })?;
        if next.is_none() {
            next =
                self.with(|db| of(db.range((Excluded(key(from)), Included(key(LAST)))).next()))?;
        }
        while let Some(start) = next {
            let leaf = self.leaf((job, folder, start))?.ok_or_else(|| {
                LedgerError::Unusable("its index names rows that are not there".to_owned())
            })?;
            if picked.take(&leaf, |slot| slot.due == Some(due))? {
                break;
            }
            next =
                self.with(|db| of(db.range((Excluded(key(start)), Included(key(LAST)))).next()))?;
        }
        Ok(picked.rows)
    }

    /// Puts rows into their leaves, and both into a batch: leaves that change, and index entries of leaves in which something became due or is
    /// no longer.
    pub(super) fn file(
        &self,
        filed: &BTreeMap<CopyAt, Filed>,
        batch: &mut sled::Batch,
    ) -> Result<(), LedgerError> {
        let mut waiting = filed.iter().peekable();
        while let Some(((job, folder, key), _)) = waiting.peek().copied() {
            let (job, folder) = (*job, *folder);
            let (start, leaf) = match self.leaf_of((job, folder, *key))? {
                Some((start, leaf)) => (start, Some(leaf)),
                None => (FIRST, None),
            };
            let until = self.start_behind(job, folder, start)?;
            let mut own = Vec::new();
            while let Some(((_, _, key), filed)) = waiting.next_if(|((j, f, key), _)| {
                *j == job && *f == folder && until.is_none_or(|until| *key < until)
            }) {
                own.push((*key, filed.due, codec::encode(&filed.row)));
            }
            let slots: Vec<Slot<'_>> = own
                .iter()
                .map(|(key, due, row)| Slot {
                    key: *key,
                    due: *due,
                    row,
                })
                .collect();
            let old = leaf.unwrap_or_default();
            for (n, new) in old.with(&slots).into_iter().enumerate() {
                let first = if n == 0 { Some(start) } else { new.first() };
                let Some(start) = first else { continue };
                batch.insert(&codec::copy_key(job, folder, start), new.pack());
                for due in Due::ALL {
                    let key = codec::due_key(job, folder, due, start);
                    match (n == 0 && old.has(due), new.has(due)) {
                        (false, true) => batch.insert(&key, &[]),
                        (true, false) => batch.remove(&key),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// The leaf that begins there.
    fn leaf(&self, at: CopyAt) -> Result<Option<Leaf>, LedgerError> {
        let key = codec::copy_key(at.0, at.1, at.2);
        self.touch(key);
        let bytes = self.with(|db| db.get(key).map_err(|error| unusable(&error)))?;
        bytes.map(|bytes| unpack(&bytes)).transpose()
    }

    /// The leaf an item's row lies in, or would lie in, and where it begins.
    fn leaf_of(&self, (job, folder, key): CopyAt) -> Result<Option<(ItemKey, Leaf)>, LedgerError> {
        let range = (
            Included(codec::copy_key(job, folder, FIRST)),
            Included(codec::copy_key(job, folder, key)),
        );
        self.opened(self.with(|db| {
            let found = db.range(range).next_back().transpose();
            found.map_err(|error| unusable(&error))
        })?)
    }

    /// The leaf behind the one that begins at `start`.
    fn leaf_behind(
        &self,
        job: JobId,
        folder: FolderNo,
        start: ItemKey,
    ) -> Result<Option<(ItemKey, Leaf)>, LedgerError> {
        let found = self.behind(job, folder, start)?;
        self.opened(found)
    }

    /// Where the leaf behind the one that begins at `start` begins.
    fn start_behind(
        &self,
        job: JobId,
        folder: FolderNo,
        start: ItemKey,
    ) -> Result<Option<ItemKey>, LedgerError> {
        let found = self.behind(job, folder, start)?;
        Ok(found.and_then(|(key, _)| codec::copy_item(&key)))
    }

    // Looked up anew for each step: a walk that goes on while rows are put in may miss a leaf that was cut in two.
    fn behind(
        &self,
        job: JobId,
        folder: FolderNo,
        start: ItemKey,
    ) -> Result<Option<(sled::IVec, sled::IVec)>, LedgerError> {
        let range = (
            Excluded(codec::copy_key(job, folder, start)),
            Included(codec::copy_key(job, folder, LAST)),
        );
        self.with(|db| {
            let found = db.range(range).next().transpose();
            found.map_err(|error| unusable(&error))
        })
    }

    fn opened(
        &self,
        found: Option<(sled::IVec, sled::IVec)>,
    ) -> Result<Option<(ItemKey, Leaf)>, LedgerError> {
        let Some((key, bytes)) = found else {
            return Ok(None);
        };
        let start = codec::copy_item(&key)
            .ok_or_else(|| LedgerError::Unusable("a key that is none of ours".to_owned()))?;
        if let Ok(key) = key[..].try_into() {
            self.touch(key);
        }
        Ok(Some((start, unpack(&bytes)?)))
    }

    fn touched(&self) -> MutexGuard<'_, BTreeSet<[u8; 25]>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_worn(&self) -> bool {
        self.touched().len() >= LEDGER_LEAVES_OPEN
    }

    fn touch(&self, leaf: [u8; 25]) {
        let mut touched = self.touched();
        if touched.len() < LEDGER_LEAVES_OPEN {
            touched.insert(leaf);
        }
    }
}

/// Rows picked out of leaves.
struct Picked {
    rows: Vec<CopyRow>,
    after: Option<ItemKey>,
    room: usize,
}

impl Picked {
    fn new(after: Option<ItemKey>, at_most: Count) -> Self {
        Self {
            rows: Vec::new(),
            after,
            room: usize::try_from(at_most.get()).unwrap_or(usize::MAX),
        }
    }

    /// Takes what is wanted of a leaf, and nothing twice where the leaf was cut meanwhile. True when there is no room for more.
    fn take(
        &mut self,
        leaf: &Leaf,
        wanted: impl Fn(&Slot<'_>) -> bool,
    ) -> Result<bool, LedgerError> {
        for slot in leaf.slots() {
            if self.rows.len() >= self.room {
                return Ok(true);
            }
            if self.after.is_none_or(|after| slot.key > after) && wanted(&slot) {
                self.rows.push(read_back(slot.row)?);
                self.after = Some(slot.key);
            }
        }
        Ok(self.rows.len() >= self.room)
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

    fn copy(&self, at: CopyAt) -> Result<Option<CopyRow>, LedgerError> {
        let Some((_, leaf)) = self.leaf_of(at)? else {
            return Ok(None);
        };
        leaf.get(at.2).map(|slot| read_back(slot.row)).transpose()
    }
}

/// Lets go of pages that the store replaced. Sled leaves them to the thread that replaced them, which frees them once it has 64, and a page has
/// up to 200 KB: 3 of 30 MB in a run of 3 s over 1,000,000 rows.
fn hand_back() {
    crossbeam_epoch::pin().flush();
}

/// Opens the database with the segments it was begun with.
fn open(path: &Path) -> Result<sled::Db, sled::Error> {
    match open_with(path, LEDGER_SEGMENT) {
        Err(sled::Error::Unsupported(_)) => open_with(path, LEDGER_SEGMENT_OLD),
        other => other,
    }
}

/// Sled may panic on files that are not its own; a thread of its own turns that into an answer.
fn open_with(path: &Path, segment: usize) -> Result<sled::Db, sled::Error> {
    let_go_of(path);
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .segment_size(segment)
        .flush_every_ms(None);
    let opened = std::thread::Builder::new()
        .name("ledger-open".to_owned())
        .spawn(move || config.open())?
        .join();
    opened.unwrap_or_else(|_| {
        let why = std::io::Error::other("its files are not readable");
        Err(sled::Error::Io(why))
    })
}

/// Waits until whoever closed this database has let go of it: threads of the store's own may hold it for some milliseconds more. Nobody else can,
/// since the state directory is locked. What still holds it after the longest wait is named by the opening that follows.
fn let_go_of(path: &Path) {
    #[cfg(unix)]
    if let Ok(file) = std::fs::File::open(path.join("db")) {
        for _ in 0..LEDGER_CLOSE_WAITS {
            let lock = rustix::fs::FlockOperation::NonBlockingLockExclusive;
            if rustix::fs::flock(&file, lock).is_ok() {
                return;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

fn read_back<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, LedgerError> {
    codec::decode(bytes).map_err(|error| LedgerError::Unusable(error.to_string()))
}

/// A leaf from its value.
pub(super) fn unpack(bytes: &[u8]) -> Result<Leaf, LedgerError> {
    Leaf::unpack(bytes).map_err(|error| LedgerError::Unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::ItemId;
    use crate::base::item::{ItemClass, SourceHeader, Stamp};
    use crate::base::quantity::Bytes;

    fn filed(n: u64) -> (CopyAt, Filed) {
        let (id, class) = (ItemId::new(format!("item {n}")), ItemClass::new("IPM.Note"));
        let key = ItemKey::of(&id);
        let row = CopyRow {
            folder: FolderNo(1),
            key,
            header: SourceHeader {
                stamp: Stamp::fallback(None, &class, Some(n)),
                id,
                class,
                size: Bytes::new(n),
                read: None,
                received: None,
                version: None,
            },
            facts: Vec::new(),
        };
        let due = Some(Due::Create);
        ((JobId(0), FolderNo(1), key), Filed { row, due })
    }

    #[test]
    fn a_ledger_begun_with_smaller_segments_is_opened_and_goes_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("ledger");
        let old = open_with(&path, LEDGER_SEGMENT_OLD).expect("opens");
        old.insert("a", "1").expect("room");
        old.flush().expect("room");
        drop(old);
        let shelf =
            Shelf::open_at(dir.path(), "ledger").expect("opens with what it was begun with");
        shelf
            .with(|db| {
                assert_eq!(db.get("a").expect("reads").as_deref(), Some(&b"1"[..]));
                db.insert("b", "2").expect("room");
                Ok(())
            })
            .expect("open");
        drop(shelf);
        assert!(
            open_with(&path, LEDGER_SEGMENT).is_err(),
            "it keeps the segments it has"
        );
    }

    #[test]
    fn what_was_touched_is_forgotten_by_opening_anew_and_everything_is_still_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let shelf = Shelf::open_at(dir.path(), "ledger").expect("opens");
        let all: BTreeMap<CopyAt, Filed> = (0..20_000).map(filed).collect();
        let mut batch = sled::Batch::default();
        shelf.file(&all, &mut batch).expect("room");
        shelf.apply(batch).expect("room");
        assert!(!shelf.is_worn(), "one folder that was empty is one leaf");
        shelf.refresh().expect("nothing to do");
        let mut seen = 0;
        let mut most = 0;
        let mut after = None;
        loop {
            let page = shelf.page(JobId(0), FolderNo(1), after, Count::new(1_000));
            let page = page.expect("readable");
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            seen += page.len();
            most = most.max(shelf.touched().len());
            shelf.refresh().expect("opens anew");
            assert!(!shelf.is_worn(), "after {seen} rows");
        }
        assert_eq!(seen, all.len());
        assert_eq!(most, LEDGER_LEAVES_OPEN, "it was opened anew on the way");
    }
}
