//! Listing the source: SyncFolderItems with its opaque states, and FindItem's plain pages (reference/ews.md section 1).

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::world::{ItemRow, Refused, World, item_row};
use super::world_source::find_folder;
use super::world_store::{Deed, Folder, Item, LogEntry, Store};
use crate::base::mailbox::FolderKind;

/// One change of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncChange {
    /// An item appeared.
    Create(Box<ItemRow>),
    /// An item was edited.
    Update(Box<ItemRow>),
    /// An item left the folder.
    Delete(String),
    /// Only the read flag changed.
    ReadFlag {
        /// Which item.
        id: String,
        /// Its change key now.
        change_key: String,
        /// What the flag is now.
        read: bool,
    },
}

/// One page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPage {
    /// The changes.
    pub changes: Vec<SyncChange>,
    /// The new sync state.
    pub state: String,
    /// True when nothing more is waiting.
    pub last: bool,
}

/// One page of FindItem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Find {
    /// The items, newest first.
    pub items: Vec<ItemRow>,
    /// Items in the folder.
    pub total: u64,
    /// Where the next page begins.
    pub next: u64,
    /// True when this is the last page.
    pub last: bool,
}

/// Where a sync state stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stand {
    /// Changes up to here are delivered, or are part of the first listing.
    upto: u64,
    /// The first listing: items that arrived before this one are still to come.
    below: Option<u64>,
}

/// Length of a sync state before base64: Exchange's are 500 bytes and more.
const STATE_BYTES: usize = 400;

fn state_of(folder: &str, stand: Stand) -> String {
    let mut raw = Vec::with_capacity(STATE_BYTES);
    raw.extend(stand.upto.to_le_bytes());
    raw.extend(stand.below.unwrap_or(u64::MAX).to_le_bytes());
    let seal = Sha256::new()
        .chain_update(&raw)
        .chain_update(folder.as_bytes())
        .finalize();
    raw.extend(seal);
    while raw.len() < STATE_BYTES {
        raw.push(raw[raw.len() - 29] ^ 0x5A);
    }
    base64::engine::general_purpose::STANDARD.encode(raw)
}

fn stand_of(folder: &str, state: &str) -> Option<Stand> {
    let raw = base64::engine::general_purpose::STANDARD
        .decode(state)
        .ok()?;
    let number = |at: usize| Some(u64::from_le_bytes(raw.get(at..at + 8)?.try_into().ok()?));
    let stand = Stand {
        upto: number(0)?,
        below: number(8).filter(|n| *n != u64::MAX),
    };
    (state_of(folder, stand) == state).then_some(stand)
}

impl World {
    /// What changed in a folder since a state (reference/ews.md section 1, SyncFolderItems); without one, everything, newest first.
    pub fn sync(
        &self,
        mailbox: &str,
        folder: &str,
        state: Option<&str>,
        at_most: u64,
    ) -> Result<SyncPage, Refused> {
        let store = self.source_store(mailbox)?;
        let own = find_folder(store, folder)?;
        if own.kind == FolderKind::Search {
            return Err(Refused::SearchFolder);
        }
        let stand = match state {
            None => Stand {
                upto: self.seq,
                below: Some(u64::MAX - 1),
            },
            Some(state) => stand_of(folder, state)
                .filter(|stand| stand.upto >= store.states_from)
                .ok_or(Refused::BadState)?,
        };
        let at_most = self.given(at_most.clamp(1, 512));
        let at_most = usize::try_from(at_most).expect("at most 512");
        Ok(match stand.below {
            Some(below) => first_listing(store, own, stand.upto, below, at_most),
            None => changes_since(store, own, stand.upto, at_most),
        })
    }

