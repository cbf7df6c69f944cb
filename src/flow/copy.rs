//! The item-copy state machine: facts in, state out, next step from the state.
//!
//! ```text
//!            Intended                Acknowledged                 ChangedSince
//!  Wanted ─────────────▶ Intended ───────────────▶ Confirmed ───────────────────▶ ChangedSince
//!     ▲  ▲    (durable     │   │ Refused              ▲  ▲  ▲      SameContent      │      ▲
//!     │  │   before the    │   └────────▶ Refused     │  │  └───────────────────────┤      │
//!     │  │   first byte)   │ Lost, or crash           │  │ Updated     UpdateIntended      │ NotUpdated,
//!     │  └─ NothingSent ───┤                          │  │                          ▼      │ Relearned
//!     │                    ▼                SeenOnce  │  └───────────────────── Updating ──┘
//!     └── NotSeen x n ── InDoubt ─────────────────────┘        Estranged: Parked (the target's user changed it too)
//!        (after the lag)    │ SeenTwice, or attempts spent
//!                           ▼                                   Gone (left the source): Departed ── Retracted ──▶ Gone
//!                         Parked ── a person decides                                      └─ Estranged: kept, and listed
//!
//!  Wanted, Intended, Refused ── Rerouted: Wanted, and from then on by the typed route (`flow::route`)
//!  Wanted, ChangedSince ── Screened: passes (the same) | waits (the same, until the next run looks again) | withheld ──▶ Withheld
//!                Withheld, or waiting ── Judged: release ──▶ Wanted, ChangedSince | confirm ──▶ Withheld for good
//! ```
//!
//! What this promises: at most one visible item per source item, *as long as the target's visibility lag is shorter than our settle
//! time*. Where it is longer, a resend may make a second one; the looks that follow and the verifier find it. "Exactly once" without
//! that sentence is a slogan.
//!
//! An update names the version of the copy it replaces, and the target refuses any other (reference/graph.md 1.6). So an update that may or
//! may not have happened is settled by reading the copy's version and content, and a copy whose content is none of ours is left alone. Copies
//! that were found there (`Adopted`) are not provably ours: they are never changed and never removed.

use thiserror::Error;

use crate::base::books::{Due, Entry};
use crate::base::fact::{Bucket, CopyFact, CopyRow, Estrangement, Resolution, SkipRule};
use crate::base::item::{Digest, Placed};
use crate::base::limits::{ATTEMPTS_MAX, EMPTY_LOOKS_MIN, TRIED_MAX};
use crate::base::outcome::{DoubtCause, Refusal};
use crate::base::quantity::Bytes;
use crate::base::screening::{Binding, Unscanned};
use crate::flow::route::route_of;
use crate::flow::screened::Older;

/// Where one item copy stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyState {
    /// Listed, to be carried.
    Wanted {
        /// Creates attempted so far.
        attempts: u32,
        /// Why it waits to be looked into once more, where it does.
        waits: Option<Unscanned>,
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
        /// What became of the source item meanwhile.
        since: Since,
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
        /// What it was made from; `None` for an adopted copy.
        sent: Option<Sent>,
        /// Newer contents that were sent and may be there instead.
        tried: Vec<Digest>,
        /// Updates attempted with this version.
        attempts: u32,
        /// Why the newer version will not be carried.
        refused: Option<Refusal>,
        /// Why the newer version waits to be looked into once more, where it does.
        waits: Option<Unscanned>,
    },
    /// The intent to update is durable; the update may have taken effect.
    Updating {
        /// The version it replaces.
        placed: Placed,
        /// What that was made from.
        sent: Sent,
        /// Newer contents sent earlier that may be there instead.
        tried: Vec<Digest>,
        /// Updates attempted, this one included.
        attempts: u32,
        /// What is being sent.
        new: Sent,
        /// What became of the source item meanwhile.
        since: Since,
    },
    /// Was carried; the source item left the source afterwards.
    Departed {
        /// Where the copy is.
        placed: Placed,
        /// What it was made from; `None` for an adopted copy.
        sent: Option<Sent>,
        /// Other contents of ours that may be there.
        tried: Vec<Digest>,
        /// Why the copy stays although its source item went.
        kept: Option<Estrangement>,
    },
    /// Will not be carried, for this reason.
    Refused(Refusal),
    /// Stays behind by rule.
    Skipped(SkipRule),
    /// Waits for a person.
    Parked {
        /// Why.
        cause: ParkCause,
        /// What was sent last.
        sent: Option<Sent>,
        /// The copy, where it is known.
        placed: Option<Placed>,
    },
    /// A person decided; nothing more is done.
    Decided {
        /// What the decision was, as the rule it is listed under.
        rule: SkipRule,
        /// The copy, where it is known.
        placed: Option<Placed>,
    },
    /// Withheld by screening, or confirmed as withheld by a person.
    Withheld {
        /// What was looked into, so that a release counts for nothing else.
        bound: Binding,
        /// True once a person confirmed it.
        confirmed: bool,
        /// The older version that was carried before, where there is one.
        copy: Option<Older>,
    },
    /// Left the source before it was carried, or its copy was taken away after it left.
    Gone,
}

