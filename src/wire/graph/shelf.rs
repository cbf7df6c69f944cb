//! Folders where there is no mailbox import, as in national clouds (reference/graph.md 1.1): the Mail, Calendar and Contacts APIs each know folders of
//! their own kind, calendars without any order among them (2.4). Here they become one tree, with ids that say which API a folder belongs to.

use serde::{Deserialize, Serialize};
use serde_json::json as value;

use crate::base::id::TargetFolderId;
use crate::base::item::ItemClass;
use crate::base::limits::TARGET_PAGE;
use crate::base::losses::Family;
use crate::base::mailbox::{FolderRole, TargetFolder};
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Count;
use crate::wire::graph::json;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::query::ListQuery;

/// The root of the user's tree, by the name that the Mail API takes for its id.
pub const ROOT: &str = "msgfolderroot";

/// The user's own contacts folder, by the name that the Contacts API may take for its id. No document promises it.
pub const OWN_CONTACTS: &str = "contacts";

/// A folder of one of the three APIs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// Of the Mail API, by id or well-known name.
    Mail(String),
    /// A calendar.
    Calendar(String),
    /// A contact folder.
    Contacts(String),
    /// The user's own contacts folder, where nobody told its id.
    OwnContacts,
}

impl Shelf {
    /// The id under which the tree has it.
    pub fn id(&self) -> TargetFolderId {
        TargetFolderId::new(match self {
            Self::Mail(id) => format!("mail:{id}"),
            Self::Calendar(id) => format!("calendar:{id}"),
            Self::Contacts(id) => format!("contacts:{id}"),
            Self::OwnContacts => "contacts:".to_owned(),
        })
    }

    /// The folder of such an id; `None` for any other.
    pub fn parse(id: &TargetFolderId) -> Option<Self> {
        let (kind, own) = id.as_str().split_once(':')?;
        Some(match kind {
            "contacts" if own.is_empty() => Self::OwnContacts,
            _ if own.is_empty() => return None,
            "mail" => Self::Mail(own.to_owned()),
            "calendar" => Self::Calendar(own.to_owned()),
            "contacts" => Self::Contacts(own.to_owned()),
            _ => return None,
        })
    }

    /// The same for a folder of either kind of tree: where there is mailbox import, its class says which API shows its items.
    pub fn of(id: &TargetFolderId, class: &str) -> Self {
        Self::parse(id).unwrap_or_else(|| {
            let own = id.as_str().to_owned();
            match kept_in(class) {
                Family::Event => Self::Calendar(own),
                Family::Contact => Self::Contacts(own),
                Family::Message => Self::Mail(own),
            }
        })
    }

    /// Its id or name in the paths of its API.
    pub fn own(&self) -> &str {
        match self {
            Self::Mail(id) | Self::Calendar(id) | Self::Contacts(id) => id,
            Self::OwnContacts => OWN_CONTACTS,
        }
    }

    /// What is kept there.
    pub const fn family(&self) -> Family {
        match self {
            Self::Mail(_) => Family::Message,
            Self::Calendar(_) => Family::Event,
            Self::Contacts(_) | Self::OwnContacts => Family::Contact,
        }
    }

    /// Where its items are listed and made.
    pub fn items(&self) -> OfUser {
        match self {
            Self::Mail(folder) => OfUser::Messages {
                folder: folder.clone(),
            },
            Self::Calendar(calendar) => OfUser::Events {
                calendar: calendar.clone(),
            },
            Self::Contacts(folder) => OfUser::Contacts {
                folder: folder.clone(),
            },
            Self::OwnContacts => OfUser::OwnContacts,
        }
    }

    /// The folder itself; `None` where it has no id.
    pub fn folder(&self) -> Option<OfUser> {
        Some(match self {
            Self::Mail(folder) => OfUser::MailFolder {
                folder: folder.clone(),
            },
            Self::Calendar(calendar) => OfUser::Calendar {
                calendar: calendar.clone(),
            },
            Self::Contacts(folder) => OfUser::ContactFolder {
                folder: folder.clone(),
            },
            Self::OwnContacts => return None,
        })
    }

