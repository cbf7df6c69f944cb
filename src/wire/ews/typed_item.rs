//! GetItem, answered with an item as its class knows it. What a reply does not say is what an item without it would have.

use crate::base::id::ItemId;
use crate::base::losses::{self, Family};
use crate::base::quantity::Moment;
use crate::base::typed::{Person, TypedBody, TypedCommon, TypedContact, TypedEvent, TypedItem};
use crate::wire::base64;
use crate::wire::ews::item;
use crate::wire::ews::reply::Operation;
use crate::wire::ews::shape::{self, Shape, Tag};
use crate::wire::ews::typed_attachment::AttachmentRef;
use crate::wire::ews::{typed_contact, typed_event, typed_message};
use crate::wire::xml::{Element, Ns, Writer};

/// The words of EWS for importance, by number.
const IMPORTANCE: [&str; 3] = ["Low", "Normal", "High"];
/// The words for sensitivity.
const SENSITIVITY: [&str; 4] = ["Normal", "Personal", "Private", "Confidential"];

/// An item as a reply shows it. What hangs on it is listed and not yet in the item: the kind of an embedded item is known when it is read.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its id.
    pub id: ItemId,
    /// The item, as one of its family; as a message where its class has none.
    pub item: TypedItem,
    /// What hangs on it, in the server's order.
    pub attachments: Vec<AttachmentRef>,
    /// Occurrences of a series that differ, by their own ids and original begins; they are asked for by other calls. Those that are gone are
    /// in the item.
    pub occurrences: Vec<(ItemId, Moment)>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Shown({:?}, {} attachments)",
            self.item,
            self.attachments.len()
        )
    }
}

impl Shown {
    /// The family of its class; `None` where the typed route does not carry it.
    pub fn family(&self) -> Option<Family> {
        losses::family_of(&self.item.common().class)
    }

    /// Reads an item element. `None` where it has no id, or its text is not whole.
    pub fn read(e: &Element) -> Option<Self> {
        let id = e.t("ItemId").filter(|_| e.ns == Ns::Types)?.attr("Id")?;
        let list = e.t("Attachments").map(|list| list.children.as_slice());
        let list = list.unwrap_or_default().iter().map(AttachmentRef::read);
        let common = read_common(e)?;
        let by_element = match e.name.as_str() {
            "CalendarItem" => Family::Event,
            "Contact" => Family::Contact,
            _ => Family::Message,
        };
        let mut occurrences = Vec::new();
        let item = match losses::family_of(&common.class).unwrap_or(by_element) {
            Family::Message => TypedItem::Message(Box::new(typed_message::read(e, common))),
            Family::Contact => TypedItem::Contact(Box::new(typed_contact::read(e, common))),
            Family::Event => {
                let (own, modified) = typed_event::read(e, common)?;
                occurrences = modified;
                TypedItem::Event(Box::new(own))
            }
        };
        Some(Self {
            id: ItemId::new(id),
            item,
            attachments: list.collect::<Option<_>>()?,
            occurrences,
        })
    }

    /// Puts in what a second call about the same item said: people and attachments.
    pub fn take_rest(&mut self, other: Self) {
        self.attachments = other.attachments;
        match (&mut self.item, other.item) {
            (TypedItem::Message(own), TypedItem::Message(more)) => {
                (own.from, own.sender) = (more.from, more.sender);
                (own.to, own.cc, own.bcc) = (more.to, more.cc, more.bcc);
                own.reply_to = more.reply_to;
            }
            (TypedItem::Event(own), TypedItem::Event(more)) => {
                own.attendees = more.attendees;
                own.organizer = more.organizer;
            }
            _ => {}
        }
    }

