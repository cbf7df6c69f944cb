//! The windows of a schedule as stretches of real time: when work may begin, until when it may go on, and when it may begin next.
//!
//! Windows that overlap or adjoin are one stretch. Clock changes are resolved as [`crate::plan::calendar`] does: ten hours on the clock are nine
//! or eleven, and no hour is worked twice or forgotten.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::base::limits::{CALL_TIMEOUT, DRAIN_SHARE, ITEM_MAX, TRANSFER_TIMEOUT};
use crate::base::quantity::{Bytes, Moment, Span};
use crate::plan::calendar::{place, windows_of};
use crate::plan::schedule::{Schedule, zone_of};

/// How long work may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Not now.
    Closed,
    /// Until then.
    Until(Moment),
    /// Without an end.
    Always,
}

/// Time in which work may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its begin.
    pub begin: Moment,
    /// Its end, where it has one.
    pub end: Option<Moment>,
}

/// Longer than this without a gap is without an end: the windows repeat every week, and a day more covers a change of the clocks.
const ENDLESS_MS: i64 = 8 * 24 * 3_600_000;

/// Days looked ahead for the next stretch. A window comes at least once a week, unless the clocks skip it.
const LOOK_AHEAD_DAYS: u32 = 15;

impl Schedule {
    /// How long work that begins at `now` may go on.
    pub fn opening(&self, now: Moment) -> Opening {
        match self.stretch(now) {
            Some(found) if found.begin <= now => found.end.map_or(Opening::Always, Opening::Until),
            Some(_) | None => Opening::Closed,
        }
    }

    /// True when `now` lies in a window. An end is outside.
    pub fn is_open(&self, now: Moment) -> bool {
        self.opening(now) != Opening::Closed
    }

    /// The stretch `now` lies in, or the first one after it. Nothing in a zone nobody knows.
    pub fn stretch(&self, now: Moment) -> Option<Stretch> {
        if self.windows.is_empty() {
            return Some(Stretch {
                begin: now,
                end: None,
            });
        }
        let zone = zone_of(&self.time_zone)?;
        let today = local_date(now, &zone)?;
        // Windows of yesterday and, over midnight and a change of the clocks, of the day before may still be open.
        let first = today.yesterday().and_then(Date::yesterday).ok()?;
        let mut found: Option<(Moment, Moment)> = None;
        for day in first
            .series(jiff::Span::new().days(1))
            .take(LOOK_AHEAD_DAYS as usize + 3)
        {
            let mut spans: Vec<(Moment, Moment)> = windows_of(self, day)
                .iter()
                .filter_map(|window| place(day, window, &zone, None))
                .map(|night| (night.begin, night.end))
                .collect();
            spans.sort_unstable();
            for (begin, end) in spans {
                found = match found {
                    Some((first, last)) if begin <= last => Some((first, last.max(end))),
                    Some((_, last)) if now < last => return found.map(finished),
                    Some(_) | None => Some((begin, end)),
                };
            }
        }
        found.filter(|(_, end)| now < *end).map(finished)
    }

    /// When work may begin next: the first begin after `now`, also where work is going on now. Nothing where it may go on for ever.
    pub fn next_begin(&self, now: Moment) -> Option<Moment> {
        let found = self.stretch(now)?;
        if now < found.begin {
            return Some(found.begin);
        }
        self.stretch(found.end?).map(|next| next.begin)
    }
}

fn finished((begin, end): (Moment, Moment)) -> Stretch {
    let endless = end.unix_ms().saturating_sub(begin.unix_ms()) >= ENDLESS_MS;
    Stretch {
        begin,
        end: (!endless).then_some(end),
    }
}

fn local_date(at: Moment, zone: &TimeZone) -> Option<Date> {
    let at = Timestamp::from_millisecond(at.unix_ms()).ok()?;
    Some(at.to_zoned(zone.clone()).date())
}

