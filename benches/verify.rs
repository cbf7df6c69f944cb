//! Verification at level identity against the bare listing of both sides: one folder of many items, a ledger on disk, no network.
//!
//! `cargo bench --bench verify -- ITEMS` prints one JSON line per face. On the face `wire` every page is the EWS reply or the Graph page that
//! the services would send, read by the product's own readers; writing these replies is measured apart and taken off both figures. On the
//! face `plain` pages are made as values, so that listing costs next to nothing: the hardest comparison there is. A last line says what writing
//! and checking the evidence pack of that ledger costs.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::sync::Arc;

use async_trait::async_trait;
use mailferry::base::dice::Dice;
use mailferry::base::event::Event;
use mailferry::base::fact::{CopyFact, Fact, FolderFate, FolderRow};
use mailferry::base::id::{
    ChangeKey, FolderId, FolderNo, ItemId, JobId, MailboxId, PlanHash, RunId, SyncToken,
    TargetFolderId, TargetItemId, TargetMailboxId, WorkerId,
};
use mailferry::base::item::{
    ItemClass, ItemKey, Placed, SearchKey, SourceHeader, Stamp, TargetHeader,
};
use mailferry::base::limits::{SOURCE_FIND_PAGE, TARGET_PAGE};
use mailferry::base::mailbox::{
    FolderKind, FolderOrder, FolderPath, FolderRole, SourceFolder, TargetFolder,
};
use mailferry::base::outcome::{Said, Setback};
use mailferry::base::quantity::{Bytes, Count};
use mailferry::base::route::{Route, RouteRule};
use mailferry::base::spec::{JobSpec, PassKind, Realm, RunLimits, RunSpec, Selection};
use mailferry::engine::audit::{Level, Order, audit};
use mailferry::engine::balance;
use mailferry::engine::clock::TokioClock;
use mailferry::engine::control::control;
use mailferry::engine::cx::RunCx;
use mailferry::engine::pacer::Pacer;
use mailferry::engine::ports::Ports;
use mailferry::engine::run::enlist;
use mailferry::engine::spool::Spool;
use mailferry::evidence::grade::Grade;
use mailferry::evidence::manifest::{Names, PseudonymKey};
use mailferry::evidence::pack::ToolNote;
use mailferry::pace::budget::Budget;
use mailferry::plan::document::Plan;
use mailferry::port::body::{Body, BodyStream};
use mailferry::port::clock::Clock;
use mailferry::port::ledger::Ledger;
use mailferry::port::sink::EventSink;
use mailferry::port::source::{Changes, ExportSink, HierarchyNews, Source, SourcePage};
use mailferry::port::target::{Cursor, Target, TargetPage};
use mailferry::report::pack_check::{Wanted, check};
use mailferry::report::pack_write::{Sources, write};
use mailferry::store::codec::Header;
use mailferry::store::embedded::{EmbeddedLedger, Opening};
use mailferry::verify::march::Scope;
use mailferry::wire::ews::find_item::{FindItem, ItemPage as EwsPage};
use mailferry::wire::ews::item::ItemEntry;
use mailferry::wire::ews::reply::{self, Message, PageEnd};
use mailferry::wire::graph::items::{ItemPage as GraphPage, MailboxItem};
use mailferry::wire::graph::json;
use mailferry::wire::graph::property::{Property, PropertyId};
use mailferry::wire::graph::provenance::Home;
use mailferry::wire::soap::ServerVersion;

/// How pages come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    /// As values.
    Plain,
    /// As the services' replies, read.
    Wire,
    /// As the services' replies, not read: for what writing them costs.
    Unread,
}

/// Both sides: a folder of so many made-up items.
#[derive(Clone, Copy, Debug)]
struct Sides {
    items: u64,
    face: Face,
}

fn key_of(n: u64) -> SearchKey {
    let mut dice = Dice::new(n);
    let mut key = dice.next().to_le_bytes().to_vec();
    key.extend(dice.next().to_le_bytes());
    SearchKey::new(key).expect("sixteen bytes")
}

