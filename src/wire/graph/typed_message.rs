//! Messages of the typed route: the one request that creates a message as what it was, and a message as the service shows it.
//!
//! Graph ignores dates and headers among the ordinary fields of a create and makes a draft of everything, unless extended properties in the same
//! request say otherwise (reference/graph.md 2.1). So everything is in the create; nothing is mended later, which from 2026-12-31 on needs another
//! permission. The types have no receipt requests, so that none can be asked for.

use base64_simd::STANDARD;
use serde::{Deserialize, Serialize};

use crate::base::item::{Placed, Stamp};
use crate::base::limits::GRAPH_REQUEST_MAX;
use crate::base::losses::{self, Family};
use crate::base::outcome::Setback;
use crate::base::quantity::Moment;
use crate::base::typed::{FollowUp, Person, TypedAttachment, TypedBody, TypedCommon, TypedMessage};
use crate::wire::graph::property::{self, NamedId, Property, PropertyId};
use crate::wire::graph::provenance::Mark;
use crate::wire::graph::query::ListQuery;
use crate::wire::graph::typed_attachment::post_body;
use crate::wire::graph::{items, json, provenance};
use crate::wire::item_stream::tags::{
    FLAG_READ as READ, FLAG_SUBMITTED as SUBMITTED, FLAG_UNSENT as UNSENT,
};

/// Who has no address that a service takes, with their places in the lists: kept here, and put back when the message is read.
pub const UNADDRESSED: NamedId = NamedId::text(provenance::SET, "mailferry-unaddressed");

/// The properties that are read back, beside the fields.
const EXPANDED: [PropertyId; 8] = [
    PropertyId::SUBMITTED,
    PropertyId::DELIVERED,
    PropertyId::FLAGS,
    PropertyId::HEADERS,
    PropertyId::IN_REPLY_TO,
    PropertyId::REFERENCES,
    PropertyId::CLASS,
    PropertyId::SENSITIVITY,
];

/// The fields that are read back.
const SELECTED: [&str; 20] = [
    "id",
    "changeKey",
    "subject",
    "body",
    "importance",
    "categories",
    "isRead",
    "isDraft",
    "internetMessageId",
    "conversationIndex",
    "from",
    "sender",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "flag",
    "createdDateTime",
    "lastModifiedDateTime",
    "hasAttachments",
];

/// Why a message is not created by the typed route. Nothing of it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its class is no message's, or one that would act: a meeting request is answered, a task request accepted.
    Class,
    /// Text and headers alone are more than a request holds.
    TooLarge,
    /// It was sent or received, and nothing says when: the service would give it the day of the move.
    Undated,
}

/// A text.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ItemBody {
    /// `text` or `html`.
    pub content_type: Option<String>,
    /// The text.
    pub content: Option<String>,
}

/// Somebody.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recipient {
    /// Name and address.
    pub email_address: Option<EmailAddress>,
}

/// Name and address.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmailAddress {
    /// Display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A time and its zone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ZonedTime {
    /// Without an offset.
    pub date_time: String,
    /// Zone.
    pub time_zone: Option<String>,
}

/// A follow-up flag.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Flag {
    /// `notFlagged`, `flagged` or `complete`.
    pub flag_status: Option<String>,
    /// Begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date_time: Option<ZonedTime>,
    /// Due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_date_time: Option<ZonedTime>,
    /// Done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_date_time: Option<ZonedTime>,
}

/// The fields that a create and a reading share, in the service's names.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageFields {
    /// Subject.
    pub subject: Option<String>,
    /// Text.
    pub body: Option<ItemBody>,
    /// `low`, `normal` or `high`.
    pub importance: Option<String>,
    /// Category names.
    pub categories: Vec<String>,
    /// Read.
    pub is_read: Option<bool>,
    /// Message id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internet_message_id: Option<String>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_index: Option<String>,
    /// On whose behalf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Recipient>,
    /// Who handed it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Recipient>,
    /// To.
    pub to_recipients: Vec<Recipient>,
    /// Cc.
    pub cc_recipients: Vec<Recipient>,
    /// Bcc.
    pub bcc_recipients: Vec<Recipient>,
    /// Reply-To.
    pub reply_to: Vec<Recipient>,
    /// Follow-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<Flag>,
    /// Extended properties.
    pub single_value_extended_properties: Vec<Property>,
}

/// A message ready to be created: its request without attachments.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// JSON without its last brace.
    head: Vec<u8>,
}

