//! Asking what may be asked again: one loop around one call, driven by `flow::judge`. Creates never come through here.

use std::future::Future;

use crate::base::event::{EventKind, Side};
use crate::base::id::TargetMailboxId;
use crate::base::limits::{
    MOVE_PAUSE, MOVE_PAUSES_MAX, READ_ATTEMPTS_MAX, RENEWALS_MAX, SOURCE_HOLD_DEFAULT,
    TARGET_HOLD_DEFAULT, UNREACHED_ATTEMPTS_MAX,
};
use crate::base::outcome::{DoubtCause, HaltCause, Scope, Setback, StopCause, Verdict};
use crate::base::quantity::{Bytes, Count, Span, Tick};
use crate::engine::control::Wish;
use crate::engine::cx::{Break, JobCx};
use crate::engine::pacer::Turn;
use crate::flow::judge::{Repeat, judge};
use crate::pace::budget::Cost;
use crate::pace::tide::Signal;
use crate::plan::hours;

/// The turns a call needs: its mailbox's, and that of the server or of our application on the target.
#[derive(Debug)]
pub struct Turns {
    side: Side,
    mailbox: Turn,
    whole: Turn,
    began: Tick,
}

impl Turns {
    /// Gives the turns back after a call that carried about `weight` bytes. What it teaches goes to whom it concerns: the source server
    /// learns from every call, a target mailbox only from being told that too many were in flight.
    pub fn end(self, now: Tick, outcome: Result<(), &Setback>, weight: Bytes) {
        let took = now - self.began;
        let well = Signal::Well { took, weight };
        let signal = match (outcome, self.side) {
            (Ok(()), _) => well,
            (Err(setback), Side::Target) if setback.is_crowded() => Signal::Strained,
            (
                Err(
                    Setback::Throttled { .. }
                    | Setback::Unwell(_)
                    | Setback::GatewayGaveUp(_)
                    | Setback::Lost(DoubtCause::TimedOut),
                ),
                Side::Source,
            ) => Signal::Strained,
            (Err(_), _) => Signal::Nothing,
        };
        self.mailbox.end(signal);
        self.whole.end(signal);
    }
}

impl JobCx {
    /// Asks the source until it answers, as the table allows.
    pub async fn ask_source<T, F>(&self, call: impl FnMut() -> F) -> Result<T, Break>
    where
        F: Future<Output = Result<T, Setback>>,
    {
        self.ask(Side::Source, None, Bytes::ZERO, call).await
    }

    /// Asks the source for about `weight` bytes of content until it answers, as the table allows.
    pub async fn ask_source_for<T, F>(
        &self,
        weight: Bytes,
        call: impl FnMut() -> F,
    ) -> Result<T, Break>
    where
        F: Future<Output = Result<T, Setback>>,
    {
        self.ask(Side::Source, None, weight, call).await
    }

    /// Asks the target until it answers, as the table allows. `mailbox` is renewed where a session ended.
    pub async fn ask_target<T, F>(
        &self,
        mailbox: Option<&TargetMailboxId>,
        call: impl FnMut() -> F,
    ) -> Result<T, Break>
    where
        F: Future<Output = Result<T, Setback>>,
    {
        self.ask(Side::Target, mailbox, Bytes::ZERO, call).await
    }

    async fn ask<T, F>(
        &self,
        side: Side,
        mailbox: Option<&TargetMailboxId>,
        weight: Bytes,
        mut call: impl FnMut() -> F,
    ) -> Result<T, Break>
    where
        F: Future<Output = Result<T, Setback>>,
    {
        let (mut attempts, mut throttles, mut renewals, mut pauses) = (0, 0, 0, 0);
        loop {
            let turns = self.turns(side, Cost::default()).await?;
            self.tell(EventKind::Called {
                side,
                sent: Bytes::ZERO,
            });
            let outcome = call().await;
            let now = self.run.ports.clock.tick();
            turns.end(now, outcome.as_ref().map(|_| ()), weight);
            if let Some(mailbox) = mailbox {
                self.charge(mailbox);
            }
            let setback = match outcome {
                Ok(value) => return Ok(value),
                Err(setback) => setback,
            };
            self.tell(EventKind::SetBack {
                side,
                setback: setback.clone(),
            });
            match judge(Repeat::Freely, &setback) {
                // A doubt about something that may be repeated is none.
                Verdict::Again | Verdict::Doubt(_) => {
                    attempts += 1;
                    if attempts >= patience(&setback) {
                        return Err(exhausted(side, setback));
                    }
                    self.wait(self.backoff(attempts)).await?;
                }
                Verdict::Hold { scope, at_least } => {
                    throttles += 1;
                    self.hold(scope, at_least, throttles);
                }
                Verdict::Pause(why) => {
                    pauses += 1;
                    if pauses > MOVE_PAUSES_MAX {
                        return Err(Break::Halt(why));
                    }
                    self.hold(mailbox_of(side), Some(MOVE_PAUSE), pauses);
                }
                Verdict::Renew => {
                    renewals += 1;
                    if renewals > RENEWALS_MAX {
                        return Err(Break::Exhausted(setback));
                    }
                    // A fresh token helps at once; where it does not, haste helps nobody.
                    if renewals > 1 {
                        self.wait(self.backoff(renewals)).await?;
                    }
                    if let Some(mailbox) = mailbox {
                        self.run.ports.target.renew(mailbox);
                    }
                }
                Verdict::Refuse(refusal) => return Err(Break::Refused(refusal)),
                Verdict::Forget => return Err(Break::Gone),
                Verdict::Resurvey => return Err(Break::FolderGone),
                Verdict::Resync => return Err(Break::StateInvalid),
                Verdict::Halt(why) => return Err(Break::Halt(why)),
                Verdict::Stop(why) => return Err(Break::Stop(why)),
                Verdict::Drain(why) => return Err(Break::Local(why)),
            }
        }
    }

