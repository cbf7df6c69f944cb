//! The source side: an Exchange 2016 whose mailboxes can be listed, synchronised and exported, and changed only by their users.

use std::sync::Arc;

use super::world::{FolderRow, ItemRow, Refused, World, folder_row, item_row};
use super::world_content::{Content, Ident, filetime_of, moment_of};
use super::world_rewrite::delivered;
use super::world_store::{Deed, Folder, Item, Store};
use crate::base::id::MailboxId;
use crate::base::item::SearchKey;
use crate::base::mailbox::{FolderKind, FolderRole};
use crate::base::quantity::{Bytes, Moment, Tick};
use crate::wire::item_stream::{Message, Prop, decode, digest_of, tags};

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

/// One exported item.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its id.
    pub id: String,
    /// Its version mark.
    pub change_key: String,
    /// The stream.
    pub stream: Arc<[u8]>,
    /// When the store made the item, and last changed it: it says so also of items whose stream does not.
    times: [Moment; 2],
}

impl Export {
    /// The item's tree as its server shows it; `None` where the stream is no item.
    pub(super) fn tree(&self) -> Option<Message> {
        let mut tree = decode(&self.stream)?;
        for (tag, at) in [tags::CREATION_TIME, tags::LAST_MODIFICATION_TIME]
            .into_iter()
            .zip(self.times)
        {
            if tree.get(tag).is_none() {
                tree.set(Prop::time(tag, filetime_of(at)));
            }
        }
        Some(tree)
    }
}

/// The entry ids by which folders are known without a name (reference/ews.md section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenIds {
    /// PidTagAdditionalRenEntryIds (0x36D8): Conflicts, Sync Issues, Local Failures, Server Failures, Junk Email; empty where there is none.
    pub plain: Vec<Vec<u8>>,
    /// PidTagAdditionalRenEntryIdsEx (0x36D9).
    pub extended: Vec<u8>,
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
            counted: std::cell::Cell::new(None),
        };
        let seq = self.next_seq();
        let store = self.source_store_mut(mailbox)?;
        store.add_folder(folder);
        store.folder_log.push((seq, id.clone(), Deed::Created));
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
        let (ident, received, size) = if let Content::Plain { seed, body }
        | Content::Attached { seed, data: body } = &content
        {
            let ident = super::world_content::plain_ident(*seed);
            let at = ident.submitted.map(moment_of);
            (ident, at, *body)
        } else {
            let stream = content.stream().ok_or(Refused::Discarded)?;
            let at = decode(&stream).and_then(|message| delivered(&message));
            let ident = Ident::of(&digest_of(&stream));
            (ident, at, stream.len() as u64)
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
            marked: false,
            infected: None,
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
        let item = store.items.get(id).ok_or_else(|| store.missing(id))?;
        Ok(item_row(id, item))
    }

    /// Exports one item.
    pub fn source_export(&self, mailbox: &str, id: &str) -> Result<Export, Refused> {
        let store = self.source_store(mailbox)?;
        let item = store.items.get(id).ok_or_else(|| store.missing(id))?;
        if self.is_poisoned(id) {
            return Err(Refused::Poisoned);
        }
        if item.corrupt {
            return Err(Refused::Corrupt);
        }
        Ok(Export {
            id: id.to_owned(),
            change_key: item.change_key.clone(),
            stream: item.content.stream().ok_or(Refused::Discarded)?,
            times: [item.created, item.modified],
        })
    }

    pub(super) fn source_store(&self, mailbox: &str) -> Result<&Store, Refused> {
        self.source
            .get(&mailbox.to_ascii_lowercase())
            .ok_or(Refused::NoMailbox)
    }

    pub(super) fn source_store_mut(&mut self, mailbox: &str) -> Result<&mut Store, Refused> {
        self.source
            .get_mut(&mailbox.to_ascii_lowercase())
            .ok_or(Refused::NoMailbox)
    }

    pub(super) fn source_item_mut(
        &mut self,
        mailbox: &str,
        id: &str,
    ) -> Result<&mut Item, Refused> {
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
    pub(super) fn item_id(&mut self, mailbox: &str) -> String {
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
