//! Series: patterns in the service's words, instances that are looked for, and exceptions read back.

use serde::{Deserialize, Serialize};

use crate::base::quantity::{Moment, Span};
use crate::base::typed::{
    Occurrence, Pattern, Recurrence, TypedAttachment, TypedEvent, Until, WallTime,
};
use crate::wire::graph::query::ListQuery;
use crate::wire::graph::time_zone;
use crate::wire::graph::typed_attachment::{ShownAttachment, UNNAMED};

use super::model::{Repeat, RepeatPattern, RepeatRange};
use super::new::FileOfInstance;
use super::shown::ShownEvent;

const DAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const INDEXES: [&str; 5] = ["first", "second", "third", "fourth", "last"];

fn word<const N: usize>(words: &[&str; N], at: usize) -> Option<String> {
    words.get(at).map(|&word| word.to_owned())
}

fn days_of(days: &[u8]) -> Option<Vec<String>> {
    let words: Option<Vec<String>> = days
        .iter()
        .map(|day| word(&DAYS, usize::from(*day)))
        .collect();
    words.filter(|words| !words.is_empty())
}

fn place(words: &[&str], word: Option<&str>) -> Option<u8> {
    let at = words.iter().position(|own| Some(*own) == word)?;
    u8::try_from(at).ok()
}

/// A series in the service's words. `None` for numbers that are no days, months or intervals.
pub(super) fn repeat(own: &Recurrence, zone: &str) -> Option<Repeat> {
    let index = |index: u8| word(&INDEXES, usize::from(index).checked_sub(1)?);
    let month = |month: u8| (1..=12).contains(&month).then_some(month);
    let day = |day: u8| (1..=31).contains(&day).then_some(day);
    let base = |kind: &str, interval: u32| {
        (interval > 0).then(|| RepeatPattern {
            kind: Some(kind.to_owned()),
            interval: Some(interval),
            ..RepeatPattern::default()
        })
    };
    let pattern = match &own.pattern {
        Pattern::Days { interval } => base("daily", *interval)?,
        Pattern::Weeks {
            interval,
            days,
            first_day,
        } => RepeatPattern {
            days_of_week: Some(days_of(days)?),
            first_day_of_week: Some(word(&DAYS, usize::from(*first_day))?),
            ..base("weekly", *interval)?
        },
        Pattern::MonthDay { interval, day: own } => RepeatPattern {
            day_of_month: Some(day(*own)?),
            ..base("absoluteMonthly", *interval)?
        },
        Pattern::MonthWeekday {
            interval,
            days,
            index: own,
        } => RepeatPattern {
            days_of_week: Some(days_of(days)?),
            index: Some(index(*own)?),
            ..base("relativeMonthly", *interval)?
        },
        Pattern::YearDay {
            month: own,
            day: day_of,
        } => RepeatPattern {
            month: Some(month(*own)?),
            day_of_month: Some(day(*day_of)?),
            ..base("absoluteYearly", 1)?
        },
        Pattern::YearWeekday {
            month: own,
            days,
            index: index_of,
        } => RepeatPattern {
            month: Some(month(*own)?),
            days_of_week: Some(days_of(days)?),
            index: Some(index(*index_of)?),
            ..base("relativeYearly", 1)?
        },
    };
    Some(Repeat {
        pattern: Some(pattern),
        range: Some(range(own, zone)?),
    })
}

fn range(own: &Recurrence, zone: &str) -> Option<RepeatRange> {
    let date = |text: &str| {
        text.parse::<jiff::civil::Date>()
            .ok()
            .map(|at| at.to_string())
    };
    let (kind, end_date, number) = match &own.until {
        Until::Forever => ("noEnd", None, None),
        Until::Count(n) => ("numbered", None, Some((*n > 0).then_some(*n)?)),
        Until::Date(last) => ("endDate", Some(date(last)?), None),
    };
    Some(RepeatRange {
        kind: Some(kind.to_owned()),
        start_date: Some(date(&own.first)?),
        end_date,
        recurrence_time_zone: Some(zone.to_owned()),
        number_of_occurrences: number,
    })
}

/// A series in our words. `None` for what the service's documents do not describe.
pub(super) fn recurrence(shown: &Repeat) -> Option<Recurrence> {
    let pattern = shown.pattern.as_ref()?;
    let range = shown.range.as_ref()?;
    let interval = pattern.interval?;
    let days = || {
        let words = pattern.days_of_week.as_ref()?;
        let days = words.iter().map(|own| place(&DAYS, Some(own)));
        days.collect::<Option<Vec<u8>>>()
    };
    let index = || Some(place(&INDEXES, pattern.index.as_deref())? + 1);
    Some(Recurrence {
        pattern: match pattern.kind.as_deref()? {
            "daily" => Pattern::Days { interval },
            "weekly" => Pattern::Weeks {
                interval,
                days: days()?,
                first_day: place(&DAYS, pattern.first_day_of_week.as_deref()).unwrap_or(0),
            },
            "absoluteMonthly" => Pattern::MonthDay {
                interval,
                day: pattern.day_of_month?,
            },
            "relativeMonthly" => Pattern::MonthWeekday {
                interval,
                days: days()?,
                index: index()?,
            },
            "absoluteYearly" => Pattern::YearDay {
                month: pattern.month?,
                day: pattern.day_of_month?,
            },
            "relativeYearly" => Pattern::YearWeekday {
                month: pattern.month?,
                days: days()?,
                index: index()?,
            },
            _ => return None,
        },
        first: range.start_date.clone()?,
        until: match range.kind.as_deref()? {
            "noEnd" => Until::Forever,
            "numbered" => Until::Count(range.number_of_occurrences?),
            "endDate" => Until::Date(range.end_date.clone()?),
            _ => return None,
        },
    })
}

