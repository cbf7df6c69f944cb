//! The last result of `verify`, read with forbearance: fields that are not there are not known, fields that are not known are passed over.

use serde_json::{Map, Value};

use super::manifest::Names;
use crate::base::id::MailboxId;
use crate::base::quantity::Count;

/// What the gate and the pack need of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// `perfect` and so on.
    pub grade: String,
    /// `counts`, `identity` or `content`.
    pub level: String,
    /// When it was given, in UTC, where it says so.
    pub at: Option<String>,
    /// The plan it is about, where it says so.
    pub plan: Option<String>,
    /// True where it says itself that the source changed since.
    pub stale: bool,
    /// Per mailbox.
    pub mailboxes: Vec<MailboxVerdict>,
}

/// One mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxVerdict {
    /// Its place in the plan.
    pub job: String,
    /// Its grade.
    pub grade: String,
    /// Why it was not compared.
    pub not_verified: Option<String>,
    /// Items of the source.
    pub source: Count,
    /// Items found on both sides.
    pub confirmed: Count,
    /// Source items that are missing or different without a reason.
    pub unexplained: Count,
    /// Target items of unknown origin; those that are explained are not among them.
    pub extra: Count,
    /// What is explained and a person may still want to know, by the verifier's word for the reason: items that only the target holds, and
    /// items whose content could not be compared.
    pub noted: Vec<(String, Count)>,
    /// Items whose content differs without a documented reason, where that was compared, in this slice or an earlier one.
    pub differing: Count,
    /// True where it says that the source changed since.
    pub stale: bool,
    /// The folders it no longer covers, as people call them, each with why. Whoever has the ledger fills them in.
    pub stale_folders: Vec<String>,
}

/// Reasons that keep no gate open and are said.
const NOTED: [&str; 6] = [
    "left_source",
    "there_before",
    "made_since",
    "not_ours",
    "not_comparable",
    "not_read",
];

impl Verdict {
    /// Reads `verify.json`. `None` for anything else.
    pub fn read(value: &Value) -> Option<Self> {
        let schema = value["schema"].as_str()?;
        if !schema.starts_with("mailferry.verify/") {
            return None;
        }
        let stale = |value: &Value| value["stale"].as_bool().unwrap_or(false);
        Some(Self {
            grade: text(value, &["grade"]).unwrap_or_default(),
            level: text(value, &["level"]).unwrap_or_default(),
            at: text(value, &["at", "verified_at", "ended"]),
            plan: text(value, &["plan", "plan_hash"]),
            stale: stale(value),
            mailboxes: value["mailboxes"]
                .as_array()?
                .iter()
                .map(|one| MailboxVerdict {
                    job: text(one, &["job"]).unwrap_or_default(),
                    grade: text(one, &["grade"]).unwrap_or_default(),
                    not_verified: text(one, &["not_verified"]),
                    source: count(one, "source"),
                    confirmed: count(one, "confirmed"),
                    unexplained: count(one, "unexplained"),
                    extra: count(one, "extra_on_target")
                        .saturating_sub(count(one, "extra_explained")),
                    noted: NOTED
                        .iter()
                        .map(|reason| ((*reason).to_owned(), count(&one["reasons"], reason)))
                        .filter(|(_, items)| *items > Count::ZERO)
                        .collect(),
                    differing: count(&one["content"], "differing")
                        + count(&one["content"], "differing_in_other_slices"),
                    stale: stale(one),
                    stale_folders: Vec::new(),
                })
                .collect(),
        })
    }
}

fn text(value: &Value, keys: &[&str]) -> Option<String> {
    keys.iter()
        .find_map(|key| value[*key].as_str())
        .map(str::to_owned)
}

fn count(value: &Value, key: &str) -> Count {
    Count::new(value[key].as_u64().unwrap_or_default())
}

/// Words of the program's own, which name nobody.
const WORDS: [&str; 14] = [
    "schema",
    "grade",
    "level",
    "job",
    "what",
    "at",
    "verified_at",
    "ended",
    "property",
    "route",
    "bucket",
    "plan",
    "grade_rules_text",
    "known_by",
];

/// The verdict for a pack: in clear, or without any text that could name a person or a thing.
pub fn publish(value: &Value, names: &Names) -> Value {
    match names {
        Names::Revealed => value.clone(),
        Names::Pseudonyms(_) => conceal(value, names, &MailboxId::new("")),
    }
}

fn conceal(value: &Value, names: &Names, mailbox: &MailboxId) -> Value {
    match value {
        Value::Array(list) => list
            .iter()
            .filter(|one| !one.is_string())
            .map(|one| conceal(one, names, mailbox))
            .collect(),
        Value::Object(fields) => {
            let own = fields
                .get("mailbox")
                .and_then(Value::as_str)
                .map(MailboxId::new);
            let mailbox = own.as_ref().unwrap_or(mailbox);
            let mut out = Map::new();
            for (key, value) in fields {
                let kept = match value {
                    Value::String(text) => match name_of(key, text, names, mailbox) {
                        Some(name) => Value::String(name),
                        None => continue,
                    },
                    other => conceal(other, names, mailbox),
                };
                out.insert(key.clone(), kept);
            }
            Value::Object(out)
        }
        // A text without a key says nothing about what it is; lists of them are left empty above.
        Value::String(_) => Value::Null,
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn name_of(key: &str, text: &str, names: &Names, mailbox: &MailboxId) -> Option<String> {
    match key {
        "mailbox" => Some(names.mailbox(mailbox)),
        "folder" | "path" => Some(names.folder(mailbox, text)),
        "item" => Some(names.item(text)),
        "target" => Some(names.target(text)),
        // Not what the server said, which may quote an address.
        "not_verified" => Some("not verified".to_owned()),
        _ if WORDS.contains(&key) => Some(text.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::manifest::PseudonymKey;
    use serde_json::json;

    fn verdict() -> Value {
        json!({"schema": "mailferry.verify/1", "grade": "good", "level": "identity", "unexplained": 1, "says": ["a@x.example"], "news": {"said": "a@x.example"},
            "mailboxes": [{"job": "m0000", "mailbox": "a@x.example", "source": 5, "unexplained": 1, "grade": "poor",
                "findings": [{"folder": "Inbox/Lab", "item": "ab", "target": "T1", "what": "missing", "items": 1, "subject": "Results"}]}]})
    }

    #[test]
    fn what_goes_out_names_nobody() {
        let names = Names::Pseudonyms(PseudonymKey::new([1; 32]));
        let out = publish(&verdict(), &names);
        let text = out.to_string();
        for word in ["x.example", "Inbox", "Results", "T1", "\"ab\""] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        let finding = &out["mailboxes"][0]["findings"][0];
        assert_eq!(
            (&finding["what"], &finding["items"]),
            (&"missing".into(), &1.into())
        );
        let folder = names.folder(&MailboxId::new("a@x.example"), "Inbox/Lab");
        assert_eq!(finding["folder"], folder.as_str());
        assert_eq!(publish(&verdict(), &Names::Revealed), verdict());
    }

    #[test]
    fn a_verdict_is_read_with_what_it_has() {
        let read = Verdict::read(&verdict()).unwrap();
        assert_eq!(read.mailboxes[0].unexplained, Count::new(1));
        assert!(!read.stale && read.at.is_none());
        assert_eq!(Verdict::read(&json!({"schema": "x"})), None);
    }
}
