//! Who is meant by a name: GUIDs, addresses, accounts, directory paths and display names of everybody the files describe.
//!
//! A name that two carry means nobody: it is never guessed (reference/inventory.md section 4).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draft::{DraftMailbox, Key, Owner, Somebody};
use super::model::{GroupNo, Guid, MailboxNo, Party, Private, ProxyKind};
use super::records::Group;
use super::text;
use crate::base::id::MailboxId;
use crate::plan::address::fault_of_address;

/// Somebody the files describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entity {
    Mailbox(u32),
    Group(u32),
    Contact(u32),
}

/// What kind of name it is; two kinds with the same text are two names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Address,
    Legacy,
    Path,
    Account,
    /// Alias, Name, DisplayName: for people, not for machines.
    Display,
}

#[derive(Clone, Copy, Debug)]
struct Hit {
    entity: Entity,
    /// Lower wins: a primary address before a secondary one.
    rank: u8,
    shared: bool,
}

/// The names of everybody.
#[derive(Debug, Default)]
pub(super) struct Index {
    guids: BTreeMap<Guid, (Entity, bool)>,
    names: BTreeMap<(Sort, Box<str>), Hit>,
    contacts: Vec<Option<MailboxId>>,
}

/// What a name came to.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) party: Party,
    /// True where only a display name fits.
    pub(super) by_display_name: bool,
}

impl Index {
    /// Takes everybody in.
    pub(super) fn new(
        mailboxes: &[DraftMailbox],
        groups: &[(Group, Option<Private>, Option<u64>)],
        contacts: &[DraftMailbox],
    ) -> Self {
        let mut index = Self::default();
        for (at, mailbox) in (0_u32..).zip(mailboxes) {
            index.person(Entity::Mailbox(at), mailbox);
        }
        for (at, (group, name, _)) in (0_u32..).zip(groups) {
            let entity = Entity::Group(at);
            if let Some(guid) = group.directory_guid {
                index.guids.entry(guid).or_insert((entity, false));
            }
            if let Some(address) = &group.address {
                index.name(Sort::Address, address.reveal(), entity, 0);
            }
            index.private(Sort::Path, group.identity.as_ref(), entity);
            index.private(Sort::Account, group.account.as_ref(), entity);
            index.private(Sort::Display, group.alias.as_ref(), entity);
            index.private(Sort::Display, group.display_name.as_ref(), entity);
            index.private(Sort::Display, name.as_ref(), entity);
        }
        for (at, contact) in (0_u32..).zip(contacts) {
            index.person(Entity::Contact(at), contact);
            index.contacts.push(contact.record.address.clone());
        }
        index
    }

    fn person(&mut self, entity: Entity, person: &DraftMailbox) {
        let record = &person.record;
        for (guid, archive) in [
            (record.exchange_guid, false),
            (record.directory_guid, false),
            (record.archive_guid, true),
        ] {
            if let Some(guid) = guid {
                self.guids.entry(guid).or_insert((entity, archive));
            }
        }
        if let Some(address) = &record.address {
            self.name(Sort::Address, address.reveal(), entity, 0);
        }
        for proxy in &record.proxies {
            let rank = u8::from(!proxy.primary);
            match proxy.kind {
                ProxyKind::Smtp => self.name(Sort::Address, proxy.address.reveal(), entity, rank),
                ProxyKind::X500 => self.name(Sort::Legacy, proxy.address.reveal(), entity, 1),
                _ => {}
            }
        }
        if let Some(upn) = &record.upn {
            self.name(Sort::Address, upn.reveal(), entity, 2);
        }
        self.private(Sort::Legacy, record.legacy_dn.as_ref(), entity);
        self.private(Sort::Path, record.identity.as_ref(), entity);
        self.private(Sort::Account, record.account.as_ref(), entity);
        if let Some(account) = &record.linked_account {
            let account = account.reveal();
            let bare = account.rsplit('\\').next().unwrap_or(account);
            self.name(Sort::Account, bare, entity, 1);
        }
        self.private(Sort::Display, record.alias.as_ref(), entity);
        self.private(Sort::Display, record.display_name.as_ref(), entity);
        self.private(Sort::Display, person.name.as_ref(), entity);
    }

