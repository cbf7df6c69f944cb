//! What made-up appointments and contacts hold beside what every item has: who was invited, on which clock, how to reach somebody. It follows from the
//! number of the item alone.

use super::populate_items::{ADDRESS, APPOINTMENT, COMMON, MEETING, file};
use super::populate_names::{DOMAIN, PEOPLE, WORDS};
use super::typed_appointment::{
    REPLACES, TRACK_STATUS, TRACK_TIME, exception, global_id_of, moment_in, zone_blob,
};
use super::typed_card::{ANNIVERSARY, BIRTHDAY, CHILDREN, PHOTO};
use super::typed_props::{At, Props};
use super::typed_recur::{self, DAY, Moved, Series};
use super::world::filetime_of;
use crate::base::quantity::Moment;
use crate::base::typed::{Pattern, Recurrence, Until};
use crate::wire::ews::typed_contact::moment_of_day;
use crate::wire::item_stream::{Message, Prop, tags};

/// The first of the mailbox's own ids for the properties here; the maker uses those before.
const FIRST_ID: u16 = 12;

/// Clocks that people have.
const ZONES: [&str; 4] = [
    "W. Europe Standard Time",
    "UTC",
    "India Standard Time",
    "Eastern Standard Time",
];

/// Puts named properties into a message, with ids of the mailbox.
struct Put<'m> {
    message: &'m mut Message,
    named: u16,
}

impl Put<'_> {
    /// `place` tells the properties of one mailbox apart.
    fn number(&mut self, place: u16, set: [u8; 16], number: u32, prop: Prop) {
        let id = self.named + FIRST_ID + place;
        self.message.set(prop.numbered(id, set, number));
    }
}

fn nth<T: Copy>(of: &[T], n: u64) -> T {
    of[usize::try_from(n).unwrap_or(0) % of.len()]
}

fn someone(n: u64) -> (String, String) {
    let who = nth(&PEOPLE, n);
    (who.to_owned(), format!("{who}@{DOMAIN}"))
}

/// An appointment's own: clock, free/busy, reminder, people; begin and end where they follow from the clock. `at` is when it would begin.
pub(super) fn appointment(message: &mut Message, named: u16, n: u64, at: u64) {
    let zone = nth(&ZONES, n);
    let day = u32::try_from(at / (10_000_000 * 86_400)).unwrap_or(0);
    let mut put = Put { message, named };
    put.number(0, APPOINTMENT, 0x825E, Prop::binary(0, zone_blob(zone)));
    put.number(1, APPOINTMENT, 0x825F, Prop::binary(0, zone_blob(zone)));
    let busy = u32::try_from(n % 5).unwrap_or(2);
    put.number(2, APPOINTMENT, 0x8205, Prop::i32(0, busy));
    let meeting = n.is_multiple_of(2);
    let state = u32::from(meeting) | if n % 10 == 4 { 4 } else { 0 };
    put.number(3, APPOINTMENT, 0x8217, Prop::i32(0, state));
    if n % 4 == 3 {
        put.number(4, COMMON, 0x8503, Prop::boolean(0, true));
        put.number(5, COMMON, 0x8501, Prop::i32(0, 30));
    }
    if n % 5 == 2 {
        let id = global_id_of(&format!("{n:08x}@other.example"));
        put.number(6, MEETING, 0x0023, Prop::binary(0, id));
    }
    times(&mut put, n, day, zone);
    let (name, address) = someone(n);
    for prop in [
        Prop::text(0x0042, &name),
        Prop::text(0x0064, "SMTP"),
        Prop::text(0x0065, &address),
    ] {
        message.set(prop);
    }
    if meeting {
        invite(message, n, at);
    }
    if n % 6 == 1 {
        let third = (day + 14) * DAY;
        if let Some(original) = moment_in(third + 540, zone) {
            let inner = moved(named, original, moment_in(third + 600, zone), zone);
            message.attachments.push(exception(original, inner));
        }
    }
}

/// A series begins at nine on its own clock, and a whole day at its own midnight.
fn times(put: &mut Put<'_>, n: u64, day: u32, zone: &str) {
    let (from, to) = match n % 3 {
        1 => (day * DAY + 540, day * DAY + 600),
        2 => (day * DAY, (day + 1) * DAY),
        _ => return,
    };
    for (place, number, minutes) in [(7, 0x820D, from), (8, 0x820E, to)] {
        if let Some(at) = moment_in(minutes, zone) {
            put.number(place, APPOINTMENT, number, Prop::time(0, filetime_of(at)));
        }
    }
}

/// Every week on the weekday of `day` (days since 1601) from 9 to 10, twelve times, the second deleted, the third an hour later.
pub(super) fn weekly(day: u32) -> Vec<u8> {
    let start = day * DAY;
    // 1601-01-01 was a Monday, and day 0 is Sunday.
    let weekday = u8::try_from((day + 1) % 7).unwrap_or(0);
    let third = start + 14 * DAY;
    typed_recur::write(&Series {
        recurrence: Recurrence {
            pattern: Pattern::Weeks {
                interval: 1,
                days: vec![weekday],
                first_day: 0,
            },
            first: typed_recur::day_of(start).unwrap_or_default(),
            until: Until::Count(12),
        },
        times: (540, 600),
        deleted: vec![start + 7 * DAY],
        moved: vec![Moved {
            original: third + 540,
            start: third + 600,
            end: third + 660,
        }],
    })
}

