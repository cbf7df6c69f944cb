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
use super::world::{Limits, Now, World, WorldOptions};
use crate::base::event::Side;
use crate::base::id::{FolderId, MailboxId, TargetFolderId, TargetMailboxId};
use crate::base::mailbox::{
    FolderKind, FolderOrder, FolderRole, MAIL_FOLDER_CLASS, SourceFolder, TargetFolder,
};
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

/// A shared world with this population.
pub(super) fn populated(options: WorldOptions, population: &Population) -> SharedWorld {
    let mut world = World::new(options);
    fill(&mut world, population).unwrap();
    Arc::new(Mutex::new(world))
}

/// Two small mailboxes.
pub(super) fn few() -> Population {
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
            let parent = folder.parent.as_ref().and_then(|p| counterpart.get(p));
            let Some(own) = place_naively(&target, &into, &there, &folder, parent).await else {
                continue;
            };
            counterpart.insert(folder.id.clone(), own.clone());
            fill_naively(&source, &target, (&from, &folder.id), (&into, &own)).await;
        }
    }
}

/// The counterpart of a folder, made where there is none; nothing for folders that stay.
async fn place_naively(
    target: &DirectTarget,
    into: &TargetMailboxId,
    there: &[TargetFolder],
    folder: &SourceFolder,
    parent: Option<&TargetFolderId>,
) -> Option<TargetFolderId> {
    let stays = folder.role == Some(FolderRole::Outbox)
        || folder.hidden
        || folder.kind == FolderKind::Search
        || folder.class.starts_with("IPF.Note.OutlookHomepage")
        || folder.class == "IPF.Configuration";
    if stays {
        return None;
    }
    if folder.role.is_some() {
        let inside = folder.parent.is_some() || folder.role == Some(FolderRole::Top);
        let known = there.iter().find(|f| f.role == folder.role);
        return known.filter(|_| inside).map(|f| f.id.clone());
    }
    let class = if folder.class.is_empty() {
        MAIL_FOLDER_CLASS
    } else {
        &folder.class
    };
    let order = FolderOrder {
        parent: parent?.clone(),
        name: folder.name.clone(),
        class: class.to_owned(),
    };
    Some(target.ensure_folder(into, &order).await.unwrap().id)
}

async fn fill_naively(
    source: &DirectSource,
    target: &DirectTarget,
    (from, folder): (&MailboxId, &FolderId),
    (into, own): (&TargetMailboxId, &TargetFolderId),
) {
    let mut token = None;
    loop {
        let page = source
            .changes(from, folder, token.as_ref(), Count::new(7))
            .await
            .unwrap();
        for change in page.changes {
            let Change::Created(header) = change else {
                panic!("nobody changed anything")
            };
            let mut sink = Gather::default();
            let done = source.export(from, &[header.id], &mut sink).await.unwrap();
            if done[0].is_err() {
                continue;
            }
            let body: Body = Arc::new(Held(sink.0.remove(&0).unwrap()));
            match target.create(into, own, &body).await {
                Ok(_) | Err(Setback::ItemRefused(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        token = Some(page.token);
        if page.complete {
            return;
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

fn target_fault(world: &mut World, kind: CallKind) -> Option<Fault> {
    world.fault(Now::default(), Side::Target, "nobody", kind)
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
            .map(|_| target_fault(&mut world, CallKind::Import))
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
    assert_eq!(target_fault(&mut world, CallKind::Read), None);
    let drawn: Vec<_> = (0..4)
        .map(|_| target_fault(&mut world, CallKind::Import))
        .collect();
    assert_eq!(drawn, [lost, None, lost, None]);
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
