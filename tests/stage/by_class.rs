//! A stage for creates in several acts: messages with attachments, events and contacts, and an oracle that looks into copies.

use std::collections::BTreeMap;

use mailferry::base::event::Side;
use mailferry::base::mailbox::{FolderKind, FolderRole, UNFINISHED_FOLDER};
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::truth::held;
use mailferry::lab::world::{Content, NewFolder, World};
use mailferry::wire::item_stream::{Attachment, Message, Prop, encode, tags};

use super::{ANCHOR, Knobs, address};

/// {00062002-0000-0000-C000-000000000046} on the wire: the set of what appointments have.
const APPOINTMENT: [u8; 16] = [
    0x02, 0x20, 0x06, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46,
];

/// 2025-01-01 as a FILETIME, and an hour.
const NEW_YEAR: u64 = 133_801_632_000_000_000;
const HOUR: u64 = 36_000_000_000;

/// Fills the folders of one mailbox (top, Inbox, one below it, calendar) as the knobs say, and makes a contact folder.
pub fn fill(
    world: &mut World,
    mailbox: &str,
    knobs: &Knobs,
    (top, inbox, lab, calendar): (&str, &str, &str, &str),
    contacts: u32,
) {
    let people = NewFolder {
        parent: Some(top),
        name: "Kontakte",
        class: "IPF.Contact",
        role: Some(FolderRole::Contacts),
        kind: FolderKind::Generic,
        hidden: false,
        stays: None,
    };
    let people = world.add_source_folder(mailbox, &people).unwrap();
    // The first of the Inbox are copies of one.
    let copies = knobs.copies.max(1);
    for n in 0..knobs.inbox {
        let message = mail(u64::from(if n < copies { 0 } else { n }));
        add(world, mailbox, inbox, &message);
    }
    for n in 0..knobs.lab {
        add(world, mailbox, lab, &mail(u64::from(1_000 + n)));
    }
    for n in 0..knobs.calendar {
        add(world, mailbox, calendar, &event(u64::from(2_000 + n)));
    }
    for n in 0..contacts {
        add(world, mailbox, &people, &contact(u64::from(3_000 + n)));
    }
}

fn add(world: &mut World, mailbox: &str, folder: &str, message: &Message) {
    let content = Content::Stream(encode(message).into());
    let added = world.add_source_item(mailbox, folder, content, ANCHOR);
    added.unwrap();
}

fn base(class: &str, n: u64) -> Message {
    let mut key = [7; 16];
    key[..8].copy_from_slice(&n.to_le_bytes());
    Message {
        props: vec![
            Prop::text(tags::MESSAGE_CLASS, class),
            Prop::text(tags::SUBJECT, &format!("Subject {n}")),
            Prop::text(tags::BODY, &format!("Text {n}")),
            Prop::time(tags::CREATION_TIME, NEW_YEAR),
            Prop::time(tags::LAST_MODIFICATION_TIME, NEW_YEAR),
            Prop::binary(tags::SEARCH_KEY, key),
        ],
        ..Message::default()
    }
}

fn file(name: &str, n: u64) -> Attachment {
    Attachment {
        props: vec![
            Prop::i32(0x0E21, 0),
            Prop::i32(0x3705, 1),
            Prop::text(0x3707, name),
            Prop::binary(0x3701, n.to_le_bytes().repeat(9)),
        ],
        embedded: None,
    }
}

/// The first, and every third, has two attachments, every other third one.
fn mail(n: u64) -> Message {
    let mut own = base("IPM.Note", n);
    own.props.extend([
        Prop::i32(tags::MESSAGE_FLAGS, tags::FLAG_READ),
        Prop::time(tags::CLIENT_SUBMIT_TIME, NEW_YEAR + n * HOUR),
        Prop::time(tags::MESSAGE_DELIVERY_TIME, NEW_YEAR + n * HOUR),
        Prop::text(tags::INTERNET_MESSAGE_ID, &format!("<{n}@clinic.example>")),
    ]);
    own.attachments = match n % 3 {
        0 => vec![file("one.txt", n), file("two.txt", n + 1)],
        1 => vec![file("one.txt", n)],
        _ => Vec::new(),
    };
    own
}

fn event(n: u64) -> Message {
    let mut own = base("IPM.Appointment", n);
    let at = |id, number, when| Prop::time(0, when).numbered(id, APPOINTMENT, number);
    let from = NEW_YEAR + n * HOUR;
    own.props
        .extend([at(0x9001, 0x820D, from), at(0x9002, 0x820E, from + HOUR)]);
    if n.is_multiple_of(2) {
        own.attachments = vec![file("agenda.txt", n)];
    }
    own
}

fn contact(n: u64) -> Message {
    let mut own = base("IPM.Contact", n);
    // The subject of a contact is its name.
    own.props.push(Prop::text(0x3001, &format!("Subject {n}")));
    if n.is_multiple_of(2) {
        let mut photo = file("ContactPicture.jpg", n);
        photo.props.push(Prop::boolean(0x7FFF, true));
        own.attachments = vec![photo];
    }
    own
}

/// Whatever shows as a copy holds what its source item holds: subject, text, and every attachment with every byte. Returns how many do.
pub fn assert_copies_are_whole(world: &SharedWorld, knobs: &Knobs, what: &str) -> usize {
    let mut copies = 0;
    for n in 0..knobs.mailboxes {
        let (world, address) = (lock(world), address(n));
        let source = held(&world, Side::Source, address.reveal()).into_iter();
        let source: BTreeMap<_, _> = source.map(|own| (own.who, own.parts)).collect();
        for own in held(&world, Side::Target, address.reveal()) {
            if own.folder == UNFINISHED_FOLDER || own.unfinished {
                continue;
            }
            let whole = source.get(&own.who) == Some(&own.parts);
            assert!(
                whole,
                "{what}: a copy in {} is not whole: {own:?}",
                own.folder
            );
            copies += 1;
        }
    }
    copies
}

/// Nothing is left of creates that did not end: no item that says so of itself, and none in the hidden folder.
pub fn assert_nothing_unfinished(world: &SharedWorld, knobs: &Knobs, what: &str) {
    for n in 0..knobs.mailboxes {
        let all = held(&lock(world), Side::Target, address(n).reveal());
        let left = all
            .iter()
            .filter(|own| own.unfinished || own.folder == UNFINISHED_FOLDER);
        let left: Vec<_> = left.collect();
        assert!(left.is_empty(), "{what}: left behind: {left:?}");
    }
}
