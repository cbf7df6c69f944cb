//! Looking into items on their way. The engine knows no rule and no scanner; whoever looks knows no ledger and no target.

use std::fmt;

use async_trait::async_trait;
use thiserror::Error;

use crate::base::id::{JobId, MailboxId};
use crate::base::item::{ItemClass, ItemKey};
use crate::base::mailbox::FolderPath;
use crate::base::outcome::Setback;
use crate::base::quantity::{Bytes, Moment};
use crate::base::screening::{Answer, Binding, Effect, Found, ScreenedBy};
use crate::port::body::Body;

/// What a look brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Who looked.
    pub by: ScreenedBy,
    /// The answer.
    pub answer: Answer,
    /// What follows from it, as long as no person decided otherwise.
    pub effect: Effect,
    /// How many parts were looked into.
    pub parts: u32,
    /// Everything that was found, with names.
    pub found: Vec<Found>,
}

/// Why there is no answer about any item.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ScreenFault {
    /// The engine does not answer, or no longer finds what it must.
    #[error("the engine does not answer, or does not find the test file")]
    NoEngine,
    /// The item's stream could not be read back from the spool.
    #[error("the spool cannot be read")]
    Spool(Setback),
}

/// What is kept of a withheld item for whoever decides about it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its mailbox pair.
    pub job: JobId,
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// Its folder.
    pub folder: FolderPath,
    /// Its key.
    pub item: ItemKey,
    /// Its class.
    pub class: ItemClass,
    /// Its size as the source lists it.
    pub size: Bytes,
    /// When it was received.
    pub received: Option<Moment>,
    /// What exactly was looked into.
    pub bound: Binding,
    /// What the look brought.
    pub looked: Looked,
    /// When.
    pub at: Moment,
}

/// Proof that whoever looks can find something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who looks.
    pub by: ScreenedBy,
    /// True when the signatures are old.
    pub stale: bool,
}

/// Looks into items. Fails closed: whatever is not surely looked into is not scanned.
#[async_trait]
pub trait Screener: fmt::Debug + Send + Sync {
    /// Finds the test file, and finds nothing in a harmless one. `Repeat::Freely`.
    async fn prove(&self) -> Result<Proof, ScreenFault>;

    /// Looks into everything inside an item's stream. `Repeat::Freely`; the same stream may be asked about again.
    async fn look(&self, body: &Body) -> Result<Looked, ScreenFault>;

    /// Keeps what is known of a withheld item, durable when this returns. Called again for the same item, it replaces what was kept.
    async fn keep(&self, record: &Record, body: &Body) -> Result<(), Setback>;
}
