//! What is left after a run, and how many more nights it takes at the rate the run had. Pure arithmetic; a forecast is never a promise.

use crate::base::limits::NIGHTS_MAX;
use crate::base::quantity::{Bytes, Count, Moment, Span};
use crate::plan::openings::drain_lead;
use crate::plan::schedule::Schedule;

/// Work that is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Items that are to be carried or looked at again.
    pub items: Count,
    /// Their bytes: as the source lists them, and as the plan's inventory counts them where nothing was listed yet.
    pub bytes: Bytes,
    /// Mailboxes that are not caught up.
    pub mailboxes: Count,
    /// Mailboxes whose contents nobody counted yet; their items are in no number here.
    pub uncounted: Count,
}

/// What one run carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Items that arrived.
    pub items: Count,
    /// Their bytes.
    pub bytes: Bytes,
    /// In how long.
    pub took: Span,
}

/// How long the rest takes at the rate of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Working time.
    pub work: Span,
    /// Windows of the plan that are touched, this one not counted; 0 where the plan may always work.
    pub nights: u32,
    /// When it is done, where the windows of four years are enough.
    pub done: Option<Moment>,
}

/// Forecasts the rest: the slower of items and bytes at the run's rate, laid into the plan's windows from `now` on. Nothing where the run
/// carried nothing, or nothing is left.
pub fn outlook(
    left: Left,
    carried: Carried,
    schedule: Option<&Schedule>,
    largest: Bytes,
    now: Moment,
) -> Option<Outlook> {
    if left.items == Count::ZERO {
        return None;
    }
    let work = work(left, carried)?;
    let Some(schedule) = schedule else {
        return Some(Outlook {
            work,
            nights: 0,
            done: Some(now.after(work)),
        });
    };
    Some(lay(work, schedule, largest, now))
}

/// Working time at the run's rate.
fn work(left: Left, carried: Carried) -> Option<Span> {
    let at_rate = |left: u64, done: u64| {
        (done > 0)
            .then(|| (u128::from(left) * u128::from(carried.took.get())).div_ceil(u128::from(done)))
    };
    let items = at_rate(left.items.get(), carried.items.get())?;
    let bytes = at_rate(left.bytes.get(), carried.bytes.get()).unwrap_or(0);
    let work = u64::try_from(items.max(bytes)).unwrap_or(u64::MAX);
    (carried.took > Span::ZERO).then_some(Span::new(work))
}

fn lay(work: Span, schedule: &Schedule, largest: Bytes, now: Moment) -> Outlook {
    let mut rest = work;
    let mut nights = 0;
    // What is left of a window at its end is not offered again: the next one begins after `now`.
    let mut next = schedule.next_begin(now);
    if next.is_none() && schedule.is_open(now) {
        return Outlook {
            work,
            nights: 0,
            done: Some(now.after(work)),
        };
    }
    for _ in 0..NIGHTS_MAX {
        let Some(stretch) = next.and_then(|begin| schedule.stretch(begin)) else {
            break;
        };
        nights += 1;
        let room = stretch.end.map_or(rest, |end| {
            let length = span_between(stretch.begin, end);
            length.saturating_sub(drain_lead(largest, length))
        });
        if rest <= room {
            return Outlook {
                work,
                nights,
                done: Some(stretch.begin.after(rest)),
            };
        }
        rest = rest.saturating_sub(room);
        next = schedule.next_begin(stretch.begin);
    }
    Outlook {
        work,
        nights,
        done: None,
    }
}