    fn private(&mut self, sort: Sort, text: Option<&Private>, entity: Entity) {
        if let Some(text) = text {
            self.name(sort, text.reveal(), entity, 0);
        }
    }

    fn name(&mut self, sort: Sort, text: &str, entity: Entity, rank: u8) {
        let fresh = Hit {
            entity,
            rank,
            shared: false,
        };
        let hit = self
            .names
            .entry((sort, text.to_lowercase().into()))
            .or_insert(fresh);
        if hit.entity == entity {
            hit.rank = hit.rank.min(rank);
        } else if rank < hit.rank {
            *hit = fresh;
        } else if rank == hit.rank {
            hit.shared = true;
        }
    }

    fn look(&self, sort: Sort, text: &str) -> Option<Hit> {
        self.names.get(&(sort, text.to_lowercase().into())).copied()
    }

    /// Whose GUID it is, and whether it is that of the archive.
    pub(super) fn by_guid(&self, guid: Guid) -> Option<(Entity, bool)> {
        self.guids.get(&guid).copied()
    }

    fn party(&self, hit: Hit, text: &str) -> Party {
        if hit.shared {
            return Party::Ambiguous(Private::new(text));
        }
        self.of(hit.entity, text)
    }

    fn of(&self, entity: Entity, text: &str) -> Party {
        match entity {
            Entity::Mailbox(at) => Party::Mailbox(MailboxNo(at)),
            Entity::Group(at) => Party::Group(GroupNo(at)),
            Entity::Contact(at) => usize::try_from(at)
                .ok()
                .and_then(|at| self.contacts.get(at).cloned().flatten())
                .map_or_else(|| Party::Unknown(Private::new(text)), Party::Outside),
        }
    }

    /// Who a text means.
    pub(super) fn resolve(&self, text: &str) -> Resolved {
        let exact = |party| Resolved {
            party,
            by_display_name: false,
        };
        let unknown = || exact(Party::Unknown(Private::new(text)));
        let found = |sort, name: &str| {
            self.look(sort, name)
                .map(|hit| exact(self.party(hit, text)))
        };
        let sid = text.strip_prefix("NT:").unwrap_or(text);
        if sid.starts_with("S-1-5-21-") {
            return exact(Party::OrphanSid(Private::new(sid)));
        }
        if let Some(guid) = text::guid(text) {
            return match self.by_guid(guid) {
                Some((entity, _)) => exact(self.of(entity, text)),
                None => unknown(),
            };
        }
        let address = match text.split_once(':') {
            Some((kind, rest)) if kind.eq_ignore_ascii_case("smtp") => rest,
            _ => text,
        };
        if address.contains('@') && fault_of_address(address).is_none() {
            return found(Sort::Address, address)
                .unwrap_or_else(|| exact(Party::Outside(MailboxId::new(address))));
        }
        if text
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case("/o="))
        {
            return found(Sort::Legacy, text).unwrap_or_else(unknown);
        }
        if let Some((_, account)) = text.rsplit_once('\\') {
            return found(Sort::Account, account).unwrap_or_else(unknown);
        }
        if text.contains('/')
            && let Some(hit) = found(Sort::Path, text)
        {
            return hit;
        }
        let plain = [Sort::Account, Sort::Display]
            .into_iter()
            .filter_map(|sort| self.look(sort, text));
        let mut best: Option<Hit> = None;
        for hit in plain {
            best = Some(match best {
                None => hit,
                Some(known) => Hit {
                    shared: known.shared || hit.shared || known.entity != hit.entity,
                    ..known
                },
            });
        }
        best.map_or_else(unknown, |hit| Resolved {
            party: self.party(hit, text),
            by_display_name: !hit.shared,
        })
    }
}