    /// The same item with only what `shape` asks for.
    #[must_use]
    pub fn shaped(mut self, shape: &Shape) -> Self {
        let wants = |field: &str| shape.wants(field);
        if !wants("item:Attachments") {
            self.attachments.clear();
        }
        match &mut self.item {
            TypedItem::Message(own) => {
                strip(&mut own.common, &wants);
                typed_message::strip(own, &wants);
            }
            TypedItem::Event(own) => {
                strip(&mut own.common, &wants);
                if !wants("calendar:RequiredAttendees") {
                    own.attendees.clear();
                }
                own.organizer.take_if(|_| !wants("calendar:Organizer"));
                if !wants("calendar:Start") {
                    **own = TypedEvent {
                        common: std::mem::take(&mut own.common),
                        organizer: own.organizer.take(),
                        attendees: std::mem::take(&mut own.attendees),
                        ..TypedEvent::default()
                    };
                    self.occurrences.clear();
                }
            }
            TypedItem::Contact(own) => {
                strip(&mut own.common, &wants);
                if !wants("contacts:FileAs") {
                    **own = TypedContact {
                        common: std::mem::take(&mut own.common),
                        ..TypedContact::default()
                    };
                }
            }
        }
        self
    }

    /// Writes the element in the order of the schema.
    pub fn write(&self, w: &mut Writer) {
        match &self.item {
            TypedItem::Message(own) => {
                w.open("t:Message", &[]);
                self.write_common(&own.common, &own.in_reply_to, w);
                write_key(&own.common, w);
                typed_message::write(own, w);
            }
            TypedItem::Event(own) => {
                w.open("t:CalendarItem", &[]);
                self.write_common(&own.common, "", w);
                typed_event::write_reminder(own, w);
                write_key(&own.common, w);
                typed_event::write(own, &self.occurrences, w);
            }
            TypedItem::Contact(own) => {
                w.open("t:Contact", &[]);
                self.write_common(&own.common, "", w);
                write_key(&own.common, w);
                typed_contact::write(own, w);
            }
        }
        w.close();
    }

    /// What every item has, up to the date of its making.
    fn write_common(&self, common: &TypedCommon, in_reply_to: &str, w: &mut Writer) {
        w.empty(
            "t:ItemId",
            &[("Id", self.id.as_str()), ("ChangeKey", "CQAAAA==")],
        );
        text(w, "t:ItemClass", &common.class);
        text(w, "t:Subject", &common.subject);
        let sensitivity = SENSITIVITY.get(usize::from(common.sensitivity));
        w.leaf("t:Sensitivity", sensitivity.unwrap_or(&"Normal"));
        let kind = if common.body.html { "HTML" } else { "Text" };
        w.leaf_with("t:Body", &[("BodyType", kind)], &common.body.content);
        if !self.attachments.is_empty() {
            w.open("t:Attachments", &[]);
            for attachment in &self.attachments {
                attachment.open(w);
                w.close();
            }
            w.close();
        }
        if !common.categories.is_empty() {
            w.open("t:Categories", &[]);
            for category in &common.categories {
                w.leaf("t:String", category);
            }
            w.close();
        }
        let importance = IMPORTANCE.get(usize::from(common.importance));
        w.leaf("t:Importance", importance.unwrap_or(&"Normal"));
        text(w, "t:InReplyTo", in_reply_to);
        date(w, "t:DateTimeCreated", common.created);
    }
}

fn write_key(common: &TypedCommon, w: &mut Writer) {
    let key = crate::base::item::unhex(&common.search_key).unwrap_or_default();
    if !key.is_empty() {
        shape::write_extended(Tag::SEARCH_KEY, &base64::encode(&key), w);
    }
}

/// Takes away what is not wanted.
fn strip(common: &mut TypedCommon, wants: &dyn Fn(&str) -> bool) {
    if !wants("item:Subject") {
        common.subject.clear();
    }
    if !wants("item:Body") {
        common.body = TypedBody::default();
    }
    if !wants("item:Importance") {
        common.importance = 1;
    }
    if !wants("item:Sensitivity") {
        common.sensitivity = 0;
    }
    if !wants("item:Categories") {
        common.categories.clear();
    }
    if !wants("item:DateTimeCreated") {
        (common.created, common.modified) = (None, None);
    }
}

