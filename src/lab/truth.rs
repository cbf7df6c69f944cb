//! The truth: what each side really holds, straight from the world, for whoever checks a migration from outside.
//!
//! The lab knows what must stay because it made it so; it does not ask the product's rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::typed_make::named_text;
use super::world::World;
use super::world_content::Content;
use super::world_store::{Folder, Item, Store};
use crate::base::item::Stamp;
use crate::base::mailbox::{FolderPath, FolderRole, MAIL_FOLDER_CLASS};
use crate::wire::graph::provenance::SET;
use crate::wire::item_stream::decode;

/// The document of the contract's `truth_url`: for each side and mailbox the folders a right migration carries, and what it leaves.
pub fn truth(world: &World) -> Value {
    let side = |stores: &BTreeMap<String, Store>| {
        stores
            .values()
            .map(|store| (store.address.clone(), mailbox(store)))
            .collect::<Map<_, _>>()
    };
    json!({"source": side(&world.source), "target": side(&world.target)})
}

fn mailbox(store: &Store) -> Value {
    let mut folders = Vec::new();
    let mut left_out = Vec::new();
    for folder in store.order.iter().filter_map(|id| store.folders.get(id)) {
        let (path, why) = place(store, folder);
        let items = folder.items.values().filter_map(|id| store.items.get(id));
        if let Some(why) = why {
            left_out.push(json!({"path": path, "why": why, "items": folder.items.len()}));
            continue;
        }
        if folder.role == Some(FolderRole::Top) && folder.items.is_empty() {
            continue;
        }
        let class = if folder.class.is_empty() {
            MAIL_FOLDER_CLASS
        } else {
            &folder.class
        };
        let items: Vec<Value> = items.map(item_json).collect();
        folders.push(json!({"path": path, "class": class, "items": items}));
    }
    json!({"folders": folders, "left_out": left_out})
}

/// A folder's path from the top, default folders by their English name, and why it stays behind, where it or a folder above it does.
fn place(store: &Store, folder: &Folder) -> (FolderPath, Option<&'static str>) {
    let mut names = Vec::new();
    let mut why = None;
    let mut beside = true;
    let mut at = Some(folder);
    while let Some(own) = at {
        why = why.or(own.stays);
        if own.role == Some(FolderRole::Top) {
            beside = false;
            break;
        }
        names.push(own.role.map_or(own.name.as_str(), |role| role.english()));
        at = own.parent.as_ref().and_then(|id| store.folders.get(id));
    }
    names.reverse();
    let why = why.or(beside.then_some("outside the user's tree"));
    (FolderPath::of(names), why)
}

/// What an item says of the source item that it is a copy of, where it was made by its fields.
fn mark_of(item: &Item) -> Option<String> {
    const NAME: &str = "mailferry-source";
    let Content::Stream(stream) = &item.content else {
        return None;
    };
    if !item.marked {
        return None;
    }
    named_text(&decode(stream)?, SET, NAME)
}

/// A folder's path from the top, default folders by their English name.
pub(super) fn path_of(store: &Store, folder: &Folder) -> FolderPath {
    place(store, folder).0
}

fn item_json(item: &Item) -> Value {
    let mut out = json!({
        "search_key": item.ident.search_key.as_ref().map(ToString::to_string),
        "class": item.ident.class.as_str(),
        "message_id": item.ident.message_id,
        "read": item.ident.read(),
        "sha256": item.content.digest().map(|digest| digest.to_string()),
        "size": item.size.get(),
    });
    if item.ident.search_key.is_none() {
        let ident = &item.ident;
        let stamp = Stamp::fallback(ident.message_id.as_deref(), &ident.class, ident.submitted);
        if let Stamp::Fallback(hash) = stamp {
            let hex = hash.iter().map(|byte| format!("{byte:02x}"));
            out["fallback"] = Value::String(hex.collect());
        }
    }
    if let Some(mark) = mark_of(item) {
        out["mark"] = Value::String(mark);
    }
    if item.corrupt {
        out["corrupt"] = Value::Bool(true);
    }
    if let Some(disguise) = item.infected {
        out["infected"] = json!(disguise);
    }
    if item.import_refused {
        out["import_refused"] = Value::Bool(true);
    }
    out
}