/// The pool's texts resolved, each once.
#[derive(Debug)]
pub(super) struct Names<'a> {
    index: &'a Index,
    texts: &'a [Arc<str>],
    known: Vec<Option<Resolved>>,
}

impl<'a> Names<'a> {
    /// Nothing resolved yet.
    pub(super) fn new(index: &'a Index, texts: &'a [Arc<str>]) -> Self {
        Self {
            index,
            texts,
            known: vec![None; texts.len()],
        }
    }

    /// The text of a key.
    pub(super) fn text(&self, key: Key) -> &'a str {
        self.texts.get(key.at()).map_or("", |text| text)
    }

    /// Who a key means.
    pub(super) fn resolve(&mut self, key: Key) -> Resolved {
        if let Some(Some(known)) = self.known.get(key.at()) {
            return known.clone();
        }
        let resolved = self.index.resolve(self.text(key));
        if let Some(slot) = self.known.get_mut(key.at()) {
            *slot = Some(resolved.clone());
        }
        resolved
    }

    /// Who somebody is.
    pub(super) fn somebody(&mut self, somebody: Somebody) -> Resolved {
        let by_guid = somebody.guid.and_then(|guid| self.index.by_guid(guid));
        match by_guid {
            Some((entity, _)) => Resolved {
                party: self.index.of(entity, self.text(somebody.name)),
                by_display_name: false,
            },
            None => self.resolve(somebody.name),
        }
    }

    /// The mailbox a row belongs to; GUID first, then address, then any other name.
    pub(super) fn owner(&mut self, owner: &Owner) -> Whose {
        if let Some((entity, archive)) = owner.guid.and_then(|guid| self.index.by_guid(guid)) {
            return match entity {
                Entity::Mailbox(at) => Whose::Mailbox {
                    no: MailboxNo(at),
                    archive,
                    by_display_name: false,
                },
                Entity::Group(_) | Entity::Contact(_) => Whose::NoMailbox,
            };
        }
        // A GUID that nobody has is somebody else's mailbox, whatever its display name says.
        let keys = [owner.address, owner.name.filter(|_| owner.guid.is_none())];
        for key in keys.into_iter().flatten() {
            let resolved = self.resolve(key);
            match resolved.party {
                Party::Mailbox(no) => {
                    return Whose::Mailbox {
                        no,
                        archive: false,
                        by_display_name: resolved.by_display_name,
                    };
                }
                Party::Group(_) => return Whose::NoMailbox,
                Party::Ambiguous(_) => return Whose::Several,
                _ => {}
            }
        }
        Whose::Nobody
    }

    /// The group a row belongs to.
    pub(super) fn group(&mut self, owner: &Owner) -> Option<GroupNo> {
        let by_guid = owner.guid.and_then(|guid| self.index.by_guid(guid));
        if let Some((Entity::Group(at), _)) = by_guid {
            return Some(GroupNo(at));
        }
        let keys = [owner.address, owner.name];
        keys.into_iter()
            .flatten()
            .find_map(|key| match self.resolve(key).party {
                Party::Group(no) => Some(no),
                _ => None,
            })
    }

    /// Whose address it is.
    pub(super) fn address(&self, address: &MailboxId) -> Party {
        self.index.resolve(address.reveal()).party
    }

    /// How an owner is called, for the list of orphans.
    pub(super) fn call(&self, owner: &Owner) -> Private {
        let key = owner.address.or(owner.name);
        match (key, owner.guid) {
            (Some(key), _) => Private::new(self.text(key)),
            (None, Some(guid)) => Private::new(guid.to_string()),
            (None, None) => Private::new(""),
        }
    }
}

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Mailbox {
        no: MailboxNo,
        archive: bool,
        by_display_name: bool,
    },
    /// A group or a contact, which is nothing to migrate.
    NoMailbox,
    /// Two mailboxes carry the name.
    Several,
    Nobody,
}
