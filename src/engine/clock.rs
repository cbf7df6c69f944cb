//! The one place that asks tokio for the time. Serves production and simulation: pausing tokio's time pauses both faces.

use async_trait::async_trait;
use tokio::time::Instant;

use crate::base::quantity::{Moment, Span, Tick};
use crate::port::clock::Clock;

/// Tokio's clock, anchored in civil time once.
#[derive(Debug)]
pub struct TokioClock {
    start: Instant,
    anchor: Moment,
}

impl TokioClock {
    /// A clock whose tick 0 is now and was `anchor` in civil time.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks for the time"
    )]
    pub fn starting_at(anchor: Moment) -> Self {
        Self {
            start: Instant::now(),
            anchor,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks for the time"
    )]
    fn elapsed(&self) -> Span {
        let elapsed = Instant::now().saturating_duration_since(self.start);
        Span::new(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}

#[async_trait]
impl Clock for TokioClock {
    fn tick(&self) -> Tick {
        Tick::ZERO + self.elapsed()
    }

    fn moment(&self) -> Moment {
        self.anchor.after(self.elapsed())
    }

    async fn sleep_until(&self, at: Tick) {
        if at > self.tick() {
            tokio::time::sleep_until(self.start + (at - Tick::ZERO).to_std()).await;
        }
    }
}
