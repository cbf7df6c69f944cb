//! What the rows of a folder add up to, kept by the ledger beside them so that nobody has to read a million rows to learn a sum.

use serde::{Deserialize, Serialize};

use crate::base::fact::Bucket;
use crate::base::quantity::{Bytes, Count};
use crate::base::route::Route;

/// What is to be done about a row that is not at rest. The ledger keeps an index by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Due {
    /// To be carried.
    Create,
    /// Its intent is durable; the create may be on its way.
    InFlight,
    /// Nobody knows whether its create took effect.
    Doubt,
    /// Its copy is older than the source.
    Update,
    /// Nobody knows whether its update took effect.
    Check,
    /// It left the source; its copy is to follow.
    Retract,
    /// Nothing, until a person acts: refused, parked, kept.
    Attention,
}

impl Due {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::InFlight,
        Self::Doubt,
        Self::Update,
        Self::Check,
        Self::Retract,
        Self::Attention,
    ];
}

/// What one row adds to the sums of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is to be done about it; `None` when it is at rest.
    pub due: Option<Due>,
    /// Its bucket; `None` when its item is no longer on the source.
    pub bucket: Option<Bucket>,
    /// True when we know a copy of it on the target.
    pub placed: bool,
    /// Its size as the source lists it.
    pub listed: Bytes,
    /// The stream that arrived, for a confirmed row.
    pub carried: Bytes,
    /// How its copy on the target travelled, where there is one and its item is on the source.
    pub route: Option<Route>,
}

/// Sums over the rows of one folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderSums {
    due: [u64; 7],
    buckets: [u64; 8],
    bucket_bytes: [u64; 8],
    placed: u64,
    carried: u64,
    // Last: the sums of ledgers written before end in front of it (`store::migrate`).
    routes: [u64; 2],
}

impl FolderSums {
    /// Adds a row.
    pub fn add(&mut self, entry: Entry) {
        self.change(entry, u64::wrapping_add);
    }

    /// Takes a row away that was added before.
    pub fn take(&mut self, entry: Entry) {
        self.change(entry, u64::wrapping_sub);
    }

    /// Adds other sums.
    pub fn absorb(&mut self, other: &Self) {
        let both = |own: &mut [u64], more: &[u64]| {
            own.iter_mut()
                .zip(more)
                .for_each(|(a, b)| *a = a.wrapping_add(*b));
        };
        both(&mut self.due, &other.due);
        both(&mut self.buckets, &other.buckets);
        both(&mut self.bucket_bytes, &other.bucket_bytes);
        both(&mut self.routes, &other.routes);
        self.placed += other.placed;
        self.carried += other.carried;
    }

    // Wrapping, because whoever takes a row away may do so before adding another that outweighs it; sums of whole ledgers stay far below 2^64.
    fn change(&mut self, entry: Entry, by: impl Fn(u64, u64) -> u64) {
        if let Some(due) = entry.due {
            let slot = &mut self.due[due as usize];
            *slot = by(*slot, 1);
        }
        if let Some(bucket) = entry.bucket {
            let (n, bytes) = (
                &mut self.buckets[bucket as usize],
                &mut self.bucket_bytes[bucket as usize],
            );
            *n = by(*n, 1);
            *bytes = by(*bytes, entry.listed.get());
        }
        if let Some(route) = entry.route {
            let slot = &mut self.routes[route as usize];
            *slot = by(*slot, 1);
        }
        self.placed = by(self.placed, u64::from(entry.placed));
        self.carried = by(self.carried, entry.carried.get());
    }

    /// Rows with this to be done.
    pub const fn due(&self, due: Due) -> Count {
        Count::new(self.due[due as usize])
    }

    /// Rows in this bucket.
    pub const fn of(&self, bucket: Bucket) -> Count {
        Count::new(self.buckets[bucket as usize])
    }

    /// Listed bytes of the rows in this bucket.
    pub const fn bytes_of(&self, bucket: Bucket) -> Bytes {
        Bytes::new(self.bucket_bytes[bucket as usize])
    }

    /// Rows whose items are on the source.
    pub fn source(&self) -> Count {
        Count::new(self.buckets.iter().sum())
    }

    /// Their listed bytes.
    pub fn bytes(&self) -> Bytes {
        Bytes::new(self.bucket_bytes.iter().sum())
    }

    /// Copies we know of on the target.
    pub const fn placed(&self) -> Count {
        Count::new(self.placed)
    }

    /// Copies on the target that travelled so, of items that are on the source.
    pub const fn by(&self, route: Route) -> Count {
        Count::new(self.routes[route as usize])
    }

    /// Stream bytes of confirmed rows.
    pub const fn carried(&self) -> Bytes {
        Bytes::new(self.carried)
    }

    /// Rows that another look, create, update or retraction is due for.
    pub fn open(&self) -> Count {
        let all: u64 = self.due.iter().sum();
        Count::new(all.saturating_sub(self.due[Due::Attention as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_added_and_taken_leaves_nothing(
            rows in proptest::collection::vec((0usize..8, 0usize..9, any::<bool>(), 0u64..1_000_000), 0..50),
        ) {
            let entry = |(due, bucket, placed, size): &(usize, usize, bool, u64)| Entry {
                due: Due::ALL.get(*due).copied(),
                bucket: Bucket::ALL.get(*bucket).copied(),
                placed: *placed,
                listed: Bytes::new(*size),
                carried: Bytes::new(size / 2),
                route: placed.then_some(if size % 2 == 0 { Route::Stream } else { Route::Typed }),
            };
            let mut sums = FolderSums::default();
            // Taken first on purpose: the order must not matter.
            for row in rows.iter().rev() {
                sums.take(entry(row));
            }
            for row in &rows {
                sums.add(entry(row));
            }
            prop_assert_eq!(sums, FolderSums::default());
            for row in &rows {
                sums.add(entry(row));
            }
            let on_source = rows.iter().filter(|row| row.1 < 8).count() as u64;
            prop_assert_eq!(sums.source(), Count::new(on_source));
            prop_assert_eq!(sums.by(Route::Stream) + sums.by(Route::Typed), sums.placed());
        }
    }
}
