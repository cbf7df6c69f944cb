//! Misconfigurations: what people set up wrongly, each as the real services show it. A lab is opened with them and keeps them
//! (`mailferry lab --misconfigured NAME`); `mailferry preflight` must name each.

use std::collections::BTreeSet;

use super::world::World;
use crate::base::quantity::Span;

macro_rules! wrongs {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $help:literal;)+) => {
        /// One misconfiguration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Wrong {
            $($(#[$doc])* $name,)+
        }

        impl Wrong {
            /// Every one, in the order of the help.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// What it does, for the help.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)+ }
            }
        }
    };
}

wrongs! {
    /// The account's password is another.
    WrongPassword, "wrong_password", "the account's password is another";
    /// The account is locked; IIS shows it as any other refusal.
    AccountLocked, "account_locked", "the account is locked: 401, as for a wrong password";
    /// The account's password has ended, and Exchange says so.
    PasswordExpired, "password_expired", "ErrorPasswordExpired for every call";
    /// The EWS directory takes NTLM and Negotiate only.
    EwsOtherAuth, "ews_other_auth", "the EWS directory takes NTLM and Negotiate only";
    /// Nothing of EWS at the plan's path.
    WrongEwsUrl, "wrong_ews_url", "404 at the plan's EWS path";
    /// Autodiscover leads to a host that is none of the site's.
    AutodiscoverElsewhere, "autodiscover_elsewhere", "Autodiscover redirects to a host of somebody else";
    /// EWS is refused for the whole organisation.
    EwsBlocked, "ews_blocked", "EWS is refused for every mailbox";
    /// EWS is switched off for the last mailbox.
    EwsDisabled, "ews_disabled", "EWS is switched off for the last mailbox";
    /// The account has no impersonation role.
    NoImpersonation, "no_impersonation", "the account may act for nobody";
    /// The role's scope leaves out the last mailbox.
    ImpersonationScope, "impersonation_scope", "the account may not act for the last mailbox";
    /// The last mailbox is not there.
    SourceMissing, "source_missing", "the last source mailbox is not there";
    /// The server is a cumulative update of 2017.
    ServerOld, "server_old", "the source is CU8 of December 2017, unpatched";
    /// The source is busy from the first call on.
    SourceThrottled, "source_throttled", "the source answers ErrorServerBusy, 5 minutes, at once";
    /// The source's certificate has ended.
    CertificateExpired, "certificate_expired", "the source's certificate has ended (with --tls)";
    /// The source's certificate is for another name.
    CertificateWrongName, "certificate_wrong_name", "the source's certificate is for another name (with --tls)";
    /// The source's certificate comes from an authority that `ca.pem` does not show.
    CertificateUnknownIssuer, "certificate_unknown_issuer", "ca.pem is not the source's authority (with --tls)";
    /// The clocks of the services are ten minutes ahead.
    ClockSkew, "clock_skew", "the services' clocks are 10 minutes ahead";
    /// The client secret is another.
    WrongSecret, "wrong_secret", "AADSTS7000215: the client secret is another";
    /// The client secret has ended.
    ExpiredSecret, "expired_secret", "AADSTS7000222: the client secret has ended";
    /// The application is not in the tenant.
    WrongApplication, "wrong_application", "AADSTS700016: no such application";
    /// The tenant does not exist.
    WrongTenant, "wrong_tenant", "AADSTS90002: no such tenant";
    /// No consent for reading users.
    NoConsentUsers, "no_consent_users", "no consent for User.Read.All";
    /// No consent for folders.
    NoConsentFolders, "no_consent_folders", "no consent for MailboxFolder.ReadWrite.All";
    /// No consent for items.
    NoConsentItems, "no_consent_items", "no consent for MailboxItem.ImportExport.All";
    /// No consent for what the typed route needs.
    NoConsentTyped, "no_consent_typed", "no consent for Mail, Calendars and Contacts.ReadWrite";
    /// A right too many.
    RoleTooMuch, "role_too_much", "the application holds Mail.Send too";
    /// RBAC leaves out the last mailbox.
    TargetScope, "target_scope", "the application may not work on the last mailbox";
    /// The target's last user is not there.
    TargetMissing, "target_missing", "the last target user is not there";
    /// The target's last user was deleted.
    TargetDeleted, "target_deleted", "the last target user was deleted and can be restored";
    /// The target's last user has no licence.
    TargetUnlicensed, "target_unlicensed", "the last target user has no Exchange licence";
    /// The target's last mailbox is on premises.
    TargetOnPremises, "target_on_premises", "the last target user's mailbox is still on premises";
    /// The target's last mailbox is smaller than its source.
    QuotaSmall, "quota_small", "the last target mailbox holds a twentieth of its source";
    /// The target takes no large messages.
    MessageSize, "message_size", "the target takes no item above 20 KB";
    /// The import API is not there.
    ImportUnavailable, "import_unavailable", "400: createImportSession is not known (national clouds)";
    /// The import API is not implemented.
    ImportNotImplemented, "import_not_implemented", "501 for createImportSession";
    /// Nothing of mailbox import and export is there.
    NoImportApi, "no_import_api", "nothing of mailbox import and export is there, as in national clouds";
    /// The import API refuses everybody.
    ImportForbidden, "import_forbidden", "403 for createImportSession, although the right is held";
    /// The import refuses tasks.
    ClassRefused, "class_refused", "the import refuses every IPM.Task";
    /// The import takes no stream at all; what is made by its fields is taken.
    StreamsRefused, "streams_refused", "the import refuses every item";
    /// The target is busy from the first call on.
    TargetThrottled, "target_throttled", "the target answers 429, 5 minutes, at once";
}

