//! Every shape of weather and what becomes of it: one scene per shape, on the direct face in virtual time. Each scene says in which bucket
//! every item ends, how every mailbox ends, and how long it took; safety is asserted after every run of every scene.
//!
//! What a shape looks like on the wire is tested in `tests/weather_http.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use crate::stage::*;
use async_trait::async_trait;
use mailferry::base::fact::{Bucket, JobPhase};
use mailferry::base::outcome::HaltCause;
use mailferry::base::quantity::{Count, Moment, Span, Tick};
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::fault::{CallKind, Fault};
use mailferry::lab::mishap::{Mishap, MishapOrder, Occasion};
use mailferry::lab::world::{Now, WorldOptions};
use mailferry::port::clock::Clock;
use mailferry::port::ledger::Ledger;
use mailferry::store::memory::MemoryLedger;

/// A clock whose hands are turned back and forth by hours, while time goes on as ever.
#[derive(Debug)]
struct WildHands(Arc<dyn Clock>);

#[async_trait]
impl Clock for WildHands {
    fn tick(&self) -> Tick {
        self.0.tick()
    }

    fn moment(&self) -> Moment {
        let hours = [0, -7, 30, -400, 2, 9_000];
        let at = usize::try_from(self.tick().get() / 700).unwrap() % hours.len();
        Moment::from_unix_ms(self.0.moment().unix_ms() + hours[at] * 3_600_000)
    }

    async fn sleep_until(&self, at: Tick) {
        self.0.sleep_until(at).await;
    }
}

/// What happens, and what must come of it.
#[derive(Clone, Debug)]
struct Scene {
    name: &'static str,
    knobs: Knobs,
    script: Vec<(CallKind, Option<Fault>)>,
    mishaps: Vec<MishapOrder>,
    wild_hands: bool,
    /// Runs of the engine; the later ones are resumptions.
    runs: u32,
    /// Time that passes between them.
    pause: Span,
    confirmed: u64,
    others: Vec<(Bucket, u64)>,
    phases: Vec<JobPhase>,
    /// Seconds of virtual time, at least and at most.
    seconds: (u64, u64),
    /// Calls to the source, at most.
    source_calls: u64,
}

const BUCKETS: [Bucket; 8] = [
    Bucket::Confirmed,
    Bucket::Skipped,
    Bucket::Quarantined,
    Bucket::Refused,
    Bucket::Parked,
    Bucket::InDoubt,
    Bucket::Remaining,
    Bucket::ChangedSince,
];

/// Most scenes end soon.
const SOON: u64 = 900;

impl Scene {
    /// Ten items in one mailbox, all confirmed, soon.
    fn of(name: &'static str) -> Self {
        Self {
            name,
            knobs: Knobs::default(),
            script: Vec::new(),
            mishaps: Vec::new(),
            wild_hands: false,
            runs: 1,
            pause: Span::ZERO,
            confirmed: 10,
            others: Vec::new(),
            phases: vec![JobPhase::CaughtUp],
            seconds: (0, SOON),
            source_calls: 60,
        }
    }

    /// The next calls of this kind meet this fault.
    fn next(mut self, times: usize, call: CallKind, fault: Fault) -> Self {
        self.script
            .extend(std::iter::repeat_n((call, Some(fault)), times));
        self
    }

