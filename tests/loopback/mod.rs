//! A lab on loopback for tests: one target mailbox, a clock in the test's hand, and ways to reach it. Nothing sleeps.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "each test file uses its own part of this; a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::sync::Notify;

use mailferry::base::id::{MailboxId, TargetFolderId, TargetMailboxId};
use mailferry::base::quantity::{Bytes, Moment, Span, Tick};
use mailferry::base::secret::{SafeUrl, Secret};
use mailferry::graph::{Credential, GraphOptions, GraphTarget};
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::server::{LabConfig, RunningLab, start};
use mailferry::lab::world::{Content, Limits, Now, World, WorldOptions, plain_ident};
use mailferry::port::body::{Body, BodyStream, Rewind};
use mailferry::port::clock::Clock;
use mailferry::transport::{Auth, Call, CallBody, Http, HttpOptions, Method};

/// A clock that stands still until told. Whoever sleeps on a patient one waits for it; on an impatient one he moves it himself.
#[derive(Debug, Default)]
pub struct HandClock {
    tick: AtomicU64,
    patient: bool,
    moved: Notify,
}

impl HandClock {
    pub fn patient() -> Arc<Self> {
        Arc::new(Self {
            patient: true,
            ..Self::default()
        })
    }

    pub fn advance(&self, span: Span) {
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
pub struct InMemory(pub Vec<u8>);

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

pub fn item(seed: u64, body: u64) -> Body {
    Arc::new(InMemory(
        Content::Plain { seed, body }.stream().unwrap().to_vec(),
    ))
}

/// A lab with one target mailbox, and ways to reach it.
pub struct Stand {
    pub lab: RunningLab,
    pub world: SharedWorld,
    pub clock: Arc<HandClock>,
    pub dir: tempfile::TempDir,
}

impl Stand {
    pub async fn with(
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
            tls: false,
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

    pub async fn new() -> Self {
        Self::with(quiet(), Arc::default(), Span::ZERO, false).await
    }

    pub fn options(&self) -> GraphOptions {
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

    pub fn target(&self) -> GraphTarget {
        GraphTarget::new(self.options(), Arc::clone(&self.clock) as _).unwrap()
    }

    /// A target whose clock is its own: it believes tokens and sessions good for as long as it likes.
    pub fn dreamer(&self) -> GraphTarget {
        GraphTarget::new(self.options(), Arc::new(HandClock::default())).unwrap()
    }

    pub fn mailbox(&self) -> TargetMailboxId {
        TargetMailboxId::new(lock(&self.world).resolve(user().reveal()).unwrap())
    }

    pub fn inbox(&self) -> TargetFolderId {
        let world = lock(&self.world);
        let mailbox = world.resolve(user().reveal()).unwrap();
        let row = world
            .target_folder(Now::default(), &mailbox, "inbox")
            .unwrap();
        TargetFolderId::new(row.id)
    }

    /// How many items of this seed the world holds.
    pub fn copies(&self, seed: u64) -> usize {
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

    pub fn broken(&self) -> Vec<String> {
        let world = lock(&self.world);
        world.invalid_log().map(|entry| entry.why.clone()).collect()
    }

    pub fn stat(&self, pointer: &str) -> Value {
        lock(&self.world)
            .stats()
            .pointer(pointer)
            .cloned()
            .unwrap_or(Value::Null)
    }

    /// A call of the test's own.
    pub async fn raw(&self, call: Call) -> (u16, Value) {
        let http = Http::new(HttpOptions::with_connections(1)).unwrap();
        let reply = http.send(call).await.unwrap();
        let status = reply.status();
        let body = reply.read_all(Bytes::new(10_000_000)).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub fn url(&self, path: &str) -> SafeUrl {
        SafeUrl::new(format!("{}{path}", self.lab.info.graph_url))
    }

    /// Asks Graph with a good token.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let token = lock(&self.world).issue_token(self.now(), None).0;
        let call = Call::new(method, self.url(path)).auth(Auth::Bearer(Secret::new(token)));
        let call = match body {
            Some(body) => call
                .header("content-type", "application/json")
                .body(CallBody::bytes(serde_json::to_vec(&body).unwrap())),
            None => call,
        };
        self.raw(call).await
    }

    pub fn now(&self) -> Now {
        Now {
            tick: self.clock.tick(),
            moment: self.clock.moment(),
        }
    }

    /// The path of something in the mailbox.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1.0/admin/exchange/mailboxes/{}/{rest}", self.mailbox())
    }
}

pub fn user() -> MailboxId {
    MailboxId::new("a.harris@clinic.example")
}

pub fn quiet() -> WorldOptions {
    WorldOptions {
        limits: Limits::Off,
        ..WorldOptions::default()
    }
}
