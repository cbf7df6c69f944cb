//! What every `TypedTarget` keeps, run over each implementation: the world's direct face, and Graph over loopback HTTP.

#![allow(
    clippy::unused_async,
    clippy::assigning_clones,
    clippy::similar_names,
    clippy::unnecessary_wraps,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::sync::Arc;

use futures_util::StreamExt as _;

use crate::stage::*;
use mailferry::base::id::{ChangeKey, TargetMailboxId};
use mailferry::base::item::{Placed, Stamp, TargetHeader};
use mailferry::base::mailbox::{FolderRole, TargetFolder};
use mailferry::base::outcome::{RefusalWhy, Setback};
use mailferry::base::quantity::{Bytes, Count, Moment, Span, Tick};
use mailferry::base::secret::Secret;
use mailferry::base::typed::{FollowUp, Person, TypedAttachment, TypedItem, TypedMessage};
use mailferry::engine::spool::{Spill, Spool, Spooling};
use mailferry::lab::direct::{DirectTarget, SharedWorld, lock};
use mailferry::lab::fault::{CallKind, Fault};
use mailferry::lab::mishap::{Mishap, MishapOrder};
use mailferry::lab::world::{Content, Limits, Now};
use mailferry::lab::wrong::Wrong;
use mailferry::port::body::{Body, BodyStream};
use mailferry::port::target::Target;
use mailferry::port::typed::TypedTarget;
use mailferry::verify::typed::{Canon, TypedJudged, judge};
use mailferry::wire::item_stream::{decode, tags};
use mailferry::wire::parcel::{ParcelMeter, ParcelReport, encode, stamp_of};

pub(crate) struct Bench {
    pub(crate) target: Arc<dyn Target>,
    pub(crate) typed: Arc<dyn TypedTarget>,
    pub(crate) world: SharedWorld,
    dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn mailbox(&self) -> TargetMailboxId {
        self.target.resolve(&address(0)).await.unwrap()
    }

    pub(crate) async fn role(&self, role: FolderRole) -> TargetFolder {
        let folders = self.target.folders(&self.mailbox().await).await.unwrap();
        let mut own = folders.into_iter().filter(|own| own.role == Some(role));
        own.next().expect("a default folder")
    }

    async fn body(&self, bytes: &[u8]) -> Body {
        let total = Bytes::new(300_000_000);
        let spool = Spool::new(total, total, self.dir.path().into());
        let size = Bytes::new(bytes.len() as u64);
        let room = spool.reserve(size).await.lend(size);
        let mut spooling = Spooling::begin(room, Spill::default());
        spooling.write(bytes).await.unwrap();
        spooling.finish().await.unwrap()
    }

    pub(crate) async fn parcel(&self, own: &(TypedItem, Vec<Vec<u8>>)) -> Body {
        self.body(&encode(&own.0, &own.1)).await
    }

    async fn try_compose(&self, own: &(TypedItem, Vec<Vec<u8>>)) -> Result<Placed, Setback> {
        let (mailbox, inbox) = (self.mailbox().await, self.role(FolderRole::Inbox).await);
        let parcel = self.parcel(own).await;
        self.typed
            .compose(&mailbox, &inbox, &stamp_of(&own.0), &parcel)
            .await
    }

    async fn compose(&self, own: &(TypedItem, Vec<Vec<u8>>)) -> Placed {
        self.try_compose(own).await.unwrap()
    }

    async fn list(&self) -> Vec<TargetHeader> {
        let (mailbox, inbox) = (self.mailbox().await, self.role(FolderRole::Inbox).await);
        let page = self.target.page(&mailbox, &inbox.id, None).await.unwrap();
        assert!(page.next.is_none());
        page.items
    }

    async fn read(&self, placed: &Placed) -> ParcelReport {
        let (mailbox, inbox) = (self.mailbox().await, self.role(FolderRole::Inbox).await);
        report(
            self.typed
                .read(&mailbox, &inbox, &placed.item)
                .await
                .unwrap(),
        )
        .await
    }

    async fn amend(
        &self,
        placed: &Placed,
        own: &(TypedItem, Vec<Vec<u8>>),
    ) -> Result<Placed, Setback> {
        let (mailbox, inbox) = (self.mailbox().await, self.role(FolderRole::Inbox).await);
        let parcel = self.parcel(own).await;
        let stamp = stamp_of(&own.0);
        self.typed
            .amend(&mailbox, &inbox, &stamp, placed, &parcel)
            .await
    }

