//! `mailferry resolve`: lists the items that wait for a person, shows one, and records decisions.

use std::fmt::Write as _;

use serde_json::Value;

use crate::base::fact::{Bucket, CopyFact, Resolution};
use crate::base::id::WorkerId;
use crate::cli::args::Common;
use crate::cli::commands::retry::decision;
use crate::cli::decision_args::{DecideArgs, ResolveArgs, ResolveVerb};
use crate::cli::decisions::Decisions;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::waiting::{Counter, head_lines, history, tell_history};
use crate::cli::wiring;
use crate::engine::balance;
use crate::engine::decide::{self, Waiting};
use crate::report::words;
use crate::store::embedded::{EmbeddedLedger, Opening};

/// Runs the command.
pub fn run(args: &ResolveArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let runtime = wiring::runtime()?;
    runtime.block_on(async {
        let ledger = wiring::ledger(&open, Opening::Existing)?;
        match &args.verb {
            ResolveVerb::List => list(&ledger, ui).await,
            ResolveVerb::Show { key: text } => show(&open, &ledger, text, ui).await,
            ResolveVerb::Again(what) => decide(&open, &ledger, Resolution::Again, what, ui).await,
            ResolveVerb::Accept(what) => decide(&open, &ledger, Resolution::Accept, what, ui).await,
            ResolveVerb::Leave(what) => decide(&open, &ledger, Resolution::Leave, what, ui).await,
        }
    })
}

/// A decision as it is typed.
const fn word(wish: Resolution) -> &'static str {
    match wish {
        Resolution::Again => "again",
        Resolution::Accept => "accept",
        Resolution::Leave => "leave",
    }
}

/// Where it stands: its bucket, or that its item left the source.
fn standing(item: &Waiting) -> &'static str {
    item.state.bucket().map_or("departed", words::bucket_key)
}

/// What may be typed about it.
fn admitted(item: &Waiting) -> Vec<&'static str> {
    let mut out: Vec<&str> = item.decisions().into_iter().map(word).collect();
    if item.may_be_retried() {
        out.push("retry");
    }
    out
}

fn why(item: &Waiting) -> String {
    let bucket = item.state.bucket().unwrap_or(Bucket::ChangedSince);
    balance::why(&item.row, &item.state, bucket).unwrap_or_default()
}

const COUNTER: Counter = Counter {
    command: "resolve",
    schema: "mailferry.resolve/1",
    nothing: "no item waits for a person",
    reason: "why",
    standing,
    admitted,
    why,
};

async fn list(ledger: &EmbeddedLedger, ui: Ui) -> Result<Exit, CommandError> {
    let items = decide::waiting(ledger).await?;
    if ui.json {
        let items: Vec<Value> = items.iter().map(|item| COUNTER.to_json(item)).collect();
        COUNTER.show_json(&items, ui);
    } else {
        COUNTER.show_table(&items, ui);
    }
    Ok(Exit::Done)
}

async fn show(
    open: &OpenPlan,
    ledger: &EmbeddedLedger,
    text: &str,
    ui: Ui,
) -> Result<Exit, CommandError> {
    let found = COUNTER.find(open, ledger, text).await?;
    if ui.json {
        let whole = |item: &Waiting| {
            let mut out = COUNTER.to_json(item);
            out["facts"] = history(item);
            out
        };
        let items: Vec<Value> = found.iter().map(whole).collect();
        COUNTER.show_json(&items, ui);
        return Ok(Exit::Done);
    }
    let mut out = String::new();
    for item in &found {
        let decisions = match admitted(item) {
            none if none.is_empty() => "none; nothing waits for a person".to_owned(),
            some => some.join(", "),
        };
        for line in head_lines(item) {
            let _ = writeln!(out, "{line}");
        }
        let state = format!("state      {}  {}", standing(item), why(item));
        let _ = writeln!(out, "{}\ndecisions  {decisions}", state.trim_end());
        tell_history(item, &mut out);
    }
    ui.data(&out);
    Ok(Exit::Done)
}

async fn decide(
    open: &OpenPlan,
    ledger: &EmbeddedLedger,
    wish: Resolution,
    what: &DecideArgs,
    ui: Ui,
) -> Result<Exit, CommandError> {
    let decision = decision(&what.name, &what.reason)?;
    let admits = |item: &Waiting| item.decisions().contains(&wish);
    let items = COUNTER
        .choose(open, ledger, &what.keys, word(wish), admits)
        .await?;
    let mut log = Decisions::open(open)?;
    let fact = CopyFact::Resolved(wish, decision.clone());
    let done = decide::record(ledger, &WorkerId::new("resolve"), &items, &fact).await?;
    log.resolved(&decision, word(wish), done)?;
    let plan = open.path.display();
    let next = match wish {
        Resolution::Again => format!("mailferry run {plan}"),
        Resolution::Accept | Resolution::Leave => format!("mailferry report {plan}"),
    };
    COUNTER.tell(word(wish), done, &next, ui);
    Ok(Exit::Done)
}
