//! The change of a message that we made, to the state of a newer one: which fields may still be changed, and the request that does
//! (reference/graph.md 2.1: of what was sent or received, only what its reader does to it).

use serde_json::{Map, Value};

use crate::base::typed::TypedMessage;
use crate::wire::graph::json;
use crate::wire::graph::property::NamedId;
use crate::wire::graph::provenance::Mark;
use crate::wire::graph::typed_message::{UNADDRESSED, fields_of};

/// A field of the comparison, and the members of the request that carry it; true where only a draft takes it.
const FIELDS: &[(&str, &[&str], bool)] = &[
    ("flags.read", &["isRead"], false),
    ("common.importance", &["importance"], false),
    ("common.categories", &["categories"], false),
    ("flag.", &["flag"], false),
    ("common.subject", &["subject"], true),
    ("common.body.", &["body"], true),
    ("from.", &["from"], true),
    ("sender.", &["sender"], true),
    ("to", &["toRecipients"], true),
    ("cc", &["ccRecipients"], true),
    ("bcc", &["bccRecipients"], true),
    ("reply_to", &["replyTo"], true),
];

/// Which members of a message change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    members: Vec<&'static str>,
}

impl Amendment {
    /// The amendment for fields that differ, as `verify::typed` names them. `None`: one of them cannot be changed.
    pub fn of<'a>(fields: impl IntoIterator<Item = &'a str>, draft: bool) -> Option<Self> {
        let mut members = Vec::new();
        for field in fields {
            let fits = |own: &str| match own.strip_suffix('.') {
                Some(_) => field.starts_with(own),
                None => field == own || field.strip_prefix(own) == Some(".names"),
            };
            let row = FIELDS
                .iter()
                .find(|(own, _, only)| fits(own) && (draft || !only));
            for member in row?.1 {
                if !members.contains(member) {
                    members.push(*member);
                }
            }
        }
        Some(Self { members })
    }

    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The request that brings a copy with this mark to the state of `newer`.
    pub fn body(&self, newer: &TypedMessage, mark: &Mark) -> Vec<u8> {
        let fields = serde_json::to_value(fields_of(newer, mark)).unwrap_or_default();
        let mut out = Map::new();
        for member in &self.members {
            let value = match (*member, fields.get(*member)) {
                (_, Some(value)) => value.clone(),
                ("flag", None) => serde_json::json!({ "flagStatus": "notFlagged" }),
                (_, None) => Value::Null,
            };
            out.insert((*member).to_owned(), value);
        }
        let people = |own: &&str| {
            own.ends_with("Recipients") || matches!(*own, "from" | "sender" | "replyTo")
        };
        if self.members.iter().any(people) {
            out.insert(
                "singleValueExtendedProperties".to_owned(),
                Value::Array(vec![unaddressed(&fields)]),
            );
        }
        json::write(&out)
    }
}

/// Who cannot be written as a recipient, once more: an empty list where there is nobody, since an older one may be there.
fn unaddressed(fields: &Value) -> Value {
    let all = fields["singleValueExtendedProperties"].as_array();
    let own = all.into_iter().flatten().find(|own| {
        let id = own["id"].as_str().and_then(NamedId::parse);
        id.as_ref() == Some(&UNADDRESSED)
    });
    let none = || serde_json::json!({ "id": UNADDRESSED.to_string(), "value": "[]" });
    own.cloned().unwrap_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::TargetMailboxId;
    use crate::base::item::Stamp;
    use crate::base::typed::Person;

    fn members(fields: &[&str], draft: bool) -> Option<Vec<&'static str>> {
        Amendment::of(fields.iter().copied(), draft).map(|own| own.members)
    }

    #[test]
    fn a_reader_changes_what_a_reader_can() {
        let fields = [
            "flags.read",
            "flag.due",
            "flag.complete",
            "common.categories",
        ];
        let want = vec!["isRead", "flag", "categories"];
        assert_eq!(members(&fields, false), Some(want));
        assert_eq!(members(&[], false), Some(Vec::new()));
        for fixed in [
            "common.subject",
            "common.body.content",
            "to",
            "to.names",
            "headers",
            "attachments",
        ] {
            assert_eq!(members(&["flags.read", fixed], false), None, "{fixed}");
        }
    }

    #[test]
    fn a_draft_is_still_written() {
        let fields = [
            "common.subject",
            "common.body.html",
            "to",
            "to.names",
            "cc.names",
        ];
        let want = vec!["subject", "body", "toRecipients", "ccRecipients"];
        assert_eq!(members(&fields, true), Some(want));
        for fixed in [
            "headers",
            "attachments",
            "flags.draft",
            "submitted",
            "together",
        ] {
            assert_eq!(members(&[fixed], true), None, "{fixed}");
        }
    }

    #[test]
    fn only_what_differs_is_sent() {
        let mark = Mark::new(Stamp::Fallback([7; 16]), &TargetMailboxId::new("m"));
        let mut newer = TypedMessage {
            flags: 1,
            to: vec![Person {
                name: "A".to_owned(),
                address: "a@b.example".to_owned(),
            }],
            ..TypedMessage::default()
        };
        let read = |body: Vec<u8>| serde_json::from_slice::<Value>(&body).unwrap();
        let marked = Amendment::of(["flags.read", "flag.complete"], false).unwrap();
        assert_eq!(
            read(marked.body(&newer, &mark)),
            serde_json::json!({"isRead": true, "flag": {"flagStatus": "notFlagged"}})
        );
        let sent = Amendment::of(["to"], true).unwrap();
        let body = read(sent.body(&newer, &mark));
        assert_eq!(
            body["toRecipients"][0]["emailAddress"]["address"],
            "a@b.example"
        );
        assert_eq!(body["singleValueExtendedProperties"][0]["value"], "[]");
        assert_eq!(body.as_object().unwrap().len(), 2);
        newer.to[0].address = "no address".to_owned();
        let body = read(sent.body(&newer, &mark));
        assert_eq!(body["toRecipients"], serde_json::json!([]));
        assert!(
            body["singleValueExtendedProperties"][0]["value"]
                .as_str()
                .unwrap()
                .contains("no address")
        );
    }
}
