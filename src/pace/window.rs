//! A sliding-window budget for requests or bytes.

use std::collections::VecDeque;

use crate::base::limits::WINDOW_SLOTS;
use crate::base::quantity::{Span, Tick};

/// At most `limit` units in any window of length `span`, at whatever moment of a call the far side counts it.
///
/// A call is charged from its start until one window after its end: whether the far side counts the first byte, the last one or the answer,
/// no window of its own holds more than `limit`. The price is the length of one call per window.
///
/// A cost above the limit is admitted when the window is empty, and its excess is a debt that keeps the window full until as much time
/// has passed as the excess would have needed. Memory: costs that leave within one [`WINDOW_SLOTS`]th of the window are counted together,
/// so at most that many entries and the debts; a cost is forgotten up to one slot late, never early.
#[derive(Clone, Debug)]
pub struct Window {
    limit: u64,
    span: Span,
    /// When what was spent is forgotten, in order.
    used: VecDeque<(Tick, u64)>,
    /// The sum of `used`.
    spent: u64,
    /// Charged by calls that have not ended.
    flying: u64,
}

impl Window {
    /// An empty window. A limit of zero counts as one.
    pub fn new(limit: u64, span: Span) -> Self {
        Self {
            limit: limit.max(1),
            span,
            used: VecDeque::new(),
            spent: 0,
            flying: 0,
        }
    }

    /// When `cost` may be spent: `now` or later; `None` when that is open until a call ends.
    pub fn when(&self, now: Tick, cost: u64) -> Option<Tick> {
        let (cost, mut sum) = (cost.min(self.limit), self.flying.saturating_add(self.spent));
        let mut at = now;
        for (until, spent) in &self.used {
            if sum.saturating_add(cost) <= self.limit {
                break;
            }
            at = at.max(*until);
            sum -= spent;
        }
        (sum.saturating_add(cost) <= self.limit).then_some(at)
    }

    /// What a call that starts now may cost without keeping one of `cost` from starting at `at`.
    pub fn spare_at(&self, at: Tick, cost: u64) -> u64 {
        let later = self.used.iter().rev().take_while(|(until, _)| *until > at);
        let kept: u64 = later.map(|(_, spent)| spent).sum();
        let taken = kept.saturating_add(self.flying);
        self.limit
            .saturating_sub(taken.saturating_add(cost.min(self.limit)))
    }

    /// Charges a call that starts.
    pub const fn begin(&mut self, cost: u64) {
        self.flying = self.flying.saturating_add(cost);
    }

    /// The call ended at `now`: its cost leaves with the window.
    pub fn end(&mut self, now: Tick, cost: u64) {
        self.forget(now);
        self.flying = self.flying.saturating_sub(cost);
        let slot = self.span.get().div_ceil(WINDOW_SLOTS).max(1);
        let edge = (now + self.span).get().div_ceil(slot).saturating_mul(slot);
        let mut until = Tick::new(edge);
        let mut rest = cost;
        // An oversized cost is laid over as many windows as it needs.
        while rest > self.limit {
            self.keep(until, self.limit);
            rest -= self.limit;
            until = until + self.span;
        }
        if rest > 0 {
            self.keep(until, rest);
        }
    }

    /// Charges what was spent by the way and is over already.
    pub fn charge(&mut self, now: Tick, cost: u64) {
        self.begin(cost);
        self.end(now, cost);
    }

    /// Drops what has left the window.
    pub fn forget(&mut self, now: Tick) {
        while let Some((until, spent)) = self.used.front()
            && *until <= now
        {
            self.spent -= spent;
            self.used.pop_front();
        }
    }

