//! How many calls at once a far side bears: additive increase while it is well, multiplicative decrease when it is not.

use crate::base::limits::{
    TIDE_LATENCY_NOISE, TIDE_REST, TIDE_SPELL, TIDE_STRAIN_EASY, TIDE_STRAIN_HIGH, TIDE_STRAIN_NONE,
};
use crate::base::quantity::{Bytes, Span, Tick};

/// What a call that ended says about its far side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Nothing: it was given up, or failed for reasons of its own.
    Nothing,
    /// It went well.
    Well {
        /// How long it took.
        took: Span,
        /// What it carried; calls are compared with calls of their size.
        weight: Bytes,
    },
    /// Too much at once: a throttle that says so, a timeout, a server out of breath.
    Strained,
}

/// Lanes between one and a cap.
///
/// It falls to a half on a strained call, to three quarters when calls take nearly twice as long as the best of their size, and at most once per
/// [`TIDE_REST`], so that the answers of one moment count once. It rises by one lane after a round of good calls (as many as there are
/// lanes) and `calm` without a change.
#[derive(Clone, Debug)]
pub struct Tide {
    cap: u32,
    lanes: u32,
    calm: Span,
    heeds_latency: bool,
    changed: Tick,
    fell: Option<Tick>,
    good: u32,
    classes: [Class; CLASSES],
    /// When this spell began.
    spell: Tick,
    /// How much longer than the best calls take, smoothed, in thousandths.
    strain: u64,
}

/// How long calls of one weight take. One call proves little: ordinary servers answer the same question in a half or in three times the
/// usual time. So smoothed times are compared, and the best of them.
#[derive(Clone, Copy, Debug, Default)]
struct Class {
    /// Smoothed over the last [`SMOOTH`], in thousandths of milliseconds.
    mean: u64,
    seen: u32,
    /// The best mean of this spell, and of the one before.
    best: Option<u64>,
    best_before: Option<u64>,
}

const SMOOTH: u32 = 16;

/// Weights up to 64 KB are one class, then each doubling is one, from 128 MB on the last.
const CLASSES: usize = 13;
const FIRST_CLASS_BITS: u32 = 16;

impl Tide {
    /// Starts with all lanes up to `cap`, and after a fall rises by one each `calm`.
    pub fn high(cap: u32, calm: Span) -> Self {
        Self {
            cap: cap.max(1),
            lanes: cap.max(1),
            calm,
            heeds_latency: false,
            changed: Tick::ZERO,
            fell: None,
            good: 0,
            classes: [Class::default(); CLASSES],
            spell: Tick::ZERO,
            strain: TIDE_STRAIN_NONE,
        }
    }

    /// Starts with `start` lanes and feels its way up to `cap` by latency and errors.
    pub fn low(start: u32, cap: u32, calm: Span) -> Self {
        Self {
            lanes: start.clamp(1, cap.max(1)),
            heeds_latency: true,
            ..Self::high(cap, calm)
        }
    }

    /// The lanes open now.
    pub const fn lanes(&self) -> u32 {
        self.lanes
    }

    /// Sets the cap. Lanes above it close at once; below it they are won again one by one.
    pub fn set_cap(&mut self, cap: u32) {
        self.cap = cap.max(1);
        self.lanes = self.lanes.min(self.cap);
    }

    /// Learns from a call that ended. `pressed` says that all lanes were taken: an idle far side proves nothing.
    pub fn learn(&mut self, now: Tick, signal: Signal, pressed: bool) {
        match signal {
            Signal::Nothing => {}
            Signal::Strained => self.fall(now, 1, 2),
            Signal::Well { took, weight } => {
                if self.heeds_latency {
                    self.feel(now, took, weight);
                    if self.strain > TIDE_STRAIN_HIGH {
                        self.fall(now, 3, 4);
                        return;
                    }
                    // Nobody knows yet how quick it is.
                    let new = self.classes.iter().all(|class| class.best.is_none());
                    if new || self.strain > TIDE_STRAIN_EASY {
                        self.good = 0;
                        return;
                    }
                }
                if pressed {
                    self.rise(now);
                }
            }
        }
    }

    fn fall(&mut self, now: Tick, to: u32, of: u32) {
        let resting = self.fell.is_some_and(|fell| now - fell < TIDE_REST);
        if resting {
            return;
        }
        self.lanes = (self.lanes * to / of).max(1);
        self.fell = Some(now);
        self.changed = now;
        self.good = 0;
        self.strain = TIDE_STRAIN_NONE;
        for class in &mut self.classes {
            class.seen = 0;
        }
    }

    fn rise(&mut self, now: Tick) {
        self.good = self.good.saturating_add(1);
        // As many as are smoothed over, so that the last lane is felt before the next one opens.
        let round = if self.heeds_latency {
            self.lanes.max(SMOOTH)
        } else {
            self.lanes
        };
        if self.lanes < self.cap && self.good >= round && now - self.changed >= self.calm {
            self.lanes += 1;
            self.changed = now;
            self.good = 0;
        }
    }

    fn feel(&mut self, now: Tick, took: Span, weight: Bytes) {
        // Calls that began before the last fall tell of a time with more lanes.
        if self.fell.is_some_and(|fell| now - fell < took) {
            return;
        }
        // A server that became slower for good, by day or by age, is not strained for ever.
        if now - self.spell >= TIDE_SPELL {
            self.spell = now;
            for class in &mut self.classes {
                class.best_before = class.best.take();
            }
        }
        let bits = u64::BITS - weight.get().leading_zeros();
        let class = bits.saturating_sub(FIRST_CLASS_BITS) as usize;
        let took = took.max(TIDE_LATENCY_NOISE).get();
        if let Some(ratio) = self.classes[class.min(CLASSES - 1)].feel(took) {
            self.strain = (self.strain * 3 + ratio) / 4;
        }
    }
}

