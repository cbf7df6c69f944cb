//! Made-up items: mail with everything mail can carry, and the classes that are not mail.

use super::populate_names::{CATEGORIES, DOMAIN, PEOPLE, WORDS};
use super::populate_people::{appointment, contact, weekly};
use super::typed_props::entries_of;
use super::world::filetime_of;
use crate::base::dice::Dice;
use crate::base::quantity::{Moment, Span};
use crate::base::typed::Person;
use crate::wire::item_stream::{Attachment, Message, Prop, tags};

/// PS_PUBLIC_STRINGS on the wire.
pub(super) const PUBLIC_STRINGS: [u8; 16] = office(0x0002_0329);
/// PSETID_Common.
pub(super) const COMMON: [u8; 16] = office(0x0006_2008);
/// PSETID_Appointment.
pub(super) const APPOINTMENT: [u8; 16] = office(0x0006_2002);
/// PSETID_Address.
pub(super) const ADDRESS: [u8; 16] = office(0x0006_2004);
/// PSETID_Task.
pub(super) const TASK: [u8; 16] = office(0x0006_2003);
/// PSETID_Meeting.
pub(super) const MEETING: [u8; 16] = [
    0x90, 0xDA, 0xD8, 0x6E, 0x0B, 0x45, 0x1B, 0x10, 0x98, 0xDA, 0x00, 0xAA, 0x00, 0x3F, 0x13, 0x05,
];

/// {xxxxxxxx-0000-0000-C000-000000000046} on the wire.
const fn office(first: u32) -> [u8; 16] {
    let head = first.to_le_bytes();
    [
        head[0], head[1], head[2], head[3], 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46,
    ]
}

/// What an item is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Mail,
    Draft,
    Appointment,
    Contact,
    Task,
    Note,
    Journal,
    Class(&'static str),
}

/// Classes that turn up among mail.
pub(super) const ODD_CLASSES: [&str; 8] = [
    "REPORT.IPM.Note.NDR",
    "IPM.Schedule.Meeting.Request",
    "IPM.Note.SMIME",
    "IPM.Note.SMIME.MultipartSigned",
    "IPM.Post",
    "IPM.Vendor.Dictation",
    "IPM.Schedule.Meeting.Resp.Pos",
    "ipm.note",
];

/// One maker of items: a mailbox with its own dice and its own ids of named properties.
#[derive(Debug)]
pub(super) struct Maker {
    dice: Dice,
    /// Where this mailbox's ids of named properties begin.
    named: u16,
    /// The newest item.
    newest: Moment,
}

impl Maker {
    pub(super) fn new(dice: Dice, newest: Moment) -> Self {
        let mut dice = dice;
        let named = u16::try_from(dice.below(0x2000)).expect("below 0x2000");
        Self {
            dice,
            named,
            newest,
        }
    }

    fn words(&mut self, n: u64) -> String {
        let words: Vec<&str> = (0..n).map(|_| *self.dice.pick(&WORDS)).collect();
        words.join(" ")
    }

    fn address(&mut self) -> String {
        format!("{}@{DOMAIN}", self.dice.pick(&PEOPLE))
    }

