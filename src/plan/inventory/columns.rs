//! The columns that are read, and what a file is by its header.

use std::collections::BTreeMap;

use super::records::FileKind;

macro_rules! columns {
    ($($name:ident = $($alias:literal)|+;)+) => {
        /// A column that is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Col { $($name),+ }

        impl Col {
            /// All of them with their headers, squeezed.
            pub(super) const ALL: &[(Self, &[&str])] = &[$((Self::$name, &[$($alias),+])),+];

            /// The column of a squeezed header, and the place of the header among its names: the first name is the one meant.
            pub(super) fn of(header: &str) -> Option<(Self, usize)> {
                Self::ALL.iter().find_map(|(col, names)| {
                    let rank = names.iter().position(|name| *name == header)?;
                    Some((*col, rank))
                })
            }
        }
    };
}

columns! {
    Guid = "guid";
    ExchangeGuid = "exchangeguid";
    MailboxGuid = "mailboxguid";
    ArchiveGuid = "archiveguid";
    ArchiveStatus = "archivestatus";
    Alias = "alias";
    DisplayName = "displayname";
    Name = "name";
    Account = "samaccountname";
    Upn = "userprincipalname";
    Address = "primarysmtpaddress" | "windowsemailaddress";
    Addresses = "emailaddresses";
    LegacyDn = "legacyexchangedn" | "legacydn";
    Kind = "recipienttypedetails";
    Database = "database" | "databasename";
    Server = "servername" | "server";
    Identity = "identity" | "mailboxownerid";
    Mailbox = "mailbox";
    DatabaseQuota = "usedatabasequotadefaults";
    MailboxQuota = "prohibitsendreceivequota";
    RecoverableQuota = "recoverableitemsquota";
    ArchiveQuota = "archivequota";
    MaxSend = "maxsendsize";
    MaxReceive = "maxreceivesize";
    ForwardingAddress = "forwardingaddress";
    ForwardingSmtp = "forwardingsmtpaddress";
    DeliverAndForward = "delivertomailboxandforward";
    SendOnBehalf = "grantsendonbehalfto";
    Hidden = "hiddenfromaddresslistsenabled";
    Sku = "skuassigned";
    Litigation = "litigationholdenabled";
    InPlaceHolds = "inplaceholds";
    RetentionHold = "retentionholdenabled";
    ComplianceHold = "compliancetagholdapplied";
    DelayHold = "delayholdapplied";
    RetentionPolicy = "retentionpolicy";
    LinkedAccount = "linkedmasteraccount";
    Created = "whenmailboxcreated";
    LargestItem = "largestitemsize";
    ItemCount = "itemcount";
    AssociatedCount = "associateditemcount";
    DeletedCount = "deleteditemcount";
    TotalSize = "totalitemsize";
    DeletedSize = "totaldeleteditemsize";
    LastLogon = "lastlogontime";
    IsArchive = "isarchivemailbox";
    Quarantined = "isquarantined";
    DisconnectDate = "disconnectdate";
    DisconnectReason = "disconnectreason";
    FolderPath = "folderpath";
    FolderType = "foldertype";
    ItemsInFolder = "itemsinfolder";
    FolderSize = "foldersize";
    FolderName = "foldername";
    User = "user";
    Trustee = "trustee";
    AccessRights = "accessrights";
    ExtendedRights = "extendedrights";
    IsInherited = "isinherited";
    Deny = "deny";
    AccessControlType = "accesscontroltype";
    RuleIdentity = "ruleidentity";
    Enabled = "enabled";
    ForwardTo = "forwardto";
    RedirectTo = "redirectto";
    ForwardAsAttachment = "forwardasattachmentto";
    DeleteMessage = "deletemessage";
    SoftDelete = "softdeletemessage";
    InError = "inerror";
    DeviceId = "deviceid";
    DeviceType = "devicetype";
    DeviceModel = "devicemodel";
    DeviceOs = "deviceos";
    DeviceAccess = "deviceaccessstate";
    FirstSync = "firstsynctime";
    LastSync = "lastsuccesssync";
    Edition = "edition";
    ServerRole = "serverrole";
    AdminVersion = "admindisplayversion";
    ExSetup = "exsetupversion" | "exsetupfileversion" | "fileversion";
    Group = "group" | "groupidentity";
    GroupGuid = "groupguid";
    GroupAddress = "groupaddress" | "groupprimarysmtpaddress";
    GroupType = "grouptype";
    ManagedBy = "managedby";
    MemberCount = "membercount";
    Member = "member" | "memberidentity";
    Store = "store";
    ForwardingRecipient = "forwardingrecipientaddress";
    Source = "source" | "sourceemail" | "sourcemailbox" | "sourceaddress";
    Target = "target" | "destination" | "targetemail" | "destinationemail" | "targetmailbox" | "targetaddress";
    EmailAddress = "emailaddress";
    AppId = "appid";
    AppScope = "scope";
    Provider = "providername";
    Role = "role";
    Assignee = "roleassigneename" | "roleassignee";
    AssigneeKind = "roleassigneetype";
    Delegation = "roleassignmentdelegationtype";
}

