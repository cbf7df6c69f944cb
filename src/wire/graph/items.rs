//! Items of a folder, with the properties that identify them (reference/graph.md 1.5).

use serde::{Deserialize, Serialize};

use crate::base::id::{ChangeKey, TargetItemId};
use crate::base::item::{ItemClass, Placed, SearchKey, Stamp, TargetHeader};
use crate::base::losses::Family;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Bytes;
use crate::base::route::Route;
use crate::wire::graph::json;
use crate::wire::graph::property::{self, Property, PropertyId};
use crate::wire::graph::provenance::{self, Home};

/// `mailboxItem`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MailboxItem {
    /// Id. Always there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_key: Option<String>,
    /// Message class.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// When the store took it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_date_time: Option<String>,
    /// Size as the store counts it.
    #[serde(deserialize_with = "json::lax_u64")]
    pub size: u64,
    /// The expanded properties that exist on this item.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub single_value_extended_properties: Vec<Property>,
}

/// One page of items.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemPage {
    /// The items, of all classes.
    pub value: Vec<MailboxItem>,
    /// Where the next page is; followed verbatim.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}

impl MailboxItem {
    /// Id and version. Both must be there.
    pub fn placed(&self, status: u16) -> Result<Placed, Setback> {
        placed(self.id.as_deref(), self.change_key.as_deref(), status)
    }

    /// An item as the Mail, Calendar and Contacts APIs list it: what are no fields there stands among the expanded properties, and the class of one
    /// that tells none is its family's.
    #[must_use]
    pub fn with_fields(mut self, family: Family) -> Self {
        let value = |id| property::value_of(&self.single_value_extended_properties, id);
        let class = value(PropertyId::CLASS).map_or_else(|| plain_class(family), str::to_owned);
        let size = value(PropertyId::SIZE).and_then(|text| text.parse().ok());
        self.class = Some(class);
        self.size = size.unwrap_or(self.size);
        self
    }

    /// The item in the words of the seam. Where it bears our mark for this mailbox, the mark says whose copy it is: the service gives a search key
    /// of its own to what is created by its class.
    pub fn into_header(self, status: u16, home: Home) -> Result<TargetHeader, Setback> {
        let placed = self.placed(status)?;
        let value = |id| property::value_of(&self.single_value_extended_properties, id);
        let key = match value(PropertyId::SEARCH_KEY) {
            None => None,
            Some(text) => {
                let bytes = crate::wire::base64::decode(text)
                    .map_err(|_| Setback::Misread(MisreadCause::Malformed, Said::status(status)))?;
                SearchKey::new(bytes)
            }
        };
        let class = ItemClass::new(self.class.clone().unwrap_or_default());
        let submitted = value(PropertyId::SUBMITTED).and_then(property::filetime);
        let fallback = Stamp::fallback(value(PropertyId::MESSAGE_ID), &class, submitted);
        // What is not whole is a copy of nothing, whatever else it bears.
        let (key, fallback) =
            match provenance::unfinished_of(&self.single_value_extended_properties) {
                Some(_) => (None, Stamp::of_nothing(placed.item.as_str())),
                None => (key, fallback),
            };
        let mark = provenance::of(&self.single_value_extended_properties);
        let (key, fallback, route) = match mark.filter(|mark| mark.home == home) {
            None => (key, fallback, Route::Stream),
            Some(mark) => match mark.stamp {
                Stamp::Key(key) => (Some(key), fallback, Route::Typed),
                Stamp::Fallback(hash) => (None, Stamp::Fallback(hash), Route::Typed),
            },
        };
        Ok(TargetHeader {
            placed,
            key,
            fallback,
            class,
            size: Bytes::new(self.size),
            created: self.created_date_time.as_deref().and_then(property::moment),
            route,
        })
    }
}

fn plain_class(family: Family) -> String {
    match family {
        Family::Message => "IPM.Note",
        Family::Event => "IPM.Appointment",
        Family::Contact => "IPM.Contact",
    }
    .to_owned()
}

