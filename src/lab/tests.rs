//! The world as a whole: populated, read, copied by the simplest possible copier, and held against its own truth.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::direct::{DirectSource, DirectTarget, SharedWorld, lock};
use super::fault::{CallKind, Fault, Weather};
use super::populate::{Population, fill};
use super::truth::truth;
use super::world::{Limits, World, WorldOptions};
use crate::base::id::{FolderId, TargetFolderId};
use crate::base::mailbox::{FolderOrder, FolderRole, MAIL_FOLDER_CLASS};
use crate::base::outcome::Setback;
use crate::base::quantity::{Bytes, Count, Moment, Span, Tick};
use crate::port::body::{Body, BodyStream, Rewind};
use crate::port::clock::Clock;
use crate::port::source::{Change, ExportSink, Source};
use crate::port::target::Target;

/// A clock that jumps to whatever anybody waits for.
#[derive(Debug, Default)]
struct Jumping(Mutex<u64>);

#[async_trait]
impl Clock for Jumping {
    fn tick(&self) -> Tick {
        Tick::new(*self.0.lock().unwrap())
    }

    fn moment(&self) -> Moment {
        Moment::from_unix_ms(1_793_577_600_000).after(Span::new(self.tick().get()))
    }

    async fn sleep_until(&self, at: Tick) {
        let mut now = self.0.lock().unwrap();
        *now = (*now).max(at.get());
    }
}

#[derive(Debug)]
struct Held(Vec<u8>);

impl Rewind for Held {
    fn len(&self) -> Bytes {
        Bytes::new(self.0.len() as u64)
    }

    fn open(&self) -> BodyStream {
        stream::iter([Ok(Chunk::from(self.0.clone()))]).boxed()
    }
}

#[derive(Default)]
struct Gather(BTreeMap<usize, Vec<u8>>, usize);

#[async_trait]
impl ExportSink for Gather {
    async fn begin(&mut self, index: usize) -> Result<(), Setback> {
        self.1 = index;
        self.0.insert(index, Vec::new());
        Ok(())
    }

    async fn piece(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        self.0.get_mut(&self.1).unwrap().extend_from_slice(bytes);
        Ok(())
    }
}

fn populated(options: WorldOptions, population: &Population) -> SharedWorld {
    let mut world = World::new(options);
    fill(&mut world, population).unwrap();
    Arc::new(Mutex::new(world))
}

fn few() -> Population {
    Population {
        mailboxes: 2,
        items: 60,
        ..Population::default()
    }
}

