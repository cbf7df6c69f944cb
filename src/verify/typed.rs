//! Says whether two typed items are the same item, and where not, which field differs: never its value.
//!
//! Both are written in a canonical form: times to the second, lists without an order sorted, texts without their markup and white space. What the
//! service is known to write in another way is data ([`REWRITES`]); everything else that differs is a finding. A field that the model gets later is
//! compared from the first day, for the form is made of whatever the model holds.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::base::item::Digest;
use crate::base::limits::ATTENDEES_KEPT;
use crate::base::prose;
use crate::base::quantity::Bytes;
use crate::base::typed::{TypedAttachment, TypedItem};
use crate::verify::content::How;

/// When a difference is the service's way of writing, and no finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// As long as this other field is the same.
    IfSame(&'static str),
    /// The source has nothing, and the target anything.
    Given,
    /// The source has nothing, and the target what this other field of the source has.
    StandsFor(&'static str),
    /// The target has more in front of the same.
    Prefixed,
    /// The source's list is longer than so many, and the target has nothing but entries of it, and so many at least.
    Beyond(usize),
    /// The route does not carry it.
    NotCarried,
}

/// One thing that the service or the route is known to write in another way.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite {
    /// `message`, `event` or `contact`.
    pub family: &'static str,
    /// Which field.
    pub field: &'static str,
    /// When.
    pub rule: Rule,
    /// Why, for people.
    pub words: &'static str,
}

const fn rewrite(
    family: &'static str,
    field: &'static str,
    rule: Rule,
    words: &'static str,
) -> Rewrite {
    Rewrite {
        family,
        field,
        rule,
        words,
    }
}

const HTML: &str = "the service writes the text in another form; the text is the same";
const NAMES: &str =
    "the service shows the name that its own address book has; the address is the same";
const OWNER: &str = "the service names the owner of the mailbox where nobody was named";
const DATES: &str =
    "each date stands for the other where one is missing, so that none is the day of the move";
const TYPES: &str = "the service tells a file's type by its own list; name and bytes are the same";
const INVITED: &str = "nobody is invited again: who was stands at the head of the text";
const HELD: &str =
    "the reminder is off until the final pass turns it on, as the plan says; it is kept as it was";
const NO_PLACE: &str = "the service has no place for it";

/// The table: reference/graph.md 2.1 to 2.5 where it says so, else general knowledge that a probe has to confirm (message ids, conversation
/// indexes, the owner as sender).
pub const REWRITES: &[Rewrite] = &[
    rewrite(
        "message",
        "common.body.html",
        Rule::IfSame("common.body.content"),
        HTML,
    ),
    rewrite("message", "from.name", Rule::IfSame("from.address"), NAMES),
    rewrite(
        "message",
        "sender.name",
        Rule::IfSame("sender.address"),
        NAMES,
    ),
    rewrite("message", "to.names", Rule::IfSame("to"), NAMES),
    rewrite("message", "cc.names", Rule::IfSame("cc"), NAMES),
    rewrite("message", "bcc.names", Rule::IfSame("bcc"), NAMES),
    rewrite("message", "reply_to.names", Rule::IfSame("reply_to"), NAMES),
    rewrite("message", "from.address", Rule::Given, OWNER),
    rewrite("message", "from.name", Rule::Given, OWNER),
    rewrite("message", "sender.address", Rule::Given, OWNER),
    rewrite("message", "sender.name", Rule::Given, OWNER),
    rewrite(
        "message",
        "message_id",
        Rule::Given,
        "the service gives an id to a message that has none",
    ),
    rewrite(
        "message",
        "conversation_index",
        Rule::Given,
        "the service begins a conversation where none was named",
    ),
    rewrite(
        "message",
        "flag.start",
        Rule::StandsFor("flag.due"),
        "a flag that is due begins no later than then",
    ),
    rewrite("message", "submitted", Rule::StandsFor("delivered"), DATES),
    rewrite("message", "submitted", Rule::StandsFor(MADE), DATES),
    rewrite("message", "delivered", Rule::StandsFor("submitted"), DATES),
    rewrite("message", "delivered", Rule::StandsFor(MADE), DATES),
    rewrite(
        "message",
        "attachments.types",
        Rule::IfSame("attachments"),
        TYPES,
    ),
    rewrite(
        "event",
        "common.body.html",
        Rule::IfSame("common.body.content"),
        HTML,
    ),
    rewrite("event", "common.body.html", Rule::Prefixed, HTML),
    rewrite("event", "common.body.content", Rule::Prefixed, INVITED),
    rewrite(
        "event",
        "attendees",
        Rule::Beyond(ATTENDEES_KEPT),
        "a property holds so many; all of them are named in the text",
    ),
    rewrite("event", "reminder_held", Rule::Given, HELD),
    rewrite(
        "event",
        "attachments.types",
        Rule::IfSame("attachments"),
        TYPES,
    ),
    rewrite(
        "contact",
        "common.body.html",
        Rule::IfSame("common.body.content"),
        HTML,
    ),
    rewrite("contact", "emails.names", Rule::IfSame("emails"), NAMES),
    rewrite("contact", "attachments", Rule::NotCarried, NO_PLACE),
    rewrite("contact", "attachments.types", Rule::NotCarried, NO_PLACE),
    rewrite("contact", "attachments.places", Rule::NotCarried, NO_PLACE),
];

