//! From the client library's errors to setbacks: did anything leave this machine, and if so, can we know what became of it.

use std::error::Error;

use crate::base::outcome::{DoubtCause, MisreadCause, Said, Setback, UnreachedCause};
use crate::transport::secure::NameUnknown;

/// What a failure before the reply's head means.
pub(super) fn before_reply(error: &reqwest::Error) -> Setback {
    if error.is_builder() {
        return Setback::OurRequest(Said::code("not-sendable"));
    }
    if error.is_connect() {
        return Setback::Unreached(connect_cause(error));
    }
    if error.is_timeout() {
        return Setback::Lost(DoubtCause::TimedOut);
    }
    Setback::Lost(DoubtCause::Reset)
}

/// What a failure while the reply's body arrives means.
pub(super) fn inside_reply(error: &reqwest::Error, status: u16) -> Setback {
    if error.is_timeout() {
        Setback::Lost(DoubtCause::TimedOut)
    } else {
        Setback::Misread(MisreadCause::CutOff, Said::status(status))
    }
}

fn connect_cause(error: &reqwest::Error) -> UnreachedCause {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        if cause.is::<NameUnknown>() {
            return UnreachedCause::Name;
        }
        if cause.is::<rustls::Error>() {
            return UnreachedCause::Tls;
        }
        // An I/O error made from another error names that one's source as its own, and so hides it.
        let wrapped = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    UnreachedCause::Connect
}
