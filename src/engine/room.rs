//! How much room all bodies of a run share, in memory and on disk, and who is served when it is short.
//!
//! The room of a whole group is booked at once, before its turn for the source is asked for, and kept until the group is fetched: whatever
//! is fetched again finds its room. Nobody waits for room while holding some, or while keeping others from the source, so nobody waits for
//! ever. Who asks first is served first. Streams that turn out longer than listed are taken in all the same and counted as debt, which the
//! next booking waits out.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::quantity::Bytes;

/// The room all bodies of a run share.
#[derive(Debug)]
pub struct Spool {
    total: u64,
    memory: u64,
    dir: PathBuf,
    used: Mutex<Used>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Used {
    total: u64,
    memory: u64,
    /// Who waits, the first at the front: a large body is not passed over for ever by small ones.
    line: VecDeque<u64>,
    tickets: u64,
}

/// A place in the line; given up when dropped.
struct Place<'a> {
    spool: &'a Spool,
    ticket: u64,
}

/// Room for a group, lent out body by body. Dropped, it gives back what is not lent.
#[derive(Debug)]
pub struct Booking(Arc<Booked>);

#[derive(Debug)]
struct Booked {
    spool: Arc<Spool>,
    /// Not lent; `None` once the booking is gone.
    left: Mutex<Option<u64>>,
}

/// Room for one body. Dropped, it goes back to its booking, or to the spool when the booking is gone or the body was settled.
#[derive(Debug)]
pub struct Room {
    booked: Arc<Booked>,
    settled: bool,
    total: u64,
    memory: u64,
}

impl Spool {
    /// A spool of `total` bytes, of which `memory` may be memory; files go to `dir`.
    pub fn new(total: Bytes, memory: Bytes, dir: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            total: total.get(),
            memory: memory.get(),
            dir,
            used: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Waits until `estimate` bytes are free and takes them; who asked first is served first. An estimate above the whole is granted when the
    /// spool is empty. Dropping the future gives up the place.
    pub async fn reserve(self: &Arc<Self>, estimate: Bytes) -> Booking {
        let place = self.join();
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Registered before looking: room that is freed in between is not missed.
            freed.as_mut().enable();
            if self.try_take(place.ticket, estimate.get()) {
                return Booking(Arc::new(Booked {
                    spool: Arc::clone(self),
                    left: Mutex::new(Some(estimate.get())),
                }));
            }
            freed.await;
        }
    }

