//! An appointment's properties read as an event ([MS-OXOCAL] 2.2.1), and the values that are more than a number: zones, ids, exceptions.

use std::fmt::Write as _;

use super::populate_items::{APPOINTMENT, COMMON, MEETING};
use super::typed_card::escaped;
use super::typed_props::{At, Props, clean};
use super::typed_recur::{self, Moved, Series};
use super::typed_render::{FROM, RECIPIENT, common_of};
use super::world::filetime_of;
use crate::base::quantity::Moment;
use crate::base::typed::{
    Answer, Attendee, AttendeePart, Occurrence, ShowAs, TypedEvent, WallTime,
};
use crate::wire::ews::typed_event::as_exception;
use crate::wire::graph::time_zone;
use crate::wire::item_stream::{Attachment, Message, Prop};

const fn own(number: u32) -> At {
    At::Number(APPOINTMENT, number)
}

/// PidLidAppointmentStartWhole, and its fellows.
const START: At = own(0x820D);
const END: At = own(0x820E);
const ALL_DAY: At = own(0x8215);
const RECURRENCE: At = own(0x8216);
const LOCATION: At = own(0x8208);
const BUSY: At = own(0x8205);
const STATE: At = own(0x8217);
const START_ZONE: At = own(0x825E);
const END_ZONE: At = own(0x825F);
/// PidLidReminderSet and PidLidReminderDelta.
const REMINDS: At = At::Number(COMMON, 0x8503);
const MINUTES: At = At::Number(COMMON, 0x8501);
/// PidLidCleanGlobalObjectId.
const GLOBAL_ID: At = At::Number(MEETING, 0x0023);

/// PidTagRecipientTrackStatus, and its time.
pub(super) const TRACK_STATUS: u16 = 0x5FFF;
/// See [`TRACK_STATUS`].
pub(super) const TRACK_TIME: u16 = 0x5FFB;

/// PidTagAttachmentFlags: 2 for the exception of a series; PidTagExceptionReplaceTime: its original begin.
pub(super) const ATTACHMENT_FLAGS: u16 = 0x7FFD;
/// See [`ATTACHMENT_FLAGS`].
pub(super) const REPLACES: u16 = 0x7FF9;

/// By the number of PidLidBusyStatus.
pub(super) const SHOW_AS: [ShowAs; 5] = [
    ShowAs::Free,
    ShowAs::Tentative,
    ShowAs::Busy,
    ShowAs::Away,
    ShowAs::Elsewhere,
];

/// By the number of PidTagRecipientTrackStatus.
pub(super) const ANSWERS: [Answer; 6] = [
    Answer::Unknown,
    Answer::Organizer,
    Answer::Tentative,
    Answer::Accepted,
    Answer::Declined,
    Answer::None,
];

/// The event, and the bytes of all attachments in the order of a parcel.
pub(super) fn event_of(message: &Message) -> (TypedEvent, Vec<Vec<u8>>) {
    let props = Props(&message.props);
    let (common, mut files) = common_of(message);
    let zone = |at| props.bytes(at).and_then(zone_of);
    let start_zone = zone(START_ZONE).unwrap_or_else(|| time_zone::UTC.to_owned());
    let end_zone = zone(END_ZONE).unwrap_or_else(|| start_zone.clone());
    let wall = |at, zone: &str| {
        let at = props.time(at).unwrap_or(Moment::from_unix_ms(0));
        time_zone::wall(at, zone).unwrap_or_default()
    };
    let state = props.number(STATE).unwrap_or(0);
    let busy = props.number(BUSY).and_then(|n| usize::try_from(n).ok());
    let set = |at| props.number(at).unwrap_or(0) != 0;
    let (name, smtp, other) = FROM;
    let mut event = TypedEvent {
        common,
        start: wall(START, &start_zone),
        end: wall(END, &end_zone),
        all_day: set(ALL_DAY),
        location: props.text(LOCATION),
        show_as: busy
            .and_then(|n| SHOW_AS.get(n))
            .copied()
            .unwrap_or_default(),
        reminder: set(REMINDS).then(|| props.number(MINUTES).unwrap_or(15)),
        reminder_held: false,
        meeting: state & 1 != 0,
        cancelled: state & 4 != 0,
        organizer: props.person(name, smtp, other),
        attendees: attendees(message),
        uid: props.bytes(GLOBAL_ID).map(uid_of).unwrap_or_default(),
        recurrence: None,
        exceptions: Vec::new(),
    };
    if let Some(series) = props.bytes(RECURRENCE).and_then(typed_recur::read) {
        let (exceptions, more) = exceptions(message, &event, &series);
        event.recurrence = Some(series.recurrence);
        event.exceptions = exceptions;
        files.extend(more);
    }
    (event, files)
}

