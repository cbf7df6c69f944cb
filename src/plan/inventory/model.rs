//! The values of an inventory: names, places, sizes, kinds of recipients, rights, people.
//!
//! Every fact carries the file and the line it was read from. Names and addresses are [`Private`] or `MailboxId`: printing masks them.
//! Positions ([`MailboxNo`], [`GroupNo`]) are indexes into the lists of one `Inventory` and mean nothing outside it.

use std::fmt;

use jiff::civil::Date;

use crate::base::id::MailboxId;
use crate::base::quantity::{Bytes, Count, Moment};
pub use crate::base::secret::Private;

/// Where a fact stands. `file` is an index into `Inventory::files`; lines count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which file.
    pub file: u32,
    /// Which line; the first one of a record that spans several.
    pub line: u32,
}

/// A value and where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated<T> {
    /// What the file says.
    pub value: T,
    /// Where it says so.
    pub place: Place,
}

/// A mailbox of this inventory: an index into `Inventory::mailboxes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxNo(pub u32);

/// A group of this inventory: an index into `Inventory::groups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupNo(pub u32);

/// A directory or mailbox GUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub u128);

impl fmt::Display for Guid {
    /// Lower case, 8-4-4-4-12.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        for (at, cut) in [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)] {
            if at > 0 {
                f.write_str("-")?;
            }
            f.write_str(&hex[at..cut])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A size as Exchange prints it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// How many bytes.
    pub bytes: Bytes,
    /// True where only a rounded number such as `1.2 GB` was there: four significant digits at best.
    pub approximate: bool,
}

/// A ceiling such as ProhibitSendReceiveQuota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    /// `Unlimited`.
    Unlimited,
    /// This much.
    At(Size),
}

/// A date of an export. `moment` is known only where the text names its zone or offset; otherwise the day is that of the exporting session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The day as exported.
    pub day: Date,
    /// The exact point in time, where the text says it.
    pub moment: Option<Moment>,
}

/// What kind of recipient it is: RecipientTypeDetails (reference/inventory.md section 4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecipientKind {
    /// A person's mailbox.
    UserMailbox,
    /// A mailbox several people open.
    SharedMailbox,
    /// A room.
    RoomMailbox,
    /// A device, a car.
    EquipmentMailbox,
    /// A mailbox of an account in another forest.
    LinkedMailbox,
    /// A room of an account in another forest.
    LinkedRoomMailbox,
    /// A mailbox of an older Exchange.
    LegacyMailbox,
    /// A site mailbox.
    TeamMailbox,
    /// A booking mailbox.
    SchedulingMailbox,
    /// A mailbox of a Microsoft 365 group.
    GroupMailbox,
    /// The target of eDiscovery searches; a system mailbox.
    DiscoveryMailbox,
    /// A system mailbox.
    ArbitrationMailbox,
    /// A health mailbox; a system mailbox.
    MonitoringMailbox,
    /// A system mailbox.
    AuditLogMailbox,
    /// Holds public folders.
    PublicFolderMailbox,
    /// A mail-enabled public folder.
    PublicFolder,
    /// A user whose mailbox is elsewhere.
    MailUser,
    /// A contact.
    MailContact,
    /// A guest of the tenant.
    GuestMailUser,
    /// A distribution group.
    MailUniversalDistributionGroup,
    /// A security group with an address.
    MailUniversalSecurityGroup,
    /// A group whose members are a query.
    DynamicDistributionGroup,
    /// A list of rooms.
    RoomList,
    /// A user's mailbox that is in the cloud already.
    RemoteUserMailbox,
    /// A shared mailbox that is in the cloud already.
    RemoteSharedMailbox,
    /// A room that is in the cloud already.
    RemoteRoomMailbox,
    /// A device that is in the cloud already.
    RemoteEquipmentMailbox,
    /// A site mailbox that is in the cloud already.
    RemoteTeamMailbox,
    /// A value no list has; kept as it came.
    Unknown(Box<str>),
}

/// One entry of EmailAddresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The kind before the colon.
    pub kind: ProxyKind,
    /// True where the kind is in capitals: the primary address of its kind.
    pub primary: bool,
    /// What follows the colon.
    pub address: Private,
}

/// The kind of an address of EmailAddresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyKind {
    /// An SMTP address.
    Smtp,
    /// A legacy distinguished name of an earlier life.
    X500,
    /// A telephony address.
    Sip,
    /// Unified messaging.
    Eum,
    /// X.400.
    X400,
    /// Another kind; kept as it came.
    Other(Box<str>),
}

