//! GetItem: properties of items by id. The product lists and exports; this serves probes and the lab.

use crate::base::id::ItemId;
use crate::wire::ews::item::ItemEntry;
use crate::wire::ews::reply::Operation;
use crate::wire::ews::shape::{self, Shape};
use crate::wire::xml::{Element, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetItem {
    /// What is wanted of each.
    pub shape: Shape,
    /// Which items.
    pub items: Vec<ItemId>,
}

impl GetItem {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:GetItem", &[]);
        self.shape.write("m:ItemShape", w);
        w.open("m:ItemIds", &[]);
        shape::write_item_ids(&self.items, w);
        w.close();
        w.close();
    }

    /// Reads a body element that passed the schema.
    pub fn read(e: &Element) -> Self {
        Self {
            shape: Shape::read(e.m("ItemShape")),
            items: shape::read_item_ids(e.m("ItemIds")),
        }
    }
}

impl Operation for GetItem {
    const NAME: &'static str = "GetItem";
    const RESPONSE: &'static str = "m:GetItemResponse";
    const MESSAGE: &'static str = "m:GetItemResponseMessage";
    type Payload = ItemEntry;

    fn read_payload(message: &Element) -> Option<ItemEntry> {
        message
            .m("Items")?
            .children
            .iter()
            .find_map(ItemEntry::read)
    }

    fn write_payload(item: &ItemEntry, w: &mut Writer) {
        w.open("m:Items", &[]);
        item.write(w);
        w.close();
    }

    fn write_nothing(w: &mut Writer) {
        w.empty("m:Items", &[]);
    }
}