/// How many columns are known.
pub(super) const COLUMNS: usize = Col::ALL.len();

/// Which field of a record holds which column.
#[derive(Clone, Debug)]
pub(super) struct Header {
    names: Vec<String>,
    places: BTreeMap<String, usize>,
    /// Field and rank of its name.
    fields: [Option<(u16, usize)>; COLUMNS],
    unread: Vec<usize>,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            places: BTreeMap::new(),
            fields: [None; COLUMNS],
            unread: Vec::new(),
        }
    }
}

impl Header {
    /// Appends a column. Of two for one fact the better name counts, of two with one name the first.
    pub(super) fn push(&mut self, name: &str) {
        let name = name.trim();
        let at = self.names.len();
        let mut unread = Some(at);
        if let (Some((col, rank)), Ok(at)) = (Col::of(&squeeze(name)), u16::try_from(at)) {
            let field = &mut self.fields[col as usize];
            if field.is_none_or(|(_, known)| rank < known) {
                unread = field.replace((at, rank)).map(|(old, _)| usize::from(old));
            }
        }
        self.unread.extend(unread);
        self.places.entry(name.to_owned()).or_insert(at);
        self.names.push(name.to_owned());
    }

    /// How many columns it has.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The field of a column.
    pub(super) fn field(&self, col: Col) -> Option<usize> {
        self.fields[col as usize].map(|(at, _)| usize::from(at))
    }

    /// True where the column is there.
    pub(super) fn has(&self, col: Col) -> bool {
        self.fields[col as usize].is_some()
    }

