//! `mailferry cutover`: the gate, and behind it the runbook. Changes nothing on either side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::base::quantity::Moment;
use crate::cli::args::Common;
use crate::cli::commands::assess::ASSESS_FILE;
use crate::cli::commands::report::{REPORTS_DIR, VERIFY_FILE};
use crate::cli::commands::{inventory, waive::named};
use crate::cli::decisions::{Decisions, read_text, signers};
use crate::cli::directory;
use crate::cli::error::CommandError;
use crate::cli::evidence_args::CutoverArgs;
use crate::cli::exit::Exit;
use crate::cli::packs;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::verdict::{StaleFolders, Verdict as LastVerdict};
use crate::cli::wiring;
use crate::engine::balance;
use crate::evidence::chain::{Kind, Saying};
use crate::evidence::checks::{Check, Looked};
use crate::evidence::gate::{DirectoryNote, Evidence, Finding, Mailbox, Ruling, judge};
use crate::evidence::sshsig::sha256;
use crate::evidence::verdict::Verdict;
use crate::plan::document::ActionGate;
use crate::posture::assessment::unsettled;
use crate::report::runbook::{Move, Scene, Step, runbook, to_text};
use crate::report::table;
use crate::store::embedded::Opening;
use crate::verify::reason::Reason;

/// The schema of `cutover --json`.
const SCHEMA: &str = "mailferry.cutover/1";

/// Runs the command.
pub fn run(args: &CutoverArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let name = named(&args.name)?;
    let ledger = wiring::ledger(&open, Opening::Existing)?;
    let last = LastVerdict::last(&open);
    let (balance, stale, now) = wiring::runtime()?.block_on(async {
        let now = wiring::clock().moment();
        let stale = match &last {
            Some(last) => last.stale(&ledger, &open.plan.jobs()).await?,
            None => Vec::new(),
        };
        let balance = balance::take(&ledger).await?;
        Ok::<_, CommandError>((balance, stale, now))
    })?;
    let mut decisions = Decisions::open(&open)?;
    let known = signers(args.allowed_signers.as_deref(), &open.path)?;
    let waivers = decisions.waivers(&known, now)?;
    let mut verdict = packs::verification(&open)?.as_ref().and_then(Verdict::read);
    mark_stale(verdict.as_mut(), &stale);
    let (moves, directory) = directories(args, &open)?;
    let assessed = assessed(&open.state.join(ASSESS_FILE))?;
    let posture = assessed.as_ref().map(critical);
    let actions = actions(&open, assessed.as_ref());
    let mailboxes: Vec<Mailbox> = open
        .plan
        .jobs()
        .iter()
        .map(|job| Mailbox {
            job: job.job,
            label: job.source.reveal().to_owned(),
        })
        .collect();
    let plan_file = open.path.display().to_string();
    let ruling = judge(&Evidence {
        plan: &open.header.plan,
        plan_file: &plan_file,
        mailboxes: &mailboxes,
        balance: &balance,
        verdict: verdict.as_ref(),
        waivers: &waivers,
        directory: directory.as_deref(),
        posture: posture.as_deref(),
        actions: actions.as_deref(),
        runs_without_name: decisions.runs_without_name(),
        name: &name,
        confirmed: &args
            .confirm
            .iter()
            .map(|word| Check::from(*word))
            .collect::<Vec<_>>(),
    });
    if !ruling.open.is_empty() {
        refuse(&ruling, ui);
        return Ok(Exit::Gate);
    }
    let steps = runbook(&Scene {
        plan: &plan_file,
        moves: &moves,
        proxies_known: directory.is_some(),
        service_account: &open.plan.source.auth.username,
        client_id: &open.plan.target.client_id,
        not_checked: &not_checked(&ruling),
    });
    record(&mut decisions, &open, name, now, (&ruling, &steps))?;
    show(&ruling, &steps, ui);
    Ok(Exit::Done)
}

/// The mailboxes, and what the target's directory lacks where both exports were given.
fn directories(
    args: &CutoverArgs,
    open: &OpenPlan,
) -> Result<(Vec<Move>, Option<Vec<DirectoryNote>>), CommandError> {
    if args.inventory.is_empty() {
        return Ok((directory::bare(&open.plan), None));
    }
    let read = |files: &[std::path::PathBuf]| {
        let found = inventory::read(files)?;
        if found.refused.is_empty() {
            return Ok(found);
        }
        Err(CommandError::new(
            Exit::Refused,
            format!(
                "{} files, rows or columns of the inventory were refused",
                found.refused.len()
            ),
        )
        .hint("run `mailferry inventory` on the same files: it names each with its remedy"))
    };
    let moves = directory::moves(&open.plan, &read(&args.inventory)?);
    let notes = directory::compare(&moves, &read(&args.target_inventory)?);
    Ok((moves.into_iter().map(|(one, _)| one).collect(), Some(notes)))
}

/// Writes into the verdict which folders it no longer covers.
fn mark_stale(verdict: Option<&mut Verdict>, stale: &StaleFolders) {
    let mailboxes = verdict.into_iter().flat_map(|own| &mut own.mailboxes);
    for mailbox in mailboxes {
        mailbox.stale_folders = stale
            .iter()
            .filter(|(job, _)| job.job.to_string() == mailbox.job)
            .flat_map(|(_, folders)| folders)
            .map(|folder| {
                let path = table::plain(folder.path.as_str());
                format!("{path} ({})", folder.why.words())
            })
            .collect();
    }
}

/// The last assessment; `None` where there was none.
fn assessed(path: &Path) -> Result<Option<Value>, CommandError> {
    let Some(text) = read_text(path, 100_000_000)? else {
        return Ok(None);
    };
    let found = serde_json::from_str(&text).map_err(|_| {
        CommandError::new(Exit::Refused, format!("{}: not JSON", path.display()))
            .hint("run the assessment again")
    })?;
    Ok(Some(found))
}

