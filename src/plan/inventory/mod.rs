//! What Exchange's exports say: reading them, joining them, and naming what is wrong with them (reference/inventory.md).

mod model;
mod version;

pub use model::{
    Ceiling, Device, FileKind, FileNote, FolderCensus, FolderNote, FolderRights, Forward, Grant,
    GrantKind, Group, GroupNo, Guid, Hold, InboxRule, Inventory, MailboxNo, MailboxRecord, Note,
    Orphan, OrphanKind, Party, Place, Private, Proxy, ProxyKind, Quotas, RecipientKind, RuleAction,
    Server, Size, Stated, StoreSize, When,
};
pub use version::Build;
