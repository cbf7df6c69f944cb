//! The records of an inventory: mailboxes, groups, grants, rules, devices, servers, files, and what is wrong with them.

use super::model::{
    FolderCensus, Forward, GrantKind, GroupNo, Guid, Hold, MailboxNo, Party, Place, Private, Proxy,
    Quotas, RecipientKind, RuleAction, Size, Stated, StoreSize, When,
};
use crate::base::build::Build;
use crate::base::id::MailboxId;
use crate::base::quantity::{Bytes, Count};

/// One mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxRecord {
    /// The row of the mailbox itself; what has no place of its own stands there.
    pub place: Place,
    /// True where only a mailbox list (an address without any other fact) names it.
    pub listed_only: bool,
    /// Where a mailbox list names it. Where any list was given, only listed mailboxes are meant to move.
    pub listed: Option<Place>,
    /// The directory object (Guid).
    pub directory_guid: Option<Guid>,
    /// The mailbox (ExchangeGuid, MailboxGuid in statistics): the join key.
    pub exchange_guid: Option<Guid>,
    /// The archive mailbox; `None` where there is none.
    pub archive_guid: Option<Guid>,
    /// PrimarySmtpAddress as written.
    pub address: Option<MailboxId>,
    /// Where a list of pairs says it goes.
    pub target: Option<Stated<MailboxId>>,
    /// UserPrincipalName.
    pub upn: Option<Private>,
    /// Alias (mailNickname).
    pub alias: Option<Private>,
    /// SamAccountName.
    pub account: Option<Private>,
    /// DisplayName.
    pub display_name: Option<Private>,
    /// Canonical directory path (`clinic.example/Users/Anna Harris`).
    pub identity: Option<Private>,
    /// LegacyExchangeDN: becomes an X500 address on the target, so that old replies find their way.
    pub legacy_dn: Option<Private>,
    /// EmailAddresses.
    pub proxies: Vec<Proxy>,
    /// RecipientTypeDetails; `None` where no file says it.
    pub kind: Option<RecipientKind>,
    /// Database.
    pub database: Option<Box<str>>,
    /// ServerName.
    pub server: Option<Box<str>>,
    /// HiddenFromAddressListsEnabled.
    pub hidden: Option<bool>,
    /// SKUAssigned: whether Exchange Online sees a licence; `None` where no file says it.
    pub licensed: Option<bool>,
    /// LinkedMasterAccount.
    pub linked_account: Option<Private>,
    /// RetentionPolicy.
    pub retention_policy: Option<Box<str>>,
    /// True where an archive exists (ArchiveStatus or ArchiveGuid); `None` where no file says it.
    pub has_archive: Option<bool>,
    /// WhenMailboxCreated.
    pub created: Option<When>,
    /// Ceilings.
    pub quotas: Quotas,
    /// The primary store. `None`: no row, which Exchange also prints for a mailbox nobody ever opened.
    pub primary: Option<Stated<StoreSize>>,
    /// The archive store.
    pub archive: Option<Stated<StoreSize>>,
    /// The folders.
    pub folders: Option<Stated<FolderCensus>>,
    /// The largest item, where a file says it.
    pub largest_item: Option<Stated<Size>>,
    /// Forwards of the whole mailbox.
    pub forwards: Vec<Stated<Forward>>,
    /// What keeps deleted items.
    pub holds: Vec<Stated<Hold>>,
}

/// A right of somebody in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Where it was read.
    pub place: Place,
    /// In which mailbox.
    pub mailbox: MailboxNo,
    /// Who has it.
    pub trustee: Party,
    /// What it allows.
    pub kind: GrantKind,
    /// True for a Deny entry: it takes the right away.
    pub deny: bool,
}

/// A distribution or security group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Where it was first read.
    pub place: Place,
    /// The directory object.
    pub directory_guid: Option<Guid>,
    /// Its address, where it has one.
    pub address: Option<MailboxId>,
    /// Its name.
    pub display_name: Option<Private>,
    /// Alias.
    pub alias: Option<Private>,
    /// SamAccountName.
    pub account: Option<Private>,
    /// Canonical directory path.
    pub identity: Option<Private>,
    /// RecipientTypeDetails.
    pub kind: Option<RecipientKind>,
    /// Its direct members; groups among them are not expanded.
    pub members: Vec<Stated<Party>>,
    /// False where no file lists its members: then `members` is empty and says nothing.
    pub members_known: bool,
}

