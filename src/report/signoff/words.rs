//! The sentences of a report: the verdict, what is open, what is not proven, and what to type next. Pure text from the value.

use super::make::OPEN;
use super::paper::{Paper, Proof};
use crate::base::fact::Bucket;
use crate::base::quantity::Count;
use crate::base::spec::Realm;
use crate::report::words;

/// What no report of this program shows, whatever was verified.
const NEVER_PROVEN: [&str; 4] = [
    "Rules, permissions, delegates, signatures and other settings of mailboxes are not items and are not carried.",
    "Folders that stay by rule are counted by what the source's hierarchy said when it was last listed.",
    "Items created, changed or deleted on the source after it was last listed are not part of this report.",
    "That an item opens in every client is shown by opening it; compared are identity and content of the stream.",
];

/// How a report ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A verification of a good grade holds for everything, and nothing is open.
    Proven,
    /// Something is open or unverified; nothing is known to be wrong.
    Open,
    /// Something is missing or different and nothing explains it.
    Wrong,
}

impl Ending {
    /// Its word beside the verdict, which says the same without colour.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proven => "Proven",
            Self::Open => "Open",
            Self::Wrong => "Not in order",
        }
    }
}

/// A moment as people write it: `2026-12-04 08:00:01 UTC`. Anything else stays as it is.
pub fn civil(at: &str) -> String {
    match at.strip_suffix('Z').and_then(|own| own.split_once('T')) {
        Some((day, time)) => format!("{day} {time} UTC"),
        None => at.to_owned(),
    }
}

/// A number with its noun.
pub fn count(n: Count, one: &str, many: &str) -> String {
    format!("{n} {}", if n == Count::new(1) { one } else { many })
}

impl Paper {
    /// How it ends.
    pub fn ending(&self) -> Ending {
        let wrong = |proof: &Proof| proof.unexplained > Count::ZERO || proof.grade == "poor";
        if self.totals.unexplained() > Count::ZERO || self.proof.as_ref().is_some_and(wrong) {
            return Ending::Wrong;
        }
        let proven = |proof: &Proof| {
            proof.good && proof.stale.is_empty() && proof.not_verified == Count::ZERO
        };
        if self.settled && self.proof.as_ref().is_some_and(proven) {
            Ending::Proven
        } else {
            Ending::Open
        }
    }

    /// The verdict, in one sentence: grade, level, numbers, and the state of the source it covers.
    pub fn verdict(&self) -> String {
        let totals = &self.totals;
        if self.mailboxes.is_empty() {
            return "Nothing was begun yet, so nothing is proven.".to_owned();
        }
        if totals.unexplained() > Count::ZERO {
            return format!(
                "Not in order: {} of {} source items are in no column of the balance.",
                totals.unexplained(),
                totals.source
            );
        }
        let Some(proof) = &self.proof else {
            return format!(
                "Not verified: by the ledger {} of {} source items are on Microsoft 365{}, but nobody has listed both sides again, so there \
                 is no grade.",
                totals.of(Bucket::Confirmed),
                totals.source,
                self.others()
            );
        };
        let mut out = format!(
            "Grade {} at level {}: {} of {} source items were found again on Microsoft 365, {}{}",
            proof.grade,
            proof.level,
            proof.confirmed,
            proof.source,
            match proof.unexplained {
                Count::ZERO => "none is unexplained".to_owned(),
                n => format!("{} unexplained", count(n, "is", "are")),
            },
            match &proof.covers {
                Some(covers) if covers.from == covers.to => format!(
                    "; this covers the source as it was listed at {}",
                    civil(&covers.to)
                ),
                Some(covers) => format!(
                    "; this covers the source as it was listed from {} to {}",
                    civil(&covers.from),
                    civil(&covers.to)
                ),
                None =>
                    "; the verification does not say which state of the source it covers".to_owned(),
            }
        );
        if let Some(covers) = &proof.covers {
            let short: String = covers.watermark.chars().take(12).collect();
            let part = format!(" (watermark {short})");
            out.push_str(&part);
        }
        if !proof.stale.is_empty() {
            let n = Count::new(proof.stale.len() as u64);
            let part = format!(
                ", and no longer holds for {}",
                count(n, "folder that changed since", "folders that changed since")
            );
            out.push_str(&part);
        }
        if proof.not_verified > Count::ZERO {
            let what = count(proof.not_verified, "mailbox was", "mailboxes were");
            let part = format!("; {what} not verified");
            out.push_str(&part);
        }
        out.push('.');
        out
    }

    /// The other buckets somebody is in, as a part of a sentence.
    fn others(&self) -> String {
        let others: Vec<String> = words::BUCKETS
            .into_iter()
            .filter(|bucket| *bucket != Bucket::Confirmed && self.totals.of(*bucket) > Count::ZERO)
            .map(|bucket| format!("{} {}", self.totals.of(bucket), words::bucket(bucket)))
            .collect();
        if others.is_empty() {
            String::new()
        } else {
            format!(" ({})", others.join(", "))
        }
    }

