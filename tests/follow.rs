//! Copies follow their source items: edits, read flags, moves, deletions, folders; and what somebody else changed on the target is left
//! alone and listed. On the direct face, in virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::sync::Arc;

use crate::stage::*;
use mailferry::base::books::Due;
use mailferry::base::dice::Dice;
use mailferry::base::event::{Event, EventKind, Side};
use mailferry::base::fact::{Bucket, JobPhase};
use mailferry::base::id::JobId;
use mailferry::base::mailbox::FolderRole;
use mailferry::base::quantity::Span;
use mailferry::base::spec::PassKind;
use mailferry::lab::control::{Order, SourceAction, TargetAction, on_source, on_target};
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::world::{Content, Now};
use mailferry::port::clock::Clock;
use mailferry::port::ledger::Ledger;
use mailferry::port::sink::EventSink;
use mailferry::store::memory::MemoryLedger;

/// A mailbox, a ledger, and a way to run over them.
struct Bench {
    knobs: Knobs,
    world: SharedWorld,
    clock: Arc<dyn Clock>,
    ledger: Arc<dyn Ledger>,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(knobs: Knobs) -> Self {
        Self {
            world: build(&knobs),
            clock: clock(),
            ledger: Arc::new(MemoryLedger::new()),
            dir: tempfile::tempdir().unwrap(),
            knobs,
        }
    }

    async fn run(&self) -> Counted {
        self.run_as(|_| {}).await
    }

    async fn run_as(&self, change: impl FnOnce(&mut mailferry::base::spec::RunSpec)) -> Counted {
        let counted = Arc::new(Counting::default());
        let steps = Steps::until(u64::MAX);
        let mut spec = spec(&self.knobs);
        change(&mut spec);
        let end = act_with(
            spec,
            &self.knobs,
            &self.world,
            &self.ledger,
            &self.clock,
            &steps,
            (self.dir.path(), counted.clone()),
        )
        .await
        .unwrap();
        assert!(end.stopped.is_none(), "{end:?}");
        counted.read()
    }

    fn source(&self, action: SourceAction, folder: Option<&str>, count: u64) {
        let order = Order {
            mailbox: address(0).reveal().to_owned(),
            action,
            folder: folder.map(str::to_owned),
            count,
        };
        on_source(&mut lock(&self.world), Now::default(), &order).unwrap();
    }

    fn target(&self, action: TargetAction, folder: Option<&str>, count: u64) {
        let order = Order {
            mailbox: address(0).reveal().to_owned(),
            action,
            folder: folder.map(str::to_owned),
            count,
        };
        on_target(&mut lock(&self.world), Now::default(), &order).unwrap();
    }

    async fn bucket(&self, bucket: Bucket) -> u64 {
        let balance = mailferry::engine::balance::take(self.ledger.as_ref())
            .await
            .unwrap();
        balance.totals().of(bucket).get()
    }

    async fn due(&self, due: Due) -> u64 {
        let sums = self.ledger.sums(JobId(0)).await.unwrap();
        sums.values().map(|sums| sums.due(due).get()).sum()
    }

    async fn all_followed(&self, what: &str) {
        assert_everything_once(&self.world, &self.knobs, what);
        assert_settled(&self.world, &self.ledger, &self.knobs, what).await;
    }
}

#[derive(Debug, Default)]
struct Counting(std::sync::Mutex<Counted>);

#[derive(Clone, Debug, Default)]
struct Counted {
    source: u64,
    target: u64,
    held_back: u64,
    missed: u64,
}

impl Counting {
    fn read(&self) -> Counted {
        self.0.lock().unwrap().clone()
    }
}

