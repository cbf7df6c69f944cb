//! The Graph adapter against the lab's Graph face, on real loopback: what is refused and why it is noted, renewal, throttling, and that a
//! setback says the truth about whether the item exists. Time is the test's: nothing sleeps.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::Notify;

use mailferry::base::id::{MailboxId, TargetFolderId, TargetItemId, TargetMailboxId};
use mailferry::base::mailbox::{FolderOrder, FolderRole};
use mailferry::base::outcome::{
    DoubtCause, HaltCause, RefusalWhy, Said, Scope, Setback, StopCause,
};
use mailferry::base::quantity::{Bytes, Moment, Span, Tick};
use mailferry::base::secret::{SafeUrl, Secret};
use mailferry::graph::{Credential, GraphOptions, GraphTarget};
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::fault::Weather;
use mailferry::lab::server::{LabConfig, RunningLab, start};
use mailferry::lab::world::{Content, Limits, Now, World, WorldOptions, plain_ident};
use mailferry::port::body::{Body, BodyStream, Rewind};
use mailferry::port::clock::Clock;
use mailferry::port::target::Target;
use mailferry::transport::{Auth, Call, CallBody, Http, HttpOptions, Method};
use mailferry::wire::item_stream::digest_of;

/// A clock that stands still until told. Whoever sleeps on a patient one waits for it; on an impatient one he moves it himself.
#[derive(Debug, Default)]
struct HandClock {
    tick: AtomicU64,
    patient: bool,
    moved: Notify,
}

impl HandClock {
    fn patient() -> Arc<Self> {
        Arc::new(Self {
            patient: true,
            ..Self::default()
        })
    }

