//! A stage for pacing: the engine in virtual time against the lab's own limiter. Streams are as long as their items and otherwise empty,
//! answers come after a latency that wavers, and nothing is kept, so that hours and gigabytes pass in seconds.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::allow_attributes,
    reason = "tests and the bench each use their own part of the stage"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use mailferry::base::dice::Dice;
use mailferry::base::event::{Event, Side};
use mailferry::base::id::{
    ChangeKey, FolderId, ItemId, JobId, MailboxId, RunId, SyncToken, TargetFolderId, TargetItemId,
    TargetMailboxId,
};
use mailferry::base::item::{ItemClass, Placed, SourceHeader, Stamp};
use mailferry::base::limits::BODY_PIECE;
use mailferry::base::mailbox::{FolderKind, FolderOrder, FolderRole, SourceFolder, TargetFolder};
use mailferry::base::outcome::{CROWDED, Said, Scope, Setback};
use mailferry::base::quantity::{Bytes, Count, Moment, Span, Tick};
use mailferry::base::route::{ReminderRule, RouteRule};
use mailferry::base::spec::{JobSpec, PassKind, RunLimits, RunSpec, Selection};
use mailferry::base::typed::{TypedCommon, TypedItem, TypedMessage};
use mailferry::engine::clock::TokioClock;
use mailferry::engine::control::control;
use mailferry::engine::ports::Ports;
use mailferry::engine::run::{RunOrder, run};
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::world::{Limit, Now, World, WorldOptions};
use mailferry::port::body::{Body, BodyStream};
use mailferry::port::clock::Clock;
use mailferry::port::sink::EventSink;
use mailferry::port::source::{Change, Changes, ExportSink, HierarchyNews, Source, SourcePage};
use mailferry::port::target::{Cursor, Target, TargetPage};
use mailferry::port::typed::{TypedPorts, TypedSource, TypedTarget};
use mailferry::store::memory::MemoryLedger;
use mailferry::wire::parcel;

/// Civil time 0: a Thursday, 2026-05-28 20:26:40 UTC.
pub const ANCHOR: Moment = Moment::from_unix_ms(1_780_000_000_000);

/// What an import's body holds besides its base64 text, as the lab counts it.
const FRAME: u64 = 600;

/// What the mailboxes are like, and the lines to both sides.
#[derive(Clone, Debug)]
pub struct Course {
    pub mailboxes: u32,
    /// Items per mailbox.
    pub items: u64,
    /// Sizes of the items in bytes, in turn.
    pub sizes: Vec<u64>,
    /// A call to the target, on average.
    pub latency: Span,
    /// A call to the source with nobody else there.
    pub source_latency: Span,
    /// Calls at once from which on the source only becomes slower; none: it never does.
    pub source_bears: Option<u32>,
    pub limits: RunLimits,
    pub seed: u64,
    /// By which route items travel.
    pub route: RouteRule,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            mailboxes: 1,
            items: 1_000,
            sizes: vec![5_000_000],
            latency: Span::new(250),
            source_latency: Span::new(100),
            source_bears: None,
            limits: RunLimits {
                // Items of ordinary size stay in memory: files would make virtual time wait for the disk.
                spool_memory: RunLimits::default().spool_total,
                ..RunLimits::default()
            },
            seed: 1,
            route: RouteRule::Stream,
        }
    }
}

impl Course {
    pub fn size(&self, item: u64) -> u64 {
        let at = usize::try_from(item % self.sizes.len() as u64).unwrap();
        self.sizes[at]
    }
}

pub fn address(n: u32) -> MailboxId {
    MailboxId::new(format!("m{n}@clinic.example"))
}

/// A call to the target that was let in.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub at: Tick,
    pub bytes: u64,
}

/// What happened at the far sides.
#[derive(Debug, Default)]
pub struct Log {
    /// Creates that were let in, by mailbox, in order.
    pub sent: BTreeMap<String, Vec<Sent>>,
    /// When calls to the target were refused as too fast, by mailbox.
    pub throttled: BTreeMap<String, Vec<Tick>>,
    /// When which mailbox made a call to the source.
    pub asked: Vec<(Tick, String)>,
    /// Calls to the source on their way, the most there were, and samples of how many there were at each start.
    pub source_now: u32,
    pub source_seen: Vec<(Tick, u32)>,
}

