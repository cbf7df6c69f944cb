//! An item's properties read as its class knows them: what a service shows of a stored item. `typed_make` is the other way.

use super::populate_items::{PUBLIC_STRINGS, TASK};
use super::typed_appointment::{calendar, event_of, is_exception};
use super::typed_card::{PHOTO, card_of, vcard};
use super::typed_mime::mime_of;
use super::typed_props::{At, Props, clean, people_of};
use crate::base::item::SearchKey;
use crate::base::losses::{self, Family};
use crate::base::typed::{
    FollowUp, Person, TypedAttachment, TypedBody, TypedCommon, TypedContact, TypedItem,
    TypedMessage,
};
use crate::wire::base64;
use crate::wire::ews::typed_attachment::{Kind, bare_content_id, is_signed, signed};
use crate::wire::item_stream::{Attachment, Message, tags};

/// Who and where an address stands: name, SMTP address, other address.
pub(super) type Place = (At, At, At);

/// PidTagSender*.
const SENDER: Place = (At::Tag(0x0C1A), At::Tag(0x5D01), At::Tag(0x0C1F));
/// PidTagSentRepresenting*: on whose behalf.
pub(super) const FROM: Place = (At::Tag(0x0042), At::Tag(0x5D02), At::Tag(0x0065));
/// A recipient's own.
pub(super) const RECIPIENT: Place = (At::Tag(0x3001), At::Tag(0x39FE), At::Tag(0x3003));

/// The item in our words, and the bytes of its attachments; `None` for classes that the route does not carry.
pub(super) fn render(message: &Message) -> Option<(TypedItem, Vec<Vec<u8>>)> {
    match losses::family_of(&class_of(message))? {
        Family::Message => {
            let (own, files) = message_of(message);
            Some((TypedItem::Message(Box::new(own)), files))
        }
        Family::Event => {
            let (own, files) = event_of(message);
            Some((TypedItem::Event(Box::new(own)), files))
        }
        Family::Contact => {
            let (own, files) = contact_of(message);
            Some((TypedItem::Contact(Box::new(own)), files))
        }
    }
}

/// The same as the source's server gives it to us: with a signed message goes the form that its signature covers.
pub(super) fn read_out(message: &Message) -> Option<(TypedItem, Vec<Vec<u8>>)> {
    let (mut item, mut files) = render(message)?;
    if let TypedItem::Message(own) = &mut item
        && is_signed(&own.common.class)
    {
        files.push(mime_of(own, &files));
        own.common.attachments.push(signed());
    }
    Some((item, files))
}

/// An item of any class: what has no family is shown as a message.
pub(super) fn any(message: &Message) -> (TypedItem, Vec<Vec<u8>>) {
    render(message).unwrap_or_else(|| {
        let (own, files) = message_of(message);
        (TypedItem::Message(Box::new(own)), files)
    })
}

/// The MIME form of an item.
pub(super) fn mime(message: &Message) -> Vec<u8> {
    let (own, files) = message_of(message);
    mime_of(&own, &files)
}

/// An item as the file that a server makes of it, e.g. of an embedded one.
pub(super) fn file_of(message: &Message) -> (Kind, Vec<u8>) {
    match losses::family_of(&class_of(message)) {
        Some(Family::Event) => (Kind::Event, calendar(&event_of(message).0)),
        Some(Family::Contact) => (Kind::Contact, vcard(&contact_of(message).0)),
        Some(Family::Message) | None => (Kind::Message, mime(message)),
    }
}

/// The class as it is spelled; what has none is a message.
fn class_of(message: &Message) -> String {
    let class = Props(&message.props).some_text(At::Tag(tags::MESSAGE_CLASS));
    class.unwrap_or_else(|| "IPM.Note".to_owned())
}

/// A person's card, and the bytes of its attachments.
fn contact_of(message: &Message) -> (TypedContact, Vec<Vec<u8>>) {
    let (common, files) = common_of(message);
    let is_photo = |own: &Attachment| Props(&own.props).number(At::Tag(PHOTO)) == Some(1);
    let photo = message.attachments.iter().position(is_photo);
    let photo = photo.and_then(|at| u32::try_from(at).ok());
    (card_of(Props(&message.props), common, photo), files)
}