    /// The field of a header as it is written.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.places.get(name.trim()).copied()
    }

    /// The header of a field, where it looks like one: a file without a header begins with data, and data is not printed.
    pub(super) fn name(&self, field: usize) -> String {
        match self.names.get(field) {
            Some(name) if printable(name) => name.clone(),
            _ => format!("column {}", field + 1),
        }
    }

    /// The fields nobody asks for.
    pub(super) fn unread(&self) -> &[usize] {
        &self.unread
    }

    /// Fields whose header speaks of passwords.
    pub(super) fn secrets(&self) -> Vec<usize> {
        (0..self.names.len())
            .filter(|field| holds_secret(&squeeze(&self.names[*field])))
            .collect()
    }

    /// What the file is.
    pub(super) fn kind(&self) -> FileKind {
        let has = |col| self.has(col);
        let any = |cols: &[Col]| cols.iter().any(|col| self.has(*col));
        // Nothing of Exchange has both; a list may carry sizes beside its pairs.
        if has(Col::Source) && has(Col::Target) {
            FileKind::MailboxList
        } else if any(&[
            Col::ForwardTo,
            Col::RedirectTo,
            Col::ForwardAsAttachment,
            Col::RuleIdentity,
        ]) {
            FileKind::InboxRules
        } else if has(Col::DeviceId) {
            FileKind::MobileDevices
        } else if has(Col::AppId) && any(&[Col::AppScope, Col::Provider]) {
            FileKind::Apps
        } else if has(Col::Role) && has(Col::Assignee) {
            FileKind::RoleAssignments
        } else if has(Col::ItemsInFolder) && any(&[Col::FolderPath, Col::FolderType]) {
            FileKind::FolderStatistics
        } else if has(Col::FolderName) && has(Col::AccessRights) {
            FileKind::FolderPermissions
        } else if has(Col::ExtendedRights) {
            FileKind::SendAs
        } else if has(Col::AccessRights) {
            FileKind::FullAccess
        } else if has(Col::SendOnBehalf) && !any(&[Col::Kind, Col::Addresses, Col::LegacyDn]) {
            FileKind::SendOnBehalf
        } else if any(&[Col::AdminVersion, Col::ExSetup]) {
            FileKind::Servers
        } else if any(&[Col::TotalSize, Col::ItemCount]) && !has(Col::Addresses) {
            FileKind::Statistics
        } else if any(&[Col::Group, Col::GroupGuid, Col::GroupAddress]) {
            FileKind::GroupMembers
        } else if any(&[Col::GroupType, Col::MemberCount]) {
            FileKind::Groups
        } else {
            self.kind_of_people()
        }
    }

    fn kind_of_people(&self) -> FileKind {
        let has = |col| self.has(col);
        let any = |cols: &[Col]| cols.iter().any(|col| self.has(*col));
        let named = any(&[
            Col::ExchangeGuid,
            Col::Guid,
            Col::Address,
            Col::Identity,
            Col::Upn,
        ]);
        if any(&[Col::Source, Col::Target, Col::EmailAddress]) && !has(Col::ExchangeGuid) {
            return FileKind::MailboxList;
        }
        let rich = [
            Col::Kind,
            Col::Addresses,
            Col::LegacyDn,
            Col::DisplayName,
            Col::Alias,
            Col::Account,
            Col::Upn,
            Col::Database,
            Col::ExchangeGuid,
            Col::MailboxQuota,
        ];
        let described = any(&[Col::Kind, Col::Addresses, Col::LegacyDn, Col::DisplayName]);
        if any(&[Col::ForwardingAddress, Col::ForwardingSmtp]) && named && !described {
            FileKind::Forwarding
        } else if any(&[Col::Litigation, Col::InPlaceHolds]) && named && !described {
            FileKind::Holds
        } else if any(&[Col::Address, Col::Addresses, Col::ExchangeGuid]) && any(&rich) {
            FileKind::Mailboxes
        } else if has(Col::Address) {
            FileKind::MailboxList
        } else {
            FileKind::Unknown
        }
    }
}

/// A header as it is compared: lower case, letters and digits only.
pub(super) fn squeeze(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn printable(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '(' | ')'))
}

/// Columns that only speak about passwords: settings and dates of Exchange and of staged migration batches.
const HARMLESS: &[&str] = &[
    "resetpasswordonnextlogon",
    "forcechangepassword",
    "passwordlastset",
    "passwordneverexpires",
    "passwordnotrequired",
    "passwordexpired",
    "ispasswordexpired",
    "cannotchangepassword",
    "pwdlastset",
    // Get-MobileDeviceStatistics prints asterisks unless asked for the real one; it is never read.
    "recoverypassword",
];

