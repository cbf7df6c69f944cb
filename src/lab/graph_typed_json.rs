//! Messages as requests of the Mail API write them, read strictly into a property tree (reference/graph.md 2.1 and 2.7).

use serde_json::{Map, Value};

use super::typed_make::{
    FROM, SENDER, attach, set_body, set_categories, set_flag, set_named, set_person,
    set_recipients, set_reply_to, set_subject, set_text,
};
use crate::base::quantity::Moment;
use crate::base::typed::{FollowUp, Person, TypedAttachment, TypedBody};
use crate::wire::base64;
use crate::wire::graph::property::{NamedId, PropertyId, PropertyType, filetime, moment};
use crate::wire::item_stream::{Message, Prop, tags};

/// What `$select` may name of a message.
pub(super) const MESSAGE_FIELDS: &[&str] = &[
    "id",
    "changeKey",
    "parentFolderId",
    "subject",
    "body",
    "bodyPreview",
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
    "receivedDateTime",
    "sentDateTime",
    "hasAttachments",
];

/// Taken without a word, and without effect: this is how a create by fields loses dates and headers.
const IGNORED: [&str; 15] = [
    "id",
    "changeKey",
    "parentFolderId",
    "bodyPreview",
    "uniqueBody",
    "conversationId",
    "webLink",
    "inferenceClassification",
    "isDraft",
    "hasAttachments",
    "internetMessageHeaders",
    "receivedDateTime",
    "sentDateTime",
    "createdDateTime",
    "lastModifiedDateTime",
];

/// What only a draft may still change (reference/graph.md 2.1, from the end of 2026 on).
const OF_DRAFTS: [&str; 8] = [
    "subject",
    "body",
    "from",
    "sender",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
];

/// Why a request is none.
pub(super) type Broken = &'static str;

/// True where a change touches what only a draft may still change.
pub(super) fn touches_text(value: &Value) -> bool {
    let members = value.as_object();
    members.is_some_and(|own| OF_DRAFTS.iter().any(|name| own.contains_key(*name)))
}

/// True where somebody would get a receipt.
pub(super) fn asks_for_receipts(value: &Value) -> bool {
    ["isReadReceiptRequested", "isDeliveryReceiptRequested"]
        .iter()
        .any(|name| value[*name] == Value::Bool(true))
}

/// A new message, a draft unless its request says otherwise. What the store adds comes later.
pub(super) fn created(value: &Value) -> Result<Message, Broken> {
    let mut out = Message::default();
    out.set(Prop::text(tags::MESSAGE_CLASS, "IPM.Note"));
    out.set(Prop::i32(tags::MESSAGE_FLAGS, tags::FLAG_UNSENT));
    out.set(Prop::i32(0x0017, 1));
    set_subject(&mut out, "");
    apply(&mut out, value)?;
    if let Some(files) = value.get("attachments") {
        for file in files.as_array().ok_or("attachments are a list")? {
            let (own, bytes) = file_of(file)?;
            attach(&mut out, &own, bytes);
        }
    }
    Ok(out)
}

/// Writes the members of a request into a message.
pub(super) fn apply(out: &mut Message, value: &Value) -> Result<(), Broken> {
    let members = value.as_object().ok_or("a message is an object")?;
    for (name, value) in members {
        member(out, name, value)?;
    }
    // Whatever the flags say, this is what is asked for by name.
    if let Some(read) = members.get("isRead") {
        let read = read.as_bool().ok_or("isRead is true or false")?;
        let flags = number(out, tags::MESSAGE_FLAGS) & !tags::FLAG_READ;
        out.set(Prop::i32(tags::MESSAGE_FLAGS, flags | u32::from(read)));
    }
    Ok(())
}