impl Wrong {
    /// The misconfiguration of this name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|own| own.word() == word)
    }
}

/// How long a busy side asks for: as long as has been seen (reference/ews.md section 3).
pub(super) const BUSY: Span = Span::from_secs(300);

/// How far the clocks are off.
const SKEW_MS: i64 = 600_000;

/// What an item may have at most, where the target takes no large ones.
pub(super) const MESSAGE_MAX: u64 = 20_000;

/// The rights of the lab's application.
const ROLES: [&str; 6] = [
    "MailboxFolder.ReadWrite.All",
    "MailboxItem.ImportExport.All",
    "User.Read.All",
    "Mail.ReadWrite",
    "Calendars.ReadWrite",
    "Contacts.ReadWrite",
];

impl World {
    /// Sets things up wrongly. Do it before anybody asks.
    pub fn misconfigure(&mut self, wrong: &[Wrong]) {
        self.wrong = wrong.iter().copied().collect::<BTreeSet<_>>();
        if self.is_wrong(Wrong::ClockSkew) {
            self.step_clock(SKEW_MS);
        }
        if self.is_wrong(Wrong::QuotaSmall) {
            self.shrink_last();
        }
    }

    /// True where this was set up wrongly.
    pub fn is_wrong(&self, wrong: Wrong) -> bool {
        self.wrong.contains(&wrong)
    }

    /// True for the last mailbox of a side, by source address, target address or target mailbox id, where this was set up wrongly for it.
    pub(super) fn is_wrong_for(&self, wrong: Wrong, mailbox: &str) -> bool {
        let Some((source, target)) = self.pairs.last().filter(|_| self.is_wrong(wrong)) else {
            return false;
        };
        let named = |address: &str| address.eq_ignore_ascii_case(mailbox);
        named(source.reveal())
            || named(target.reveal())
            || self.resolve(target.reveal()).is_ok_and(|id| id == mailbox)
    }

    /// The application permissions a token names.
    pub(super) fn roles(&self) -> Vec<&'static str> {
        let withheld: [(Wrong, &str); 8] = [
            (Wrong::NoConsentFolders, ROLES[0]),
            (Wrong::NoConsentItems, ROLES[1]),
            (Wrong::NoConsentUsers, ROLES[2]),
            (Wrong::NoImportApi, ROLES[0]),
            (Wrong::NoImportApi, ROLES[1]),
            (Wrong::NoConsentTyped, ROLES[3]),
            (Wrong::NoConsentTyped, ROLES[4]),
            (Wrong::NoConsentTyped, ROLES[5]),
        ];
        let mut roles: Vec<&str> = ROLES.to_vec();
        for (wrong, role) in withheld {
            if self.is_wrong(wrong) {
                roles.retain(|own| *own != role);
            }
        }
        if self.is_wrong(Wrong::RoleTooMuch) {
            roles.push("Mail.Send");
        }
        roles
    }

    /// Leaves the last target mailbox a twentieth of the room its source takes: less than what is carried, whatever stays behind.
    fn shrink_last(&mut self) {
        let Some((source, target)) = self.pairs.last().cloned() else {
            return;
        };
        let folders = self.source_folders(source.reveal()).unwrap_or_default();
        let size: u64 = folders.iter().map(|folder| folder.size.get()).sum();
        if let Ok(id) = self.resolve(target.reveal()) {
            let _ = self.set_quota(&id, crate::base::quantity::Bytes::new(size / 20));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for wrong in Wrong::ALL {
            assert_eq!(Wrong::named(wrong.word()), Some(*wrong));
        }
        assert!(Wrong::ALL.len() >= 20);
        assert_eq!(Wrong::named("x"), None);
    }
}
