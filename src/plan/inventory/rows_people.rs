//! Rows about mailboxes, groups and lists: Get-Mailbox, Get-Recipient, groups and their members, batches.

use super::columns::Col;
use super::draft::DraftGrant;
use super::draft::{
    Draft, DraftForward, DraftListed, DraftMailbox, DraftMember, DraftRight, Owner, Somebody,
};
use super::model::{Hold, Private, Proxy, Quotas, RecipientKind, StoreSize};
use super::notes::Weight;
use super::page::{Row, lost};
use super::records::{Group, MailboxRecord};
use super::{remedy, text};
use crate::base::id::MailboxId;
use crate::base::quantity::Count;
use crate::plan::address::fault_of_address;

impl Draft {
    /// A row of Get-Mailbox or Get-Recipient.
    pub(super) fn mailbox_row(&mut self, row: &Row<'_>) {
        let kind = self.text(row, Col::Kind).map(text::recipient_kind);
        match &kind {
            Some(
                RecipientKind::MailUniversalDistributionGroup
                | RecipientKind::MailUniversalSecurityGroup
                | RecipientKind::DynamicDistributionGroup
                | RecipientKind::RoomList,
            ) => return self.group_row(row),
            Some(
                RecipientKind::MailUser
                | RecipientKind::MailContact
                | RecipientKind::GuestMailUser
                | RecipientKind::PublicFolder,
            ) => {
                self.pass_over(row, "recipients without a mailbox");
                let contact = self.people(row, kind);
                self.contacts.push(contact);
                return;
            }
            _ => {}
        }
        let draft = self.people(row, kind);
        let record = &draft.record;
        if record.exchange_guid.is_none() && record.address.is_none() {
            let again = remedy::again(row.kind, "with ExchangeGuid and PrimarySmtpAddress");
            self.notes.row(
                Weight::Refused,
                row.spot(0),
                "the row names no mailbox",
                &again,
            );
            return;
        }
        let owner = Owner {
            guid: record.exchange_guid.or(record.directory_guid),
            address: record
                .address
                .as_ref()
                .map(|address| self.pool.key(address.reveal())),
            name: None,
        };
        self.forward_of(row, owner);
        self.holds_of(row, owner);
        self.behalf_of(row, owner);
        self.mailboxes.push(draft);
    }

    fn people(&mut self, row: &Row<'_>, kind: Option<RecipientKind>) -> DraftMailbox {
        let archive_guid = self.guid(row, Col::ArchiveGuid);
        let status = self.text(row, Col::ArchiveStatus);
        let has_archive = match (archive_guid, status) {
            (Some(_), _) => Some(true),
            (None, Some(status)) => Some(!status.eq_ignore_ascii_case("none")),
            // The column is there and holds the empty GUID.
            (None, None) => row.bare(Col::ArchiveGuid).map(|_| false),
        };
        let record = MailboxRecord {
            place: row.place(),
            directory_guid: self.guid(row, Col::Guid),
            exchange_guid: self.guid(row, Col::ExchangeGuid),
            archive_guid,
            address: self.address(row, Col::Address),
            upn: self.private(row, Col::Upn),
            alias: self.private(row, Col::Alias),
            account: self.private(row, Col::Account),
            display_name: self.private(row, Col::DisplayName),
            identity: self.private(row, Col::Identity),
            legacy_dn: self.private(row, Col::LegacyDn),
            proxies: self.proxies(row),
            kind,
            database: self.word(row, Col::Database),
            server: self.word(row, Col::Server),
            hidden: self.flag(row, Col::Hidden),
            licensed: self.flag(row, Col::Sku),
            linked_account: self.private(row, Col::LinkedAccount),
            retention_policy: self.word(row, Col::RetentionPolicy),
            has_archive,
            quotas: Quotas {
                database_defaults: self.flag(row, Col::DatabaseQuota),
                mailbox: self.ceiling(row, Col::MailboxQuota),
                recoverable: self.ceiling(row, Col::RecoverableQuota),
                archive: self.ceiling(row, Col::ArchiveQuota),
                send: self.ceiling(row, Col::MaxSend),
                receive: self.ceiling(row, Col::MaxReceive),
            },
            ..MailboxRecord::default()
        };
        DraftMailbox {
            record,
            created: self.when(row, Col::Created),
            name: self.private(row, Col::Name),
        }
    }

