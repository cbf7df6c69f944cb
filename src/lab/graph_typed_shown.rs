//! Messages as the Mail API shows them (message resource).

use serde_json::{Map, Value, json};

use super::graph_mailbox::{object, value_of as row_value};
use super::graph_typed_json::IMPORTANCE;
use super::typed_make::{named_text, text_of};
use super::typed_render::render;
use super::world::ItemRow;
use crate::base::typed::{FollowUp, Person, TypedItem, TypedMessage};
use crate::wire::base64;
use crate::wire::graph::property::{PropertyId, PropertyType, filetime_text};
use crate::wire::graph::query::ListQuery;
use crate::wire::item_stream::{Message, Name};

/// A message as the service shows it, with what was expanded; nothing for other classes.
pub(super) fn shown(
    row: &ItemRow,
    message: &Message,
    query: &ListQuery,
) -> Option<Map<String, Value>> {
    let Some((TypedItem::Message(own), _)) = render(message) else {
        return None;
    };
    let mut out = fields(row, &own);
    let tagged = query.expand.iter().filter_map(|id| {
        // The size is the store's own.
        let value = value_of(message, *id).or_else(|| row_value(row, *id))?;
        Some(json!({"id": id.as_replied(), "value": value}))
    });
    let named = query.named.iter().filter_map(|id| {
        Some(json!({"id": id.to_string(), "value": named_text(message, id.set, &id.name)?}))
    });
    let expanded: Vec<Value> = tagged.chain(named).collect();
    if !expanded.is_empty() {
        out.insert(
            "singleValueExtendedProperties".to_owned(),
            Value::Array(expanded),
        );
    }
    Some(out)
}

fn fields(row: &ItemRow, own: &TypedMessage) -> Map<String, Value> {
    let common = &own.common;
    let kind = if common.body.html { "html" } else { "text" };
    let sent = own.submitted.unwrap_or(row.created);
    object(json!({
        "id": row.id,
        "changeKey": row.change_key,
        "parentFolderId": row.folder,
        "subject": common.subject,
        "body": {"contentType": kind, "content": common.body.content},
        "bodyPreview": common.body.content.chars().take(255).collect::<String>(),
        "importance": IMPORTANCE[usize::from(common.importance.min(2))],
        "categories": common.categories,
        "isRead": own.read(),
        "isDraft": own.draft(),
        "internetMessageId": own.message_id,
        "conversationIndex": own.conversation_index,
        "from": own.from.as_ref().map(person),
        "sender": own.sender.as_ref().map(person),
        "toRecipients": own.to.iter().map(person).collect::<Vec<_>>(),
        "ccRecipients": own.cc.iter().map(person).collect::<Vec<_>>(),
        "bccRecipients": own.bcc.iter().map(person).collect::<Vec<_>>(),
        "replyTo": own.reply_to.iter().map(person).collect::<Vec<_>>(),
        "flag": flag_json(own.flag.as_ref()),
        "createdDateTime": row.created.to_string(),
        "lastModifiedDateTime": row.modified.to_string(),
        "receivedDateTime": own.delivered.unwrap_or(row.created).to_string(),
        "sentDateTime": sent.to_string(),
        "hasAttachments": common.attachments.iter().any(|own| !own.inline),
    }))
}

fn person(own: &Person) -> Value {
    json!({"emailAddress": {"name": own.name, "address": own.address}})
}

fn flag_json(flag: Option<&FollowUp>) -> Value {
    let Some(flag) = flag else {
        return json!({"flagStatus": "notFlagged"});
    };
    let mut out = json!({"flagStatus": if flag.complete { "complete" } else { "flagged" }});
    for (name, at) in [
        ("startDateTime", flag.start),
        ("dueDateTime", flag.due),
        ("completedDateTime", flag.completed),
    ] {
        if let Some(at) = at {
            let text = at.to_string();
            let text = format!("{}.0000000", text.trim_end_matches('Z'));
            out[name] = json!({"dateTime": text, "timeZone": "UTC"});
        }
    }
    out
}

fn value_of(message: &Message, id: PropertyId) -> Option<String> {
    let own = message
        .props
        .iter()
        .find(|own| own.name == Name::Tag(id.tag))?;
    let raw = own.value.one()?;
    match id.kind {
        PropertyType::String => text_of(own),
        PropertyType::Integer => Some(u32::from_le_bytes(raw.try_into().ok()?).to_string()),
        PropertyType::SystemTime => filetime_text(u64::from_le_bytes(raw.try_into().ok()?)),
        PropertyType::Binary => Some(base64::encode(raw)),
        PropertyType::Boolean => Some((raw.first() == Some(&1)).to_string()),
        PropertyType::Long => Some(u64::from_le_bytes(raw.try_into().ok()?).to_string()),
    }
}
