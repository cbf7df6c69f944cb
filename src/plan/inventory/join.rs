//! Rows to records: every row finds its mailbox by GUID, then by address, then by another name, or becomes an orphan.

use std::sync::Arc;

use super::date_text::{DateOrder, RawWhen};
use super::draft::{Draft, DraftStore, Owner};
use super::index::{Index, Names, Resolved, Whose};
use super::model::{FolderCensus, Forward, MailboxNo, Party, Place, Private, Stated, When};
use super::notes::{Notes, Spot, Weight};
use super::records::{FileKind, FileNote, Group, Inventory, MailboxRecord, Orphan, OrphanKind};
use super::remedy;

/// Joins everything that was read.
pub(super) fn join(mut draft: Draft) -> Inventory {
    draft.drop_rejected();
    draft.check_lists();
    draft.merge_mailboxes();
    draft.merge_groups();
    let index = Index::new(&draft.mailboxes, &draft.groups, &draft.contacts);
    let texts = draft.pool.texts().to_vec();
    let orders = std::mem::take(&mut draft.orders);
    let mailboxes = std::mem::take(&mut draft.mailboxes)
        .into_iter()
        .map(|m| MailboxRecord {
            created: m.created.and_then(|w| settle(&orders, m.record.place, w)),
            ..m.record
        })
        .collect();
    let mut join = Join::new(&index, &texts, &mut draft, mailboxes, orders);
    join.stores(std::mem::take(&mut draft.stores));
    join.folders(&mut draft);
    join.forwards(&mut draft);
    join.holds(&mut draft);
    join.grants(std::mem::take(&mut draft.grants));
    join.rules(&mut draft);
    join.devices(&mut draft);
    join.apps(&mut draft);
    join.members(&mut draft);
    join.listed(&mut draft);
    join.finish(draft)
}

fn settle(orders: &[DateOrder], place: Place, when: RawWhen) -> Option<When> {
    let at = usize::try_from(place.file).ok()?;
    orders.get(at)?.settle(when)
}

/// The records while rows find their way to them.
pub(super) struct Join<'a> {
    pub(super) names: Names<'a>,
    texts: &'a [Arc<str>],
    orders: Vec<DateOrder>,
    files: Vec<FileNote>,
    notes: Notes,
    pub(super) out: Inventory,
    /// Whose row it was last: rows of one mailbox stand together.
    last: Option<(Owner, Whose)>,
}

impl<'a> Join<'a> {
    fn new(
        index: &'a Index,
        texts: &'a [Arc<str>],
        draft: &mut Draft,
        mailboxes: Vec<MailboxRecord>,
        orders: Vec<DateOrder>,
    ) -> Self {
        let groups = std::mem::take(&mut draft.groups)
            .into_iter()
            .map(|(group, _, members)| Group {
                members_known: members == Some(0),
                ..group
            })
            .collect();
        Self {
            names: Names::new(index, texts),
            texts,
            orders,
            files: std::mem::take(&mut draft.files),
            notes: std::mem::take(&mut draft.notes),
            out: Inventory {
                mailboxes,
                groups,
                ..Inventory::default()
            },
            last: None,
        }
    }

    fn kind(&self, place: Place) -> FileKind {
        usize::try_from(place.file)
            .ok()
            .and_then(|at| self.files.get(at))
            .map_or(FileKind::Unknown, |file| file.kind)
    }

    fn warn(&mut self, place: Place, reason: &str, remedy: &str) {
        let spot = Spot { place, column: 1 };
        self.notes.counted(Weight::Warning, spot, reason, remedy);
    }

    pub(super) fn orphan(&mut self, place: Place, kind: OrphanKind, key: Private) {
        self.out.orphans.push(Orphan { place, kind, key });
    }

    fn when(&self, place: Place, when: Option<RawWhen>) -> Option<When> {
        settle(&self.orders, place, when?)
    }

    /// The mailbox of a row, or an orphan.
    pub(super) fn owner(
        &mut self,
        place: Place,
        owner: &Owner,
        orphan: OrphanKind,
    ) -> Option<(MailboxNo, bool)> {
        let whose = match self.last {
            Some((known, whose)) if known == *owner => whose,
            _ => self.whose(place, owner),
        };
        self.last = Some((*owner, whose));
        match whose {
            Whose::Mailbox {
                no,
                archive,
                by_display_name,
            } => {
                if by_display_name {
                    let again =
                        remedy::again(self.kind(place), "with ExchangeGuid beside every row");
                    let reason = "the row's mailbox was found by alias or display name only; exactly one carries it";
                    self.warn(place, reason, &again);
                }
                Some((no, archive))
            }
            Whose::NoMailbox => None,
            Whose::Several => {
                let again = remedy::again(self.kind(place), "with ExchangeGuid beside every row");
                let reason = "two mailboxes carry the name in this row; it is not used";
                self.warn(place, reason, &again);
                self.orphan(place, orphan, self.names.call(owner));
                None
            }
            Whose::Nobody => {
                self.orphan(place, orphan, self.names.call(owner));
                None
            }
        }
    }