    /// An address; one that cannot be is kept out of it, with the reason.
    fn address(&mut self, row: &Row<'_>, col: Col) -> Option<MailboxId> {
        let text = self.text(row, col)?;
        let text = match text.split_once(':') {
            Some((kind, rest)) if kind.eq_ignore_ascii_case("smtp") => rest,
            _ => text,
        };
        self.question_mark(row, col, text);
        if let Some(fault) = fault_of_address(text) {
            let field = row.header.field(col)?;
            let reason = format!("{}: {fault}", row.header.name(field));
            let remedy = "correct the address in Exchange (Set-Mailbox -PrimarySmtpAddress) or in the list, then export again";
            self.notes
                .row(Weight::Refused, row.spot(field), &reason, remedy);
            return None;
        }
        Some(MailboxId::new(text))
    }

    /// A question mark is legal in an address and rarely meant.
    fn question_mark(&mut self, row: &Row<'_>, col: Col, text: &str) {
        if text.contains('?')
            && let Some(field) = row.header.field(col)
        {
            let reason = format!(
                "{}: a question mark stands in an address; letters may have been lost when the file was written as ASCII",
                row.header.name(field)
            );
            let remedy = remedy::again(row.kind, "with -Encoding UTF8");
            self.notes
                .counted(Weight::Warning, row.spot(field), &reason, &remedy);
        }
    }

    fn proxies(&mut self, row: &Row<'_>) -> Vec<Proxy> {
        let field = row.header.field(Col::Addresses);
        let pairs = match field.and_then(|field| row.record.list(field)) {
            Some(list) => list.iter().flat_map(|text| text::proxies(text)).collect(),
            None => self
                .text(row, Col::Addresses)
                .map(text::proxies)
                .unwrap_or_default(),
        };
        if pairs.is_empty()
            && let (Some(field), Some(text)) = (field, row.bare(Col::Addresses))
            && !text::is_type_name(text)
            && !text::is_cut(text)
        {
            lost(&mut self.notes, row, field, Weight::Refused);
        }
        pairs
            .into_iter()
            .map(|(kind, address)| Proxy {
                primary: kind.bytes().all(|b| !b.is_ascii_lowercase()),
                kind: text::proxy_kind(&kind),
                address: Private::new(address),
            })
            .collect()
    }

    /// The forward of a row that has the columns for one.
    pub(super) fn forward_of(&mut self, row: &Row<'_>, owner: Owner) {
        let keeps_copy = self.flag(row, Col::DeliverAndForward);
        // The collector resolves ForwardingAddress to the recipient's address; the directory path is the second best.
        let inside = self
            .somebody(row, Col::ForwardingRecipient)
            .or_else(|| self.somebody(row, Col::ForwardingAddress));
        let outside = self.text(row, Col::ForwardingSmtp).map(|text| {
            let bare = match text.split_once(':') {
                Some((kind, rest)) if kind.eq_ignore_ascii_case("smtp") => rest,
                _ => text,
            };
            Somebody {
                guid: None,
                name: self.pool.key(bare),
            }
        });
        for to in [inside, outside].into_iter().flatten() {
            self.forwards.push(DraftForward {
                place: row.place(),
                owner,
                to,
                keeps_copy,
            });
        }
    }

    /// The holds of a row that has the columns for them.
    pub(super) fn holds_of(&mut self, row: &Row<'_>, owner: Owner) {
        let mut holds = Vec::new();
        if self.flag(row, Col::Litigation) == Some(true) {
            holds.push(Hold::Litigation);
        }
        if self.flag(row, Col::RetentionHold) == Some(true) {
            holds.push(Hold::Retention);
        }
        for (col, word) in [
            (Col::ComplianceHold, "ComplianceTagHold"),
            (Col::DelayHold, "DelayHold"),
        ] {
            if self.flag(row, col) == Some(true) {
                holds.push(Hold::Other(word.into()));
            }
        }
        for id in self.list(row, Col::InPlaceHolds) {
            holds.push(Hold::InPlace(Private::new(id)));
        }
        let place = row.place();
        self.holds
            .extend(holds.into_iter().map(|hold| (place, owner, hold)));
    }

