//! SyncFolderItems: which items of a folder appeared, changed or went since a state. The source of completeness.

use crate::base::id::{ItemId, SyncToken};
use crate::wire::ews::item::ItemEntry;
use crate::wire::ews::reply::Operation;
use crate::wire::ews::shape::{self, FolderRef, Shape};
use crate::wire::ews::sync_folder_hierarchy::read_state;
use crate::wire::xml::{Element, Ns, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncFolderItems {
    /// What is wanted of each item. Bodies cannot be had here.
    pub shape: Shape,
    /// In which folder.
    pub folder: FolderRef,
    /// Since when; `None` asks for all.
    pub state: Option<SyncToken>,
    /// Items to leave out; we send none.
    pub ignore: Vec<ItemId>,
    /// 1 to 512.
    pub at_most: u64,
    /// True for `NormalAndAssociatedItems`.
    pub associated: bool,
}

impl SyncFolderItems {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:SyncFolderItems", &[]);
        self.shape.write("m:ItemShape", w);
        w.open("m:SyncFolderId", &[]);
        self.folder.write(w);
        w.close();
        if let Some(state) = &self.state {
            w.leaf("m:SyncState", state.as_str());
        }
        if !self.ignore.is_empty() {
            w.open("m:Ignore", &[]);
            shape::write_item_ids(&self.ignore, w);
            w.close();
        }
        w.leaf("m:MaxChangesReturned", &self.at_most.to_string());
        let scope = if self.associated {
            "NormalAndAssociatedItems"
        } else {
            "NormalItems"
        };
        w.leaf("m:SyncScope", scope);
        w.close();
    }

    /// Reads a body element that passed the schema; `None` for a folder form we do not know.
    pub fn read(e: &Element) -> Option<Self> {
        Some(Self {
            shape: Shape::read(e.m("ItemShape")),
            folder: FolderRef::read_all(e.m("SyncFolderId")).pop()?,
            state: read_state(e),
            ignore: shape::read_item_ids(e.m("Ignore")),
            at_most: e.m("MaxChangesReturned").and_then(Element::number)?,
            associated: e.m("SyncScope").map(|s| s.text.trim()) == Some("NormalAndAssociatedItems"),
        })
    }
}

/// One change of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemChange {
    /// An item appeared.
    Created(ItemEntry),
    /// An item was edited.
    Updated(ItemEntry),
    /// An item went.
    Deleted(ItemId),
    /// Only the read flag changed.
    Read {
        /// Which item.
        id: ItemId,
        /// Its change key with the new flag.
        change_key: Option<String>,
        /// What the flag is now.
        read: bool,
    },
}

/// One page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePage {
    /// The state after this page.
    pub state: SyncToken,
    /// True when nothing more waits.
    pub last: bool,
    /// The changes, in the server's order.
    pub changes: Vec<ItemChange>,
}

impl Operation for SyncFolderItems {
    const NAME: &'static str = "SyncFolderItems";
    const RESPONSE: &'static str = "m:SyncFolderItemsResponse";
    const MESSAGE: &'static str = "m:SyncFolderItemsResponseMessage";
    type Payload = ChangePage;

    fn read_payload(message: &Element) -> Option<ChangePage> {
        let listed = message.m("Changes").map(|c| c.children.as_slice());
        let listed = listed.unwrap_or_default();
        let changes: Vec<ItemChange> = listed.iter().filter_map(change).collect();
        // The state moves past everything on the page: a change we cannot read would be lost for good.
        let whole = changes.len() == listed.len();
        Some(ChangePage {
            state: read_state(message).filter(|_| whole)?,
            last: message.m("IncludesLastItemInRange")?.boolean()?,
            changes,
        })
    }

    fn write_payload(page: &ChangePage, w: &mut Writer) {
        w.leaf("m:SyncState", page.state.as_str());
        w.leaf(
            "m:IncludesLastItemInRange",
            if page.last { "true" } else { "false" },
        );
        w.open("m:Changes", &[]);
        for change in &page.changes {
            write_change(change, w);
        }
        w.close();
    }

    fn write_nothing(w: &mut Writer) {
        w.empty("m:SyncState", &[]);
        w.leaf("m:IncludesLastItemInRange", "true");
    }
}

