//! The item-copy state machine: facts in, state out, next step from the state.
//!
//! ```text
//!            Intended                Acknowledged
//!  Wanted ─────────────▶ Intended ───────────────▶ Confirmed
//!     ▲  ▲    (durable     │   │ Refused               ▲
//!     │  │   before the    │   └────────▶ Refused      │ SeenOnce
//!     │  │   first byte)   │ Lost, or crash            │
//!     │  └─ NothingSent ───┤                           │
//!     │                    ▼                           │
//!     └── NotSeen x n ── InDoubt ──────────────────────┘
//!        (after the lag)    │ SeenTwice, or attempts spent
//!                           ▼
//!                         Parked ── a person decides
//! ```
//!
//! What this promises: at most one visible item per source item, *as long as the target's visibility lag is shorter than our settle
//! time*. Where it is longer, a resend may make a second one; the looks that follow and the verifier find it. "Exactly once" without
//! that sentence is a slogan.

use thiserror::Error;

use crate::base::fact::{Bucket, CopyFact, CopyRow, SkipRule};
use crate::base::item::{Digest, Placed};
use crate::base::limits::{ATTEMPTS_MAX, EMPTY_LOOKS_MIN};
use crate::base::outcome::{DoubtCause, Refusal};
use crate::base::quantity::Bytes;

/// Where one item copy stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyState {
    /// Listed, to be carried.
    Wanted {
        /// Creates attempted so far.
        attempts: u32,
    },
    /// The intent is durable; the create may be on its way.
    Intended {
        /// Creates attempted, this one included.
        attempts: u32,
        /// What is being sent.
        sent: Sent,
    },
    /// Nobody knows whether the create took effect.
    InDoubt {
        /// Creates attempted.
        attempts: u32,
        /// Late enough looks that did not see it.
        empty_looks: u32,
        /// Why there is doubt.
        cause: DoubtCause,
        /// What was sent.
        sent: Sent,
        /// The source item changed meanwhile.
        changed: bool,
    },
    /// On the target, exactly once.
    Confirmed {
        /// Where.
        placed: Placed,
        /// What was sent; `None` for an adopted copy.
        sent: Option<Sent>,
    },
    /// Was confirmed; the source item changed afterwards.
    ChangedSince {
        /// Where the older version is.
        placed: Placed,
    },
    /// Was confirmed; the source item left the source afterwards.
    Departed {
        /// Where the copy is.
        placed: Placed,
    },
    /// Will not be carried, for this reason.
    Refused(Refusal),
    /// Stays behind by rule.
    Skipped(SkipRule),
    /// Waits for a person.
    Parked(ParkCause),
    /// Left the source before it was carried.
    Gone,
}

/// What a create carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Canonical digest of the stream, where it could be read whole.
    pub digest: Option<Digest>,
    /// Length of the stream.
    pub stream: Bytes,
}

/// Why a person must decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkCause {
    /// The target shows more copies than the ledger explains.
    Duplicate,
    /// Sent as often as allowed, and never seen.
    NeverArrives,
}

impl ParkCause {
    /// The cause in words, for lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "the target shows more copies than were sent",
            Self::NeverArrives => "sent as often as allowed and never seen",
        }
    }
}

/// What to do with an item now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyStep {
    /// Record the intent, then create it.
    Create,
    /// Look at the target.
    Look,
    /// Nothing: it is settled.
    Rest,
}

/// A fact that cannot follow the state it met. A bug or a damaged ledger, never bad mail.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the fact {fact:?} cannot follow the state {state:?}")]
pub struct IllegalFact {
    /// The state before.
    pub state: Box<CopyState>,
    /// The fact.
    pub fact: Box<CopyFact>,
}

impl CopyState {
    /// A freshly listed item.
    pub const NEW: Self = Self::Wanted { attempts: 0 };

