//! The rules of the world, one by one: what both sides need, and the source.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::populate::{Population, address, fill};
use super::world::*;
use crate::base::mailbox::{FolderKind, FolderRole};
use crate::base::quantity::{Moment, Span, Tick};

pub(super) fn at(ms: u64) -> Now {
    Now {
        tick: Tick::new(ms),
        moment: Moment::from_unix_ms(1_793_577_600_000).after(Span::new(ms)),
    }
}

pub(super) const NOW: Now = Now {
    tick: Tick::ZERO,
    moment: Moment::from_unix_ms(0),
};

/// An empty pair of mailboxes: the world, the source address and Inbox, the target id and Inbox.
pub(super) struct Pair {
    pub(super) world: World,
    pub(super) source: String,
    pub(super) from: String,
    pub(super) target: String,
    pub(super) into: String,
}

pub(super) fn pair(options: WorldOptions) -> Pair {
    let mut world = World::new(options);
    let population = Population {
        mailboxes: 1,
        items: 0,
        ..Population::default()
    };
    fill(&mut world, &population).unwrap();
    let source = address(0).reveal().to_owned();
    let from = world
        .source_folder_with_role(&source, FolderRole::Inbox)
        .unwrap()
        .id;
    let target = world.resolve(&source).unwrap();
    let into = world.target_folder(NOW, &target, "inbox").unwrap().id;
    Pair {
        world,
        source,
        from,
        target,
        into,
    }
}

pub(super) fn stream(n: u64) -> Vec<u8> {
    Content::Plain { seed: n, body: 100 }
        .stream()
        .unwrap()
        .to_vec()
}

impl Pair {
    pub(super) fn add(&mut self, n: u64) -> String {
        let content = Content::Plain { seed: n, body: 10 };
        let (source, from) = (self.source.clone(), self.from.clone());
        self.world
            .add_source_item(&source, &from, content, NOW.moment)
            .unwrap()
    }

    pub(super) fn session(&mut self) -> String {
        let target = self.target.clone();
        self.world.open_session(NOW, &target).unwrap().token
    }

    pub(super) fn import(
        &mut self,
        now: Now,
        session: &str,
        stream: Vec<u8>,
    ) -> Result<ItemRow, Refused> {
        let folder = self.into.clone();
        let order = ImportOrder {
            folder: &folder,
            update: None,
            stream,
        };
        self.world.import(now, session, order)
    }
}

/// What users do between pages.
#[derive(Clone, Debug)]
enum Doing {
    Add,
    Delete(usize),
    Edit(usize),
    Read(usize),
    MoveAwayAndBack(usize),
}

fn any_doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        Just(Doing::Add),
        (0_usize..50).prop_map(Doing::Delete),
        (0_usize..50).prop_map(Doing::Edit),
        (0_usize..50).prop_map(Doing::Read),
        (0_usize..50).prop_map(Doing::MoveAwayAndBack),
    ]
}

fn act(pair: &mut Pair, doing: &Doing, fresh: &mut u64) {
    let (source, from) = (pair.source.clone(), pair.from.clone());
    let there = pair.world.find(&source, &from, 0, 1_000).unwrap().items;
    let pick = |n: usize| there.get(n % there.len().max(1)).map(|row| row.id.clone());
    match doing {
        Doing::Add => {
            *fresh += 1;
            pair.add(*fresh);
        }
        Doing::Delete(n) => {
            let _ = pick(*n).map(|id| pair.world.delete_source_item(&source, &id).unwrap());
        }
        Doing::Edit(n) => {
            let _ = pick(*n).map(|id| pair.world.edit_source_item(NOW, &source, &id).unwrap());
        }
        Doing::Read(n) => {
            let _ = pick(*n).map(|id| {
                pair.world
                    .mark_source_read(NOW, &source, &id, *n % 2 == 0)
                    .unwrap();
            });
        }
        Doing::MoveAwayAndBack(n) => {
            let sent = pair
                .world
                .source_folder_with_role(&source, FolderRole::SentItems)
                .unwrap()
                .id;
            if let Some(id) = pick(*n) {
                let id = pair.world.move_source_item(&source, &id, &sent).unwrap();
                pair.world.move_source_item(&source, &id, &from).unwrap();
            }
        }
    }
}

