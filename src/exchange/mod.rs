//! Layer 5: the source, an Exchange 2016 read by EWS. Nothing here writes, and nothing here tries twice.

pub mod autodiscover;
mod client;
mod posture;
mod posture_words;
mod probe;
mod source;
mod survey;

pub use client::SignIn;
pub use source::ExchangeSource;
