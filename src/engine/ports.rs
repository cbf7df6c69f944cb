//! What every driver is handed.

use std::sync::Arc;

use crate::port::clock::Clock;
use crate::port::ledger::Ledger;
use crate::port::screen::Screener;
use crate::port::sink::EventSink;
use crate::port::source::Source;
use crate::port::target::Target;
use crate::port::typed::TypedPorts;

/// The seams.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Where items come from.
    pub source: Arc<dyn Source>,
    /// Where they go.
    pub target: Arc<dyn Target>,
    /// What is known.
    pub ledger: Arc<dyn Ledger>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who listens.
    pub events: Arc<dyn EventSink>,
    /// Who looks into items on their way, where the plan wants it.
    pub screener: Option<Arc<dyn Screener>>,
    /// The typed route, where there is one.
    pub typed: Option<TypedPorts>,
}