fn invite(message: &mut Message, n: u64, at: u64) {
    for part in 1..=3_u32 {
        let (name, address) = someone(n + u64::from(part));
        let status = u32::try_from((n + u64::from(part)) % 6).unwrap_or(0);
        let mut own = vec![
            Prop::i32(0x0C15, part),
            Prop::text(0x3001, &name),
            Prop::text(0x3002, "SMTP"),
            Prop::text(0x3003, &address),
            Prop::text(0x39FE, &address),
            Prop::i32(TRACK_STATUS, status),
        ];
        if matches!(status, 2..=4) {
            own.push(Prop::time(TRACK_TIME, at));
        }
        message.recipients.push(own);
    }
}

/// The third occurrence, an hour later, in another place, with a paper of its own.
fn moved(named: u16, original: Moment, start: Option<Moment>, zone: &str) -> Message {
    let start = filetime_of(start.unwrap_or(original));
    let mut message = Message {
        props: vec![
            Prop::text(
                tags::MESSAGE_CLASS,
                "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}",
            ),
            Prop::text(tags::SUBJECT, "an hour later"),
            Prop::text(tags::BODY, "This time only."),
            Prop::time(REPLACES, filetime_of(original)),
        ],
        ..Message::default()
    };
    message
        .attachments
        .push(file("agenda.txt", b"one; two".to_vec()));
    let mut put = Put {
        message: &mut message,
        named,
    };
    put.number(0, APPOINTMENT, 0x825E, Prop::binary(0, zone_blob(zone)));
    put.number(7, APPOINTMENT, 0x820D, Prop::time(0, start));
    let end = Prop::time(0, start + 36_000_000_000);
    put.number(8, APPOINTMENT, 0x820E, end);
    put.number(9, APPOINTMENT, 0x8208, Prop::text(0, "the other room"));
    put.number(2, APPOINTMENT, 0x8205, Prop::i32(0, 2));
    message
}

/// A contact's own: names, numbers, places, days, a picture.
pub(super) fn contact(message: &mut Message, named: u16, n: u64) {
    let word = |k: u64| nth(&WORDS, n + k);
    for (tag, text) in [
        (0x3A06, word(1)),
        (0x3A11, word(2)),
        (0x3A16, word(3)),
        (0x3A17, word(4)),
        (0x3A18, word(5)),
        (0x3A08, "+49 89 1234-0"),
        (0x3A1C, "+49 170 1234567"),
        (0x3A59, word(6)),
        (0x3A5D, "1, Long Street"),
        (0x3A5A, word(7)),
        (0x3A5B, "80331"),
    ] {
        message.set(Prop::text(tag, text));
    }
    if n.is_multiple_of(2) {
        for (tag, text) in [
            (0x3A44, word(8)),
            (0x3A45, "Dr."),
            (0x3A05, "Jr."),
            (0x3A4F, word(9)),
            (0x3A48, word(10)),
            (0x3A4E, word(11)),
            (0x3A30, word(12)),
            (0x3A51, "https://clinic.example/people"),
        ] {
            message.set(Prop::text(tag, text));
        }
        message.set(Prop::texts(CHILDREN, &[word(13), word(14)]));
    }
    for (tag, day, on) in [
        (BIRTHDAY, format!("19{:02}-02-03", 40 + n % 50), n % 3 == 1),
        (ANNIVERSARY, "2001-12-31".to_owned(), n % 5 == 1),
    ] {
        if let Some(at) = moment_of_day(&day).filter(|_| on) {
            message.set(Prop::time(tag, filetime_of(at)));
        }
    }
    if n % 6 == 1 {
        let mut picture = file("ContactPicture.jpg", vec![0xFF; 900]);
        picture.props.push(Prop::boolean(PHOTO, true));
        message.attachments.push(picture);
    }
    let name = Props(&message.props).text(At::Tag(0x3001));
    let mut put = Put { message, named };
    put.number(0, ADDRESS, 0x8005, Prop::text(0, &name));
    put.number(1, ADDRESS, 0x8080, Prop::text(0, &name));
    put.number(
        2,
        ADDRESS,
        0x8062,
        Prop::text(0, "sip:somebody@clinic.example"),
    );
    if n % 4 == 1 {
        let (shown, address) = someone(n + 3);
        put.number(3, ADDRESS, 0x8090, Prop::text(0, &shown));
        put.number(4, ADDRESS, 0x8093, Prop::text(0, &address));
        put.number(5, ADDRESS, 0x8045, Prop::text(0, "2, Short Street"));
        put.number(6, ADDRESS, 0x8046, Prop::text(0, word(15)));
        put.number(7, ADDRESS, 0x8049, Prop::text(0, word(16)));
    }
}
