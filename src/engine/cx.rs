//! What one job's drivers share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use crate::base::books::{Due, FolderSums};
use crate::base::dice::Dice;
use crate::base::event::{Event, EventKind};
use crate::base::fact::{CopyRow, Fact};
use crate::base::id::{FolderNo, RunId, TargetMailboxId};
use crate::base::item::ItemKey;
use crate::base::limits::LEDGER_PAGE;
use crate::base::outcome::{HaltCause, LocalCause, Refusal, Setback, StopCause};
use crate::base::quantity::{Span, Tick};
use crate::base::spec::{JobSpec, RunSpec};
use crate::engine::control::{Control, Wish};
use crate::engine::pacer::Pacer;
use crate::engine::ports::Ports;
use crate::engine::spool::Spool;
use crate::flow::copy::{CopyState, replay};
use crate::flow::route::RouteBook;
use crate::pace::backoff;
use crate::port::ledger::{Lease, LedgerError};

/// What all jobs of a run share.
#[derive(Clone, Debug)]
pub struct RunCx {
    /// The seams.
    pub ports: Ports,
    /// What to do.
    pub spec: Arc<RunSpec>,
    /// The name of this run.
    pub run: RunId,
    /// How it is asked to stop.
    pub control: Control,
    /// Room for bodies.
    pub spool: Arc<Spool>,
    /// The pace of the whole source server.
    pub server: Arc<Pacer>,
    /// The pace of our application on the whole target.
    pub app: Arc<Pacer>,
    /// What it has learnt about routes.
    pub book: Arc<Mutex<RouteBook>>,
}

/// What one job's drivers share.
#[derive(Debug)]
pub struct JobCx {
    /// The run.
    pub run: RunCx,
    /// The mailbox pair.
    pub job: JobSpec,
    /// The right to write its facts.
    pub lease: Lease,
    /// The pace of the source mailbox.
    pub source: Arc<Pacer>,
    /// The pace of the target mailbox.
    pub target: Arc<Pacer>,
    /// Its own dice.
    pub dice: Mutex<Dice>,
    /// The target mailbox, once it was asked for.
    pub to: OnceCell<TargetMailboxId>,
    /// Folders for which something was made by the typed route that may not be whole.
    pub composed: Mutex<BTreeSet<FolderNo>>,
}

/// Why a driver stopped before its work was done.
#[derive(Debug)]
pub enum Break {
    /// The operator wants to stop.
    Draining,
    /// This mailbox cannot go on.
    Halt(HaltCause),
    /// The run cannot go on.
    Stop(StopCause),
    /// This machine cannot go on.
    Local(LocalCause),
    /// The ledger cannot be used, or the job was fenced.
    Ledger(LedgerError),
    /// The item is gone.
    Gone,
    /// The folder is gone, or the target's is: list the folders again.
    FolderGone,
    /// The sync state is refused: enumerate again.
    StateInvalid,
    /// The item, or one of them, is refused.
    Refused(Refusal),
    /// The same setback came back as often as we ask.
    Exhausted(Setback),
}

impl From<LedgerError> for Break {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::DiskFull => Self::Local(LocalCause::DiskFull),
            error @ (LedgerError::Fenced(_)
            | LedgerError::UnknownJob(_)
            | LedgerError::UnknownItem(_)
            | LedgerError::Contradiction(_)
            | LedgerError::Unusable(_)) => Self::Ledger(error),
        }
    }
}

impl RunCx {
    /// What the run has learnt about routes. Never held across a wait.
    pub fn routes(&self) -> MutexGuard<'_, RouteBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the listeners.
    pub fn tell(&self, kind: EventKind) {
        let at = self.ports.clock.moment();
        self.ports.events.emit(&Event {
            at,
            run: self.run.clone(),
            job: None,
            kind,
        });
    }
}

impl JobCx {
    /// Tells the listeners.
    pub fn tell(&self, kind: EventKind) {
        let at = self.run.ports.clock.moment();
        let job = Some(self.job.job);
        self.run.ports.events.emit(&Event {
            at,
            run: self.run.run.clone(),
            job,
            kind,
        });
    }

