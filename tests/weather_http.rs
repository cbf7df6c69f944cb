//! Weather on the wire: what the faults and mishaps look like as bytes on loopback, read by the real adapters. The direct face must have
//! said the same, and the engine must end where it ends there.
//!
//! Engine and lab share a clock that whoever sleeps moves on himself, so nothing here waits.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::loopback::{HandClock, InMemory};
use crate::stage::{Deaf, Knobs, address, assert_everything_once, assert_never_twice, build, spec};
use mailferry::base::dice::Dice;
use mailferry::base::event::Side;
use mailferry::base::fact::{Bucket, JobPhase};
use mailferry::base::id::{FolderId, ItemId, RunId, SyncToken, TargetFolderId, TargetMailboxId};
use mailferry::base::mailbox::{FolderOrder, FolderRole};
use mailferry::base::outcome::{DoubtCause, HaltCause, Setback};
use mailferry::base::quantity::{Bytes, Count, Span, Tick};
use mailferry::base::route::ReminderRule;
use mailferry::base::secret::{SafeUrl, Secret};
use mailferry::engine::control::control;
use mailferry::engine::ports::Ports;
use mailferry::engine::run::{RunOrder, run};
use mailferry::evidence::balance::Balance;
use mailferry::exchange::{ExchangeSource, SignIn};
use mailferry::graph::{Credential, GraphOptions, GraphTarget};
use mailferry::lab::direct::{DirectSource, DirectTarget, SharedWorld, lock};
use mailferry::lab::fault::{CallKind, Fault};
use mailferry::lab::server::{LabConfig, RunningLab, start};
use mailferry::lab::world::{Content, Limits};
use mailferry::port::body::Body;
use mailferry::port::clock::Clock;
use mailferry::port::ledger::Ledger;
use mailferry::port::source::{ExportSink, Source};
use mailferry::port::target::Target;
use mailferry::port::typed::TypedPorts;
use mailferry::store::memory::MemoryLedger;
use mailferry::transport::{Call, CallBody, Http, HttpOptions, Method};

/// Nobody keeps what is exported.
struct Void;

#[async_trait]
impl ExportSink for Void {
    async fn begin(&mut self, _: usize) -> Result<(), Setback> {
        Ok(())
    }

    async fn piece(&mut self, _: &[u8]) -> Result<(), Setback> {
        Ok(())
    }
}

/// A lab on loopback, and what a run over it needs.
pub(crate) struct Rig {
    pub(crate) knobs: Knobs,
    lab: RunningLab,
    pub(crate) world: SharedWorld,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ledger: Arc<dyn Ledger>,
    dir: tempfile::TempDir,
}

impl Rig {
    async fn open(change: impl FnOnce(&mut Knobs)) -> Self {
        let mut knobs = Knobs::default();
        knobs.world.limits = Limits::Small;
        change(&mut knobs);
        let world = build(&knobs);
        Self::on(world, knobs).await
    }

