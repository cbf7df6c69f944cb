//! FindFolder: the folders below one, page by page. The order of a deep view is not promised.

use crate::wire::ews::folder::FolderEntry;
use crate::wire::ews::folder_test::FolderTest;
use crate::wire::ews::reply::{Operation, PageEnd};
use crate::wire::ews::shape::{FolderRef, Shape};
use crate::wire::xml::{Element, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindFolder {
    /// `Shallow`, `Deep` or `SoftDeleted`; we use `Deep`.
    pub traversal: String,
    /// What is wanted of each.
    pub shape: Shape,
    /// At most this many on the page; `None` where no page view was sent.
    pub at_most: Option<u64>,
    /// Folders before the page.
    pub offset: u64,
    /// Which folders; read in requests, never written.
    pub restriction: Option<FolderTest>,
    /// Below which folders.
    pub parents: Vec<FolderRef>,
}

impl FindFolder {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:FindFolder", &[("Traversal", &self.traversal)]);
        self.shape.write("m:FolderShape", w);
        write_view("m:IndexedPageFolderView", self.at_most, self.offset, w);
        write_parents(&self.parents, w);
        w.close();
    }

    /// Reads a body element that passed the schema.
    pub fn read(e: &Element) -> Self {
        let (at_most, offset) = read_view(e.m("IndexedPageFolderView"));
        Self {
            traversal: e.attr("Traversal").unwrap_or_default().to_owned(),
            shape: Shape::read(e.m("FolderShape")),
            at_most,
            offset,
            restriction: e.m("Restriction").and_then(FolderTest::read),
            parents: FolderRef::read_all(e.m("ParentFolderIds")),
        }
    }
}

/// Writes an indexed page view, where the page is bounded.
pub(super) fn write_view(name: &'static str, at_most: Option<u64>, offset: u64, w: &mut Writer) {
    if let Some(at_most) = at_most {
        w.empty(
            name,
            &[
                ("MaxEntriesReturned", &at_most.to_string()),
                ("Offset", &offset.to_string()),
                ("BasePoint", "Beginning"),
            ],
        );
    }
}

/// Reads it back.
pub(super) fn read_view(view: Option<&Element>) -> (Option<u64>, u64) {
    let number = |name: &str| view.and_then(|v| v.attr(name)).and_then(|v| v.parse().ok());
    (number("MaxEntriesReturned"), number("Offset").unwrap_or(0))
}

/// Writes `m:ParentFolderIds`.
pub(super) fn write_parents(parents: &[FolderRef], w: &mut Writer) {
    w.open("m:ParentFolderIds", &[]);
    for parent in parents {
        parent.write(w);
    }
    w.close();
}

/// One page of folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderPage {
    /// The folders.
    pub folders: Vec<FolderEntry>,
    /// Where the page stands.
    pub end: PageEnd,
}

impl Operation for FindFolder {
    const NAME: &'static str = "FindFolder";
    const RESPONSE: &'static str = "m:FindFolderResponse";
    const MESSAGE: &'static str = "m:FindFolderResponseMessage";
    type Payload = FolderPage;

    fn read_payload(message: &Element) -> Option<FolderPage> {
        let root = message.m("RootFolder")?;
        let listed = root.t("Folders").map(|f| f.children.as_slice());
        let listed = listed.unwrap_or_default();
        let folders: Vec<FolderEntry> = listed.iter().filter_map(FolderEntry::read).collect();
        // A listed folder that cannot be read would be lost with all its items.
        let whole = folders.len() == listed.len();
        Some(FolderPage {
            folders,
            end: PageEnd::read(root).filter(|_| whole)?,
        })
    }

    fn write_payload(page: &FolderPage, w: &mut Writer) {
        page.end.open(w);
        w.open("t:Folders", &[]);
        for folder in &page.folders {
            folder.write(w);
        }
        w.close();
        w.close();
    }

    fn write_nothing(_: &mut Writer) {}
}