/// A day: an instance whose begin is told as a date may lie so far from where it is looked for.
const MARGIN: i64 = 86_400_000;

/// The query that finds the instance which began, or would have begun, at `original`: `/events/{id}/instances?...`.
pub fn instances_query(original: Moment) -> String {
    let at = original.unix_ms();
    let query = ListQuery {
        select: [
            "id",
            "changeKey",
            "type",
            "start",
            "isAllDay",
            "originalStart",
            "originalStartTimeZone",
        ]
        .map(str::to_owned)
        .to_vec(),
        window: Some((
            Moment::from_unix_ms(at.saturating_sub(MARGIN)),
            original.after(Span::from_secs(MARGIN.unsigned_abs() / 1_000)),
        )),
        ..ListQuery::default()
    };
    query.encode()
}

/// A page of instances.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstancePage {
    /// The instances.
    #[serde(default)]
    pub value: Vec<ShownEvent>,
    /// Where the next page is; followed verbatim.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}

/// The instance that began, or would have begun, at `original`. `None`: the series has none there.
pub fn pick(original: Moment, instances: &[ShownEvent]) -> Option<&ShownEvent> {
    let second = |at: Moment| at.unix_ms().div_euclid(1_000);
    instances
        .iter()
        .find(|own| own.original().map(second) == Some(second(original)))
}

/// The exceptions of a series, as its master names them (event-get: exceptionOccurrences, cancelledOccurrences).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShownSeries {
    /// Those that differ. Of each only id and begin count: extended properties come with a reading of its own.
    pub exception_occurrences: Vec<ShownEvent>,
    /// Those that were deleted: `OID.{series}.{date}`.
    pub cancelled_occurrences: Vec<String>,
}

impl ShownSeries {
    /// The query that reads them, of the master.
    pub fn query() -> String {
        let query = ListQuery {
            select: [
                "id",
                "changeKey",
                "exceptionOccurrences",
                "cancelledOccurrences",
            ]
            .map(str::to_owned)
            .to_vec(),
            exceptions: true,
            ..ListQuery::default()
        };
        query.encode()
    }
}

/// The exceptions of a series in our words: `changed` are readings of each of [`ShownSeries::exception_occurrences`], `series` its master.
pub fn exceptions(
    series: &TypedEvent,
    named: &ShownSeries,
    changed: &[ShownEvent],
) -> Vec<Occurrence> {
    let mut out: Vec<Occurrence> = changed
        .iter()
        .filter_map(|own| {
            Some(Occurrence {
                original: own.original()?,
                instead: Some(Box::new(own.typed())),
            })
        })
        .collect();
    for id in &named.cancelled_occurrences {
        let day = id.rsplit('.').next().unwrap_or_default();
        let clock = series
            .start
            .local
            .split_once('T')
            .map_or("", |(_, clock)| clock);
        let begin = WallTime {
            local: format!("{day}T{clock}"),
            zone: series.start.zone.clone(),
        };
        out.extend(time_zone::moment(&begin).map(|original| Occurrence {
            original,
            instead: None,
        }));
    }
    out.sort_by_key(|own| own.original);
    out
}

/// What is to be done so that an instance has its own attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesDiffer {
    /// Ids of attachments that the instance took from its series and does not have at the source.
    pub remove: Vec<String>,
    /// Places in [`super::Act::Change`] of those that it lacks.
    pub add: Vec<usize>,
}

/// Compares what an instance has with what it should have. One that the master has too, byte for byte, is not sent again where the instance took it
/// from there (reference/graph.md 2.4); it is known by its name, for ids change.
pub fn files_of_instance(
    wanted: &[(FileOfInstance, &TypedAttachment)],
    shown: &[ShownAttachment],
) -> FilesDiffer {
    let mut there: Vec<&ShownAttachment> = shown.iter().collect();
    let mut out = FilesDiffer::default();
    for (at, (file, own)) in wanted.iter().enumerate() {
        let name = if own.name.is_empty() {
            UNNAMED
        } else {
            &own.name
        };
        let same = |have: &&ShownAttachment| {
            have.name.as_deref() == Some(name) && have.typed().content_id == own.content_id
        };
        match there.iter().position(same).filter(|_| file.as_master) {
            Some(found) => {
                there.remove(found);
            }
            None => out.add.push(at),
        }
    }
    out.remove = there.iter().filter_map(|own| own.id.clone()).collect();
    out
}
