//! An event as the service shows it, in our words.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::item::{Placed, Stamp};
use crate::base::outcome::Setback;
use crate::base::quantity::Moment;
use crate::base::typed::{ShowAs, TypedBody, TypedCommon, TypedEvent, WallTime};
use crate::wire::graph::property::{self, PropertyId};
use crate::wire::graph::provenance::Mark;
use crate::wire::graph::query::ListQuery;
use crate::wire::graph::typed_message::ZonedTime;
use crate::wire::graph::{items, json, kept, provenance, reminder, time_zone};

use super::head;
use super::model::{EventFields, KEPT_EVENT, Kept};
use super::new::{CLASS, IMPORTANCE, SENSITIVITY, SHOW_AS, minutes_of};
use super::series;

/// The fields that are read back.
const SELECTED: [&str; 22] = [
    "id",
    "changeKey",
    "type",
    "seriesMasterId",
    "subject",
    "body",
    "start",
    "end",
    "originalStart",
    "originalStartTimeZone",
    "originalEndTimeZone",
    "isAllDay",
    "isCancelled",
    "location",
    "showAs",
    "sensitivity",
    "importance",
    "categories",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "recurrence",
    "hasAttachments",
];

/// An event as the service shows it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShownEvent {
    /// Id. Always there.
    pub id: Option<String>,
    /// Version.
    pub change_key: Option<String>,
    /// `singleInstance`, `occurrence`, `exception` or `seriesMaster`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The master of an instance.
    pub series_master_id: Option<String>,
    /// When an instance would have begun, in UTC.
    pub original_start: Option<String>,
    /// The zone in which it was made.
    pub original_start_time_zone: Option<String>,
    /// The zone of its end.
    pub original_end_time_zone: Option<String>,
    /// The organiser's sign.
    pub is_cancelled: Option<bool>,
    /// Whether there is more to read.
    pub has_attachments: Option<bool>,
    /// Everything else.
    #[serde(flatten)]
    pub fields: EventFields,
}

impl ShownEvent {
    /// The query that reads an event with everything we compare. One event at a time: a listing may cut long properties short.
    pub fn query() -> String {
        let mut named = vec![
            provenance::SOURCE,
            provenance::UNFINISHED,
            reminder::REMINDER,
        ];
        named.extend(KEPT_EVENT);
        let query = ListQuery {
            select: SELECTED.iter().map(|&name| name.to_owned()).collect(),
            expand: vec![PropertyId::CLASS],
            named,
            ..ListQuery::default()
        };
        query.encode()
    }

