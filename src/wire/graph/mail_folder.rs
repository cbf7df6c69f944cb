//! Folders as the Mail API has them, for the hidden one in which messages are made that need several calls (reference/graph.md 2.6).

use crate::base::mailbox::UNFINISHED_FOLDER;
use serde::{Deserialize, Serialize};
use serde_json::json as value;

use crate::base::item::Placed;
use crate::base::limits::TARGET_PAGE;
use crate::base::outcome::Setback;
use crate::wire::graph::property::{self, Property};
use crate::wire::graph::provenance::Home;
use crate::wire::graph::query::{ListQuery, Sought};
use crate::wire::graph::{items, json, provenance};

/// `mailFolder`, as far as we read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MailFolder {
    /// Id.
    pub id: Option<String>,
    /// Name.
    pub display_name: Option<String>,
    /// Whether users do not see it.
    pub is_hidden: Option<bool>,
}

/// One page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailFolderPage {
    /// The folders.
    pub value: Vec<MailFolder>,
    /// Where the next page is; followed verbatim.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}

/// The query that lists folders, hidden ones too.
pub fn folders_query() -> String {
    let query = ListQuery {
        select: ["id", "displayName", "isHidden"]
            .map(str::to_owned)
            .to_vec(),
        top: Some(TARGET_PAGE),
        hidden: true,
        ..ListQuery::default()
    };
    query.encode()
}

/// The request that makes our hidden folder. It can be hidden only now.
pub fn make_body() -> Vec<u8> {
    hidden_body(UNFINISHED_FOLDER)
}

/// The request that makes a hidden folder of this name.
pub fn hidden_body(name: &str) -> Vec<u8> {
    json::write(&value!({ "displayName": name, "isHidden": true }))
}

/// The request that moves a message into a folder.
pub fn move_body(folder: &str) -> Vec<u8> {
    json::write(&value!({ "destinationId": folder }))
}

impl MailFolder {
    /// True for our hidden folder.
    pub fn is_ours(&self) -> bool {
        self.display_name.as_deref() == Some(UNFINISHED_FOLDER)
    }
}

/// A message of a listing: who it is, which version, and whose copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MarkedMessage {
    /// Id.
    pub id: Option<String>,
    /// Version.
    pub change_key: Option<String>,
    /// Our mark, where it bears one.
    pub single_value_extended_properties: Vec<Property>,
}

impl MarkedMessage {
    /// Id and version. Both must be there.
    pub fn placed(&self, status: u16) -> Result<Placed, Setback> {
        items::placed(self.id.as_deref(), self.change_key.as_deref(), status)
    }

    /// Whether it bears our mark of the unfinished, for this mailbox. One that was completed bears an empty one.
    pub fn is_unfinished(&self, home: &Home) -> bool {
        let mark = provenance::unfinished_of(&self.single_value_extended_properties);
        mark.is_some_and(|mark| mark.home == *home)
    }

    /// Our mark, as it stands there.
    pub fn mark(&self) -> Option<&str> {
        property::named_value_of(&self.single_value_extended_properties, &provenance::SOURCE)
    }
}

/// One page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkedPage {
    /// The messages.
    pub value: Vec<MarkedMessage>,
    /// Where the next page is; followed verbatim.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}

/// The query that lists messages with our mark.
pub fn marks_query() -> String {
    let query = ListQuery {
        select: ["id", "changeKey"].map(str::to_owned).to_vec(),
        named: vec![provenance::SOURCE],
        top: Some(TARGET_PAGE),
        ..ListQuery::default()
    };
    query.encode()
}

/// The query that lists events or contacts of a folder that bear our mark of the unfinished for this mailbox, with that mark: a filter by a
/// part of a text is documented (reference/graph.md section 5), and the mark is read all the same.
pub fn unfinished_query(home: &Home) -> String {
    let query = ListQuery {
        select: ["id", "changeKey"].map(str::to_owned).to_vec(),
        named: vec![provenance::UNFINISHED],
        top: Some(TARGET_PAGE),
        bearing: Some((
            provenance::UNFINISHED,
            Sought::Has(provenance::home_text(home)),
        )),
        ..ListQuery::default()
    };
    query.encode()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::TargetMailboxId;
    use crate::wire::graph::escape;

    #[test]
    fn requests_are_spelt_as_documented() {
        assert_eq!(
            String::from_utf8(make_body()).unwrap(),
            r#"{"displayName":"mailferry unfinished","isHidden":true}"#
        );
        assert_eq!(
            String::from_utf8(move_body("AAMk=")).unwrap(),
            r#"{"destinationId":"AAMk="}"#
        );
        assert_eq!(
            escape::decode_form(&folders_query()).unwrap(),
            "$top=250&$select=id,displayName,isHidden&includeHiddenFolders=true"
        );
        let marks = escape::decode_form(&marks_query()).unwrap();
        assert!(marks.contains("$expand=singleValueExtendedProperties($filter=id eq 'String {"));
        let home = Home::of(&TargetMailboxId::new("MBX:1@2"));
        assert_eq!(
            escape::decode_form(&unfinished_query(&home)).unwrap(),
            "$top=250&$select=id,changeKey&$expand=singleValueExtendedProperties(\
             $filter=id eq 'String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name mailferry-unfinished')\
             &$filter=singleValueExtendedProperties/Any(ep: ep/id eq \
             'String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name mailferry-unfinished' and contains(ep/value, '@41928d6fc0c33ec7'))"
        );
    }

    #[test]
    fn only_what_bears_the_mark_of_the_unfinished_for_this_mailbox_is_unfinished() {
        let home = Home::of(&TargetMailboxId::new("MBX:1@2"));
        let of = |id: &property::NamedId, value: &str| MarkedMessage {
            single_value_extended_properties: vec![Property::named(id, value)],
            ..MarkedMessage::default()
        };
        let is = |id, value| of(&id, value).is_unfinished(&home);
        let (unfinished, source) = (provenance::UNFINISHED, provenance::SOURCE);
        assert!(is(unfinished.clone(), "k:0fa0@41928d6fc0c33ec7"));
        for other in [
            "k:0fa0@41928d6fc0c33ec8",
            "",
            "x:0fa0@41928d6fc0c33ec7",
            "@41928d6fc0c33ec7",
        ] {
            assert!(!is(unfinished.clone(), other), "{other}");
        }
        assert!(!is(source, "k:0fa0@41928d6fc0c33ec7"));
        assert!(!MarkedMessage::default().is_unfinished(&home));
    }

    #[test]
    fn only_the_folder_of_our_name_is_ours() {
        let page = r#"{"value":[{"id":"a","displayName":"Mailferry unfinished","isHidden":true},
            {"id":"b","displayName":"mailferry unfinished","isHidden":true,"parentFolderId":"x"}]}"#;
        let page: MailFolderPage = json::read(200, page.as_bytes()).unwrap();
        let ours: Vec<bool> = page.value.iter().map(MailFolder::is_ours).collect();
        assert_eq!(ours, [false, true]);
    }
}
