//! Identifiers. Each kind is its own type, so that a source folder cannot be handed to the target by mistake.
//!
//! Ids of Exchange are opaque, case-sensitive text of up to some hundred bytes (reference/ews.md section 6); they are compared
//! byte for byte and never parsed.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it came, without looking into it.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

text_id! {
    /// A folder of the source (EWS FolderId). Survives moves of the folder.
    FolderId,
    /// An item of the source (EWS ItemId). A move gives the item a new one.
    ItemId,
    /// A mailbox of the target as Graph names it, e.g. `MBX:e0643f21@a7809c93`.
    TargetMailboxId,
    /// A folder of the target.
    TargetFolderId,
    /// An item of the target.
    TargetItemId,
    /// The version mark of a target item; changes with every edit.
    ChangeKey,
    /// An opaque position in the source's change stream (EWS SyncState), from 500 bytes to many KB.
    SyncToken,
    /// The content hash of a plan, lower-case hexadecimal.
    PlanHash,
    /// One process lifetime working on a plan.
    RunId,
    /// One claimant of jobs.
    WorkerId,
}

/// A mailbox by its primary SMTP address. `Display` and `Debug` mask it: an address reaches a terminal only through
/// [`MailboxId::reveal`], and never a log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MailboxId(String);

impl MailboxId {
    /// Wraps an address as the plan gives it.
    pub fn new(address: impl Into<String>) -> Self {
        Self(address.into())
    }

    /// Returns the address in clear. Call it only to talk to the servers or to the operator's own terminal and files.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.chars().next().unwrap_or('?');
        write!(f, "{first}…@…")
    }
}

impl fmt::Debug for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One mailbox pair of a plan: its position in plan order, from 0. Safe to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u32);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{:04}", self.0)
    }
}

/// The number of a source folder inside one job, in the order of first sight. The root of the user's tree is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FolderNo(pub u32);
