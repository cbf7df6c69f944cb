//! When a plan may work: a time zone and weekly windows.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::base::quantity::{Moment, Span};

/// The days as plans write them, Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Minutes of a whole day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// A weekly window. One whose end is not after its begin runs over midnight into the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The days on which it begins, as indices into [`DAYS`], sorted.
    pub days: Vec<u8>,
    /// Its begin in minutes of the day, below [`DAY_MINUTES`].
    pub from: u16,
    /// Its end in minutes of the day, up to [`DAY_MINUTES`].
    pub to: u16,
}

/// The windows of a plan. None at all means: always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The IANA name of the zone the windows are meant in.
    pub time_zone: String,
    /// The windows.
    pub windows: Vec<Window>,
}

impl Schedule {
    /// True when `now` lies in a window. An end is outside.
    pub fn is_open(&self, now: Moment) -> bool {
        if self.windows.is_empty() {
            return true;
        }
        let (Some(zone), Ok(at)) = (
            zone_of(&self.time_zone),
            Timestamp::from_millisecond(now.unix_ms()),
        ) else {
            return false;
        };
        let local = at.to_zoned(zone);
        let today = day_index(local.weekday());
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute()))
            .expect("a minute of the day fits");
        self.windows
            .iter()
            .any(|window| window.covers(today, minute))
    }
}

/// How long work may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Not now.
    Closed,
    /// For this long.
    For(Span),
    /// Without an end.
    Always,
}

impl Schedule {
    /// How long work that begins at `now` may go on, over windows that adjoin.
    pub fn opening(&self, now: Moment) -> Opening {
        const MINUTE: Span = Span::from_secs(60);
        const WEEK_MINUTES: u64 = 7 * 24 * 60;
        if !self.is_open(now) {
            return Opening::Closed;
        }
        // Windows begin and end on whole minutes; an hour more covers a change of the clocks.
        let past_minute = Span::new(now.unix_ms().rem_euclid(60_000).unsigned_abs());
        (1..=WEEK_MINUTES + 60)
            .map(|minutes| MINUTE.times(minutes).saturating_sub(past_minute))
            .find(|span| !self.is_open(now.after(*span)))
            .map_or(Opening::Always, Opening::For)
    }
}

impl Window {
    fn covers(&self, today: u8, minute: u16) -> bool {
        let yesterday = (today + 6) % 7;
        if self.from < self.to {
            return self.days.contains(&today) && (self.from..self.to).contains(&minute);
        }
        (self.days.contains(&today) && minute >= self.from)
            || (self.days.contains(&yesterday) && minute < self.to)
    }
}

fn day_index(day: Weekday) -> u8 {
    u8::try_from(day.to_monday_zero_offset()).expect("0 to 6")
}

/// The zone of that name, out of the tables that come with the program, so that a plan means the same on every machine.
pub fn zone_of(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// Reads `20:00`, up to `24:00`, as minutes of the day.
pub fn parse_time(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY_MINUTES).then_some(total)
}

/// Writes minutes of the day as `20:00`.
pub fn render_time(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Reads a date `2026-12-01` as its first moment in UTC.
pub fn parse_date(text: &str) -> Option<Moment> {
    let date: jiff::civil::Date = text.parse().ok()?;
    // Only the plain form: the parser would take more.
    if date.to_string() != text {
        return None;
    }
    let at = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Moment::from_unix_ms(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Moment {
        let at: Timestamp = text.parse().expect("a timestamp");
        Moment::from_unix_ms(at.as_millisecond())
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins() {
        let nights = Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: vec![Window {
                days: vec![0, 1, 2, 3, 4],
                from: 20 * 60,
                to: 6 * 60,
            }],
        };
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
        let mut weekend = Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: vec![Window {
                days: vec![5, 6],
                from: 0,
                to: DAY_MINUTES,
            }],
        };
        assert!(weekend.is_open(at("2026-11-28T23:59:59Z")));
        assert!(!weekend.is_open(at("2026-11-30T00:00:00Z")));
        weekend.windows.clear();
        assert!(weekend.is_open(at("2026-11-30T00:00:00Z")));
    }

    #[test]
    fn work_may_go_on_over_windows_that_adjoin() {
        let window = |days: &[u8], from, to| Window {
            days: days.to_vec(),
            from,
            to,
        };
        let mut schedule = Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: vec![
                window(&[4], 20 * 60, 6 * 60),
                window(&[5, 6], 0, DAY_MINUTES),
            ],
        };
        let opening = |schedule: &Schedule, text| schedule.opening(at(text));
        assert_eq!(opening(&schedule, "2026-11-27T19:59:30Z"), Opening::Closed);
        // Friday 20:00:30 to Sunday 24:00.
        assert_eq!(
            opening(&schedule, "2026-11-27T20:00:30Z"),
            Opening::For(Span::from_secs(52 * 3600 - 30))
        );
        schedule.windows = vec![window(&[0, 1, 2, 3, 4, 5, 6], 0, DAY_MINUTES)];
        assert_eq!(opening(&schedule, "2026-11-27T20:00:30Z"), Opening::Always);
    }

    #[test]
    fn times_dates_and_zones_read_strictly() {
        assert_eq!(parse_time("20:05"), Some(1205));
        assert_eq!(parse_time("24:00"), Some(DAY_MINUTES));
        for bad in ["24:01", "8:00", "20", "20:60", "20:0x", "-1:00", ""] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
        assert_eq!(render_time(1205), "20:05");
        assert_eq!(
            parse_date("1970-01-02"),
            Some(Moment::from_unix_ms(86_400_000))
        );
        for bad in ["2026-13-01", "2026-1-1", "20261201", "2026-12-01T00:00", ""] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        assert!(zone_of("Europe/Guernsey").is_some());
        assert!(zone_of("Europe/Guernesey").is_none());
    }
}
