//! What a user has, as listings of the Graph face: mail folders, calendars, contact folders, and the events or contacts of one of them
//! (reference/graph.md section 2). Our own client asks for little of it; other software begins here.

use serde_json::{Map, Value, json};

use super::graph_answer::Answer;
use super::graph_mailbox::{
    counted, find, list_query, listing, object, page_size, refused, select,
};
use super::graph_typed::Place;
use super::world::{FolderRow, Now, Refused, World};
use crate::base::mailbox::FolderRole;
use crate::base::quantity::Count;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::query::{ListQuery, Sought};

const MAIL_FOLDER_FIELDS: &[&str] = &[
    "id",
    "displayName",
    "parentFolderId",
    "childFolderCount",
    "totalItemCount",
    "isHidden",
];

const CONTACT_FOLDER_FIELDS: &[&str] = &["id", "displayName", "parentFolderId"];

const CALENDAR_FIELDS: &[&str] = &[
    "id",
    "name",
    "changeKey",
    "isDefaultCalendar",
    "canEdit",
    "owner",
];

/// A folder of a kind, by its class: the Calendar and Contacts APIs know none but their own.
pub(super) fn find_kind(
    world: &World,
    now: Now,
    mailbox: &str,
    folder: &str,
    class: &str,
) -> Result<FolderRow, Refused> {
    let row = find(world, now, mailbox, folder)?;
    let kind = row.class.get(..class.len());
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case(class)) {
        Ok(row)
    } else {
        Err(Refused::NoFolder)
    }
}

/// The mail folders directly under one.
pub(super) fn mail_folders(at: &Place<'_>, parent: &str, part: &OfUser) -> Answer {
    let query = match folders_query(at, MAIL_FOLDER_FIELDS) {
        Ok(query) => query,
        Err(answer) => return answer,
    };
    // Hidden ones only for those who ask, and of the others only those for mail.
    let kept = |row: &FolderRow| (query.hidden || !row.hidden) && row.class.starts_with("IPF.Note");
    rows(at, part, &query, Some(parent), kept, mail_folder_json)
}

/// One mail folder.
pub(super) fn mail_folder(at: &Place<'_>, folder: &str) -> Answer {
    let query = match folders_query(at, MAIL_FOLDER_FIELDS) {
        Ok(query) if query.top.is_none() && query.skip.is_none() => query,
        Ok(_) => return at.lab.broken("a parameter of listings"),
        Err(answer) => return answer,
    };
    match at
        .lab
        .world(|world, now| find(world, now, at.mailbox, folder))
    {
        Ok(row) => Answer::json(200, &select(mail_folder_json(&row), &query)),
        Err(why) => refused(at.lab, why),
    }
}

/// All calendars, wherever they lie: this API shows them flat.
pub(super) fn calendars(at: &Place<'_>) -> Answer {
    let query = match folders_query(at, CALENDAR_FIELDS) {
        Ok(query) if !query.hidden => query,
        Ok(_) => return at.lab.broken("a parameter this listing does not have"),
        Err(answer) => return answer,
    };
    let kept = |row: &FolderRow| !row.hidden && row.class.starts_with("IPF.Appointment");
    let shown = |row: &FolderRow| {
        let mut out = calendar_json(row);
        out.insert(
            "owner".to_owned(),
            json!({"name": at.user, "address": at.user}),
        );
        out
    };
    rows(at, &OfUser::Calendars, &query, None, kept, shown)
}

pub(super) fn calendar_json(row: &FolderRow) -> Map<String, Value> {
    object(json!({
        "id": row.id,
        "name": row.name,
        "changeKey": row.change_key,
        "isDefaultCalendar": row.role == Some(FolderRole::Calendar),
        "canEdit": true,
    }))
}