/// One Inbox rule (Get-InboxRule).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRule {
    /// Where it was read.
    pub place: Place,
    /// Of which mailbox.
    pub mailbox: MailboxNo,
    /// Its name.
    pub name: Private,
    /// RuleIdentity, where the export has it.
    pub identity: Option<u64>,
    /// `None` where the export does not say.
    pub enabled: Option<bool>,
    /// To whom it sends mail on.
    pub targets: Vec<(RuleAction, Party)>,
    /// DeleteMessage or SoftDeleteMessage.
    pub deletes: bool,
    /// InError: the server does not run it.
    pub in_error: Option<bool>,
}

/// One mobile device partnership (Get-MobileDeviceStatistics).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Where it was read.
    pub place: Place,
    /// Of which mailbox.
    pub mailbox: MailboxNo,
    /// DeviceId.
    pub id: Private,
    /// DeviceType.
    pub kind: Option<Box<str>>,
    /// DeviceModel.
    pub model: Option<Box<str>>,
    /// DeviceOS.
    pub os: Option<Box<str>>,
    /// DeviceAccessState (`Allowed`, `Blocked`, ...).
    pub access: Option<Box<str>>,
    /// FirstSyncTime.
    pub first_sync: Option<When>,
    /// LastSuccessSync.
    pub last_sync: Option<When>,
}

/// One add-in of Outlook in a mailbox (Get-App -Mailbox).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Where it was read.
    pub place: Place,
    /// In which mailbox.
    pub mailbox: MailboxNo,
    /// AppId.
    pub id: Box<str>,
    /// DisplayName.
    pub name: Option<Private>,
    /// ProviderName.
    pub provider: Option<Box<str>>,
    /// Scope: who installed it (`User`, `Organization`, `Default`).
    pub scope: Option<Box<str>>,
    /// Enabled.
    pub enabled: Option<bool>,
}

/// A role of management that somebody has (Get-ManagementRoleAssignment).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// Where it was read.
    pub place: Place,
    /// Role.
    pub role: Box<str>,
    /// RoleAssigneeName: a group or a person.
    pub assignee: Private,
    /// RoleAssigneeType (`RoleGroup`, `User`, `SecurityGroup`, ...).
    pub assignee_kind: Option<Box<str>>,
    /// True where it only lets the assignee hand the role out (RoleAssignmentDelegationType other than `Regular`).
    pub delegating: bool,
    /// Enabled.
    pub enabled: Option<bool>,
}

/// One Exchange server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it was read.
    pub place: Place,
    /// Its name.
    pub name: Box<str>,
    /// Edition.
    pub edition: Option<Box<str>>,
    /// ServerRole.
    pub role: Option<Box<str>>,
    /// AdminDisplayVersion: the cumulative update only; it never shows security updates (reference/inventory.md section 5).
    pub admin_version: Option<Stated<Build>>,
    /// The file version of ExSetup.exe: shows security updates.
    pub exsetup: Option<Stated<Build>>,
}

/// A row that fits to nothing else, or a mailbox another file should know and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Where it was read.
    pub place: Place,
    /// What it is.
    pub kind: OrphanKind,
    /// How the row names what is missing.
    pub key: Private,
}

/// What stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrphanKind {
    /// Statistics of a mailbox that no mailbox file has.
    Statistics,
    /// Statistics of a disconnected mailbox (DisconnectDate is set).
    Disconnected,
    /// A mailbox without a row in the statistics that were read.
    NoStatistics,
    /// Folder statistics of a mailbox that no mailbox file has.
    Folders,
    /// A grant in a mailbox that no mailbox file has.
    GrantMailbox,
    /// A grant to a security identifier without an account.
    GrantSid,
    /// A forward of a mailbox that no mailbox file has.
    Forward,
    /// A rule of a mailbox that no mailbox file has.
    Rule,
    /// A device of a mailbox that no mailbox file has.
    Device,
    /// An add-in in a mailbox that no mailbox file has.
    App,
    /// A hold on a mailbox that no mailbox file has.
    Hold,
    /// A row of a mailbox list whose address no mailbox file has.
    Listed,
    /// Members of a group that no group file has.
    Members,
}

/// What a file was understood as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Get-Mailbox.
    Mailboxes,
    /// Get-MailboxStatistics.
    Statistics,
    /// Get-MailboxFolderStatistics.
    FolderStatistics,
    /// Get-MailboxPermission.
    FullAccess,
    /// Get-ADPermission.
    SendAs,
    /// Send on behalf, one row per grant.
    SendOnBehalf,
    /// Get-MailboxFolderPermission.
    FolderPermissions,
    /// Get-InboxRule.
    InboxRules,
    /// Forwards, one row per mailbox.
    Forwarding,
    /// Holds, one row per mailbox.
    Holds,
    /// Get-MobileDeviceStatistics.
    MobileDevices,
    /// Get-ExchangeServer, with ExSetup where the collector wrote it.
    Servers,
    /// Get-App -Mailbox.
    Apps,
    /// Get-ManagementRoleAssignment.
    RoleAssignments,
    /// Get-DistributionGroup.
    Groups,
    /// Get-DistributionGroupMember, one row per member.
    GroupMembers,
    /// A list of addresses or pairs (migration batch, MigrationWiz, `source,target`).
    MailboxList,
    /// Nothing known; refused.
    Unknown,
}

