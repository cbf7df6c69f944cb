//! A typed item as the property tree that a store keeps of it: what the services make of a create by fields ([MS-OXCMSG], [MS-OXOMSG], [MS-OXOFLAG]).
//!
//! The setters serve changes as well: each writes the properties of one field, and takes away those that no longer hold.

use super::populate_items::{PUBLIC_STRINGS, TASK};
use super::typed_props::entries_of;
use super::world::filetime_of;
use crate::base::item::unhex;
use crate::base::quantity::Moment;
use crate::base::typed::{
    FollowUp, Person, TypedAttachment, TypedBody, TypedCommon, TypedItem, TypedMessage,
};
use crate::wire::item_stream::{Attachment, Message, Name, Prop, tags};

/// Properties of the sender and of whom it is sent for: name, address type, address, SMTP address.
pub(super) const SENDER: [u16; 4] = [0x0C1A, 0x0C1E, 0x0C1F, 0x5D01];
/// See [`SENDER`].
pub(super) const FROM: [u16; 4] = [0x0042, 0x0064, 0x0065, 0x5D02];

/// Where this mailbox's ids of named properties begin; what matters is that each name has its own.
const NAMED: u16 = 0x9A00;

/// The tree of an item. `files` are the bytes of its attachments, in their order.
pub(super) fn make(item: &TypedItem, files: &[Vec<u8>]) -> Message {
    let mut out = Message::default();
    common(&mut out, item.common());
    match item {
        TypedItem::Message(own) => message(&mut out, own),
        TypedItem::Event(_) | TypedItem::Contact(_) => {}
    }
    for (own, bytes) in item.common().attachments.iter().zip(files) {
        attach(&mut out, own, bytes.clone());
    }
    out
}

fn common(out: &mut Message, common: &TypedCommon) {
    set_text(out, tags::MESSAGE_CLASS, &common.class);
    if let Some(key) = unhex(&common.search_key).filter(|key| !key.is_empty()) {
        out.set(Prop::binary(tags::SEARCH_KEY, key));
    }
    set_subject(out, &common.subject);
    set_body(out, &common.body);
    out.set(Prop::i32(0x0017, u32::from(common.importance)));
    out.set(Prop::i32(0x0036, u32::from(common.sensitivity)));
    set_categories(out, &common.categories);
    set_time(out, tags::CREATION_TIME, common.created);
    set_time(out, tags::LAST_MODIFICATION_TIME, common.modified);
}

fn message(out: &mut Message, own: &TypedMessage) {
    set_text(out, tags::INTERNET_MESSAGE_ID, &own.message_id);
    out.set(Prop::i32(tags::MESSAGE_FLAGS, own.flags));
    set_time(out, tags::CLIENT_SUBMIT_TIME, own.submitted);
    set_time(out, tags::MESSAGE_DELIVERY_TIME, own.delivered);
    set_person(out, FROM, own.from.as_ref());
    set_person(out, SENDER, own.sender.as_ref());
    for (kind, people) in [(1, &own.to), (2, &own.cc), (3, &own.bcc)] {
        set_recipients(out, kind, people);
    }
    set_reply_to(out, &own.reply_to);
    set_text(out, 0x007D, &own.headers);
    set_text(out, 0x1042, &own.in_reply_to);
    set_text(out, 0x1039, &own.references);
    match crate::wire::base64::decode(&own.conversation_index) {
        Ok(index) if !index.is_empty() => out.set(Prop::binary(0x0071, index)),
        _ => out.unset(0x0071),
    }
    set_flag(out, own.flag.as_ref());
}

/// A text, or none where it is empty.
pub(super) fn set_text(out: &mut Message, tag: u16, text: &str) {
    if text.is_empty() {
        out.unset(tag);
    } else {
        out.set(Prop::text(tag, text));
    }
}

pub(super) fn set_time(out: &mut Message, tag: u16, at: Option<Moment>) {
    match at {
        Some(at) => out.set(Prop::time(tag, filetime_of(at))),
        None => out.unset(tag),
    }
}

pub(super) fn set_subject(out: &mut Message, subject: &str) {
    out.set(Prop::text(tags::SUBJECT, subject));
    out.set(Prop::text(0x0E1D, subject));
}

