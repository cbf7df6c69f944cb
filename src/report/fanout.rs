//! One event sink made of several: counters at once, everything else through a bounded queue.
//!
//! Counters must be true, so they are fed where the event happens. Lines for people may be dropped when the queue is full; how many were
//! dropped is counted and said.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::event::Event;
use crate::base::quantity::Count;
use crate::flow::peaks::Peaks;
use crate::flow::tally::Tally;
use crate::port::sink::EventSink;

/// Counts every event, and passes it on where there is room.
#[derive(Debug)]
pub struct Fanout {
    tally: Mutex<Tally>,
    peaks: Mutex<Peaks>,
    queue: Mutex<Option<SyncSender<Event>>>,
    dropped: AtomicU64,
}

impl Fanout {
    /// A sink, and the end where its events come out.
    pub fn new(room: usize) -> (Self, Receiver<Event>) {
        let (sender, receiver) = sync_channel(room);
        let fanout = Self {
            tally: Mutex::default(),
            peaks: Mutex::default(),
            queue: Mutex::new(Some(sender)),
            dropped: AtomicU64::new(0),
        };
        (fanout, receiver)
    }

    /// The counters as they stand.
    pub fn tally(&self) -> Tally {
        self.counters().clone()
    }

    /// The busiest windows so far.
    pub fn peaks(&self) -> Peaks {
        let peaks = self.peaks.lock().unwrap_or_else(PoisonError::into_inner);
        peaks.clone()
    }

    /// Events that were counted and not passed on.
    pub fn dropped(&self) -> Count {
        Count::new(self.dropped.load(Ordering::Relaxed))
    }

    /// Passes nothing on from here; the reader ends after what waits.
    pub fn close(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        *queue = None;
    }

    fn counters(&self) -> MutexGuard<'_, Tally> {
        // Adding to a counter does not panic half-way.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Fanout {
    fn emit(&self, event: &Event) {
        self.counters().apply(event);
        self.peaks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .apply(event);
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return };
        if let Err(TrySendError::Full(_)) = queue.try_send(event.clone()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::EventKind;
    use crate::base::id::{JobId, RunId};
    use crate::base::quantity::Moment;

    #[test]
    fn a_full_queue_drops_lines_and_never_counts() {
        let (fanout, receiver) = Fanout::new(2);
        let event = Event {
            at: Moment::from_unix_ms(0),
            run: RunId::new("r"),
            job: Some(JobId(0)),
            kind: EventKind::CopyAdopted,
        };
        for _ in 0..5 {
            fanout.emit(&event);
        }
        fanout.close();
        fanout.emit(&event);
        assert_eq!(receiver.iter().count(), 2);
        assert_eq!(fanout.dropped(), Count::new(3));
        assert_eq!(fanout.tally().sum(|job| job.adopted), Count::new(6));
    }
}
