//! One record per mailbox and per group, however many files describe it.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, DraftMailbox};
use super::model::{Guid, Place, Private};
use super::notes::{Spot, Weight};
use super::records::{Group, MailboxRecord};

/// Fills in what is missing; what is there stays.
macro_rules! fill {
    ($into:expr, $from:expr, $($field:ident),+) => {
        $(if $into.$field.is_none() { $into.$field = $from.$field; })+
    };
}

fn fill(into: &mut DraftMailbox, from: DraftMailbox) {
    fill!(into, from, created, name);
    let (into, from) = (&mut into.record, from.record);
    fill!(
        into,
        from,
        directory_guid,
        exchange_guid,
        archive_guid,
        address,
        target,
        upn,
        alias,
        account,
        display_name,
        identity,
        legacy_dn,
        kind,
        database,
        server,
        hidden,
        licensed,
        linked_account,
        retention_policy,
        has_archive
    );
    fill!(
        into.quotas,
        from.quotas,
        database_defaults,
        mailbox,
        recoverable,
        archive,
        send,
        receive
    );
    if into.proxies.is_empty() {
        into.proxies = from.proxies;
    }
}

/// What two rows of one mailbox say differently about who it is.
fn contradicts(a: &MailboxRecord, b: &MailboxRecord) -> bool {
    let address = |r: &MailboxRecord| r.address.as_ref().map(|a| a.reveal().to_lowercase());
    let kind = |r: &MailboxRecord| r.kind.clone();
    matches!((address(a), address(b)), (Some(a), Some(b)) if a != b)
        || matches!((kind(a), kind(b)), (Some(a), Some(b)) if a != b)
}

fn spot(place: Place) -> Spot {
    Spot { place, column: 1 }
}

impl Draft {
    /// Refuses rows of lists that send one mailbox to two places, or two to one. Without an inventory beside them the lists are all there is,
    /// and their rows become the mailboxes.
    pub(super) fn check_lists(&mut self) {
        let (mut sources, mut targets) = (BTreeSet::new(), BTreeSet::new());
        let notes = &mut self.notes;
        self.listed.retain(|row| {
            let (reason, remedy) = if !sources.insert(row.source.reveal().to_lowercase()) {
                (
                    "the mailbox stands in a list already",
                    "delete the row: a mailbox goes to one place, once",
                )
            } else if let Some(target) = &row.target
                && !targets.insert(target.reveal().to_lowercase())
            {
                (
                    "another row goes to the same target mailbox",
                    "correct one of the two rows: two mailboxes into one cannot be told apart later",
                )
            } else {
                return true;
            };
            notes.row(Weight::Refused, spot(row.place), reason, remedy);
            false
        });
        if self.mailboxes.is_empty() {
            let people = self.listed.iter().map(|row| DraftMailbox {
                record: MailboxRecord {
                    place: row.place,
                    listed_only: true,
                    address: Some(row.source.clone()),
                    ..MailboxRecord::default()
                },
                ..DraftMailbox::default()
            });
            self.mailboxes = people.collect();
        }
    }

    /// Makes one record of all rows of a mailbox and sorts the records.
    pub(super) fn merge_mailboxes(&mut self) {
        let mut out: Vec<DraftMailbox> = Vec::with_capacity(self.mailboxes.len());
        let mut by_guid: BTreeMap<Guid, usize> = BTreeMap::new();
        let mut by_address: BTreeMap<String, usize> = BTreeMap::new();
        for row in std::mem::take(&mut self.mailboxes) {
            let address = row
                .record
                .address
                .as_ref()
                .map(|a| a.reveal().to_lowercase());
            let guids = [row.record.exchange_guid, row.record.directory_guid];
            let same_guid = guids.iter().flatten().find_map(|g| by_guid.get(g)).copied();
            let same_address = address.as_ref().and_then(|a| by_address.get(a)).copied();
            // The address joins only where one side has no GUID: two GUIDs are two mailboxes.
            let by_name = same_address.filter(|at| {
                let there = &out[*at].record;
                !matches!(
                    (there.exchange_guid, row.record.exchange_guid),
                    (Some(_), Some(_))
                )
            });
            if same_guid.is_none() && by_name.is_none() && same_address.is_some() {
                self.notes.row(
                    Weight::Warning,
                    spot(row.record.place),
                    "another mailbox, with another GUID, has the same primary address",
                    "give one of the two another primary address before anything is planned",
                );
            }
            let at = if let Some(at) = same_guid.or(by_name) {
                let there = &mut out[at];
                let place = row.record.place;
                if there.record.place.file == place.file {
                    self.notes.row(
                        Weight::Warning,
                        spot(place),
                        "a second row of the same mailbox; only what the first row leaves open is taken from it",
                        "export again into a new file, without -Append",
                    );
                }
                if contradicts(&there.record, &row.record) {
                    self.notes.row(
                        Weight::Warning,
                        spot(place),
                        "address or type of the mailbox differ from an earlier row of it; the earlier one counts",
                        "export all files again on one day",
                    );
                }
                fill(there, row);
                at
            } else {
                out.push(row);
                out.len() - 1
            };
            for guid in guids.into_iter().flatten() {
                by_guid.entry(guid).or_insert(at);
            }
            if let Some(address) = address {
                by_address.entry(address).or_insert(at);
            }
        }
        out.sort_by_cached_key(|m| {
            let address = m.record.address.as_ref().map(|a| a.reveal().to_lowercase());
            (address, m.record.exchange_guid, m.record.place)
        });
        self.mailboxes = out;
    }

    /// Makes one record of all rows of a group and sorts the records.
    pub(super) fn merge_groups(&mut self) {
        let mut out: Vec<(Group, Option<Private>, Option<u64>)> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (group, name, members) in std::mem::take(&mut self.groups) {
            let guid = group.directory_guid.map(|guid| format!("g{guid}"));
            let address = group
                .address
                .as_ref()
                .map(|a| format!("a{}", a.reveal().to_lowercase()));
            let path = group
                .identity
                .as_ref()
                .map(|p| format!("p{}", p.reveal().to_lowercase()));
            let keys: Vec<String> = [guid, address, path].into_iter().flatten().collect();
            let at = keys.iter().find_map(|key| known.get(key)).copied();
            let at = if let Some(at) = at {
                let (there, its_name, its_members) = &mut out[at];
                fill!(
                    there,
                    group,
                    directory_guid,
                    address,
                    display_name,
                    alias,
                    account,
                    identity,
                    kind
                );
                *its_name = its_name.take().or(name);
                *its_members = its_members.or(members);
                at
            } else {
                out.push((group, name, members));
                out.len() - 1
            };
            for key in keys {
                known.entry(key).or_insert(at);
            }
        }
        out.sort_by_cached_key(|(group, name, _)| {
            let address = group.address.as_ref().map(|a| a.reveal().to_lowercase());
            (address, group.directory_guid, name.clone(), group.place)
        });
        self.groups = out;
    }
}