    fn join(&self) -> Place<'_> {
        let mut used = self.lock();
        used.tickets += 1;
        let ticket = used.tickets;
        used.line.push_back(ticket);
        Place {
            spool: self,
            ticket,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_take(&self, ticket: u64, n: u64) -> bool {
        let mut used = self.lock();
        let first = used.line.front() == Some(&ticket);
        let fits = first && (used.total == 0 || used.total.saturating_add(n) <= self.total);
        if fits {
            used.total += n;
        }
        fits
    }

    /// Counts `less` bytes out and `more` in.
    fn change(&self, less: u64, more: u64) {
        let mut used = self.lock();
        used.total = used.total.saturating_sub(less).saturating_add(more);
        drop(used);
        if less > more {
            self.freed.notify_waiters();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let own = self.ticket;
        self.spool.lock().line.retain(|ticket| *ticket != own);
        // Whoever is first now may find room.
        self.spool.freed.notify_waiters();
    }
}

impl Booking {
    /// Room for one body of about `n` bytes, or what is left.
    #[must_use]
    pub fn lend(&self, n: Bytes) -> Room {
        let mut left = self.0.lock();
        let free = left.unwrap_or(0);
        let total = n.get().min(free);
        *left = Some(free - total);
        drop(left);
        Room {
            booked: Arc::clone(&self.0),
            settled: false,
            total,
            memory: 0,
        }
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        let left = self.0.lock().take().unwrap_or(0);
        self.0.spool.change(left, 0);
    }
}

impl Booked {
    fn lock(&self) -> MutexGuard<'_, Option<u64>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Where files go.
    pub fn dir(&self) -> &Path {
        &self.booked.spool.dir
    }

    /// The body is complete and `n` bytes long: frees what is over, or takes what is missing as debt.
    pub fn settle(&mut self, n: Bytes) {
        self.booked.spool.change(self.total, n.get());
        self.total = n.get();
        self.settled = true;
    }

    /// Takes `n` bytes of memory where there are.
    pub fn try_memory(&mut self, n: u64) -> bool {
        let mut used = self.booked.spool.lock();
        let fits = used.memory.saturating_add(n) <= self.booked.spool.memory;
        if fits {
            used.memory += n;
            self.memory += n;
        }
        fits
    }

    /// Gives the memory back.
    pub fn leave_memory(&mut self) {
        let mut used = self.booked.spool.lock();
        used.memory = used.memory.saturating_sub(self.memory);
        self.memory = 0;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.leave_memory();
        if !self.settled
            && let Some(left) = &mut *self.booked.lock()
        {
            *left += self.total;
            return;
        }
        self.booked.spool.change(self.total, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(total: u64) -> Arc<Spool> {
        Spool::new(Bytes::new(total), Bytes::new(total), PathBuf::new())
    }

    fn used(spool: &Spool) -> u64 {
        spool.lock().total
    }

    #[tokio::test]
    async fn room_comes_back_when_the_last_handle_is_gone() {
        let spool = spool(100);
        let booking = spool.reserve(Bytes::new(90)).await;
        let mut room = booking.lend(Bytes::new(50));
        room.settle(Bytes::new(45));
        assert_eq!(used(&spool), 85, "45 settled, 40 not lent");
        drop(booking);
        assert_eq!(used(&spool), 45);
        drop(room);
        assert_eq!(used(&spool), 0);
    }

    #[tokio::test]
    async fn what_is_fetched_again_finds_its_room() {
        let spool = spool(100);
        let booking = spool.reserve(Bytes::new(90)).await;
        let failed = booking.lend(Bytes::new(90));
        let mut other = Box::pin(spool.reserve(Bytes::new(20)));
        assert!(futures_util::poll!(&mut other).is_pending());
        drop(failed);
        assert!(
            futures_util::poll!(&mut other).is_pending(),
            "it is still booked"
        );
        let again = booking.lend(Bytes::new(90));
        drop(booking);
        assert_eq!(again.total, 90);
        drop(again);
        drop(other.await);
        assert_eq!(used(&spool), 0);
    }

    #[tokio::test]
    async fn a_large_body_is_not_passed_over_by_small_ones() {
        let spool = spool(100);
        let held = spool.reserve(Bytes::new(60)).await;
        let mut gone = Box::pin(spool.reserve(Bytes::new(90)));
        let mut large = Box::pin(spool.reserve(Bytes::new(80)));
        let mut small = Box::pin(spool.reserve(Bytes::new(10)));
        assert!(futures_util::poll!(&mut gone).is_pending());
        assert!(futures_util::poll!(&mut large).is_pending());
        assert!(futures_util::poll!(&mut small).is_pending(), "it would fit");
        drop(gone);
        drop(held);
        assert!(futures_util::poll!(&mut small).is_pending(), "not its turn");
        let first = large.await;
        let second = small.await;
        drop((first, second));
        assert_eq!(used(&spool), 0);
    }

    #[tokio::test]
    async fn an_estimate_above_the_whole_is_granted_when_nothing_else_is_there() {
        let spool = spool(100);
        let held = spool.reserve(Bytes::new(1)).await;
        let mut huge = Box::pin(spool.reserve(Bytes::new(1_000)));
        assert!(futures_util::poll!(&mut huge).is_pending());
        drop(held);
        let huge = huge.await;
        assert_eq!(used(&spool), 1_000);
        drop(huge);
    }
}
