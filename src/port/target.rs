//! The mailbox store we create in. It changes or deletes only what we made.

use std::fmt;

use async_trait::async_trait;

use crate::base::id::{MailboxId, TargetFolderId, TargetItemId, TargetMailboxId};
use crate::base::item::{Placed, TargetHeader};
use crate::base::mailbox::{FolderOrder, TargetFolder};
use crate::base::outcome::Setback;
use crate::base::quantity::Count;
use crate::port::body::{Body, BodyStream};

/// A position in a target listing; opaque (Graph's nextLink).
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Wraps the link as it came.
    pub fn new(link: impl Into<String>) -> Self {
        Self(link.into())
    }

    /// The link.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(…)")
    }
}

/// One page of a target listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPage {
    /// The items, of all classes.
    pub items: Vec<TargetHeader>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Cursor>,
}

/// A mailbox store we create in.
#[async_trait]
pub trait Target: fmt::Debug + Send + Sync {
    /// Finds the target mailbox of a user. `Repeat::Freely`.
    async fn resolve(&self, user: &MailboxId) -> Result<TargetMailboxId, Setback>;

    /// All folders under the root of the user's tree (role `Top`, itself included and first), parents before children.
    /// `Repeat::Freely`.
    async fn folders(&self, mailbox: &TargetMailboxId) -> Result<Vec<TargetFolder>, Setback>;

    /// Under which folder one of this class lies that is wanted under `parent`. A target that has one tree for all classes leaves it there; another has
    /// a place of its own for each kind, and folders of one name may then meet. Asked of a folder's id as [`Target::folders`] gave it.
    fn place_of(&self, parent: &TargetFolderId, _class: &str) -> TargetFolderId {
        parent.clone()
    }

    /// Returns the folder of that name in the place of that parent and class ([`Target::place_of`]), or makes it with its class. Names are compared
    /// byte for byte. `Repeat::Freely`: called again after a lost answer it finds what it made. Never changes a folder that exists. A name that is
    /// taken by what the listing does not show is [`Setback::OurRequest`], and nothing was made.
    async fn ensure_folder(
        &self,
        mailbox: &TargetMailboxId,
        order: &FolderOrder,
    ) -> Result<TargetFolder, Setback>;

    /// Creates one item from its stream. `Repeat::Once`: after any setback except `Throttled`, `Unreached`, `Expired`, `ItemRefused`,
    /// `FolderGone`, `MailboxClosed`, `SideClosed`, `OurRequest` and `Local` the item may exist. Never sends anything to anybody.
    async fn create(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        body: &Body,
    ) -> Result<Placed, Setback>;

    /// Replaces one item by a newer stream of the same source item, if it is still the version `placed` names; any other version is refused and
    /// nothing happens (reference/graph.md 1.6). Callers pass only what the ledger says we made. After any setback that [`Target::create`] calls
    /// doubtful the newer version may be there: ask [`Target::version`]. Never sends anything to anybody.
    async fn update(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
        body: &Body,
    ) -> Result<Placed, Setback>;

    /// The version of one item as it lies in this folder now; [`Setback::Gone`] when it is not there. `Repeat::Freely`.
    async fn version(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        item: &TargetItemId,
    ) -> Result<Placed, Setback>;

    /// Renames a folder. Callers pass only what the ledger says we made. `Repeat::Freely`.
    async fn rename_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        name: &str,
    ) -> Result<(), Setback>;

    /// Removes a folder, if it holds neither items nor folders; false when it does. Callers pass only what the ledger says we made.
    /// `Repeat::Freely`: a folder that is gone already counts as removed.
    async fn remove_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
    ) -> Result<bool, Setback>;

    /// One page of a folder's items. Absence is not proof: visibility lags. `Repeat::Freely`.
    async fn page(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        from: Option<&Cursor>,
    ) -> Result<TargetPage, Setback>;

    /// Reads one item back as a stream. `Repeat::Freely`.
    async fn export(
        &self,
        mailbox: &TargetMailboxId,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback>;

    /// Takes one item off the target, if it is still the version we know: a soft delete, so that the mailbox's recoverable items keep it for its
    /// user, and holds are respected. Callers pass only what the ledger says we made. `Repeat::Freely`: an item that is gone already counts as
    /// done. Another version is [`Setback::ItemRefused`], and nothing happens.
    async fn retract(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback>;

    /// Requests that calls made on this mailbox beyond one each (pages of a listing, sessions), since this was last asked: the service counts
    /// them, so the caller's pace has to. A target whose every call is one request has none.
    fn made_besides(&self, _mailbox: &TargetMailboxId) -> Count {
        Count::ZERO
    }

    /// Forgets cached tokens and sessions of this mailbox, so that the next call fetches new ones. Called on `Verdict::Renew`.
    fn renew(&self, mailbox: &TargetMailboxId);
}
