//! `mailferry run`: copies, resumes; safe to start again at any time. One night, or with `--scheduled` night after night.

use std::sync::Arc;

use crate::base::event::{Event, EventKind};
use crate::base::limits;
use crate::base::quantity::{Moment, Span};
use crate::base::spec::{PassKind, RunSpec};
use crate::cli::args::{Common, RunArgs};
use crate::cli::commands::run::{Ended, carry};
use crate::cli::contact::first_contact;
use crate::cli::decisions::Decisions;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::secrets::Secrets;
use crate::cli::signals::{Asked, Signals, StopAt};
use crate::cli::ui::Ui;
use crate::cli::wiring;
use crate::engine::balance;
use crate::plan::agenda::Awaited;
use crate::plan::openings::{Opening, drain_lead};
use crate::plan::outlook::span_between;
use crate::plan::schedule::zone_of;
use crate::port::sink::EventSink as _;
use crate::report::fanout::Fanout;
use crate::report::narrator::{LineOut, Narrator, Outputs};
use crate::report::progress::Progress;
use crate::report::summary;
use crate::store::embedded::{EmbeddedLedger, Opening as LedgerOpening};

/// While a run waits for a window, the system's clock is read again this often: it may be set, and the machine may sleep.
const NAP: Span = Span::from_secs(30);

