//! An event as requests: the one that creates it, and what follows, as data.

use jiff::ToSpan as _;
use jiff::civil::{DateTime, Time};
use serde_json::json;

use crate::base::limits::GRAPH_REQUEST_MAX;
use crate::base::losses::{self, Family};
use crate::base::quantity::{Bytes, Moment};
use crate::base::typed::{Occurrence, ShowAs, TypedAttachment, TypedEvent, WallTime};
use crate::wire::graph::property::{Property, PropertyId};
use crate::wire::graph::provenance::Mark;
use crate::wire::graph::reminder;
use crate::wire::graph::typed_attachment::{Way, ways};
use crate::wire::graph::typed_message::{ItemBody, ZonedTime};
use crate::wire::graph::{json as body, provenance, time_zone};

use super::head;
use super::model::{EventFields, Kept, Place, Unfit};
use super::series;

/// The class of an ordinary appointment.
pub(super) const CLASS: &str = "IPM.Appointment";

pub(super) const IMPORTANCE: [&str; 3] = ["low", "normal", "high"];
pub(super) const SENSITIVITY: [&str; 4] = ["normal", "personal", "private", "confidential"];
pub(super) const SHOW_AS: [(ShowAs, &str); 6] = [
    (ShowAs::Unknown, "unknown"),
    (ShowAs::Free, "free"),
    (ShowAs::Tentative, "tentative"),
    (ShowAs::Busy, "busy"),
    (ShowAs::Away, "oof"),
    (ShowAs::Elsewhere, "workingElsewhere"),
];

/// One attachment of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOfInstance {
    /// Which attachment of the parcel.
    pub at: usize,
    /// How it travels.
    pub way: Way,
    /// Whether the master has the same one, so that the instance may have taken it from there.
    pub as_master: bool,
}

/// What is done to an instance.
#[derive(Clone, PartialEq, Eq)]
pub enum Act {
    /// DELETE it. An instance that is not there is deleted.
    Remove,
    /// PATCH it with this body, then bring its attachments to these (`files_of_instance`).
    Change {
        /// The request.
        body: Vec<u8>,
        /// Its attachments.
        files: Vec<FileOfInstance>,
    },
}

/// One call, or a few of one kind, that follow the creating request; in this order.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Add an attachment of the parcel to the event itself.
    Attach {
        /// Which.
        at: usize,
        /// How it travels.
        way: Way,
    },
    /// Find the instance (`instances_query`, `pick`) and do this to it.
    Instance {
        /// When it would have begun.
        original: Moment,
        /// What.
        act: Act,
    },
    /// PATCH the event with this body: the last step. It is whole from then on.
    Finish(Vec<u8>),
}

/// An event ready to be created.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEvent {
    body: Vec<u8>,
    steps: Vec<Step>,
}

impl NewEvent {
    /// The requests for an event that bears `mark`. `files` are length and SHA-256 of each attachment, in the order of the parcel.
    ///
    /// There is no `transactionId`: it would have to be the same for a create that is repeated and another for each true copy of an event, and a copy
    /// bears the same mark. The service refuses the second event of one transaction, which is how a copy would be lost.
    pub fn of(event: &TypedEvent, mark: &Mark, files: &[(Bytes, [u8; 32])]) -> Result<Self, Unfit> {
        if losses::family_of(&event.common.class) != Some(Family::Event) {
            return Err(Unfit::Class);
        }
        let mut steps = steps_of(event, files)?;
        let whole = steps.is_empty();
        let property = if whole {
            provenance::mark(mark)
        } else {
            steps.push(Step::Finish(finish(event, mark)));
            provenance::unfinished(mark)
        };
        let mut fields = fields_of(event, false)?;
        if !whole {
            fields.is_reminder_on = Some(false);
            fields.reminder_minutes_before_start = None;
        }
        fields.single_value_extended_properties.insert(0, property);
        Ok(Self {
            body: sized(&fields)?,
            steps,
        })
    }

    /// The request that brings an event of ours to a newer state. `None` where one request does not: a series would lose its exceptions, and
    /// attachments are requests of their own.
    pub fn amendment(event: &TypedEvent, mark: &Mark) -> Result<Option<Vec<u8>>, Unfit> {
        if losses::family_of(&event.common.class) != Some(Family::Event) {
            return Err(Unfit::Class);
        }
        if event.recurrence.is_some() || !event.common.attachments.is_empty() {
            return Ok(None);
        }
        let mut fields = fields_of(event, false)?;
        let property = provenance::mark(mark);
        fields.single_value_extended_properties.insert(0, property);
        sized(&fields).map(Some)
    }

