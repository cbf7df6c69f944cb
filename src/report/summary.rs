//! The end of a run: sentences a user can check, tables, and the next command to type.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::base::fact::{Bucket, JobPhase};
use crate::base::quantity::{Bytes, Count, Span};
use crate::evidence::balance::{Balance, MailboxBalance, Routes, Totals};
use crate::plan::outlook::{Left, Outlook};
use crate::report::{table, words};

/// The schema of the last line of `run --json`.
pub const SCHEMA: &str = "mailferry.summary/1";

/// How many exceptions a terminal shows; the report lists all.
pub const EXCEPTIONS_SHOWN: usize = 20;

/// The buckets of items that are listed one by one. What stays by rule has its reason in the report.
const LISTED: [Bucket; 5] = [
    Bucket::Quarantined,
    Bucket::Refused,
    Bucket::Parked,
    Bucket::InDoubt,
    Bucket::ChangedSince,
];

/// What a run says at its end, besides the balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Calls to the source.
    pub source_calls: Count,
    /// Calls to the target.
    pub target_calls: Count,
    /// Throttles met.
    pub throttled: Count,
    /// Bytes sent to the target in bodies, as they travel.
    pub sent: Bytes,
    /// How long it took.
    pub took: Span,
    /// Why it stopped early, where it did.
    pub stopped: Option<String>,
    /// The exit code.
    pub exit: u8,
    /// Events that were counted and not written to the journal.
    pub dropped: Count,
    /// The next command to type.
    pub next: String,
    /// What is left, where anything is.
    pub left: Option<Left>,
    /// How long that takes, where this run gives a rate to say it by.
    pub outlook: Option<Outlook>,
    /// What it did about changes at the source.
    pub followed: Followed,
}

/// What a run did about changes at the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Copies replaced by a newer version.
    pub updated: Count,
    /// Copies taken off the target, as their items left the source.
    pub retracted: Count,
    /// Copies left alone, since somebody else changed or removed them on the target.
    pub estranged: Count,
    /// Copies that stay although their items left the source, until the operator allows it.
    pub held_back: Count,
    /// Items a full enumeration showed and no delta had.
    pub missed: Count,
}

impl Followed {
    fn json(self) -> Value {
        json!({
            "updated": self.updated.get(),
            "retracted": self.retracted.get(),
            "estranged": self.estranged.get(),
            "held_back": self.held_back.get(),
            "missed_by_delta": self.missed.get(),
        })
    }

    /// In a sentence; nothing where nothing changed.
    fn sentence(self) -> String {
        let parts: Vec<String> = [
            (self.updated, "updated"),
            (
                self.retracted,
                "taken off the target as their items left the source",
            ),
            (
                self.estranged,
                "left alone, since somebody else changed or removed them on the target",
            ),
        ]
        .into_iter()
        .filter(|(n, _)| *n > Count::ZERO)
        .map(|(n, what)| format!("{} {what}", count(n, "copy", "copies")))
        .collect();
        let mut out = String::new();
        if !parts.is_empty() {
            writeln!(out, "Following the source: {}.", parts.join(", ")).expect("a string grows");
        }
        if self.missed > Count::ZERO {
            writeln!(
                out,
                "The full enumeration showed {} that no delta had told.",
                count(self.missed, "item", "items")
            )
            .expect("a string grows");
        }
        if self.held_back > Count::ZERO {
            writeln!(
                out,
                "Held back: {} stay on the target although their items left the source. More than a tenth of a mailbox went at once: \
                 ask its user, then run with --allow-deletes.",
                count(self.held_back, "copy", "copies")
            )
            .expect("a string grows");
        }
        out
    }
}

