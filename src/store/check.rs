//! Reads every row of a ledger and computes anew what the ledger keeps beside its rows: the sums and the index of what is due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::books::{Due, FolderSums};
use crate::base::fact::{CopyRow, FolderRow, JobRow};
use crate::base::id::{FolderNo, JobId};
use crate::base::item::ItemKey;
use crate::base::limits::{DAMAGE_SHOWN, FACTS_PER_ROW_MAX};
use crate::base::quantity::Count;
use crate::flow::copy::replay;
use crate::store::codec;
use crate::store::embedded::unusable;
use crate::store::inspect::Inspection;
use crate::store::leaf::{Leaf, Slot};
use crate::store::shelf::Shelf;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Mailboxes.
    pub jobs: Count,
    /// Folders.
    pub folders: Count,
    /// Item rows.
    pub copies: Count,
    /// Facts in them.
    pub facts: Count,
    /// Entries of the index.
    pub due: Count,
    /// The first places that are wrong, at most [`DAMAGE_SHOWN`].
    pub damage: Vec<Damage>,
    /// All places that are wrong.
    pub damaged: Count,
}

/// One place that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where: table, mailbox, folder, item. No address, no content.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

const ONE: Count = Count::new(1);

impl Checked {
    fn wrong(&mut self, place: String, what: impl Into<String>) {
        self.damaged += ONE;
        if self.damage.len() < DAMAGE_SHOWN {
            let what = what.into();
            self.damage.push(Damage { place, what });
        }
    }
}

impl Inspection {
    /// Checks every row. Memory: the folders of the ledger, however many items they hold.
    pub fn check(&self) -> Checked {
        let last: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (own, reached) = (self.shelf.clone(), Arc::clone(&last));
        // The store may panic on files that were changed under it; a thread of its own turns that into a place.
        let walked = std::thread::Builder::new()
            .name("ledger-check".to_owned())
            .spawn(move || Walk::new(&own, &reached).run())
            .map(std::thread::JoinHandle::join);
        if let Ok(Ok(checked)) = walked {
            return checked;
        }
        let mut checked = Checked::default();
        let after = last.lock().unwrap_or_else(PoisonError::into_inner);
        checked.wrong(
            format!("after {}", place(&after)),
            "the files are not readable from here on",
        );
        checked
    }
}

type At = (JobId, FolderNo);

struct Walk<'a> {
    shelf: &'a Shelf,
    last: &'a Mutex<Vec<u8>>,
    found: Checked,
    jobs: BTreeSet<JobId>,
    folders: BTreeMap<At, Option<FolderNo>>,
    sums: BTreeMap<At, FolderSums>,
    stored: BTreeMap<At, FolderSums>,
    /// The last row that was read.
    reached: Option<(At, ItemKey)>,
}

impl<'a> Walk<'a> {
    fn new(shelf: &'a Shelf, last: &'a Mutex<Vec<u8>>) -> Self {
        Self {
            shelf,
            last,
            found: Checked::default(),
            jobs: BTreeSet::new(),
            folders: BTreeMap::new(),
            sums: BTreeMap::new(),
            stored: BTreeMap::new(),
            reached: None,
        }
    }

