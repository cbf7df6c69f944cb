//! The Contacts API of the Graph face: contacts made, shown and changed, and their pictures (reference/graph.md 2.5).

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::graph_answer::Answer;
use super::graph_event_shown::expanded;
use super::graph_lists::{find_kind, items};
use super::graph_mailbox::{list_query, object, refused, select};
use super::graph_shelves;
use super::graph_typed::Place;
use super::graph_typed_json::{Broken, marks, texts};
use super::typed_make::{set_categories, set_named, set_subject};
use super::world::{Refused, World};
use super::world_events::Beside;
use crate::base::losses::Family;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::property::{NamedId, PropertyId};
use crate::wire::graph::query::ListQuery;
use crate::wire::item_stream::{Message, Prop, tags};

const MEMBERS: [&str; 31] = [
    "displayName",
    "fileAs",
    "givenName",
    "middleName",
    "surname",
    "title",
    "generation",
    "initials",
    "nickName",
    "companyName",
    "department",
    "jobTitle",
    "profession",
    "officeLocation",
    "manager",
    "assistantName",
    "spouseName",
    "children",
    "businessHomePage",
    "emailAddresses",
    "imAddresses",
    "businessPhones",
    "homePhones",
    "mobilePhone",
    "businessAddress",
    "homeAddress",
    "otherAddress",
    "birthday",
    "personalNotes",
    "categories",
    "singleValueExtendedProperties",
];

/// Answers a call on the contacts of a folder.
pub(super) fn contacts(at: &Place<'_>, folder: &str, part: &OfUser) -> Answer {
    match at.asked.parts.method {
        Method::POST => create(at, folder),
        Method::GET => match query(at) {
            Ok(query) => items(at, folder, part, &query, |world, id| {
                shown(world, at.mailbox, id, &query).ok()
            }),
            Err(answer) => answer,
        },
        _ => at.lab.broken("contacts have no such method"),
    }
}

/// Answers a call on one contact.
pub(super) fn contact(at: &Place<'_>, id: &str) -> Answer {
    match at.asked.parts.method {
        Method::GET => match query(at) {
            Ok(query) => match at
                .lab
                .world(|world, _| shown(world, at.mailbox, id, &query))
            {
                Ok(fields) => Answer::json(200, &select(fields, &query)),
                Err(why) => refused(at.lab, why),
            },
            Err(answer) => answer,
        },
        Method::PATCH => change(at, id),
        Method::DELETE => graph_shelves::delete(at, Family::Contact, id),
        _ => at.lab.broken("a contact has no such method"),
    }
}

/// Answers a call on a contact's picture.
pub(super) fn photo(at: &Place<'_>, id: &str) -> Answer {
    match at.asked.parts.method {
        Method::GET => {
            let found = at.lab.world(|world, _| {
                world.target_item(at.mailbox, id)?;
                match world.beside.get(id) {
                    Some(Beside::Contact(_, Some(bytes))) => Ok(bytes.clone()),
                    _ => Err(Refused::NoItem),
                }
            });
            match found {
                Ok(bytes) => Answer::bytes(200, bytes),
                Err(why) => refused(at.lab, why),
            }
        }
        Method::PUT => {
            let kind = at.asked.header("content-type").unwrap_or_default();
            if !kind.starts_with("image/") || at.asked.body.is_empty() {
                return at.lab.broken("a picture is an image");
            }
            let done = at.lab.world(|world, now| {
                world.target_item(at.mailbox, id)?;
                if let Some(Beside::Contact(_, own)) = world.beside.get_mut(id) {
                    *own = Some(at.asked.body.to_vec());
                }
                world.change_typed(now, at.mailbox, id, |_| {})
            });
            match done {
                Ok(_) => Answer::empty(200),
                Err(why) => refused(at.lab, why),
            }
        }
        _ => at.lab.broken("a picture has no such method"),
    }
}

