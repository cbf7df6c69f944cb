//! The report as JSON: the numbers of the page, and those it has no room for.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::paper::{
    DecisionPart, ExceptionPart, FolderPart, MailboxPart, PUBLISHED, Paper, Proof, WaiverPart,
    share,
};
use super::words::Ending;
use crate::base::item::ItemClass;
use crate::base::losses::Family;
use crate::base::quantity::{Bytes, Count};
use crate::base::spec::RunLimits;
use crate::evidence::runs::RunNote;
use crate::report::{summary, words};

/// The schema.
pub const SCHEMA: &str = "mailferry.report/1";

/// Renders the report.
pub fn to_json(paper: &Paper) -> Value {
    json!({
        "schema": SCHEMA,
        "edition": paper.edition.word(),
        "plan": {"name": paper.name, "hash": paper.plan, "realm": paper.realm},
        "records_until": paper.records,
        "verdict": paper.verdict(),
        "open": paper.open(),
        "proven": paper.ending() == Ending::Proven,
        "in_order": paper.settled,
        "grade": paper.proof.as_ref().map(|proof| &proof.grade),
        "level": paper.proof.as_ref().map(|proof| &proof.level),
        "covers": paper.proof.as_ref().map_or(Value::Null, covers),
        "items": summary::items_json(&paper.totals),
        "bytes": {"source": paper.totals.bytes.get(), "carried": paper.totals.carried.get()},
        "uncovered_by_waivers": paper.uncovered.get(),
        "carried_by_class": by_class(paper),
        "mailboxes": paper.mailboxes.iter().map(mailbox).collect::<Vec<_>>(),
        "runs": paper.runs.iter().map(run).collect::<Vec<_>>(),
        "limits": limits(&paper.limits),
        "waivers": paper.waivers.iter().map(waiver).collect::<Vec<_>>(),
        "decisions": paper.decisions.iter().map(decision).collect::<Vec<_>>(),
        "pack": paper.pack.as_ref().map(|pack| json!({
            "name": pack.name,
            "sha256": pack.digest,
            "merkle_root": pack.root,
            "manifest_lines": pack.lines,
            "signatures": pack.signatures,
        })),
        "verification": paper.proof.as_ref().map(|proof| &proof.result),
        "not_proven": paper.not_proven(),
        "posture": paper.posture.as_ref().map(|posture| &posture.facts),
    })
}

/// What travelled by the typed route; null where nothing did.
fn by_class(paper: &Paper) -> Value {
    if paper.by_class.is_empty() {
        return Value::Null;
    }
    let losses: Vec<Value> = paper
        .losses()
        .iter()
        .map(|line| {
            json!({
                "family": line.family.map(Family::key),
                "items_at_most": line.items.get(),
                "what": line.what,
                "fate": line.fate.key(),
                "how": line.how,
            })
        })
        .collect();
    json!({"items": classes(&paper.by_class), "losses": losses})
}

/// Numbers of items by class.
fn classes(of: &BTreeMap<ItemClass, Count>) -> Map<String, Value> {
    let each = of.iter();
    each.map(|(class, n)| (class.as_str().to_owned(), n.get().into()))
        .collect()
}

fn covers(proof: &Proof) -> Value {
    let stale: Vec<Value> = proof
        .stale
        .iter()
        .map(|one| json!({"mailbox": one.label, "folder": one.folder, "why": one.why}))
        .collect();
    let Some(covers) = &proof.covers else {
        return json!({"stale": stale});
    };
    json!({
        "listed_from": covers.from,
        "listed_to": covers.to,
        "folders": covers.folders.get(),
        "watermark": covers.watermark,
        "stale": stale,
    })
}

fn limits(limits: &RunLimits) -> Value {
    json!({
        "published_upload_bytes_per_5_min": PUBLISHED.0.get(),
        "published_requests_per_10_min": PUBLISHED.1.get(),
        "target_calls_in_flight_per_mailbox": limits.target_calls_in_flight,
        "target_requests_per_10_min": limits.target_requests_per_window.map(Count::get),
        "target_upload_bytes_per_5_min": limits.target_upload_per_window.map(Bytes::get),
        "source_mailboxes_at_once": limits.mailboxes_at_once,
        "source_connections": limits.source_connections,
        "visibility_settle_ms": limits.settle.get(),
    })
}

fn mailbox(own: &MailboxPart) -> Value {
    let mut out = json!({
        "job": own.job,
        "mailbox": own.mailbox,
        "target": own.target,
        "phase": words::phase_key(own.phase),
        "items": summary::items_json(&own.totals),
        "bytes": {"source": own.totals.bytes.get(), "carried": own.totals.carried.get()},
        "folders": own.folders.iter().map(folder).collect::<Vec<_>>(),
        "exceptions": own.exceptions.iter().map(exception).collect::<Vec<_>>(),
        "leftovers": own.leftovers.iter().map(exception).collect::<Vec<_>>(),
    });
    if !own.by_class.is_empty() {
        out["carried_by_class"] = classes(&own.by_class).into();
    }
    out
}

fn folder(own: &FolderPart) -> Value {
    let buckets: Map<String, Value> = own
        .balance
        .buckets
        .iter()
        .map(|(bucket, n)| (words::bucket_key(*bucket).to_owned(), n.get().into()))
        .collect();
    json!({
        "path": own.path,
        "left_out": own.left_out.map(crate::base::fact::LeaveRule::name),
        "source": own.balance.source.get(),
        "buckets": buckets,
        "bytes": own.balance.bytes.get(),
        "carried": own.balance.carried.get(),
    })
}

fn exception(one: &ExceptionPart) -> Value {
    let mut out = json!({
        "folder": one.folder,
        "item": one.item,
        "class": one.class,
        "why": one.why,
    });
    if let Some(bucket) = one.bucket {
        out["state"] = words::bucket_key(bucket).into();
    }
    out
}

fn run(run: &RunNote) -> Value {
    let mut out = json!({"run": run.run, "began": run.began, "ended": run.ended});
    if let Some(figures) = &run.figures {
        out["figures"] = figures.facts(&run.run).into_iter().collect();
        out["items_per_hour"] = figures.items_per_hour().map(Count::get).into();
        for (key, part, whole) in [
            ("upload", figures.busiest_upload.get(), PUBLISHED.0.get()),
            (
                "requests",
                figures.busiest_requests.get(),
                PUBLISHED.1.get(),
            ),
        ] {
            let key = format!("busiest_{key}_in_hundredths_of_a_percent_of_the_published_limit");
            out[key] = share(part, Some(whole)).into();
        }
    }
    out
}

fn waiver(one: &WaiverPart) -> Value {
    json!({
        "id": one.id,
        "subject": one.subject,
        "scope": one.scope,
        "at_most": one.at_most.get(),
        "covers": one.used.get(),
        "asked_by": one.asked,
        "granted_by": one.granted,
        "reason": one.reason,
        "until": one.until,
        "counts": one.counts,
        "standing": one.standing,
    })
}

fn decision(one: &DecisionPart) -> Value {
    json!({"at": one.at, "who": one.who, "what": one.what, "reason": one.reason})
}
