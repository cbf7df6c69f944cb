//! SyncFolderHierarchy: which folders appeared, changed or went since a state.

use crate::base::id::{FolderId, SyncToken};
use crate::wire::ews::folder::FolderEntry;
use crate::wire::ews::reply::Operation;
use crate::wire::ews::shape::{FolderRef, Shape};
use crate::wire::xml::{Element, Ns, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncFolderHierarchy {
    /// What is wanted of each folder.
    pub shape: Shape,
    /// Below which folder. Leaving it out is another scope than `msgfolderroot`.
    pub root: Option<FolderRef>,
    /// Since when; `None` asks for all.
    pub state: Option<SyncToken>,
}

impl SyncFolderHierarchy {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:SyncFolderHierarchy", &[]);
        self.shape.write("m:FolderShape", w);
        if let Some(root) = &self.root {
            w.open("m:SyncFolderId", &[]);
            root.write(w);
            w.close();
        }
        if let Some(state) = &self.state {
            w.leaf("m:SyncState", state.as_str());
        }
        w.close();
    }

    /// Reads a body element that passed the schema.
    pub fn read(e: &Element) -> Self {
        Self {
            shape: Shape::read(e.m("FolderShape")),
            root: FolderRef::read_all(e.m("SyncFolderId")).pop(),
            state: read_state(e),
        }
    }
}

/// The state, exactly as it came; an empty one is none.
pub(super) fn read_state(e: &Element) -> Option<SyncToken> {
    let text = e.m("SyncState")?.text.trim();
    (!text.is_empty()).then(|| SyncToken::new(text))
}

/// One change of the hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderChange {
    /// A folder appeared.
    Created(FolderEntry),
    /// A folder was renamed or moved.
    Updated(FolderEntry),
    /// A folder went.
    Deleted(FolderId),
}

/// One page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HierarchyPage {
    /// The state after this page.
    pub state: SyncToken,
    /// True when nothing more waits.
    pub last: bool,
    /// The changes.
    pub changes: Vec<FolderChange>,
}

impl Operation for SyncFolderHierarchy {
    const NAME: &'static str = "SyncFolderHierarchy";
    const RESPONSE: &'static str = "m:SyncFolderHierarchyResponse";
    const MESSAGE: &'static str = "m:SyncFolderHierarchyResponseMessage";
    type Payload = HierarchyPage;

    fn read_payload(message: &Element) -> Option<HierarchyPage> {
        let changes = message.m("Changes").map(|c| c.children.as_slice());
        Some(HierarchyPage {
            state: read_state(message)?,
            last: message.m("IncludesLastFolderInRange")?.boolean()?,
            changes: changes
                .unwrap_or_default()
                .iter()
                .filter_map(change)
                .collect(),
        })
    }

    fn write_payload(page: &HierarchyPage, w: &mut Writer) {
        w.leaf("m:SyncState", page.state.as_str());
        w.leaf(
            "m:IncludesLastFolderInRange",
            if page.last { "true" } else { "false" },
        );
        w.open("m:Changes", &[]);
        for change in &page.changes {
            let (name, folder) = match change {
                FolderChange::Created(folder) => ("t:Create", Ok(folder)),
                FolderChange::Updated(folder) => ("t:Update", Ok(folder)),
                FolderChange::Deleted(id) => ("t:Delete", Err(id)),
            };
            w.open(name, &[]);
            match folder {
                Ok(folder) => folder.write(w),
                Err(id) => w.empty("t:FolderId", &[("Id", id.as_str())]),
            }
            w.close();
        }
        w.close();
    }

    fn write_nothing(w: &mut Writer) {
        w.empty("m:SyncState", &[]);
        w.leaf("m:IncludesLastFolderInRange", "true");
    }
}

fn change(e: &Element) -> Option<FolderChange> {
    if e.ns != Ns::Types {
        return None;
    }
    let folder = || e.children.iter().find_map(FolderEntry::read);
    match e.name.as_str() {
        "Create" => folder().map(FolderChange::Created),
        "Update" => folder().map(FolderChange::Updated),
        "Delete" => {
            let id = e.t("FolderId")?.attr("Id")?;
            Some(FolderChange::Deleted(FolderId::new(id)))
        }
        _ => None,
    }
}
