//! One run over an open ledger, from its first event to exit code, reason and advice. `mailferry run` itself: [`crate::cli::commands::nights`].

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use crate::base::fact::{Bucket, JobPhase};
use crate::base::limits;
use crate::base::outcome::{HaltCause, LocalCause, StopCause};
use crate::base::quantity::{Count, Moment, Span};
use crate::base::spec::RunSpec;
use crate::cli::decisions::Decisions;
use crate::cli::error::{CommandError, side_closed};
use crate::cli::exit::Exit;
use crate::cli::left::{forecast, left_of};
use crate::cli::plans::OpenPlan;
use crate::cli::signals::{Asked, Signals, StopAt, watch};
use crate::cli::troubles;
use crate::cli::ui::Ui;
use crate::cli::wiring::{self, Sides};
use crate::engine::balance;
use crate::engine::control::control;
use crate::engine::run::{RunEnd, RunOrder, RunStop, run as engine_run};
use crate::evidence::balance::Balance;
use crate::evidence::runs::Figures;
use crate::flow::tally::Tally;
use crate::plan::outlook::Carried;
use crate::port::ledger::LedgerError;
use crate::report::fanout::Fanout;
use crate::report::narrator::{LineOut, Narrator, Outputs};
use crate::report::progress::Progress;
use crate::report::summary::{self, Closing, Followed};
use crate::store::embedded::EmbeddedLedger;

/// The directory of spilt bodies inside a state directory.
const SPOOL_DIR: &str = "spool";

/// How many exceptions are read for the end of a run; what is shown of them is the summary's business.
const EXCEPTIONS_LISTED: Count = Count::new(summary::EXCEPTIONS_SHOWN as u64);

/// What a finished run leaves for whoever prints it.
#[derive(Debug)]
pub struct Ended {
    /// What the ledger says.
    pub balance: Balance,
    /// What else is to say.
    pub closing: Closing,
    /// The exit code.
    pub exit: Exit,
    /// What to add on stderr.
    pub failure: Option<CommandError>,
    /// Who asked it to stop, where it stopped because of that.
    pub asked: Option<Asked>,
    /// True when it ended because a side could not be reached at all.
    pub unreached: bool,
}

impl Ended {
    /// The same end, with what an adapter knows about its failure in place of the general words.
    fn because(mut self, known: Option<CommandError>) -> Self {
        if let (Some(failure), Some(known)) = (&mut self.failure, known) {
            *failure = known;
        }
        self
    }

    /// The same end, with what an earlier run did added to its counts.
    #[must_use]
    pub fn after(mut self, earlier: &Ended) -> Self {
        let (own, before) = (&mut self.closing, &earlier.closing);
        own.source_calls += before.source_calls;
        own.target_calls += before.target_calls;
        own.throttled += before.throttled;
        own.followed.updated += before.followed.updated;
        own.followed.retracted += before.followed.retracted;
        own.followed.estranged += before.followed.estranged;
        own.followed.missed += before.followed.missed;
        own.sent += before.sent;
        own.took += before.took;
        own.dropped += before.dropped;
        self
    }
}

/// Drives one run over an open ledger to its end.
pub async fn carry(
    open: &OpenPlan,
    sides: &Sides,
    ledger: Arc<EmbeddedLedger>,
    spec: RunSpec,
    stop_at: Option<StopAt>,
    signals: &mut Signals,
    ui: Ui,
) -> Result<Ended, CommandError> {
    let spool_dir = open.state.join(SPOOL_DIR);
    sweep_spool(&spool_dir)?;
    let (clock, began) = (Arc::clone(&sides.clock), sides.clock.tick());
    let (fanout, events) = Fanout::new(limits::EVENT_QUEUE);
    let fanout = Arc::new(fanout);
    let before = balance::sums(ledger.as_ref()).await?;
    let lines: Option<LineOut> = ui
        .json
        .then(|| Box::new(move |line: &str| ui.data(line)) as LineOut);
    let outputs = Outputs {
        state: open.state.clone(),
        lines,
        bar: ui.bars(),
        log: (!ui.bars()).then(|| Box::new(move |line: &str| ui.say(line)) as LineOut),
        began_at: Progress::of(&before, clock.moment()).with_jobs(&spec.jobs),
    };
    let narrator = Narrator::start(Arc::clone(&fanout), events, Arc::clone(&clock), outputs)
        .map_err(|error| CommandError::file(&open.state, &error))?;
    if let Some(StopAt { after, by }) = stop_at {
        ui.detail(&format!("nothing new begins after {after}: {}", by.words()));
    }
    let (lever, control) = control();
    let asked = Cell::new(None);
    let timer = Arc::clone(&clock);
    let watch = watch(lever.clone(), timer, stop_at, signals, &asked, ui);
    let ports = sides.ports(ledger.clone(), fanout.clone());
    let run = wiring::run_id(clock.as_ref());
    let order = RunOrder {
        spec: Arc::new(spec),
        run: run.clone(),
        dice: wiring::dice(clock.as_ref()),
        spool_dir: spool_dir.clone(),
    };
    let end = {
        let work = engine_run(ports, order, &lever, &control);
        tokio::pin!(work);
        tokio::select! {
            biased;
            end = &mut work => end,
            never = watch => match never {},
        }
    };
    narrator.finish();
    let _ = std::fs::remove_dir_all(&spool_dir);
    let after = balance::brief(ledger.as_ref(), EXCEPTIONS_LISTED).await;
    let took = clock.tick() - began;
    let close = Close {
        took,
        now: clock.moment(),
        asked: asked.get(),
    };
    let known = why_closed(&end, open, sides);
    let ended = conclude(open, &fanout, end, after, close)?.because(known);
    let kept = Decisions::open(open)
        .and_then(|mut log| log.ran(&run, &figures(&fanout, &ended.closing), close.now));
    if let Err(error) = kept {
        // The run is over and its items are safe; a report will say that this run left no figures.
        ui.say(&format!(
            "the figures of this run could not be kept: {}",
            error.message
        ));
    }
    Ok(ended)
}

