//! The recurrence of an appointment (PidLidAppointmentRecur) and the dates it stands for, after [MS-OXOCAL] section 2.2.1.44.
//!
//! Times are minutes since 1601-01-01 on the clock of the series' own time zone. What is not read soundly is not expanded: lunar calendars, and
//! patterns no document describes.

use std::collections::BTreeSet;

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use crate::base::limits::OCCURRENCES_MAX;

/// Minutes of a day.
const DAY: u32 = 1_440;

/// Day 0 of all dates here, a Monday.
const EPOCH: Date = date(1601, 1, 1);

/// Why a recurrence is not expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotExpanded {
    /// The bytes end too early, or contradict themselves.
    Malformed,
    /// A calendar other than the Gregorian one.
    OtherCalendar,
    /// A pattern no document describes.
    UnknownPattern,
}

impl NotExpanded {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Malformed => "its recurrence cannot be read",
            Self::OtherCalendar => "it recurs by another calendar than the Gregorian",
            Self::UnknownPattern => "it recurs by a pattern that is not documented",
        }
    }
}

/// One occurrence: start and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// When it begins.
    pub start: u32,
    /// When it ends.
    pub end: u32,
}

/// When a series repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    /// Every so many days.
    Daily(u32),
    /// Every so many weeks on these days (Sunday is bit 0), weeks beginning on this day.
    Weekly { every: u32, days: u32, first: u32 },
    /// Every so many months on this day, or the last day of shorter months.
    Monthly { every: u32, day: u32 },
    /// Every so many months on the nth of these days; 5 is the last.
    MonthlyNth { every: u32, days: u32, nth: u32 },
}

/// When a series ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Count(u32),
    Date,
    Never,
}

/// A recurrence as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    pattern: Pattern,
    end: End,
    /// Days on which the pattern's occurrence is gone or moved, in minutes.
    without: BTreeSet<u32>,
    start_date: u32,
    end_date: u32,
    /// Minutes after midnight.
    start_offset: u32,
    end_offset: u32,
    moved: Vec<Occurrence>,
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn skip(&mut self, n: usize) -> Result<(), NotExpanded> {
        self.0 = self.0.get(n..).ok_or(NotExpanded::Malformed)?;
        Ok(())
    }

    fn word(&mut self) -> Result<u16, NotExpanded> {
        let two = self.0.first_chunk::<2>().ok_or(NotExpanded::Malformed)?;
        let word = u16::from_le_bytes(*two);
        self.skip(2)?;
        Ok(word)
    }

    fn long(&mut self) -> Result<u32, NotExpanded> {
        let four = self.0.first_chunk::<4>().ok_or(NotExpanded::Malformed)?;
        let long = u32::from_le_bytes(*four);
        self.skip(4)?;
        Ok(long)
    }

    /// As many numbers as the bytes can hold, at most.
    fn longs(&mut self) -> Result<Vec<u32>, NotExpanded> {
        let n = self.long()? as usize;
        if n > self.0.len() / 4 {
            return Err(NotExpanded::Malformed);
        }
        (0..n).map(|_| self.long()).collect()
    }
}