impl NewMessage {
    /// The request for a message that bears `mark`.
    pub fn of(message: &TypedMessage, mark: &Mark) -> Result<Self, Unfit> {
        if losses::family_of(&message.common.class) != Some(Family::Message) {
            return Err(Unfit::Class);
        }
        if !message.draft() && dates_of(message).0.and_then(time_text).is_none() {
            return Err(Unfit::Undated);
        }
        let mut head = json::write(&fields_of(message, mark));
        head.pop();
        if head.len() as u64 >= GRAPH_REQUEST_MAX.get() {
            return Err(Unfit::TooLarge);
        }
        Ok(Self { head })
    }

    /// Length of the request without attachments.
    pub fn bare_len(&self) -> u64 {
        self.head.len() as u64 + 1
    }

    /// The whole request, with these attachments inside.
    pub fn body<'a>(
        &self,
        inside: impl IntoIterator<Item = (&'a TypedAttachment, &'a [u8])>,
    ) -> Vec<u8> {
        let mut out = self.head.clone();
        let mut any = false;
        for (own, bytes) in inside {
            out.extend_from_slice(if any { b"," } else { b",\"attachments\":[" });
            out.extend(post_body(own, bytes));
            any = true;
        }
        if any {
            out.push(b']');
        }
        out.push(b'}');
        out
    }
}

pub(super) fn fields_of(message: &TypedMessage, mark: &Mark) -> MessageFields {
    let common = &message.common;
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut aside = Aside::default();
    let mut fields = MessageFields {
        subject: Some(common.subject.clone()),
        body: Some(ItemBody {
            content_type: Some(if common.body.html { "html" } else { "text" }.to_owned()),
            content: Some(common.body.content.clone()),
        }),
        importance: Some(IMPORTANCE[usize::from(common.importance.min(2))].to_owned()),
        categories: common.categories.clone(),
        is_read: Some(message.read()),
        internet_message_id: some(&message.message_id),
        conversation_index: some(&message.conversation_index).filter(|text| is_base64(text)),
        from: aside.one("from", message.from.as_ref()),
        sender: aside.one("sender", message.sender.as_ref()),
        to_recipients: aside.list("to", &message.to),
        cc_recipients: aside.list("cc", &message.cc),
        bcc_recipients: aside.list("bcc", &message.bcc),
        reply_to: aside.list("reply_to", &message.reply_to),
        flag: message.flag.as_ref().map(flag_of),
        single_value_extended_properties: properties_of(message, mark),
    };
    if !aside.0.is_empty() {
        let text = String::from_utf8(json::write(&aside.0)).unwrap_or_default();
        let property = Property::named(&UNADDRESSED, text);
        fields.single_value_extended_properties.push(property);
    }
    fields
}

const IMPORTANCE: [&str; 3] = ["low", "normal", "high"];

fn is_base64(text: &str) -> bool {
    STANDARD.check(text.as_bytes()).is_ok()
}

/// The extended properties of a create.
fn properties_of(message: &TypedMessage, mark: &Mark) -> Vec<Property> {
    let common = &message.common;
    let mut out = vec![provenance::mark(mark)];
    let mut add = |id, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.push(Property::tagged(id, value));
        }
    };
    let (submitted, delivered) = dates_of(message);
    add(PropertyId::SUBMITTED, submitted.and_then(time_text));
    add(PropertyId::DELIVERED, delivered.and_then(time_text));
    add(PropertyId::FLAGS, flags_of(message).map(|n| n.to_string()));
    add(PropertyId::CLASS, Some(common.class.clone()));
    add(PropertyId::HEADERS, Some(message.headers.clone()));
    add(PropertyId::IN_REPLY_TO, Some(message.in_reply_to.clone()));
    add(PropertyId::REFERENCES, Some(message.references.clone()));
    let sensitivity = (common.sensitivity != 0).then(|| common.sensitivity.to_string());
    add(PropertyId::SENSITIVITY, sensitivity);
    out
}

/// PidTagMessageFlags of a create; a draft is what the service makes without it. Of what was sent or received only two bits count, and one of them is
/// always set: 1 and 4 are known to make no draft (reference/graph.md 2.1), 0 is not.
fn flags_of(message: &TypedMessage) -> Option<u32> {
    let bits = message.flags & (READ | SUBMITTED);
    (!message.draft()).then_some(if bits == 0 { SUBMITTED } else { bits })
}