/// What a create or update carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Canonical digest of the stream, where it could be read whole.
    pub digest: Option<Digest>,
    /// Length of the stream.
    pub stream: Bytes,
}

/// What became of a source item while its copy was in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Since {
    /// Nothing.
    #[default]
    Same,
    /// It changed.
    Changed,
    /// It left the source.
    Left,
}

/// Why a person must decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkCause {
    /// The target shows more copies than the ledger explains.
    Duplicate,
    /// Sent as often as allowed, and never seen.
    NeverArrives,
    /// Changed at the source, and the copy was changed or removed by somebody else.
    Conflict(Estrangement),
}

impl ParkCause {
    /// The cause in words, for lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "the target shows more copies than were sent",
            Self::NeverArrives => "sent as often as allowed and never seen",
            Self::Conflict(Estrangement::Edited) => {
                "changed at the source, and on the target by somebody else"
            }
            Self::Conflict(Estrangement::Missing) => {
                "changed at the source, and deleted or moved on the target by somebody else"
            }
            Self::Conflict(Estrangement::Held) => "the target does not let it be changed",
        }
    }
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
    pub const NEW: Self = wanted(0);

    /// Applies one fact. Total: every pair is a new state or an [`IllegalFact`] naming both.
    pub fn apply(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        use CopyFact as F;
        match fact {
            F::Gone => self.gone(fact),
            F::ChangedSince => self.changed(fact),
            F::Retried(_) => self.retried(fact),
            F::Resolved(wish, _) => self.resolved(*wish, fact),
            F::Screened(screening) => self.screened(screening, fact),
            F::Judged(judgement, bound, _) => self.judged(*judgement, *bound, fact),
            F::UpdateIntended { .. }
            | F::Updated(_)
            | F::NotUpdated
            | F::SameContent
            | F::Relearned(_)
            | F::Estranged(_)
            | F::Retracted => self.followed(fact),
            F::Intended { .. }
            | F::Acknowledged(_)
            | F::NothingSent
            | F::Refused(_)
            | F::Lost(_)
            | F::SeenOnce(_)
            | F::NotSeen
            | F::SeenTwice
            | F::Adopted(_)
            | F::Rerouted(_)
            | F::Skipped(_) => self.created(fact),
        }
    }

    /// Facts about the create.
    fn created(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        use CopyFact as F;
        use CopyState as S;
        Ok(match (self, fact) {
            (
                S::Wanted {
                    attempts,
                    waits: None,
                },
                F::Intended { digest, stream },
            ) => S::Intended {
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
            (S::Intended { attempts, .. }, F::NothingSent) => wanted(attempts.saturating_sub(1)),
            (S::Wanted { .. } | S::Intended { .. }, F::Refused(why)) => S::Refused(why.clone()),
            (S::Intended { attempts, sent }, F::Lost(cause)) => S::InDoubt {
                attempts,
                empty_looks: 0,
                cause: cause.clone(),
                sent,
                since: Since::Same,
            },
            (S::InDoubt { sent, since, .. }, F::SeenOnce(placed)) => {
                arrived(placed.clone(), sent, since)
            }
            (doubt @ S::InDoubt { .. }, F::NotSeen) => doubt.not_seen(),
            (S::InDoubt { sent, .. }, F::SeenTwice) => parked(ParkCause::Duplicate, Some(sent)),
            (S::Wanted { .. }, F::Adopted(placed)) => S::Confirmed {
                placed: placed.clone(),
                sent: None,
            },
            (S::Wanted { .. }, F::Skipped(rule)) => S::Skipped(*rule),
            // Whose stream was refused has another try ahead.
            (S::Intended { .. } | S::Refused(_), F::Rerouted(_)) => wanted(0),
            (state @ S::Wanted { .. }, F::Rerouted(_)) => state,
            (state, F::NothingSent | F::Refused(_)) => state.followed(fact)?,
            (state, fact) => return Err(illegal(state, fact)),
        })
    }

    fn not_seen(self) -> Self {
        let Self::InDoubt {
            attempts,
            empty_looks,
            cause,
            sent,
            since,
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
                since,
            }
        } else if since == Since::Left {
            Self::Gone
        } else if attempts < ATTEMPTS_MAX {
            wanted(attempts)
        } else {
            parked(ParkCause::NeverArrives, Some(sent))
        }
    }

    fn gone(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        use CopyState as S;
        Ok(match self {
            S::Wanted { .. } | S::Refused(_) | S::Skipped(_) | S::Gone => S::Gone,
            S::Confirmed { placed, sent } => S::Departed {
                placed,
                sent,
                tried: Vec::new(),
                kept: None,
            },
            S::ChangedSince {
                placed,
                sent,
                tried,
                ..
            } => S::Departed {
                placed,
                sent,
                tried,
                kept: None,
            },
            state @ S::Departed { .. } => state,
            S::Parked {
                cause: ParkCause::Conflict(why),
                sent,
                placed: Some(placed),
            } => S::Departed {
                placed,
                sent,
                tried: Vec::new(),
                kept: Some(why),
            },
            S::Decided {
                placed: Some(placed),
                ..
            } => S::Departed {
                placed,
                sent: None,
                tried: Vec::new(),
                kept: None,
            },
            S::Decided { placed: None, .. } => S::Gone,
            S::Withheld { copy, .. } => Older::left(copy),
            // A doubt stays a doubt: the copy may be there, and somebody must look.
            state @ (S::InDoubt { .. } | S::Updating { .. }) => state.meanwhile(Since::Left),
            state @ (S::Intended { .. } | S::Parked { .. }) => return Err(illegal(state, fact)),
        })
    }

    fn changed(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        use CopyState as S;
        Ok(match self {
            // What was settled without a copy gets another chance with its new content.
            S::Wanted { .. } | S::Refused(_) | S::Skipped(_) | S::Gone => S::NEW,
            S::Confirmed { placed, sent } => outdated(placed, sent, Vec::new(), 0),
            S::ChangedSince {
                placed,
                sent,
                tried,
                ..
            }
            | S::Departed {
                placed,
                sent,
                tried,
                ..
            } => outdated(placed, sent, tried, 0),
            state @ (S::InDoubt { .. } | S::Updating { .. }) => state.meanwhile(Since::Changed),
            // A newer version is looked into anew.
            S::Withheld { copy, .. } => Older::free(copy),
            state @ (S::Parked { .. } | S::Decided { .. }) => state,
            state @ S::Intended { .. } => return Err(illegal(state, fact)),
        })
    }

    fn meanwhile(mut self, what: Since) -> Self {
        if let Self::InDoubt { since, .. } | Self::Updating { since, .. } = &mut self {
            *since = what;
        }
        self
    }

    fn retried(self, fact: &CopyFact) -> Result<Self, IllegalFact> {
        match self {
            Self::Refused(_) => Ok(Self::NEW),
            Self::ChangedSince {
                placed,
                sent,
                tried,
                ..
            } => Ok(outdated(placed, sent, tried, 0)),
            state => Err(illegal(state, fact)),
        }
    }

    fn resolved(self, wish: Resolution, fact: &CopyFact) -> Result<Self, IllegalFact> {
        use CopyState as S;
        Ok(match (self, wish) {
            // Looked at first, whatever the cause: what is there meanwhile is not sent once more.
            (
                S::Parked {
                    cause: ParkCause::Duplicate | ParkCause::NeverArrives,
                    sent: Some(sent),
                    ..
                },
                Resolution::Again,
            ) => S::InDoubt {
                attempts: 0,
                empty_looks: 0,
                cause: DoubtCause::Asked,
                sent,
                since: Since::Same,
            },
            (S::Parked { placed, .. }, Resolution::Accept) => S::Decided {
                rule: SkipRule::Accepted,
                placed,
            },
            (S::ChangedSince { placed, .. }, Resolution::Accept) => S::Decided {
                rule: SkipRule::Accepted,
                placed: Some(placed),
            },
            (S::Parked { placed, .. }, Resolution::Leave) => S::Decided {
                rule: SkipRule::LeftBehind,
                placed,
            },
            (S::Refused(_), Resolution::Leave) => S::Decided {
                rule: SkipRule::LeftBehind,
                placed: None,
            },
            (state, _) => return Err(illegal(state, fact)),
        })
    }

    /// What is to be done now, as the index of the ledger has it; `None` when the row is at rest.
    pub const fn due(&self) -> Option<Due> {
        Some(match self {
            Self::Wanted { waits: None, .. } => Due::Create,
            Self::Intended { .. } => Due::InFlight,
            Self::InDoubt { .. } => Due::Doubt,
            Self::Updating { .. } => Due::Check,
            Self::ChangedSince {
                sent: Some(_),
                refused: None,
                waits: None,
                attempts: 0..ATTEMPTS_MAX,
                ..
            } => Due::Update,
            Self::Departed {
                sent: Some(_),
                kept: None,
                ..
            } => Due::Retract,
            Self::Wanted { .. }
            | Self::ChangedSince { .. }
            | Self::Departed { .. }
            | Self::Refused(_)
            | Self::Withheld {
                confirmed: false, ..
            }
            | Self::Parked { .. } => Due::Attention,
            Self::Confirmed { .. }
            | Self::Skipped(_)
            | Self::Withheld { .. }
            | Self::Decided { .. }
            | Self::Gone => {
                return None;
            }
        })
    }

    /// The bucket of the balance; `None` for what is no longer on the source.
    pub const fn bucket(&self) -> Option<Bucket> {
        Some(match self {
            Self::Wanted { .. } => Bucket::Remaining,
            Self::Intended { .. }
            | Self::InDoubt {
                since: Since::Same | Since::Changed,
                ..
            }
            | Self::Updating {
                since: Since::Same | Since::Changed,
                ..
            } => Bucket::InDoubt,
            Self::Confirmed { .. } => Bucket::Confirmed,
            Self::ChangedSince { .. } => Bucket::ChangedSince,
            Self::Refused(_) => Bucket::Refused,
            Self::Skipped(_) | Self::Decided { .. } => Bucket::Skipped,
            Self::Parked { .. } => Bucket::Parked,
            Self::Withheld { .. } => Bucket::Quarantined,
            Self::InDoubt { .. } | Self::Updating { .. } | Self::Gone | Self::Departed { .. } => {
                return None;
            }
        })
    }

    /// The copy we know of on the target.
    pub const fn placed(&self) -> Option<&Placed> {
        match self {
            Self::Confirmed { placed, .. }
            | Self::ChangedSince { placed, .. }
            | Self::Updating { placed, .. }
            | Self::Departed { placed, .. } => Some(placed),
            Self::Parked { placed, .. } | Self::Decided { placed, .. } => placed.as_ref(),
            Self::Withheld {
                copy: Some(older), ..
            } => Some(&older.placed),
            Self::Withheld { copy: None, .. }
            | Self::Wanted { .. }
            | Self::Intended { .. }
            | Self::InDoubt { .. }
            | Self::Refused(_)
            | Self::Skipped(_)
            | Self::Gone => None,
        }
    }

    /// What a row in this state adds to the sums of its folder.
    pub fn entry(&self, row: &CopyRow) -> Entry {
        let carried = match self {
            Self::Confirmed {
                sent: Some(sent), ..
            } => sent.stream,
            _ => Bytes::ZERO,
        };
        let (bucket, placed) = (self.bucket(), self.placed().is_some());
        Entry {
            due: self.due(),
            bucket,
            placed,
            listed: row.header.size,
            carried,
            route: (placed && bucket.is_some()).then(|| route_of(row)),
        }
    }

    /// The same state, seen by a process that did not hear the end of it.
    pub fn after_crash(self) -> Result<Self, IllegalFact> {
        if matches!(self, Self::Intended { .. }) {
            self.apply(&CopyFact::Lost(DoubtCause::Crash))
        } else {
            Ok(self)
        }
    }
}

