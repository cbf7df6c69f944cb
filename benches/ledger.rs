//! What a large ledger costs: its bytes on disk, the time from the start of `mailferry run` to its first create, and the memory of that run.
//!
//! Builds a mailbox of 20 folders in a lab of its own, lists it with the engine's own drivers into a ledger on disk, marks half of the items of each
//! folder as carried, and starts the real program on it. The target is empty: what is measured is the resumption, not a look at what
//! is there.
//!
//! Usage: `cargo bench --bench ledger -- MAILFERRY DIR ITEMS [STOP_AFTER]`. Prints one JSON line. Linux only: it reads /proc.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mailferry::base::dice::Dice;
use mailferry::base::event::Event;
use mailferry::base::fact::{CopyFact, CopyRow, Fact, FolderFate, JobPhase, JobRow};
use mailferry::base::id::{ChangeKey, FolderNo, RunId, TargetItemId};
use mailferry::base::item::{Digest, Placed};
use mailferry::base::mailbox::{FolderKind, FolderRole};
use mailferry::base::quantity::{Bytes, Count, Moment, Span, Tick};
use mailferry::engine::clock::TokioClock;
use mailferry::engine::control::control;
use mailferry::engine::cx::{JobCx, RunCx};
use mailferry::engine::pacer::Pacer;
use mailferry::engine::ports::Ports;
use mailferry::engine::run::enlist;
use mailferry::engine::spool::Spool;
use mailferry::engine::survey::{Scope, survey};
use mailferry::engine::sweep::sweep;
use mailferry::lab::direct::{DirectSource, DirectTarget, SharedWorld, lock};
use mailferry::lab::populate::{Population, address, fill};
use mailferry::lab::server::{LabConfig, RunningLab, start};
use mailferry::lab::world::{Content, Limits, NewFolder, Now, World, WorldOptions};
use mailferry::pace::budget::Budget;
use mailferry::plan::document::Plan;
use mailferry::port::clock::Clock;
use mailferry::port::ledger::Ledger;
use mailferry::port::sink::EventSink;
use mailferry::store::codec::Header;
use mailferry::store::embedded::{EmbeddedLedger, LEDGER_DIR, Opening};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

const FOLDERS: u64 = 20;

/// Small, so that the run is about the ledger.
const BODY: u64 = 1_000;

/// Rows that are marked as carried in one append.
const BATCH: u64 = 500;

#[derive(Debug)]
struct Nobody;

