//! What an inventory says about the posture of the source: builds of servers, and settings of mailboxes. What a file that was not given would show
//! stays "not checked".

use std::collections::{BTreeMap, BTreeSet};

use crate::base::secret::Private;
use crate::base::sight::{
    AppSight, DelegateSight, DeviceSight, ForwardSight, Look, MailboxSight, RightSight, RoleSight,
    RuleSight,
};
use crate::plan::inventory::{
    FileKind, FolderRights, GrantKind, Inventory, MailboxNo, MailboxRecord, Party, RecipientKind,
};
use crate::posture::server::{Origin, Sighting};

/// Every server of an inventory, by each number it has.
pub(super) fn sightings(inventory: &Inventory) -> Vec<Sighting> {
    let mut out = Vec::new();
    for server in &inventory.servers {
        let said = [
            (Origin::ExSetup, server.exsetup),
            (Origin::AdminDisplay, server.admin_version),
        ];
        for (origin, build) in said {
            if let Some(build) = build {
                out.push(Sighting {
                    server: server.name.to_string(),
                    origin,
                    build: Some(build.value),
                });
            }
        }
        if server.exsetup.is_none() && server.admin_version.is_none() {
            out.push(Sighting {
                server: server.name.to_string(),
                origin: Origin::AdminDisplay,
                build: None,
            });
        }
    }
    out
}

/// Who has a role that opens every mailbox; what only lets somebody hand it out, and what is switched off, is left out.
pub(super) fn roles(inventory: &Inventory) -> Look<Vec<RoleSight>> {
    let given = inventory.files.iter();
    if !given
        .into_iter()
        .any(|file| file.kind == FileKind::RoleAssignments)
    {
        return Look::default();
    }
    let held = inventory.roles.iter();
    let held = held.filter(|role| !role.delegating && role.enabled != Some(false));
    Look::Seen(
        held.map(|role| RoleSight {
            role: role.role.to_string(),
            who: role.assignee.clone(),
            kind: role.assignee_kind.as_deref().unwrap_or("?").to_owned(),
        })
        .collect(),
    )
}

/// Every mailbox of an inventory.
pub(super) fn sights(inventory: &Inventory) -> Vec<MailboxSight> {
    let estate = Estate::of(inventory);
    (0..)
        .zip(&inventory.mailboxes)
        .filter_map(|(n, record)| estate.mailbox(MailboxNo(n), record))
        .collect()
}

/// The domains of a list of addresses, in lower case.
pub(super) fn domains<'a>(addresses: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    addresses
        .filter_map(|address| address.rsplit_once('@'))
        .map(|(_, domain)| domain.to_lowercase())
        .collect()
}

struct Estate<'a> {
    inventory: &'a Inventory,
    /// Mailboxes that somebody has full access to, by who.
    doors: BTreeMap<String, u64>,
    own: BTreeSet<String>,
    given: BTreeSet<FileKind>,
}

