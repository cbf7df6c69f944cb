//! The part of the item-copy machine that screening moves: what passes, what waits, what is withheld, and what people decide about it.

use crate::base::fact::{CopyFact, CopyRow};
use crate::base::item::{Digest, Placed};
use crate::base::route::Route;
use crate::base::screening::{Answer, Binding, Effect, Judgement, Screening, Unscanned};
use crate::flow::copy::{CopyState, IllegalFact, Sent, illegal, outdated, wanted};
use crate::flow::route::route_of;

/// A copy on the target that is older than what is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// Where it is.
    pub placed: Placed,
    /// What it was made from; `None` for an adopted copy.
    pub sent: Option<Sent>,
    /// Newer contents that were sent and may be there instead.
    pub tried: Vec<Digest>,
}

impl Older {
    /// The state of an item that is to be carried, over this copy where there is one.
    pub(super) fn free(copy: Option<Self>) -> CopyState {
        match copy {
            None => wanted(0),
            Some(older) => outdated(older.placed, older.sent, older.tried, 0),
        }
    }

    /// The state of an item that left the source, with this copy on the target where there is one.
    pub(super) fn left(copy: Option<Self>) -> CopyState {
        match copy {
            None => CopyState::Gone,
            Some(older) => CopyState::Departed {
                placed: older.placed,
                sent: older.sent,
                tried: older.tried,
                kept: None,
            },
        }
    }
}

impl CopyState {
    pub(super) fn screened(
        self,
        screening: &Screening,
        fact: &CopyFact,
    ) -> Result<Self, IllegalFact> {
        let why = match (screening.effect, &screening.answer) {
            (Effect::Waits, Answer::NotScanned(why)) => Some(*why),
            (Effect::Waits, _) => return Err(illegal(self, fact)),
            (Effect::Passes | Effect::Withheld, _) => None,
        };
        let withheld = screening.effect == Effect::Withheld;
        Ok(match self {
            Self::Wanted { .. } if withheld => kept(screening.bound, false, None),
            Self::Wanted { attempts, .. } => Self::Wanted {
                attempts,
                waits: why,
            },
            state @ Self::ChangedSince { .. } if withheld => {
                let older = state.older();
                kept(screening.bound, false, older)
            }
            Self::ChangedSince {
                placed,
                sent,
                tried,
                attempts,
                refused,
                ..
            } => Self::ChangedSince {
                placed,
                sent,
                tried,
                attempts,
                refused,
                waits: why,
            },
            state => return Err(illegal(state, fact)),
        })
    }

    pub(super) fn judged(
        self,
        judgement: Judgement,
        bound: Binding,
        fact: &CopyFact,
    ) -> Result<Self, IllegalFact> {
        let copy = match &self {
            Self::Withheld { copy, .. } => copy.clone(),
            Self::Wanted { waits: Some(_), .. } | Self::ChangedSince { waits: Some(_), .. } => {
                self.clone().older()
            }
            _ => return Err(illegal(self, fact)),
        };
        Ok(match judgement {
            Judgement::Confirm => kept(bound, true, copy),
            Judgement::Release => Older::free(copy),
        })
    }

    /// The copy of a version before the one that is withheld.
    fn older(self) -> Option<Older> {
        match self {
            Self::ChangedSince {
                placed,
                sent,
                tried,
                ..
            } => Some(Older {
                placed,
                sent,
                tried,
            }),
            _ => None,
        }
    }

    /// Why it waits to be looked into once more, where it does.
    pub const fn waits_for_screening(&self) -> Option<Unscanned> {
        match self {
            Self::Wanted { waits, .. } | Self::ChangedSince { waits, .. } => *waits,
            _ => None,
        }
    }

    /// True for an item that is withheld and that nobody has decided about.
    pub const fn is_undecided(&self) -> bool {
        matches!(
            self,
            Self::Withheld {
                confirmed: false,
                ..
            }
        )
    }
}

const fn kept(bound: Binding, confirmed: bool, copy: Option<Older>) -> CopyState {
    CopyState::Withheld {
        bound,
        confirmed,
        copy,
    }
}