fn query(at: &Place<'_>) -> Result<ListQuery, Answer> {
    let besides = ["id", "changeKey", "parentFolderId", "createdDateTime"];
    let fields: Vec<&str> = MEMBERS.iter().copied().chain(besides).collect();
    list_query(at.lab, at.asked, &fields)
}

fn read(value: &Value) -> Result<Map<String, Value>, Broken> {
    let members = value.as_object().ok_or("a contact is an object")?;
    let known = |name: &String| MEMBERS.contains(&name.as_str()) || name.contains("@odata.");
    if !members.keys().all(known) {
        return Err("a member that contacts do not have");
    }
    let most = |name: &str| {
        let list = members.get(name).and_then(Value::as_array);
        list.map_or(0, Vec::len)
    };
    if most("emailAddresses") > 3 || most("businessPhones") > 2 || most("homePhones") > 2 {
        return Err("more than a contact has room for");
    }
    Ok(members.clone())
}

fn item_of(fields: &Map<String, Value>, message: &mut Message) -> Result<(), Broken> {
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    message.set(Prop::text(tags::MESSAGE_CLASS, "IPM.Contact"));
    message.set(Prop::i32(tags::MESSAGE_FLAGS, tags::FLAG_READ));
    set_subject(message, &text("displayName"));
    message.set(Prop::text(0x3001, &text("displayName")));
    message.set(Prop::text(tags::BODY, &text("personalNotes")));
    set_categories(
        message,
        &texts(fields.get("categories").unwrap_or(&json!([])))?,
    );
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

fn create(at: &Place<'_>, folder: &str) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    let mut message = Message::default();
    let read = read(&value).and_then(|fields| item_of(&fields, &mut message).map(|()| fields));
    let fields = match read {
        Ok(fields) => fields,
        Err(why) => return at.broken(why),
    };
    let made = at.lab.world(|world, now| {
        let folder = find_kind(world, now, at.mailbox, folder, "IPF.Contact")?.id;
        let row = world.make_typed(now, at.mailbox, &folder, message)?;
        world
            .beside
            .insert(row.id.clone(), Beside::Contact(fields, None));
        shown(world, at.mailbox, &row.id, &ListQuery::default())
    });
    match made {
        Ok(fields) => Answer::json(201, &fields),
        Err(why) => refused(at.lab, why),
    }
}

fn change(at: &Place<'_>, id: &str) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    let new = match read(&value) {
        Ok(fields) => fields,
        Err(why) => return at.broken(why),
    };
    let done = at.lab.world(|world, now| {
        let (_, mut tree) = world.typed_tree(at.mailbox, id)?;
        let Some(Beside::Contact(old, _)) = world.beside.get(id) else {
            return Err(Refused::NoItem);
        };
        let fields = super::graph_events::over(old.clone(), new);
        if let Err(why) = item_of(&fields, &mut tree) {
            return Ok(Err(why));
        }
        if let Some(Beside::Contact(old, _)) = world.beside.get_mut(id) {
            *old = fields;
        }
        world.change_typed(now, at.mailbox, id, |message| *message = tree)?;
        shown(world, at.mailbox, id, &ListQuery::default()).map(Ok)
    });
    match done {
        Ok(Ok(fields)) => Answer::json(200, &fields),
        Ok(Err(why)) => at.broken(why),
        Err(why) => refused(at.lab, why),
    }
}

fn shown(
    world: &World,
    mailbox: &str,
    id: &str,
    query: &ListQuery,
) -> Result<Map<String, Value>, Refused> {
    let row = world.target_item(mailbox, id)?;
    let Some(Beside::Contact(fields, _)) = world.beside.get(id) else {
        return Err(Refused::NoItem);
    };
    let mut out = fields.clone();
    let properties = out.remove("singleValueExtendedProperties");
    out.extend(object(json!({
        "id": row.id, "changeKey": row.change_key, "parentFolderId": row.folder, "createdDateTime": row.created.to_string(),
    })));
    if let Some(expanded) = expanded(&row, properties.as_ref(), query) {
        out.insert("singleValueExtendedProperties".to_owned(), expanded);
    }
    Ok(out)
}
