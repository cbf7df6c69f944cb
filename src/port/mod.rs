//! Layer 2: the seams. Each trait states what may be called twice, what is true after success, and what after failure.

pub mod body;
pub mod clock;
pub mod ledger;
pub mod posture;
pub mod probe;
pub mod screen;
pub mod sink;
pub mod source;
pub mod target;
pub mod typed;