/// The text, in the one form it has, and which form that is (PidTagNativeBody).
pub(super) fn set_body(out: &mut Message, body: &TypedBody) {
    out.unset(tags::BODY);
    out.unset(HTML);
    if body.html {
        out.set(Prop::binary(HTML, body.content.as_bytes()));
        out.set(Prop::i32(0x3FDE, 65_001));
        out.set(Prop::i32(0x1016, 3));
    } else {
        out.set(Prop::text(tags::BODY, &body.content));
        out.set(Prop::i32(0x1016, 1));
    }
}

/// PidTagHtml.
const HTML: u16 = 0x1013;

pub(super) fn set_categories(out: &mut Message, categories: &[String]) {
    let all: Vec<&str> = categories.iter().map(String::as_str).collect();
    let prop = Prop::texts(0, &all).called(NAMED, PUBLIC_STRINGS, "Keywords");
    set_or_unset(out, prop, !all.is_empty());
}

fn set_or_unset(out: &mut Message, prop: Prop, there: bool) {
    if there {
        out.set(prop);
    } else {
        out.props.retain(|own| own.name != prop.name);
    }
}

/// Somebody in four properties.
pub(super) fn set_person(out: &mut Message, tags: [u16; 4], person: Option<&Person>) {
    for tag in tags {
        out.unset(tag);
    }
    let Some(person) = person else { return };
    set_text(out, tags[0], &person.name);
    if !person.address.is_empty() {
        set_text(out, tags[1], "SMTP");
        set_text(out, tags[2], &person.address);
        set_text(out, tags[3], &person.address);
    }
}

/// PidTagRecipientType.
pub(super) const RECIPIENT_TYPE: u16 = 0x0C15;

/// The recipients of one kind: 1 To, 2 Cc, 3 Bcc.
pub(super) fn set_recipients(out: &mut Message, kind: u32, people: &[Person]) {
    let same = |row: &Vec<Prop>| {
        let own = row
            .iter()
            .find(|prop| prop.name == Name::Tag(RECIPIENT_TYPE));
        own.is_some_and(|own| own.value.one() == Some(&kind.to_le_bytes()))
    };
    out.recipients.retain(|row| !same(row));
    for person in people {
        let mut row = vec![
            Prop::i32(RECIPIENT_TYPE, kind),
            Prop::text(0x3001, &person.name),
        ];
        if !person.address.is_empty() {
            row.push(Prop::text(0x3002, "SMTP"));
            row.push(Prop::text(0x3003, &person.address));
            row.push(Prop::text(0x39FE, &person.address));
        }
        out.recipients.push(row);
    }
}

/// PidTagReplyRecipientEntries and PidTagReplyRecipientNames ([MS-OXOMSG] 2.2.1.42 and 2.2.1.43).
pub(super) fn set_reply_to(out: &mut Message, people: &[Person]) {
    out.unset(0x004F);
    out.unset(0x0050);
    if people.is_empty() {
        return;
    }
    out.set(Prop::binary(0x004F, entries_of(people)));
    let names: Vec<&str> = people.iter().map(|own| own.name.as_str()).collect();
    out.set(Prop::text(0x0050, &names.join(";")));
}

/// PidTagFlagStatus, PidTagFlagCompleteTime, PidLidTaskStartDate, PidLidTaskDueDate ([MS-OXOFLAG] 2.2).
pub(super) fn set_flag(out: &mut Message, flag: Option<&FollowUp>) {
    match flag {
        Some(own) => out.set(Prop::i32(0x1090, if own.complete { 1 } else { 2 })),
        None => out.unset(0x1090),
    }
    set_time(out, 0x1091, flag.and_then(|own| own.completed));
    let dates = [
        (0x8104, flag.and_then(|own| own.start)),
        (0x8105, flag.and_then(|own| own.due)),
    ];
    for (number, at) in dates {
        let id = NAMED + u16::try_from(number & 0xFF).unwrap_or(0);
        let prop = Prop::time(0, at.map_or(0, filetime_of)).numbered(id, TASK, number);
        set_or_unset(out, prop, at.is_some());
    }
}