    /// Whose row it is, where its GUID and its address do not speak of two mailboxes.
    fn whose(&mut self, place: Place, owner: &Owner) -> Whose {
        let whose = self.names.owner(owner);
        let Whose::Mailbox { no, .. } = whose else {
            return whose;
        };
        let Some(guid) = owner.guid else { return whose };
        let record = self.out.mailbox(no);
        let own = record.is_some_and(|record| {
            let guids = [
                record.exchange_guid,
                record.directory_guid,
                record.archive_guid,
            ];
            guids.contains(&Some(guid)) || record.exchange_guid.is_none()
        });
        let again = "export all files again on one day";
        if !own {
            let reason = "the GUID in this row is not that of the mailbox with its address; the row is not used";
            self.warn(place, reason, again);
            return Whose::Nobody;
        }
        let by_address = owner.address.map(|key| self.names.resolve(key).party);
        if matches!(by_address, Some(Party::Mailbox(other)) if other != no) {
            let reason = "GUID and address in this row are those of two mailboxes; the GUID counts";
            self.warn(place, reason, again);
        }
        whose
    }

    fn record(&mut self, no: MailboxNo) -> Option<&mut MailboxRecord> {
        self.out.mailboxes.get_mut(usize::try_from(no.0).ok()?)
    }

    /// Says how somebody was found, and returns who it is.
    pub(super) fn person(&mut self, place: Place, resolved: Resolved) -> Party {
        let kind = self.kind(place);
        match &resolved.party {
            Party::Ambiguous(_) => self.warn(
                place,
                "two recipients carry the name in this row; nobody is taken for it",
                &remedy::again(kind, "with addresses"),
            ),
            Party::Unknown(_) => self.warn(
                place,
                "the name in this row is nobody's in these files",
                "give the files of groups and recipients too, or look the name up in the directory",
            ),
            _ if resolved.by_display_name => self.warn(
                place,
                "the person in this row was found by alias, account or display name only; exactly one carries it",
                &remedy::again(kind, "with addresses or accounts"),
            ),
            _ => {}
        }
        resolved.party
    }

    fn stores(&mut self, stores: Vec<DraftStore>) {
        for store in stores {
            let place = store.place;
            if store.disconnected {
                let key = self.names.call(&store.owner);
                self.orphan(place, OrphanKind::Disconnected, key);
                continue;
            }
            let found = self.owner(place, &store.owner, OrphanKind::Statistics);
            let Some((no, by_archive_guid)) = found else {
                continue;
            };
            let mut size = store.size;
            size.last_logon = self.when(place, store.last_logon);
            let archive = by_archive_guid || store.archive == Some(true);
            let largest = store.largest;
            let Some(record) = self.record(no) else {
                continue;
            };
            let slot = if archive {
                &mut record.archive
            } else {
                &mut record.primary
            };
            if slot.is_some() {
                self.warn(
                    place,
                    "a second row of statistics for the same store; the first one counts",
                    "export again into a new file, without -Append",
                );
                continue;
            }
            *slot = Some(Stated { value: size, place });
            let larger = |known: &Stated<_>, size| known.value < size;
            if let Some(value) = largest
                && record
                    .largest_item
                    .as_ref()
                    .is_none_or(|known| larger(known, value))
            {
                record.largest_item = Some(Stated { value, place });
            }
        }
    }

    fn folders(&mut self, draft: &mut Draft) {
        for ((_, owner), mut folders) in std::mem::take(&mut draft.folders) {
            let place = folders.place;
            let Some((no, archive)) = self.owner(place, &owner, OrphanKind::Folders) else {
                continue;
            };
            folders
                .crowded
                .sort_by(|a, b| (b.items, &a.path).cmp(&(a.items, &b.path)));
            let census = FolderCensus {
                count: crate::base::quantity::Count::new(folders.count),
                items: folders.items,
                biggest: folders.biggest,
                crowded: folders.crowded,
            };
            let Some(record) = self.record(no) else {
                continue;
            };
            if archive || record.folders.is_some() {
                let reason = "folders of an archive, or of a mailbox whose folders stand in another file; not used";
                self.warn(place, reason, "give one file of folder statistics");
                continue;
            }
            record.folders = Some(Stated {
                value: census,
                place,
            });
        }
    }