impl<'a> Estate<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let primary = inventory
            .mailboxes
            .iter()
            .filter_map(|m| m.address.as_ref());
        let mut estate = Self {
            inventory,
            doors: BTreeMap::new(),
            own: domains(primary.map(crate::base::id::MailboxId::reveal)),
            given: inventory.files.iter().map(|file| file.kind).collect(),
        };
        let full = inventory.grants.iter();
        let full = full.filter(|g| matches!(g.kind, GrantKind::FullAccess) && !g.deny);
        let mut doors = BTreeMap::new();
        for grant in full {
            let (who, _) = estate.party(&grant.trustee);
            *doors.entry(who.reveal().to_owned()).or_default() += 1;
        }
        estate.doors = doors;
        estate
    }

    /// What a kind of file shows, where one was given.
    fn look<T>(&self, kind: FileKind, seen: impl FnOnce() -> Vec<T>) -> Look<Vec<T>> {
        if self.given.contains(&kind) {
            Look::Seen(seen())
        } else {
            Look::default()
        }
    }

    fn mailbox(&self, no: MailboxNo, record: &MailboxRecord) -> Option<MailboxSight> {
        let address = record.address.as_ref()?;
        Some(MailboxSight {
            forwards: self.forwards(record),
            rules: self.look(FileKind::InboxRules, || self.rules(no)),
            rules_in_part: true,
            rights: self.look(FileKind::FolderPermissions, || self.rights(no)),
            delegates: self.look(FileKind::FullAccess, || self.delegates(no)),
            devices: self.look(FileKind::MobileDevices, || self.devices(no)),
            apps: self.look(FileKind::Apps, || self.apps(no)),
            unmanned: record
                .kind
                .as_ref()
                .map_or_else(Look::default, |kind| Look::Seen(unmanned(kind))),
            ..MailboxSight::of(Private::new(address.reveal()))
        })
    }

    fn forwards(&self, record: &MailboxRecord) -> Look<Vec<ForwardSight>> {
        let seen = || -> Vec<ForwardSight> {
            let forwards = record.forwards.iter().map(|stated| &stated.value);
            forwards
                .map(|forward| {
                    let (to, outside) = self.party(&forward.to);
                    ForwardSight {
                        to,
                        outside,
                        keeps_copy: forward.keeps_copy,
                    }
                })
                .collect()
        };
        if record.forwards.is_empty() {
            // A mailbox file may lack the columns; only a file of forwards says that there is none.
            self.look(FileKind::Forwarding, seen)
        } else {
            Look::Seen(seen())
        }
    }

    /// Who it is, and whether that is outside the organisation. A name that the inventory does not know may be a mail contact: outside.
    fn party(&self, party: &Party) -> (Private, bool) {
        match party {
            Party::Mailbox(no) => {
                let record = self.inventory.mailbox(*no);
                let address = record.and_then(|r| r.address.as_ref());
                let text = address.map_or("a mailbox", |a| a.reveal());
                (Private::new(text), false)
            }
            Party::Group(_) => (Private::new("a group"), false),
            Party::Outside(address) => {
                let text = address.reveal();
                let domain = text.rsplit_once('@').map_or("", |(_, domain)| domain);
                (
                    Private::new(text),
                    !self.own.contains(&domain.to_lowercase()),
                )
            }
            Party::OrphanSid(sid) => (sid.clone(), true),
            Party::Everybody => (Private::new("Default"), false),
            Party::Anonymous => (Private::new("Anonymous"), true),
            Party::Ambiguous(name) => (name.clone(), false),
            Party::Unknown(name) => (name.clone(), true),
        }
    }

    fn rules(&self, no: MailboxNo) -> Vec<RuleSight> {
        let own = self.inventory.rules.iter().filter(|r| r.mailbox == no);
        own.map(|rule| {
            let targets = rule.targets.iter().map(|(_, party)| self.party(party));
            RuleSight {
                name: rule.name.clone(),
                enabled: rule.enabled != Some(false),
                deletes: rule.deletes,
                sends_outside: targets
                    .filter_map(|(to, outside)| outside.then_some(to))
                    .collect(),
                ..RuleSight::default()
            }
        })
        .collect()
    }

    fn rights(&self, no: MailboxNo) -> Vec<RightSight> {
        let own = self.inventory.grants.iter();
        own.filter(|grant| grant.mailbox == no && !grant.deny)
            .filter_map(|grant| {
                let GrantKind::Folder { folder, rights } = &grant.kind else {
                    return None;
                };
                let who = match grant.trustee {
                    Party::Everybody => "Default",
                    Party::Anonymous => "Anonymous",
                    _ => return None,
                };
                let name = folder.reveal();
                let last = name.rsplit(['/', '\\', ':']).next().unwrap_or(name);
                Some(RightSight {
                    folder: english(last).to_owned(),
                    who,
                    level: match rights {
                        FolderRights::Custom(text) => text.to_string(),
                        role => format!("{role:?}"),
                    },
                })
            })
            .collect()
    }

    fn delegates(&self, no: MailboxNo) -> Vec<DelegateSight> {
        let own = self.inventory.grants.iter();
        own.filter(|grant| grant.mailbox == no && !grant.deny)
            .filter_map(|grant| {
                let what = match grant.kind {
                    GrantKind::FullAccess => "full access",
                    GrantKind::SendAs => "send as",
                    GrantKind::SendOnBehalf => "send on behalf",
                    GrantKind::Folder { .. } => return None,
                };
                let stranger = matches!(grant.trustee, Party::OrphanSid(_) | Party::Outside(_));
                let (who, _) = self.party(&grant.trustee);
                Some(DelegateSight {
                    mailboxes: match grant.kind {
                        GrantKind::FullAccess => self.doors.get(who.reveal()).copied(),
                        _ => None,
                    }
                    .unwrap_or(0),
                    who,
                    what: what.to_owned(),
                    stranger,
                    sees_private: false,
                })
            })
            .collect()
    }

    fn apps(&self, no: MailboxNo) -> Vec<AppSight> {
        let own = self.inventory.apps.iter().filter(|app| app.mailbox == no);
        own.filter(|app| app.enabled != Some(false))
            .map(|app| {
                let name = app.name.as_ref().map_or("without a name", |n| n.reveal());
                let provider = app.provider.as_deref().unwrap_or("nobody named");
                let scope = app.scope.as_deref().unwrap_or("User");
                AppSight {
                    what: format!("{name} by {provider} ({})", app.id),
                    by_owner: scope.eq_ignore_ascii_case("user"),
                }
            })
            .collect()
    }

    fn devices(&self, no: MailboxNo) -> Vec<DeviceSight> {
        let own = self.inventory.devices.iter().filter(|d| d.mailbox == no);
        own.map(|device| DeviceSight {
            what: device
                .model
                .as_deref()
                .or(device.kind.as_deref())
                .unwrap_or("a device")
                .to_owned(),
            first: device.first_sync.map(|when| when.day),
        })
        .collect()
    }
}

/// The word for a mailbox that nobody works in.
const fn unmanned(kind: &RecipientKind) -> Option<&'static str> {
    match kind {
        RecipientKind::RoomMailbox | RecipientKind::LinkedRoomMailbox => Some("a room"),
        RecipientKind::EquipmentMailbox => Some("a device or a car"),
        RecipientKind::DiscoveryMailbox
        | RecipientKind::ArbitrationMailbox
        | RecipientKind::MonitoringMailbox
        | RecipientKind::AuditLogMailbox => Some("Exchange itself"),
        _ => None,
    }
}

/// The folders whose rights weigh otherwise, by their English names.
fn english(name: &str) -> &str {
    match name {
        "Kalender" | "Calendrier" | "Agenda" | "Calendario" => "Calendar",
        "Posteingang" | "Boîte de réception" => "Inbox",
        "Gesendete Elemente" | "Éléments envoyés" => "Sent Items",
        "Gelöschte Elemente" | "Éléments supprimés" => "Deleted Items",
        other => other,
    }
}
