//! Verification of one mailbox, by its own path on both sides.

mod age;
mod content;
mod drive;
mod export;
mod folders;
mod identity;
mod result;
mod typed;
mod witness;

pub use drive::{Level, Order, audit};
pub use result::{ContentTally, Finding, FolderAudit, MailboxAudit};