/// A throttle that meets one call of a side at or shortly after a moment.
#[derive(Clone, Debug)]
pub struct Bolt {
    pub from: Tick,
    pub side: Side,
    pub scope: Scope,
    pub wait: Option<Span>,
}

/// Both far sides, and what they remember.
#[derive(Debug)]
pub struct Stage {
    pub course: Course,
    pub world: SharedWorld,
    pub clock: Arc<dyn Clock>,
    log: Mutex<Log>,
    dice: Mutex<Dice>,
    bolts: Mutex<Vec<Bolt>>,
}

impl Stage {
    pub fn new(course: Course) -> Arc<Self> {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(ANCHOR));
        Self::at(course, clock)
    }

    pub fn at(course: Course, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::new(Mutex::new(World::new(WorldOptions::default()))),
            clock,
            log: Mutex::default(),
            dice: Mutex::new(Dice::new(course.seed)),
            bolts: Mutex::default(),
            course,
        })
    }

    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn strike(&self, bolt: Bolt) {
        self.bolts.lock().unwrap().push(bolt);
    }

    fn bolt(&self, side: Side) -> Option<Bolt> {
        let now = self.clock.tick();
        let mut bolts = self.bolts.lock().unwrap();
        let due = |b: &Bolt| b.side == side && b.from <= now && now < b.from + Span::from_secs(3);
        let at = bolts.iter().position(due)?;
        Some(bolts.remove(at))
    }

    fn now(&self) -> Now {
        Now {
            tick: self.clock.tick(),
            moment: self.clock.moment(),
        }
    }

    async fn pass(&self, ms: u64) {
        self.clock
            .sleep_until(self.clock.tick() + Span::new(ms))
            .await;
    }

    /// One call to the target: some of its latency passes on the way there, some at work, some on the way back.
    pub async fn call(&self, mailbox: &str, upload: u64) -> Result<(), Setback> {
        let whole = self.course.latency.get();
        let (out, back, more) = {
            let mut dice = self.dice.lock().unwrap();
            let part = whole / 5 + 1;
            (dice.below(part), dice.below(part), dice.below(part))
        };
        let work = whole.saturating_sub(out + back + whole / 10) + more;
        self.pass(out).await;
        if let Some(bolt) = self.bolt(Side::Target) {
            return Err(thrown(&bolt));
        }
        let begun = lock(&self.world).begin(
            self.now(),
            Side::Target,
            mailbox,
            Bytes::new(upload),
            upload > 0,
        );
        let ticket = match begun {
            Ok(ticket) => ticket,
            Err(busy) => {
                let now = self.clock.tick();
                let name = mailbox.to_owned();
                self.log().throttled.entry(name).or_default().push(now);
                let limit = match busy.limit {
                    Limit::Concurrency => CROWDED,
                    Limit::Requests | Limit::Upload => "ApplicationThrottled",
                };
                self.pass(back).await;
                return Err(Setback::Throttled {
                    scope: Scope::TargetMailbox,
                    wait: Some(busy.wait),
                    said: Said::new(429, limit),
                });
            }
        };
        if upload > 0 {
            let at = self.clock.tick();
            let name = mailbox.to_owned();
            let sent = Sent { at, bytes: upload };
            self.log().sent.entry(name).or_default().push(sent);
        }
        self.pass(work).await;
        lock(&self.world).end(ticket, Bytes::new(400));
        self.pass(back).await;
        Ok(())
    }

    /// One call to the source: slower, the more there are beyond what it bears.
    async fn ask(&self, mailbox: &MailboxId) -> Result<(), Setback> {
        if let Some(bolt) = self.bolt(Side::Source) {
            return Err(thrown(&bolt));
        }
        let there = {
            let now = self.clock.tick();
            let mut log = self.log();
            log.source_now += 1;
            let there = log.source_now;
            log.asked.push((now, mailbox.reveal().to_owned()));
            log.source_seen.push((now, there));
            there
        };
        let base = self.course.source_latency.get();
        let bears = self.course.source_bears.unwrap_or(u32::MAX);
        let slower = u64::from(there.max(bears)) * base / u64::from(bears);
        let took = if bears == u32::MAX { base } else { slower };
        let wavers = self.dice.lock().unwrap().below(took / 10 + 1);
        self.pass(took + wavers).await;
        self.log().source_now -= 1;
        Ok(())
    }

    /// Requests, throttled requests and wire bytes let in, of all mailboxes.
    pub fn totals(&self) -> (u64, u64) {
        let stats = lock(&self.world).stats();
        let total = &stats["total"]["target"];
        (
            total["requests"].as_u64().unwrap(),
            total["throttled"].as_u64().unwrap(),
        )
    }
}

