//! An item as listings show it. The element's name varies and says little; `t:ItemClass` is trusted.

use crate::base::id::ItemId;
use crate::base::item::{ItemClass, SearchKey, SourceHeader, Stamp, Version};
use crate::base::quantity::{Bytes, Moment};
use crate::wire::base64;
use crate::wire::ews::shape::{self, Shape, Tag};
use crate::wire::xml::{Element, Ns, Writer};

/// Seconds from 1601-01-01 (FILETIME) to 1970-01-01 (Unix).
const FILETIME_TO_UNIX_SECS: i64 = 11_644_473_600;

/// An item of a reply; what the reply does not say is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemEntry {
    /// Its id.
    pub id: ItemId,
    /// Its version.
    pub change_key: Option<String>,
    /// Its message class.
    pub class: Option<ItemClass>,
    /// Its size.
    pub size: Option<Bytes>,
    /// When it was received; the sentinel years 1601 and 4501 count as none.
    pub received: Option<Moment>,
    /// Whether it is read; only message-like items say so.
    pub read: Option<bool>,
    /// Its Internet message id; only message-like items say so.
    pub message_id: Option<String>,
    /// PidTagInternetMessageId, the same for items of any element.
    pub message_id_tag: Option<String>,
    /// PidTagSearchKey.
    pub search_key: Option<SearchKey>,
    /// PidTagClientSubmitTime as FILETIME, whole seconds.
    pub submitted: Option<u64>,
    /// Properties that only other software asks for. Written, never read.
    pub more: Vec<(Tag, String)>,
}

impl ItemEntry {
    /// An item of which only the id is known.
    pub fn bare(id: ItemId) -> Self {
        Self {
            id,
            change_key: None,
            class: None,
            size: None,
            received: None,
            read: None,
            message_id: None,
            message_id_tag: None,
            search_key: None,
            submitted: None,
            more: Vec::new(),
        }
    }

    /// Reads an item element. Any element of the types namespace that bears an `ItemId` is one: newer servers have more names.
    pub fn read(e: &Element) -> Option<Self> {
        let id = e.t("ItemId").filter(|_| e.ns == Ns::Types)?;
        let mut entry = Self {
            change_key: id.attr("ChangeKey").map(str::to_owned),
            class: e.t("ItemClass").map(|c| ItemClass::new(c.text.trim())),
            size: e.t("Size").and_then(Element::number).map(Bytes::new),
            received: e.t("DateTimeReceived").and_then(|d| moment(&d.text)),
            read: e.t("IsRead").and_then(Element::boolean),
            message_id: e.t("InternetMessageId").map(|m| m.text.clone()),
            ..Self::bare(ItemId::new(id.attr("Id")?))
        };
        for property in &e.children {
            if property.is(Ns::Types, "ExtendedProperty")
                && let Some((id, values)) = shape::extended(property)
                && let Some(value) = values.first()
            {
                if id == Tag::SEARCH_KEY.id {
                    entry.search_key = base64::decode(value).ok().and_then(SearchKey::new);
                } else if id == Tag::MESSAGE_ID.id {
                    entry.message_id_tag = Some((*value).to_owned());
                } else if id == Tag::SUBMITTED.id {
                    entry.submitted = moment(value).and_then(filetime);
                }
            }
        }
        Some(entry)
    }

    /// The header the product works with.
    pub fn into_header(self) -> SourceHeader {
        let class = self.class.unwrap_or_default();
        let stamp = Stamp::of(
            self.search_key.as_ref(),
            // Listings cut properties at 255 characters, so the element's word comes first.
            self.message_id
                .as_deref()
                .or(self.message_id_tag.as_deref()),
            &class,
            self.submitted,
        );
        SourceHeader {
            id: self.id,
            stamp,
            class,
            size: self.size.unwrap_or(Bytes::ZERO),
            read: self.read,
            received: self.received,
            version: self.change_key.as_deref().map(Version::of),
        }
    }

