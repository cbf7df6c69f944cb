//! Diagnoses by name. Each has a word, which scripts may read, a weight, and a remedy with the command to type.

use crate::base::losses::Family;
use crate::base::probe::Server;
use crate::preflight::facts::Facts;
use crate::preflight::finding::State;
use crate::preflight::{remedy_source, remedy_target};

/// What an application needs on the target. The names are Entra's (reference/graph.md 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Finding users and their mailboxes.
    Users,
    /// Listing and making folders.
    Folders,
    /// Importing and exporting items.
    Items,
    /// Making messages by the typed route.
    Mail,
    /// Making appointments by the typed route.
    Calendars,
    /// Making contacts by the typed route.
    Contacts,
}

impl Right {
    /// Those that every migration asks for, in the order of their numbers.
    pub const ALWAYS: [Self; 3] = [Self::Users, Self::Folders, Self::Items];

    /// Those of the typed route.
    pub const TYPED: [Self; 3] = [Self::Mail, Self::Calendars, Self::Contacts];

    /// What the typed route needs for items of a family (reference/graph.md 2.1, 2.4 and 2.5).
    pub const fn of(family: Family) -> Self {
        match family {
            Family::Message => Self::Mail,
            Family::Event => Self::Calendars,
            Family::Contact => Self::Contacts,
        }
    }

    /// The application permission.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Users => "User.Read.All",
            Self::Folders => "MailboxFolder.ReadWrite.All",
            Self::Items => "MailboxItem.ImportExport.All",
            Self::Mail => "Mail.ReadWrite",
            Self::Calendars => "Calendars.ReadWrite",
            Self::Contacts => "Contacts.ReadWrite",
        }
    }

    /// The role of Exchange's RBAC for Applications that gives the same for chosen mailboxes (reference/graph.md 7.4); directory reads have none.
    pub const fn exchange_role(self) -> Option<&'static str> {
        match self {
            Self::Users => None,
            Self::Folders => Some("Application MailboxFolder.ReadWrite"),
            Self::Items => Some("Application MailboxItem.ImportExport"),
            Self::Mail => Some("Application Mail.ReadWrite"),
            Self::Calendars => Some("Application Calendars.ReadWrite"),
            Self::Contacts => Some("Application Contacts.ReadWrite"),
        }
    }
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident $(($inside:ty))?, $word:literal, $state:ident;)+) => {
        /// A diagnosis.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Cause {
            $($(#[$doc])* $name $(($inside))?,)+
        }

        impl Cause {
            /// Every word, in the table's order.
            pub const WORDS: &[&'static str] = &[$($word,)+];

            /// The word in JSON.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name { .. } => $word,)+ }
            }

            /// How much it weighs.
            pub const fn state(self) -> State {
                match self { $(Self::$name { .. } => State::$state,)+ }
            }
        }
    };
}

