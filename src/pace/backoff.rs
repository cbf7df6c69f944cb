//! The delay before attempt `n`: exponential, with jitter.
//!
//! The `backoff` crate calculates; its retry loops, which sleep and read clocks by themselves, are not used. Its own jitter is switched
//! off (factor 0) and its time limit too, so that the result depends on nothing but the arguments.

use ::backoff::ExponentialBackoff;
use ::backoff::backoff::Backoff as _;

use crate::base::dice::Dice;
use crate::base::limits::{BACKOFF_FIRST, BACKOFF_MAX};
use crate::base::quantity::Span;

/// Returns the wait after failed attempt `attempt` (from 1): `BACKOFF_FIRST` doubled each time up to `BACKOFF_MAX`, of which the upper
/// half is left to the dice, so that many waiters do not come back together.
pub fn delay(attempt: u32, dice: &mut Dice) -> Span {
    let mut series = ExponentialBackoff {
        current_interval: BACKOFF_FIRST.to_std(),
        initial_interval: BACKOFF_FIRST.to_std(),
        randomization_factor: 0.0,
        multiplier: 2.0,
        max_interval: BACKOFF_MAX.to_std(),
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    };
    let mut wait = BACKOFF_FIRST;
    for _ in 0..attempt.clamp(1, 32) {
        let next = series
            .next_backoff()
            .unwrap_or_else(|| BACKOFF_MAX.to_std());
        wait = Span::new(u64::try_from(next.as_millis()).unwrap_or(BACKOFF_MAX.get()));
    }
    let wait = wait.min(BACKOFF_MAX).get();
    Span::new(wait / 2 + dice.below(wait / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_a_ceiling_and_jitter_within_the_upper_half() {
        let mut dice = Dice::new(1);
        for (attempt, full) in [
            (1, 1_000),
            (2, 2_000),
            (3, 4_000),
            (7, 60_000),
            (40, 60_000),
        ] {
            for _ in 0..50 {
                let wait = delay(attempt, &mut dice).get();
                assert!(
                    (full / 2..=full).contains(&wait),
                    "attempt {attempt}: {wait} ms"
                );
            }
        }
    }

    #[test]
    fn the_same_dice_give_the_same_delays() {
        let series = |seed| {
            let mut dice = Dice::new(seed);
            (1..8).map(|n| delay(n, &mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(series(7), series(7));
        assert_ne!(series(7), series(8));
    }
}
