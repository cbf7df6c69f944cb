//! Where credentials and content may go: https, or this machine.

use std::net::IpAddr;

use url::Url;

use crate::base::outcome::{Said, Setback, UnreachedCause};
use crate::base::secret::SafeUrl;
use crate::transport::call::{Call, CallBody};

/// True when `url` names this machine: 127.0.0.0/8, ::1 or `localhost`.
pub fn is_loopback(url: &SafeUrl) -> bool {
    Url::parse(url.expose()).is_ok_and(|url| host_is_loopback(&url))
}

fn host_is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().map_or_else(
        |_| bare.eq_ignore_ascii_case("localhost"),
        |ip| ip.is_loopback(),
    )
}

/// Reads the URL of a call and refuses it where credentials or content would travel in clear.
pub(super) fn admit(call: &Call) -> Result<Url, Setback> {
    let wrong = || Setback::OurRequest(Said::code("bad-url"));
    let url = Url::parse(call.url.expose()).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong());
    }
    // Credentials have a place of their own.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong());
    }
    let bare = call.auth.is_none() && matches!(call.body, CallBody::None);
    if url.scheme() == "https" || bare || host_is_loopback(&url) {
        Ok(url)
    } else {
        Err(Setback::Unreached(UnreachedCause::NotSecure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::transport::call::{Auth, Method};

    fn with_token(url: &str) -> Result<Url, Setback> {
        admit(&Call::new(Method::Get, SafeUrl::new(url)).auth(Auth::Bearer(Secret::new("tok"))))
    }

    #[test]
    fn credentials_go_only_over_tls_or_to_this_machine() {
        for url in [
            "https://graph.microsoft.com/v1.0/users",
            "http://127.0.0.1:41002/v1.0",
            "http://127.9.9.9/",
            "http://[::1]:8080/",
            "http://LocalHost:1/",
        ] {
            assert!(with_token(url).is_ok(), "{url}");
        }
        for url in [
            "http://graph.microsoft.com/v1.0",
            "http://10.0.0.1/",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "http://[::2]/",
        ] {
            assert_eq!(
                with_token(url),
                Err(Setback::Unreached(UnreachedCause::NotSecure)),
                "{url}"
            );
        }
    }

    #[test]
    fn a_pre_authenticated_url_and_a_body_count_as_credentials() {
        let url = || SafeUrl::new("http://far.example/importItem?authtoken=x");
        let by_url = Call::new(Method::Post, url()).auth(Auth::InUrl);
        let by_body = Call::new(Method::Post, url()).body(CallBody::bytes("client_secret=x"));
        for call in [by_url, by_body] {
            assert_eq!(
                admit(&call),
                Err(Setback::Unreached(UnreachedCause::NotSecure))
            );
        }
        assert!(admit(&Call::new(Method::Get, url())).is_ok());
    }

    #[test]
    fn odd_urls_are_our_mistake_and_not_sent() {
        for url in [
            "",
            "graph.microsoft.com",
            "ftp://x.example/",
            "file:///etc/passwd",
            "https://user:pw@x.example/",
        ] {
            assert!(
                matches!(with_token(url), Err(Setback::OurRequest(_))),
                "{url}"
            );
        }
    }
}
