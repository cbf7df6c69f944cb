//! Layer 1: what happens next, as functions.

pub mod copy;
#[cfg(test)]
mod copy_tests;
pub mod doubt;
pub mod follow;
pub mod judge;
pub mod pass;
pub mod peaks;
pub mod route;
pub mod screened;
pub mod tally;
