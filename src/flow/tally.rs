//! The one fold of events into counters. Bar, journal and `--json` all read this, so they cannot disagree. Numbers that go to an auditor
//! come from the ledger instead.

use std::collections::BTreeMap;

use crate::base::event::{Event, EventKind, Side};
use crate::base::fact::JobPhase;
use crate::base::id::JobId;
use crate::base::outcome::{HaltCause, Scope, Setback};
use crate::base::quantity::{Bytes, Count, Moment, Span};

/// Counters of one job, since this process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobTally {
    /// Items the folder listing promises.
    pub promised: Count,
    /// Rows listed in this run.
    pub listed: Count,
    /// Items that arrived.
    pub confirmed: Count,
    /// Items found there already.
    pub adopted: Count,
    /// Items left by rule.
    pub skipped: Count,
    /// Items withheld by screening.
    pub withheld: Count,
    /// Items that wait because they could not be looked into.
    pub waiting: Count,
    /// Items refused.
    pub refused: Count,
    /// Items parked.
    pub parked: Count,
    /// Items gone before they were carried.
    pub gone: Count,
    /// Copies replaced by a newer version.
    pub updated: Count,
    /// Copies taken off the target.
    pub retracted: Count,
    /// Copies that somebody else changed or removed.
    pub estranged: Count,
    /// Copies that stay although their items left the source, until the operator allows it.
    pub held_back: Count,
    /// Items a full enumeration showed and no delta had.
    pub missed: Count,
    /// Creates that became doubtful.
    pub doubted: Count,
    /// Doubts settled.
    pub settled: Count,
    /// Those of them whose copy was there.
    pub found: Count,
    /// Stream bytes that arrived.
    pub carried: Bytes,
    /// Where it stands.
    pub phase: JobPhase,
    /// Why it stopped.
    pub halted: Option<HaltCause>,
    /// Whom it waits for, how long, since when.
    pub held: Option<(Scope, Span, Moment)>,
    /// The last setback.
    pub last_setback: Option<Setback>,
}

/// Counters of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Per job.
    pub jobs: BTreeMap<JobId, JobTally>,
    /// Calls to the source.
    pub source_calls: Count,
    /// Calls to the target.
    pub target_calls: Count,
    /// Bytes sent to the target in bodies.
    pub sent: Bytes,
    /// Throttles met on either side.
    pub throttled: Count,
    /// Setbacks met, throttles included.
    pub setbacks: Count,
    /// When the run began.
    pub began: Option<Moment>,
    /// True once nothing new begins.
    pub draining: bool,
    /// True once the run ended.
    pub ended: bool,
    /// Until when nothing is worked on, while that is so.
    pub resting: Option<Moment>,
}

const ONE: Count = Count::new(1);

impl Tally {
    /// Takes one event in.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { .. } => {
                self.began = Some(event.at);
                self.resting = None;
            }
            EventKind::Resting { until } => self.resting = Some(*until),
            EventKind::Draining => self.draining = true,
            EventKind::RunEnded => self.ended = true,
            EventKind::Called { side, sent } => {
                self.sent += *sent;
                match side {
                    Side::Source => self.source_calls += ONE,
                    Side::Target => self.target_calls += ONE,
                }
            }
            EventKind::SetBack { setback, .. } => {
                self.setbacks += ONE;
                if matches!(setback, Setback::Throttled { .. }) {
                    self.throttled += ONE;
                }
            }
            EventKind::JobStarted
            | EventKind::FoldersListed { .. }
            | EventKind::PageStored { .. }
            | EventKind::CopyConfirmed { .. }
            | EventKind::CopyAdopted
            | EventKind::CopyRefused(_)
            | EventKind::CopyRerouted(_)
            | EventKind::CopySkipped
            | EventKind::CopyWithheld
            | EventKind::CopyWaits(_)
            | EventKind::ScreenerProved { .. }
            | EventKind::CopyParked
            | EventKind::CopyGone
            | EventKind::CopyUpdated { .. }
            | EventKind::CopySame
            | EventKind::CopyRetracted
            | EventKind::CopyEstranged
            | EventKind::DeletesHeldBack { .. }
            | EventKind::FolderFollowed
            | EventKind::FolderCompared { .. }
            | EventKind::Doubted
            | EventKind::DoubtKept
            | EventKind::DoubtSettled { .. }
            | EventKind::Held { .. }
            | EventKind::JobPhase(_)
            | EventKind::JobHalted(_) => {}
        }
        if let Some(job) = event.job {
            self.jobs.entry(job).or_default().apply(event);
        }
    }

    /// Sums one counter over the jobs.
    pub fn sum(&self, of: impl Fn(&JobTally) -> Count) -> Count {
        self.jobs.values().map(of).sum()
    }

    /// Stream bytes that arrived.
    pub fn carried(&self) -> Bytes {
        self.jobs.values().map(|job| job.carried).sum()
    }
}

impl JobTally {
    fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::FoldersListed { items, .. } => self.promised = *items,
            EventKind::PageStored { new, .. } => self.listed += *new,
            EventKind::CopyConfirmed { bytes } => {
                self.confirmed += ONE;
                self.carried += *bytes;
                self.held = None;
            }
            EventKind::CopyAdopted => self.adopted += ONE,
            EventKind::CopyRefused(_) => self.refused += ONE,
            EventKind::CopySkipped => self.skipped += ONE,
            EventKind::CopyWithheld => self.withheld += ONE,
            EventKind::CopyWaits(_) => self.waiting += ONE,
            EventKind::CopyParked => self.parked += ONE,
            EventKind::CopyGone => self.gone += ONE,
            EventKind::CopyUpdated { bytes } => {
                self.updated += ONE;
                self.carried += *bytes;
                self.held = None;
            }
            EventKind::CopyRetracted => self.retracted += ONE,
            EventKind::CopyEstranged => self.estranged += ONE,
            EventKind::DeletesHeldBack { copies } => self.held_back = *copies,
            EventKind::FolderCompared { missed } => self.missed += *missed,
            EventKind::Doubted => self.doubted += ONE,
            EventKind::DoubtSettled { there } => {
                self.settled += ONE;
                if *there {
                    self.found += ONE;
                }
            }
            EventKind::SetBack { setback, .. } => self.last_setback = Some(setback.clone()),
            EventKind::Held { scope, wait } => self.held = Some((*scope, *wait, event.at)),
            EventKind::JobPhase(phase) => self.phase = *phase,
            EventKind::JobHalted(why) => self.halted = Some(*why),
            EventKind::RunStarted { .. }
            | EventKind::JobStarted
            | EventKind::DoubtKept
            | EventKind::ScreenerProved { .. }
            | EventKind::Called { .. }
            | EventKind::CopySame
            | EventKind::CopyRerouted(_)
            | EventKind::FolderFollowed
            | EventKind::Draining
            | EventKind::RunEnded
            | EventKind::Resting { .. } => {}
        }
    }
}
