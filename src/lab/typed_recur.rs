//! The recurrence of a series as the lab's items hold it (PidLidAppointmentRecur, [MS-OXOCAL] 2.2.1.44), read and written whole. `wire::recurrence`
//! reads it for the product, which needs its dates alone.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use crate::base::typed::{Pattern, Recurrence, Until};

/// Minutes of a day.
pub(super) const DAY: u32 = 1_440;

/// Day 0 of all dates here.
const EPOCH: Date = date(1601, 1, 1);

/// A series: times are minutes since 1601 on its own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Series {
    /// How it repeats.
    pub(super) recurrence: Recurrence,
    /// Begin and end of each occurrence, in minutes after midnight.
    pub(super) times: (u32, u32),
    /// Midnights of occurrences that are gone and not moved.
    pub(super) deleted: Vec<u32>,
    /// Occurrences that differ.
    pub(super) moved: Vec<Moved>,
}

/// An occurrence that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// When it would have begun.
    pub(super) original: u32,
    /// When it begins.
    pub(super) start: u32,
    /// When it ends.
    pub(super) end: u32,
}

/// The midnight of a day in minutes; nothing before 1601.
pub(super) fn minutes_of(day: &str) -> Option<u32> {
    let day: Date = day.parse().ok()?;
    let days = EPOCH.until(day).ok()?.get_days();
    u32::try_from(days).ok()?.checked_mul(DAY)
}

/// The day of a time in minutes.
pub(super) fn day_of(minutes: u32) -> Option<String> {
    let day = EPOCH.checked_add(i64::from(minutes / DAY).days()).ok()?;
    Some(day.to_string())
}

/// The time in minutes as a clock shows it: `2026-11-27T09:00:00`.
pub(super) fn local_of(minutes: u32) -> Option<String> {
    let (hour, minute) = (minutes % DAY / 60, minutes % 60);
    Some(format!("{}T{hour:02}:{minute:02}:00", day_of(minutes)?))
}

/// The other way; seconds are cut off.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "whoever makes events of typed items uses it")
)]
pub(super) fn minutes_of_local(local: &str) -> Option<u32> {
    let at: jiff::civil::DateTime = local.parse().ok()?;
    let in_day = u32::try_from(at.hour()).ok()? * 60 + u32::try_from(at.minute()).ok()?;
    Some(minutes_of(&at.date().to_string())? + in_day)
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn word(&mut self) -> Option<u16> {
        let (two, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*two))
    }

    fn long(&mut self) -> Option<u32> {
        let (four, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*four))
    }

    fn skip(&mut self, n: usize) -> Option<()> {
        self.0 = self.0.get(n..)?;
        Some(())
    }

    fn longs(&mut self) -> Option<Vec<u32>> {
        let n = usize::try_from(self.long()?).ok()?;
        (n <= self.0.len() / 4).then_some(())?;
        (0..n).map(|_| self.long()).collect()
    }
}

/// Reads a value. `None` for calendars and patterns that the typed route does not know.
pub(super) fn read(value: &[u8]) -> Option<Series> {
    let mut bytes = Bytes(value);
    bytes.skip(6)?;
    let kind = bytes.word()?;
    bytes.skip(6)?;
    let every = bytes.long()?;
    bytes.skip(4)?;
    let specific = match kind {
        0 => (0, 0),
        1 | 2 | 4 => (bytes.long()?, 0),
        3 => (bytes.long()?, bytes.long()?),
        _ => return None,
    };
    let (end, count, first_day) = (bytes.long()?, bytes.long()?, bytes.long()?);
    let gone = bytes.longs()?;
    bytes.longs()?;
    let (start_date, end_date) = (bytes.long()?, bytes.long()?);
    bytes.skip(8)?;
    let times = (bytes.long()?, bytes.long()?);
    let n = bytes.word()?;
    let moved = (0..n)
        .map(|_| exception(&mut bytes))
        .collect::<Option<Vec<_>>>()?;
    let first = day_of(start_date)?;
    let month = first.get(5..7)?.parse().ok()?;
    let deleted = gone.into_iter();
    let deleted = deleted.filter(|day| moved.iter().all(|own| own.original / DAY * DAY != *day));
    Some(Series {
        recurrence: Recurrence {
            pattern: pattern(kind, every, specific, first_day, month)?,
            first,
            until: match end {
                0x2021 => Until::Date(day_of(end_date)?),
                0x2022 => Until::Count(count),
                _ => Until::Forever,
            },
        },
        times,
        deleted: deleted.collect(),
        moved,
    })
}

fn exception(bytes: &mut Bytes<'_>) -> Option<Moved> {
    let own = Moved {
        start: bytes.long()?,
        end: bytes.long()?,
        original: bytes.long()?,
    };
    let flags = bytes.word()?;
    for bit in (0..9).filter(|bit| flags & (1 << bit) != 0) {
        if bit == 0 || bit == 4 {
            bytes.skip(2)?;
            let length = usize::from(bytes.word()?);
            bytes.skip(length)?;
        } else {
            bytes.skip(4)?;
        }
    }
    Some(own)
}

fn pattern(
    kind: u16,
    every: u32,
    specific: (u32, u32),
    first_day: u32,
    month: u8,
) -> Option<Pattern> {
    let (one, two) = (specific.0, u8::try_from(specific.1).ok()?);
    let days = || {
        (0..7)
            .filter(|day| one & (1 << day) != 0)
            .collect::<Vec<u8>>()
    };
    let day = || u8::try_from(one).ok();
    Some(match (kind, every) {
        (0, _) => Pattern::Days {
            interval: every / DAY,
        },
        (1, _) => Pattern::Weeks {
            interval: every,
            days: days(),
            first_day: u8::try_from(first_day).ok()?,
        },
        (2 | 4, 12) => Pattern::YearDay { month, day: day()? },
        (2 | 4, _) => Pattern::MonthDay {
            interval: every,
            day: day()?,
        },
        (_, 12) => Pattern::YearWeekday {
            month,
            days: days(),
            index: two,
        },
        (..) => Pattern::MonthWeekday {
            interval: every,
            days: days(),
            index: two,
        },
    })
}