    /// Where a folder of this class goes that is wanted under this one: each kind has its own tree, and calendars lie side by side. With it the
    /// list in which it then is.
    pub fn place_of(&self, class: &str) -> (Self, OfUser) {
        match (kept_in(class), self) {
            (Family::Message, Self::Mail(folder)) if folder != ROOT => (
                self.clone(),
                OfUser::ChildMailFolders {
                    folder: folder.clone(),
                },
            ),
            (Family::Message, _) => (Self::Mail(ROOT.to_owned()), OfUser::MailFolders),
            (Family::Event, _) => (Self::Mail(ROOT.to_owned()), OfUser::Calendars),
            (Family::Contact, Self::Contacts(folder)) => (
                self.clone(),
                OfUser::ChildContactFolders {
                    folder: folder.clone(),
                },
            ),
            (Family::Contact, _) => (Self::OwnContacts, OfUser::ContactFolders),
        }
    }
}

/// An item of a family, by its id.
pub fn item_of(family: Family, id: &str) -> OfUser {
    let own = id.to_owned();
    match family {
        Family::Message => OfUser::Message { message: own },
        Family::Event => OfUser::Event { event: own },
        Family::Contact => OfUser::Contact { contact: own },
    }
}

/// What the service keeps in folders of this class.
pub fn kept_in(class: &str) -> Family {
    // A folder's class is written and compared as an item's is.
    let class = ItemClass::new(class);
    if class.is_a("IPF.Appointment") {
        Family::Event
    } else if class.is_a("IPF.Contact") {
        Family::Contact
    } else {
        Family::Message
    }
}

/// The class of a family's folders; the three APIs tell none.
pub const fn class_of(family: Family) -> &'static str {
    match family {
        Family::Message => "IPF.Note",
        Family::Event => "IPF.Appointment",
        Family::Contact => "IPF.Contact",
    }
}

/// A folder as any of the three APIs shows it, as far as we read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShelfFolder {
    /// What it is, where that is no plain folder: `#microsoft.graph.mailSearchFolder`.
    #[serde(rename = "@odata.type")]
    pub kind: Option<String>,
    /// Id.
    pub id: Option<String>,
    /// Name, of calendars.
    pub name: Option<String>,
    /// Name, of other folders.
    pub display_name: Option<String>,
    /// Parent.
    pub parent_folder_id: Option<String>,
    /// Folders directly inside; of mail folders.
    pub child_folder_count: Option<i64>,
    /// Items of all classes directly inside; of mail folders.
    pub total_item_count: Option<i64>,
    /// Whether it is the user's own calendar.
    pub is_default_calendar: Option<bool>,
    /// Whether we may write there; of calendars.
    pub can_edit: Option<bool>,
    /// Whose calendar it is.
    pub owner: Option<Owner>,
}

/// Whose calendar it is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// The address.
    pub address: Option<String>,
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Owner(…)")
    }
}

/// One page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShelfPage {
    /// The folders.
    pub value: Vec<ShelfFolder>,
    /// Where the next page is; followed verbatim.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}

impl ShelfFolder {
    /// Its id, which must be there.
    pub fn own_id(&self, status: u16) -> Result<String, Setback> {
        let id = self.id.clone().filter(|id| !id.is_empty());
        id.ok_or_else(|| missing(status))
    }

    /// The folder in the words of the seam, under a parent of the tree.
    pub fn into_target(
        self,
        status: u16,
        family: Family,
        parent: Option<&Shelf>,
    ) -> Result<TargetFolder, Setback> {
        let id = self.own_id(status)?;
        let place = match family {
            Family::Message => Shelf::Mail(id),
            Family::Event => Shelf::Calendar(id),
            Family::Contact => Shelf::Contacts(id),
        };
        let name = match family {
            Family::Event => self.name,
            Family::Message | Family::Contact => self.display_name,
        };
        let role = (self.is_default_calendar == Some(true)).then_some(FolderRole::Calendar);
        let count = u64::try_from(self.total_item_count.unwrap_or(0)).unwrap_or(0);
        Ok(TargetFolder {
            id: place.id(),
            parent: parent.map(Shelf::id),
            name: name.ok_or_else(|| missing(status))?,
            class: class_of(family).to_owned(),
            role: role.filter(|_| family == Family::Event),
            items: Count::new(count),
        })
    }

    /// True for a folder that only shows what lies elsewhere.
    pub fn is_search(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default();
        kind.ends_with("mailSearchFolder")
    }
}

fn missing(status: u16) -> Setback {
    Setback::Misread(MisreadCause::Incomplete, Said::status(status))
}

