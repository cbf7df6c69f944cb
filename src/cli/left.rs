//! What a run leaves, counted from the ledger, and from the plan's inventory where nothing was listed yet.

use crate::base::fact::Bucket;
use crate::base::quantity::{Bytes, Count, Moment};
use crate::evidence::balance::{Balance, MailboxBalance};
use crate::plan::document::Plan;
use crate::plan::outlook::{Carried, Left, Outlook, outlook};

/// Adds up what is left of a plan.
pub(super) fn left_of(balance: &Balance, plan: &Plan) -> Left {
    let mut left = Left::default();
    for (job, items, bytes) in plan.counted() {
        let known = balance.mailboxes.iter().find(|m| m.job == job);
        let seen = known.filter(|mailbox| !mailbox.folders.is_empty());
        if let Some(mailbox) = seen {
            add(&mut left, mailbox);
            continue;
        }
        left.mailboxes += Count::new(1);
        match items {
            Some(items) => {
                left.items += items;
                left.bytes += bytes.unwrap_or_default();
            }
            None => left.uncounted += Count::new(1),
        }
    }
    left
}

fn add(left: &mut Left, mailbox: &MailboxBalance) {
    let totals = mailbox.totals();
    let items = totals.of(Bucket::Remaining) + totals.of(Bucket::InDoubt);
    if items == Count::ZERO && mailbox.phase.is_settled() {
        return;
    }
    left.mailboxes += Count::new(1);
    left.items += items;
    left.bytes += totals.left;
    // What no listing has shown is taken as large as the mailbox's other items are on average.
    let listed = totals.source.saturating_sub(totals.unlisted).get();
    if let Some(mean) = totals.bytes.get().checked_div(listed) {
        left.bytes += Bytes::new(mean.saturating_mul(totals.unlisted.get()));
    }
}

/// How long it takes at the rate of a run.
pub(super) fn forecast(left: Left, carried: Carried, plan: &Plan, now: Moment) -> Option<Outlook> {
    let largest = plan.select.to_selection().max_item_size;
    outlook(left, carried, plan.schedule.as_ref(), largest, now)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::fact::JobPhase;
    use crate::base::id::{JobId, MailboxId};
    use crate::base::mailbox::FolderPath;
    use crate::evidence::balance::{FolderBalance, Routes};

    fn mailbox(
        job: u32,
        phase: JobPhase,
        buckets: &[(Bucket, u64)],
        unlisted: u64,
    ) -> MailboxBalance {
        let buckets: BTreeMap<Bucket, Count> =
            buckets.iter().map(|(b, n)| (*b, Count::new(*n))).collect();
        let source: Count = buckets.values().copied().sum();
        let open = |bucket| buckets.get(&bucket).copied().unwrap_or_default().get();
        let left = open(Bucket::Remaining) + open(Bucket::InDoubt) - unlisted;
        MailboxBalance {
            job: JobId(job),
            source: MailboxId::new("a@x.example"),
            target: MailboxId::new("a@x.example"),
            phase,
            folders: vec![FolderBalance {
                path: FolderPath::of(["Inbox"]),
                left_out: None,
                source,
                buckets,
                bytes: Bytes::new(source.saturating_sub(Count::new(unlisted)).get() * 1_000),
                carried: Bytes::ZERO,
                left: Bytes::new(left * 1_000),
                unlisted: Count::new(unlisted),
                confirmed_withheld: Count::ZERO,
                routes: Routes::default(),
            }],
            exceptions: Vec::new(),
            leftovers: Vec::new(),
            typed: BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_left_is_counted_once_and_unseen_mailboxes_are_not_forgotten() {
        let mut plan =
            Plan::parse(include_str!("../../plans/clinic.toml")).expect("the sample is right");
        let pair = plan.waves[0].mailboxes[0].clone();
        plan.waves.truncate(1);
        let mut counted = pair.clone();
        counted.items = Some(Count::new(50));
        counted.bytes = Some(Bytes::new(7));
        plan.waves[0].mailboxes = vec![pair.clone(), pair.clone(), pair.clone(), counted, pair];
        let balance = Balance {
            mailboxes: vec![
                mailbox(0, JobPhase::CaughtUp, &[(Bucket::Confirmed, 9)], 0),
                mailbox(
                    1,
                    JobPhase::Seeding,
                    &[
                        (Bucket::Confirmed, 4),
                        (Bucket::Remaining, 5),
                        (Bucket::InDoubt, 1),
                    ],
                    2,
                ),
                mailbox(2, JobPhase::CaughtUp, &[(Bucket::Refused, 3)], 0),
            ],
        };
        let left = left_of(&balance, &plan);
        assert_eq!(left.items, Count::new(6 + 50));
        assert_eq!(left.bytes, Bytes::new(4_000 + 2_000 + 7));
        assert_eq!(left.mailboxes, Count::new(3));
        assert_eq!(left.uncounted, Count::new(1));
    }
}
