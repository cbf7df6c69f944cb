//! The fields of an appointment among those of its item (t:CalendarItemType). Times come in UTC with the names of their zones; we keep what the clock
//! on the wall shows, so that an all-day event begins at its own midnight (reference/ews.md section 6).

use crate::base::id::ItemId;
use crate::base::quantity::Moment;
use crate::base::typed::{
    Answer, Attendee, AttendeePart, Occurrence, Person, ShowAs, TypedCommon, TypedEvent, WallTime,
};
use crate::wire::ews::typed_item::{date, moment_of, read_person, text, text_of, write_person};
use crate::wire::ews::typed_recurrence;
use crate::wire::graph::time_zone;
use crate::wire::xml::{Element, Writer};

/// What is asked of an appointment, beside what is asked of every item.
pub(super) const FIELDS: [&str; 19] = [
    "item:ReminderIsSet",
    "item:ReminderMinutesBeforeStart",
    "calendar:UID",
    "calendar:Start",
    "calendar:End",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:Location",
    "calendar:IsMeeting",
    "calendar:IsCancelled",
    "calendar:Organizer",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:Resources",
    "calendar:Recurrence",
    "calendar:ModifiedOccurrences",
    "calendar:DeletedOccurrences",
    "calendar:StartTimeZone",
    "calendar:EndTimeZone",
];

/// t:LegacyFreeBusyType.
const SHOW_AS: [(ShowAs, &str); 6] = [
    (ShowAs::Unknown, "NoData"),
    (ShowAs::Free, "Free"),
    (ShowAs::Tentative, "Tentative"),
    (ShowAs::Busy, "Busy"),
    (ShowAs::Away, "OOF"),
    (ShowAs::Elsewhere, "WorkingElsewhere"),
];

/// t:ResponseTypeType.
const ANSWERS: [(Answer, &str); 6] = [
    (Answer::Unknown, "Unknown"),
    (Answer::Organizer, "Organizer"),
    (Answer::Tentative, "Tentative"),
    (Answer::Accepted, "Accept"),
    (Answer::Declined, "Decline"),
    (Answer::None, "NoResponseReceived"),
];

const PARTS: [(AttendeePart, &str); 3] = [
    (AttendeePart::Required, "RequiredAttendees"),
    (AttendeePart::Optional, "OptionalAttendees"),
    (AttendeePart::Resource, "Resources"),
];

/// Occurrences that differ, by their own ids and original begins. Their contents are asked for by other calls.
pub(super) type Modified = Vec<(ItemId, Moment)>;

/// An occurrence as it stands in its series: it has no search key or dates of its own, and no series inside.
pub fn as_exception(mut own: TypedEvent, series_class: &str) -> TypedEvent {
    series_class.clone_into(&mut own.common.class);
    own.common.search_key.clear();
    (own.common.created, own.common.modified) = (None, None);
    own.recurrence = None;
    own.exceptions.clear();
    own
}

/// Reads them. `None` where a time or a pattern cannot be read: half a series would be another one.
pub(super) fn read(e: &Element, common: TypedCommon) -> Option<(TypedEvent, Modified)> {
    let says = |name| e.t(name).and_then(Element::boolean) == Some(true);
    let zone = |name: &str, id: &str| {
        let own = e
            .t(name)
            .and_then(|zone| zone.attr("Id"))
            .map(str::to_owned);
        let own = own.or_else(|| Some(text_of(e, id)).filter(|id| !id.is_empty()));
        own.unwrap_or_else(|| time_zone::UTC.to_owned())
    };
    let start_zone = zone("StartTimeZone", "StartTimeZoneId");
    let end_zone = match e.t("EndTimeZone").or(e.t("EndTimeZoneId")) {
        Some(_) => zone("EndTimeZone", "EndTimeZoneId"),
        None => start_zone.clone(),
    };
    let minutes = text_of(e, "ReminderMinutesBeforeStart").trim().parse();
    let organizer = e.t("Organizer").and_then(|own| own.t("Mailbox"));
    let people = TypedEvent {
        common,
        organizer: organizer
            .map(read_person)
            .filter(|own| *own != Person::default()),
        attendees: PARTS.iter().flat_map(|part| attendees(e, *part)).collect(),
        ..TypedEvent::default()
    };
    // A call that asks for other things is answered without times.
    if e.t("Start").is_none() {
        return Some((people, Vec::new()));
    }
    let event = TypedEvent {
        start: time_zone::wall(moment_of(e, "Start")?, &start_zone)?,
        end: time_zone::wall(moment_of(e, "End")?, &end_zone)?,
        all_day: says("IsAllDayEvent"),
        location: text_of(e, "Location"),
        show_as: by_word(&SHOW_AS, text_of(e, "LegacyFreeBusyStatus").trim()),
        reminder: says("ReminderIsSet").then(|| minutes.unwrap_or(0)),
        meeting: says("IsMeeting"),
        cancelled: says("IsCancelled"),
        uid: text_of(e, "UID"),
        recurrence: match e.t("Recurrence") {
            Some(own) => Some(typed_recurrence::read(own)?),
            None => None,
        },
        exceptions: deleted(e)?,
        ..people
    };
    Some((event, modified(e)?))
}

fn by_word<T: Copy + Default>(words: &[(T, &str)], word: &str) -> T {
    let own = words.iter().find(|(_, own)| *own == word);
    own.map_or_else(T::default, |(value, _)| *value)
}

