//! Time, asked for in one place.

use std::fmt;

use async_trait::async_trait;

use crate::base::quantity::{Moment, Tick};

/// The clock of a run. `tick` orders and paces; `moment` is for records and people, never for decisions.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// Milliseconds since this clock began. Never goes back.
    fn tick(&self) -> Tick;

    /// Civil time, in UTC.
    fn moment(&self) -> Moment;

    /// Returns at `at` or, when that has passed, at once.
    async fn sleep_until(&self, at: Tick);
}
