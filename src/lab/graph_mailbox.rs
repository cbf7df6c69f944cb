//! Folders and items of the Graph face (reference/graph.md 1.3 to 1.5).

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::graph_answer::Answer;
use super::graph_body;
use super::graph_http::{Asked, GraphFace};
use super::graph_users;
use super::mishap::short_of;
use super::world::{FolderRow, ItemRow, Now, Refused, World};
use crate::base::mailbox::FolderRole;
use crate::base::quantity::Count;
use crate::wire::graph::export::{ExportEntry, ExportError, ExportReply, ExportRequest};
use crate::wire::graph::folders::{NewFolder, NewName};
use crate::wire::graph::path::Resource;
use crate::wire::graph::property::{PropertyId, filetime_text};
use crate::wire::graph::query::{Disposal, ListQuery};

/// The service's page where none is asked for.
const PAGE_DEFAULT: u64 = 10;

/// The largest page it gives.
const PAGE_MAX: u64 = 999;

/// Ids per export request.
const EXPORT_IDS: usize = 20;

const FOLDER_FIELDS: &[&str] = &[
    "id",
    "displayName",
    "parentFolderId",
    "parentMailboxUrl",
    "childFolderCount",
    "totalItemCount",
    "type",
    "wellKnownName",
];

const ITEM_FIELDS: &[&str] = &[
    "id",
    "changeKey",
    "categories",
    "createdDateTime",
    "lastModifiedDateTime",
    "type",
    "size",
];

/// Answers a call on a mailbox.
pub(super) fn act(lab: &GraphFace, resource: &Resource, asked: &Asked<'_>) -> Answer {
    let method = &asked.parts.method;
    let get = *method == Method::GET;
    let post = *method == Method::POST;
    match resource {
        Resource::Settings { user } if get => graph_users::settings(lab, user, asked),
        Resource::Folders { mailbox } if get => folders(lab, resource, mailbox, None, asked),
        Resource::ChildFolders { mailbox, folder } if get => {
            folders(lab, resource, mailbox, Some(folder), asked)
        }
        Resource::Folders { mailbox } if post => make(lab, mailbox, "msgfolderroot", asked),
        Resource::ChildFolders { mailbox, folder } if post => make(lab, mailbox, folder, asked),
        Resource::Folder { mailbox, folder } if get => one_folder(lab, mailbox, folder, asked),
        Resource::Folder { mailbox, folder } if *method == Method::PATCH => {
            rename(lab, mailbox, folder, asked)
        }
        Resource::Folder { mailbox, folder } if *method == Method::DELETE => {
            remove(lab, mailbox, folder, asked)
        }
        Resource::Items { mailbox, folder } if get => items(lab, resource, mailbox, folder, asked),
        Resource::Item {
            mailbox,
            folder,
            item,
        } if get => one_item(lab, mailbox, folder, item, asked),
        Resource::Item {
            mailbox,
            folder,
            item,
        } if *method == Method::DELETE => delete(lab, mailbox, folder, item, asked),
        Resource::Export { mailbox } if post => export(lab, mailbox, asked),
        _ => {
            lab.invalid("a method this resource does not have");
            Answer::error(
                405,
                "Request_BadRequest",
                "Specified HTTP method is not allowed.",
            )
        }
    }
}

/// Reads the query of a listing and holds it to the fields there are.
pub(super) fn list_query(
    lab: &GraphFace,
    asked: &Asked<'_>,
    fields: &[&str],
) -> Result<ListQuery, Answer> {
    let query = ListQuery::parse(asked.query()).map_err(|why| lab.broken(&why.to_string()))?;
    let known = |name: &String| fields.contains(&name.as_str());
    if !query.select.iter().all(known) {
        return Err(lab.broken("$select names a property that does not exist"));
    }
    if query
        .top
        .is_some_and(|top| top.get() > PAGE_MAX || top == Count::ZERO)
    {
        return Err(lab.broken("$top is out of range"));
    }
    Ok(query)
}

/// How many a page gives.
pub(super) fn page_size(asked: &Asked<'_>, query: &ListQuery) -> u64 {
    let top = query.top.map_or(PAGE_DEFAULT, Count::get);
    if asked.short { short_of(top) } else { top }
}

/// Says what was wrong with an id, and answers.
pub(super) fn refused(lab: &GraphFace, refused: Refused) -> Answer {
    if refused == Refused::WrongCase {
        lab.invalid("an id in another case");
    }
    Answer::refused(refused)
}

