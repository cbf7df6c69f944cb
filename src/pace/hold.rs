//! Retry-After and BackOffMilliseconds as a fence: nobody of the scope starts before it falls, and then not all at once.

use crate::base::limits::{HOLD_EASE, HOLD_GAP, HOLD_MAX};
use crate::base::quantity::{Span, Tick};

/// A fence in time. Holds extend and never stack: two calls told to wait a minute wait one minute.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    until: Option<Tick>,
}

impl Hold {
    /// Raises the fence to `now + wait`, or leaves it where it is further. Waits beyond `limits::HOLD_MAX` are cut to it. True when it rose.
    pub fn raise(&mut self, now: Tick, wait: Span) -> bool {
        let to = now + wait.min(HOLD_MAX);
        let rose = self.until.is_none_or(|until| until < to);
        if rose {
            self.until = Some(to);
        }
        rose
    }

    /// When the next call may start, at `now` or later; `last` is when the last one did. For `HOLD_EASE` after the fence fell, calls start
    /// `HOLD_GAP` apart, so that those who waited do not come back as one.
    pub fn opens(&self, now: Tick, last: Option<Tick>) -> Tick {
        let Some(until) = self.until else {
            return now;
        };
        if now < until {
            return until;
        }
        match last.filter(|last| *last >= until) {
            Some(last) if now < until + HOLD_EASE => now.max(last + HOLD_GAP),
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_extend_and_never_stack() {
        let mut hold = Hold::default();
        assert_eq!(hold.opens(Tick::ZERO, Some(Tick::ZERO)), Tick::ZERO);
        assert!(hold.raise(Tick::new(100), Span::new(50)));
        assert!(!hold.raise(Tick::new(110), Span::new(20)));
        assert_eq!(hold.opens(Tick::new(110), None), Tick::new(150));
        assert!(hold.raise(Tick::new(140), Span::new(50)));
        assert_eq!(hold.opens(Tick::new(150), None), Tick::new(190));
        hold.raise(Tick::ZERO, Span::from_secs(1_000_000));
        assert_eq!(hold.opens(Tick::ZERO, None), Tick::ZERO + HOLD_MAX);
    }

    #[test]
    fn those_who_waited_start_one_after_another_for_a_while() {
        let mut hold = Hold::default();
        hold.raise(Tick::ZERO, Span::new(1000));
        let fell = Tick::new(1000);
        assert_eq!(hold.opens(fell, Some(Tick::new(900))), fell);
        assert_eq!(hold.opens(fell, Some(fell)), fell + HOLD_GAP);
        let later = fell + HOLD_EASE;
        assert_eq!(hold.opens(later, Some(later)), later);
    }
}
