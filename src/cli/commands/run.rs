//! `mailferry run`: copies, resumes; safe to start again at any time.

use std::path::Path;
use std::sync::Arc;

use crate::base::fact::{Bucket, JobPhase};
use crate::base::limits;
use crate::base::outcome::{HaltCause, LocalCause};
use crate::base::quantity::{Count, Moment, Span};
use crate::base::spec::RunSpec;
use crate::cli::args::{Common, RunArgs};
use crate::cli::contact::first_contact;
use crate::cli::error::{CommandError, side_closed};
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::secrets::Secrets;
use crate::cli::signals;
use crate::cli::ui::Ui;
use crate::cli::wiring::{self, Sides};
use crate::engine::balance;
use crate::engine::control::control;
use crate::engine::ports::Ports;
use crate::engine::run::{RunEnd, RunOrder, RunStop, run as engine_run};
use crate::evidence::balance::Balance;
use crate::plan::schedule::{Opening, zone_of};
use crate::port::clock::Clock;
use crate::port::ledger::LedgerError;
use crate::report::fanout::Fanout;
use crate::report::narrator::{LineOut, Narrator, Outputs};
use crate::report::progress::Progress;
use crate::report::summary::{self, Closing};
use crate::store::embedded::{EmbeddedLedger, Opening as LedgerOpening};

/// The directory of spilt bodies inside a state directory.
const SPOOL_DIR: &str = "spool";

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
}

impl Ended {
    /// The same end, with what an earlier run did added to its counts.
    #[must_use]
    pub fn after(mut self, earlier: &Ended) -> Self {
        let (own, before) = (&mut self.closing, &earlier.closing);
        own.source_calls += before.source_calls;
        own.target_calls += before.target_calls;
        own.throttled += before.throttled;
        own.sent += before.sent;
        own.took += before.took;
        own.dropped += before.dropped;
        self
    }
}

/// Runs the command.
pub fn run(args: &RunArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let secrets = Secrets::open(args.secrets.secrets.as_deref(), &open.path, open.plan.realm)?;
    let runtime = wiring::runtime()?;
    // Inside the runtime: clients and the clock belong to it.
    let mut ended = runtime.block_on(async {
        let sides = wiring::sides(&open.plan, &secrets)?;
        first_contact(&open, &sides, ui).await?;
        let ledger = Arc::new(wiring::ledger(&open, LedgerOpening::Create)?);
        let stop_at = stop_at(args, &open, sides.clock.as_ref())?;
        let spec = due(&open, sides.clock.as_ref(), ui)?;
        carry(&open, &sides, ledger, spec, stop_at, ui).await
    })?;
    hold_for_waves(&open, &mut ended);
    // Ends what still holds a connection.
    runtime.shutdown_background();
    if ui.json {
        ui.data(&summary::to_json(&ended.balance, &ended.closing).to_string());
    } else {
        ui.data(&summary::to_text(&ended.balance, &ended.closing));
    }
    if let Some(failure) = &ended.failure {
        ui.fail(&failure.to_string());
    }
    Ok(ended.exit)
}

/// The earliest moment at which nothing new begins: `--stop-after`, `--until`, the end of the plan's window.
fn stop_at(
    args: &RunArgs,
    open: &OpenPlan,
    clock: &dyn Clock,
) -> Result<Option<(Span, &'static str)>, CommandError> {
    let now = clock.moment();
    let after = args.stop_after.map(|span| (span, "--stop-after"));
    let until = args
        .until
        .map(|minute| (until(minute, open, now), "--until"));
    let schedule = open.plan.schedule.as_ref();
    let window = match schedule.map(|schedule| schedule.opening(now)) {
        None | Some(Opening::Always) => None,
        Some(Opening::For(left)) => Some((left, "the end of the plan's window")),
        Some(Opening::Closed) => {
            return Err(CommandError::new(
                Exit::Stopped,
                "the plan's windows are closed now; nothing was begun",
            )
            .hint("run again inside a window, or change [schedule] in a new plan"));
        }
    };
    Ok([after, until, window]
        .into_iter()
        .flatten()
        .min_by_key(|(span, _)| *span))
}

/// How long until that minute of the day comes next in the plan's zone.
fn until(minute: u16, open: &OpenPlan, now: Moment) -> Span {
    let schedule = open.plan.schedule.as_ref();
    let zone = schedule
        .and_then(|schedule| zone_of(&schedule.time_zone))
        .unwrap_or(jiff::tz::TimeZone::UTC);
    let Ok(at) = jiff::Timestamp::from_millisecond(now.unix_ms()) else {
        return Span::ZERO;
    };
    let local = at.to_zoned(zone);
    let gone =
        i64::from(local.hour()) * 3600 + i64::from(local.minute()) * 60 + i64::from(local.second());
    let left = (i64::from(minute) * 60 - gone).rem_euclid(86_400);
    Span::from_secs(left.unsigned_abs())
}