/// The calendars that are this user's own: a listing shows what others share with them as well, and nothing of ours may go there. Whose the default
/// calendar is, theirs are the others of the same owner; where the service names no owner, the right to write has to do.
pub fn own_calendars(all: Vec<ShelfFolder>) -> Vec<ShelfFolder> {
    let owner_of = |own: &ShelfFolder| {
        let address = own.owner.as_ref().and_then(|own| own.address.as_deref());
        address.map(str::to_lowercase)
    };
    let default = all
        .iter()
        .find(|own| own.is_default_calendar == Some(true))
        .and_then(owner_of);
    let is_own = |own: &ShelfFolder| {
        own.is_default_calendar == Some(true)
            || (own.can_edit != Some(false) && owner_of(own) == default)
    };
    all.into_iter().filter(is_own).collect()
}

/// The roles that the Mail API knows by name and a mailbox of the tree can have (reference/graph.md 2.6).
pub const MAIL_ROLES: [FolderRole; 7] = [
    FolderRole::Inbox,
    FolderRole::Drafts,
    FolderRole::SentItems,
    FolderRole::DeletedItems,
    FolderRole::JunkEmail,
    FolderRole::Outbox,
    FolderRole::ConversationHistory,
];

/// The query of one folder of a kind.
pub fn folder_query(family: Family) -> ListQuery {
    let fields: &[&str] = match family {
        Family::Message => &[
            "id",
            "displayName",
            "parentFolderId",
            "childFolderCount",
            "totalItemCount",
        ],
        Family::Event => &["id", "name", "isDefaultCalendar", "canEdit", "owner"],
        Family::Contact => &["id", "displayName", "parentFolderId"],
    };
    ListQuery::selecting(fields)
}

/// The query of a list of folders of a kind; of mail folders with the hidden ones.
pub fn folders_query(family: Family) -> ListQuery {
    ListQuery {
        top: Some(TARGET_PAGE),
        hidden: family == Family::Message,
        ..folder_query(family)
    }
}

/// The query that counts the items of a list.
pub fn count_query(top: Count) -> ListQuery {
    ListQuery {
        top: Some(top),
        count: true,
        ..ListQuery::selecting(&["id"])
    }
}

/// What a counted list says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Counted {
    /// How many, where the service says it.
    #[serde(rename = "@odata.count")]
    pub count: Option<u64>,
    /// Those of this page.
    pub value: Vec<serde_json::Value>,
    /// Where the next page is; followed verbatim.
    #[serde(rename = "@odata.nextLink")]
    pub next_link: Option<String>,
}

