//! Dates as the shell prints them: ISO from the collector and CLIXML, or the session's culture in plain exports.
//!
//! `03/04/2025` is in March or in April, depending on who printed it. A file is read by one order; where no date of it says which, its
//! dates are not used, and that is said (reference/inventory.md section 2).

use jiff::civil::Date;

use super::model::When;
use crate::base::quantity::Moment;

/// A date before its order is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawWhen {
    /// Nobody can misread it.
    Known(When),
    /// Two numbers and a year: day and month, or month and day.
    Open { first: i8, second: i8, year: i16 },
}

/// What the dates of one file say about their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DateOrder {
    /// A date whose first number cannot be a month.
    pub(super) day_first: bool,
    /// A date whose second number cannot be a month.
    pub(super) month_first: bool,
    /// How many dates needed an order.
    pub(super) open: u64,
}

impl DateOrder {
    /// Takes a date into account.
    pub(super) fn see(&mut self, when: RawWhen) {
        if let RawWhen::Open { first, second, .. } = when {
            self.open += 1;
            self.day_first |= first > 12;
            self.month_first |= second > 12;
        }
    }

    /// The date, where the order is known or does not matter.
    pub(super) fn settle(self, when: RawWhen) -> Option<When> {
        let (first, second, year) = match when {
            RawWhen::Known(when) => return Some(when),
            RawWhen::Open {
                first,
                second,
                year,
            } => (first, second, year),
        };
        let (day, month) = match (self.day_first, self.month_first) {
            (true, false) => (first, second),
            (false, true) => (second, first),
            _ if first == second => (first, second),
            _ => return None,
        };
        let day = Date::new(year, month, day).ok()?;
        Some(When { day, moment: None })
    }
}

/// Reads a date; `None` where the text is none.
pub(super) fn parse(text: &str) -> Option<RawWhen> {
    let text = text.trim();
    if text.len() > 64 {
        return None;
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        let day = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let moment = Some(Moment::from_unix_ms(at.as_millisecond()));
        return Some(RawWhen::Known(When { day, moment }));
    }
    let head = text.split(['T', ' ', '\u{A0}', '\u{202F}']).next()?;
    let separator = head.chars().find(|c| !c.is_ascii_digit())?;
    if !matches!(separator, '/' | '.' | '-') {
        return None;
    }
    let mut numbers = head.trim_end_matches('.').split(separator);
    let mut next = || {
        let part = numbers.next()?;
        let plain = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse::<i16>().ok()).flatten()
    };
    let (a, b, c) = (next()?, next()?, next()?);
    if numbers.next().is_some() {
        return None;
    }
    let small = |n: i16| i8::try_from(n).ok();
    if a > 31 {
        let day = Date::new(a, small(b)?, small(c)?).ok()?;
        return Some(RawWhen::Known(When { day, moment: None }));
    }
    let (first, second) = (small(a)?, small(b)?);
    if c < 1900
        || first < 1
        || second < 1
        || first > 31
        || second > 31
        || (first > 12 && second > 12)
    {
        return None;
    }
    if separator == '.' {
        // No culture prints the month first with dots.
        let day = Date::new(c, second, first).ok()?;
        return Some(RawWhen::Known(When { day, moment: None }));
    }
    Some(RawWhen::Open {
        first,
        second,
        year: c,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str, order: DateOrder) -> Option<String> {
        let when = order.settle(parse(text)?)?;
        Some(match when.moment {
            Some(moment) => moment.to_string(),
            None => when.day.to_string(),
        })
    }

    #[test]
    fn dates_read_by_what_their_file_says() {
        let unknown = DateOrder::default();
        let day_first = DateOrder {
            day_first: true,
            ..unknown
        };
        let month_first = DateOrder {
            month_first: true,
            ..unknown
        };
        let both = DateOrder {
            day_first: true,
            month_first: true,
            open: 2,
        };
        for (text, order, want) in [
            (
                "2025-11-21T16:12:09.0000000Z",
                unknown,
                Some("2025-11-21T16:12:09Z"),
            ),
            (
                "2025-11-21T16:12:09+01:00",
                unknown,
                Some("2025-11-21T15:12:09Z"),
            ),
            ("2025-11-21 16:12:09", unknown, Some("2025-11-21")),
            ("2025-11-21T16:12:09", unknown, Some("2025-11-21")),
            ("30.11.2025 14:14:05", unknown, Some("2025-11-30")),
            ("03.04.2025", unknown, Some("2025-04-03")),
            ("11/21/2025 4:12:09 PM", month_first, Some("2025-11-21")),
            ("03/04/2025 4:12:09 PM", month_first, Some("2025-03-04")),
            ("03/04/2025 16:12:09", day_first, Some("2025-04-03")),
            ("03/04/2025 16:12:09", unknown, None),
            ("03/04/2025 16:12:09", both, None),
            ("04/04/2025 16:12:09", unknown, Some("2025-04-04")),
            ("31/31/2025", day_first, None),
            ("31/02/2025", day_first, None),
            ("1/2/3/2025", day_first, None),
            ("0/2/2025", day_first, None),
            ("yesterday", unknown, None),
            ("", unknown, None),
        ] {
            assert_eq!(day(text, order).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn one_date_settles_the_order_of_its_file() {
        let mut order = DateOrder::default();
        for text in ["03/04/2025", "21/04/2025", "2025-01-01"] {
            order.see(parse(text).expect("a date"));
        }
        assert_eq!(
            order,
            DateOrder {
                day_first: true,
                month_first: false,
                open: 2
            }
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in "[0-9/.T:Z +-]{0,30}|\\PC{0,20}") {
            if let Some(when) = parse(&text) {
                let mut order = DateOrder::default();
                order.see(when);
                let _ = order.settle(when);
            }
        }
    }
}