/// Puts an attachment behind the others.
pub(super) fn attach(out: &mut Message, own: &TypedAttachment, bytes: Vec<u8>) {
    let number = u32::try_from(out.attachments.len()).unwrap_or(u32::MAX);
    let mut props = vec![
        Prop::i32(0x0E21, number),
        Prop::i32(0x3705, 1),
        Prop::text(0x3707, &own.name),
        Prop::text(0x3704, &own.name),
        Prop::binary(0x3701, bytes),
    ];
    for (tag, text) in [(0x370E, &own.content_type), (0x3712, &own.content_id)] {
        if !text.is_empty() {
            props.push(Prop::text(tag, text));
        }
    }
    if own.inline {
        // Shown inside the text, and so not in the list of attachments.
        props.push(Prop::i32(0x3714, 4));
        props.push(Prop::boolean(0x7FFE, true));
    }
    out.attachments.push(Attachment {
        props,
        embedded: None,
    });
    out.set(Prop::boolean(0x0E1B, true));
}

/// The attachments of an item, with their bytes.
pub(super) fn files_in(message: &Message) -> Vec<(TypedAttachment, Vec<u8>)> {
    let (common, files) = super::typed_render::common_of(message);
    common.attachments.into_iter().zip(files).collect()
}

/// A text under a name of a property set.
pub(super) fn set_named(out: &mut Message, set: u128, name: &str, text: &str) {
    let wire = wire_set(set);
    let wanted = Prop::text(0, text).called(0, wire, name);
    let known = out.props.iter().find(|own| own.name == wanted.name);
    let used = |id: u16| out.props.iter().any(|own| own.id == id);
    let id = known.map_or_else(
        || (0xB000..0xFFFF).find(|id| !used(*id)),
        |own| Some(own.id),
    );
    out.set(Prop::text(0, text).called(id.unwrap_or(0xFFFE), wire, name));
}

/// A GUID as it lies on the wire: its first three parts turned round.
pub(super) const fn wire_set(set: u128) -> [u8; 16] {
    let mut bytes = set.to_be_bytes();
    bytes = [
        bytes[3], bytes[2], bytes[1], bytes[0], bytes[5], bytes[4], bytes[7], bytes[6], bytes[8],
        bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15],
    ];
    bytes
}

/// A text as a property holds it.
pub(super) fn text_of(prop: &Prop) -> Option<String> {
    let units: Vec<u16> = prop
        .value
        .one()?
        .chunks_exact(2)
        .map(|two| u16::from_le_bytes([two[0], two[1]]))
        .collect();
    let text = String::from_utf16_lossy(&units);
    Some(text.trim_end_matches('\0').to_owned())
}

