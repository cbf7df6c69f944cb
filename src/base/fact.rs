//! What the ledger stores. Facts are appended; what follows from them is the business of `flow`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::id::{FolderId, FolderNo, JobId, MailboxId, SyncToken, TargetFolderId};
use crate::base::item::{Digest, ItemKey, Placed, SourceHeader};
use crate::base::mailbox::{FolderKind, FolderPath, FolderRole};
use crate::base::outcome::{DoubtCause, HaltCause, Refusal};
use crate::base::quantity::{Bytes, Count, Moment};
use crate::base::screening::{Binding, Judgement, Screening};

/// One thing that happened to one item copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyFact {
    /// We are about to create it. Durable before the first byte leaves.
    Intended {
        /// Canonical digest of the source stream; `None` where the reader could not read it whole.
        digest: Option<Digest>,
        /// Length of the stream.
        stream: Bytes,
    },
    /// The target answered that it made it.
    Acknowledged(Placed),
    /// We know that nothing of the create took effect (throttled, not reached, session refused).
    NothingSent,
    /// It will not be carried.
    Refused(Refusal),
    /// The create may have taken effect.
    Lost(DoubtCause),
    /// Looked: the target shows exactly what this row explains.
    SeenOnce(Placed),
    /// Looked, late enough: the target does not show it.
    NotSeen,
    /// Looked: the target shows more than the rows explain.
    SeenTwice,
    /// Found on the target before we ever sent it (an earlier plan's work).
    Adopted(Placed),
    /// A rule of the plan leaves it behind.
    Skipped(SkipRule),
    /// It left the source before we carried it.
    Gone,
    /// The source changed it after it was settled.
    ChangedSince,
    /// We are about to replace the copy by the newer version of its source item. Durable before the first byte leaves.
    UpdateIntended {
        /// Canonical digest of the newer stream; `None` where the reader could not read it whole.
        digest: Option<Digest>,
        /// Length of the newer stream.
        stream: Bytes,
    },
    /// The target took the newer version.
    Updated(Placed),
    /// Looked: the copy is still the version we knew, so nothing of the update took effect.
    NotUpdated,
    /// The source item, exported anew, has the content that the copy was made from.
    SameContent,
    /// Looked: the copy bears another version mark, and its content is one that we sent.
    Relearned(Placed),
    /// Looked: somebody else changed or removed the copy. It is theirs now.
    Estranged(Estrangement),
    /// The copy of an item that left the source was taken off the target.
    Retracted,
    /// A person had a refused item tried again.
    Retried(Decision),
    /// A person decided about a parked, refused or outdated item.
    Resolved(Resolution, Decision),
    /// It was looked into on its way.
    Screened(Screening),
    /// A person decided about an item that was withheld, or that waits because it could not be looked into.
    Judged(Judgement, Binding, Decision),
    /// From here on it travels by the typed route: because its stream was refused for this reason, or because streams were not tried.
    Rerouted(Option<Refusal>),
}

/// How a copy stopped being ours to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Estrangement {
    /// Its content is none that we sent, or cannot be compared with what we sent.
    Edited,
    /// It is no longer where we put it.
    Missing,
    /// The target does not let us take it away (a hold, a policy).
    Held,
}

impl Estrangement {
    /// What happened, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edited => "changed on the target by somebody else",
            Self::Missing => "deleted or moved on the target by somebody else",
            Self::Held => "the target does not let it be taken away",
        }
    }
}

/// What a person wants with an item that waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Resolution {
    /// Look at the target once more, and carry the item where it is not there.
    Again,
    /// What the target holds is right as it is.
    Accept,
    /// The item stays behind.
    Leave,
}

/// Who decided, why, when. `Debug` shows nothing of it: names and reasons belong into ledger and report, not into a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The person's name, as given.
    pub by: String,
    /// The reason, as given.
    pub why: String,
    /// When.
    pub at: Moment,
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decision(…)")
    }
}

/// Why a single item stays behind by rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SkipRule {
    /// Settings, not mail (`IPM.Configuration.*`, `IPM.Microsoft.*`, rule templates).
    SystemClass,
    /// Larger than `select.max_item_size`.
    TooLarge,
    /// Older than `select.older_than`.
    TooOld,
    /// A person accepted what the target holds.
    Accepted,
    /// A person left it behind.
    LeftBehind,
}

impl SkipRule {
    /// The rule's name in balance and report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SystemClass => "system item class",
            Self::TooLarge => "over select.max_item_size",
            Self::TooOld => "older than select.older_than",
            Self::Accepted => "accepted by a person as the target has it",
            Self::LeftBehind => "left behind by a person",
        }
    }
}

/// One item copy in the ledger: what was listed, and everything that happened, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRow {
    /// In which folder.
    pub folder: FolderNo,
    /// Its key.
    pub key: ItemKey,
    /// What the listing showed.
    pub header: SourceHeader,
    /// What happened. Bounded by `limits::FACTS_PER_ROW_MAX`.
    pub facts: Vec<CopyFact>,
}

