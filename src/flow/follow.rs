//! The second half of the item-copy machine: a copy follows its source item. Updates, their doubts, and copies of items that left.

use crate::base::fact::{CopyFact, Estrangement};
use crate::base::item::{Digest, Placed};
use crate::flow::copy::{
    CopyState, IllegalFact, ParkCause, Sent, Since, illegal, outdated, remember,
};

impl CopyState {
    /// Facts about an update or a retraction.
    pub(super) fn followed(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        match self {
            state @ Self::ChangedSince { .. } => state.outdated_met(fact),
            state @ Self::Updating { .. } => state.updating_met(fact),
            state @ Self::Departed { .. } => state.departed_met(fact),
            state => match (state, fact) {
                // We changed something about the copy that is not its content.
                (Self::Confirmed { sent, .. }, CopyFact::Relearned(now)) => Ok(Self::Confirmed {
                    placed: now.clone(),
                    sent,
                }),
                (state, fact) => Err(illegal(state, fact)),
            },
        }
    }

    fn outdated_met(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        use CopyFact as F;
        let Self::ChangedSince {
            placed,
            sent,
            tried,
            attempts,
            refused,
            waits,
        } = self
        else {
            return Err(illegal(self, fact));
        };
        let free = waits.is_none();
        Ok(match (fact, sent, refused) {
            // Only what we sent ourselves is ours to change.
            (F::UpdateIntended { digest, stream }, Some(sent), None) if free => Self::Updating {
                placed,
                sent,
                tried,
                attempts: attempts + 1,
                new: Sent {
                    digest: *digest,
                    stream: *stream,
                },
                since: Since::Same,
            },
            (F::SameContent, Some(sent), _) => Self::Confirmed {
                placed,
                sent: Some(sent),
            },
            (F::Refused(why), sent, _) => Self::ChangedSince {
                placed,
                sent,
                tried,
                attempts,
                refused: Some(why.clone()),
                waits: None,
            },
            (F::Relearned(now), sent, refused) => Self::ChangedSince {
                placed: now.clone(),
                sent,
                tried,
                attempts,
                refused,
                waits,
            },
            (F::Estranged(why), sent, _) => conflict(placed, sent, *why),
            (fact, sent, refused) => {
                let state = Self::ChangedSince {
                    placed,
                    sent,
                    tried,
                    attempts,
                    refused,
                    waits,
                };
                return Err(illegal(state, fact));
            }
        })
    }

    fn updating_met(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        use CopyFact as F;
        let Self::Updating {
            placed,
            sent,
            mut tried,
            attempts,
            new,
            since,
        } = self
        else {
            return Err(illegal(self, fact));
        };
        Ok(match fact {
            F::Updated(now) => match since {
                Since::Same => Self::Confirmed {
                    placed: now.clone(),
                    sent: Some(new),
                },
                Since::Changed => outdated(now.clone(), Some(new), Vec::new(), 0),
                Since::Left => departed(now.clone(), new, Vec::new()),
            },
            F::NothingSent => still_old(placed, sent, tried, attempts.saturating_sub(1), since),
            F::NotUpdated => {
                // A late one may still arrive.
                remember(&mut tried, new.digest);
                still_old(placed, sent, tried, attempts, since)
            }
            F::Relearned(now) => {
                remember(&mut tried, new.digest);
                still_old(now.clone(), sent, tried, attempts, since)
            }
            F::Refused(why) if since == Since::Same => Self::ChangedSince {
                placed,
                sent: Some(sent),
                tried,
                attempts,
                refused: Some(why.clone()),
                waits: None,
            },
            F::Refused(_) => still_old(placed, sent, tried, attempts, since),
            F::Estranged(why) if since == Since::Left => Self::Departed {
                placed,
                sent: Some(sent),
                tried,
                kept: Some(*why),
            },
            F::Estranged(why) => conflict(placed, Some(sent), *why),
            fact => {
                let state = Self::Updating {
                    placed,
                    sent,
                    tried,
                    attempts,
                    new,
                    since,
                };
                return Err(illegal(state, fact));
            }
        })
    }

    fn departed_met(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        use CopyFact as F;
        let Self::Departed {
            placed,
            sent,
            tried,
            kept,
        } = self
        else {
            return Err(illegal(self, fact));
        };
        Ok(match (fact, kept) {
            (F::Retracted, None) if sent.is_some() => Self::Gone,
            (F::Relearned(now), None) => Self::Departed {
                placed: now.clone(),
                sent,
                tried,
                kept: None,
            },
            (F::Estranged(Estrangement::Missing), None) => Self::Gone,
            (F::Estranged(why), None) => Self::Departed {
                placed,
                sent,
                tried,
                kept: Some(*why),
            },
            (fact, kept) => {
                let state = Self::Departed {
                    placed,
                    sent,
                    tried,
                    kept,
                };
                return Err(illegal(state, fact));
            }
        })
    }

    /// What the target may hold of ours, where this copy is to be changed or taken away: the content it was made from, and newer ones that were
    /// sent. `None` where nothing may be changed.
    pub fn ours(&self) -> Option<(&Placed, Vec<Digest>)> {
        match self {
            Self::ChangedSince {
                placed,
                sent: Some(sent),
                tried,
                ..
            }
            | Self::Departed {
                placed,
                sent: Some(sent),
                tried,
                ..
            } => Some((placed, both(*sent, tried, None))),
            Self::Updating {
                placed,
                sent,
                tried,
                new,
                ..
            } => Some((placed, both(*sent, tried, Some(*new)))),
            _ => None,
        }
    }

    /// A short history that leads to the same state, for rows whose history grew long; `None` where it matters.
    pub fn shortest(&self) -> Option<Vec<CopyFact>> {
        let made = |placed: &Placed, sent: &Option<Sent>| match sent {
            Some(sent) => vec![
                CopyFact::Intended {
                    digest: sent.digest,
                    stream: sent.stream,
                },
                CopyFact::Acknowledged(placed.clone()),
            ],
            None => vec![CopyFact::Adopted(placed.clone())],
        };
        match self {
            Self::Confirmed { placed, sent } => Some(made(placed, sent)),
            Self::ChangedSince {
                placed,
                sent,
                attempts: 0,
                refused: None,
                waits: None,
                ..
            } => {
                let mut facts = made(placed, sent);
                facts.push(CopyFact::ChangedSince);
                Some(facts)
            }
            Self::Wanted {
                attempts: 0,
                waits: None,
            } => Some(Vec::new()),
            Self::Gone => Some(vec![CopyFact::Gone]),
            _ => None,
        }
    }
}

fn both(sent: Sent, tried: &[Digest], new: Option<Sent>) -> Vec<Digest> {
    let new = new.and_then(|new| new.digest);
    sent.digest
        .into_iter()
        .chain(tried.iter().copied())
        .chain(new)
        .collect()
}

fn still_old(
    placed: Placed,
    sent: Sent,
    tried: Vec<Digest>,
    attempts: u32,
    since: Since,
) -> CopyState {
    match since {
        Since::Same => outdated(placed, Some(sent), tried, attempts),
        Since::Changed => outdated(placed, Some(sent), tried, 0),
        Since::Left => departed(placed, sent, tried),
    }
}

const fn departed(placed: Placed, sent: Sent, tried: Vec<Digest>) -> CopyState {
    CopyState::Departed {
        placed,
        sent: Some(sent),
        tried,
        kept: None,
    }
}

const fn conflict(placed: Placed, sent: Option<Sent>, why: Estrangement) -> CopyState {
    CopyState::Parked {
        cause: ParkCause::Conflict(why),
        sent,
        placed: Some(placed),
    }
}