    fn advance(&self, span: Span) {
        self.tick.fetch_add(span.get(), Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

#[async_trait]
impl Clock for HandClock {
    fn tick(&self) -> Tick {
        Tick::new(self.tick.load(Ordering::SeqCst))
    }

    fn moment(&self) -> Moment {
        Moment::from_unix_ms(1_795_000_000_000).after(self.tick() - Tick::ZERO)
    }

    async fn sleep_until(&self, at: Tick) {
        if !self.patient {
            self.tick.fetch_max(at.get(), Ordering::SeqCst);
            return;
        }
        loop {
            let moved = self.moved.notified();
            if self.tick() >= at {
                return;
            }
            moved.await;
        }
    }
}

#[derive(Debug)]
struct InMemory(Vec<u8>);

impl Rewind for InMemory {
    fn len(&self) -> Bytes {
        Bytes::new(self.0.len() as u64)
    }

    fn open(&self) -> BodyStream {
        let pieces = self.0.chunks(48 * 1024);
        let pieces: Vec<_> = pieces.map(|p| Ok(Chunk::copy_from_slice(p))).collect();
        stream::iter(pieces).boxed()
    }
}

fn item(seed: u64, body: u64) -> Body {
    Arc::new(InMemory(
        Content::Plain { seed, body }.stream().unwrap().to_vec(),
    ))
}

/// A lab with one target mailbox, and ways to reach it.
struct Stand {
    lab: RunningLab,
    world: SharedWorld,
    clock: Arc<HandClock>,
    dir: tempfile::TempDir,
}

impl Stand {
    async fn with(
        options: WorldOptions,
        clock: Arc<HandClock>,
        latency: Span,
        record: bool,
    ) -> Self {
        let mut world = World::new(options);
        world.add_source_mailbox(&user());
        world.add_target_mailbox(&user(), &BTreeMap::new());
        world.pair(&user(), &user());
        let world: SharedWorld = Arc::new(Mutex::new(world));
        let dir = tempfile::tempdir().unwrap();
        let config = LabConfig {
            dir: dir.path().join("lab"),
            ews_port: 0,
            graph_port: 0,
            latency,
            record: record.then(|| dir.path().join("record")),
        };
        let own: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let lab = start(config, Arc::clone(&world), own).await.unwrap();
        Self {
            lab,
            world,
            clock,
            dir,
        }
    }

    async fn new() -> Self {
        Self::with(quiet(), Arc::default(), Span::ZERO, false).await
    }

    fn options(&self) -> GraphOptions {
        let info = &self.lab.info;
        GraphOptions {
            login_url: info.login_url.clone(),
            graph_url: info.graph_url.clone(),
            tenant: info.tenant_id.clone(),
            client_id: info.client_id.clone(),
            credential: Credential::Secret(Secret::new(info.client_secret.clone())),
            max_connections: 8,
        }
    }

    fn target(&self) -> GraphTarget {
        GraphTarget::new(self.options(), Arc::clone(&self.clock) as _).unwrap()
    }

    /// A target whose clock is its own: it believes tokens and sessions good for as long as it likes.
    fn dreamer(&self) -> GraphTarget {
        GraphTarget::new(self.options(), Arc::new(HandClock::default())).unwrap()
    }

    fn mailbox(&self) -> TargetMailboxId {
        TargetMailboxId::new(lock(&self.world).resolve(user().reveal()).unwrap())
    }

    fn inbox(&self) -> TargetFolderId {
        let world = lock(&self.world);
        let mailbox = world.resolve(user().reveal()).unwrap();
        let row = world
            .target_folder(Now::default(), &mailbox, "inbox")
            .unwrap();
        TargetFolderId::new(row.id)
    }

    /// How many items of this seed the world holds.
    fn copies(&self, seed: u64) -> usize {
        let world = lock(&self.world);
        let mailbox = world.resolve(user().reveal()).unwrap();
        let far = Now {
            tick: Tick::new(u64::MAX),
            ..Now::default()
        };
        let page = world
            .target_items(far, &mailbox, "inbox", None, 999)
            .unwrap();
        assert!(page.next.is_none(), "the count needs one page");
        let key = plain_ident(seed).search_key;
        page.items
            .iter()
            .filter(|row| row.search_key == key)
            .count()
    }

    fn broken(&self) -> Vec<String> {
        let world = lock(&self.world);
        world.invalid_log().map(|entry| entry.why.clone()).collect()
    }

    fn stat(&self, pointer: &str) -> Value {
        lock(&self.world)
            .stats()
            .pointer(pointer)
            .cloned()
            .unwrap_or(Value::Null)
    }

    /// A call of the test's own.
    async fn raw(&self, call: Call) -> (u16, Value) {
        let http = Http::new(HttpOptions::with_connections(1)).unwrap();
        let reply = http.send(call).await.unwrap();
        let status = reply.status();
        let body = reply.read_all(Bytes::new(10_000_000)).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn url(&self, path: &str) -> SafeUrl {
        SafeUrl::new(format!("{}{path}", self.lab.info.graph_url))
    }

    /// Asks Graph with a good token.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let token = lock(&self.world).issue_token(self.now()).0;
        let call = Call::new(method, self.url(path)).auth(Auth::Bearer(Secret::new(token)));
        let call = match body {
            Some(body) => call
                .header("content-type", "application/json")
                .body(CallBody::bytes(serde_json::to_vec(&body).unwrap())),
            None => call,
        };
        self.raw(call).await
    }

    fn now(&self) -> Now {
        Now {
            tick: self.clock.tick(),
            moment: self.clock.moment(),
        }
    }

    /// The path of something in the mailbox.
    fn path(&self, rest: &str) -> String {
        format!("/v1.0/admin/exchange/mailboxes/{}/{rest}", self.mailbox())
    }
}

fn user() -> MailboxId {
    MailboxId::new("a.harris@clinic.example")
}

fn quiet() -> WorldOptions {
    WorldOptions {
        limits: Limits::Off,
        ..WorldOptions::default()
    }
}

#[tokio::test]
async fn an_item_goes_in_is_listed_comes_back_and_is_taken_out_without_a_broken_rule() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    // Larger than many pieces, and no multiple of three.
    let body = item(7, 1_000_000);
    let placed = target.create(&mailbox, &inbox, &body).await.unwrap();
    let page = target.page(&mailbox, &inbox, None).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].placed, placed);
    let pieces = target.export(&mailbox, &placed.item).await.unwrap();
    let pieces: Vec<_> = pieces.collect().await;
    let pieces: Vec<Chunk> = pieces.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(pieces.len() > 10 && pieces.iter().all(|p| p.len() <= 48 * 1024));
    let sent = Content::Plain {
        seed: 7,
        body: 1_000_000,
    }
    .stream()
    .unwrap();
    let back = digest_of(&pieces.concat()).digest;
    assert!(back.is_some());
    assert_eq!(back, digest_of(&sent).digest);
    target.retract(&mailbox, &inbox, &placed).await.unwrap();
    target.retract(&mailbox, &inbox, &placed).await.unwrap();
    let page = target.page(&mailbox, &inbox, None).await.unwrap();
    assert!(page.items.is_empty());
    assert_eq!(stand.broken(), Vec::<String>::new());
    let gone = target.export(&mailbox, &placed.item).await.unwrap();
    let last = gone.collect::<Vec<_>>().await.pop().unwrap();
    assert_eq!(last, Err(Setback::Gone));
}