fn member(out: &mut Message, name: &str, value: &Value) -> Result<(), Broken> {
    let text = || value.as_str().ok_or("a text is a string");
    match name {
        "isRead" | "attachments" => {}
        "isReadReceiptRequested" | "isDeliveryReceiptRequested" => {
            value.as_bool().ok_or("a receipt is asked for or not")?;
        }
        "subject" => set_subject(out, text()?),
        "body" => set_body(out, &body_of(value)?),
        "importance" => {
            let place = IMPORTANCE.iter().position(|word| value == word);
            let place = place.ok_or("importance is low, normal or high")?;
            out.set(Prop::i32(0x0017, u32::try_from(place).unwrap_or(1)));
        }
        "categories" => {
            set_categories(out, &texts(value)?);
        }
        "internetMessageId" => set_text(out, tags::INTERNET_MESSAGE_ID, text()?),
        "conversationIndex" => {
            let index = base64::decode(text()?).map_err(|_| "conversationIndex is base64")?;
            out.set(Prop::binary(0x0071, index));
        }
        "from" => set_person(out, FROM, somebody(value)?.as_ref()),
        "sender" => set_person(out, SENDER, somebody(value)?.as_ref()),
        "toRecipients" => set_recipients(out, 1, &people(value)?),
        "ccRecipients" => set_recipients(out, 2, &people(value)?),
        "bccRecipients" => set_recipients(out, 3, &people(value)?),
        "replyTo" => set_reply_to(out, &people(value)?),
        "flag" => set_flag(out, flag_of(value)?.as_ref()),
        "singleValueExtendedProperties" => {
            for own in value.as_array().ok_or("extended properties are a list")? {
                extended(out, own)?;
            }
        }
        other if IGNORED.contains(&other) || other.contains("@odata.") => {}
        _ => return Err("a member that messages do not have"),
    }
    Ok(())
}

/// A list of texts.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, Broken> {
    let all = value.as_array().ok_or("a list of texts")?;
    let all: Option<Vec<String>> = all
        .iter()
        .map(|own| own.as_str().map(str::to_owned))
        .collect();
    all.ok_or("a list of texts")
}

/// The extended properties of a request, by id and value.
pub(super) fn marks(fields: &Map<String, Value>) -> Result<Vec<(String, String)>, Broken> {
    const UNREADABLE: Broken = "an extended property that cannot be read";
    let Some(all) = fields.get("singleValueExtendedProperties") else {
        return Ok(Vec::new());
    };
    let all = all.as_array().ok_or(UNREADABLE)?;
    all.iter()
        .map(|own| {
            let own = only(own, &["id", "value"])?;
            let text = |name: &str| own.get(name).and_then(Value::as_str).map(str::to_owned);
            text("id").zip(text("value")).ok_or(UNREADABLE)
        })
        .collect()
}

pub(super) const IMPORTANCE: [&str; 3] = ["low", "normal", "high"];

/// Holds an object to its members.
fn only<'a>(value: &'a Value, names: &[&str]) -> Result<&'a Map<String, Value>, Broken> {
    let own = value.as_object().ok_or("an object is expected")?;
    let known = own
        .keys()
        .all(|name| names.contains(&name.as_str()) || name.contains("@odata."));
    known
        .then_some(own)
        .ok_or("a member that is not known there")
}

pub(super) fn body_of(value: &Value) -> Result<TypedBody, Broken> {
    let own = only(value, &["contentType", "content"])?;
    let html = match own.get("contentType").and_then(Value::as_str) {
        Some("html") => true,
        Some("text") => false,
        _ => return Err("a body is html or text"),
    };
    let content = own.get("content").and_then(Value::as_str);
    Ok(TypedBody {
        html,
        content: content.ok_or("a body has content")?.to_owned(),
    })
}