/// Ids as long as real ones.
fn source_id(n: u64) -> ItemId {
    ItemId::new(format!(
        "AAMkADMyNTc3ZDg4LTNmY2EtNDZlNC1iMjVkLWJhNzE4ZDdjMTY0ZABGAAAAAAB{n:016x}ZkVxkO0sTIfC9pOuMd1nBwB4gO7C0l5hSbYbD0Kq3fHwAAAAAAEMAAB4gO7C0l5hSbYbD0Kq3fHw{n:012x}"
    ))
}

fn target_id(n: u64) -> TargetItemId {
    TargetItemId::new(format!(
        "AAMkAGQ0MzE2ZTkxLWQyYzktNGY0ZS05ZmY1LTQ2N2E3NjM1MmUxYQBGAAAAAAD{n:016x}7-_r0kQ6xBqj1mT2XK9WBwDc0vN8r2iBQYH7lq3mAAAAAAEMAADc0vN8r2iBQYH7lq3m{n:012x}"
    ))
}

impl Sides {
    fn entry(n: u64) -> ItemEntry {
        let mut entry = ItemEntry::bare(source_id(n));
        entry.change_key = Some(format!("CQAAABYA{n:020x}"));
        entry.class = Some(ItemClass::new("IPM.Note"));
        entry.size = Some(Bytes::new(40_000 + n % 1_000));
        entry.read = Some(!n.is_multiple_of(3));
        entry.message_id = Some(format!("<{n:016x}@clinic.example>"));
        entry.search_key = Some(key_of(n));
        entry.submitted = Some(132_000_000_000_000_000 + n * 10_000_000);
        entry
    }

    fn source(self, from: u64, at_most: u64) -> SourcePage {
        let to = self.items.min(from + at_most);
        let entries = (from..to).map(Self::entry);
        let (total, last) = (Count::new(self.items), to == self.items);
        if self.face == Face::Plain {
            let items = entries.map(ItemEntry::into_header).collect();
            return SourcePage { items, total, last };
        }
        let page = EwsPage {
            items: entries.collect(),
            end: PageEnd {
                next_offset: Some(to),
                total: self.items,
                last,
            },
        };
        let text = reply::write::<FindItem>(&VERSION, &[Message::Done(page)]);
        if self.face == Face::Unread {
            return SourcePage {
                items: Vec::new(),
                total: Count::new(to - from),
                last,
            };
        }
        let read = reply::read::<FindItem>(text.as_bytes()).expect("our own reply");
        let page = read
            .single(mailferry::wire::ews::classify::Place::Folder)
            .expect("a page");
        SourcePage {
            items: page.items.into_iter().map(ItemEntry::into_header).collect(),
            total,
            last,
        }
    }

    fn target(self, from: u64) -> TargetPage {
        let to = self.items.min(from + TARGET_PAGE.get());
        let next = (to < self.items).then(|| Cursor::new(to.to_string()));
        if self.face == Face::Plain {
            let items = (from..to).map(|n| {
                let class = ItemClass::new("IPM.Note");
                TargetHeader {
                    placed: Placed {
                        item: target_id(n),
                        change_key: ChangeKey::new(format!("CQAAABYA{n:020x}")),
                    },
                    key: Some(key_of(n)),
                    fallback: Stamp::fallback(
                        Some(&format!("<{n:016x}@clinic.example>")),
                        &class,
                        Some(n),
                    ),
                    class,
                    size: Bytes::new(40_000),
                    created: None,
                    route: Route::Stream,
                }
            });
            return TargetPage {
                items: items.collect(),
                next,
            };
        }
        let value = (from..to).map(|n| {
            use base64::Engine as _;
            let key = base64::engine::general_purpose::STANDARD.encode(key_of(n).as_bytes());
            let property = |id: PropertyId, value: String| Property {
                id: id.as_replied(),
                value: Some(value),
            };
            MailboxItem {
                id: Some(target_id(n).as_str().to_owned()),
                change_key: Some(format!("CQAAABYA{n:020x}")),
                class: Some("IPM.Note".to_owned()),
                created_date_time: Some("2026-11-23T20:00:00Z".to_owned()),
                size: 40_000,
                single_value_extended_properties: vec![
                    property(PropertyId::SEARCH_KEY, key),
                    property(PropertyId::MESSAGE_ID, format!("<{n:016x}@clinic.example>")),
                    property(PropertyId::SUBMITTED, "2020-01-02T03:04:05Z".to_owned()),
                ],
            }
        });
        let page = GraphPage {
            value: value.collect(),
            next_link: None,
        };
        let text = json::write(&page);
        if self.face == Face::Unread {
            return TargetPage {
                items: Vec::new(),
                next,
            };
        }
        let page: GraphPage = json::read(200, &text).expect("our own page");
        let home = Home::of(&TargetMailboxId::new("MBX:1@2"));
        let items = (page.value.into_iter()).map(|item| item.into_header(200, home));
        TargetPage {
            items: items.collect::<Result<_, _>>().expect("headers"),
            next,
        }
    }