    /// The creating request.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What follows it.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// True when one request makes the whole event.
    pub fn in_one_call(&self) -> bool {
        self.steps.is_empty()
    }
}

fn sized(fields: &EventFields) -> Result<Vec<u8>, Unfit> {
    let out = body::write(fields);
    let fits = out.len() as u64 <= GRAPH_REQUEST_MAX.get();
    fits.then_some(out).ok_or(Unfit::TooLarge)
}

/// What follows, without the last step. Attachments of the event come first, so that instances take them from it; deletions come before changes, so that
/// an occurrence may move past a deleted one (the service lets none pass another).
fn steps_of(event: &TypedEvent, files: &[(Bytes, [u8; 32])]) -> Result<Vec<Step>, Unfit> {
    let own = &event.common.attachments;
    let own_files = &files[..own.len().min(files.len())];
    let mut out: Vec<Step> = ways_of(own, own_files)?
        .into_iter()
        .enumerate()
        .map(|(at, way)| Step::Attach { at, way })
        .collect();
    let mut changes = Vec::new();
    let mut first = own.len();
    for Occurrence { original, instead } in &event.exceptions {
        let Some(instead) = instead else {
            out.push(Step::Instance {
                original: *original,
                act: Act::Remove,
            });
            continue;
        };
        let theirs = &instead.common.attachments;
        let from = first.min(files.len());
        let their_files = &files[from..(first + theirs.len()).min(files.len())];
        let as_master = |n: usize| {
            let mut both = own.iter().zip(own_files);
            both.any(|(file, told)| *file == theirs[n] && *told == their_files[n])
        };
        let each = ways_of(theirs, their_files)?.into_iter().enumerate();
        let files = each.map(|(n, way)| FileOfInstance {
            at: first + n,
            way,
            as_master: as_master(n),
        });
        changes.push(Step::Instance {
            original: *original,
            act: Act::Change {
                files: files.collect(),
                body: sized(&fields_of(instead, true)?)?,
            },
        });
        first += theirs.len();
    }
    out.extend(changes);
    Ok(out)
}

/// How attachments travel: none inside the creating request, for no document says that an event takes them there.
fn ways_of(own: &[TypedAttachment], files: &[(Bytes, [u8; 32])]) -> Result<Vec<Way>, Unfit> {
    let lens = files.iter().map(|(len, _)| *len);
    let sized: Vec<(&TypedAttachment, Bytes)> = own.iter().zip(lens).collect();
    let ways = ways(GRAPH_REQUEST_MAX.get(), &sized);
    if ways.contains(&Way::TooLarge) {
        return Err(Unfit::TooLarge);
    }
    Ok(ways)
}

/// The last request: our mark in place of that of the unfinished, which no request can take away but which names no item any more, and the reminder.
fn finish(event: &TypedEvent, mark: &Mark) -> Vec<u8> {
    let properties = [
        provenance::mark(mark),
        Property::named(&provenance::UNFINISHED, ""),
    ];
    let mut out = json!({
        "isReminderOn": reminds(event),
        "singleValueExtendedProperties": properties,
    });
    if let Some(minutes) = event.reminder {
        out["reminderMinutesBeforeStart"] = json!(minutes_of(minutes));
    }
    body::write(&out)
}

/// Whether the service is told to remind.
const fn reminds(event: &TypedEvent) -> bool {
    event.reminder.is_some() && !event.reminder_held
}

pub(super) fn minutes_of(minutes: u32) -> i64 {
    i64::from(minutes.min(i32::MAX.unsigned_abs()))
}

