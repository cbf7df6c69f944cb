//! The source side: an Exchange 2016 whose mailboxes can be listed, synchronised and exported, and changed only by their users.

use std::sync::Arc;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::world::{FolderRow, ItemRow, Now, Refused, World, folder_row, item_row};
use super::world_content::{Content, Ident, moment_of};
use super::world_store::{Deed, Folder, Item, LogEntry, Store};
use crate::base::id::MailboxId;
use crate::base::item::SearchKey;
use crate::base::mailbox::{FolderKind, FolderRole};
use crate::base::quantity::{Bytes, Moment, Tick};
use crate::wire::item_stream::{decode, digest_of, tags};

/// A folder to be made.
#[derive(Clone, Debug)]
pub struct NewFolder<'a> {
    /// Under which folder; `None` puts it beside the user's tree.
    pub parent: Option<&'a str>,
    /// Display name.
    pub name: &'a str,
    /// Folder class.
    pub class: &'a str,
    /// What it is for.
    pub role: Option<FolderRole>,
    /// Generic or search.
    pub kind: FolderKind,
    /// PidTagAttributeHidden.
    pub hidden: bool,
    /// Why a right migration leaves it behind, with everything inside; `None` where it is carried.
    pub stays: Option<&'static str>,
}

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
    ReadFlag(String, bool),
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

/// One exported item.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its id.
    pub id: String,
    /// Its version mark.
    pub change_key: String,
    /// The stream.
    pub stream: Arc<[u8]>,
}