/// An item's place from the two texts that name it; neither may be missing or empty.
pub(super) fn placed(
    id: Option<&str>,
    change_key: Option<&str>,
    status: u16,
) -> Result<Placed, Setback> {
    match (id, change_key) {
        (Some(id), Some(version)) if !id.is_empty() && !version.is_empty() => Ok(Placed {
            item: TargetItemId::new(id),
            change_key: ChangeKey::new(version),
        }),
        _ => Err(Setback::Misread(
            MisreadCause::Incomplete,
            Said::status(status),
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::id::TargetMailboxId;

    fn item(body: &str) -> Result<TargetHeader, Setback> {
        let home = Home::of(&TargetMailboxId::new("MBX:1@2"));
        json::read::<MailboxItem>(200, body.as_bytes())?.into_header(200, home)
    }

    fn marked(mark: &str) -> TargetHeader {
        let id = provenance::SOURCE;
        let body = format!(
            r#"{{"id":"a","changeKey":"b","type":"IPM.Note","singleValueExtendedProperties":[
            {{"id":"Binary 0x300B","value":"AQID"}},{{"id":"{id}","value":"{mark}"}}]}}"#
        );
        item(&body).unwrap()
    }

    #[test]
    fn our_mark_says_whose_copy_it_is_in_its_own_mailbox_only() {
        let own = marked("k:0f@41928d6fc0c33ec7");
        assert_eq!((own.key, own.route), (SearchKey::new([15]), Route::Typed));
        let own = marked(&format!("f:{}@41928d6fc0c33ec7", "07".repeat(16)));
        assert_eq!((own.key, own.fallback), (None, Stamp::Fallback([7; 16])));
        for other in ["k:0f@41928d6fc0c33ec8", "k:0f", "anything"] {
            let other = marked(other);
            assert_eq!(other.key, SearchKey::new([1, 2, 3]), "{other:?}");
            assert_eq!(other.route, Route::Stream);
        }
    }

    #[test]
    fn what_is_not_whole_is_a_copy_of_nothing() {
        let id = provenance::UNFINISHED;
        let of = |mark: &str| {
            let body = format!(
                r#"{{"id":"a","changeKey":"b","type":"IPM.Appointment","singleValueExtendedProperties":[
                {{"id":"Binary 0x300B","value":"AQID"}},{{"id":"{id}","value":"{mark}"}}]}}"#
            );
            item(&body).unwrap()
        };
        let like_any = Stamp::fallback(None, &ItemClass::new("IPM.Appointment"), None);
        let begun = of("k:0f@41928d6fc0c33ec7");
        assert_eq!((&begun.key, begun.route), (&None, Route::Stream));
        assert!(!begun.bears(&like_any));
        // One that was completed bears an empty one.
        assert!(of("").bears(&like_any));
    }

    #[test]
    fn the_identifying_properties_are_found_whatever_their_zeros() {
        let header = item(
            r#"{"id":"AAMk=","changeKey":"CQ","type":"IPM.Note","size":"95000","createdDateTime":"2026-11-23T20:00:00Z","singleValueExtendedProperties":[
            {"id":"SystemTime 0x39","value":"2020-01-02T03:04:05Z"},{"id":"String 0x1035","value":"<a@b>"},
            {"id":"Binary 0x300B","value":"AQID"}]}"#,
        )
        .unwrap();
        assert_eq!(header.key, SearchKey::new([1, 2, 3]));
        assert_eq!(header.size, Bytes::new(95_000));
        assert_eq!(
            header.created.map(|at| at.to_string()).as_deref(),
            Some("2026-11-23T20:00:00Z")
        );
        let submitted = property::filetime("2020-01-02T03:04:05Z");
        let class = ItemClass::new("IPM.Note");
        assert_eq!(
            header.fallback,
            Stamp::fallback(Some("<a@b>"), &class, submitted)
        );
    }

    #[test]
    fn an_item_without_identity_is_not_understood() {
        for (body, why) in [
            ("{}", MisreadCause::Incomplete),
            (r#"{"id":"a"}"#, MisreadCause::Incomplete),
            (r#"{"id":"a","changeKey":""}"#, MisreadCause::Incomplete),
            (
                r#"{"id":"a","changeKey":"b","singleValueExtendedProperties":[{"id":"Binary 0x300B","value":"?"}]}"#,
                MisreadCause::Malformed,
            ),
        ] {
            let said = Said::status(200);
            assert_eq!(item(body), Err(Setback::Misread(why, said)), "{body}");
        }
    }

    proptest! {
        #[test]
        fn items_survive_their_json(id in ".{1,20}", size: u32, class in ".*", value in ".*") {
            let item = MailboxItem {
                id: Some(id),
                change_key: Some("k".to_owned()),
                class: Some(class),
                created_date_time: None,
                size: u64::from(size),
                single_value_extended_properties: vec![Property {
                    id: PropertyId::MESSAGE_ID.as_replied(),
                    value: Some(value),
                }],
            };
            let page = ItemPage { value: vec![item], next_link: None };
            prop_assert_eq!(json::read::<ItemPage>(200, &json::write(&page)), Ok(page));
        }
    }
}