#[tokio::test]
async fn a_folder_tree_of_several_pages_and_levels_is_listed_whole() {
    let stand = Stand::new().await;
    let (target, mailbox) = (stand.target(), stand.mailbox());
    let parent = stand.inbox();
    {
        let mut world = lock(&stand.world);
        let (id, now) = (mailbox.as_str(), Now::default());
        let mut deep = parent.as_str().to_owned();
        for n in 0..600 {
            let name = format!("wide {n}");
            world
                .create_folder(now, id, parent.as_str(), &name, "IPF.Note")
                .unwrap();
        }
        for n in 0..12 {
            let row = world.create_folder(now, id, &deep, &format!("deep {n}"), "IPF.Task");
            deep = row.unwrap().id;
        }
    }
    let tree = target.folders(&mailbox).await.unwrap();
    assert_eq!(tree[0].role, Some(FolderRole::Top));
    assert_eq!(tree[0].parent, None);
    let wide = tree
        .iter()
        .filter(|folder| folder.name.starts_with("wide "))
        .count();
    let deep = tree
        .iter()
        .filter(|folder| folder.name.starts_with("deep "))
        .count();
    assert_eq!((wide, deep), (600, 12));
    for (at, folder) in tree.iter().enumerate().skip(1) {
        let before = tree[..at]
            .iter()
            .any(|other| Some(&other.id) == folder.parent.as_ref());
        assert!(before, "a child came before its parent");
    }
    let order = FolderOrder {
        parent,
        name: "wide 599".to_owned(),
        class: "IPF.Note".to_owned(),
    };
    let found = target.ensure_folder(&mailbox, &order).await.unwrap();
    assert!(tree.contains(&found));
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn wrong_identities_are_told_apart() {
    let stand = Stand::new().await;
    let right = stand.options();
    let wrong = |change: fn(&mut GraphOptions)| {
        let mut options = right.clone();
        change(&mut options);
        GraphTarget::new(options, Arc::clone(&stand.clock) as _).unwrap()
    };
    assert_eq!(stand.target().sign_in().await, Ok(()));
    for (target, want, code) in [
        (
            wrong(|o| o.tenant = "other.example".to_owned()),
            StopCause::UnknownTenant,
            Said::new(400, "AADSTS90002"),
        ),
        (
            wrong(|o| o.client_id = "other".to_owned()),
            StopCause::TargetCredentials,
            Said::new(400, "AADSTS700016"),
        ),
        (
            wrong(|o| o.credential = Credential::Secret(Secret::new("a&b=c"))),
            StopCause::TargetCredentials,
            Said::new(401, "AADSTS7000215"),
        ),
    ] {
        assert_eq!(target.sign_in().await, Err(Setback::SideClosed(want, code)));
    }
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn tokens_and_sessions_are_shared_and_renewed_before_they_end() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    let body = item(1, 10);
    let many = (0..4).map(|_| target.create(&mailbox, &inbox, &body));
    for result in futures_util::future::join_all(many).await {
        result.unwrap();
    }
    // One token, one session, four imports.
    assert_eq!(stand.stat("/total/requests"), json!(6));
    // Into the last minutes of both: neither is used any more, and neither was refused.
    stand.clock.advance(Span::from_secs(3_400));
    target.create(&mailbox, &inbox, &body).await.unwrap();
    assert_eq!(stand.stat("/total/requests"), json!(9));
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn an_ended_session_and_token_are_said_to_be_expired_and_renewal_helps() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.dreamer(), stand.mailbox(), stand.inbox());
    let body = item(1, 10);
    target.create(&mailbox, &inbox, &body).await.unwrap();
    stand.clock.advance(Span::from_secs(4_000));
    let ended = target.create(&mailbox, &inbox, &body).await.unwrap_err();
    assert!(matches!(ended, Setback::Expired(_)), "{ended:?}");
    let ended = target.page(&mailbox, &inbox, None).await.unwrap_err();
    assert!(matches!(ended, Setback::Expired(_)), "{ended:?}");
    assert_eq!(stand.copies(1), 1);
    target.renew(&mailbox);
    target.create(&mailbox, &inbox, &body).await.unwrap();
    target.page(&mailbox, &inbox, None).await.unwrap();
    assert_eq!(stand.copies(1), 2);
    // Using what ended is no broken rule; never having had it would be.
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn the_fifth_call_at_once_is_throttled_with_its_wait_and_nothing_else_suffers() {
    let options = WorldOptions::default();
    let clock = HandClock::patient();
    let stand = Stand::with(options, clock, Span::new(1_000), false).await;
    let (target, mailbox) = (stand.target(), stand.mailbox());
    let signed_in = target.sign_in();
    let tick = async {
        // Each half of the token call's latency waits for the clock.
        while stand.stat("/total/bytes_out") == json!(0) {
            stand.clock.advance(Span::new(500));
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(signed_in, tick).0.unwrap();
    let five = async {
        let all = (0..5).map(|_| target.page(&mailbox, &INBOX, None));
        futures_util::future::join_all(all).await
    };
    let tick = async {
        // Only when the fifth was refused may the four go on.
        while stand.stat("/total/throttled") == json!(0) {
            tokio::task::yield_now().await;
        }
        while stand.stat("/total/requests") != json!(6) {
            tokio::task::yield_now().await;
        }
        loop {
            stand.clock.advance(Span::new(500));
            tokio::task::yield_now().await;
        }
    };
    let five = tokio::select! {
        five = five => five,
        () = tick => unreachable!("it never ends"),
    };
    let (good, bad): (Vec<_>, Vec<_>) = five.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (4, 1));
    assert_eq!(
        *bad[0].as_ref().unwrap_err(),
        Setback::Throttled {
            scope: Scope::TargetMailbox,
            wait: Some(Span::from_secs(1)),
            said: Said::new(429, "ApplicationThrottled"),
        }
    );
    assert_eq!(stand.stat("/peak_in_flight"), json!(4));
    assert_eq!(stand.broken(), ["a fifth call at once on one mailbox"]);
}

static INBOX: std::sync::LazyLock<TargetFolderId> =
    std::sync::LazyLock::new(|| TargetFolderId::new("inbox"));

#[tokio::test]
async fn a_full_mailbox_closes_and_a_refused_stream_is_that_items() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    let none: Body = Arc::new(InMemory(b"no item stream".to_vec()));
    match target.create(&mailbox, &inbox, &none).await {
        Err(Setback::ItemRefused(refusal)) => assert_eq!(refusal.why, RefusalWhy::TargetRefused),
        other => panic!("{other:?}"),
    }
    lock(&stand.world)
        .set_quota(mailbox.as_str(), Bytes::new(3_000))
        .unwrap();
    assert_eq!(
        target.create(&mailbox, &inbox, &item(3, 5_000)).await,
        Err(Setback::MailboxClosed(
            HaltCause::QuotaFull,
            Said::new(507, "ErrorQuotaExceeded")
        ))
    );
    let other = TargetMailboxId::new("MBX:00000000@00000000");
    assert!(matches!(
        target.folders(&other).await,
        Err(Setback::MailboxClosed(HaltCause::NoTargetMailbox, _))
    ));
}

#[tokio::test]
async fn in_a_storm_a_setback_never_lies_about_whether_the_item_exists() {
    let options = WorldOptions {
        weather: Weather::Storm,
        ..quiet()
    };
    let stand = Stand::with(options, Arc::default(), Span::ZERO, false).await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    let (mut made, mut doubts, mut hidden) = (0, 0, 0);
    for seed in 0..400 {
        let result = target.create(&mailbox, &inbox, &item(seed, 20)).await;
        let there = stand.copies(seed);
        match result {
            Ok(_) => {
                assert_eq!(there, 1, "acknowledged, yet there are {there}");
                made += 1;
            }
            // The port says: after these the item does not exist.
            Err(
                Setback::Throttled { .. }
                | Setback::Unreached(_)
                | Setback::Expired(_)
                | Setback::ItemRefused(_)
                | Setback::FolderGone
                | Setback::MailboxClosed(..)
                | Setback::SideClosed(..)
                | Setback::OurRequest(_)
                | Setback::Local(_),
            ) => assert_eq!(there, 0, "said not to be there: {result:?}"),
            Err(
                Setback::Lost(_)
                | Setback::GatewayGaveUp(_)
                | Setback::Unwell(_)
                | Setback::Misread(..),
            ) => {
                assert!(there <= 1, "one call made {there}");
                doubts += 1;
                hidden += there;
            }
            Err(other) => panic!("a create has no business with {other:?}"),
        }
        target.renew(&mailbox);
    }
    assert!(
        made > 200 && doubts > 10 && hidden > 5,
        "{made} {doubts} {hidden}"
    );
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn in_a_storm_a_stream_read_back_is_whole_or_ends_in_an_error() {
    let stand = Stand::with(quiet(), Arc::default(), Span::ZERO, false).await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    let placed = target
        .create(&mailbox, &inbox, &item(5, 90_000))
        .await
        .unwrap();
    let want = digest_of(
        &Content::Plain {
            seed: 5,
            body: 90_000,
        }
        .stream()
        .unwrap(),
    );
    lock(&stand.world).set_weather(Weather::Storm);
    let (mut whole, mut cut, mut truncated) = (0, 0, 0);
    for _ in 0..300 {
        let Ok(pieces) = target.export(&mailbox, &placed.item).await else {
            target.renew(&mailbox);
            continue;
        };
        let pieces: Result<Vec<Chunk>, Setback> =
            pieces.collect::<Vec<_>>().await.into_iter().collect();
        match pieces {
            Ok(pieces) => {
                assert_eq!(digest_of(&pieces.concat()).digest, want.digest);
                whole += 1;
            }
            Err(Setback::Truncated) => truncated += 1,
            Err(Setback::Misread(..) | Setback::Lost(DoubtCause::Reset)) => cut += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(
        whole > 150 && cut > 0 && truncated > 0,
        "{whole} {cut} {truncated}"
    );
}

#[tokio::test]
async fn requests_that_break_a_published_rule_are_refused_and_named() {
    let stand = Stand::new().await;
    let inbox = stand.inbox();
    let odd = inbox.as_str().replace("AAMkAG", "AAMKAG");
    let item = |rest: &str| stand.path(&format!("folders/{inbox}/items{rest}"));
    for (method, path, body, why) in [
        (
            Method::Get,
            item("?top=5"),
            None,
            "unknown query parameter top",
        ),
        (Method::Get, item("?$select=subject"), None, "$select names"),
        (
            Method::Get,
            item("?$top=5000"),
            None,
            "$top is out of range",
        ),
        (
            Method::Get,
            stand.path(&format!("folders/{odd}/items")),
            None,
            "in another case",
        ),
        (Method::Delete, item("/AAMkx"), None, "disposalType"),
        (
            Method::Post,
            stand.path("exportItems"),
            Some(json!({"ItemIds": ["a"]})),
            "itemIds and nothing",
        ),
        (
            Method::Post,
            stand.path("exportItems"),
            Some(json!({"itemIds": vec!["a"; 21]})),
            "1 to 20 ids",
        ),
        (
            Method::Post,
            stand.path("folders/inbox/childFolders"),
            Some(json!({"DisplayName": "x", "type": "IPF.Note"})),
            "displayName and type",
        ),
        (
            Method::Post,
            stand.path("folders/inbox/childFolders"),
            Some(json!({"displayName": "x", "type": "Note"})),
            "IPF family",
        ),
        (
            Method::Post,
            stand.path("createImportSession"),
            Some(json!({"FolderId": "x"})),
            "has no body",
        ),
        (Method::Patch, item(""), Some(json!({})), "method"),
        (
            Method::Get,
            "/v1.0/users/a/messages".to_owned(),
            None,
            "not part of mailbox import",
        ),
    ] {
        let (status, _) = stand.ask(method, &path, body).await;
        assert!((400..500).contains(&status), "{path}: {status}");
        let said = stand.broken().pop().unwrap_or_default();
        assert!(said.contains(why), "{path}: {said}");
    }
    let count = stand.broken().len();
    let (status, _) = stand
        .raw(Call::new(Method::Get, stand.url(&item(""))))
        .await;
    assert_eq!((status, stand.broken().len()), (401, count + 1));
}

#[tokio::test]
async fn imports_that_break_a_published_rule_are_refused_and_leave_nothing() {
    let stand = Stand::new().await;
    let path = stand.path("createImportSession");
    let (_, session) = stand.ask(Method::Post, &path, None).await;
    let url = session["importUrl"].as_str().unwrap().to_owned();
    let data =
        mailferry::wire::base64::encode(&Content::Plain { seed: 1, body: 9 }.stream().unwrap());
    let good = json!({"FolderId": stand.inbox().as_str(), "Mode": "create", "Data": data});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let send = |url: &str, body: &Value, auth: Auth, kind: &'static str| {
        let call = Call::new(Method::Post, SafeUrl::new(url))
            .header("content-type", kind)
            .auth(auth)
            .body(CallBody::bytes(serde_json::to_vec(body).unwrap()));
        stand.raw(call)
    };
    const JSON: &str = "application/json";
    for (url, body, auth, kind, why) in [
        (
            url.clone(),
            good.clone(),
            Auth::Bearer(Secret::new("lab-x")),
            JSON,
            "no Authorization",
        ),
        (
            url.clone(),
            good.clone(),
            Auth::InUrl,
            "text/plain",
            "application/json",
        ),
        (
            format!("{url}&x=1"),
            good.clone(),
            Auth::InUrl,
            JSON,
            "was altered",
        ),
        (
            url.replace("MBX:", "MBX:0"),
            good.clone(),
            Auth::InUrl,
            JSON,
            "was altered",
        ),
        (
            url[..url.len() - 4].to_owned(),
            good.clone(),
            Auth::InUrl,
            JSON,
            "never opened",
        ),
        (
            url.clone(),
            with("Mode", json!("update")),
            Auth::InUrl,
            JSON,
            "needs ItemId and ChangeKey",
        ),
        (
            url.clone(),
            with("ItemId", json!("x")),
            Auth::InUrl,
            JSON,
            "no place in a create",
        ),
        (
            url.clone(),
            with("folderId", json!("x")),
            Auth::InUrl,
            JSON,
            "in these letters",
        ),
        (
            url.clone(),
            with("Data", json!("?")),
            Auth::InUrl,
            JSON,
            "not base64",
        ),
        (
            url.clone(),
            with("Data", json!("AAAA")),
            Auth::InUrl,
            JSON,
            "container is broken",
        ),
    ] {
        let (status, _) = send(&url, &body, auth, kind).await;
        assert!((400..500).contains(&status), "{why}: {status}");
        let said = stand.broken().pop().unwrap_or_default();
        assert!(said.contains(why), "{why}: {said}");
    }
    assert_eq!(stand.copies(1), 0);
    let (status, placed) = send(&url, &good, Auth::InUrl, JSON).await;
    assert_eq!((status, stand.copies(1)), (200, 1));
    let update = json!({
        "FolderId": stand.inbox().as_str(), "Mode": "update", "Data": data,
        "ItemId": placed["itemId"], "ChangeKey": "stale"
    });
    assert_eq!(send(&url, &update, Auth::InUrl, JSON).await.0, 412);
}

#[tokio::test]
async fn an_event_with_attendees_counts_as_an_invitation() {
    let stand = Stand::new().await;
    let path = "/v1.0/users/a.harris@clinic.example/calendar/events";
    let alone = json!({"subject": "x", "attendees": []});
    assert_eq!(stand.ask(Method::Post, path, Some(alone)).await.0, 400);
    assert_eq!(stand.stat("/invitations"), json!(0));
    let invited = json!({"attendees": [{"emailAddress": {"address": "b@clinic.example"}}]});
    assert_eq!(stand.ask(Method::Post, path, Some(invited)).await.0, 403);
    assert_eq!(stand.stat("/invitations"), json!(1));
}

#[tokio::test]
async fn the_labs_pages_tell_the_truth_and_move_the_levers() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    target.create(&mailbox, &inbox, &item(4, 10)).await.unwrap();
    let get = |path: &str| stand.raw(Call::new(Method::Get, stand.url(path)));
    let post = |path: &str, body: Value| {
        let body = serde_json::to_vec(&body).unwrap();
        stand.raw(Call::new(Method::Post, stand.url(path)).body(CallBody::bytes(body)))
    };
    let (status, truth) = get("/lab/truth").await;
    let folders = truth["target"][user().reveal()]["folders"]
        .as_array()
        .unwrap();
    let items: usize = folders
        .iter()
        .map(|f| f["items"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!((status, items), (200, 1));
    let order =
        json!({"mailbox": user().reveal(), "action": "duplicate", "folder": "Inbox", "count": 1});
    assert_eq!(
        post("/lab/control/target", order).await,
        (200, json!({"done": 1}))
    );
    assert_eq!(stand.copies(4), 2);
    assert_eq!(
        post("/lab/control/weather", json!({"weather": "busy"}))
            .await
            .0,
        200
    );
    assert_eq!(lock(&stand.world).options().weather, Weather::Busy);
    assert_eq!(
        post("/lab/control/weather", json!({"weather": "hail"}))
            .await
            .0,
        400
    );
    let (_, stats) = get("/lab/control/stats").await;
    assert_eq!(stats["source_writes"], json!(0));
    let none = json!({"mailbox": "nobody@clinic.example", "action": "delete"});
    assert_eq!(post("/lab/control/source", none).await.0, 404);
    assert_eq!(
        get("/lab/control/log?invalid=1").await,
        (200, json!({"invalid": []}))
    );
    assert_eq!(get("/lab/nothing").await.0, 404);
}

#[tokio::test]
async fn the_papers_are_complete_private_and_make_a_plan_that_reads_back() {
    let stand = Stand::new().await;
    let dir = stand.dir.path().join("lab");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let info: Value = serde_json::from_str(&read("lab.json")).unwrap();
    let fields: Vec<&str> = info
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut want = [
        "schema",
        "pid",
        "ews_url",
        "ews_username",
        "ews_password",
        "graph_url",
        "login_url",
        "tenant_id",
        "client_id",
        "client_secret",
        "truth_url",
        "control_url",
        "mailboxes",
        "inventory",
        "plan",
    ];
    want.sort_unstable();
    assert_eq!(fields, want);
    let plan = mailferry::plan::document::Plan::parse(&read("plan.toml")).unwrap();
    assert_eq!(plan.jobs().len(), 1);
    let pairs = mailferry::plan::pairs::parse(read("inventory.csv").as_bytes()).unwrap();
    assert_eq!(pairs.pairs.len(), 1);
    assert!(read("secrets.env").contains(info["client_secret"].as_str().unwrap()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&dir) & 0o777, 0o700);
        assert_eq!(mode(&dir.join("secrets.env")) & 0o777, 0o600);
    }
    stand.lab.stop().await;
}

#[tokio::test]
async fn a_recording_holds_every_message_and_no_secret() {
    let stand = Stand::with(quiet(), Arc::default(), Span::ZERO, true).await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    target.resolve(&user()).await.unwrap();
    let placed = target.create(&mailbox, &inbox, &item(4, 10)).await.unwrap();
    target.retract(&mailbox, &inbox, &placed).await.unwrap();
    let mut files: Vec<_> = std::fs::read_dir(stand.dir.path().join("record"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    // Token, settings, session, import, version, delete.
    assert_eq!(files.len(), 12);
    let secret = &stand.lab.info.client_secret;
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let keys = if name.ends_with(".graph.request.json") {
            ["body", "headers", "method", "path"].as_slice()
        } else {
            ["body", "headers", "status"].as_slice()
        };
        assert!(value.as_object().unwrap().keys().eq(keys), "{name}");
        assert!(
            !text.contains(secret.as_str()) && !text.contains("lab-"),
            "{name}"
        );
        assert!(
            !text.contains("authtoken=") || text.contains("authtoken=x\""),
            "{name}"
        );
    }
    let unknown = TargetItemId::new("AAMkAGnothing");
    let last = target.export(&mailbox, &unknown).await.unwrap();
    assert_eq!(last.collect::<Vec<_>>().await, [Err(Setback::Gone)]);
}
