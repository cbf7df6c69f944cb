//! What was read before it is joined: rows that name mailboxes and people by text, each text kept once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::date_text::{DateOrder, RawWhen};
use super::model::{
    FolderNote, FolderRights, Guid, Hold, Place, Private, RuleAction, Size, StoreSize,
};
use super::notes::Notes;
use super::records::{App, Device, FileNote, Group, MailboxRecord, RoleAssignment, Server};
use crate::base::id::MailboxId;
use crate::base::quantity::Count;

/// A text of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u32);

impl Key {
    /// Its position.
    pub(super) fn at(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Every name once: half a million grants name some ten thousand people.
#[derive(Debug, Default)]
pub(super) struct Pool {
    known: BTreeMap<Arc<str>, Key>,
    texts: Vec<Arc<str>>,
}

impl Pool {
    /// The key of a text.
    pub(super) fn key(&mut self, text: &str) -> Key {
        if let Some(key) = self.known.get(text) {
            return *key;
        }
        let key = Key(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.known.insert(text, key);
        key
    }

    /// All texts, by key.
    pub(super) fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }
}

/// How a row names its mailbox: by GUID where it can, then by address, then by another name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) guid: Option<Guid>,
    pub(super) address: Option<Key>,
    pub(super) name: Option<Key>,
}

/// How a row names somebody who has or gets something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Somebody {
    pub(super) guid: Option<Guid>,
    pub(super) name: Key,
}

/// A mailbox or a contact before its names are resolved.
#[derive(Debug, Default)]
pub(super) struct DraftMailbox {
    pub(super) record: MailboxRecord,
    pub(super) created: Option<RawWhen>,
    pub(super) name: Option<Private>,
}

/// A forward before its recipient is resolved.
#[derive(Debug)]
pub(super) struct DraftForward {
    pub(super) place: Place,
    pub(super) owner: Owner,
    pub(super) to: Somebody,
    pub(super) keeps_copy: Option<bool>,
}

/// Statistics of one store.
#[derive(Debug)]
pub(super) struct DraftStore {
    pub(super) place: Place,
    pub(super) owner: Owner,
    pub(super) archive: Option<bool>,
    pub(super) disconnected: bool,
    pub(super) size: StoreSize,
    pub(super) last_logon: Option<RawWhen>,
    pub(super) largest: Option<Size>,
}

/// Folders of one mailbox, summed while they are read.
#[derive(Debug)]
pub(super) struct DraftFolders {
    pub(super) place: Place,
    pub(super) count: u64,
    pub(super) items: Count,
    pub(super) biggest: FolderNote,
    pub(super) crowded: Vec<FolderNote>,
}

/// What a row grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DraftRight {
    FullAccess,
    SendAs,
    SendOnBehalf,
    Folder(Key),
}

/// A grant before its names are resolved.
#[derive(Clone, Debug)]
pub(super) struct DraftGrant {
    pub(super) place: Place,
    pub(super) owner: Owner,
    pub(super) trustee: Somebody,
    pub(super) right: DraftRight,
    pub(super) rights: Option<FolderRights>,
    pub(super) deny: bool,
}

/// A rule before its names are resolved.
#[derive(Debug)]
pub(super) struct DraftRule {
    pub(super) place: Place,
    pub(super) owner: Owner,
    pub(super) name: Private,
    pub(super) identity: Option<u64>,
    pub(super) enabled: Option<bool>,
    pub(super) targets: Vec<(RuleAction, Key)>,
    pub(super) deletes: bool,
    pub(super) in_error: Option<bool>,
}

/// A device before its mailbox is found.
#[derive(Debug)]
pub(super) struct DraftDevice {
    pub(super) owner: Owner,
    /// With mailbox 0 until the join.
    pub(super) device: Device,
    pub(super) first_sync: Option<RawWhen>,
    pub(super) last_sync: Option<RawWhen>,
}

/// A row of a mailbox list.
#[derive(Debug)]
pub(super) struct DraftListed {
    pub(super) place: Place,
    pub(super) source: MailboxId,
    pub(super) target: Option<MailboxId>,
    /// What the list says of the mailbox's size.
    pub(super) size: Option<StoreSize>,
}

/// A member before it is resolved.
#[derive(Debug)]
pub(super) struct DraftMember {
    pub(super) place: Place,
    pub(super) group: Owner,
    pub(super) member: Somebody,
}

/// Everything read so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) files: Vec<FileNote>,
    pub(super) orders: Vec<DateOrder>,
    /// Files that turned out to be unusable after rows of them were read.
    pub(super) rejected: BTreeSet<u32>,
    pub(super) notes: Notes,
    pub(super) pool: Pool,
    pub(super) mailboxes: Vec<DraftMailbox>,
    pub(super) contacts: Vec<DraftMailbox>,
    pub(super) groups: Vec<(Group, Option<Private>, Option<u64>)>,
    pub(super) stores: Vec<DraftStore>,
    pub(super) folders: BTreeMap<(u32, Owner), DraftFolders>,
    pub(super) forwards: Vec<DraftForward>,
    pub(super) holds: Vec<(Place, Owner, Hold)>,
    pub(super) grants: Vec<DraftGrant>,
    pub(super) rules: Vec<DraftRule>,
    pub(super) devices: Vec<DraftDevice>,
    pub(super) members: Vec<DraftMember>,
    pub(super) apps: Vec<(Owner, App)>,
    pub(super) roles: Vec<RoleAssignment>,
    pub(super) servers: Vec<Server>,
    pub(super) listed: Vec<DraftListed>,
}

impl Draft {
    /// Forgets the rows of rejected files.
    pub(super) fn drop_rejected(&mut self) {
        if self.rejected.is_empty() {
            return;
        }
        let good = |place: &Place| !self.rejected.contains(&place.file);
        self.mailboxes.retain(|m| good(&m.record.place));
        self.contacts.retain(|m| good(&m.record.place));
        self.groups.retain(|(g, _, _)| good(&g.place));
        self.stores.retain(|s| good(&s.place));
        self.folders.retain(|_, f| good(&f.place));
        self.forwards.retain(|f| good(&f.place));
        self.holds.retain(|(place, _, _)| good(place));
        self.grants.retain(|g| good(&g.place));
        self.rules.retain(|r| good(&r.place));
        self.devices.retain(|d| good(&d.device.place));
        self.members.retain(|m| good(&m.place));
        self.apps.retain(|(_, app)| good(&app.place));
        self.roles.retain(|role| good(&role.place));
        self.servers.retain(|s| good(&s.place));
        self.listed.retain(|l| good(&l.place));
    }
}