fn word_of<T: Copy + PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    let own = words.iter().find(|(own, _)| *own == value);
    own.map_or("", |(_, word)| word)
}

fn attendees(e: &Element, (part, name): (AttendeePart, &str)) -> Vec<Attendee> {
    let own = e.t(name).map(|own| own.children.as_slice());
    let own = own.unwrap_or_default().iter();
    own.map(|own| Attendee {
        person: own.t("Mailbox").map(read_person).unwrap_or_default(),
        part,
        answer: by_word(&ANSWERS, text_of(own, "ResponseType").trim()),
        answered: moment_of(own, "LastResponseTime"),
    })
    .collect()
}

fn deleted(e: &Element) -> Option<Vec<Occurrence>> {
    let own = e.t("DeletedOccurrences").map(|own| own.children.as_slice());
    let one = |own: &Element| {
        Some(Occurrence {
            original: moment_of(own, "Start")?,
            instead: None,
        })
    };
    own.unwrap_or_default().iter().map(one).collect()
}

fn modified(e: &Element) -> Option<Modified> {
    let own = e.t("ModifiedOccurrences");
    let own = own.map(|own| own.children.as_slice()).unwrap_or_default();
    let one = |own: &Element| {
        let id = own.t("ItemId")?.attr("Id")?;
        Some((ItemId::new(id), moment_of(own, "OriginalStart")?))
    };
    own.iter().map(one).collect()
}

/// Writes what stands before the extended properties.
pub(super) fn write_reminder(own: &TypedEvent, w: &mut Writer) {
    flag(w, "t:ReminderIsSet", own.reminder.is_some());
    if let Some(minutes) = own.reminder {
        w.leaf("t:ReminderMinutesBeforeStart", &minutes.to_string());
    }
}

fn flag(w: &mut Writer, name: &'static str, set: bool) {
    w.leaf(name, if set { "true" } else { "false" });
}

/// Writes the rest, from the extended properties on.
pub(super) fn write(own: &TypedEvent, modified: &Modified, w: &mut Writer) {
    date(w, "t:LastModifiedTime", own.common.modified);
    text(w, "t:UID", &own.uid);
    date(w, "t:Start", time_zone::moment(&own.start));
    date(w, "t:End", time_zone::moment(&own.end));
    flag(w, "t:IsAllDayEvent", own.all_day);
    w.leaf("t:LegacyFreeBusyStatus", word_of(&SHOW_AS, own.show_as));
    text(w, "t:Location", &own.location);
    flag(w, "t:IsMeeting", own.meeting);
    flag(w, "t:IsCancelled", own.cancelled);
    if let Some(organizer) = &own.organizer {
        w.open("t:Organizer", &[]);
        write_person(organizer, w);
        w.close();
    }
    for (part, name) in [
        (AttendeePart::Required, "t:RequiredAttendees"),
        (AttendeePart::Optional, "t:OptionalAttendees"),
        (AttendeePart::Resource, "t:Resources"),
    ] {
        write_attendees(own, part, name, w);
    }
    if let Some(recurrence) = &own.recurrence {
        typed_recurrence::write(recurrence, w);
    }
    write_occurrences(own, modified, w);
    for (name, time) in [("t:StartTimeZone", &own.start), ("t:EndTimeZone", &own.end)] {
        if !time.zone.is_empty() {
            w.empty(name, &[("Id", &time.zone)]);
        }
    }
}

fn write_attendees(own: &TypedEvent, part: AttendeePart, name: &'static str, w: &mut Writer) {
    let mut of_it = own
        .attendees
        .iter()
        .filter(|own| own.part == part)
        .peekable();
    if of_it.peek().is_none() {
        return;
    }
    w.open(name, &[]);
    for attendee in of_it {
        w.open("t:Attendee", &[]);
        write_person(&attendee.person, w);
        w.leaf("t:ResponseType", word_of(&ANSWERS, attendee.answer));
        date(w, "t:LastResponseTime", attendee.answered);
        w.close();
    }
    w.close();
}

fn write_occurrences(own: &TypedEvent, modified: &Modified, w: &mut Writer) {
    let instead = |original| {
        let same = own.exceptions.iter().find(|e| e.original == original);
        same.and_then(|same| same.instead.as_deref())
    };
    if !modified.is_empty() {
        w.open("t:ModifiedOccurrences", &[]);
        for (id, original) in modified {
            let now = instead(*original);
            let moment = |time: Option<&WallTime>| time.and_then(time_zone::moment);
            w.open("t:Occurrence", &[]);
            w.empty(
                "t:ItemId",
                &[("Id", id.as_str()), ("ChangeKey", "CQAAAA==")],
            );
            let start = moment(now.map(|now| &now.start)).unwrap_or(*original);
            date(w, "t:Start", Some(start));
            date(w, "t:End", moment(now.map(|now| &now.end)).or(Some(start)));
            date(w, "t:OriginalStart", Some(*original));
            w.close();
        }
        w.close();
    }
    let mut gone = own
        .exceptions
        .iter()
        .filter(|e| e.instead.is_none())
        .peekable();
    if gone.peek().is_some() {
        w.open("t:DeletedOccurrences", &[]);
        for own in gone {
            w.open("t:DeletedOccurrence", &[]);
            date(w, "t:Start", Some(own.original));
            w.close();
        }
        w.close();
    }
}
