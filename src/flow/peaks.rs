//! How near a run came to the target's published limits: the busiest windows of any one mailbox, from the calls as they were made.
//!
//! Counted apart from the code that keeps the limits, so that a fault of the one is not hidden by the other. Time is cut into slots of 5 s; the
//! slots a window can touch are added up, so that what is said is never less than what was sent, and at most a slot more: 1.7 % of the
//! upload window of 300 s, 0.8 % of the request window of 600 s.

use std::collections::{BTreeMap, VecDeque};

use crate::base::event::{Event, EventKind, Side};
use crate::base::id::JobId;
use crate::base::limits::{GRAPH_REQUEST_WINDOW, GRAPH_UPLOAD_WINDOW};
use crate::base::quantity::{Bytes, Count, Span};

/// The length of a slot in milliseconds.
const SLOT_MS: u64 = 5_000;

/// What one mailbox sent of late: 121 and 61 slots of 16 bytes at most, 3 KB.
#[derive(Clone, Debug, Default)]
struct Recent {
    upload: Sliding,
    requests: Sliding,
}

/// Amounts by slot, no older than a window, and their sum.
#[derive(Clone, Debug, Default)]
struct Sliding {
    slots: VecDeque<(u64, u64)>,
    sum: u64,
}

impl Sliding {
    /// Adds an amount and says what the window that ends with it holds at most.
    fn add(&mut self, slot: u64, amount: u64, window: Span) -> u64 {
        let oldest = slot.saturating_sub(window.get() / SLOT_MS);
        while let Some((at, gone)) = self.slots.front().copied() {
            if at >= oldest {
                break;
            }
            self.slots.pop_front();
            self.sum = self.sum.saturating_sub(gone);
        }
        match self.slots.back_mut() {
            Some((at, own)) if *at == slot => *own = own.saturating_add(amount),
            _ => self.slots.push_back((slot, amount)),
        }
        self.sum = self.sum.saturating_add(amount);
        self.sum
    }
}

/// The busiest windows of a run.
#[derive(Clone, Debug, Default)]
pub struct Peaks {
    /// Mailboxes with calls in the last request window; others are forgotten, so that memory follows what is worked on.
    recent: BTreeMap<JobId, Recent>,
    slot: u64,
    upload: Bytes,
    requests: Count,
}

impl Peaks {
    /// Takes one event in; only calls to the target for a mailbox count.
    pub fn apply(&mut self, event: &Event) {
        let (EventKind::Called { side, sent }, Some(job)) = (&event.kind, event.job) else {
            return;
        };
        if *side != Side::Target {
            return;
        }
        // A clock that is set back does not open a window anew.
        let slot = (event.at.unix_ms().max(0).unsigned_abs() / SLOT_MS).max(self.slot);
        if slot > self.slot {
            self.slot = slot;
            let oldest = slot.saturating_sub(GRAPH_REQUEST_WINDOW.get() / SLOT_MS);
            self.recent.retain(|_, own| {
                own.requests
                    .slots
                    .back()
                    .is_some_and(|(at, _)| *at >= oldest)
            });
        }
        let own = self.recent.entry(job).or_default();
        let upload = own.upload.add(slot, sent.get(), GRAPH_UPLOAD_WINDOW);
        let requests = own.requests.add(slot, 1, GRAPH_REQUEST_WINDOW);
        self.upload = self.upload.max(Bytes::new(upload));
        self.requests = self.requests.max(Count::new(requests));
    }

    /// The most bytes that any mailbox was sent in one upload window.
    pub const fn upload(&self) -> Bytes {
        self.upload
    }

    /// The most requests for any mailbox in one request window.
    pub const fn requests(&self) -> Count {
        self.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RunId;
    use crate::base::quantity::Moment;
    use proptest::prelude::*;

    fn call(at_ms: i64, job: u32, sent: u64) -> Event {
        Event {
            at: Moment::from_unix_ms(at_ms),
            run: RunId::new("r"),
            job: Some(JobId(job)),
            kind: EventKind::Called {
                side: Side::Target,
                sent: Bytes::new(sent),
            },
        }
    }

    #[test]
    fn windows_are_of_one_mailbox_and_forget_what_is_over() {
        let mut peaks = Peaks::default();
        for (at, job, sent) in [
            (0, 0, 60),
            (1_000, 1, 100),
            (299_000, 0, 50),
            (900_000, 0, 70),
        ] {
            peaks.apply(&call(at, job, sent));
        }
        assert_eq!(peaks.upload(), Bytes::new(110));
        assert_eq!(peaks.requests(), Count::new(2));
        assert_eq!(peaks.recent.len(), 1);
        let mut other = call(900_000, 0, 1_000);
        other.job = None;
        peaks.apply(&other);
        assert_eq!(peaks.upload(), Bytes::new(110));
    }

    proptest! {
        #[test]
        fn never_less_than_the_truth_and_at_most_a_slot_more(
            gaps in proptest::collection::vec((0_u64..90_000, 0_u64..2, 0_u64..1_000), 1..120)
        ) {
            let mut peaks = Peaks::default();
            let mut calls = Vec::new();
            let mut at = 0;
            for (gap, job, sent) in gaps {
                at += gap;
                calls.push((at, job, sent));
                peaks.apply(&call(i64::try_from(at).unwrap(), u32::try_from(job).unwrap(), sent));
            }
            let busiest = |window: u64, of: fn(u64) -> u64| {
                calls.iter().map(|(end, job, _)| {
                    let inside = |(at, own, _): &&(u64, u64, u64)| own == job && at <= end && *at + window > *end;
                    calls.iter().filter(inside).map(|(_, _, sent)| of(*sent)).sum::<u64>()
                }).max().unwrap_or(0)
            };
            let (five, ten) = (GRAPH_UPLOAD_WINDOW.get(), GRAPH_REQUEST_WINDOW.get());
            prop_assert!(peaks.upload().get() >= busiest(five, |sent| sent));
            prop_assert!(peaks.upload().get() <= busiest(five + 2 * SLOT_MS, |sent| sent));
            prop_assert!(peaks.requests().get() >= busiest(ten, |_| 1));
            prop_assert!(peaks.requests().get() <= busiest(ten + 2 * SLOT_MS, |_| 1));
        }
    }
}