impl Closing {
    /// What is left and how long it takes, in sentences; nothing where nothing is left.
    pub fn rest(&self) -> String {
        let Some(left) = self.left else {
            return String::new();
        };
        let mut out = format!(
            "Left: {} ({}) in {}",
            count(left.items, "item", "items"),
            left.bytes,
            count(left.mailboxes, "mailbox", "mailboxes"),
        );
        if left.uncounted > Count::ZERO {
            write!(
                out,
                ", and the contents of {} that nobody counted yet",
                count(left.uncounted, "mailbox", "mailboxes")
            )
            .expect("a string grows");
        }
        out.push('.');
        match self.outlook {
            None => out.push_str(" This run carried nothing to forecast by."),
            Some(Outlook { work, nights, done }) => {
                write!(out, " At the rate of this run {work} of work").expect("a string grows");
                if nights > 0 {
                    write!(out, " in {nights} of the plan's windows").expect("a string grows");
                }
                match done {
                    Some(done) => write!(out, ", done at {done}."),
                    None => write!(out, ", more than the windows of four years."),
                }
                .expect("a string grows");
            }
        }
        out
    }

    fn left_json(&self) -> Value {
        self.left.map_or(Value::Null, |left| {
            json!({
                "items": left.items.get(),
                "bytes": left.bytes.get(),
                "mailboxes": left.mailboxes.get(),
                "uncounted_mailboxes": left.uncounted.get(),
            })
        })
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "hours for people, to the second"
    )]
    fn forecast_json(&self) -> Value {
        self.outlook.map_or(Value::Null, |outlook| {
            json!({
                "hours": (outlook.work.get() / 1_000) as f64 / 3_600.0,
                "nights": outlook.nights,
                "done_at": outlook.done.map(|at| at.to_string()),
            })
        })
    }
}

/// The summary as JSON: contract section 4.
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds for people, three decimals"
)]
pub fn to_json(balance: &Balance, closing: &Closing) -> Value {
    let totals = balance.totals();
    let mailboxes: Vec<Value> = balance.mailboxes.iter().map(mailbox_json).collect();
    json!({
        "event": "summary",
        "schema": SCHEMA,
        "mailboxes": balance.mailboxes.len(),
        "items": items_json(&totals),
        "routes": routes_json(totals.routes),
        "bytes": {"source": totals.bytes.get(), "carried": totals.carried.get(), "sent": closing.sent.get()},
        "requests": {
            "source": closing.source_calls.get(),
            "target": closing.target_calls.get(),
            "throttled": closing.throttled.get(),
        },
        "seconds": closing.took.get() as f64 / 1e3,
        "stopped": closing.stopped,
        "exit": closing.exit,
        "left": closing.left_json(),
        "forecast": closing.forecast_json(),
        "followed": closing.followed.json(),
        "per_mailbox": mailboxes,
        "events_dropped": closing.dropped.get(),
        "next": closing.next,
    })
}

/// Every bucket by name, with the source's count, what stays by folder rule and the difference, which must be 0.
pub fn items_json(totals: &Totals) -> Value {
    let mut items = Map::new();
    items.insert("source".into(), totals.source.get().into());
    for bucket in words::BUCKETS {
        items.insert(
            words::bucket_key(bucket).into(),
            totals.of(bucket).get().into(),
        );
    }
    items.insert("unexplained".into(), totals.unexplained().get().into());
    items.insert("in_left_out_folders".into(), totals.left_out.get().into());
    Value::Object(items)
}

/// How the copies on the target travelled, by the words of a plan's `route`.
pub fn routes_json(routes: Routes) -> Value {
    json!({"stream": routes.stream.get(), "typed": routes.typed.get()})
}

/// The same in a sentence; nothing where all went as streams.
pub fn routes_sentence(routes: Routes) -> String {
    match routes.typed {
        Count::ZERO => String::new(),
        typed => format!(
            "Of the copies on Microsoft 365, {typed} went by their class and {} as streams.\n",
            routes.stream
        ),
    }
}

