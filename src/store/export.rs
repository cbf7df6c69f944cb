//! A ledger as lines of JSON, one row each. Addresses, folder names, people and reasons are shown only on request; subjects and contents are
//! not in a ledger.

use serde_json::{Value, json};

use crate::base::fact::{CopyFact, CopyRow, Decision, FolderFate, FolderRow, JobRow};
use crate::base::id::{ItemId, JobId};
use crate::base::item::{Digest, ItemKey, Placed};
use crate::base::quantity::{Bytes, Count};
use crate::base::screening::{Answer, Screening};
use crate::flow::copy::replay;
use crate::port::ledger::LedgerError;
use crate::store::codec::{self, FORMAT};
use crate::store::inspect::Inspection;
use crate::store::shelf::unpack;

/// The schema of the first line.
const SCHEMA: &str = "mailferry.ledger/1";

/// Whether names are shown.
#[derive(Clone, Copy, Debug)]
struct Shown(bool);

impl Inspection {
    /// Hands every row out as one line, the header first. Returns how many lines; ends early, without an error, when `out` wants no more.
    pub fn export(
        &self,
        reveal: bool,
        out: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Count, LedgerError> {
        let shown = Shown(reveal);
        let mut lines = 0;
        let mut tell = |value: Value| {
            lines += 1;
            out(&value.to_string())
        };
        let first = json!({
            "type": "ledger",
            "schema": SCHEMA,
            "format": FORMAT,
            "plan": self.header.plan.to_string(),
            "realm": self.header.realm,
        });
        let mut more = tell(first);
        for prefix in [codec::JOBS, codec::FOLDERS, codec::COPIES] {
            self.shelf.walk(prefix, |key, bytes| {
                let job = codec::job_of(key).unwrap_or(JobId(0));
                match prefix {
                    _ if !more => {}
                    codec::JOBS => more = tell(shown.job(&read(bytes)?)),
                    codec::FOLDERS => more = tell(shown.folder(job, &read(bytes)?)),
                    _ => {
                        for slot in unpack(bytes)?.slots() {
                            more = more && tell(shown.copy(job, &read(slot.row)?));
                        }
                    }
                }
                Ok(more)
            })?;
        }
        Ok(Count::new(lines))
    }
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, LedgerError> {
    codec::decode(bytes).map_err(|error| LedgerError::Unusable(error.to_string()))
}

impl Shown {
    fn job(self, row: &JobRow) -> Value {
        let name = |id: &crate::base::id::MailboxId| {
            if self.0 {
                id.reveal().to_owned()
            } else {
                id.to_string()
            }
        };
        json!({
            "type": "mailbox",
            "job": row.job.to_string(),
            "source": name(&row.source),
            "target": name(&row.target),
            "phase": row.phase,
            "epoch": row.epoch,
            "since": row.since.to_string(),
        })
    }

    fn folder(self, job: JobId, row: &FolderRow) -> Value {
        json!({
            "type": "folder",
            "job": job.to_string(),
            "folder": row.no.0,
            "parent": row.parent.map(|no| no.0),
            "path": self.0.then(|| row.path.to_string()),
            "class": row.class,
            "items": row.items.get(),
            "left_out": match row.fate {
                FolderFate::Carry => None,
                FolderFate::LeftOut(rule) => Some(rule.name()),
            },
            "target": row.target.as_ref().map(|id| key_of(id.as_str())),
            "swept": row.swept,
            "made": row.made,
            "gone": row.gone,
        })
    }

    fn copy(self, job: JobId, row: &CopyRow) -> Value {
        let state = replay(row).ok();
        let facts: Vec<Value> = row.facts.iter().map(|fact| self.fact(fact)).collect();
        json!({
            "type": "item",
            "job": job.to_string(),
            "folder": row.folder.0,
            "item": row.key.to_string(),
            "class": row.header.class.as_str(),
            "size": row.header.size.get(),
            "read": row.header.read,
            "received": row.header.received.map(|at| at.to_string()),
            "bucket": state.as_ref().and_then(crate::flow::copy::CopyState::bucket),
            "due": state.as_ref().and_then(crate::flow::copy::CopyState::due),
            "facts": facts,
        })
    }

    fn fact(self, fact: &CopyFact) -> Value {
        let sent = |name, digest: &Option<Digest>, stream: &Bytes| {
            let digest = digest.as_ref().map(|digest| format!("{digest:?}"));
            json!({"fact": name, "sha256": digest, "bytes": stream.get()})
        };
        let at =
            |name, placed: &Placed| json!({"fact": name, "target": key_of(placed.item.as_str())});
        let plain = |name| json!({ "fact": name });
        match fact {
            CopyFact::Intended { digest, stream } => sent("intended", digest, stream),
            CopyFact::UpdateIntended { digest, stream } => sent("update_intended", digest, stream),
            CopyFact::Acknowledged(placed) => at("acknowledged", placed),
            CopyFact::SeenOnce(placed) => at("seen_once", placed),
            CopyFact::Adopted(placed) => at("adopted", placed),
            CopyFact::Updated(placed) => at("updated", placed),
            CopyFact::Relearned(placed) => at("relearned", placed),
            CopyFact::NothingSent => plain("nothing_sent"),
            CopyFact::NotSeen => plain("not_seen"),
            CopyFact::SeenTwice => plain("seen_twice"),
            CopyFact::Gone => plain("gone"),
            CopyFact::ChangedSince => plain("changed_since"),
            CopyFact::NotUpdated => plain("not_updated"),
            CopyFact::SameContent => plain("same_content"),
            CopyFact::Retracted => plain("retracted"),
            CopyFact::Refused(refusal) => {
                json!({"fact": "refused", "why": refusal.why, "said": refusal.said})
            }
            CopyFact::Rerouted(refusal) => {
                let (why, said) = refusal.as_ref().map(|own| (own.why, &own.said)).unzip();
                json!({"fact": "rerouted", "why": why, "said": said})
            }
            CopyFact::Lost(cause) => json!({"fact": "lost", "why": cause}),
            CopyFact::Skipped(rule) => json!({"fact": "skipped", "rule": rule.name()}),
            CopyFact::Estranged(how) => json!({"fact": "estranged", "how": how.name()}),
            CopyFact::Retried(decision) => self.decision("retried", &Value::Null, decision),
            CopyFact::Resolved(wish, decision) => self.decision("resolved", &json!(wish), decision),
            CopyFact::Screened(screening) => screened(screening),
            CopyFact::Judged(judgement, _, decision) => {
                self.decision("judged", &json!(judgement), decision)
            }
        }
    }

    fn decision(self, name: &str, wish: &Value, decision: &Decision) -> Value {
        json!({
            "fact": name,
            "decision": wish,
            "by": self.0.then_some(&decision.by),
            "why": self.0.then_some(&decision.why),
            "at": decision.at.to_string(),
        })
    }
}

fn screened(screening: &Screening) -> Value {
    let (answer, hits, why) = match &screening.answer {
        Answer::NothingFound => ("nothing_found", &[][..], None),
        Answer::Found(hits) => ("found", hits.as_slice(), None),
        Answer::NotScanned(why) => ("not_scanned", &[][..], Some(why)),
    };
    let hits: Vec<Value> = hits
        .iter()
        .map(|hit| json!({"mark": hit.mark, "sha256": hit.content.to_string()}))
        .collect();
    json!({
        "fact": "screened",
        "answer": answer,
        "hits": hits,
        "why": why,
        "effect": screening.effect,
        "parts": screening.parts,
        "by": screening.by.to_string(),
        "sha256": screening.bound.content.map(|digest| digest.to_string()),
    })
}

/// An id of the target as a key: it tells two things apart and opens nothing.
fn key_of(id: &str) -> String {
    ItemKey::of(&ItemId::new(id)).to_string()
}
