//! From the client library's errors to setbacks: did anything leave this machine, and if so, can we know what became of it.

use std::error::Error;

use crate::base::outcome::{DoubtCause, MisreadCause, Said, Setback};
use crate::transport::trouble::is_about_us;

/// What a failure before the reply's head means, once the request was on its way.
pub(super) fn before_reply(error: &hyper::Error) -> Setback {
    if error.is_parse_too_large() {
        return Setback::Misread(MisreadCause::TooLarge, Said::default());
    }
    if error.is_parse() {
        return Setback::Misread(MisreadCause::Malformed, Said::default());
    }
    Setback::Lost(DoubtCause::Reset)
}

/// True when the server ended the channel because of our certificate, or because we showed none. With TLS 1.3 that is heard only after the
/// handshake; of the request it has read nothing.
pub(super) fn wants_our_certificate(error: &hyper::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(rustls::Error::AlertReceived(alert)) = cause.downcast_ref::<rustls::Error>() {
            return is_about_us(*alert);
        }
        // An I/O error made from another error names that one's source as its own, and so hides it.
        let wrapped = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
        // The system's library gives words only; the last of the chain is its own.
        #[cfg(feature = "legacy-tls")]
        if next.is_none() {
            return crate::transport::legacy::alert_about_us(&cause.to_string());
        }
    }
    false
}
