//! The Calendar API of the Graph face: events made, shown, changed, and the occurrences of a series (reference/graph.md 2.4). Whoever names an
//! attendee would mail him, and is counted.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::graph_answer::Answer;
use super::graph_event_shown::shown;
use super::graph_lists::{find_kind, items};
use super::graph_mailbox::{list_query, listing, refused, select};
use super::graph_typed::Place;
use super::graph_typed_json::{Broken, body_of, marks, texts};
use super::populate_items::APPOINTMENT;
use super::typed_make::{set_body, set_categories, set_named, set_subject};
use super::world::{Refused, filetime_of};
use super::world_events::{Beside, instance_id, instance_of, originals, wall};
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::property::{NamedId, PropertyId};
use crate::wire::graph::query::ListQuery;
use crate::wire::graph::time_zone;
use crate::wire::item_stream::{Message, Prop, tags};

/// Members of a request, beside extended properties, which are its fields as well.
const MEMBERS: [&str; 13] = [
    "subject",
    "body",
    "start",
    "end",
    "isAllDay",
    "location",
    "showAs",
    "sensitivity",
    "importance",
    "categories",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "recurrence",
];

/// What `$select` may name besides.
const SHOWN: [&str; 14] = [
    "id",
    "createdDateTime",
    "changeKey",
    "type",
    "seriesMasterId",
    "originalStart",
    "originalStartTimeZone",
    "originalEndTimeZone",
    "isCancelled",
    "hasAttachments",
    "attendees",
    "organizer",
    "exceptionOccurrences",
    "cancelledOccurrences",
];

/// Answers a call on the events of a calendar.
pub(super) fn events(at: &Place<'_>, calendar: &str) -> Answer {
    match at.asked.parts.method {
        Method::POST => create(at, calendar),
        Method::GET => list(at, calendar),
        _ => at.lab.broken("a calendar has no such method"),
    }
}

/// Answers a call on one event, or one occurrence.
pub(super) fn event(at: &Place<'_>, id: &str) -> Answer {
    match at.asked.parts.method {
        Method::GET => one(at, id),
        Method::PATCH => change(at, id),
        Method::DELETE => delete(at, id),
        _ => at.lab.broken("an event has no such method"),
    }
}

fn query(at: &Place<'_>) -> Result<ListQuery, Answer> {
    let fields: Vec<&str> = MEMBERS.iter().chain(&SHOWN).copied().collect();
    list_query(at.lab, at.asked, &fields)
}

/// Reads the members of a request; with the marks apart, since an item shows them in listings.
fn read(at: &Place<'_>, value: &Value) -> Result<Map<String, Value>, Answer> {
    let members = value
        .as_object()
        .ok_or_else(|| at.lab.broken("an event is an object"))?;
    let attendees = members.get("attendees").and_then(Value::as_array);
    if attendees.is_some_and(|all| !all.is_empty()) {
        at.lab.world(|world, _| world.note_invitation());
        at.lab.invalid("an event with attendees sends invitations");
        return Err(Answer::error(403, "ErrorAccessDenied", "Access is denied."));
    }
    let known = |name: &String| {
        MEMBERS.contains(&name.as_str())
            || name.contains("@odata.")
            || matches!(
                name.as_str(),
                "transactionId" | "singleValueExtendedProperties" | "attendees"
            )
    };
    if !members.keys().all(known) {
        return Err(at.lab.broken("a member that events do not have"));
    }
    Ok(members.clone())
}

/// What no calendar takes.
fn check(fields: &Map<String, Value>) -> Result<(), Broken> {
    let time = |name: &str| {
        let own = wall(fields, name).ok_or("begin and end have a time and a zone")?;
        time_zone::moment(&own).ok_or("a time in a zone there is")
    };
    let (start, end) = (time("start")?, time("end")?);
    if end < start {
        return Err("an event ends after its begin");
    }
    let midnight =
        |name: &str| wall(fields, name).is_some_and(|own| own.local.ends_with("T00:00:00"));
    if fields.get("isAllDay") == Some(&Value::Bool(true))
        && !(midnight("start") && midnight("end") && start < end)
    {
        return Err("an all-day event goes from midnight to midnight");
    }
    body_of(fields.get("body").unwrap_or(&Value::Null))?;
    Ok(())
}

/// The item of an event: what a listing shows, and what an export of it would.
fn item_of(fields: &Map<String, Value>, message: &mut Message) -> Result<(), Broken> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    message.set(Prop::text(tags::MESSAGE_CLASS, "IPM.Appointment"));
    message.set(Prop::i32(tags::MESSAGE_FLAGS, tags::FLAG_READ));
    set_subject(
        message,
        &fields.get("subject").map(text).unwrap_or_default(),
    );
    set_body(
        message,
        &body_of(fields.get("body").unwrap_or(&Value::Null))?,
    );
    set_categories(
        message,
        &texts(fields.get("categories").unwrap_or(&json!([])))?,
    );
    for (n, (name, number)) in [("start", 0x820D), ("end", 0x820E)].into_iter().enumerate() {
        let own = wall(fields, name).and_then(|own| time_zone::moment(&own));
        let id = 0x9B00 + u16::try_from(n).unwrap_or(0);
        let at = own.map_or(0, filetime_of);
        message.set(Prop::time(0, at).numbered(id, APPOINTMENT, number));
    }
    let place = fields
        .get("location")
        .map_or("", |own| own["displayName"].as_str().unwrap_or(""));
    message.set(Prop::text(0, place).numbered(0x9B02, APPOINTMENT, 0x8208));
    for (id, value) in marks(fields)? {
        match (NamedId::parse(&id), PropertyId::parse(&id)) {
            (Some(named), _) => set_named(message, named.set, &named.name, &value),
            (None, Some(PropertyId::CLASS)) => message.set(Prop::text(tags::MESSAGE_CLASS, &value)),
            (None, Some(_)) => {}
            (None, None) => return Err("an extended property that cannot be read"),
        }
    }
    Ok(())
}

