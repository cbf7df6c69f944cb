//! What users do on both sides while a migration runs, drawn from dice.

use mailferry::base::dice::Dice;
use mailferry::base::id::MailboxId;
use mailferry::base::mailbox::{FolderKind, FolderRole};
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::world::{Content, FolderRow, NewFolder, Now, World};

use super::ANCHOR;

/// Folders of a source mailbox that a right migration carries and whose items users may touch.
pub fn folders(world: &World, mailbox: &MailboxId) -> Vec<FolderRow> {
    let all = world.source_folders(mailbox.reveal()).unwrap();
    let mut carried: Vec<FolderRow> = Vec::new();
    for row in all {
        let parent = row.parent.as_deref();
        let top = row.role == Some(FolderRole::Top);
        let inside = top || carried.iter().any(|own| Some(own.id.as_str()) == parent);
        if inside && !row.hidden && row.kind == FolderKind::Generic && !stays(&row) {
            carried.push(row);
        }
    }
    carried.retain(|row| row.role != Some(FolderRole::Top));
    carried
}

fn stays(row: &FolderRow) -> bool {
    use FolderRole as R;
    matches!(
        row.role,
        Some(
            R::Outbox
                | R::SyncIssues
                | R::RssFeeds
                | R::QuickSteps
                | R::ConversationActions
                | R::ToDoSearch
        )
    ) || row.class.starts_with("IPF.Configuration")
}

fn pick<'a, T>(dice: &mut Dice, from: &'a [T]) -> Option<&'a T> {
    (!from.is_empty()).then(|| &from[usize::try_from(dice.below(from.len() as u64)).unwrap()])
}

fn items(world: &World, mailbox: &str, folder: &str) -> Vec<String> {
    let found = world.find(mailbox, folder, 0, 1_000).unwrap();
    found.items.into_iter().map(|row| row.id).collect()
}

/// One thing a user of the source does, if there is something to do it to. Returns what.
pub fn act_on_source(
    world: &SharedWorld,
    mailbox: &MailboxId,
    dice: &mut Dice,
    n: u64,
) -> &'static str {
    let world = &mut *lock(world);
    let name = mailbox.reveal();
    let all = folders(world, mailbox);
    let Some(folder) = pick(dice, &all).cloned() else {
        return "nothing";
    };
    let now = Now::default();
    let inside = items(world, name, &folder.id);
    let item = pick(dice, &inside).cloned();
    let other = pick(dice, &all).cloned().unwrap();
    let plain = folder.role.is_none();
    match (dice.below(12), item) {
        (0..=2, _) | (_, None) => {
            let seed = 900_000 + n * 1_000 + dice.below(1_000);
            let content = Content::Plain { seed, body: 200 };
            let mail = folder.class.starts_with("IPF.Note");
            if mail {
                world
                    .add_source_item(name, &folder.id, content, ANCHOR)
                    .unwrap();
            }
            "add"
        }
        (3, Some(item)) => {
            world.delete_source_item(name, &item).unwrap();
            "delete"
        }
        (4..=5, Some(item)) if other.id != folder.id && other.class == folder.class => {
            world.move_source_item(name, &item, &other.id).unwrap();
            "move"
        }
        (6..=7, Some(item)) => {
            let _ = world.edit_source_item(now, name, &item);
            "edit"
        }
        (8, Some(item)) => {
            let read = world.source_item(name, &item).unwrap().read;
            let _ = world.mark_source_read(now, name, &item, !read);
            "mark read"
        }
        (9, _) if plain => {
            let new = format!("Renamed {n}-{}", dice.below(1_000));
            let _ = world.rename_source_folder(name, &folder.id, &new);
            "rename folder"
        }
        (10, _) if plain => {
            let _ = world.move_source_folder(name, &folder.id, &other.id);
            "move folder"
        }
        (11, _) if plain && dice.chance(1, 3) => {
            world.delete_source_folder(name, &folder.id).unwrap();
            "delete folder"
        }
        (11, _) => {
            let new = NewFolder {
                parent: Some(&folder.id),
                name: &format!("New {n}-{}", dice.below(1_000)),
                class: "IPF.Note",
                role: None,
                kind: FolderKind::Generic,
                hidden: false,
                stays: None,
            };
            let _ = world.add_source_folder(name, &new);
            "new folder"
        }
        _ => "nothing",
    }
}
