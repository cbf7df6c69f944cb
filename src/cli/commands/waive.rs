//! `mailferry waive`: exceptions that people answer for. Asking is one thing, signing another (`mailferry sign`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::id::JobId;
use crate::base::quantity::{Count, Moment};
use crate::cli::args::Common;
use crate::cli::decisions::{Decisions, signers, today};
use crate::cli::error::CommandError;
use crate::cli::evidence_args::{WaiveAction, WaiveArgs, WaiveCreate};
use crate::cli::exit::Exit;
use crate::cli::packs;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::wiring;
use crate::engine::balance;
use crate::evidence::balance::Balance;
use crate::evidence::chain::{Kind, Saying};
use crate::evidence::verdict::Verdict;
use crate::evidence::waiver::{
    SCHEMA, SignedWaiver, Standing, Subject, Waiver, class_of, cover, day,
};
use crate::report::narrator::replace;
use crate::report::table;
use crate::store::embedded::Opening;

/// The schema of `waive list --json`.
const LIST_SCHEMA: &str = "mailferry.waivers/1";

/// Runs the command.
pub fn run(args: &WaiveArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let ledger = wiring::ledger(&open, Opening::Existing)?;
    let (balance, now) = wiring::runtime()?.block_on(async {
        let now = wiring::clock().moment();
        balance::take(&ledger).await.map(|balance| (balance, now))
    })?;
    let mut decisions = Decisions::open(&open)?;
    match &args.action {
        WaiveAction::Create(create) => {
            let waiver = make(create, &open, &balance, &decisions, now)?;
            keep(&waiver, &mut decisions)?;
            say_created(&waiver, &open, ui);
        }
        WaiveAction::List => {
            let signers = signers(args.allowed_signers.as_deref(), &open.path)?;
            let all = decisions.waivers(&signers, now)?;
            list(&all, &balance, signers.is_empty(), ui);
        }
        WaiveAction::Show { id } => {
            let (waiver, text) = decisions.waiver(id)?;
            let signers = signers(args.allowed_signers.as_deref(), &open.path)?;
            let all = decisions.waivers(&signers, now)?;
            let found = all.iter().find(|(own, _)| own.waiver.id == waiver.id);
            if ui.json {
                ui.data(
                    &found
                        .map(|found| one(found, 0))
                        .unwrap_or_default()
                        .to_string(),
                );
            } else {
                let words = found.map_or("", |(_, standing)| standing.words());
                ui.data(&format!("{text}\n{words}\n"));
            }
        }
        WaiveAction::Revoke { id, name } => {
            let (waiver, _) = decisions.waiver(id)?;
            decisions.append(Saying {
                at: now.to_string(),
                kind: Kind::WaiverRevoked,
                who: Some(named(name)?),
                facts: BTreeMap::from([("waiver".into(), json!(waiver.id))]),
            })?;
            ui.say(&format!("{} is taken back; it stays in the log", waiver.id));
        }
    }
    Ok(Exit::Done)
}

/// A name somebody gave, which must be one.
pub fn named(name: &str) -> Result<String, CommandError> {
    let plain: String = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let bad =
        plain.is_empty() || plain.chars().count() > 200 || plain.chars().any(char::is_control);
    if bad {
        return Err(CommandError::new(Exit::Usage, "--name is not a name")
            .hint("give the name of a person"));
    }
    Ok(plain)
}

fn refuse(why: impl Into<String>) -> CommandError {
    CommandError::new(Exit::Refused, why)
}

/// The job of a source address.
fn job_of(open: &OpenPlan, address: &str) -> Result<JobId, CommandError> {
    open.plan
        .jobs()
        .iter()
        .find(|job| job.source.reveal().eq_ignore_ascii_case(address))
        .map(|job| job.job)
        .ok_or_else(|| {
            refuse("--mailbox is no source mailbox of the plan")
                .hint("write the address as the plan does")
        })
}

fn make(
    args: &WaiveCreate,
    open: &OpenPlan,
    balance: &Balance,
    decisions: &Decisions,
    now: Moment,
) -> Result<Waiver, CommandError> {
    let subject = Subject::from(args.bucket);
    let mailbox = args
        .mailbox
        .as_deref()
        .map(|address| job_of(open, address))
        .transpose()?;
    if day(&args.until).is_none_or(|_| args.until.as_str() < today(now).as_str()) {
        return Err(refuse("--until is no day to come").hint("write it as 2027-01-31"));
    }
    let mut items = args.item.clone();
    items.sort();
    items.dedup();
    let last = decisions
        .waiver_ids()?
        .last()
        .and_then(|id| id[1..].parse::<u32>().ok());
    let mut waiver = Waiver {
        schema: SCHEMA.to_owned(),
        id: format!("W{:04}", last.unwrap_or(0) + 1),
        plan: open.header.plan.clone(),
        subject,
        mailbox,
        class: args
            .class
            .as_deref()
            .map(|class| class_of(class).as_str().to_owned()),
        items,
        at_most: u64::MAX,
        requested_by: named(&args.name)?,
        requested_at: now.to_string(),
        reason: args.reason.trim().to_owned(),
        expires: args.until.clone(),
    };
    let open_now = open_now(&waiver, open, balance)?;
    if open_now == Count::ZERO {
        return Err(
            refuse("nothing that is open now falls under it").hint(format!(
                "mailferry report {} lists what is open",
                open.path.display()
            )),
        );
    }
    waiver.at_most = args.at_most.unwrap_or(open_now.get());
    waiver
        .check()
        .map_err(|fault| refuse(fault.to_string()).hint("correct the flag and try again"))?;
    Ok(waiver)
}

