//! The rules of the world, one by one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::populate::{Population, address, fill};
use super::world::*;
use crate::base::event::Side;
use crate::base::mailbox::{FolderKind, FolderRole};
use crate::base::quantity::{Bytes, Count, Moment, Span, Tick};
use crate::wire::item_stream::{Prop, decode, digest_of, encode};

fn at(ms: u64) -> Now {
    Now {
        tick: Tick::new(ms),
        moment: Moment::from_unix_ms(1_793_577_600_000).after(Span::new(ms)),
    }
}

const NOW: Now = Now {
    tick: Tick::ZERO,
    moment: Moment::from_unix_ms(0),
};

/// An empty pair of mailboxes: the world, the source address and Inbox, the target id and Inbox.
struct Pair {
    world: World,
    source: String,
    from: String,
    target: String,
    into: String,
}

fn pair(options: WorldOptions) -> Pair {
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

fn stream(n: u64) -> Vec<u8> {
    Content::Plain { seed: n, body: 100 }
        .stream()
        .unwrap()
        .to_vec()
}

impl Pair {
    fn add(&mut self, n: u64) -> String {
        let content = Content::Plain { seed: n, body: 10 };
        let (source, from) = (self.source.clone(), self.from.clone());
        self.world
            .add_source_item(&source, &from, content, NOW.moment)
            .unwrap()
    }

    fn session(&mut self) -> String {
        let target = self.target.clone();
        self.world.open_session(NOW, &target).unwrap().token
    }

    fn import(&mut self, now: Now, session: &str, stream: Vec<u8>) -> Result<ItemRow, Refused> {
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
            SyncChange::ReadFlag(id, read) => {
                picture.get_mut(&id).expect("known items only").1 = read;
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
fn an_import_keeps_content_and_search_key_and_renews_the_rest() {
    let mut pair = pair(WorldOptions::default());
    let session = pair.session();
    let sent = stream(7);
    let row = pair.import(NOW, &session, sent.clone()).unwrap();
    let (again, bytes) = pair.world.target_export(&pair.target, &row.id).unwrap();
    assert_eq!(again, row);
    assert_eq!(row.search_key, digest_of(&sent).search_key);
    assert_ne!(bytes, sent);
    assert_eq!(digest_of(&bytes).digest, digest_of(&sent).digest);
    assert_ne!(row.size, Bytes::new(sent.len() as u64));
    let twice = pair.import(NOW, &session, sent).unwrap();
    assert_ne!(twice.id, row.id);
    assert_ne!(twice.change_key, row.change_key);
}

#[test]
fn what_no_store_would_take_is_refused() {
    let mut pair = pair(WorldOptions::default());
    let session = pair.session();
    let good = stream(7);
    let mut marked = good.clone();
    marked.extend(b"=== Truncated Data ===");
    for bad in [
        Vec::new(),
        good[..good.len() - 1].to_vec(),
        good[..60].to_vec(),
        marked,
        b"mail".to_vec(),
    ] {
        assert_eq!(
            pair.import(NOW, &session, bad).err(),
            Some(Refused::MalformedStream)
        );
    }
    let mut strange = decode(&good).unwrap();
    strange.props.push(Prop::raw(0x1234, 0x00FD, vec![1]));
    assert!(
        pair.import(NOW, &session, encode(&strange)).is_ok(),
        "unread is not broken"
    );
    assert_eq!(
        pair.import(NOW, "nonsense", good.clone()).err(),
        Some(Refused::NoSession)
    );
    pair.world
        .set_quota(&pair.target.clone(), Bytes::new(10))
        .unwrap();
    assert_eq!(
        pair.import(NOW, &session, good).err(),
        Some(Refused::QuotaFull)
    );
}

#[test]
fn mode_update_needs_the_version_that_lies_there() {
    let mut pair = pair(WorldOptions::default());
    let session = pair.session();
    let row = pair.import(NOW, &session, stream(7)).unwrap();
    let folder = pair.into.clone();
    let mut update = |version: &str| {
        let order = ImportOrder {
            folder: &folder,
            update: Some((&row.id, version)),
            stream: stream(8),
        };
        pair.world.import(NOW, &session, order)
    };
    assert_eq!(update("CQAAold").err(), Some(Refused::WrongVersion));
    let new = update(&row.change_key).unwrap();
    assert_eq!(new.id, row.id);
    assert_ne!(new.change_key, row.change_key);
}

#[test]
fn sessions_and_tokens_end_and_new_items_show_after_the_lag() {
    let life = Span::from_secs(60);
    let mut pair = pair(WorldOptions {
        lag: Span::from_secs(5),
        session_life: life,
        token_life: life,
        ..WorldOptions::default()
    });
    let session = pair.session();
    let (token, _) = pair.world.issue_token(NOW);
    pair.import(at(59_999), &session, stream(1)).unwrap();
    assert_eq!(
        pair.import(at(60_000), &session, stream(2)).err(),
        Some(Refused::Expired)
    );
    assert!(pair.world.token_ok(at(59_999), &token) && !pair.world.token_ok(at(60_000), &token));
    assert!(!pair.world.token_ok(NOW, "lab-other"));
    let shown = |ms| {
        pair.world
            .target_items(at(ms), &pair.target, &pair.into, None, 10)
            .unwrap()
            .items
            .len()
    };
    assert_eq!((shown(64_998), shown(64_999)), (0, 1));
    let total = |ms| {
        pair.world
            .target_folder(at(ms), &pair.target, "INBOX")
            .unwrap()
            .items
    };
    assert_eq!((total(64_998), total(64_999)), (Count::ZERO, Count::new(1)));
}

#[test]
fn folders_of_exactly_one_name_conflict_and_those_that_differ_in_case_do_not() {
    let mut pair = pair(WorldOptions::default());
    let mut make = |name: &str| {
        pair.world
            .create_folder(NOW, &pair.target, "msgfolderroot", name, "IPF.Note")
    };
    assert!(make("Rota").is_ok() && make("rota").is_ok());
    assert_eq!(make("Rota").err(), Some(Refused::FolderExists));
    let new = NewFolder {
        parent: Some(&pair.from),
        name: "Rota",
        class: "IPF.Note",
        role: None,
        kind: FolderKind::Generic,
        hidden: false,
        stays: None,
    };
    assert_eq!(
        pair.world.add_source_folder(&pair.source, &new).err(),
        Some(Refused::FolderExists)
    );
}

#[test]
fn target_pages_cover_every_item_once() {
    let mut pair = pair(WorldOptions::default());
    let session = pair.session();
    let made: BTreeSet<String> = (0..23)
        .map(|n| pair.import(NOW, &session, stream(n)).unwrap().id)
        .collect();
    let (mut seen, mut from) = (BTreeSet::new(), None);
    loop {
        let page = pair
            .world
            .target_items(NOW, &pair.target, &pair.into, from, 5)
            .unwrap();
        assert!(page.items.len() == 5 || page.next.is_none());
        for row in page.items {
            assert!(seen.insert(row.id));
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
}

#[test]
fn the_published_limits_are_counted_per_mailbox() {
    let mut pair = pair(WorldOptions::default());
    let target = pair.target.clone();
    let mut begin = |now: Now, bytes: u64| {
        let upload = bytes > 0;
        pair.world
            .begin(now, Side::Target, &target, Bytes::new(bytes), upload)
    };
    let held: Vec<Ticket> = (0..4).map(|_| begin(NOW, 0).unwrap()).collect();
    assert_eq!(begin(NOW, 0).unwrap_err().limit, Limit::Concurrency);
    for ticket in held {
        pair.world.end(ticket, Bytes::ZERO);
    }
    assert_eq!(pair.world.stats()["peak_in_flight"], 4);
    assert_eq!(pair.world.invalid_log().count(), 1);

    let mut one = |now: Now, bytes: u64| {
        let upload = bytes > 0;
        let ticket = pair
            .world
            .begin(now, Side::Target, &target, Bytes::new(bytes), upload)?;
        pair.world.end(ticket, Bytes::ZERO);
        Ok::<(), Busy>(())
    };
    one(at(1_000), 100_000_000).unwrap();
    one(at(2_000), 50_000_000).unwrap();
    let busy = one(at(3_000), 1).unwrap_err();
    assert_eq!(
        (busy.limit, busy.wait),
        (Limit::Upload, Span::from_secs(298))
    );
    one(at(301_000), 1).unwrap();
    one(at(900_000), 200_000_000).expect("alone, an item may be larger than the window");
    let mut requests = 1;
    while one(at(902_000), 0).is_ok() {
        requests += 1;
    }
    assert_eq!(requests, 10_000);
    assert_eq!(one(at(1_499_999), 0).unwrap_err().limit, Limit::Requests);
}

#[test]
fn small_limits_recover_in_two_seconds_and_none_never_refuse() {
    for (limits, admitted) in [(Limits::Small, 60), (Limits::Off, 500)] {
        let mut pair = pair(WorldOptions {
            limits,
            ..WorldOptions::default()
        });
        let target = pair.target.clone();
        let mut passes = |now| {
            let calls = (0..500).map(|_| {
                pair.world
                    .begin(now, Side::Target, &target, Bytes::ZERO, false)
            });
            let tickets: Vec<_> = calls.collect();
            let passed = tickets.iter().flatten().count();
            for ticket in tickets.into_iter().flatten() {
                pair.world.end(ticket, Bytes::ZERO);
            }
            passed
        };
        let first = passes(at(0));
        assert_eq!(first, if admitted == 60 { 4 } else { admitted });
        assert_eq!(passes(at(1_999)), if admitted == 60 { 0 } else { admitted });
        assert_eq!(passes(at(4_000)), first);
    }
}

#[test]
fn statistics_name_mailboxes_by_address_and_sum_up() {
    let mut pair = pair(WorldOptions::default());
    for (side, mailbox) in [
        (Side::Source, pair.source.clone()),
        (Side::Target, pair.target.clone()),
    ] {
        let ticket = pair
            .world
            .begin(NOW, side, &mailbox, Bytes::new(30), true)
            .unwrap();
        pair.world.end(ticket, Bytes::new(500));
    }
    let stats = pair.world.stats();
    for side in ["source", "target"] {
        let want =
            serde_json::json!({"requests": 1, "throttled": 0, "bytes_in": 30, "bytes_out": 500});
        assert_eq!(stats[side][&pair.source], want);
        assert_eq!(stats["total"][side], want);
    }
    assert_eq!(stats["total"]["requests"], 2);
    assert_eq!(
        (&stats["invitations"], &stats["source_writes"]),
        (&0.into(), &0.into())
    );
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