/// The content that a person released last, where nobody decided otherwise since.
pub fn released(row: &CopyRow) -> Option<Binding> {
    let judged = row.facts.iter().rev().find_map(|fact| match fact {
        CopyFact::Judged(judgement, bound, _) => Some((*judgement, *bound)),
        _ => None,
    });
    judged.and_then(|(judgement, bound)| (judgement == Judgement::Release).then_some(bound))
}

/// What the last look at an item brought.
pub fn last_screening(row: &CopyRow) -> Option<&Screening> {
    row.facts.iter().rev().find_map(|fact| match fact {
        CopyFact::Screened(screening) => Some(screening),
        _ => None,
    })
}

/// A short history that leads to the same state and still says who looked into the item last and what a person decided, for rows whose history
/// grew long; `None` where it matters.
pub fn short(row: &CopyRow, state: &CopyState) -> Option<Vec<CopyFact>> {
    let mut plain = state.clone().unscreened().shortest()?;
    // Which route it is on is no state: it is asked of the history.
    if route_of(row) == Route::Typed && *state != CopyState::Gone {
        plain.insert(0, CopyFact::Rerouted(None));
    }
    let [release, tail] = decisions(row, state);
    let mut whole = release;
    if tail.is_empty() {
        whole.extend(last_passing(row));
    }
    whole.extend(plain.iter().cloned());
    whole.extend(tail);
    let leads = |facts: &[CopyFact]| {
        let end = facts.iter().try_fold(CopyState::NEW, CopyState::apply);
        end.is_ok_and(|end| end.shape() == state.shape())
    };
    [whole, plain].into_iter().find(|facts| leads(facts))
}

/// The facts behind a release that counts, and those behind a state that screening left.
fn decisions(row: &CopyRow, state: &CopyState) -> [Vec<CopyFact>; 2] {
    let stopped = row
        .facts
        .iter()
        .rposition(|fact| matches!(fact, CopyFact::Screened(own) if own.effect != Effect::Passes));
    let judged = row
        .facts
        .iter()
        .rposition(|fact| matches!(fact, CopyFact::Judged(..)));
    let both = |at: Option<usize>| at.and_then(|at| row.facts.get(at)).cloned();
    let confirmed = matches!(
        state,
        CopyState::Withheld {
            confirmed: true,
            ..
        }
    );
    if confirmed {
        return [
            Vec::new(),
            both(stopped).into_iter().chain(both(judged)).collect(),
        ];
    }
    if state.waits_for_screening().is_some() || state.is_undecided() {
        return [Vec::new(), both(stopped).into_iter().collect()];
    }
    let release = match (released(row), judged) {
        (Some(_), Some(judged)) => {
            let before = row.facts[..judged].iter().rev();
            let cause = before.clone().find(
                |fact| matches!(fact, CopyFact::Screened(own) if own.effect != Effect::Passes),
            );
            cause
                .cloned()
                .into_iter()
                .chain(both(Some(judged)))
                .collect()
        }
        _ => Vec::new(),
    };
    [release, Vec::new()]
}

fn last_passing(row: &CopyRow) -> Option<CopyFact> {
    let passing =
        |fact: &&CopyFact| matches!(fact, CopyFact::Screened(own) if own.effect == Effect::Passes);
    row.facts.iter().rev().find(passing).cloned()
}

impl CopyState {
    /// The same state as if nobody had looked into its item.
    fn unscreened(self) -> Self {
        match self {
            Self::Wanted { attempts, .. } => wanted(attempts),
            Self::ChangedSince {
                placed,
                sent,
                tried,
                attempts,
                refused,
                ..
            } => Self::ChangedSince {
                placed,
                sent,
                tried,
                attempts,
                refused,
                waits: None,
            },
            Self::Withheld { copy, .. } => Older::free(copy),
            state => state,
        }
    }

    /// The state without what a short history forgets: contents that were tried and may arrive late.
    fn shape(&self) -> Self {
        let mut shape = self.clone();
        match &mut shape {
            Self::ChangedSince { tried, .. } => tried.clear(),
            Self::Withheld {
                copy: Some(older), ..
            } => older.tried.clear(),
            _ => {}
        }
        shape
    }
}
