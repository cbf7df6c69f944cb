//! When something lent to us for a time is renewed.

use crate::base::quantity::{Span, Tick};

/// The tick from which a thing got at `got` that lives for `life` is no longer used: `margin` before its end, but never before half its
/// life, so that a short life does not mean a new one for every call.
pub(super) fn renew_at(got: Tick, life: Span, margin: Span) -> Tick {
    let early = life.saturating_sub(margin);
    let half = Span::new(life.get() / 2);
    got + early.max(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_comes_before_the_end_and_not_before_the_middle() {
        let at = |life| renew_at(Tick::new(1_000), Span::new(life), Span::new(300));
        assert_eq!(at(3_600), Tick::new(4_300));
        assert_eq!(at(400), Tick::new(1_200));
        assert_eq!(at(0), Tick::new(1_000));
    }
}
