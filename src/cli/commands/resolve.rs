//! `mailferry resolve`: lists the items that wait for a person, shows one, and records decisions.

use serde_json::{Value, json};

use crate::base::fact::{Bucket, CopyFact, Resolution};
use crate::base::id::WorkerId;
use crate::base::quantity::Count;
use crate::cli::args::Common;
use crate::cli::commands::retry::{decision, key};
use crate::cli::decision_args::{DecideArgs, ResolveArgs, ResolveVerb};
use crate::cli::decisions::Decisions;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::wiring;
use crate::engine::balance;
use crate::engine::decide::{self, Waiting};
use crate::report::{facts, table, words};
use crate::store::embedded::{EmbeddedLedger, Opening};

/// The schema of `resolve --json`.
const SCHEMA: &str = "mailferry.resolve/1";

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

fn to_json(item: &Waiting) -> Value {
    json!({
        "job": item.job.job.to_string(),
        "mailbox": item.job.source.reveal(),
        "folder": item.folder.to_string(),
        "item": item.row.key.to_string(),
        "class": item.row.header.class.as_str(),
        "state": standing(item),
        "why": why(item),
        "decisions": admitted(item),
    })
}

async fn list(ledger: &EmbeddedLedger, ui: Ui) -> Result<Exit, CommandError> {
    let items = decide::waiting(ledger).await?;
    if ui.json {
        let items: Vec<Value> = items.iter().map(to_json).collect();
        ui.data(&json!({"schema": SCHEMA, "items": items}).to_string());
        return Ok(Exit::Done);
    }
    if items.is_empty() {
        ui.data("no item waits for a person");
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            vec![
                item.job.source.reveal().to_owned(),
                item.folder.to_string(),
                item.row.key.to_string(),
                standing(item).to_owned(),
                admitted(item).join(", "),
                why(item),
            ]
        })
        .collect();
    let head = ["mailbox", "folder", "item", "state", "decisions", "why"];
    ui.data(&table::render(&head, head.len(), &rows));
    Ok(Exit::Done)
}

async fn show(
    open: &OpenPlan,
    ledger: &EmbeddedLedger,
    text: &str,
    ui: Ui,
) -> Result<Exit, CommandError> {
    let found = decide::find(ledger, key(text)?).await?;
    if found.is_empty() {
        return Err(unknown(open, text));
    }
    if ui.json {
        let items: Vec<Value> = found
            .iter()
            .map(|item| {
                let mut out = to_json(item);
                out["facts"] = item.row.facts.iter().map(facts::words).collect();
                out
            })
            .collect();
        ui.data(&json!({"schema": SCHEMA, "items": items}).to_string());
        return Ok(Exit::Done);
    }
    let mut out = String::new();
    for item in &found {
        let admitted = admitted(item);
        let lines = [
            format!("item       {}", item.row.key),
            format!("mailbox    {}", item.job.source.reveal()),
            format!("folder     {}", item.folder),
            format!("class      {}", item.row.header.class),
            format!("size       {}", item.row.header.size),
            format!("state      {}  {}", standing(item), why(item)),
            format!(
                "decisions  {}",
                if admitted.is_empty() {
                    "none; nothing waits for a person".to_owned()
                } else {
                    admitted.join(", ")
                }
            ),
            "what happened, in order:".to_owned(),
        ];
        for line in lines {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        for fact in &item.row.facts {
            out.extend(["  ", &facts::words(fact), "\n"]);
        }
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
    let mut items: Vec<Waiting> = Vec::new();
    for text in &what.keys {
        let found = decide::find(ledger, key(text)?).await?;
        if found.is_empty() {
            return Err(unknown(open, text));
        }
        for item in found {
            if !item.decisions().contains(&wish) {
                return Err(CommandError::new(
                    Exit::Refused,
                    format!(
                        "item {text} is {} and does not admit `{}`; nothing was decided",
                        standing(&item),
                        word(wish)
                    ),
                )
                .hint(format!(
                    "mailferry resolve {} show {text}",
                    open.path.display()
                )));
            }
            // A key that is typed twice is decided about once.
            if !items
                .iter()
                .any(|known| known.row.key == item.row.key && known.job.job == item.job.job)
            {
                items.push(item);
            }
        }
    }
    let mut log = Decisions::open(open)?;
    let fact = CopyFact::Resolved(wish, decision.clone());
    let done = decide::record(ledger, &WorkerId::new("resolve"), &items, &fact).await?;
    log.resolved(&decision, word(wish), done)?;
    tell(open, wish, done, ui);
    Ok(Exit::Done)
}

fn tell(open: &OpenPlan, wish: Resolution, done: Count, ui: Ui) {
    let plan = open.path.display();
    if ui.json {
        let out = json!({"schema": SCHEMA, "decision": word(wish), "decided": done.get()});
        ui.data(&out.to_string());
        return;
    }
    let next = match wish {
        Resolution::Again => format!("mailferry run {plan}"),
        Resolution::Accept | Resolution::Leave => format!("mailferry report {plan}"),
    };
    ui.data(&format!(
        "decided about {done} items: {}; name and reason are in the ledger\n\nnext: {next}",
        word(wish)
    ));
}

fn unknown(open: &OpenPlan, key: &str) -> CommandError {
    CommandError::new(
        Exit::Refused,
        format!("the ledger knows no item {key}; nothing was decided"),
    )
    .hint(format!("mailferry resolve {} list", open.path.display()))
}