fn thrown(bolt: &Bolt) -> Setback {
    Setback::Throttled {
        scope: bolt.scope,
        wait: bolt.wait,
        said: Said::status(429),
    }
}

#[derive(Debug)]
struct Shelf(Arc<Stage>);

const INBOX: &str = "inbox";

impl Shelf {
    fn header(&self, n: u64) -> SourceHeader {
        let class = ItemClass::new("IPM.Note");
        SourceHeader {
            id: ItemId::new(n.to_string()),
            stamp: Stamp::fallback(Some(&n.to_string()), &class, None),
            class,
            size: Bytes::new(self.0.course.size(n)),
            read: None,
            received: None,
            version: None,
        }
    }
}

fn folder(id: &str, parent: Option<&str>, role: FolderRole, items: u64) -> SourceFolder {
    SourceFolder {
        id: FolderId::new(id),
        parent: parent.map(FolderId::new),
        name: id.to_owned(),
        class: "IPF.Note".to_owned(),
        role: Some(role),
        kind: FolderKind::Generic,
        hidden: false,
        items: Count::new(items),
        size: Bytes::ZERO,
    }
}

#[async_trait]
impl Source for Shelf {
    async fn folders(&self, mailbox: &MailboxId) -> Result<Vec<SourceFolder>, Setback> {
        self.0.ask(mailbox).await?;
        Ok(vec![
            folder("top", None, FolderRole::Top, 0),
            folder(INBOX, Some("top"), FolderRole::Inbox, self.0.course.items),
        ])
    }

    async fn hierarchy(
        &self,
        mailbox: &MailboxId,
        _: Option<&SyncToken>,
    ) -> Result<HierarchyNews, Setback> {
        self.0.ask(mailbox).await?;
        Ok(HierarchyNews {
            token: SyncToken::new("h"),
            changed: true,
        })
    }

    async fn present(&self, _: &MailboxId, items: &[ItemId]) -> Result<Vec<bool>, Setback> {
        Ok(vec![true; items.len()])
    }

    async fn changes(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        token: Option<&SyncToken>,
        at_most: Count,
    ) -> Result<Changes, Setback> {
        self.0.ask(mailbox).await?;
        let from: u64 = token.map_or(0, |token| token.as_str().parse().unwrap());
        let all = if folder.as_str() == INBOX {
            self.0.course.items
        } else {
            0
        };
        let to = (from + at_most.get()).min(all);
        Ok(Changes {
            changes: (from..to)
                .map(|n| Change::Created(self.header(n)))
                .collect(),
            token: SyncToken::new(to.to_string()),
            complete: to == all,
        })
    }

    async fn page(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        offset: Count,
        at_most: Count,
    ) -> Result<SourcePage, Setback> {
        let from = SyncToken::new(offset.to_string().replace(',', ""));
        let page = self.changes(mailbox, folder, Some(&from), at_most).await?;
        let header = |change| match change {
            Change::Created(header) => Some(header),
            _ => None,
        };
        Ok(SourcePage {
            items: page.changes.into_iter().filter_map(header).collect(),
            total: Count::new(self.0.course.items),
            last: page.complete,
        })
    }