/// Not compared: when the source made the item, for want of a better date.
const MADE: &str = "made";

/// Fields that hold a [`crate::base::quantity::Moment`], by their last name.
const MOMENTS: [&str; 9] = [
    "created",
    "modified",
    "submitted",
    "delivered",
    "start",
    "due",
    "completed",
    "answered",
    "original",
];

/// Lists whose order says nothing.
const UNORDERED: [&str; 5] = ["categories", "phones", "addresses", "attendees", "days"];

/// Lists of people that are compared by their addresses.
const PEOPLE: [&str; 5] = ["to", "cc", "bcc", "reply_to", "emails"];

/// An item in canonical form. It holds content, so nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Canon {
    family: String,
    fields: BTreeMap<String, Vec<String>>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypedDifference {
    /// The field, as the model calls it.
    pub field: String,
    /// How.
    pub how: How,
    /// Why it is no finding, where the table says so.
    pub effect: Option<&'static str>,
}

/// The result for one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypedJudged {
    /// The same.
    Same,
    /// The same but for what the table names.
    ByRoute(Vec<TypedDifference>),
    /// Something else differs; what the table names is among it.
    Differs(Vec<TypedDifference>),
}

impl Canon {
    /// The canonical form of an item. `attachments` are length and SHA-256 of each, in the order of [`TypedItem::attachments`].
    pub fn of(item: &TypedItem, attachments: &[(Bytes, [u8; 32])]) -> Self {
        let mut value = serde_json::to_value(item).unwrap_or_default();
        let family = value["family"].as_str().unwrap_or_default().to_owned();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("family");
        }
        let mut form = Form {
            fields: BTreeMap::new(),
        };
        let own = &item.common().attachments;
        let photo = match item {
            TypedItem::Contact(contact) => contact.photo.and_then(|at| usize::try_from(at).ok()),
            TypedItem::Message(_) | TypedItem::Event(_) => None,
        };
        let (first, rest) = attachments.split_at(own.len().min(attachments.len()));
        form.item(&value, "");
        form.attachments(own, first, photo, "");
        if let TypedItem::Event(event) = item {
            let mut rest = rest;
            for (at, exception) in event.exceptions.iter().enumerate() {
                let Some(instead) = &exception.instead else {
                    continue;
                };
                let own = &instead.common.attachments;
                let (now, later) = rest.split_at(own.len().min(rest.len()));
                form.attachments(own, now, None, &format!("exceptions.{at}.instead."));
                rest = later;
            }
        }
        Self {
            family,
            fields: form.fields,
        }
    }

    /// The canonical digest: same content, same value, on both sides.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        let mut text = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        text(&self.family);
        for (field, values) in self.fields.iter().filter(|(field, _)| *field != MADE) {
            text(field);
            text(&values.len().to_string());
            for value in values {
                text(value);
            }
        }
        Digest(hash.finalize().into())
    }
}

struct Form {
    fields: BTreeMap<String, Vec<String>>,
}

