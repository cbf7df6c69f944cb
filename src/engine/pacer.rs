//! The async shell around [`crate::pace::budget`]: wait for a turn, give it back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::base::limits::{
    GRAPH_REQUEST_WINDOW, GRAPH_UPLOAD_WINDOW, SOURCE_CALLS_IN_FLIGHT_PER_MAILBOX, SOURCE_CALM,
    SOURCE_CONNECTIONS_START, TARGET_CALM,
};
use crate::base::quantity::{Count, Span, Tick};
use crate::base::spec::RunLimits;
use crate::pace::budget::{Budget, Cost, Permit, Ticket};
use crate::pace::tide::{Signal, Tide};
use crate::port::clock::Clock;

/// The pace of one scope, shared by all who call on its behalf.
#[derive(Debug)]
pub struct Pacer {
    state: Mutex<State>,
    /// Rung when the time to look again may have changed.
    changed: Notify,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct State {
    budget: Budget,
    waiting: BTreeMap<Ticket, oneshot::Sender<Turn>>,
}

/// A turn: one call may be made while it lives. Dropped without [`Turn::end`] it teaches nothing.
#[derive(Debug)]
pub struct Turn {
    pacer: Arc<Pacer>,
    permit: Option<Permit>,
}

/// A place in the line; given up when dropped.
struct Place<'a> {
    pacer: &'a Arc<Pacer>,
    ticket: Ticket,
}