    /// One page of a plain listing, newest first; `at_most` is capped at 1,000 as the server does.
    pub fn find(
        &self,
        mailbox: &str,
        folder: &str,
        offset: u64,
        at_most: u64,
    ) -> Result<Find, Refused> {
        let store = self.source_store(mailbox)?;
        let own = find_folder(store, folder)?;
        let total = own.items.len() as u64;
        let rows = own.items.values().rev();
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let take = self.given(at_most.clamp(1, 1_000));
        let take = usize::try_from(take).expect("at most 1,000");
        let items: Vec<ItemRow> = rows
            .skip(skip)
            .take(take)
            .filter_map(|id| Some(item_row(id, store.items.get(id)?)))
            .collect();
        let next = offset.saturating_add(items.len() as u64);
        Ok(Find {
            items,
            total,
            next,
            last: next >= total,
        })
    }
}

impl World {
    /// The largest items of a folder, the largest first.
    pub fn find_largest(&self, mailbox: &str, folder: &str, at_most: u64) -> Result<Find, Refused> {
        let store = self.source_store(mailbox)?;
        let own = find_folder(store, folder)?;
        let total = own.items.len() as u64;
        let rows = own.items.values();
        let mut items: Vec<ItemRow> = rows
            .filter_map(|id| Some(item_row(id, store.items.get(id)?)))
            .collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.size));
        items.truncate(usize::try_from(at_most).unwrap_or(usize::MAX));
        let next = items.len() as u64;
        Ok(Find {
            items,
            total,
            next,
            last: next >= total,
        })
    }
}

fn first_listing(
    store: &Store,
    folder: &Folder,
    upto: u64,
    below: u64,
    at_most: usize,
) -> SyncPage {
    let waiting = folder
        .items
        .range(..below.min(upto.saturating_add(1)))
        .rev();
    let mut changes = Vec::new();
    let mut lowest = below;
    for (born, id) in waiting.take(at_most) {
        lowest = *born;
        if let Some(item) = store.items.get(id) {
            changes.push(SyncChange::Create(Box::new(item_row(id, item))));
        }
    }
    let listed = folder.items.range(..lowest.min(upto.saturating_add(1)));
    let more = listed.count() > 0 && !changes.is_empty();
    let stand = Stand {
        upto,
        below: more.then_some(lowest),
    };
    let news = folder.log.last().is_some_and(|entry| entry.seq > upto);
    SyncPage {
        changes,
        state: state_of(&folder.id, stand),
        last: !more && !news,
    }
}

fn changes_since(store: &Store, folder: &Folder, since: u64, at_most: usize) -> SyncPage {
    let begin = folder.log.partition_point(|entry| entry.seq <= since);
    let fresh = &folder.log[begin..];
    let mut changes = Vec::new();
    let mut upto = since;
    let mut last = true;
    for (at, entry) in fresh.iter().enumerate() {
        if changes.len() == at_most {
            last = false;
            break;
        }
        upto = entry.seq;
        changes.extend(change_of(store, entry, &fresh[at + 1..], since));
    }
    SyncPage {
        changes,
        state: state_of(&folder.id, Stand { upto, below: None }),
        last,
    }
}

/// What a log entry shows to a client that stands at `since`, given what came later.
fn change_of(
    store: &Store,
    entry: &LogEntry,
    later: &[LogEntry],
    since: u64,
) -> Option<SyncChange> {
    let item = store
        .items
        .get(&entry.item)
        .filter(|item| item.born == entry.born);
    let row = |item: &Item| Box::new(item_row(&entry.item, item));
    let again = |deed: Deed| {
        let same =
            |e: &LogEntry| e.item == entry.item && (e.deed == deed || e.deed == Deed::Updated);
        later.iter().any(same)
    };
    match entry.deed {
        Deed::Created => item.map(|item| SyncChange::Create(row(item))),
        Deed::Deleted => (entry.born <= since).then(|| SyncChange::Delete(entry.item.clone())),
        // The page that creates an item shows it as it is now.
        Deed::Updated | Deed::Read if entry.born > since => None,
        Deed::Updated => item
            .filter(|_| !again(Deed::Updated))
            .map(|item| SyncChange::Update(row(item))),
        Deed::Read => item.filter(|_| !again(Deed::Read)).map(|item| {
            let row = row(item);
            SyncChange::ReadFlag {
                id: row.id,
                change_key: row.change_key,
                read: row.read,
            }
        }),
    }
}
