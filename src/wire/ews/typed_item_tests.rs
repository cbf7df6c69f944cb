//! Items of EWS written and read back.

use super::*;
use crate::base::quantity::Bytes;
use crate::base::typed::{
    Answer, Attendee, AttendeePart, FollowUp, Occurrence, Pattern, PostalAddress, Recurrence,
    ShowAs, TypedAttachment, TypedMessage, Until, WallTime,
};
use crate::wire::ews::reply::{self, Message};
use crate::wire::ews::typed_attachment::What;
use crate::wire::soap::ServerVersion;

const VERSION: ServerVersion = ServerVersion {
    major: 15,
    minor: 1,
    build: 2507,
    revision: 6,
};

fn person(n: u8) -> Person {
    Person {
        name: format!("Ann <{n}> & Co\r\n"),
        address: format!("a{n}@clinic.example"),
    }
}

fn full() -> Shown {
    let at = |secs: i64| Some(Moment::from_unix_ms(secs * 1_000));
    let attachment = |n: u8, what| AttachmentRef {
        id: format!("AA+/{n}="),
        what,
        own: TypedAttachment {
            name: format!("n{n}"),
            content_type: "image/png".to_owned(),
            content_id: "c@d".to_owned(),
            inline: n == 0,
            embedded: false,
        },
        size: Bytes::new(70),
        photo: false,
    };
    let common = TypedCommon {
        class: "IPM.Note.SMIME".to_owned(),
        search_key: "00ff10".to_owned(),
        subject: " Größe\tx ".to_owned(),
        body: TypedBody {
            html: true,
            content: "<p>a\r\n&amp;</p>\n".to_owned(),
        },
        importance: 2,
        sensitivity: 3,
        categories: vec!["Red".to_owned(), "x, y".to_owned()],
        created: at(1_700_000_000),
        modified: at(1_700_000_001),
        attachments: Vec::new(),
    };
    Shown {
        id: ItemId::new("AAA+/="),
        item: TypedItem::Message(Box::new(TypedMessage {
            common,
            message_id: "<a@b>".to_owned(),
            flags: 0x8000_0011,
            submitted: at(1_600_000_000),
            delivered: at(1_600_000_009),
            from: Some(person(1)),
            sender: Some(person(2)),
            to: vec![person(3), Person::default(), person(4)],
            cc: vec![person(5)],
            bcc: vec![Person {
                name: String::new(),
                address: "/O=LAB/CN=X".to_owned(),
            }],
            reply_to: vec![person(6)],
            headers: "Received: a\r\n\tb\r\n".to_owned(),
            in_reply_to: "<c@d>".to_owned(),
            references: "<e@f> <g@h>".to_owned(),
            conversation_index: "AQID".to_owned(),
            flag: Some(FollowUp {
                complete: true,
                start: at(1_500_000_000),
                due: at(1_500_000_001),
                completed: at(1_500_000_002),
            }),
        })),
        attachments: vec![attachment(0, What::File), attachment(1, What::Item)],
        occurrences: Vec::new(),
    }
}

fn read(text: &str) -> Message<Shown> {
    let mut reply = reply::read::<GetTyped>(text.as_bytes()).expect("a reply");
    reply.messages.pop().expect("a message")
}

fn written(shown: Shown) -> String {
    reply::write::<GetTyped>(&VERSION, &[Message::Done(shown)])
}

#[test]
fn a_message_comes_back_as_it_was() {
    assert_eq!(read(&written(full())), Message::Done(full()));
    let empty = Shown {
        id: ItemId::new("a"),
        item: TypedItem::Message(Box::new(TypedMessage {
            common: TypedCommon {
                importance: 1,
                ..TypedCommon::default()
            },
            ..TypedMessage::default()
        })),
        attachments: Vec::new(),
        occurrences: Vec::new(),
    };
    assert_eq!(read(&written(empty.clone())), Message::Done(empty));
}

#[test]
fn two_calls_give_what_one_gives() {
    let [first, second] = Shape::typed_parts(Family::Message);
    let mut one = full().shaped(&first);
    assert_ne!(one, full());
    one.take_rest(full().shaped(&second));
    assert_eq!(one, full());
    assert_eq!(full().shaped(&Shape::typed(Family::Message)), full());
}

#[test]
fn odd_replies_are_read_and_half_texts_are_none() {
    let text = written(full());
    let odd = text
        .replace("2023-11-14T22:13:20Z", "4501-01-01T00:00:00")
        .replace("<t:Importance>High</t:Importance>", "")
        .replace(
            "<t:Sensitivity>",
            "<t:Newer><t:Subject>no</t:Subject></t:Newer><t:Sensitivity>",
        )
        .replace("Größe", "&#x0;&#x1F;");
    let Message::Done(shown) = read(&odd) else {
        panic!("a message");
    };
    let common = shown.item.common();
    assert_eq!((common.created, common.importance), (None, 1));
    assert_eq!(common.subject, " \u{FFFD}\u{FFFD}\tx ");
    let half = text.replace(
        "BodyType=\"HTML\"",
        "BodyType=\"HTML\" IsTruncated=\"true\"",
    );
    assert_ne!(half, text);
    assert_eq!(read(&half), Message::Incomplete);
    let nobody = text.replace("<t:AttachmentId", "<t:OtherId");
    assert_eq!(read(&nobody), Message::Incomplete);
}