    /// Waits for a turn on one side, unless the run is winding up.
    pub async fn turns(&self, side: Side, cost: Cost) -> Result<Turns, Break> {
        let (mailbox, whole) = match side {
            Side::Source => (&self.source, &self.run.server),
            Side::Target => (&self.target, &self.run.app),
        };
        let both = async {
            let mailbox = mailbox.turn(cost).await;
            if side == Side::Source {
                self.heed_the_day();
            }
            let whole = whole.turn(cost).await;
            let began = self.run.ports.clock.tick();
            Turns {
                side,
                mailbox,
                whole,
                began,
            }
        };
        tokio::select! {
            biased;
            () = self.run.control.reached(Wish::Drain) => Err(Break::Draining),
            turns = both => Ok(turns),
        }
    }

    /// Opens as many connections to the source as its users leave us at this hour.
    fn heed_the_day(&self) {
        let limits = &self.run.spec.limits;
        if limits.source_by_day.is_some() {
            let now = self.run.ports.clock.moment();
            self.run
                .server
                .set_cap(hours::source_connections(limits, now));
        }
    }

    /// Charges the requests that calls to the target mailbox made by the way.
    pub fn charge(&self, mailbox: &TargetMailboxId) {
        let requests = self.run.ports.target.made_besides(mailbox);
        if requests > Count::ZERO {
            self.target.charge(requests);
        }
    }

    /// Fences a scope, all who call on its behalf. `nth` counts the throttles this call met: without a wait from the far side ours grows with it. A wait of nothing is
    /// none: "suggested backoff time 0 ms" is no leave to ask without a pause (reference/ews.md section 3).
    pub fn hold(&self, scope: Scope, at_least: Option<Span>, nth: u32) {
        let nth = u64::from(nth);
        let told = at_least.filter(|wait| *wait > Span::ZERO);
        let wait = told.unwrap_or_else(|| match scope {
            // 15, 30, 45, 60 s: long doubling waits leave the rolling window idle.
            Scope::TargetMailbox | Scope::TargetApp => TARGET_HOLD_DEFAULT.times(nth.min(4)),
            Scope::SourceMailbox | Scope::SourceServer => SOURCE_HOLD_DEFAULT.times(nth.min(5)),
        });
        let rose = match scope {
            Scope::SourceServer => self.run.server.hold(wait),
            Scope::SourceMailbox => self.source.hold(wait),
            Scope::TargetMailbox => self.target.hold(wait),
            Scope::TargetApp => self.run.app.hold(wait),
        };
        // Several calls told the same at once are one pause.
        if rose {
            self.tell(EventKind::Held { scope, wait });
        }
    }
}

/// The mailbox a call on this side concerns.
pub const fn mailbox_of(side: Side) -> Scope {
    match side {
        Side::Source => Scope::SourceMailbox,
        Side::Target => Scope::TargetMailbox,
    }
}

/// How often the same call may fail this way. An outage lasts longer than a hiccup, and blames nobody.
pub const fn patience(setback: &Setback) -> u32 {
    match setback {
        Setback::Unreached(_) => UNREACHED_ATTEMPTS_MAX,
        _ => READ_ATTEMPTS_MAX,
    }
}

/// What it means that patience ran out: who cannot be reached ends the run, anything else concerns the call.
pub fn exhausted(side: Side, setback: Setback) -> Break {
    match (&setback, side) {
        (Setback::Unreached(_), Side::Source) => Break::Stop(StopCause::SourceUnreachable),
        (Setback::Unreached(_), Side::Target) => Break::Stop(StopCause::TargetUnreachable),
        _ => Break::Exhausted(setback),
    }
}

impl Break {
    /// What an exhausted or misplaced break means for the whole mailbox.
    #[must_use]
    pub fn for_mailbox(self) -> Self {
        match self {
            Self::Exhausted(_)
            | Self::Gone
            | Self::FolderGone
            | Self::StateInvalid
            | Self::Refused(_) => Self::Halt(HaltCause::Exhausted),
            other @ (Self::Draining
            | Self::Halt(_)
            | Self::Stop(_)
            | Self::Local(_)
            | Self::Ledger(_)) => other,
        }
    }
}
