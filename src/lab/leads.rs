//! Leads of compromise in the lab: settings that a look at a mailbox shows, one of each kind where they are asked for, and the harmless ones that
//! every mailbox has.

use std::collections::BTreeMap;

use super::world::{Content, Refused, World};
use crate::base::id::{FolderId, ItemId};
use crate::base::mailbox::FolderRole;
use crate::base::quantity::Moment;
use crate::wire::ews::get_delegate::DelegateEntry;
use crate::wire::ews::get_inbox_rules::RuleEntry;
use crate::wire::ews::get_user_oof_settings::OofEntry;
use crate::wire::ews::look::ItemLook;
use crate::wire::ews::shape::FolderRef;

/// What a mailbox has besides its items.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The rules as Outlook lists them.
    pub rules: Vec<RuleEntry>,
    /// The Inbox's associated messages.
    pub associated: Vec<ItemLook>,
    /// The delegates.
    pub delegates: Vec<DelegateEntry>,
    /// Home pages by folder id.
    pub home_pages: BTreeMap<String, Vec<u8>>,
    /// Rights of everybody by folder id, where they are not the usual ones.
    pub rights: BTreeMap<String, Vec<(String, String)>>,
    /// Reminder files by item id.
    pub reminders: BTreeMap<String, String>,
    /// Senders by item id, where they are not the usual ones.
    pub senders: BTreeMap<String, String>,
    /// When items were sent, by id, where that is not in the items.
    pub times: BTreeMap<String, Moment>,
    /// The automatic reply.
    pub reply: OofEntry,
}

/// Noon of 20 August 2021: in the window of the attacks of that summer.
const CHANGED: Moment = Moment::from_unix_ms(1_629_460_800_000);

/// Messages that the seeded mailbox sent within one hour.
const SENT_AT_ONCE: u64 = 90;

/// Where the seeds of these letters begin, away from those of the population.
const LETTERS: u64 = 0x4C45_5454 << 32;

impl Settings {
    /// What every mailbox has: the junk mail rule and one that the owner made.
    pub fn plain() -> Self {
        let mut out = Self::default();
        out.rules.push(RuleEntry {
            name: "Newsletters".to_owned(),
            priority: 1,
            enabled: true,
            conditions: 1,
            words: vec!["newsletter".to_owned()],
            moves_to: Some(FolderRef::Distinguished("notes".to_owned())),
            ..RuleEntry::default()
        });
        out.reply = OofEntry {
            state: "Disabled".to_owned(),
            inside: "<html><body>I am away until Monday.</body></html>".to_owned(),
            outside: String::new(),
        };
        out.rule_message("Junk E-mail Rule", "JunkEmailRule", None);
        out.rule_message("Newsletters", "RuleOrganizer", None);
        out.associated(ItemLook {
            class: Some("IPM.Configuration.OWA.UserOptions".to_owned()),
            ..ItemLook::bare(ItemId::new(""))
        });
        out
    }

    fn associated(&mut self, item: ItemLook) {
        let id = ItemId::new(format!("AAMkADMyFAI{:04}", self.associated.len()));
        self.associated.push(ItemLook { id, ..item });
    }

    fn rule_message(&mut self, name: &str, provider: &str, modified: Option<Moment>) {
        self.associated(ItemLook {
            class: Some("IPM.Rule.Version2.Message".to_owned()),
            rule_name: Some(name.to_owned()),
            rule_provider: Some(provider.to_owned()),
            modified,
            ..ItemLook::bare(ItemId::new(""))
        });
    }

    /// Adds a rule with the message behind it.
    fn rule(&mut self, rule: RuleEntry) {
        self.rule_message(&rule.name, "RuleOrganizer", None);
        let priority = u32::try_from(self.rules.len() + 1).unwrap_or(u32::MAX);
        self.rules.push(RuleEntry { priority, ..rule });
    }

