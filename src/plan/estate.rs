//! From an inventory to what is planned: which mailboxes move, which stay by which rule, and who works with whom.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::base::id::MailboxId;
use crate::base::limits;
use crate::base::quantity::{Bytes, Count};
use crate::plan::address::fault_of_address;
use crate::plan::forecast::Load;
use crate::plan::inventory::{
    FileKind, FolderRights, GrantKind, GroupNo, Inventory, MailboxNo, MailboxRecord, Party,
    RecipientKind,
};
use crate::plan::wishes::Wishes;

/// The rule for mailboxes that a given list does not name.
const UNLISTED: &str = "not in the mailbox list";

/// What a mailbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// One person's.
    Person,
    /// Opened by several people.
    Shared,
    /// A room.
    Room,
    /// A device, a car.
    Equipment,
}

impl Use {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "user",
            Self::Shared => "shared",
            Self::Room => "room",
            Self::Equipment => "equipment",
        }
    }
}

/// A mailbox that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mover {
    /// In the inventory.
    pub record: MailboxNo,
    /// From where.
    pub source: MailboxId,
    /// Where to.
    pub target: MailboxId,
    /// What it is for.
    pub purpose: Use,
    /// What is carried: the user's tree of the primary mailbox.
    pub load: Load,
    /// False where no statistics say so: it may be empty or never opened.
    pub counted: bool,
    /// Goes first.
    pub pilot: bool,
    /// Goes once the way is proven.
    pub vip: bool,
    /// Not before this day.
    pub not_before: Option<Date>,
}

/// A mailbox that stays, and the rule that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// Which.
    pub record: MailboxNo,
    /// By which rule.
    pub rule: &'static str,
}

/// A right between two mailboxes, groups expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// In which mailbox.
    pub owner: MailboxNo,
    /// Who has it.
    pub trustee: MailboxNo,
    /// An index into the inventory's grants.
    pub grant: u32,
    /// By way of which group.
    pub group: Option<GroupNo>,
    /// How much it ties the two together.
    pub weight: u32,
}

/// What is planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estate {
    /// What moves, in order of address.
    pub movers: Vec<Mover>,
    /// What stays.
    pub excluded: Vec<Excluded>,
    /// Rights between mailboxes of the inventory.
    pub links: Vec<Link>,
    /// Groups that hold a right and are too large to move together, with their number of mailboxes.
    pub large_groups: Vec<(GroupNo, usize)>,
    /// Groups that hold a right and whose members no file lists.
    pub closed_groups: Vec<GroupNo>,
    /// True where rights by way of groups were too many to follow.
    pub links_left_out: bool,
    places: BTreeMap<MailboxNo, u32>,
}

impl Estate {
    /// Sorts the inventory.
    pub fn new(inventory: &Inventory, wishes: &Wishes) -> Self {
        let mut out = Self::default();
        let mut targets: BTreeMap<String, u32> = BTreeMap::new();
        for record in &inventory.mailboxes {
            // What a system or a list keeps at home takes nobody's place.
            if let Some(target) = target_of(record)
                && record.kind.as_ref().and_then(rule_of_kind).is_none()
            {
                *targets.entry(target.reveal().to_lowercase()).or_default() += 1;
            }
        }
        let chosen = inventory
            .files
            .iter()
            .any(|file| file.kind == FileKind::MailboxList);
        for (no, record) in (0..).zip(&inventory.mailboxes) {
            let no = MailboxNo(no);
            let unlisted = chosen && record.listed.is_none();
            let sorted = sort(record, wishes, &targets);
            match sorted.and_then(|pair| if unlisted { Err(UNLISTED) } else { Ok(pair) }) {
                Err(rule) => out.excluded.push(Excluded { record: no, rule }),
                Ok((source, target)) => {
                    let place = u32::try_from(out.movers.len()).unwrap_or(u32::MAX);
                    out.places.insert(no, place);
                    out.movers.push(mover(no, record, source, target, wishes));
                }
            }
        }
        out.link(inventory);
        out
    }

    /// The place of a mailbox among the movers; `None` when it stays.
    pub fn place(&self, record: MailboxNo) -> Option<u32> {
        self.places.get(&record).copied()
    }

