//! Calls in flight.

/// Counts those inside against a limit that may change.
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

    /// Sets the limit. Nobody inside is sent away.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit.max(1);
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