/// Copies everything once, with no care for anything: fit for calm weather only.
async fn copy_naively(world: &SharedWorld, clock: &Arc<dyn Clock>) {
    let latency = Span::new(10);
    let source = DirectSource::new(Arc::clone(world), Arc::clone(clock), latency);
    let target = DirectTarget::new(Arc::clone(world), Arc::clone(clock), latency);
    let pairs = lock(world).pairs().to_vec();
    for (from, to) in pairs {
        let into = target.resolve(&to).await.unwrap();
        let there = target.folders(&into).await.unwrap();
        let mut counterpart: BTreeMap<FolderId, TargetFolderId> = BTreeMap::new();
        for folder in source.folders(&from).await.unwrap() {
            let same = |f: &&crate::base::mailbox::TargetFolder| f.role == folder.role;
            let known = there.iter().find(same).filter(|_| folder.role.is_some());
            let stays = folder.role == Some(FolderRole::Outbox)
                || folder.hidden
                || folder.class.starts_with("IPF.Note.OutlookHomepage")
                || folder.class == "IPF.Configuration";
            let own = match (
                known,
                folder.parent.as_ref().and_then(|p| counterpart.get(p)),
            ) {
                _ if stays => continue,
                (Some(known), _)
                    if folder.parent.is_some() || folder.role == Some(FolderRole::Top) =>
                {
                    known.id.clone()
                }
                (None, Some(parent))
                    if folder.kind == crate::base::mailbox::FolderKind::Generic
                        && folder.role.is_none() =>
                {
                    let class = if folder.class.is_empty() {
                        MAIL_FOLDER_CLASS
                    } else {
                        &folder.class
                    };
                    let order = FolderOrder {
                        parent: parent.clone(),
                        name: folder.name.clone(),
                        class: class.to_owned(),
                    };
                    target.ensure_folder(&into, &order).await.unwrap().id
                }
                _ => continue,
            };
            counterpart.insert(folder.id.clone(), own.clone());
            let mut token = None;
            loop {
                let asked = Count::new(7);
                let page = source
                    .changes(&from, &folder.id, token.as_ref(), asked)
                    .await
                    .unwrap();
                for change in page.changes {
                    let Change::Created(header) = change else {
                        panic!("nobody changed anything")
                    };
                    let mut sink = Gather::default();
                    let done = source.export(&from, &[header.id], &mut sink).await.unwrap();
                    if done[0].is_err() {
                        continue;
                    }
                    let body: Body = Arc::new(Held(sink.0.remove(&0).unwrap()));
                    match target.create(&into, &own, &body).await {
                        Ok(_) | Err(Setback::ItemRefused(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                token = Some(page.token);
                if page.complete {
                    break;
                }
            }
        }
    }
}

/// Folder path to the sorted items, without what an import changes; empty folders left out.
fn holdings(side: &Value) -> BTreeMap<(String, String), Vec<String>> {
    let mut out = BTreeMap::new();
    for (mailbox, content) in side.as_object().unwrap() {
        for folder in content["folders"].as_array().unwrap() {
            let carried =
                |item: &&Value| item["corrupt"].is_null() && item["import_refused"].is_null();
            let mut items: Vec<String> = folder["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(carried)
                .map(|i| {
                    format!(
                        "{} {} {} {} {}",
                        i["search_key"], i["class"], i["message_id"], i["read"], i["sha256"]
                    )
                })
                .collect();
            items.sort();
            if !items.is_empty() {
                let path = folder["path"].as_str().unwrap().to_owned();
                out.insert((mailbox.clone(), path), items);
            }
        }
    }
    out
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future);
}

#[test]
fn a_naive_copy_in_calm_weather_makes_both_truths_equal() {
    run(async {
        let population = Population {
            corrupt: 2,
            import_refused: 1,
            ..few()
        };
        let world = populated(WorldOptions::default(), &population);
        let clock: Arc<dyn Clock> = Arc::new(Jumping::default());
        copy_naively(&world, &clock).await;
        let world = lock(&world);
        let truth = truth(&world);
        let source = holdings(&truth["source"]);
        assert_eq!(source, holdings(&truth["target"]));
        assert_eq!(source.values().map(Vec::len).sum::<usize>(), 2 * (60 - 3));
        let stats = world.stats();
        assert_eq!(stats["invalid"], 0);
        assert_eq!(stats["source_writes"], 0);
        assert_eq!(stats["peak_in_flight"], 1);
    });
}

#[test]
fn every_mailbox_has_exactly_the_items_asked_for_and_some_that_must_stay() {
    for items in [0, 1, 7, 60, 200] {
        let population = Population {
            items,
            mailboxes: 3,
            ..Population::default()
        };
        let world = populated(WorldOptions::default(), &population);
        let truth = truth(&lock(&world));
        for mailbox in truth["source"].as_object().unwrap().values() {
            let folders = mailbox["folders"].as_array().unwrap();
            let held: usize = folders
                .iter()
                .map(|f| f["items"].as_array().unwrap().len())
                .sum();
            assert_eq!(held as u64, items);
            let whys: std::collections::BTreeSet<&str> = mailbox["left_out"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| f["why"].as_str().unwrap())
                .collect();
            assert_eq!(whys.len(), 8, "{whys:?}");
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_world_and_another_seed_another() {
    let of = |seed| {
        let options = WorldOptions {
            seed,
            ..WorldOptions::default()
        };
        let population = Population { seed, ..few() };
        truth(&lock(&populated(options, &population))).to_string()
    };
    assert_eq!(of(5), of(5));
    assert_ne!(of(5), of(6));
}

#[test]
fn the_populated_mailbox_has_every_trap() {
    let population = Population {
        mailboxes: 1,
        ..Population::default()
    };
    let world = populated(WorldOptions::default(), &population);
    let truth = truth(&lock(&world));
    let folders = truth["source"]["a.harris@clinic.example"]["folders"]
        .as_array()
        .unwrap();
    let paths: Vec<&str> = folders
        .iter()
        .map(|f| f["path"].as_str().unwrap())
        .collect();
    for path in [
        "Inbox/Lab\\/results",
        "Inbox/🏥 Nightshift 🌙",
        "Inbox/ leading blank",
        "Inbox/Rota",
        "Inbox/rota",
        "Inbox/Empty",
    ] {
        assert!(paths.contains(&path), "{path}");
    }
    assert!(paths.iter().any(|path| path.chars().count() == 206));
    let items: Vec<&Value> = folders
        .iter()
        .flat_map(|f| f["items"].as_array().unwrap())
        .collect();
    let without = |key: &str| items.iter().filter(|i| i[key].is_null()).count();
    assert!(without("search_key") >= 5 && without("message_id") >= 20 && without("sha256") == 0);
    let classes: std::collections::BTreeSet<&str> =
        items.iter().map(|i| i["class"].as_str().unwrap()).collect();
    assert!(classes.len() >= 11, "{classes:?}");
    let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
    for key in items.iter().filter_map(|i| i["search_key"].as_str()) {
        *keys.entry(key).or_default() += 1;
    }
    assert_eq!(keys.values().max(), Some(&4));
    let sizes: Vec<u64> = items.iter().map(|i| i["size"].as_u64().unwrap()).collect();
    let total: u64 = sizes.iter().sum();
    assert!(
        sizes.iter().max() > Some(&60_000) && total < 6_000_000,
        "{total}"
    );
}

#[test]
fn bench_mailboxes_hold_no_bytes_until_asked() {
    let population = Population {
        mailboxes: 1,
        items: 300,
        bench: Some(10_000),
        ..Population::default()
    };
    let options = WorldOptions {
        discard_content: true,
        limits: Limits::Off,
        ..WorldOptions::default()
    };
    run(async move {
        let world = populated(options, &population);
        let clock: Arc<dyn Clock> = Arc::new(Jumping::default());
        copy_naively(&world, &clock).await;
        let truth = truth(&lock(&world));
        assert_eq!(holdings(&truth["source"]), holdings(&truth["target"]));
    });
}

#[test]
fn a_storm_is_the_same_storm_for_the_same_seed() {
    let faults = |seed| {
        let options = WorldOptions {
            seed,
            weather: Weather::Storm,
            ..WorldOptions::default()
        };
        let mut world = World::new(options);
        (0..200)
            .map(|_| world.fault(CallKind::Import))
            .collect::<Vec<_>>()
    };
    assert_eq!(faults(3), faults(3));
    assert_ne!(faults(3), faults(4));
}

#[test]
fn a_scripted_fault_meets_the_next_call_of_its_kind_and_no_other() {
    let mut world = World::new(WorldOptions::default());
    let lost = Some(Fault::ResetAfter);
    world.script([
        (CallKind::Import, lost),
        (CallKind::Import, None),
        (CallKind::Import, lost),
    ]);
    assert_eq!(world.fault(CallKind::Read), None);
    let drawn: Vec<_> = (0..4).map(|_| world.fault(CallKind::Import)).collect();
    assert_eq!(drawn, [lost, None, lost, None]);
}

#[test]
fn real_mail_takes_the_place_of_made_up_mail_and_keeps_its_content() {
    let raw = b"Subject: hello\r\nMessage-ID: <real@clinic.example>\r\n\r\nBody\r\n";
    let population = Population {
        mail: vec![super::eml::message_of(raw)],
        ..few()
    };
    let world = populated(WorldOptions::default(), &population);
    let truth = truth(&lock(&world));
    let inbox = &truth["source"]["a.harris@clinic.example"]["folders"][0];
    assert_eq!(inbox["path"], "Inbox");
    let mut keys = std::collections::BTreeSet::new();
    for item in inbox["items"].as_array().unwrap() {
        assert_eq!(item["message_id"], "<real@clinic.example>");
        keys.insert(item["search_key"].to_string());
    }
    assert!(keys.len() > 10, "each use of a file is an item of its own");
}

#[test]
fn a_lost_answer_leaves_the_item_behind_and_a_refusal_does_not() {
    run(async {
        let population = Population {
            mailboxes: 1,
            items: 0,
            ..Population::default()
        };
        let world = populated(WorldOptions::default(), &population);
        let clock: Arc<dyn Clock> = Arc::new(Jumping::default());
        let target = DirectTarget::new(Arc::clone(&world), Arc::clone(&clock), Span::new(10));
        let user = lock(&world).pairs()[0].1.clone();
        let mailbox = target.resolve(&user).await.unwrap();
        let inbox = target.folders(&mailbox).await.unwrap();
        let inbox = inbox
            .iter()
            .find(|f| f.role == Some(FolderRole::Inbox))
            .unwrap()
            .id
            .clone();
        let stream = super::world::Content::Plain { seed: 4, body: 50 }
            .stream()
            .unwrap();
        let body: Body = Arc::new(Held(stream.to_vec()));
        let mut there = 0;
        for (fault, stays) in [
            (Fault::Busy(None), 0),
            (Fault::Unavailable, 0),
            (Fault::Unauthorized, 0),
            (Fault::GatewayBefore, 0),
            (Fault::GatewayAfter, 1),
            (Fault::ResetBefore, 0),
            (Fault::ResetAfter, 1),
            (Fault::SilenceAfter, 1),
            (Fault::CutBody, 1),
        ] {
            lock(&world).script([(CallKind::Import, Some(fault))]);
            target.create(&mailbox, &inbox, &body).await.unwrap_err();
            there += stays;
            let page = target.page(&mailbox, &inbox, None).await.unwrap();
            assert_eq!(page.items.len(), there, "{fault:?}");
        }
        let stats = lock(&world).stats();
        assert_eq!(stats["peak_in_flight"], 1);
    });
}