    /// The same on a world that was made elsewhere.
    pub(crate) async fn on(world: SharedWorld, knobs: Knobs) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(HandClock::default());
        let dir = tempfile::tempdir().unwrap();
        let config = LabConfig {
            dir: dir.path().join("lab"),
            ews_port: 0,
            graph_port: 0,
            latency: Span::ZERO,
            record: None,
            tls: false,
        };
        let lab = start(config, Arc::clone(&world), Arc::clone(&clock)).await;
        Self {
            knobs,
            lab: lab.unwrap(),
            world,
            clock,
            ledger: Arc::new(MemoryLedger::new()),
            dir,
        }
    }

    pub(crate) fn source(&self) -> ExchangeSource {
        let http = Http::new(HttpOptions::with_connections(4)).unwrap();
        let sign_in = SignIn::Basic {
            user: self.lab.info.ews_username.clone(),
            pass: Secret::new(self.lab.info.ews_password.clone()),
        };
        ExchangeSource::new(http, SafeUrl::new(self.lab.info.ews_url.clone()), sign_in)
    }

    pub(crate) fn target(&self) -> GraphTarget {
        let info = &self.lab.info;
        let options = GraphOptions {
            login_url: info.login_url.clone(),
            graph_url: info.graph_url.clone(),
            tenant: info.tenant_id.clone(),
            client_id: info.client_id.clone(),
            credential: Credential::Secret(Secret::new(info.client_secret.clone())),
            max_connections: 4,
        };
        let target = GraphTarget::new(options, Arc::clone(&self.clock)).unwrap();
        match self.knobs.reminders {
            ReminderRule::AsSource => target,
            ReminderRule::AfterCutover => target.holding_reminders(),
        }
    }

    /// Sets the weather as anybody can, over the lab's own page.
    async fn set(&self, order: Value) {
        let (status, said) = self.post(order).await;
        assert_eq!(status, 200, "{said}");
    }

    async fn post(&self, order: Value) -> (u16, Value) {
        let url = SafeUrl::new(format!("{}/weather", self.lab.info.control_url));
        let body = CallBody::bytes(serde_json::to_vec(&order).unwrap());
        let http = Http::new(HttpOptions::with_connections(1)).unwrap();
        let call = Call::new(Method::Post, url).body(body);
        let reply = http.send(call).await.unwrap();
        let status = reply.status();
        let body = reply.read_all(Bytes::new(100_000)).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// The seams, by the real adapters.
    pub(crate) fn ports(&self) -> Ports {
        let (source, target) = (Arc::new(self.source()), Arc::new(self.target()));
        Ports {
            source: source.clone(),
            target: target.clone(),
            ledger: Arc::clone(&self.ledger),
            clock: Arc::clone(&self.clock),
            events: Arc::new(Deaf),
            screener: None,
            typed: Some(TypedPorts { source, target }),
        }
    }

    /// Runs the engine to its end.
    pub(crate) async fn run(&self) -> Balance {
        self.run_by(self.ports()).await
    }

    /// The same by other seams.
    pub(crate) async fn run_by(&self, ports: Ports) -> Balance {
        let balance = self.run_freely(ports).await;
        assert_never_twice(&self.world, &self.knobs, "on the wire");
        balance
    }

    /// The same where folders of the target are called otherwise than those of the source.
    pub(crate) async fn run_freely(&self, ports: Ports) -> Balance {
        let ledger = Arc::clone(&ports.ledger);
        let order = RunOrder {
            spec: Arc::new(spec(&self.knobs)),
            run: RunId::new("wire"),
            dice: Dice::new(7),
            spool_dir: self.dir.path().to_owned(),
        };
        let (lever, control) = control();
        let stopped = run(ports, order, &lever, &control).await.stopped;
        assert!(stopped.is_none(), "{stopped:?}");
        mailferry::engine::balance::take(ledger.as_ref())
            .await
            .unwrap()
    }

    /// Runs the engine; everything must be there once, and no published rule broken.
    async fn run_clean(&self, what: &str) {
        let totals = self.run().await.totals();
        assert_everything_once(&self.world, &self.knobs, what);
        assert_eq!(totals.of(Bucket::Confirmed), totals.source, "{what}");
        assert_eq!(self.broken(), Vec::<String>::new(), "{what}");
    }

    fn broken(&self) -> Vec<String> {
        let world = lock(&self.world);
        world.invalid_log().map(|entry| entry.why.clone()).collect()
    }

    fn requests(&self, side: &str) -> u64 {
        let stats = lock(&self.world).stats();
        stats["total"][side]["requests"].as_u64().unwrap()
    }

    /// Requests that concern no mailbox: tokens.
    fn token_requests(&self) -> u64 {
        let stats = lock(&self.world).stats();
        let named = stats["target"].as_object().unwrap().values();
        let named: u64 = named.map(|m| m["requests"].as_u64().unwrap()).sum();
        self.requests("target") - named
    }
}

const KINDS: [CallKind; 7] = [
    CallKind::Token,
    CallKind::Read,
    CallKind::Sync,
    CallKind::Export,
    CallKind::MakeFolder,
    CallKind::OpenSession,
    CallKind::Import,
];

