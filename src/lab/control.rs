//! Changing the world from outside, as the contract's `control_url` does: the source as its users would, for delta passes; the target as
//! a careless administrator would, for the verifier.

use serde::Deserialize;

use super::populate_items::{Maker, Shape};
use super::truth::path_of;
use super::world::{Content, Now, Refused, World};
use super::world_store::{Deed, Store};
use crate::base::mailbox::FolderRole;
use crate::wire::item_stream::{Prop, digest_of, encode, tags};

/// What users of the source do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceAction {
    /// New mail comes in.
    Add,
    /// Items are deleted for good.
    Delete,
    /// Items are moved to Deleted Items, from there to the Inbox.
    Move,
    /// Subjects are changed.
    Edit,
    /// Read flags are turned over.
    MarkRead,
}

/// What happens to the target behind our back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetAction {
    /// Items disappear.
    Delete,
    /// Items are there twice: same content and search key, another id.
    Duplicate,
    /// Subjects are changed.
    Edit,
    /// Read flags are turned over.
    MarkRead,
    /// Items appear that nobody migrated.
    Add,
    /// Meeting requests appear that nobody migrated, as if somebody, or the service by itself, had sent them.
    Invite,
}

/// One order: `{"mailbox","action","folder","count"}`.
#[derive(Clone, Debug, Deserialize)]
pub struct Order<A> {
    /// The mailbox by address.
    pub mailbox: String,
    /// What to do.
    pub action: A,
    /// The folder by its path as the truth shows it; the Inbox where it is left out.
    #[serde(default)]
    pub folder: Option<String>,
    /// How many items; one where it is left out. Folders with fewer give what they have.
    #[serde(default = "one")]
    pub count: u64,
}

const fn one() -> u64 {
    1
}

/// Carries out an order on the source. Returns how many items it touched.
pub fn on_source(world: &mut World, now: Now, order: &Order<SourceAction>) -> Result<u64, Refused> {
    let mailbox = order.mailbox.as_str();
    let store = world.source_store(mailbox)?;
    let folder = folder_of(store, order.folder.as_deref())?;
    if order.action == SourceAction::Add {
        for n in 0..order.count {
            let stream = fresh(world, now, n, None);
            world.add_source_item(mailbox, &folder, stream, now.moment)?;
        }
        return Ok(order.count);
    }
    let items = oldest(store, &folder, order.count);
    let elsewhere = [FolderRole::DeletedItems, FolderRole::Inbox]
        .into_iter()
        .filter_map(|role| store.with_role(role))
        .find(|other| other.id != folder)
        .map(|other| other.id.clone());
    for id in &items {
        match order.action {
            SourceAction::Add => {}
            SourceAction::Delete => world.delete_source_item(mailbox, id)?,
            SourceAction::Move => {
                let to = elsewhere.as_deref().ok_or(Refused::NoFolder)?;
                world.move_source_item(mailbox, id, to)?;
            }
            SourceAction::Edit => world.edit_source_item(now, mailbox, id)?,
            SourceAction::MarkRead => {
                let read = world.source_item(mailbox, id)?.read;
                world.mark_source_read(now, mailbox, id, !read)?;
            }
        }
    }
    Ok(items.len() as u64)
}

/// Carries out an order on the target. Returns how many items it touched.
pub fn on_target(world: &mut World, now: Now, order: &Order<TargetAction>) -> Result<u64, Refused> {
    let mailbox = world.resolve(&order.mailbox)?;
    let store = world.target_store(&mailbox)?;
    let folder = folder_of(store, order.folder.as_deref())?;
    let class = match order.action {
        TargetAction::Add => Some(None),
        TargetAction::Invite => Some(Some("IPM.Schedule.Meeting.Request")),
        _ => None,
    };
    if let Some(class) = class {
        for n in 0..order.count {
            let content = fresh(world, now, n, class);
            world.plant(now, &mailbox, &folder, content)?;
        }
        return Ok(order.count);
    }
    let items = oldest(store, &folder, order.count);
    for id in &items {
        match order.action {
            TargetAction::Add | TargetAction::Invite => {}
            TargetAction::Delete => world.delete_target_item(&mailbox, &folder, id)?,
            TargetAction::Duplicate => {
                let store = world.target_store(&mailbox)?;
                let content = store.items.get(id).ok_or(Refused::NoItem)?.content.clone();
                world.plant(now, &mailbox, &folder, content)?;
            }
            TargetAction::Edit => world.tamper(now, &mailbox, id, |message, _| {
                message.set(Prop::text(tags::SUBJECT, "Edited behind our back"));
            })?,
            TargetAction::MarkRead => world.tamper(now, &mailbox, id, |message, flags| {
                message.set(Prop::i32(tags::MESSAGE_FLAGS, flags ^ tags::FLAG_READ));
            })?,
        }
    }
    Ok(items.len() as u64)
}

