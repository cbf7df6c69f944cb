//! Events and contacts of the target as their APIs keep them: the fields beside the item, and of a series every occurrence that differs.
//!
//! The item itself holds what a listing shows and what an export of it would; fields and pictures lie here, as they were written.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use serde_json::{Map, Value};

use super::world::{ItemRow, Now, Refused, World};
use crate::base::quantity::Moment;
use crate::base::typed::{TypedAttachment, TypedItem, WallTime};
use crate::wire::graph::time_zone;

/// What is kept beside an item.
#[derive(Clone)]
pub(super) enum Beside {
    /// Fields of a contact, and its picture.
    Contact(Map<String, Value>, Option<Vec<u8>>),
    /// Fields of an event, and the occurrences that differ, by their original begin.
    Event(Map<String, Value>, BTreeMap<i64, Instance>),
    /// The item as the direct face was given it.
    Whole(Box<TypedItem>, Vec<Vec<u8>>),
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beside(…)")
    }
}

/// An occurrence that differs.
#[derive(Clone, Default)]
pub(super) struct Instance {
    /// It is not there.
    pub(super) deleted: bool,
    /// Its fields.
    pub(super) fields: Map<String, Value>,
    /// Its attachments, each with an id that stays.
    pub(super) files: Vec<(u64, TypedAttachment, Vec<u8>)>,
}

/// An event: its row, its fields, and the occurrences that differ.
pub(super) type Shelved<'a> = (ItemRow, &'a Map<String, Value>, &'a BTreeMap<i64, Instance>);

/// Occurrences looked at, at most: a hundred years of days.
const DAYS_MAX: usize = 36_600;

/// The id of an occurrence: that of its series, and its original begin.
pub(super) fn instance_id(series: &str, original: Moment) -> String {
    format!("{series}.{}", original.unix_ms())
}

/// The series and the original begin that an id names.
pub(super) fn instance_of(id: &str) -> Option<(&str, i64)> {
    let (series, original) = id.rsplit_once('.')?;
    Some((series, original.parse().ok()?))
}

impl World {
    /// The fields of an event and its occurrences.
    pub(super) fn event(&self, mailbox: &str, id: &str) -> Result<Shelved<'_>, Refused> {
        let row = self.target_item(mailbox, id)?;
        match self.beside.get(id) {
            Some(Beside::Event(fields, instances)) => Ok((row, fields, instances)),
            _ => Err(Refused::NoItem),
        }
    }

    /// How many events and changed occurrences of a target mailbox remind, and how many do not.
    pub fn reminding(&self, mailbox: &str) -> Result<(u64, u64), Refused> {
        let (mut on, mut off) = (0, 0);
        let mut count = |reminds: bool| *if reminds { &mut on } else { &mut off } += 1;
        for (id, beside) in &self.beside {
            if self.target_item(mailbox, id).is_err() {
                continue;
            }
            let told = |fields: &Map<String, Value>| {
                fields.get("isReminderOn") == Some(&Value::Bool(true))
            };
            match beside {
                Beside::Contact(..) => {}
                Beside::Event(fields, instances) => {
                    count(told(fields));
                    let there = instances.values().filter(|own| !own.deleted);
                    there.for_each(|own| count(told(&own.fields)));
                }
                Beside::Whole(item, _) => {
                    if let TypedItem::Event(own) = &**item {
                        count(own.reminder.is_some() && !own.reminder_held);
                        let instead = own.exceptions.iter().filter_map(|own| own.instead.as_ref());
                        instead.for_each(|own| count(own.reminder.is_some() && !own.reminder_held));
                    }
                }
            }
        }
        Ok((on, off))
    }

    /// Changes an occurrence, which begins with the fields and attachments of its series.
    pub(super) fn change_instance(
        &mut self,
        now: Now,
        mailbox: &str,
        (series, original): (&str, i64),
        edit: impl FnOnce(&mut Instance, u64),
    ) -> Result<ItemRow, Refused> {
        let (_, tree) = self.typed_tree(mailbox, series)?;
        let (_, fields, instances) = self.event(mailbox, series)?;
        let at = Moment::from_unix_ms(original);
        if !originals(fields, at, at).contains(&at) {
            return Err(Refused::NoItem);
        }
        let known = instances.get(&original).cloned();
        let mut own = match known {
            Some(own) if own.deleted => return Err(Refused::NoItem),
            Some(own) => own,
            None => Instance {
                deleted: false,
                fields: inherited(fields, at),
                files: super::typed_make::files_in(&tree)
                    .into_iter()
                    .map(|(own, bytes)| (self.next_seq(), own, bytes))
                    .collect(),
            },
        };
        let fresh = self.next_seq();
        edit(&mut own, fresh);
        if let Some(Beside::Event(_, instances)) = self.beside.get_mut(series) {
            instances.insert(original, own);
        }
        // The series is another version then.
        self.change_typed(now, mailbox, series, |_| {})
    }
}