/// A client's picture of the folder: id to version and read flag.
fn follow(picture: &mut BTreeMap<String, (String, bool)>, page: SyncPage) {
    for change in page.changes {
        match change {
            SyncChange::Create(row) | SyncChange::Update(row) => {
                picture.insert(row.id.clone(), (row.change_key.clone(), row.read));
            }
            SyncChange::Delete(id) => drop(picture.remove(&id)),
            SyncChange::ReadFlag {
                id,
                change_key,
                read,
            } => {
                *picture.get_mut(&id).expect("known items only") = (change_key, read);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_client_that_follows_the_pages_ends_with_what_is_there(
        first in 0_u64..30,
        doings in proptest::collection::vec(any_doing(), 0..40),
        page in 1_u64..9,
    ) {
        let mut pair = pair(WorldOptions::default());
        for n in 0..first {
            pair.add(n);
        }
        let mut picture = BTreeMap::new();
        let (mut state, mut fresh, mut doings) = (None::<String>, 1_000, doings.into_iter());
        let mut idle = 0;
        while idle < 2 {
            let page = pair.world.sync(&pair.source, &pair.from, state.as_deref(), page).unwrap();
            let last = page.last;
            state = Some(page.state.clone());
            follow(&mut picture, page);
            let next = doings.next();
            if let Some(doing) = &next {
                act(&mut pair, doing, &mut fresh);
            }
            idle = if last && next.is_none() { idle + 1 } else { 0 };
        }
        let there = pair.world.find(&pair.source, &pair.from, 0, 1_000).unwrap();
        prop_assert_eq!(there.total, there.items.len() as u64);
        let ids: BTreeSet<&String> = there.items.iter().map(|row| &row.id).collect();
        prop_assert_eq!(picture.keys().collect::<BTreeSet<_>>(), ids);
        for row in &there.items {
            prop_assert_eq!(picture[&row.id].1, row.read);
        }
    }
}

#[test]
fn a_state_is_good_for_its_own_folder_only() {
    let mut pair = pair(WorldOptions::default());
    pair.add(1);
    let page = pair.world.sync(&pair.source, &pair.from, None, 9).unwrap();
    assert!(page.state.len() >= 500);
    let sent = pair
        .world
        .source_folder_with_role(&pair.source, FolderRole::SentItems)
        .unwrap()
        .id;
    let refused =
        |folder: &str, state: &str| pair.world.sync(&pair.source, folder, Some(state), 9).err();
    assert_eq!(refused(&sent, &page.state), Some(Refused::BadState));
    assert_eq!(refused(&pair.from, "bm90IG91cnM="), Some(Refused::BadState));
    assert_eq!(refused(&pair.from, ""), Some(Refused::BadState));
    assert_eq!(refused(&pair.from, &page.state), None);
}

#[test]
fn ids_in_another_case_are_refused_as_such() {
    let mut pair = pair(WorldOptions::default());
    let id = pair.add(1);
    assert_eq!(
        pair.world
            .source_item(&pair.source, &id.to_lowercase())
            .err(),
        Some(Refused::WrongCase)
    );
    assert_eq!(
        pair.world
            .source_folder(&pair.source, &pair.from.to_lowercase())
            .err(),
        Some(Refused::WrongCase)
    );
    assert_eq!(
        pair.world.source_item(&pair.source, "AAMk").err(),
        Some(Refused::NoItem)
    );
    assert!(id.len() > 100);
}

#[test]
fn some_ids_differ_only_in_case_and_both_are_real() {
    let mut pair = pair(WorldOptions::default());
    let ids: Vec<String> = (0..400).map(|n| pair.add(n)).collect();
    let exact: BTreeSet<&String> = ids.iter().collect();
    let folded: BTreeSet<String> = ids.iter().map(|id| id.to_ascii_lowercase()).collect();
    assert_eq!(exact.len(), 400);
    assert!(folded.len() < 400);
    for id in &ids {
        pair.world.source_export(&pair.source, id).unwrap();
    }
}

#[test]
fn special_folders_are_known_by_their_entry_ids_and_search_folders_cannot_be_synchronised() {
    let pair = pair(WorldOptions::default());
    let ren = pair.world.ren_ids(&pair.source).unwrap();
    let entry = |role| {
        pair.world
            .source_folder_with_role(&pair.source, role)
            .unwrap()
            .entry_id
    };
    assert_eq!(ren.plain[1], entry(FolderRole::SyncIssues));
    assert_eq!(ren.plain.len(), 5);
    let rss = entry(FolderRole::RssFeeds);
    assert_eq!(&ren.extended[..2], 0x8001_u16.to_le_bytes());
    assert_eq!(&ren.extended[8..8 + rss.len()], rss);
    let folders = pair.world.source_folders(&pair.source).unwrap();
    let search = folders
        .iter()
        .find(|f| f.kind == FolderKind::Search)
        .unwrap();
    let refused = pair.world.sync(&pair.source, &search.id, None, 5).err();
    assert_eq!(refused, Some(Refused::SearchFolder));
    let mut known = BTreeSet::new();
    for folder in &folders {
        assert!(
            folder
                .parent
                .as_ref()
                .is_none_or(|parent| known.contains(parent)),
            "parents first"
        );
        known.insert(folder.id.clone());
    }
}

#[test]
fn corrupt_items_cannot_be_exported_and_refused_ones_not_imported() {
    let mut pair = pair(WorldOptions::default());
    let (bad, refused) = (pair.add(1), pair.add(2));
    pair.world.mark_corrupt(&pair.source.clone(), &bad).unwrap();
    pair.world
        .mark_import_refused(&pair.source.clone(), &refused)
        .unwrap();
    assert_eq!(
        pair.world.source_export(&pair.source, &bad).err(),
        Some(Refused::Corrupt)
    );
    let export = pair.world.source_export(&pair.source, &refused).unwrap();
    let session = pair.session();
    assert_eq!(
        pair.import(NOW, &session, export.stream.to_vec()).err(),
        Some(Refused::ImportRefused)
    );
    assert_eq!(
        pair.world
            .target_items(NOW, &pair.target, &pair.into, None, 9)
            .unwrap()
            .items,
        []
    );
}
