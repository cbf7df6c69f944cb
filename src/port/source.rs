//! The mailbox store we read from. No method writes: the source cannot be harmed through this seam.

use std::fmt;

use async_trait::async_trait;

use crate::base::id::{FolderId, ItemId, MailboxId, SyncToken};
use crate::base::item::{SourceHeader, Version};
use crate::base::mailbox::SourceFolder;
use crate::base::outcome::Setback;
use crate::base::quantity::Count;

/// What changed in a folder since a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// In the server's order.
    pub changes: Vec<Change>,
    /// The position after this page. Keep it exactly, and only after the page's rows are durable.
    pub token: SyncToken,
    /// True when nothing more is waiting behind this page.
    pub complete: bool,
}

/// One change of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An item appeared.
    Created(SourceHeader),
    /// An item was edited.
    Updated(SourceHeader),
    /// An item left the folder.
    Deleted(ItemId),
    /// Only the read flag changed.
    Read {
        /// Which item.
        id: ItemId,
        /// What the flag is now.
        read: bool,
        /// The item's version now, where the server says so.
        version: Option<Version>,
    },
}

/// Whether a folder hierarchy changed since a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HierarchyNews {
    /// True when some folder appeared, went, was renamed or moved.
    pub changed: bool,
    /// The position after it. Keep it only after the folders that were listed for it are durable.
    pub token: SyncToken,
}

/// One page of a plain listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePage {
    /// The items, in the server's order.
    pub items: Vec<SourceHeader>,
    /// Items in the whole folder, as the server counts them.
    pub total: Count,
    /// True when this is the last page.
    pub last: bool,
}

/// Takes the bytes of one exported item, piece by piece. Given to [`Source::export`], which calls it in order.
#[async_trait]
pub trait ExportSink: Send {
    /// An item's bytes begin. Its place is the index in the list of ids asked for.
    async fn begin(&mut self, index: usize) -> Result<(), Setback>;

    /// The next decoded bytes of the item that began last.
    async fn piece(&mut self, bytes: &[u8]) -> Result<(), Setback>;
}

/// A mailbox store we read from. Every method is `Repeat::Freely`.
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync {
    /// All folders of the mailbox, parents before children, the root of the user's tree first (role `Top`). Includes those that will
    /// stay behind (search folders, hidden ones, the dumpster), so that the balance can name them.
    async fn folders(&self, mailbox: &MailboxId) -> Result<Vec<SourceFolder>, Setback>;

    /// Whether the folders changed since `token`; with no token, a token to begin with and `changed`. Ask before the folders are listed, so that
    /// what changes between the two is seen again next time. [`Setback::StateInvalid`] means: start again without token.
    async fn hierarchy(
        &self,
        mailbox: &MailboxId,
        token: Option<&SyncToken>,
    ) -> Result<HierarchyNews, Setback>;

    /// Which of these items are still where they were, one answer each, in order. For items that a listing did not show: a listing by offsets
    /// can miss what moves under it, and absence must be proved before a copy follows it.
    async fn present(&self, mailbox: &MailboxId, items: &[ItemId]) -> Result<Vec<bool>, Setback>;

    /// What changed in `folder` since `token`; with no token, everything as `Created`. The same token gives the same page or a later
    /// view of it. [`Setback::StateInvalid`] means: start again without token. Nothing is skipped when a page fails.
    async fn changes(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        token: Option<&SyncToken>,
        at_most: Count,
    ) -> Result<Changes, Setback>;

    /// A plain listing, independent of sync states, for verification. `offset` counts items received so far, never pages asked.
    async fn page(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        offset: Count,
        at_most: Count,
    ) -> Result<SourcePage, Setback>;

    /// Exports items as streams. For each id, in order: `begin`, then `piece`s, or nothing where the item failed. The returned list has
    /// one entry per id and is the only word on success: bytes of an item whose entry is an error must be thrown away, and so must all
    /// of them when the whole call fails (the reply may have been cut off).
    async fn export(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback>;
}