    /// Requests on the mailbox so far.
    pub(crate) fn requests(&self) -> u64 {
        let stats = lock(&self.world).stats();
        stats["target"][address(0).reveal()]["requests"]
            .as_u64()
            .unwrap_or(0)
    }

    /// Items in our hidden folder; `None` when there is none.
    async fn hidden(&self) -> Option<u64> {
        let world = lock(&self.world);
        let mailbox = world.resolve(address(0).reveal()).unwrap();
        let late = Now {
            tick: Tick::new(u64::MAX / 2),
            ..Now::default()
        };
        let rows = world.target_folders(late, &mailbox).unwrap();
        let mut own = rows.iter().filter(|row| row.name == "mailferry unfinished");
        own.next().map(|row| {
            assert!(row.hidden);
            row.items.get()
        })
    }

    /// Nobody was invited, and no rule was broken.
    pub(crate) fn assert_clean(&self) {
        let world = lock(&self.world);
        let stats = world.stats();
        let log: Vec<_> = world.invalid_log().collect();
        assert_eq!(stats["invitations"], 0);
        assert_eq!(stats["invalid"], 0, "{log:?}");
    }

    pub(crate) fn script(&self, faults: &[(CallKind, Option<Fault>)]) {
        lock(&self.world).script(faults.iter().copied());
    }
}

pub(crate) async fn report(mut pieces: BodyStream) -> ParcelReport {
    let mut meter = ParcelMeter::new();
    while let Some(piece) = pieces.next().await {
        meter.feed(&piece.unwrap()).unwrap();
    }
    meter.finish().unwrap()
}

fn measured(own: &(TypedItem, Vec<Vec<u8>>)) -> ParcelReport {
    let mut meter = ParcelMeter::new();
    meter.feed(&encode(&own.0, &own.1)).unwrap();
    meter.finish().unwrap()
}

/// The stamp of the first message.
fn stamp() -> Stamp {
    stamp_of(&with_files(received(1), &[]).0)
}

fn somebody(name: &str) -> Person {
    Person {
        name: name.to_owned(),
        address: format!("{}@clinic.example", name.to_ascii_lowercase()),
    }
}

fn at(secs: i64) -> Option<Moment> {
    Some(Moment::from_unix_ms(secs * 1_000))
}

/// A received message.
fn received(n: u8) -> TypedMessage {
    let mut own = TypedMessage {
        message_id: format!("<{n}@clinic.example>"),
        flags: 1,
        submitted: at(1_500_000_000),
        delivered: at(1_500_000_007),
        from: Some(somebody("Chief")),
        sender: Some(somebody("Office")),
        to: vec![somebody("Ann"), somebody("Bert")],
        cc: vec![somebody("Cleo")],
        reply_to: vec![somebody("Desk")],
        headers: "Received: from a\r\nX-Lab: 1\r\n".to_owned(),
        in_reply_to: "<x@y>".to_owned(),
        references: "<x@y> <z@y>".to_owned(),
        conversation_index: "AQIDBAUGBwgJCgsMDQ4PEBESExQVFg==".to_owned(),
        flag: Some(FollowUp {
            start: at(1_500_000_100),
            due: at(1_500_000_200),
            ..FollowUp::default()
        }),
        ..TypedMessage::default()
    };
    own.common.class = "IPM.Note".to_owned();
    own.common.search_key = format!("{n:02x}").repeat(16);
    own.common.subject = "Ward round ü".to_owned();
    own.common.body.html = true;
    own.common.body.content = "<html><body><p>At nine.</p></body></html>".to_owned();
    own.common.importance = 2;
    own.common.sensitivity = 2;
    own.common.categories = vec!["Blue".to_owned(), "Ärzte".to_owned()];
    own
}

fn draft(n: u8) -> TypedMessage {
    TypedMessage {
        flags: 8 | 1,
        submitted: None,
        delivered: None,
        headers: String::new(),
        flag: None,
        ..received(n)
    }
}

/// The message with files of these lengths.
fn with_files(mut own: TypedMessage, lengths: &[usize]) -> (TypedItem, Vec<Vec<u8>>) {
    let files: Vec<Vec<u8>> = lengths
        .iter()
        .enumerate()
        .map(|(n, len)| {
            (0..*len)
                .map(|at| u8::try_from((at * 7 + at / 251 + n) % 251).unwrap())
                .collect()
        })
        .collect();
    own.common.attachments = (0..files.len())
        .map(|n| TypedAttachment {
            name: format!("scan {n}.png"),
            content_type: "image/png".to_owned(),
            content_id: format!("c{n}@x"),
            inline: n == 1,
            embedded: false,
        })
        .collect();
    (TypedItem::Message(Box::new(own)), files)
}

