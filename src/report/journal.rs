//! Events as JSON lines. No content, no addresses: a job is named by its number.

use serde_json::{Map, Value};

use crate::base::event::{Event, EventKind};

/// True for events the journal keeps. Every call would be a line of its own; calls are counted instead.
pub fn is_kept(event: &Event) -> bool {
    !matches!(event.kind, EventKind::Called { .. })
}

/// One event as one line of JSON, without the line's end: `event`, `at`, `run`, `job`, then the event's own fields.
pub fn line(event: &Event) -> String {
    let mut out = Map::new();
    let kind = serde_json::to_value(&event.kind).unwrap_or(Value::Null);
    let (name, fields) = match kind {
        Value::String(name) => (name, Value::Null),
        Value::Object(map) => map.into_iter().next().unwrap_or_default(),
        _ => ("unknown".to_owned(), Value::Null),
    };
    out.insert("event".into(), Value::String(name));
    out.insert("at".into(), Value::String(event.at.to_string()));
    out.insert("run".into(), Value::String(event.run.to_string()));
    if let Some(job) = event.job {
        out.insert("job".into(), Value::String(job.to_string()));
    }
    if let EventKind::Resting { until } = &event.kind {
        // Civil time is written as text, as `at` is.
        out.insert("until".into(), Value::String(until.to_string()));
    }
    match fields {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                out.entry(key).or_insert(value);
            }
        }
        other => {
            out.insert("value".into(), other);
        }
    }
    Value::Object(out).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::Side;
    use crate::base::fact::JobPhase;
    use crate::base::id::{FolderNo, JobId, RunId};
    use crate::base::outcome::{DoubtCause, HaltCause, Refusal, RefusalWhy, Said, Scope, Setback};
    use crate::base::quantity::{Bytes, Count, Moment, Span};
    use crate::base::screening::Unscanned;

    #[test]
    #[expect(clippy::too_many_lines, reason = "one line for each event")]
    fn every_event_is_one_line_with_its_name() {
        let n = Count::new(3);
        let refusal = Refusal {
            why: RefusalWhy::TargetRefused,
            said: Said::new(400, "ErrorCorruptData"),
        };
        let kinds = vec![
            EventKind::RunStarted { jobs: n },
            EventKind::JobStarted,
            EventKind::FoldersListed {
                carried: n,
                left_out: n,
                items: n,
            },
            EventKind::PageStored {
                folder: FolderNo(1),
                new: n,
                bytes: Bytes::new(9),
            },
            EventKind::CopyConfirmed {
                bytes: Bytes::new(9),
            },
            EventKind::CopyAdopted,
            EventKind::CopyRefused(refusal.clone()),
            EventKind::CopyRerouted(refusal),
            EventKind::CopySkipped,
            EventKind::CopyWithheld,
            EventKind::CopyWaits(Unscanned::TooDeep),
            EventKind::ScreenerProved {
                by: "rules 1".to_owned(),
                stale: false,
            },
            EventKind::CopyParked,
            EventKind::CopyGone,
            EventKind::Doubted,
            EventKind::DoubtKept,
            EventKind::DoubtSettled { there: true },
            EventKind::Called {
                side: Side::Target,
                sent: Bytes::new(9),
            },
            EventKind::SetBack {
                side: Side::Target,
                setback: Setback::Throttled {
                    scope: Scope::TargetMailbox,
                    wait: Some(Span::from_secs(1)),
                    said: Said::status(429),
                },
            },
            EventKind::SetBack {
                side: Side::Target,
                setback: Setback::Lost(DoubtCause::Reset),
            },
            EventKind::Held {
                scope: Scope::TargetMailbox,
                wait: Span::from_secs(1),
            },
            EventKind::JobPhase(JobPhase::CaughtUp),
            EventKind::JobPhase(JobPhase::Halted(HaltCause::QuotaFull)),
            EventKind::JobHalted(HaltCause::QuotaFull),
            EventKind::Draining,
            EventKind::RunEnded,
            EventKind::Resting {
                until: Moment::from_unix_ms(60_000),
            },
        ];
        let mut out = String::new();
        for kind in kinds {
            let event = Event {
                at: Moment::from_unix_ms(0),
                run: RunId::new("r1"),
                job: Some(JobId(7)),
                kind,
            };
            let text = line(&event);
            assert!(!text.contains('\n'));
            let read: Value = serde_json::from_str(&text).expect("a JSON object");
            assert!(read["event"].is_string(), "{text}");
            out.push_str(&text);
            out.push('\n');
        }
        insta::assert_snapshot!(out, @r#"
        {"at":"1970-01-01T00:00:00Z","event":"run_started","job":"m0007","jobs":3,"run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"job_started","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","carried":3,"event":"folders_listed","items":3,"job":"m0007","left_out":3,"run":"r1"}
        {"at":"1970-01-01T00:00:00Z","bytes":9,"event":"page_stored","folder":1,"job":"m0007","new":3,"run":"r1"}
        {"at":"1970-01-01T00:00:00Z","bytes":9,"event":"copy_confirmed","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"copy_adopted","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"copy_refused","job":"m0007","run":"r1","said":{"code":"ErrorCorruptData","status":400},"why":"TargetRefused"}
        {"at":"1970-01-01T00:00:00Z","event":"copy_rerouted","job":"m0007","run":"r1","said":{"code":"ErrorCorruptData","status":400},"why":"TargetRefused"}
        {"at":"1970-01-01T00:00:00Z","event":"copy_skipped","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"copy_withheld","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"copy_waits","job":"m0007","run":"r1","value":"TooDeep"}
        {"at":"1970-01-01T00:00:00Z","by":"rules 1","event":"screener_proved","job":"m0007","run":"r1","stale":false}
        {"at":"1970-01-01T00:00:00Z","event":"copy_parked","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"copy_gone","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"doubted","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"doubt_kept","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"doubt_settled","job":"m0007","run":"r1","there":true}
        {"at":"1970-01-01T00:00:00Z","event":"called","job":"m0007","run":"r1","sent":9,"side":"target"}
        {"at":"1970-01-01T00:00:00Z","event":"set_back","job":"m0007","run":"r1","setback":{"Throttled":{"said":{"code":null,"status":429},"scope":"TargetMailbox","wait":1000}},"side":"target"}
        {"at":"1970-01-01T00:00:00Z","event":"set_back","job":"m0007","run":"r1","setback":{"Lost":"Reset"},"side":"target"}
        {"at":"1970-01-01T00:00:00Z","event":"held","job":"m0007","run":"r1","scope":"TargetMailbox","wait":1000}
        {"at":"1970-01-01T00:00:00Z","event":"job_phase","job":"m0007","run":"r1","value":"CaughtUp"}
        {"Halted":"QuotaFull","at":"1970-01-01T00:00:00Z","event":"job_phase","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"job_halted","job":"m0007","run":"r1","value":"QuotaFull"}
        {"at":"1970-01-01T00:00:00Z","event":"draining","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"run_ended","job":"m0007","run":"r1"}
        {"at":"1970-01-01T00:00:00Z","event":"resting","job":"m0007","run":"r1","until":"1970-01-01T00:01:00Z"}
        "#);
    }
}
