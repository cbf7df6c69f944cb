//! Layer 5: looking into items on their way. The parts come out of the spooled stream, so that nothing is downloaded twice; the rules are
//! [`crate::sift`]'s, the engine is a clamd on this machine.

mod clamd;
mod look;
pub mod quarantine;

pub use clamd::{Clamd, Said, Silent, Version, read_reply, read_version};
pub use look::{ItemScreener, ScreenOptions};
