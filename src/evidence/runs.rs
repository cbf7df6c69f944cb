//! What each run did, as the log of decisions keeps it: one entry with its figures at its end, beside those of its beginning and its end that come
//! from the journal. A run whose process died has no figures, and that is said of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::chain::{Entry, Kind};
use crate::base::quantity::{Bytes, Count, Span};

/// The word of an entry with figures.
const FIGURES: &str = "figures";

/// The figures of a run, from its own counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How long it took.
    pub took: Span,
    /// Items that arrived.
    pub confirmed: Count,
    /// Items found on the target and not sent again.
    pub adopted: Count,
    /// Copies replaced by a newer version.
    pub updated: Count,
    /// Copies taken off the target.
    pub retracted: Count,
    /// Stream bytes that arrived.
    pub carried: Bytes,
    /// Bytes sent to the target in bodies, as they travel.
    pub sent: Bytes,
    /// Calls to the source.
    pub source_calls: Count,
    /// Calls to the target.
    pub target_calls: Count,
    /// Throttles met on either side.
    pub throttled: Count,
    /// The most bytes that any one mailbox was sent in 5 minutes.
    pub busiest_upload: Bytes,
    /// The most requests for any one mailbox in 10 minutes.
    pub busiest_requests: Count,
    /// Its exit code.
    pub exit: u8,
}

impl Figures {
    /// The particulars of its entry.
    pub fn facts(&self, run: &str) -> BTreeMap<String, Value> {
        let mut out: BTreeMap<String, Value> = [
            ("took_ms", self.took.get()),
            ("confirmed", self.confirmed.get()),
            ("adopted", self.adopted.get()),
            ("updated", self.updated.get()),
            ("retracted", self.retracted.get()),
            ("carried_bytes", self.carried.get()),
            ("sent_bytes", self.sent.get()),
            ("source_calls", self.source_calls.get()),
            ("target_calls", self.target_calls.get()),
            ("throttled", self.throttled.get()),
            ("busiest_upload_bytes_in_5_min", self.busiest_upload.get()),
            ("busiest_requests_in_10_min", self.busiest_requests.get()),
            ("exit", self.exit.into()),
        ]
        .into_iter()
        .map(|(key, n)| (key.to_owned(), json!(n)))
        .collect();
        out.insert("event".into(), json!(FIGURES));
        out.insert("run".into(), json!(run));
        out
    }

    fn read(facts: &BTreeMap<String, Value>) -> Self {
        let number = |key: &str| facts.get(key).and_then(Value::as_u64).unwrap_or_default();
        Self {
            took: Span::new(number("took_ms")),
            confirmed: Count::new(number("confirmed")),
            adopted: Count::new(number("adopted")),
            updated: Count::new(number("updated")),
            retracted: Count::new(number("retracted")),
            carried: Bytes::new(number("carried_bytes")),
            sent: Bytes::new(number("sent_bytes")),
            source_calls: Count::new(number("source_calls")),
            target_calls: Count::new(number("target_calls")),
            throttled: Count::new(number("throttled")),
            busiest_upload: Bytes::new(number("busiest_upload_bytes_in_5_min")),
            busiest_requests: Count::new(number("busiest_requests_in_10_min")),
            exit: u8::try_from(number("exit")).unwrap_or(u8::MAX),
        }
    }

    /// Items that arrived per hour. `None` for a run that took no time.
    pub fn items_per_hour(&self) -> Option<Count> {
        let hour = u128::from(self.confirmed.get()) * 3_600_000;
        let rate = hour.checked_div(u128::from(self.took.get()))?;
        Some(Count::new(u64::try_from(rate).unwrap_or(u64::MAX)))
    }
}

/// A run, as far as the log knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunNote {
    /// Its name.
    pub run: String,
    /// When it began, in UTC.
    pub began: Option<String>,
    /// When it ended; `None` for one that said nothing at its end.
    pub ended: Option<String>,
    /// What it did, where it came to say so.
    pub figures: Option<Figures>,
}

/// Every run of a log, in the order they appear in it.
pub fn runs(entries: &[Entry]) -> Vec<RunNote> {
    let mut out: Vec<RunNote> = Vec::new();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == Kind::Run) {
        let word = |key: &str| entry.facts.get(key).and_then(Value::as_str);
        let (Some(run), Some(event)) = (word("run"), word("event")) else {
            continue;
        };
        let place = *at.entry(run.to_owned()).or_insert_with(|| {
            out.push(RunNote {
                run: run.to_owned(),
                ..RunNote::default()
            });
            out.len() - 1
        });
        let note = &mut out[place];
        match event {
            "run_started" => note.began = Some(entry.at.clone()),
            "run_ended" => note.ended = Some(entry.at.clone()),
            FIGURES => note.figures = Some(Figures::read(&entry.facts)),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::chain::{Chain, Saying, read};

    fn entry(chain: &mut Chain, at: &str, facts: BTreeMap<String, Value>) -> String {
        let saying = Saying {
            at: at.into(),
            kind: Kind::Run,
            who: None,
            facts,
        };
        format!("{}\n", chain.append(saying))
    }

    fn said(event: &str, run: &str) -> BTreeMap<String, Value> {
        [("event".into(), json!(event)), ("run".into(), json!(run))].into()
    }

    #[test]
    fn a_run_is_put_together_from_its_entries_and_a_killed_one_has_no_figures() {
        let figures = Figures {
            took: Span::from_secs(1_800),
            confirmed: Count::new(900),
            throttled: Count::new(3),
            busiest_upload: Bytes::new(147_000_000),
            exit: 6,
            ..Figures::default()
        };
        let (mut chain, mut log) = (Chain::default(), String::new());
        let operator = [("event".to_owned(), json!("operator"))].into();
        log += &entry(&mut chain, "t0", operator);
        log += &entry(&mut chain, "t1", said("run_started", "r1"));
        log += &entry(&mut chain, "t2", said("run_started", "r2"));
        log += &entry(&mut chain, "t3", said("run_ended", "r2"));
        log += &entry(&mut chain, "t3", figures.facts("r2"));
        let found = runs(&read(&log).expect("a chain").1);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].began.as_deref(), &found[0].ended),
            (Some("t1"), &None)
        );
        assert_eq!(found[0].figures, None);
        assert_eq!(found[1].figures.as_ref(), Some(&figures));
        assert_eq!(figures.items_per_hour(), Some(Count::new(1_800)));
        assert_eq!(Figures::default().items_per_hour(), None);
    }
}
