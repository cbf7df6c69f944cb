//! What `resolve` and `quarantine` share: items of the ledger that a person decides about, listed, found by key, and told about afterwards.

use serde_json::{Value, json};

use crate::base::quantity::Count;
use crate::cli::commands::retry::key;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::OpenPlan;
use crate::cli::ui::Ui;
use crate::engine::decide::{self, Waiting};
use crate::port::ledger::Ledger;
use crate::report::{facts, table};

/// How a command speaks of its items.
pub(super) struct Counter {
    /// The command's word.
    pub command: &'static str,
    /// The schema of its JSON.
    pub schema: &'static str,
    /// What it says where no item is to be listed.
    pub nothing: &'static str,
    /// The head of its column of reasons.
    pub reason: &'static str,
    /// Where an item stands.
    pub standing: fn(&Waiting) -> &'static str,
    /// What may be typed about it.
    pub admitted: fn(&Waiting) -> Vec<&'static str>,
    /// Why it is there.
    pub why: fn(&Waiting) -> String,
}

impl Counter {
    /// What every item has in JSON.
    pub(super) fn to_json(&self, item: &Waiting) -> Value {
        json!({
            "job": item.job.job.to_string(),
            "mailbox": item.job.source.reveal(),
            "folder": item.folder.to_string(),
            "item": item.row.key.to_string(),
            "class": item.row.header.class.as_str(),
            "state": (self.standing)(item),
            "why": (self.why)(item),
            "decisions": (self.admitted)(item),
        })
    }

    /// Shows items as JSON of this schema.
    pub(super) fn show_json(&self, items: &[Value], ui: Ui) {
        ui.data(&json!({"schema": self.schema, "items": items}).to_string());
    }

    /// Lists items as a table.
    pub(super) fn show_table(&self, items: &[Waiting], ui: Ui) {
        if items.is_empty() {
            ui.data(self.nothing);
            return;
        }
        let row = |item: &Waiting| {
            vec![
                item.job.source.reveal().to_owned(),
                item.folder.to_string(),
                item.row.key.to_string(),
                (self.standing)(item).to_owned(),
                (self.admitted)(item).join(", "),
                (self.why)(item),
            ]
        };
        let rows: Vec<Vec<String>> = items.iter().map(row).collect();
        let head = [
            "mailbox",
            "folder",
            "item",
            "state",
            "decisions",
            self.reason,
        ];
        ui.data(&table::render(&head, head.len(), &rows));
    }

    /// Every item with this key; there is at least one.
    pub(super) async fn find(
        &self,
        open: &OpenPlan,
        ledger: &dyn Ledger,
        text: &str,
    ) -> Result<Vec<Waiting>, CommandError> {
        let found = decide::find(ledger, key(text)?).await?;
        if found.is_empty() {
            return Err(CommandError::new(
                Exit::Refused,
                format!("the ledger knows no item {text}; nothing was decided"),
            )
            .hint(format!(
                "mailferry {} {} list",
                self.command,
                open.path.display()
            )));
        }
        Ok(found)
    }

    /// The items of these keys, each once, where every one of them admits the decision.
    pub(super) async fn choose(
        &self,
        open: &OpenPlan,
        ledger: &dyn Ledger,
        keys: &[String],
        word: &str,
        admits: impl Fn(&Waiting) -> bool,
    ) -> Result<Vec<Waiting>, CommandError> {
        let mut items: Vec<Waiting> = Vec::new();
        for text in keys {
            for item in self.find(open, ledger, text).await? {
                if !admits(&item) {
                    let state = (self.standing)(&item);
                    return Err(CommandError::new(
                        Exit::Refused,
                        format!("item {text} is {state} and does not admit `{word}`; nothing was decided"),
                    )
                    .hint(format!(
                        "mailferry {} {} show {text}",
                        self.command,
                        open.path.display()
                    )));
                }
                // A key that is typed twice is decided about once.
                let known =
                    |own: &Waiting| own.row.key == item.row.key && own.job.job == item.job.job;
                if !items.iter().any(known) {
                    items.push(item);
                }
            }
        }
        Ok(items)
    }

    /// Says what was decided, and what comes next.
    pub(super) fn tell(&self, word: &str, done: Count, next: &str, ui: Ui) {
        if ui.json {
            let out = json!({"schema": self.schema, "decision": word, "decided": done.get()});
            ui.data(&out.to_string());
            return;
        }
        let items = if done.get() == 1 { "item" } else { "items" };
        ui.data(&format!(
            "decided about {done} {items}: {word}; name and reason are in the ledger\n\nnext: {next}"
        ));
    }
}

/// The facts of an item, for JSON.
pub(super) fn history(item: &Waiting) -> Value {
    item.row.facts.iter().map(facts::words).collect()
}

/// What is known of every item, a line each; the state in the command's own words.
pub(super) fn head_lines(item: &Waiting) -> [String; 5] {
    [
        format!("item       {}", item.row.key),
        format!("mailbox    {}", item.job.source.reveal()),
        format!("folder     {}", item.folder),
        format!("class      {}", item.row.header.class),
        format!("size       {}", item.row.header.size),
    ]
}

/// What happened to it, in order.
pub(super) fn tell_history(item: &Waiting, out: &mut String) {
    out.push_str("what happened, in order:\n");
    for fact in &item.row.facts {
        out.extend(["  ", &facts::words(fact), "\n"]);
    }
}