/// The fields that an occurrence begins with: those of its series at another time.
pub(super) fn inherited(series: &Map<String, Value>, original: Moment) -> Map<String, Value> {
    let mut out = series.clone();
    for name in ["recurrence", "singleValueExtendedProperties"] {
        out.remove(name);
    }
    let at = |name: &str| wall(series, name).and_then(|own| time_zone::moment(&own));
    if let (Some(start), Some(end)) = (at("start"), at("end")) {
        let length = end.unix_ms() - start.unix_ms();
        for (name, moment) in [
            ("start", original),
            ("end", Moment::from_unix_ms(original.unix_ms() + length)),
        ] {
            let zone = wall(series, name).map(|own| own.zone).unwrap_or_default();
            if let Some(own) = time_zone::wall(moment, &zone) {
                out.insert(
                    name.to_owned(),
                    serde_json::json!({"dateTime": own.local, "timeZone": zone}),
                );
            }
        }
    }
    out
}

/// A time among the fields.
pub(super) fn wall(fields: &Map<String, Value>, name: &str) -> Option<WallTime> {
    let own = fields.get(name)?;
    let local = own["dateTime"].as_str()?;
    Some(WallTime {
        local: local.split('.').next().unwrap_or(local).to_owned(),
        zone: own["timeZone"].as_str()?.to_owned(),
    })
}

/// When the occurrences of a series begin that would begin between two moments.
pub(super) fn originals(fields: &Map<String, Value>, from: Moment, to: Moment) -> Vec<Moment> {
    let Some(repeat) = fields.get("recurrence").filter(|own| own.is_object()) else {
        return Vec::new();
    };
    let Some(start) = wall(fields, "start") else {
        return Vec::new();
    };
    let clock = start
        .local
        .split_once('T')
        .map_or("00:00:00", |(_, own)| own);
    let range = &repeat["range"];
    let date = |name: &str| {
        range[name]
            .as_str()
            .and_then(|own| own.parse::<Date>().ok())
    };
    let Some(first) = date("startDate") else {
        return Vec::new();
    };
    let last = date("endDate").filter(|_| range["type"] == "endDate");
    let count = range["numberOfOccurrences"]
        .as_u64()
        .filter(|_| range["type"] == "numbered");
    let (mut day, mut seen, mut out) = (first, 0, Vec::new());
    for _ in 0..DAYS_MAX {
        if last.is_some_and(|last| day > last) || count.is_some_and(|count| seen >= count) {
            break;
        }
        if occurs(&repeat["pattern"], first, day) {
            seen += 1;
            let begin = WallTime {
                local: format!("{day}T{clock}"),
                zone: start.zone.clone(),
            };
            match time_zone::moment(&begin) {
                Some(at) if at > to => break,
                Some(at) if at >= from => out.push(at),
                _ => {}
            }
        }
        match day.tomorrow() {
            Ok(next) => day = next,
            Err(_) => break,
        }
    }
    out
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "sunday" => Weekday::Sunday,
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        _ => return None,
    })
}

