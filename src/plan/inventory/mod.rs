//! What Exchange's exports say: reading them, joining them, and naming what is wrong with them (reference/inventory.md).

mod clixml;
mod columns;
mod date_text;
mod decode;
mod draft;
mod index;
mod join;
mod join_rights;
mod merge;
mod model;
mod notes;
mod page;
mod reader;
mod records;
mod remedy;
mod rows_people;
mod rows_rights;
mod rows_stores;
mod shape;
mod sheet;
mod size_text;
mod text;

pub use crate::base::build::Build;
pub use model::{
    Ceiling, FolderCensus, FolderNote, FolderRights, Forward, GrantKind, GroupNo, Guid, Hold,
    MailboxNo, Party, Place, Private, Proxy, ProxyKind, Quotas, RecipientKind, RuleAction, Size,
    Stated, StoreSize, When,
};
pub use reader::Reader;
pub use records::{
    Device, FileKind, FileNote, Grant, Group, InboxRule, Inventory, MailboxRecord, Note, Orphan,
    OrphanKind, Server,
};
pub use size_text::{SizeFault, SizeText, parse_size};