    fn bad_rules(&mut self) {
        let rule = |name: &str| RuleEntry {
            name: name.to_owned(),
            enabled: true,
            ..RuleEntry::default()
        };
        self.rule(RuleEntry {
            conditions: 1,
            sends_to: vec!["collect@elsewhere.example".to_owned()],
            ..rule("Project copies")
        });
        self.rule(RuleEntry {
            conditions: 1,
            words: vec!["invoice".to_owned(), "IBAN".to_owned()],
            marks_read: true,
            moves_to: Some(FolderRef::Distinguished("conversationhistory".to_owned())),
            ..rule("Billing")
        });
        self.rule(RuleEntry {
            stops: true,
            moves_to: Some(FolderRef::Distinguished("drafts".to_owned())),
            ..rule(".")
        });
        // In the table and in no list: without name and provider.
        self.rule_message("", "", Some(CHANGED));
        let mut stream = vec![1, 0, 0, 0];
        let program = "C:\\Users\\Public\\update.exe";
        stream.extend(program.encode_utf16().flat_map(u16::to_le_bytes));
        self.associated(ItemLook {
            class: Some("IPM.RuleOrganizer".to_owned()),
            blobs: vec![stream],
            ..ItemLook::bare(ItemId::new(""))
        });
        self.associated(ItemLook {
            class: Some("IPM.Microsoft.FolderDesign.FormsDescription".to_owned()),
            ..ItemLook::bare(ItemId::new(""))
        });
    }
}

impl World {
    /// The settings of a source mailbox.
    pub fn settings(&self, mailbox: &str) -> Settings {
        let key = mailbox.to_ascii_lowercase();
        self.settings
            .get(&key)
            .cloned()
            .unwrap_or_else(Settings::plain)
    }

    /// Puts one of each lead that EWS can show into a mailbox. The reminder's file goes to an appointment that is there; without one it is left out.
    pub fn seed_leads(&mut self, mailbox: &str) -> Result<(), Refused> {
        let mut seeded = Settings::plain();
        seeded.bad_rules();
        seeded.delegates.push(DelegateEntry {
            address: Some("assistant@elsewhere.example".to_owned()),
            sid: Some("S-1-5-21-1-2-3-1104".to_owned()),
            levels: vec![("Calendar".to_owned(), "Editor".to_owned())],
            sees_private: true,
        });
        let inbox = self.source_folder_with_role(mailbox, FolderRole::Inbox)?;
        let sent = self.source_folder_with_role(mailbox, FolderRole::SentItems)?;
        let mut page = vec![0; 44];
        page[0] = 2;
        let address = "https://cdn.elsewhere.example/page";
        page.extend(address.encode_utf16().flat_map(u16::to_le_bytes));
        let (inbox_id, sent_id) = (inbox.id.clone(), sent.id.clone());
        seeded.home_pages.insert(inbox.id, page);
        let right = ("Anonymous".to_owned(), "Reviewer".to_owned());
        seeded.rights.insert(sent.id, vec![right]);
        let calendar = self.source_folder_with_role(mailbox, FolderRole::Calendar)?;
        if let Some(item) = self.find(mailbox, &calendar.id, 0, 1)?.items.first() {
            let path = "\\\\files.elsewhere.example\\s\\chime.wav";
            seeded.reminders.insert(item.id.clone(), path.to_owned());
        }
        let letter = |seed: u64| Content::Plain {
            seed: LETTERS + seed,
            body: 300,
        };
        for n in 0..SENT_AT_ONCE {
            let id = self.add_source_item(mailbox, &sent_id, letter(n), CHANGED)?;
            seeded.times.insert(id, CHANGED);
        }
        let id = self.add_source_item(mailbox, &inbox_id, letter(SENT_AT_ONCE), CHANGED)?;
        let (_, own) = mailbox.rsplit_once('@').unwrap_or_default();
        let look_alike = format!("billing@{own}s");
        seeded.senders.insert(id, look_alike);
        seeded.reply = OofEntry {
            state: "Enabled".to_owned(),
            inside: String::new(),
            outside: "<a href=\"https://portal.elsewhere.example/login\">see here</a>".to_owned(),
        };
        self.settings.insert(mailbox.to_ascii_lowercase(), seeded);
        Ok(())
    }
}

/// The rights of everybody that Exchange gives by itself.
pub fn usual_rights(calendar: bool) -> Vec<(String, String)> {
    let level = if calendar { "FreeBusyTimeOnly" } else { "None" };
    vec![
        ("Default".to_owned(), level.to_owned()),
        ("Anonymous".to_owned(), "None".to_owned()),
    ]
}

/// Names folders of a rule by their ids, as the service does.
pub fn by_id(world: &World, mailbox: &str, rule: RuleEntry) -> RuleEntry {
    let folder = match &rule.moves_to {
        Some(FolderRef::Distinguished(name)) => {
            let mut roles = FolderRole::ALL.iter();
            let named = roles.find(|own| own.ews_id() == Some(name.as_str()));
            named.and_then(|own| world.source_folder_with_role(mailbox, *own).ok())
        }
        _ => None,
    };
    match folder {
        Some(row) => RuleEntry {
            moves_to: Some(FolderRef::Id(FolderId::new(row.id))),
            ..rule
        },
        None => rule,
    }
}