fn read_common(e: &Element) -> Option<TypedCommon> {
    let word = |name, words: &[&str], usual: u8| {
        let own = e.t(name).map_or("", |own| own.text.trim());
        let place = words.iter().position(|word| *word == own);
        place.and_then(|at| u8::try_from(at).ok()).unwrap_or(usual)
    };
    let key = extended(e, Tag::SEARCH_KEY).and_then(|text| base64::decode(text.trim()).ok());
    let key = key.and_then(crate::base::item::SearchKey::new);
    let categories = e.t("Categories").map(|own| own.children.as_slice());
    let body = match e.t("Body") {
        // We set no limit, so that a text cut short is the server's mistake and not the item.
        Some(body) if body.attr("IsTruncated") == Some("true") => return None,
        Some(body) => TypedBody {
            html: body.attr("BodyType") == Some("HTML"),
            content: body.text.clone(),
        },
        None => TypedBody::default(),
    };
    Some(TypedCommon {
        class: text_of(e, "ItemClass").trim().to_owned(),
        search_key: key.map(|key| key.to_string()).unwrap_or_default(),
        subject: text_of(e, "Subject"),
        body,
        importance: word("Importance", &IMPORTANCE, 1),
        sensitivity: word("Sensitivity", &SENSITIVITY, 0),
        categories: (categories.unwrap_or_default().iter())
            .map(|own| own.text.clone())
            .collect(),
        created: moment_of(e, "DateTimeCreated"),
        modified: moment_of(e, "LastModifiedTime"),
        attachments: Vec::new(),
    })
}

/// The text of a child, or the empty one.
pub(super) fn text_of(e: &Element, name: &str) -> String {
    e.t(name).map(|own| own.text.clone()).unwrap_or_default()
}

/// The date in a child, to the second.
pub(super) fn moment_of(e: &Element, name: &str) -> Option<Moment> {
    item::moment(&e.t(name)?.text).map(whole)
}

/// A date to the second.
pub(super) fn whole(at: Moment) -> Moment {
    Moment::from_unix_ms(at.unix_ms().div_euclid(1_000) * 1_000)
}

/// The value of an extended property.
pub(super) fn extended(e: &Element, tag: Tag) -> Option<&str> {
    let own = e
        .children
        .iter()
        .filter(|c| c.is(Ns::Types, "ExtendedProperty"));
    own.filter_map(shape::extended)
        .find(|(id, _)| *id == tag.id)
        .and_then(|(_, values)| values.first().copied())
}

/// An element with text, unless it is empty.
pub(super) fn text(w: &mut Writer, name: &'static str, text: &str) {
    if !text.is_empty() {
        w.leaf(name, text);
    }
}

/// An element with a date, where there is one.
pub(super) fn date(w: &mut Writer, name: &'static str, at: Option<Moment>) {
    if let Some(at) = at {
        w.leaf(name, &at.to_string());
    }
}

/// A `t:Mailbox`.
pub(super) fn read_person(mailbox: &Element) -> Person {
    Person {
        name: text_of(mailbox, "Name"),
        address: text_of(mailbox, "EmailAddress"),
    }
}

/// The same, the other way: an address without `@` is one of the directory.
pub(super) fn write_person(person: &Person, w: &mut Writer) {
    w.open("t:Mailbox", &[]);
    text(w, "t:Name", &person.name);
    text(w, "t:EmailAddress", &person.address);
    if !person.address.is_empty() {
        let kind = if person.address.contains('@') {
            "SMTP"
        } else {
            "EX"
        };
        w.leaf("t:RoutingType", kind);
    }
    w.close();
}

/// GetItem, answered so. The request is [`GetItem`](super::get_item::GetItem) with [`Shape::typed`].
#[derive(Clone, Copy, Debug)]
pub struct GetTyped;

impl Operation for GetTyped {
    const NAME: &'static str = "GetItem";
    const RESPONSE: &'static str = "m:GetItemResponse";
    const MESSAGE: &'static str = "m:GetItemResponseMessage";
    type Payload = Shown;

    fn read_payload(message: &Element) -> Option<Shown> {
        Shown::read(message.m("Items")?.children.first()?)
    }

    fn write_payload(item: &Shown, w: &mut Writer) {
        w.open("m:Items", &[]);
        item.write(w);
        w.close();
    }

    fn write_nothing(w: &mut Writer) {
        w.empty("m:Items", &[]);
    }
}

#[cfg(test)]
#[path = "typed_item_tests.rs"]
mod tests;