    /// What is open, in one sentence.
    pub fn open(&self) -> String {
        let mut parts: Vec<String> = OPEN
            .into_iter()
            .filter(|bucket| self.totals.of(*bucket) > Count::ZERO)
            .map(|bucket| format!("{} {}", self.totals.of(bucket), words::bucket(bucket)))
            .collect();
        let halted = self.mailboxes.iter().filter(|own| !own.phase.is_settled());
        let halted = Count::new(halted.count() as u64);
        if halted > Count::ZERO {
            parts.push(count(
                halted,
                "mailbox not finished",
                "mailboxes not finished",
            ));
        }
        if let Some(proof) = &self.proof {
            let extra = proof.extra.saturating_sub(proof.extra_explained);
            for (n, one, many) in [
                (
                    proof.unexplained,
                    "source item unexplained",
                    "source items unexplained",
                ),
                (
                    extra,
                    "target item of unknown origin",
                    "target items of unknown origin",
                ),
            ] {
                if n > Count::ZERO {
                    parts.push(count(n, one, many));
                }
            }
        }
        if parts.is_empty() && self.uncovered == Count::ZERO {
            return "Nothing is open.".to_owned();
        }
        let waived: Count = self
            .waivers
            .iter()
            .filter(|waiver| waiver.counts)
            .map(|waiver| waiver.used)
            .sum();
        let mut out = if parts.is_empty() {
            "Open: what one person decided alone".to_owned()
        } else {
            format!("Open: {}", parts.join(", "))
        };
        if waived > Count::ZERO {
            let are = if waived == Count::new(1) { "is" } else { "are" };
            let part = format!("; {waived} of these items {are} waived by two people");
            out.push_str(&part);
        }
        if self.uncovered > Count::ZERO {
            let what = count(self.uncovered, "item needs", "items need");
            let part = format!("; {what} a decision or a waiver");
            out.push_str(&part);
        }
        out.push('.');
        out
    }

    /// The next command to type.
    pub fn next(&self, plan: &str) -> String {
        let totals = &self.totals;
        let left = [Bucket::Remaining, Bucket::InDoubt]
            .iter()
            .any(|bucket| totals.of(*bucket) > Count::ZERO);
        let unfinished = self.mailboxes.iter().any(|own| !own.phase.is_settled());
        if self.mailboxes.is_empty() || left || unfinished {
            return format!("mailferry run {plan}");
        }
        let fresh = self
            .proof
            .as_ref()
            .is_some_and(|proof| proof.stale.is_empty());
        if !fresh {
            return format!("mailferry verify {plan} --level content");
        }
        if self.ending() == Ending::Wrong {
            return format!("mailferry verify {plan} --level content    (names every difference)");
        }
        if self.uncovered > Count::ZERO {
            return format!(
                "mailferry resolve {plan} list, or mailferry waive {plan} create --help"
            );
        }
        match &self.pack {
            Some(pack) if pack.signatures == 0 => {
                format!("mailferry sign {plan} --name NAME --key KEY    (the evidence pack)")
            }
            _ => format!("mailferry cutover {plan} --name NAME"),
        }
    }

    /// What this report does not prove.
    pub fn not_proven(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.realm == Realm::Rehearsal {
            out.push("This was a rehearsal against the built-in lab: it says nothing about real mailboxes.".to_owned());
        }
        match &self.proof {
            None => out.push(
                "Nothing was verified: the balance is what this program recorded, and nobody has listed both sides again since."
                    .to_owned(),
            ),
            Some(proof) => not_compared(proof, &mut out),
        }
        if !self.by_class.is_empty() {
            let n = self.by_class.values().copied().sum();
            out.push(format!(
                "{} not as {} but by {} class: what that loses stands under \"Carried by class\".",
                count(n, "item was carried", "items were carried"),
                if n == Count::new(1) {
                    "a stream"
                } else {
                    "streams"
                },
                if n == Count::new(1) { "its" } else { "their" },
            ));
        }
        let silent = self.runs.iter().filter(|run| run.figures.is_none()).count();
        if silent > 0 {
            let what = count(Count::new(silent as u64), "run", "runs");
            out.push(format!(
                "{what} left no figures (its process died, or it is not over), so the rates below are not all; the balance does not depend on \
                 them."
            ));
        }
        if self.pack.as_ref().is_none_or(|pack| pack.signatures == 0) {
            out.push(
                "Nobody has signed the evidence pack: it shows that it is whole, not who answers for it."
                    .to_owned(),
            );
        }
        out.extend(NEVER_PROVEN.map(str::to_owned));
        out
    }
}

fn not_compared(proof: &Proof, out: &mut Vec<String>) {
    match proof.level.as_str() {
        "counts" => out.push(
            "Compared were only numbers of items per folder: that they are the same items is not shown."
                .to_owned(),
        ),
        "identity" => out.push(
            "Folder, class and search key of every item were compared, its content was not: `mailferry verify --level content` does."
                .to_owned(),
        ),
        _ => {}
    }
    if let Some(content) = &proof.content {
        if content.compared < content.of {
            out.push(format!(
                "The content of {} of {} items was compared ({}); of the others, that they are there.",
                content.compared, content.of, content.scope
            ));
        }
        if content.not_comparable > Count::ZERO {
            let what = count(content.not_comparable, "item", "items");
            out.push(format!("The content of {what} could not be compared."));
        }
    }
    if proof.not_verified > Count::ZERO {
        let what = count(proof.not_verified, "mailbox", "mailboxes");
        out.push(format!("{what} could not be verified or were not begun."));
    }
    if !proof.stale.is_empty() {
        let n = Count::new(proof.stale.len() as u64);
        let what = count(n, "folder", "folders");
        out.push(format!(
            "{what} changed since the verification, or were never part of it: what it says of them is no longer sure."
        ));
    }
}
