//! Events as the Calendar API shows them: single ones, series, and their occurrences (event resource).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::graph_mailbox::{object, value_of};
use super::world::{ItemRow, Refused, World};
use super::world_events::{Instance, inherited, instance_id, instance_of, originals, wall};
use crate::base::quantity::Moment;
use crate::wire::graph::property::{NamedId, PropertyId};
use crate::wire::graph::query::ListQuery;
use crate::wire::graph::time_zone;

/// An event or an occurrence as the service shows it.
pub(super) fn shown(
    world: &World,
    mailbox: &str,
    id: &str,
    query: &ListQuery,
) -> Result<Map<String, Value>, Refused> {
    let Some((series, original)) = instance_of(id) else {
        let (row, fields, differing) = world.event(mailbox, id)?;
        let (_, tree) = world.typed_tree(mailbox, id)?;
        let repeats = fields.get("recurrence").is_some_and(Value::is_object);
        let kind = if repeats {
            "seriesMaster"
        } else {
            "singleInstance"
        };
        let mut out = outer(&row, id, fields, kind, !tree.attachments.is_empty(), query);
        if query.exceptions {
            named_exceptions(&mut out, &row, fields, differing);
        }
        return Ok(out);
    };
    let (row, fields, differing) = world.event(mailbox, series)?;
    let at = Moment::from_unix_ms(original);
    if !originals(fields, at, at).contains(&at) {
        return Err(Refused::NoItem);
    }
    let plain = Instance {
        fields: inherited(fields, at),
        ..Instance::default()
    };
    let (own, kind) = match differing.get(&original) {
        Some(own) if own.deleted => return Err(Refused::NoItem),
        Some(own) => (own, "exception"),
        None => (&plain, "occurrence"),
    };
    let mut out = outer(&row, id, &own.fields, kind, !own.files.is_empty(), query);
    out.insert("seriesMasterId".to_owned(), json!(series));
    out.insert("originalStart".to_owned(), json!(at.to_string()));
    if let Some(own) = wall(fields, "start") {
        out.insert("originalStartTimeZone".to_owned(), json!(own.zone));
    }
    Ok(out)
}

fn named_exceptions(
    out: &mut Map<String, Value>,
    row: &ItemRow,
    fields: &Map<String, Value>,
    differing: &BTreeMap<i64, Instance>,
) {
    let zone = wall(fields, "start")
        .map(|own| own.zone)
        .unwrap_or_default();
    let (gone, changed): (Vec<_>, Vec<_>) = differing.iter().partition(|(_, own)| own.deleted);
    let changed = changed.into_iter().map(|(original, own)| {
        let at = Moment::from_unix_ms(*original);
        let id = instance_id(&row.id, at);
        let mut own = outer(
            row,
            &id,
            &own.fields,
            "exception",
            false,
            &ListQuery::default(),
        );
        own.insert("originalStart".to_owned(), json!(at.to_string()));
        Value::Object(own)
    });
    out.insert("exceptionOccurrences".to_owned(), changed.collect());
    let gone = gone.into_iter().filter_map(|(original, _)| {
        let own = time_zone::wall(Moment::from_unix_ms(*original), &zone)?;
        Some(json!(format!("OID.{}.{}", row.id, own.local.get(..10)?)))
    });
    out.insert("cancelledOccurrences".to_owned(), gone.collect());
}

fn outer(
    row: &ItemRow,
    id: &str,
    fields: &Map<String, Value>,
    kind: &str,
    files: bool,
    query: &ListQuery,
) -> Map<String, Value> {
    let mut out = fields.clone();
    let properties = out.remove("singleValueExtendedProperties");
    let all_day = fields.get("isAllDay") == Some(&Value::Bool(true));
    for (name, zone) in [
        ("start", "originalStartTimeZone"),
        ("end", "originalEndTimeZone"),
    ] {
        let Some(own) = wall(fields, name) else {
            continue;
        };
        // Asked without a preferred zone, the service tells UTC; of whole days the midnights as they are.
        let told = match time_zone::moment(&own).filter(|_| !all_day) {
            Some(at) => at.to_string().trim_end_matches('Z').to_owned(),
            None => own.local,
        };
        out.insert(zone.to_owned(), json!(own.zone));
        out.insert(
            name.to_owned(),
            json!({"dateTime": format!("{told}.0000000"), "timeZone": "UTC"}),
        );
    }
    out.extend(object(json!({
        "id": id, "changeKey": row.change_key, "createdDateTime": row.created.to_string(), "type": kind, "isCancelled": false, "hasAttachments": files, "attendees": [],
    })));
    if let Some(expanded) = expanded(row, properties.as_ref(), query) {
        out.insert("singleValueExtendedProperties".to_owned(), expanded);
    }
    out
}

/// The extended properties that were asked for and are there.
pub(super) fn expanded(
    row: &ItemRow,
    properties: Option<&Value>,
    query: &ListQuery,
) -> Option<Value> {
    let all = properties.and_then(Value::as_array);
    let asked = |own: &&Value| {
        let id = own["id"].as_str().unwrap_or_default();
        let tagged = PropertyId::parse(id).is_some_and(|id| query.expand.contains(&id));
        tagged || NamedId::parse(id).is_some_and(|id| query.named.contains(&id))
    };
    let mut found: Vec<Value> = all.into_iter().flatten().filter(asked).cloned().collect();
    // What the store knows of any item, where the request that made it said nothing of it.
    for id in &query.expand {
        let said = |own: &Value| PropertyId::parse(own["id"].as_str().unwrap_or_default());
        if !found.iter().any(|own| said(own) == Some(*id))
            && let Some(value) = value_of(row, *id)
        {
            found.push(json!({"id": id.as_replied(), "value": value}));
        }
    }
    (!found.is_empty()).then_some(Value::Array(found))
}