    /// Applies one fact. Total: every pair is a new state or an [`IllegalFact`] naming both.
    pub fn apply(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        use CopyFact as F;
        use CopyState as S;
        Ok(match (self, fact) {
            (S::Wanted { attempts }, F::Intended { digest, stream }) => S::Intended {
                attempts: attempts + 1,
                sent: Sent {
                    digest: *digest,
                    stream: *stream,
                },
            },
            (S::Intended { sent, .. }, F::Acknowledged(placed)) => S::Confirmed {
                placed: placed.clone(),
                sent: Some(sent),
            },
            (S::Intended { attempts, .. }, F::NothingSent) => S::Wanted {
                attempts: attempts.saturating_sub(1),
            },
            (S::Wanted { .. } | S::Intended { .. }, F::Refused(why)) => S::Refused(why.clone()),
            (S::Intended { attempts, sent }, F::Lost(cause)) => S::InDoubt {
                attempts,
                empty_looks: 0,
                cause: cause.clone(),
                sent,
                changed: false,
            },
            (
                S::InDoubt {
                    sent,
                    changed: false,
                    ..
                },
                F::SeenOnce(placed),
            ) => S::Confirmed {
                placed: placed.clone(),
                sent: Some(sent),
            },
            (S::InDoubt { changed: true, .. }, F::SeenOnce(placed)) => S::ChangedSince {
                placed: placed.clone(),
            },
            (S::Confirmed { placed, .. }, F::ChangedSince) => S::ChangedSince { placed },
            (doubt @ S::InDoubt { .. }, F::NotSeen) => doubt.not_seen(),
            (S::InDoubt { .. }, F::SeenTwice) => S::Parked(ParkCause::Duplicate),
            (S::Wanted { .. }, F::Adopted(placed)) => S::Confirmed {
                placed: placed.clone(),
                sent: None,
            },
            (S::Wanted { .. }, F::Skipped(rule)) => S::Skipped(*rule),
            (state, F::Gone) => state.gone(fact)?,
            (state, F::ChangedSince) => state.changed(fact)?,
            (state, fact) => return Err(illegal(state, fact)),
        })
    }

    fn not_seen(self) -> Self {
        let Self::InDoubt {
            attempts,
            empty_looks,
            cause,
            sent,
            changed,
        } = self
        else {
            return self;
        };
        let empty_looks = empty_looks + 1;
        if empty_looks < EMPTY_LOOKS_MIN {
            Self::InDoubt {
                attempts,
                empty_looks,
                cause,
                sent,
                changed,
            }
        } else if attempts < ATTEMPTS_MAX {
            Self::Wanted { attempts }
        } else {
            Self::Parked(ParkCause::NeverArrives)
        }
    }

    fn gone(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        match self {
            Self::Wanted { .. } | Self::Refused(_) | Self::Skipped(_) | Self::Gone => {
                Ok(Self::Gone)
            }
            Self::Confirmed { placed, .. }
            | Self::ChangedSince { placed }
            | Self::Departed { placed } => Ok(Self::Departed { placed }),
            // A doubt stays a doubt: the copy may be there, and somebody must look.
            Self::InDoubt {
                attempts,
                empty_looks,
                cause,
                sent,
                ..
            } => Ok(Self::InDoubt {
                attempts,
                empty_looks,
                cause,
                sent,
                changed: true,
            }),
            state @ (Self::Intended { .. } | Self::Parked(_)) => Err(illegal(state, fact)),
        }
    }

    fn changed(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        match self {
            // What was settled without a copy gets another chance with its new content.
            Self::Wanted { .. } | Self::Refused(_) | Self::Skipped(_) | Self::Gone => Ok(Self::NEW),
            Self::ChangedSince { placed } | Self::Departed { placed } => {
                Ok(Self::ChangedSince { placed })
            }
            Self::InDoubt {
                attempts,
                empty_looks,
                cause,
                sent,
                ..
            } => Ok(Self::InDoubt {
                attempts,
                empty_looks,
                cause,
                sent,
                changed: true,
            }),
            Self::Parked(cause) => Ok(Self::Parked(cause)),
            state @ (Self::Confirmed { .. } | Self::Intended { .. }) => Err(illegal(state, fact)),
        }
    }

