//! `mailferry retry`: puts refused items back to be carried, once the cause of the refusal is mended.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::fact::{CopyFact, Decision};
use crate::base::id::WorkerId;
use crate::base::item::ItemKey;
use crate::base::limits::DECISION_TEXT_MAX;
use crate::base::quantity::Count;
use crate::cli::args::Common;
use crate::cli::decision_args::{RetryArgs, RetryClass};
use crate::cli::decisions::Decisions;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans;
use crate::cli::ui::Ui;
use crate::cli::wiring;
use crate::engine::decide::{self, Waiting};
use crate::flow::copy::CopyState;
use crate::store::embedded::Opening;

/// The schema of `retry --json`.
const SCHEMA: &str = "mailferry.retry/1";

/// Runs the command.
pub fn run(args: &RetryArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let keys = args.item.iter().map(|text| key(text));
    let keys = keys.collect::<Result<Vec<ItemKey>, CommandError>>()?;
    let decision = decision(&args.name, &args.reason)?;
    let runtime = wiring::runtime()?;
    let (put_back, why) = runtime.block_on(async {
        let ledger = wiring::ledger(&open, Opening::Existing)?;
        let mut items = decide::waiting(&ledger).await?;
        if let Some(mailbox) = &args.mailbox {
            known(&ledger, mailbox).await?;
        }
        items.retain(|item| {
            item.may_be_retried()
                && (args.class.is_empty() || args.class.iter().any(|class| is(item, *class)))
                && args.mailbox.as_ref().is_none_or(|name| is_of(item, name))
                && (keys.is_empty() || keys.contains(&item.row.key))
        });
        if let Some(missing) = keys.iter().find(|k| items.iter().all(|i| i.row.key != **k)) {
            return Err(CommandError::new(
                Exit::Refused,
                format!("item {missing} is not one that was refused and can be tried again; nothing was changed"),
            )
            .hint(format!(
                "mailferry resolve {} show {missing}",
                open.path.display()
            )));
        }
        let mut why: BTreeMap<String, u64> = BTreeMap::new();
        for item in &items {
            *why.entry(reason(item)).or_default() += 1;
        }
        let mut log = Decisions::open(&open)?;
        let fact = CopyFact::Retried(decision.clone());
        let who = WorkerId::new("retry");
        let done = decide::record(&ledger, &who, &items, &fact).await?;
        log.resolved(&decision, "retry", done)?;
        Ok::<_, CommandError>((done, why))
    })?;
    tell(&open.path.display().to_string(), put_back, &why, ui);
    Ok(Exit::Done)
}

fn tell(plan: &str, put_back: Count, why: &BTreeMap<String, u64>, ui: Ui) {
    if ui.json {
        let why: BTreeMap<&String, Value> = why.iter().map(|(k, n)| (k, json!(n))).collect();
        ui.data(&json!({"schema": SCHEMA, "retried": put_back.get(), "were": why}).to_string());
        return;
    }
    if put_back == Count::ZERO {
        ui.data("nothing was refused that is to be tried again");
        return;
    }
    let mut lines = vec![format!("{put_back} items are put back to be carried:")];
    let counts = why.iter();
    lines.extend(counts.map(|(why, n)| format!("  {} refused: {why}", Count::new(*n))));
    lines.push(format!("\nnext: mailferry run {plan}"));
    let out = lines.join("\n");
    ui.data(&out);
}

fn is(item: &Waiting, class: RetryClass) -> bool {
    match &item.state {
        CopyState::Refused(refusal) => class.refusals().contains(&refusal.why),
        CopyState::ChangedSince { .. } => class == RetryClass::Update,
        _ => false,
    }
}

fn reason(item: &Waiting) -> String {
    match &item.state {
        CopyState::Refused(refusal) => format!("{:?} ({})", refusal.why, refusal.said),
        CopyState::ChangedSince {
            refused: Some(refusal),
            ..
        } => format!("newer version, {:?} ({})", refusal.why, refusal.said),
        _ => "newer version, tried as often as allowed".to_owned(),
    }
}

/// True for the mailbox of that source or target address, or of that number.
fn is_of(item: &Waiting, name: &str) -> bool {
    is_named(&item.job, name)
}

fn is_named(job: &crate::base::fact::JobRow, name: &str) -> bool {
    let same = |id: &crate::base::id::MailboxId| id.reveal().eq_ignore_ascii_case(name);
    same(&job.source) || same(&job.target) || job.job.to_string() == name
}

/// A mailbox that is misspelt must not look like one without refusals.
async fn known(ledger: &dyn crate::port::ledger::Ledger, name: &str) -> Result<(), CommandError> {
    let jobs = ledger.jobs().await?;
    if jobs.iter().any(|job| is_named(job, name)) {
        return Ok(());
    }
    Err(
        CommandError::new(Exit::Refused, "--mailbox names no mailbox of this ledger")
            .hint("`mailferry status PLAN` lists them"),
    )
}

/// Reads an item's key as lists show it.
pub fn key(text: &str) -> Result<ItemKey, CommandError> {
    text.parse().map_err(|()| {
        CommandError::new(
            Exit::Usage,
            "an item's key has 32 hexadecimal digits, as lists and the report show it",
        )
    })
}

/// Who decided, why, now.
pub fn decision(name: &str, reason: &str) -> Result<Decision, CommandError> {
    let text = |flag: &str, text: &str| {
        let text = text.trim();
        let fits = text.chars().count() <= DECISION_TEXT_MAX;
        if text.is_empty() || !fits || text.chars().any(char::is_control) {
            return Err(CommandError::new(
                Exit::Usage,
                format!("{flag} takes one line of 1 to {DECISION_TEXT_MAX} characters"),
            ));
        }
        Ok(text.to_owned())
    };
    Ok(Decision {
        by: text("--name", name)?,
        why: text("--reason", reason)?,
        at: wiring::clock().moment(),
    })
}
