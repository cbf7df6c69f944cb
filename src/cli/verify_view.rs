//! What `verify` says: JSON for programs (contract section 4), three sentences and a list for people.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::base::quantity::Count;
use crate::base::spec::JobSpec;
use crate::cli::args::VerifyLevel;
use crate::cli::commands::verify::{Outcome, Verified};
use crate::cli::exit::Exit;
use crate::cli::slices::Covered;
use crate::engine::audit::{ContentTally, Finding, FolderAudit, MailboxAudit};
use crate::evidence::grade::{GRADE_RULES, GRADE_RULES_TEXT, Grade};
use crate::report::{table, words};
use crate::verify::content::Difference;
use crate::verify::march::Scope;

/// The schema of `verify --json`.
const SCHEMA: &str = "mailferry.verify/1";

/// How many findings a terminal shows.
const FINDINGS_SHOWN: usize = 20;

/// Differences of one item that a terminal shows.
const DIFFERENCES_SHOWN: usize = 3;

impl Verified {
    /// As `verify --json` prints it: contract section 4.
    pub fn to_json(&self) -> Value {
        let mailboxes: Vec<Value> = self
            .mailboxes
            .iter()
            .zip(&self.covered)
            .map(|((job, outcome), covered)| mailbox_json(job, outcome, covered))
            .collect();
        let mut out = json!({
            "schema": SCHEMA,
            "at": self.at.to_string(),
            "grade": self.grade().to_string(),
            "grade_rules": GRADE_RULES,
            "grade_rules_text": GRADE_RULES_TEXT,
            "level": self.wish.level.word(),
            "mailboxes": mailboxes,
            "unexplained": self.sum(|found| found.unexplained).get(),
            "extra_on_target": self.sum(extra).get(),
            "extra_explained": self.sum(|found| found.extra_explained).get(),
            "invitations": self.invitations_json(),
            "says": self.sentences(),
            "exit": self.exit.code(),
        });
        if self.wish.level == VerifyLevel::Content {
            let mut content = content_json(&self.content());
            content.insert("scope".into(), scope_json(self.wish.scope));
            content.insert("covered".into(), self.covered_items().get().into());
            out["content"] = Value::Object(content);
        }
        out
    }

    pub(in crate::cli) fn content(&self) -> ContentTally {
        let mut sum = ContentTally::default();
        self.audits().for_each(|found| sum.add(&found.content));
        sum
    }

    fn covered_items(&self) -> Count {
        self.covered.iter().map(|covered| covered.items).sum()
    }

    /// The result in three sentences: the source, the content, the target.
    pub fn sentences(&self) -> [String; 3] {
        [
            self.on_the_source(),
            self.in_the_content(),
            self.on_the_target(),
        ]
    }

    /// The result, in one line.
    pub fn headline(&self) -> String {
        self.sentences().join(" ")
    }

