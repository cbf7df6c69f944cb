//! What is written down about a canary before and after each step, so that a crash in between leaves a trace.
//!
//! A canary is one real item that is made in a hidden folder of ours in its own mailbox on the target, as a stream or by its class, read back,
//! compared and deleted. One that is made by its class bears a mark of its own: that of its source item would say that the item was copied.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::id::{MailboxId, TargetFolderId, TargetMailboxId};
use crate::base::item::{Digest, Placed, Stamp};
use crate::base::losses::Family;

/// What the names of our folders begin with. A folder of such a name right under the top of a target mailbox is never counted as content.
pub const FOLDER_PREFIX: &str = "mailferry preflight ";

/// A run of canaries in one mailbox: the moment and process of the preflight, so that no two folders ever share a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CanaryRun(pub String);

impl CanaryRun {
    /// The part of this run that makes items of a family by their class. It is a run of its own, for it has a folder of its own: the service keeps items
    /// of each family in folders of their kind.
    #[must_use]
    pub fn of(&self, family: Family) -> Self {
        Self(format!("{} {}", self.0, family.words()))
    }

    /// The name of its folder.
    pub fn folder_name(&self) -> String {
        format!("{FOLDER_PREFIX}{}", self.0)
    }
}

impl fmt::Display for CanaryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryLine {
    /// In which run.
    pub run: CanaryRun,
    /// In which mailbox of the plan, by the target's address.
    pub mailbox: MailboxId,
    /// What.
    pub step: CanaryStep,
}

/// A step of a canary. Intents are written before the call leaves, facts after its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryStep {
    /// A folder is about to be made.
    FolderIntended {
        /// In which mailbox, as the target names it.
        mailbox: TargetMailboxId,
    },
    /// The folder is there, and it is ours.
    FolderMade {
        /// Its id.
        folder: TargetFolderId,
    },
    /// An item is about to be created in it.
    ItemIntended {
        /// Its number in this run.
        no: u32,
        /// The digest of its content, where the reader knows all of it; of a stream only.
        digest: Option<Digest>,
        /// The mark it bears, where it is made by its class.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<Stamp>,
    },
    /// The item is there, in this version.
    ItemPlaced {
        /// Its number in this run.
        no: u32,
        /// Which item, in which version.
        placed: Placed,
    },
    /// The item is not there: it was refused, never arrived, or was deleted by us.
    ItemGone {
        /// Its number in this run.
        no: u32,
    },
    /// The folder is gone.
    FolderGone,
}