/// Why a side closed, where its adapter knows.
fn why_closed(end: &RunEnd, open: &OpenPlan, sides: &Sides) -> Option<CommandError> {
    match &end.stopped {
        Some(RunStop::Side(cause)) => troubles::closed(*cause, &open.plan, sides),
        _ => None,
    }
}

/// What the report later says about this run.
fn figures(fanout: &Fanout, closing: &Closing) -> Figures {
    let (tally, peaks) = (fanout.tally(), fanout.peaks());
    Figures {
        took: closing.took,
        confirmed: tally.sum(|job| job.confirmed),
        adopted: tally.sum(|job| job.adopted),
        updated: closing.followed.updated,
        retracted: closing.followed.retracted,
        carried: tally.carried(),
        sent: closing.sent,
        source_calls: closing.source_calls,
        target_calls: closing.target_calls,
        throttled: closing.throttled,
        busiest_upload: peaks.upload(),
        busiest_requests: peaks.requests(),
        exit: closing.exit,
    }
}

/// What a run knows at its end besides its ledger and its counters.
#[derive(Clone, Copy, Debug)]
struct Close {
    took: Span,
    now: Moment,
    asked: Option<Asked>,
}

/// Makes the spool's directory anew: what a dead process left in it is mail content.
fn sweep_spool(dir: &Path) -> Result<(), CommandError> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(|error| CommandError::file(dir, &error))?;
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder
        .create(dir)
        .map_err(|error| CommandError::file(dir, &error))
}

fn conclude(
    open: &OpenPlan,
    fanout: &Fanout,
    end: RunEnd,
    balance: Result<Balance, LedgerError>,
    close: Close,
) -> Result<Ended, CommandError> {
    let tally = fanout.tally();
    let balance = match balance {
        Ok(balance) => balance,
        // The run's own reason says more than the failed reading after it.
        Err(error) => {
            return Err(match end.stopped {
                Some(RunStop::Ledger(first)) => first.into(),
                _ => error.into(),
            });
        }
    };
    let unreached = matches!(
        end.stopped,
        Some(RunStop::Side(
            StopCause::SourceUnreachable | StopCause::TargetUnreachable
        ))
    );
    let was_asked = matches!(end.stopped, Some(RunStop::Asked));
    let (exit, stopped, failure) = judge(&balance, end.stopped);
    let followed = followed(&tally);
    // What waits for a word of the operator is a decision, however well everything else went.
    let exit = if exit == Exit::Done && followed.held_back > Count::ZERO {
        Exit::Decision
    } else {
        exit
    };
    // Asked when everything was done already: it did not stop because of that.
    let asked = close.asked.filter(|_| was_asked && stopped.is_some());
    let stopped = asked.map(Asked::words).or(stopped);
    let carried = Carried {
        items: tally.sum(|job| job.confirmed),
        bytes: tally.carried(),
        took: close.took,
    };
    let left = (exit != Exit::Done)
        .then(|| left_of(&balance, &open.plan))
        .filter(|left| left.mailboxes > Count::ZERO);
    let outlook = left.and_then(|left| forecast(left, carried, &open.plan, close.now));
    let waiting = tally.sum(|job| job.waiting);
    let next = next(&open.path, exit, &balance, waiting);
    Ok(Ended {
        closing: Closing {
            source_calls: tally.source_calls,
            target_calls: tally.target_calls,
            throttled: tally.throttled,
            sent: tally.sent,
            took: close.took,
            stopped,
            exit: exit.code(),
            dropped: fanout.dropped(),
            next,
            left,
            outlook,
            followed,
        },
        balance,
        exit,
        failure,
        asked,
        unreached,
    })
}