fn attendees(message: &Message) -> Vec<Attendee> {
    let (name, smtp, other) = RECIPIENT;
    let mut all: Vec<Attendee> = (message.recipients.iter())
        .map(|own| {
            let props = Props(own);
            let answer = props.number(At::Tag(TRACK_STATUS)).unwrap_or(0);
            let answer = usize::try_from(answer).ok().and_then(|n| ANSWERS.get(n));
            Attendee {
                person: props.person(name, smtp, other).unwrap_or_default(),
                part: match props.number(At::Tag(0x0C15)) {
                    Some(2) => AttendeePart::Optional,
                    Some(3) => AttendeePart::Resource,
                    _ => AttendeePart::Required,
                },
                answer: answer.copied().unwrap_or_default(),
                answered: props.time(At::Tag(TRACK_TIME)),
            }
        })
        .collect();
    // A server shows them part by part.
    all.sort_by_key(|own| own.part as u8);
    all
}

/// True for the attachment that holds an exception.
pub(super) fn is_exception(own: &Attachment) -> bool {
    let flags = Props(&own.props).number(At::Tag(ATTACHMENT_FLAGS));
    own.embedded.is_some() && flags.unwrap_or(0) & 2 != 0
}

/// An exception as its series carries it.
pub(super) fn exception(original: Moment, inner: Message) -> Attachment {
    Attachment {
        props: vec![
            Prop::i32(0x0E21, 0),
            Prop::i32(0x3705, 5),
            Prop::i32(ATTACHMENT_FLAGS, 2),
            Prop::boolean(0x7FFE, true),
            Prop::time(REPLACES, filetime_of(original)),
        ],
        embedded: Some(Box::new(inner)),
    }
}

/// The exceptions of a series in order, and the bytes of their attachments.
fn exceptions(
    message: &Message,
    event: &TypedEvent,
    series: &Series,
) -> (Vec<Occurrence>, Vec<Vec<u8>>) {
    let zone = &event.start.zone;
    let moment = |minutes: u32| moment_in(minutes, zone);
    let midnights = series.deleted.iter();
    let gone = midnights.filter_map(|day| {
        Some(Occurrence {
            original: moment(day.checked_add(series.times.0)?)?,
            instead: None,
        })
    });
    let mut all: Vec<(Occurrence, Vec<Vec<u8>>)> = gone.map(|own| (own, Vec::new())).collect();
    for moved in &series.moved {
        let Some(original) = moment(moved.original) else {
            continue;
        };
        let inner = message.attachments.iter().filter(|own| is_exception(own));
        let inner = inner
            .into_iter()
            .find(|own| Props(&own.props).time(At::Tag(REPLACES)) == Some(original));
        let (instead, files) = match inner.and_then(|own| own.embedded.as_deref()) {
            Some(inner) => event_of(inner),
            None => (moved_only(event, moved), Vec::new()),
        };
        let instead = as_exception(instead, &event.common.class);
        let own = Occurrence {
            original,
            instead: Some(Box::new(instead)),
        };
        all.push((own, files));
    }
    all.sort_by_key(|(own, _)| own.original);
    let (occurrences, files): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    (occurrences, files.into_iter().flatten().collect())
}

/// The series' own content at another time.
fn moved_only(event: &TypedEvent, moved: &Moved) -> TypedEvent {
    let mut own = event.clone();
    own.common.attachments.clear();
    let at = |minutes: u32, zone: &str| {
        let at = moment_in(minutes, &event.start.zone);
        at.and_then(|at| time_zone::wall(at, zone))
            .unwrap_or_default()
    };
    own.start = at(moved.start, &event.start.zone);
    own.end = at(moved.end, &event.end.zone);
    own
}