    /// Makes facts durable.
    pub async fn append(&self, facts: &[Fact]) -> Result<(), Break> {
        if facts.is_empty() {
            return Ok(());
        }
        Ok(self.run.ports.ledger.append(&self.lease, facts).await?)
    }

    /// The next page of a folder's rows after `after`, each with its state; empty at the end. A row whose facts contradict each other fails the
    /// page: an item that cannot be judged must not look settled.
    pub async fn page(
        &self,
        folder: FolderNo,
        after: Option<ItemKey>,
    ) -> Result<Vec<(CopyRow, CopyState)>, Break> {
        replayed(
            self.run
                .ports
                .ledger
                .copies(self.job.job, folder, after, LEDGER_PAGE)
                .await?,
        )
    }

    /// The next page of a folder's rows that have this to be done, each with its state; empty at the end.
    pub async fn due(
        &self,
        folder: FolderNo,
        due: Due,
        after: Option<ItemKey>,
    ) -> Result<Vec<(CopyRow, CopyState)>, Break> {
        let ledger = &self.run.ports.ledger;
        let rows = ledger
            .due(self.job.job, folder, due, after, LEDGER_PAGE)
            .await?;
        replayed(rows)
    }

    /// What the rows of a folder add up to.
    pub async fn sums(&self, folder: FolderNo) -> Result<FolderSums, Break> {
        let ledger = &self.run.ports.ledger;
        Ok(ledger.folder_sums(self.job.job, folder).await?)
    }

    /// The target mailbox; asked for once.
    pub async fn to(&self) -> Result<&TargetMailboxId, Break> {
        let ask = || self.ask_target(None, || self.run.ports.target.resolve(&self.job.target));
        self.to.get_or_try_init(ask).await
    }

    /// Waits, unless the run is winding up.
    pub async fn wait(&self, span: Span) -> Result<(), Break> {
        let until: Tick = self.run.ports.clock.tick() + span;
        tokio::select! {
            biased;
            () = self.run.control.reached(Wish::Drain) => Err(Break::Draining),
            () = self.run.ports.clock.sleep_until(until) => Ok(()),
        }
    }

    /// The back-off after failed attempt `attempt` (from 1).
    pub fn backoff(&self, attempt: u32) -> Span {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        backoff::delay(attempt, &mut dice)
    }
}

/// Rows with their states.
pub fn replayed(rows: Vec<CopyRow>) -> Result<Vec<(CopyRow, CopyState)>, Break> {
    let state = |row: CopyRow| match replay(&row) {
        Ok(state) => Ok((row, state)),
        Err(error) => Err(Break::Ledger(LedgerError::Unusable(error.to_string()))),
    };
    rows.into_iter().map(state).collect()
}

/// A resolved target mailbox beside the job, for the drivers that write.
#[derive(Clone, Copy, Debug)]
pub struct Ferry<'a> {
    /// The job.
    pub cx: &'a JobCx,
    /// Where its items go.
    pub to: &'a TargetMailboxId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fact::CopyFact;
    use crate::base::id::ItemId;
    use crate::base::item::{ItemClass, SourceHeader, Stamp};
    use crate::base::quantity::Bytes;

    #[test]
    fn a_row_that_contradicts_itself_is_never_passed_over() {
        let (id, class) = (ItemId::new("s1"), ItemClass::new("IPM.Note"));
        let header = SourceHeader {
            stamp: Stamp::fallback(None, &class, None),
            id: id.clone(),
            class,
            size: Bytes::ZERO,
            read: None,
            received: None,
            version: None,
        };
        let key = ItemKey::of(&id);
        let row = |facts| CopyRow {
            folder: FolderNo(1),
            key,
            header: header.clone(),
            facts,
        };
        assert_eq!(replayed(vec![row(vec![])]).unwrap().len(), 1);
        let broken = replayed(vec![row(vec![]), row(vec![CopyFact::SeenTwice])]);
        assert!(matches!(
            broken,
            Err(Break::Ledger(LedgerError::Unusable(_)))
        ));
    }
}