/// The jobs that may begin today.
fn due(open: &OpenPlan, clock: &dyn Clock, ui: Ui) -> Result<RunSpec, CommandError> {
    let mut spec = open.plan.to_spec();
    let late = open.plan.not_due(clock.moment());
    if late.is_empty() {
        return Ok(spec);
    }
    let mut told = "";
    for (_, wave, day) in &late {
        if *wave != told {
            ui.say(&format!("wave {wave} waits for {day}"));
            told = wave;
        }
    }
    spec.jobs
        .retain(|job| !late.iter().any(|(no, _, _)| *no == job.job));
    if spec.jobs.is_empty() {
        return Err(CommandError::new(
            Exit::Stopped,
            "no wave of the plan may begin yet; nothing was begun",
        )
        .hint("run again on the day, or change not_before in a new plan"));
    }
    Ok(spec)
}

/// A plan with waves that may not begin yet is not done, however well the others went.
fn hold_for_waves(open: &OpenPlan, ended: &mut Ended) {
    let now = wiring::clock().moment();
    let late = open.plan.not_due(now);
    if let Some((_, wave, day)) = late.first()
        && matches!(ended.exit, Exit::Done | Exit::Decision)
    {
        ended.exit = Exit::Stopped;
        ended.closing.exit = Exit::Stopped.code();
        ended.closing.stopped = Some(format!("wave {wave} waits for {day}"));
        ended.closing.next = format!("mailferry run {}    (on {day})", open.path.display());
    }
}

/// Drives one run over an open ledger to its end.
pub async fn carry(
    open: &OpenPlan,
    sides: &Sides,
    ledger: Arc<EmbeddedLedger>,
    spec: RunSpec,
    stop_at: Option<(Span, &'static str)>,
    ui: Ui,
) -> Result<Ended, CommandError> {
    let spool_dir = open.state.join(SPOOL_DIR);
    sweep_spool(&spool_dir)?;
    let clock = Arc::clone(&sides.clock);
    let began = clock.tick();
    let (fanout, events) = Fanout::new(limits::EVENT_QUEUE);
    let fanout = Arc::new(fanout);
    let before = balance::take(ledger.as_ref()).await?;
    let lines: Option<LineOut> = ui
        .json
        .then(|| Box::new(move |line: &str| ui.data(line)) as LineOut);
    let outputs = Outputs {
        state: open.state.clone(),
        lines,
        bar: ui.bars(),
        began_at: Progress::of(&before, clock.moment()).with_jobs(&spec.jobs),
    };
    let narrator = Narrator::start(Arc::clone(&fanout), events, Arc::clone(&clock), outputs)
        .map_err(|error| CommandError::file(&open.state, &error))?;
    let (lever, control) = control();
    let watch = signals::watch(lever.clone(), Arc::clone(&clock), stop_at, ui);
    let ports = Ports {
        source: sides.source.clone(),
        target: sides.target.clone(),
        ledger: ledger.clone(),
        clock: Arc::clone(&clock),
        events: fanout.clone(),
    };
    let order = RunOrder {
        spec: Arc::new(spec),
        run: wiring::run_id(clock.as_ref()),
        dice: wiring::dice(clock.as_ref()),
        spool_dir: spool_dir.clone(),
    };
    let end = {
        let run = engine_run(ports, order, &lever, &control);
        tokio::pin!(run);
        tokio::select! {
            biased;
            end = &mut run => end,
            never = watch => match never {},
        }
    };
    narrator.finish();
    let _ = std::fs::remove_dir_all(&spool_dir);
    let after = balance::take(ledger.as_ref()).await;
    let took = clock.tick() - began;
    conclude(open, &fanout, end, after, took)
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
    took: Span,
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
    let (exit, stopped, failure) = judge(&balance, end.stopped);
    let plan = open.path.display();
    let next = match exit {
        Exit::Done => format!("mailferry verify {plan}"),
        Exit::Decision => {
            format!("mailferry report {plan}    (lists every open item with its reason)")
        }
        _ => format!("mailferry run {plan}"),
    };
    Ok(Ended {
        closing: Closing {
            source_calls: tally.source_calls,
            target_calls: tally.target_calls,
            throttled: tally.throttled,
            sent: tally.sent,
            took,
            stopped,
            exit: exit.code(),
            dropped: fanout.dropped(),
            next,
        },
        balance,
        exit,
        failure,
    })
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
    if any(&[
        Bucket::Refused,
        Bucket::Parked,
        Bucket::Quarantined,
        Bucket::ChangedSince,
    ]) {
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
    use crate::base::outcome::StopCause;
    use crate::base::quantity::Bytes;
    use crate::evidence::balance::{FolderBalance, MailboxBalance};

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
        };
        Balance {
            mailboxes: vec![MailboxBalance {
                job: JobId(0),
                source: MailboxId::new("a@x.example"),
                target: MailboxId::new("a@x.example"),
                phase,
                folders: vec![folder],
                exceptions: Vec::new(),
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