/// The time from one moment to a later one.
pub fn span_between(from: Moment, to: Moment) -> Span {
    Span::new(u64::try_from(to.unix_ms().saturating_sub(from.unix_ms())).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::CALL_TIMEOUT;
    use crate::plan::schedule::Window;

    const HOUR: u64 = 3_600_000;

    fn at(text: &str) -> Moment {
        let at: jiff::Timestamp = text.parse().expect("a timestamp");
        Moment::from_unix_ms(at.as_millisecond())
    }

    fn nights() -> Schedule {
        Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: vec![Window {
                days: vec![0, 1, 2, 3, 4],
                from: 20 * 60,
                to: 6 * 60,
            }],
        }
    }

    fn left(items: u64, bytes: u64) -> Left {
        Left {
            items: Count::new(items),
            bytes: Bytes::new(bytes),
            ..Left::default()
        }
    }

    fn carried(items: u64, bytes: u64, hours: u64) -> Carried {
        Carried {
            items: Count::new(items),
            bytes: Bytes::new(bytes),
            took: Span::new(hours * HOUR),
        }
    }

    #[test]
    fn the_slower_of_items_and_bytes_decides() {
        let now = at("2026-11-24T06:00:00Z");
        let hours = |left, carried| {
            outlook(left, carried, None, Bytes::ZERO, now).map(|o| o.work.get() / HOUR)
        };
        assert_eq!(hours(left(2_000, 10), carried(1_000, 10, 3)), Some(6));
        assert_eq!(hours(left(10, 5_000), carried(1_000, 1_000, 3)), Some(15));
        assert_eq!(hours(left(0, 0), carried(1_000, 1_000, 3)), None);
        assert_eq!(hours(left(10, 10), carried(0, 0, 3)), None);
        assert_eq!(hours(left(10, 10), carried(5, 5, 0)), None);
        assert_eq!(
            hours(left(u64::MAX, 1), carried(1, 1, 9)),
            Some(u64::MAX / HOUR)
        );
    }

    #[test]
    fn the_rest_is_laid_into_the_windows_that_come() {
        let small = Bytes::new(1);
        // Tuesday morning, at the end of Monday's night. Each night has 10 hours less the drain.
        let now = at("2026-11-24T06:00:00Z");
        let lay = |hours| {
            outlook(
                left(hours, 0),
                carried(1, 0, 1),
                Some(&nights()),
                small,
                now,
            )
            .expect("left")
        };
        let one = lay(9);
        assert_eq!(one.nights, 1);
        assert_eq!(one.done, Some(at("2026-11-25T05:00:00Z")));
        let two = lay(10);
        assert_eq!(two.nights, 2);
        let begin = at("2026-11-25T20:00:00Z");
        assert_eq!(two.done, Some(begin.after(CALL_TIMEOUT)));
        // Tuesday to Friday are four nights; the fifth is Monday's.
        assert_eq!(lay(45).nights, 5);
        assert_eq!(
            lay(45).done.map(|d| d > at("2026-11-30T20:00:00Z")),
            Some(true)
        );
        assert_eq!(lay(1_000_000_000).done, None);
        let always = Schedule {
            windows: Vec::new(),
            ..nights()
        };
        let found = outlook(left(9, 0), carried(1, 0, 1), Some(&always), small, now);
        assert_eq!(
            found.map(|o| (o.nights, o.done)),
            Some((0, Some(at("2026-11-24T15:00:00Z"))))
        );
    }

    #[test]
    fn a_night_in_which_the_clocks_change_has_its_real_length() {
        let every = Schedule {
            windows: vec![Window {
                days: (0..7).collect(),
                from: 20 * 60,
                to: 6 * 60,
            }],
            ..nights()
        };
        let lay = |now: &str, hours| {
            let found = outlook(
                left(hours, 0),
                carried(1, 0, 1),
                Some(&every),
                Bytes::new(1),
                at(now),
            );
            found.map(|o| o.nights)
        };
        assert_eq!(lay("2026-03-28T12:00:00Z", 8), Some(1));
        assert_eq!(
            lay("2026-03-28T12:00:00Z", 9),
            Some(2),
            "nine hours less the drain"
        );
        assert_eq!(lay("2026-10-24T12:00:00Z", 10), Some(1), "eleven hours");
    }
}