/// How many items it would cover now.
fn open_now(waiver: &Waiver, open: &OpenPlan, balance: &Balance) -> Result<Count, CommandError> {
    if waiver.subject != Subject::Extra {
        return Ok(Count::new(covered(waiver, balance)));
    }
    let Some(job) = waiver.mailbox else {
        return Err(refuse("extra items are waived per mailbox").hint("add --mailbox ADDRESS"));
    };
    if waiver.class.is_some() || !waiver.items.is_empty() {
        return Err(refuse("extra items are waived by number only")
            .hint("leave --class and --item out; --at-most says how many"));
    }
    let verdict = packs::verification(open)?.as_ref().and_then(Verdict::read);
    Ok(verdict
        .iter()
        .flat_map(|verdict| &verdict.mailboxes)
        .filter(|own| own.job == job.to_string())
        .map(|own| own.extra)
        .sum())
}

fn covered(waiver: &Waiver, balance: &Balance) -> u64 {
    let exceptions = balance.mailboxes.iter().flat_map(|mailbox| {
        mailbox
            .exceptions
            .iter()
            .map(|exception| (mailbox.job, exception))
    });
    cover(&[waiver], exceptions).used[0]
}

fn keep(waiver: &Waiver, decisions: &mut Decisions) -> Result<(), CommandError> {
    let dir = decisions.waivers_dir();
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder
        .create(&dir)
        .map_err(|error| CommandError::file(&dir, &error))?;
    let text = waiver.render();
    let path = dir.join(format!("{}.json", waiver.id));
    replace(&path, text.as_bytes()).map_err(|error| CommandError::file(&path, &error))?;
    decisions.append(Saying {
        at: waiver.requested_at.clone(),
        kind: Kind::WaiverRequested,
        who: Some(waiver.requested_by.clone()),
        facts: BTreeMap::from([
            ("waiver".into(), json!(waiver.id)),
            (
                "sha256".into(),
                json!(crate::evidence::sshsig::sha256(text.as_bytes())),
            ),
            ("reason".into(), json!(waiver.reason)),
        ]),
    })
}

fn say_created(waiver: &Waiver, open: &OpenPlan, ui: Ui) {
    if ui.json {
        ui.data(&json!(waiver).to_string());
        return;
    }
    ui.data(&format!(
        "{} covers up to {} items; it counts when two people have signed it\n",
        waiver.id, waiver.at_most
    ));
    let plan = open.path.display();
    ui.say(&format!(
        "next: mailferry sign {plan} --waiver {0} --name {1:?} --key FILE; then a second person with their own name and key",
        waiver.id, waiver.requested_by
    ));
}

fn one((signed, standing): &(SignedWaiver, Standing), covers_now: u64) -> Value {
    json!({
        "waiver": signed.waiver,
        "standing": standing,
        "why": standing.words(),
        "covers_now": covers_now,
        "request": signed.request.as_ref().map(|voice| json!({"names": voice.names, "key": voice.key})),
        "approval": signed.approval.as_ref().map(|voice| json!({"names": voice.names, "key": voice.key})),
    })
}

fn list(all: &[(SignedWaiver, Standing)], balance: &Balance, no_signers: bool, ui: Ui) {
    if ui.json {
        let waivers: Vec<Value> = all
            .iter()
            .map(|own| one(own, covered(&own.0.waiver, balance)))
            .collect();
        ui.data(&json!({"schema": LIST_SCHEMA, "waivers": waivers}).to_string());
        return;
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|(signed, standing)| {
            let waiver = &signed.waiver;
            let voice = |voice: &Option<crate::evidence::waiver::Voice>| {
                voice
                    .as_ref()
                    .map_or_else(String::new, |voice| match voice.name() {
                        "" => "unknown key".to_owned(),
                        name => name.to_owned(),
                    })
            };
            vec![
                waiver.id.clone(),
                waiver.subject.word().to_owned(),
                covered(waiver, balance).to_string(),
                waiver.at_most.to_string(),
                waiver.expires.clone(),
                waiver.requested_by.clone(),
                voice(&signed.approval),
                format!("  {}", standing.words()),
            ]
        })
        .collect();
    if rows.is_empty() {
        ui.data("no waivers\n");
        return;
    }
    ui.data(&table::render(
        &[
            "waiver",
            "bucket",
            "open now",
            "at most",
            "until",
            "asked by",
            "granted by",
            "standing",
        ],
        2,
        &rows,
    ));
    if no_signers {
        ui.say("no allowed_signers file beside the plan: no signature counts; name one with --allowed-signers");
    }
}