fn message(item: &TypedItem) -> &TypedMessage {
    match item {
        TypedItem::Message(own) => own,
        _ => panic!("a message"),
    }
}

pub(crate) fn assert_same(own: &(TypedItem, Vec<Vec<u8>>), back: &ParcelReport) {
    let then = measured(own);
    let judged = judge(
        &Canon::of(&then.item, &then.attachments),
        &Canon::of(&back.item, &back.attachments),
    );
    assert!(
        matches!(judged, TypedJudged::Same | TypedJudged::ByRoute(_)),
        "{judged:?}"
    );
    assert_eq!(then.attachments, back.attachments);
}

pub(crate) const MB: usize = 1_000_000;

async fn what_is_composed_is_listed_with_its_mark_and_reads_back_the_same(bench: &Bench) {
    for own in [
        with_files(received(1), &[]),
        with_files(received(2), &[10, 0, 70_000]),
        with_files(draft(3), &[5]),
        with_files(
            TypedMessage {
                flags: 4,
                ..received(4)
            },
            &[],
        ),
    ] {
        let placed = bench.compose(&own).await;
        let listed = bench.list().await;
        let header = listed.iter().find(|own| own.placed == placed).unwrap();
        assert!(header.bears(&stamp_of(&own.0)), "{header:?}");
        assert_same(&own, &bench.read(&placed).await);
    }
    assert_eq!(bench.list().await.len(), 4);
    bench.assert_clean();
}

async fn a_draft_stays_one_and_what_was_received_is_none(bench: &Bench) {
    let mailbox = bench.mailbox().await;
    for (own, want) in [(received(1), 0), (draft(2), 8)] {
        let placed = bench.compose(&with_files(own, &[])).await;
        let mut stream = bench.target.export(&mailbox, &placed.item).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        let tree = decode(&bytes).unwrap();
        let flags = u32::from_le_bytes(tree.get(tags::MESSAGE_FLAGS).unwrap().try_into().unwrap());
        assert_eq!(flags & 8, want);
        let time = |tag| {
            tree.get(tag)
                .map(|raw| u64::from_le_bytes(raw.try_into().unwrap()))
        };
        let source =
            (want == 0).then_some(11_644_473_600 * 10_000_000 + 1_500_000_000 * 10_000_000);
        assert_eq!(time(tags::CLIENT_SUBMIT_TIME), source);
        let later = source.map(|own| own + 7 * 10_000_000);
        assert_eq!(time(tags::MESSAGE_DELIVERY_TIME), later);
    }
    bench.assert_clean();
}

