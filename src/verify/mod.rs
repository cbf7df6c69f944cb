//! Layer 1: is it all there.
