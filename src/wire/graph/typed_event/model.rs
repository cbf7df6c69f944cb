//! The fields of an event in the service's names, and what is kept beside them.

use serde::{Deserialize, Serialize};

use crate::base::typed::{Attendee, Person, TypedEvent};
use crate::wire::graph::kept::{self, Pieces};
use crate::wire::graph::property::Property;
use crate::wire::graph::typed_message::{ItemBody, ZonedTime};

/// The properties that keep what an event of the service has no field for.
pub const KEPT_EVENT: Pieces = kept::pieces([
    "mailferry-event",
    "mailferry-event-2",
    "mailferry-event-3",
    "mailferry-event-4",
    "mailferry-event-5",
    "mailferry-event-6",
    "mailferry-event-7",
    "mailferry-event-8",
]);

/// Why an event is not created by the typed route. Nothing of it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its class is no event's.
    Class,
    /// Text and properties alone are more than a request holds, or an attachment is more than the service takes.
    TooLarge,
    /// Begin or end is no time.
    Time,
    /// It stands in a time zone that nobody knows, and repeats in it or says no moment.
    Zone,
    /// It repeats in a way that the service has no pattern for.
    Pattern,
}

/// Where it takes place.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// As people call it.
    pub display_name: Option<String>,
}

/// How a series repeats.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Repeat {
    /// The pattern.
    pub pattern: Option<RepeatPattern>,
    /// From when to when.
    pub range: Option<RepeatRange>,
}

/// The pattern (recurrencePattern resource).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RepeatPattern {
    /// `daily`, `weekly`, `absoluteMonthly`, `relativeMonthly`, `absoluteYearly` or `relativeYearly`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Every so many days, weeks, months or years.
    pub interval: Option<u32>,
    /// 1 to 12.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<u8>,
    /// 1 to 31.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_of_month: Option<u8>,
    /// `sunday` to `saturday`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_of_week: Option<Vec<String>>,
    /// The first day of the week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_day_of_week: Option<String>,
    /// `first` to `fourth`, or `last`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
}

/// From when to when it repeats (recurrenceRange resource).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RepeatRange {
    /// `endDate`, `noEnd` or `numbered`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The first day.
    pub start_date: Option<String>,
    /// The last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    /// The zone of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurrence_time_zone: Option<String>,
    /// How many occurrences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of_occurrences: Option<u32>,
}

/// The fields that a create, a change and a reading share. None of them makes the service write to anybody.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventFields {
    /// Subject.
    pub subject: Option<String>,
    /// Text.
    pub body: Option<ItemBody>,
    /// Begin.
    pub start: Option<ZonedTime>,
    /// End.
    pub end: Option<ZonedTime>,
    /// Whole days.
    pub is_all_day: Option<bool>,
    /// Where.
    pub location: Option<Place>,
    /// `free`, `tentative`, `busy`, `oof`, `workingElsewhere` or `unknown`.
    pub show_as: Option<String>,
    /// `normal`, `personal`, `private` or `confidential`.
    pub sensitivity: Option<String>,
    /// `low`, `normal` or `high`.
    pub importance: Option<String>,
    /// Category names.
    pub categories: Option<Vec<String>>,
    /// Whether it reminds.
    pub is_reminder_on: Option<bool>,
    /// How long before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder_minutes_before_start: Option<i64>,
    /// How it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Repeat>,
    /// Extended properties.
    pub single_value_extended_properties: Vec<Property>,
}

/// What is kept in [`KEPT_EVENT`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// Who invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organizer: Option<Person>,
    /// Who was invited. Under another name, so that no request has the word of the service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) invited: Vec<Attendee>,
    /// How many of them are not here.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) left_out: usize,
    /// The iCalendar UID.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) uid: String,
    /// A meeting.
    pub(super) meeting: bool,
    /// Cancelled.
    pub(super) cancelled: bool,
    /// The zones of begin and end as the source spells them.
    pub(super) zones: (String, String),
    /// The minutes of a reminder that waits for the cutover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reminder: Option<u32>,
    /// Class and search key of what stands instead of an occurrence: an instance has neither of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instance: Option<(String, String)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl Kept {
    /// What is kept of an event.
    pub(super) fn of(event: &TypedEvent, instance: bool) -> Self {
        let common = &event.common;
        Self {
            organizer: event.organizer.clone(),
            invited: event.attendees.clone(),
            left_out: 0,
            uid: event.uid.clone(),
            meeting: event.meeting,
            cancelled: event.cancelled,
            zones: (event.start.zone.clone(), event.end.zone.clone()),
            reminder: event.reminder.filter(|_| event.reminder_held),
            instance: instance.then(|| (common.class.clone(), common.search_key.clone())),
        }
    }

    /// The properties; with as many of those invited as fit. `None` where even the rest does not.
    pub(super) fn properties(mut self) -> Option<Vec<Property>> {
        loop {
            if let Some(written) = kept::write(&KEPT_EVENT, &self) {
                return Some(written);
            }
            if self.invited.is_empty() {
                return None;
            }
            // An eighth at a time: the list is written a few dozen times at most.
            let len = self.invited.len();
            let keep = len - len.div_ceil(8);
            self.left_out += len - keep;
            self.invited.truncate(keep);
        }
    }
}
