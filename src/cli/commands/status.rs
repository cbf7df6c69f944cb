//! `mailferry status`: where every mailbox stands, why it waits, until when.

use serde_json::Value;

use crate::cli::args::{Common, PlanFile};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::verdict::Verdict;
use crate::cli::wiring;
use crate::engine::balance;
use crate::port::ledger::LedgerError;
use crate::report::narrator::SNAPSHOT_FILE;
use crate::report::progress::{Progress, SCHEMA};
use crate::report::table;
use crate::store::embedded::{EmbeddedLedger, OpenError, Opening};

/// Runs the command.
pub fn run(args: &PlanFile, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan, common)?;
    match EmbeddedLedger::open(&open.state, &open.header, Opening::Existing) {
        Ok(ledger) => {
            let jobs = open.plan.jobs();
            let verdict = Verdict::last(&open);
            let (progress, stale) = wiring::runtime()?.block_on(async {
                let now = wiring::clock().moment();
                let balance = balance::take(&ledger).await?;
                let stale = match &verdict {
                    Some(verdict) => verdict.stale(&ledger, &jobs).await?,
                    None => Vec::new(),
                };
                Ok::<_, LedgerError>((Progress::of(&balance, now).with_jobs(&jobs), stale))
            })?;
            if ui.json {
                let mut document = progress.to_json();
                document["verification"] = verdict.map_or(Value::Null, |own| own.to_json(&stale));
                ui.data(&document.to_string());
            } else {
                let verified = verdict.map_or_else(
                    || "not verified yet: mailferry verify\n".to_owned(),
                    |own| own.to_text(&stale),
                );
                ui.data(&format!("{}\n{verified}", progress.to_text()));
            }
            Ok(Exit::Done)
        }
        Err(held @ (OpenError::Held { .. } | OpenError::Elsewhere { .. })) => match snapshot(&open)
        {
            Some(found) => {
                show(&found, ui);
                Ok(Exit::Done)
            }
            None => Err(held.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// What the run that holds the state directory last wrote about itself.
fn snapshot(open: &OpenPlan) -> Option<Value> {
    let text = std::fs::read_to_string(open.state.join(SNAPSHOT_FILE)).ok()?;
    let found: Value = serde_json::from_str(&text).ok()?;
    (found["schema"] == SCHEMA).then_some(found)
}

fn show(found: &Value, ui: Ui) {
    if ui.json {
        ui.data(&found.to_string());
        return;
    }
    let rows: Vec<Vec<String>> = found["mailboxes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|mailbox| {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let number = |value: &Value| value.as_u64().map_or_else(String::new, |n| n.to_string());
            let items = &mailbox["items"];
            let waiting = &mailbox["waiting_for"];
            let note = if waiting.is_object() {
                format!(
                    "  waits for {} until {}",
                    word(&waiting["what"]),
                    word(&waiting["until"])
                )
            } else {
                format!("  {}", word(&mailbox["last_error"]))
            };
            vec![
                word(&mailbox["mailbox"]),
                word(&mailbox["phase"]),
                number(&items["source"]),
                number(&items["confirmed"]),
                number(&items["remaining"]),
                number(&items["in_doubt"]),
                number(&mailbox["rate"]["items_per_hour"]),
                note,
            ]
        })
        .collect();
    let at = found["at"].as_str().unwrap_or_default();
    let waiting = &found["waiting_for"];
    let what = match (waiting["what"].as_str(), waiting["until"].as_str()) {
        (Some(what), Some(until)) => format!("a run waits for {what}, until {until}"),
        _ => "a run is at work".to_owned(),
    };
    ui.data(&format!(
        "{what}; this was true at {at}\n{}",
        table::render(
            &[
                "mailbox",
                "phase",
                "items",
                "confirmed",
                "remaining",
                "in doubt",
                "per hour",
                "note"
            ],
            2,
            &rows
        )
    ));
}
