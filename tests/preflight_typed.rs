//! Canaries that are made by their class, on the direct face: what comes of each class, and that nothing stays whatever happens in between.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};

use crate::stage::{Knobs, Steps, act, address, build, clock, spec, stepped};
use mailferry::base::canary::{CanaryLine, CanaryRun, CanaryStep};
use mailferry::base::dice::Dice;
use mailferry::base::id::{TargetItemId, TargetMailboxId};
use mailferry::base::item::{ItemClass, Placed, Stamp};
use mailferry::base::losses::family_of;
use mailferry::base::mailbox::TargetFolder;
use mailferry::base::outcome::Setback;
use mailferry::base::probe::{CanaryEnd, CanaryTrial, Cleanup};
use mailferry::base::quantity::{Count, Span, Tick};
use mailferry::base::route::{Route, RouteRule};
use mailferry::base::typed::TypedItem;
use mailferry::engine::preflight::{Order, Ports, observe};
use mailferry::lab::direct::{DirectSource, DirectTarget, SharedWorld, lock};
use mailferry::lab::direct_typed_source::DirectTypedSource;
use mailferry::lab::fault::{CallKind, Fault};
use mailferry::lab::world::{Limits, Now, WorldOptions};
use mailferry::lab::wrong::Wrong;
use mailferry::port::body::{Body, BodyStream};
use mailferry::port::clock::Clock;
use mailferry::port::ledger::Ledger;
use mailferry::port::probe::{CanaryLog, CanaryLogError};
use mailferry::port::typed::{TypedPorts, TypedTarget};
use mailferry::preflight::canary::leftovers;
use mailferry::preflight::observed::CanariesSeen;
use mailferry::store::memory::MemoryLedger;
use mailferry::wire::graph::provenance::{self, Mark};
use mailferry::wire::parcel::{ParcelMeter, encode};

/// A log in memory.
#[derive(Debug, Default)]
struct Lines(Mutex<Vec<CanaryLine>>);

impl CanaryLog for Lines {
    fn lines(&self) -> Result<Vec<CanaryLine>, CanaryLogError> {
        Ok(self.0.lock().unwrap().clone())
    }
    fn append(&self, line: &CanaryLine) -> Result<(), CanaryLogError> {
        self.0.lock().unwrap().push(line.clone());
        Ok(())
    }
}

fn knobs(route: RouteRule, wrong: &[Wrong]) -> Knobs {
    Knobs {
        variety: Some(60),
        route,
        wrong: wrong.to_vec(),
        world: WorldOptions {
            limits: Limits::Off,
            lag: Span::from_secs(5),
            ..WorldOptions::default()
        },
        ..Knobs::default()
    }
}

struct Rig {
    knobs: Knobs,
    world: SharedWorld,
    log: Arc<Lines>,
    clock: Arc<dyn Clock>,
    dir: tempfile::TempDir,
}

