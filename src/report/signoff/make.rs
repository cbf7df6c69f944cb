//! Makes the value of a report out of ledger, log, waivers and the last verification. Here names are applied, and nowhere later.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::paper::{
    Content, Covers, DecisionPart, Edition, ExceptionPart, FindingPart, FolderPart, MailboxPart,
    PackPart, Paper, Proof, StalePart, WaiverPart,
};
use crate::base::fact::Bucket;
use crate::base::id::{MailboxId, PlanHash};
use crate::base::item::ItemClass;
use crate::base::quantity::Count;
use crate::base::spec::{Realm, RunLimits};
use crate::evidence::balance::{Balance, Exception, KEPT_WITHHELD_BY, MailboxBalance, skip_words};
use crate::evidence::chain::{Entry, Kind};
use crate::evidence::grade::GRADE_RULES_TEXT;
use crate::evidence::manifest::Names;
use crate::evidence::merkle::hex;
use crate::evidence::runs::runs;
use crate::evidence::verdict::publish;
use crate::evidence::waiver::{SignedWaiver, Standing, Waiver, cover, is_decided};

/// What people wrote in their own words, in an external report.
const WITHHELD: &str = "in the internal report";

/// A folder the last verification does not cover.
#[derive(Clone, Debug)]
pub struct StaleFolder<'a> {
    /// Of which mailbox.
    pub mailbox: &'a MailboxId,
    /// Its path.
    pub path: &'a str,
    /// Why.
    pub why: &'static str,
}

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// The plan's name.
    pub name: &'a str,
    /// Its hash.
    pub plan: &'a PlanHash,
    /// Whether real mailboxes were touched.
    pub realm: Realm,
    /// The bounds of the runs.
    pub limits: &'a RunLimits,
    /// What the ledger says.
    pub balance: &'a Balance,
    /// The last result of `verify`, as it was written.
    pub verification: Option<&'a Value>,
    /// What it no longer covers.
    pub stale: &'a [StaleFolder<'a>],
    /// The log of decisions.
    pub entries: &'a [Entry],
    /// Waivers with their standing.
    pub waivers: &'a [(SignedWaiver, Standing)],
    /// The pack written with the report.
    pub pack: Option<PackPart>,
    /// How things are called.
    pub names: &'a Names,
}

/// The last moment that log and verification speak of. Moments of one spelling sort as text.
pub fn records(entries: &[Entry], verification: Option<&Value>) -> Option<String> {
    let verified = verification.and_then(|found| found["at"].as_str());
    entries
        .iter()
        .map(|entry| entry.at.as_str())
        .chain(verified)
        .filter(|at| !at.is_empty())
        .max()
        .map(str::to_owned)
}

/// Makes the report.
pub fn make(sources: &Sources<'_>) -> Paper {
    let names = Calls {
        names: sources.names,
        edition: match sources.names {
            Names::Revealed => Edition::Internal,
            Names::Pseudonyms(_) => Edition::External,
        },
    };
    let balance = sources.balance;
    let counting: Vec<&Waiver> = sources
        .waivers
        .iter()
        .filter(|(_, standing)| *standing == Standing::Counts)
        .map(|(signed, _)| &signed.waiver)
        .collect();
    let exceptions = balance
        .mailboxes
        .iter()
        .flat_map(|own| own.exceptions.iter().map(|one| (own.job, one)));
    let coverage = cover(&counting, exceptions);
    let mut used = coverage.used.into_iter();
    let waivers = sources
        .waivers
        .iter()
        .map(|(signed, standing)| {
            let counts = *standing == Standing::Counts;
            let used = if counts { used.next() } else { None };
            names.waiver(signed, *standing, used.unwrap_or_default())
        })
        .collect();
    let totals = balance.totals();
    Paper {
        edition: names.edition,
        name: names.inside(sources.name.to_owned()),
        plan: sources.plan.as_str().to_owned(),
        realm: sources.realm,
        records: records(sources.entries, sources.verification),
        limits: sources.limits.clone(),
        settled: !balance.mailboxes.is_empty()
            && balance.settled()
            && totals.unexplained() == Count::ZERO,
        totals,
        mailboxes: balance
            .mailboxes
            .iter()
            .map(|own| names.mailbox(own))
            .collect(),
        proof: sources
            .verification
            .and_then(|found| names.proof(found, sources)),
        runs: runs(sources.entries),
        waivers,
        uncovered: coverage.open,
        decisions: sources
            .entries
            .iter()
            .filter_map(|entry| names.decision(entry))
            .collect(),
        pack: sources.pack.clone(),
        by_class: by_class(balance),
        // Whoever has an assessment puts its section here.
        posture: None,
    }
}