/// The text under a name of a property set, letter by letter.
pub(super) fn named_text(message: &Message, set: u128, name: &str) -> Option<String> {
    let wanted = Prop::text(0, "").called(0, wire_set(set), name).name;
    let own = message.props.iter().find(|own| own.name == wanted)?;
    text_of(own)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lab::typed_render::render;
    use crate::wire::item_stream::{decode, encode};

    fn text() -> impl Strategy<Value = String> {
        "[a-zA-Zäß😀 ]{0,12}"
    }

    fn person() -> impl Strategy<Value = Person> {
        ("[A-Z][a-z]{0,6}", "[a-z]{1,6}@[a-z]{1,6}")
            .prop_map(|(name, address)| Person { name, address })
    }

    fn people() -> impl Strategy<Value = Vec<Person>> {
        proptest::collection::vec(person(), 0..4)
    }

    fn moment() -> impl Strategy<Value = Option<Moment>> {
        proptest::option::of(
            (0_i64..4_000_000_000).prop_map(|secs| Moment::from_unix_ms(secs * 1_000)),
        )
    }

    fn flag() -> impl Strategy<Value = Option<FollowUp>> {
        let one = (any::<bool>(), moment(), moment(), moment());
        proptest::option::of(one.prop_map(|(complete, start, due, completed)| FollowUp {
            complete,
            start,
            due,
            completed,
        }))
    }

    fn common() -> impl Strategy<Value = TypedCommon> {
        let words = (
            text(),
            text(),
            any::<bool>(),
            proptest::collection::vec("[A-Z][a-z]{1,5}", 0..3),
        );
        let rest = (
            proptest::collection::vec(any::<u8>(), 16),
            0_u8..3,
            0_u8..4,
            moment(),
            moment(),
        );
        (words, rest).prop_map(
            |(
                (subject, content, html, categories),
                (key, importance, sensitivity, created, modified),
            )| TypedCommon {
                class: "IPM.Note".to_owned(),
                search_key: crate::base::item::SearchKey::new(key)
                    .map(|key| key.to_string())
                    .unwrap_or_default(),
                subject,
                body: TypedBody { html, content },
                importance,
                sensitivity,
                categories,
                created,
                modified,
                attachments: Vec::new(),
            },
        )
    }

    fn a_message() -> impl Strategy<Value = TypedMessage> {
        let who = (
            people(),
            people(),
            people(),
            people(),
            proptest::option::of(person()),
            proptest::option::of(person()),
        );
        let when = (moment(), moment(), flag(), 0_u32..16);
        let texts = (
            text(),
            text(),
            text(),
            text(),
            proptest::collection::vec(any::<u8>(), 0..40),
        );
        (common(), who, when, texts).prop_map(
            |(
                common,
                (to, cc, bcc, reply_to, from, sender),
                (submitted, delivered, flag, flags),
                (message_id, headers, in_reply_to, references, index),
            )| TypedMessage {
                common,
                message_id,
                flags,
                submitted,
                delivered,
                from,
                sender,
                to,
                cc,
                bcc,
                reply_to,
                headers,
                in_reply_to,
                references,
                conversation_index: crate::wire::base64::encode(&index),
                flag,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_made_shows_what_it_was_made_of(
            mut own in a_message(),
            files in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..50), "[a-z]{1,6}", "[a-z]{0,4}", any::<bool>()), 0..3),
        ) {
            let bytes: Vec<Vec<u8>> = files.iter().map(|own| own.0.clone()).collect();
            own.common.attachments = files.into_iter().map(|(_, name, content_id, inline)| TypedAttachment {
                name, content_id, inline, ..TypedAttachment::default()
            }).collect();
            let item = TypedItem::Message(Box::new(own));
            let tree = make(&item, &bytes);
            let (shown, shown_bytes) = render(&tree).unwrap();
            prop_assert!(shown == item);
            prop_assert_eq!(&shown_bytes, &bytes);
            // As a stream it is the same.
            prop_assert!(decode(&encode(&tree)) == Some(tree));
        }
    }

    #[test]
    fn a_field_that_is_taken_away_leaves_nothing() {
        let mut own = TypedMessage {
            flag: Some(FollowUp {
                due: Some(Moment::from_unix_ms(9_000)),
                ..FollowUp::default()
            }),
            reply_to: vec![Person {
                name: "A".to_owned(),
                address: "a@b".to_owned(),
            }],
            ..TypedMessage::default()
        };
        own.common.class = "IPM.Note".to_owned();
        own.common.categories = vec!["Blue".to_owned()];
        let mut tree = make(&TypedItem::Message(Box::new(own)), &[]);
        set_flag(&mut tree, None);
        set_categories(&mut tree, &[]);
        set_reply_to(&mut tree, &[]);
        let Some((TypedItem::Message(shown), _)) = render(&tree) else {
            panic!("a message");
        };
        assert!(
            shown.flag.is_none() && shown.common.categories.is_empty() && shown.reply_to.is_empty()
        );
    }

    #[test]
    fn names_of_properties_are_found_letter_by_letter() {
        let mut tree = Message::default();
        set_named(&mut tree, 7, "Mine", "one");
        set_named(&mut tree, 7, "mine", "two");
        set_named(&mut tree, 7, "Mine", "three");
        assert_eq!(named_text(&tree, 7, "Mine").as_deref(), Some("three"));
        assert_eq!(named_text(&tree, 7, "mine").as_deref(), Some("two"));
        assert_eq!(named_text(&tree, 8, "mine"), None);
        assert_ne!(tree.props[0].id, tree.props[1].id);
    }
}
