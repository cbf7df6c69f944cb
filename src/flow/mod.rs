//! Layer 1: what happens next, as functions.