    fn on_the_source(&self) -> String {
        let (source, confirmed) = (
            self.sum(|found| found.source),
            self.sum(|found| found.confirmed),
        );
        let unread = self.mailboxes.len() - self.audits().count();
        let unread = match unread {
            0 => String::new(),
            1 => "; 1 mailbox was not verified".to_owned(),
            n => format!("; {n} mailboxes were not verified"),
        };
        if confirmed == source && unread.is_empty() {
            return format!("All {source} source items are on the target.");
        }
        let mut why: Vec<String> = Vec::new();
        let unexplained = self.sum(|found| found.unexplained);
        if unexplained > Count::ZERO {
            why.push(format!(
                "{unexplained} missing or different and nothing explains it"
            ));
        }
        for bucket in words::BUCKETS {
            let n = self.sum(|found| found.explained.get(&bucket).copied().unwrap_or_default());
            if n > Count::ZERO {
                why.push(format!("{n} {}", words::bucket(bucket)));
            }
        }
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {}", why.join(", "))
        };
        format!("{confirmed} of {source} source items are on the target{why}{unread}.")
    }

    fn in_the_content(&self) -> String {
        let level = match self.wish.level {
            VerifyLevel::Counts => {
                return "Only numbers of items per folder were compared.".to_owned();
            }
            VerifyLevel::Identity => {
                return "Folder, class and search key of every item were compared, its content was not.".to_owned();
            }
            VerifyLevel::Content => self.content(),
        };
        let scope = match self.wish.scope {
            Scope::All => String::new(),
            Scope::Sample { percent, seed } => format!(" (a sample of {percent}%, seed {seed})"),
            Scope::Slice { nth, of } => format!(" (slice {nth} of {of})"),
        };
        let mut parts = vec![format!("{} the same", level.same)];
        for (n, word) in [
            (
                level.by_route,
                "the same but for documented effects of the route",
            ),
            (level.changed_at_source, "changed at the source since"),
            (level.differing, "different"),
            (level.accepted, "different and accepted by a person"),
            (level.not_comparable, "not comparable"),
        ] {
            if n > Count::ZERO {
                parts.push(format!("{n} {word}"));
            }
        }
        let covered = match self.wish.scope {
            Scope::Slice { .. } => {
                let before = match self.differed_before() {
                    Count::ZERO => String::new(),
                    n => format!(", and other slices found {n} different"),
                };
                let covered = self.covered_items();
                format!(
                    "; all slices so far cover {covered} of {}{before}",
                    level.due
                )
            }
            Scope::All | Scope::Sample { .. } => String::new(),
        };
        format!(
            "The content of {} of {} was compared{scope}: {}{covered}.",
            level.compared,
            level.due,
            parts.join(", ")
        )
    }

    fn on_the_target(&self) -> String {
        let (all, explained) = (self.sum(extra), self.sum(|found| found.extra_explained));
        let grade = self.grade();
        if all == Count::ZERO {
            return format!("The target holds nothing else: grade {grade}.");
        }
        let open = all.saturating_sub(explained);
        format!("The target holds {all} more, {explained} explained and {open} not: grade {grade}.")
    }

    /// As `verify` prints it.
    pub fn to_text(&self) -> String {
        let rows: Vec<Vec<String>> = self.mailboxes.iter().map(row).collect();
        let mut out = table::render(
            &[
                "mailbox",
                "grade",
                "source",
                "target",
                "confirmed",
                "explained",
                "unexplained",
                "extra",
                "note",
            ],
            2,
            &rows,
        );
        out.push_str(&self.findings());
        let [source, content, target] = self.sentences();
        let calendar = self.on_the_calendar();
        write!(out, "\n{source}\n{content}\n{target}\n{calendar}\n").expect("a string grows");
        let plan = self.plan.display();
        let next = match self.exit {
            Exit::Done => format!("mailferry report {plan}"),
            Exit::Stopped => format!("mailferry run {plan}, then verify again"),
            Exit::Decision => {
                format!("mailferry report {plan}    (lists every open item with its reason)")
            }
            _ => format!(
                "mailferry report {plan}    (lists every finding; look at each, a run does not repair what it did not make)"
            ),
        };
        write!(out, "\nnext: {next}\n").expect("a string grows");
        out
    }

    /// Unexplained findings first.
    fn findings(&self) -> String {
        let mut all: Vec<(&JobSpec, &Finding)> = Vec::new();
        let mut unlisted = Count::ZERO;
        for (job, outcome) in &self.mailboxes {
            if let Outcome::Audited(found) = outcome {
                all.extend(found.findings.iter().map(|finding| (job, finding)));
                unlisted += found.unlisted;
            }
        }
        if all.is_empty() {
            return String::new();
        }
        all.sort_by_key(|(_, finding)| finding.reason);
        let more = all.len().saturating_sub(FINDINGS_SHOWN) as u64 + unlisted.get();
        all.truncate(FINDINGS_SHOWN);
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|(job, finding)| {
                vec![
                    job.source.reveal().to_owned(),
                    finding.folder.to_string(),
                    item_word(finding),
                    what(finding),
                    finding.count.to_string(),
                ]
            })
            .collect();
        let mut out = format!(
            "\n{}",
            table::render(&["mailbox", "folder", "item", "what", "items"], 4, &rows)
        );
        if more > 0 {
            writeln!(out, "and {} more; --json lists them", Count::new(more))
                .expect("a string grows");
        }
        out
    }
}

fn extra(found: &MailboxAudit) -> Count {
    found.extra + found.extra_explained
}

fn item_word(finding: &Finding) -> String {
    match (&finding.item, &finding.target) {
        (Some(item), _) => item.to_string(),
        (None, Some(target)) => target.to_string(),
        (None, None) => String::new(),
    }
}

/// A finding in words, with what differs.
fn what(finding: &Finding) -> String {
    let mut out = finding.reason.words().to_owned();
    let shown: Vec<String> = finding
        .differences
        .iter()
        .take(DIFFERENCES_SHOWN)
        .map(Difference::words)
        .collect();
    if !shown.is_empty() {
        write!(out, ": {}", shown.join("; ")).expect("a string grows");
    }
    let more = finding.differences.len().saturating_sub(shown.len());
    if more > 0 {
        write!(out, "; and {more} more").expect("a string grows");
    }
    if let Some((source, target)) = finding.dates {
        write!(
            out,
            "; its dates differ ({source} occurrences at the source, {target} on the target)"
        )
        .expect("a string grows");
    }
    out
}

fn row((job, outcome): &(JobSpec, Outcome)) -> Vec<String> {
    let mut cells = vec![job.source.reveal().to_owned()];
    match outcome {
        Outcome::Audited(found) => {
            let explained: Count = found.explained.values().copied().sum();
            cells.push(found.grade.to_string());
            cells.extend(
                [
                    found.source,
                    found.target,
                    found.confirmed,
                    explained,
                    found.unexplained,
                    extra(found),
                ]
                .map(|n| n.to_string()),
            );
        }
        Outcome::NotBegun => {
            cells.resize(8, String::new());
            cells.push("  not begun".to_owned());
        }
        Outcome::NotRead(error) => {
            cells.resize(8, String::new());
            cells.push(format!("  not verified: {}", error.message));
        }
    }
    cells
}