    /// Takes movers out that turned out not to fit, by a rule.
    pub fn exclude(&mut self, unfit: &BTreeSet<u32>, rule: &'static str) {
        if unfit.is_empty() {
            return;
        }
        let mut kept = Vec::with_capacity(self.movers.len());
        self.places.clear();
        for (place, mover) in (0..).zip(std::mem::take(&mut self.movers)) {
            if unfit.contains(&place) {
                let record = mover.record;
                self.excluded.push(Excluded { record, rule });
            } else {
                let place = u32::try_from(kept.len()).unwrap_or(u32::MAX);
                self.places.insert(mover.record, place);
                kept.push(mover);
            }
        }
        self.movers = kept;
        self.excluded.sort_by_key(|excluded| excluded.record);
    }

    fn link(&mut self, inventory: &Inventory) {
        let mut people = Expansion {
            inventory,
            known: BTreeMap::new(),
        };
        let mut large = BTreeMap::new();
        let mut closed = BTreeSet::new();
        let mut followed = 0;
        for (at, grant) in (0..).zip(&inventory.grants) {
            if grant.deny {
                continue;
            }
            let weight = weight(&grant.kind, inventory.mailbox(grant.mailbox));
            if weight == 0 {
                continue;
            }
            let link = |trustee, group| Link {
                owner: grant.mailbox,
                trustee,
                grant: at,
                group,
                weight,
            };
            match &grant.trustee {
                Party::Mailbox(trustee) if *trustee != grant.mailbox => {
                    self.links.push(link(*trustee, None));
                }
                Party::Group(group) => {
                    let (members, known) = people.of(*group);
                    if !known {
                        closed.insert(*group);
                    }
                    if members.len() > limits::GROUP_TOGETHER_MAX {
                        large.insert(*group, members.len());
                        continue;
                    }
                    followed += members.len();
                    if followed > limits::GROUP_LINKS_MAX {
                        self.links_left_out = true;
                        continue;
                    }
                    let others = members.iter().filter(|trustee| **trustee != grant.mailbox);
                    self.links
                        .extend(others.map(|trustee| link(*trustee, Some(*group))));
                }
                _ => {}
            }
        }
        self.large_groups = large.into_iter().collect();
        self.closed_groups = closed.into_iter().collect();
    }
}

fn target_of(record: &MailboxRecord) -> Option<&MailboxId> {
    record
        .target
        .as_ref()
        .map(|target| &target.value)
        .or(record.address.as_ref())
}

/// The addresses of a mailbox that moves, or the rule that keeps it.
fn sort(
    record: &MailboxRecord,
    wishes: &Wishes,
    targets: &BTreeMap<String, u32>,
) -> Result<(MailboxId, MailboxId), &'static str> {
    if let Some(rule) = record.kind.as_ref().and_then(rule_of_kind) {
        return Err(rule);
    }
    let source = record.address.as_ref().ok_or("no primary address")?;
    let target = target_of(record).ok_or("no primary address")?;
    if wishes.exclude.contains(&source.reveal().to_lowercase()) {
        return Err("excluded by request");
    }
    if fault_of_address(source.reveal()).is_some() || fault_of_address(target.reveal()).is_some() {
        return Err("unusable address");
    }
    if targets
        .get(&target.reveal().to_lowercase())
        .is_some_and(|count| *count > 1)
    {
        return Err("address of more than one mailbox");
    }
    Ok((source.clone(), target.clone()))
}

/// The rule that keeps mailboxes of a kind; `None` for those that move. Unknown kinds move, and are reported.
pub(super) fn rule_of_kind(kind: &RecipientKind) -> Option<&'static str> {
    use RecipientKind as K;
    match kind {
        K::UserMailbox
        | K::SharedMailbox
        | K::RoomMailbox
        | K::EquipmentMailbox
        | K::LinkedMailbox
        | K::LinkedRoomMailbox
        | K::LegacyMailbox
        | K::SchedulingMailbox
        | K::Unknown(_) => None,
        K::DiscoveryMailbox | K::ArbitrationMailbox | K::MonitoringMailbox | K::AuditLogMailbox => {
            Some("system mailbox")
        }
        K::TeamMailbox => Some("site mailbox: needs another tool"),
        K::GroupMailbox => Some("group mailbox: needs another tool"),
        K::PublicFolderMailbox | K::PublicFolder => Some("public folders: need another tool"),
        K::RemoteUserMailbox
        | K::RemoteSharedMailbox
        | K::RemoteRoomMailbox
        | K::RemoteEquipmentMailbox
        | K::RemoteTeamMailbox => Some("in the cloud already"),
        K::MailUser
        | K::MailContact
        | K::GuestMailUser
        | K::MailUniversalDistributionGroup
        | K::MailUniversalSecurityGroup
        | K::DynamicDistributionGroup
        | K::RoomList => Some("no mailbox"),
    }
}