impl Recurrence {
    /// Reads the property's value.
    pub fn read(value: &[u8]) -> Result<Self, NotExpanded> {
        use NotExpanded::{Malformed, OtherCalendar, UnknownPattern};
        let mut bytes = Bytes(value);
        if (bytes.word()?, bytes.word()?) != (0x3004, 0x3004) {
            return Err(Malformed);
        }
        let _frequency = bytes.word()?;
        let kind = bytes.word()?;
        // 0 is the default and 1 the Gregorian calendar.
        if bytes.word()? > 1 || matches!(kind, 0x0A..=0x0C) {
            return Err(OtherCalendar);
        }
        let _first_date_time = bytes.long()?;
        let every = bytes.long()?;
        let _sliding = bytes.long()?;
        let specific = match kind {
            0 => (0, 0),
            1 | 2 | 4 => (bytes.long()?, 0),
            3 => (bytes.long()?, bytes.long()?),
            _ => return Err(UnknownPattern),
        };
        let end = bytes.long()?;
        let count = bytes.long()?;
        let first = bytes.long()?;
        let pattern = pattern(kind, every, specific, first)?;
        let end = match end {
            0x2021 => End::Date,
            0x2022 => End::Count(count),
            0x2023 | 0xFFFF_FFFF => End::Never,
            _ => return Err(UnknownPattern),
        };
        let without: BTreeSet<u32> = bytes.longs()?.into_iter().collect();
        let modified = bytes.longs()?.len();
        let (start_date, end_date) = (bytes.long()?, bytes.long()?);
        // The appointment's part follows: two versions, then the times of day.
        bytes.skip(8)?;
        let (start_offset, end_offset) = (bytes.long()?, bytes.long()?);
        let exceptions = usize::from(bytes.word()?);
        if exceptions != modified || start_date % DAY != 0 {
            return Err(Malformed);
        }
        let moved = (0..exceptions)
            .map(|_| exception(&mut bytes))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            pattern,
            end,
            without,
            start_date,
            end_date,
            start_offset,
            end_offset,
            moved,
        })
    }

    /// True for a series without end; its dates are those of its first `limits::OCCURRENCES_MAX` occurrences.
    pub fn is_endless(&self) -> bool {
        self.end == End::Never
    }

    /// The occurrences, in order: those of the pattern without the deleted ones, the moved ones where they are now.
    pub fn expand(&self) -> Vec<Occurrence> {
        let wanted = match self.end {
            End::Count(n) => (n as usize).min(OCCURRENCES_MAX),
            End::Date | End::Never => OCCURRENCES_MAX,
        };
        let mut out: Vec<Occurrence> = Days::new(self)
            .take_while(|day| self.end != End::Date || *day <= self.end_date)
            .take(wanted)
            .filter(|day| !self.without.contains(day))
            .map(|day| Occurrence {
                start: day.saturating_add(self.start_offset),
                end: day.saturating_add(self.end_offset),
            })
            .collect();
        out.extend(&self.moved);
        out.sort_unstable();
        out
    }
}

fn pattern(
    kind: u16,
    every: u32,
    specific: (u32, u32),
    first: u32,
) -> Result<Pattern, NotExpanded> {
    let (one, two) = specific;
    let every = if kind == 0 { every / DAY } else { every };
    // Every occurrence must be a step further: nothing is counted for ever.
    if every == 0 || every > 12 * 1_000 {
        return Err(NotExpanded::Malformed);
    }
    let days = one & 0x7F;
    Ok(match kind {
        0 => Pattern::Daily(every),
        1 if days != 0 && first < 7 => Pattern::Weekly { every, days, first },
        2 | 4 if (1..=31).contains(&one) => Pattern::Monthly { every, day: one },
        3 if days != 0 && (1..=5).contains(&two) => Pattern::MonthlyNth {
            every,
            days,
            nth: two,
        },
        _ => return Err(NotExpanded::Malformed),
    })
}

/// Reads one exception; only its dates are wanted, the rest is stepped over.
fn exception(bytes: &mut Bytes<'_>) -> Result<Occurrence, NotExpanded> {
    let (start, end) = (bytes.long()?, bytes.long()?);
    let _original = bytes.long()?;
    let flags = bytes.word()?;
    for bit in 0..9 {
        if flags & (1 << bit) == 0 {
            continue;
        }
        // Subject and location: the length with terminator, the length, the text.
        if bit == 0 || bit == 4 {
            bytes.skip(2)?;
            let length = usize::from(bytes.word()?);
            bytes.skip(length)?;
        } else {
            bytes.skip(4)?;
        }
    }
    Ok(Occurrence { start, end })
}

/// The days of a pattern from the start date on, in minutes.
struct Days<'a> {
    of: &'a Recurrence,
    /// Days (or months) since the start; the next candidate.
    at: u32,
}

impl<'a> Days<'a> {
    const fn new(of: &'a Recurrence) -> Self {
        Self { of, at: 0 }
    }

    fn start(&self) -> u32 {
        self.of.start_date / DAY
    }
}

