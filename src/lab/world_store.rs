//! One mailbox of either side: folders, items, and the log of what changed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::world::Refused;
use super::world_content::{Content, Ident, Load};
use super::world_source::missing;
use crate::base::mailbox::{FolderKind, FolderRole};
use crate::base::quantity::{Bytes, Count, Moment, Tick};

/// What happened to an item of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Created,
    Updated,
    Read,
    Deleted,
}

/// One entry of a folder's change log.
#[derive(Clone, Debug)]
pub(super) struct LogEntry {
    pub(super) seq: u64,
    pub(super) item: String,
    pub(super) deed: Deed,
    /// When the item had come into the folder.
    pub(super) born: u64,
}

/// A folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) id: String,
    pub(super) change_key: String,
    pub(super) parent: Option<String>,
    pub(super) name: String,
    pub(super) class: String,
    pub(super) role: Option<FolderRole>,
    pub(super) kind: FolderKind,
    pub(super) hidden: bool,
    /// Why a right migration leaves it behind.
    pub(super) stays: Option<&'static str>,
    pub(super) entry_id: Vec<u8>,
    /// Items by the sequence number of their arrival.
    pub(super) items: BTreeMap<u64, String>,
    pub(super) log: Vec<LogEntry>,
    /// What it holds, counted since something in it changed and everything in it is visible.
    pub(super) counted: Cell<Option<Load>>,
}

/// An item.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) folder: String,
    pub(super) born: u64,
    pub(super) change_key: String,
    pub(super) ident: Ident,
    pub(super) size: Bytes,
    pub(super) received: Option<Moment>,
    pub(super) created: Moment,
    pub(super) modified: Moment,
    pub(super) visible_from: Tick,
    pub(super) content: Content,
    /// Its export fails.
    pub(super) corrupt: bool,
    /// Its import is refused.
    pub(super) import_refused: bool,
    /// Texts under names of ours are among its properties, as far as its first megabytes show.
    pub(super) marked: bool,
    /// How something bad is hidden in it, where something is.
    pub(super) infected: Option<&'static str>,
}

/// One mailbox.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) address: String,
    pub(super) root: String,
    pub(super) folders: BTreeMap<String, Folder>,
    /// Folder ids, parents before children.
    pub(super) order: Vec<String>,
    pub(super) items: BTreeMap<String, Item>,
    /// Ids of items that were here once.
    pub(super) taken: BTreeSet<String>,
    /// The unread items, counted since something changed.
    pub(super) unread: Cell<Option<Load>>,
    pub(super) used: Bytes,
    pub(super) quota: Option<Bytes>,
    /// What happened to folders, in order.
    pub(super) folder_log: Vec<(u64, String, Deed)>,
    /// Sync states that stand before this are worthless.
    pub(super) states_from: u64,
}

impl Store {
    pub(super) const fn new(address: String, root: String) -> Self {
        Self {
            address,
            root,
            folders: BTreeMap::new(),
            order: Vec::new(),
            items: BTreeMap::new(),
            taken: BTreeSet::new(),
            unread: Cell::new(None),
            used: Bytes::ZERO,
            quota: None,
            folder_log: Vec::new(),
            states_from: 0,
        }
    }

    pub(super) fn add_folder(&mut self, folder: Folder) {
        self.order.push(folder.id.clone());
        self.folders.insert(folder.id.clone(), folder);
    }

    /// True when `id` is `top` or lies somewhere below it.
    pub(super) fn inside(&self, top: &str, id: &str) -> bool {
        let mut at = Some(id);
        while let Some(own) = at {
            if own == top {
                return true;
            }
            at = self.folders.get(own).and_then(|f| f.parent.as_deref());
        }
        false
    }

    /// Puts the folder order right again after a move: parents before children.
    pub(super) fn sort(&mut self) {
        let mut order: Vec<String> = Vec::with_capacity(self.order.len());
        let mut waiting = std::mem::take(&mut self.order);
        while !waiting.is_empty() {
            let (ready, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|id| {
                let parent = self.folders.get(id).and_then(|f| f.parent.as_ref());
                parent.is_none_or(|parent| order.contains(parent))
            });
            waiting = if ready.is_empty() { Vec::new() } else { later };
            order.extend(ready);
        }
        self.order = order;
    }

