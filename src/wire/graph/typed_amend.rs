//! The change of a message that we made, to the state of a newer one: which fields may still be changed, and the request that does
//! (reference/graph.md 2.1: of what was sent or received, only what its reader does to it).
//!
//! What is compared here decides only whether and what to change. Where in doubt, nothing is, and the copy is made anew; whether a copy is right says
//! `verify::typed`.

use serde_json::{Map, Value};

use crate::base::prose;
use crate::base::quantity::{Bytes, Moment};
use crate::base::typed::{FollowUp, Person, TypedMessage};
use crate::wire::graph::json;
use crate::wire::graph::property::NamedId;
use crate::wire::graph::provenance::Mark;
use crate::wire::graph::typed_attachment::UNNAMED;
use crate::wire::graph::typed_message::{UNADDRESSED, fields_of};

/// A message, with length and SHA-256 of each of its attachments.
pub type Measured<'a> = (&'a TypedMessage, &'a [(Bytes, [u8; 32])]);

/// Which members of a message change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    members: Vec<&'static str>,
}

impl Amendment {
    /// What brings `now`, as the service shows it, to `then`. `None`: something differs that cannot be changed.
    pub fn between(now: Measured<'_>, then: Measured<'_>) -> Option<Self> {
        if files(now) != files(then) || !fixed(now.0, then.0) {
            return None;
        }
        let (now, then) = (now.0, then.0);
        let words = |own: &TypedMessage| {
            let mut all = own.common.categories.clone();
            all.sort();
            all
        };
        let by_reader = [
            ("isRead", now.read() == then.read()),
            (
                "importance",
                now.common.importance == then.common.importance,
            ),
            ("categories", words(now) == words(then)),
            ("flag", flag(now.flag.as_ref()) == flag(then.flag.as_ref())),
        ];
        let by_writer = [
            (
                "subject",
                line(&now.common.subject) == line(&then.common.subject),
            ),
            ("body", text(now) == text(then)),
            ("from", given(now.from.as_ref(), then.from.as_ref())),
            ("sender", given(now.sender.as_ref(), then.sender.as_ref())),
            ("toRecipients", people(&now.to) == people(&then.to)),
            ("ccRecipients", people(&now.cc) == people(&then.cc)),
            ("bccRecipients", people(&now.bcc) == people(&then.bcc)),
            ("replyTo", people(&now.reply_to) == people(&then.reply_to)),
        ];
        if !now.draft() && by_writer.iter().any(|(_, same)| !same) {
            return None;
        }
        let all = by_reader.into_iter().chain(by_writer);
        Some(Self {
            members: all.filter(|(_, same)| !same).map(|own| own.0).collect(),
        })
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
        let who = |own: &&str| {
            own.ends_with("Recipients") || matches!(*own, "from" | "sender" | "replyTo")
        };
        if self.members.iter().any(who) {
            out.insert(
                "singleValueExtendedProperties".to_owned(),
                Value::Array(vec![unaddressed(&fields)]),
            );
        }
        json::write(&out)
    }
}

/// Whether everything is the same that nobody can change. What the source does not have the service gives.
fn fixed(now: &TypedMessage, then: &TypedMessage) -> bool {
    let same = |now: &str, then: &str| line(now) == line(then);
    let given = |now: &str, then: &str| then.is_empty() || same(now, then);
    let at = |now, then: Option<Moment>| then.is_none() || second(now) == second(then);
    now.common.class.eq_ignore_ascii_case(&then.common.class)
        && now.common.sensitivity == then.common.sensitivity
        && now.draft() == then.draft()
        && given(&now.message_id, &then.message_id)
        && given(&now.conversation_index, &then.conversation_index)
        && at(now.submitted, then.submitted)
        && at(now.delivered, then.delivered)
        && same(&now.headers, &then.headers)
        && same(&now.in_reply_to, &then.in_reply_to)
        && same(&now.references, &then.references)
}

fn second(at: Option<Moment>) -> Option<i64> {
    at.map(|at| at.unix_ms().div_euclid(1_000))
}

fn line(text: &str) -> String {
    text.replace("\r\n", "\n").trim_end().to_owned()
}

/// The text without its markup: the service writes HTML in its own way. A text that only changes its markup is the same here.
fn text(own: &TypedMessage) -> String {
    prose::bare(&own.common.body.content, own.common.body.html)
}

fn who(own: &Person) -> String {
    if own.address.is_empty() {
        own.name.clone()
    } else {
        own.address.to_lowercase()
    }
}

/// The service names the owner where nobody was named.
fn given(now: Option<&Person>, then: Option<&Person>) -> bool {
    then.is_none() || now.map(who) == then.map(who)
}

fn people(all: &[Person]) -> Vec<String> {
    let mut all: Vec<String> = all.iter().map(who).collect();
    all.sort();
    all
}

type Flagged = (bool, Option<i64>, Option<i64>, Option<i64>);

/// A flag that is due begins no later than then, and only what is done was done at a time.
fn flag(own: Option<&FollowUp>) -> Option<Flagged> {
    let own = own?;
    let done = own.completed.filter(|_| own.complete);
    let start = own.start.or(own.due);
    Some((own.complete, second(start), second(own.due), second(done)))
}