    /// So many calls of this kind pass first.
    fn after(mut self, times: usize, call: CallKind) -> Self {
        self.script.extend(std::iter::repeat_n((call, None), times));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Knobs)) -> Self {
        change(&mut self.knobs);
        let per_mailbox = self.knobs.inbox + self.knobs.lab + self.knobs.calendar;
        self.confirmed = u64::from(self.knobs.mailboxes * per_mailbox);
        self.phases = vec![JobPhase::CaughtUp; self.knobs.mailboxes as usize];
        self
    }

    /// So many items in the inbox. What they cost in calls is allowed for.
    fn inbox(self, items: u32) -> Self {
        let mut scene = self.with(|knobs| knobs.inbox = items);
        scene.source_calls += u64::from(items) / 8;
        scene
    }

    fn mishap(self, mishap: Mishap, at: Option<(CallKind, u32)>) -> Self {
        self.mishap_with(mishap, at, |_| {})
    }

    fn mishap_with(
        mut self,
        mishap: Mishap,
        at: Option<(CallKind, u32)>,
        change: impl FnOnce(&mut MishapOrder),
    ) -> Self {
        let mut order = MishapOrder::new(mishap, address(0).reveal());
        order.at = at.map(|(call, after)| Occasion { call, after });
        change(&mut order);
        self.mishaps.push(order);
        self
    }

    fn bucket(mut self, bucket: Bucket, items: u64) -> Self {
        self.confirmed -= items;
        self.others.push((bucket, items));
        self
    }

    /// Items that are not at the source any more.
    fn gone(mut self, items: u64) -> Self {
        self.confirmed -= items;
        self
    }

    fn halted(mut self, why: HaltCause) -> Self {
        self.phases[0] = JobPhase::Halted(why);
        self
    }

    fn seconds(mut self, least: u64, most: u64) -> Self {
        self.seconds = (least, most);
        self
    }

    fn source_calls(mut self, most: u64) -> Self {
        self.source_calls = most;
        self
    }
}

type Held = BTreeMap<(String, String), u32>;

/// What a side holds by (mailbox and folder, digest).
fn held(world: &SharedWorld, side: &str) -> Held {
    let truth = mailferry::lab::truth::truth(&lock(world));
    let mut held = Held::new();
    for (mailbox, content) in truth[side].as_object().unwrap() {
        for folder in content["folders"].as_array().unwrap() {
            for item in folder["items"].as_array().unwrap() {
                let place = format!("{mailbox} {}", folder["path"]);
                *held.entry((place, item["sha256"].to_string())).or_default() += 1;
            }
        }
    }
    held
}

async fn play(scene: &Scene) {
    let dir = tempfile::tempdir().unwrap();
    let plain = clock();
    let clock: Arc<dyn Clock> = if scene.wild_hands {
        Arc::new(WildHands(Arc::clone(&plain)))
    } else {
        Arc::clone(&plain)
    };
    let world = build(&scene.knobs);
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let now = Now {
        tick: clock.tick(),
        moment: clock.moment(),
    };
    {
        let mut world = lock(&world);
        world.script(scene.script.iter().copied());
        for mishap in &scene.mishaps {
            world.befall(now, mishap.clone()).unwrap();
        }
    }
    let source = held(&world, "source");
    let begun = clock.tick();
    for run in 0..scene.runs {
        if run > 0 {
            plain.sleep_until(plain.tick() + scene.pause).await;
        }
        let steps = Steps::until(u64::MAX);
        let end = act(&scene.knobs, &world, &ledger, &clock, &steps, dir.path()).await;
        let stopped = end.expect("it was not interrupted").stopped;
        assert!(stopped.is_none(), "the run was stopped: {stopped:?}");
        for (what, times) in held(&world, "target") {
            let most = source.get(&what).copied().unwrap_or(0);
            assert!(
                times <= most,
                "{} is there {times} times, not {most}",
                what.0
            );
        }
    }
    let took = (clock.tick() - begun).get() / 1_000;
    let stats = lock(&world).stats();
    for zero in ["source_writes", "invitations"] {
        assert_eq!(stats[zero], 0, "{zero}");
    }
    let balance = mailferry::engine::balance::take(ledger.as_ref())
        .await
        .unwrap();
    let phases: Vec<JobPhase> = balance.mailboxes.iter().map(|m| m.phase).collect();
    let totals = balance.totals();
    let calls = |side: &str| stats["total"][side]["requests"].as_u64().unwrap();
    let (source_calls, target_calls) = (calls("source"), calls("target"));
    println!(
        "{:<60} {took:>6} s {source_calls:>6} {target_calls:>6} calls",
        scene.name
    );
    assert_eq!(phases, scene.phases, "{totals:?}");
    assert_eq!(totals.unexplained(), Count::ZERO, "{totals:?}");
    let mut sum = Count::ZERO;
    for bucket in BUCKETS {
        let other = scene.others.iter().find(|(own, _)| *own == bucket);
        let want = match bucket {
            Bucket::Confirmed => scene.confirmed,
            _ => other.map_or(0, |(_, n)| *n),
        };
        assert_eq!(totals.of(bucket).get(), want, "{bucket:?} in {totals:?}");
        sum += totals.of(bucket);
    }
    assert_eq!(sum, totals.source);
    // Whatever is called confirmed is really there, and nothing else is.
    let there: u32 = held(&world, "target").values().sum();
    let missing = scene.others.iter().find(|(b, _)| *b == Bucket::Confirmed);
    let missing = missing.map_or(0, |(_, n)| *n);
    assert_eq!(u64::from(there) + missing, scene.confirmed);
    let (least, most) = scene.seconds;
    assert!((least..=most).contains(&took), "it took {took} s");
    assert!(
        source_calls <= scene.source_calls,
        "{source_calls} calls to the source"
    );
}