    /// The same item with only what `shape` asks for and its element can say.
    #[must_use]
    pub fn shaped(self, shape: &Shape) -> Self {
        let element = self.element();
        let message_like = !matches!(
            element,
            "t:Item" | "t:CalendarItem" | "t:Contact" | "t:DistributionList" | "t:Task"
        );
        let message = |field: &str| message_like && shape.wants(field);
        Self {
            id: self.id,
            change_key: self.change_key,
            class: self.class.filter(|_| shape.wants("item:ItemClass")),
            size: self.size.filter(|_| shape.wants("item:Size")),
            received: self
                .received
                .filter(|_| shape.wants("item:DateTimeReceived")),
            read: self.read.filter(|_| message("message:IsRead")),
            message_id: self
                .message_id
                .filter(|_| message("message:InternetMessageId")),
            message_id_tag: self
                .message_id_tag
                .filter(|_| shape.wants_tag(Tag::MESSAGE_ID)),
            search_key: self.search_key.filter(|_| shape.wants_tag(Tag::SEARCH_KEY)),
            submitted: self.submitted.filter(|_| shape.wants_tag(Tag::SUBMITTED)),
            more: shape.wanted(self.more),
        }
    }

    /// The element Exchange chooses for the class.
    fn element(&self) -> &'static str {
        let Some(class) = &self.class else {
            // Without a class, what only messages say decides.
            let message = self.read.is_some() || self.message_id.is_some();
            return if message { "t:Message" } else { "t:Item" };
        };
        let families = [
            ("IPM.Schedule.Meeting.Request", "t:MeetingRequest"),
            ("IPM.Schedule.Meeting.Resp", "t:MeetingResponse"),
            ("IPM.Schedule.Meeting.Canceled", "t:MeetingCancellation"),
            ("IPM.Schedule.Meeting", "t:MeetingMessage"),
            ("IPM.Appointment", "t:CalendarItem"),
            ("IPM.Contact", "t:Contact"),
            ("IPM.DistList", "t:DistributionList"),
            ("IPM.Task", "t:Task"),
            ("IPM.Post", "t:PostItem"),
            ("IPM.Note", "t:Message"),
            ("REPORT", "t:Message"),
        ];
        families
            .iter()
            .find(|(family, _)| class.is_a(family))
            .map_or("t:Item", |(_, element)| *element)
    }

    /// Writes the item in the order of the schema. Give it shaped: contacts and the like have no read flag.
    pub fn write(&self, w: &mut Writer) {
        w.open(self.element(), &[]);
        match &self.change_key {
            Some(key) => w.empty("t:ItemId", &[("Id", self.id.as_str()), ("ChangeKey", key)]),
            None => w.empty("t:ItemId", &[("Id", self.id.as_str())]),
        }
        if let Some(class) = &self.class {
            w.leaf("t:ItemClass", class.as_str());
        }
        if let Some(received) = self.received {
            w.leaf("t:DateTimeReceived", &received.to_string());
        }
        if let Some(size) = self.size {
            // xs:int (reference/ews.md section 6, 9).
            let size = size.get().min(i32::MAX.unsigned_abs().into());
            w.leaf("t:Size", &size.to_string());
        }
        if let Some(key) = &self.search_key {
            shape::write_extended(Tag::SEARCH_KEY, &base64::encode(key.as_bytes()), w);
        }
        if let Some(message_id) = &self.message_id_tag {
            shape::write_extended(Tag::MESSAGE_ID, message_id, w);
        }
        if let Some(at) = self.submitted.and_then(from_filetime) {
            shape::write_extended(Tag::SUBMITTED, &at.to_string(), w);
        }
        for (tag, text) in &self.more {
            shape::write_extended(*tag, text, w);
        }
        if let Some(message_id) = &self.message_id {
            w.leaf("t:InternetMessageId", message_id);
        }
        if let Some(read) = self.read {
            w.leaf("t:IsRead", if read { "true" } else { "false" });
        }
        w.close();
    }
}

/// Reads every item among the children of `e`.
pub fn read_all(e: Option<&Element>) -> Vec<ItemEntry> {
    e.map(|e| e.children.iter().filter_map(ItemEntry::read).collect())
        .unwrap_or_default()
}

/// An xs:dateTime; one without zone is UTC. Exchange's words for "none", the years 1601 and 4501, are none.
pub(super) fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    let at: jiff::Timestamp = text.parse().or_else(|_| format!("{text}Z").parse()).ok()?;
    some_moment(Moment::from_unix_ms(at.as_millisecond()))
}