impl Rig {
    fn new(knobs: Knobs) -> Self {
        Self {
            world: build(&knobs),
            knobs,
            log: Arc::default(),
            clock: clock(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Ports whose target stops for good at a step.
    fn ports(&self, steps: &Arc<Steps>) -> Ports {
        let (clock, latency) = (Arc::clone(&self.clock), self.knobs.latency);
        let source = || DirectSource::new(Arc::clone(&self.world), Arc::clone(&clock), latency);
        let target = || {
            let inner = DirectTarget::new(Arc::clone(&self.world), Arc::clone(&clock), latency);
            Arc::new(stepped(inner, steps))
        };
        let typed = || DirectTypedSource::new(Arc::clone(&self.world), Arc::clone(&clock), latency);
        let stepped_target = target();
        Ports {
            source: Arc::new(source()),
            source_probe: Arc::new(source()),
            target: Arc::clone(&stepped_target) as _,
            target_probe: Arc::clone(&stepped_target) as _,
            typed: TypedPorts {
                source: Arc::new(typed()),
                target: stepped_target,
            },
            clock,
        }
    }

    async fn fly_by(&self, run: &str, ports: Ports, steps: &Arc<Steps>) -> Option<CanariesSeen> {
        let spec = spec(&self.knobs);
        let order = Order {
            jobs: spec.jobs,
            select: spec.select,
            limits: spec.limits,
            route: self.knobs.route,
            hunt: None,
            run: CanaryRun(run.to_owned()),
            log: Ok(Arc::clone(&self.log) as Arc<dyn CanaryLog>),
            spool_dir: self.dir.path().into(),
            dice: Dice::new(1),
        };
        tokio::select! {
            biased;
            () = steps.stopped() => None,
            seen = observe(&ports, &order) => Some(seen.canaries),
        }
    }

    /// A preflight that stops after so many steps; `None` where it did.
    async fn fly(&self, run: &str, last: u64) -> (Option<CanariesSeen>, u64) {
        let steps = Steps::until(last);
        let seen = self.fly_by(run, self.ports(&steps), &steps).await;
        (seen, steps.taken())
    }

    /// Folders of ours and items of any folder on the target, seen or not yet seen.
    fn left(&self) -> (usize, u64) {
        let world = lock(&self.world);
        let id = world.resolve(address(0).reveal()).unwrap();
        let late = Now {
            tick: Tick::new(u64::MAX / 2),
            ..Now::default()
        };
        let rows = world.target_folders(late, &id).unwrap();
        let ours = rows.iter().filter(|row| row.name.starts_with("mailferry"));
        assert!(ours.clone().all(|row| row.hidden));
        (ours.count(), rows.iter().map(|row| row.items.get()).sum())
    }

    /// Folders whose names begin so: what follows, and their classes.
    fn kinds(&self, prefix: &str) -> Vec<(String, String)> {
        let world = lock(&self.world);
        let id = world.resolve(address(0).reveal()).unwrap();
        let rows = world.target_folders(Now::default(), &id).unwrap();
        let own = rows.into_iter();
        own.filter_map(|row| Some((row.name.strip_prefix(prefix)?.to_owned(), row.class)))
            .collect()
    }

    fn assert_nothing_left(&self, what: &str) {
        assert_eq!(self.left(), (0, 0), "{what}");
        let lines = self.log.lines().unwrap();
        assert_eq!(leftovers(&lines), [], "{what}");
        let stats = lock(&self.world).stats();
        assert_eq!(stats["source_writes"], 0, "{what}");
        assert_eq!(stats["invitations"], 0, "{what}");
    }
}

fn by_class(seen: &CanariesSeen) -> Vec<&CanaryTrial> {
    let all = seen.trials.iter();
    all.filter(|own| own.route == Route::Typed).collect()
}

const fn came_back(trial: &CanaryTrial) -> bool {
    matches!(trial.end, CanaryEnd::Same | CanaryEnd::ByRoute(_))
}

#[tokio::test(start_paused = true)]
async fn one_item_of_each_class_with_a_form_goes_by_its_class_and_nothing_stays() {
    let rig = Rig::new(knobs(RouteRule::Typed, &[]));
    let (seen, _) = rig.fly("r", u64::MAX).await;
    let seen = seen.unwrap();
    assert!(seen.trials.iter().all(|own| own.route == Route::Typed));
    assert!(seen.trials.iter().all(came_back), "{:?}", seen.trials);
    let tried: BTreeSet<&str> = (seen.trials.iter())
        .filter(|own| !own.largest)
        .map(|own| own.class.as_str())
        .collect();
    let formed: BTreeSet<&str> = (seen.found.iter())
        .map(ItemClass::as_str)
        .filter(|class| family_of(class).is_some())
        .collect();
    assert_eq!(tried, formed);
    for class in ["IPM.Note", "IPM.Appointment", "IPM.Contact"] {
        assert!(tried.contains(class), "{tried:?}");
    }
    assert!(seen.found.len() > formed.len(), "{:?}", seen.found);
    assert_eq!(seen.trials.iter().filter(|own| own.largest).count(), 1);
    assert_eq!(seen.not_tried, None);
    // Each family has a folder of its own.
    assert_eq!(seen.cleanup.len(), 3);
    assert!(seen.cleanup.iter().all(|(_, end)| *end == Cleanup::Clean));
    rig.assert_nothing_left("all classes");
}

/// The marks of everything on one side, folders that are left out among it; of what has none its key.
fn marks(rig: &Rig, side: &str) -> BTreeSet<String> {
    let truth = mailferry::lab::truth::truth(&lock(&rig.world));
    let held = &truth[side][address(0).reveal()];
    let lists = ["folders", "left_out"].map(|list| held[list].as_array().cloned());
    let folders = lists.into_iter().flatten().flatten();
    let items = folders.flat_map(|own| own["items"].as_array().cloned().unwrap_or_default());
    let mark = |item: serde_json::Value| {
        let key = format!("k:{}", item["search_key"].as_str().unwrap_or_default());
        let mark = item["mark"].as_str().unwrap_or(&key);
        mark.split('@').next().unwrap_or_default().to_owned()
    };
    items.map(mark).collect()
}

#[tokio::test(start_paused = true)]
async fn a_preflight_that_stops_anywhere_is_cleaned_up_by_the_next() {
    for (route, wrong) in [
        (RouteRule::Typed, vec![]),
        (RouteRule::Auto, vec![Wrong::StreamsRefused]),
    ] {
        let first = Rig::new(knobs(route, &wrong));
        let (seen, all) = first.fly("r", u64::MAX).await;
        assert!(by_class(&seen.unwrap()).into_iter().all(came_back));
        let source = marks(&first, "source");
        let (mut left, mut kinds) = (0, BTreeSet::new());
        // Each call is two steps. Every one of them where the route is new; of the other, whose streams have tests of their own, some.
        let stride = if route == RouteRule::Typed { 1 } else { 5 };
        for last in (0..all).step_by(stride) {
            let rig = Rig::new(knobs(route, &wrong));
            assert!(rig.fly("r1", last).await.0.is_none(), "{last}");
            left += rig.left().1;
            // Wherever it stops, what was made by its class bears a mark, and that of no source item.
            assert!(marks(&rig, "target").is_disjoint(&source), "{last}");
            kinds.extend(rig.kinds("mailferry preflight r1 "));
            let seen = rig.fly("r2", u64::MAX).await.0.unwrap();
            let clean = seen.cleanup.iter().all(|(_, end)| *end == Cleanup::Clean);
            assert!(clean, "{last}: {:?}", seen.cleanup);
            rig.assert_nothing_left(&format!("{route} stopped at {last}"));
        }
        assert!(left > 10, "{left}: stopped while something was there");
        let want = [
            ("calendar", "IPF.Appointment"),
            ("contacts", "IPF.Contact"),
            ("mail", "IPF.Note"),
        ];
        let want = want.map(|(name, class)| (name.to_owned(), class.to_owned()));
        assert_eq!(kinds, want.into(), "{route}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_class_whose_stream_is_refused_is_tried_by_its_class_where_the_plan_falls_back() {
    let rig = Rig::new(knobs(RouteRule::Auto, &[Wrong::StreamsRefused]));
    let seen = rig.fly("r", u64::MAX).await.0.unwrap();
    let made = by_class(&seen);
    assert!(made.iter().all(|own| came_back(own)));
    let classes = |route| {
        let own = seen.trials.iter().filter(move |own| own.route == route);
        own.filter(|own| !own.largest)
            .map(|own| own.class.as_str())
            .collect::<BTreeSet<&str>>()
    };
    let (streams, made) = (classes(Route::Stream), classes(Route::Typed));
    let formed = streams.iter().filter(|class| family_of(class).is_some());
    assert_eq!(made, formed.copied().collect());
    // The largest item too: its stream was refused.
    let largest = seen.trials.iter().filter(|own| own.largest);
    let ways: Vec<Route> = largest.map(|own| own.route).collect();
    assert_eq!(ways, [Route::Stream, Route::Typed]);
    rig.assert_nothing_left("auto");

    // A class that is taken as a stream is not tried by its class, and neither is anything where the plan wants streams alone.
    for (route, wrong) in [
        (RouteRule::Auto, Wrong::ClassRefused),
        (RouteRule::Stream, Wrong::StreamsRefused),
    ] {
        let rig = Rig::new(knobs(route, &[wrong]));
        let seen = rig.fly("r", u64::MAX).await.0.unwrap();
        assert_eq!(by_class(&seen), Vec::<&CanaryTrial>::new(), "{route}");
        rig.assert_nothing_left("streams");
    }
}

#[tokio::test(start_paused = true)]
async fn a_compose_whose_answer_is_lost_is_found_by_its_mark_and_made_once() {
    for fault in [Fault::GatewayAfter, Fault::GatewayBefore, Fault::Busy(None)] {
        let rig = Rig::new(knobs(RouteRule::Typed, &[]));
        lock(&rig.world).script([(CallKind::Import, Some(fault))]);
        let seen = rig.fly("r", u64::MAX).await.0.unwrap();
        assert!(seen.trials.iter().all(came_back), "{:?}", seen.trials);
        let lines = rig.log.lines().unwrap();
        let placed = |line: &CanaryLine| match &line.step {
            CanaryStep::ItemPlaced { placed, .. } => Some(placed.item.clone()),
            _ => None,
        };
        let ids: Vec<TargetItemId> = lines.iter().filter_map(placed).collect();
        assert_eq!(ids.len(), seen.trials.len(), "{fault:?}");
        rig.assert_nothing_left(&format!("{fault:?}"));
    }
}

/// Shows contacts with another name than they have.
#[derive(Debug)]
struct Bent(Arc<dyn TypedTarget>);

#[async_trait]
impl TypedTarget for Bent {
    async fn compose(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        stamp: &Stamp,
        parcel: &Body,
    ) -> Result<Placed, Setback> {
        self.0.compose(mailbox, folder, stamp, parcel).await
    }
    async fn amend(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolder,
        _: &Stamp,
        _: &Placed,
        _: &Body,
    ) -> Result<Placed, Setback> {
        unreachable!("a canary is never changed")
    }
    async fn read(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback> {
        let mut pieces = self.0.read(mailbox, folder, item).await?;
        let (mut meter, mut all) = (ParcelMeter::new(), Vec::new());
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            meter.feed(&piece).unwrap();
            all.extend_from_slice(&piece);
        }
        let report = meter.finish().unwrap();
        if let (TypedItem::Contact(mut own), []) = (report.item, &*report.attachments) {
            "Somebody Else".clone_into(&mut own.surname);
            all = encode(&TypedItem::Contact(own), &[]);
        }
        Ok(stream::iter([Ok(Chunk::from(all))]).boxed())
    }
    async fn tidy(
        &self,
        mailbox: &TargetMailboxId,
        folders: &[TargetFolder],
    ) -> Result<Count, Setback> {
        self.0.tidy(mailbox, folders).await
    }
    async fn held_back(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolder,
    ) -> Result<Vec<TargetItemId>, Setback> {
        unreachable!("a canary waits for no cutover")
    }
    async fn remind(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolder,
        _: &TargetItemId,
    ) -> Result<Option<(Placed, Placed)>, Setback> {
        unreachable!("a canary waits for no cutover")
    }
    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count {
        self.0.made_besides(mailbox)
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_differs_beyond_the_table_is_named_and_its_value_is_not() {
    let rig = Rig::new(knobs(RouteRule::Typed, &[]));
    let steps = Steps::until(u64::MAX);
    let mut ports = rig.ports(&steps);
    ports.typed.target = Arc::new(Bent(ports.typed.target));
    let seen = rig.fly_by("r", ports, &steps).await.unwrap();
    let contact = seen.trials.iter().find(|own| own.class == "IPM.Contact");
    let differs = CanaryEnd::DiffersIn(vec!["surname".to_owned()]);
    assert_eq!(contact.unwrap().end, differs);
    rig.assert_nothing_left("bent");
}

/// An event of several calls is open to see until its last one; in our folder it is hidden, and the next preflight knows it by its mark.
#[tokio::test(start_paused = true)]
async fn a_canary_that_was_not_whole_yet_is_cleaned_up_too() {
    let (_, all) = Rig::new(knobs(RouteRule::Typed, &[]))
        .fly("r", u64::MAX)
        .await;
    let mut tried = 0;
    for last in 0..all {
        let rig = Rig::new(knobs(RouteRule::Typed, &[]));
        rig.fly("r1", last).await;
        let left = leftovers(&rig.log.lines().unwrap());
        let own = left.iter().find(|own| own.run.0 == "r1 calendar");
        let sent = own.and_then(|own| Some((own, own.doubtful.values().next()?)));
        let Some((own, sent)) = sent.filter(|_| rig.left().1 == 0) else {
            continue;
        };
        let mark = Mark::new(sent.mark.clone().unwrap(), &own.target);
        let folder = own.folder.clone().unwrap();
        lock(&rig.world)
            .leave_unfinished(
                Now::default(),
                own.target.as_str(),
                folder.as_str(),
                &provenance::text(&mark),
            )
            .unwrap();
        assert_eq!(rig.left().1, 1);
        rig.fly("r2", u64::MAX).await;
        rig.assert_nothing_left(&format!("stopped at {last}"));
        tried += 1;
    }
    assert!(tried > 0, "nothing was tried");
}

/// A run neither takes a canary that could not be deleted for the copy of its item, nor does it miss or carry anything because of it.
#[tokio::test(start_paused = true)]
async fn a_run_looks_past_a_canary_that_could_not_be_deleted() {
    let carried = async |rig: &Rig| {
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let (steps, dir) = (Steps::until(u64::MAX), tempfile::tempdir().unwrap());
        let end = act(
            &rig.knobs,
            &rig.world,
            &ledger,
            &rig.clock,
            &steps,
            dir.path(),
        )
        .await;
        assert!(end.unwrap().stopped.is_none());
        let balance = mailferry::engine::balance::take(ledger.as_ref()).await;
        let totals = balance.unwrap().totals();
        (totals, rig.left().1)
    };
    let clean = carried(&Rig::new(knobs(RouteRule::Typed, &[]))).await;
    let (_, all) = Rig::new(knobs(RouteRule::Typed, &[]))
        .fly("r", u64::MAX)
        .await;
    let mut tried = 0;
    for last in (0..all).step_by(9) {
        let rig = Rig::new(knobs(RouteRule::Typed, &[]));
        rig.fly("r1", last).await;
        let there = rig.left().1;
        if there == 0 {
            continue;
        }
        tried += 1;
        let (totals, items) = carried(&rig).await;
        assert_eq!(totals, clean.0, "{last}");
        assert_eq!(
            items,
            clean.1 + there,
            "{last}: made once more and none fewer"
        );
    }
    assert!(tried > 1);
}

/// What another left in our folder, and what was changed since, is not ours to delete: it stays, hidden, and on record.
#[tokio::test(start_paused = true)]
async fn what_is_not_recorded_as_ours_stays_and_keeps_the_folder() {
    let (_, all) = Rig::new(knobs(RouteRule::Typed, &[]))
        .fly("r", u64::MAX)
        .await;
    let mut seen_left = 0;
    for last in (0..all).step_by(3) {
        let rig = Rig::new(knobs(RouteRule::Typed, &[]));
        rig.fly("r1", last).await;
        if rig.left().1 == 0 {
            continue;
        }
        for line in rig.log.0.lock().unwrap().iter_mut() {
            if let CanaryStep::ItemPlaced { placed, .. } = &mut line.step {
                placed.change_key = mailferry::base::id::ChangeKey::new("another");
            }
        }
        let placed = |line: &CanaryLine| matches!(line.step, CanaryStep::ItemPlaced { .. });
        if !rig.log.lines().unwrap().iter().any(placed) {
            continue;
        }
        let seen = rig.fly("r2", u64::MAX).await.0.unwrap();
        let left = seen.cleanup.iter();
        let left = left.filter(|(_, end)| matches!(end, Cleanup::Left { .. }));
        if left.count() == 1 {
            seen_left += 1;
            let (folders, items) = rig.left();
            assert!(folders == 1 && items > 0, "{last}");
            assert_eq!(leftovers(&rig.log.lines().unwrap()).len(), 1);
        }
    }
    assert!(seen_left > 0, "none was left: nothing was proved");
}
