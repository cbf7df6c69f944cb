//! ExportItems: items as opaque full-fidelity streams. The reply may be as large as the items: it is read by
//! [`ExportSplitter`](super::export_splitter::ExportSplitter) and written piece by piece.

use crate::base::id::ItemId;
use crate::wire::ews::reply::{self, Operation, Refused};
use crate::wire::ews::shape;
use crate::wire::soap::ServerVersion;
use crate::wire::xml::{Element, Writer};

/// The request. At most 100 ids are advised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportItems {
    /// Which items.
    pub items: Vec<ItemId>,
}

impl ExportItems {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:ExportItems", &[]);
        w.open("m:ItemIds", &[]);
        shape::write_item_ids(&self.items, w);
        w.close();
        w.close();
    }

    /// Reads a body element that passed the schema.
    pub fn read(e: &Element) -> Self {
        Self {
            items: shape::read_item_ids(e.m("ItemIds")),
        }
    }
}

/// A successful message, its data aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Which item, as the server names it.
    pub id: Option<ItemId>,
    /// The text of `m:Data`; empty where the splitter took it out.
    pub data: String,
}

impl Operation for ExportItems {
    const NAME: &'static str = "ExportItems";
    const RESPONSE: &'static str = "m:ExportItemsResponse";
    const MESSAGE: &'static str = "m:ExportItemsResponseMessage";
    type Payload = Exported;

    fn read_payload(message: &Element) -> Option<Exported> {
        let id = message.m("ItemId").and_then(|i| i.attr("Id"));
        Some(Exported {
            id: id.map(ItemId::new),
            data: message.m("Data")?.text.clone(),
        })
    }

    fn write_payload(exported: &Exported, w: &mut Writer) {
        if let Some(id) = &exported.id {
            w.empty(
                "m:ItemId",
                &[("Id", id.as_str()), ("ChangeKey", "CQAAAA==")],
            );
        }
        w.leaf("m:Data", &exported.data);
    }

    fn write_nothing(_: &mut Writer) {}
}

/// Writes a reply piece by piece, so that no two items are in memory at once.
#[derive(Debug)]
pub struct ExportReplyWriter {
    w: Writer,
}

impl ExportReplyWriter {
    /// Begins the reply.
    pub fn new(version: &ServerVersion) -> Self {
        Self {
            w: reply::open::<ExportItems>(version),
        }
    }

    /// Begins an item and returns the text so far; its Base64 follows, in any number of [`text`](Self::text) calls or beside this
    /// writer, then [`end_item`](Self::end_item).
    pub fn begin_item(&mut self, id: &ItemId) -> String {
        reply::begin_success::<ExportItems>(&mut self.w);
        let id = [("Id", id.as_str()), ("ChangeKey", "CQAAAA==")];
        self.w.empty("m:ItemId", &id);
        self.w.open("m:Data", &[]);
        self.w.take()
    }

    /// A piece of the open item's Base64.
    pub fn text(&mut self, base64: &str) -> String {
        self.w.text(base64);
        self.w.take()
    }

    /// Ends the open item.
    pub fn end_item(&mut self) -> String {
        self.w.close();
        self.w.close();
        self.w.take()
    }

    /// A message for an item that is not exported.
    pub fn refuse(&mut self, refused: &Refused) -> String {
        reply::write_refused::<ExportItems>(refused, &mut self.w);
        self.w.take()
    }

    /// Ends the reply.
    pub fn finish(self) -> String {
        self.w.finish()
    }
}
