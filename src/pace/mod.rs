//! Layer 1: when a call may start.
