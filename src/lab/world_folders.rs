//! What users do to folders on either side, and the source's record of it (SyncFolderHierarchy, reference/ews.md section 1).

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::world::{FolderRow, Now, Refused, World, folder_row};
use super::world_source::find_folder;
use super::world_store::{Deed, Store};
use crate::base::mailbox::FolderRole;
use crate::base::quantity::Tick;

/// One change of the hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HierarchyChange {
    /// A folder appeared.
    Create(Box<FolderRow>),
    /// A folder was renamed or moved.
    Update(Box<FolderRow>),
    /// A folder went.
    Delete(String),
}

/// What changed in a hierarchy, and the state after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HierarchyChanges {
    /// The changes; without a state to begin from, every folder below the root of the user's tree.
    pub changes: Vec<HierarchyChange>,
    /// The new state.
    pub state: String,
}

/// Length of a hierarchy state before base64.
const STATE_BYTES: usize = 300;

fn state_of(mailbox: &str, upto: u64) -> String {
    let mut raw = Vec::with_capacity(STATE_BYTES);
    raw.extend(upto.to_le_bytes());
    let seal = Sha256::new()
        .chain_update(&raw)
        .chain_update(mailbox.to_ascii_lowercase().as_bytes())
        .finalize();
    raw.extend(seal);
    while raw.len() < STATE_BYTES {
        raw.push(raw[raw.len() - 23] ^ 0x33);
    }
    base64::engine::general_purpose::STANDARD.encode(raw)
}

impl World {
    /// What changed among the folders below the root of the user's tree since a state; without one, all of them.
    pub fn sync_hierarchy(
        &self,
        mailbox: &str,
        state: Option<&str>,
    ) -> Result<HierarchyChanges, Refused> {
        let store = self.source_store(mailbox)?;
        let new_state = state_of(mailbox, self.seq);
        let row = |id: &String| {
            let folder = store.folders.get(id)?;
            Some(Box::new(folder_row(store, folder, Tick::ZERO)))
        };
        let Some(state) = state else {
            let all = store.order.iter().filter(|id| within_tree(store, id));
            return Ok(HierarchyChanges {
                changes: all.filter_map(row).map(HierarchyChange::Create).collect(),
                state: new_state,
            });
        };
        let raw = base64::engine::general_purpose::STANDARD
            .decode(state)
            .map_err(|_| Refused::BadState)?;
        let upto = raw
            .get(..8)
            .and_then(|raw| raw.try_into().ok())
            .map(u64::from_le_bytes)
            .ok_or(Refused::BadState)?;
        if state_of(mailbox, upto) != state || upto < store.states_from {
            return Err(Refused::BadState);
        }
        let fresh = store.folder_log.iter().filter(|(seq, ..)| *seq > upto);
        let changes = fresh.filter_map(|(_, id, deed)| match deed {
            Deed::Created => row(id).map(HierarchyChange::Create),
            Deed::Updated | Deed::Read => row(id).map(HierarchyChange::Update),
            Deed::Deleted => Some(HierarchyChange::Delete(id.clone())),
        });
        Ok(HierarchyChanges {
            changes: changes.collect(),
            state: new_state,
        })
    }

    /// Renames a source folder, as its user would.
    pub fn rename_source_folder(
        &mut self,
        mailbox: &str,
        id: &str,
        name: &str,
    ) -> Result<(), Refused> {
        let (seq, change_key) = (self.next_seq(), self.change_key());
        let store = self.source_store_mut(mailbox)?;
        rename(store, id, name, change_key)?;
        store.folder_log.push((seq, id.to_owned(), Deed::Updated));
        Ok(())
    }

    /// Moves a source folder with everything inside, as its user would. Its id stays.
    pub fn move_source_folder(
        &mut self,
        mailbox: &str,
        id: &str,
        parent: &str,
    ) -> Result<(), Refused> {
        let (seq, change_key) = (self.next_seq(), self.change_key());
        let store = self.source_store_mut(mailbox)?;
        find_folder(store, parent)?;
        let name = find_folder(store, id)?.name.clone();
        if store.child(parent, &name).is_some() || store.inside(id, parent) {
            return Err(Refused::FolderExists);
        }
        let folder = store.folders.get_mut(id).ok_or(Refused::NoFolder)?;
        folder.parent = Some(parent.to_owned());
        folder.change_key = change_key;
        store.sort();
        store.folder_log.push((seq, id.to_owned(), Deed::Updated));
        Ok(())
    }