#[tokio::test]
async fn a_run_that_meets_any_fault_on_any_call_ends_as_if_it_had_not() {
    for name in Fault::names() {
        let rig = Rig::open(|_| {}).await;
        let faults: Vec<Value> = KINDS
            .into_iter()
            // A token that is refused is a wrong secret; nobody tries that twice.
            .filter(|kind| !(*kind == CallKind::Token && name == "unauthorized"))
            .map(|kind| {
                // The first sign-in at the source must succeed: a refused one stops before the account is locked.
                let after = match kind {
                    CallKind::Sync => 1,
                    CallKind::Read => 3,
                    _ => 0,
                };
                json!({"fault": name, "call": kind, "after": after, "wait_ms": 300})
            })
            .collect();
        rig.set(json!({ "faults": faults })).await;
        rig.run_clean(name).await;
    }
}

/// The calls of both ports, each one call of its kind.
struct Calls<'a> {
    source: &'a dyn Source,
    target: &'a dyn Target,
    folder: FolderId,
    token: SyncToken,
    items: Vec<ItemId>,
    mailbox: TargetMailboxId,
    to: TargetFolderId,
}

const ASKED: [(&str, Side, CallKind); 8] = [
    ("folders", Side::Source, CallKind::Read),
    ("changes", Side::Source, CallKind::Sync),
    ("export", Side::Source, CallKind::Export),
    ("resolve", Side::Target, CallKind::Read),
    ("page", Side::Target, CallKind::Read),
    ("create", Side::Target, CallKind::Import),
    ("export", Side::Target, CallKind::Export),
    ("ensure_folder", Side::Target, CallKind::MakeFolder),
];

impl<'a> Calls<'a> {
    /// Finds out in calm weather what to ask for.
    async fn new(source: &'a dyn Source, target: &'a dyn Target) -> Self {
        let from = address(0);
        let folders = source.folders(&from).await.unwrap();
        let inbox = folders.iter().find(|f| f.role == Some(FolderRole::Inbox));
        let folder = inbox.unwrap().id.clone();
        let page = source.changes(&from, &folder, None, Count::new(2));
        let token = page.await.unwrap().token;
        let page = source.page(&from, &folder, Count::ZERO, Count::new(5));
        let items = page.await.unwrap().items.into_iter().map(|i| i.id);
        let items: Vec<ItemId> = items.collect();
        let mailbox = target.resolve(&address(0)).await.unwrap();
        let folders = target.folders(&mailbox).await.unwrap();
        let inbox = folders.iter().find(|f| f.role == Some(FolderRole::Inbox));
        let to = inbox.unwrap().id.clone();
        Self {
            source,
            target,
            folder,
            token,
            items,
            mailbox,
            to,
        }
    }

    /// What came back instead of a result; of an export, what came back for each entry.
    async fn ask(&self, call: (&str, Side)) -> Vec<Option<Setback>> {
        let body = |seed| -> Body {
            let stream = Content::Plain { seed, body: 90 }.stream().unwrap();
            Arc::new(InMemory(stream.to_vec()))
        };
        let (source, target, from) = (self.source, self.target, address(0));
        let two = Count::new(2);
        let one = match call {
            ("folders", _) => source.folders(&from).await.err(),
            ("changes", _) => {
                let token = Some(&self.token);
                source.changes(&from, &self.folder, token, two).await.err()
            }
            ("export", Side::Source) => match source.export(&from, &self.items, &mut Void).await {
                Ok(entries) => return entries.into_iter().map(Result::err).collect(),
                Err(setback) => Some(setback),
            },
            ("resolve", _) => target.resolve(&from).await.err(),
            ("page", _) => target.page(&self.mailbox, &self.to, None).await.err(),
            ("create", _) => {
                let body = body(1);
                let created = target.create(&self.mailbox, &self.to, &body);
                created.await.err()
            }
            ("export", Side::Target) => {
                let placed = target.create(&self.mailbox, &self.to, &body(2)).await;
                let item = placed.unwrap().item;
                match target.export(&self.mailbox, &item).await {
                    Ok(mut pieces) => {
                        let mut end = None;
                        while let Some(piece) = pieces.next().await {
                            end = end.or(piece.err());
                        }
                        end
                    }
                    Err(setback) => Some(setback),
                }
            }
            _ => {
                let order = FolderOrder {
                    parent: self.to.clone(),
                    name: format!("new {}", self.clockwork()),
                    class: "IPF.Note".to_owned(),
                };
                target.ensure_folder(&self.mailbox, &order).await.err()
            }
        };
        vec![one]
    }

    /// A number that was not there before.
    fn clockwork(&self) -> u64 {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) + self.items.len() as u64
    }
}

