//! When a plan may work: a time zone and weekly windows. What they mean in real time: [`crate::plan::openings`].

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::base::quantity::Moment;

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

/// The first moment of a day `2026-12-01` in a zone, whatever the clocks do at its midnight.
pub fn first_moment(day: &str, zone: TimeZone) -> Option<Moment> {
    let date: jiff::civil::Date = day.parse().ok()?;
    let at = date.to_zoned(zone).ok()?.timestamp();
    Some(Moment::from_unix_ms(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