/// The folder of a path, or the Inbox.
pub(super) fn folder_of(store: &Store, path: Option<&str>) -> Result<String, Refused> {
    let found = match path {
        None => store.with_role(FolderRole::Inbox),
        Some(path) => store
            .folders
            .values()
            .find(|folder| path_of(store, folder).as_str() == path),
    };
    found.map(|f| f.id.clone()).ok_or(Refused::NoFolder)
}

/// The items that came first, without those that cannot be read anyway.
fn oldest(store: &Store, folder: &str, count: u64) -> Vec<String> {
    let sound = |id: &&String| store.items.get(*id).is_some_and(|item| !item.corrupt);
    let own = store.folders.get(folder).into_iter();
    own.flat_map(|f| f.items.values())
        .filter(sound)
        .take(usize::try_from(count).unwrap_or(usize::MAX))
        .cloned()
        .collect()
}

/// A message that was not there before.
fn fresh(world: &mut World, now: Now, n: u64, class: Option<&str>) -> Content {
    let label = format!("fresh {}", world.next_seq());
    let mut maker = Maker::new(world.dice.split(&label), now.moment);
    // Numbers without a missing key or id: what was added can be told apart.
    let mut message = maker.item(Shape::Mail, 58 + n % 5);
    if let Some(class) = class {
        message.set(Prop::text(tags::MESSAGE_CLASS, class));
    }
    Content::Stream(encode(&message).into())
}

impl World {
    /// Puts an item into the target without an import.
    fn plant(
        &mut self,
        now: Now,
        mailbox: &str,
        folder: &str,
        content: Content,
    ) -> Result<(), Refused> {
        let stream = content.stream().ok_or(Refused::Discarded)?;
        let report = digest_of(&stream);
        let item = self.arrival(now, folder.to_owned(), &report, content);
        let id = self.target_id();
        self.target_store_mut(mailbox)?.put(id, item);
        Ok(())
    }