impl Pacer {
    /// A pacer over `budget`.
    pub fn new(budget: Budget, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                budget,
                waiting: BTreeMap::new(),
            }),
            changed: Notify::new(),
            clock,
        })
    }

    /// The pace of a whole source server: from a few connections up to the plan's, as it bears them.
    pub fn source_server(limits: &RunLimits, clock: Arc<dyn Clock>) -> Arc<Self> {
        let most = limits.source_connections;
        let tide = Tide::low(SOURCE_CONNECTIONS_START, most, SOURCE_CALM);
        Self::new(Budget::new(most).with_tide(tide), clock)
    }

    /// The pace of one source mailbox.
    pub fn source_mailbox(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::new(Budget::new(SOURCE_CALLS_IN_FLIGHT_PER_MAILBOX), clock)
    }

    /// The pace of our application on the whole target: no limit is published across mailboxes, but a throttle may concern all.
    pub fn target_app(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::new(Budget::new(u32::MAX), clock)
    }

    /// The pace of our application on one target mailbox.
    pub fn target_mailbox(limits: &RunLimits, clock: Arc<dyn Clock>) -> Arc<Self> {
        let most = limits.target_calls_in_flight;
        let budget = Budget::new(most)
            .with_tide(Tide::high(most, TARGET_CALM))
            .with_requests(limits.target_requests_per_window, GRAPH_REQUEST_WINDOW)
            .with_upload(limits.target_upload_per_window, GRAPH_UPLOAD_WINDOW);
        Self::new(budget, clock)
    }

    /// Waits for a turn. Dropping the future gives up the place in the line and spends nothing.
    pub async fn turn(self: &Arc<Self>, cost: Cost) -> Turn {
        let (sender, mut turn) = oneshot::channel();
        let place = {
            let mut state = self.state();
            let ticket = state.budget.join(cost);
            state.waiting.insert(ticket, sender);
            Place {
                pacer: self,
                ticket,
            }
        };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking: a change in between is not missed.
            changed.as_mut().enable();
            let next = self.serve();
            let until = async {
                match next {
                    Some(next) => self.clock.sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Ok(turn) = &mut turn => {
                    drop(place);
                    return turn;
                }
                () = changed => {}
                () = until => {}
            }
        }
    }

    /// Fences the scope for `wait` from now. True when that is longer than it was fenced already.
    pub fn hold(self: &Arc<Self>, wait: Span) -> bool {
        let now = self.clock.tick();
        let rose = self.state().budget.hold(now, wait);
        self.serve_all();
        rose
    }

    /// Charges requests that were made by the way.
    pub fn charge(&self, requests: Count) {
        let now = self.clock.tick();
        self.state().budget.charge(now, requests);
    }

    /// Sets the most calls at once.
    pub fn set_cap(self: &Arc<Self>, places: u32) {
        self.state().budget.set_cap(places);
        self.serve_all();
    }

    /// Calls at once that the far side bears as far as we know; `None` where that is not asked.
    pub fn lanes(&self) -> Option<u32> {
        self.state().budget.lanes()
    }

    /// Lets go who may go, and says when to look again.
    fn serve(self: &Arc<Self>) -> Option<Tick> {
        let now: Tick = self.clock.tick();
        let mut state = self.state();
        let served = state.budget.serve(now);
        let mut granted = Vec::with_capacity(served.go.len());
        for (ticket, permit) in served.go {
            let turn = Turn {
                pacer: Arc::clone(self),
                permit: Some(permit),
            };
            granted.push((state.waiting.remove(&ticket), turn));
        }
        // A turn that nobody takes gives itself back, which needs the lock.
        drop(state);
        for (sender, turn) in granted {
            if let Some(sender) = sender {
                let _ = sender.send(turn);
            }
        }
        served.next
    }

    /// Serves after something changed for everybody.
    fn serve_all(self: &Arc<Self>) {
        if self.serve().is_some() {
            // Those who wait for time may have to wait for another time now.
            self.changed.notify_waiters();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The budget is arithmetic that does not panic half-way; a poisoned lock holds a sound value.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Gives the turn back, with what the call taught.
    pub fn end(mut self, signal: Signal) {
        self.give_back(signal);
    }

    fn give_back(&mut self, signal: Signal) {
        if let Some(permit) = self.permit.take() {
            let now = self.pacer.clock.tick();
            self.pacer.state().budget.settle(now, permit, signal);
            self.pacer.serve_all();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.give_back(Signal::Nothing);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.pacer.state();
        if state.waiting.remove(&self.ticket).is_some() {
            state.budget.leave(self.ticket);
            drop(state);
            self.pacer.serve_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::quantity::Moment;
    use crate::engine::clock::TokioClock;
    use futures_util::future::join_all;

    fn clock() -> Arc<dyn Clock> {
        Arc::new(TokioClock::starting_at(Moment::from_unix_ms(0)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_raised_while_others_wait_holds_them_too() {
        let clock = clock();
        let pacer = Pacer::new(Budget::new(2), Arc::clone(&clock));
        pacer.hold(Span::from_secs(10));
        let call = || async {
            let turn = pacer.turn(Cost::default()).await;
            let at = clock.tick();
            clock.sleep_until(at + Span::new(100)).await;
            drop(turn);
            at
        };
        let later = async {
            clock.sleep_until(Tick::new(5_000)).await;
            pacer.hold(Span::from_secs(20));
        };
        let (starts, ()) = tokio::join!(join_all((0..6).map(|_| call())), later);
        assert_eq!(starts[0], Tick::new(25_000), "{starts:?}");
        assert!(
            starts.windows(2).all(|pair| pair[1] > pair[0]),
            "{starts:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_leaves_the_line() {
        let pacer = Pacer::new(Budget::new(1), clock());
        let held = pacer.turn(Cost::default()).await;
        {
            let mut gave_up = std::pin::pin!(pacer.turn(Cost::default()));
            assert!(futures_util::poll!(&mut gave_up).is_pending());
        }
        let mut next = std::pin::pin!(pacer.turn(Cost::default()));
        assert!(futures_util::poll!(&mut next).is_pending());
        held.end(Signal::Nothing);
        let _turn = next.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_was_granted_to_somebody_gone_comes_back() {
        let pacer = Pacer::new(Budget::new(1), clock());
        let held = pacer.turn(Cost::default()).await;
        let mut gone = Box::pin(pacer.turn(Cost::default()));
        assert!(futures_util::poll!(&mut gone).is_pending());
        // Granted now, and never looked at again.
        drop(held);
        drop(gone);
        let _turn = pacer.turn(Cost::default()).await;
    }
}
