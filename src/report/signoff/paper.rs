//! What a sign-off report says, as one value: names applied, numbers added up, nothing rendered.

use std::collections::BTreeMap;

use crate::base::fact::{Bucket, JobPhase, LeaveRule};
use crate::base::item::ItemClass;
use crate::base::losses::{LossLine, told};
use crate::base::quantity::{Bytes, Count};
use crate::base::spec::{Realm, RunLimits};
use crate::evidence::balance::{FolderBalance, Totals};
use crate::evidence::runs::RunNote;
use serde_json::Value;

/// For whom a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// Names in clear; stays in the house.
    Internal,
    /// Pseudonyms; for anybody.
    External,
}

impl Edition {
    /// Its word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }
}

/// The report.
#[derive(Clone, Debug)]
pub struct Paper {
    /// For whom.
    pub edition: Edition,
    /// The plan's name, where the edition shows it.
    pub name: Option<String>,
    /// The plan's hash.
    pub plan: String,
    /// Whether real mailboxes were touched.
    pub realm: Realm,
    /// The last moment any record speaks of, in UTC.
    pub records: Option<String>,
    /// The bounds of the runs.
    pub limits: RunLimits,
    /// Sums over all mailboxes.
    pub totals: Totals,
    /// True when by the ledger everything is settled and nothing is unexplained.
    pub settled: bool,
    /// In plan order.
    pub mailboxes: Vec<MailboxPart>,
    /// The last verification.
    pub proof: Option<Proof>,
    /// Runs, as they began.
    pub runs: Vec<RunNote>,
    /// Waivers, by id.
    pub waivers: Vec<WaiverPart>,
    /// Items that need a waiver and that none covers.
    pub uncovered: Count,
    /// What people did, in the order of the log.
    pub decisions: Vec<DecisionPart>,
    /// The evidence pack that was written with it.
    pub pack: Option<PackPart>,
    /// Items on the target that travelled by the typed route, by class.
    pub by_class: BTreeMap<ItemClass, Count>,
    /// What the last assessment says about the state of the source, where there was one. Names no mailbox.
    pub posture: Option<PosturePart>,
}

/// The state of the source, as the assessment wrote it.
#[derive(Clone, Debug)]
pub struct PosturePart {
    /// A fragment of the page.
    pub html: String,
    /// The same as counts and days.
    pub facts: serde_json::Value,
}

impl Paper {
    /// The exceptions of all mailboxes.
    pub fn exceptions(&self) -> impl Iterator<Item = (&MailboxPart, &ExceptionPart)> {
        self.mailboxes
            .iter()
            .flat_map(|own| own.exceptions.iter().map(move |one| (own, one)))
    }

    /// What the items lost that travelled by the typed route; nothing where none did.
    pub fn losses(&self) -> Vec<LossLine> {
        let mut lines = told(&self.by_class);
        // What is on the target was carried, whatever the table says of its class today.
        lines.retain(|line| line.family.is_some());
        lines
    }
}

/// One mailbox.
#[derive(Clone, Debug)]
pub struct MailboxPart {
    /// Its place in the plan.
    pub job: String,
    /// Its name: an address or a pseudonym.
    pub mailbox: String,
    /// Its name on the target.
    pub target: String,
    /// How a page calls it.
    pub label: String,
    /// Where it stands.
    pub phase: JobPhase,
    /// Sums over its folders.
    pub totals: Totals,
    /// Its folders.
    pub folders: Vec<FolderPart>,
    /// Items that are not simply there.
    pub exceptions: Vec<ExceptionPart>,
    /// Copies whose items left the source.
    pub leftovers: Vec<ExceptionPart>,
    /// Of its items on the target, those that travelled by the typed route, by class.
    pub by_class: BTreeMap<ItemClass, Count>,
}

/// One folder.
#[derive(Clone, Debug)]
pub struct FolderPart {
    /// Its name: a path or a pseudonym.
    pub path: String,
    /// Why it stays, where it does.
    pub left_out: Option<LeaveRule>,
    /// Its numbers.
    pub balance: FolderBalance,
}

/// One item with a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionPart {
    /// In which folder.
    pub folder: String,
    /// Which item.
    pub item: String,
    /// Its class.
    pub class: String,
    /// In which bucket; `None` for what the source no longer holds.
    pub bucket: Option<Bucket>,
    /// Why.
    pub why: String,
}