fn mailbox_json(mailbox: &MailboxBalance) -> Value {
    let totals = mailbox.totals();
    json!({
        "job": mailbox.job.to_string(),
        "mailbox": mailbox.source.reveal(),
        "target": mailbox.target.reveal(),
        "phase": words::phase_key(mailbox.phase),
        "halted": halt_words(mailbox.phase),
        "items": items_json(&totals),
        "routes": routes_json(totals.routes),
        "bytes": {"source": totals.bytes.get(), "carried": totals.carried.get()},
    })
}

fn halt_words(phase: JobPhase) -> Option<&'static str> {
    match phase {
        JobPhase::Halted(cause) => Some(words::halt(cause)),
        _ => None,
    }
}

/// The summary as text.
pub fn to_text(balance: &Balance, closing: &Closing) -> String {
    let totals = balance.totals();
    // The last lines are the ones a person sees: first what can be looked up, then the sentences, then what to type.
    let mut out = mailbox_table(balance);
    out.push_str(&exceptions(balance));
    out.push('\n');
    out.push_str(&sentences(balance, &totals, closing));
    write!(out, "\nnext: {}\n", closing.next).expect("a string grows");
    out
}

fn count(n: Count, one: &str, many: &str) -> String {
    format!("{n} {}", if n == Count::new(1) { one } else { many })
}

/// Three sentences that can be checked against the tables above them: what happened, what is open, what it took.
fn sentences(balance: &Balance, totals: &Totals, closing: &Closing) -> String {
    let mailboxes = Count::new(balance.mailboxes.len() as u64);
    let skipped = match totals.of(Bucket::Skipped) {
        Count::ZERO => String::new(),
        n => format!(" and {n} skipped by rule"),
    };
    let first = format!(
        "Of {} in {}, {} confirmed on Microsoft 365{skipped}; the columns add up to the source's count with a difference of {}.",
        count(totals.source, "item", "items"),
        count(mailboxes, "mailbox", "mailboxes"),
        count(totals.of(Bucket::Confirmed), "is", "are"),
        totals.unexplained()
    );
    let second = open(balance, totals);
    let third = format!(
        "{} took {} source and {} target calls ({} throttled), {} sent in {}; {} in folders that stay by rule {} not carried.",
        if closing.stopped.is_some() {
            "Stopped early, it"
        } else {
            "It"
        },
        closing.source_calls,
        closing.target_calls,
        closing.throttled,
        closing.sent,
        closing.took,
        count(totals.left_out, "item", "items"),
        if totals.left_out == Count::new(1) {
            "was"
        } else {
            "were"
        },
    );
    let routes = routes_sentence(totals.routes);
    let mut out = format!("{first}\n{routes}{second}\n{third}\n");
    if let Some(stopped) = &closing.stopped {
        writeln!(out, "Stopped: {stopped}.").expect("a string grows");
    }
    out.push_str(&closing.followed.sentence());
    if closing.left.is_some() {
        writeln!(out, "{}", closing.rest()).expect("a string grows");
    }
    out
}

/// What is open, in one sentence.
fn open(balance: &Balance, totals: &Totals) -> String {
    let mut open: Vec<String> = words::BUCKETS
        .into_iter()
        .filter(|bucket| !matches!(bucket, Bucket::Confirmed | Bucket::Skipped))
        .filter(|bucket| totals.of(*bucket) > Count::ZERO)
        .map(|bucket| format!("{} {}", totals.of(bucket), words::bucket(bucket)))
        .collect();
    if totals.unexplained() > Count::ZERO {
        open.insert(0, format!("{} UNEXPLAINED", totals.unexplained()));
    }
    let unfinished = balance.mailboxes.iter().filter(|m| !m.phase.is_settled());
    let unfinished = Count::new(unfinished.count() as u64);
    if unfinished > Count::ZERO {
        open.push(count(
            unfinished,
            "mailbox not finished",
            "mailboxes not finished",
        ));
    }
    if open.is_empty() {
        "Nothing is open.".to_owned()
    } else {
        format!("Open: {}.", open.join(", "))
    }
}

