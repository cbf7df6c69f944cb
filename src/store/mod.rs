//! Layer 5: ledgers. `memory` for simulations, `embedded` (sled) for one workstation; both pass `tests/contract_ledger.rs`.

pub mod codec;
pub mod codec_v1;
mod committer;
pub mod embedded;
mod fold;
pub mod lock;
pub mod memory;
mod migrate;
