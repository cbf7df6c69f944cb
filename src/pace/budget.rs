//! All-or-nothing over gate, windows and hold: the pace of one scope.

use crate::base::quantity::{Bytes, Count, Span, Tick};
use crate::pace::gate::Gate;
use crate::pace::hold::Hold;
use crate::pace::window::Window;

/// What a call costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of its body on the wire (base64, not the raw stream).
    pub upload: Bytes,
}

/// Leave to make one call. Give it back to [`Budget::settle`]; it has no public constructor and cannot be copied.
#[derive(Debug)]
#[must_use = "a permit that is not settled blocks its place for ever"]
pub struct Permit(());

/// The answer to "may I start now?".
#[derive(Debug)]
pub enum Admission {
    /// Go.
    Go(Permit),
    /// Ask again then.
    Wait {
        /// The earliest moment.
        until: Tick,
    },
    /// All places are taken; ask again when a permit comes back.
    Full,
}

/// The pace of one scope: places, requests per window, bytes per window, and a fence.
#[derive(Clone, Debug)]
pub struct Budget {
    gate: Gate,
    requests: Option<Window>,
    upload: Option<Window>,
    hold: Hold,
}

impl Budget {
    /// A budget of so many places and no windows.
    pub fn new(places: u32) -> Self {
        Self {
            gate: Gate::new(places),
            requests: None,
            upload: None,
            hold: Hold::default(),
        }
    }

    /// Adds a request window.
    #[must_use]
    pub fn with_requests(mut self, limit: Option<Count>, window: Span) -> Self {
        self.requests = limit.map(|limit| Window::new(limit.get(), window));
        self
    }

    /// Adds an upload window.
    #[must_use]
    pub fn with_upload(mut self, limit: Option<Bytes>, window: Span) -> Self {
        self.upload = limit.map(|limit| Window::new(limit.get(), window));
        self
    }

    /// Asks every part first and takes from all or from none.
    pub fn admit(&mut self, now: Tick, cost: Cost) -> Admission {
        let mut until = self.hold.until().max(now);
        if let Some(window) = &mut self.requests {
            window.forget(now);
            until = until.max(window.when(now, 1));
        }
        if let Some(window) = &mut self.upload {
            window.forget(now);
            until = until.max(window.when(now, cost.upload.get()));
        }
        if until > now {
            return Admission::Wait { until };
        }
        if !self.gate.open() {
            return Admission::Full;
        }
        self.gate.enter();
        if let Some(window) = &mut self.requests {
            window.spend(now, 1);
        }
        if let (Some(window), 1..) = (&mut self.upload, cost.upload.get()) {
            window.spend(now, cost.upload.get());
        }
        Admission::Go(Permit(()))
    }

    /// Takes the permit back.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "who settles a permit no longer has it"
    )]
    pub fn settle(&mut self, permit: Permit) {
        let Permit(()) = permit;
        self.gate.leave();
    }

    /// Fences the scope for `wait` from `now`.
    pub fn hold(&mut self, now: Tick, wait: Span) {
        self.hold.raise(now, wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_gate_spends_nothing() {
        let window = Span::new(1000);
        let mut budget = Budget::new(1).with_requests(Some(Count::new(2)), window);
        let Admission::Go(first) = budget.admit(Tick::ZERO, Cost::default()) else {
            panic!()
        };
        for _ in 0..10 {
            assert!(matches!(
                budget.admit(Tick::ZERO, Cost::default()),
                Admission::Full
            ));
        }
        budget.settle(first);
        assert!(matches!(
            budget.admit(Tick::ZERO, Cost::default()),
            Admission::Go(_)
        ));
    }

    proptest! {
        /// Never more than the places in flight, whatever order calls start and end in.
        #[test]
        fn never_more_than_the_places_in_flight(acts in proptest::collection::vec(any::<bool>(), 0..100)) {
            let mut budget = Budget::new(3);
            let mut inside = Vec::new();
            for start in acts {
                if start {
                    if let Admission::Go(permit) = budget.admit(Tick::ZERO, Cost::default()) {
                        inside.push(permit);
                    } else {
                        prop_assert_eq!(inside.len(), 3);
                    }
                } else if let Some(permit) = inside.pop() {
                    budget.settle(permit);
                }
                prop_assert!(inside.len() <= 3);
            }
        }
    }
}