/// One file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNote {
    /// Its name as given.
    pub path: String,
    /// `UTF-8`, `UTF-8 with BOM`, `UTF-16LE`, `UTF-16BE`, `windows-1252`.
    pub encoding: &'static str,
    /// `,`, `;`, tab; `None` where it is CLIXML.
    pub delimiter: Option<char>,
    /// Data rows read, header excluded.
    pub rows: Count,
    /// What it was understood as.
    pub kind: FileKind,
    /// The `#TYPE` line's type name or the CLIXML type, where there is one.
    pub provenance: Option<String>,
    /// Columns nobody asked for, by header.
    pub ignored: Vec<String>,
    /// Rows left out by a named rule, such as inherited rights: rule and how many.
    pub passed_over: Vec<(&'static str, Count)>,
}

/// Something wrong with a file: where, why, and what to type to get it right. No reason repeats a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which file, line 1 where it concerns the whole file.
    pub place: Place,
    /// At which character of the line, from 1.
    pub column: u32,
    /// What is wrong.
    pub reason: String,
    /// The command or the step that makes it right.
    pub remedy: String,
}

/// Everything the files say, joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The files, in the order given.
    pub files: Vec<FileNote>,
    /// The mailboxes, sorted by address (lower case), then GUID.
    pub mailboxes: Vec<MailboxRecord>,
    /// The groups, sorted alike.
    pub groups: Vec<Group>,
    /// The grants, sorted by mailbox, kind, trustee; exact doubles are merged.
    pub grants: Vec<Grant>,
    /// Inbox rules, sorted by mailbox and place.
    pub rules: Vec<InboxRule>,
    /// Mobile devices, sorted by mailbox and place.
    pub devices: Vec<Device>,
    /// Add-ins, sorted by mailbox and place.
    pub apps: Vec<App>,
    /// Roles of management, in file order.
    pub roles: Vec<RoleAssignment>,
    /// Servers, sorted by name.
    pub servers: Vec<Server>,
    /// What fits to nothing, in file order.
    pub orphans: Vec<Orphan>,
    /// What was refused. Rows and files named here are not in the lists above.
    pub refused: Vec<Note>,
    /// What was read, but may be less than it looks.
    pub warnings: Vec<Note>,
}

impl MailboxRecord {
    /// Items to plan with: primary, its dumpster and the archive; zero where nothing is known.
    pub fn items(&self) -> Count {
        let store = |s: &Option<Stated<StoreSize>>| {
            s.as_ref().map_or(Count::ZERO, |s| {
                s.value.items.unwrap_or_default() + s.value.dumpster_items.unwrap_or_default()
            })
        };
        store(&self.primary) + store(&self.archive)
    }

    /// Bytes to plan with: primary, its dumpster and the archive; zero where nothing is known.
    pub fn bytes(&self) -> Bytes {
        let store = |s: &Option<Stated<StoreSize>>| {
            s.as_ref().map_or(Bytes::ZERO, |s| {
                s.value.bytes.unwrap_or_default().bytes
                    + s.value.dumpster_bytes.unwrap_or_default().bytes
            })
        };
        store(&self.primary) + store(&self.archive)
    }
}

impl Inventory {
    /// The mailbox at `no`.
    pub fn mailbox(&self, no: MailboxNo) -> Option<&MailboxRecord> {
        self.mailboxes.get(usize::try_from(no.0).ok()?)
    }

    /// The group at `no`.
    pub fn group(&self, no: GroupNo) -> Option<&Group> {
        self.groups.get(usize::try_from(no.0).ok()?)
    }

    /// The name of the file a place is in.
    pub fn file(&self, place: Place) -> Option<&str> {
        let at = usize::try_from(place.file).ok()?;
        Some(self.files.get(at)?.path.as_str())
    }

    /// Items of all mailboxes.
    pub fn items(&self) -> Count {
        self.mailboxes.iter().map(MailboxRecord::items).sum()
    }

    /// Bytes of all mailboxes.
    pub fn bytes(&self) -> Bytes {
        self.mailboxes.iter().map(MailboxRecord::bytes).sum()
    }
}
