//! Layer 1: is it all there.

pub mod compare;