    fn forwards(&mut self, draft: &mut Draft) {
        for forward in std::mem::take(&mut draft.forwards) {
            let place = forward.place;
            let Some((no, _)) = self.owner(place, &forward.owner, OrphanKind::Forward) else {
                continue;
            };
            let resolved = self.names.somebody(forward.to);
            let to = self.person(place, resolved);
            let value = Forward {
                to,
                keeps_copy: forward.keeps_copy,
            };
            let Some(record) = self.record(no) else {
                continue;
            };
            // The mailbox file and the forwarding file of the collector say the same.
            match record.forwards.iter_mut().find(|f| f.value.to == value.to) {
                Some(known) => {
                    known.value.keeps_copy = known.value.keeps_copy.or(value.keeps_copy);
                }
                None => record.forwards.push(Stated { value, place }),
            }
        }
    }

    fn holds(&mut self, draft: &mut Draft) {
        for (place, owner, hold) in std::mem::take(&mut draft.holds) {
            let Some((no, _)) = self.owner(place, &owner, OrphanKind::Hold) else {
                continue;
            };
            let Some(record) = self.record(no) else {
                continue;
            };
            if record.holds.iter().all(|known| known.value != hold) {
                record.holds.push(Stated { value: hold, place });
            }
        }
    }

    fn devices(&mut self, draft: &mut Draft) {
        for row in std::mem::take(&mut draft.devices) {
            let place = row.device.place;
            let Some((mailbox, _)) = self.owner(place, &row.owner, OrphanKind::Device) else {
                continue;
            };
            let mut device = row.device;
            device.mailbox = mailbox;
            device.first_sync = self.when(place, row.first_sync);
            device.last_sync = self.when(place, row.last_sync);
            self.out.devices.push(device);
        }
        self.out
            .devices
            .sort_by_key(|device| (device.mailbox, device.place));
    }

    fn apps(&mut self, draft: &mut Draft) {
        for (owner, mut app) in std::mem::take(&mut draft.apps) {
            if let Some((mailbox, _)) = self.owner(app.place, &owner, OrphanKind::App) {
                app.mailbox = mailbox;
                self.out.apps.push(app);
            }
        }
        self.out.apps.sort_by_key(|app| (app.mailbox, app.place));
        self.out.roles = std::mem::take(&mut draft.roles);
    }

    /// Lists choose mailboxes and say where they go.
    fn listed(&mut self, draft: &mut Draft) {
        for row in std::mem::take(&mut draft.listed) {
            let place = row.place;
            let Party::Mailbox(no) = self.names.address(&row.source) else {
                let key = Private::new(row.source.reveal());
                self.orphan(place, OrphanKind::Listed, key);
                continue;
            };
            let Some(record) = self.record(no) else {
                continue;
            };
            record.listed = Some(place);
            record.target = row.target.map(|value| Stated { value, place });
            let size = row.size.map(|value| Stated { value, place });
            record.primary = record.primary.or(size);
        }
    }

    fn finish(mut self, draft: Draft) -> Inventory {
        self.silent_mailboxes();
        let mut servers = draft.servers;
        servers.sort_by(|a, b| (&a.name, a.place).cmp(&(&b.name, b.place)));
        // One server in two files: what the first leaves open comes from the second.
        servers.dedup_by(|b, a| {
            let same = a.name.eq_ignore_ascii_case(&b.name);
            if same {
                a.edition = a.edition.take().or(b.edition.take());
                a.role = a.role.take().or(b.role.take());
                a.admin_version = a.admin_version.or(b.admin_version);
                a.exsetup = a.exsetup.or(b.exsetup);
            }
            same
        });
        debug_assert_eq!(self.texts.len(), draft.pool.texts().len());
        self.out.servers = servers;
        self.out.orphans.sort_by_key(|row| (row.place, row.kind));
        self.out.files = self.files;
        (self.out.refused, self.out.warnings) = self.notes.into_lists();
        self.out
    }

    /// Mailboxes without statistics: nobody ever opened them, or the file is short.
    fn silent_mailboxes(&mut self) {
        let with: usize = self
            .out
            .mailboxes
            .iter()
            .filter(|m| m.primary.is_some())
            .count();
        let silent: Vec<(Place, Private)> = self
            .out
            .mailboxes
            .iter()
            .filter(|m| m.primary.is_none() && !m.listed_only)
            .map(|m| {
                let name = m.address.as_ref().map_or("", |a| a.reveal());
                (m.place, Private::new(name))
            })
            .collect();
        if with == 0 {
            if let Some((place, _)) = silent.first() {
                let place = Place { line: 1, ..*place };
                self.warn(
                    place,
                    "no file says how large these mailboxes are",
                    &remedy::again(FileKind::Statistics, "as a file of its own"),
                );
            }
            return;
        }
        for (place, key) in silent {
            self.orphan(place, OrphanKind::NoStatistics, key);
        }
    }
}