/// What one store of a mailbox (primary or archive) holds: Get-MailboxStatistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Items outside Recoverable Items (ItemCount). Hidden items may be counted; it never equals an EWS count exactly.
    pub items: Option<Count>,
    /// Associated (hidden) items.
    pub associated: Option<Count>,
    /// Bytes outside Recoverable Items (TotalItemSize).
    pub bytes: Option<Size>,
    /// Items in Recoverable Items (DeletedItemCount).
    pub dumpster_items: Option<Count>,
    /// Bytes in Recoverable Items (TotalDeletedItemSize).
    pub dumpster_bytes: Option<Size>,
    /// The last logon of anybody, services included.
    pub last_logon: Option<When>,
    /// True where the store is quarantined by Exchange.
    pub quarantined: Option<bool>,
}

/// One folder worth a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderNote {
    /// Its path as exported, `/Inbox/Sub`.
    pub path: Private,
    /// Its type (`Inbox`, `User Created`, ...), empty where unknown.
    pub kind: Box<str>,
    /// Items in it, without subfolders.
    pub items: Count,
    /// Bytes in it, without subfolders.
    pub bytes: Option<Size>,
}

/// The folders of one mailbox: Get-MailboxFolderStatistics. Recoverable Items are not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderCensus {
    /// How many folders.
    pub count: Count,
    /// Items in all of them.
    pub items: Count,
    /// The one with most items.
    pub biggest: FolderNote,
    /// Those with more than `limits::FOLDER_CROWDED` items, most first.
    pub crowded: Vec<FolderNote>,
}

/// Somebody or something a right, a rule or a forward names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A mailbox of this inventory.
    Mailbox(MailboxNo),
    /// A group of this inventory.
    Group(GroupNo),
    /// An SMTP address that no file of the inventory knows.
    Outside(MailboxId),
    /// A security identifier that no account has any more (`S-1-5-21-...`). Reported, never applied again.
    OrphanSid(Private),
    /// `Default`: everybody who is signed in. Only in folder rights.
    Everybody,
    /// `Anonymous`. Only in folder rights.
    Anonymous,
    /// Two or more recipients of this inventory carry this name.
    Ambiguous(Private),
    /// A text that names nobody of this inventory.
    Unknown(Private),
}

/// A role in a folder (Get-MailboxFolderPermission).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderRights {
    /// Everything, and giving it to others.
    Owner,
    /// Everything except giving it to others.
    PublishingEditor,
    /// Reads, writes and deletes all items.
    Editor,
    /// Writes, deletes own items, makes subfolders.
    PublishingAuthor,
    /// Writes, deletes own items.
    Author,
    /// Writes; deletes own items only.
    NonEditingAuthor,
    /// Reads.
    Reviewer,
    /// Writes without reading.
    Contributor,
    /// Nothing.
    None,
    /// Calendar: free or busy.
    AvailabilityOnly,
    /// Calendar: subject and place.
    LimitedDetails,
    /// Single rights that make no role, or a role no list has.
    Custom(Box<str>),
}

/// What a grant allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantKind {
    /// Opens the whole mailbox (Get-MailboxPermission).
    FullAccess,
    /// Sends as the mailbox (Get-ADPermission, extended right Send-As).
    SendAs,
    /// Sends on behalf of the mailbox (GrantSendOnBehalfTo).
    SendOnBehalf,
    /// A role in one folder.
    Folder {
        /// Which folder, as exported; empty where the export does not say.
        folder: Private,
        /// Which role.
        rights: FolderRights,
    },
}

/// A forward of a whole mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// To whom.
    pub to: Party,
    /// DeliverToMailboxAndForward: false means that the mailbox keeps no copy. `None` where the export does not say.
    pub keeps_copy: Option<bool>,
}

/// What keeps deleted items of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// LitigationHoldEnabled.
    Litigation,
    /// One entry of InPlaceHolds.
    InPlace(Private),
    /// RetentionHoldEnabled: retention policies are suspended.
    Retention,
    /// ComplianceTagHoldApplied or DelayHoldApplied.
    Other(Box<str>),
}

/// Ceilings of a mailbox. `None` where no file says them; with `database_defaults` the database's apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// UseDatabaseQuotaDefaults.
    pub database_defaults: Option<bool>,
    /// ProhibitSendReceiveQuota.
    pub mailbox: Option<Ceiling>,
    /// RecoverableItemsQuota.
    pub recoverable: Option<Ceiling>,
    /// ArchiveQuota.
    pub archive: Option<Ceiling>,
    /// MaxSendSize.
    pub send: Option<Ceiling>,
    /// MaxReceiveSize.
    pub receive: Option<Ceiling>,
}

/// What a rule does with mail that leaves the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleAction {
    /// ForwardTo.
    Forward,
    /// ForwardAsAttachmentTo.
    ForwardAsAttachment,
    /// RedirectTo.
    Redirect,
}