/// The named buckets of the balance. Every item of the source is in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// On the target, once.
    Confirmed,
    /// Left behind by rule.
    Skipped,
    /// Withheld by screening.
    Quarantined,
    /// Cannot be carried.
    Refused,
    /// Waits for a person.
    Parked,
    /// May be on the target.
    InDoubt,
    /// Not yet carried.
    Remaining,
    /// Carried, and changed at the source since.
    ChangedSince,
}

impl Bucket {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Confirmed,
        Self::Skipped,
        Self::Quarantined,
        Self::Refused,
        Self::Parked,
        Self::InDoubt,
        Self::Remaining,
        Self::ChangedSince,
    ];
}

/// Whether a folder is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FolderFate {
    /// Its items are copied.
    Carry,
    /// It stays, by this rule.
    LeftOut(LeaveRule),
}

/// Why a folder stays behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LeaveRule {
    /// A search folder shows items that live elsewhere.
    SearchFolder,
    /// Sync Issues and its children: records of a local Outlook.
    SyncIssues,
    /// Hidden by PidTagAttributeHidden.
    Hidden,
    /// Outbox: what lies there was never sent.
    Outbox,
    /// RSS Feeds.
    RssFeeds,
    /// The dumpster.
    RecoverableItems,
    /// Settings or generated contents (quick steps, conversation actions, recipient cache, birthdays, ...).
    SystemFolder,
    /// Outside the user's tree.
    OutsideTree,
    /// Named in `select.exclude_folders`.
    Excluded,
    /// Inside a folder that stays.
    ParentLeftOut,
    /// Holds tasks, notes or a journal, and the target's cloud has no way to make such a folder.
    NoSuchFolders,
}

impl LeaveRule {
    /// The rule's name in balance and report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SearchFolder => "search folder",
            Self::SyncIssues => "sync issues",
            Self::Hidden => "hidden folder",
            Self::Outbox => "outbox",
            Self::RssFeeds => "RSS feeds",
            Self::RecoverableItems => "recoverable items",
            Self::SystemFolder => "system folder",
            Self::OutsideTree => "outside the user's tree",
            Self::Excluded => "excluded by the plan",
            Self::ParentLeftOut => "inside a folder that stays",
            Self::NoSuchFolders => "no such folders without mailbox import",
        }
    }
}

/// One source folder in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderRow {
    /// Its number in this job.
    pub no: FolderNo,
    /// Its source id.
    pub source: FolderId,
    /// Its parent's number.
    pub parent: Option<FolderNo>,
    /// Its name.
    pub name: String,
    /// Its path, default folders by their English name.
    pub path: FolderPath,
    /// Its class.
    pub class: String,
    /// What it is for.
    pub role: Option<FolderRole>,
    /// Generic or search.
    pub kind: FolderKind,
    /// Items as the hierarchy counted them when last listed.
    pub items: Count,
    /// Whether it is carried.
    pub fate: FolderFate,
    /// Its counterpart, once made or found.
    pub target: Option<TargetFolderId>,
    /// How far its changes were read; stored only together with, or after, the rows of that page.
    pub sync: Option<SyncToken>,
    /// True when the listing reached its end at least once.
    pub swept: bool,
    /// True when we made the counterpart; only then may we rename or remove it.
    pub made: bool,
    /// The name we gave the counterpart, or found it under.
    pub named: Option<String>,
    /// Items the counterpart held before our first create, where it was there.
    pub before: Count,
    /// True once the source folder went, or went elsewhere: its rows are kept as tombstones.
    pub gone: bool,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JobPhase {
    /// Not begun.
    #[default]
    Waiting,
    /// First listing and copying.
    Seeding,
    /// Everything listed is settled; the source may have moved on since.
    CaughtUp,
    /// Stopped until somebody acts.
    Halted(HaltCause),
    /// Follows what changed at the source since it was caught up.
    CatchingUp,
    /// The final pass: both a delta and a full enumeration.
    Finishing,
    /// The final pass is through: everything a full enumeration shows is settled.
    Finished,
}

impl JobPhase {
    /// True when everything that was listed is settled.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::CaughtUp | Self::Finished)
    }
}

/// One job in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    /// Its position in the plan.
    pub job: JobId,
    /// From which mailbox.
    pub source: MailboxId,
    /// Into which mailbox.
    pub target: MailboxId,
    /// Where it stands.
    pub phase: JobPhase,
    /// Counts claims; a lease of an older epoch is fenced.
    pub epoch: u64,
    /// When the phase last changed.
    pub since: Moment,
    /// How far the changes of its folder hierarchy were read; stored only after the folders' rows.
    pub hierarchy: Option<SyncToken>,
}

/// One entry to append to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// A folder as seen or as changed; replaces the row of the same number.
    Folder(FolderRow),
    /// An item was listed. A row that exists keeps its facts; only its header is renewed.
    Found {
        /// In which folder.
        folder: FolderNo,
        /// What the listing showed.
        header: SourceHeader,
    },
    /// Something happened to an item that was listed before.
    Copy {
        /// In which folder.
        folder: FolderNo,
        /// Which item.
        key: ItemKey,
        /// What happened.
        fact: CopyFact,
    },
    /// The job entered a phase.
    Phase(JobPhase, Moment),
    /// The hierarchy was read up to here; every folder row it stands for is in this append or an earlier one.
    Hierarchy(Option<SyncToken>),
}
