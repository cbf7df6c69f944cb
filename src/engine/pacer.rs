//! The async shell around [`crate::pace::budget`]: wait for a turn, give it back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::quantity::{Span, Tick};
use crate::pace::budget::{Admission, Budget, Cost, Permit};
use crate::port::clock::Clock;

/// The pace of one scope, shared by all who call on its behalf.
#[derive(Debug)]
pub struct Pacer {
    budget: Mutex<Budget>,
    freed: Notify,
    clock: Arc<dyn Clock>,
}

/// A turn: one call may be made while it lives.
#[derive(Debug)]
pub struct Turn {
    pacer: Arc<Pacer>,
    permit: Option<Permit>,
}

impl Pacer {
    /// A pacer over `budget`.
    pub fn new(budget: Budget, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            budget: Mutex::new(budget),
            freed: Notify::new(),
            clock,
        })
    }

    /// Waits for a turn. Dropping the future gives up the place in the queue and spends nothing.
    pub async fn turn(self: &Arc<Self>, cost: Cost) -> Turn {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Registered before asking: a place freed in between is not missed.
            freed.as_mut().enable();
            let admission = self.budget().admit(self.clock.tick(), cost);
            match admission {
                Admission::Go(permit) => {
                    return Turn {
                        pacer: Arc::clone(self),
                        permit: Some(permit),
                    };
                }
                Admission::Wait { until } => self.clock.sleep_until(until).await,
                Admission::Full => freed.await,
            }
        }
    }

    /// Fences the scope for `wait` from now.
    pub fn hold(&self, wait: Span) {
        let now: Tick = self.clock.tick();
        self.budget().hold(now, wait);
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        // The budget is arithmetic that does not panic half-way; a poisoned lock holds a sound value.
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.pacer.budget().settle(permit);
            self.pacer.freed.notify_waiters();
        }
    }
}