/// Plays all scenes and names every one that fails.
fn play_all(scenes: Vec<Scene>) {
    let mut failed = Vec::new();
    for scene in scenes {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let played = AssertUnwindSafe(|| runtime.block_on(play(&scene)));
        if std::panic::catch_unwind(played).is_err() {
            failed.push(scene.name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

const fn s(seconds: u64) -> Span {
    Span::from_secs(seconds)
}

const LAB: &str = "Inbox/Lab\\/results";

#[test]
fn throttles_are_waited_out_by_their_own_time_and_cost_nothing_else() {
    use CallKind::{Export, Import, Read};
    play_all(vec![
        Scene::of("429 with Retry-After")
            .next(1, Import, Fault::Busy(Some(s(70))))
            .seconds(70, 80),
        Scene::of("429 without Retry-After")
            .next(1, Import, Fault::Busy(None))
            .seconds(15, 30),
        Scene::of("429 with a Retry-After of nothing")
            .next(5, Import, Fault::Busy(Some(Span::ZERO)))
            .seconds(15, 120),
        Scene::of("429 IncomingBytes with Retry-After")
            .next(2, Import, Fault::IncomingBytes(Some(s(200))))
            .seconds(200, 210),
        Scene::of("429 IncomingBytes without Retry-After")
            .next(2, Import, Fault::IncomingBytes(None))
            .seconds(15, 60),
        Scene::of("429 MailboxConcurrency on a listing")
            .after(2, Read)
            .next(2, Read, Fault::Connections)
            .seconds(45, 50),
        Scene::of("ServerBusy inside the reply")
            .next(1, Read, Fault::Busy(Some(Span::new(297_749))))
            .seconds(297, 310),
        Scene::of("ServerBusy as a fault")
            .next(1, Export, Fault::BusyFault(Span::new(178_510)))
            .seconds(178, 190),
        Scene::of("ServerBusy without a back-off")
            .next(1, Export, Fault::Busy(None))
            .seconds(60, 70),
        Scene::of("ServerBusy in one entry of a batch")
            .next(1, Export, Fault::BusyEntry(s(90)))
            .seconds(90, 100)
            .source_calls(14),
        Scene::of("ErrorExceededConnectionCount, 0 ms suggested")
            .next(4, Export, Fault::Connections)
            .seconds(60, SOON)
            .source_calls(20),
        Scene::of("503 with Retry-After on a listing of the target")
            .after(2, Read)
            .next(1, Read, Fault::BusyFault(s(33)))
            .seconds(33, 60),
    ]);
}

#[test]
fn pages_and_states_that_mislead_neither_complete_nor_wipe_a_folder() {
    use CallKind::{Read, Sync};
    play_all(vec![
        Scene::of("short pages")
            .inbox(700)
            .next(40, Read, Fault::ShortPage)
            .next(40, Sync, Fault::ShortPage),
        Scene::of("an empty state beside an error, first page")
            .after(1, Read)
            .next(9, Read, Fault::EmptyState)
            .seconds(45, 60),
        Scene::of("an empty state beside an error, later page")
            .inbox(700)
            .next(1, Sync, Fault::EmptyState),
        Scene::of("an empty state beside a success")
            .inbox(700)
            .next(3, Sync, Fault::HollowPage),
        Scene::of("an invalid sync state, now and then")
            .inbox(1_100)
            .next(1, Sync, Fault::StateRefused)
            .after(1, Sync)
            .next(2, Sync, Fault::StateRefused),
        Scene {
            confirmed: 0,
            ..Scene::of("an invalid sync state, always")
                .inbox(700)
                .next(1_000, Sync, Fault::StateRefused)
                .bucket(Bucket::Remaining, 705)
                .halted(HaltCause::Exhausted)
                .source_calls(40)
        },
    ]);
}

#[test]
fn what_befalls_one_item_of_a_batch_is_held_against_nobody_else() {
    use CallKind::{Export, Import};
    play_all(vec![
        Scene::of("error entries between good ones")
            .next(1, Export, Fault::Holes)
            .source_calls(16),
        Scene::of("ErrorBatchProcessingStopped")
            .inbox(32)
            .next(1, Export, Fault::BatchStopped)
            // The whole batch, the thirty together, the one that failed: two more than in calm weather.
            .source_calls(12),
        Scene::of("a corrupt item")
            .mishap(Mishap::CorruptItem, None)
            .bucket(Bucket::Refused, 1),
        Scene::of("500 ErrorCorruptData on import")
            .mishap_with(Mishap::RefusedItem, None, |order| order.skip = 3)
            .bucket(Bucket::Refused, 1)
            .seconds(0, 10),
        Scene::of("a wordless 500 on import, each time")
            .mishap_with(Mishap::FailingItem, None, |order| order.skip = 3)
            .bucket(Bucket::Parked, 1),
        Scene::of("one poisoned item among thousands")
            .inbox(2_000)
            .mishap_with(Mishap::PoisonedItem, None, |order| order.skip = 1_234)
            .bucket(Bucket::Refused, 1),
        Scene::of("items gone between listing and export")
            .mishap_with(Mishap::ItemsDeleted, Some((Export, 0)), |order| {
                order.skip = 2;
                order.count = 2;
            })
            .gone(2),
        Scene::of("the truncation marker").next(2, Export, Fault::Truncated),
        Scene::of("503 as a page")
            .next(2, Export, Fault::Unavailable)
            .next(1, Import, Fault::Unavailable),
        Scene::of("500 as a page")
            .next(3, Export, Fault::ServerError)
            .next(1, Import, Fault::ServerError),
    ]);
}

#[test]
fn lost_answers_are_settled_by_looking() {
    use CallKind::{Export, Import, MakeFolder, OpenSession, Read};
    let mut scenes: Vec<Scene> = [
        ("504 before", Fault::GatewayBefore),
        ("504 after success", Fault::GatewayAfter),
        ("reset before", Fault::ResetBefore),
        ("reset after success", Fault::ResetAfter),
        ("silence after success", Fault::SilenceAfter),
        ("an answer cut in its middle", Fault::CutBody),
    ]
    .into_iter()
    .map(|(name, fault)| {
        [MakeFolder, OpenSession, Read, Export, Import]
            .into_iter()
            .fold(Scene::of(name), |scene, call| scene.next(2, call, fault))
    })
    .collect();
    scenes.extend([
        Scene::of("visibility lag")
            .with(|knobs| knobs.world.lag = s(25))
            .next(4, Import, Fault::GatewayAfter),
        Scene::of("visibility lag beyond the settle time")
            .with(|knobs| knobs.world.lag = s(55))
            .next(4, Import, Fault::GatewayAfter),
        Scene::of("visibility lag beyond all looks that count")
            .with(|knobs| knobs.world.lag = s(200))
            .next(4, Import, Fault::GatewayAfter)
            .seconds(180, 260),
    ]);
    play_all(scenes);
}

#[test]
fn sign_ins_that_end_are_renewed() {
    use CallKind::{Export, Import, MakeFolder, OpenSession, Read};
    play_all(vec![
        Scene::of("401 in mid-run")
            .next(1, Export, Fault::Unauthorized)
            .next(2, Import, Fault::Unauthorized)
            .after(3, Read)
            .next(1, Read, Fault::Unauthorized),
        Scene {
            runs: 2,
            ..Scene::of("401 for good, and another run").next(4, Read, Fault::Unauthorized)
        },
        Scene::of("an import session that ends").mishap(Mishap::SessionsEnded, Some((Import, 4))),
        Scene::of("import sessions that live for a second").with(|knobs| {
            knobs.world.session_life = s(1);
            knobs.latency = Span::new(900);
        }),
        Scene::of("a claims challenge")
            .next(1, OpenSession, Fault::Claims)
            .next(1, MakeFolder, Fault::ClaimsForbidden),
        Scene {
            wild_hands: true,
            ..Scene::of("clocks that step back and forth")
                .with(|knobs| knobs.latency = Span::new(400))
                .next(2, Import, Fault::GatewayAfter)
                .mishap_with(Mishap::ClockStep, Some((Import, 2)), |order| {
                    order.ms = Some(-90_000_000);
                })
                .mishap_with(Mishap::ClockStep, Some((Import, 5)), |order| {
                    order.ms = Some(900_000_000);
                })
        },
        Scene::of("a slow server")
            .next(3, Export, Fault::Slow(s(100)))
            .next(3, Import, Fault::Slow(s(100)))
            .next(2, Read, Fault::Slow(s(100)))
            .seconds(300, SOON),
    ]);
}

#[test]
fn a_mailbox_in_trouble_waits_or_stops_alone() {
    use CallKind::{Export, Import, Read};
    let full = |scene: Scene| {
        scene
            .with(|knobs| knobs.mailboxes = 2)
            .mishap(Mishap::QuotaFull, None)
            .bucket(Bucket::Remaining, 10)
            .halted(HaltCause::QuotaFull)
    };
    play_all(vec![
        Scene::of("being moved for forty minutes")
            .mishap_with(Mishap::Moving, Some((Export, 0)), |order| {
                order.ms = Some(2_400_000);
            })
            .seconds(2_700, 2_800)
            .source_calls(20),
        Scene::of("being moved from the beginning")
            .mishap(Mishap::Moving, None)
            .seconds(900, 910),
        Scene::of("being moved all night")
            .mishap_with(Mishap::Moving, Some((Export, 0)), |order| {
                order.ms = Some(36_000_000);
            })
            .bucket(Bucket::Remaining, 10)
            .halted(HaltCause::Moving)
            .seconds(7_200, 7_300)
            .with_confirmed(0),
        Scene {
            runs: 2,
            pause: s(36_000),
            ..Scene::of("being moved all night, and another run")
                .mishap_with(Mishap::Moving, Some((Read, 3)), |order| {
                    order.ms = Some(36_000_000);
                })
                .seconds(0, 80_000)
        },
        full(Scene::of("quota full")),
        Scene::of("the source's user deletes a folder that is not listed yet")
            .mishap_with(Mishap::SourceFolderDeleted, Some((Export, 0)), |order| {
                order.folder = Some(LAB.to_owned());
            })
            .gone(3),
        Scene::of("the source's user deletes a folder while it is exported")
            .mishap_with(Mishap::SourceFolderDeleted, Some((Export, 1)), |order| {
                order.folder = Some(LAB.to_owned());
            })
            .gone(3),
        Scene::of("the target's user deletes a folder while it is filled").mishap_with(
            Mishap::TargetFolderDeleted,
            Some((Import, 5)),
            |order| {
                order.folder = Some(LAB.to_owned());
            },
        ),
    ]);
}

impl Scene {
    fn with_confirmed(mut self, items: u64) -> Self {
        self.confirmed = items;
        self
    }
}

#[test]
fn every_fault_has_a_name_and_finds_its_like_on_either_side() {
    use mailferry::base::event::Side;
    let kinds = [
        CallKind::Token,
        CallKind::Read,
        CallKind::Sync,
        CallKind::Export,
        CallKind::MakeFolder,
        CallKind::OpenSession,
        CallKind::Import,
        CallKind::Delete,
    ];
    for name in Fault::names() {
        let fault = Fault::named(name, Some(s(1))).unwrap();
        for kind in kinds {
            for side in [Side::Source, Side::Target] {
                // The nearest relative is at home where it was sent.
                if let Some(there) = fault.on(side, kind) {
                    assert_eq!(there.on(side, kind), Some(there), "{name} {kind:?}");
                }
            }
        }
    }
    assert_eq!(Fault::named("drizzle", None), None);
    assert_eq!(WorldOptions::default().lag, Span::ZERO);
}
