//! The log of decisions and facts: JSON lines, each of which carries the SHA-256 of the line before it.
//!
//! Nothing inside can be changed, taken out or put in without breaking every line that follows. What stands at the end is bound by the head:
//! the SHA-256 of the last line, which every evidence pack names and every signature covers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::merkle::{Hash, hex};

/// A line longer than this is none of ours: a reason has at most 2,000 characters, and 100 item keys take 3,500.
pub const LINE_MAX: usize = 64_000;

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A run began or ended, as the journal has it.
    Run,
    /// Both sides were compared; names the digest of the result.
    Verification,
    /// Somebody asked for an exception.
    WaiverRequested,
    /// Somebody signed a waiver.
    WaiverSigned,
    /// A waiver was taken back.
    WaiverRevoked,
    /// Somebody decided about parked or withheld items.
    Resolved,
    /// Somebody signed an evidence pack.
    PackSigned,
    /// The gate was closed and the runbook handed out.
    Cutover,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Counts from 1.
    pub seq: u64,
    /// SHA-256 of the line before it, without its line end; zeros for the first.
    pub prev: String,
    /// When it happened, in UTC; empty where the fact carries no time of its own.
    pub at: String,
    /// What it says.
    pub kind: Kind,
    /// Who did it, as they named themselves.
    pub who: Option<String>,
    /// The particulars.
    pub facts: BTreeMap<String, Value>,
}

/// What a new entry says; its place follows from the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    /// When it happened, or nothing.
    pub at: String,
    /// What it says.
    pub kind: Kind,
    /// Who did it.
    pub who: Option<String>,
    /// The particulars.
    pub facts: BTreeMap<String, Value>,
}

/// Why a log is not a chain.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line} of the log: {why}")]
pub struct Broken {
    /// Which line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The end of a chain: what the next entry hangs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    entries: u64,
    head: Hash,
}

impl Chain {
    /// How many entries there are.
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// SHA-256 of the last line; zeros for an empty log.
    pub fn head(&self) -> String {
        hex(&self.head)
    }

    /// Appends, and returns the line without its line end.
    pub fn append(&mut self, saying: Saying) -> String {
        let entry = Entry {
            seq: self.entries + 1,
            prev: self.head(),
            at: saying.at,
            kind: saying.kind,
            who: saying.who,
            facts: saying.facts,
        };
        let line = serde_json::to_string(&entry).expect("an entry is plain data");
        self.pass(&line);
        line
    }

    /// Reads the next line of an existing log.
    pub fn follow(&mut self, line: &str) -> Result<Entry, Broken> {
        let number = self.entries + 1;
        let broken = |why| Broken { line: number, why };
        if line.len() > LINE_MAX {
            return Err(broken("too long"));
        }
        let entry: Entry =
            serde_json::from_str(line).map_err(|_| broken("no entry of this log"))?;
        if entry.seq != number {
            return Err(broken("out of sequence: a line is missing or was put in"));
        }
        if entry.prev != self.head() {
            return Err(broken(
                "does not follow from the line before it, which was changed",
            ));
        }
        self.pass(line);
        Ok(entry)
    }

    fn pass(&mut self, line: &str) {
        self.entries += 1;
        self.head = Sha256::digest(line.as_bytes()).into();
    }
}

/// Reads a whole log: its entries and its end. The last line must be ended, since a half-written one says nothing.
pub fn read(text: &str) -> Result<(Chain, Vec<Entry>), Broken> {
    let mut chain = Chain::default();
    let mut entries = Vec::new();
    let Some(body) = text.strip_suffix('\n') else {
        return if text.is_empty() {
            Ok((chain, entries))
        } else {
            Err(Broken {
                line: text.lines().count() as u64,
                why: "not ended",
            })
        };
    };
    for line in body.split('\n') {
        entries.push(chain.follow(line)?);
    }
    Ok((chain, entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn log(n: usize) -> String {
        let mut chain = Chain::default();
        (0..n).fold(String::new(), |mut text, at| {
            text += &chain.append(Saying {
                at: "2026-11-23T20:00:00Z".into(),
                kind: Kind::Run,
                who: (at % 2 == 0).then(|| "Ada".into()),
                facts: BTreeMap::from([("n".into(), at.into())]),
            });
            text.push('\n');
            text
        })
    }

    #[test]
    fn a_log_reads_back_and_ends_where_it_ended() {
        let text = log(3);
        let (chain, entries) = read(&text).unwrap();
        assert_eq!((chain.entries(), entries.len()), (3, 3));
        let last = text.lines().last().unwrap();
        assert_eq!(chain.head(), hex(&Sha256::digest(last)));
        assert_eq!(read("").unwrap().0, Chain::default());
    }

    #[test]
    fn lines_taken_out_put_in_swapped_or_cut_are_found() {
        let text = log(4);
        let lines: Vec<&str> = text.lines().collect();
        for order in [&[0, 2, 3][..], &[0, 1, 1, 2], &[1, 0], &[1, 2, 3]] {
            let tampered: Vec<&str> = order.iter().map(|at| lines[*at]).collect();
            let tampered = tampered.join(
                "
",
            ) + "
";
            assert!(read(&tampered).is_err(), "{order:?}");
        }
        assert!(read(text.trim_end()).is_err());
    }

    proptest! {
        #[test]
        fn a_changed_byte_breaks_the_chain_or_moves_its_head(at in 0usize..2000, flip in 1u8..128) {
            let text = log(4);
            let (chain, _) = read(&text).unwrap();
            let mut bytes = text.into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(read(&text).map_or(true, |(other, _)| other.head() != chain.head()));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}") {
            let _ = read(&text);
        }
    }
}