/// Submit and delivery time of a create. What was no draft has both, each in place of a missing other: without them the service would set today's date.
fn dates_of(message: &TypedMessage) -> (Option<Moment>, Option<Moment>) {
    let (submitted, delivered) = (message.submitted, message.delivered);
    if message.draft() {
        return (submitted, delivered);
    }
    let made = message.common.created.or(message.common.modified);
    (
        submitted.or(delivered).or(made),
        delivered.or(submitted).or(made),
    )
}

/// A time as properties carry it: UTC, whole seconds. Nothing before 1601 or after 9999.
pub fn time_text(at: Moment) -> Option<String> {
    let text = at.to_string();
    property::filetime(&text).map(|_| text)
}

fn zoned(at: Moment) -> Option<ZonedTime> {
    let text = time_text(at)?;
    Some(ZonedTime {
        date_time: text.trim_end_matches('Z').to_owned(),
        time_zone: Some("UTC".to_owned()),
    })
}

/// The service takes no due time without a begin (followUpFlag resource: 400), so that the due time stands for a missing one.
fn flag_of(own: &FollowUp) -> Flag {
    Flag {
        flag_status: Some(if own.complete { "complete" } else { "flagged" }.to_owned()),
        start_date_time: own.start.or(own.due).and_then(zoned),
        due_date_time: own.due.and_then(zoned),
        completed_date_time: own.completed.filter(|_| own.complete).and_then(zoned),
    }
}

/// Who cannot be written as a recipient: list, place in it, name, address.
#[derive(Default)]
struct Aside(Vec<(String, usize, String, String)>);

impl Aside {
    fn one(&mut self, list: &str, person: Option<&Person>) -> Option<Recipient> {
        self.list(list, person.map(std::slice::from_ref)?).pop()
    }

    fn list(&mut self, list: &str, people: &[Person]) -> Vec<Recipient> {
        let mut out = Vec::new();
        for (at, person) in people.iter().enumerate() {
            if is_address(&person.address) {
                out.push(recipient(person));
            } else {
                let (name, address) = (person.name.clone(), person.address.clone());
                self.0.push((list.to_owned(), at, name, address));
            }
        }
        out
    }
}

/// True for what a service takes as an address: one part before an `@`, one behind, nothing that breaks a line or a list.
pub fn is_address(text: &str) -> bool {
    let plain =
        |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | ',' | ';');
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && text.chars().all(plain)
}

/// Somebody with an address.
pub fn recipient(person: &Person) -> Recipient {
    Recipient {
        email_address: Some(EmailAddress {
            name: Some(person.name.clone()).filter(|name| !name.is_empty()),
            address: Some(person.address.clone()),
        }),
    }
}

/// A message as the service shows it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShownMessage {
    /// Id. Always there.
    pub id: Option<String>,
    /// Version.
    pub change_key: Option<String>,
    /// Never sent.
    pub is_draft: Option<bool>,
    /// When the store took it in.
    pub created_date_time: Option<String>,
    /// When it last changed.
    pub last_modified_date_time: Option<String>,
    /// Delivery time, where the property is not shown.
    pub received_date_time: Option<String>,
    /// Submit time, likewise.
    pub sent_date_time: Option<String>,
    /// Whether there is more to read.
    pub has_attachments: Option<bool>,
    /// Everything else.
    #[serde(flatten)]
    pub fields: MessageFields,
}

impl ShownMessage {
    /// The query that reads a message with everything we compare.
    pub fn query() -> String {
        let query = ListQuery {
            select: SELECTED.iter().map(|&name| name.to_owned()).collect(),
            expand: EXPANDED.to_vec(),
            named: vec![provenance::SOURCE, UNADDRESSED],
            ..ListQuery::default()
        };
        query.encode()
    }