fn mover(
    no: MailboxNo,
    record: &MailboxRecord,
    source: MailboxId,
    target: MailboxId,
    wishes: &Wishes,
) -> Mover {
    let store = record.primary.as_ref().map(|primary| primary.value);
    let address = source.reveal().to_lowercase();
    Mover {
        record: no,
        purpose: purpose(record.kind.as_ref()),
        load: Load {
            items: store.and_then(|store| store.items).unwrap_or(Count::ZERO),
            bytes: store
                .and_then(|store| store.bytes)
                .map_or(Bytes::ZERO, |size| size.bytes),
        },
        counted: store.is_some_and(|store| store.items.is_some() && store.bytes.is_some()),
        pilot: wishes.pilots.contains(&address),
        vip: wishes.vips.contains(&address) && !wishes.pilots.contains(&address),
        not_before: wishes.not_before.get(&address).copied(),
        source,
        target,
    }
}

fn purpose(kind: Option<&RecipientKind>) -> Use {
    use RecipientKind as K;
    match kind {
        Some(K::SharedMailbox) => Use::Shared,
        Some(K::RoomMailbox | K::LinkedRoomMailbox | K::SchedulingMailbox) => Use::Room,
        Some(K::EquipmentMailbox) => Use::Equipment,
        _ => Use::Person,
    }
}

/// How much a right ties two mailboxes together: what people do all day weighs most. Mailboxes without a person of their own live by these
/// rights, so theirs count twice.
fn weight(kind: &GrantKind, owner: Option<&MailboxRecord>) -> u32 {
    use FolderRights as R;
    let plain = match kind {
        GrantKind::FullAccess => 8,
        GrantKind::SendAs => 5,
        GrantKind::SendOnBehalf => 4,
        GrantKind::Folder { rights, .. } => match rights {
            R::Owner | R::PublishingEditor | R::Editor | R::PublishingAuthor | R::Author => 3,
            R::NonEditingAuthor | R::Reviewer | R::Custom(_) => 1,
            // Free and busy is answered across the move, and nothing is nothing.
            R::Contributor | R::None | R::AvailabilityOnly | R::LimitedDetails => 0,
        },
    };
    let person = purpose(owner.and_then(|owner| owner.kind.as_ref())) == Use::Person;
    if person { plain } else { plain * 2 }
}

/// The mailboxes in a group and in the groups in it, each group looked at once.
struct Expansion<'a> {
    inventory: &'a Inventory,
    known: BTreeMap<GroupNo, (Vec<MailboxNo>, bool)>,
}