fn somebody(value: &Value) -> Result<Option<Person>, Broken> {
    if value.is_null() {
        return Ok(None);
    }
    let own = only(value, &["emailAddress"])?;
    let own = own
        .get("emailAddress")
        .ok_or("somebody has an emailAddress")?;
    let own = only(own, &["name", "address"])?;
    let text = |name: &str| {
        own.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let person = Person {
        name: text("name"),
        address: text("address"),
    };
    if person.address.contains('@') && !person.address.contains([' ', '<', '>', ',', ';']) {
        Ok(Some(person))
    } else {
        Err("ErrorInvalidRecipients")
    }
}

fn people(value: &Value) -> Result<Vec<Person>, Broken> {
    let all = value.as_array().ok_or("recipients are a list")?;
    all.iter()
        .map(|own| somebody(own)?.ok_or("a recipient is somebody"))
        .collect()
}

fn flag_of(value: &Value) -> Result<Option<FollowUp>, Broken> {
    let own = only(
        value,
        &[
            "flagStatus",
            "startDateTime",
            "dueDateTime",
            "completedDateTime",
        ],
    )?;
    let time = |name: &str| -> Result<Option<Moment>, Broken> {
        let Some(value) = own.get(name).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let own = only(value, &["dateTime", "timeZone"])?;
        let zone = own.get("timeZone").and_then(Value::as_str);
        let text = own
            .get("dateTime")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let at = moment(&format!("{}Z", text.trim_end_matches('Z')));
        match (at, zone) {
            (Some(at), Some("UTC")) => Ok(Some(at)),
            _ => Err("a date of a flag has a time in UTC"),
        }
    };
    let complete = match own.get("flagStatus").and_then(Value::as_str) {
        Some("notFlagged") => return Ok(None),
        Some("flagged") => false,
        Some("complete") => true,
        _ => return Err("flagStatus is notFlagged, flagged or complete"),
    };
    let flag = FollowUp {
        complete,
        start: time("startDateTime")?,
        due: time("dueDateTime")?,
        completed: time("completedDateTime")?,
    };
    if flag.due.is_some() && flag.start.is_none() {
        return Err("a flag that is due has a begin");
    }
    Ok(Some(flag))
}

fn extended(out: &mut Message, value: &Value) -> Result<(), Broken> {
    const UNREADABLE: Broken = "an extended property that cannot be read";
    let own = only(value, &["id", "value"])?;
    let text = |name: &str| own.get(name).and_then(Value::as_str).ok_or(UNREADABLE);
    let (id, value) = (text("id")?, text("value")?);
    let Some(tagged) = PropertyId::parse(id) else {
        let named = NamedId::parse(id).ok_or(UNREADABLE)?;
        if named.kind != PropertyType::String {
            return Err("this lab keeps named properties of text only");
        }
        set_named(out, named.set, &named.name, value);
        return Ok(());
    };
    let tag = tagged.tag;
    out.set(match tagged.kind {
        PropertyType::String => Prop::text(tag, value),
        PropertyType::Integer => Prop::i32(tag, value.parse().map_err(|_| UNREADABLE)?),
        PropertyType::SystemTime => Prop::time(tag, filetime(value).ok_or(UNREADABLE)?),
        PropertyType::Binary => Prop::binary(tag, base64::decode(value).map_err(|_| UNREADABLE)?),
        PropertyType::Boolean => Prop::boolean(tag, value == "true"),
        PropertyType::Long => return Err("this lab keeps no 64-bit numbers"),
    });
    Ok(())
}

/// A file of a request, with its bytes.
pub(super) fn file_of(value: &Value) -> Result<(TypedAttachment, Vec<u8>), Broken> {
    let own = only(
        value,
        &[
            "name",
            "contentType",
            "contentId",
            "isInline",
            "contentBytes",
        ],
    )?;
    if own.get("@odata.type").and_then(Value::as_str) != Some("#microsoft.graph.fileAttachment") {
        return Err("an attachment says of which type it is");
    }
    let bytes = own.get("contentBytes").and_then(Value::as_str);
    let bytes = base64::decode(bytes.ok_or("an attachment has contentBytes")?);
    Ok((
        named_file(value)?,
        bytes.map_err(|_| "contentBytes are base64")?,
    ))
}

/// Name, type and place of a file.
pub(super) fn named_file(value: &Value) -> Result<TypedAttachment, Broken> {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let own = TypedAttachment {
        name: text("name"),
        content_type: text("contentType"),
        content_id: text("contentId"),
        inline: value["isInline"] == Value::Bool(true),
        embedded: false,
    };
    if own.name.is_empty() {
        return Err("an attachment has a name");
    }
    Ok(own)
}

fn number(message: &Message, tag: u16) -> u32 {
    let raw = message.get(tag).and_then(|raw| raw.try_into().ok());
    raw.map_or(0, u32::from_le_bytes)
}