#[tokio::test]
async fn both_faces_say_the_same_of_every_fault() {
    let rig = Rig::open(|knobs| knobs.world.limits = Limits::Off).await;
    let direct = (
        DirectSource::new(Arc::clone(&rig.world), Arc::clone(&rig.clock), Span::ZERO),
        DirectTarget::new(Arc::clone(&rig.world), Arc::clone(&rig.clock), Span::ZERO),
    );
    let wire = (rig.source(), rig.target());
    let straight = Calls::new(&direct.0, &direct.1).await;
    let over_wire = Calls::new(&wire.0, &wire.1).await;
    let mut differences = Vec::new();
    for name in Fault::names() {
        for (what, side, kind) in ASKED {
            let fault = Fault::named(name, Some(Span::from_secs(7))).unwrap();
            let mut said = Vec::new();
            for calls in [&straight, &over_wire] {
                if (what, side) == ("create", Side::Target) {
                    // Its session must be open: what befalls a session is another matter.
                    assert_eq!(calls.ask(("create", side)).await, [None]);
                }
                lock(&rig.world).script([(kind, Some(fault))]);
                said.push(calls.ask((what, side)).await);
                // A challenge stands until it is met; only the wire knows tokens to meet it with.
                let mut met = false;
                for _ in 0..3 {
                    met = met || wire.1.resolve(&address(0)).await.is_ok();
                }
                // And a sign-in that is taken again forgets those that were not.
                assert_eq!(calls.ask(("folders", Side::Source)).await, [None]);
                assert!(met, "{name} {what}");
                assert!(lock(&rig.world).fault_is_spent(), "{name} {what}");
            }
            // On the wire something on the way gives up; nobody rehearses twenty minutes of silence.
            let silent = Some(Setback::Lost(DoubtCause::TimedOut));
            if said[0] != said[1] && said[0] != [silent] {
                differences.push(format!("{name} {what} {side:?}: {said:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(rig.broken(), Vec::<String>::new());
}

/// A mishap by name, and what becomes of the ten items of its mailbox.
struct Scene {
    mishap: Value,
    mailboxes: u32,
    /// Confirmed in the whole plan.
    confirmed: u64,
    other: Option<(Bucket, u64)>,
    phase: JobPhase,
    /// Seconds it takes at least.
    seconds: u64,
}

impl Scene {
    fn of(mut mishap: Value, confirmed: u64) -> Self {
        mishap["mailbox"] = json!(address(0).reveal());
        Self {
            mishap,
            mailboxes: 1,
            confirmed,
            other: None,
            phase: JobPhase::CaughtUp,
            seconds: 0,
        }
    }

    fn other(mut self, bucket: Bucket, items: u64) -> Self {
        self.other = Some((bucket, items));
        self
    }
}

fn scenes() -> Vec<Scene> {
    let on_export = json!({"call": "export"});
    let on_import = json!({"call": "import", "after": 4});
    vec![
        Scene {
            seconds: 1_800,
            ..Scene::of(
                json!({"mishap": "moving", "ms": 1_700_000, "at": on_export}),
                10,
            )
        },
        Scene::of(json!({"mishap": "poisoned_item"}), 9).other(Bucket::Refused, 1),
        Scene::of(json!({"mishap": "corrupt_item", "count": 2}), 8).other(Bucket::Refused, 2),
        Scene::of(json!({"mishap": "refused_item", "skip": 3}), 9).other(Bucket::Refused, 1),
        Scene::of(json!({"mishap": "failing_item", "skip": 3}), 9).other(Bucket::Parked, 1),
        Scene::of(
            json!({"mishap": "items_deleted", "count": 2, "at": on_export}),
            8,
        ),
        Scene::of(
            json!({"mishap": "target_folder_deleted", "folder": "Inbox/Lab\\/results", "at": {"call": "import", "after": 5}}),
            10,
        ),
        Scene {
            mailboxes: 2,
            phase: JobPhase::Halted(HaltCause::QuotaFull),
            ..Scene::of(json!({"mishap": "quota_full"}), 10).other(Bucket::Remaining, 10)
        },
        Scene::of(json!({"mishap": "lag", "ms": 25_000}), 10),
        Scene::of(
            json!({"mishap": "clock_step", "ms": -90_000_000, "at": on_import}),
            10,
        ),
        Scene::of(
            json!({"mishap": "clock_step", "ms": 900_000_000, "at": on_import}),
            10,
        ),
        Scene::of(json!({"mishap": "tokens_ended", "at": on_import}), 10),
        Scene::of(
            json!({"mishap": "tokens_ended", "at": {"call": "read", "after": 1}}),
            10,
        ),
        Scene::of(json!({"mishap": "sessions_ended", "at": on_import}), 10),
    ]
}

#[tokio::test]
async fn mishaps_by_name_end_in_the_bucket_they_end_in_without_a_wire() {
    for scene in scenes() {
        let name = scene.mishap.to_string();
        let rig = Rig::open(|knobs| knobs.mailboxes = scene.mailboxes).await;
        rig.set(json!({ "mishaps": [scene.mishap] })).await;
        let balance = rig.run().await;
        let totals = balance.totals();
        assert_eq!(balance.mailboxes[0].phase, scene.phase, "{name}");
        assert_eq!(
            totals.of(Bucket::Confirmed).get(),
            scene.confirmed,
            "{name}: {totals:?}"
        );
        let (bucket, items) = scene.other.unwrap_or((Bucket::InDoubt, 0));
        assert_eq!(totals.of(bucket).get(), items, "{name}: {totals:?}");
        assert_eq!(
            totals.source.get(),
            scene.confirmed + items,
            "{name}: {totals:?}"
        );
        let took = (rig.clock.tick() - Tick::ZERO).get() / 1_000;
        assert!(took >= scene.seconds, "{name}: {took} s");
        assert_eq!(rig.broken(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_suggested_wait_of_nothing_is_no_leave_to_hammer() {
    let calm = Rig::open(|_| {}).await;
    calm.run_clean("calm").await;
    let faults = [
        (
            json!({"fault": "connections", "call": "export", "times": 5}),
            "source",
        ),
        (
            json!({"fault": "busy", "call": "import", "times": 5, "wait_ms": 0}),
            "target",
        ),
        (
            json!({"fault": "busy", "call": "export", "times": 5, "wait_ms": 0}),
            "source",
        ),
    ];
    for (fault, side) in faults {
        let name = fault.to_string();
        let rig = Rig::open(|_| {}).await;
        rig.set(json!({ "faults": [fault] })).await;
        rig.run_clean(&name).await;
        let took = (rig.clock.tick() - Tick::ZERO).get();
        assert!(took >= 15_000, "{name}: {took} ms");
        assert!(rig.requests(side) <= calm.requests(side) + 5, "{name}");
    }
}

#[tokio::test]
async fn a_challenge_is_met_with_one_new_token_for_all_calls_in_flight() {
    for name in ["claims", "claims_forbidden"] {
        let rig = Rig::open(|knobs| knobs.mailboxes = 4).await;
        let fault = json!({"fault": name, "call": "open_session"});
        rig.set(json!({ "faults": [fault] })).await;
        rig.run_clean(name).await;
        assert_eq!(rig.token_requests(), 2, "{name}");
    }
}

#[tokio::test]
async fn the_page_refuses_what_it_does_not_know_and_says_what_there_is() {
    let rig = Rig::open(|_| {}).await;
    for (order, said) in [
        (json!({"weather": "drizzle"}), "calm, busy or storm"),
        (
            json!({"faults": [{"fault": "rain", "call": "read"}]}),
            "incoming_bytes",
        ),
        (
            json!({"faults": [{"fault": "busy", "call": "dance"}]}),
            "unknown variant",
        ),
        (json!({"mishaps": [{"mishap": "flood"}]}), "unknown variant"),
        (
            json!({"mishaps": [{"mishap": "moving", "mailbox": "x"}]}),
            "no such mailbox",
        ),
        (json!({"sun": true}), "unknown field"),
    ] {
        let (status, answer) = rig.post(order.clone()).await;
        assert!((400..500).contains(&status), "{order}");
        assert!(answer["error"].as_str().unwrap().contains(said), "{answer}");
    }
    let (status, answer) = rig.post(json!({"weather": "storm"})).await;
    assert_eq!((status, answer), (200, json!({"weather": "storm"})));
}