    /// Lists both sides and keeps nothing.
    fn list(self) {
        let mut from = 0;
        loop {
            let page = self.source(from, SOURCE_FIND_PAGE.get());
            from += SOURCE_FIND_PAGE.get();
            if std::hint::black_box(page).last {
                break;
            }
        }
        let mut from = Some(0);
        while let Some(at) = from {
            let page = std::hint::black_box(self.target(at));
            from = page
                .next
                .map(|next| next.as_str().parse().expect("a number"));
        }
    }
}

const VERSION: ServerVersion = ServerVersion {
    major: 15,
    minor: 1,
    build: 2507,
    revision: 6,
};

fn never<T>() -> Result<T, Setback> {
    Err(Setback::OurRequest(Said::code("NotInThisBench")))
}

#[async_trait]
impl Source for Sides {
    async fn folders(&self, _: &MailboxId) -> Result<Vec<SourceFolder>, Setback> {
        Ok(vec![SourceFolder {
            id: FolderId::new("inbox"),
            parent: None,
            name: "Inbox".to_owned(),
            class: "IPF.Note".to_owned(),
            role: Some(FolderRole::Inbox),
            kind: FolderKind::Generic,
            hidden: false,
            items: Count::new(self.items),
            size: Bytes::ZERO,
        }])
    }
    async fn hierarchy(
        &self,
        _: &MailboxId,
        _: Option<&SyncToken>,
    ) -> Result<HierarchyNews, Setback> {
        never()
    }
    async fn present(&self, _: &MailboxId, _: &[ItemId]) -> Result<Vec<bool>, Setback> {
        never()
    }
    async fn changes(
        &self,
        _: &MailboxId,
        _: &FolderId,
        _: Option<&SyncToken>,
        _: Count,
    ) -> Result<Changes, Setback> {
        never()
    }
    async fn page(
        &self,
        _: &MailboxId,
        _: &FolderId,
        offset: Count,
        at_most: Count,
    ) -> Result<SourcePage, Setback> {
        Ok(self.source(offset.get(), at_most.get()))
    }
    async fn export(
        &self,
        _: &MailboxId,
        _: &[ItemId],
        _: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        never()
    }
}

#[async_trait]
impl Target for Sides {
    async fn resolve(&self, _: &MailboxId) -> Result<TargetMailboxId, Setback> {
        Ok(TargetMailboxId::new("MBX:bench"))
    }
    async fn folders(&self, _: &TargetMailboxId) -> Result<Vec<TargetFolder>, Setback> {
        Ok(vec![TargetFolder {
            id: TargetFolderId::new("inbox"),
            parent: None,
            name: "Inbox".to_owned(),
            class: "IPF.Note".to_owned(),
            role: Some(FolderRole::Inbox),
            items: Count::new(self.items),
        }])
    }
    async fn ensure_folder(
        &self,
        _: &TargetMailboxId,
        _: &FolderOrder,
    ) -> Result<TargetFolder, Setback> {
        never()
    }
    async fn create(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &Body,
    ) -> Result<Placed, Setback> {
        never()
    }
    async fn update(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &Placed,
        _: &Body,
    ) -> Result<Placed, Setback> {
        never()
    }
    async fn version(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &TargetItemId,
    ) -> Result<Placed, Setback> {
        never()
    }
    async fn rename_folder(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &str,
    ) -> Result<(), Setback> {
        never()
    }
    async fn remove_folder(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
    ) -> Result<bool, Setback> {
        never()
    }
    async fn page(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        from: Option<&Cursor>,
    ) -> Result<TargetPage, Setback> {
        let from = from.map_or(0, |at| at.as_str().parse().expect("our own cursor"));
        Ok(self.target(from))
    }
    async fn export(&self, _: &TargetMailboxId, _: &TargetItemId) -> Result<BodyStream, Setback> {
        never()
    }
    async fn retract(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &Placed,
    ) -> Result<(), Setback> {
        never()
    }
    fn renew(&self, _: &TargetMailboxId) {}
}

