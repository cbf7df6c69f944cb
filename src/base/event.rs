//! Narration: what happened, for people. Events may be dropped; facts may not. No event carries content, subjects or addresses.
//!
//! A new event needs: a variant here, a line in `flow::tally`, a line in `report::journal`'s snapshot.

use serde::{Deserialize, Serialize};

use crate::base::fact::JobPhase;
use crate::base::id::{FolderNo, JobId, RunId};
use crate::base::outcome::{HaltCause, Refusal, Scope, Setback};
use crate::base::quantity::{Bytes, Count, Moment, Span};
use crate::base::screening::Unscanned;

/// One thing that happened, with what every reader needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in civil time.
    pub at: Moment,
    /// In which run.
    pub run: RunId,
    /// In which job, where it concerns one.
    pub job: Option<JobId>,
    /// What.
    pub kind: EventKind,
}

/// Which side a call went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The on-premises Exchange.
    Source,
    /// Microsoft 365.
    Target,
}

/// The whole vocabulary of narration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The run began with this many jobs.
    RunStarted {
        /// How many.
        jobs: Count,
    },
    /// Work on a mailbox began.
    JobStarted,
    /// A mailbox's folders were listed.
    FoldersListed {
        /// Folders that are carried.
        carried: Count,
        /// Folders that stay by rule.
        left_out: Count,
        /// Items the hierarchy promises in carried folders.
        items: Count,
    },
    /// A page of items was listed and its rows are durable.
    PageStored {
        /// In which folder.
        folder: FolderNo,
        /// New rows.
        new: Count,
        /// Bytes of the new rows.
        bytes: Bytes,
    },
    /// An item is on the target, and the ledger knows it.
    CopyConfirmed {
        /// Its stream's length.
        bytes: Bytes,
    },
    /// An item was found on the target and not sent again.
    CopyAdopted,
    /// An item will not be carried.
    CopyRefused(Refusal),
    /// The stream of an item was refused; it is carried by its class instead.
    CopyRerouted(Refusal),
    /// An item was withheld by screening.
    CopyWithheld,
    /// An item waits because it could not be looked into.
    CopyWaits(Unscanned),
    /// The engine that looks into items proved itself.
    ScreenerProved {
        /// Who looks.
        by: String,
        /// True when its signatures are old.
        stale: bool,
    },
    /// An item stays behind by rule.
    CopySkipped,
    /// An item waits for a person.
    CopyParked,
    /// An item left the source before it was carried.
    CopyGone,
    /// A copy was replaced by the newer version of its source item.
    CopyUpdated {
        /// Its stream's length.
        bytes: Bytes,
    },
    /// A source item that was said to have changed has the content we carried.
    CopySame,
    /// The copy of an item that left the source was taken off the target.
    CopyRetracted,
    /// Somebody else changed or removed a copy; it is left alone.
    CopyEstranged,
    /// So many items left the source at once that their copies stay until the operator allows it.
    DeletesHeldBack {
        /// How many.
        copies: Count,
    },
    /// A folder of ours was renamed or removed on the target, as its source folder was.
    FolderFollowed,
    /// A folder was enumerated in full and compared with the ledger.
    FolderCompared {
        /// Items that no delta had shown.
        missed: Count,
    },
    /// A create may or may not have happened.
    Doubted,
    /// A create of an earlier process, whose answer nobody heard, may or may not have happened. The ledger counts it among the doubts already.
    DoubtKept,
    /// A doubt was settled by looking.
    DoubtSettled {
        /// True when the item was there.
        there: bool,
    },
    /// A call was made.
    Called {
        /// To which side.
        side: Side,
        /// Bytes sent in its body.
        sent: Bytes,
    },
    /// A call did not give a result.
    SetBack {
        /// On which side.
        side: Side,
        /// What came back.
        setback: Setback,
    },
    /// A scope waits.
    Held {
        /// Whom it concerns.
        scope: Scope,
        /// How long.
        wait: Span,
    },
    /// A mailbox entered a phase.
    JobPhase(JobPhase),
    /// A mailbox stopped until somebody acts.
    JobHalted(HaltCause),
    /// The run is winding up: nothing new begins.
    Draining,
    /// The run ended.
    RunEnded,
    /// Nothing is worked on until then: the plan's next window, or the day of its next wave.
    Resting {
        /// Until when.
        until: Moment,
    },
}
