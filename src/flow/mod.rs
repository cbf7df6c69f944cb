//! Layer 1: what happens next, as functions.

pub mod copy;
pub mod doubt;
pub mod judge;
pub mod pass;
pub mod tally;