    fn keep(&mut self, until: Tick, cost: u64) {
        self.spent = self.spent.saturating_add(cost);
        // Debts lie ahead; everything else comes in order.
        let at = self.used.partition_point(|(other, _)| *other < until);
        match self.used.get_mut(at) {
            Some((same, spent)) if *same == until => *spent = spent.saturating_add(cost),
            _ => self.used.insert(at, (until, cost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lone_waiter_always_goes() {
        let window = Window::new(100, Span::new(1000));
        assert_eq!(window.when(Tick::new(5), 1_000_000), Some(Tick::new(5)));
    }

    #[test]
    fn an_item_above_the_window_is_carried_on_debt() {
        let mut window = Window::new(100, Span::new(1000));
        window.begin(250);
        assert_eq!(window.when(Tick::ZERO, 1), None, "it is still on its way");
        window.end(Tick::ZERO, 250);
        let next = window.when(Tick::ZERO, 1).unwrap();
        assert!(next >= Tick::new(2000), "the debt was forgiven at {next:?}");
        let room = window.when(Tick::ZERO, 51).unwrap();
        assert!((3000..=3001).contains(&room.get()), "paid off at {room:?}");
    }

    #[test]
    fn an_unbroken_stream_of_calls_loses_no_more_than_a_slot_per_window() {
        // One call per tick, a limit of 60,000 in 100,000 ticks: the window is full after 60,000 and opens again when the first call leaves.
        let (limit, span) = (60_000, 100_000);
        let mut window = Window::new(limit, Span::new(span));
        for ms in 0..limit {
            window.forget(Tick::new(ms));
            assert_eq!(window.when(Tick::new(ms), 1), Some(Tick::new(ms)));
            window.charge(Tick::new(ms), 1);
        }
        let slot = span.div_ceil(WINDOW_SLOTS);
        let next = window.when(Tick::new(limit), 1).unwrap().get();
        assert!((span..=span + slot).contains(&next), "{next}");
    }

    proptest! {
        /// Whatever the costs, pauses and lengths of calls, and whenever within a call the far side counts it: no window of the given length
        /// ever holds more than the limit.
        #[test]
        fn never_more_than_the_limit_in_any_window(
            calls in proptest::collection::vec((1u64..100, 0u64..400, 0u64..300, 0u64..=100), 1..200),
        ) {
            let (limit, span) = (100u64, 1000u64);
            let mut window = Window::new(limit, Span::new(span));
            let mut now = Tick::ZERO;
            // Ends of calls on their way, and when the far side counted what.
            let mut flying: Vec<(Tick, u64)> = Vec::new();
            let mut counted: Vec<(u64, u64)> = Vec::new();
            for (cost, pause, length, share) in calls {
                now = now + Span::new(pause);
                loop {
                    flying.sort_unstable();
                    while let Some((end, cost)) = flying.first().copied().filter(|(end, _)| *end <= now) {
                        window.end(end, cost);
                        flying.remove(0);
                    }
                    window.forget(now);
                    let first_end = flying.first().map(|(end, _)| *end);
                    match (window.when(now, cost), first_end) {
                        (Some(at), _) if at <= now => break,
                        (Some(at), Some(end)) => now = at.min(end),
                        (Some(at), None) => now = at,
                        (None, Some(end)) => now = end,
                        (None, None) => prop_assert!(false, "nothing on its way, and no time"),
                    }
                }
                window.begin(cost);
                flying.push((now + Span::new(length), cost));
                counted.push((now.get() + length * share / 100, cost));
            }
            counted.sort_unstable();
            for (at, _) in &counted {
                let inside: u64 = counted.iter()
                    .filter(|(other, _)| (*at..at + span).contains(other))
                    .map(|(_, cost)| cost).sum();
                prop_assert!(inside <= limit, "{inside} in one window");
            }
        }
    }

    #[test]
    fn memory_does_not_grow_with_the_rate() {
        let mut window = Window::new(1_000_000, Span::new(10_000));
        for ms in 0..100_000 {
            window.charge(Tick::new(ms), 1);
        }
        let most = usize::try_from(WINDOW_SLOTS).unwrap() + 2;
        assert!(window.used.len() <= most, "{} entries", window.used.len());
    }
}
