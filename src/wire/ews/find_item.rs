//! FindItem: a plain listing of one folder. Offsets slide when the folder changes, so this counts and verifies; completeness comes
//! from SyncFolderItems.

use crate::wire::ews::find_folder::{read_view, write_parents, write_view};
use crate::wire::ews::item::{self, ItemEntry};
use crate::wire::ews::reply::{Operation, PageEnd};
use crate::wire::ews::restriction::Restriction;
use crate::wire::ews::shape::{FolderRef, Shape};
use crate::wire::xml::{Element, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindItem {
    /// `Shallow`, `SoftDeleted` or `Associated`; we use `Shallow`.
    pub traversal: String,
    /// What is wanted of each.
    pub shape: Shape,
    /// At most this many on the page; `None` where no page view was sent.
    pub at_most: Option<u64>,
    /// Items before the page.
    pub offset: u64,
    /// Only these; `None` for all.
    pub restriction: Option<Restriction>,
    /// The largest first; else in the server's own order.
    pub largest_first: bool,
    /// In which folders.
    pub parents: Vec<FolderRef>,
}

/// The field that [`FindItem::largest_first`] sorts by.
const SIZE: &str = "item:Size";

impl FindItem {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:FindItem", &[("Traversal", &self.traversal)]);
        self.shape.write("m:ItemShape", w);
        write_view("m:IndexedPageItemView", self.at_most, self.offset, w);
        if let Some(restriction) = &self.restriction {
            restriction.write(w);
        }
        if self.largest_first {
            w.open("m:SortOrder", &[]);
            w.open("t:FieldOrder", &[("Order", "Descending")]);
            w.empty("t:FieldURI", &[("FieldURI", SIZE)]);
            w.close();
            w.close();
        }
        write_parents(&self.parents, w);
        w.close();
    }

    /// Reads a body element that passed the schema.
    pub fn read(e: &Element) -> Self {
        let (at_most, offset) = read_view(e.m("IndexedPageItemView"));
        Self {
            traversal: e.attr("Traversal").unwrap_or_default().to_owned(),
            shape: Shape::read(e.m("ItemShape")),
            at_most,
            offset,
            restriction: e.m("Restriction").and_then(Restriction::read),
            largest_first: e.m("SortOrder").is_some_and(by_size),
            parents: FolderRef::read_all(e.m("ParentFolderIds")),
        }
    }
}

/// True for an order by size, the largest first.
fn by_size(order: &Element) -> bool {
    order.t("FieldOrder").is_some_and(|field| {
        field.attr("Order") == Some("Descending")
            && field.t("FieldURI").and_then(|uri| uri.attr("FieldURI")) == Some(SIZE)
    })
}

/// One page of items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPage {
    /// The items.
    pub items: Vec<ItemEntry>,
    /// Where the page stands.
    pub end: PageEnd,
}

impl Operation for FindItem {
    const NAME: &'static str = "FindItem";
    const RESPONSE: &'static str = "m:FindItemResponse";
    const MESSAGE: &'static str = "m:FindItemResponseMessage";
    type Payload = ItemPage;

    fn read_payload(message: &Element) -> Option<ItemPage> {
        let root = message.m("RootFolder")?;
        let listed = root.t("Items");
        let items = item::read_all(listed);
        // A listed item that cannot be read would be lost from the listing without a word.
        let whole = listed.is_none_or(|l| l.children.len() == items.len());
        Some(ItemPage {
            items,
            end: PageEnd::read(root).filter(|_| whole)?,
        })
    }

    fn write_payload(page: &ItemPage, w: &mut Writer) {
        page.end.open(w);
        w.open("t:Items", &[]);
        for item in &page.items {
            item.write(w);
        }
        w.close();
        w.close();
    }

    fn write_nothing(_: &mut Writer) {}
}