    /// Deletes a source folder for good with everything inside, as its user would.
    pub fn delete_source_folder(&mut self, mailbox: &str, id: &str) -> Result<(), Refused> {
        let seq = self.next_seq();
        let store = self.source_store_mut(mailbox)?;
        find_folder(store, id)?;
        for gone in store.remove_tree(id) {
            store.folder_log.push((seq, gone, Deed::Deleted));
        }
        Ok(())
    }

    /// Forgets what happened to this mailbox's items and folders, so that no delta tells it: servers lose notifications too.
    pub fn forget_changes(&mut self, mailbox: &str) {
        if let Ok(store) = self.source_store_mut(mailbox) {
            store.folder_log.clear();
            for folder in store.folders.values_mut() {
                folder.log.clear();
            }
        }
    }

    /// Makes every sync state of this mailbox worthless, as a restored database does.
    pub fn invalidate_states(&mut self, mailbox: &str) {
        let seq = self.next_seq();
        if let Ok(store) = self.source_store_mut(mailbox) {
            store.states_from = seq;
        }
    }

    /// Renames a target folder. A folder with a role cannot be renamed this way.
    pub fn rename_target_folder(
        &mut self,
        mailbox: &str,
        id: &str,
        name: &str,
    ) -> Result<(), Refused> {
        let change_key = self.change_key();
        let store = self.target_store_mut(mailbox)?;
        if find_folder(store, id)?.role.is_some() {
            return Err(Refused::Protected);
        }
        rename(store, id, name, change_key)
    }

    /// Deletes a target folder with everything inside. A folder with a role cannot be deleted.
    pub fn delete_target_folder(&mut self, mailbox: &str, id: &str) -> Result<(), Refused> {
        let store = self.target_store_mut(mailbox)?;
        if find_folder(store, id)?.role.is_some() {
            return Err(Refused::Protected);
        }
        store.remove_tree(id);
        Ok(())
    }

    /// Moves a target item to the mailbox's recoverable items, under a new id, as a soft delete does.
    pub fn soft_delete_target_item(
        &mut self,
        now: Now,
        mailbox: &str,
        folder: &str,
        id: &str,
    ) -> Result<(), Refused> {
        let store = self.target_store(mailbox)?;
        let there = store.items.get(id).ok_or(Refused::NoItem)?;
        if there.folder != find_folder(store, folder)?.id {
            return Err(Refused::NoItem);
        }
        let bin = store
            .with_role(FolderRole::RecoverableDeletions)
            .map(|bin| bin.id.clone())
            .ok_or(Refused::NoFolder)?;
        let (left, born, new) = (self.next_seq(), self.next_seq(), self.target_id());
        let store = self.target_store_mut(mailbox)?;
        let mut item = store.take(id, left).ok_or(Refused::NoItem)?;
        item.folder = bin;
        item.born = born;
        item.modified = now.moment;
        store.put(new, item);
        Ok(())
    }
}

fn within_tree(store: &Store, id: &str) -> bool {
    let top = store.with_role(FolderRole::Top);
    top.is_some_and(|top| top.id != id && store.inside(&top.id, id))
}

fn rename(store: &mut Store, id: &str, name: &str, change_key: String) -> Result<(), Refused> {
    let own = find_folder(store, id)?;
    let parent = own.parent.clone();
    if own.name != name
        && let Some(parent) = &parent
        && store.child(parent, name).is_some()
    {
        return Err(Refused::FolderExists);
    }
    let folder = store.folders.get_mut(id).ok_or(Refused::NoFolder)?;
    name.clone_into(&mut folder.name);
    folder.change_key = change_key;
    Ok(())
}