/// The body that makes or renames a folder of a kind.
pub fn name_body(family: Family, name: &str) -> Vec<u8> {
    json::write(&match family {
        Family::Event => value!({ "name": name }),
        Family::Message | Family::Contact => value!({ "displayName": name }),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::graph::escape;

    fn read(body: &str) -> ShelfPage {
        json::read(200, body.as_bytes()).unwrap()
    }

    #[test]
    fn folders_of_each_kind_become_folders_of_one_tree() {
        let top = Shelf::Mail(ROOT.to_owned());
        let page = read(
            r##"{"value":[{"id":"a","displayName":"Post","parentFolderId":"x","childFolderCount":2,"totalItemCount":7},
            {"@odata.type":"#microsoft.graph.mailSearchFolder","id":"b","displayName":"Ungelesen"}]}"##,
        );
        assert_eq!(
            page.value
                .iter()
                .map(ShelfFolder::is_search)
                .collect::<Vec<_>>(),
            [false, true]
        );
        let mail = page.value[0]
            .clone()
            .into_target(200, Family::Message, Some(&top));
        let mail = mail.unwrap();
        assert_eq!((mail.id.as_str(), mail.items), ("mail:a", Count::new(7)));
        assert_eq!(mail.parent, Some(top.id()));
        let page = read(
            r#"{"value":[{"id":"c","name":"Kalender","isDefaultCalendar":true,"canEdit":true,"owner":{"name":"N","address":"A@x.example"}}]}"#,
        );
        let calendar = page.value[0]
            .clone()
            .into_target(200, Family::Event, Some(&top));
        let calendar = calendar.unwrap();
        assert_eq!(calendar.role, Some(FolderRole::Calendar));
        assert_eq!(calendar.class, "IPF.Appointment");
        for (family, body) in [
            (Family::Event, r#"{"value":[{"id":"c","displayName":"x"}]}"#),
            (Family::Contact, r#"{"value":[{"id":"c","name":"x"}]}"#),
            (
                Family::Message,
                r#"{"value":[{"id":"","displayName":"x"}]}"#,
            ),
        ] {
            let folder = read(body).value[0].clone();
            assert_eq!(
                folder.into_target(200, family, None),
                Err(missing(200)),
                "{family:?}"
            );
        }
    }

    #[test]
    fn calendars_of_others_are_none_of_ours() {
        let calendar = |id: &str, default: bool, edit: bool, owner: Option<&str>| ShelfFolder {
            id: Some(id.to_owned()),
            is_default_calendar: Some(default),
            can_edit: Some(edit),
            owner: owner.map(|address| Owner {
                address: Some(address.to_owned()),
            }),
            ..ShelfFolder::default()
        };
        let ids = |all: Vec<ShelfFolder>| -> Vec<String> {
            own_calendars(all)
                .into_iter()
                .filter_map(|own| own.id)
                .collect()
        };
        let all = vec![
            calendar("mine", true, true, Some("Me@x.example")),
            calendar("team", false, true, Some("me@X.example")),
            calendar("shared", false, true, Some("you@x.example")),
            calendar("holidays", false, false, Some("me@x.example")),
            calendar("nobody's", false, true, None),
        ];
        assert_eq!(ids(all), ["mine", "team"]);
        let silent = vec![
            calendar("mine", true, true, None),
            calendar("team", false, true, None),
            calendar("shared", false, true, Some("you@x.example")),
        ];
        assert_eq!(ids(silent), ["mine", "team"]);
    }

    #[test]
    fn each_kind_has_its_own_tree() {
        let own = |shelf: Shelf, class: &str| {
            let (place, list) = shelf.place_of(class);
            format!("{} {}", place.id().as_str(), list.path())
        };
        let (root, mail) = (Shelf::Mail(ROOT.to_owned()), Shelf::Mail("m".to_owned()));
        let (calendar, people) = (
            Shelf::Calendar("c".to_owned()),
            Shelf::Contacts("p".to_owned()),
        );
        assert_eq!(
            own(root.clone(), "IPF.Note"),
            "mail:msgfolderroot mailFolders"
        );
        assert_eq!(own(mail.clone(), ""), "mail:m mailFolders/m/childFolders");
        assert_eq!(
            own(calendar.clone(), "IPF.Note"),
            "mail:msgfolderroot mailFolders"
        );
        for under in [root.clone(), mail.clone(), calendar.clone(), people.clone()] {
            assert_eq!(
                own(under, "IPF.Appointment"),
                "mail:msgfolderroot calendars"
            );
        }
        assert_eq!(
            own(people.clone(), "IPF.Contact"),
            "contacts:p contactFolders/p/childFolders"
        );
        for under in [root, mail, calendar, Shelf::OwnContacts] {
            assert_eq!(own(under, "IPF.Contact.X"), "contacts: contactFolders");
        }
    }

    #[test]
    fn an_id_of_mailbox_import_is_read_by_its_folders_class() {
        let id = TargetFolderId::new("AAMkAGQ0=");
        assert_eq!(Shelf::parse(&id), None);
        assert_eq!(
            Shelf::of(&id, "IPF.Appointment"),
            Shelf::Calendar("AAMkAGQ0=".to_owned())
        );
        assert_eq!(
            Shelf::of(&id, "IPF.Contact"),
            Shelf::Contacts("AAMkAGQ0=".to_owned())
        );
        assert_eq!(
            Shelf::of(&id, "IPF.Task"),
            Shelf::Mail("AAMkAGQ0=".to_owned())
        );
        for odd in ["mail:", "calendar:", "x:y", ":", ""] {
            assert_eq!(Shelf::parse(&TargetFolderId::new(odd)), None, "{odd}");
        }
    }

    #[test]
    fn requests_are_spelt_as_documented() {
        let spelt = |query: ListQuery| escape::decode_form(&query.encode()).unwrap();
        assert_eq!(
            spelt(count_query(Count::new(1))),
            "$top=1&$select=id&$count=true"
        );
        assert_eq!(
            spelt(folders_query(Family::Message)),
            "$top=250&$select=id,displayName,parentFolderId,childFolderCount,totalItemCount&includeHiddenFolders=true"
        );
        assert_eq!(
            spelt(folders_query(Family::Event)),
            "$top=250&$select=id,name,isDefaultCalendar,canEdit,owner"
        );
        assert_eq!(name_body(Family::Event, "a\"b"), br#"{"name":"a\"b"}"#);
        assert_eq!(name_body(Family::Contact, "a"), br#"{"displayName":"a"}"#);
    }

    proptest! {
        #[test]
        fn ids_come_back(id in ".{1,30}") {
            for shelf in [Shelf::Mail(id.clone()), Shelf::Calendar(id.clone()), Shelf::Contacts(id), Shelf::OwnContacts] {
                prop_assert_eq!(Shelf::parse(&shelf.id()), Some(shelf));
            }
        }
    }
}