fn holds_secret(squeezed: &str) -> bool {
    let speaks = ["password", "passwd", "pwd", "secret"]
        .iter()
        .any(|word| squeezed.contains(word));
    speaks && !HARMLESS.contains(&squeezed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Header {
        let mut header = Header::default();
        for name in text.split(',') {
            header.push(name);
        }
        header
    }

    #[test]
    fn a_file_is_known_by_its_header() {
        for (text, want) in [
            (
                "ExchangeGuid,PrimarySmtpAddress,RecipientTypeDetails",
                FileKind::Mailboxes,
            ),
            ("DisplayName,PrimarySmtpAddress", FileKind::Mailboxes),
            ("PrimarySmtpAddress", FileKind::MailboxList),
            (
                "EmailAddress,MailboxType,BadItemLimit",
                FileKind::MailboxList,
            ),
            (
                "Source Email,Source Login Name,Destination Email,Flags",
                FileKind::MailboxList,
            ),
            ("source,target", FileKind::MailboxList),
            (
                "source,target,ItemCount,TotalItemSize",
                FileKind::MailboxList,
            ),
            (
                "DisplayName,ItemCount,TotalItemSize,MailboxGuid",
                FileKind::Statistics,
            ),
            (
                "Identity,FolderPath,FolderType,ItemsInFolder,FolderSize",
                FileKind::FolderStatistics,
            ),
            (
                "Identity,User,AccessRights,IsInherited,Deny",
                FileKind::FullAccess,
            ),
            (
                "Identity,User,Deny,IsInherited,ExtendedRights",
                FileKind::SendAs,
            ),
            (
                "Mailbox,FolderName,User,AccessRights",
                FileKind::FolderPermissions,
            ),
            (
                "ExchangeGuid,PrimarySmtpAddress,GrantSendOnBehalfTo",
                FileKind::SendOnBehalf,
            ),
            ("Name,Enabled,RuleIdentity,ForwardTo", FileKind::InboxRules),
            ("Identity,DeviceId,DeviceType", FileKind::MobileDevices),
            ("Name,AdminDisplayVersion", FileKind::Servers),
            (
                "DisplayName,AppId,Scope,ProviderName,Mailbox",
                FileKind::Apps,
            ),
            (
                "Name,Role,RoleAssigneeName,Enabled",
                FileKind::RoleAssignments,
            ),
            (
                "GroupGuid,Group,Name,PrimarySmtpAddress",
                FileKind::GroupMembers,
            ),
            (
                "Name,GroupType,PrimarySmtpAddress,ManagedBy",
                FileKind::Groups,
            ),
            (
                "ExchangeGuid,PrimarySmtpAddress,ForwardingAddress",
                FileKind::Forwarding,
            ),
            (
                "ExchangeGuid,PrimarySmtpAddress,LitigationHoldEnabled,InPlaceHolds",
                FileKind::Holds,
            ),
            ("a@x.example", FileKind::Unknown),
            ("Name,Value", FileKind::Unknown),
        ] {
            assert_eq!(header(text).kind(), want, "{text}");
        }
    }

    #[test]
    fn columns_of_passwords_are_told_from_settings_about_them() {
        let head = header(
            "EmailAddress,Password,ForceChangePassword,Source_Password,ResetPasswordOnNextLogon,Client-Secret",
        );
        assert_eq!(head.secrets(), [1, 3, 5]);
    }

    #[test]
    fn a_header_that_is_data_is_not_printed() {
        let head = header("DisplayName,a.harris@clinic.example,Größe");
        assert_eq!(head.name(0), "DisplayName");
        assert_eq!(head.name(1), "column 2");
        assert_eq!(head.name(2), "column 3");
        assert_eq!(head.unread(), [1, 2]);
    }

    #[test]
    fn of_two_columns_for_one_fact_the_better_name_counts() {
        for text in [
            "WindowsEmailAddress,Alias,PrimarySmtpAddress",
            "PrimarySmtpAddress,Alias,WindowsEmailAddress",
        ] {
            let head = header(text);
            let at = head.field(Col::Address).expect("there");
            assert_eq!(head.name(at), "PrimarySmtpAddress");
            assert_eq!(head.unread(), [2 - at]);
        }
    }
}