/// A folder by id or well-known name; an id spelt in another case is told apart.
pub(super) fn find(
    world: &World,
    now: Now,
    mailbox: &str,
    folder: &str,
) -> Result<FolderRow, Refused> {
    match world.target_folder(now, mailbox, folder) {
        Err(Refused::NoFolder) => {
            let all = world.target_folders(now, mailbox)?;
            let twin = all.iter().any(|row| row.id.eq_ignore_ascii_case(folder));
            Err(if twin {
                Refused::WrongCase
            } else {
                Refused::NoFolder
            })
        }
        other => other,
    }
}

fn folders(
    lab: &GraphFace,
    resource: &Resource,
    mailbox: &str,
    parent: Option<&str>,
    asked: &Asked<'_>,
) -> Answer {
    let query = match list_query(lab, asked, FOLDER_FIELDS) {
        Ok(query) if query.expand.is_empty() && query.skip_token.is_none() => query,
        Ok(_) => return lab.broken("a parameter this listing does not have"),
        Err(answer) => return answer,
    };
    let rows = lab.world(|world, now| {
        let parent = match parent {
            Some(folder) => Some(find(world, now, mailbox, folder)?.id),
            None => None,
        };
        let mut rows = world.target_folders(now, mailbox)?;
        rows.retain(|row| row.parent == parent && (query.hidden || !row.hidden));
        let root = world.target_root(mailbox)?.to_owned();
        Ok((rows, root))
    });
    let (rows, root) = match rows {
        Ok(found) => found,
        Err(why) => return refused(lab, why),
    };
    let skip = query.skip.map_or(0, Count::get);
    let top = page_size(asked, &query);
    let more = rows.len() as u64 > skip.saturating_add(top);
    let page = rows
        .iter()
        .skip(usize::try_from(skip).unwrap_or(usize::MAX))
        .take(usize::try_from(top).unwrap_or(usize::MAX))
        .map(|row| select(folder_json(row, &root), &query))
        .collect();
    let next = more.then(|| ListQuery {
        skip: Some(Count::new(skip.saturating_add(top))),
        ..query.clone()
    });
    listing(lab, resource, page, next)
}

/// A page, with the link to the next one.
pub(super) fn listing(
    lab: &GraphFace,
    resource: &Resource,
    page: Vec<Value>,
    next: Option<ListQuery>,
) -> Answer {
    counted(lab, resource, page, next, None)
}

/// The same, with how many there are in all.
pub(super) fn counted(
    lab: &GraphFace,
    resource: &Resource,
    page: Vec<Value>,
    next: Option<ListQuery>,
    all: Option<usize>,
) -> Answer {
    let mut reply = Map::new();
    if let Some(all) = all {
        reply.insert("@odata.count".to_owned(), json!(all));
    }
    let context = format!("{}/v1.0/$metadata#Collection", lab.base);
    reply.insert("@odata.context".to_owned(), Value::String(context));
    reply.insert("value".to_owned(), Value::Array(page));
    if let Some(next) = next {
        let link = format!("{}{}?{}", lab.base, resource.path(), next.encode());
        reply.insert("@odata.nextLink".to_owned(), Value::String(link));
    }
    Answer::json(200, &reply)
}

fn one_folder(lab: &GraphFace, mailbox: &str, folder: &str, asked: &Asked<'_>) -> Answer {
    let query = match list_query(lab, asked, FOLDER_FIELDS) {
        Ok(query) => query,
        Err(answer) => return answer,
    };
    let row = lab.world(|world, now| {
        let row = find(world, now, mailbox, folder)?;
        Ok((row, world.target_root(mailbox)?.to_owned()))
    });
    match row {
        Ok((row, root)) => Answer::json(200, &select(folder_json(&row, &root), &query)),
        Err(why) => refused(lab, why),
    }
}

fn make(lab: &GraphFace, mailbox: &str, parent: &str, asked: &Asked<'_>) -> Answer {
    if !asked.query().is_empty() || !asked.is_json() {
        return lab.broken("a folder is made from a JSON body, without parameters");
    }
    let Some(new) = graph_body::read::<NewFolder>(&asked.body) else {
        return lab
            .broken("a new folder has displayName and type, in these letters and nothing else");
    };
    if new.extended.iter().any(|own| !is_settable(&own.id)) {
        return lab.broken("a new folder takes PidTagAttributeHidden and no other property here");
    }
    if new.display_name.is_empty() || !new.class.starts_with("IPF") {
        return lab.broken("a new folder needs a name and a class of the IPF family");
    }
    let row = lab.world(|world, now| {
        let parent = find(world, now, mailbox, parent)?.id;
        let row = world.create_folder(now, mailbox, &parent, &new.display_name, &new.class)?;
        if new.is_hidden() {
            world.hide_folder(mailbox, &row.id)?;
        }
        Ok((row, world.target_root(mailbox)?.to_owned()))
    });
    match row {
        Ok((row, root)) => Answer::json(201, &folder_json(&row, &root)),
        Err(why) => refused(lab, why),
    }
}