    fn run(mut self) -> Checked {
        let all = self.shelf;
        let walked = all.walk(&[], |key, bytes| {
            match key.first() {
                Some(b'h') if key == codec::HEADER_KEY => {}
                Some(b'j') => self.job(key, bytes),
                Some(b'f') => self.folder(key, bytes),
                Some(b'c') => self.leaf(key, bytes),
                Some(b'n') => self.stored(key, bytes),
                Some(b'u') => self.due(key),
                _ => self.found.wrong(place(key), "a key that is none of ours"),
            }
            key.clone_into(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner));
            Ok(true)
        });
        if let Err(error) = walked {
            let after = place(&self.last.lock().unwrap_or_else(PoisonError::into_inner));
            self.found
                .wrong(format!("after {after}"), error.to_string());
        }
        self.together();
        self.found
    }

    fn read<T: serde::de::DeserializeOwned>(&mut self, key: &[u8], bytes: &[u8]) -> Option<T> {
        match codec::decode(bytes) {
            Ok(row) => Some(row),
            Err(error) => {
                self.found.wrong(place(key), error.to_string());
                None
            }
        }
    }

    fn job(&mut self, key: &[u8], bytes: &[u8]) {
        self.found.jobs += ONE;
        self.jobs.extend(codec::job_of(key));
        if let Some(row) = self.read::<JobRow>(key, bytes)
            && key != codec::job_key(row.job)
        {
            self.found.wrong(place(key), "the row is another mailbox's");
        }
    }

    fn folder(&mut self, key: &[u8], bytes: &[u8]) {
        self.found.folders += ONE;
        let at = codec::job_of(key).zip(codec::folder_of(key));
        let Some(row) = self.read::<FolderRow>(key, bytes) else {
            self.folders.extend(at.map(|at| (at, None)));
            return;
        };
        match at {
            Some((job, no)) if key == codec::folder_key(job, row.no) => {
                self.folders.insert((job, no), row.parent);
            }
            _ => self.found.wrong(place(key), "the row is another folder's"),
        }
    }

    fn leaf(&mut self, key: &[u8], bytes: &[u8]) {
        let leaf = match Leaf::unpack(bytes) {
            Ok(leaf) => leaf,
            Err(error) => return self.found.wrong(place(key), error.to_string()),
        };
        let at = codec::job_of(key)
            .zip(codec::folder_of(key))
            .zip(codec::copy_item(key));
        let Some(((job, folder), start)) = at else {
            return self.found.wrong(place(key), "a key that is none of ours");
        };
        let before = self.reached.filter(|(at, _)| *at == (job, folder));
        let overlaps = |first| first < start || before.is_some_and(|(_, last)| first <= last);
        if leaf.first().is_some_and(overlaps) {
            self.found
                .wrong(place(key), "its rows belong into another leaf");
        }
        for slot in leaf.slots() {
            self.reached = Some(((job, folder), slot.key));
            self.copy((job, folder, slot));
        }
        for due in Due::ALL {
            if leaf.has(due) && !self.indexed(job, folder, due, start) {
                self.found
                    .wrong(place(key), format!("due ({due:?}) and not in the index"));
            }
        }
    }

    fn copy(&mut self, (job, folder, slot): (JobId, FolderNo, Slot<'_>)) {
        self.found.copies += ONE;
        let key = codec::copy_key(job, folder, slot.key);
        let Some(row) = self.read::<CopyRow>(&key, slot.row) else {
            return;
        };
        self.found.facts += Count::new(row.facts.len() as u64);
        if row.folder != folder || row.key != slot.key || row.key != ItemKey::of(&row.header.id) {
            self.found.wrong(place(&key), "the row is another item's");
        }
        if row.facts.len() > FACTS_PER_ROW_MAX {
            self.found
                .wrong(place(&key), "more facts than a row may hold");
        }
        // The error names facts; what they carry stays out of a list for people.
        let Ok(state) = replay(&row) else {
            return self
                .found
                .wrong(place(&key), "its facts contradict each other");
        };
        let entry = state.entry(&row);
        self.sums.entry((job, folder)).or_default().add(entry);
        if entry.due != slot.due {
            self.found
                .wrong(place(&key), "filed under another thing to be done");
        }
    }

    fn indexed(&self, job: JobId, folder: FolderNo, due: Due, start: ItemKey) -> bool {
        let key = codec::due_key(job, folder, due, start);
        let there = |db: &sled::Db| db.contains_key(key).map_err(|error| unusable(&error));
        self.shelf.with(there).unwrap_or(false)
    }

    fn stored(&mut self, key: &[u8], bytes: &[u8]) {
        let at = codec::job_of(key).zip(codec::folder_of(key));
        let sums = self.read::<FolderSums>(key, bytes);
        self.stored.extend(at.zip(sums));
    }

    fn due(&mut self, key: &[u8]) {
        self.found.due += ONE;
        let wanted = key.get(9).and_then(|due| Due::ALL.get(usize::from(*due)));
        let leaf = codec::job_of(key)
            .zip(codec::folder_of(key))
            .zip(codec::due_item(key))
            .and_then(|((job, folder), start)| {
                let at = codec::copy_key(job, folder, start);
                let read = |db: &sled::Db| db.get(at).map_err(|error| unusable(&error));
                self.shelf.with(read).ok().flatten()
            })
            .and_then(|bytes| Leaf::unpack(&bytes).ok());
        if !wanted
            .zip(leaf)
            .is_some_and(|(wanted, leaf)| leaf.has(*wanted))
        {
            self.found.wrong(
                place(key),
                "in the index, and no row there is due like that",
            );
        }
    }

    /// What only shows once everything was read.
    fn together(&mut self) {
        let at = |(job, folder): &At| format!("folder {job}/{}", folder.0);
        let mut wrong = Vec::new();
        for (place, parent) in &self.folders {
            if !self.jobs.contains(&place.0) {
                wrong.push((at(place), "its mailbox has no row"));
            }
            if parent.is_some_and(|parent| !self.folders.contains_key(&(place.0, parent))) {
                wrong.push((at(place), "its parent has no row"));
            }
        }
        for place in self.sums.keys() {
            if !self.folders.contains_key(place) {
                wrong.push((at(place), "items without a row of their folder"));
            }
        }
        let both: BTreeSet<&At> = self.sums.keys().chain(self.stored.keys()).collect();
        for place in both {
            let of = |map: &BTreeMap<At, FolderSums>| map.get(place).copied().unwrap_or_default();
            if of(&self.sums) != of(&self.stored) {
                wrong.push((at(place), "its sums are not those of its items"));
            }
        }
        for (place, what) in wrong {
            self.found.wrong(place, what);
        }
    }
}

/// A key in words.
fn place(key: &[u8]) -> String {
    let Some(table) = key.first() else {
        return "the begin".to_owned();
    };
    let table = match table {
        b'j' => "mailbox",
        b'f' => "folder",
        b'c' => "item",
        b'n' => "sums of folder",
        b'u' => "index entry",
        b'h' => return "the header".to_owned(),
        _ => return format!("a key of {} bytes", key.len()),
    };
    let job = codec::job_of(key).map(|job| format!(" {job}"));
    let folder = codec::folder_of(key).map(|no| format!("/{}", no.0));
    let item = match key.first() {
        Some(b'c') => codec::copy_item(key),
        Some(b'u') => codec::due_item(key),
        _ => None,
    };
    let item = item.map(|item| format!("/{item}"));
    let parts = [job, folder, item];
    parts
        .into_iter()
        .flatten()
        .fold(table.to_owned(), |out, part| out + &part)
}
