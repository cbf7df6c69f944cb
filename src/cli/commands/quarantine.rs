//! `mailferry quarantine`: lists what screening withheld and what waits to be looked into, shows one item, and records decisions.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::fact::CopyFact;
use crate::base::id::WorkerId;
use crate::base::quantity::Count;
use crate::base::screening::{Answer, Judgement};
use crate::cli::args::Common;
use crate::cli::commands::retry::{decision, key};
use crate::cli::decision_args::{JudgeArgs, QuarantineArgs, QuarantineVerb};
use crate::cli::decisions::Decisions;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::wiring;
use crate::engine::decide::{self, Waiting};
use crate::flow::copy::CopyState;
use crate::flow::screened::last_screening;
use crate::report::{facts, table};
use crate::screen::quarantine::{self, Kept};
use crate::store::embedded::{EmbeddedLedger, Opening};

/// The schema of `quarantine --json`.
const SCHEMA: &str = "mailferry.quarantine-list/1";

/// Runs the command.
pub fn run(args: &QuarantineArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let runtime = wiring::runtime()?;
    runtime.block_on(async {
        let ledger = wiring::ledger(&open, Opening::Existing)?;
        match &args.verb {
            QuarantineVerb::List => list(&ledger, ui).await,
            QuarantineVerb::Show { key: text } => show(&open, &ledger, text, ui).await,
            QuarantineVerb::Release(what) => {
                judge(&open, &ledger, Judgement::Release, what, ui).await
            }
            QuarantineVerb::Confirm(what) => {
                judge(&open, &ledger, Judgement::Confirm, what, ui).await
            }
        }
    })
}

/// A decision as it is typed.
const fn word(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Release => "release",
        Judgement::Confirm => "confirm",
    }
}

/// Where it stands.
fn standing(item: &Waiting) -> &'static str {
    match &item.state {
        CopyState::Withheld {
            confirmed: true, ..
        } => "confirmed",
        CopyState::Withheld { .. } => "withheld",
        _ if item.state.waits_for_screening().is_some() => "waiting for screening",
        _ => "not withheld",
    }
}

/// What was found, or why it was not looked into.
fn found(item: &Waiting) -> String {
    match last_screening(&item.row).map(|own| &own.answer) {
        Some(Answer::Found(hits)) => {
            let mut marks: Vec<&str> = hits.iter().map(|hit| hit.mark.as_str()).collect();
            marks.dedup();
            marks.join(", ")
        }
        Some(Answer::NotScanned(why)) => format!("not scanned: {}", why.name()),
        Some(Answer::NothingFound) => "nothing".to_owned(),
        None => "never looked into".to_owned(),
    }
}

fn admitted(item: &Waiting) -> Vec<&'static str> {
    item.judgements().into_iter().map(word).collect()
}

fn to_json(item: &Waiting) -> Value {
    let screening = last_screening(&item.row);
    let hits: Vec<Value> = match screening.map(|own| &own.answer) {
        Some(Answer::Found(hits)) => hits
            .iter()
            .map(|hit| json!({"mark": hit.mark, "sha256": hit.content.to_string()}))
            .collect(),
        _ => Vec::new(),
    };
    json!({
        "job": item.job.job.to_string(),
        "mailbox": item.job.source.reveal(),
        "folder": item.folder.to_string(),
        "item": item.row.key.to_string(),
        "class": item.row.header.class.as_str(),
        "state": standing(item),
        "found": hits,
        "why": found(item),
        "by": screening.map(|own| own.by.to_string()),
        "decisions": admitted(item),
    })
}

async fn list(ledger: &EmbeddedLedger, ui: Ui) -> Result<Exit, CommandError> {
    let items = decide::withheld(ledger).await?;
    if ui.json {
        let items: Vec<Value> = items.iter().map(to_json).collect();
        ui.data(&json!({"schema": SCHEMA, "items": items}).to_string());
        return Ok(Exit::Done);
    }
    if items.is_empty() {
        ui.data("nothing is withheld, and nothing waits for screening");
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
                found(item),
            ]
        })
        .collect();
    let head = ["mailbox", "folder", "item", "state", "decisions", "found"];
    ui.data(&table::render(&head, head.len(), &rows));
    Ok(Exit::Done)
}

