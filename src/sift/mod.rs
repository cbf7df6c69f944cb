//! Layer 1: what in the parts of an item can hurt somebody, by rules that need no engine: content against name, scripts, macros, hidden and
//! encrypted archives, hashes of files that are known to be bad.
//!
//! Everything here is bounded by bytes and counts (`limits::SIFT_*`), never by a clock: the same part always gives the same answer. What goes over
//! a bound is said to be not scanned; nothing over a bound counts as harmless.

mod archive;
mod content;
mod encoded;
mod hashes;
mod kind;
mod names;
mod sifter;

pub use hashes::{HashFault, HashLists};
pub use sifter::{Piece, Sifted, Sifter, Stop, fold, test_file};

#[cfg(test)]
mod tests;
