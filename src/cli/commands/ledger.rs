//! `mailferry ledger`: checks, exports and compacts the ledger of a plan, while no run holds it.

use std::io::Write as _;

use serde_json::json;

use crate::cli::args::Common;
use crate::cli::decision_args::{LedgerArgs, LedgerVerb};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::store::inspect::{Checked, Inspection};

/// The schema of `ledger check --json`.
const CHECK_SCHEMA: &str = "mailferry.ledger-check/1";

/// The schema of `ledger compact --json`.
const COMPACT_SCHEMA: &str = "mailferry.ledger-compact/1";

/// Runs the command.
pub fn run(args: &LedgerArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = |path: &std::path::Path| -> Result<(OpenPlan, Inspection), CommandError> {
        let open = plans::open(path, common)?;
        let inspection = Inspection::open(&open.state, &open.header)?;
        Ok((open, inspection))
    };
    match &args.verb {
        LedgerVerb::Check(plan) => {
            let (open, ledger) = open(&plan.plan)?;
            check(&open, &ledger.check(), ui)
        }
        LedgerVerb::Export(export) => {
            let (_, ledger) = open(&export.plan.plan)?;
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            // A reader that went away wants no more; that is no error.
            let lines =
                ledger.export(export.reveal, &mut |line| writeln!(out, "{line}").is_ok())?;
            let _ = out.flush();
            ui.detail(&format!("{lines} lines"));
            Ok(Exit::Done)
        }
        LedgerVerb::Compact(plan) => {
            let (open, ledger) = open(&plan.plan)?;
            let done = ledger.compact()?;
            if ui.json {
                ui.data(
                    &json!({
                        "schema": COMPACT_SCHEMA,
                        "rows": done.rows.get(),
                        "bytes": {"before": done.before.get(), "after": done.after.get()},
                    })
                    .to_string(),
                );
            } else {
                ui.data(&format!(
                    "{} rows were written anew and compared; the ledger in {} took {} and takes {} now",
                    done.rows,
                    open.state.display(),
                    done.before,
                    done.after
                ));
            }
            Ok(Exit::Done)
        }
    }
}

fn check(open: &OpenPlan, found: &Checked, ui: Ui) -> Result<Exit, CommandError> {
    let damage: Vec<_> = found
        .damage
        .iter()
        .map(|damage| json!({"place": damage.place, "what": damage.what}))
        .collect();
    if ui.json {
        ui.data(
            &json!({
                "schema": CHECK_SCHEMA,
                "mailboxes": found.jobs.get(),
                "folders": found.folders.get(),
                "items": found.copies.get(),
                "facts": found.facts.get(),
                "index_entries": found.due.get(),
                "damaged": found.damaged.get(),
                "damage": damage,
            })
            .to_string(),
        );
    }
    if found.damage.is_empty() {
        if !ui.json {
            ui.data(&format!(
                "{} mailboxes, {} folders and {} items with {} facts: every row reads back and follows its rules, and the sums and the {} entries \
                 of the index are those of the rows",
                found.jobs, found.folders, found.copies, found.facts, found.due
            ));
        }
        return Ok(Exit::Done);
    }
    let mut lines = vec![format!(
        "the ledger in {} is damaged at {} places",
        open.state.display(),
        found.damaged
    )];
    let listed = found.damage.iter();
    lines.extend(listed.map(|damage| format!("{}: {}", damage.place, damage.what)));
    if found.damaged.get() > found.damage.len() as u64 {
        lines.push(format!(
            "and {} more",
            found.damaged.get() - found.damage.len() as u64
        ));
    }
    Err(CommandError::new(Exit::Refused, lines.join("\n")).hint(
        "restore the directory from a copy; without one, begin anew with --state NEWDIR: what is on the target already is recognised and not \
         sent again",
    ))
}