async fn show(
    open: &OpenPlan,
    ledger: &EmbeddedLedger,
    text: &str,
    ui: Ui,
) -> Result<Exit, CommandError> {
    let items = decide::find(ledger, key(text)?).await?;
    if items.is_empty() {
        return Err(unknown(open, text));
    }
    let kept = quarantine::read(&open.state, key(text)?)
        .map_err(|error| CommandError::file(&quarantine::directory(&open.state), &error))?;
    if ui.json {
        let items: Vec<Value> = items
            .iter()
            .map(|item| {
                let mut out = to_json(item);
                out["record"] = json!(kept);
                out["facts"] = item.row.facts.iter().map(facts::words).collect();
                out
            })
            .collect();
        ui.data(&json!({"schema": SCHEMA, "items": items}).to_string());
        return Ok(Exit::Done);
    }
    let mut out = String::new();
    for item in &items {
        let decisions = match admitted(item) {
            none if none.is_empty() => "none".to_owned(),
            some => some.join(", "),
        };
        let lines = [
            format!("item       {}", item.row.key),
            format!("mailbox    {}", item.job.source.reveal()),
            format!("folder     {}", item.folder),
            format!("class      {}", item.row.header.class),
            format!("size       {}", item.row.header.size),
            format!("state      {}", standing(item)),
            format!("found      {}", found(item)),
            format!("decisions  {decisions}"),
        ];
        for line in lines {
            out.push_str(&line);
            out.push('\n');
        }
        if let Some(kept) = &kept {
            record(kept, &mut out);
        }
        out.push_str("what happened, in order:\n");
        for fact in &item.row.facts {
            out.extend(["  ", &facts::words(fact), "\n"]);
        }
    }
    ui.data(&out);
    Ok(Exit::Done)
}

/// What the quarantine record says. Its names were written by whoever sent the mail: nothing in them may move the cursor.
fn record(kept: &Kept, out: &mut String) {
    let stream = kept.stream.as_deref().map_or_else(
        || "not kept; the source holds it".to_owned(),
        |name| format!("encrypted, in state/quarantine/{name}"),
    );
    let _ = writeln!(out, "withheld   {}\ncontent    {stream}", kept.at);
    for found in &kept.found {
        let names: Vec<String> = found.names.iter().map(|name| plain(name)).collect();
        let (mark, place) = (&found.mark, names.join(" > "));
        let (content, size) = (found.content, found.size);
        let _ = writeln!(
            out,
            "  {mark}: {place}\n    {size} bytes, SHA-256 {content}"
        );
    }
}

fn plain(text: &str) -> String {
    let odd = |c: char| c.is_control() || ('\u{2000}'..='\u{206f}').contains(&c);
    text.chars()
        .map(|c| if odd(c) { '\u{fffd}' } else { c })
        .collect()
}

async fn judge(
    open: &OpenPlan,
    ledger: &EmbeddedLedger,
    judgement: Judgement,
    what: &JudgeArgs,
    ui: Ui,
) -> Result<Exit, CommandError> {
    let decision = decision(&what.by, &what.reason)?;
    let mut items: Vec<Waiting> = Vec::new();
    for text in &what.keys {
        let found = decide::find(ledger, key(text)?).await?;
        if found.is_empty() {
            return Err(unknown(open, text));
        }
        for item in found {
            if !item.judgements().contains(&judgement) {
                let state = standing(&item);
                return Err(CommandError::new(
                    Exit::Refused,
                    format!(
                        "item {text} is {state} and does not admit `{}`; nothing was decided",
                        word(judgement)
                    ),
                )
                .hint(format!(
                    "mailferry quarantine {} show {text}",
                    open.path.display()
                )));
            }
            // A key that is typed twice is decided about once.
            let known = |own: &Waiting| own.row.key == item.row.key && own.job.job == item.job.job;
            if !items.iter().any(known) {
                items.push(item);
            }
        }
    }
    let mut log = Decisions::open(open)?;
    let each: Vec<(&Waiting, CopyFact)> = items
        .iter()
        .filter_map(|item| {
            let bound = item.bound()?;
            Some((item, CopyFact::Judged(judgement, bound, decision.clone())))
        })
        .collect();
    let done = decide::record_each(ledger, &WorkerId::new("quarantine"), &each).await?;
    log.resolved(&decision, &format!("quarantine {}", word(judgement)), done)?;
    tell(open, judgement, done, ui);
    Ok(Exit::Done)
}

fn tell(open: &OpenPlan, judgement: Judgement, done: Count, ui: Ui) {
    let plan = open.path.display();
    if ui.json {
        let out = json!({"schema": SCHEMA, "decision": word(judgement), "decided": done.get()});
        ui.data(&out.to_string());
        return;
    }
    let next = match judgement {
        Judgement::Release => format!("mailferry run {plan}"),
        Judgement::Confirm => format!("mailferry report {plan}"),
    };
    ui.data(&format!(
        "decided about {done} items: {}; name and reason are in the ledger\n\nnext: {next}",
        word(judgement)
    ));
}

fn unknown(open: &OpenPlan, key: &str) -> CommandError {
    CommandError::new(
        Exit::Refused,
        format!("the ledger knows no item {key}; nothing was decided"),
    )
    .hint(format!("mailferry quarantine {} list", open.path.display()))
}