/// Runs the command.
pub fn run(args: &RunArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let secrets = Secrets::open(args.secrets.secrets.as_deref(), &open.path, open.plan.realm)?;
    let runtime = wiring::runtime()?;
    // Inside the runtime: clients, clocks and signals belong to it.
    let mut ended = runtime.block_on(async {
        if args.scheduled {
            nights(args, &open, &secrets, ui).await
        } else {
            night(args, &open, &secrets, ui).await
        }
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

/// One run, until it is done or asked to stop.
async fn night(
    args: &RunArgs,
    open: &OpenPlan,
    secrets: &Secrets,
    ui: Ui,
) -> Result<Ended, CommandError> {
    let sides = wiring::sides(&open.plan, secrets)?.screened(open)?;
    first_contact(open, &sides, ui).await?;
    let ledger = Arc::new(wiring::ledger(open, LedgerOpening::Create)?);
    let now = sides.clock.moment();
    let after = |after, by| StopAt { after, by };
    let stops = [
        args.stop_after.map(|span| after(span, Asked::StopAfter)),
        args.until
            .map(|minute| after(until(minute, open, now), Asked::Until)),
        window_end(open, now)?,
    ];
    let stop_at = stops.into_iter().flatten().min_by_key(|stop| stop.after);
    let spec = due(args, open, now, ui)?;
    operated(open, args.name.as_deref(), now)?;
    let mut signals = Signals::listen();
    carry(open, &sides, ledger, spec, stop_at, &mut signals, ui).await
}

/// Keeps who runs, where they said so. The caller holds the state directory.
fn operated(open: &OpenPlan, name: Option<&str>, now: Moment) -> Result<(), CommandError> {
    match name {
        Some(name) => Decisions::open(open)?.operated_by(name, now),
        None => Ok(()),
    }
}

/// When the plan's window wants nothing new to begin any more.
fn window_end(open: &OpenPlan, now: Moment) -> Result<Option<StopAt>, CommandError> {
    let schedule = open.plan.schedule.as_ref();
    match schedule.map(|schedule| schedule.opening(now)) {
        None | Some(Opening::Always) => Ok(None),
        Some(Opening::Until(end)) => {
            let left = span_between(now, end);
            let lead = drain_lead(open.plan.select.to_selection().max_item_size, left);
            Ok(Some(StopAt {
                after: left.saturating_sub(lead),
                by: Asked::Window(end),
            }))
        }
        Some(Opening::Closed) => {
            let next = open.plan.next_work(now, Awaited::AnyWork);
            let when = next.map_or_else(String::new, |at| format!("; the next one begins at {at}"));
            Err(CommandError::new(
                Exit::Stopped,
                format!("the plan's windows are closed now{when}; nothing was begun"),
            )
            .hint("run with --scheduled to wait for it, or change [schedule] in a new plan"))
        }
    }
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
fn due(args: &RunArgs, open: &OpenPlan, now: Moment, ui: Ui) -> Result<RunSpec, CommandError> {
    let mut spec = open.plan.to_spec();
    spec.pass = if args.last {
        PassKind::Final
    } else {
        PassKind::Follow
    };
    spec.allow_deletes = args.allow_deletes;
    let late = open.plan.not_due(now);
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
        .hint("run with --scheduled to wait for the day, or change not_before in a new plan"));
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

/// What comes after a night, or after an attempt at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It was the last.
    End,
    /// Work goes on then.
    Await(Awaited),
    /// A side could not be reached: work goes on after a while, in a window.
    Pause,
}

/// Works in every window until everything is done, a person is needed, or a signal comes. The state directory is held all the time.
async fn nights(
    args: &RunArgs,
    open: &OpenPlan,
    secrets: &Secrets,
    ui: Ui,
) -> Result<Ended, CommandError> {
    // What is wrong with lists, addresses and passwords is said at once, not when the first window opens.
    let sides = wiring::sides(&open.plan, secrets)?.screened(open)?;
    let ledger = Arc::new(wiring::ledger(open, LedgerOpening::Create)?);
    first_contact(open, &sides, ui).await?;
    operated(open, args.name.as_deref(), wiring::clock().moment())?;
    let mut signals = Signals::listen();
    let mut so_far: Option<Ended> = None;
    let mut next = Next::Await(Awaited::AnyWork);
    loop {
        let now = wiring::clock().moment();
        let begin = match next {
            Next::End => None,
            Next::Await(what) => open.plan.next_work(now, what),
            Next::Pause => open
                .plan
                .next_work(now.after(limits::CONTACT_PAUSE), Awaited::AnyWork),
        };
        let Some(begin) = begin else {
            return so_far.ok_or_else(|| {
                CommandError::new(Exit::Refused, "no window of the plan ever comes")
                    .hint("correct [schedule] in a new plan")
            });
        };
        if begin > now && !rest(open, &ledger, begin, &mut signals, ui).await? {
            return so_far.ok_or_else(|| {
                CommandError::new(Exit::Stopped, "asked to stop; nothing was begun")
                    .hint(format!("mailferry run {} --scheduled", open.path.display()))
            });
        }
        let Some(ended) = one_of_many(args, (open, secrets), &ledger, &mut signals, ui).await?
        else {
            next = Next::Pause;
            continue;
        };
        let ended = match &so_far {
            Some(before) => ended.after(before),
            None => ended,
        };
        let now = wiring::clock().moment();
        next = after(&ended, !open.plan.not_due(now).is_empty());
        if next != Next::End {
            say_night(&ended, ui);
        }
        so_far = Some(ended);
    }
}

/// One night of many, with clients and clock of its own: nothing of them grows old over the days. Nothing where a side cannot be reached now.
async fn one_of_many(
    args: &RunArgs,
    (open, secrets): (&OpenPlan, &Secrets),
    ledger: &Arc<EmbeddedLedger>,
    signals: &mut Signals,
    ui: Ui,
) -> Result<Option<Ended>, CommandError> {
    let sides = wiring::sides(&open.plan, secrets)?.screened(open)?;
    match first_contact(open, &sides, ui).await {
        Ok(()) => {}
        Err(no) if no.may_pass => {
            ui.fail(&no.error.to_string());
            return Ok(None);
        }
        Err(no) => return Err(no.error),
    }
    let now = sides.clock.moment();
    let stop_at = window_end(open, now)?;
    let spec = due(args, open, now, ui)?;
    let ended = carry(open, &sides, Arc::clone(ledger), spec, stop_at, signals, ui).await?;
    Ok(Some(ended))
}

fn after(ended: &Ended, waves_wait: bool) -> Next {
    if ended.asked == Some(Asked::Signal) {
        return Next::End;
    }
    if ended.unreached {
        return Next::Pause;
    }
    if ended.failure.is_some() {
        return Next::End;
    }
    match ended.exit {
        Exit::Done | Exit::Decision if waves_wait => Next::Await(Awaited::NextWave),
        // Halted mailboxes among them: somebody may have acted by the next window.
        Exit::Stopped | Exit::Unreached => Next::Await(Awaited::NextWindow),
        Exit::Done
        | Exit::Decision
        | Exit::Internal
        | Exit::Usage
        | Exit::Refused
        | Exit::Unexplained
        | Exit::Gate
        | Exit::Held => Next::End,
    }
}

fn say_night(ended: &Ended, ui: Ui) {
    if ui.json {
        let mut document = summary::to_json(&ended.balance, &ended.closing);
        document["event"] = serde_json::json!("night");
        ui.data(&document.to_string());
    }
    if let Some(failure) = &ended.failure {
        ui.fail(&failure.to_string());
    }
    ui.say(&format!("the night is over. {}", ended.closing.rest()));
}

/// Waits for the moment, with a journal line and a snapshot for `status`. False when a signal came first.
async fn rest(
    open: &OpenPlan,
    ledger: &Arc<EmbeddedLedger>,
    until: Moment,
    signals: &mut Signals,
    ui: Ui,
) -> Result<bool, CommandError> {
    let clock = wiring::clock();
    let (fanout, events) = Fanout::new(limits::EVENT_QUEUE);
    let fanout = Arc::new(fanout);
    let before = balance::sums(ledger.as_ref()).await?;
    let lines: Option<LineOut> = ui
        .json
        .then(|| Box::new(move |line: &str| ui.data(line)) as LineOut);
    let outputs = Outputs {
        state: open.state.clone(),
        lines,
        bar: false,
        log: None,
        began_at: Progress::of(&before, clock.moment()).with_jobs(&open.plan.jobs()),
    };
    let narrator = Narrator::start(Arc::clone(&fanout), events, Arc::clone(&clock), outputs)
        .map_err(|error| CommandError::file(&open.state, &error))?;
    fanout.emit(&Event {
        at: clock.moment(),
        run: wiring::run_id(clock.as_ref()),
        job: None,
        kind: EventKind::Resting { until },
    });
    ui.say(&format!(
        "waiting until {until}; Ctrl-C ends the wait, and `mailferry status` shows it"
    ));
    let came = tokio::select! {
        biased;
        () = signals.next() => false,
        () = sleep_until(until) => true,
    };
    narrator.finish();
    Ok(came)
}

/// Sleeps in short pieces, each by the system's time as it is then.
async fn sleep_until(until: Moment) {
    loop {
        let clock = wiring::clock();
        let left = span_between(clock.moment(), until);
        if left == Span::ZERO {
            return;
        }
        clock.sleep_until(clock.tick() + left.min(NAP)).await;
    }
}