fn files((own, told): Measured<'_>) -> Vec<(&str, Bytes, [u8; 32])> {
    let named = own.common.attachments.iter().zip(told);
    let mut all: Vec<_> = named
        .map(|(file, (len, hash))| {
            let name = if file.name.is_empty() {
                UNNAMED
            } else {
                &file.name
            };
            (name, *len, *hash)
        })
        .collect();
    all.sort_unstable();
    all
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
    use crate::base::typed::{TypedAttachment, TypedBody};

    fn somebody(name: &str, address: &str) -> Person {
        Person {
            name: name.to_owned(),
            address: address.to_owned(),
        }
    }

    fn message(flags: u32) -> TypedMessage {
        let mut own = TypedMessage {
            flags,
            to: vec![somebody("A", "a@b.example")],
            submitted: Some(Moment::from_unix_ms(5_000)),
            headers: "X: 1\r\n".to_owned(),
            flag: Some(FollowUp {
                due: Some(Moment::from_unix_ms(9_000)),
                ..FollowUp::default()
            }),
            ..TypedMessage::default()
        };
        own.common.class = "IPM.Note".to_owned();
        own.common.subject = "one".to_owned();
        own.common.categories = vec!["Blue".to_owned(), "Red".to_owned()];
        own
    }

    /// The members that change when a message becomes what `edit` makes of it.
    fn members(flags: u32, edit: impl FnOnce(&mut TypedMessage)) -> Option<Vec<&'static str>> {
        let (now, mut then) = (message(flags), message(flags));
        edit(&mut then);
        Amendment::between((&now, &[]), (&then, &[])).map(|own| own.members)
    }

    #[test]
    fn a_reader_changes_what_a_reader_can() {
        assert_eq!(members(4, |_| {}), Some(Vec::new()));
        let done = |own: &mut TypedMessage| {
            (own.flags, own.flag, own.common.importance) = (5, None, 2);
            own.common.categories = Vec::new();
        };
        let want = vec!["isRead", "importance", "categories", "flag"];
        assert_eq!(members(4, done), Some(want));
        for edit in [
            |own: &mut TypedMessage| own.common.subject = "two".to_owned(),
            |own: &mut TypedMessage| own.common.body.content = "two".to_owned(),
            |own: &mut TypedMessage| own.to.clear(),
            |own: &mut TypedMessage| own.headers = "Y".to_owned(),
            |own: &mut TypedMessage| own.flags |= 8,
            |own: &mut TypedMessage| own.submitted = Some(Moment::from_unix_ms(9_000)),
            |own: &mut TypedMessage| own.common.sensitivity = 2,
            |own: &mut TypedMessage| own.common.class = "IPM.Note.SMIME".to_owned(),
        ] {
            assert_eq!(members(4, edit), None);
        }
    }

    #[test]
    fn a_draft_is_still_written() {
        let edit = |own: &mut TypedMessage| {
            own.common.subject = "two".to_owned();
            own.common.body = TypedBody {
                html: true,
                content: "<p>two</p>".to_owned(),
            };
            own.to = vec![somebody("A", "c@b.example")];
            own.reply_to = vec![somebody("A", "c@b.example")];
        };
        let want = vec!["subject", "body", "toRecipients", "replyTo"];
        assert_eq!(members(8, edit), Some(want));
        assert_eq!(members(8, |own| own.headers.clear()), None);
    }

    #[test]
    fn what_the_service_writes_in_its_own_way_is_no_change() {
        let now = TypedMessage {
            message_id: "<given@here>".to_owned(),
            conversation_index: "AQID".to_owned(),
            delivered: Some(Moment::from_unix_ms(5_000)),
            from: Some(somebody("Owner", "o@b.example")),
            to: vec![somebody("Another name", "A@B.example")],
            flag: Some(FollowUp {
                start: Some(Moment::from_unix_ms(9_000)),
                due: Some(Moment::from_unix_ms(9_900)),
                ..FollowUp::default()
            }),
            ..message(4)
        };
        let same = Amendment::between((&now, &[]), (&message(4), &[]));
        assert_eq!(same, Some(Amendment::default()));
    }

    #[test]
    fn other_files_are_another_message() {
        let mut own = message(4);
        own.common.attachments = vec![TypedAttachment::default()];
        let told = |byte| vec![(Bytes::new(3), [byte; 32])];
        let (one, two) = (told(1), told(2));
        assert!(Amendment::between((&own, &one), (&own, &one)).is_some());
        assert!(Amendment::between((&own, &one), (&own, &two)).is_none());
        assert!(Amendment::between((&own, &one), (&message(4), &[])).is_none());
    }

    #[test]
    fn only_what_differs_is_sent() {
        let mark = Mark::new(Stamp::Fallback([7; 16]), &TargetMailboxId::new("m"));
        let of = |members: &[&'static str]| Amendment {
            members: members.to_vec(),
        };
        let mut newer = message(1);
        newer.flag = None;
        let read = |body: Vec<u8>| serde_json::from_slice::<Value>(&body).unwrap();
        assert_eq!(
            read(of(&["isRead", "flag"]).body(&newer, &mark)),
            serde_json::json!({"isRead": true, "flag": {"flagStatus": "notFlagged"}})
        );
        let body = read(of(&["toRecipients"]).body(&newer, &mark));
        let address = &body["toRecipients"][0]["emailAddress"]["address"];
        assert_eq!(address, "a@b.example");
        assert_eq!(body["singleValueExtendedProperties"][0]["value"], "[]");
        assert_eq!(body.as_object().unwrap().len(), 2);
        newer.to[0].address = "no address".to_owned();
        let body = read(of(&["toRecipients"]).body(&newer, &mark));
        assert_eq!(body["toRecipients"], serde_json::json!([]));
        let kept = body["singleValueExtendedProperties"][0]["value"].as_str();
        assert!(kept.unwrap().contains("no address"));
    }
}