    async fn export(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        static EMPTY: [u8; BODY_PIECE] = [0; BODY_PIECE];
        self.0.ask(mailbox).await?;
        for (index, id) in items.iter().enumerate() {
            sink.begin(index).await?;
            let mut left = usize::try_from(self.0.course.size(id.as_str().parse().unwrap()));
            while let Ok(rest @ 1..) = left {
                let piece = rest.min(BODY_PIECE);
                sink.piece(&EMPTY[..piece]).await?;
                left = Ok(rest - piece);
            }
        }
        Ok(items.iter().map(|_| Ok(())).collect())
    }
}

#[async_trait]
impl TypedSource for Shelf {
    async fn read(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        self.0.ask(mailbox).await?;
        let message = TypedMessage {
            common: TypedCommon {
                class: "IPM.Note".to_owned(),
                ..TypedCommon::default()
            },
            ..TypedMessage::default()
        };
        let parcel = parcel::encode(&TypedItem::Message(Box::new(message)), &[]);
        for index in 0..items.len() {
            sink.begin(index).await?;
            sink.piece(&parcel).await?;
        }
        Ok(items.iter().map(|_| Ok(())).collect())
    }
}

#[derive(Debug)]
struct Door(Arc<Stage>);

/// A message without attachments: one call.
#[async_trait]
impl TypedTarget for Door {
    async fn compose(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        _: &Stamp,
        parcel: &Body,
    ) -> Result<Placed, Setback> {
        self.create(mailbox, &folder.id, parcel).await
    }

    async fn amend(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolder,
        _: &Stamp,
        _: &Placed,
        _: &Body,
    ) -> Result<Placed, Setback> {
        unreachable!("nothing changes here")
    }

    async fn held_back(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolder,
    ) -> Result<Vec<TargetItemId>, Setback> {
        unreachable!("nothing is held back here")
    }

    async fn remind(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolder,
        _: &TargetItemId,
    ) -> Result<Option<(Placed, Placed)>, Setback> {
        unreachable!("nothing is held back here")
    }

    async fn read(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolder,
        _: &TargetItemId,
    ) -> Result<BodyStream, Setback> {
        unreachable!("nothing is read back here")
    }

    async fn tidy(&self, _: &TargetMailboxId, _: &[TargetFolder]) -> Result<Count, Setback> {
        Ok(Count::ZERO)
    }

    fn made_besides(&self, _: &TargetMailboxId) -> Count {
        Count::ZERO
    }
}

#[async_trait]
impl Target for Door {
    async fn resolve(&self, user: &MailboxId) -> Result<TargetMailboxId, Setback> {
        self.0.call(user.reveal(), 0).await?;
        Ok(TargetMailboxId::new(user.reveal()))
    }

    async fn folders(&self, mailbox: &TargetMailboxId) -> Result<Vec<TargetFolder>, Setback> {
        self.0.call(mailbox.as_str(), 0).await?;
        let folder = |id: &str, parent: Option<&str>, role| TargetFolder {
            id: TargetFolderId::new(id),
            parent: parent.map(TargetFolderId::new),
            name: id.to_owned(),
            class: "IPF.Note".to_owned(),
            role: Some(role),
            items: Count::ZERO,
        };
        Ok(vec![
            folder("top", None, FolderRole::Top),
            folder(INBOX, Some("top"), FolderRole::Inbox),
        ])
    }

    async fn ensure_folder(
        &self,
        _: &TargetMailboxId,
        _: &FolderOrder,
    ) -> Result<TargetFolder, Setback> {
        unreachable!("every folder is a default one")
    }

    async fn create(
        &self,
        mailbox: &TargetMailboxId,
        _: &TargetFolderId,
        body: &Body,
    ) -> Result<Placed, Setback> {
        let wire = body.len().get().div_ceil(3) * 4 + FRAME;
        self.0.call(mailbox.as_str(), wire).await?;
        Ok(Placed {
            item: TargetItemId::new("t"),
            change_key: ChangeKey::new("c"),
        })
    }

    async fn update(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &Placed,
        _: &Body,
    ) -> Result<Placed, Setback> {
        unreachable!("nothing changes here")
    }

    async fn version(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &TargetItemId,
    ) -> Result<Placed, Setback> {
        unreachable!("nothing changes here")
    }

