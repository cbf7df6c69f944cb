//! Looking at settings of a mailbox that may be leads of compromise. A seam of its own: the engine needs none of it, and no method writes.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;

use crate::base::id::MailboxId;
use crate::base::outcome::Setback;
use crate::base::quantity::Moment;
use crate::base::sight::MailboxSight;

/// Takes one item's day and the domain of its sender.
pub trait ItemCounter: Send {
    /// The next item, in no order.
    fn item(&mut self, at: Option<Moment>, domain: Option<String>);
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

    /// Shows every item of the user's tree to `counter`, from listings. After a setback what was counted must be thrown away.
    async fn count_items(
        &self,
        mailbox: &MailboxId,
        counter: &mut dyn ItemCounter,
    ) -> Result<(), Setback>;
}