/// Everything of an event but marks.
fn fields_of(event: &TypedEvent, instance: bool) -> Result<EventFields, Unfit> {
    let common = &event.common;
    let (start, end) = if event.all_day {
        days(event)?
    } else {
        let series = event.recurrence.is_some();
        (zoned(&event.start, series)?, zoned(&event.end, series)?)
    };
    let word = |words: &[&str], at: u8| words[usize::from(at).min(words.len() - 1)].to_owned();
    let show_as = SHOW_AS.iter().find(|(own, _)| *own == event.show_as);
    let zone = start.time_zone.clone().unwrap_or_default();
    let repeat = event.recurrence.as_ref().filter(|_| !instance);
    let repeat = repeat.map(|own| series::repeat(own, &zone).ok_or(Unfit::Pattern));
    let mut properties = Vec::new();
    if !instance && !common.class.eq_ignore_ascii_case(CLASS) {
        properties.push(Property::tagged(PropertyId::CLASS, common.class.clone()));
    }
    if event.reminder_held {
        properties.push(reminder::held());
    }
    properties.extend(
        Kept::of(event, instance)
            .properties()
            .ok_or(Unfit::TooLarge)?,
    );
    Ok(EventFields {
        subject: Some(common.subject.clone()),
        body: Some(ItemBody {
            content_type: Some(if common.body.html { "html" } else { "text" }.to_owned()),
            content: Some(head::put(
                &common.body,
                event.meeting,
                event.cancelled,
                event.organizer.as_ref(),
                &event.attendees,
            )),
        }),
        start: Some(start),
        end: Some(end),
        is_all_day: Some(event.all_day),
        location: Some(Place {
            display_name: Some(event.location.clone()),
        }),
        show_as: show_as.map(|(_, word)| (*word).to_owned()),
        sensitivity: Some(word(&SENSITIVITY, common.sensitivity)),
        importance: Some(word(&IMPORTANCE, common.importance)),
        categories: Some(common.categories.clone()),
        is_reminder_on: Some(reminds(event)),
        reminder_minutes_before_start: event.reminder.map(minutes_of),
        recurrence: repeat.transpose()?,
        single_value_extended_properties: properties,
    })
}

/// A time as it is sent: by the clock of its own zone, or in UTC where the service does not know the zone. Only a single event can be moved to another
/// clock.
fn zoned(time: &WallTime, series: bool) -> Result<ZonedTime, Unfit> {
    let id = time_zone::id_of(&time.zone);
    let sent = |local: &str, zone: &str| ZonedTime {
        date_time: local.to_owned(),
        time_zone: Some(zone.to_owned()),
    };
    if let (Some(at), Some(id)) = (time_zone::civil(&time.local), id) {
        return Ok(sent(&time_zone::text(at), id));
    }
    let moment = time_zone::moment(time).ok_or_else(|| why_not(time))?;
    let zone = match id {
        Some(id) => id,
        None if series => return Err(Unfit::Zone),
        None => time_zone::UTC,
    };
    let shown = time_zone::wall(moment, zone).ok_or(Unfit::Time)?;
    Ok(sent(&shown.local, zone))
}

fn why_not(time: &WallTime) -> Unfit {
    match time_zone::civil(&time.local) {
        Some(_) => Unfit::Zone,
        None => Unfit::Time,
    }
}

/// Begin and end of an all-day event: the service takes midnights of one zone, with a day between them at least.
fn days(event: &TypedEvent) -> Result<(ZonedTime, ZonedTime), Unfit> {
    let zone = match time_zone::id_of(&event.start.zone) {
        Some(id) => id,
        None if event.recurrence.is_some() => return Err(Unfit::Zone),
        None => time_zone::UTC,
    };
    let local = |time: &WallTime| -> Result<DateTime, Unfit> {
        if let Some(at) = time_zone::civil(&time.local) {
            return Ok(at);
        }
        // A midnight of a zone that nobody knows is half a day off in UTC at most.
        let moment = time_zone::moment(time).ok_or(Unfit::Time)?;
        let shown = time_zone::wall(moment, zone).ok_or(Unfit::Time)?;
        let at = time_zone::civil(&shown.local).ok_or(Unfit::Time)?;
        let known = zone != time_zone::UTC || time_zone::id_of(&time.zone).is_some();
        let half = if known { 0 } else { 12 };
        let near = at.checked_add(half.hours()).map_err(|_| Unfit::Time)?;
        Ok(if known { near } else { near.date().into() })
    };
    let (start, end) = (local(&event.start)?, local(&event.end)?);
    let first = start.date();
    let mut last = end.date();
    if end.time() != Time::midnight() || last <= first {
        last = last.max(first).tomorrow().map_err(|_| Unfit::Time)?;
    }
    let sent = |day: jiff::civil::Date| ZonedTime {
        date_time: time_zone::text(day.into()),
        time_zone: Some(zone.to_owned()),
    };
    Ok((sent(first), sent(last)))
}
