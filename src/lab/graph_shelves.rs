//! Folders made, renamed and deleted by the Mail, Calendar and Contacts APIs of the Graph face, and items deleted there (reference/graph.md 2.4 to 2.6).
//! Where a delete puts things no document says: a lab puts them here or there, by its seed.

use axum::http::Method;
use serde_json::{Map, Value};

use super::graph_answer::Answer;
use super::graph_lists::{calendar_json, contact_folder_json, find_kind, mail_folder_json};
use super::graph_mailbox::refused;
use super::graph_typed::Place;
use super::world::{FolderRow, Refused, World};
use super::wrong::Wrong;
use crate::base::losses::Family;

/// Which of the three APIs.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// What its folders hold.
    pub(super) family: Family,
    /// Their class.
    class: &'static str,
    /// The member that names one.
    name: &'static str,
    show: fn(&FolderRow) -> Map<String, Value>,
}

pub(super) const MAIL: Kind = Kind {
    family: Family::Message,
    class: "IPF.Note",
    name: "displayName",
    show: mail_folder_json,
};

pub(super) const CALENDARS: Kind = Kind {
    family: Family::Event,
    class: "IPF.Appointment",
    name: "name",
    show: calendar_json,
};

pub(super) const CONTACTS: Kind = Kind {
    family: Family::Contact,
    class: "IPF.Contact",
    name: "displayName",
    show: contact_folder_json,
};

/// Makes a folder under one, by id or well-known name. Calendars are made under the user's own.
pub(super) fn make(at: &Place<'_>, kind: Kind, parent: &str) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    let may_hide = kind.family == Family::Message;
    let known = |own: &str| own == kind.name || (may_hide && own == "isHidden");
    let fits = value
        .as_object()
        .is_some_and(|own| own.keys().all(|own| known(own)));
    let name = value[kind.name].as_str().filter(|name| !name.is_empty());
    let (true, Some(name)) = (fits, name) else {
        return at
            .lab
            .broken("a new folder has a name, and a mail folder isHidden");
    };
    let hidden = value["isHidden"] == Value::Bool(true);
    let made = at.lab.world(|world, now| {
        let parent = find_kind(world, now, at.mailbox, parent, kind.class)?.id;
        let row = world.create_folder(now, at.mailbox, &parent, name, kind.class)?;
        if hidden {
            world.hide_folder(at.mailbox, &row.id)?;
        }
        world.target_folder(now, at.mailbox, &row.id)
    });
    match made {
        Ok(row) => Answer::json(201, &(kind.show)(&row)),
        Err(why) => refused(at.lab, why),
    }
}

/// Renames or deletes a folder.
pub(super) fn folder(at: &Place<'_>, kind: Kind, folder: &str) -> Answer {
    match at.asked.parts.method {
        Method::PATCH => rename(at, kind, folder),
        Method::DELETE => {
            let done = at.lab.world(|world, now| {
                let id = find_kind(world, now, at.mailbox, folder, kind.class)?.id;
                world.delete_target_folder(at.mailbox, &id)
            });
            match done {
                Ok(()) => Answer::empty(204),
                Err(why) => refused(at.lab, why),
            }
        }
        _ => at.lab.broken("a folder has no such method"),
    }
}

fn rename(at: &Place<'_>, kind: Kind, folder: &str) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    let alone = value.as_object().is_some_and(|own| own.len() == 1);
    let name = value[kind.name].as_str().filter(|name| !name.is_empty());
    let (true, Some(name)) = (alone, name) else {
        return at
            .lab
            .broken("a folder is renamed by its name and nothing else");
    };
    let row = at.lab.world(|world, now| {
        let id = find_kind(world, now, at.mailbox, folder, kind.class)?.id;
        world.rename_target_folder(at.mailbox, &id, name)?;
        world.target_folder(now, at.mailbox, &id)
    });
    match row {
        Ok(row) => Answer::json(200, &(kind.show)(&row)),
        Err(why) => refused(at.lab, why),
    }
}

/// Deletes an item as these APIs do.
pub(super) fn delete(at: &Place<'_>, family: Family, item: &str) -> Answer {
    if !at.asked.query().is_empty() {
        return at.lab.broken("a delete of these APIs takes no parameters");
    }
    let done = at.lab.world(|world, now| {
        is_there(world, at, family, item)?;
        world.bin_target_item(now, at.mailbox, item)
    });
    match done {
        Ok(()) => Answer::empty(204),
        Err(why) => refused(at.lab, why),
    }
}

/// `permanentDelete`, which national clouds do not have.
pub(super) fn purge(at: &Place<'_>, family: Family, item: &str) -> Answer {
    if !at.asked.body.is_empty() || !at.asked.query().is_empty() {
        return at
            .lab
            .broken("permanentDelete takes no body and no parameters");
    }
    if at.lab.world(|world, _| world.is_wrong(Wrong::NoImportApi)) {
        let text = "Resource not found for the segment 'permanentDelete'.";
        return Answer::error(400, "BadRequest", text);
    }
    let done = at.lab.world(|world, _| {
        let row = is_there(world, at, family, item)?;
        world.delete_target_item(at.mailbox, &row, item)
    });
    match done {
        Ok(()) => Answer::empty(204),
        Err(why) => refused(at.lab, why),
    }
}

/// The folder of an item that this API shows.
fn is_there(world: &World, at: &Place<'_>, family: Family, item: &str) -> Result<String, Refused> {
    let row = world.target_item(at.mailbox, item)?;
    let own = match family {
        Family::Message => "IPM.Appointment IPM.Contact",
        Family::Event => "IPM.Note IPM.Contact",
        Family::Contact => "IPM.Note IPM.Appointment",
    };
    if own.split(' ').any(|other| row.class.is_a(other)) {
        return Err(Refused::NoItem);
    }
    Ok(row.folder)
}

/// Nothing of mailbox import is there, nor what it begins with.
pub(super) fn no_such_segment() -> Answer {
    Answer::error(
        400,
        "BadRequest",
        "Resource not found for the segment 'exchange'.",
    )
}
