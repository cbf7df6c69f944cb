//! Folders: listed, and made (reference/graph.md 1.4).

use serde::{Deserialize, Serialize};

use crate::base::id::TargetFolderId;
use crate::base::mailbox::{FolderRole, TargetFolder};
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Count;
use crate::wire::graph::json;
use crate::wire::graph::property::PropertyId;

/// `mailboxFolder`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MailboxFolder {
    /// Id. Always there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_folder_id: Option<String>,
    /// Folders directly inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child_folder_count: Option<i64>,
    /// Items of all classes directly inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_item_count: Option<i64>,
    /// Folder class.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Well-known name; null for folders of the user.
    pub well_known_name: Option<String>,
}

/// One page of folders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderPage {
    /// The folders.
    pub value: Vec<MailboxFolder>,
    /// Where the next page is; followed verbatim.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}

/// The body that makes a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewFolder {
    /// Name, byte for byte the source's.
    pub display_name: String,
    /// Class, e.g. `IPF.Note`. Cannot be changed later.
    #[serde(rename = "type")]
    pub class: String,
    /// Extended properties the folder is born with.
    #[serde(
        rename = "singleValueExtendedProperties",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub extended: Vec<NewProperty>,
}

/// An extended property of a new folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProperty {
    /// E.g. `Boolean 0x10F4`.
    pub id: String,
    /// Its value as text.
    pub value: String,
}

impl NewFolder {
    /// PidTagAttributeHidden, which keeps a folder out of sight of Outlook and its users (reference/graph.md 1.4).
    pub fn hidden() -> NewProperty {
        NewProperty {
            id: PropertyId::HIDDEN.to_string(),
            value: "true".to_owned(),
        }
    }

    /// True for a folder that is born hidden.
    pub fn is_hidden(&self) -> bool {
        self.extended.iter().any(|own| {
            own.value == "true" && PropertyId::parse(&own.id) == Some(PropertyId::HIDDEN)
        })
    }
}

/// The body that renames a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewName {
    /// Name, byte for byte the source's.
    pub display_name: String,
}

/// The role of Graph's well-known name. Names are compared without regard to case.
pub fn role_of(well_known: &str) -> Option<FolderRole> {
    FolderRole::ALL.iter().copied().find(|role| {
        role.graph_name()
            .is_some_and(|name| name.eq_ignore_ascii_case(well_known))
    })
}

impl MailboxFolder {
    /// Reads one folder, as a GET or a successful POST answers it.
    pub fn read(status: u16, body: &[u8]) -> Result<TargetFolder, Setback> {
        json::read::<Self>(status, body)?.into_target(status)
    }

    /// The folder in the words of the seam. Id and name must be there.
    pub fn into_target(self, status: u16) -> Result<TargetFolder, Setback> {
        let missing = || Setback::Misread(MisreadCause::Incomplete, Said::status(status));
        let id = self.id.filter(|id| !id.is_empty()).ok_or_else(missing)?;
        let count = self.total_item_count.unwrap_or(0);
        Ok(TargetFolder {
            id: TargetFolderId::new(id),
            parent: self.parent_folder_id.map(TargetFolderId::new),
            name: self.display_name.ok_or_else(missing)?,
            class: self.class.unwrap_or_default(),
            role: self.well_known_name.as_deref().and_then(role_of),
            items: Count::new(u64::try_from(count).unwrap_or(0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn roles_are_read_from_well_known_names() {
        let body = br#"{"@odata.context":"x","id":"AAMk=","displayName":"Posteingang","parentFolderId":"AAMj=",
            "childFolderCount":2,"totalItemCount":17,"type":"IPF.Note","wellKnownName":"Inbox","parentMailboxUrl":"u"}"#;
        let folder = MailboxFolder::read(200, body).unwrap();
        assert_eq!(folder.role, Some(FolderRole::Inbox));
        assert_eq!(folder.name, "Posteingang");
        assert_eq!(folder.items, Count::new(17));
        assert_eq!(role_of("archive"), None);
    }

    #[test]
    fn a_folder_without_id_or_name_is_not_understood() {
        for body in [
            r#"{"id":"a"}"#,
            r#"{"displayName":"a"}"#,
            r#"{"id":"","displayName":"a"}"#,
        ] {
            assert!(
                matches!(
                    MailboxFolder::read(200, body.as_bytes()),
                    Err(Setback::Misread(MisreadCause::Incomplete, _))
                ),
                "{body}"
            );
        }
    }

    #[test]
    fn a_page_without_its_list_is_not_an_empty_page() {
        let page = json::read::<FolderPage>(200, b"{}");
        assert!(matches!(
            page,
            Err(Setback::Misread(MisreadCause::Incomplete, _))
        ));
    }

    proptest! {
        #[test]
        fn folders_survive_their_json(id in ".{1,20}", name in ".*", items in 0i64..1000, class in ".*") {
            let folder = MailboxFolder {
                id: Some(id),
                display_name: Some(name),
                total_item_count: Some(items),
                class: Some(class),
                ..MailboxFolder::default()
            };
            let page = FolderPage { value: vec![folder], next_link: Some("https://x/?$skip=1".to_owned()) };
            prop_assert_eq!(json::read::<FolderPage>(200, &json::write(&page)), Ok(page));
        }
    }
}
