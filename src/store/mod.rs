//! Layer 5: ledgers. `memory` for simulations, `embedded` (sled) for one workstation; both pass `tests/contract_ledger.rs`.

pub mod canaries;
mod check;
pub mod codec;
pub mod codec_v1;
mod committer;
mod compact;
mod directory;
pub mod embedded;
mod export;
mod fold;
pub mod inspect;
mod leaf;
pub mod lock;
pub mod memory;
mod migrate;
mod shelf;