    /// Text of about `bytes` bytes.
    fn text(&mut self, bytes: u64) -> String {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            text.push_str(self.dice.pick::<&str>(&WORDS));
            text.push(if self.dice.chance(1, 12) { '\n' } else { ' ' });
        }
        text
    }

    /// A size with a long tail: mostly some KB, now and then some hundred.
    fn body_size(&mut self) -> u64 {
        match self.dice.below(100) {
            0..60 => 500 + self.dice.below(2_000),
            60..90 => 2_000 + self.dice.below(8_000),
            90..98 => 10_000 + self.dice.below(20_000),
            _ => 60_000 + self.dice.below(60_000),
        }
    }

    fn key(&mut self) -> Vec<u8> {
        let mut key = self.dice.next().to_le_bytes().to_vec();
        key.extend(self.dice.next().to_le_bytes());
        key
    }

    /// The `n`th item of a mailbox. What is special about it follows from `n`.
    pub(super) fn item(&mut self, shape: Shape, n: u64) -> Message {
        let mut message = self.base(shape, n);
        match shape {
            Shape::Mail | Shape::Draft => self.mail(&mut message, n),
            Shape::Class(class) => {
                self.mail(&mut message, n);
                if class.starts_with("IPM.Schedule") {
                    self.meeting(&mut message);
                }
            }
            Shape::Appointment => {
                self.meeting(&mut message);
                let at = filetime_of(self.when());
                message
                    .props
                    .push(Prop::time(0, at).numbered(self.named + 2, APPOINTMENT, 0x820D));
                message
                    .props
                    .push(Prop::time(0, at + 18_000_000_000).numbered(
                        self.named + 3,
                        APPOINTMENT,
                        0x820E,
                    ));
                self.when_it_recurs(&mut message, n, at);
                appointment(&mut message, self.named, n, at);
            }
            Shape::Contact => {
                let name = self.words(2);
                let address = self.address();
                message.props.push(Prop::text(0x3001, &name));
                message.props.push(Prop::text(0, &address).numbered(
                    self.named + 4,
                    ADDRESS,
                    0x8083,
                ));
                contact(&mut message, self.named, n);
            }
            Shape::Task => {
                message
                    .props
                    .push(Prop::boolean(0, n.is_multiple_of(2)).numbered(
                        self.named + 5,
                        TASK,
                        0x811C,
                    ));
            }
            Shape::Note | Shape::Journal => {}
        }
        message
    }

    /// A given message as the `n`th item of this mailbox: with a search key and read flag of its own.
    pub(super) fn adopt(&mut self, mut message: Message, n: u64) -> Message {
        let read = if n.is_multiple_of(3) {
            0
        } else {
            tags::FLAG_READ
        };
        message.set(Prop::i32(tags::MESSAGE_FLAGS, read));
        message.set(Prop::binary(tags::CHANGE_KEY, self.key()));
        if n % 29 != 11 {
            message.set(Prop::binary(tags::SEARCH_KEY, self.key()));
        }
        message
    }

    fn when(&mut self) -> Moment {
        let back = self.dice.below(6 * 365 * 86_400);
        Moment::from_unix_ms(self.newest.unix_ms() - i64::try_from(back * 1_000).unwrap_or(0))
    }

    fn class(shape: Shape, n: u64) -> &'static str {
        match shape {
            Shape::Mail | Shape::Draft => "IPM.Note",
            Shape::Appointment => "IPM.Appointment",
            Shape::Contact if n % 9 == 4 => "IPM.DistList",
            Shape::Contact => "IPM.Contact",
            Shape::Task => "IPM.Task",
            Shape::Note => "IPM.StickyNote",
            Shape::Journal => "IPM.Activity",
            Shape::Class(class) => class,
        }
    }

    /// What every item has.
    fn base(&mut self, shape: Shape, n: u64) -> Message {
        let at = self.when();
        let filetime = filetime_of(at);
        let read = if n.is_multiple_of(3) {
            0
        } else {
            tags::FLAG_READ
        };
        let unsent = if shape == Shape::Draft {
            tags::FLAG_UNSENT
        } else {
            0
        };
        let subject_words = 1 + self.dice.below(6);
        let subject = self.words(subject_words);
        let size = self.body_size();
        let body = self.text(size);
        let mut props = vec![
            Prop::text(tags::MESSAGE_CLASS, Self::class(shape, n)),
            Prop::text(tags::SUBJECT, &subject),
            Prop::text(0x0E1D, &subject),
            Prop::i32(tags::MESSAGE_FLAGS, read | unsent),
            Prop::i32(0x0017, u32::try_from(n % 3).unwrap_or(1)),
            Prop::text(tags::BODY, &body),
            Prop::time(tags::CREATION_TIME, filetime),
            Prop::time(tags::LAST_MODIFICATION_TIME, filetime + 10_000_000),
            Prop::binary(0x65E0, self.key()),
            Prop::binary(tags::CHANGE_KEY, self.key()),
        ];
        // Some items have no search key: the store of an old migration left it out.
        if n % 29 != 11 {
            props.push(Prop::binary(tags::SEARCH_KEY, self.key()));
        }
        if matches!(shape, Shape::Mail | Shape::Class(_)) {
            props.push(Prop::time(
                tags::CLIENT_SUBMIT_TIME,
                filetime_of(at.after(Span::new(n % 1_000))),
            ));
            props.push(Prop::time(
                tags::MESSAGE_DELIVERY_TIME,
                filetime + 20_000_000,
            ));
        }
        if n % 7 == 2 {
            let categories = [
                CATEGORIES[usize::try_from(n % 5).unwrap_or(0)],
                CATEGORIES[1],
            ];
            props.push(Prop::texts(0, &categories).called(self.named, PUBLIC_STRINGS, "Keywords"));
        }
        if n % 11 == 5 {
            props.push(Prop::i32(0x1090, 2));
            props.push(Prop::boolean(0, true).numbered(self.named + 1, COMMON, 0x8503));
        }
        Message {
            props,
            ..Message::default()
        }
    }

    /// What mail has on top: addresses, headers, another body, attachments.
    fn mail(&mut self, message: &mut Message, n: u64) {
        let from = self.address();
        let number = self.dice.next();
        // Drafts of some clients and items of some gateways have no message id.
        if n % 23 != 7 {
            let id = format!("<{number:016x}@{DOMAIN}>");
            message
                .props
                .push(Prop::text(tags::INTERNET_MESSAGE_ID, &id));
        }
        let html = format!("<html><body><p>{}</p></body></html>", self.text(300));
        message.props.extend([
            Prop::text(0x0C1A, &from),
            Prop::text(0x0C1E, "SMTP"),
            Prop::text(0x0C1F, &from),
            Prop::text(0x0042, &from),
            Prop::text(0x0064, "SMTP"),
            Prop::text(0x0065, &from),
            Prop::text(
                0x007D,
                &format!("Received: from mx.{DOMAIN}\r\nX-Lab: {n}\r\n"),
            ),
            Prop::binary(0x1013, html.into_bytes()),
            Prop::i32(0x3FDE, 65_001),
        ]);
        for kind in 1..=1 + self.dice.below(3) {
            let address = self.address();
            message.recipients.push(vec![
                Prop::i32(0x3000, u32::try_from(kind).unwrap_or(1)),
                Prop::i32(0x0C15, u32::try_from(kind).unwrap_or(1)),
                Prop::text(0x3001, &address),
                Prop::text(0x3002, "SMTP"),
                Prop::text(0x3003, &address),
                Prop::text(0x39FE, &address),
            ]);
        }
        if n % 5 == 1 {
            let size = self.body_size() * 2;
            let data = self.text(size).into_bytes();
            let name = format!("{}.txt", self.words(1));
            message.attachments.push(file(&name, data));
        }
        if n % 10 == 6 {
            let mut picture = file("logo.png", vec![0x89; 700]);
            picture.props.extend([
                Prop::text(0x370E, "image/png"),
                Prop::text(0x3712, &format!("logo.{n}@{DOMAIN}")),
                Prop::i32(0x3714, 4),
            ]);
            message.attachments.push(picture);
        }
        if n % 17 == 3 {
            let inner = self.base(Shape::Mail, n + 1);
            message.attachments.push(embedded(inner));
        }
        if !message.attachments.is_empty() {
            message.props.push(Prop::boolean(0x0E1B, true));
        }
        Self::correspondence(message, n);
    }

    /// What only some mail has: a thread, somebody else to answer to, somebody on whose behalf it was sent, dates of a flag.
    fn correspondence(message: &mut Message, n: u64) {
        if n.is_multiple_of(2) {
            let mut index = vec![1];
            index.extend(n.to_le_bytes().repeat(3).into_iter().take(21));
            message.props.push(Prop::binary(0x0071, index));
        }
        if n % 8 == 3 {
            let first = format!("<{n}.1@{DOMAIN}>");
            let all = format!("<{n}.0@{DOMAIN}> {first}");
            message.props.push(Prop::text(0x1042, &first));
            message.props.push(Prop::text(0x1039, &all));
        }
        if n % 13 == 4 {
            let desk = Person {
                name: "Front desk".to_owned(),
                address: format!("desk@{DOMAIN}"),
            };
            message
                .props
                .push(Prop::binary(0x004F, entries_of(&[desk])));
        }
        if n % 13 == 6 {
            message.set(Prop::text(0x0042, "Management"));
            message.set(Prop::text(0x0065, &format!("management@{DOMAIN}")));
        }
        if n % 19 == 9 {
            message.props.push(Prop::i32(0x0036, 2));
        }
    }

    /// A third of the appointments are series, with a deleted and a moved occurrence; another third lasts all day.
    fn when_it_recurs(&self, message: &mut Message, n: u64, at: u64) {
        let day = u32::try_from(at / (10_000_000 * 86_400)).unwrap_or(0);
        match n % 3 {
            1 => {
                let recurring = Prop::boolean(0, true);
                let blob = Prop::binary(0, weekly(day));
                message.props.extend([
                    recurring.numbered(self.named + 9, APPOINTMENT, 0x8223),
                    blob.numbered(self.named + 10, APPOINTMENT, 0x8216),
                ]);
            }
            2 => message.props.push(Prop::boolean(0, true).numbered(
                self.named + 11,
                APPOINTMENT,
                0x8215,
            )),
            _ => {}
        }
    }

    fn meeting(&mut self, message: &mut Message) {
        let id = self.key();
        let place = self.words(2);
        message.props.extend([
            Prop::binary(0, id.clone()).numbered(self.named + 6, MEETING, 0x0003),
            Prop::binary(0, id).numbered(self.named + 7, MEETING, 0x0023),
            Prop::text(0, &place).numbered(self.named + 8, APPOINTMENT, 0x8208),
        ]);
    }
}

/// A file attachment.
pub(super) fn file(name: &str, data: Vec<u8>) -> Attachment {
    Attachment {
        props: vec![
            Prop::i32(0x0E21, 0),
            Prop::i32(0x3705, 1),
            Prop::text(0x3707, name),
            Prop::text(0x3704, name),
            Prop::binary(0x3701, data),
        ],
        embedded: None,
    }
}

/// A message as attachment.
pub(super) fn embedded(inner: Message) -> Attachment {
    Attachment {
        props: vec![Prop::i32(0x0E21, 0), Prop::i32(0x3705, 5)],
        embedded: Some(Box::new(inner)),
    }
}