#[derive(Debug)]
struct Deaf;

impl EventSink for Deaf {
    fn emit(&self, _: &Event) {}
}

/// CPU seconds of this process, from the system's count in hundredths.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|f| f.parse::<u64>().ok())
            .unwrap_or(0)
    };
    (ticks(11) + ticks(12)) as f64 / 100.0
}

/// Megabytes of this process: now, and at most since the last [`forget_peak`].
fn memory() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        number.unwrap_or(0) / 1_000
    };
    (of("VmRSS"), of("VmHWM"))
}

fn forget_peak() {
    // Where the system does not allow it, the peak is that of the whole process and too high, never too low.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn measured<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let before = cpu();
    let out = work();
    (out, cpu() - before)
}

/// A ledger in which everything is confirmed.
async fn books(dir: &std::path::Path, items: u64, job: &JobSpec) -> Arc<EmbeddedLedger> {
    let header = Header {
        plan: PlanHash::new("bench"),
        realm: Realm::Rehearsal,
    };
    let ledger = EmbeddedLedger::open(dir, &header, Opening::Create).expect("a ledger");
    let row = mailferry::base::fact::JobRow {
        job: job.job,
        source: job.source.clone(),
        target: job.target.clone(),
        phase: mailferry::base::fact::JobPhase::Waiting,
        epoch: 0,
        since: mailferry::base::quantity::Moment::from_unix_ms(0),
        hierarchy: None,
    };
    ledger.register(&[row]).await.expect("registered");
    let lease = ledger
        .claim(job.job, &WorkerId::new("bench"))
        .await
        .expect("claimed");
    let folder = FolderNo(0);
    let row = FolderRow {
        no: folder,
        source: FolderId::new("inbox"),
        parent: None,
        name: "Inbox".to_owned(),
        path: FolderPath::of(["Inbox"]),
        class: "IPF.Note".to_owned(),
        role: Some(FolderRole::Inbox),
        kind: FolderKind::Generic,
        items: Count::new(items),
        fate: FolderFate::Carry,
        target: Some(TargetFolderId::new("inbox")),
        sync: None,
        swept: true,
        made: false,
        named: None,
        before: Count::ZERO,
        gone: false,
    };
    ledger
        .append(&lease, &[Fact::Folder(row)])
        .await
        .expect("appended");
    let mut from = 0;
    while from < items {
        let to = items.min(from + 5_000);
        let facts: Vec<Fact> = (from..to).flat_map(|n| facts(folder, n)).collect();
        ledger.append(&lease, &facts).await.expect("appended");
        from = to;
    }
    Arc::new(ledger)
}

fn facts(folder: FolderNo, n: u64) -> [Fact; 3] {
    let header: SourceHeader = Sides::entry(n).into_header();
    let key = ItemKey::of(&header.id);
    let placed = Placed {
        item: target_id(n),
        change_key: ChangeKey::new(format!("CQAAABYA{n:020x}")),
    };
    let copy = |fact| Fact::Copy { folder, key, fact };
    [
        Fact::Found { folder, header },
        copy(CopyFact::Intended {
            digest: None,
            stream: Bytes::new(40_000),
        }),
        copy(CopyFact::Acknowledged(placed)),
    ]
}

fn run_cx(sides: Sides, ledger: Arc<EmbeddedLedger>, job: &JobSpec) -> RunCx {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(
        mailferry::base::quantity::Moment::from_unix_ms(1_780_000_000_000),
    ));
    let limits = RunLimits {
        target_requests_per_window: None,
        target_upload_per_window: None,
        ..RunLimits::default()
    };
    let (lever, control) = control();
    std::mem::forget(lever);
    RunCx {
        server: Pacer::new(Budget::new(20), Arc::clone(&clock)),
        app: Pacer::new(Budget::new(20), Arc::clone(&clock)),
        spool: Spool::new(Bytes::new(1), Bytes::new(1), std::env::temp_dir()),
        run: RunId::new("bench"),
        ports: Ports {
            source: Arc::new(sides),
            target: Arc::new(sides),
            ledger,
            clock,
            events: Arc::new(Deaf),
            screener: None,
            typed: None,
        },
        spec: Arc::new(RunSpec {
            jobs: vec![job.clone()],
            limits,
            select: Selection::default(),
            pass: PassKind::Follow,
            allow_deletes: false,
            route: RouteRule::Auto,
            reminders: mailferry::base::route::ReminderRule::AsSource,
        }),
        control,
        book: Arc::default(),
    }
}

