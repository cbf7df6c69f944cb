//! What a run is asked to do, after the plan file was read and before anything is reached.

use serde::{Deserialize, Serialize};

use crate::base::id::{JobId, MailboxId};
use crate::base::limits;
use crate::base::quantity::{Bytes, Count, Moment, Span};
use crate::base::route::{ReminderRule, RouteRule};

/// Whether a plan touches real mailboxes. Written into plan hash and ledger: a rehearsal ledger never drives a live run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Realm {
    /// Real mailboxes.
    Live,
    /// The lab on loopback.
    Rehearsal,
}

/// One mailbox pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Its position in the plan.
    pub job: JobId,
    /// From which mailbox.
    pub source: MailboxId,
    /// Into which mailbox.
    pub target: MailboxId,
    /// The place of its wave among the waves of the plan, in the order in which they fall due; mailboxes of a lower one come first.
    pub turn: u32,
    /// Items the plan counts in it, where it does. Decides nothing but which mailbox begins first.
    pub items: Option<Count>,
    /// Bytes the plan counts in it, alike.
    pub bytes: Option<Bytes>,
}

/// What the source server is spared while its users work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceByDay {
    /// Connections to it, at most.
    pub connections: u32,
    /// The IANA name of the zone the hours are meant in.
    pub time_zone: String,
    /// The days, 0 for Monday, sorted.
    pub days: Vec<u8>,
    /// When work begins, in minutes of the day.
    pub from: u16,
    /// When it ends, in minutes of the day. Not after `from`: on the next day.
    pub to: u16,
}

/// The bounds of a run: the published limits, or lower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// Calls in flight per target mailbox.
    pub target_calls_in_flight: u32,
    /// Requests per [`limits::GRAPH_REQUEST_WINDOW`] per target mailbox; `None` only in rehearsals.
    pub target_requests_per_window: Option<Count>,
    /// Upload per [`limits::GRAPH_UPLOAD_WINDOW`] per target mailbox; `None` only in rehearsals.
    pub target_upload_per_window: Option<Bytes>,
    /// Mailboxes worked on at once.
    pub mailboxes_at_once: u32,
    /// Connections to the source server, at most.
    pub source_connections: u32,
    /// Fewer while its users work; `None` makes no difference between day and night.
    pub source_by_day: Option<SourceByDay>,
    /// All spooled bodies together.
    pub spool_total: Bytes,
    /// The part of the spool that may be memory; the rest goes to owner-only files.
    pub spool_memory: Bytes,
    /// How long the target may take to show a new item.
    pub settle: Span,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            target_calls_in_flight: limits::TARGET_CALLS_IN_FLIGHT_PER_MAILBOX,
            target_requests_per_window: Some(limits::TARGET_REQUESTS_PER_WINDOW),
            target_upload_per_window: Some(limits::TARGET_UPLOAD_PER_WINDOW),
            mailboxes_at_once: limits::MAILBOXES_AT_ONCE,
            source_connections: limits::SOURCE_CONNECTIONS,
            source_by_day: None,
            spool_total: limits::SPOOL_TOTAL,
            spool_memory: limits::SPOOL_MEMORY_TOTAL,
            settle: limits::VISIBILITY_SETTLE,
        }
    }
}

/// What is carried and what stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Folders that stay, each by the English name of a role (`RSS Feeds`) or by path from the top (`Inbox/Old`); children stay too.
    pub exclude_folders: Vec<String>,
    /// Items received before this stay; `None` carries all.
    pub older_than: Option<Moment>,
    /// Items listed larger than this stay.
    pub max_item_size: Bytes,
    /// The target has no mailbox import: only folders of mail, appointments and contacts can be made there (reference/graph.md 1.1 and 2.6).
    pub no_import: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            exclude_folders: Vec::new(),
            older_than: None,
            max_item_size: limits::ITEM_MAX,
            no_import: false,
        }
    }
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassKind {
    /// Copies what is new and follows what changed, by the source's own record of changes.
    #[default]
    Follow,
    /// The same, and then compares a full enumeration of the source with the ledger: deltas are fast, and not trusted.
    Final,
}

/// Everything the engine needs to know about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSpec {
    /// The mailbox pairs, in plan order.
    pub jobs: Vec<JobSpec>,
    /// The bounds.
    pub limits: RunLimits,
    /// What is carried.
    pub select: Selection,
    /// How far this run goes.
    pub pass: PassKind,
    /// Takes copies off the target however many items left the source. Without it, a mailbox from which much was deleted at once is left as it
    /// is: after a breach, that may be the attacker's work.
    pub allow_deletes: bool,
    /// By which route items travel.
    pub route: RouteRule,
    /// When events that travel by their class begin to remind.
    pub reminders: ReminderRule,
}
