//! The grade of a mailbox and of a plan: published rules, a pure function of the reconciliation. Whoever has the numbers can recompute it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::quantity::Count;

/// The version of [`GRADE_RULES_TEXT`], written beside every grade.
pub const GRADE_RULES: u32 = 2;

/// The rules as reports and evidence carry them.
pub const GRADE_RULES_TEXT: &str = "\
mailferry grading rules, version 2

A mailbox gets the worst grade that one of these rules gives it; a plan gets the grade of its worst mailbox.
The level of verification stands beside every grade: a grade says nothing about what its level does not compare.

poor         At least one source item is missing on the target and nothing explains it,
             or its content differs there and nothing explains it.
investigate  Every missing item is explained, but at least one waits for a decision or for another run
             (refused, quarantined, parked, in doubt, remaining, changed at the source since),
             or the target holds an item more than once or an item of unknown origin,
             or the content of an item could not be compared,
             or the mailbox was not begun or could not be read.
good         The only differences are items that a rule of the plan leaves behind, items on the target that are
             explained (there before, made there since, or their original left the source since),
             and documented effects of the route on content.
perfect      Every item of the source is on the target, as often as at the source, and nothing else is.
";

/// A grade. Worse is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Everything is there.
    Perfect,
    /// Everything that should be there is there.
    Good,
    /// Somebody must look. What nobody verified is no better.
    #[default]
    Investigate,
    /// Something is missing, or is not what it was.
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

/// What the grade of a mailbox is computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Source items missing on the target by a rule of the plan.
    pub by_rule: Count,
    /// Source items that wait for a decision or another run.
    pub open: Count,
    /// Source items missing, or different on the target, without a reason.
    pub unexplained: Count,
    /// Target items that are there too often or of unknown origin.
    pub extra: Count,
    /// Target items without a partner that are explained.
    pub extra_explained: Count,
    /// Items whose content differs by documented effects of the route.
    pub by_route: Count,
    /// Items whose content was to be compared and could not be.
    pub not_comparable: Count,
}

/// Grades a mailbox.
pub fn grade(marks: Marks) -> Grade {
    let any = |counts: &[Count]| counts.iter().any(|n| *n > Count::ZERO);
    if any(&[marks.unexplained]) {
        Grade::Poor
    } else if any(&[marks.open, marks.extra, marks.not_comparable]) {
        Grade::Investigate
    } else if any(&[marks.by_rule, marks.extra_explained, marks.by_route]) {
        Grade::Good
    } else {
        Grade::Perfect
    }
}

/// The grade of a plan: that of its worst mailbox. `None` is a mailbox nobody could verify. A plan without mailboxes proves nothing.
pub fn worst(mailboxes: impl IntoIterator<Item = Option<Grade>>) -> Grade {
    mailboxes
        .into_iter()
        .map(|grade| grade.unwrap_or(Grade::Investigate))
        .max()
        .unwrap_or(Grade::Investigate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mark and the grade it gives alone.
    type Rule = (fn(&mut Marks) -> &mut Count, Grade);

    const RULES: [Rule; 7] = [
        (|m| &mut m.by_rule, Grade::Good),
        (|m| &mut m.extra_explained, Grade::Good),
        (|m| &mut m.by_route, Grade::Good),
        (|m| &mut m.open, Grade::Investigate),
        (|m| &mut m.extra, Grade::Investigate),
        (|m| &mut m.not_comparable, Grade::Investigate),
        (|m| &mut m.unexplained, Grade::Poor),
    ];

    #[test]
    fn the_worst_mark_decides_whatever_else_is_set() {
        for set in 0_u32..1 << RULES.len() {
            let mut marks = Marks::default();
            let mut want = Grade::Perfect;
            for (at, (mark, grade)) in RULES.iter().enumerate() {
                if set & (1 << at) != 0 {
                    *mark(&mut marks) = Count::new(1);
                    want = want.max(*grade);
                }
            }
            assert_eq!(grade(marks), want, "{marks:?}");
        }
    }

    #[test]
    fn the_worst_mailbox_decides_and_an_unread_one_is_never_good() {
        assert_eq!(
            worst([Some(Grade::Perfect), Some(Grade::Good)]),
            Grade::Good
        );
        assert_eq!(worst([Some(Grade::Perfect), None]), Grade::Investigate);
        assert_eq!(worst([Some(Grade::Poor), None]), Grade::Poor);
        assert_eq!(worst([]), Grade::Investigate);
    }

    #[test]
    fn the_text_names_its_version_and_every_grade() {
        let version = format!("version {GRADE_RULES}\n");
        assert!(GRADE_RULES_TEXT.contains(&version));
        for grade in [Grade::Perfect, Grade::Good, Grade::Investigate, Grade::Poor] {
            assert!(GRADE_RULES_TEXT.contains(&format!("\n{grade} ")), "{grade}");
        }
    }
}