    /// What is to be done now.
    pub const fn due(&self) -> CopyStep {
        match self {
            Self::Wanted { .. } => CopyStep::Create,
            Self::Intended { .. } | Self::InDoubt { .. } => CopyStep::Look,
            Self::Confirmed { .. }
            | Self::ChangedSince { .. }
            | Self::Departed { .. }
            | Self::Refused(_)
            | Self::Skipped(_)
            | Self::Parked(_)
            | Self::Gone => CopyStep::Rest,
        }
    }

    /// The bucket of the balance; `None` for what is no longer on the source.
    pub const fn bucket(&self) -> Option<Bucket> {
        Some(match self {
            Self::Wanted { .. } => Bucket::Remaining,
            Self::Intended { .. } | Self::InDoubt { .. } => Bucket::InDoubt,
            Self::Confirmed { .. } => Bucket::Confirmed,
            Self::ChangedSince { .. } => Bucket::ChangedSince,
            Self::Refused(_) => Bucket::Refused,
            Self::Skipped(_) => Bucket::Skipped,
            Self::Parked(_) => Bucket::Parked,
            Self::Gone | Self::Departed { .. } => return None,
        })
    }

    /// The copy we know of on the target.
    pub const fn placed(&self) -> Option<&Placed> {
        match self {
            Self::Confirmed { placed, .. }
            | Self::ChangedSince { placed }
            | Self::Departed { placed } => Some(placed),
            Self::Wanted { .. }
            | Self::Intended { .. }
            | Self::InDoubt { .. }
            | Self::Refused(_)
            | Self::Skipped(_)
            | Self::Parked(_)
            | Self::Gone => None,
        }
    }
}

fn illegal(state: CopyState, fact: &CopyFact) -> IllegalFact {
    IllegalFact {
        state: Box::new(state),
        fact: Box::new(fact.clone()),
    }
}

/// Replays the facts of a row. The state is what the last process knew.
pub fn replay(row: &CopyRow) -> Result<CopyState, IllegalFact> {
    row.facts.iter().try_fold(CopyState::NEW, CopyState::apply)
}

/// Replays a row as a new process must see it: an intent whose answer nobody heard is a doubt, and nothing else changes.
pub fn recover(row: &CopyRow) -> Result<CopyState, IllegalFact> {
    replay(row)?.after_crash()
}

