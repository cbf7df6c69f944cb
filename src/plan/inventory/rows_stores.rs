//! Rows about what is stored and where: statistics of mailboxes and folders, devices, servers.

use super::columns::Col;
use super::draft::{Draft, DraftDevice, DraftFolders, DraftStore};
use super::model::{FolderNote, MailboxNo, Private, Stated, StoreSize};
use super::notes::Weight;
use super::page::Row;
use super::records::{App, Device, RoleAssignment, Server};
use super::remedy;
use crate::base::build::Build;
use crate::base::limits::FOLDER_CROWDED;
use crate::base::quantity::Count;

impl Draft {
    /// A row of Get-MailboxStatistics.
    pub(super) fn statistics_row(&mut self, row: &Row<'_>) {
        let mut owner = self.owner(row);
        if owner.name.is_none() {
            owner.name = self.key(row, Col::DisplayName);
        }
        if owner == super::draft::Owner::default() {
            let again = remedy::again(row.kind, "with MailboxGuid");
            self.notes.row(
                Weight::Refused,
                row.spot(0),
                "the row names no mailbox",
                &again,
            );
            return;
        }
        let said = self.text(row, Col::Store);
        let archive = match said {
            Some(store) if store.eq_ignore_ascii_case("archive") => Some(true),
            Some(store) if store.eq_ignore_ascii_case("primary") => Some(false),
            _ => self.flag(row, Col::IsArchive),
        };
        let store = DraftStore {
            place: row.place(),
            owner,
            archive,
            disconnected: row.bare(Col::DisconnectDate).is_some()
                || row
                    .bare(Col::DisconnectReason)
                    .is_some_and(|reason| !reason.eq_ignore_ascii_case("none")),
            size: StoreSize {
                items: self.count(row, Col::ItemCount),
                associated: self.count(row, Col::AssociatedCount),
                bytes: self.size(row, Col::TotalSize),
                dumpster_items: self.count(row, Col::DeletedCount),
                dumpster_bytes: self.size(row, Col::DeletedSize),
                last_logon: None,
                quarantined: self.flag(row, Col::Quarantined),
            },
            last_logon: self.when(row, Col::LastLogon),
            largest: self.size(row, Col::LargestItem),
        };
        self.stores.push(store);
    }

    /// A row of Get-MailboxFolderStatistics. Rows are summed at once: a large site has millions of folders.
    pub(super) fn folder_row(&mut self, row: &Row<'_>) {
        let kind = self.text(row, Col::FolderType).unwrap_or_default();
        let path = self.text(row, Col::FolderPath).unwrap_or_default();
        let dumpster = kind.to_ascii_lowercase().starts_with("recoverableitems")
            || path.starts_with("/Recoverable Items")
            || ["Audits", "CalendarLogging", "DiscoveryHolds"].contains(&kind);
        if dumpster {
            return self.pass_over(row, "folders of Recoverable Items");
        }
        if kind.eq_ignore_ascii_case("root") {
            return self.pass_over(row, "roots of folder trees");
        }
        if row
            .bare(Col::Store)
            .is_some_and(|store| store.eq_ignore_ascii_case("archive"))
        {
            return self.pass_over(row, "folders of archives");
        }
        let Some(owner) = self.owner_or_refuse(row) else {
            return;
        };
        let items = self.count(row, Col::ItemsInFolder).unwrap_or_default();
        let note = FolderNote {
            path: Private::new(path),
            kind: kind.into(),
            items,
            bytes: self.size(row, Col::FolderSize),
        };
        let place = row.place();
        let census = self
            .folders
            .entry((row.file, owner))
            .or_insert_with(|| DraftFolders {
                place,
                count: 0,
                items: Count::ZERO,
                biggest: note.clone(),
                crowded: Vec::new(),
            });
        census.count += 1;
        census.items += items;
        if items > FOLDER_CROWDED {
            census.crowded.push(note.clone());
        }
        if items > census.biggest.items {
            census.biggest = note;
        }
    }

    /// A row of Get-MobileDeviceStatistics.
    pub(super) fn device_row(&mut self, row: &Row<'_>) {
        let Some(owner) = self.owner_or_refuse(row) else {
            return;
        };
        let Some(id) = self.text(row, Col::DeviceId) else {
            return;
        };
        let device = Device {
            place: row.place(),
            mailbox: MailboxNo(0),
            id: Private::new(id),
            kind: self.word(row, Col::DeviceType),
            model: self.word(row, Col::DeviceModel),
            os: self.word(row, Col::DeviceOs),
            access: self.word(row, Col::DeviceAccess),
            first_sync: None,
            last_sync: None,
        };
        let first_sync = self.when(row, Col::FirstSync);
        let last_sync = self.when(row, Col::LastSync);
        self.devices.push(DraftDevice {
            owner,
            device,
            first_sync,
            last_sync,
        });
    }

    /// A row of Get-App -Mailbox.
    pub(super) fn app_row(&mut self, row: &Row<'_>) {
        let Some(owner) = self.owner_or_refuse(row) else {
            return;
        };
        let Some(id) = self.word(row, Col::AppId) else {
            return;
        };
        let app = App {
            place: row.place(),
            mailbox: MailboxNo(0),
            id,
            name: self.text(row, Col::DisplayName).map(Private::new),
            provider: self.word(row, Col::Provider),
            scope: self.word(row, Col::AppScope),
            enabled: self.flag(row, Col::Enabled),
        };
        self.apps.push((owner, app));
    }

    /// A row of Get-ManagementRoleAssignment.
    pub(super) fn role_row(&mut self, row: &Row<'_>) {
        let role = self.word(row, Col::Role);
        let assignee = self.text(row, Col::Assignee).map(Private::new);
        let (Some(role), Some(assignee)) = (role, assignee) else {
            let again = remedy::again(row.kind, "with Role and RoleAssigneeName");
            let reason = "the row names no role or nobody who has it";
            self.notes.row(Weight::Refused, row.spot(0), reason, &again);
            return;
        };
        let delegation = self.word(row, Col::Delegation);
        let assignment = RoleAssignment {
            place: row.place(),
            role,
            assignee,
            assignee_kind: self.word(row, Col::AssigneeKind),
            delegating: delegation.is_some_and(|word| !word.eq_ignore_ascii_case("regular")),
            enabled: self.flag(row, Col::Enabled),
        };
        self.roles.push(assignment);
    }

    /// A row of Get-ExchangeServer.
    pub(super) fn server_row(&mut self, row: &Row<'_>) {
        let name = [Col::Name, Col::Server, Col::Identity]
            .into_iter()
            .find_map(|col| self.word(row, col));
        let Some(name) = name else {
            let again = remedy::again(row.kind, "with Name");
            self.notes.row(
                Weight::Refused,
                row.spot(0),
                "the row names no server",
                &again,
            );
            return;
        };
        let server = Server {
            place: row.place(),
            name,
            edition: self.word(row, Col::Edition),
            role: self.word(row, Col::ServerRole),
            admin_version: self.build(row, Col::AdminVersion),
            exsetup: self.build(row, Col::ExSetup),
        };
        self.servers.push(server);
    }

    fn build(&mut self, row: &Row<'_>, col: Col) -> Option<Stated<Build>> {
        let text = self.text(row, col)?;
        let build = Build::parse(text);
        if build.is_none() {
            let field = row.header.field(col)?;
            let reason = format!("{}: the text is no build", row.header.name(field));
            let again = remedy::again(row.kind, "without changing the column");
            self.notes
                .row(Weight::Refused, row.spot(field), &reason, &again);
        }
        build.map(|value| Stated {
            value,
            place: row.place(),
        })
    }
}