fn write_change(change: &ItemChange, w: &mut Writer) {
    match change {
        ItemChange::Created(item) => {
            w.open("t:Create", &[]);
            item.write(w);
        }
        ItemChange::Updated(item) => {
            w.open("t:Update", &[]);
            item.write(w);
        }
        ItemChange::Deleted(id) => {
            w.open("t:Delete", &[]);
            w.empty("t:ItemId", &[("Id", id.as_str())]);
        }
        ItemChange::Read {
            id,
            change_key,
            read,
        } => {
            w.open("t:ReadFlagChange", &[]);
            let mut names = vec![("Id", id.as_str())];
            names.extend(change_key.as_deref().map(|key| ("ChangeKey", key)));
            w.empty("t:ItemId", &names);
            w.leaf("t:IsRead", if *read { "true" } else { "false" });
        }
    }
    w.close();
}

fn change(e: &Element) -> Option<ItemChange> {
    if e.ns != Ns::Types {
        return None;
    }
    let item = || e.children.iter().find_map(ItemEntry::read);
    let id = || e.t("ItemId").and_then(|i| i.attr("Id")).map(ItemId::new);
    match e.name.as_str() {
        "Create" => item().map(ItemChange::Created),
        "Update" => item().map(ItemChange::Updated),
        "Delete" => id().map(ItemChange::Deleted),
        "ReadFlagChange" => Some(ItemChange::Read {
            id: id()?,
            change_key: e
                .t("ItemId")
                .and_then(|i| i.attr("ChangeKey"))
                .map(str::to_owned),
            read: e.t("IsRead")?.boolean()?,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::{Said, Scope, Setback};
    use crate::base::quantity::Span;
    use crate::wire::ews::classify::Place;
    use crate::wire::ews::reply::{self, Message, Refused};
    use crate::wire::soap::ServerVersion;
    use crate::wire::xml::NS_MESSAGES;

    const VERSION: ServerVersion = ServerVersion {
        major: 15,
        minor: 1,
        build: 2507,
        revision: 6,
    };

    #[test]
    fn an_error_with_an_empty_state_and_a_last_page_is_an_error() {
        let busy = Refused {
            back_off: Some(Span::from_secs(5)),
            ..Refused::error("ErrorServerBusy")
        };
        let text = reply::write::<SyncFolderItems>(&VERSION, &[Message::Refused(busy)]);
        assert!(text.contains("<m:SyncState/><m:IncludesLastItemInRange>true"));
        let read = reply::read::<SyncFolderItems>(text.as_bytes()).expect("a reply");
        assert_eq!(
            read.single(Place::Folder),
            Err(Setback::Throttled {
                scope: Scope::SourceMailbox,
                wait: Some(Span::from_secs(5)),
                said: Said::code("ErrorServerBusy"),
            })
        );
    }

    #[test]
    fn a_success_without_state_or_with_an_unreadable_change_is_incomplete() {
        for inner in [
            "<m:SyncState/><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes/>",
            "<m:SyncState>s</m:SyncState><m:Changes/>",
            "<m:SyncState>s</m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes><t:Create xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types'><t:Message/></t:Create></m:Changes>",
        ] {
            let text = format!(
                "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><m:SyncFolderItemsResponse xmlns:m='{NS_MESSAGES}'><m:ResponseMessages><m:SyncFolderItemsResponseMessage ResponseClass='Success'><m:ResponseCode>NoError</m:ResponseCode>{inner}</m:SyncFolderItemsResponseMessage></m:ResponseMessages></m:SyncFolderItemsResponse></s:Body></s:Envelope>"
            );
            let read = reply::read::<SyncFolderItems>(text.as_bytes()).expect("a reply");
            assert_eq!(read.messages, vec![Message::Incomplete], "{inner}");
        }
    }

    #[test]
    fn all_four_changes_survive_writing_and_reading() {
        let page = ChangePage {
            state: SyncToken::new("H4sI+/=="),
            last: false,
            changes: vec![
                ItemChange::Created(ItemEntry::bare(ItemId::new("a"))),
                ItemChange::Updated(ItemEntry::bare(ItemId::new("b"))),
                ItemChange::Deleted(ItemId::new("c")),
                ItemChange::Read {
                    id: ItemId::new("d"),
                    change_key: Some("CQAAABY".to_owned()),
                    read: true,
                },
            ],
        };
        let text = reply::write::<SyncFolderItems>(&VERSION, &[Message::Done(page.clone())]);
        let read = reply::read::<SyncFolderItems>(text.as_bytes()).expect("a reply");
        assert_eq!(read.version, Some(VERSION));
        assert_eq!(read.single(Place::Folder), Ok(page));
    }
}