/// The command that goes on from here.
fn next(plan: &Path, exit: Exit, balance: &Balance, waiting: Count) -> String {
    let plan = plan.display();
    match exit {
        Exit::Done => format!("mailferry verify {plan}"),
        Exit::Decision if balance.totals().undecided() > Count::ZERO => {
            format!("mailferry quarantine {plan} list    (what was withheld, and why)")
        }
        Exit::Decision => {
            format!("mailferry resolve {plan} list    (every open item with its reason)")
        }
        Exit::Stopped if waiting > Count::ZERO => {
            format!("mailferry quarantine {plan} list    (what waits for screening, and why)")
        }
        _ => format!("mailferry run {plan}"),
    }
}

fn followed(tally: &Tally) -> Followed {
    Followed {
        updated: tally.sum(|job| job.updated),
        retracted: tally.sum(|job| job.retracted),
        estranged: tally.sum(|job| job.estranged),
        held_back: tally.sum(|job| job.held_back),
        missed: tally.sum(|job| job.missed),
    }
}

/// From the end of a run to exit code, reason and advice.
pub fn judge(
    balance: &Balance,
    stopped: Option<RunStop>,
) -> (Exit, Option<String>, Option<CommandError>) {
    let open = judge_balance(balance);
    let failed = |error: CommandError| (error.exit, Some(error.message.clone()), Some(error));
    match stopped {
        None => (open, None, None),
        // Asked to stop when everything was done already: done.
        Some(RunStop::Asked) if open != Exit::Stopped => (open, None, None),
        Some(RunStop::Asked) => (Exit::Stopped, Some("asked to stop".to_owned()), None),
        Some(RunStop::Side(cause)) => failed(side_closed(cause)),
        Some(RunStop::Ledger(error)) => failed(error.into()),
        Some(RunStop::Local(cause)) => failed(match cause {
            LocalCause::DiskFull => {
                CommandError::new(Exit::Stopped, "the disk of the state directory is full")
                    .hint("make room on that disk, then run again: it goes on where it was")
            }
            LocalCause::Spool => CommandError::new(
                Exit::Stopped,
                "the spool in the state directory cannot be written or read",
            )
            .hint("check the disk of the state directory, then run again"),
            LocalCause::NoScreening => CommandError::new(
                Exit::Stopped,
                "the engine of [screening] does not answer, or does not find the test file; its items wait, none of them passed",
            )
            .hint("start clamd and check `clamd` in [screening], then run again: it goes on where it was"),
            LocalCause::Quarantine => CommandError::new(
                Exit::Stopped,
                "a withheld item could not be recorded in state/quarantine",
            )
            .hint("check the disk and the rights of the state directory, then run again"),
            LocalCause::TooLargeForSpool => {
                CommandError::new(Exit::Stopped, "an item does not fit the spool")
                    .hint("raise `memory` in [limits] of a new plan")
            }
        }),
        Some(RunStop::Bug(job)) => failed(
            CommandError::new(Exit::Internal, format!("mailbox {job} ended by a bug"))
                .hint("please report this; running again is safe"),
        ),
    }
}

