//! What EWS says about settings, put into the words of [`crate::base::sight`]. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::FolderId;
use crate::base::mailbox::{FolderKind, FolderRole, SourceFolder};
use crate::base::secret::Private;
use crate::base::sight::{
    DelegateSight, Lies, ReplySight, RightSight, RuleMessage, RuleSight, ValueSight,
};
use crate::exchange::links::outside_hosts;
use crate::wire::ews::get_delegate::DelegateEntry;
use crate::wire::ews::get_inbox_rules::RuleEntry;
use crate::wire::ews::get_user_oof_settings::OofEntry;
use crate::wire::ews::look::{FolderLook, ItemLook};
use crate::wire::ews::shape::FolderRef;

/// The class of stored rules, and of those with long actions (MS-OXORULE 2.2.4).
const RULE_CLASSES: [&str; 2] = ["IPM.Rule.Version2.Message", "IPM.ExtendedRule.Message"];

/// The class of an installed form.
const FORM_CLASS: &str = "IPM.Microsoft.FolderDesign.FormsDescription";

/// The folders of the user's tree, with names for people.
pub(super) struct Names {
    pub(super) mail: Vec<FolderRef>,
    /// Items in Sent Items; `None` where the mailbox has no such folder.
    pub(super) sent: Option<u64>,
    known: BTreeMap<FolderId, (String, Option<FolderRole>)>,
}

impl Names {
    pub(super) fn of(folders: Vec<SourceFolder>) -> Self {
        let sent = folders
            .iter()
            .find(|f| f.role == Some(FolderRole::SentItems))
            .map(|f| f.items.get());
        let root = folders.iter().find(|f| f.role == Some(FolderRole::Top));
        let mut inside: BTreeSet<FolderId> = root.map(|f| f.id.clone()).into_iter().collect();
        let (mut mail, mut names) = (Vec::new(), BTreeMap::new());
        for folder in folders {
            let own = folder.parent.as_ref().is_some_and(|p| inside.contains(p));
            if own {
                inside.insert(folder.id.clone());
            }
            if inside.contains(&folder.id) && folder.kind == FolderKind::Generic {
                mail.push(FolderRef::Id(folder.id.clone()));
            }
            let name = folder
                .role
                .map_or(folder.name, |role| role.english().to_owned());
            names.insert(folder.id, (name, folder.role));
        }
        Self {
            mail,
            sent,
            known: names,
        }
    }

    pub(super) fn name(&self, folder: &FolderRef) -> String {
        match folder {
            FolderRef::Id(id) => self
                .known
                .get(id)
                .map_or(String::new(), |(name, _)| name.clone()),
            FolderRef::Distinguished(name) => name.clone(),
        }
    }

    /// Where items of a folder lie, as a count of mail sees it.
    pub(super) fn lies(&self, folder: &FolderRef) -> Lies {
        match self.role(folder) {
            Some(FolderRole::SentItems) => Lies::Sent,
            Some(FolderRole::Inbox | FolderRole::JunkEmail) => Lies::Received,
            _ => Lies::Elsewhere,
        }
    }

    fn role(&self, folder: &FolderRef) -> Option<FolderRole> {
        match folder {
            FolderRef::Id(id) => self.known.get(id).and_then(|(_, role)| *role),
            FolderRef::Distinguished(name) => {
                let mut roles = FolderRole::ALL.iter().copied();
                roles.find(|role| role.ews_id() == Some(name.as_str()))
            }
        }
    }
}

pub(super) fn rule_sight(rule: RuleEntry, folders: &Names, own: &BTreeSet<String>) -> RuleSight {
    let outside = rule
        .sends_to
        .into_iter()
        .filter(|address| is_outside(address, own));
    let moved = rule
        .moves_to
        .as_ref()
        .and_then(|folder| folders.role(folder));
    RuleSight {
        name: Private::new(rule.name),
        enabled: rule.enabled,
        priority: Some(rule.priority),
        everything: Some(rule.conditions == 0),
        stops: rule.stops,
        sends_outside: outside.map(Private::new).collect(),
        deletes: rule.deletes,
        marks_read: rule.marks_read,
        hides_in: moved.map(FolderRole::english),
        words: rule.words.into_iter().map(Private::new).collect(),
    }
}

/// True for an SMTP address of another domain. A directory name (`/o=...`) is inside.
fn is_outside(address: &str, own: &BTreeSet<String>) -> bool {
    domain_of(address).is_some_and(|domain| !own.contains(&domain))
}

pub(super) fn domain_of(address: &str) -> Option<String> {
    let (_, domain) = address.rsplit_once('@')?;
    Some(domain.trim().to_lowercase())
}