impl Expansion<'_> {
    /// Its mailboxes, sorted, and whether all of its groups say who is in them.
    fn of(&mut self, group: GroupNo) -> &(Vec<MailboxNo>, bool) {
        if !self.known.contains_key(&group) {
            let expanded = self.expand(group);
            self.known.insert(group, expanded);
        }
        &self.known[&group]
    }

    fn expand(&self, group: GroupNo) -> (Vec<MailboxNo>, bool) {
        let mut mailboxes = BTreeSet::new();
        let mut seen = BTreeSet::from([group]);
        let mut open = vec![group];
        let mut known = true;
        // Groups may contain each other in circles.
        while let Some(next) = open.pop() {
            let Some(group) = self.inventory.group(next) else {
                continue;
            };
            known &= group.members_known;
            for member in &group.members {
                match &member.value {
                    Party::Mailbox(mailbox) => {
                        mailboxes.insert(*mailbox);
                    }
                    Party::Group(inner) if seen.insert(*inner) => open.push(*inner),
                    _ => {}
                }
            }
        }
        (mailboxes.into_iter().collect(), known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::inventory::{FileNote, Grant, Group, Place, Stated};

    fn mailbox(address: &str, kind: RecipientKind) -> MailboxRecord {
        MailboxRecord {
            address: Some(MailboxId::new(address)),
            kind: Some(kind),
            ..MailboxRecord::default()
        }
    }

    fn grant(mailbox: u32, trustee: Party, kind: GrantKind) -> Grant {
        Grant {
            place: Place::default(),
            mailbox: MailboxNo(mailbox),
            trustee,
            kind,
            deny: false,
        }
    }

    #[test]
    fn every_mailbox_moves_or_stays_by_a_named_rule() {
        let inventory = Inventory {
            mailboxes: vec![
                mailbox("a@x.example", RecipientKind::UserMailbox),
                mailbox("b@x.example", RecipientKind::DiscoveryMailbox),
                mailbox("c@x.example", RecipientKind::SharedMailbox),
                mailbox("d@x.example", RecipientKind::UserMailbox),
                mailbox("D@X.example", RecipientKind::UserMailbox),
                mailbox("nobody", RecipientKind::UserMailbox),
                MailboxRecord::default(),
                mailbox("e@x.example", RecipientKind::RemoteUserMailbox),
                mailbox("f@x.example", RecipientKind::Unknown("NewMailbox".into())),
            ],
            ..Inventory::default()
        };
        let wishes = Wishes {
            exclude: BTreeSet::from(["c@x.example".to_owned()]),
            ..Wishes::default()
        };
        let estate = Estate::new(&inventory, &wishes);
        let moved: Vec<u32> = estate.movers.iter().map(|mover| mover.record.0).collect();
        assert_eq!(moved, [0, 8]);
        let rules: Vec<(u32, &str)> = estate
            .excluded
            .iter()
            .map(|excluded| (excluded.record.0, excluded.rule))
            .collect();
        assert_eq!(
            rules,
            [
                (1, "system mailbox"),
                (2, "excluded by request"),
                (3, "address of more than one mailbox"),
                (4, "address of more than one mailbox"),
                (5, "unusable address"),
                (6, "no primary address"),
                (7, "in the cloud already"),
            ]
        );
    }

    #[test]
    fn a_list_beside_an_inventory_chooses_what_moves() {
        let mut inventory = Inventory {
            mailboxes: vec![
                mailbox("a@x.example", RecipientKind::UserMailbox),
                mailbox("b@x.example", RecipientKind::UserMailbox),
            ],
            ..Inventory::default()
        };
        inventory.mailboxes[1].listed = Some(Place::default());
        assert_eq!(Estate::new(&inventory, &Wishes::default()).movers.len(), 2);
        inventory.files = vec![FileNote {
            path: "list.csv".into(),
            encoding: "UTF-8",
            delimiter: Some(','),
            rows: Count::new(1),
            kind: FileKind::MailboxList,
            provenance: None,
            ignored: Vec::new(),
            passed_over: Vec::new(),
        }];
        let estate = Estate::new(&inventory, &Wishes::default());
        assert_eq!(estate.movers.len(), 1);
        assert_eq!(estate.excluded[0].rule, UNLISTED);
    }

    #[test]
    fn groups_are_followed_into_groups_and_round_in_circles() {
        let member = |party| Stated {
            value: party,
            place: Place::default(),
        };
        let group = |members: Vec<Party>, members_known| Group {
            members: members.into_iter().map(member).collect(),
            members_known,
            ..Group::default()
        };
        let people =
            (0..4).map(|n| mailbox(&format!("p{n}@x.example"), RecipientKind::UserMailbox));
        let inventory = Inventory {
            mailboxes: people.collect(),
            groups: vec![
                group(
                    vec![Party::Mailbox(MailboxNo(1)), Party::Group(GroupNo(1))],
                    true,
                ),
                group(
                    vec![
                        Party::Mailbox(MailboxNo(2)),
                        Party::Group(GroupNo(0)),
                        Party::Mailbox(MailboxNo(0)),
                    ],
                    true,
                ),
                group(vec![], false),
            ],
            grants: vec![
                grant(0, Party::Group(GroupNo(0)), GrantKind::FullAccess),
                grant(0, Party::Group(GroupNo(2)), GrantKind::SendAs),
                grant(3, Party::Everybody, GrantKind::SendAs),
                Grant {
                    deny: true,
                    ..grant(3, Party::Mailbox(MailboxNo(1)), GrantKind::SendAs)
                },
            ],
            ..Inventory::default()
        };
        let estate = Estate::new(&inventory, &Wishes::default());
        let links: Vec<(u32, u32)> = estate
            .links
            .iter()
            .map(|link| (link.owner.0, link.trustee.0))
            .collect();
        assert_eq!(links, [(0, 1), (0, 2)]);
        assert_eq!(estate.closed_groups, [GroupNo(2)]);
    }
}
