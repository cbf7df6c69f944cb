//! Collects what is wrong with the files: the first places of every reason, and how many more there are.
//!
//! A million broken rows have a handful of causes; memory is bounded by the causes, not by the rows.

use std::collections::BTreeMap;

use super::model::Place;
use super::records::Note;
use crate::base::limits::{NOTE_REASONS_MAX, NOTES_PER_REASON_MAX};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Not used; the command ends with exit code 3.
    Refused,
    /// Used, and may be less than it looks.
    Warning,
}

/// A place with its column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) column: u32,
}

#[derive(Debug)]
struct Bucket {
    spots: Vec<Spot>,
    more: u64,
    remedy: String,
    /// True where one line with a count says it all.
    counted: bool,
}

/// The notes of all files.
#[derive(Debug, Default)]
pub(super) struct Notes {
    known: BTreeMap<(u32, Weight, String), Bucket>,
}

impl Notes {
    /// A problem of one row: the first few are listed, the rest counted.
    pub(super) fn row(&mut self, weight: Weight, spot: Spot, reason: &str, remedy: &str) {
        self.add(weight, spot, reason, remedy, false);
    }

    /// A problem of many cells: one note at the first of them, with their number.
    pub(super) fn counted(&mut self, weight: Weight, spot: Spot, reason: &str, remedy: &str) {
        self.add(weight, spot, reason, remedy, true);
    }

    fn add(&mut self, weight: Weight, spot: Spot, reason: &str, remedy: &str, counted: bool) {
        let key = (spot.place.file, weight, reason.to_owned());
        if let Some(bucket) = self.known.get_mut(&key) {
            if counted || bucket.spots.len() >= NOTES_PER_REASON_MAX {
                bucket.more += 1;
            } else {
                bucket.spots.push(spot);
            }
            return;
        }
        // Reasons name columns, and a file of rubbish can have a thousand of them; beyond this they add nothing.
        if self.known.len() < NOTE_REASONS_MAX {
            let bucket = Bucket {
                spots: vec![spot],
                more: 0,
                remedy: remedy.to_owned(),
                counted,
            };
            self.known.insert(key, bucket);
        }
    }

    /// The refusals and the warnings, each in file order.
    pub(super) fn into_lists(self) -> (Vec<Note>, Vec<Note>) {
        let (mut refused, mut warnings) = (Vec::new(), Vec::new());
        for ((_, weight, reason), bucket) in self.known {
            let into = match weight {
                Weight::Refused => &mut refused,
                Weight::Warning => &mut warnings,
            };
            let last = bucket.spots.len() - 1;
            for (at, spot) in bucket.spots.iter().enumerate() {
                let mut reason = reason.clone();
                if bucket.counted && bucket.more > 0 {
                    reason = format!("{reason} ({} times, first here)", bucket.more + 1);
                } else if at == last && bucket.more > 0 {
                    reason = format!("{reason} (and {} more like this)", bucket.more);
                }
                into.push(Note {
                    place: spot.place,
                    column: spot.column,
                    reason,
                    remedy: bucket.remedy.clone(),
                });
            }
        }
        let order = |a: &Note, b: &Note| {
            (a.place, a.column, &a.reason).cmp(&(b.place, b.column, &b.reason))
        };
        refused.sort_by(order);
        warnings.sort_by(order);
        (refused, warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_rows_with_one_cause_are_a_few_notes() {
        let mut notes = Notes::default();
        for line in 1..=1_000_000 {
            let spot = Spot {
                place: Place { file: 0, line },
                column: 1,
            };
            notes.row(Weight::Refused, spot, "broken", "mend it");
            notes.counted(Weight::Warning, spot, "odd", "look");
        }
        let (refused, warnings) = notes.into_lists();
        assert_eq!(refused.len(), NOTES_PER_REASON_MAX);
        assert_eq!(refused[0].reason, "broken");
        assert_eq!(
            refused[NOTES_PER_REASON_MAX - 1].reason,
            format!(
                "broken (and {} more like this)",
                1_000_000 - NOTES_PER_REASON_MAX
            )
        );
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].reason, "odd (1000000 times, first here)");
    }
}
