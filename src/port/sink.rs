//! Narration.

use std::fmt;

use crate::base::event::Event;

/// A listener. Never blocks, never fails: the ledger is the truth, events are narration and may be dropped.
pub trait EventSink: fmt::Debug + Send + Sync {
    /// Takes one event.
    fn emit(&self, event: &Event);
}