    async fn rename_folder(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &str,
    ) -> Result<(), Setback> {
        unreachable!("nothing changes here")
    }

    async fn remove_folder(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
    ) -> Result<bool, Setback> {
        unreachable!("nothing changes here")
    }

    async fn page(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: Option<&Cursor>,
    ) -> Result<TargetPage, Setback> {
        Ok(TargetPage {
            items: Vec::new(),
            next: None,
        })
    }

    async fn export(&self, _: &TargetMailboxId, _: &TargetItemId) -> Result<BodyStream, Setback> {
        unreachable!("nobody reads back here")
    }

    async fn retract(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &Placed,
    ) -> Result<(), Setback> {
        unreachable!("nothing is taken back here")
    }

    fn renew(&self, _: &TargetMailboxId) {}
}

#[derive(Debug)]
struct Deaf;

impl EventSink for Deaf {
    fn emit(&self, _: &Event) {}
}

/// Runs the engine on this stage for so long, or until it is done. True when it was done.
pub async fn ferry(stage: &Arc<Stage>, jobs: Vec<JobSpec>, until: Span) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let ports = Ports {
        source: Arc::new(Shelf(Arc::clone(stage))),
        target: Arc::new(Door(Arc::clone(stage))),
        ledger: Arc::new(MemoryLedger::new()),
        clock: Arc::clone(&stage.clock),
        events: Arc::new(Deaf),
        screener: None,
        typed: Some(TypedPorts {
            source: Arc::new(Shelf(Arc::clone(stage))),
            target: Arc::new(Door(Arc::clone(stage))),
        }),
    };
    let order = RunOrder {
        spec: Arc::new(RunSpec {
            jobs,
            limits: stage.course.limits.clone(),
            select: Selection::default(),
            pass: PassKind::default(),
            allow_deletes: false,
            route: stage.course.route,
            reminders: ReminderRule::AsSource,
        }),
        run: RunId::new("paced"),
        dice: Dice::new(stage.course.seed),
        spool_dir: dir.path().to_owned(),
    };
    let (lever, control) = control();
    let end = stage.clock.tick() + until;
    tokio::select! {
        biased;
        end = run(ports, order, &lever, &control) => {
            assert!(end.stopped.is_none(), "{end:?}");
            true
        }
        () = stage.clock.sleep_until(end) => false,
    }
}

pub fn jobs(course: &Course) -> Vec<JobSpec> {
    let job = |n| JobSpec {
        job: JobId(n),
        source: address(n),
        target: address(n),
        turn: 0,
        items: None,
        bytes: None,
    };
    (0..course.mailboxes).map(job).collect()
}

/// Something in virtual time.
pub fn play<F: Future>(act: impl FnOnce() -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { act().await })
}

/// Per second, between two equal phases of the window after `from`: a mailbox that waits for its window sends in bursts, and half a burst
/// more or less would be no measure. The whole time from `from` on where there are no bursts.
pub fn rate(sent: &[Sent], from: Tick, to: Tick, weigh: impl Fn(&Sent) -> u64) -> f64 {
    const PAUSE: Span = Span::from_secs(10);
    let mut starts = Vec::new();
    for pair in sent.windows(2) {
        if pair[1].at - pair[0].at >= PAUSE && pair[1].at >= from && pair[1].at <= to {
            starts.push(pair[1].at);
        }
    }
    let (from, to) = match starts.as_slice() {
        [first, .., last] => (*first, *last),
        _ => (from, to),
    };
    let within = sent.iter().filter(|call| call.at >= from && call.at < to);
    let sum: u64 = within.map(weigh).sum();
    sum as f64 * 1000.0 / (to - from).get() as f64
}

/// The mean of all mailboxes.
pub fn mean_rate(stage: &Stage, from: Tick, to: Tick, weigh: impl Fn(&Sent) -> u64 + Copy) -> f64 {
    let log = stage.log();
    let sum: f64 = log
        .sent
        .values()
        .map(|sent| rate(sent, from, to, weigh))
        .sum();
    sum / f64::from(stage.course.mailboxes)
}
