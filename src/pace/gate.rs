//! Calls in flight.

/// Admits at most `limit` at a time.
#[derive(Clone, Debug)]
pub struct Gate {
    limit: u32,
    inside: u32,
}

impl Gate {
    /// An empty gate. A limit of zero counts as one.
    pub fn new(limit: u32) -> Self {
        Self {
            limit: limit.max(1),
            inside: 0,
        }
    }

    /// True when one more may enter.
    pub const fn open(&self) -> bool {
        self.inside < self.limit
    }

    /// One enters. Ask [`Gate::open`] first.
    pub const fn enter(&mut self) {
        self.inside += 1;
    }

    /// One leaves.
    pub const fn leave(&mut self) {
        self.inside = self.inside.saturating_sub(1);
    }
}
