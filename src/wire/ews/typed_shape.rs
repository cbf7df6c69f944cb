//! What is asked of an item to read it as its class knows it (reference/ews.md section 1, GetItem). Receipts, votes and retention are not among it.

use crate::base::losses::Family;
use crate::wire::ews::shape::{BaseShape, Path, Shape, Tag};
use crate::wire::ews::{typed_contact, typed_event};

/// Of every item.
const COMMON: [&str; 9] = [
    "item:ItemClass",
    "item:Subject",
    "item:Sensitivity",
    "item:Body",
    "item:Categories",
    "item:Importance",
    "item:DateTimeCreated",
    "item:LastModifiedTime",
    "item:Attachments",
];

const MESSAGE: [&str; 11] = [
    "item:InReplyTo",
    "item:Flag",
    "message:InternetMessageId",
    "message:ConversationIndex",
    "message:References",
    "message:From",
    "message:Sender",
    "message:ToRecipients",
    "message:CcRecipients",
    "message:BccRecipients",
    "message:ReplyTo",
];

/// What a server may refuse beside the text in one call (reference/ews.md section 1, GetItem, a single report).
const HEAVY: [&str; 11] = [
    "item:Attachments",
    "message:From",
    "message:Sender",
    "message:ToRecipients",
    "message:CcRecipients",
    "message:BccRecipients",
    "message:ReplyTo",
    "calendar:Organizer",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:Resources",
];

impl Shape {
    /// Everything of a family, in one call.
    pub fn typed(family: Family) -> Self {
        let (own, tags): (&[&str], &[Tag]) = match family {
            Family::Message => (
                &MESSAGE,
                &[
                    Tag::SEARCH_KEY,
                    Tag::FLAGS,
                    Tag::SUBMITTED,
                    Tag::DELIVERED,
                    Tag::HEADERS,
                ],
            ),
            Family::Event => (&typed_event::FIELDS, &[Tag::SEARCH_KEY]),
            Family::Contact => (&typed_contact::FIELDS, &[Tag::SEARCH_KEY]),
        };
        let fields: Vec<&str> = COMMON.iter().chain(own).copied().collect();
        Self {
            best: true,
            ..Self::of(&fields, tags)
        }
    }

    /// The same in two calls: the second asks for people and attachments.
    pub fn typed_parts(family: Family) -> [Self; 2] {
        let heavy = |path: &Path| match path {
            Path::Field(field) => HEAVY.contains(&field.as_str()),
            _ => false,
        };
        let whole = Self::typed(family);
        let (second, first) = whole.more.iter().cloned().partition(heavy);
        let part = |more| Self {
            more,
            ..whole.clone()
        };
        let mut second = part(second);
        // The class tells how to read the rest.
        let class = Path::Field("item:ItemClass".to_owned());
        second.more.insert(0, class);
        [part(first), second]
    }

    /// The MIME form of an item, and nothing else.
    pub fn mime() -> Self {
        Self {
            base: BaseShape::IdOnly,
            mime: true,
            ..Self::default()
        }
    }

    /// True when an item is asked for as its class knows it: the answer has a form of its own.
    pub const fn is_typed(&self) -> bool {
        self.best && !self.mime
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_calls_ask_for_what_one_asks() {
        for family in Family::ALL {
            let [mut first, second] = Shape::typed_parts(family);
            assert!(first.is_typed() && second.is_typed() && !Shape::mime().is_typed());
            assert!(second.more.len() > 1 && first.more.len() > second.more.len());
            first.more.extend(second.more.into_iter().skip(1));
            let mut whole = Shape::typed(family);
            let key = |path: &Path| format!("{path:?}");
            first.more.sort_by_key(key);
            whole.more.sort_by_key(key);
            assert_eq!(first, whole);
        }
    }
}
