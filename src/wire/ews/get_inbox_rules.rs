//! GetInboxRules: the rules of a mailbox as Outlook lists them. Hidden ones are not among them.

use crate::base::id::{FolderId, MailboxId};
use crate::wire::ews::reply::Operation;
use crate::wire::ews::shape::FolderRef;
use crate::wire::xml::{Element, Ns, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetInboxRules {
    /// Whose.
    pub mailbox: MailboxId,
}

impl GetInboxRules {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:GetInboxRules", &[]);
        w.leaf("m:MailboxSmtpAddress", self.mailbox.reveal());
        w.close();
    }

    /// Reads a body element that passed the schema.
    pub fn read(e: &Element) -> Self {
        let address = e.m("MailboxSmtpAddress").map(|a| a.text.trim());
        Self {
            mailbox: MailboxId::new(address.unwrap_or_default()),
        }
    }
}

/// One rule, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of a rule, not one state"
)]
pub struct RuleEntry {
    /// Its name.
    pub name: String,
    /// Its place, from 1.
    pub priority: u32,
    /// Whether it does anything.
    pub enabled: bool,
    /// How many conditions it has.
    pub conditions: usize,
    /// Words it looks for in subject or body.
    pub words: Vec<String>,
    /// Addresses it forwards or redirects to, with their routing type where that is not SMTP.
    pub sends_to: Vec<String>,
    /// Deletes or deletes for good.
    pub deletes: bool,
    /// Marks as read.
    pub marks_read: bool,
    /// Where it moves to.
    pub moves_to: Option<FolderRef>,
    /// No later rule is asked.
    pub stops: bool,
}

const WORDS: [&str; 3] = [
    "ContainsBodyStrings",
    "ContainsSubjectOrBodyStrings",
    "ContainsSubjectStrings",
];
const SENDS: [&str; 3] = [
    "ForwardAsAttachmentToRecipients",
    "ForwardToRecipients",
    "RedirectToRecipients",
];

impl RuleEntry {
    /// Reads `t:Rule`.
    fn read(e: &Element) -> Option<Self> {
        let conditions = e.t("Conditions").map(|c| c.children.as_slice());
        let conditions = conditions.unwrap_or_default();
        let actions = e.t("Actions").map(|a| a.children.as_slice());
        let actions = actions.unwrap_or_default();
        let strings = conditions
            .iter()
            .filter(|c| WORDS.contains(&c.name.as_str()));
        let sends = actions.iter().filter(|a| SENDS.contains(&a.name.as_str()));
        let does = |name: &str| {
            actions
                .iter()
                .any(|a| a.name == name && a.boolean() != Some(false))
        };
        let moved = actions.iter().find(|a| a.name == "MoveToFolder");
        Some(Self {
            name: e.t("DisplayName")?.text.clone(),
            priority: e.t("Priority").and_then(|p| p.text.trim().parse().ok())?,
            enabled: e.t("IsEnabled").and_then(Element::boolean)?,
            conditions: conditions.len(),
            words: strings
                .flat_map(|c| c.children.iter().map(|s| s.text.clone()))
                .collect(),
            sends_to: sends
                .flat_map(|a| a.children.iter().filter_map(address))
                .collect(),
            deletes: does("Delete") || does("PermanentDelete"),
            marks_read: does("MarkAsRead"),
            moves_to: moved
                .and_then(|m| m.children.first())
                .and_then(FolderRef::read),
            stops: does("StopProcessingRules"),
        })
    }

    fn write(&self, w: &mut Writer) {
        w.open("t:Rule", &[]);
        w.leaf("t:DisplayName", &self.name);
        w.leaf("t:Priority", &self.priority.to_string());
        w.leaf("t:IsEnabled", if self.enabled { "true" } else { "false" });
        if self.conditions > 0 {
            w.open("t:Conditions", &[]);
            if self.words.is_empty() {
                w.leaf("t:HasAttachments", "true");
            } else {
                w.open("t:ContainsSubjectOrBodyStrings", &[]);
                for word in &self.words {
                    w.leaf("t:String", word);
                }
                w.close();
            }
            w.close();
        }
        self.write_actions(w);
        w.close();
    }