/// The moment at which a clock of the zone shows a time in minutes. A zone that nobody knows has the clock of UTC.
pub(super) fn moment_in(minutes: u32, zone: &str) -> Option<Moment> {
    let mut time = WallTime {
        local: typed_recur::local_of(minutes)?,
        zone: zone.to_owned(),
    };
    time_zone::moment(&time).or_else(|| {
        time.local.push('Z');
        time_zone::moment(&time)
    })
}

/// PidLidAppointmentTimeZoneDefinitionStartDisplay ([MS-OXOCAL] 2.2.1.42): the name alone; the lab knows the rules by it.
pub(super) fn zone_blob(name: &str) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let mut out = vec![2, 1];
    let header = u16::try_from(6 + 2 * units.len()).unwrap_or(u16::MAX);
    out.extend(header.to_le_bytes());
    out.extend([2, 0]);
    let letters = u16::try_from(units.len()).unwrap_or(u16::MAX);
    out.extend(letters.to_le_bytes());
    out.extend(units.into_iter().flat_map(u16::to_le_bytes));
    out.extend([0, 0]);
    out
}

/// The name in it.
fn zone_of(blob: &[u8]) -> Option<String> {
    let letters = u16::from_le_bytes(*blob.get(6..)?.first_chunk::<2>()?);
    let name = blob.get(8..8 + 2 * usize::from(letters))?;
    let units = name
        .chunks_exact(2)
        .map(|t| u16::from_le_bytes([t[0], t[1]]));
    let name = String::from_utf16_lossy(&units.collect::<Vec<_>>());
    Some(clean(&name)).filter(|name| !name.is_empty())
}

/// How a UID of another system begins inside a GlobalObjectId ([MS-OXCICAL] 2.1.3.1.1.20.26).
const FOREIGN: &[u8] = b"vCal-Uid\x01\0\0\0";
/// Bytes before the data of a GlobalObjectId.
const FRAME: usize = 40;

/// The iCalendar UID of a GlobalObjectId.
fn uid_of(id: &[u8]) -> String {
    let foreign = id.get(FRAME..).and_then(|data| data.strip_prefix(FOREIGN));
    match foreign {
        Some(text) => clean(String::from_utf8_lossy(text).trim_end_matches('\0')),
        None => id.iter().fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02X}");
            out
        }),
    }
}

/// A GlobalObjectId that has this UID.
pub(super) fn global_id_of(uid: &str) -> Vec<u8> {
    let mut out = vec![
        0x04, 0, 0, 0, 0x82, 0, 0xE0, 0, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 0x08,
    ];
    out.resize(FRAME - 4, 0);
    let data = FOREIGN.len() + uid.len() + 1;
    out.extend(u32::try_from(data).unwrap_or(0).to_le_bytes());
    out.extend(FOREIGN);
    out.extend(uid.bytes());
    out.push(0);
    out
}

/// An event as a file (RFC 5545), as far as anybody looks into an attached one.
pub(super) fn calendar(own: &TypedEvent) -> Vec<u8> {
    let stamp = |time: &WallTime| {
        let at = time_zone::moment(time).map(|at| at.to_string());
        at.unwrap_or_default().replace(['-', ':'], "")
    };
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//mailferry lab//EN".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}", escaped(&own.uid)),
        format!("DTSTART:{}", stamp(&own.start)),
        format!("DTEND:{}", stamp(&own.end)),
        format!("SUMMARY:{}", escaped(&own.common.subject)),
        format!("LOCATION:{}", escaped(&own.location)),
        format!("DESCRIPTION:{}", escaped(&own.common.body.content)),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
        String::new(),
    ];
    lines.join("\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_and_ids_come_back() {
        let name = "W. Europe Standard Time";
        assert_eq!(zone_of(&zone_blob(name)).as_deref(), Some(name));
        for cut in 0..20 {
            assert_eq!(zone_of(&zone_blob(name)[..cut]), None);
        }
        let uid = "abc@clinic.example";
        assert_eq!(uid_of(&global_id_of(uid)), uid);
        assert_eq!(uid_of(&[0xAB, 1]), "AB01");
    }
}