/// The entry ids by which folders are known without a name (reference/ews.md section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenIds {
    /// PidTagAdditionalRenEntryIds (0x36D8): Conflicts, Sync Issues, Local Failures, Server Failures, Junk Email; empty where there is none.
    pub plain: Vec<Vec<u8>>,
    /// PidTagAdditionalRenEntryIdsEx (0x36D9).
    pub extended: Vec<u8>,
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
    /// Makes a source mailbox, empty but for the folders the caller adds, and its pair on the target. Returns nothing if it exists.
    pub fn add_source_mailbox(&mut self, address: &MailboxId) {
        let root = self.source_id("root");
        let key = address.reveal().to_ascii_lowercase();
        self.source
            .entry(key.clone())
            .or_insert_with(|| Store::new(key, root));
    }

    /// The id of the mailbox's own root, above the user's tree.
    pub fn source_root(&self, mailbox: &str) -> Result<&str, Refused> {
        Ok(&self.source_store(mailbox)?.root)
    }

    /// Makes a folder on the source, as its user would. Returns its id.
    pub fn add_source_folder(
        &mut self,
        mailbox: &str,
        new: &NewFolder<'_>,
    ) -> Result<String, Refused> {
        let store = self.source_store(mailbox)?;
        if let Some(parent) = new.parent {
            if !store.folders.contains_key(parent) {
                return Err(Refused::NoFolder);
            }
            if store.child(parent, new.name).is_some() {
                return Err(Refused::FolderExists);
            }
        }
        let id = self.source_id("folder");
        let change_key = self.change_key();
        let entry_id = self.id_text(34, true).into_bytes();
        let folder = Folder {
            id: id.clone(),
            change_key,
            parent: new.parent.map(str::to_owned),
            name: new.name.to_owned(),
            class: new.class.to_owned(),
            role: new.role,
            kind: new.kind,
            hidden: new.hidden,
            stays: new.stays,
            entry_id,
            items: std::collections::BTreeMap::new(),
            log: Vec::new(),
        };
        self.source_store_mut(mailbox)?.add_folder(folder);
        Ok(id)
    }

    /// Puts an item into a source folder, as its user would. Returns its id.
    pub fn add_source_item(
        &mut self,
        mailbox: &str,
        folder: &str,
        content: Content,
        at: Moment,
    ) -> Result<String, Refused> {
        let store = self.source_store(mailbox)?;
        if !store.folders.contains_key(folder) {
            return Err(Refused::NoFolder);
        }
        let (ident, received, size) = match &content {
            Content::Plain { seed, body } => {
                let ident = super::world_content::plain_ident(*seed);
                let at = ident.submitted.map(moment_of);
                (ident, at, *body)
            }
            _ => {
                let stream = content.stream().ok_or(Refused::Discarded)?;
                let delivered = decode(&stream)
                    .as_ref()
                    .and_then(|m| m.get(tags::MESSAGE_DELIVERY_TIME)?.try_into().ok())
                    .map(|raw| moment_of(u64::from_le_bytes(raw)));
                let ident = Ident::of(&digest_of(&stream));
                (ident, delivered, stream.len() as u64)
            }
        };
        let id = self.item_id(mailbox);
        let item = Item {
            folder: folder.to_owned(),
            born: self.next_seq(),
            change_key: self.change_key(),
            ident,
            // The store counts a little more than the stream holds.
            size: Bytes::new(size + 412),
            received,
            created: at,
            modified: at,
            visible_from: Tick::ZERO,
            content,
            corrupt: false,
            import_refused: false,
        };
        self.source_store_mut(mailbox)?.put(id.clone(), item);
        Ok(id)
    }

    /// Lets every export of this item fail.
    pub fn mark_corrupt(&mut self, mailbox: &str, item: &str) -> Result<(), Refused> {
        self.source_item_mut(mailbox, item)?.corrupt = true;
        Ok(())
    }

    /// Lets every import of items with this item's search key be refused. An item without one cannot be marked: [`Refused::NoItem`].
    pub fn mark_import_refused(&mut self, mailbox: &str, item: &str) -> Result<(), Refused> {
        let store = self.source_store_mut(mailbox)?;
        let key = store
            .items
            .get(item)
            .and_then(|i| i.ident.search_key.clone());
        let key: SearchKey = key.ok_or(Refused::NoItem)?;
        for own in store.items.values_mut() {
            own.import_refused |= own.ident.search_key.as_ref() == Some(&key);
        }
        self.refused_keys.insert(key);
        Ok(())
    }

    /// All folders, parents before children, with those beside the user's tree.
    pub fn source_folders(&self, mailbox: &str) -> Result<Vec<FolderRow>, Refused> {
        let store = self.source_store(mailbox)?;
        let rows = store.order.iter().filter_map(|id| store.folders.get(id));
        Ok(rows.map(|f| folder_row(store, f, Tick::ZERO)).collect())
    }

    /// One folder by its id.
    pub fn source_folder(&self, mailbox: &str, id: &str) -> Result<FolderRow, Refused> {
        let store = self.source_store(mailbox)?;
        Ok(folder_row(store, find_folder(store, id)?, Tick::ZERO))
    }

    /// The folder with this role.
    pub fn source_folder_with_role(
        &self,
        mailbox: &str,
        role: FolderRole,
    ) -> Result<FolderRow, Refused> {
        let store = self.source_store(mailbox)?;
        let folder = store.with_role(role).ok_or(Refused::NoFolder)?;
        Ok(folder_row(store, folder, Tick::ZERO))
    }

    /// The entry ids that name special folders.
    pub fn ren_ids(&self, mailbox: &str) -> Result<RenIds, Refused> {
        const PLAIN: [FolderRole; 5] = [
            FolderRole::Conflicts,
            FolderRole::SyncIssues,
            FolderRole::LocalFailures,
            FolderRole::ServerFailures,
            FolderRole::JunkEmail,
        ];
        const EXTENDED: [(u16, FolderRole); 3] = [
            (0x8001, FolderRole::RssFeeds),
            (0x8006, FolderRole::ConversationActions),
            (0x8008, FolderRole::SuggestedContacts),
        ];
        let store = self.source_store(mailbox)?;
        let entry = |role| {
            store
                .with_role(role)
                .map(|f| f.entry_id.clone())
                .unwrap_or_default()
        };
        let mut extended = Vec::new();
        for (id, role) in EXTENDED {
            let bytes = entry(role);
            let length = u16::try_from(bytes.len()).expect("entry ids of the lab are short");
            if length > 0 {
                extended.extend(id.to_le_bytes());
                extended.extend((length + 4).to_le_bytes());
                extended.extend(1_u16.to_le_bytes());
                extended.extend(length.to_le_bytes());
                extended.extend(bytes);
            }
        }
        Ok(RenIds {
            plain: PLAIN.into_iter().map(entry).collect(),
            extended,
        })
    }

    /// One item by its id, compared byte for byte.
    pub fn source_item(&self, mailbox: &str, id: &str) -> Result<ItemRow, Refused> {
        let store = self.source_store(mailbox)?;
        let item = store
            .items
            .get(id)
            .ok_or_else(|| missing(store.items.keys(), id))?;
        Ok(item_row(id, item))
    }

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
            Some(state) => stand_of(folder, state).ok_or(Refused::BadState)?,
        };
        let at_most = usize::try_from(at_most.clamp(1, 512)).expect("at most 512");
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
        let take = usize::try_from(at_most.clamp(1, 1_000)).expect("at most 1,000");
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

    /// Exports one item.
    pub fn source_export(&self, mailbox: &str, id: &str) -> Result<Export, Refused> {
        let store = self.source_store(mailbox)?;
        let item = store
            .items
            .get(id)
            .ok_or_else(|| missing(store.items.keys(), id))?;
        if item.corrupt {
            return Err(Refused::Corrupt);
        }
        Ok(Export {
            id: id.to_owned(),
            change_key: item.change_key.clone(),
            stream: item.content.stream().ok_or(Refused::Discarded)?,
        })
    }

    /// Deletes an item, as its user would.
    pub fn delete_source_item(&mut self, mailbox: &str, id: &str) -> Result<(), Refused> {
        let seq = self.next_seq();
        let store = self.source_store_mut(mailbox)?;
        store.take(id, seq).map(drop).ok_or(Refused::NoItem)
    }

    /// Moves an item, as its user would: it gets a new id. Returns it.
    pub fn move_source_item(
        &mut self,
        mailbox: &str,
        id: &str,
        folder: &str,
    ) -> Result<String, Refused> {
        find_folder(self.source_store(mailbox)?, folder)?;
        let (left, born) = (self.next_seq(), self.next_seq());
        let new = self.item_id(mailbox);
        let store = self.source_store_mut(mailbox)?;
        let mut item = store.take(id, left).ok_or(Refused::NoItem)?;
        folder.clone_into(&mut item.folder);
        item.born = born;
        store.put(new.clone(), item);
        Ok(new)
    }

    /// Sets the read flag, as its user would.
    pub fn mark_source_read(
        &mut self,
        now: Now,
        mailbox: &str,
        id: &str,
        read: bool,
    ) -> Result<(), Refused> {
        let bit = if read { tags::FLAG_READ } else { 0 };
        self.rewrite_source(now, mailbox, id, Deed::Read, |message, flags| {
            let flags = flags & !tags::FLAG_READ | bit;
            message.set(crate::wire::item_stream::Prop::i32(
                tags::MESSAGE_FLAGS,
                flags,
            ));
        })
    }

    /// Changes an item's subject, as its user would.
    pub fn edit_source_item(&mut self, now: Now, mailbox: &str, id: &str) -> Result<(), Refused> {
        let mark = self.next_seq();
        self.rewrite_source(now, mailbox, id, Deed::Updated, |message, _| {
            message.set(crate::wire::item_stream::Prop::text(
                tags::SUBJECT,
                &format!("Edited {mark}"),
            ));
        })
    }

    fn rewrite_source(
        &mut self,
        now: Now,
        mailbox: &str,
        id: &str,
        deed: Deed,
        edit: impl FnOnce(&mut crate::wire::item_stream::Message, u32),
    ) -> Result<(), Refused> {
        let (seq, change_key) = (self.next_seq(), self.change_key());
        let item = self.source_item_mut(mailbox, id)?;
        item.rewrite(now.moment, edit)?;
        item.change_key = change_key;
        self.source_store_mut(mailbox)?.touched(id, deed, seq);
        Ok(())
    }

    pub(super) fn source_store(&self, mailbox: &str) -> Result<&Store, Refused> {
        self.source
            .get(&mailbox.to_ascii_lowercase())
            .ok_or(Refused::NoMailbox)
    }

    fn source_store_mut(&mut self, mailbox: &str) -> Result<&mut Store, Refused> {
        self.source
            .get_mut(&mailbox.to_ascii_lowercase())
            .ok_or(Refused::NoMailbox)
    }

    fn source_item_mut(&mut self, mailbox: &str, id: &str) -> Result<&mut Item, Refused> {
        let store = self.source_store_mut(mailbox)?;
        store.items.get_mut(id).ok_or(Refused::NoItem)
    }

    fn source_id(&mut self, what: &str) -> String {
        let head = if what == "item" {
            "AAMkADMy"
        } else {
            "AAMkADMz"
        };
        format!(
            "{head}{}BGAAAAAA{}",
            self.id_text(36, false),
            self.id_text(36, false)
        )
    }

    /// A new item id. Now and then it differs from an older one of the mailbox only in case, as real ones may.
    fn item_id(&mut self, mailbox: &str) -> String {
        let fresh = self.source_id("item");
        if !self.dice.chance(1, 37) {
            self.last_item = Some((mailbox.to_owned(), fresh.clone()));
            return fresh;
        }
        // Each id has at most one twin: the next item remembers its own id again.
        let twin = self.last_item.take().and_then(|(owner, old)| {
            let flip = |c: char| {
                if c.is_ascii_lowercase() {
                    c.to_ascii_uppercase()
                } else {
                    c.to_ascii_lowercase()
                }
            };
            let (head, tail) = old.split_at(old.len() - 20);
            owner
                .eq_ignore_ascii_case(mailbox)
                .then(|| format!("{head}{}", tail.chars().map(flip).collect::<String>()))
        });
        twin.unwrap_or(fresh)
    }

    pub(super) fn change_key(&mut self) -> String {
        format!("CQAAABYA{}", self.id_text(18, false))
    }
}

pub(super) fn find_folder<'a>(store: &'a Store, id: &str) -> Result<&'a Folder, Refused> {
    store
        .folders
        .get(id)
        .ok_or_else(|| match missing(store.folders.keys(), id) {
            Refused::NoItem => Refused::NoFolder,
            other => other,
        })
}

/// Why an id is not there: never given out, or spelt in another case.
pub(super) fn missing<'a>(ids: impl Iterator<Item = &'a String>, id: &str) -> Refused {
    let mut ids = ids;
    if ids.any(|own| own.eq_ignore_ascii_case(id)) {
        Refused::WrongCase
    } else {
        Refused::NoItem
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
        Deed::Read => item
            .filter(|_| !again(Deed::Read))
            .map(|item| SyncChange::ReadFlag(entry.item.clone(), item.ident.read())),
    }
}