impl CopyState {
    /// The same state, seen by a process that did not hear the end of it.
    pub fn after_crash(self) -> Result<Self, IllegalFact> {
        if matches!(self, Self::Intended { .. }) {
            self.apply(&CopyFact::Lost(DoubtCause::Crash))
        } else {
            Ok(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ChangeKey, TargetItemId};
    use crate::base::outcome::{RefusalWhy, Said};
    use proptest::prelude::*;

    fn placed(n: u32) -> Placed {
        Placed {
            item: TargetItemId::new(format!("t{n}")),
            change_key: ChangeKey::new("c"),
        }
    }

    fn every_fact() -> Vec<CopyFact> {
        let refusal = Refusal {
            why: RefusalWhy::TargetRefused,
            said: Said::default(),
        };
        vec![
            CopyFact::Intended {
                digest: None,
                stream: Bytes::new(1),
            },
            CopyFact::Acknowledged(placed(1)),
            CopyFact::NothingSent,
            CopyFact::Refused(refusal),
            CopyFact::Lost(DoubtCause::TimedOut),
            CopyFact::SeenOnce(placed(2)),
            CopyFact::NotSeen,
            CopyFact::SeenTwice,
            CopyFact::Adopted(placed(3)),
            CopyFact::Skipped(SkipRule::TooOld),
            CopyFact::Gone,
            CopyFact::ChangedSince,
        ]
    }

    fn run(facts: &[CopyFact]) -> Result<CopyState, IllegalFact> {
        facts.iter().try_fold(CopyState::NEW, CopyState::apply)
    }

    const INTENT: CopyFact = CopyFact::Intended {
        digest: None,
        stream: Bytes::ZERO,
    };

    #[test]
    fn a_crash_turns_intended_into_in_doubt_and_nothing_else() {
        // Every state reachable in four facts, seen again after a crash.
        let mut states = vec![CopyState::NEW];
        for _ in 0..4 {
            let mut next = states.clone();
            for state in &states {
                next.extend(
                    every_fact()
                        .iter()
                        .filter_map(|f| state.clone().apply(f).ok()),
                );
            }
            next.sort_by_key(|s| format!("{s:?}"));
            next.dedup();
            states = next;
        }
        assert!(states.len() > 15, "only {} states reached", states.len());
        for state in states {
            let after = state.clone().after_crash().unwrap();
            if matches!(state, CopyState::Intended { .. }) {
                assert!(matches!(
                    after,
                    CopyState::InDoubt {
                        cause: DoubtCause::Crash,
                        ..
                    }
                ));
            } else {
                assert_eq!(after, state);
            }
        }
    }

    #[test]
    fn nothing_is_sent_again_before_the_doubt_is_settled() {
        let doubt = run(&[INTENT, CopyFact::Lost(DoubtCause::Reset)]).unwrap();
        assert_eq!(doubt.due(), CopyStep::Look);
        assert!(
            doubt.apply(&INTENT).is_err(),
            "an intent must not follow a doubt"
        );
        let intended = run(&[INTENT]).unwrap();
        assert!(
            intended.apply(&INTENT).is_err(),
            "an intent must not follow an intent"
        );
    }

    #[test]
    fn absence_counts_only_after_more_than_one_look() {
        let mut state = run(&[INTENT, CopyFact::Lost(DoubtCause::Reset)]).unwrap();
        for _ in 1..EMPTY_LOOKS_MIN {
            state = state.apply(&CopyFact::NotSeen).unwrap();
            assert_eq!(state.due(), CopyStep::Look);
        }
        assert_eq!(
            state.apply(&CopyFact::NotSeen).unwrap(),
            CopyState::Wanted { attempts: 1 }
        );
    }

    #[test]
    fn spent_attempts_park_instead_of_looping() {
        let mut state = CopyState::NEW;
        for attempt in 1..=ATTEMPTS_MAX {
            state = state.apply(&INTENT).unwrap();
            state = state.apply(&CopyFact::Lost(DoubtCause::TimedOut)).unwrap();
            for _ in 0..EMPTY_LOOKS_MIN {
                state = state.apply(&CopyFact::NotSeen).unwrap();
            }
            assert_eq!(
                matches!(state, CopyState::Parked(ParkCause::NeverArrives)),
                attempt == ATTEMPTS_MAX
            );
        }
    }

    #[test]
    fn a_throttled_create_costs_no_attempt() {
        let state = run(&[INTENT, CopyFact::NothingSent]).unwrap();
        assert_eq!(state, CopyState::NEW);
    }

    #[test]
    fn a_doubtful_copy_of_an_item_that_changed_is_not_called_confirmed() {
        let lost = CopyFact::Lost(DoubtCause::Reset);
        let state = run(&[
            INTENT,
            lost,
            CopyFact::ChangedSince,
            CopyFact::SeenOnce(placed(1)),
        ])
        .unwrap();
        assert_eq!(state.bucket(), Some(Bucket::ChangedSince));
    }

    proptest! {
        /// Over any sequence of facts: the machine never panics, never counts more attempts than allowed, and a copy once known
        /// stays known until it is gone.
        #[test]
        fn any_sequence_of_facts_keeps_the_books(picks in proptest::collection::vec(0usize..12, 0..60)) {
            let facts = every_fact();
            let mut state = CopyState::NEW;
            for pick in picks {
                let before = state.clone();
                match state.clone().apply(&facts[pick]) {
                    Ok(next) => {
                        if before.placed().is_some() {
                            prop_assert!(next.placed().is_some(), "{before:?} lost its copy to {next:?}");
                        }
                        if let CopyState::Intended { attempts, .. } = next {
                            prop_assert!(attempts <= ATTEMPTS_MAX);
                        }
                        state = next;
                    }
                    Err(error) => prop_assert_eq!(*error.state, before),
                }
            }
        }
    }
}
