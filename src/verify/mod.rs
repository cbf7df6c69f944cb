//! Layer 1: is it all there, is it the same, and does the answer still hold.

pub mod content;
pub mod fresh;
pub mod march;
pub mod names;
pub mod reason;
pub mod typed;
