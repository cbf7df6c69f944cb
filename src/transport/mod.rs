//! Layer 4: one HTTP client per destination, TLS, redaction. No retries here.

mod body;
mod call;
mod client;
mod fault;
mod look;
mod reply;
mod secure;

pub use call::{Auth, Call, CallBody, CallKind, Method};
pub use client::{Http, HttpOptions, TransportError};
pub use look::look;
pub use reply::Reply;
pub use secure::is_loopback;