fn is_settable(id: &str) -> bool {
    PropertyId::parse(id) == Some(PropertyId::HIDDEN)
}

fn rename(lab: &GraphFace, mailbox: &str, folder: &str, asked: &Asked<'_>) -> Answer {
    if !asked.query().is_empty() || !asked.is_json() {
        return lab.broken("a folder is renamed by a JSON body, without parameters");
    }
    let Some(new) = graph_body::read::<NewName>(&asked.body) else {
        return lab.broken("a renamed folder has displayName and nothing else");
    };
    if new.display_name.is_empty() {
        return lab.broken("a folder needs a name");
    }
    let row = lab.world(|world, now| {
        let id = find(world, now, mailbox, folder)?.id;
        world.rename_target_folder(mailbox, &id, &new.display_name)?;
        let row = world.target_folder(now, mailbox, &id)?;
        Ok((row, world.target_root(mailbox)?.to_owned()))
    });
    match row {
        Ok((row, root)) => Answer::json(200, &folder_json(&row, &root)),
        Err(why) => refused(lab, why),
    }
}

fn remove(lab: &GraphFace, mailbox: &str, folder: &str, asked: &Asked<'_>) -> Answer {
    if !asked.query().is_empty() {
        return lab.broken("the deletion of a folder takes no parameters");
    }
    let done = lab.world(|world, now| {
        let id = find(world, now, mailbox, folder)?.id;
        world.delete_target_folder(mailbox, &id)
    });
    match done {
        Ok(()) => Answer::empty(204),
        Err(why) => refused(lab, why),
    }
}

