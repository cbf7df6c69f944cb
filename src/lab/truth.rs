//! The truth: what each side really holds, straight from the world, for whoever checks a migration from outside.
//!
//! The lab knows what must stay because it made it so; it does not ask the product's rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::typed_make::named_text;
use super::typed_render::common_of;
use super::world::World;
use super::world_content::Content;
use super::world_store::{Folder, Item, Store};
use crate::base::event::Side;
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

/// What an item says of the source item that it is a copy of, where it was made by its fields, and of that which it is to be a copy of when it is whole.
fn marks_of(item: &Item) -> Option<(Option<String>, Option<String>)> {
    let Content::Stream(stream) = &item.content else {
        return None;
    };
    if !item.marked {
        return None;
    }
    let own = decode(stream)?;
    let source = named_text(&own, SET, "mailferry-source");
    let unfinished = named_text(&own, SET, "mailferry-unfinished");
    Some((source, unfinished.filter(|mark| !mark.is_empty())))
}

/// An item as its fields show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// Its folder's path from the top.
    pub folder: String,
    /// Whose copy it is: by its mark, or else by its search key.
    pub who: String,
    /// It says of itself that it is not whole.
    pub unfinished: bool,
    /// Its subject, its text, and the names and bytes of its attachments.
    pub parts: (String, String, Vec<(String, Vec<u8>)>),
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({}: {} files)", self.who, self.parts.2.len())
    }
}

/// Everything a mailbox of either side holds, wherever it lies, for whoever checks that copies are whole.
pub fn held(world: &World, side: Side, address: &str) -> Vec<Held> {
    let stores = match side {
        Side::Source => &world.source,
        Side::Target => &world.target,
    };
    let stores = stores.values().filter(|own| own.address == address);
    stores
        .flat_map(|store| store.items.values().filter_map(|own| shown(store, own)))
        .collect()
}

fn shown(store: &Store, item: &Item) -> Option<Held> {
    let folder = store.folders.get(&item.folder)?;
    let tree = decode(&item.content.stream()?)?;
    let (common, files) = common_of(&tree);
    let (source, unfinished) = marks_of(item).unwrap_or_default();
    let key = item.ident.search_key.as_ref();
    let who = source.map_or_else(
        || format!("k:{}", key.map(ToString::to_string).unwrap_or_default()),
        |mark| mark.split('@').next().unwrap_or_default().to_owned(),
    );
    let names = common.attachments.into_iter().map(|own| own.name);
    Some(Held {
        folder: path_of(store, folder).to_string(),
        who,
        unfinished: unfinished.is_some(),
        parts: (
            common.subject,
            common.body.content,
            names.zip(files).collect(),
        ),
    })
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
    let (source, unfinished) = marks_of(item).unwrap_or_default();
    for (name, mark) in [("mark", source), ("unfinished", unfinished)] {
        if let Some(mark) = mark {
            out[name] = Value::String(mark);
        }
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
