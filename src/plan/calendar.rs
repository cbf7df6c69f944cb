//! The nights of a schedule: each working window with its real begin and end, whatever the clocks do.
//!
//! A night belongs to the local day on which it begins. Windows that overlap are cut where the earlier one ends; of two windows of one day
//! the longer one is the night.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::base::quantity::{Moment, Span};
use crate::plan::schedule::{DAY_MINUTES, Schedule, Window, zone_of};

/// One night.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Night {
    /// The local day on which it begins.
    pub date: Date,
    /// Its begin.
    pub begin: Moment,
    /// Its end.
    pub end: Moment,
}

impl Night {
    /// Its real length: ten hours on the clock are nine or eleven when the clocks change.
    pub fn length(&self) -> Span {
        let ms = self.end.unix_ms().saturating_sub(self.begin.unix_ms());
        Span::new(u64::try_from(ms).unwrap_or(0))
    }
}

/// The nights from `from` on, at most `at_most` of them, without those that begin on a day of `blackout`. Nothing in a zone nobody knows.
pub fn nights(
    schedule: &Schedule,
    from: Date,
    blackout: &BTreeSet<Date>,
    at_most: usize,
) -> Vec<Night> {
    let Some(zone) = zone_of(&schedule.time_zone) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let mut free_from = None;
    let mut day = from;
    // Twice as many days as nights: a schedule of one night a week is asked for years, not for ever.
    for _ in 0..at_most.saturating_mul(8) {
        if out.len() >= at_most {
            break;
        }
        let night = windows_of(schedule, day)
            .into_iter()
            .filter_map(|window| place(day, &window, &zone, free_from))
            .max_by_key(|night| (night.length(), std::cmp::Reverse(night.begin)));
        if let Some(night) = night {
            // A blacked-out night is not worked in, and its hours are nobody else's.
            free_from = Some(night.end);
            if !blackout.contains(&day) {
                out.push(night);
            }
        }
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    out
}

/// The windows that begin on `day`; a schedule without windows works all day.
pub(super) fn windows_of(schedule: &Schedule, day: Date) -> Vec<Window> {
    let index = u8::try_from(day.weekday().to_monday_zero_offset()).unwrap_or(0);
    let always = Window {
        days: vec![index],
        from: 0,
        to: DAY_MINUTES,
    };
    if schedule.windows.is_empty() {
        return vec![always];
    }
    let windows = schedule.windows.iter();
    windows
        .filter(|window| window.days.contains(&index))
        .cloned()
        .collect()
}

/// A window of `day` in real time, from `free_from` on. Nothing where nothing of it is left.
pub(super) fn place(
    day: Date,
    window: &Window,
    zone: &TimeZone,
    free_from: Option<Moment>,
) -> Option<Night> {
    let begin = moment(day, window.from, zone)?;
    let last = if window.to > window.from {
        day
    } else {
        day.tomorrow().ok()?
    };
    let end = moment(last, window.to, zone)?;
    let begin = free_from.map_or(begin, |free| free.max(begin));
    (begin < end).then_some(Night {
        date: day,
        begin,
        end,
    })
}

/// Minutes of a local day as a moment. An hour that the clocks skip is taken as the one after, one that they repeat as its first.
fn moment(day: Date, minutes: u16, zone: &TimeZone) -> Option<Moment> {
    let (day, minutes) = if minutes >= DAY_MINUTES {
        (day.tomorrow().ok()?, minutes - DAY_MINUTES)
    } else {
        (day, minutes)
    };
    let hour = i8::try_from(minutes / 60).ok()?;
    let minute = i8::try_from(minutes % 60).ok()?;
    let time = Time::new(hour, minute, 0, 0).ok()?;
    let at = zone
        .to_ambiguous_zoned(day.to_datetime(time))
        .compatible()
        .ok()?;
    Some(Moment::from_unix_ms(at.timestamp().as_millisecond()))
}

/// How long a night usually is: the most frequent length of an ordinary week, the shorter of two that are as frequent.
pub fn usual_night(schedule: &Schedule) -> Span {
    // A week in a zone without clock changes: what the windows say, not what a season makes of them.
    let plain = Schedule {
        time_zone: "UTC".to_owned(),
        windows: schedule.windows.clone(),
    };
    let monday = jiff::civil::date(2001, 1, 1);
    let week = nights(&plain, monday, &BTreeSet::new(), 14);
    let mut lengths: Vec<Span> = week.iter().map(Night::length).collect();
    lengths.sort_unstable();
    let frequency = |length: Span| lengths.iter().filter(|other| **other == length).count();
    let usual = lengths
        .iter()
        .max_by_key(|length| (frequency(**length), std::cmp::Reverse(**length)));
    usual.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn schedule(windows: &[(&[u8], u16, u16)]) -> Schedule {
        Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: windows
                .iter()
                .map(|(days, from, to)| Window {
                    days: days.to_vec(),
                    from: from * 60,
                    to: to * 60,
                })
                .collect(),
        }
    }

    fn hours(night: &Night) -> u64 {
        night.length().get() / 3_600_000
    }

    fn usual() -> Schedule {
        schedule(&[(&[0, 1, 2, 3, 4], 20, 6), (&[5, 6], 0, 24)])
    }

    #[test]
    fn a_night_is_as_long_as_the_clocks_make_it() {
        let every_night = schedule(&[(&[0, 1, 2, 3, 4, 5, 6], 20, 6)]);
        let none = BTreeSet::new();
        // 29 March 2026: 01:00 becomes 02:00. 25 October 2026: 02:00 becomes 01:00.
        for (from, want) in [
            (date(2026, 3, 27), [10, 9, 10]),
            (date(2026, 10, 23), [10, 11, 10]),
        ] {
            let found = nights(&every_night, from, &none, 3);
            assert_eq!(found.iter().map(hours).collect::<Vec<_>>(), want);
            assert_eq!(
                found[1].begin.to_string().get(11..16),
                Some(if want[1] == 9 { "20:00" } else { "19:00" })
            );
        }
    }

    #[test]
    fn overlapping_windows_share_no_hour_and_blackouts_give_none_away() {
        let friday = date(2026, 11, 27);
        let found = nights(&usual(), friday, &BTreeSet::new(), 4);
        assert_eq!(
            found.iter().map(hours).collect::<Vec<_>>(),
            [10, 18, 24, 10]
        );
        assert_eq!(found[0].end, found[1].begin);
        let without = nights(&usual(), friday, &BTreeSet::from([friday]), 3);
        assert_eq!(without, found[1..4]);
        assert_eq!(usual_night(&usual()), Span::from_secs(36_000));
    }

    #[test]
    fn no_windows_are_whole_days_and_no_zone_is_no_night() {
        let mut always = schedule(&[]);
        let from = date(2026, 3, 28);
        let found = nights(&always, from, &BTreeSet::new(), 2);
        assert_eq!(found.iter().map(hours).collect::<Vec<_>>(), [24, 23]);
        always.time_zone = "Nowhere/Else".into();
        assert_eq!(nights(&always, from, &BTreeSet::new(), 2), []);
        assert!(nights(&usual(), Date::MAX, &BTreeSet::new(), 9).len() <= 1);
    }

    proptest::proptest! {
        #[test]
        fn nights_follow_one_another_and_lie_in_open_windows(
            start in -20_000i32..30_000,
            windows in proptest::collection::vec((proptest::collection::vec(0u8..7, 1..4), 0u16..24, 0u16..25), 0..4),
        ) {
            let windows: Vec<(&[u8], u16, u16)> = windows.iter().map(|(d, f, t)| (&**d, *f, *t)).collect();
            let schedule = schedule(&windows);
            let from = date(2000, 1, 1).saturating_add(jiff::Span::new().days(start));
            let found = nights(&schedule, from, &BTreeSet::new(), 30);
            for pair in found.windows(2) {
                proptest::prop_assert!(pair[0].end <= pair[1].begin);
                proptest::prop_assert!(pair[0].date < pair[1].date);
            }
            for night in &found {
                proptest::prop_assert!(night.begin < night.end);
                proptest::prop_assert!(schedule.is_open(night.begin));
            }
        }
    }
}