fn message_of(message: &Message) -> (TypedMessage, Vec<Vec<u8>>) {
    let props = Props(&message.props);
    let (common, files) = common_of(message);
    let tag = |id| At::Tag(id);
    let to = |kind| recipients(message, kind);
    let one = |(name, smtp, other): Place| props.person(name, smtp, other);
    let index = props.bytes(tag(0x0071)).unwrap_or_default();
    let own = TypedMessage {
        common,
        message_id: props.text(tag(tags::INTERNET_MESSAGE_ID)),
        flags: props.number(tag(tags::MESSAGE_FLAGS)).unwrap_or(0),
        submitted: props.time(tag(tags::CLIENT_SUBMIT_TIME)),
        delivered: props.time(tag(tags::MESSAGE_DELIVERY_TIME)),
        from: one(FROM),
        sender: one(SENDER),
        to: to(1),
        cc: to(2),
        bcc: to(3),
        reply_to: people_of(props.bytes(tag(0x004F)).unwrap_or_default()),
        headers: props.text(tag(0x007D)),
        in_reply_to: props.text(tag(0x1042)),
        references: props.text(tag(0x1039)),
        conversation_index: base64::encode(index),
        flag: follow_up(props),
    };
    (own, files)
}

/// PidTagRecipientType; the bit of a resent message does not matter.
fn recipients(message: &Message, kind: u32) -> Vec<Person> {
    let all = message.recipients.iter().map(|own| Props(own));
    let (name, smtp, other) = RECIPIENT;
    all.filter(|own| own.number(At::Tag(0x0C15)).unwrap_or(1) & 0xF == kind)
        .map(|own| own.person(name, smtp, other).unwrap_or_default())
        .collect()
}

/// PidTagFlagStatus: 1 complete, 2 flagged; dates of the task beside it ([MS-OXOFLAG] 2.2).
fn follow_up(props: Props<'_>) -> Option<FollowUp> {
    let complete = match props.number(At::Tag(0x1090))? {
        1 => true,
        2 => false,
        _ => return None,
    };
    Some(FollowUp {
        complete,
        start: props.time(At::Number(TASK, 0x8104)),
        due: props.time(At::Number(TASK, 0x8105)),
        completed: props.time(At::Tag(0x1091)),
    })
}

/// What every item has, and the bytes of its attachments.
pub(super) fn common_of(message: &Message) -> (TypedCommon, Vec<Vec<u8>>) {
    let props = Props(&message.props);
    let key = props.bytes(At::Tag(tags::SEARCH_KEY));
    let key = key.and_then(SearchKey::new);
    let small = |id, normal| {
        let number = props.number(At::Tag(id)).unwrap_or(normal);
        u8::try_from(number).unwrap_or(0)
    };
    let visible = message.attachments.iter().filter(|own| !is_exception(own));
    let (attachments, files) = visible.map(attachment).unzip();
    let common = TypedCommon {
        class: class_of(message),
        search_key: key.map(|key| key.to_string()).unwrap_or_default(),
        subject: props.text(At::Tag(tags::SUBJECT)),
        body: body_of(props),
        importance: small(0x0017, 1).min(2),
        sensitivity: small(0x0036, 0).min(3),
        categories: props.texts(At::Named(PUBLIC_STRINGS, "Keywords")),
        created: props.time(At::Tag(tags::CREATION_TIME)),
        modified: props.time(At::Tag(tags::LAST_MODIFICATION_TIME)),
        attachments,
    };
    (common, files)
}

/// PidTagHtml before PidTagBody.
fn body_of(props: Props<'_>) -> TypedBody {
    match props.bytes(At::Tag(0x1013)) {
        Some(html) => TypedBody {
            html: true,
            content: decoded(html, props.number(At::Tag(0x3FDE))),
        },
        None => TypedBody {
            html: false,
            content: props.text(At::Tag(tags::BODY)),
        },
    }
}

/// Text of a code page. The lab writes UTF-8; of others only the western ones are told apart.
fn decoded(bytes: &[u8], code_page: Option<u32>) -> String {
    match code_page {
        Some(1252 | 20_127 | 28_591) => {
            clean(&bytes.iter().map(|b| char::from(*b)).collect::<String>())
        }
        _ => clean(&String::from_utf8_lossy(bytes)),
    }
}

