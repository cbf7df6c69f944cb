//! Layer 1: bytes to words and back, without I/O. The lab answers with the same codecs; the samples of `tests/wire_corpus.rs` keep them honest.

pub mod appointment;
pub mod autodiscover;
pub mod base64;
pub mod ews;
pub mod graph;
pub mod item_stream;
pub mod ntlm;
pub mod parcel;
pub mod recurrence;
pub mod sign_in;
pub mod soap;
pub mod upload;
pub mod xml;
pub mod xml_writer;
