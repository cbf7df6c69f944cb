//! Retry-After and BackOffMilliseconds as a fence: nobody of the scope starts before it falls.

use crate::base::limits::HOLD_MAX;
use crate::base::quantity::{Span, Tick};

/// A fence in time. Holds extend and never stack: two calls told to wait a minute wait one minute.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    until: Tick,
}

impl Hold {
    /// Raises the fence to `now + wait`, or leaves it where it is further. Waits beyond `limits::HOLD_MAX` are cut to it.
    pub fn raise(&mut self, now: Tick, wait: Span) {
        self.until = self.until.max(now + wait.min(HOLD_MAX));
    }

    /// When the next call may start.
    pub const fn until(&self) -> Tick {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_extend_and_never_stack() {
        let mut hold = Hold::default();
        hold.raise(Tick::new(100), Span::new(50));
        hold.raise(Tick::new(110), Span::new(20));
        assert_eq!(hold.until(), Tick::new(150));
        hold.raise(Tick::new(140), Span::new(50));
        assert_eq!(hold.until(), Tick::new(190));
        hold.raise(Tick::ZERO, Span::from_secs(1_000_000));
        assert_eq!(hold.until(), Tick::ZERO + HOLD_MAX);
    }
}