/// What travelled by the typed route in all mailboxes.
fn by_class(balance: &Balance) -> BTreeMap<ItemClass, Count> {
    let mut out: BTreeMap<ItemClass, Count> = BTreeMap::new();
    for (class, n) in balance.mailboxes.iter().flat_map(|own| &own.typed) {
        *out.entry(class.clone()).or_default() += *n;
    }
    out.retain(|_, n| *n > Count::ZERO);
    out
}

/// Names for one edition.
struct Calls<'a> {
    names: &'a Names,
    edition: Edition,
}

impl Calls<'_> {
    /// What only the house may read.
    fn inside<T>(&self, value: T) -> Option<T> {
        (self.edition == Edition::Internal).then_some(value)
    }

    fn label(&self, job: &str, mailbox: &MailboxId) -> String {
        let name = self.names.mailbox(mailbox);
        self.inside(name.clone())
            .unwrap_or_else(|| format!("{job} ({}…)", name.chars().take(8).collect::<String>()))
    }

    fn person(&self, name: &str) -> String {
        let known = self.names.person(name);
        self.inside(known.clone())
            .unwrap_or_else(|| format!("person {}…", known.chars().take(8).collect::<String>()))
    }

    fn own_words(&self, text: &str) -> String {
        self.inside(text.to_owned())
            .unwrap_or_else(|| WITHHELD.to_owned())
    }

    fn mailbox(&self, own: &MailboxBalance) -> MailboxPart {
        let job = own.job.to_string();
        MailboxPart {
            mailbox: self.names.mailbox(&own.source),
            target: self.names.mailbox(&own.target),
            label: self.label(&job, &own.source),
            job,
            by_class: own.typed.clone(),
            phase: own.phase,
            totals: own.totals(),
            folders: own
                .folders
                .iter()
                .map(|folder| FolderPart {
                    path: self.folder(&own.source, folder.path.as_str()),
                    left_out: folder.left_out,
                    balance: folder.clone(),
                })
                .collect(),
            exceptions: own
                .exceptions
                .iter()
                .map(|one| ExceptionPart {
                    folder: self.folder(&own.source, one.folder.as_str()),
                    item: self.names.item(&one.item.to_string()),
                    class: one.class.as_str().to_owned(),
                    bucket: Some(one.bucket),
                    why: self.why(one),
                })
                .collect(),
            leftovers: own
                .leftovers
                .iter()
                .map(|one| ExceptionPart {
                    folder: self.folder(&own.source, one.folder.as_str()),
                    item: self.names.item(&one.item.to_string()),
                    class: one.class.as_str().to_owned(),
                    bucket: None,
                    why: one.why.clone(),
                })
                .collect(),
        }
    }

    /// A folder's name; the top of the tree has none of its own.
    fn folder(&self, mailbox: &MailboxId, path: &str) -> String {
        match (self.edition, path) {
            (Edition::Internal, "") => "(top)".to_owned(),
            _ => self.names.folder(mailbox, path),
        }
    }

    /// The reason of an exception. Whoever decided about an item wrote name and reason into it.
    fn why(&self, one: &Exception) -> String {
        if self.edition == Edition::Internal {
            return one.why.clone();
        }
        if let Some((what, _)) = one.why.split_once(KEPT_WITHHELD_BY) {
            return format!("{what}; kept withheld; who and why: {WITHHELD}");
        }
        if !is_decided(one) {
            return one.why.clone();
        }
        let rule = one
            .rule
            .map_or_else(|| "decided by a person".to_owned(), skip_words);
        format!("{rule}; who and why: {WITHHELD}")
    }

    fn waiver(&self, signed: &SignedWaiver, standing: Standing, used: u64) -> WaiverPart {
        let waiver = &signed.waiver;
        let mut scope = Vec::new();
        if let Some(job) = waiver.mailbox {
            scope.push(format!("mailbox {job}"));
        }
        if let Some(class) = &waiver.class {
            scope.push(format!("class {class}"));
        }
        if !waiver.items.is_empty() {
            scope.push(format!(
                "{} named items",
                Count::new(waiver.items.len() as u64)
            ));
        }
        WaiverPart {
            id: waiver.id.clone(),
            subject: waiver.subject.word(),
            scope: if scope.is_empty() {
                "all".to_owned()
            } else {
                scope.join(", ")
            },
            at_most: Count::new(waiver.at_most),
            used: Count::new(used),
            asked: self.person(&waiver.requested_by),
            granted: signed
                .approval
                .as_ref()
                .map(|voice| self.person(voice.name())),
            reason: self.own_words(&waiver.reason),
            until: waiver.expires.clone(),
            standing: standing.words(),
            counts: standing == Standing::Counts,
        }
    }

    /// What a person did; `None` for what the program observed by itself.
    fn decision(&self, entry: &Entry) -> Option<DecisionPart> {
        let word = |key: &str| entry.facts.get(key).and_then(Value::as_str).unwrap_or("?");
        let short = |key: &str| word(key).chars().take(12).collect::<String>();
        let number = |key: &str| {
            entry
                .facts
                .get(key)
                .and_then(Value::as_u64)
                .unwrap_or_default()
        };
        let what = match entry.kind {
            Kind::Verification => return None,
            Kind::Run => {
                entry.who.as_ref()?;
                "began a run".to_owned()
            }
            Kind::WaiverRequested => format!("asked for waiver {}", word("waiver")),
            Kind::WaiverSigned => {
                let role = match word("role") {
                    "approval" => "granted",
                    _ => "signed the request for",
                };
                format!("{role} waiver {} (key {})", word("waiver"), word("key"))
            }
            Kind::WaiverRevoked => format!("took back waiver {}", word("waiver")),
            Kind::Resolved => {
                let items = Count::new(number("items"));
                let noun = if items.get() == 1 { "item" } else { "items" };
                format!("decided about {items} {noun}: {}", word("what"))
            }
            Kind::PackSigned => format!(
                "signed the evidence pack {}… (key {})",
                short("pack"),
                word("key")
            ),
            Kind::Cutover => "asked for the cutover runbook; every gate was closed".to_owned(),
        };
        Some(DecisionPart {
            at: entry.at.clone(),
            who: entry
                .who
                .as_deref()
                .map_or_else(|| "unnamed".to_owned(), |who| self.person(who)),
            what,
            reason: entry
                .facts
                .get("reason")
                .and_then(Value::as_str)
                .map(|text| self.own_words(text)),
        })
    }

    fn proof(&self, found: &Value, sources: &Sources<'_>) -> Option<Proof> {
        let grade = found["grade"].as_str()?.to_owned();
        let mailboxes: Vec<&Value> = found["mailboxes"].as_array()?.iter().collect();
        let sum = |key: &str| -> Count {
            mailboxes
                .iter()
                .map(|own| Count::new(own[key].as_u64().unwrap_or_default()))
                .sum()
        };
        let level = found["level"].as_str().unwrap_or("?").to_owned();
        Some(Proof {
            good: matches!(grade.as_str(), "perfect" | "good"),
            grade,
            at: found["at"].as_str().map(str::to_owned),
            source: sum("source"),
            confirmed: sum("confirmed"),
            explained: sum("explained"),
            unexplained: sum("unexplained"),
            extra: sum("extra_on_target"),
            extra_explained: sum("extra_explained"),
            not_verified: Count::new(
                mailboxes
                    .iter()
                    .filter(|own| own["not_verified"].is_string())
                    .count() as u64,
            ),
            content: (level == "content").then(|| content(&found["content"])),
            level,
            covers: covers(&mailboxes),
            stale: sources
                .stale
                .iter()
                .map(|one| StalePart {
                    label: self.label_of(one.mailbox, sources),
                    folder: self.folder(one.mailbox, one.path),
                    why: one.why,
                })
                .collect(),
            findings: self.findings(&mailboxes),
            rules: found["grade_rules_text"]
                .as_str()
                .unwrap_or(GRADE_RULES_TEXT)
                .to_owned(),
            result: publish(found, self.names),
        })
    }

    fn label_of(&self, mailbox: &MailboxId, sources: &Sources<'_>) -> String {
        let own = sources
            .balance
            .mailboxes
            .iter()
            .find(|m| m.source == *mailbox);
        let job = own.map_or_else(|| "mailbox".to_owned(), |own| own.job.to_string());
        self.label(&job, mailbox)
    }

    fn findings(&self, mailboxes: &[&Value]) -> Vec<FindingPart> {
        let mut out = Vec::new();
        for own in mailboxes {
            let mailbox = MailboxId::new(own["mailbox"].as_str().unwrap_or_default());
            let label = self.label(own["job"].as_str().unwrap_or_default(), &mailbox);
            for one in own["findings"].as_array().into_iter().flatten() {
                let text = |key: &str| one[key].as_str();
                let item = text("item").map(|key| self.names.item(key));
                let item = item.or_else(|| text("target").map(|id| self.names.target(id)));
                let mut what = text("what").unwrap_or("?").to_owned();
                // Differences name properties, never values.
                let differences: Vec<&str> = one["differences"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                if !differences.is_empty() && self.edition == Edition::Internal {
                    what = format!("{what}: {}", differences.join("; "));
                }
                out.push(FindingPart {
                    label: label.clone(),
                    folder: self.folder(&mailbox, text("folder").unwrap_or_default()),
                    item: item.unwrap_or_default(),
                    what,
                    explained: one["explained"].as_bool().unwrap_or(false),
                    items: Count::new(one["items"].as_u64().unwrap_or(1)),
                });
            }
        }
        out.sort_by_key(|one| one.explained);
        out
    }
}

