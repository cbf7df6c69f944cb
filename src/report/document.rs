//! The sign-off report as data: computed from plan and ledger alone, so that the same ledger gives the same bytes.

use serde_json::{Map, Value, json};

use crate::base::fact::Bucket;
use crate::base::id::PlanHash;
use crate::base::quantity::Count;
use crate::base::spec::{Realm, RunLimits};
use crate::evidence::balance::{Balance, Exception, FolderBalance, Leftover, MailboxBalance};
use crate::report::{summary, words};

/// The schema of the JSON report.
pub const SCHEMA: &str = "mailferry.report/1";

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The plan's name.
    pub name: &'a str,
    /// The plan's hash.
    pub plan: &'a PlanHash,
    /// Whether real mailboxes were touched.
    pub realm: Realm,
    /// The bounds of the runs.
    pub limits: &'a RunLimits,
    /// What the ledger says.
    pub balance: &'a Balance,
    /// The last result of `verify`, as it was written, where there is one.
    pub verification: Option<&'a Value>,
}

/// What a report does not show, said in it.
pub const NOT_PROVEN: [&str; 5] = [
    "The balance is what this program recorded. Whether both sides still hold it is shown by `mailferry verify`, which lists both sides again.",
    "Rules, permissions, delegates, signatures and other settings of mailboxes are not items and are not carried.",
    "Folders that stay by rule are counted by what the source's hierarchy said when it was last listed.",
    "Items created, changed or deleted on the source after the last run are not part of it.",
    "That an item opens in every client is shown by opening it; compared are identity and content of the stream.",
];

impl Report<'_> {
    /// True when something was begun, everything is settled and nothing is unexplained.
    pub fn is_in_order(&self) -> bool {
        !self.balance.mailboxes.is_empty()
            && self.balance.settled()
            && self.balance.totals().unexplained() == Count::ZERO
    }

    /// The verdict, in one sentence.
    pub fn verdict(&self) -> String {
        let totals = self.balance.totals();
        let (source, confirmed) = (totals.source, totals.of(Bucket::Confirmed));
        if totals.unexplained() > Count::ZERO {
            return format!(
                "Not in order: {} of {source} source items are unexplained.",
                totals.unexplained()
            );
        }
        if self.balance.mailboxes.is_empty() {
            return "Nothing was begun yet.".to_owned();
        }
        if self.is_in_order() {
            let skipped = totals.of(Bucket::Skipped);
            let by_rule = if skipped > Count::ZERO {
                format!("; {skipped} stay by rule")
            } else {
                String::new()
            };
            return format!(
                "In order: {confirmed} of {source} source items are on Microsoft 365{by_rule}, none is unexplained."
            );
        }
        format!(
            "Not finished: {confirmed} of {source} source items are on Microsoft 365, none is unexplained, {} are open.",
            source.saturating_sub(confirmed + totals.of(Bucket::Skipped))
        )
    }

    /// The report as JSON.
    pub fn to_json(&self) -> Value {
        let totals = self.balance.totals();
        let mailboxes: Vec<Value> = self.balance.mailboxes.iter().map(mailbox).collect();
        json!({
            "schema": SCHEMA,
            "plan": {"name": self.name, "hash": self.plan.as_str(), "realm": self.realm},
            "verdict": self.verdict(),
            "in_order": self.is_in_order(),
            "items": summary::items_json(&totals),
            "bytes": {"source": totals.bytes.get(), "carried": totals.carried.get()},
            "limits": limits(self.limits),
            "mailboxes": mailboxes,
            "verification": self.verification,
            "not_proven": NOT_PROVEN,
        })
    }
}

fn limits(limits: &RunLimits) -> Value {
    json!({
        "target_calls_in_flight_per_mailbox": limits.target_calls_in_flight,
        "target_requests_per_10_min": limits.target_requests_per_window.map(Count::get),
        "target_upload_bytes_per_5_min": limits.target_upload_per_window.map(crate::base::quantity::Bytes::get),
        "source_mailboxes_at_once": limits.mailboxes_at_once,
        "source_connections": limits.source_connections,
        "visibility_settle_ms": limits.settle.get(),
    })
}

fn mailbox(mailbox: &MailboxBalance) -> Value {
    let totals = mailbox.totals();
    let folders: Vec<Value> = mailbox.folders.iter().map(folder).collect();
    let exceptions: Vec<Value> = mailbox.exceptions.iter().map(exception).collect();
    let leftovers: Vec<Value> = mailbox.leftovers.iter().map(leftover).collect();
    json!({
        "job": mailbox.job.to_string(),
        "mailbox": mailbox.source.reveal(),
        "target": mailbox.target.reveal(),
        "phase": words::phase_key(mailbox.phase),
        "items": summary::items_json(&totals),
        "bytes": {"source": totals.bytes.get(), "carried": totals.carried.get()},
        "folders": folders,
        "exceptions": exceptions,
        "leftovers": leftovers,
    })
}

fn folder(folder: &FolderBalance) -> Value {
    let mut buckets = Map::new();
    for (bucket, n) in &folder.buckets {
        buckets.insert(words::bucket_key(*bucket).into(), n.get().into());
    }
    json!({
        "path": folder.path.as_str(),
        "left_out": folder.left_out.map(crate::base::fact::LeaveRule::name),
        "source": folder.source.get(),
        "buckets": buckets,
        "bytes": folder.bytes.get(),
        "carried": folder.carried.get(),
    })
}

fn leftover(leftover: &Leftover) -> Value {
    json!({
        "folder": leftover.folder.as_str(),
        "item": leftover.item.to_string(),
        "class": leftover.class.as_str(),
        "why": leftover.why,
    })
}

fn exception(exception: &Exception) -> Value {
    json!({
        "folder": exception.folder.as_str(),
        "item": exception.item.to_string(),
        "class": exception.class.as_str(),
        "state": words::bucket_key(exception.bucket),
        "why": exception.why,
    })
}