/// Actions of the register that are in the way; `None` where the plan does not ask.
fn actions(open: &OpenPlan, assessed: Option<&Value>) -> Option<Vec<Finding>> {
    let assess = format!(
        "mailferry assess --plan {} --actions REGISTER.csv",
        open.path.display()
    );
    let rule = open.plan.actions;
    if rule == ActionGate::Shown {
        return None;
    }
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let late_on = (rule == ActionGate::NotOverdue).then_some(today);
    let Some(in_the_way) = assessed.and_then(|found| unsettled(found, late_on)) else {
        return Some(vec![Finding {
            id: String::new(),
            remedy: assess,
        }]);
    };
    let remedy =
        format!("do it, let another person verify it, put both into the register, then {assess}");
    let finding = |id| Finding {
        id,
        remedy: remedy.clone(),
    };
    Some(in_the_way.into_iter().map(finding).collect())
}

/// Critical findings of an assessment that are open.
fn critical(found: &Value) -> Vec<Finding> {
    let word = |value: &Value, keys: &[&str]| {
        keys.iter()
            .find_map(|key| value[*key].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let mut out = Vec::new();
    for list in ["leads", "detections"] {
        for one in found[list].as_array().into_iter().flatten() {
            let severity = word(one, &["severity", "weight", "priority"]).to_lowercase();
            let state = word(one, &["status", "state"]).to_lowercase();
            let settled = [
                "verified",
                "closed",
                "done",
                "not_found",
                "not applicable",
                "not_applicable",
                "accepted",
            ];
            if severity == "critical" && !settled.contains(&state.as_str()) {
                out.push(Finding {
                    id: word(one, &["id", "name"]),
                    remedy: match word(one, &["remedy", "action"]) {
                        remedy if remedy.is_empty() => {
                            "settle it in the action register, then assess again".to_owned()
                        }
                        remedy => remedy,
                    },
                });
            }
        }
    }
    out
}

fn refuse(ruling: &Ruling, ui: Ui) {
    if ui.json {
        ui.data(&json!({"schema": SCHEMA, "free": false, "gates": ruling.open, "checks": ruling.checks, "noted": ruling.noted, "not_checked": not_checked(ruling)}).to_string());
        return;
    }
    let n = ruling.open.len();
    let mut out = format!(
        "Not yet: {n} {} open.\n\n",
        if n == 1 { "gate is" } else { "gates are" }
    );
    for gate in &ruling.open {
        let subject = if gate.subject.is_empty() {
            String::new()
        } else {
            format!(" {}", gate.subject)
        };
        write!(
            out,
            "{}{subject}: {}\n  closes: {}\n",
            gate.gate, gate.detail, gate.closes
        )
        .expect("a string grows");
    }
    said_beside(ruling, &mut out);
    ui.data(&out);
}

/// What nobody looked at and cutover may do without: a person looks, as a step of the runbook.
fn not_checked(ruling: &Ruling) -> Vec<String> {
    let looks = ruling.checks.iter();
    looks
        .filter(|look| look.state == Looked::NotChecked)
        .map(|look| format!("whether {}: {}", look.check.question(), look.detail))
        .collect()
}

/// Every look with how it ended, and what is explained and keeps no gate open.
fn said_beside(ruling: &Ruling, out: &mut String) {
    out.push('\n');
    for look in &ruling.checks {
        let by = look.by.as_ref();
        let by = by.map_or_else(String::new, |by| format!(" by {by}"));
        writeln!(
            out,
            "{}{by}: whether {} ({})",
            look.state.words(),
            look.check.question(),
            look.detail
        )
        .expect("a string grows");
    }
    for noted in &ruling.noted {
        let reason = Reason::ALL.iter().find(|own| own.key() == noted.reason);
        let words = reason.map_or(noted.reason.as_str(), |reason| reason.words());
        writeln!(
            out,
            "noted, no gate: {}: {} items {words}",
            noted.mailbox, noted.items
        )
        .expect("a string grows");
    }
}

/// Who ran it, on which evidence: the runbook is bound by its digest.
fn record(
    decisions: &mut Decisions,
    open: &OpenPlan,
    name: String,
    now: Moment,
    (ruling, steps): (&Ruling, &[Step]),
) -> Result<(), CommandError> {
    let verify = open.state.join(REPORTS_DIR).join(VERIFY_FILE);
    let verified = read_text(&verify, u64::MAX - 1)?.unwrap_or_default();
    let in_state = |state| {
        let looks = ruling.checks.iter().filter(|look| look.state == state);
        looks.map(|look| json!(look.check)).collect::<Value>()
    };
    decisions.append(Saying {
        at: now.to_string(),
        kind: Kind::Cutover,
        who: Some(name),
        facts: BTreeMap::from([
            ("verification".into(), json!(sha256(verified.as_bytes()))),
            ("runbook".into(), json!(sha256(to_text(steps).as_bytes()))),
            ("confirmed".into(), in_state(Looked::Confirmed)),
            ("not_checked".into(), in_state(Looked::NotChecked)),
        ]),
    })
}

fn show(ruling: &Ruling, steps: &[Step], ui: Ui) {
    if ui.json {
        ui.data(&json!({"schema": SCHEMA, "free": true, "gates": [], "checks": ruling.checks, "noted": ruling.noted, "not_checked": not_checked(ruling), "runbook": steps}).to_string());
        return;
    }
    let mut out =
        "Every gate is closed. The runbook for this plan; nothing of it was done:\n\n".to_owned();
    out.push_str(&to_text(steps));
    said_beside(ruling, &mut out);
    ui.data(&out);
}
