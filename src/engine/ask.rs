//! Asking what may be asked again: one loop around one call, driven by `flow::judge`. Creates never come through here.

use std::future::Future;

use crate::base::event::{EventKind, Side};
use crate::base::id::TargetMailboxId;
use crate::base::limits::{
    MOVE_PAUSE, MOVE_PAUSES_MAX, READ_ATTEMPTS_MAX, RENEWALS_MAX, SOURCE_HOLD_DEFAULT,
    TARGET_HOLD_DEFAULT, UNREACHED_ATTEMPTS_MAX,
};
use crate::base::outcome::{HaltCause, Scope, Setback, StopCause, Verdict};
use crate::base::quantity::{Bytes, Span};
use crate::engine::control::Wish;
use crate::engine::cx::{Break, JobCx};
use crate::engine::pacer::Turn;
use crate::flow::judge::{Repeat, judge};
use crate::pace::budget::Cost;

/// The turns a call needs: its mailbox's, and on the source the server's.
#[derive(Debug)]
pub struct Turns {
    _mailbox: Turn,
    _server: Option<Turn>,
}

impl JobCx {
    /// Asks the source until it answers, as the table allows.
    pub async fn ask_source<T, F>(&self, call: impl FnMut() -> F) -> Result<T, Break>
    where
        F: Future<Output = Result<T, Setback>>,
    {
        self.ask(Side::Source, None, call).await
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
        self.ask(Side::Target, mailbox, call).await
    }

    async fn ask<T, F>(
        &self,
        side: Side,
        mailbox: Option<&TargetMailboxId>,
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
            drop(turns);
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
        let both = async {
            match side {
                Side::Source => {
                    let mailbox = self.source.turn(cost).await;
                    let server = Some(self.run.server.turn(cost).await);
                    Turns {
                        _mailbox: mailbox,
                        _server: server,
                    }
                }
                Side::Target => Turns {
                    _mailbox: self.target.turn(cost).await,
                    _server: None,
                },
            }
        };
        tokio::select! {
            biased;
            () = self.run.control.reached(Wish::Drain) => Err(Break::Draining),
            turns = both => Ok(turns),
        }
    }

    /// Fences a scope. `nth` counts the throttles this call met: without a wait from the far side ours grows with it. A wait of nothing is
    /// none: "suggested backoff time 0 ms" is no leave to ask without a pause (reference/ews.md section 3).
    pub fn hold(&self, scope: Scope, at_least: Option<Span>, nth: u32) {
        let nth = u64::from(nth);
        let told = at_least.filter(|wait| *wait > Span::ZERO);
        let wait = told.unwrap_or_else(|| match scope {
            // 15, 30, 45, 60 s: long doubling waits leave the rolling window idle.
            Scope::TargetMailbox | Scope::TargetApp => TARGET_HOLD_DEFAULT.times(nth.min(4)),
            Scope::SourceMailbox | Scope::SourceServer => SOURCE_HOLD_DEFAULT.times(nth.min(5)),
        });
        match scope {
            Scope::SourceServer => self.run.server.hold(wait),
            Scope::SourceMailbox => self.source.hold(wait),
            // No limit is published across mailboxes; what concerns the application reaches each mailbox by its own answer.
            Scope::TargetMailbox | Scope::TargetApp => self.target.hold(wait),
        }
        self.tell(EventKind::Held { scope, wait });
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