/// Whether a series has an occurrence on this day (recurrencePattern resource).
fn occurs(pattern: &Value, first: Date, day: Date) -> bool {
    let interval = pattern["interval"].as_i64().unwrap_or(1).max(1);
    let words = pattern["daysOfWeek"].as_array();
    let days: Vec<Weekday> = words
        .into_iter()
        .flatten()
        .filter_map(|own| weekday(own.as_str()?))
        .collect();
    let months = i64::from(day.year() - first.year()) * 12 + i64::from(day.month() - first.month());
    let month_of_year = pattern["month"].as_i64() == Some(i64::from(day.month()));
    // A month without that day has its last one instead.
    let on_day = pattern["dayOfMonth"].as_i64().is_some_and(|own| {
        let own = own.min(i64::from(day.days_in_month()));
        own == i64::from(day.day())
    });
    let on_weekday = || {
        let all: Vec<Date> = (1..=day.days_in_month())
            .filter_map(|n| Date::new(day.year(), day.month(), n).ok())
            .filter(|own| days.contains(&own.weekday()))
            .collect();
        let place = match pattern["index"].as_str() {
            Some("first") => all.first(),
            Some("second") => all.get(1),
            Some("third") => all.get(2),
            Some("fourth") => all.get(3),
            _ => all.last(),
        };
        place == Some(&day)
    };
    let since = |date: Date| i64::from((day - date).get_days());
    match pattern["type"].as_str() {
        Some("daily") => since(first) % interval == 0,
        Some("weekly") => {
            let begins = pattern["firstDayOfWeek"].as_str().and_then(weekday);
            let begins = begins.unwrap_or(Weekday::Sunday);
            let back = i64::from(first.weekday().since(begins));
            let week = first.checked_sub(back.days()).unwrap_or(first);
            days.contains(&day.weekday()) && since(week) / 7 % interval == 0
        }
        Some("absoluteMonthly") => months % interval == 0 && on_day,
        Some("relativeMonthly") => months % interval == 0 && on_weekday(),
        Some("absoluteYearly") => month_of_year && on_day,
        Some("relativeYearly") => month_of_year && on_weekday(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dates(pattern: &Value, range: &Value, first: &str) -> Vec<String> {
        let mut range = range.clone();
        range["startDate"] = json!(first);
        let Value::Object(fields) = json!({
            "start": {"dateTime": format!("{first}T09:00:00"), "timeZone": "UTC"},
            "recurrence": {"pattern": pattern, "range": range},
        }) else {
            panic!("an object");
        };
        let late = Moment::from_unix_ms(1_900_000_000_000);
        let all = originals(&fields, Moment::from_unix_ms(0), late);
        all.iter()
            .take(4)
            .map(|at| at.to_string()[..10].to_owned())
            .collect()
    }

    #[test]
    fn patterns_fall_on_their_days() {
        let three = json!({"type": "numbered", "numberOfOccurrences": 3});
        for (pattern, first, want) in [
            (
                json!({"type": "daily", "interval": 2}),
                "2026-11-27",
                ["2026-11-27", "2026-11-29", "2026-12-01"],
            ),
            (
                json!({"type": "weekly", "interval": 2, "daysOfWeek": ["monday", "friday"], "firstDayOfWeek": "monday"}),
                "2026-11-27",
                ["2026-11-27", "2026-12-07", "2026-12-11"],
            ),
            (
                json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}),
                "2026-01-31",
                ["2026-01-31", "2026-02-28", "2026-03-31"],
            ),
            (
                json!({"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["friday"], "index": "last"}),
                "2026-11-27",
                ["2026-11-27", "2026-12-25", "2027-01-29"],
            ),
            (
                json!({"type": "absoluteYearly", "interval": 1, "month": 2, "dayOfMonth": 29}),
                "2024-02-29",
                ["2024-02-29", "2025-02-28", "2026-02-28"],
            ),
            (
                json!({"type": "relativeYearly", "interval": 1, "month": 11, "daysOfWeek": ["thursday"], "index": "fourth"}),
                "2026-11-26",
                ["2026-11-26", "2027-11-25", "2028-11-23"],
            ),
        ] {
            assert_eq!(dates(&pattern, &three, first), want, "{pattern}");
        }
        let ended = json!({"type": "endDate", "endDate": "2026-11-28"});
        let daily = json!({"type": "daily", "interval": 1});
        assert_eq!(dates(&daily, &ended, "2026-11-27").len(), 2);
        assert_eq!(
            dates(&daily, &json!({"type": "noEnd"}), "2026-11-27").len(),
            4
        );
    }

    #[test]
    fn ids_name_series_and_begin() {
        let id = instance_id("AAMk=", Moment::from_unix_ms(-5));
        assert_eq!(instance_of(&id), Some(("AAMk=", -5)));
        assert_eq!(instance_of("AAMk="), None);
    }
}