/// A create turned out to have happened.
fn arrived(placed: Placed, sent: Sent, since: Since) -> CopyState {
    let sent = Some(sent);
    match since {
        Since::Same => CopyState::Confirmed { placed, sent },
        Since::Changed => outdated(placed, sent, Vec::new(), 0),
        Since::Left => CopyState::Departed {
            placed,
            sent,
            tried: Vec::new(),
            kept: None,
        },
    }
}

pub(super) const fn outdated(
    placed: Placed,
    sent: Option<Sent>,
    tried: Vec<Digest>,
    attempts: u32,
) -> CopyState {
    CopyState::ChangedSince {
        placed,
        sent,
        tried,
        attempts,
        refused: None,
        waits: None,
    }
}

/// Listed, to be carried.
pub(super) const fn wanted(attempts: u32) -> CopyState {
    CopyState::Wanted {
        attempts,
        waits: None,
    }
}

const fn parked(cause: ParkCause, sent: Option<Sent>) -> CopyState {
    CopyState::Parked {
        cause,
        sent,
        placed: None,
    }
}

/// One more content that may be on the target; the oldest are forgotten beyond a bound.
pub(super) fn remember(tried: &mut Vec<Digest>, digest: Option<Digest>) {
    if let Some(digest) = digest.filter(|digest| !tried.contains(digest)) {
        if tried.len() >= TRIED_MAX {
            tried.remove(0);
        }
        tried.push(digest);
    }
}

pub(super) fn illegal(state: CopyState, fact: &CopyFact) -> IllegalFact {
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