impl Form {
    /// The fields of one item: the item itself, or what stands instead of an occurrence.
    fn item(&mut self, value: &Value, prefix: &str) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let field = format!("{prefix}{name}");
            match (name.as_str(), value) {
                ("common", own) => self.common(own, prefix),
                ("flags", own) => {
                    let bits = own.as_u64().unwrap_or(0);
                    self.one(format!("{field}.read"), (bits & 1 != 0).to_string());
                    self.one(format!("{field}.draft"), (bits & 8 != 0).to_string());
                }
                ("exceptions", Value::Array(all)) => {
                    for (at, one) in all.iter().enumerate() {
                        self.any(
                            &format!("{field}.{at}.original"),
                            "original",
                            &one["original"],
                        );
                        match &one["instead"] {
                            Value::Null => {
                                self.one(format!("{field}.{at}.deleted"), "true".to_owned());
                            }
                            instead => self.item(instead, &format!("{field}.{at}.instead.")),
                        }
                    }
                }
                (list, Value::Array(all)) if PEOPLE.contains(&list) => self.people(&field, all),
                // Told by its bytes.
                ("photo", _) => {}
                (own, value) => self.any(&field, own, value),
            }
        }
    }

    fn common(&mut self, common: &Value, prefix: &str) {
        let html = common["body"]["html"] == Value::Bool(true);
        for (name, value) in common.as_object().into_iter().flatten() {
            let field = format!("{prefix}common.{name}");
            match name.as_str() {
                // Counted by each store for itself.
                "created" | "modified" | "attachments" => {}
                "class" => self.one(
                    field,
                    value.as_str().unwrap_or_default().to_ascii_lowercase(),
                ),
                "body" => {
                    let content = value["content"].as_str().unwrap_or_default();
                    self.one(format!("{field}.content"), prose::bare(content, html));
                    self.one(format!("{field}.html"), html.to_string());
                }
                own => self.any(&field, own, value),
            }
        }
        let made = [&common["created"], &common["modified"]];
        if let (true, Some(made)) = (
            prefix.is_empty(),
            made.into_iter().find(|own| own.is_number()),
        ) {
            self.any(MADE, "created", made);
        }
    }

    /// Any field, by the shape of its value.
    fn any(&mut self, field: &str, name: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.any(&format!("{field}.{name}"), name, value);
                }
            }
            Value::Array(all) => {
                let mut values: Vec<String> = all.iter().map(|one| plain(name, one)).collect();
                if UNORDERED.contains(&name) {
                    values.sort();
                }
                self.many(field.to_owned(), values);
            }
            Value::Null => {}
            single => self.one(field.to_owned(), plain(name, single)),
        }
    }

    fn people(&mut self, field: &str, all: &[Value]) {
        let text = |one: &Value, part: &str| one[part].as_str().unwrap_or_default().to_owned();
        let key = |one: &Value| {
            let address = text(one, "address").to_lowercase();
            if address.is_empty() {
                text(one, "name")
            } else {
                address
            }
        };
        let mut keys: Vec<String> = all.iter().map(key).collect();
        let name = |one: &Value| format!("{}\0{}", key(one), text(one, "name"));
        let mut names: Vec<String> = all.iter().map(name).collect();
        keys.sort();
        names.sort();
        self.many(field.to_owned(), keys);
        self.many(format!("{field}.names"), names);
    }

    fn attachments(
        &mut self,
        own: &[TypedAttachment],
        bytes: &[(Bytes, [u8; 32])],
        photo: Option<usize>,
        prefix: &str,
    ) {
        let (mut files, mut types, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (at, file) in own.iter().enumerate() {
            let told = bytes.get(at).map(|(len, hash)| (len.get(), hash));
            if photo == Some(at) {
                self.one(format!("{prefix}photo"), format!("{told:?}"));
                continue;
            }
            // What has no name gets one on the way.
            let name = if file.name.is_empty() {
                "unnamed"
            } else {
                &file.name
            };
            files.push(format!("{name}\0{told:?}"));
            types.push(format!(
                "{name}\0{}",
                file.content_type.to_ascii_lowercase()
            ));
            places.push(format!("{name}\0{}\0{}", file.content_id, file.inline));
        }
        for (name, mut values) in [("", files), (".types", types), (".places", places)] {
            values.sort();
            self.many(format!("{prefix}attachments{name}"), values);
        }
    }

    fn one(&mut self, field: String, value: String) {
        if !value.is_empty() {
            self.fields.insert(field, vec![value]);
        }
    }

    fn many(&mut self, field: String, values: Vec<String>) {
        if !values.is_empty() {
            self.fields.insert(field, values);
        }
    }
}

