//! `mailferry rehearse`: lab, preflight, run, verify and report in one process; then the lab says what is really where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::fact::Bucket;
use crate::base::quantity::{Count, Span};
use crate::cli::args::{Common, RehearseArgs};
use crate::cli::commands::verify::{Verified, Wish, verify};
use crate::cli::commands::{lab, preflight, report, run as run_command};
use crate::cli::decisions::Decisions;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::packs;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::secrets::Secrets;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;
use crate::cli::wiring::{self, Sides};
use crate::engine::balance;
use crate::evidence::signers::Signers;
use crate::lab::direct::lock;
use crate::lab::populate_inventory::of_plan;
use crate::lab::server::{LabConfig, RunningLab};
use crate::lab::truth::truth;
use crate::plan::document::Plan;
use crate::preflight::finding::State;
use crate::preflight::report::Report;
use crate::report::narrator::replace;
use crate::report::signoff::paper::Edition;
use crate::report::summary;
use crate::store::embedded::{EmbeddedLedger, Opening};

/// Runs of a rehearsal: bad weather can leave work after the first.
const RUNS_MAX: u32 = 4;

/// Runs the command.
pub fn run(args: &RehearseArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let shape = args.plan.as_deref().map(plans::read).transpose()?;
    let models: Vec<_> = shape.iter().flat_map(of_plan).collect();
    let world = lab::build(&args.world, &models, ui)?;
    let room = Room::open(args)?;
    let config = LabConfig {
        dir: room.dir.clone(),
        ews_port: 0,
        graph_port: 0,
        latency: Span::new(args.world.latency),
        record: args.world.record.clone(),
        tls: false,
    };
    let runtime = wiring::runtime()?;
    let exit = runtime.block_on(async {
        let lab = lab::open(config, world, wiring::clock()).await?;
        let plan = room.dir.join(&lab.info.plan);
        if let Some(shape) = &shape {
            reshape(&plan, shape)?;
        }
        let done = journey(&plan, args, common, ui).await;
        let oracle = Oracle::ask(&lab);
        lab.stop().await;
        let done = done?;
        Ok(done.conclude(&oracle, &room, ui))
    });
    runtime.shutdown_background();
    room.close();
    exit
}

/// The directory of a rehearsal.
struct Room {
    dir: PathBuf,
    keep: bool,
}

impl Room {
    fn open(args: &RehearseArgs) -> Result<Self, CommandError> {
        let name = format!("mailferry-rehearsal-{}", std::process::id());
        let (dir, keep) = args.dir.clone().map_or_else(
            || (std::env::temp_dir().join(name), args.keep),
            |dir| (dir, true),
        );
        if dir.join("state").exists() {
            return Err(CommandError::new(
                Exit::Refused,
                format!("{} holds an earlier rehearsal", dir.display()),
            )
            .hint("name another directory, or remove this one"));
        }
        Ok(Self { dir, keep })
    }

    /// Where the reports are once the rehearsal is over: a temporary room is removed, its reports are not.
    fn reports(&self) -> PathBuf {
        if self.keep {
            self.dir.join("state").join("reports")
        } else {
            self.dir.with_extension("report")
        }
    }

