//! One question, asked as the retry table says, and for as long as a person waits.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::dice::Dice;
use crate::base::event::Side;
use crate::base::id::TargetMailboxId;
use crate::base::limits;
use crate::base::outcome::{Said, Setback, Verdict};
use crate::base::quantity::Span;
use crate::flow::judge::{Repeat, judge};
use crate::pace::backoff;
use crate::port::clock::Clock;
use crate::port::target::Target;
use crate::preflight::observed::CallsSeen;

/// Asks, and counts.
#[derive(Debug)]
pub(super) struct Asker {
    clock: Arc<dyn Clock>,
    target: Arc<dyn Target>,
    dice: Mutex<Dice>,
    asked: [AtomicU32; 2],
    throttled: [AtomicU32; 2],
}

/// What is left of the patience for one question.
#[derive(Debug, Default)]
pub(super) struct Patience {
    attempts: u32,
    renewals: u32,
    waited: Span,
}

/// What to do about a setback of a question.
pub(super) enum Next {
    /// Ask again; whatever had to be waited for is over.
    Again,
    /// That is the answer.
    Enough,
}

impl Asker {
    pub(super) fn new(clock: Arc<dyn Clock>, target: Arc<dyn Target>, dice: Dice) -> Self {
        Self {
            clock,
            target,
            dice: Mutex::new(dice),
            asked: Default::default(),
            throttled: Default::default(),
        }
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// How the calls on one side went so far.
    pub(super) fn calls(&self, side: Side) -> CallsSeen {
        let at = side as usize;
        CallsSeen {
            asked: self.asked[at].load(Ordering::Relaxed),
            throttled: self.throttled[at].load(Ordering::Relaxed),
        }
    }

    /// Counts a call that is about to be made.
    pub(super) fn count(&self, side: Side) {
        self.asked[side as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Waits.
    pub(super) async fn pause(&self, span: Span) {
        let until = self.clock.tick() + span;
        self.clock.sleep_until(until).await;
    }

    /// Asks what may be asked again.
    pub(super) async fn ask<T, F>(
        &self,
        side: Side,
        mailbox: Option<&TargetMailboxId>,
        call: impl Fn() -> F,
    ) -> Result<T, Setback>
    where
        F: Future<Output = Result<T, Setback>>,
    {
        let mut patience = Patience::default();
        loop {
            self.count(side);
            let why = match call().await {
                Ok(value) => return Ok(value),
                Err(why) => why,
            };
            match self
                .heed(side, mailbox, &mut patience, Repeat::Freely, &why)
                .await
            {
                Next::Again => {}
                Next::Enough => return Err(why),
            }
        }
    }

    /// Waits for what a setback asks for, as far as patience goes.
    pub(super) async fn heed(
        &self,
        side: Side,
        mailbox: Option<&TargetMailboxId>,
        patience: &mut Patience,
        repeat: Repeat,
        why: &Setback,
    ) -> Next {
        match judge(repeat, why) {
            Verdict::Again | Verdict::Resurvey if !is_final(why) => {
                patience.attempts += 1;
                if patience.attempts >= limits::LOOK_ATTEMPTS_MAX {
                    return Next::Enough;
                }
                let wait = self.backoff(patience.attempts);
                self.pause(wait).await;
                Next::Again
            }
            Verdict::Hold { at_least, .. } => {
                self.throttled[side as usize].fetch_add(1, Ordering::Relaxed);
                let told = at_least.filter(|wait| *wait > Span::ZERO);
                let wait = told.unwrap_or(limits::LOOK_HOLD);
                if patience.waited + wait > limits::LOOK_PATIENCE {
                    return Next::Enough;
                }
                patience.waited += wait;
                self.pause(wait).await;
                Next::Again
            }
            Verdict::Renew => {
                patience.renewals += 1;
                if patience.renewals > limits::RENEWALS_MAX {
                    return Next::Enough;
                }
                if let Some(mailbox) = mailbox {
                    self.target.renew(mailbox);
                }
                Next::Again
            }
            _ => Next::Enough,
        }
    }

    fn backoff(&self, attempt: u32) -> Span {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = backoff::delay(attempt, &mut dice);
        // A tenth of what a run waits: nobody else is kept waiting by a preflight, and a person is.
        Span::new(wait.get() / 10)
    }
}

/// True for what stays so however often it is asked within a minute: a name, a port or a certificate does not mend itself, a service that does
/// not know a call will not learn it, and a folder that is gone stays gone.
const fn is_final(why: &Setback) -> bool {
    matches!(
        why,
        Setback::Unreached(_)
            | Setback::FolderGone
            | Setback::GatewayGaveUp(Said {
                status: Some(501),
                ..
            })
    )
}