/// What is open decides: something unexplained, access, work left, decisions, nothing.
fn judge_balance(balance: &Balance) -> Exit {
    let totals = balance.totals();
    let any = |buckets: &[Bucket]| buckets.iter().any(|b| totals.of(*b) > Count::ZERO);
    let halted = |causes: &[HaltCause]| {
        balance
            .mailboxes
            .iter()
            .any(|m| matches!(m.phase, JobPhase::Halted(cause) if causes.contains(&cause)))
    };
    if totals.unexplained() > Count::ZERO {
        return Exit::Unexplained;
    }
    if halted(&[HaltCause::OurRequest]) {
        return Exit::Internal;
    }
    if halted(&[
        HaltCause::NoSourceMailbox,
        HaltCause::ImpersonationDenied,
        HaltCause::SourceDenied,
        HaltCause::NoTargetMailbox,
        HaltCause::TargetDenied,
    ]) {
        return Exit::Unreached;
    }
    let unfinished = balance.mailboxes.iter().any(|m| !m.phase.is_settled());
    if unfinished || any(&[Bucket::Remaining, Bucket::InDoubt]) {
        return Exit::Stopped;
    }
    if any(&[Bucket::Refused, Bucket::Parked, Bucket::ChangedSince])
        || totals.undecided() > Count::ZERO
    {
        return Exit::Decision;
    }
    Exit::Done
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::id::{JobId, MailboxId};
    use crate::base::mailbox::FolderPath;
    use crate::base::quantity::Bytes;
    use crate::evidence::balance::{FolderBalance, MailboxBalance, Routes};

    fn balance(phase: JobPhase, source: u64, buckets: &[(Bucket, u64)]) -> Balance {
        let folder = FolderBalance {
            path: FolderPath::of(["Inbox"]),
            left_out: None,
            source: Count::new(source),
            buckets: buckets
                .iter()
                .map(|(bucket, n)| (*bucket, Count::new(*n)))
                .collect::<BTreeMap<_, _>>(),
            bytes: Bytes::ZERO,
            carried: Bytes::ZERO,
            left: Bytes::ZERO,
            unlisted: Count::ZERO,
            confirmed_withheld: Count::ZERO,
            routes: Routes::default(),
        };
        Balance {
            mailboxes: vec![MailboxBalance {
                job: JobId(0),
                source: MailboxId::new("a@x.example"),
                target: MailboxId::new("a@x.example"),
                phase,
                folders: vec![folder],
                exceptions: Vec::new(),
                leftovers: Vec::new(),
                typed: BTreeMap::new(),
            }],
        }
    }

    #[test]
    fn what_is_open_decides_the_exit_code() {
        use Bucket::{ChangedSince, Confirmed, InDoubt, Parked, Refused, Remaining, Skipped};
        let (up, seeding) = (JobPhase::CaughtUp, JobPhase::Seeding);
        for (phase, source, buckets, want) in [
            (up, 3, &[(Confirmed, 2), (Skipped, 1)][..], Exit::Done),
            (up, 3, &[(Confirmed, 2), (Refused, 1)], Exit::Decision),
            (up, 3, &[(Confirmed, 2), (Parked, 1)], Exit::Decision),
            (up, 3, &[(Confirmed, 2), (ChangedSince, 1)], Exit::Decision),
            (up, 3, &[(Refused, 2), (Remaining, 1)], Exit::Stopped),
            (up, 3, &[(Confirmed, 2), (InDoubt, 1)], Exit::Stopped),
            (seeding, 3, &[(Confirmed, 3)], Exit::Stopped),
            (up, 3, &[(Confirmed, 2)], Exit::Unexplained),
            (seeding, 3, &[(Confirmed, 2)], Exit::Unexplained),
            (
                JobPhase::Halted(HaltCause::NoTargetMailbox),
                3,
                &[(Remaining, 3)],
                Exit::Unreached,
            ),
            (
                JobPhase::Halted(HaltCause::QuotaFull),
                3,
                &[(Remaining, 3)],
                Exit::Stopped,
            ),
            (
                JobPhase::Halted(HaltCause::OurRequest),
                3,
                &[(Remaining, 3)],
                Exit::Internal,
            ),
        ] {
            let found = judge(&balance(phase, source, buckets), None).0;
            assert_eq!(found, want, "{phase:?} {buckets:?}");
        }
    }

    #[test]
    fn why_a_run_stopped_outweighs_what_is_open_except_for_being_asked() {
        let done = balance(JobPhase::CaughtUp, 1, &[(Bucket::Confirmed, 1)]);
        let open = balance(JobPhase::Seeding, 1, &[(Bucket::Remaining, 1)]);
        let exit = |balance: &Balance, stop| judge(balance, Some(stop)).0;
        assert_eq!(exit(&done, RunStop::Asked), Exit::Done);
        assert_eq!(exit(&open, RunStop::Asked), Exit::Stopped);
        let side = || RunStop::Side(StopCause::SourceCredentials);
        assert_eq!(exit(&open, side()), Exit::Unreached);
        assert_eq!(exit(&done, RunStop::Bug(JobId(0))), Exit::Internal);
        let full = RunStop::Ledger(LedgerError::DiskFull);
        assert_eq!(exit(&open, full), Exit::Stopped);
        let fenced = RunStop::Ledger(LedgerError::Fenced(JobId(0)));
        assert_eq!(exit(&open, fenced), Exit::Held);
        let local = RunStop::Local(LocalCause::DiskFull);
        assert_eq!(exit(&open, local), Exit::Stopped);
    }
}