fn content(found: &Value) -> Content {
    let count = |key: &str| Count::new(found[key].as_u64().unwrap_or_default());
    let scope = &found["scope"];
    Content {
        of: count("of"),
        compared: count("compared"),
        same: count("same"),
        by_route: count("effects_of_route"),
        differing: count("differing"),
        not_comparable: count("not_comparable"),
        scope: if let Some(percent) = scope["sample_percent"].as_u64() {
            format!("a sample of {percent} %, seed {}", scope["seed"])
        } else if let Some(nth) = scope["slice"].as_u64() {
            format!("slice {nth} of {}", scope["slices"])
        } else {
            "all items".to_owned()
        },
    }
}

/// When the folders were listed, and one digest over the watermarks of all: SHA-256 over a line for each, in the order of the result, of mailbox
/// number, folder number, rows, facts, mark and sync state, parted by blanks.
fn covers(mailboxes: &[&Value]) -> Option<Covers> {
    let mut hash = Sha256::new();
    let mut listed: Vec<&str> = Vec::new();
    for own in mailboxes {
        let job = own["job"].as_str().unwrap_or_default();
        for folder in own["folders"].as_array().into_iter().flatten() {
            let mark = &folder["watermark"];
            let text = |key: &str| mark[key].as_str().unwrap_or("-");
            listed.push(mark["listed"].as_str()?);
            hash.update(format!(
                "{job} {} {} {} {} {}\n",
                folder["number"],
                mark["rows"],
                mark["facts"],
                text("mark"),
                text("sync_state")
            ));
        }
    }
    Some(Covers {
        from: (*listed.iter().min()?).to_owned(),
        to: (*listed.iter().max()?).to_owned(),
        folders: Count::new(listed.len() as u64),
        watermark: hex(&hash.finalize()),
    })
}

/// The buckets that need a person or another run.
pub const OPEN: [Bucket; 6] = [
    Bucket::Remaining,
    Bucket::InDoubt,
    Bucket::Refused,
    Bucket::Parked,
    Bucket::Quarantined,
    Bucket::ChangedSince,
];