impl EventSink for Counting {
    fn emit(&self, event: &Event) {
        let mut counted = self.0.lock().unwrap();
        match &event.kind {
            EventKind::Called {
                side: Side::Source, ..
            } => counted.source += 1,
            EventKind::Called {
                side: Side::Target, ..
            } => counted.target += 1,
            EventKind::DeletesHeldBack { copies } => counted.held_back += copies.get(),
            EventKind::FolderCompared { missed } => counted.missed += missed.get(),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_users_do_to_items_and_folders_is_followed() {
    let bench = Bench::new(Knobs::default());
    bench.run().await;
    bench.all_followed("seed").await;
    for action in [
        SourceAction::Edit,
        SourceAction::MarkRead,
        SourceAction::Add,
        SourceAction::Move,
        SourceAction::Delete,
    ] {
        let folder = Some("Inbox/Lab\\/results").filter(|_| action != SourceAction::Add);
        bench.source(action, folder, 1);
        bench.run().await;
        bench.all_followed(&format!("{action:?}")).await;
    }
    let name = address(0);
    let lab = {
        let world = lock(&bench.world);
        let all = world.source_folders(name.reveal()).unwrap();
        all.into_iter()
            .find(|f| f.name == "Lab/results")
            .unwrap()
            .id
    };
    lock(&bench.world)
        .rename_source_folder(name.reveal(), &lab, "Results")
        .unwrap();
    let calls = bench.run().await;
    bench.all_followed("rename").await;
    assert!(calls.target < 10, "a rename sends nothing again: {calls:?}");
    let calendar = {
        let world = lock(&bench.world);
        world
            .source_folder_with_role(name.reveal(), FolderRole::Calendar)
            .unwrap()
            .id
    };
    let home = {
        let world = lock(&bench.world);
        world
            .source_folder_with_role(name.reveal(), FolderRole::Inbox)
            .unwrap()
            .id
    };
    lock(&bench.world)
        .move_source_folder(name.reveal(), &lab, &calendar)
        .unwrap();
    bench.run().await;
    bench.all_followed("move").await;
    lock(&bench.world)
        .move_source_folder(name.reveal(), &lab, &home)
        .unwrap();
    bench.run().await;
    bench.all_followed("back again").await;
    lock(&bench.world)
        .delete_source_folder(name.reveal(), &lab)
        .unwrap();
    bench.run().await;
    bench.all_followed("delete").await;
    let left = lock(&bench.world).resolve(name.reveal()).unwrap();
    let folders = lock(&bench.world)
        .target_folders(Now::default(), &left)
        .unwrap();
    assert!(
        folders.iter().all(|f| f.name != "Results"),
        "the folder is still there"
    );
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_its_user_edited_is_never_overwritten() {
    let bench = Bench::new(Knobs::default());
    bench.run().await;
    bench.target(TargetAction::Edit, None, 2);
    bench.source(SourceAction::Edit, None, 5);
    let before = truth_of(&bench.world, "target", "Inbox");
    bench.run().await;
    let after = truth_of(&bench.world, "target", "Inbox");
    let kept = before
        .iter()
        .filter(|digest| after.contains(digest))
        .count();
    assert!(kept >= 2, "the user's two versions are gone");
    assert_eq!(bench.bucket(Bucket::Parked).await, 2);
    assert_eq!(bench.bucket(Bucket::ChangedSince).await, 0);
    bench.run().await;
    assert_eq!(
        bench.bucket(Bucket::Parked).await,
        2,
        "a second pass changes nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_its_user_deleted_is_never_raised_from_the_dead() {
    let bench = Bench::new(Knobs::default());
    bench.run().await;
    let before = truth_of(&bench.world, "target", "Inbox").len();
    bench.target(TargetAction::Delete, None, 2);
    bench.source(SourceAction::Edit, None, 5);
    bench.run().await;
    assert_eq!(truth_of(&bench.world, "target", "Inbox").len(), before - 2);
    assert_eq!(bench.bucket(Bucket::Parked).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_its_user_edited_stays_when_the_source_item_is_deleted() {
    let bench = Bench::new(Knobs::default());
    bench.run().await;
    bench.target(TargetAction::Edit, None, 1);
    bench.source(SourceAction::Delete, None, 5);
    bench.run().await;
    assert_eq!(
        truth_of(&bench.world, "target", "Inbox").len(),
        1,
        "only the user's own version stays"
    );
    assert_eq!(bench.due(Due::Attention).await, 1, "and it is listed");
    assert_eq!(bench.due(Due::Retract).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_of_the_service_touched_is_still_ours() {
    let bench = Bench::new(Knobs::default());
    bench.run().await;
    // A new version mark, the same content: background work of the service.
    bench.target(TargetAction::MarkRead, None, 5);
    bench.target(TargetAction::MarkRead, None, 5);
    bench.source(SourceAction::Edit, None, 2);
    bench.source(SourceAction::Delete, None, 1);
    bench.run().await;
    bench.all_followed("touched").await;
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_was_emptied_is_not_emptied_on_the_target() {
    let knobs = Knobs {
        inbox: 150,
        copies: 0,
        ..Knobs::default()
    };
    let bench = Bench::new(knobs);
    bench.run().await;
    bench.source(SourceAction::Delete, None, 140);
    let counted = bench.run_as(|spec| spec.allow_deletes = false).await;
    assert_eq!(counted.held_back, 140);
    assert_eq!(truth_of(&bench.world, "target", "Inbox").len(), 150);
    bench.run().await;
    bench.all_followed("allowed").await;
}

#[tokio::test(start_paused = true)]
async fn a_final_pass_finds_what_no_delta_told() {
    let bench = Bench::new(Knobs::default());
    bench.run().await;
    bench.source(SourceAction::Edit, None, 1);
    bench.source(SourceAction::Delete, Some("Calendar"), 1);
    bench.source(SourceAction::Add, None, 2);
    lock(&bench.world).forget_changes(address(0).reveal());
    bench.run().await;
    let missing = truth_of(&bench.world, "source", "Inbox").len()
        - truth_of(&bench.world, "target", "Inbox").len();
    assert_eq!(missing, 2, "the delta has nothing to say");
    let counted = bench.run_as(|spec| spec.pass = PassKind::Final).await;
    assert_eq!(counted.missed, 4);
    bench.all_followed("final").await;
    let phase = bench.ledger.jobs().await.unwrap()[0].phase;
    assert_eq!(phase, JobPhase::Finished);
}

#[tokio::test(start_paused = true)]
async fn a_refused_sync_state_loses_no_departure() {
    let bench = Bench::new(Knobs::default());
    bench.run().await;
    bench.source(SourceAction::Delete, None, 2);
    bench.source(SourceAction::Edit, None, 1);
    lock(&bench.world).invalidate_states(address(0).reveal());
    bench.run().await;
    bench.all_followed("refused state").await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_delta_costs_a_call_per_folder_and_changes_cost_what_they_are() {
    let bench = Bench::new(Knobs::default());
    let name = address(0);
    {
        let mut world = lock(&bench.world);
        let top = world
            .source_folder_with_role(name.reveal(), FolderRole::Top)
            .unwrap()
            .id;
        for n in 0..95 {
            let new = mailferry::lab::world::NewFolder {
                parent: Some(&top),
                name: &format!("Folder {n}"),
                class: "IPF.Note",
                role: None,
                kind: mailferry::base::mailbox::FolderKind::Generic,
                hidden: false,
                stays: None,
            };
            let id = world.add_source_folder(name.reveal(), &new).unwrap();
            for seed in 0..30 {
                let seed = 50_000 + n * 100 + seed;
                let content = Content::Plain { seed, body: 100 };
                world
                    .add_source_item(name.reveal(), &id, content, ANCHOR)
                    .unwrap();
            }
        }
    }
    bench.run().await;
    bench.all_followed("seed").await;
    let folders = 95 + 5; // Inbox, Lab/results, " leer", Calendar, and the root itself.
    let quiet = bench.run().await;
    println!("{folders} folders without a change: {quiet:?}");
    assert_eq!(quiet.target, 0, "{quiet:?}");
    // One for the hierarchy, one for each folder that is carried.
    assert!(quiet.source <= folders + 1, "{quiet:?}");
    bench.source(SourceAction::Edit, None, 5);
    let busy = bench.run().await;
    println!("5 edits: {busy:?}");
    // Five updates, a session, the mailbox; one export on the other side.
    assert!(busy.target <= 7, "{busy:?}");
    assert!(busy.source <= quiet.source + 2, "{busy:?}");
}

#[tokio::test(start_paused = true)]
async fn users_who_act_all_the_time_are_followed_in_the_end() {
    for seed in 1..=12_u64 {
        let mut knobs = Knobs {
            inbox: 12,
            lab: 6,
            variety: seed.is_multiple_of(3).then_some(60),
            ..Knobs::default()
        };
        knobs.world.seed = seed;
        knobs.world.lag = Span::from_secs(3);
        let bench = Bench::new(knobs);
        let mut dice = Dice::new(seed).split("users");
        for round in 0..5 {
            bench.run().await;
            let acts: Vec<&str> = (0..8)
                .map(|n| users::act_on_source(&bench.world, &address(0), &mut dice, round * 10 + n))
                .collect();
            println!("seed {seed}, round {round}: {acts:?}");
        }
        // What moved or was renamed may need the name of something that is taken away at the end of a pass.
        for _ in 0..3 {
            bench.run_as(|spec| spec.pass = PassKind::Final).await;
        }
        bench.all_followed(&format!("seed {seed}")).await;
        assert_eq!(bench.due(Due::Attention).await, 0);
        assert_eq!(
            bench.bucket(Bucket::Confirmed).await,
            source_items(&bench.world)
        );
    }
}

fn source_items(world: &SharedWorld) -> u64 {
    count_source(world, &address(0)).get()
}

fn truth_of(world: &SharedWorld, side: &str, path: &str) -> Vec<String> {
    let truth = mailferry::lab::truth::truth(&lock(world));
    let folders = truth[side][address(0).reveal()]["folders"]
        .as_array()
        .unwrap();
    let folder = folders.iter().find(|f| f["path"] == path).unwrap();
    let items = folder["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["sha256"].to_string())
        .collect()
}
