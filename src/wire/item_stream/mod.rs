//! The item stream that EWS ExportItems gives and Graph's import takes (reference/fts.md): read on its way past, written only by the lab.
//!
//! The stream is copied byte for byte. Reading it gives the item's identity and a digest of its content without a second download; what
//! the reader does not know makes the item *unread*, never failed.

mod digest;
mod parse;
mod parts;
mod reader;
pub mod tags;
mod tree;
mod writer;

pub use parts::{Part, PartReader, Place};
pub use reader::{ItemReader, ItemReport, Readout, digest_of};
pub use tree::{Attachment, Message, Name, Prop, Value, decode};
pub use writer::encode;

#[cfg(test)]
mod tests;
