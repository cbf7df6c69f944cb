//! Everything a preflight saw, as it saw it. What was not reached is `None`.

use crate::base::build::Build;
use crate::base::id::MailboxId;
use crate::base::item::ItemClass;
use crate::base::outcome::Setback;
use crate::base::probe::{
    Absent, CanaryTrial, Cleanup, Greeting, HuntSight, LargestItem, Server, ServerSight,
    StateSight, TokenSight, UserSight,
};
use crate::base::quantity::{Bytes, Count, Moment};

/// An answer that was waited for, or none because nobody asked.
pub type Asked<T> = Option<Result<T, Setback>>;

/// What the folders of a source mailbox add up to, those that are carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceSum {
    /// Folders.
    pub folders: u32,
    /// Items in them.
    pub items: Count,
    /// Bytes in them, as the store counts.
    pub bytes: Bytes,
}

/// One mailbox pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxSeen {
    /// From where.
    pub source: MailboxId,
    /// Into where.
    pub target: MailboxId,
    /// Sign-in and impersonation.
    pub greeting: Asked<Greeting>,
    /// The source's folders.
    pub folders: Asked<SourceSum>,
    /// Whether there is an archive.
    pub archive: Asked<bool>,
    /// The largest item.
    pub largest: Asked<Option<LargestItem>>,
    /// The directory's word about the user.
    pub user: Asked<UserSight>,
    /// What is known of a user who is not there.
    pub absent: Option<Absent>,
    /// Whether the user has a mailbox.
    pub resolved: Asked<()>,
    /// The target's folders.
    pub target_folders: Asked<u32>,
    /// Whether an import session opens.
    pub session: Asked<()>,
}

impl MailboxSeen {
    /// Nobody asked yet.
    pub const fn unseen(source: MailboxId, target: MailboxId) -> Self {
        Self {
            source,
            target,
            greeting: None,
            folders: None,
            archive: None,
            largest: None,
            user: None,
            absent: None,
            resolved: None,
            target_folders: None,
            session: None,
        }
    }
}

/// How the calls on one side went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallsSeen {
    /// Questions asked.
    pub asked: u32,
    /// Times we were told to wait.
    pub throttled: u32,
}

/// What the canaries did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CanariesSeen {
    /// Each item's journey.
    pub trials: Vec<CanaryTrial>,
    /// What became of our folders, by the target's address.
    pub cleanup: Vec<(MailboxId, Cleanup)>,
    /// Classes that were found, where the plan wants no streams; those without a form are not tried.
    pub found: Vec<ItemClass>,
    /// Why none were tried, or not all.
    pub not_tried: Option<String>,
    /// Whether a folder was made.
    pub folder_made: Asked<()>,
    /// Whether the items of a folder can be listed, where nothing else proved it before an item was made.
    pub listed: Asked<()>,
    /// Whether an item was deleted.
    pub purged: Asked<()>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// How the search for the EWS URL ended, where the plan asks for one.
    pub hunt: Option<HuntSight>,
    /// The servers, before signing in.
    pub servers: Vec<(Server, ServerSight)>,
    /// The token.
    pub token: Asked<TokenSight>,
    /// The mailboxes that were looked at, in plan order.
    pub mailboxes: Vec<MailboxSeen>,
    /// Calls to the source.
    pub source_calls: CallsSeen,
    /// Calls to the target.
    pub target_calls: CallsSeen,
    /// The canaries.
    pub canaries: CanariesSeen,
    /// Our time when the preflight ended.
    pub at: Moment,
}

/// What others know that no server says: the build table's word, and an export of the target's mailboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What the build table says of the server.
    pub build: Option<BuildWord>,
    /// Ceilings of target mailboxes, by lower-case address.
    pub ceilings: std::collections::BTreeMap<String, Ceilings>,
    /// Mailboxes of the plan.
    pub planned: u32,
    /// Items larger than this stay by the plan.
    pub item_max: Bytes,
    /// The plan's realm is rehearsal.
    pub rehearsal: bool,
    /// Addresses that stand twice on one side of the plan.
    pub twice: Vec<MailboxId>,
    /// The state directory.
    pub state: StateSight,
    /// Room that ledger and spool may take.
    pub room_wanted: Bytes,
}

/// Ceilings of one target mailbox; `None` where the export does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    /// ProhibitSendReceiveQuota.
    pub quota: Option<Bytes>,
    /// MaxReceiveSize.
    pub receive: Option<Bytes>,
}

/// What the build table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildWord {
    /// The build, as the server states it.
    pub build: Build,
    /// Its name in the table (`CU23 Oct25SU`, `CU23`), where it is in it.
    pub name: Option<String>,
    /// Cumulative updates that came after its own.
    pub later_cus: u32,
    /// Security updates it lacks; `None` where the number does not show the security update.
    pub missing: Option<u32>,
    /// Vulnerabilities that attackers are known to use and that are open.
    pub exploited: u32,
    /// Since when Microsoft does not support it.
    pub unsupported_since: Option<String>,
}