    /// Who sends on behalf, by a row that has the column for it.
    pub(super) fn behalf_of(&mut self, row: &Row<'_>, owner: Owner) {
        for name in self.list(row, Col::SendOnBehalf) {
            let name = self.pool.key(&name);
            self.grants.push(DraftGrant {
                place: row.place(),
                owner,
                trustee: Somebody { guid: None, name },
                right: DraftRight::SendOnBehalf,
                rights: None,
                deny: false,
            });
        }
    }

    /// A row of Get-DistributionGroup or Get-Group.
    pub(super) fn group_row(&mut self, row: &Row<'_>) {
        let group = Group {
            place: row.place(),
            directory_guid: self.guid(row, Col::Guid),
            address: self.address(row, Col::Address),
            display_name: self.private(row, Col::DisplayName),
            alias: self.private(row, Col::Alias),
            account: self.private(row, Col::Account),
            identity: self.private(row, Col::Identity),
            kind: self.text(row, Col::Kind).map(text::recipient_kind),
            members: Vec::new(),
            members_known: false,
        };
        let name = self.private(row, Col::Name);
        let named = group.directory_guid.is_some()
            || group.address.is_some()
            || group.identity.is_some()
            || name.is_some();
        if !named {
            let again = remedy::again(row.kind, "with Guid and PrimarySmtpAddress");
            self.notes.row(
                Weight::Refused,
                row.spot(0),
                "the row names no group",
                &again,
            );
            return;
        }
        let members = self.count(row, Col::MemberCount).map(Count::get);
        self.groups.push((group, name, members));
    }

    /// A member of a group.
    pub(super) fn member_row(&mut self, row: &Row<'_>) {
        let group = Owner {
            guid: self.guid(row, Col::GroupGuid),
            address: self.key(row, Col::GroupAddress),
            name: self.key(row, Col::Group),
        };
        let guid = self.guid(row, Col::Guid);
        let name = [
            Col::Address,
            Col::Member,
            Col::Identity,
            Col::DisplayName,
            Col::Name,
        ]
        .into_iter()
        .find_map(|col| self.key(row, col));
        if group != Owner::default()
            && let Some(name) = name
        {
            self.members.push(DraftMember {
                place: row.place(),
                group,
                member: Somebody { guid, name },
            });
        } else {
            let again = remedy::again(row.kind, "with the group beside every member");
            self.notes.row(
                Weight::Refused,
                row.spot(0),
                "the row names no group or no member",
                &again,
            );
        }
    }

    /// A row of a migration batch or of a list of pairs.
    pub(super) fn listed_row(&mut self, row: &Row<'_>) {
        let source = [Col::Source, Col::EmailAddress, Col::Address]
            .into_iter()
            .find(|col| row.header.has(*col));
        let Some(col) = source else {
            return;
        };
        if row.bare(col).is_none() {
            let remedy = "write the mailbox's primary address into the row, or delete the row";
            let field = row.header.field(col).unwrap_or(0);
            self.notes.row(
                Weight::Refused,
                row.spot(field),
                "the row names no mailbox",
                remedy,
            );
            return;
        }
        let Some(source) = self.address(row, col) else {
            return;
        };
        let target = self.address(row, Col::Target);
        if row.bare(Col::Target).is_some() && target.is_none() {
            return;
        }
        let size = StoreSize {
            items: self.count(row, Col::ItemCount),
            associated: self.count(row, Col::AssociatedCount),
            bytes: self.size(row, Col::TotalSize),
            dumpster_items: self.count(row, Col::DeletedCount),
            dumpster_bytes: self.size(row, Col::DeletedSize),
            ..StoreSize::default()
        };
        self.listed.push(DraftListed {
            place: row.place(),
            source,
            target,
            size: (size != StoreSize::default()).then_some(size),
        });
    }
}