impl Class {
    /// Takes in one call; how its like compare with their best, in thousandths, once there are enough of them.
    fn feel(&mut self, took: u64) -> Option<u64> {
        self.seen = self.seen.saturating_add(1);
        let parts = u64::from(self.seen.min(SMOOTH));
        // Thousandths of milliseconds, so that small steps are not lost.
        self.mean = (self.mean * (parts - 1) + took.saturating_mul(1_000)) / parts;
        if self.seen < SMOOTH {
            return None;
        }
        let best = self.best.map_or(self.mean, |best| best.min(self.mean));
        self.best = Some(best);
        let best = self.best_before.map_or(best, |before| before.min(best));
        Some(self.mean.saturating_mul(TIDE_STRAIN_NONE) / best.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CALM: Span = Span::from_secs(2);

    fn well(ms: u64) -> Signal {
        Signal::Well {
            took: Span::new(ms),
            weight: Bytes::ZERO,
        }
    }

    /// `calls` calls of one server whose calls take `latency(lanes)`, one each 100 ms.
    fn live(tide: &mut Tide, from: u64, calls: u64, latency: impl Fn(u32) -> u64) -> u64 {
        for n in 0..calls {
            let took = latency(tide.lanes());
            tide.learn(Tick::new(from + n * 100), well(took), true);
        }
        from + calls * 100
    }

    #[test]
    fn it_starts_low_and_rises_by_one_while_latency_stays() {
        let mut tide = Tide::low(2, 20, CALM);
        let then = live(&mut tide, 0, 100, |_| 200);
        assert!((5..=8).contains(&tide.lanes()), "{}", tide.lanes());
        live(&mut tide, then, 2_000, |_| 200);
        assert_eq!(tide.lanes(), 20, "the cap");
    }

    #[test]
    fn it_settles_where_latency_begins_to_rise() {
        // Up to six calls at once the server keeps its pace; above, each more costs in proportion.
        let mut tide = Tide::low(2, 20, CALM);
        let server = |lanes: u32| u64::from(lanes.max(6)) * 200 / 6;
        let then = live(&mut tide, 0, 3_000, server);
        let mut seen = Vec::new();
        let mut at = then;
        for _ in 0..50 {
            at = live(&mut tide, at, 50, server);
            seen.push(tide.lanes());
        }
        assert!(
            seen.iter().all(|lanes| (4..=13).contains(lanes)),
            "{seen:?}"
        );
    }

    #[test]
    fn a_server_whose_answers_waver_is_not_taken_for_a_strained_one() {
        let mut dice = crate::base::dice::Dice::new(3);
        let mut tide = Tide::low(2, 20, CALM);
        for n in 0..3_000u64 {
            // From 100 to 500 ms, mostly short.
            let took = 100 + dice.below(20) * dice.below(20);
            tide.learn(Tick::new(n * 100), well(took), true);
        }
        assert!(tide.lanes() >= 15, "{}", tide.lanes());
    }

    #[test]
    fn answers_of_one_moment_count_once_and_a_bad_hour_leaves_one_lane() {
        let mut tide = Tide::high(4, Span::from_secs(30));
        let now = Tick::new(100_000);
        for _ in 0..4 {
            tide.learn(now, Signal::Strained, true);
        }
        assert_eq!(tide.lanes(), 2);
        for n in 1..100 {
            tide.learn(now + TIDE_REST.times(n), Signal::Strained, true);
        }
        assert_eq!(tide.lanes(), 1);
    }

    #[test]
    fn it_comes_back_one_lane_per_calm() {
        let mut tide = Tide::high(4, Span::from_secs(30));
        tide.learn(Tick::ZERO, Signal::Strained, true);
        let then = live(&mut tide, 0, 301, |_| 250);
        assert_eq!(tide.lanes(), 3);
        live(&mut tide, then, 301, |_| 250);
        assert_eq!(tide.lanes(), 4);
    }

    #[test]
    fn large_calls_are_not_taken_for_slow_ones() {
        let mut tide = Tide::low(4, 8, CALM);
        for n in 0..200u64 {
            let (ms, weight) = if n % 2 == 0 {
                (200, 0)
            } else {
                (9_000, 90_000_000)
            };
            let signal = Signal::Well {
                took: Span::new(ms),
                weight: Bytes::new(weight),
            };
            tide.learn(Tick::new(n * 500), signal, true);
        }
        assert_eq!(tide.lanes(), 8);
    }

    proptest! {
        #[test]
        fn lanes_stay_between_one_and_the_cap(
            signals in proptest::collection::vec((0u8..3, 0u64..60_000, 0u64..9_000, 1u32..30), 0..300),
        ) {
            let mut tide = Tide::low(4, 20, CALM);
            let mut now = 0;
            for (kind, took, pause, cap) in signals {
                now += pause;
                let signal = match kind { 0 => Signal::Strained, 1 => Signal::Nothing, _ => well(took) };
                tide.set_cap(cap);
                tide.learn(Tick::new(now), signal, true);
                prop_assert!((1..=cap).contains(&tide.lanes()));
            }
        }
    }
}