/// The contact folders under one; under the user's own, some services show that itself as well, and a lab does by its seed.
pub(super) fn contact_folders(at: &Place<'_>, parent: &str, part: &OfUser) -> Answer {
    let query = match folders_query(at, CONTACT_FOLDER_FIELDS) {
        Ok(query) if !query.hidden => query,
        Ok(_) => return at.lab.broken("a parameter this listing does not have"),
        Err(answer) => return answer,
    };
    let kept = |row: &FolderRow| !row.hidden && row.class.starts_with("IPF.Contact");
    let itself = *part == OfUser::ContactFolders && at.lab.world(|world, _| world.shows_itself());
    let also = itself.then_some(FolderRole::Contacts);
    rows_and(
        at,
        part,
        &query,
        (Some(parent), also),
        kept,
        contact_folder_json,
    )
}

/// One contact folder. That the user's own has a name no document promises: a lab knows it, or does not, by its seed.
pub(super) fn contact_folder(at: &Place<'_>, folder: &str) -> Answer {
    let query = match folders_query(at, CONTACT_FOLDER_FIELDS) {
        Ok(query) if query.top.is_none() && query.skip.is_none() && !query.hidden => query,
        Ok(_) => return at.lab.broken("a parameter of listings"),
        Err(answer) => return answer,
    };
    let found = at.lab.world(|world, now| {
        if folder == "contacts" && world.shows_itself() {
            return Err(Refused::NoFolder);
        }
        let row = find(world, now, at.mailbox, folder)?;
        let fits = row.class.starts_with("IPF.Contact");
        fits.then_some(row).ok_or(Refused::NoFolder)
    });
    match found {
        Ok(row) => Answer::json(200, &select(contact_folder_json(&row), &query)),
        Err(why) => refused(at.lab, why),
    }
}

pub(super) fn contact_folder_json(row: &FolderRow) -> Map<String, Value> {
    object(json!({"id": row.id, "displayName": row.name, "parentFolderId": row.parent}))
}

fn folders_query(at: &Place<'_>, fields: &[&str]) -> Result<ListQuery, Answer> {
    match list_query(at.lab, at.asked, fields)? {
        query if query.expand.is_empty() && query.named.is_empty() && query.bearing.is_none() => {
            Ok(query)
        }
        _ => Err(at.lab.broken("a parameter this listing does not have")),
    }
}

pub(super) fn mail_folder_json(row: &FolderRow) -> Map<String, Value> {
    object(json!({
        "id": row.id,
        "displayName": row.name,
        "parentFolderId": row.parent,
        "childFolderCount": row.children.get(),
        "totalItemCount": row.items.get(),
        "isHidden": row.hidden,
    }))
}

/// A page of folders: those under one, or all.
fn rows(
    at: &Place<'_>,
    part: &OfUser,
    query: &ListQuery,
    parent: Option<&str>,
    kept: impl Fn(&FolderRow) -> bool,
    shown: impl Fn(&FolderRow) -> Map<String, Value>,
) -> Answer {
    rows_and(at, part, query, (parent, None), kept, shown)
}

/// The same, with the folder of one role besides.
fn rows_and(
    at: &Place<'_>,
    part: &OfUser,
    query: &ListQuery,
    (parent, also): (Option<&str>, Option<FolderRole>),
    kept: impl Fn(&FolderRow) -> bool,
    shown: impl Fn(&FolderRow) -> Map<String, Value>,
) -> Answer {
    let rows = at.lab.world(|world, now| {
        let under = match parent {
            Some(parent) => Some(find(world, now, at.mailbox, parent)?.id),
            None => None,
        };
        let mut rows = world.target_folders(now, at.mailbox)?;
        let beside = |row: &FolderRow| also.is_some() && row.role == also;
        rows.retain(|row| (under.is_none() || row.parent == under || beside(row)) && kept(row));
        Ok(rows)
    });
    let rows = match rows {
        Ok(rows) => rows,
        Err(why) => return refused(at.lab, why),
    };
    let skip = query.skip.map_or(0, Count::get);
    let top = page_size(at.asked, query);
    let more = rows.len() as u64 > skip.saturating_add(top);
    let page = rows
        .iter()
        .skip(usize::try_from(skip).unwrap_or(usize::MAX))
        .take(usize::try_from(top).unwrap_or(usize::MAX));
    let page = page.map(|row| select(shown(row), query)).collect();
    let next = more.then(|| ListQuery {
        skip: Some(Count::new(skip.saturating_add(top))),
        ..query.clone()
    });
    listing(at.lab, &at.resource(part.clone()), page, next)
}

