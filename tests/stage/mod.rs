//! The stage for crash sweep and simulation: a small world, the engine on its direct face, a counter that can stop the process at any
//! step, and an oracle that knows what is where.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_imports,
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each test file uses its own part of the stage"
)]

pub mod by_class;
pub mod screener;
pub mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Notify;

use mailferry::base::books::{Due, FolderSums};
use mailferry::base::dice::Dice;
use mailferry::base::event::Event;
use mailferry::base::fact::{Bucket, CopyRow, Fact, FolderRow, JobRow};
use mailferry::base::id::{
    FolderId, FolderNo, ItemId, JobId, MailboxId, RunId, SyncToken, TargetFolderId, TargetItemId,
    TargetMailboxId, WorkerId,
};
use mailferry::base::item::{ItemKey, Placed, Stamp};
use mailferry::base::mailbox::{
    FolderKind, FolderOrder, FolderRole, SourceFolder, TargetFolder, UNFINISHED_FOLDER,
};
use mailferry::base::outcome::Setback;
use mailferry::base::probe::{Absent, Server, ServerSight, TokenSight, UserSight};
use mailferry::base::quantity::{Count, Moment, Span};
use mailferry::base::route::{ReminderRule, RouteRule};
use mailferry::base::spec::{JobSpec, PassKind, RunLimits, RunSpec, Selection};
use mailferry::engine::clock::TokioClock;
use mailferry::engine::control::control;
use mailferry::engine::ports::Ports;
use mailferry::engine::run::{RunEnd, RunOrder, run};
use mailferry::lab::direct::{Between, DirectSource, DirectTarget, SharedWorld, lock};
use mailferry::lab::direct_typed_source::DirectTypedSource;
use mailferry::lab::fault::Weather;
use mailferry::lab::populate::Population;
use mailferry::lab::world::Content;
use mailferry::lab::world::NewFolder;
use mailferry::lab::world::{World, WorldOptions};
use mailferry::lab::wrong::Wrong;
use mailferry::port::body::{Body, BodyStream};
use mailferry::port::clock::Clock;
use mailferry::port::ledger::{Lease, Ledger, LedgerError};
use mailferry::port::probe::TargetProbe;
use mailferry::port::screen::{Looked, Proof, Record, ScreenFault, Screener};
use mailferry::port::sink::EventSink;
use mailferry::port::source::{Changes, ExportSink, HierarchyNews, Source, SourcePage};
use mailferry::port::target::{Cursor, Target, TargetPage};
use mailferry::port::typed::{TypedPorts, TypedSource, TypedTarget};

/// Civil time 0 of every stage.
pub const ANCHOR: Moment = Moment::from_unix_ms(1_780_000_000_000);

/// A listener that hears nothing.
#[derive(Debug)]
pub struct Deaf;

impl EventSink for Deaf {
    fn emit(&self, _: &Event) {}
}

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Knobs {
    pub world: WorldOptions,
    pub mailboxes: u32,
    /// Items per mailbox and folder.
    pub inbox: u32,
    pub lab: u32,
    pub calendar: u32,
    /// Of the inbox items, how many are further copies of the first.
    pub copies: u32,
    pub body: u64,
    pub latency: Span,
    pub settle: Span,
    /// Mailboxes with all the variety of the lab instead of plain ones: items without search key or message id, same-key copies, odd
    /// classes, folders that stay. The numbers of items then are these per mailbox.
    pub variety: Option<u64>,
    /// How far each run goes.
    pub pass: PassKind,
    /// Who looks into items on their way, where somebody does.
    pub screener: Option<Arc<dyn Screener>>,
    /// Messages with attachments, events and contacts, instead of messages alone: so many contacts.
    pub by_class: Option<u32>,
    /// What is created by its class is created in several acts, with a step between any two.
    pub in_steps: bool,
    /// By which route items travel.
    pub route: RouteRule,
    /// A cloud without mailbox import.
    pub no_import: bool,
    /// When events that travel by their class begin to remind.
    pub reminders: ReminderRule,
    /// What is wrong with the tenant.
    pub wrong: Vec<Wrong>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            world: WorldOptions {
                lag: Span::from_secs(5),
                ..WorldOptions::default()
            },
            mailboxes: 1,
            inbox: 5,
            lab: 3,
            calendar: 2,
            copies: 2,
            body: 300,
            latency: Span::new(20),
            settle: Span::from_secs(30),
            variety: None,
            pass: PassKind::Follow,
            screener: None,
            by_class: None,
            in_steps: false,
            route: RouteRule::Stream,
            no_import: false,
            reminders: ReminderRule::AsSource,
            wrong: Vec::new(),
        }
    }
}