    /// Takes a folder out with everything inside. Returns the ids of the folders that went.
    pub(super) fn remove_tree(&mut self, id: &str) -> Vec<String> {
        let gone: Vec<String> = self
            .order
            .iter()
            .filter(|own| self.inside(id, own))
            .cloned()
            .collect();
        self.items.retain(|_, item| {
            let stays = !gone.contains(&item.folder);
            if !stays {
                self.used = self.used.saturating_sub(item.size);
            }
            stays
        });
        self.order.retain(|own| !gone.contains(own));
        self.folders.retain(|own, _| !gone.contains(own));
        gone
    }

    pub(super) fn child(&self, parent: &str, name: &str) -> Option<&Folder> {
        self.folders
            .values()
            .find(|folder| folder.parent.as_deref() == Some(parent) && folder.name == name)
    }

    pub(super) fn with_role(&self, role: FolderRole) -> Option<&Folder> {
        self.folders
            .values()
            .find(|folder| folder.role == Some(role))
    }

    pub(super) fn children(&self, parent: &str) -> u64 {
        let own = |folder: &&Folder| folder.parent.as_deref() == Some(parent);
        self.folders.values().filter(own).count() as u64
    }

    /// Puts an item into its folder, which must exist.
    pub(super) fn put(&mut self, id: String, item: Item) {
        let folder = self
            .folders
            .get_mut(&item.folder)
            .expect("callers look the folder up first");
        folder.items.insert(item.born, id.clone());
        folder.counted.take();
        self.unread.take();
        folder.log.push(LogEntry {
            seq: item.born,
            item: id.clone(),
            deed: Deed::Created,
            born: item.born,
        });
        self.used += item.size;
        self.items.insert(id, item);
    }

    /// Takes an item out, and says so in its folder's log.
    pub(super) fn take(&mut self, id: &str, seq: u64) -> Option<Item> {
        let item = self.items.remove(id)?;
        self.taken.insert(id.to_owned());
        self.used = self.used.saturating_sub(item.size);
        if let Some(folder) = self.folders.get_mut(&item.folder) {
            folder.items.remove(&item.born);
            folder.counted.take();
            self.unread.take();
            folder.log.push(LogEntry {
                seq,
                item: id.to_owned(),
                deed: Deed::Deleted,
                born: item.born,
            });
        }
        Some(item)
    }

    /// Why an item is not there: it was here once, was never here, or its id is spelt in another case.
    pub(super) fn missing(&self, id: &str) -> Refused {
        if self.taken.contains(id) {
            return Refused::NoItem;
        }
        missing(self.items.keys(), id)
    }

    /// Says in the log that an item changed.
    pub(super) fn touched(&mut self, id: &str, deed: Deed, seq: u64) {
        let Some(item) = self.items.get(id) else {
            return;
        };
        self.unread.take();
        if let Some(folder) = self.folders.get_mut(&item.folder) {
            folder.counted.take();
            folder.log.push(LogEntry {
                seq,
                item: id.to_owned(),
                deed,
                born: item.born,
            });
        }
    }

    /// What of a folder is visible at `tick`. A search folder shows the unread items of all others.
    pub(super) fn load(&self, folder: &Folder, tick: Tick) -> Load {
        let mut load = Load::default();
        if folder.kind == FolderKind::Search {
            if let Some(known) = self.unread.get() {
                return known;
            }
            for item in self.items.values().filter(|item| !item.ident.read()) {
                load.items += Count::new(1);
                load.size += item.size;
            }
            self.unread.set(Some(load));
            return load;
        }
        if let Some(known) = folder.counted.get() {
            return known;
        }
        for id in folder.items.values() {
            if let Some(item) = self.items.get(id).filter(|i| i.visible_from <= tick) {
                load.items += Count::new(1);
                load.size += item.size;
            }
        }
        if load.items.get() == folder.items.len() as u64 {
            folder.counted.set(Some(load));
        }
        load
    }
}
