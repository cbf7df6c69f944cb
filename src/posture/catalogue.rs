//! The leads that are looked for: what each is, how much it weighs, where it can be read, and what to do about it.

/// How much a lead weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Worth knowing.
    Low,
    /// Worth asking the owner.
    Medium,
    /// Ask before anything is moved.
    High,
}

impl Weight {
    /// The word of it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// One step more.
    #[must_use]
    pub const fn raised(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            Self::Medium | Self::High => Self::High,
        }
    }
}

/// One kind of lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its number.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// How much it weighs.
    pub weight: Weight,
    /// What to do when it is found.
    pub remedy: &'static str,
    /// How to have it checked, where this version or these inputs did not.
    pub how: &'static str,
}

const fn kind(
    id: &'static str,
    title: &'static str,
    weight: Weight,
    remedy: &'static str,
    how: &'static str,
) -> Kind {
    Kind {
        id,
        title,
        weight,
        remedy,
        how,
    }
}

/// All of them. Sources: Microsoft's guidance on compromised accounts and on rule and form injection, MITRE T1564.008, MS-OXORULE, Microsoft's
/// audit script for CVE-2023-23397.
pub const KINDS: [Kind; 20] = [
    kind(
        "M1",
        "the whole mailbox is forwarded outside",
        Weight::High,
        "ask the owner; Set-Mailbox -ForwardingSmtpAddress $null -ForwardingAddress $null",
        "hand in Get-Mailbox with ForwardingAddress, ForwardingSmtpAddress and DeliverToMailboxAndForward",
    ),
    kind(
        "M2",
        "a rule sends mail outside",
        Weight::High,
        "ask the owner; Disable-InboxRule, keep a copy as evidence",
        "give --plan, or hand in Get-InboxRule",
    ),
    kind(
        "M3",
        "a rule hides mail",
        Weight::Medium,
        "ask the owner what the rule is for; look into the folder it moves to",
        "give --plan, so that rules are read by EWS",
    ),
    kind(
        "M4",
        "a rule without a name takes all mail",
        Weight::Medium,
        "ask the owner; Disable-InboxRule",
        "give --plan, so that rules are read by EWS",
    ),
    kind(
        "M5",
        "a rule is hidden from the list of rules",
        Weight::High,
        "Get-InboxRule -IncludeHidden; have the investigation copy it, then remove it (MFCMAPI, or Outlook /cleanrules)",
        "give --plan, so that the Inbox's associated table is read by EWS",
    ),
    kind(
        "M6",
        "a client rule starts a program or names one",
        Weight::High,
        "have the investigation look at the rule and the file before Outlook is opened again",
        "give --plan, so that the Inbox's associated table is read by EWS",
    ),
    kind(
        "M7",
        "a custom form",
        Weight::High,
        "ask who installed the form; forms can run script in Outlook",
        "give --plan, so that forms and message classes are read by EWS",
    ),
    kind(
        "M8",
        "a folder has a home page",
        Weight::High,
        "have the investigation look at the address; clear the home page, and block WebView by policy",
        "give --plan, so that folders are read by EWS",
    ),
    kind(
        "M9",
        "a reminder plays a sound from another machine",
        Weight::High,
        "may be a trace of CVE-2023-23397: treat the owner's password as stolen; keep the item for the investigation",
        "give --plan, so that items with a reminder file are looked for by EWS",
    ),
    kind(
        "M10",
        "everybody has rights in a mailbox folder",
        Weight::High,
        "Set-MailboxFolderPermission -User Default -AccessRights None (Calendar: AvailabilityOnly)",
        "give --plan, or hand in Get-MailboxFolderPermission",
    ),
    kind(
        "M11",
        "delegates that need a look",
        Weight::Medium,
        "ask the owner; do not carry the grant over unless somebody wants it",
        "give --plan, or hand in Get-MailboxPermission",
    ),
    kind(
        "M12",
        "rights over all mailboxes (ApplicationImpersonation, Mailbox Import Export)",
        Weight::High,
        "remove every assignment but the migration's own, and that one at the end",
        "hand in Get-ManagementRoleAssignment (scripts/Export-MailboxInventory.ps1 writes it)",
    ),
    kind(
        "M13",
        "add-ins that the owner installed",
        Weight::Medium,
        "remove what nobody knows; look at the application consents in Entra on the target as well",
        "hand in Get-App with the mailbox beside it (scripts/Export-MailboxInventory.ps1 writes it)",
    ),
    kind(
        "M14",
        "a burst of sent mail",
        Weight::Medium,
        "compare with the message tracking log of those hours; it also shows mail that was sent and is not in Sent Items",
        "give --plan and --mail, so that Sent Items is listed by EWS",
    ),
    kind(
        "M15",
        "mail from a domain that looks like a known one",
        Weight::Medium,
        "look at the messages: answers to stolen letters come from such domains; warn the people who were written to",
        "give --plan and --mail, so that Inbox and Junk Email are listed by EWS",
    ),
    kind(
        "M16",
        "the automatic reply carries links",
        Weight::Low,
        "ask the owner whether the text is theirs",
        "give --plan, so that the automatic reply is read by EWS",
    ),
    kind(
        "M17",
        "a device came first in the window of exposure",
        Weight::Medium,
        "ask the owner whether the device is theirs; Remove-MobileDevice",
        "hand in Get-MobileDeviceStatistics with FirstSyncTime, and servers with their builds",
    ),
    kind(
        "M18",
        "a mailbox nobody works in has sent mail",
        Weight::Medium,
        "compare with the message tracking log",
        "hand in Get-Mailbox, and give --plan",
    ),
    kind(
        "M19",
        "items that carry a web shell",
        Weight::High,
        "keep the item for the investigation",
        "switch screening on in the plan: items with a web shell are withheld on their way; look at Get-MailboxExportRequest with its FilePath on the server",
    ),
    kind(
        "M20",
        "something changed in the window of exposure",
        Weight::Medium,
        "weigh the other leads of this mailbox higher; ask what else changed in those days",
        "hand in servers with their builds and --updates, or --window FROM..TO",
    ),
];

/// The kind with this number.
///
/// # Panics
///
/// For a number that is not in [`KINDS`]; a test asks for every one that is used.
pub fn of(id: &str) -> Kind {
    let found = KINDS.iter().find(|kind| kind.id == id);
    *found.expect("the number is one of the table")
}

/// What nobody can see from the outside, for every report.
pub const NEVER_SEEN: [&str; 4] = [
    "from where and when somebody signed in, and what was read in Outlook on the web",
    "who made a rule, and when a rule of the server was made",
    "mailbox audit entries (Search-MailboxAuditLog on the server reads them)",
    "what lies on the server's disks: web shells, dumps, archives (Test-ProxyLogon and an investigation look there)",
];
