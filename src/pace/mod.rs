//! Layer 1: when a call may start.

pub mod backoff;
pub mod budget;
pub mod gate;
pub mod hold;
pub mod order;
pub mod tide;
pub mod window;
