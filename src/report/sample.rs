//! A balance for tests: one mailbox of every kind of trouble, one without.

use crate::base::fact::{Bucket, JobPhase, LeaveRule};
use crate::base::id::{ItemId, JobId, MailboxId};
use crate::base::item::{ItemClass, ItemKey};
use crate::base::mailbox::FolderPath;
use crate::base::outcome::HaltCause;
use crate::base::quantity::{Bytes, Count, Span};
use crate::evidence::balance::{
    Balance, Exception, FolderBalance, Leftover, MailboxBalance, Routes,
};
use crate::report::summary::{Closing, Followed};
use std::collections::BTreeMap;

fn folder(path: &[&str], left_out: Option<LeaveRule>, buckets: &[(Bucket, u64)]) -> FolderBalance {
    let source: u64 = buckets.iter().map(|(_, n)| n).sum();
    FolderBalance {
        path: FolderPath::of(path.iter().copied()),
        left_out,
        source: Count::new(if left_out.is_some() { 7 } else { source }),
        buckets: buckets
            .iter()
            .map(|(bucket, n)| (*bucket, Count::new(*n)))
            .collect(),
        bytes: Bytes::new(source * 10_000),
        carried: Bytes::new(source * 9_000),
        left: Bytes::ZERO,
        unlisted: Count::ZERO,
        confirmed_withheld: Count::ZERO,
        routes: Routes::default(),
    }
}

fn exception(path: &[&str], bucket: Bucket, why: &str) -> Exception {
    Exception {
        folder: FolderPath::of(path.iter().copied()),
        item: ItemKey::of(&ItemId::new(why)),
        class: ItemClass::new("IPM.Note"),
        bucket,
        rule: None,
        why: why.to_owned(),
    }
}

/// Two mailboxes: one with open items and a halt, one done.
pub(super) fn balance() -> Balance {
    let open = MailboxBalance {
        job: JobId(0),
        source: MailboxId::new("a.harris@clinic.example"),
        target: MailboxId::new("a.harris@clinic.example"),
        phase: JobPhase::Halted(HaltCause::QuotaFull),
        folders: vec![
            folder(
                &["Inbox"],
                None,
                &[(Bucket::Confirmed, 1_200), (Bucket::Refused, 1)],
            ),
            folder(
                &["Inbox", "Lab/results <b>"],
                None,
                &[(Bucket::Parked, 1), (Bucket::Remaining, 40)],
            ),
            folder(&["Sync Issues"], Some(LeaveRule::SyncIssues), &[]),
        ],
        exceptions: vec![
            exception(
                &["Inbox"],
                Bucket::Refused,
                "TargetRefused: HTTP 400, ErrorCorruptData",
            ),
            exception(
                &["Inbox", "Lab/results <b>"],
                Bucket::Parked,
                "too many attempts",
            ),
        ],
        leftovers: vec![Leftover {
            folder: FolderPath::of(["Inbox"]),
            item: ItemKey([0xAB; 16]),
            class: ItemClass::new("IPM.Note"),
            why: "left the source; changed on the target by somebody else".to_owned(),
        }],
        typed: BTreeMap::new(),
    };
    let done = MailboxBalance {
        job: JobId(1),
        source: MailboxId::new("b.ozanne@clinic.example"),
        target: MailboxId::new("b@clinic.example"),
        phase: JobPhase::CaughtUp,
        folders: vec![folder(
            &["Inbox"],
            None,
            &[(Bucket::Confirmed, 5), (Bucket::Skipped, 2)],
        )],
        exceptions: vec![exception(
            &["Inbox"],
            Bucket::Skipped,
            "left by rule: system item class",
        )],
        leftovers: Vec::new(),
        typed: BTreeMap::new(),
    };
    Balance {
        mailboxes: vec![open, done],
    }
}

/// What a run says besides.
pub(super) fn closing() -> Closing {
    Closing {
        source_calls: Count::new(310),
        target_calls: Count::new(1_300),
        throttled: Count::new(4),
        sent: Bytes::new(16_000_000),
        took: Span::from_secs(95),
        stopped: None,
        exit: 6,
        dropped: Count::ZERO,
        next: "mailferry run plan.toml".to_owned(),
        left: None,
        outlook: None,
        followed: Followed::default(),
    }
}
