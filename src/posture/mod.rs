//! Layer 1: what state the source is in: builds and known vulnerabilities, leads of compromise, detections nobody looked at, the register of
//! remedial actions. Pure: files are parsed from bytes, days are parameters.
//!
//! The words are "found", "not found" and "not checked". A lead is something a person must look at, never a verdict, and nothing here ever says
//! that a server or a mailbox is clean.

pub mod assessment;
pub mod builds;
pub mod catalogue;
pub mod cves;
pub mod detections;
pub mod exposure;
pub mod finding;
pub mod health;
pub mod leads;
pub mod mail;
mod picture;
pub mod register;
pub mod rule;
pub mod section;
pub mod server;
pub mod sheet;
pub mod table;
pub mod timeline;