causes! {
    /// A live plan with addresses of this machine, or the other way round.
    RealmMismatch, "realm_mismatch", Fail;
    /// An address stands in the plan twice on one side.
    AddressTwice, "address_twice", Fail;
    /// Another run holds the state directory.
    StateHeld, "state_held", Fail;
    /// The state directory belongs to another plan.
    StateOtherPlan, "state_other_plan", Fail;
    /// The state directory cannot be made or written.
    StateNotWritable, "state_not_writable", Fail;
    /// No room at all.
    DiskFull, "disk_full", Fail;
    /// Less room than ledger and spool may take.
    DiskTight, "disk_tight", Warn;
    /// Autodiscover found no URL.
    AutodiscoverFailed, "autodiscover_failed", Fail;
    /// Autodiscover leads to a host that the plan does not allow.
    AutodiscoverElsewhere, "autodiscover_untrusted_redirect", Fail;
    /// The host name does not resolve.
    NameUnknown(Server), "name_unknown", Fail;
    /// No connection.
    NoConnection(Server), "no_connection", Fail;
    /// The certificate has ended.
    CertificateExpired(Server), "certificate_expired", Fail;
    /// The certificate has not begun.
    CertificateNotYet(Server), "certificate_not_yet_valid", Fail;
    /// The certificate is for other names.
    CertificateWrongName(Server), "certificate_wrong_name", Fail;
    /// The certificate's issuer is not trusted.
    CertificateUnknownIssuer(Server), "certificate_unknown_issuer", Fail;
    /// The certificate cannot be used.
    CertificateUnusable(Server), "certificate_unusable", Fail;
    /// The certificate ends within a migration's time.
    CertificateEndsSoon(Server), "certificate_ends_soon", Warn;
    /// No version or cipher suite in common.
    TlsRefused(Server), "tls_refused", Fail;
    /// Credentials would travel in clear.
    ClearText(Server), "clear_text", Fail;
    /// It answers, but not as it should.
    NoUsableAnswer(Server), "no_usable_answer", Fail;
    /// Clocks differ by more than five minutes.
    ClockSkew(Server), "clock_skew", Fail;
    /// It asked us to wait for longer than a preflight waits.
    Throttled(Server), "throttled", Fail;
    /// It asked us to wait, and then answered.
    SlowedDown(Server), "slowed_down", Warn;
    /// The URL is not that of EWS.
    WrongEwsUrl, "wrong_ews_url", Fail;
    /// The EWS directory does not offer the plan's sign-in method.
    MethodNotOffered, "method_not_offered", Fail;
    /// The server refuses account and password.
    SourceCredentials, "source_credentials_refused", Fail;
    /// The server says that the account's password has ended, or that the account is shut.
    AccountState, "account_state", Fail;
    /// The server refuses our kind of client.
    ClientRefused, "client_refused", Fail;
    /// The server is too old to be asked for anything but its content.
    BuildOld, "server_build_old", Fail;
    /// Security updates are missing.
    UpdatesMissing, "updates_missing", Warn;
    /// Microsoft does not support it any more.
    Unsupported, "out_of_support", Warn;
    /// It is no Exchange 2016.
    OtherVersion, "other_exchange_version", Warn;
    /// The account may act for no mailbox.
    NoImpersonation, "no_impersonation_role", Fail;
    /// The account may act for others, not for this mailbox.
    ImpersonationScope, "impersonation_scope", Fail;
    /// The source has no such mailbox.
    NoSourceMailbox, "no_source_mailbox", Fail;
    /// The address is not the mailbox's primary one.
    NotPrimaryAddress, "not_primary_address", Fail;
    /// EWS is switched off for this mailbox.
    EwsDisabled, "ews_disabled_for_mailbox", Fail;
    /// EWS is refused for every mailbox.
    EwsBlocked, "ews_blocked", Fail;
    /// The mailbox is being moved.
    Moving, "mailbox_moving", Warn;
    /// A mailbox could not be read for another reason.
    SourceTrouble, "source_trouble", Fail;
    /// The mailbox has an archive.
    HasArchive, "archive_stays", Warn;
    /// The largest item stays by the plan.
    LargestStays, "largest_item_stays", Warn;
    /// The client secret is wrong.
    SecretWrong, "client_secret_wrong", Fail;
    /// The client secret has ended.
    SecretExpired, "client_secret_expired", Fail;
    /// There is no such application in the tenant.
    AppUnknown, "application_unknown", Fail;
    /// There is no such tenant.
    TenantUnknown, "tenant_unknown", Fail;
    /// The application's assertion is refused.
    AssertionRefused, "assertion_refused", Fail;
    /// The application is refused for another reason.
    TargetCredentials, "target_credentials_refused", Fail;
    /// A target URL is not that of the service.
    WrongTargetUrl, "wrong_target_url", Fail;
    /// A right is missing for every mailbox.
    ConsentMissing(Right), "consent_missing", Fail;
    /// Some items go by their class, and nothing shows that the application may make them.
    TypedRightMissing(Right), "typed_right_missing", Warn;
    /// A right that is held and not needed.
    RoleNotNeeded, "role_not_needed", Warn;
    /// The application may work on other mailboxes, not on this one.
    TargetScope, "target_scope", Fail;
    /// The tenant has no such user.
    TargetMissing, "target_missing", Fail;
    /// The user was deleted.
    TargetDeleted, "target_soft_deleted", Fail;
    /// The user has no Exchange licence and no mailbox.
    TargetUnlicensed, "target_unlicensed", Fail;
    /// There is a mailbox, and no Exchange licence.
    NoLicence, "target_no_licence", Warn;
    /// The user's mailbox is still on premises.
    TargetOnPremises, "target_on_premises_only", Fail;
    /// The user has no mailbox in the cloud, for a reason nobody says.
    TargetNoMailbox, "target_no_mailbox", Fail;
    /// A mailbox could not be reached for another reason.
    TargetTrouble, "target_trouble", Fail;
    /// The source does not fit.
    QuotaSmall, "quota_too_small", Fail;
    /// The source fits with less than a tenth to spare.
    QuotaTight, "quota_tight", Warn;
    /// The mailbox takes no messages as large as the largest item.
    ItemSizeSmall, "message_size_limit", Fail;
    /// The target user does not have the source's address.
    AddressMissing, "address_missing", Warn;
    /// The import API is not there.
    ImportUnavailable, "import_api_unavailable", Fail;
    /// The import API refuses, although the right is held.
    ImportForbidden, "import_api_forbidden", Fail;
    /// Items of this class are refused.
    ClassRefused, "class_refused", Fail;
    /// Items of this class are carried by their class and not as streams.
    CarriedByClass, "carried_by_class", Warn;
    /// The plan carries items by their class, and this one has no form.
    NoTypedForm, "no_typed_form", Fail;
    /// Items of this class cannot be made by their class either, or not at all where the plan wants no streams.
    TypedRefused, "typed_class_refused", Fail;
    /// Some items of this class are refused, another was taken.
    ItemsRefused, "items_refused", Warn;
    /// An item of this class came back different.
    ClassDiffers, "class_differs", Fail;
    /// An item of this class came back, and cannot be compared.
    NotComparable, "class_not_comparable", Warn;
    /// The source did not hand out an item of this class.
    NotExported, "class_not_exported", Warn;
    /// Nobody knows whether an item of this class arrived.
    CanaryDoubtful, "canary_doubtful", Warn;
    /// Something of ours is left on the target.
    CanaryLeft, "canary_left", Warn;
}

impl Cause {
    /// What to do about it, with the command to type. `subject` is what the finding is about.
    pub fn remedy(self, facts: &Facts, subject: &str) -> String {
        remedy_source::remedy(self, facts, subject)
            .or_else(|| remedy_target::remedy(self, facts, subject))
            .unwrap_or_default()
    }
}