/// A value as text: times in seconds, lines ended one way, nothing trailing.
fn plain(name: &str, value: &Value) -> String {
    match value {
        Value::Number(n) => match n.as_i64().filter(|_| MOMENTS.contains(&name)) {
            Some(ms) => ms.div_euclid(1_000).to_string(),
            None => n.to_string(),
        },
        Value::String(text) => text.replace("\r\n", "\n").trim_end().to_owned(),
        Value::Object(fields) => {
            let parts = fields
                .iter()
                .map(|(name, value)| format!("{name}={}", plain(name, value)));
            parts.collect::<Vec<_>>().join("\0")
        }
        Value::Array(all) => {
            let parts = all.iter().map(|one| plain(name, one));
            parts.collect::<Vec<_>>().join("\0")
        }
        Value::Bool(own) => own.to_string(),
        Value::Null => String::new(),
    }
}

/// Which fields differ. Empty exactly where the digests are the same.
pub fn compare(source: &Canon, target: &Canon) -> Vec<TypedDifference> {
    if source.family != target.family {
        return vec![TypedDifference {
            field: "family".to_owned(),
            how: How::Changed,
            effect: None,
        }];
    }
    let mut names: Vec<&String> = source.fields.keys().chain(target.fields.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().filter_map(|field| {
        let (left, right) = (source.fields.get(field), target.fields.get(field));
        let how = match (left, right) {
            _ if field == MADE => return None,
            (left, right) if left == right => return None,
            (_, None) => How::Missing,
            (None, _) => How::Added,
            _ => How::Changed,
        };
        Some(TypedDifference {
            field: field.clone(),
            how,
            effect: effect(source, target, field),
        })
    });
    differing.collect()
}

/// Says what the differences of two items amount to.
pub fn judge(source: &Canon, target: &Canon) -> TypedJudged {
    let differences = compare(source, target);
    if differences.is_empty() {
        TypedJudged::Same
    } else if differences.iter().all(|own| own.effect.is_some()) {
        TypedJudged::ByRoute(differences)
    } else {
        TypedJudged::Differs(differences)
    }
}

/// Why the table lets this field differ.
fn effect(source: &Canon, target: &Canon, field: &str) -> Option<&'static str> {
    // Inside an occurrence the fields are called as in the item itself.
    let (prefix, bare) = match field.split_once(".instead.") {
        Some((head, bare)) => (format!("{head}.instead."), bare),
        None => (String::new(), field),
    };
    let of = |side: &Canon, name: &str| side.fields.get(&format!("{prefix}{name}")).cloned();
    let holds = |rule: Rule| match rule {
        Rule::IfSame(other) => of(source, other) == of(target, other),
        Rule::Given => of(source, bare).is_none(),
        Rule::StandsFor(other) => {
            let other = of(source, other);
            of(source, bare).is_none() && other.is_some() && other == of(target, bare)
        }
        Rule::Prefixed => {
            let text = |side: &Canon| of(side, "common.body.content").map(|text| text.concat());
            let before = text(source).unwrap_or_default();
            text(target).is_some_and(|after| after.ends_with(&before))
        }
        Rule::Beyond(n) => {
            let mut more = of(source, bare).unwrap_or_default();
            let some = of(target, bare).unwrap_or_default();
            let whole = more.len() > n && some.len() >= n;
            whole
                && some.iter().all(|own| {
                    let found = more.iter().position(|other| other == own);
                    found.map(|at| more.remove(at)).is_some()
                })
        }
        Rule::NotCarried => true,
    };
    let own = |row: &&Rewrite| row.family == source.family && row.field == bare && holds(row.rule);
    REWRITES.iter().find(own).map(|row| row.words)
}

#[cfg(test)]
#[path = "typed_tests.rs"]
mod tests;