    /// Reads an answer.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, Setback> {
        json::read(status, body)
    }

    /// Id and version. Both must be there.
    pub fn placed(&self, status: u16) -> Result<Placed, Setback> {
        items::placed(self.id.as_deref(), self.change_key.as_deref(), status)
    }

    /// The message in our words, without attachments: those are listed by another call.
    pub fn typed(&self) -> TypedMessage {
        let fields = &self.fields;
        let properties = &fields.single_value_extended_properties;
        let value = |id| property::value_of(properties, id);
        let text = |id| value(id).unwrap_or_default().to_owned();
        let time = |id, field: &Option<String>| {
            let field = field.as_deref();
            value(id).or(field).and_then(property::moment)
        };
        let number = |id| {
            value(id)
                .and_then(|text| text.parse::<u32>().ok())
                .unwrap_or(0)
        };
        let bit = |set: Option<bool>, bit| if set == Some(true) { bit } else { 0 };
        let aside = aside_of(properties);
        let one = |list, shown: &Option<Recipient>| {
            let shown = shown.as_ref().map(person);
            aside
                .back(list, shown.into_iter().collect())
                .into_iter()
                .next()
        };
        TypedMessage {
            common: self.common(),
            message_id: fields.internet_message_id.clone().unwrap_or_default(),
            flags: bit(fields.is_read, READ)
                | bit(self.is_draft, UNSENT)
                | number(PropertyId::FLAGS) & SUBMITTED,
            submitted: time(PropertyId::SUBMITTED, &self.sent_date_time),
            delivered: time(PropertyId::DELIVERED, &self.received_date_time),
            from: one("from", &fields.from),
            sender: one("sender", &fields.sender),
            to: aside.back("to", people(&fields.to_recipients)),
            cc: aside.back("cc", people(&fields.cc_recipients)),
            bcc: aside.back("bcc", people(&fields.bcc_recipients)),
            reply_to: aside.back("reply_to", people(&fields.reply_to)),
            headers: text(PropertyId::HEADERS),
            in_reply_to: text(PropertyId::IN_REPLY_TO),
            references: text(PropertyId::REFERENCES),
            conversation_index: fields.conversation_index.clone().unwrap_or_default(),
            flag: fields.flag.as_ref().and_then(follow_up),
        }
    }

    fn common(&self) -> TypedCommon {
        let fields = &self.fields;
        let properties = &fields.single_value_extended_properties;
        let value = |id| property::value_of(properties, id);
        let key = match provenance::of(properties).map(|mark| mark.stamp) {
            Some(Stamp::Key(key)) => key.to_string(),
            Some(Stamp::Fallback(_)) | None => String::new(),
        };
        let importance = fields.importance.as_deref().unwrap_or("normal");
        let place = IMPORTANCE.iter().position(|word| *word == importance);
        let body = fields.body.clone().unwrap_or_default();
        let moment = |text: &Option<String>| text.as_deref().and_then(property::moment);
        TypedCommon {
            // A message of the service that shows no class is an ordinary one.
            class: value(PropertyId::CLASS).unwrap_or("IPM.Note").to_owned(),
            search_key: key,
            subject: fields.subject.clone().unwrap_or_default(),
            body: TypedBody {
                html: body
                    .content_type
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("html")),
                content: body.content.unwrap_or_default(),
            },
            importance: place.and_then(|at| u8::try_from(at).ok()).unwrap_or(1),
            sensitivity: value(PropertyId::SENSITIVITY)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            categories: fields.categories.clone(),
            created: moment(&self.created_date_time),
            modified: moment(&self.last_modified_date_time),
            attachments: Vec::new(),
        }
    }
}

fn people(shown: &[Recipient]) -> Vec<Person> {
    shown.iter().map(person).collect()
}

fn person(shown: &Recipient) -> Person {
    let own = shown.email_address.clone().unwrap_or_default();
    Person {
        name: own.name.unwrap_or_default(),
        address: own.address.unwrap_or_default(),
    }
}

fn follow_up(shown: &Flag) -> Option<FollowUp> {
    let complete = match shown.flag_status.as_deref() {
        Some("flagged") => false,
        Some("complete") => true,
        _ => return None,
    };
    // Asked without a preferred zone, the service answers in UTC.
    let time = |own: &Option<ZonedTime>| {
        let text = &own.as_ref()?.date_time;
        property::moment(&format!("{}Z", text.trim_end_matches('Z')))
    };
    Some(FollowUp {
        complete,
        start: time(&shown.start_date_time),
        due: time(&shown.due_date_time),
        completed: time(&shown.completed_date_time),
    })
}

fn aside_of(properties: &[Property]) -> Aside {
    let kept = property::named_value_of(properties, &UNADDRESSED);
    Aside(
        kept.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default(),
    )
}

impl Aside {
    /// The list with those put back that were left out, in their places.
    fn back(&self, list: &str, mut shown: Vec<Person>) -> Vec<Person> {
        for (_, at, name, address) in self.0.iter().filter(|own| own.0 == list) {
            let person = Person {
                name: name.clone(),
                address: address.clone(),
            };
            shown.insert((*at).min(shown.len()), person);
        }
        shown
    }
}

#[cfg(test)]
#[path = "typed_message_tests.rs"]
mod tests;
