//! Layer 5: ledgers.