fn mailbox_json(job: &JobSpec, outcome: &Outcome, covered: &Covered) -> Value {
    let mut out = Map::new();
    out.insert("job".into(), job.job.to_string().into());
    out.insert("mailbox".into(), job.source.reveal().into());
    match outcome {
        Outcome::Audited(found) => audited_json(found, covered, &mut out),
        Outcome::NotBegun => {
            out.insert("grade".into(), Grade::Investigate.to_string().into());
            out.insert("not_verified".into(), "not begun".into());
        }
        Outcome::NotRead(error) => {
            out.insert("grade".into(), Grade::Investigate.to_string().into());
            out.insert("not_verified".into(), error.message.clone().into());
        }
    }
    Value::Object(out)
}

fn audited_json(found: &MailboxAudit, covered: &Covered, out: &mut Map<String, Value>) {
    let explained: Count = found.explained.values().copied().sum();
    for (key, value) in [
        ("source", found.source),
        ("target", found.target),
        ("confirmed", found.confirmed),
        ("explained", explained),
        ("unexplained", found.unexplained),
        ("extra_on_target", extra(found)),
        ("extra_explained", found.extra_explained),
        ("findings_left_off", found.unlisted),
    ] {
        out.insert(key.into(), value.get().into());
    }
    let by: Map<String, Value> = found
        .explained
        .iter()
        .map(|(bucket, n)| (words::bucket_key(*bucket).to_owned(), n.get().into()))
        .collect();
    let reasons: Map<String, Value> = found
        .reasons
        .iter()
        .map(|(reason, n)| (reason.key().to_owned(), n.get().into()))
        .collect();
    out.insert("grade".into(), found.grade.to_string().into());
    out.insert("explained_by".into(), by.into());
    out.insert("reasons".into(), reasons.into());
    let mut content = content_json(&found.content);
    content.insert("covered".into(), covered.items.get().into());
    content.insert("slices_covered".into(), covered.slices.clone().into());
    content.insert(
        "differing_in_other_slices".into(),
        covered.differing.get().into(),
    );
    out.insert("content".into(), content.into());
    let folders: Vec<Value> = found.folders.iter().map(folder_json).collect();
    out.insert("folders".into(), folders.into());
    let findings: Vec<Value> = found.findings.iter().map(finding_json).collect();
    out.insert("findings".into(), findings.into());
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "folder": finding.folder.as_str(),
        "item": finding.item.map(|item| item.to_string()),
        "target": finding.target.as_ref().map(ToString::to_string),
        "reason": finding.reason.key(),
        "explained": finding.reason.explained(),
        "what": finding.reason.words(),
        "differences": finding.differences.iter().map(Difference::words).collect::<Vec<_>>(),
        "dates_differ": finding.dates.map(|(source, target)| json!({"source": source.get(), "target": target.get()})),
        "items": finding.count.get(),
    })
}

fn folder_json(folder: &FolderAudit) -> Value {
    json!({
        "folder": folder.mark.path.as_str(),
        "number": folder.mark.folder.0,
        "source": folder.source.get(),
        "target": folder.target.get(),
        "confirmed": folder.confirmed.get(),
        "watermark": {
            "rows": folder.mark.rows.get(),
            "facts": folder.mark.facts.get(),
            "mark": folder.mark.quick.map(|mark| hex(&mark)),
            "sync_state": folder.sync.map(|hash| hex(&hash)),
            "listed": folder.listed.to_string(),
        },
        "content": content_json(&folder.content),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            write!(out, "{byte:02x}").expect("a string grows");
            out
        })
}

fn content_json(tally: &ContentTally) -> Map<String, Value> {
    [
        ("of", tally.due),
        ("compared", tally.compared),
        ("same", tally.same),
        ("effects_of_route", tally.by_route),
        ("differing", tally.differing),
        ("changed_at_source", tally.changed_at_source),
        ("accepted", tally.accepted),
        ("not_comparable", tally.not_comparable),
        ("vanished", tally.vanished),
        ("appointments", tally.appointments),
        ("occurrences", tally.occurrences),
        ("not_expanded", tally.not_expanded),
    ]
    .into_iter()
    .map(|(key, n)| (key.to_owned(), n.get().into()))
    .collect()
}

fn scope_json(scope: Scope) -> Value {
    match scope {
        Scope::All => json!("all"),
        Scope::Sample { percent, seed } => json!({"sample_percent": percent, "seed": seed}),
        Scope::Slice { nth, of } => json!({"slice": nth, "slices": of}),
    }
}