fn event() -> Shown {
    let wall = |local: &str| WallTime {
        local: local.to_owned(),
        zone: "W. Europe Standard Time".to_owned(),
    };
    let at = |text: &str| item::moment(text).expect("a time");
    let attendee = |n: u8, part, answer| Attendee {
        person: person(n),
        part,
        answer,
        answered: (n == 1).then(|| at("2026-03-01T10:00:00Z")),
    };
    let own = TypedEvent {
        common: TypedCommon {
            class: "IPM.Appointment".to_owned(),
            importance: 1,
            ..TypedCommon::default()
        },
        start: wall("2026-03-27T09:00:00"),
        end: wall("2026-03-27T10:30:00"),
        location: "Room <1>".to_owned(),
        show_as: ShowAs::Away,
        reminder: Some(0),
        meeting: true,
        cancelled: true,
        organizer: Some(person(7)),
        attendees: vec![
            attendee(1, AttendeePart::Required, Answer::Accepted),
            attendee(2, AttendeePart::Required, Answer::None),
            attendee(3, AttendeePart::Optional, Answer::Declined),
            attendee(4, AttendeePart::Resource, Answer::Unknown),
        ],
        uid: "040000008200E0".to_owned(),
        recurrence: Some(Recurrence {
            pattern: Pattern::Days { interval: 1 },
            first: "2026-03-27".to_owned(),
            until: Until::Count(9),
        }),
        exceptions: vec![Occurrence {
            original: at("2026-03-28T08:00:00Z"),
            instead: None,
        }],
        ..TypedEvent::default()
    };
    Shown {
        id: ItemId::new("a"),
        item: TypedItem::Event(Box::new(own)),
        attachments: Vec::new(),
        // Behind the change to summer time, one hour earlier in UTC.
        occurrences: vec![(ItemId::new("b"), at("2026-03-29T07:00:00Z"))],
    }
}

#[test]
fn a_series_comes_back_on_its_own_clock() {
    let text = written(event());
    assert!(text.contains("<t:Start>2026-03-27T08:00:00Z</t:Start>"));
    assert_eq!(read(&text), Message::Done(event()));
    // A zone of somebody's own making has no known clock: the moment stands.
    let custom = text.replace("W. Europe Standard Time", "tzone://Microsoft/Custom");
    let Message::Done(shown) = read(&custom) else {
        panic!("an event");
    };
    let TypedItem::Event(own) = shown.item else {
        panic!("an event");
    };
    assert_eq!(own.start.local, "2026-03-27T08:00:00Z");
    // Half a series is none.
    let half = text.replace("<t:NumberOfOccurrences>9</t:NumberOfOccurrences>", "");
    assert_eq!(read(&half), Message::Incomplete);
}

#[test]
fn what_is_asked_as_another_class_says_people_and_no_times() {
    let [first, second] = Shape::typed_parts(Family::Event);
    let mut own = event().shaped(&first);
    let rest = event().shaped(&second);
    let Message::Done(rest) = read(&written(rest)) else {
        panic!("an event");
    };
    assert_eq!(rest.family(), Some(Family::Event));
    own.take_rest(rest);
    assert_eq!(own, event());
    let TypedItem::Event(other) = event().shaped(&Shape::typed(Family::Message)).item else {
        panic!("an event");
    };
    assert!(other.start.local.is_empty() && other.attendees.is_empty());
}

#[test]
fn a_contact_comes_back_as_it_was() {
    let text = |n: u8| format!("t{n} & <x>");
    let own = TypedContact {
        common: TypedCommon {
            class: "IPM.Contact".to_owned(),
            subject: text(0),
            importance: 1,
            ..TypedCommon::default()
        },
        file_as: text(1),
        given_name: text(2),
        middle_name: text(3),
        surname: text(4),
        title: text(5),
        generation: text(6),
        initials: text(7),
        nickname: text(8),
        company: text(9),
        department: text(10),
        job_title: text(11),
        profession: text(12),
        office: text(13),
        manager: text(14),
        assistant: text(15),
        spouse: text(16),
        children: vec![text(17), text(18)],
        home_page: "https://clinic.example/?a=1&b=2".to_owned(),
        emails: vec![person(1), person(2), person(3)],
        im: vec![text(19), text(20)],
        phones: vec![("HomePhone".to_owned(), "+1 2".to_owned())],
        addresses: vec![(
            "Home".to_owned(),
            PostalAddress {
                street: text(21),
                city: text(22),
                state: text(23),
                country: text(24),
                postal_code: text(25),
            },
        )],
        birthday: "1970-01-31".to_owned(),
        anniversary: "2001-12-31".to_owned(),
        photo: None,
    };
    let shown = Shown {
        id: ItemId::new("a"),
        item: TypedItem::Contact(Box::new(own)),
        attachments: Vec::new(),
        occurrences: Vec::new(),
    };
    assert_eq!(read(&written(shown.clone())), Message::Done(shown));
}