/// Writes a value. A yearly series has to begin in its month; a day that cannot be written becomes day 0.
pub(super) fn write(series: &Series) -> Vec<u8> {
    let bits = |days: &[u8]| days.iter().fold(0_u32, |all, day| all | 1 << (day & 7));
    let (frequency, kind, every, specific): (u16, u16, u32, Vec<u32>) =
        match &series.recurrence.pattern {
            Pattern::Days { interval } => (0x200A, 0, interval * DAY, vec![]),
            Pattern::Weeks { interval, days, .. } => (0x200B, 1, *interval, vec![bits(days)]),
            Pattern::MonthDay { interval, day } => (0x200C, 2, *interval, vec![u32::from(*day)]),
            Pattern::MonthWeekday {
                interval,
                days,
                index,
            } => (0x200C, 3, *interval, vec![bits(days), u32::from(*index)]),
            Pattern::YearDay { day, .. } => (0x200D, 2, 12, vec![u32::from(*day)]),
            Pattern::YearWeekday { days, index, .. } => {
                (0x200D, 3, 12, vec![bits(days), u32::from(*index)])
            }
        };
    let first_day = match &series.recurrence.pattern {
        Pattern::Weeks { first_day, .. } => u32::from(*first_day),
        _ => 0,
    };
    let start = minutes_of(&series.recurrence.first).unwrap_or(0);
    let (end, count, last) = match &series.recurrence.until {
        Until::Forever => (0x2023, 10, 0x5AE9_80DF),
        Until::Count(n) => (0x2022, *n, start),
        Until::Date(day) => (0x2021, 10, minutes_of(day).unwrap_or(start)),
    };
    let mut out = vec![0x04, 0x30, 0x04, 0x30];
    out.extend(frequency.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend([0, 0]);
    let mut put = |long: u32| out.extend(long.to_le_bytes());
    [0, every, 0].into_iter().for_each(&mut put);
    specific.into_iter().for_each(&mut put);
    [end, count, first_day].into_iter().for_each(&mut put);
    let midnight = |at: u32| at / DAY * DAY;
    let mut gone = series.deleted.clone();
    gone.extend(series.moved.iter().map(|own| midnight(own.original)));
    gone.sort_unstable();
    let mut there: Vec<u32> = series.moved.iter().map(|own| midnight(own.start)).collect();
    there.sort_unstable();
    for list in [gone, there] {
        put(u32::try_from(list.len()).unwrap_or(0));
        list.into_iter().for_each(&mut put);
    }
    [start, last, 0x3006, 0x3009].into_iter().for_each(&mut put);
    put(series.times.0);
    put(series.times.1);
    let n = u16::try_from(series.moved.len()).unwrap_or(0);
    out.extend(n.to_le_bytes());
    for own in &series.moved {
        for long in [own.start, own.end, own.original] {
            out.extend(long.to_le_bytes());
        }
        out.extend([0, 0]);
    }
    // The reserved blocks, and an empty extension for each exception.
    out.extend([0; 4]);
    for _ in &series.moved {
        out.extend([0; 8]);
    }
    out.extend([0; 4]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::recurrence;

    fn series(pattern: Pattern, first: &str, until: Until) -> Series {
        let at = minutes_of(first).unwrap();
        Series {
            recurrence: Recurrence {
                pattern,
                first: first.to_owned(),
                until,
            },
            times: (540, 600),
            deleted: vec![at + 7 * DAY],
            moved: vec![Moved {
                original: at + 14 * DAY + 540,
                start: at + 14 * DAY + 600,
                end: at + 14 * DAY + 660,
            }],
        }
    }

    #[test]
    fn every_series_is_read_back_and_the_product_reads_it_too() {
        let patterns = [
            Pattern::Days { interval: 7 },
            Pattern::Weeks {
                interval: 1,
                days: vec![1, 5],
                first_day: 1,
            },
            Pattern::MonthDay {
                interval: 2,
                day: 30,
            },
            Pattern::MonthWeekday {
                interval: 1,
                days: vec![1],
                index: 5,
            },
            Pattern::YearDay { month: 11, day: 23 },
            Pattern::YearWeekday {
                month: 11,
                days: vec![1],
                index: 4,
            },
        ];
        for pattern in patterns {
            for until in [
                Until::Forever,
                Until::Count(12),
                Until::Date("2029-01-01".to_owned()),
            ] {
                let own = series(pattern.clone(), "2026-11-23", until);
                let bytes = write(&own);
                assert_eq!(read(&bytes), Some(own), "{pattern:?}");
                let read = recurrence::Recurrence::read(&bytes).expect("a recurrence");
                assert!(!read.expand().is_empty());
                for cut in 0..bytes.len() - 8 {
                    let _ = super::read(&bytes[..cut]);
                }
            }
        }
    }

    #[test]
    fn clocks_and_minutes_agree() {
        let at = minutes_of_local("2026-11-27T09:30:00").unwrap();
        assert_eq!(local_of(at).as_deref(), Some("2026-11-27T09:30:00"));
        assert_eq!(day_of(at).as_deref(), Some("2026-11-27"));
        assert_eq!(minutes_of("1600-01-01"), None);
    }
}