fn folder_json(row: &FolderRow, root: &str) -> Map<String, Value> {
    let name = row.role.and_then(FolderRole::graph_name);
    object(json!({
        "id": row.id,
        "displayName": row.name,
        "parentFolderId": row.parent.as_deref().unwrap_or(root),
        "childFolderCount": row.children.get(),
        "totalItemCount": row.items.get(),
        "type": row.class,
        "wellKnownName": name,
    }))
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Keeps what was selected; the id is always given.
pub(super) fn select(mut fields: Map<String, Value>, query: &ListQuery) -> Value {
    if !query.select.is_empty() {
        let kept = |name: &String| {
            name == "id" || name == EXPANDED || query.select.iter().any(|own| own == name)
        };
        fields.retain(|name, _| kept(name));
    }
    Value::Object(fields)
}

const EXPANDED: &str = "singleValueExtendedProperties";

fn items(
    lab: &GraphFace,
    resource: &Resource,
    mailbox: &str,
    folder: &str,
    asked: &Asked<'_>,
) -> Answer {
    let query = match list_query(lab, asked, ITEM_FIELDS) {
        Ok(query) if !query.hidden && query.skip.is_none() => query,
        Ok(_) => return lab.broken("a parameter this listing does not have"),
        Err(answer) => return answer,
    };
    if !query.named.is_empty() && !lab.world(|world, _| world.knows_names) {
        return Answer::error(400, "BadRequest", "Property id is not supported.");
    }
    let from = match query.skip_token.as_deref().map(str::parse) {
        None => None,
        Some(Ok(from)) => Some(from),
        Some(Err(_)) => return lab.broken("a nextLink was altered"),
    };
    let top = page_size(asked, &query);
    let page = lab.world(|world, now| {
        let id = find(world, now, mailbox, folder)?.id;
        world.target_items(now, mailbox, &id, from, top)
    });
    match page {
        Ok(page) => {
            let rows = page.items.iter();
            let value = rows
                .map(|row| select(item_json(lab, mailbox, row, &query), &query))
                .collect();
            let next = page.next.map(|at| ListQuery {
                skip_token: Some(at.to_string()),
                ..query.clone()
            });
            listing(lab, resource, value, next)
        }
        Err(why) => refused(lab, why),
    }
}

fn item_json(
    lab: &GraphFace,
    mailbox: &str,
    row: &ItemRow,
    query: &ListQuery,
) -> Map<String, Value> {
    let mut fields = object(json!({
        "id": row.id,
        "changeKey": row.change_key,
        "categories": [],
        "createdDateTime": row.created.to_string(),
        "lastModifiedDateTime": row.modified.to_string(),
        "type": row.class.as_str(),
        "size": row.size.get(),
    }));
    let mut expanded: Vec<Value> = query
        .expand
        .iter()
        .filter_map(|&id| Some(json!({"id": id.as_replied(), "value": value_of(row, id)?})))
        .collect();
    expanded.extend(query.named.iter().filter_map(|id| {
        let value = lab.world(|world, _| world.named_of(mailbox, &row.id, id))?;
        Some(json!({"id": id.to_string(), "value": value}))
    }));
    if !expanded.is_empty() {
        fields.insert(EXPANDED.to_owned(), Value::Array(expanded));
    }
    fields
}

/// What an item's row says of a property.
pub(super) fn value_of(row: &ItemRow, id: PropertyId) -> Option<String> {
    match id {
        PropertyId::CLASS => Some(row.class.as_str().to_owned()),
        PropertyId::SIZE => Some(row.size.get().to_string()),
        PropertyId::SEARCH_KEY => Some(STANDARD.encode(row.search_key.as_ref()?.as_bytes())),
        PropertyId::MESSAGE_ID => row.message_id.clone(),
        PropertyId::SUBMITTED => filetime_text(row.submitted?),
        _ => None,
    }
}

/// An item that must lie in this folder.
fn item_in(
    world: &World,
    now: Now,
    mailbox: &str,
    folder: &str,
    item: &str,
) -> Result<ItemRow, Refused> {
    let folder = find(world, now, mailbox, folder)?.id;
    let row = world.target_item(mailbox, item)?;
    if row.folder == folder {
        Ok(row)
    } else {
        Err(Refused::NoItem)
    }
}

fn one_item(lab: &GraphFace, mailbox: &str, folder: &str, item: &str, asked: &Asked<'_>) -> Answer {
    let query = match list_query(lab, asked, ITEM_FIELDS) {
        Ok(query) => query,
        Err(answer) => return answer,
    };
    match lab.world(|world, now| item_in(world, now, mailbox, folder, item)) {
        Ok(row) => Answer::json(200, &select(item_json(lab, mailbox, &row, &query), &query)),
        Err(why) => refused(lab, why),
    }
}

fn delete(lab: &GraphFace, mailbox: &str, folder: &str, item: &str, asked: &Asked<'_>) -> Answer {
    let Some(disposal) = Disposal::parse(asked.query()) else {
        return lab.broken("a delete says disposalType");
    };
    let done = lab.world(|world, now| {
        let row = item_in(world, now, mailbox, folder, item)?;
        match disposal {
            Disposal::Hard => world.delete_target_item(mailbox, &row.folder, &row.id),
            Disposal::Soft => world.soft_delete_target_item(now, mailbox, &row.folder, &row.id),
        }
    });
    match done {
        Ok(()) => Answer::empty(204),
        Err(why) => refused(lab, why),
    }
}

fn export(lab: &GraphFace, mailbox: &str, asked: &Asked<'_>) -> Answer {
    if !asked.query().is_empty() || !asked.is_json() {
        return lab.broken("exportItems takes a JSON body, without parameters");
    }
    let Some(request) = graph_body::read::<ExportRequest>(&asked.body) else {
        return lab.broken("exportItems takes itemIds and nothing else");
    };
    if request.item_ids.is_empty() || request.item_ids.len() > EXPORT_IDS {
        return lab.broken("exportItems takes 1 to 20 ids");
    }
    let known = lab.world(|world, _| world.target_root(mailbox).map(|_| ()));
    if let Err(why) = known {
        return refused(lab, why);
    }
    let last = request.item_ids.len() - 1;
    let entries = request.item_ids.into_iter().enumerate().map(|(i, id)| {
        let got = lab.world(|world, _| world.target_export(mailbox, &id));
        let truncate = asked.truncate && i == last;
        match got {
            Ok((row, stream)) => ExportEntry {
                item_id: Some(id),
                change_key: Some(row.change_key),
                data: Some(data_of(&stream, truncate)),
                error: None,
            },
            Err(why) => {
                if why == Refused::WrongCase {
                    lab.invalid("an id in another case");
                }
                ExportEntry {
                    item_id: Some(id),
                    error: Some(export_error(why)),
                    ..ExportEntry::default()
                }
            }
        }
    });
    let reply = ExportReply {
        value: entries.collect(),
    };
    Answer::json(200, &reply)
}

/// The Base64 of a stream, or of half of it with the marker of a failed export behind.
fn data_of(stream: &[u8], truncate: bool) -> String {
    if truncate {
        let half = &stream[..stream.len() / 6 * 3];
        STANDARD.encode(half) + "=== Truncated Data ==="
    } else {
        STANDARD.encode(stream)
    }
}

fn export_error(why: Refused) -> ExportError {
    let code = match why {
        Refused::NoItem => "ErrorItemNotFound",
        Refused::WrongCase => "ErrorInvalidIdMalformed",
        _ => "ErrorCorruptData",
    };
    ExportError {
        code: Some(code.to_owned()),
        message: Some("The item could not be exported.".to_owned()),
    }
}