fn main() {
    let items = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse::<u64>().ok());
    let Some(items) = items else {
        println!("verify: skipped, it needs the number of items (see scripts/bench.sh)");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let dir = tempfile::tempdir().expect("a directory");
    let job = JobSpec {
        job: JobId(0),
        source: MailboxId::new("a@clinic.example"),
        target: MailboxId::new("a@clinic.example"),
        turn: 0,
        items: None,
        bytes: None,
    };
    let ledger = runtime.block_on(books(dir.path(), items, &job));
    for face in [Face::Plain, Face::Wire] {
        let sides = Sides { items, face };
        let unread = Sides {
            items,
            face: Face::Unread,
        };
        let writing = match face {
            Face::Wire => measured(|| unread.list()).1,
            Face::Plain | Face::Unread => 0.0,
        };
        let listing = measured(|| sides.list()).1 - writing;
        let cx = run_cx(sides, Arc::clone(&ledger), &job);
        forget_peak();
        let (before, _) = memory();
        let (found, verify) = measured(|| {
            runtime.block_on(async {
                let job = enlist(&cx, &job, &Dice::new(1)).await.expect("claimed");
                audit(&job, &Order::new(Level::Identity, Scope::All))
                    .await
                    .expect("verified")
            })
        });
        let verify = verify - writing;
        assert_eq!(
            (found.grade, found.confirmed),
            (Grade::Perfect, Count::new(items))
        );
        let (_, peak) = memory();
        let line = serde_json::json!({
            "face": format!("{face:?}").to_lowercase(),
            "items": items,
            "listing_cpu_s": (listing * 100.0).round() / 100.0,
            "verify_cpu_s": (verify * 100.0).round() / 100.0,
            "ratio": (verify / listing * 100.0).round() / 100.0,
            "memory_mb": peak.saturating_sub(before),
        });
        println!("{line}");
    }
    pack(&runtime, ledger.as_ref(), dir.path());
}

/// Writes the evidence pack of that ledger, and checks it.
fn pack(runtime: &tokio::runtime::Runtime, ledger: &EmbeddedLedger, dir: &std::path::Path) {
    let plan = Plan::parse(include_str!("../plans/clinic.toml")).expect("the sample plan");
    forget_peak();
    let (before, _) = memory();
    let (written, write_cpu) = measured(|| {
        runtime.block_on(async {
            let balance = balance::take(ledger).await.expect("a balance");
            let names = Names::Pseudonyms(PseudonymKey::new([9; 32]));
            let sources = Sources {
                plan: &plan,
                ledger,
                balance: &balance,
                verification: None,
                log: "",
                waivers: &[],
                names: &names,
                tool: ToolNote {
                    version: "bench".into(),
                    sha256: None,
                },
            };
            write(&dir.join("evidence"), &sources)
                .await
                .expect("a pack")
        })
    });
    let (_, write_peak) = memory();
    forget_peak();
    let (check_before, _) = memory();
    let (found, check_cpu) = measured(|| check(&written.dir, &Wanted::default()).expect("a pack"));
    assert_eq!(found.problems, Vec::<String>::new());
    let (_, check_peak) = memory();
    let manifest = std::fs::metadata(written.dir.join("manifest.jsonl")).expect("a manifest");
    let round = |seconds: f64| (seconds * 100.0).round() / 100.0;
    let line = serde_json::json!({
        "pack": written.leaves,
        "manifest_mb": manifest.len() / 1_000_000,
        "write_cpu_s": round(write_cpu),
        "write_memory_mb": write_peak.saturating_sub(before),
        "check_cpu_s": round(check_cpu),
        "check_memory_mb": check_peak.saturating_sub(check_before),
    });
    println!("{line}");
}
