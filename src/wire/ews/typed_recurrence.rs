//! How a series repeats, in EWS's words (t:RecurrenceType) and in ours.

use crate::base::typed::{Pattern, Recurrence, Until};
use crate::wire::ews::typed_item::text_of;
use crate::wire::xml::{Element, Writer};

/// Days of the week, from Sunday.
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
/// Words for several days, where only one word may stand (t:DayOfWeekType).
const SETS: [(&str, &[u8]); 3] = [
    ("Day", &[0, 1, 2, 3, 4, 5, 6]),
    ("Weekday", &[1, 2, 3, 4, 5]),
    ("WeekendDay", &[0, 6]),
];
const INDEXES: [&str; 5] = ["First", "Second", "Third", "Fourth", "Last"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Reads `t:Recurrence`. `None` for a pattern that is none of the six.
pub(super) fn read(e: &Element) -> Option<Recurrence> {
    let find = |end: &str| e.children.iter().find(|own| own.name.ends_with(end));
    let of = |name: &str| e.t(name);
    let pattern = if let Some(own) = of("DailyRecurrence") {
        Pattern::Days {
            interval: number(own, "Interval")?,
        }
    } else if let Some(own) = of("WeeklyRecurrence") {
        let first = text_of(own, "FirstDayOfWeek");
        Pattern::Weeks {
            interval: number(own, "Interval")?,
            days: days(own)?,
            first_day: place(&DAYS, first.trim()).unwrap_or(0),
        }
    } else if let Some(own) = of("AbsoluteMonthlyRecurrence") {
        Pattern::MonthDay {
            interval: number(own, "Interval")?,
            day: number(own, "DayOfMonth")?,
        }
    } else if let Some(own) = of("RelativeMonthlyRecurrence") {
        Pattern::MonthWeekday {
            interval: number(own, "Interval")?,
            days: days(own)?,
            index: place(&INDEXES, text_of(own, "DayOfWeekIndex").trim())? + 1,
        }
    } else if let Some(own) = of("AbsoluteYearlyRecurrence") {
        Pattern::YearDay {
            month: place(&MONTHS, text_of(own, "Month").trim())? + 1,
            day: number(own, "DayOfMonth")?,
        }
    } else {
        let own = of("RelativeYearlyRecurrence")?;
        Pattern::YearWeekday {
            month: place(&MONTHS, text_of(own, "Month").trim())? + 1,
            days: days(own)?,
            index: place(&INDEXES, text_of(own, "DayOfWeekIndex").trim())? + 1,
        }
    };
    let range = ["NoEndRecurrence", "EndDateRecurrence", "NumberedRecurrence"];
    let range = range.into_iter().find_map(find)?;
    Some(Recurrence {
        pattern,
        first: day(&text_of(range, "StartDate"))?,
        until: match range.name.as_str() {
            "NoEndRecurrence" => Until::Forever,
            "EndDateRecurrence" => Until::Date(day(&text_of(range, "EndDate"))?),
            _ => Until::Count(number(range, "NumberOfOccurrences")?),
        },
    })
}

fn number<T: std::str::FromStr>(e: &Element, name: &str) -> Option<T> {
    text_of(e, name).trim().parse().ok()
}

fn place(words: &[&str], word: &str) -> Option<u8> {
    let at = words.iter().position(|own| *own == word)?;
    u8::try_from(at).ok()
}

fn days(e: &Element) -> Option<Vec<u8>> {
    let text = text_of(e, "DaysOfWeek");
    let mut out = Vec::new();
    for word in text.split_ascii_whitespace() {
        match SETS.iter().find(|(set, _)| *set == word) {
            Some((_, days)) => out.extend_from_slice(days),
            None => out.push(place(&DAYS, word)?),
        }
    }
    out.sort_unstable();
    out.dedup();
    (!out.is_empty()).then_some(out)
}

/// An xs:date, whose offset says nothing about the day.
fn day(text: &str) -> Option<String> {
    let own = text.trim().get(..10)?;
    own.parse::<jiff::civil::Date>().ok()?;
    Some(own.to_owned())
}

/// Writes `t:Recurrence`.
pub(super) fn write(own: &Recurrence, w: &mut Writer) {
    w.open("t:Recurrence", &[]);
    let interval = |w: &mut Writer, n: &u32| w.leaf("t:Interval", &n.to_string());
    let word = |words: &[&str], at: u8| {
        let at = usize::from(at);
        words.get(at).copied().unwrap_or_default().to_owned()
    };
    let relative = |w: &mut Writer, days: &[u8], index: u8| {
        w.leaf("t:DaysOfWeek", &one_word(days));
        w.leaf("t:DayOfWeekIndex", &word(&INDEXES, index.saturating_sub(1)));
    };
    match &own.pattern {
        Pattern::Days { interval: n } => {
            w.open("t:DailyRecurrence", &[]);
            interval(w, n);
        }
        Pattern::Weeks {
            interval: n,
            days,
            first_day,
        } => {
            w.open("t:WeeklyRecurrence", &[]);
            interval(w, n);
            w.leaf("t:DaysOfWeek", &words(days));
            w.leaf("t:FirstDayOfWeek", &word(&DAYS, *first_day));
        }
        Pattern::MonthDay { interval: n, day } => {
            w.open("t:AbsoluteMonthlyRecurrence", &[]);
            interval(w, n);
            w.leaf("t:DayOfMonth", &day.to_string());
        }
        Pattern::MonthWeekday {
            interval: n,
            days,
            index,
        } => {
            w.open("t:RelativeMonthlyRecurrence", &[]);
            interval(w, n);
            relative(w, days, *index);
        }
        Pattern::YearDay { month, day } => {
            w.open("t:AbsoluteYearlyRecurrence", &[]);
            w.leaf("t:DayOfMonth", &day.to_string());
            w.leaf("t:Month", &word(&MONTHS, month.saturating_sub(1)));
        }
        Pattern::YearWeekday { month, days, index } => {
            w.open("t:RelativeYearlyRecurrence", &[]);
            relative(w, days, *index);
            w.leaf("t:Month", &word(&MONTHS, month.saturating_sub(1)));
        }
    }
    w.close();
    match &own.until {
        Until::Forever => {
            w.open("t:NoEndRecurrence", &[]);
            w.leaf("t:StartDate", &own.first);
        }
        Until::Date(last) => {
            w.open("t:EndDateRecurrence", &[]);
            w.leaf("t:StartDate", &own.first);
            w.leaf("t:EndDate", last);
        }
        Until::Count(n) => {
            w.open("t:NumberedRecurrence", &[]);
            w.leaf("t:StartDate", &own.first);
            w.leaf("t:NumberOfOccurrences", &n.to_string());
        }
    }
    w.close();
    w.close();
}

fn words(days: &[u8]) -> String {
    let all = days.iter().filter_map(|day| DAYS.get(usize::from(*day)));
    all.copied().collect::<Vec<_>>().join(" ")
}

fn one_word(days: &[u8]) -> String {
    let set = SETS.iter().find(|(_, own)| *own == days);
    set.map_or_else(|| words(days), |(word, _)| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml::{self, Manner, NS_TYPES};

    #[test]
    fn every_pattern_and_end_comes_back() {
        let patterns = [
            Pattern::Days { interval: 3 },
            Pattern::Weeks {
                interval: 2,
                days: vec![1, 3],
                first_day: 1,
            },
            Pattern::MonthDay {
                interval: 1,
                day: 31,
            },
            Pattern::MonthWeekday {
                interval: 2,
                days: vec![1, 2, 3, 4, 5],
                index: 5,
            },
            Pattern::YearDay { month: 2, day: 29 },
            Pattern::YearWeekday {
                month: 12,
                days: vec![4],
                index: 1,
            },
        ];
        let ends = [
            Until::Forever,
            Until::Count(7),
            Until::Date("2027-01-01".to_owned()),
        ];
        for pattern in patterns {
            for until in ends.clone() {
                let own = Recurrence {
                    pattern: pattern.clone(),
                    first: "2026-11-27".to_owned(),
                    until,
                };
                let mut w = Writer::document();
                w.open("t:X", &[("xmlns:t", NS_TYPES)]);
                write(&own, &mut w);
                let text = w.finish();
                // With an offset, as servers write it.
                let other = text.replace("</t:StartDate>", "+05:30</t:StartDate>");
                for text in [text, other] {
                    let root = xml::read(text.as_bytes(), Manner::Strict).unwrap().root;
                    assert_eq!(read(&root.children[0]), Some(own.clone()), "{text}");
                }
            }
        }
    }

    #[test]
    fn nonsense_is_no_pattern() {
        for inner in [
            "",
            "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>",
            "<t:DailyRecurrence/><t:NoEndRecurrence><t:StartDate>2026-01-01</t:StartDate></t:NoEndRecurrence>",
            "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NoEndRecurrence><t:StartDate>ü2026-01-0</t:StartDate></t:NoEndRecurrence>",
        ] {
            let text = format!("<t:Recurrence xmlns:t=\"{NS_TYPES}\">{inner}</t:Recurrence>");
            let root = xml::read(text.as_bytes(), Manner::Strict).unwrap().root;
            assert_eq!(read(&root), None, "{inner}");
        }
    }
}
