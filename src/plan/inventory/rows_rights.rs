//! Rows about rights: permissions of mailboxes and folders, Send As, send on behalf, Inbox rules, forwards, holds.

use super::columns::Col;
use super::draft::{Draft, DraftGrant, DraftRight, DraftRule, Somebody};
use super::model::{Private, RuleAction};
use super::notes::Weight;
use super::page::Row;
use super::{remedy, text};

impl Draft {
    /// True where the row says nothing about a right that was given: inherited, or one's own.
    fn not_given(&mut self, row: &Row<'_>, user: &str) -> bool {
        if self.flag(row, Col::IsInherited) == Some(true) {
            self.pass_over(row, "inherited rights");
            return true;
        }
        if user.eq_ignore_ascii_case("NT AUTHORITY\\SELF") || user == "S-1-5-10" {
            self.pass_over(row, "rights of a mailbox in itself");
            return true;
        }
        false
    }

    /// The user column of a row of rights, or a refused row.
    fn user<'a>(&mut self, row: &Row<'a>) -> Option<&'a str> {
        let col = if row.header.has(Col::User) {
            Col::User
        } else {
            Col::Trustee
        };
        let user = self.text(row, col);
        if user.is_none() && row.bare(col).is_none() {
            let again = remedy::again(row.kind, "with the User column");
            self.notes.row(
                Weight::Refused,
                row.spot(row.header.field(col).unwrap_or(0)),
                "the row names nobody who has the right",
                &again,
            );
        }
        user
    }

    /// A row of Get-MailboxPermission.
    pub(super) fn full_access_row(&mut self, row: &Row<'_>) {
        self.right_row(row, Col::AccessRights, "FullAccess", DraftRight::FullAccess);
    }

    /// A row of Get-ADPermission.
    pub(super) fn send_as_row(&mut self, row: &Row<'_>) {
        self.right_row(row, Col::ExtendedRights, "SendAs", DraftRight::SendAs);
    }

    fn right_row(&mut self, row: &Row<'_>, col: Col, wanted: &str, right: DraftRight) {
        let Some(user) = self.user(row) else { return };
        if self.not_given(row, user) {
            return;
        }
        let rights = self.list(row, col);
        // `Send-As` and `SendAs` are one; several rights come joined by commas where a list was made one text.
        let has = rights
            .iter()
            .flat_map(|text| text.split([',', ';', ' ']))
            .any(|word| word.replace('-', "").trim().eq_ignore_ascii_case(wanted));
        if !has {
            if !rights.is_empty() || row.bare(col).is_none() {
                self.pass_over(
                    row,
                    "rights other than opening the mailbox and sending as it",
                );
            }
            return;
        }
        let deny = self.flag(row, Col::Deny) == Some(true);
        let Some(owner) = self.owner_or_refuse(row) else {
            return;
        };
        let name = self.pool.key(user);
        self.grants.push(DraftGrant {
            place: row.place(),
            owner,
            trustee: Somebody { guid: None, name },
            right,
            rights: None,
            deny,
        });
    }

    /// A row of Get-MailboxFolderPermission with its mailbox beside it.
    pub(super) fn folder_right_row(&mut self, row: &Row<'_>) {
        let Some(user) = self.user(row) else { return };
        let rights = self.list(row, Col::AccessRights);
        if rights.is_empty() {
            return;
        }
        let folder = [Col::FolderPath, Col::FolderName]
            .into_iter()
            .find_map(|col| self.text(row, col))
            .unwrap_or_default();
        let Some(owner) = self.owner_or_refuse(row) else {
            return;
        };
        let folder = self.pool.key(folder);
        let name = self.pool.key(user);
        self.grants.push(DraftGrant {
            place: row.place(),
            owner,
            trustee: Somebody { guid: None, name },
            right: DraftRight::Folder(folder),
            rights: Some(text::folder_rights(&rights.join(" "))),
            deny: false,
        });
    }

    /// A row of the collector's send-on-behalf file: one mailbox, everybody who may.
    pub(super) fn behalf_row(&mut self, row: &Row<'_>) {
        if let Some(owner) = self.owner_or_refuse(row) {
            self.behalf_of(row, owner);
        }
    }

    /// A row of a forwarding file.
    pub(super) fn forward_row(&mut self, row: &Row<'_>) {
        if let Some(owner) = self.owner_or_refuse(row) {
            self.forward_of(row, owner);
        }
    }

    /// A row of a file of holds.
    pub(super) fn hold_row(&mut self, row: &Row<'_>) {
        if let Some(owner) = self.owner_or_refuse(row) {
            self.holds_of(row, owner);
        }
    }

    /// A row of Get-InboxRule.
    pub(super) fn rule_row(&mut self, row: &Row<'_>) {
        let Some(owner) = self.owner_or_refuse(row) else {
            return;
        };
        let mut targets = Vec::new();
        for (col, action) in [
            (Col::ForwardTo, RuleAction::Forward),
            (Col::ForwardAsAttachment, RuleAction::ForwardAsAttachment),
            (Col::RedirectTo, RuleAction::Redirect),
        ] {
            let texts = match row.header.field(col).and_then(|f| row.record.list(f)) {
                Some(list) => list.to_vec(),
                None => self.text(row, col).map(str::to_owned).into_iter().collect(),
            };
            for text in texts.iter().flat_map(|text| text::rule_recipients(text)) {
                targets.push((action, self.pool.key(&text)));
            }
        }
        let deletes = self.flag(row, Col::DeleteMessage) == Some(true)
            || self.flag(row, Col::SoftDelete) == Some(true);
        let rule = DraftRule {
            place: row.place(),
            owner,
            name: self
                .private(row, Col::Name)
                .unwrap_or_else(|| Private::new("")),
            identity: self
                .text(row, Col::RuleIdentity)
                .and_then(|t| t.parse().ok()),
            enabled: self.flag(row, Col::Enabled),
            targets,
            deletes,
            in_error: self.flag(row, Col::InError),
        };
        self.rules.push(rule);
    }
}