/// How long before the end of a window nothing new may begin, so that what is on its way has arrived and is recorded when it closes.
///
/// The longest call is the transfer of the largest item the plan carries: it is given the share of [`TRANSFER_TIMEOUT`] that its size has of
/// [`ITEM_MAX`], and not less than an ordinary call may take. A short window keeps most of itself: at most one part in [`DRAIN_SHARE`] of what
/// is left of it at `now` is given away, and what takes longer than that ends after the window.
pub fn drain_lead(largest: Bytes, left: Span) -> Span {
    let share = u128::from(TRANSFER_TIMEOUT.get()) * u128::from(largest.get())
        / u128::from(ITEM_MAX.get().max(1));
    let call = u64::try_from(share).unwrap_or(u64::MAX);
    let call = call.clamp(CALL_TIMEOUT.get(), TRANSFER_TIMEOUT.get());
    Span::new(call.min(left.get() / DRAIN_SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::schedule::{DAY_MINUTES, Window};

    fn at(text: &str) -> Moment {
        let at: Timestamp = text.parse().expect("a timestamp");
        Moment::from_unix_ms(at.as_millisecond())
    }

    fn schedule(windows: &[(&[u8], u16, u16)]) -> Schedule {
        Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: windows
                .iter()
                .map(|(days, from, to)| Window {
                    days: days.to_vec(),
                    from: *from,
                    to: *to,
                })
                .collect(),
        }
    }

    const EVERY_DAY: &[u8] = &[0, 1, 2, 3, 4, 5, 6];

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins() {
        let nights = schedule(&[(&[0, 1, 2, 3, 4], 20 * 60, 6 * 60)]);
        for (moment, open) in [
            ("2026-11-23T19:59:59Z", false), // Monday evening
            ("2026-11-23T20:00:00Z", true),
            ("2026-11-24T05:59:00Z", true),
            ("2026-11-24T06:00:00Z", false),
            ("2026-11-28T03:00:00Z", true), // Saturday, still Friday's night
            ("2026-11-28T21:00:00Z", false),
            ("2026-11-23T03:00:00Z", false), // Monday before dawn belongs to Sunday
            ("2026-07-06T19:00:00Z", true),  // 20:00 in summer time
        ] {
            assert_eq!(nights.is_open(at(moment)), open, "{moment}");
        }
    }

    #[test]
    fn a_whole_day_runs_to_its_end_and_no_windows_mean_always() {
        let mut weekend = schedule(&[(&[5, 6], 0, DAY_MINUTES)]);
        assert!(weekend.is_open(at("2026-11-28T23:59:59Z")));
        assert!(!weekend.is_open(at("2026-11-30T00:00:00Z")));
        weekend.windows.clear();
        assert_eq!(weekend.opening(at("2026-11-30T00:00:00Z")), Opening::Always);
        assert_eq!(weekend.next_begin(at("2026-11-30T00:00:00Z")), None);
    }

    #[test]
    fn work_may_go_on_over_windows_that_adjoin() {
        let mut days = schedule(&[(&[4], 20 * 60, 6 * 60), (&[5, 6], 0, DAY_MINUTES)]);
        assert_eq!(days.opening(at("2026-11-27T19:59:30Z")), Opening::Closed);
        // Friday 20:00:30 to Sunday 24:00.
        assert_eq!(
            days.opening(at("2026-11-27T20:00:30Z")),
            Opening::Until(at("2026-11-30T00:00:00Z"))
        );
        assert_eq!(
            days.next_begin(at("2026-11-27T20:00:30Z")),
            Some(at("2026-12-04T20:00:00Z"))
        );
        days = schedule(&[(EVERY_DAY, 0, DAY_MINUTES)]);
        assert_eq!(days.opening(at("2026-11-27T20:00:30Z")), Opening::Always);
        assert_eq!(days.next_begin(at("2026-11-27T20:00:30Z")), None);
        days = schedule(&[(EVERY_DAY, 20 * 60, 6 * 60), (EVERY_DAY, 6 * 60, 20 * 60)]);
        assert_eq!(days.opening(at("2026-11-27T20:00:30Z")), Opening::Always);
    }

    #[test]
    fn the_end_of_a_night_moves_with_the_clocks() {
        let nights = schedule(&[(EVERY_DAY, 20 * 60, 6 * 60)]);
        for (now, end, next) in [
            // 29 March 2026: 01:00 becomes 02:00. 25 October 2026: 02:00 becomes 01:00.
            (
                "2026-03-28T20:00:00Z",
                "2026-03-29T05:00:00Z",
                "2026-03-29T19:00:00Z",
            ),
            (
                "2026-10-24T19:00:00Z",
                "2026-10-25T06:00:00Z",
                "2026-10-25T20:00:00Z",
            ),
        ] {
            assert_eq!(nights.opening(at(now)), Opening::Until(at(end)), "{now}");
            assert_eq!(nights.next_begin(at(now)), Some(at(next)), "{now}");
            assert_eq!(nights.next_begin(at(end)), Some(at(next)), "{now}");
        }
        // An end in the hour that the clocks repeat is the first one; the second does not open again.
        let early = schedule(&[(EVERY_DAY, 20 * 60, 90)]);
        assert_eq!(
            early.opening(at("2026-10-24T19:00:00Z")),
            Opening::Until(at("2026-10-25T00:30:00Z"))
        );
        assert!(!early.is_open(at("2026-10-25T01:10:00Z")));
        // A window that lies in the hour they skip is not there that day, and the next day is found.
        let skipped = schedule(&[(&[6], 65, 115)]);
        assert_eq!(
            skipped.next_begin(at("2026-03-28T12:00:00Z")),
            Some(at("2026-03-29T01:05:00Z")),
            "taken as the hour after"
        );
        let nowhere = Schedule {
            time_zone: "Nowhere/Else".into(),
            ..nights
        };
        assert_eq!(nowhere.opening(at("2026-03-28T20:00:00Z")), Opening::Closed);
        assert_eq!(nowhere.next_begin(at("2026-03-28T20:00:00Z")), None);
    }

    #[test]
    fn a_night_drains_as_long_before_its_end_as_its_largest_item_may_take() {
        let night = Span::from_secs(10 * 3_600);
        assert_eq!(drain_lead(ITEM_MAX, night), TRANSFER_TIMEOUT);
        assert_eq!(
            drain_lead(Bytes::new(ITEM_MAX.get() / 2), night),
            Span::new(TRANSFER_TIMEOUT.get() / 2)
        );
        assert_eq!(drain_lead(Bytes::new(1), night), CALL_TIMEOUT);
        assert_eq!(drain_lead(Bytes::new(u64::MAX), night), TRANSFER_TIMEOUT);
        // Two minutes of a window: 12 s of them.
        assert_eq!(
            drain_lead(ITEM_MAX, Span::from_secs(120)),
            Span::from_secs(12)
        );
        assert_eq!(drain_lead(ITEM_MAX, Span::ZERO), Span::ZERO);
    }

    proptest::proptest! {
        #[test]
        fn what_is_open_ends_and_what_is_closed_begins(
            minutes in 0i64..2_000_000,
            windows in proptest::collection::vec(
                (proptest::collection::btree_set(0u8..7, 1..4), 0u16..1440, 1u16..=1440),
                1..3,
            ),
        ) {
            let windows: Vec<(Vec<u8>, u16, u16)> = windows
                .into_iter()
                .map(|(days, from, to)| (days.into_iter().collect(), from, to))
                .collect();
            let windows: Vec<(&[u8], u16, u16)> =
                windows.iter().map(|(days, from, to)| (days.as_slice(), *from, *to)).collect();
            let schedule = schedule(&windows);
            let now = Moment::from_unix_ms(1_760_000_000_000 + minutes * 60_000);
            match schedule.opening(now) {
                Opening::Until(end) => {
                    proptest::prop_assert!(now < end);
                    proptest::prop_assert!(!schedule.is_open(end));
                    proptest::prop_assert!(schedule.is_open(Moment::from_unix_ms(end.unix_ms() - 1)));
                }
                Opening::Closed => {
                    let begin = schedule.next_begin(now).expect("a window comes within two weeks");
                    proptest::prop_assert!(now < begin && schedule.is_open(begin));
                    proptest::prop_assert!(!schedule.is_open(Moment::from_unix_ms(begin.unix_ms() - 1)));
                }
                Opening::Always => {}
            }
        }
    }
}