fn attachment(own: &Attachment) -> (TypedAttachment, Vec<u8>) {
    let props = Props(&own.props);
    let name = [0x3707, 0x3704, 0x3001].into_iter();
    let name = name.map(At::Tag).find_map(|at| props.some_text(at));
    let mut file = TypedAttachment {
        name: name.unwrap_or_default(),
        content_type: props.text(At::Tag(0x370E)),
        content_id: bare_content_id(&props.text(At::Tag(0x3712))),
        // PidTagAttachFlags, attMhtmlRef ([MS-OXCMSG] 2.2.2.18).
        inline: props.number(At::Tag(0x3714)).unwrap_or(0) & 4 != 0,
        embedded: false,
    };
    let Some(inner) = &own.embedded else {
        let bytes = props.bytes(At::Tag(0x3701)).unwrap_or_default();
        return (file, bytes.to_vec());
    };
    if file.name.is_empty() {
        file.name = Props(&inner.props).text(At::Tag(tags::SUBJECT));
    }
    let (kind, bytes) = file_of(inner);
    (kind.file(file), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::dice::Dice;
    use crate::base::quantity::Moment;
    use crate::lab::populate_items::{Maker, Shape, embedded, file};
    use crate::lab::typed_props::entries_of;
    use crate::wire::item_stream::Prop;

    fn maker() -> Maker {
        Maker::new(Dice::new(5), Moment::from_unix_ms(1_760_000_000_000))
    }

    fn typed(message: &Message) -> (TypedMessage, Vec<Vec<u8>>) {
        match render(message) {
            Some((TypedItem::Message(own), files)) => (*own, files),
            _ => panic!("a message"),
        }
    }

    #[test]
    fn every_made_up_mail_shows_its_fields() {
        let mut maker = maker();
        for n in 0..60 {
            let (own, files) = typed(&maker.item(Shape::Mail, n));
            assert_eq!(own.common.class, "IPM.Note");
            assert!(own.common.body.html && own.common.body.content.starts_with("<html>"));
            assert!(own.submitted.is_some() && own.delivered.is_some());
            assert!(own.sender.is_some() && own.to.len() == 1);
            assert_eq!(own.read(), n % 3 != 0);
            assert_eq!(own.message_id.is_empty(), n % 23 == 7);
            assert_eq!(
                own.common.search_key.len(),
                if n % 29 == 11 { 0 } else { 32 }
            );
            assert_eq!(own.common.categories.len(), if n % 7 == 2 { 2 } else { 0 });
            assert_eq!(own.flag.is_some(), n % 11 == 5);
            assert_eq!(own.common.attachments.len(), files.len());
            let inner = own.common.attachments.iter().filter(|a| a.embedded).count();
            assert_eq!(inner, usize::from(n % 17 == 3));
        }
    }

    #[test]
    fn what_the_tree_says_of_attachments_addresses_and_flags_is_shown() {
        let mut message = maker().item(Shape::Mail, 1);
        let reply = [Person {
            name: "Ä".to_owned(),
            address: "r@clinic.example".to_owned(),
        }];
        for prop in [
            Prop::text(0x0042, "Chief"),
            Prop::text(0x0065, "/O=LAB/CN=CHIEF"),
            Prop::text(0x5D02, "chief@clinic.example"),
            Prop::binary(0x004F, entries_of(&reply)),
            Prop::binary(0x0071, vec![1, 2, 3]),
            Prop::text(tags::SUBJECT, "a\u{1}b"),
            Prop::i32(0x1090, 1),
            Prop::time(0x1091, 130_000_000_000_000_000),
        ] {
            message.set(prop);
        }
        let mut picture = file("p.png", vec![7; 9]);
        picture.props.extend([
            Prop::text(0x3712, "<p@q>"),
            Prop::i32(0x3714, 4),
            Prop::text(0x370E, "image/png"),
        ]);
        message.attachments = vec![picture, embedded(maker().item(Shape::Mail, 2))];
        let (own, files) = typed(&message);
        let from = own.from.unwrap();
        assert_eq!(
            (from.name.as_str(), from.address.as_str()),
            ("Chief", "chief@clinic.example")
        );
        assert_eq!(own.reply_to, reply);
        assert_eq!(own.conversation_index, "AQID");
        assert_eq!(own.common.subject, "a\u{FFFD}b");
        let flag = own.flag.unwrap();
        assert!(flag.complete && flag.completed.is_some() && flag.due.is_none());
        let [picture, inner] = own.common.attachments.as_slice() else {
            panic!("two attachments");
        };
        assert!(picture.inline && picture.content_id == "p@q");
        assert_eq!(picture.content_type, "image/png");
        assert_eq!(files[0], [7; 9]);
        assert_eq!(Kind::of_file(inner), Some(Kind::Message));
        assert!(files[1].starts_with(b"From: "));
    }

    #[test]
    fn only_the_source_adds_the_signed_form_and_classes_without_family_give_nothing() {
        let mut maker = maker();
        let signed = maker.item(Shape::Class("IPM.Note.SMIME.MultipartSigned"), 1);
        let (_, plain) = render(&signed).unwrap();
        let (item, files) = read_out(&signed).unwrap();
        assert_eq!(files.len(), plain.len() + 1);
        assert_eq!(
            item.attachments().last().unwrap().name,
            "signed-message.eml"
        );
        assert!(render(&maker.item(Shape::Task, 0)).is_none());
        assert!(render(&maker.item(Shape::Class("IPM.Post"), 0)).is_none());
    }
}