    /// Changes a target item where it lies.
    fn tamper(
        &mut self,
        now: Now,
        mailbox: &str,
        id: &str,
        edit: impl FnOnce(&mut crate::wire::item_stream::Message, u32),
    ) -> Result<(), Refused> {
        let (seq, change_key) = (self.next_seq(), self.change_key());
        let store = self.target_store_mut(mailbox)?;
        let item = store.items.get_mut(id).ok_or(Refused::NoItem)?;
        item.rewrite(now.moment, edit)?;
        item.change_key = change_key;
        store.touched(id, Deed::Updated, seq);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::populate::{Population, address, fill};
    use crate::lab::truth::truth;
    use crate::lab::world::{ImportOrder, WorldOptions};

    const PATH: &str = "Inbox/Lab\\/results";

    fn world() -> World {
        let mut world = World::new(WorldOptions::default());
        let population = Population {
            mailboxes: 1,
            ..Population::default()
        };
        fill(&mut world, &population).unwrap();
        world
    }

    fn order<A>(action: A, count: u64) -> Order<A> {
        Order {
            mailbox: address(0).reveal().to_owned(),
            action,
            folder: None,
            count,
        }
    }

    fn items(world: &World, side: &str, path: &str) -> Vec<serde_json::Value> {
        let truth = truth(world);
        let folders = truth[side][address(0).reveal()]["folders"]
            .as_array()
            .unwrap();
        let folder = folders.iter().find(|f| f["path"] == path).unwrap();
        folder["items"].as_array().unwrap().clone()
    }

    #[test]
    fn source_orders_do_what_they_say() {
        let mut world = world();
        let now = Now::default();
        let before = items(&world, "source", "Inbox");
        let deleted = items(&world, "source", "Deleted Items").len();
        let act = |world: &mut World, action, count| {
            on_source(world, now, &order(action, count)).unwrap()
        };

        assert_eq!(act(&mut world, SourceAction::Add, 3), 3);
        assert_eq!(items(&world, "source", "Inbox").len(), before.len() + 3);
        assert_eq!(act(&mut world, SourceAction::Delete, 2), 2);
        assert_eq!(items(&world, "source", "Inbox")[..5], before[2..7]);
        assert_eq!(act(&mut world, SourceAction::Move, 1), 1);
        assert_eq!(items(&world, "source", "Deleted Items").len(), deleted + 1);
        assert_eq!(items(&world, "source", "Deleted Items")[deleted], before[2]);
        assert_eq!(act(&mut world, SourceAction::Edit, 1), 1);
        let edited = &items(&world, "source", "Inbox")[0];
        assert_eq!(edited["search_key"], before[3]["search_key"]);
        assert_ne!(edited["sha256"], before[3]["sha256"]);
        assert_eq!(act(&mut world, SourceAction::MarkRead, 1), 1);
        let marked = &items(&world, "source", "Inbox")[0];
        assert_ne!(marked["read"], edited["read"]);
        assert_eq!(
            act(&mut world, SourceAction::Delete, 9_999),
            before.len() as u64
        );
    }

    #[test]
    fn target_orders_do_what_they_say() {
        let mut world = world();
        let now = Now::default();
        let mailbox = world.resolve(address(0).reveal()).unwrap();
        let inbox = world.target_folder(now, &mailbox, "inbox").unwrap();
        let session = world.open_session(now, &mailbox).unwrap().token;
        for n in 0..3 {
            let Content::Stream(stream) = fresh(&mut world, now, n, None) else {
                panic!("a stream")
            };
            let order = ImportOrder {
                folder: &inbox.id,
                update: None,
                stream: stream.to_vec(),
            };
            world.import(now, &session, order).unwrap();
        }
        let before = items(&world, "target", "Inbox");
        let act = |world: &mut World, action, count| {
            on_target(world, now, &order(action, count)).unwrap()
        };

        assert_eq!(act(&mut world, TargetAction::Duplicate, 1), 1);
        assert_eq!(items(&world, "target", "Inbox")[3], before[0]);
        assert_eq!(act(&mut world, TargetAction::Edit, 1), 1);
        assert_ne!(
            items(&world, "target", "Inbox")[0]["sha256"],
            before[0]["sha256"]
        );
        assert_eq!(act(&mut world, TargetAction::Delete, 1), 1);
        assert_eq!(items(&world, "target", "Inbox")[0], before[1]);
        assert_eq!(act(&mut world, TargetAction::MarkRead, 1), 1);
        assert_ne!(
            items(&world, "target", "Inbox")[0]["read"],
            before[1]["read"]
        );
        assert_eq!(act(&mut world, TargetAction::Add, 2), 2);
        assert_eq!(items(&world, "target", "Inbox").len(), 5);
    }

    #[test]
    fn orders_are_read_as_the_contract_writes_them() {
        let text =
            r#"{"mailbox":"a@clinic.example","action":"mark_read","folder":"Inbox","count":4}"#;
        let order: Order<SourceAction> = serde_json::from_str(text).unwrap();
        assert_eq!((order.action, order.count), (SourceAction::MarkRead, 4));
        let mut world = world();
        let unknown = Order {
            folder: Some("Nowhere".to_owned()),
            ..self::order(SourceAction::Add, 1)
        };
        assert_eq!(
            on_source(&mut world, Now::default(), &unknown),
            Err(Refused::NoFolder)
        );
        let slash = Order {
            folder: Some(PATH.to_owned()),
            ..self::order(SourceAction::Add, 1)
        };
        assert_eq!(on_source(&mut world, Now::default(), &slash), Ok(1));
    }
}