    /// Reads an answer.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, Setback> {
        json::read(status, body)
    }

    /// Id and version. Both must be there.
    pub fn placed(&self, status: u16) -> Result<Placed, Setback> {
        items::placed(self.id.as_deref(), self.change_key.as_deref(), status)
    }

    /// When this instance would have begun. Of whole days the service tells the date: it is midnight in the zone of the series.
    pub fn original(&self) -> Option<Moment> {
        let own = match self.original_start.as_deref() {
            Some(text) => property::moment(text)?,
            None => self.fields.start.as_ref().and_then(moment_of)?,
        };
        let zone = self.original_start_time_zone.as_deref();
        let date = self.fields.is_all_day == Some(true) && own.unix_ms() % 86_400_000 == 0;
        match zone.filter(|_| date) {
            Some(zone) => time_zone::moment(&WallTime {
                local: own.to_string().trim_end_matches('Z').to_owned(),
                zone: zone.to_owned(),
            })
            .or(Some(own)),
            None => Some(own),
        }
    }

    /// The event in our words, without attachments and exceptions: those are read by other calls.
    pub fn typed(&self) -> TypedEvent {
        let fields = &self.fields;
        let properties = &fields.single_value_extended_properties;
        let told: Option<Kept> = kept::read(&KEPT_EVENT, properties);
        let known = told.is_some();
        let kept = told.unwrap_or_default();
        let all_day = fields.is_all_day == Some(true);
        let wall = |shown: &Option<ZonedTime>, kept: &str, original: &Option<String>| {
            let original = original.as_deref();
            let zone = if known { Some(kept) } else { original };
            wall_of(shown.as_ref(), zone, all_day)
        };
        let minutes = fields.reminder_minutes_before_start.unwrap_or(0);
        let on = fields.is_reminder_on == Some(true);
        let waits = reminder::waits(properties) && (!on || kept.reminder.is_none());
        let word_of = fields.show_as.as_deref();
        let busy = SHOW_AS.iter().find(|(_, word)| Some(*word) == word_of);
        let place = fields.location.as_ref();
        TypedEvent {
            common: self.common(&kept),
            start: wall(&fields.start, &kept.zones.0, &self.original_start_time_zone),
            end: wall(&fields.end, &kept.zones.1, &self.original_end_time_zone),
            all_day,
            location: place
                .and_then(|own| own.display_name.clone())
                .unwrap_or_default(),
            show_as: busy.map_or(ShowAs::Unknown, |(own, _)| *own),
            reminder: if on {
                Some(u32::try_from(minutes).unwrap_or(0))
            } else {
                kept.reminder.filter(|_| waits)
            },
            reminder_held: waits,
            meeting: kept.meeting,
            cancelled: if known {
                kept.cancelled
            } else {
                self.is_cancelled == Some(true)
            },
            organizer: kept.organizer,
            attendees: kept.invited,
            uid: kept.uid,
            recurrence: fields.recurrence.as_ref().and_then(series::recurrence),
            exceptions: Vec::new(),
        }
    }

    /// Of which item of which mailbox it is the copy, where its reminder or that of an exception waits for the cutover.
    pub fn waits(&self) -> Option<Mark> {
        let properties = &self.fields.single_value_extended_properties;
        provenance::of(properties).filter(|_| reminder::waits(properties))
    }

    /// The request that turns on a reminder that waits; `None` where this one does not wait.
    ///
    /// One that is on already was turned on by the user of the mailbox: then only the sign is changed. A reminder that is off looks the same whether
    /// we hold it back or its user wants none, so that this cannot be seen; neither can other minutes that were set while it was off.
    pub fn reminded(&self) -> Option<Vec<u8>> {
        let properties = &self.fields.single_value_extended_properties;
        if !reminder::waits(properties) {
            return None;
        }
        let kept: Kept = kept::read(&KEPT_EVENT, properties).unwrap_or_default();
        let mut out = json!({ "singleValueExtendedProperties": [reminder::done()] });
        let off = self.fields.is_reminder_on != Some(true);
        if let Some(minutes) = kept.reminder.filter(|_| off) {
            out["isReminderOn"] = json!(true);
            out["reminderMinutesBeforeStart"] = json!(minutes_of(minutes));
        }
        Some(json::write(&out))
    }

    fn common(&self, kept: &Kept) -> TypedCommon {
        let fields = &self.fields;
        let properties = &fields.single_value_extended_properties;
        let class = property::value_of(properties, PropertyId::CLASS);
        let key = match provenance::of(properties).map(|mark| mark.stamp) {
            Some(Stamp::Key(key)) => key.to_string(),
            Some(Stamp::Fallback(_)) | None => String::new(),
        };
        let (class, search_key) = match &kept.instance {
            Some(own) => own.clone(),
            None => (class.unwrap_or(CLASS).to_owned(), key),
        };
        let at = |words: &[&str], word: &Option<String>| {
            let at = words.iter().position(|own| Some(*own) == word.as_deref());
            at.and_then(|at| u8::try_from(at).ok())
        };
        let body = fields.body.clone().unwrap_or_default();
        let body = TypedBody {
            html: body
                .content_type
                .is_some_and(|kind| kind.eq_ignore_ascii_case("html")),
            content: body.content.unwrap_or_default(),
        };
        TypedCommon {
            class,
            search_key,
            subject: fields.subject.clone().unwrap_or_default(),
            body: head::taken_off(body, kept),
            importance: at(&IMPORTANCE, &fields.importance).unwrap_or(1),
            sensitivity: at(&SENSITIVITY, &fields.sensitivity).unwrap_or(0),
            categories: fields.categories.clone().unwrap_or_default(),
            created: None,
            modified: None,
            attachments: Vec::new(),
        }
    }
}

/// A time as the service writes it, without the seven digits of parts of a second.
fn bare(shown: &ZonedTime) -> WallTime {
    let local = shown.date_time.trim_end_matches('Z');
    WallTime {
        local: local.split('.').next().unwrap_or_default().to_owned(),
        zone: shown
            .time_zone
            .clone()
            .unwrap_or_else(|| time_zone::UTC.to_owned()),
    }
}

fn moment_of(shown: &ZonedTime) -> Option<Moment> {
    time_zone::moment(&bare(shown))
}

/// A time on the clock of `zone`. Asked without a preferred zone, the service answers in UTC, but for whole days, whose midnights it tells as they are.
fn wall_of(shown: Option<&ZonedTime>, zone: Option<&str>, all_day: bool) -> WallTime {
    let Some(shown) = shown else {
        return WallTime::default();
    };
    let own = bare(shown);
    let Some(zone) = zone else {
        return own;
    };
    let midnight = all_day && own.local.ends_with("T00:00:00");
    let id = time_zone::id_of(zone);
    if id.is_some() && (midnight || time_zone::id_of(&own.zone) == id) {
        return WallTime {
            local: own.local,
            zone: zone.to_owned(),
        };
    }
    let moved = time_zone::moment(&own).and_then(|at| time_zone::wall(at, zone));
    moved.unwrap_or(own)
}
