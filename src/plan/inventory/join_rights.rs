//! Rights, rules and members joined: both ends of every row are looked for.

use super::draft::{Draft, DraftGrant, DraftRight};
use super::join::Join;
use super::model::{FolderRights, GrantKind, Party, Private, Stated};
use super::records::{Grant, InboxRule, OrphanKind};

impl Join<'_> {
    /// Who may do what.
    pub(super) fn grants(&mut self, grants: Vec<DraftGrant>) {
        let mut out = Vec::with_capacity(grants.len());
        for grant in grants {
            let place = grant.place;
            let Some((mailbox, _)) = self.owner(place, &grant.owner, OrphanKind::GrantMailbox)
            else {
                continue;
            };
            let name = self.names.text(grant.trustee.name);
            let kind = match grant.right {
                DraftRight::FullAccess => GrantKind::FullAccess,
                DraftRight::SendAs => GrantKind::SendAs,
                DraftRight::SendOnBehalf => GrantKind::SendOnBehalf,
                DraftRight::Folder(folder) => GrantKind::Folder {
                    folder: Private::new(self.names.text(folder)),
                    rights: grant.rights.unwrap_or(FolderRights::None),
                },
            };
            let in_folder = matches!(kind, GrantKind::Folder { .. });
            let trustee = if in_folder && name.eq_ignore_ascii_case("default") {
                Party::Everybody
            } else if in_folder && name.eq_ignore_ascii_case("anonymous") {
                Party::Anonymous
            } else {
                let resolved = self.names.somebody(grant.trustee);
                self.person(place, resolved)
            };
            if let Party::OrphanSid(sid) = &trustee {
                let sid = sid.clone();
                self.orphan(place, OrphanKind::GrantSid, sid);
            }
            out.push(Grant {
                place,
                mailbox,
                trustee,
                kind,
                deny: grant.deny,
            });
        }
        let what = |g: &Grant| (g.mailbox, g.deny);
        out.sort_by(|a, b| {
            what(a)
                .cmp(&what(b))
                .then_with(|| a.kind.cmp(&b.kind))
                .then_with(|| a.trustee.cmp(&b.trustee))
                .then_with(|| a.place.cmp(&b.place))
        });
        out.dedup_by(|b, a| what(a) == what(b) && a.kind == b.kind && a.trustee == b.trustee);
        self.out.grants = out;
    }

    /// Inbox rules and whom they send mail to.
    pub(super) fn rules(&mut self, draft: &mut Draft) {
        for rule in std::mem::take(&mut draft.rules) {
            let place = rule.place;
            let Some((mailbox, _)) = self.owner(place, &rule.owner, OrphanKind::Rule) else {
                continue;
            };
            let mut targets = Vec::with_capacity(rule.targets.len());
            for (action, key) in rule.targets {
                let resolved = self.names.resolve(key);
                targets.push((action, self.person(place, resolved)));
            }
            self.out.rules.push(InboxRule {
                place,
                mailbox,
                name: rule.name,
                identity: rule.identity,
                enabled: rule.enabled,
                targets,
                deletes: rule.deletes,
                in_error: rule.in_error,
            });
        }
        self.out
            .rules
            .sort_by_key(|rule| (rule.mailbox, rule.place));
    }

    /// Members of groups.
    pub(super) fn members(&mut self, draft: &mut Draft) {
        for row in std::mem::take(&mut draft.members) {
            let group = self.names.group(&row.group);
            let Some(group) = group.and_then(|no| usize::try_from(no.0).ok()) else {
                self.orphan(row.place, OrphanKind::Members, self.names.call(&row.group));
                continue;
            };
            let resolved = self.names.somebody(row.member);
            let value = self.person(row.place, resolved);
            if let Some(group) = self.out.groups.get_mut(group) {
                group.members_known = true;
                group.members.push(Stated {
                    value,
                    place: row.place,
                });
            }
        }
        for group in &mut self.out.groups {
            group
                .members
                .sort_by(|a, b| (&a.value, a.place).cmp(&(&b.value, b.place)));
            group.members.dedup_by(|b, a| a.value == b.value);
        }
    }
}
