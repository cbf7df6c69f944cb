//! Layer 1: what a second party can recompute: balance, grade, manifest, Merkle tree, log, waivers, signatures, and the gate before cutover.

pub mod agent;
pub mod balance;
pub mod chain;
pub mod checks;
pub mod gate;
pub mod grade;
pub mod manifest;
pub mod merkle;
pub mod pack;
pub mod rules;
pub mod runs;
pub mod signers;
pub mod sshsig;
pub mod verdict;
pub mod waiver;