    fn write_actions(&self, w: &mut Writer) {
        w.open("t:Actions", &[]);
        if self.deletes {
            w.leaf("t:Delete", "true");
        }
        if !self.sends_to.is_empty() {
            w.open("t:ForwardToRecipients", &[]);
            for address in &self.sends_to {
                w.open("t:Address", &[]);
                w.leaf("t:Name", address);
                w.leaf("t:EmailAddress", address);
                let kind = if address.contains('@') { "SMTP" } else { "EX" };
                w.leaf("t:RoutingType", kind);
                w.close();
            }
            w.close();
        }
        if self.marks_read {
            w.leaf("t:MarkAsRead", "true");
        }
        if let Some(folder) = &self.moves_to {
            w.open("t:MoveToFolder", &[]);
            folder.write(w);
            w.close();
        }
        if self.stops {
            w.leaf("t:StopProcessingRules", "true");
        }
        w.close();
    }

    /// The folder it moves to, by id.
    pub fn moves_to_id(&self) -> Option<&FolderId> {
        match &self.moves_to {
            Some(FolderRef::Id(id)) => Some(id),
            _ => None,
        }
    }
}

fn address(e: &Element) -> Option<String> {
    Some(e.t("EmailAddress")?.text.trim().to_owned())
}

impl Operation for GetInboxRules {
    const NAME: &'static str = "GetInboxRules";
    const RESPONSE: &'static str = "m:GetInboxRulesResponse";
    const MESSAGE: &'static str = "m:GetInboxRulesResponse";
    const FLAT: bool = true;
    type Payload = Vec<RuleEntry>;

    fn read_payload(message: &Element) -> Option<Vec<RuleEntry>> {
        let Some(list) = message.m("InboxRules") else {
            return Some(Vec::new());
        };
        // A rule that cannot be read would be missing without a word.
        list.children
            .iter()
            .filter(|rule| rule.ns == Ns::Types)
            .map(RuleEntry::read)
            .collect()
    }

    fn write_payload(rules: &Vec<RuleEntry>, w: &mut Writer) {
        w.leaf("m:OutlookRuleBlobExists", "false");
        if rules.is_empty() {
            return;
        }
        w.open("m:InboxRules", &[]);
        for rule in rules {
            rule.write(w);
        }
        w.close();
    }

    fn write_nothing(_: &mut Writer) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ews::classify::Place;
    use crate::wire::ews::reply::{self, Message};
    use crate::wire::soap::ServerVersion;

    const VERSION: ServerVersion = ServerVersion {
        major: 15,
        minor: 1,
        build: 2507,
        revision: 6,
    };

    #[test]
    fn rules_survive_writing_and_reading() {
        let rules = vec![
            RuleEntry {
                name: "a <b> & c".to_owned(),
                priority: 1,
                enabled: true,
                conditions: 1,
                words: vec!["invoice".to_owned()],
                sends_to: vec!["x@evil.example".to_owned(), "/o=Clinic/cn=a".to_owned()],
                marks_read: true,
                moves_to: Some(FolderRef::Id(FolderId::new("AAMk="))),
                ..RuleEntry::default()
            },
            RuleEntry {
                name: String::new(),
                priority: 2,
                deletes: true,
                stops: true,
                ..RuleEntry::default()
            },
        ];
        for list in [rules, Vec::new()] {
            let text = reply::write::<GetInboxRules>(&VERSION, &[Message::Done(list.clone())]);
            let reply = reply::read::<GetInboxRules>(text.as_bytes()).expect("a reply");
            assert_eq!(reply.single(Place::Folder), Ok(list));
        }
    }

    #[test]
    fn a_rule_that_cannot_be_read_and_a_refusal_are_no_empty_list() {
        let rule = RuleEntry {
            name: "n".to_owned(),
            priority: 7,
            ..RuleEntry::default()
        };
        let text = reply::write::<GetInboxRules>(&VERSION, &[Message::Done(vec![rule])]);
        for (from, to) in [
            ("<t:Priority>7<", "<t:Priority>x<"),
            ("Success", "Error"),
            ("NoError", "ErrorAccessDenied"),
        ] {
            let broken = text.replace(from, to);
            assert_ne!(broken, text);
            let reply = reply::read::<GetInboxRules>(broken.as_bytes()).expect("a reply");
            assert!(reply.single(Place::Folder).is_err(), "{to}");
        }
    }
}
