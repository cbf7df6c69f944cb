//! Layer 5: the source, an Exchange 2016 read by EWS. Nothing here writes, and nothing here tries twice.

pub mod autodiscover;
mod client;
#[cfg(feature = "kerberos")]
mod kerberos;
mod links;
mod posture;
mod posture_words;
mod probe;
mod sign_in;
mod source;
mod survey;
mod trouble;
mod typed;
mod typed_carry;

pub use sign_in::{KerberosFrom, SignIn, has_kerberos};
pub use source::ExchangeSource;
pub use trouble::SourceTrouble;