/// A date, unless it is one of those that mean none.
pub fn some_moment(at: Moment) -> Option<Moment> {
    let (none_before, none_after) = (-11_600_000_000_000, 79_800_000_000_000);
    (none_before..none_after)
        .contains(&at.unix_ms())
        .then_some(at)
}

fn filetime(at: Moment) -> Option<u64> {
    let secs = at.unix_ms().div_euclid(1000) + FILETIME_TO_UNIX_SECS;
    u64::try_from(secs).ok()?.checked_mul(10_000_000)
}

fn from_filetime(filetime: u64) -> Option<Moment> {
    let secs = i64::try_from(filetime / 10_000_000).ok()? - FILETIME_TO_UNIX_SECS;
    Some(Moment::from_unix_ms(secs.checked_mul(1000)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml::{self, Manner, NS_TYPES};

    fn round_trip(entry: &ItemEntry) -> (String, ItemEntry) {
        let mut w = Writer::document();
        w.open("t:x", &[("xmlns:t", NS_TYPES)]);
        entry.write(&mut w);
        let doc = xml::read(w.finish().as_bytes(), Manner::Tolerant).expect("well-formed");
        let item = &doc.root.children[0];
        (item.name.clone(), ItemEntry::read(item).expect("an item"))
    }

    fn full(class: &str) -> ItemEntry {
        ItemEntry {
            change_key: Some("CQAAAA==".to_owned()),
            class: Some(ItemClass::new(class)),
            size: Some(Bytes::new(4321)),
            received: Some(Moment::from_unix_ms(1_462_442_400_000)),
            read: Some(true),
            message_id: Some("<a&b@c.example>".to_owned()),
            message_id_tag: Some("<a&b@c.example>".to_owned()),
            search_key: SearchKey::new([7; 16]),
            submitted: Some(131_069_160_000_000_000),
            ..ItemEntry::bare(ItemId::new("AAMk+/a="))
        }
    }

    #[test]
    fn an_item_survives_writing_and_reading() {
        assert_eq!(
            round_trip(&full("IPM.Note")),
            ("Message".to_owned(), full("IPM.Note"))
        );
        let contact = full("IPM.Contact").shaped(&Shape::items());
        assert_eq!((contact.read, contact.message_id.as_ref()), (None, None));
        assert_eq!(
            round_trip(&contact),
            ("Contact".to_owned(), contact.clone())
        );
        for (class, element) in [
            ("IPM.Schedule.Meeting.Resp.Pos", "MeetingResponse"),
            (
                "IPM.Schedule.Meeting.Notification.Forward",
                "MeetingMessage",
            ),
            ("IPM.StickyNote", "Item"),
            ("IPM.Post.RSS", "PostItem"),
            ("REPORT.IPM.Note.NDR", "Message"),
        ] {
            assert_eq!(round_trip(&full(class)).0, element, "{class}");
        }
    }

    #[test]
    fn dates_are_read_in_every_form_exchange_writes() {
        let ms = |text: &str| moment(text).map(Moment::unix_ms);
        assert_eq!(ms("2016-05-05T10:00:00Z"), Some(1_462_442_400_000));
        assert_eq!(ms(" 2016-05-05T10:00:00 "), Some(1_462_442_400_000));
        assert_eq!(ms("2016-05-05T12:00:00.250+02:00"), Some(1_462_442_400_250));
        assert_eq!(ms("4501-01-01T00:00:00Z"), None);
        assert_eq!(ms("1601-01-01T00:00:00Z"), None);
        assert_eq!(ms("yesterday"), None);
    }

    #[test]
    fn an_item_without_search_key_gets_the_fallback_stamp() {
        let mut entry = full("IPM.Note");
        assert!(matches!(entry.clone().into_header().stamp, Stamp::Key(_)));
        entry.search_key = None;
        let want = Stamp::fallback(
            Some("<a&b@c.example>"),
            &ItemClass::new("IPM.Note"),
            Some(131_069_160_000_000_000),
        );
        assert_eq!(entry.clone().into_header().stamp, want);
        // An item whose element has no message id says it by property.
        entry.message_id = None;
        assert_eq!(entry.into_header().stamp, want);
    }
}