pub fn address(n: u32) -> MailboxId {
    MailboxId::new(format!("m{n}@clinic.example"))
}

fn fill(
    world: &mut World,
    mailbox: &str,
    folder: &str,
    seeds: impl Iterator<Item = u64>,
    body: u64,
) {
    for seed in seeds {
        // Every seventh is larger than the rest together, so that groups differ.
        let body = if seed % 7 == 3 { body * 50 } else { body };
        world
            .add_source_item(mailbox, folder, Content::Plain { seed, body }, ANCHOR)
            .unwrap();
    }
}

/// Builds the world of these knobs.
pub fn build(knobs: &Knobs) -> SharedWorld {
    let mut world = World::new(knobs.world.clone());
    world.misconfigure(&knobs.wrong);
    if let Some(items) = knobs.variety {
        let pairs = (0..knobs.mailboxes)
            .map(|n| (address(n), address(n)))
            .collect();
        let seed = knobs.world.seed;
        let population = Population {
            pairs,
            items,
            seed,
            ..Population::default()
        };
        mailferry::lab::populate::fill(&mut world, &population).unwrap();
        return Arc::new(Mutex::new(world));
    }
    for n in 0..knobs.mailboxes {
        let address = address(n);
        let name = address.reveal();
        world.add_source_mailbox(&address);
        let german = BTreeMap::from([(FolderRole::Inbox, "Posteingang")]);
        world.add_target_mailbox(&address, &german);
        world.pair(&address, &address);
        let folder = |parent, name, class, role| NewFolder {
            parent,
            name,
            class,
            role,
            kind: FolderKind::Generic,
            hidden: false,
            stays: None,
        };
        let mut add = |new: NewFolder<'_>| world.add_source_folder(name, &new).unwrap();
        let top = add(folder(
            None,
            "Oberste Ebene",
            "IPF.Note",
            Some(FolderRole::Top),
        ));
        let inbox = add(folder(
            Some(&top),
            "Eingang",
            "IPF.Note",
            Some(FolderRole::Inbox),
        ));
        let lab = add(folder(Some(&inbox), "Lab/results", "IPF.Note", None));
        let empty = add(folder(Some(&lab), " leer", "IPF.Note", None));
        let calendar = add(folder(
            Some(&top),
            "Kalender",
            "IPF.Appointment",
            Some(FolderRole::Calendar),
        ));
        let hidden = NewFolder {
            hidden: true,
            stays: Some("hidden folder"),
            ..folder(Some(&top), "Quick Steps", "IPF.Note", None)
        };
        let hidden = add(hidden);
        assert_ne!(empty, hidden);
        let base = u64::from(n) * 10_000;
        if let Some(contacts) = knobs.by_class {
            by_class::fill(
                &mut world,
                name,
                knobs,
                (&top, &inbox, &lab, &calendar),
                contacts,
            );
            continue;
        }
        let first = base + 1;
        let copies = std::iter::repeat_n(first, knobs.copies.min(knobs.inbox) as usize);
        let others = u64::from(knobs.inbox.saturating_sub(knobs.copies));
        fill(
            &mut world,
            name,
            &inbox,
            copies.chain((0..others).map(|i| first + i)),
            knobs.body,
        );
        fill(
            &mut world,
            name,
            &lab,
            (0..u64::from(knobs.lab)).map(|i| base + 2_000 + i),
            knobs.body,
        );
        let events = (0..u64::from(knobs.calendar)).map(|i| base + 4_000 + i);
        fill(&mut world, name, &calendar, events, knobs.body);
        fill(
            &mut world,
            name,
            &hidden,
            std::iter::once(base + 6_000),
            knobs.body,
        );
    }
    Arc::new(Mutex::new(world))
}