pub(super) fn begins(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

pub(super) fn is_class(item: &ItemLook, classes: &[&str]) -> bool {
    let own = item.class.as_deref().unwrap_or_default();
    classes.iter().any(|class| class.eq_ignore_ascii_case(own))
}

pub(super) fn rule_messages(hidden: &[ItemLook]) -> Vec<RuleMessage> {
    let rules = hidden.iter().filter(|item| is_class(item, &RULE_CLASSES));
    rules
        .map(|item| RuleMessage {
            name: item.rule_name.clone().map(Private::new),
            provider: item.rule_provider.clone(),
            modified: item.modified,
        })
        .collect()
}

pub(super) fn forms(hidden: &[ItemLook]) -> Vec<ValueSight> {
    let forms = hidden.iter().filter(|item| is_class(item, &[FORM_CLASS]));
    forms
        .map(|_| ValueSight {
            folder: FolderRole::Inbox.english().to_owned(),
            value: Private::new("an installed form"),
        })
        .collect()
}

pub(super) fn settings(
    seen: &FolderLook,
    folders: &Names,
    pages: &mut Vec<ValueSight>,
    rights: &mut Vec<RightSight>,
) {
    let folder = folders.name(&FolderRef::Id(seen.id.clone()));
    if let Some(page) = seen.web_view.as_deref().and_then(home_page) {
        pages.push(ValueSight {
            folder: folder.clone(),
            value: Private::new(page),
        });
    }
    for (who, level) in seen.everybody.iter().flatten() {
        rights.push(RightSight {
            folder: folder.clone(),
            who: if who == "Anonymous" {
                "Anonymous"
            } else {
                "Default"
            },
            level: level.clone(),
        });
    }
}

/// The address in PidTagFolderWebViewInfo: numbers, then UTF-16 (MS-OXOCFG, WebViewPersistenceObject). The longest readable run is taken, since
/// older clients wrote other headers; a value with more than a header and nothing readable is shown as such.
fn home_page(info: &[u8]) -> Option<String> {
    const HEADER: usize = 44;
    let text = wide(info);
    let runs = text.split(|c: char| !(c.is_ascii_graphic() || c == ' '));
    let longest = runs.max_by_key(|run| run.len()).unwrap_or_default().trim();
    if longest.len() >= 4 {
        return Some(longest.to_owned());
    }
    let said = info.len() > HEADER && info[HEADER..].iter().any(|b| *b != 0);
    said.then(|| "a home page that could not be read".to_owned())
}

fn wide(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Programs, archives, shares and addresses that a blob names, in either width of characters.
pub(super) fn names_in(blob: &[u8]) -> Vec<String> {
    const ENDS: [&str; 11] = [
        ".exe", ".zip", ".bat", ".cmd", ".vbs", ".js", ".ps1", ".hta", ".scr", ".dll", ".lnk",
    ];
    let narrow: String = blob.iter().map(|b| char::from(*b)).collect();
    let odd = wide(blob.get(1..).unwrap_or_default());
    let mut out = Vec::new();
    for text in [narrow, wide(blob), odd] {
        let words = text.split(|c: char| !(c.is_ascii_graphic() || c == ' '));
        for word in words.map(str::trim).filter(|word| word.len() > 4) {
            let low = word.to_ascii_lowercase();
            let named = ENDS.iter().any(|end| low.ends_with(end))
                || low.starts_with("\\\\")
                || low.contains("http://")
                || low.contains("https://");
            if named && !out.iter().any(|own| own == word) {
                out.push(word.to_owned());
            }
        }
    }
    out
}

/// The automatic reply, as whether it is on and where it leads to. Its texts end here.
pub(super) fn reply(oof: &OofEntry, own: &BTreeSet<String>) -> ReplySight {
    let mut hosts: BTreeSet<String> = BTreeSet::new();
    for text in [&oof.inside, &oof.outside] {
        hosts.extend(outside_hosts(text, own));
    }
    ReplySight {
        on: oof.state != "Disabled",
        hosts: hosts.into_iter().map(Private::new).collect(),
    }
}

pub(super) fn delegate(one: DelegateEntry, own: &BTreeSet<String>) -> DelegateSight {
    let stranger = match &one.address {
        Some(address) => is_outside(address, own),
        None => true,
    };
    let levels: Vec<String> = one
        .levels
        .iter()
        .filter(|(_, level)| level != "None")
        .map(|(folder, level)| format!("{level} on {folder}"))
        .collect();
    DelegateSight {
        who: Private::new(one.address.or(one.sid).unwrap_or_default()),
        what: format!("delegate, {}", levels.join(", ")),
        stranger,
        sees_private: one.sees_private,
        mailboxes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_pages_and_programs_are_found_in_bytes() {
        let mut info = vec![0; 44];
        info.extend(
            "https://evil.example/x\0"
                .encode_utf16()
                .flat_map(u16::to_le_bytes),
        );
        assert_eq!(home_page(&info).as_deref(), Some("https://evil.example/x"));
        assert_eq!(home_page(&[]), None);
        assert_eq!(home_page(&[0; 60]), None);
        assert!(home_page(&[1; 50]).is_some());
        let mut blob = vec![7];
        blob.extend(
            "C:\\Users\\Public\\run.exe"
                .encode_utf16()
                .flat_map(u16::to_le_bytes),
        );
        assert_eq!(names_in(&blob), ["C:\\Users\\Public\\run.exe"]);
        assert_eq!(
            names_in(b"\x00\\\\10.0.0.9\\s\\a.zip\x01"),
            ["\\\\10.0.0.9\\s\\a.zip"]
        );
        assert!(names_in(b"a plain rule about invoices").is_empty());
    }
}