/// One line per mailbox, and a line of sums. Columns nobody is in are left out, except confirmed.
pub fn mailbox_table(balance: &Balance) -> String {
    let all = balance.totals();
    let shown = words::shown(&all);
    let row = |name: String, phase: &str, totals: &Totals| {
        let mut cells = vec![name, phase.to_owned(), totals.source.to_string()];
        cells.extend(shown.iter().map(|bucket| totals.of(*bucket).to_string()));
        cells.push(totals.unexplained().to_string());
        cells.push(totals.carried.to_string());
        cells
    };
    let mut rows: Vec<Vec<String>> = balance
        .mailboxes
        .iter()
        .map(|mailbox| {
            let name = mailbox.source.reveal().to_owned();
            row(name, words::phase(mailbox.phase), &mailbox.totals())
        })
        .collect();
    if rows.len() > 1 {
        rows.push(row("all".to_owned(), "", &all));
    }
    let mut headers = vec!["mailbox", "phase", "source"];
    headers.extend(shown.iter().map(|bucket| words::bucket(*bucket)));
    headers.extend(["difference", "carried"]);
    table::render(&headers, 2, &rows)
}

/// Halted mailboxes with what to do, and the first exceptions by folder, key and reason.
fn exceptions(balance: &Balance) -> String {
    let mut out = String::new();
    for mailbox in &balance.mailboxes {
        if let JobPhase::Halted(cause) = mailbox.phase {
            write!(
                out,
                "\n{} is halted: {}; {}\n",
                mailbox.source.reveal(),
                words::halt(cause),
                words::halt_remedy(cause)
            )
            .expect("a string grows");
        }
    }
    let listed: Vec<_> = balance
        .mailboxes
        .iter()
        .flat_map(|mailbox| mailbox.exceptions.iter().map(move |e| (mailbox, e)))
        .filter(|(_, exception)| exception.bucket != Bucket::Skipped)
        .collect();
    let leftovers: usize = balance.mailboxes.iter().map(|m| m.leftovers.len()).sum();
    if leftovers > 0 {
        let n = Count::new(leftovers as u64);
        writeln!(
            out,
            "\n{} of items that left the source {} still on the target; the report lists them with their reasons.",
            count(n, "copy", "copies"),
            if leftovers == 1 { "is" } else { "are" }
        )
        .expect("a string grows");
    }
    if listed.is_empty() {
        return out;
    }
    let rows: Vec<Vec<String>> = listed
        .iter()
        .take(EXCEPTIONS_SHOWN)
        .map(|(mailbox, exception)| {
            vec![
                mailbox.source.reveal().to_owned(),
                exception.folder.to_string(),
                exception.item.to_string(),
                words::bucket(exception.bucket).to_owned(),
                exception.why.clone(),
            ]
        })
        .collect();
    out.push('\n');
    out.push_str(&table::render(
        &["mailbox", "folder", "item", "state", "why"],
        5,
        &rows,
    ));
    let totals = balance.totals();
    let all: Count = LISTED.into_iter().map(|bucket| totals.of(bucket)).sum();
    let more = all.saturating_sub(Count::new(rows.len() as u64));
    if more > Count::ZERO {
        writeln!(out, "and {more} more; the report lists all").expect("a string grows");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::quantity::Moment;
    use crate::report::sample;

    #[test]
    fn the_text_adds_up_and_names_what_is_open() {
        insta::assert_snapshot!(to_text(&sample::balance(), &sample::closing()), @r#"
        mailbox                  phase      source  confirmed  skipped  refused  parked  remaining  difference  carried
        a.harris@clinic.example  halted      1,242      1,200        0        1       1         40           0  11.2 MB
        b.ozanne@clinic.example  caught up       7          5        2        0       0          0           0  63.0 KB
        all                                  1,249      1,205        2        1       1         40           0  11.2 MB

        a.harris@clinic.example is halted: the target mailbox is full; raise the quota or enable its archive, then run again

        1 copy of items that left the source is still on the target; the report lists them with their reasons.

        mailbox                  folder                  item                              state    why
        a.harris@clinic.example  Inbox                   702347cedb740bb34a34425515854709  refused  TargetRefused: HTTP 400, ErrorCorruptData
        a.harris@clinic.example  Inbox/Lab\/results <b>  7e5ef90cb934e38b98c3a019abdf41b5  parked   too many attempts

        Of 1,249 items in 2 mailboxes, 1,205 are confirmed on Microsoft 365 and 2 skipped by rule; the columns add up to the source's count with a difference of 0.
        Open: 1 refused, 1 parked, 40 remaining, 1 mailbox not finished.
        It took 310 source and 1,300 target calls (4 throttled), 16.0 MB sent in 95.0 s; 7 items in folders that stay by rule were not carried.

        next: mailferry run plan.toml
        "#);
    }

    #[test]
    fn what_went_by_its_class_is_said_where_anything_did() {
        let mut balance = sample::balance();
        assert!(!to_text(&balance, &sample::closing()).contains("by their class"));
        balance.mailboxes[0].folders[0].routes = Routes {
            stream: Count::new(1_188),
            typed: Count::new(12),
        };
        let text = to_text(&balance, &sample::closing());
        assert!(
            text.contains(
                "\nOf the copies on Microsoft 365, 12 went by their class and 1,188 as streams.\n"
            ),
            "{text}"
        );
        let json = to_json(&balance, &sample::closing());
        let want = json!({"stream": 1_188, "typed": 12});
        assert_eq!(json["routes"], want);
        assert_eq!(json["per_mailbox"][0]["routes"], want);
        assert_eq!(json["per_mailbox"][1]["routes"]["typed"], 0);
    }

    #[test]
    fn what_is_left_is_said_with_a_forecast_that_claims_no_more_than_it_knows() {
        let mut closing = sample::closing();
        assert_eq!(closing.rest(), "");
        closing.left = Some(Left {
            items: Count::new(1_240),
            bytes: Bytes::new(3_200_000_000),
            mailboxes: Count::new(5),
            uncounted: Count::new(1),
        });
        assert_eq!(
            closing.rest(),
            "Left: 1,240 items (3.2 GB) in 5 mailboxes, and the contents of 1 mailbox that nobody counted yet. This run carried nothing to \
             forecast by."
        );
        closing.outlook = Some(Outlook {
            work: Span::from_secs(12_240),
            nights: 2,
            done: Some(Moment::from_unix_ms(0)),
        });
        let rest = closing.rest();
        assert!(
            rest.ends_with(
                "At the rate of this run 3 h 24 min of work in 2 of the plan's windows, done at 1970-01-01T00:00:00Z."
            ),
            "{rest}"
        );
        let read = to_json(&sample::balance(), &closing);
        assert_eq!(read["left"]["items"], 1_240);
        assert_eq!(read["left"]["uncounted_mailboxes"], 1);
        assert_eq!(read["forecast"]["hours"], 3.4);
        assert_eq!(read["forecast"]["nights"], 2);
    }

    #[test]
    fn the_json_holds_every_bucket_and_their_sum_is_the_source() {
        let read = to_json(&sample::balance(), &sample::closing());
        let items = &read["items"];
        let sum: u64 = words::BUCKETS
            .iter()
            .map(|bucket| {
                items[words::bucket_key(*bucket)]
                    .as_u64()
                    .expect("a number")
            })
            .sum();
        assert_eq!(items["source"].as_u64(), Some(sum));
        assert_eq!(items["unexplained"], 0);
        assert_eq!(items["in_left_out_folders"], 7);
        assert_eq!(read["event"], "summary");
        assert_eq!(read["schema"], SCHEMA);
        assert_eq!(read["seconds"], 95.0);
        assert_eq!(read["stopped"], Value::Null);
        assert_eq!(read["requests"]["throttled"], 4);
        assert_eq!(read["bytes"]["sent"], 16_000_000);
        assert_eq!(read["mailboxes"], 2);
    }
}
