//! The grade of a mailbox: published rules, version 1, from the reconciliation alone.
//!
//! | grade | rule |
//! |---|---|
//! | perfect | every source item is on the target, the target shows nothing that is not accounted for |
//! | good | the only differences are items a rule of the plan leaves behind |
//! | investigate | every difference is explained, but some wait for a decision or another run, or the target holds items of unknown origin |
//! | poor | at least one source item is missing without explanation |

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::quantity::Count;

/// The version of the rules above, written beside every grade.
pub const GRADE_RULES: u32 = 1;

/// A grade. Worse is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Everything is there.
    Perfect,
    /// Everything that should be there is there.
    Good,
    /// Somebody must look.
    Investigate,
    /// Something is missing.
    Poor,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Perfect => "perfect",
            Self::Good => "good",
            Self::Investigate => "investigate",
            Self::Poor => "poor",
        })
    }
}

/// What the grade is computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Source items missing on the target by a rule of the plan.
    pub by_rule: Count,
    /// Source items missing for a reason somebody must decide about.
    pub open: Count,
    /// Source items missing without a reason.
    pub unexplained: Count,
    /// Target items of unknown origin.
    pub extra: Count,
}

/// Grades a mailbox.
pub fn grade(marks: Marks) -> Grade {
    if marks.unexplained > Count::ZERO {
        Grade::Poor
    } else if marks.open > Count::ZERO || marks.extra > Count::ZERO {
        Grade::Investigate
    } else if marks.by_rule > Count::ZERO {
        Grade::Good
    } else {
        Grade::Perfect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_mark_decides() {
        let n = Count::new(1);
        for (marks, want) in [
            (Marks::default(), Grade::Perfect),
            (
                Marks {
                    by_rule: n,
                    ..Marks::default()
                },
                Grade::Good,
            ),
            (
                Marks {
                    by_rule: n,
                    extra: n,
                    ..Marks::default()
                },
                Grade::Investigate,
            ),
            (
                Marks {
                    open: n,
                    ..Marks::default()
                },
                Grade::Investigate,
            ),
            (
                Marks {
                    unexplained: n,
                    by_rule: n,
                    ..Marks::default()
                },
                Grade::Poor,
            ),
        ] {
            assert_eq!(grade(marks), want, "{marks:?}");
        }
    }
}
