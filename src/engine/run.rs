//! One run: a task per mailbox, a bounded number at once, the longest first; drains on demand, stops where a side is closed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;

use crate::base::dice::Dice;
use crate::base::event::EventKind;
use crate::base::fact::{JobPhase, JobRow};
use crate::base::id::{JobId, RunId, WorkerId};
use crate::base::outcome::{LocalCause, StopCause};
use crate::base::quantity::Count;
use crate::base::spec::{JobSpec, RunSpec};
use crate::engine::control::{Control, Lever, Wish};
use crate::engine::cx::{Break, JobCx, RunCx};
use crate::engine::lineup::line_up;
use crate::engine::pacer::Pacer;
use crate::engine::ports::Ports;
use crate::engine::screen;
use crate::engine::spool::Spool;
use crate::engine::tasks::{Ended, Tasks};
use crate::engine::worker::{JobEnd, work};
use crate::port::ledger::LedgerError;

/// Why a run ended before its work was done.
#[derive(Debug)]
pub enum RunStop {
    /// The operator asked.
    Asked,
    /// A side is closed to us.
    Side(StopCause),
    /// This machine cannot go on.
    Local(LocalCause),
    /// The ledger cannot be used.
    Ledger(LedgerError),
    /// A worker panicked. A bug.
    Bug(JobId),
}

/// How a run ended.
#[derive(Debug)]
pub struct RunEnd {
    /// Why it stopped early; `None` when every job ended by itself.
    pub stopped: Option<RunStop>,
}

/// Everything a run needs besides its seams.
#[derive(Debug)]
pub struct RunOrder {
    /// What to do.
    pub spec: Arc<RunSpec>,
    /// Its name.
    pub run: RunId,
    /// The seed of its jitter.
    pub dice: Dice,
    /// Where bodies may spill to.
    pub spool_dir: PathBuf,
}

/// Runs the plan until everything is settled, halted or asked to stop. Safe to start again at any time.
///
/// `lever` is pulled to drain when a side closes or this machine fails; `control` is the end it moves.
pub async fn run(ports: Ports, order: RunOrder, lever: &Lever, control: &Control) -> RunEnd {
    let spec = order.spec;
    let limits = &spec.limits;
    let cx = RunCx {
        server: Pacer::source_server(limits, Arc::clone(&ports.clock)),
        app: Pacer::target_app(Arc::clone(&ports.clock)),
        spool: Spool::new(limits.spool_total, limits.spool_memory, order.spool_dir),
        ports,
        spec: Arc::clone(&spec),
        run: order.run,
        control: control.clone(),
        book: Arc::default(),
    };
    cx.tell(EventKind::RunStarted {
        jobs: Count::new(spec.jobs.len() as u64),
    });
    let mut stopped = None;
    if let Err(cause) = screen::prove(&cx, &order.dice).await {
        stopped = Some(RunStop::Local(cause));
    }
    let lined_up = match register(&cx).await {
        Ok(()) => line_up(&cx).await,
        Err(error) => Err(error),
    };
    let mut jobs = match lined_up {
        Ok(jobs) => jobs.into_iter(),
        Err(error) => {
            stopped = Some(RunStop::Ledger(error));
            Vec::new().into_iter()
        }
    };
    let mut tasks: Tasks<JobId, JobEnd> = Tasks::new();
    loop {
        while stopped.is_none()
            && !control.draining()
            && tasks.running() < limits.mailboxes_at_once.max(1) as usize
        {
            let Some(job) = jobs.next() else { break };
            match enlist(&cx, &job, &order.dice).await {
                Ok(job_cx) => tasks.start(job.job, async move { work(&job_cx).await }),
                Err(error) => stopped = Some(RunStop::Ledger(error)),
            }
        }
        let ended = tokio::select! {
            biased;
            // Dropping the tasks aborts them: what is on its way becomes doubt for the next run.
            () = control.reached(Wish::Abandon) => break,
            ended = tasks.next() => ended,
        };
        let Some((job, ended)) = ended else { break };
        let stop = match ended {
            Ended::Panicked => Some(RunStop::Bug(job)),
            Ended::With(end) => stop_of(end),
        };
        if let Some(stop) = stop {
            if lever.wish() == Wish::Work {
                cx.tell(EventKind::Draining);
                lever.pull(Wish::Drain);
            }
            stopped = stopped.or(Some(stop));
        }
    }
    cx.tell(EventKind::RunEnded);
    let asked = control.draining().then_some(RunStop::Asked);
    RunEnd {
        stopped: stopped.or(asked),
    }
}

fn stop_of(end: JobEnd) -> Option<RunStop> {
    match end {
        JobEnd::CaughtUp | JobEnd::Halted(_) | JobEnd::Stopped => None,
        JobEnd::Broke(Break::Stop(why)) => Some(RunStop::Side(why)),
        JobEnd::Broke(Break::Local(why)) => Some(RunStop::Local(why)),
        JobEnd::Broke(Break::Ledger(error)) => Some(RunStop::Ledger(error)),
        // The worker turns every other break into a halt.
        JobEnd::Broke(
            Break::Draining
            | Break::Halt(_)
            | Break::Gone
            | Break::FolderGone
            | Break::StateInvalid
            | Break::Refused(_)
            | Break::Exhausted(_),
        ) => None,
    }
}

async fn register(cx: &RunCx) -> Result<(), LedgerError> {
    let since = cx.ports.clock.moment();
    let rows: Vec<JobRow> = cx
        .spec
        .jobs
        .iter()
        .map(|job| JobRow {
            job: job.job,
            source: job.source.clone(),
            target: job.target.clone(),
            phase: JobPhase::Waiting,
            epoch: 0,
            since,
            hierarchy: None,
        })
        .collect();
    cx.ports.ledger.register(&rows).await
}

/// Claims a job and gives it its own pace and dice.
pub async fn enlist(cx: &RunCx, job: &JobSpec, dice: &Dice) -> Result<JobCx, LedgerError> {
    let who = WorkerId::new(cx.run.as_str());
    let lease = cx.ports.ledger.claim(job.job, &who).await?;
    let clock = || Arc::clone(&cx.ports.clock);
    Ok(JobCx {
        run: cx.clone(),
        job: job.clone(),
        lease,
        source: Pacer::source_mailbox(clock()),
        target: Pacer::target_mailbox(&cx.spec.limits, clock()),
        dice: Mutex::new(dice.split(&job.job.to_string())),
        to: OnceCell::new(),
        composed: std::sync::Mutex::default(),
    })
}