impl Iterator for Days<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let start = self.start();
        match self.of.pattern {
            Pattern::Daily(every) => {
                let day = start.checked_add(self.at)?;
                self.at = self.at.checked_add(every)?;
                day.checked_mul(DAY)
            }
            Pattern::Weekly { every, days, first } => loop {
                let day = start.checked_add(self.at)?;
                self.at += 1;
                // 1601-01-01 was a Monday.
                let weekday = (day + 1) % 7;
                let into_week = |day: u32| ((day + 1) % 7 + 7 - first) % 7;
                let week = (day - into_week(day).min(day)) / 7;
                let first_week = (start - into_week(start).min(start)) / 7;
                if days & (1 << weekday) != 0 && (week - first_week).is_multiple_of(every) {
                    return day.checked_mul(DAY);
                }
            },
            Pattern::Monthly { every, .. } | Pattern::MonthlyNth { every, .. } => loop {
                let month = self.at;
                self.at = self.at.checked_add(every)?;
                let day = in_month(self.of.pattern, start, month)?;
                if day >= start {
                    return day.checked_mul(DAY);
                }
            },
        }
    }
}

/// The pattern's day in the month so many months after that of `start`, as days since 1601.
fn in_month(pattern: Pattern, start: u32, months: u32) -> Option<u32> {
    let first = EPOCH.checked_add(i64::from(start).days()).ok()?;
    let first = first
        .first_of_month()
        .checked_add(i64::from(months).months())
        .ok()?;
    let last = i16::from(first.days_in_month());
    let day = match pattern {
        Pattern::Monthly { day, .. } => i16::try_from(day).ok()?.min(last),
        Pattern::MonthlyNth { days, nth, .. } => {
            let weekday = first.weekday().to_sunday_zero_offset();
            let falls = |day: i16| {
                let weekday = (i16::from(weekday) + day - 1) % 7;
                days & (1 << weekday) != 0
            };
            let all: Vec<i16> = (1..=last).filter(|day| falls(*day)).collect();
            let at = if nth == 5 {
                all.len() - 1
            } else {
                nth as usize - 1
            };
            *all.get(at)?
        }
        Pattern::Daily(_) | Pattern::Weekly { .. } => return None,
    };
    let date = first.checked_add(i64::from(day - 1).days()).ok()?;
    u32::try_from(EPOCH.until(date).ok()?.get_days()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks_exact(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn dates(recurrence: &Recurrence) -> Vec<String> {
        let show = |o: Occurrence| {
            let day = EPOCH.checked_add(i64::from(o.start / DAY).days()).unwrap();
            let minute = o.start % DAY;
            format!("{day} {:02}:{:02}", minute / 60, minute % 60)
        };
        recurrence.expand().into_iter().map(show).collect()
    }

    /// [MS-OXOCAL] 4.1.1.1: Mondays, Thursdays and Fridays from 2007-03-26 at 10:00, twelve times.
    const WEEKLY: &str = "043004300B2001000000C0210000010000000000000032000000222000000C0000000000000000000000000000008020BC0C20ADBC0C0630000009300000580200007602000000000000000000000000";

    /// [MS-OXOCAL] 4.1.1.2: the same, with 2007-04-16 an hour later.
    const MOVED: &str = "043004300B2001000000C0210000010000000000000032000000222000000C0000000000000001000000A096BC0C01000000A096BC0C8020BC0C20ADBC0C0630000009300000580200007602000001003499BC0C5299BC0CF898BC0C11002200210053696D706C6520526563757272656E6365207769746820657863657074696F6E730800070033342F34313431000000000400000000000000000000003499BC0C5299BC0CF898BC0C";

    /// [MS-OXOCAL] 4.1.1.3: every third day, two instances deleted.
    const DAILY: &str = "043004300A2000000000A0050000E010000000000000212000000A0000000000000002000000A0C1DC0C80D2DC0C00000000207EDC0C0016DD0C0630000009300000E0010000FE01000000000000000000000000";

    /// [MS-OXOCAL] 4.1.1.6: by the Hebrew calendar.
    const HEBREW: &str = "043004300D200200080080750A000C0000000000000003000000232000000A0000000000000001000000207EDC0C01000000207EDC0C6074C40CDF80E95A0630000009300000E0010000FE01000001000080DC0C1E80DC0C0080DC0C24023C000000010000000000000004000000000000000000000000000000";

    #[test]
    fn the_documents_own_examples_are_expanded() {
        let weekly = dates(&Recurrence::read(&unhex(WEEKLY)).unwrap());
        assert_eq!(weekly.len(), 12);
        assert_eq!(
            weekly[..4],
            [
                "2007-03-26 10:00",
                "2007-03-29 10:00",
                "2007-03-30 10:00",
                "2007-04-02 10:00"
            ]
        );
        assert_eq!(weekly[11], "2007-04-20 10:00");
        let moved = dates(&Recurrence::read(&unhex(MOVED)).unwrap());
        assert_eq!(moved.len(), 12);
        assert!(moved.contains(&"2007-04-16 11:00".to_owned()), "{moved:?}");
        assert!(!moved.contains(&"2007-04-16 10:00".to_owned()));
        let daily = dates(&Recurrence::read(&unhex(DAILY)).unwrap());
        assert_eq!(daily.len(), 8, "{daily:?}");
        assert!(daily.windows(2).all(|two| two[0] < two[1]));
        assert_eq!(
            Recurrence::read(&unhex(HEBREW)),
            Err(NotExpanded::OtherCalendar)
        );
    }

    /// A blob of this pattern that begins on `start`.
    fn blob(kind: u16, every: u32, specific: &[u32], end: (u32, u32), start: Date) -> Vec<u8> {
        let start = u32::try_from(EPOCH.until(start).unwrap().get_days()).unwrap() * DAY;
        let mut out = unhex("043004300B20");
        out.extend(kind.to_le_bytes());
        out.extend([0, 0]);
        let mut longs = vec![0, every, 0];
        longs.extend(specific);
        longs.extend([
            end.0,
            end.1,
            1,
            0,
            0,
            start,
            start + 400 * DAY,
            0x3006,
            0x3009,
            540,
            600,
        ]);
        for long in longs {
            out.extend(long.to_le_bytes());
        }
        out.extend([0, 0]);
        out
    }

    #[test]
    fn months_end_where_they_end() {
        let read = |kind, every, specific: &[u32], start| {
            let bytes = blob(kind, every, specific, (0x2022, 4), start);
            dates(&Recurrence::read(&bytes).unwrap())
        };
        assert_eq!(
            read(2, 1, &[31], date(2026, 1, 31)),
            [
                "2026-01-31 09:00",
                "2026-02-28 09:00",
                "2026-03-31 09:00",
                "2026-04-30 09:00"
            ]
        );
        // The last Friday.
        assert_eq!(
            read(3, 1, &[0x20, 5], date(2026, 1, 1)),
            [
                "2026-01-30 09:00",
                "2026-02-27 09:00",
                "2026-03-27 09:00",
                "2026-04-24 09:00"
            ]
        );
        // 29 February, each year.
        assert_eq!(
            read(2, 12, &[29], date(2024, 2, 29)),
            [
                "2024-02-29 09:00",
                "2025-02-28 09:00",
                "2026-02-28 09:00",
                "2027-02-28 09:00"
            ]
        );
        // Every other week on Sunday and Monday, weeks beginning on Monday.
        assert_eq!(
            read(1, 2, &[0x03], date(2026, 11, 23)),
            [
                "2026-11-23 09:00",
                "2026-11-29 09:00",
                "2026-12-07 09:00",
                "2026-12-13 09:00"
            ]
        );
    }

    #[test]
    fn an_endless_series_is_bounded_and_says_so() {
        let bytes = blob(0, DAY, &[], (0x2023, 10), date(2026, 1, 1));
        let read = Recurrence::read(&bytes).unwrap();
        assert!(read.is_endless());
        assert_eq!(read.expand().len(), OCCURRENCES_MAX);
    }

    proptest! {
        /// Whatever the bytes: no panic, no endless work, no more than the bound and the exceptions.
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Recurrence::read(&bytes);
        }

        #[test]
        fn damaged_blobs_are_survived(at in 0usize..80, value: u8, which in 0usize..3) {
            let mut bytes = unhex([WEEKLY, MOVED, DAILY][which]);
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(read) = Recurrence::read(&bytes) {
                prop_assert!(read.expand().len() <= OCCURRENCES_MAX + read.moved.len());
            }
        }
    }
}
