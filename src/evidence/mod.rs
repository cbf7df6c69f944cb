//! Layer 1: what a second party can recompute: balance and grade.

pub mod balance;
pub mod grade;