async fn what_a_reader_changes_follows_and_nothing_else(bench: &Bench) {
    let own = with_files(received(1), &[40]);
    let placed = bench.compose(&own).await;
    assert_eq!(bench.amend(&placed, &own).await.as_ref(), Ok(&placed));
    let mut newer = received(1);
    (newer.flags, newer.flag, newer.common.importance) = (4, None, 0);
    newer.common.categories = Vec::new();
    let newer = with_files(newer, &[40]);
    let amended = bench.amend(&placed, &newer).await.unwrap();
    assert_eq!(amended.item, placed.item);
    assert_ne!(amended.change_key, placed.change_key);
    let back = bench.read(&amended).await;
    assert_same(&newer, &back);
    assert!(!message(&back.item).read() && message(&back.item).flag.is_none());
    // An older version, another text, other bytes.
    let mut other = received(1);
    other.common.subject = "Another".to_owned();
    // Of another version nobody can say what it is; what cannot be changed is said to be so, and nothing else need be looked at.
    for (placed, own, why) in [
        (&placed, &newer, RefusalWhy::TargetRefused),
        (&amended, &with_files(other, &[40]), RefusalWhy::NoTypedForm),
        (
            &amended,
            &with_files(received(1), &[41]),
            RefusalWhy::NoTypedForm,
        ),
    ] {
        match bench.amend(placed, own).await {
            Err(Setback::ItemRefused(refusal)) => {
                assert_eq!(refusal.why, why);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.read(&amended).await, back);
    bench.assert_clean();
}

async fn a_draft_is_written_on(bench: &Bench) {
    let placed = bench.compose(&with_files(draft(1), &[40])).await;
    let mut newer = draft(1);
    newer.common.subject = "Another".to_owned();
    newer.common.body.content = "plain".to_owned();
    newer.common.body.html = false;
    newer.to = vec![somebody("Zoe")];
    newer.cc = Vec::new();
    let newer = with_files(newer, &[40]);
    let amended = bench.amend(&placed, &newer).await.unwrap();
    let back = bench.read(&amended).await;
    assert_same(&newer, &back);
    assert!(message(&back.item).draft());
    bench.assert_clean();
}

async fn what_the_route_does_not_carry_is_refused_before_anything_is_made(bench: &Bench) {
    let before = bench.list().await.len();
    for class in ["IPM.Task", "IPM.Schedule.Meeting.Request", "IPM.Post"] {
        let mut own = received(1);
        own.common.class = class.to_owned();
        match bench.try_compose(&with_files(own, &[])).await {
            Err(Setback::ItemRefused(refusal)) => {
                assert_eq!(refusal.why, RefusalWhy::NoTypedForm);
            }
            other => panic!("{class}: {other:?}"),
        }
    }
    let (mailbox, inbox) = (bench.mailbox().await, bench.role(FolderRole::Inbox).await);
    let nonsense = bench.body(b"no parcel").await;
    let done = bench
        .typed
        .compose(&mailbox, &inbox, &stamp(), &nonsense)
        .await;
    assert!(matches!(done, Err(Setback::OurRequest(_))), "{done:?}");
    assert_eq!(bench.list().await.len(), before);
    bench.assert_clean();
}

async fn a_folder_that_is_gone_is_named(bench: &Bench) {
    let (mailbox, mut folder) = (bench.mailbox().await, bench.role(FolderRole::Inbox).await);
    folder.id = mailferry::base::id::TargetFolderId::new("AAMkAGnowhere");
    for own in [
        with_files(received(1), &[]),
        with_files(received(2), &[4 * MB]),
    ] {
        let parcel = bench.parcel(&own).await;
        let done = bench
            .typed
            .compose(&mailbox, &folder, &stamp(), &parcel)
            .await;
        assert_eq!(done, Err(Setback::FolderGone));
    }
    bench.typed.tidy(&mailbox, &[]).await.unwrap();
    assert_eq!(bench.hidden().await, None);
    bench.assert_clean();
}

async fn an_item_that_is_gone_says_so(bench: &Bench) {
    let (mailbox, inbox) = (bench.mailbox().await, bench.role(FolderRole::Inbox).await);
    let placed = bench.compose(&with_files(received(1), &[])).await;
    bench
        .target
        .retract(&mailbox, &inbox.id, &placed)
        .await
        .unwrap();
    let read = bench.typed.read(&mailbox, &inbox, &placed.item).await;
    assert_eq!(read.err(), Some(Setback::Gone));
    let stale = Placed {
        change_key: ChangeKey::new("x"),
        ..placed
    };
    let amended = bench.amend(&stale, &with_files(received(1), &[])).await;
    assert!(
        matches!(amended, Err(Setback::ItemRefused(_))),
        "{amended:?}"
    );
    bench.assert_clean();
}

async fn a_create_whose_answer_is_lost_is_doubt_and_its_copy_is_found(bench: &Bench) {
    bench.mailbox().await;
    bench.role(FolderRole::Inbox).await;
    let own = with_files(received(1), &[]);
    for (fault, copies) in [
        (Fault::ResetBefore, 0),
        (Fault::ResetAfter, 1),
        (Fault::GatewayAfter, 2),
    ] {
        bench.script(&[(CallKind::Import, Some(fault))]);
        let done = bench.try_compose(&own).await;
        assert!(
            matches!(done, Err(Setback::Lost(_) | Setback::GatewayGaveUp(_))),
            "{done:?}"
        );
        assert_eq!(bench.list().await.len(), copies);
    }
    assert!(
        bench
            .list()
            .await
            .iter()
            .all(|own| own.bears(&stamp_of(&with_files(received(1), &[]).0)))
    );
    bench.assert_clean();
}

async fn a_tenant_that_refuses_streams_takes_typed_items(bench: &Bench) {
    lock(&bench.world).misconfigure(&[Wrong::StreamsRefused]);
    let (mailbox, inbox) = (bench.mailbox().await, bench.role(FolderRole::Inbox).await);
    let stream = Content::Plain { seed: 5, body: 100 }.stream().unwrap();
    let stream = bench.body(&stream).await;
    let done = bench.target.create(&mailbox, &inbox.id, &stream).await;
    assert!(matches!(done, Err(Setback::ItemRefused(_))), "{done:?}");
    bench.compose(&with_files(received(1), &[])).await;
    assert_eq!(bench.list().await.len(), 1);
    bench.assert_clean();
}

macro_rules! suite {
    ($bench:ident: $($case:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (bench, _keep) = $bench().await;
                super::$case(&bench).await;
            }
        )+
    };
}

macro_rules! whole_suite {
    ($bench:ident) => {
        suite!($bench:
            what_is_composed_is_listed_with_its_mark_and_reads_back_the_same,
            what_a_reader_changes_follows_and_nothing_else,
            a_draft_is_written_on,
            what_the_route_does_not_carry_is_refused_before_anything_is_made,
            a_folder_that_is_gone_is_named,
            an_item_that_is_gone_says_so,
            a_create_whose_answer_is_lost_is_doubt_and_its_copy_is_found,
        );
    };
}

fn knobs() -> Knobs {
    let mut knobs = Knobs::default();
    knobs.world.lag = Span::ZERO;
    // What a window takes is another test's; here 100 MB go in one minute.
    knobs.world.limits = Limits::Off;
    knobs
}

pub(crate) mod direct {
    use super::*;

    pub(crate) async fn bench() -> (Bench, ()) {
        let world = build(&knobs());
        let target = Arc::new(DirectTarget::new(Arc::clone(&world), clock(), Span::ZERO));
        let bench = Bench {
            target: Arc::clone(&target) as Arc<dyn Target>,
            typed: target,
            world,
            dir: tempfile::tempdir().unwrap(),
        };
        (bench, ())
    }

    whole_suite!(bench);
    suite!(bench:
        a_draft_stays_one_and_what_was_received_is_none,
        a_tenant_that_refuses_streams_takes_typed_items,
    );
}

pub(crate) mod graph_over_http {
    use mailferry::graph::{Credential, GraphOptions, GraphTarget};
    use mailferry::lab::server::{LabConfig, RunningLab, start};

    use super::*;

    pub(crate) async fn bench() -> (Bench, RunningLab) {
        seeded(1).await
    }

    async fn seeded(seed: u64) -> (Bench, RunningLab) {
        let (bench, target, lab) = parts(seed).await;
        let target = Arc::new(target);
        let bench = Bench {
            target: Arc::clone(&target) as Arc<dyn Target>,
            typed: target,
            ..bench
        };
        (bench, lab)
    }

    /// A lab, a client for it, and a bench whose target is another.
    pub(crate) async fn parts(seed: u64) -> (Bench, GraphTarget, RunningLab) {
        let mut knobs = knobs();
        knobs.world.seed = seed;
        let world = build(&knobs);
        let dir = tempfile::tempdir().unwrap();
        let config = LabConfig {
            dir: dir.path().join("lab"),
            ews_port: 0,
            graph_port: 0,
            latency: Span::ZERO,
            record: None,
            tls: false,
        };
        let lab = start(config, Arc::clone(&world), clock()).await.unwrap();
        let options = GraphOptions {
            login_url: lab.info.login_url.clone(),
            graph_url: lab.info.graph_url.clone(),
            tenant: lab.info.tenant_id.clone(),
            client_id: lab.info.client_id.clone(),
            credential: Credential::Secret(Secret::new(lab.info.client_secret.clone())),
            max_connections: 4,
        };
        let target = GraphTarget::new(options, clock()).unwrap();
        let none = Arc::new(DirectTarget::new(Arc::clone(&world), clock(), Span::ZERO));
        let bench = Bench {
            target: Arc::clone(&none) as Arc<dyn Target>,
            typed: none,
            world,
            dir,
        };
        (bench, target, lab)
    }

    whole_suite!(bench);
    suite!(bench:
        a_draft_stays_one_and_what_was_received_is_none,
        a_tenant_that_refuses_streams_takes_typed_items,
    );

    #[tokio::test]
    async fn what_one_request_holds_is_one_call() {
        let (bench, _lab) = bench().await;
        let (mailbox, inbox) = (bench.mailbox().await, bench.role(FolderRole::Inbox).await);
        bench.typed.made_besides(&mailbox);
        for lengths in [&[][..], &[10, 2_000, 900_000], &[2_600_000]] {
            let parcel = bench.parcel(&with_files(received(1), lengths)).await;
            let before = bench.requests();
            bench
                .typed
                .compose(&mailbox, &inbox, &stamp(), &parcel)
                .await
                .unwrap();
            assert_eq!(bench.requests() - before, 1, "{lengths:?}");
            assert_eq!(bench.typed.made_besides(&mailbox), Count::ZERO);
        }
        assert_eq!(bench.hidden().await, None);
        bench.assert_clean();
    }

    #[tokio::test]
    async fn larger_ones_are_made_out_of_sight_and_moved_and_every_request_is_counted() {
        // Two labs, which draw the line of 3 MB on either side of it.
        for seed in [2, 1] {
            let (bench, _lab) = seeded(seed).await;
            let (mailbox, inbox) = (bench.mailbox().await, bench.role(FolderRole::Inbox).await);
            bench.typed.made_besides(&mailbox);
            let lengths = [100, 2_700_000, 3_050_000, 8 * MB, 35 * MB];
            let own = with_files(received(1), &lengths);
            let parcel = bench.parcel(&own).await;
            let before = bench.requests();
            let placed = bench
                .typed
                .compose(&mailbox, &inbox, &stamp(), &parcel)
                .await
                .unwrap();
            let besides = bench.typed.made_besides(&mailbox).get();
            assert_eq!(bench.requests() - before, 1 + besides);
            assert_eq!(bench.hidden().await, Some(0));
            assert_eq!(bench.list().await.len(), 1);
            bench.typed.made_besides(&mailbox);
            let before = bench.requests();
            let back = report(
                bench
                    .typed
                    .read(&mailbox, &inbox, &placed.item)
                    .await
                    .unwrap(),
            )
            .await;
            let besides = bench.typed.made_besides(&mailbox).get();
            assert_eq!(bench.requests() - before, 1 + besides);
            assert_eq!(besides, lengths.len() as u64 + 1);
            assert_same(&own, &back);
            assert_eq!(bench.typed.tidy(&mailbox, &[]).await, Ok(Count::ZERO));
            assert_eq!(bench.hidden().await, None);
            bench.assert_clean();
        }
    }

    #[tokio::test]
    async fn a_very_large_attachment_goes_in_slices() {
        let (bench, _lab) = bench().await;
        let own = with_files(received(1), &[100 * MB]);
        let placed = bench.compose(&own).await;
        assert_same(&own, &bench.read(&placed).await);
        bench.assert_clean();
    }

    #[tokio::test]
    async fn whatever_ends_an_attempt_the_next_one_leaves_one_copy_and_nothing_else() {
        let attach = CallKind::Attach;
        let scripts: &[&[(CallKind, Option<Fault>)]] = &[
            &[(CallKind::Import, Some(Fault::ResetAfter))],
            &[(CallKind::Import, Some(Fault::Busy(None)))],
            &[(CallKind::MakeFolder, Some(Fault::ResetAfter))],
            &[(attach, Some(Fault::GatewayAfter))],
            &[(attach, None), (attach, Some(Fault::Busy(None)))],
            &[
                (attach, None),
                (attach, None),
                (attach, Some(Fault::Busy(None))),
            ],
            &[
                (CallKind::Import, None),
                (CallKind::Import, Some(Fault::ResetBefore)),
            ],
            &[
                (CallKind::Import, None),
                (CallKind::Import, Some(Fault::Busy(None))),
            ],
        ];
        for script in scripts {
            let (bench, _lab) = bench().await;
            let mailbox = bench.mailbox().await;
            let own = with_files(received(1), &[20, 2_700_000, 5 * MB]);
            bench.role(FolderRole::Inbox).await;
            bench.script(script);
            let first = bench.try_compose(&own).await;
            assert!(first.is_err(), "{script:?}");
            assert!(bench.list().await.is_empty(), "{script:?}");
            let placed = bench.compose(&own).await;
            assert_eq!(bench.list().await.len(), 1, "{script:?}");
            assert_same(&own, &bench.read(&placed).await);
            assert_eq!(bench.hidden().await, Some(0), "{script:?}");
            bench.typed.tidy(&mailbox, &[]).await.unwrap();
            assert_eq!(bench.hidden().await, None);
            bench.assert_clean();
        }
    }

    #[tokio::test]
    async fn slices_survive_what_the_line_does_to_them() {
        let attach = CallKind::Attach;
        for seed in [1, 3] {
            for fault in [
                Fault::ResetBefore,
                Fault::ResetAfter,
                Fault::GatewayAfter,
                Fault::CutBody,
            ] {
                let (bench, _lab) = seeded(seed).await;
                let own = with_files(received(1), &[9 * MB]);
                bench.mailbox().await;
                // The session is opened; the second slice, and the last one, meet it.
                bench.script(&[
                    (attach, None),
                    (attach, None),
                    (attach, Some(fault)),
                    (attach, None),
                    (attach, Some(fault)),
                ]);
                let placed = bench.compose(&own).await;
                assert_same(&own, &bench.read(&placed).await);
                assert_eq!(bench.list().await.len(), 1);
                assert_eq!(bench.hidden().await, Some(0), "{fault:?}");
                bench.assert_clean();
            }
        }
    }

    #[tokio::test]
    async fn a_move_whose_answer_is_lost_is_doubt() {
        let (bench, _lab) = bench().await;
        let own = with_files(received(1), &[5 * MB]);
        bench.mailbox().await;
        bench.script(&[
            (CallKind::Import, None),
            (CallKind::Import, Some(Fault::ResetAfter)),
        ]);
        let done = bench.try_compose(&own).await;
        assert!(matches!(done, Err(Setback::Lost(_))), "{done:?}");
        let listed = bench.list().await;
        assert!(listed.len() == 1 && listed[0].bears(&stamp_of(&own.0)));
        assert_same(&own, &bench.read(&listed[0].placed).await);
        assert_eq!(bench.hidden().await, Some(0));
        bench.assert_clean();
    }

    #[tokio::test]
    async fn a_throttled_attempt_is_gone_on_with_where_it_stood() {
        let (bench, _lab) = bench().await;
        let own = with_files(received(1), &[20 * MB]);
        bench.mailbox().await;
        let attach = CallKind::Attach;
        let throttled = Some(Fault::Busy(None));
        bench.script(&[
            (attach, None),
            (attach, None),
            (attach, None),
            (attach, throttled),
        ]);
        let first = bench.try_compose(&own).await;
        assert!(matches!(first, Err(Setback::Throttled { .. })), "{first:?}");
        let stats = |bench: &Bench| {
            lock(&bench.world).stats()["total"]["target"]["bytes_in"]
                .as_u64()
                .unwrap()
        };
        let before = stats(&bench);
        bench.compose(&own).await;
        // Two slices were there already.
        let sent = stats(&bench) - before;
        assert!(sent < 13 * MB as u64, "{sent}");
        assert_eq!(bench.hidden().await, Some(0));
        bench.assert_clean();
    }

    #[tokio::test]
    async fn what_was_made_just_now_may_be_out_of_sight_for_a_while() {
        let (bench, _lab) = bench().await;
        bench.mailbox().await;
        let unseen = MishapOrder::new(Mishap::Unseen, "");
        lock(&bench.world).befall(Now::default(), unseen).unwrap();
        let own = with_files(received(1), &[2_700_000, 5 * MB]);
        let first = bench.try_compose(&own).await;
        assert!(
            matches!(first, Err(Setback::Throttled { wait: Some(_), .. })),
            "{first:?}"
        );
        let before = bench.requests();
        bench.compose(&own).await;
        assert!(bench.requests() > before);
        assert_eq!(bench.list().await.len(), 1);
        assert_eq!(bench.hidden().await, Some(0));
        bench.assert_clean();
    }

    #[tokio::test]
    async fn an_attempt_that_is_dropped_leaves_nothing_that_another_process_would_not_find() {
        let (bench, lab) = bench().await;
        let (mailbox, inbox) = (bench.mailbox().await, bench.role(FolderRole::Inbox).await);
        let own = with_files(received(1), &[2_700_000, 20 * MB]);
        for _ in 0..2 {
            let parcel = bench.parcel(&own).await;
            let before = bench.requests();
            let far = async {
                while bench.requests() < before + 7 {
                    tokio::task::yield_now().await;
                }
            };
            let stamp = stamp();
            tokio::select! {
                done = bench.typed.compose(&mailbox, &inbox, &stamp, &parcel) => panic!("{done:?}"),
                () = far => {}
            }
        }
        assert_eq!(
            bench.hidden().await,
            Some(1),
            "the first was removed, the second lies there"
        );
        // Another process.
        let options = GraphOptions {
            login_url: lab.info.login_url.clone(),
            graph_url: lab.info.graph_url.clone(),
            tenant: lab.info.tenant_id.clone(),
            client_id: lab.info.client_id.clone(),
            credential: Credential::Secret(Secret::new(lab.info.client_secret.clone())),
            max_connections: 4,
        };
        let other = GraphTarget::new(options, clock()).unwrap();
        let parcel = bench.parcel(&own).await;
        let unresolved = other.compose(&mailbox, &inbox, &stamp(), &parcel).await;
        assert!(
            matches!(unresolved, Err(Setback::OurRequest(_))),
            "{unresolved:?}"
        );
        other.resolve(&address(0)).await.unwrap();
        other
            .compose(&mailbox, &inbox, &stamp(), &parcel)
            .await
            .unwrap();
        assert_eq!(bench.list().await.len(), 1);
        assert_eq!(bench.hidden().await, Some(0));
        bench.assert_clean();
    }

    #[tokio::test]
    async fn what_is_left_over_is_tidied_away() {
        let (bench, _lab) = bench().await;
        let mailbox = bench.mailbox().await;
        for n in 1..3 {
            bench.script(&[(CallKind::Attach, Some(Fault::GatewayBefore))]);
            assert!(
                bench
                    .try_compose(&with_files(received(n), &[2_700_000]))
                    .await
                    .is_err()
            );
        }
        assert_eq!(bench.hidden().await, Some(2));
        assert_eq!(bench.typed.tidy(&mailbox, &[]).await, Ok(Count::new(2)));
        assert_eq!(bench.hidden().await, None);
        assert_eq!(bench.typed.tidy(&mailbox, &[]).await, Ok(Count::ZERO));
        // And the next one makes the folder anew.
        bench.compose(&with_files(received(1), &[2_700_000])).await;
        assert_eq!(bench.list().await.len(), 1);
        bench.assert_clean();
    }

    #[tokio::test]
    async fn two_items_of_one_mark_do_not_clear_each_other_away() {
        let (bench, _lab) = bench().await;
        let own = with_files(received(1), &[2_700_000, 5 * MB]);
        let (one, two) = tokio::join!(bench.try_compose(&own), bench.try_compose(&own));
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
        assert_eq!(bench.list().await.len(), 2);
        assert_eq!(bench.hidden().await, Some(0));
        bench.assert_clean();
    }
}

/// A cloud without mailbox import, in both ways of what no document says.
pub(crate) mod without_import {
    use mailferry::graph::UserTarget;
    use mailferry::lab::server::RunningLab;

    use super::*;

    async fn bench() -> (Bench, RunningLab) {
        seeded(1).await
    }

    pub(crate) async fn seeded(seed: u64) -> (Bench, RunningLab) {
        let (bench, graph, lab) = graph_over_http::parts(seed).await;
        lock(&bench.world).misconfigure(&[Wrong::NoImportApi]);
        let graph = Arc::new(graph.without_import());
        let bench = Bench {
            target: Arc::new(UserTarget::of(Arc::clone(&graph))),
            typed: graph,
            ..bench
        };
        (bench, lab)
    }

    whole_suite!(bench);

    /// Taking away is two calls where nothing documents where a delete puts things; one that was broken off between them is simply done again.
    #[tokio::test]
    async fn a_retract_that_was_broken_off_is_done_again() {
        let (bench, _lab) = seeded(2).await;
        let (mailbox, inbox) = (bench.mailbox().await, bench.role(FolderRole::Inbox).await);
        let placed = bench.compose(&with_files(received(1), &[])).await;
        bench.script(&[(CallKind::Delete, Some(Fault::GatewayBefore))]);
        let retract = || bench.target.retract(&mailbox, &inbox.id, &placed);
        assert!(retract().await.is_err());
        retract().await.unwrap();
        let there = bench
            .target
            .version(&mailbox, &inbox.id, &placed.item)
            .await;
        assert_eq!(there, Err(Setback::Gone));
        retract().await.unwrap();
        bench.assert_clean();
    }

    #[tokio::test]
    async fn what_is_left_over_is_tidied_away_and_nowhere_taken_for_a_copy() {
        for seed in [1, 2] {
            let (bench, _lab) = seeded(seed).await;
            let mailbox = bench.mailbox().await;
            for n in 1..3 {
                bench.script(&[(CallKind::Attach, Some(Fault::GatewayBefore))]);
                let done = bench
                    .try_compose(&with_files(received(n), &[2_700_000]))
                    .await;
                assert!(done.is_err());
            }
            assert_eq!(bench.hidden().await, Some(2));
            assert_eq!(bench.typed.tidy(&mailbox, &[]).await, Ok(Count::new(2)));
            assert_eq!(bench.hidden().await, None);
            // Wherever this cloud puts what is deleted.
            for folder in bench.target.folders(&mailbox).await.unwrap() {
                let page = bench.target.page(&mailbox, &folder.id, None).await.unwrap();
                let route = |own: &TargetHeader| own.route;
                assert!(
                    page.items
                        .iter()
                        .all(|own| route(own) == mailferry::base::route::Route::Stream),
                    "{seed}: {} holds a marked item",
                    folder.name
                );
            }
            bench.compose(&with_files(received(1), &[2_700_000])).await;
            assert_eq!(bench.list().await.len(), 1);
            bench.assert_clean();
        }
    }
}

/// The same, where the cloud has the other ways.
pub(crate) mod without_import_another {
    use mailferry::lab::server::RunningLab;

    use super::*;

    async fn bench() -> (Bench, RunningLab) {
        without_import::seeded(2).await
    }

    whole_suite!(bench);
}