pub fn spec(knobs: &Knobs) -> RunSpec {
    let job = |n| JobSpec {
        job: JobId(n),
        source: address(n),
        target: address(n),
        turn: 0,
        items: None,
        bytes: None,
    };
    RunSpec {
        jobs: (0..knobs.mailboxes).map(job).collect(),
        limits: RunLimits {
            settle: knobs.settle,
            ..RunLimits::default()
        },
        select: Selection {
            no_import: knobs.no_import,
            ..Selection::default()
        },
        pass: knobs.pass,
        allow_deletes: true,
        route: knobs.route,
        reminders: knobs.reminders,
    }
}

/// Counts steps; at the chosen one the process stops for good.
#[derive(Debug)]
pub struct Steps {
    taken: AtomicU64,
    /// What tidying found left behind.
    swept: AtomicU64,
    last: u64,
    stopped: Notify,
}

impl Steps {
    pub fn until(last: u64) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicU64::new(0),
            swept: AtomicU64::new(0),
            last,
            stopped: Notify::new(),
        })
    }

    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }

    /// Items that creates had left behind until the mailbox was tidied.
    pub fn swept(&self) -> u64 {
        self.swept.load(Ordering::SeqCst)
    }

    /// Waits until the process stops.
    pub async fn stopped(&self) {
        self.stopped.notified().await;
    }

    pub async fn step(&self) {
        if self.taken.fetch_add(1, Ordering::SeqCst) >= self.last {
            self.stopped.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Between for Steps {
    async fn acts(&self) {
        self.step().await;
    }
}

/// A seam whose every call is two steps: one before it takes effect, one after.
#[derive(Debug)]
pub struct Stepped<T> {
    inner: T,
    steps: Arc<Steps>,
}

macro_rules! stepped {
    ($self:ident . $call:ident ( $($arg:expr),* )) => {{
        $self.steps.step().await;
        let out = $self.inner.$call($($arg),*).await;
        $self.steps.step().await;
        out
    }};
}

/// A seam that takes these steps.
pub fn stepped<T>(inner: T, steps: &Arc<Steps>) -> Stepped<T> {
    Stepped {
        inner,
        steps: Arc::clone(steps),
    }
}

#[async_trait]
impl TargetProbe for Stepped<DirectTarget> {
    async fn look(&self) -> Vec<(Server, ServerSight)> {
        TargetProbe::look(&self.inner).await
    }
    async fn sign_in(&self) -> Result<TokenSight, Setback> {
        self.inner.sign_in().await
    }
    async fn user(&self, user: &MailboxId) -> Result<UserSight, Setback> {
        self.inner.user(user).await
    }
    async fn absent(&self, user: &MailboxId) -> Absent {
        self.inner.absent(user).await
    }
    async fn open_session(&self, mailbox: &TargetMailboxId) -> Result<(), Setback> {
        self.inner.open_session(mailbox).await
    }
    async fn hidden_folder(
        &self,
        mailbox: &TargetMailboxId,
        name: &str,
        class: &str,
    ) -> Result<TargetFolder, Setback> {
        stepped!(self.hidden_folder(mailbox, name, class))
    }
    async fn purge(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback> {
        stepped!(self.purge(mailbox, folder, placed))
    }
}

#[async_trait]
impl Source for Stepped<DirectSource> {
    async fn folders(&self, mailbox: &MailboxId) -> Result<Vec<SourceFolder>, Setback> {
        stepped!(self.folders(mailbox))
    }
    async fn hierarchy(
        &self,
        mailbox: &MailboxId,
        token: Option<&SyncToken>,
    ) -> Result<HierarchyNews, Setback> {
        stepped!(self.hierarchy(mailbox, token))
    }
    async fn present(&self, mailbox: &MailboxId, items: &[ItemId]) -> Result<Vec<bool>, Setback> {
        stepped!(self.present(mailbox, items))
    }
    async fn changes(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        token: Option<&SyncToken>,
        at_most: Count,
    ) -> Result<Changes, Setback> {
        stepped!(self.changes(mailbox, folder, token, at_most))
    }
    async fn page(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        offset: Count,
        at_most: Count,
    ) -> Result<SourcePage, Setback> {
        stepped!(self.page(mailbox, folder, offset, at_most))
    }
    async fn export(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        stepped!(self.export(mailbox, items, sink))
    }
}

#[async_trait]
impl Target for Stepped<DirectTarget> {
    async fn resolve(&self, user: &MailboxId) -> Result<TargetMailboxId, Setback> {
        stepped!(self.resolve(user))
    }
    async fn folders(&self, mailbox: &TargetMailboxId) -> Result<Vec<TargetFolder>, Setback> {
        stepped!(self.folders(mailbox))
    }
    async fn ensure_folder(
        &self,
        mailbox: &TargetMailboxId,
        order: &FolderOrder,
    ) -> Result<TargetFolder, Setback> {
        stepped!(self.ensure_folder(mailbox, order))
    }
    async fn create(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        body: &Body,
    ) -> Result<Placed, Setback> {
        stepped!(self.create(mailbox, folder, body))
    }
    async fn update(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
        body: &Body,
    ) -> Result<Placed, Setback> {
        stepped!(self.update(mailbox, folder, placed, body))
    }
    async fn version(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        item: &TargetItemId,
    ) -> Result<Placed, Setback> {
        stepped!(self.version(mailbox, folder, item))
    }
    async fn rename_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        name: &str,
    ) -> Result<(), Setback> {
        stepped!(self.rename_folder(mailbox, folder, name))
    }
    async fn remove_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
    ) -> Result<bool, Setback> {
        stepped!(self.remove_folder(mailbox, folder))
    }
    async fn page(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        from: Option<&Cursor>,
    ) -> Result<TargetPage, Setback> {
        stepped!(self.page(mailbox, folder, from))
    }
    async fn export(
        &self,
        mailbox: &TargetMailboxId,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback> {
        stepped!(self.export(mailbox, item))
    }
    async fn retract(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback> {
        stepped!(self.retract(mailbox, folder, placed))
    }
    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count {
        Target::made_besides(&self.inner, mailbox)
    }
    fn renew(&self, mailbox: &TargetMailboxId) {
        self.inner.renew(mailbox);
    }
}

#[async_trait]
impl TypedSource for Stepped<DirectTypedSource> {
    async fn read(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        stepped!(self.read(mailbox, items, sink))
    }
}

#[async_trait]
impl TypedTarget for Stepped<DirectTarget> {
    async fn compose(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        stamp: &Stamp,
        parcel: &Body,
    ) -> Result<Placed, Setback> {
        stepped!(self.compose(mailbox, folder, stamp, parcel))
    }
    async fn amend(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        stamp: &Stamp,
        placed: &Placed,
        parcel: &Body,
    ) -> Result<Placed, Setback> {
        stepped!(self.amend(mailbox, folder, stamp, placed, parcel))
    }
    async fn read(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback> {
        stepped!(self.read(mailbox, folder, item))
    }
    async fn tidy(
        &self,
        mailbox: &TargetMailboxId,
        folders: &[TargetFolder],
    ) -> Result<Count, Setback> {
        let swept = stepped!(self.tidy(mailbox, folders))?;
        self.steps.swept.fetch_add(swept.get(), Ordering::SeqCst);
        Ok(swept)
    }
    async fn held_back(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
    ) -> Result<Vec<TargetItemId>, Setback> {
        stepped!(self.held_back(mailbox, folder))
    }
    async fn remind(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<Option<(Placed, Placed)>, Setback> {
        stepped!(self.remind(mailbox, folder, item))
    }
    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count {
        TypedTarget::made_besides(&self.inner, mailbox)
    }
}

#[async_trait]
impl Ledger for Stepped<Arc<dyn Ledger>> {
    async fn register(&self, jobs: &[JobRow]) -> Result<(), LedgerError> {
        stepped!(self.register(jobs))
    }
    async fn claim(&self, job: JobId, who: &WorkerId) -> Result<Lease, LedgerError> {
        stepped!(self.claim(job, who))
    }
    async fn append(&self, lease: &Lease, facts: &[Fact]) -> Result<(), LedgerError> {
        stepped!(self.append(lease, facts))
    }
    async fn jobs(&self) -> Result<Vec<JobRow>, LedgerError> {
        self.inner.jobs().await
    }
    async fn folders(&self, job: JobId) -> Result<Vec<FolderRow>, LedgerError> {
        self.inner.folders(job).await
    }
    async fn copies(
        &self,
        job: JobId,
        folder: FolderNo,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        self.inner.copies(job, folder, after, at_most).await
    }
    async fn due(
        &self,
        job: JobId,
        folder: FolderNo,
        due: Due,
        after: Option<ItemKey>,
        at_most: Count,
    ) -> Result<Vec<CopyRow>, LedgerError> {
        self.inner.due(job, folder, due, after, at_most).await
    }
    async fn folder_sums(&self, job: JobId, folder: FolderNo) -> Result<FolderSums, LedgerError> {
        self.inner.folder_sums(job, folder).await
    }
    async fn sums(&self, job: JobId) -> Result<BTreeMap<FolderNo, FolderSums>, LedgerError> {
        self.inner.sums(job).await
    }
    async fn copy(
        &self,
        job: JobId,
        folder: FolderNo,
        key: ItemKey,
    ) -> Result<Option<CopyRow>, LedgerError> {
        self.inner.copy(job, folder, key).await
    }
}

#[async_trait]
impl Screener for Stepped<Arc<dyn Screener>> {
    async fn prove(&self) -> Result<Proof, ScreenFault> {
        stepped!(self.prove())
    }
    async fn look(&self, body: &Body) -> Result<Looked, ScreenFault> {
        stepped!(self.look(body))
    }
    async fn keep(&self, record: &Record, body: &Body) -> Result<(), Setback> {
        stepped!(self.keep(record, body))
    }
}

/// Runs the engine once. `None`: the process stopped at its last step.
pub async fn act(
    knobs: &Knobs,
    world: &SharedWorld,
    ledger: &Arc<dyn Ledger>,
    clock: &Arc<dyn Clock>,
    steps: &Arc<Steps>,
    spool_dir: &Path,
) -> Option<RunEnd> {
    let aside = (spool_dir, Arc::new(Deaf) as Arc<dyn EventSink>);
    act_with(spec(knobs), knobs, world, ledger, clock, steps, aside).await
}

/// The same with a specification and a listener of one's own.
pub async fn act_with(
    spec: RunSpec,
    knobs: &Knobs,
    world: &SharedWorld,
    ledger: &Arc<dyn Ledger>,
    clock: &Arc<dyn Clock>,
    steps: &Arc<Steps>,
    (spool_dir, events): (&Path, Arc<dyn EventSink>),
) -> Option<RunEnd> {
    let source = DirectSource::new(Arc::clone(world), Arc::clone(clock), knobs.latency);
    let target = DirectTarget::new(Arc::clone(world), Arc::clone(clock), knobs.latency);
    let ports = Ports {
        source: Arc::new(Stepped {
            inner: source,
            steps: Arc::clone(steps),
        }),
        target: Arc::new(Stepped {
            inner: target,
            steps: Arc::clone(steps),
        }),
        ledger: Arc::new(Stepped {
            inner: Arc::clone(ledger),
            steps: Arc::clone(steps),
        }),
        clock: Arc::clone(clock),
        events,
        typed: Some(TypedPorts {
            source: Arc::new(Stepped {
                inner: DirectTypedSource::new(Arc::clone(world), Arc::clone(clock), knobs.latency),
                steps: Arc::clone(steps),
            }),
            target: Arc::new(Stepped {
                inner: typed_target(knobs, world, clock, steps),
                steps: Arc::clone(steps),
            }),
        }),
        screener: knobs.screener.as_ref().map(|inner| {
            Arc::new(Stepped {
                inner: Arc::clone(inner),
                steps: Arc::clone(steps),
            }) as Arc<dyn Screener>
        }),
    };
    let order = RunOrder {
        spec: Arc::new(spec),
        run: RunId::new("stage"),
        dice: Dice::new(knobs.world.seed),
        spool_dir: spool_dir.to_owned(),
    };
    let (lever, control) = control();
    tokio::select! {
        biased;
        () = steps.stopped.notified() => None,
        end = run(ports, order, &lever, &control) => Some(end),
    }
}

fn typed_target(
    knobs: &Knobs,
    world: &SharedWorld,
    clock: &Arc<dyn Clock>,
    steps: &Arc<Steps>,
) -> DirectTarget {
    let mut target = DirectTarget::new(Arc::clone(world), Arc::clone(clock), knobs.latency);
    if knobs.in_steps {
        target = target.in_steps(Arc::clone(steps) as Arc<dyn Between>);
    }
    match knobs.reminders {
        ReminderRule::AsSource => target,
        ReminderRule::AfterCutover => target.holding_reminders(),
    }
}

pub fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock::starting_at(ANCHOR))
}

/// What one side holds: (folder, digest) -> how often.
pub type Holdings = BTreeMap<(String, String), u32>;

/// What should be carried, and what is on the target, seen or not yet seen: straight from the world.
pub fn truths(world: &SharedWorld, mailbox: &MailboxId) -> (Holdings, Holdings) {
    let truth = mailferry::lab::truth::truth(&lock(world));
    // A copy that was made by its fields has other bytes: it says itself whose copy it is, and its source item is told by the same.
    let mut marks = BTreeSet::new();
    let side = |side: &str, marks: &mut BTreeSet<String>| {
        let mut out = Holdings::new();
        for folder in truth[side][mailbox.reveal()]["folders"]
            .as_array()
            .expect("folders")
        {
            if folder["path"] == UNFINISHED_FOLDER {
                continue;
            }
            for item in folder["items"].as_array().expect("items") {
                // Taken away again, and kept among the user's deleted ones; or not yet whole, and no copy.
                if item["mark"].as_str() == Some("removed") || item["unfinished"].is_string() {
                    continue;
                }
                let own = match (item["mark"].as_str(), item["search_key"].as_str()) {
                    (Some(mark), _) => mark.split('@').next().unwrap_or_default().to_owned(),
                    (None, Some(key)) => format!("k:{key}"),
                    (None, None) => format!("f:{}", item["fallback"].as_str().unwrap_or_default()),
                };
                if item["mark"].is_string() {
                    marks.insert(own.clone());
                }
                let what = if marks.contains(&own) {
                    own
                } else {
                    item["sha256"].to_string()
                };
                *out.entry((folder["path"].to_string(), what)).or_default() += 1;
            }
        }
        out
    };
    // Once to learn the marks, and once to count.
    side("target", &mut marks);
    let target = side("target", &mut marks);
    (side("source", &mut marks), target)
}

/// Safety: nothing is there more often than at the source, nothing that is not of the source, the source untouched, nobody invited.
pub fn assert_never_twice(world: &SharedWorld, knobs: &Knobs, seed: &str) {
    for n in 0..knobs.mailboxes {
        let (source, target) = truths(world, &address(n));
        for (what, times) in &target {
            let allowed = source.get(what).copied().unwrap_or(0);
            assert!(
                *times <= allowed,
                "{seed}: {} of {} is there {times} times, should be {allowed}",
                what.1,
                what.0
            );
        }
    }
    let stats = lock(world).stats();
    assert_eq!(stats["source_writes"], 0, "{seed}");
    assert_eq!(stats["invitations"], 0, "{seed}");
}

/// Liveness: everything is there exactly as often as at the source.
pub fn assert_everything_once(world: &SharedWorld, knobs: &Knobs, seed: &str) {
    for n in 0..knobs.mailboxes {
        let (source, target) = truths(world, &address(n));
        assert!(!source.is_empty());
        assert!(
            source == target,
            "{seed}: mailbox {n} differs: {} and {}",
            source.len(),
            target.len()
        );
    }
}

/// Nothing in doubt, nothing waiting, nothing parked: every row is confirmed.
pub async fn assert_all_confirmed(ledger: &Arc<dyn Ledger>, knobs: &Knobs, seed: &str) {
    let balance = mailferry::engine::balance::take(ledger.as_ref())
        .await
        .unwrap();
    let totals = balance.totals();
    let plain = knobs.inbox + knobs.lab + knobs.calendar + knobs.by_class.unwrap_or(0);
    let plain = u64::from(plain);
    let want = u64::from(knobs.mailboxes) * knobs.variety.unwrap_or(plain);
    assert_eq!(totals.source.get(), want, "{seed}: {totals:?}");
    assert_eq!(
        totals.of(Bucket::Confirmed),
        totals.source,
        "{seed}: {totals:?}"
    );
    assert_eq!(totals.unexplained(), Count::ZERO);
}

/// The source was never written to, and nobody was invited.
pub fn assert_source_untouched(world: &SharedWorld, seed: &str) {
    let stats = lock(world).stats();
    assert_eq!(stats["source_writes"], 0, "{seed}");
    assert_eq!(stats["invitations"], 0, "{seed}");
}

/// No row waits for anything but a person.
pub async fn assert_nothing_due(ledger: &Arc<dyn Ledger>, knobs: &Knobs, seed: &str) {
    for n in 0..knobs.mailboxes {
        for (folder, sums) in ledger.sums(JobId(n)).await.unwrap() {
            for due in Due::ALL.into_iter().filter(|due| *due != Due::Attention) {
                let left = sums.due(due);
                assert_eq!(left, Count::ZERO, "{seed}: {due:?} in folder {folder:?}");
            }
        }
    }
}

/// Items of a source mailbox that a right migration carries.
pub fn count_source(world: &SharedWorld, mailbox: &MailboxId) -> Count {
    let (source, _) = truths(world, mailbox);
    Count::new(source.values().map(|n| u64::from(*n)).sum())
}

/// Every item of the source has a confirmed row, and nothing else is due or in any bucket.
pub async fn assert_settled(
    world: &SharedWorld,
    ledger: &Arc<dyn Ledger>,
    knobs: &Knobs,
    seed: &str,
) {
    let balance = mailferry::engine::balance::take(ledger.as_ref())
        .await
        .unwrap();
    let totals = balance.totals();
    let want: Count = (0..knobs.mailboxes)
        .map(|n| count_source(world, &address(n)))
        .sum();
    assert_eq!(totals.of(Bucket::Confirmed), want, "{seed}: {totals:?}");
    assert_eq!(totals.source, want, "{seed}: {totals:?}");
    assert_eq!(totals.unexplained(), Count::ZERO, "{seed}");
    let quick = mailferry::engine::balance::sums(ledger.as_ref())
        .await
        .unwrap();
    assert_eq!(
        quick.totals(),
        totals,
        "{seed}: the sums say something else"
    );
}

/// Liveness: everything is there exactly as often as at the source, but for what the ledger lists as parked: creates that met the storm as
/// often as we try.
pub async fn assert_everything_once_or_parked(
    world: &SharedWorld,
    ledger: &Arc<dyn Ledger>,
    knobs: &Knobs,
    seed: &str,
) {
    let balance = mailferry::engine::balance::take(ledger.as_ref())
        .await
        .unwrap();
    let mut parked = balance.totals().of(Bucket::Parked).get();
    for n in 0..knobs.mailboxes {
        let (source, target) = truths(world, &address(n));
        assert!(!source.is_empty());
        for (what, times) in &source {
            let there = target.get(what).copied().unwrap_or(0);
            let missing = u64::from(times.saturating_sub(there));
            assert!(
                there <= *times && missing <= parked,
                "{seed}: mailbox {n}: {} is there {there} times, should be {times}",
                what.0
            );
            parked -= missing;
        }
        assert!(
            target.keys().all(|what| source.contains_key(what)),
            "{seed}"
        );
    }
    assert_eq!(parked, 0, "{seed}: parked, and there all the same");
}

/// Nothing in doubt, nothing waiting: every row is confirmed, or parked, as few are.
pub async fn assert_all_confirmed_or_parked(
    world: &SharedWorld,
    ledger: &Arc<dyn Ledger>,
    knobs: &Knobs,
    seed: &str,
) {
    let balance = mailferry::engine::balance::take(ledger.as_ref())
        .await
        .unwrap();
    let totals = balance.totals();
    let want: Count = (0..knobs.mailboxes)
        .map(|n| count_source(world, &address(n)))
        .sum();
    assert_eq!(totals.source, want, "{seed}: {totals:?}");
    let quick = mailferry::engine::balance::sums(ledger.as_ref())
        .await
        .unwrap();
    assert_eq!(
        quick.totals(),
        totals,
        "{seed}: the sums say something else"
    );
    let parked = totals.of(Bucket::Parked);
    assert_eq!(
        totals.of(Bucket::Confirmed) + parked,
        totals.source,
        "{seed}: {totals:?}"
    );
    assert!(parked.get() <= 3, "{seed}: {parked} parked");
    assert_eq!(totals.unexplained(), Count::ZERO);
}

pub fn set_weather(world: &SharedWorld, weather: Weather) {
    lock(world).set_weather(weather);
}

/// Prints what a ledger holds, and how both sides differ: what one looks at first when a seed found something.
#[expect(clippy::print_stdout, reason = "asked for with --nocapture")]
pub async fn describe(world: &SharedWorld, ledger: &Arc<dyn Ledger>, knobs: &Knobs) {
    for n in 0..knobs.mailboxes {
        let (source, target) = truths(world, &address(n));
        let keys: std::collections::BTreeSet<_> = source.keys().chain(target.keys()).collect();
        for what in keys {
            let times = |side: &Holdings| side.get(what).copied().unwrap_or(0);
            if times(&source) != times(&target) {
                println!(
                    "mailbox {n}: {what:?}: {} at the source, {} on the target",
                    times(&source),
                    times(&target)
                );
            }
        }
        let sums = ledger.sums(JobId(n)).await.unwrap();
        for row in ledger.folders(JobId(n)).await.unwrap() {
            println!(
                "mailbox {n} folder {:?} in {:?} {} {:?} {:?} items {} target {:?} made {} named {:?} gone {} swept {}\n    {:?}",
                row.no,
                row.parent,
                row.path,
                row.source,
                row.fate,
                row.items,
                row.target,
                row.made,
                row.named,
                row.gone,
                row.swept,
                sums.get(&row.no)
            );
            for copy in ledger
                .copies(JobId(n), row.no, None, Count::new(10_000))
                .await
                .unwrap()
            {
                if row.gone
                    || copy.facts.len() > 2
                    || row.items.get() != sums.get(&row.no).map_or(0, |s| s.source().get())
                {
                    println!("      {:?} {:?} {:?}", copy.key, copy.header, copy.facts);
                }
            }
        }
    }
}
