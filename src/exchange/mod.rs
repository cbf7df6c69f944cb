//! Layer 5: the source, an Exchange 2016 read by EWS. Nothing here writes, and nothing here tries twice.

mod client;
mod links;
mod posture;
mod posture_words;
mod source;
mod survey;

pub use client::SignIn;
pub use source::ExchangeSource;
