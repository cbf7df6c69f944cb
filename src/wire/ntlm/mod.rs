//! NTLMv2 for HTTP ([MS-NLMP], [MS-NTHT]; reference/ews.md section 2): three messages, both ends. Pure: the time and every random byte are
//! parameters. Nothing is signed or sealed after the sign-in, so no key is exchanged.

mod accept;
mod crypto;
mod messages;

pub use accept::{Acceptor, Mismatch, Names, Protection};
pub use crypto::FileTime;
pub use messages::{Account, Challenge, Response, Unreadable, negotiate};

#[cfg(test)]
mod tests;
