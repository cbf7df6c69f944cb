//! A sliding-window budget for requests or bytes.

use std::collections::VecDeque;

use crate::base::quantity::{Span, Tick};

/// At most `limit` units in any window of length `span`.
///
/// A cost above the limit is admitted when the window is empty, and its excess is a debt that keeps the window full until as much time
/// has passed as the excess would have needed. Memory: costs of one sixty-fourth of the window are counted together, so at most 65
/// entries, whatever the rate; a cost is forgotten up to that much late, never early.
#[derive(Clone, Debug)]
pub struct Window {
    limit: u64,
    span: Span,
    used: VecDeque<(Tick, u64)>,
}

const SLOTS: u64 = 64;

impl Window {
    /// An empty window. A limit of zero counts as one.
    pub fn new(limit: u64, span: Span) -> Self {
        Self {
            limit: limit.max(1),
            span,
            used: VecDeque::new(),
        }
    }

    /// Returns when `cost` may be spent: `now` or later.
    pub fn when(&self, now: Tick, cost: u64) -> Tick {
        let mut sum = self.sum();
        let cost = cost.min(self.limit);
        let mut at = now;
        for (until, spent) in &self.used {
            if sum + cost <= self.limit {
                break;
            }
            at = at.max(*until);
            sum -= spent;
        }
        at
    }

    /// Spends `cost` at `now`.
    pub fn spend(&mut self, now: Tick, cost: u64) {
        self.forget(now);
        let slot = Span::new((self.span.get() / SLOTS).max(1));
        let mut until = now + self.span + slot;
        let mut rest = cost;
        // An oversized cost is laid over as many windows as it needs.
        while rest > self.limit {
            self.used.push_back((until, self.limit));
            rest -= self.limit;
            until = until + self.span;
        }
        match self.used.back_mut() {
            Some((last, spent))
                if *last + slot > until && *last <= until && *spent + rest <= self.limit =>
            {
                *last = until;
                *spent += rest;
            }
            _ => self.used.push_back((until, rest)),
        }
    }

    /// Drops what has left the window.
    pub fn forget(&mut self, now: Tick) {
        while self.used.front().is_some_and(|(until, _)| *until <= now) {
            self.used.pop_front();
        }
    }

    fn sum(&self) -> u64 {
        self.used.iter().map(|(_, spent)| spent).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lone_waiter_always_goes() {
        let window = Window::new(100, Span::new(1000));
        assert_eq!(window.when(Tick::new(5), 1_000_000), Tick::new(5));
    }

    #[test]
    fn an_item_above_the_window_is_carried_on_debt() {
        let mut window = Window::new(100, Span::new(1000));
        window.spend(Tick::ZERO, 250);
        let next = window.when(Tick::ZERO, 1);
        assert!(next >= Tick::new(2000), "the debt was forgiven at {next:?}");
    }

    proptest! {
        /// Whatever the costs and pauses, no window of the given length ever holds more than the limit.
        #[test]
        fn never_more_than_the_limit_in_any_window(
            costs in proptest::collection::vec((1u64..100, 0u64..400), 1..200),
        ) {
            let (limit, span) = (100u64, 1000u64);
            let mut window = Window::new(limit, Span::new(span));
            let mut now = Tick::ZERO;
            let mut log: Vec<(u64, u64)> = Vec::new();
            for (cost, pause) in costs {
                now = now + Span::new(pause);
                // Ask, wait, ask again, as the pacer does.
                loop {
                    window.forget(now);
                    let at = window.when(now, cost);
                    if at <= now { break; }
                    now = at;
                }
                window.spend(now, cost);
                log.push((now.get(), cost));
                let inside: u64 = log.iter()
                    .filter(|(at, _)| *at + span > now.get())
                    .map(|(_, cost)| cost).sum();
                prop_assert!(inside <= limit, "{inside} in one window");
            }
            prop_assert!(window.used.len() <= 200);
        }
    }

    #[test]
    fn memory_does_not_grow_with_the_rate() {
        let mut window = Window::new(1_000_000, Span::new(10_000));
        for ms in 0..10_000 {
            window.spend(Tick::new(ms), 1);
        }
        assert!(
            window.used.len() <= 2 * 64 + 2,
            "{} entries",
            window.used.len()
        );
    }
}