/// Writes the members of a request over what was there; extended properties one by one.
pub(super) fn over(mut old: Map<String, Value>, new: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in new {
        if name == "singleValueExtendedProperties" {
            let mut all: Vec<Value> = old
                .get(&name)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            for own in value.as_array().into_iter().flatten() {
                all.retain(|known| known["id"] != own["id"]);
                all.push(own.clone());
            }
            old.insert(name, Value::Array(all));
        } else {
            old.insert(name, value);
        }
    }
    old
}

fn create(at: &Place<'_>, calendar: &str) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    let mut fields = match read(at, &value) {
        Ok(fields) => fields,
        Err(answer) => return answer,
    };
    let transaction = fields.remove("transactionId");
    let mut message = Message::default();
    if let Err(why) = check(&fields).and_then(|()| item_of(&fields, &mut message)) {
        return at.broken(why);
    }
    let made = at.lab.world(|world, now| {
        let folder = find_kind(world, now, at.mailbox, calendar, "IPF.Appointment")?.id;
        if let Some(own) = transaction.as_ref().and_then(Value::as_str)
            && !world.transactions.insert(format!("{} {own}", at.mailbox))
        {
            return Ok(None);
        }
        let row = world.make_typed(now, at.mailbox, &folder, message)?;
        world.hide_for_a_while(&row.id);
        let beside = Beside::Event(fields, std::collections::BTreeMap::default());
        world.beside.insert(row.id.clone(), beside);
        shown(world, at.mailbox, &row.id, &ListQuery::default()).map(Some)
    });
    match made {
        Ok(Some(fields)) => Answer::json(201, &fields),
        Ok(None) => Answer::error(
            409,
            "ErrorDuplicateTransactionId",
            "The transaction was used before.",
        ),
        Err(why) => refused(at.lab, why),
    }
}

fn list(at: &Place<'_>, calendar: &str) -> Answer {
    let query = match query(at) {
        Ok(query) => query,
        Err(answer) => return answer,
    };
    let part = OfUser::Events {
        calendar: calendar.to_owned(),
    };
    items(at, calendar, &part, &query, |world, id| {
        shown(world, at.mailbox, id, &query).ok()
    })
}

fn one(at: &Place<'_>, id: &str) -> Answer {
    let query = match query(at) {
        Ok(query) => query,
        Err(answer) => return answer,
    };
    match at
        .lab
        .world(|world, _| shown(world, at.mailbox, id, &query))
    {
        Ok(fields) => Answer::json(200, &select(fields, &query)),
        Err(why) => refused(at.lab, why),
    }
}

fn change(at: &Place<'_>, id: &str) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    let new = match read(at, &value) {
        Ok(fields) => fields,
        Err(answer) => return answer,
    };
    let done = at.lab.world(|world, now| {
        if let Some(instance) = instance_of(id) {
            let row = world.change_instance(now, at.mailbox, instance, |own, _| {
                own.fields = over(std::mem::take(&mut own.fields), new);
            })?;
            return Ok(Ok(row));
        }
        let (_, old, _) = world.event(at.mailbox, id)?;
        let fields = over(old.clone(), new);
        let (_, mut tree) = world.typed_tree(at.mailbox, id)?;
        if let Err(why) = check(&fields).and_then(|()| item_of(&fields, &mut tree)) {
            return Ok(Err(why));
        }
        if let Some(Beside::Event(old, _)) = world.beside.get_mut(id) {
            *old = fields;
        }
        world
            .change_typed(now, at.mailbox, id, |message| *message = tree)
            .map(Ok)
    });
    match done {
        Ok(Ok(_)) => match at
            .lab
            .world(|world, _| shown(world, at.mailbox, id, &ListQuery::default()))
        {
            Ok(fields) => Answer::json(200, &fields),
            Err(why) => refused(at.lab, why),
        },
        Ok(Err(why)) => at.broken(why),
        Err(why) => refused(at.lab, why),
    }
}

fn delete(at: &Place<'_>, id: &str) -> Answer {
    let done = at.lab.world(|world, now| {
        if let Some(instance) = instance_of(id) {
            let gone = |own: &mut super::world_events::Instance, _| own.deleted = true;
            return world
                .change_instance(now, at.mailbox, instance, gone)
                .map(drop);
        }
        world.target_item(at.mailbox, id)?;
        world.bin_target_item(now, at.mailbox, id)
    });
    match done {
        Ok(()) => Answer::empty(204),
        Err(why) => refused(at.lab, why),
    }
}

/// The occurrences of a series within a window.
pub(super) fn instances(at: &Place<'_>, id: &str) -> Answer {
    let query = match query(at) {
        Ok(query) => query,
        Err(answer) => return answer,
    };
    let Some((from, to)) = query.window else {
        return at.lab.broken("instances are asked for within a window");
    };
    let found = at.lab.world(|world, _| {
        let (_, fields, differing) = world.event(at.mailbox, id)?;
        let all = originals(fields, from, to).into_iter();
        let there = all.filter(|own| differing.get(&own.unix_ms()).is_none_or(|own| !own.deleted));
        let shown = there.map(|own| shown(world, at.mailbox, &instance_id(id, own), &query));
        shown
            .map(|own| Ok(select(own?, &query)))
            .collect::<Result<Vec<Value>, Refused>>()
    });
    match found {
        Ok(value) => {
            let resource = at.resource(OfUser::Instances {
                event: id.to_owned(),
            });
            listing(at.lab, &resource, value, None)
        }
        Err(why) => refused(at.lab, why),
    }
}
