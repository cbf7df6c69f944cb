//! `mailferry quarantine`: lists what screening withheld and what waits to be looked into, shows one item, and records decisions.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::fact::CopyFact;
use crate::base::id::WorkerId;
use crate::base::screening::{Answer, Judgement};
use crate::cli::args::Common;
use crate::cli::commands::retry::{decision, key};
use crate::cli::decision_args::{JudgeArgs, QuarantineArgs, QuarantineVerb};
use crate::cli::decisions::Decisions;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::waiting::{Counter, head_lines, history, tell_history};
use crate::cli::wiring;
use crate::engine::decide::{self, Waiting};
use crate::flow::copy::CopyState;
use crate::flow::screened::last_screening;
use crate::screen::quarantine::{self, Kept};
use crate::store::embedded::{EmbeddedLedger, Opening};

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

const COUNTER: Counter = Counter {
    command: "quarantine",
    schema: "mailferry.quarantine-list/1",
    nothing: "nothing is withheld, and nothing waits for screening",
    reason: "found",
    standing,
    admitted,
    why: found,
};

fn to_json(item: &Waiting) -> Value {
    let screening = last_screening(&item.row);
    let hits: Vec<Value> = match screening.map(|own| &own.answer) {
        Some(Answer::Found(hits)) => hits
            .iter()
            .map(|hit| json!({"mark": hit.mark, "sha256": hit.content.to_string()}))
            .collect(),
        _ => Vec::new(),
    };
    let mut out = COUNTER.to_json(item);
    out["found"] = json!(hits);
    out["by"] = json!(screening.map(|own| own.by.to_string()));
    out
}

async fn list(ledger: &EmbeddedLedger, ui: Ui) -> Result<Exit, CommandError> {
    let items = decide::withheld(ledger).await?;
    if ui.json {
        let items: Vec<Value> = items.iter().map(to_json).collect();
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
    let items = COUNTER.find(open, ledger, text).await?;
    let kept = quarantine::read(&open.state, key(text)?)
        .map_err(|error| CommandError::file(&quarantine::directory(&open.state), &error))?;
    if ui.json {
        let whole = |item: &Waiting| {
            let mut out = to_json(item);
            out["record"] = json!(kept);
            out["facts"] = history(item);
            out
        };
        let items: Vec<Value> = items.iter().map(whole).collect();
        COUNTER.show_json(&items, ui);
        return Ok(Exit::Done);
    }
    let mut out = String::new();
    for item in &items {
        let decisions = match admitted(item) {
            none if none.is_empty() => "none".to_owned(),
            some => some.join(", "),
        };
        for line in head_lines(item) {
            let _ = writeln!(out, "{line}");
        }
        let (state, found) = (standing(item), found(item));
        let _ = writeln!(
            out,
            "state      {state}\nfound      {found}\ndecisions  {decisions}"
        );
        if let Some(kept) = &kept {
            record(kept, &mut out);
        }
        tell_history(item, &mut out);
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
    let admits = |item: &Waiting| item.judgements().contains(&judgement);
    let items = COUNTER
        .choose(open, ledger, &what.keys, word(judgement), admits)
        .await?;
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
    let plan = open.path.display();
    let next = match judgement {
        Judgement::Release => format!("mailferry run {plan}"),
        Judgement::Confirm => format!("mailferry report {plan}"),
    };
    COUNTER.tell(word(judgement), done, &next, ui);
    Ok(Exit::Done)
}