/// What the last verification found.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Its grade.
    pub grade: String,
    /// Its level: `counts`, `identity` or `content`.
    pub level: String,
    /// When it ended, in UTC.
    pub at: Option<String>,
    /// True where it found nothing but what a good grade allows.
    pub good: bool,
    /// Items of the source it listed.
    pub source: Count,
    /// Of them on the target.
    pub confirmed: Count,
    /// Missing or different, with a reason.
    pub explained: Count,
    /// Missing or different, without one.
    pub unexplained: Count,
    /// On the target without a counterpart.
    pub extra: Count,
    /// Of them explained.
    pub extra_explained: Count,
    /// Mailboxes it could not compare.
    pub not_verified: Count,
    /// The content it compared, at that level.
    pub content: Option<Content>,
    /// The source it was given over.
    pub covers: Option<Covers>,
    /// Folders that changed since, or that it never saw.
    pub stale: Vec<StalePart>,
    /// What it found, unexplained first.
    pub findings: Vec<FindingPart>,
    /// The rules of its grade.
    pub rules: String,
    /// The whole result, as the edition shows it.
    pub result: Value,
}

/// Content that was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Items whose content could be compared.
    pub of: Count,
    /// Of them compared.
    pub compared: Count,
    /// The same.
    pub same: Count,
    /// The same but for documented effects of the route.
    pub by_route: Count,
    /// Different without a reason.
    pub differing: Count,
    /// Not comparable.
    pub not_comparable: Count,
    /// Which of them: all, a sample, a slice.
    pub scope: String,
}

/// The state of the source a verdict was given over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covers {
    /// The first listing of a folder, in UTC.
    pub from: String,
    /// The last one.
    pub to: String,
    /// Folders.
    pub folders: Count,
    /// SHA-256 over the watermarks of all folders.
    pub watermark: String,
}

/// A folder that a verdict no longer covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StalePart {
    /// Of which mailbox.
    pub label: String,
    /// Its name.
    pub folder: String,
    /// Why.
    pub why: &'static str,
}

/// One finding of the verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingPart {
    /// Of which mailbox.
    pub label: String,
    /// In which folder.
    pub folder: String,
    /// Which item, where one is meant.
    pub item: String,
    /// What.
    pub what: String,
    /// True where a reason is known.
    pub explained: bool,
    /// How many items.
    pub items: Count,
}

/// A waiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverPart {
    /// Its id.
    pub id: String,
    /// What it waives.
    pub subject: &'static str,
    /// Which items, in words.
    pub scope: String,
    /// Items it allows at most.
    pub at_most: Count,
    /// Items it covers now.
    pub used: Count,
    /// Who asked.
    pub asked: String,
    /// Who granted it.
    pub granted: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day it counts.
    pub until: String,
    /// Whether it counts.
    pub standing: &'static str,
    /// The same as a value.
    pub counts: bool,
}

/// One thing a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionPart {
    /// When, in UTC.
    pub at: String,
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
    /// Why, where a reason was given.
    pub reason: Option<String>,
}

/// The evidence pack beside a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackPart {
    /// Its directory's name.
    pub name: String,
    /// SHA-256 of its `pack.json`.
    pub digest: String,
    /// The Merkle root of its manifest.
    pub root: String,
    /// Lines of its manifest.
    pub lines: u64,
    /// Signatures over it.
    pub signatures: u64,
}

/// A share in hundredths of a percent, of a limit that may be absent.
pub fn share(part: u64, whole: Option<u64>) -> Option<u64> {
    let whole = u128::from(whole?);
    let share = (u128::from(part) * 10_000).checked_div(whole)?;
    Some(u64::try_from(share).unwrap_or(u64::MAX))
}

/// `12.3 %` from hundredths of a percent.
pub fn percent(hundredths: u64) -> String {
    let tenths = hundredths.saturating_add(5) / 10;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// The published limit of upload and of requests for one mailbox, which no plan changes.
pub const PUBLISHED: (Bytes, Count) = (
    crate::base::limits::GRAPH_UPLOAD_PER_WINDOW,
    crate::base::limits::GRAPH_REQUESTS_PER_WINDOW,
);
