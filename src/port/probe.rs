//! The questions a preflight asks beside those of a run. Seams of their own: a run needs none of them. Nothing here writes to the source.

use std::fmt;

use async_trait::async_trait;

use crate::base::canary::CanaryLine;
use crate::base::id::{FolderId, MailboxId, TargetFolderId, TargetMailboxId};
use crate::base::item::Placed;
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::Setback;
use crate::base::probe::{Absent, Greeting, LargestItem, ServerSight, TokenSight, UserSight};
use crate::port::clock::Clock;

/// Looking at the source. Every method is `Repeat::Freely`.
#[async_trait]
pub trait SourceProbe: fmt::Debug + Send + Sync {
    /// Name, connection, TLS and the answer to a request without credentials. No credential leaves.
    async fn look(&self, clock: &dyn Clock) -> ServerSight;

    /// Asks for the root of the user's tree: proves sign-in and impersonation of this mailbox.
    async fn greet(&self, mailbox: &MailboxId) -> Result<Greeting, Setback>;

    /// Whether the mailbox has an archive on this server.
    async fn archive(&self, mailbox: &MailboxId) -> Result<bool, Setback>;

    /// The largest item of these folders; `None` where they hold nothing.
    async fn largest(
        &self,
        mailbox: &MailboxId,
        folders: &[FolderId],
    ) -> Result<Option<LargestItem>, Setback>;
}

/// Looking at the target, and the two things a canary needs there beside importing.
#[async_trait]
pub trait TargetProbe: fmt::Debug + Send + Sync {
    /// The sign-in service and Graph, without credentials. `Repeat::Freely`.
    async fn look(&self) -> Vec<(crate::base::probe::Server, ServerSight)>;

    /// Fetches a token and says what it says of itself. `Repeat::Freely`.
    async fn sign_in(&self) -> Result<TokenSight, Setback>;

    /// What the directory says of a user. `Repeat::Freely`.
    async fn user(&self, user: &MailboxId) -> Result<UserSight, Setback>;

    /// Whether a user that is not there was deleted. `Repeat::Freely`.
    async fn absent(&self, user: &MailboxId) -> Absent;

    /// Opens an import session where none is open. `Repeat::Freely`.
    async fn open_session(&self, mailbox: &TargetMailboxId) -> Result<(), Setback>;

    /// Returns the hidden folder of that name right under the top of the user's tree, or makes it, of this class (`IPF.Note` and the like, which
    /// cannot be changed later). `Repeat::Freely`.
    async fn hidden_folder(
        &self,
        mailbox: &TargetMailboxId,
        name: &str,
        class: &str,
    ) -> Result<TargetFolder, Setback>;

    /// Deletes one item for good, if it is still the version `placed` names; where the mailbox holds its content, softly. Callers pass only what
    /// they recorded as theirs. Another version is [`Setback::ItemRefused`], and nothing happens. An item that is gone counts as deleted.
    /// `Repeat::Freely`.
    async fn purge(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback>;
}

/// Why the canaries' log cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the log of canaries cannot be used: {0}")]
pub struct CanaryLogError(pub String);

/// The canaries' log: only ever appended to. An append is durable when it returns.
pub trait CanaryLog: fmt::Debug + Send + Sync {
    /// Every line so far, in order. A line that a crash cut off is left out.
    fn lines(&self) -> Result<Vec<CanaryLine>, CanaryLogError>;

    /// Appends a line.
    fn append(&self, line: &CanaryLine) -> Result<(), CanaryLogError>;
}
