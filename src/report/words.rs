//! The names people read: phases, buckets, causes. One place, so that bar, summary and report call the same thing the same.

use crate::base::fact::{Bucket, JobPhase};
use crate::base::outcome::{HaltCause, Scope};
use crate::base::quantity::Count;
use crate::evidence::balance::Totals;

/// What a run waits for that works night after night.
pub const WINDOW: &str = "the plan's next window";

/// Every bucket, in the order reports show them.
pub const BUCKETS: [Bucket; 8] = [
    Bucket::Confirmed,
    Bucket::Skipped,
    Bucket::Quarantined,
    Bucket::Refused,
    Bucket::Parked,
    Bucket::InDoubt,
    Bucket::Remaining,
    Bucket::ChangedSince,
];

/// The columns worth showing: those somebody is in, and confirmed always.
pub fn shown(totals: &Totals) -> Vec<Bucket> {
    BUCKETS
        .into_iter()
        .filter(|bucket| *bucket == Bucket::Confirmed || totals.of(*bucket) > Count::ZERO)
        .collect()
}

/// The name of a bucket in a table.
pub const fn bucket(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Confirmed => "confirmed",
        Bucket::Skipped => "skipped",
        Bucket::Quarantined => "quarantined",
        Bucket::Refused => "refused",
        Bucket::Parked => "parked",
        Bucket::InDoubt => "in doubt",
        Bucket::Remaining => "remaining",
        Bucket::ChangedSince => "changed since",
    }
}

/// The key of a bucket in JSON.
pub const fn bucket_key(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Confirmed => "confirmed",
        Bucket::Skipped => "skipped",
        Bucket::Quarantined => "quarantined",
        Bucket::Refused => "refused",
        Bucket::Parked => "parked",
        Bucket::InDoubt => "in_doubt",
        Bucket::Remaining => "remaining",
        Bucket::ChangedSince => "changed_since",
    }
}

/// What a bucket holds, in one line.
pub const fn bucket_meaning(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Confirmed => "on the target, once",
        Bucket::Skipped => "left behind by a rule of the plan",
        Bucket::Quarantined => "withheld by screening",
        Bucket::Refused => "one side says it cannot be carried",
        Bucket::Parked => "waits for a person",
        Bucket::InDoubt => "may be on the target; the next run looks",
        Bucket::Remaining => "not carried yet",
        Bucket::ChangedSince => "carried, and changed or deleted at the source since",
    }
}

/// Why a mailbox is halted.
pub const fn halt(cause: HaltCause) -> &'static str {
    match cause {
        HaltCause::NoSourceMailbox => "the source has no such mailbox",
        HaltCause::ImpersonationDenied => "the service account may not impersonate it",
        HaltCause::SourceDenied => "the source denies access",
        HaltCause::Moving => "the mailbox is being moved",
        HaltCause::NoTargetMailbox => "the target has no such mailbox",
        HaltCause::TargetDenied => "the target denies access",
        HaltCause::QuotaFull => "the target mailbox is full",
        HaltCause::Exhausted => "too many setbacks in a row",
        HaltCause::OurRequest => "a request of ours was refused as wrong",
    }
}

/// What to do about a halted mailbox.
pub const fn halt_remedy(cause: HaltCause) -> &'static str {
    match cause {
        HaltCause::NoSourceMailbox => "correct the source address in the list and make a new plan",
        HaltCause::ImpersonationDenied => {
            "put the mailbox into the scope of the account's impersonation role"
        }
        HaltCause::SourceDenied => "check the account's rights on the Exchange server",
        HaltCause::Moving => "wait for the move to end, then run again",
        HaltCause::NoTargetMailbox => "license the user on Microsoft 365, then run again",
        HaltCause::TargetDenied => "put the mailbox into the application's scope, then run again",
        HaltCause::QuotaFull => "raise the quota or enable its archive, then run again",
        HaltCause::Exhausted => "run again; if it halts again, look at the journal",
        HaltCause::OurRequest => "please report this",
    }
}

/// Where a mailbox stands, in one or two words.
pub const fn phase(phase: JobPhase) -> &'static str {
    match phase {
        JobPhase::Waiting => "waiting",
        JobPhase::Seeding => "copying",
        JobPhase::CaughtUp => "caught up",
        JobPhase::CatchingUp => "following",
        JobPhase::Finishing => "final pass",
        JobPhase::Finished => "final pass done",
        JobPhase::Halted(_) => "halted",
    }
}

/// The key of a phase in JSON.
pub const fn phase_key(phase: JobPhase) -> &'static str {
    match phase {
        JobPhase::Waiting => "waiting",
        JobPhase::Seeding => "seeding",
        JobPhase::CaughtUp => "caught_up",
        JobPhase::CatchingUp => "catching_up",
        JobPhase::Finishing => "finishing",
        JobPhase::Finished => "finished",
        JobPhase::Halted(_) => "halted",
    }
}

/// How a run ended, by its exit code.
pub const fn exit(code: u8) -> &'static str {
    match code {
        0 => "done, nothing open",
        1 => "an internal error",
        3 => "an input refused",
        4 => "a side that cannot be reached, or missing rights",
        5 => "done, items wait for a decision",
        6 => "work left",
        7 => "something unexplained",
        9 => "another run in its place",
        _ => "another exit code",
    }
}

/// Who asked us to wait.
pub const fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::SourceServer => "the source server",
        Scope::SourceMailbox => "the source mailbox",
        Scope::TargetMailbox => "the target mailbox",
        Scope::TargetApp => "the target, for the whole application",
    }
}