    fn close(&self) {
        if !self.keep {
            // What is left of a temporary directory troubles nobody.
            let _ = std::fs::rename(self.dir.join("state").join("reports"), self.reports());
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// Gives the lab's plan the limits, the selection and the waves of another plan. The wait for new items stays the lab's, and no day is
/// waited for.
fn reshape(path: &Path, shape: &Plan) -> Result<(), CommandError> {
    let mut plan = plans::read(path)?;
    let settle = plan.limits.settle;
    plan.limits = shape.limits.clone();
    plan.limits.settle = settle;
    plan.select = shape.select.clone();
    plan.waves.clone_from(&shape.waves);
    for wave in &mut plan.waves {
        wave.not_before = None;
        for pair in &mut wave.mailboxes {
            pair.not_before = None;
        }
    }
    replace(path, plan.render().as_bytes()).map_err(|error| CommandError::file(path, &error))
}

/// Mailboxes a rehearsal's preflight looks at: the lab made all of them alike, and a rehearsal of thousands must not wait for each.
const LOOKED_AT: u32 = 20;

/// The preflight. What stands in the way of a run ends the rehearsal.
async fn look(open: &OpenPlan, sides: &Sides, ui: Ui) -> Result<Report, CommandError> {
    let wish = preflight::Wish {
        sample: Some(LOOKED_AT),
        ..preflight::Wish::default()
    };
    let looked = preflight::preflight(open, sides, &wish).await?;
    if !looked.may_run() {
        let failed = looked.findings.iter().filter(|f| f.state == State::Fail);
        let lines: Vec<String> = failed
            .take(10)
            .map(|f| format!("{}: {}: {}", f.check.id(), f.subject, f.detail))
            .collect();
        return Err(CommandError::new(Exit::Unreached, lines.join("\n"))
            .hint("correct what failed and rehearse again"));
    }
    ui.say(&format!(
        "preflight: {} checks are well, {} need attention; FastTransfer {}",
        looked.count(State::Ok),
        looked.count(State::Warn),
        looked.route.detail
    ));
    Ok(looked)
}

/// What the journey brought.
struct Journey {
    looked: Report,
    ended: run_command::Ended,
    verified: Verified,
    written: report::Written,
}

async fn journey(
    plan: &Path,
    args: &RehearseArgs,
    common: &Common,
    ui: Ui,
) -> Result<Journey, CommandError> {
    let open = plans::open(plan, common)?;
    let secrets = Secrets::open(None, plan, open.plan.realm)?;
    let sides = wiring::sides(&open.plan, &secrets)?.screened(&open)?;
    let looked = look(&open, &sides, ui).await?;
    let ledger = Arc::new(wiring::ledger(&open, Opening::Create)?);
    let ended = copy(&open, &sides, &ledger, ui).await?;
    ui.say("verify: listing both sides again");
    let wish = Wish {
        level: args.level,
        ..Wish::default()
    };
    let verified = verify(&open, &sides, Arc::clone(&ledger), wish, ui).await?;
    ui.say("report: writing");
    let (balance, signers) = (balance::take(ledger.as_ref()).await?, Signers::default());
    let decisions = Decisions::open(&open)?;
    let pack = packs::pack(&open, ledger.as_ref(), &balance, &decisions, false).await?;
    let (ledger, edition) = (ledger.as_ref(), Edition::Internal);
    let written =
        report::write(&open, ledger, &balance, &decisions, &signers, pack, edition).await?;
    Ok(Journey {
        looked,
        ended,
        verified,
        written,
    })
}

/// Runs, and runs again where work is left, as a person would.
async fn copy(
    open: &OpenPlan,
    sides: &Sides,
    ledger: &Arc<EmbeddedLedger>,
    ui: Ui,
) -> Result<run_command::Ended, CommandError> {
    ui.say("run: copying");
    let (mut so_far, mut signals) = (None::<run_command::Ended>, Signals::listen());
    for _ in 0..RUNS_MAX {
        let (spec, quiet) = (open.plan.to_spec(), ui.without_json());
        let own = Arc::clone(ledger);
        let ended = run_command::carry(open, sides, own, spec, None, &mut signals, quiet).await?;
        if let Some(failure) = &ended.failure {
            return Err(failure.clone());
        }
        let ended = match &so_far {
            None => ended,
            Some(before) => ended.after(before),
        };
        if ended.exit != Exit::Stopped || ended.closing.stopped.is_some() {
            return Ok(ended);
        }
        ui.say("run: work is left; a second run goes on where the first stopped");
        so_far = Some(ended);
    }
    so_far.ok_or_else(|| CommandError::new(Exit::Internal, "no run was made"))
}

/// What the lab knows: the truth on both sides, and what it counted.
#[derive(Debug)]
struct Oracle {
    same: Count,
    missing: Count,
    extra: Count,
    stats: Value,
}

impl Oracle {
    fn ask(lab: &RunningLab) -> Self {
        let world = lock(&lab.world);
        let (truth, stats) = (truth(&world), world.stats());
        drop(world);
        let mut oracle = Self {
            same: Count::ZERO,
            missing: Count::ZERO,
            extra: Count::ZERO,
            stats,
        };
        for pair in &lab.info.mailboxes {
            let mut left = contents(&truth["source"][&pair.source]);
            for (mark, n) in contents(&truth["target"][&pair.target]) {
                let there = left.remove(&mark).unwrap_or(0);
                oracle.same += Count::new(n.min(there));
                oracle.extra += Count::new(n.saturating_sub(there));
                oracle.missing += Count::new(there.saturating_sub(n));
            }
            oracle.missing += Count::new(left.values().sum());
        }
        oracle
    }

    fn number(&self, key: &str) -> u64 {
        self.stats[key].as_u64().unwrap_or_default()
    }

    /// True when the lab saw something that must never happen.
    fn harmed(&self) -> bool {
        self.number("invitations") > 0 || self.number("source_writes") > 0
    }
}

/// The items of one side of one mailbox as a multiset of folder, class and content.
fn contents(side: &Value) -> BTreeMap<(String, String, String), u64> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = BTreeMap::new();
    for folder in side["folders"].as_array().into_iter().flatten() {
        for item in folder["items"].as_array().into_iter().flatten() {
            let mark = (
                text(&folder["path"]),
                text(&item["class"]).to_ascii_lowercase(),
                text(&item["sha256"]),
            );
            *out.entry(mark).or_default() += 1;
        }
    }
    out
}

impl Journey {
    /// Prints everything and decides how it ended.
    fn conclude(&self, oracle: &Oracle, room: &Room, ui: Ui) -> Exit {
        let exit = self.exit(oracle);
        let mut closing = self.ended.closing.clone();
        closing.exit = exit.code();
        let html = room
            .reports()
            .join(self.written.html.file_name().unwrap_or_default());
        closing.next = format!("open {}", html.display());
        if ui.json {
            let mut document = summary::to_json(&self.ended.balance, &closing);
            document["event"] = json!("rehearsal");
            document["preflight"] = self.looked.to_json();
            document["verify"] = self.verified.to_json();
            document["lab"] = json!({
                "same_content": oracle.same.get(),
                "missing": oracle.missing.get(),
                "extra": oracle.extra.get(),
                "stats": oracle.stats,
            });
            document["report"] = json!(html.display().to_string());
            ui.data(&document.to_string());
            return exit;
        }
        let proof = format!(
            "The lab's own truth: {} items have the same content on both sides, {} are missing, {} are too many; {} writes to the source, {} \
             invitations, {} requests against a published rule.\n",
            oracle.same,
            oracle.missing,
            oracle.extra,
            oracle.number("source_writes"),
            oracle.number("invitations"),
            oracle.number("invalid"),
        );
        ui.data(&format!(
            "{proof}\n{}\n\n{}",
            self.verified.headline(),
            summary::to_text(&self.ended.balance, &closing)
        ));
        exit
    }

    /// Something unexplained outweighs what is open. Items the lab made unfit for the journey are missing for a reason the balance names.
    fn exit(&self, oracle: &Oracle) -> Exit {
        let totals = self.ended.balance.totals();
        let named = [
            Bucket::Skipped,
            Bucket::Refused,
            Bucket::Parked,
            Bucket::Quarantined,
            Bucket::InDoubt,
            Bucket::Remaining,
            Bucket::ChangedSince,
        ];
        let named: Count = named.into_iter().map(|bucket| totals.of(bucket)).sum();
        if oracle.harmed() {
            return Exit::Internal;
        }
        if oracle.extra > Count::ZERO || oracle.missing > named {
            return Exit::Unexplained;
        }
        if self.verified.exit == Exit::Unexplained {
            return Exit::Unexplained;
        }
        if self.ended.exit == Exit::Done {
            self.verified.exit
        } else {
            self.ended.exit
        }
    }
}
