//! Looking at settings of a mailbox that may be leads of compromise. A seam of its own: the engine needs none of it, and no method writes.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;

use crate::base::id::MailboxId;
use crate::base::outcome::Setback;
use crate::base::quantity::Moment;
use crate::base::sight::{Lies, MailboxSight};

/// Takes one item's day, the domain of its sender, and where it lies.
pub trait ItemCounter: Send {
    /// The next item, in no order.
    fn item(&mut self, at: Option<Moment>, domain: Option<String>, lies: Lies);
}

/// Settings and counts of a mailbox. Every method is `Repeat::Freely`.
#[async_trait]
pub trait PostureSource: fmt::Debug + Send + Sync {
    /// What can be seen of the mailbox's settings. `own` are the organisation's domains in lower case: an address elsewhere is outside. A single
    /// look that is refused is "not checked" with its reason; a setback that concerns the whole mailbox or the server is returned.
    async fn sight(
        &self,
        mailbox: &MailboxId,
        own: &BTreeSet<String>,
    ) -> Result<MailboxSight, Setback>;

    /// Shows items to `counter`, from listings: every one of the user's tree, or only those of Inbox, Junk Email and Sent Items. After a setback
    /// what was counted must be thrown away.
    async fn count_items(
        &self,
        mailbox: &MailboxId,
        everywhere: bool,
        counter: &mut dyn ItemCounter,
    ) -> Result<(), Setback>;
}