impl EventSink for Nobody {
    fn emit(&self, _: &Event) {}
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let (binary, dir, items, stop) = match args.as_slice() {
        [binary, dir, items] => (binary, dir, items, None),
        [binary, dir, items, stop] => (binary, dir, items, Some(stop.as_str())),
        _ => {
            println!("ledger: skipped, it needs MAILFERRY DIR ITEMS (see scripts/bench.sh)");
            return ExitCode::SUCCESS;
        }
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    match runtime.block_on(measure(binary, Path::new(dir), items, stop)) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("ledger: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(
    binary: &str,
    dir: &Path,
    items: &str,
    stop: Option<&str>,
) -> Result<Value, Failure> {
    let items: u64 = items.parse()?;
    let world = world(items)?;
    let now = Moment::from_unix_ms(jiff::Timestamp::now().as_millisecond());
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(now));
    let config = LabConfig {
        dir: dir.to_owned(),
        ews_port: 0,
        graph_port: 0,
        latency: Span::ZERO,
        record: None,
        tls: false,
    };
    let lab = start(config, Arc::clone(&world), Arc::clone(&clock)).await?;
    let plan_file = dir.join(&lab.info.plan);
    let plan = Plan::parse(&std::fs::read_to_string(&plan_file)?)
        .map_err(|problems| format!("{problems:?}"))?;
    let state = dir.join("state");
    let began = Instant::now();
    let rows = build(&plan, &state, &world, &clock).await?;
    let built = began.elapsed().as_secs_f64();
    let bytes = bytes_in(&state.join(LEDGER_DIR))?;
    // The lab counts its items one by one whenever its folders are listed, which a server does not; a run waits for that once.
    let began = Instant::now();
    let listed = lock(&world).source_folders(address(0).reveal());
    let listing = began.elapsed().as_secs_f64();
    drop(listed);
    let (first, run) = watch_run(binary, &plan_file, stop, &lab)?;
    let after = bytes_in(&state.join(LEDGER_DIR))?;
    lab.stop().await;
    Ok(json!({
        "items": rows,
        "build_seconds": built,
        "ledger_bytes": bytes,
        "bytes_per_item": bytes / rows.max(1),
        "ledger_bytes_after": after,
        "first_create_seconds": first,
        "lab_listing_seconds": listing,
        "run": run,
    }))
}

/// One mailbox whose items are in 20 folders.
fn world(items: u64) -> Result<SharedWorld, Failure> {
    let mut world = World::new(WorldOptions {
        limits: Limits::Off,
        discard_content: true,
        ..WorldOptions::default()
    });
    let population = Population {
        mailboxes: 1,
        items: 0,
        bench: Some(BODY),
        ..Population::default()
    };
    let refused = |why| format!("the lab's world refused ({why:?})");
    fill(&mut world, &population).map_err(refused)?;
    let address = address(0);
    let address = address.reveal();
    let folders = world.source_folders(address).map_err(refused)?;
    let top = folders
        .iter()
        .find(|row| row.role == Some(FolderRole::Top))
        .ok_or("no top folder")?;
    for n in 0..FOLDERS {
        let name = format!("Folder {n}");
        let folder = NewFolder {
            parent: Some(&top.id),
            name: &name,
            class: "IPF.Note",
            role: None,
            kind: FolderKind::Generic,
            hidden: false,
            stays: None,
        };
        let folder = world.add_source_folder(address, &folder).map_err(refused)?;
        let share = items / FOLDERS + u64::from(n < items % FOLDERS);
        for i in 0..share {
            let seed = n << 32 | i;
            let content = Content::Plain { seed, body: BODY };
            world
                .add_source_item(address, &folder, content, population.newest)
                .map_err(refused)?;
        }
    }
    Ok(Arc::new(Mutex::new(world)))
}

/// Lists the mailbox into the ledger and marks half of each folder as carried. Returns the number of rows.
async fn build(
    plan: &Plan,
    state: &Path,
    world: &SharedWorld,
    clock: &Arc<dyn Clock>,
) -> Result<u64, Failure> {
    let belongs = Header {
        plan: plan.hash(),
        realm: plan.realm,
    };
    let ledger = Arc::new(EmbeddedLedger::open(state, &belongs, Opening::Create)?);
    let spec = Arc::new(plan.to_spec());
    let job = spec.jobs.first().ok_or("a plan without mailboxes")?.clone();
    let (_lever, control) = control();
    let cx = RunCx {
        server: Pacer::new(
            Budget::new(spec.limits.source_connections),
            Arc::clone(clock),
        ),
        app: Pacer::new(
            Budget::new(spec.limits.source_connections),
            Arc::clone(clock),
        ),
        spool: Spool::new(Bytes::ZERO, Bytes::ZERO, PathBuf::new()),
        ports: Ports {
            source: Arc::new(DirectSource::new(
                Arc::clone(world),
                Arc::clone(clock),
                Span::ZERO,
            )),
            target: Arc::new(DirectTarget::new(
                Arc::clone(world),
                Arc::clone(clock),
                Span::ZERO,
            )),
            ledger: Arc::clone(&ledger) as _,
            clock: Arc::clone(clock),
            events: Arc::new(Nobody),
            screener: None,
            typed: None,
        },
        spec: Arc::clone(&spec),
        run: RunId::new("bench"),
        control,
        book: Arc::default(),
    };
    let row = JobRow {
        job: job.job,
        source: job.source.clone(),
        target: job.target.clone(),
        phase: JobPhase::Waiting,
        epoch: 0,
        since: clock.moment(),
        hierarchy: None,
    };
    ledger.register(&[row]).await?;
    let broke = |broken| format!("the listing broke off: {broken:?}");
    let cx = enlist(&cx, &job, &Dice::new(1)).await?;
    let seeding = Fact::Phase(JobPhase::Seeding, clock.moment());
    ledger.append(&cx.lease, &[seeding]).await?;
    let mut survey = survey(&cx, Scope::Everything).await.map_err(broke)?;
    let mut rows = 0;
    for folder in &mut survey.rows {
        if folder.fate == FolderFate::Carry {
            sweep(&cx, folder).await.map_err(broke)?;
            rows += carry_half(&cx, &ledger, folder.no).await?;
        }
    }
    Ok(rows)
}

/// Marks every other row of a folder as sent and acknowledged.
async fn carry_half(cx: &JobCx, ledger: &EmbeddedLedger, no: FolderNo) -> Result<u64, Failure> {
    let mut after = None;
    let mut rows = 0;
    loop {
        let page = ledger
            .copies(cx.job.job, no, after, Count::new(BATCH))
            .await?;
        let Some(last) = page.last() else {
            return Ok(rows);
        };
        after = Some(last.key);
        rows += page.len() as u64;
        let facts: Vec<Fact> = page.iter().step_by(2).flat_map(carried).collect();
        ledger.append(&cx.lease, &facts).await?;
    }
}

/// What the ledger learns about an item that is carried, with ids as long as the services'.
fn carried(row: &CopyRow) -> [Fact; 2] {
    let key = row.key.to_string();
    let placed = Placed {
        item: TargetItemId::new(format!("AAMkAGQ0{key}{key}{key}{key}AAA=")),
        change_key: ChangeKey::new(format!("CQAAABYA{}", &key[..24])),
    };
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(&row.key.0);
    let (folder, key) = (row.folder, row.key);
    let fact = |fact| Fact::Copy { folder, key, fact };
    [
        fact(CopyFact::Intended {
            digest: Some(Digest(digest)),
            stream: Bytes::new(BODY),
        }),
        fact(CopyFact::Acknowledged(placed)),
    ]
}

/// Starts the program; waits for its first create and for its end.
fn watch_run(
    binary: &str,
    plan: &Path,
    stop: Option<&str>,
    lab: &RunningLab,
) -> Result<(Option<f64>, Value), Failure> {
    let mut command = Command::new(binary);
    command.arg("run").arg(plan).args(["--json", "--quiet"]);
    if let Some(after) = stop {
        command.args(["--stop-after", after]);
    }
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let (mut first, mut memory) = (None, Memory::default());
    let mut at_first = Memory::default();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        memory = Memory::of(&child).unwrap_or(memory);
        if first.is_none() && created(lab)? > 0 {
            first = Some(began.elapsed().as_secs_f64());
            at_first = memory;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let made = created(lab)?;
    Ok((
        first,
        json!({
            "exit": status.code(),
            "seconds": began.elapsed().as_secs_f64(),
            "created": made,
            "peak_bytes": memory.peak,
            "peak_bytes_at_first_create": at_first.peak,
            "bytes_at_first_create": at_first.now,
        }),
    ))
}

/// Resident memory of a process.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    peak: u64,
    now: u64,
}

impl Memory {
    fn of(child: &Child) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kib * 1_024)
        };
        Some(Self {
            peak: of("VmHWM:")?,
            now: of("VmRSS:")?,
        })
    }
}

/// Items that the target holds.
fn created(lab: &RunningLab) -> Result<u64, Failure> {
    let world = lock(&lab.world);
    let late = Now {
        tick: Tick::new(u64::MAX),
        moment: Moment::from_unix_ms(0),
    };
    let refused = |why| format!("the lab's world refused ({why:?})");
    let mailbox = world.resolve(address(0).reveal()).map_err(refused)?;
    let folders = world.target_folders(late, &mailbox).map_err(refused)?;
    Ok(folders.iter().map(|row| row.items.get()).sum())
}

/// Bytes that a directory takes on the disk.
fn bytes_in(dir: &Path) -> Result<u64, Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        sum += if about.is_dir() {
            bytes_in(&entry.path())?
        } else {
            about.blocks() * 512
        };
    }
    Ok(sum)
}