/// The events or contacts of a folder: those that bear a named text, or all, page by page.
pub(super) fn items(
    at: &Place<'_>,
    folder: &str,
    part: &OfUser,
    query: &ListQuery,
    show: impl Fn(&World, &str) -> Option<Map<String, Value>>,
) -> Answer {
    if query.bearing.is_some() {
        return bearing(at, folder, query, show);
    }
    if query.skip.is_some() || query.window.is_some() || query.hidden || query.exceptions {
        return at.lab.broken("a parameter this listing does not have");
    }
    let from = match query.skip_token.as_deref().map(str::parse) {
        None => None,
        Some(Ok(from)) => Some(from),
        Some(Err(_)) => return at.lab.broken("a nextLink was altered"),
    };
    let top = page_size(at.asked, query);
    let page = at.lab.world(|world, now| {
        let id = find(world, now, at.mailbox, folder)?.id;
        let page = world.target_items(now, at.mailbox, &id, from, top)?;
        let rows = page.items.iter();
        // What was imported as a stream has no fields in this lab, and other classes none at all.
        let shown = rows.filter_map(|row| Some(select(show(world, &row.id)?, query)));
        let shown: Vec<Value> = shown.collect();
        let all = if query.count {
            Some(all_of(world, now, at, &id, &show)?)
        } else {
            None
        };
        Ok((shown, page.next, all))
    });
    match page {
        Ok((value, next, all)) => {
            let next = next.map(|at| ListQuery {
                skip_token: Some(at.to_string()),
                ..query.clone()
            });
            counted(at.lab, &at.resource(part.clone()), value, next, all)
        }
        Err(why) => refused(at.lab, why),
    }
}

/// How many items of a folder there are to show.
pub(super) fn all_of(
    world: &World,
    now: Now,
    at: &Place<'_>,
    folder: &str,
    show: &impl Fn(&World, &str) -> Option<Map<String, Value>>,
) -> Result<usize, Refused> {
    let (mut all, mut from) = (0, None);
    loop {
        let page = world.target_items(now, at.mailbox, folder, from, 999)?;
        all += (page.items.iter())
            .filter(|row| show(world, &row.id).is_some())
            .count();
        from = page.next;
        if from.is_none() {
            return Ok(all);
        }
    }
}

fn bearing(
    at: &Place<'_>,
    folder: &str,
    query: &ListQuery,
    show: impl Fn(&World, &str) -> Option<Map<String, Value>>,
) -> Answer {
    let Some((named, sought)) = &query.bearing else {
        return at.lab.broken("a filter that names no text");
    };
    let fits = |own: String| match sought {
        Sought::Is(text) => own.eq_ignore_ascii_case(text),
        Sought::Has(text) => own.to_lowercase().contains(&text.to_lowercase()),
    };
    let found = at.lab.world(|world, now| {
        let folder = find(world, now, at.mailbox, folder)?.id;
        let (mut out, mut from) = (Vec::new(), None);
        loop {
            let page = world.target_items(now, at.mailbox, &folder, from, 999)?;
            for row in &page.items {
                let own = world.named_of(at.mailbox, &row.id, named);
                if own.is_some_and(fits)
                    && let Some(fields) = show(world, &row.id)
                {
                    out.push(select(fields, query));
                }
            }
            from = page.next;
            if from.is_none() {
                return Ok::<_, Refused>(out);
            }
        }
    });
    match found {
        Ok(value) => Answer::json(200, &json!({ "value": value })),
        Err(why) => refused(at.lab, why),
    }
}
