//! Who answers when Exchange does not: redirects, login pages, error pages, other services. Pure. Nothing of ours is sent to where they point.

use std::fmt;

/// What answered in place of EWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// A redirect to the same place over TLS.
    ToTls(String),
    /// A redirect to a page where people sign in.
    ToLogin(String),
    /// A redirect to Exchange's own page for trouble.
    ToErrorPage,
    /// A redirect to another host or path.
    To(String),
    /// A redirect that says no place that could be followed.
    Nowhere,
    /// A page where people sign in, in place of a reply.
    LoginPage,
    /// Another page.
    Page,
    /// Something of another type.
    Type(String),
    /// No such address there.
    NotFound,
}

/// The longest address shown.
const SHOWN: usize = 200;

/// Words in addresses and pages where people sign in: Exchange's own, AD FS, Entra, common proxies.
const LOGIN: [&str; 8] = [
    "/owa/auth",
    "logon",
    "login",
    "signin",
    "/adfs/",
    "oauth2",
    "saml",
    "cookieauth.dll",
];

/// What a redirect from `own` means. Both are addresses; what follows `?` is dropped, since it may be a secret.
pub fn redirect(own: &str, location: &str) -> Elsewhere {
    let location = location.trim();
    let cut = location.find(['?', '#']).unwrap_or(location.len());
    let shown: String = location[..cut]
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect();
    let small = shown.to_ascii_lowercase();
    let own = own.to_ascii_lowercase();
    if shown.is_empty() {
        return Elsewhere::Nowhere;
    }
    if small.contains("genericerrorpage") {
        return Elsewhere::ToErrorPage;
    }
    if LOGIN.iter().any(|word| small.contains(word)) {
        return Elsewhere::ToLogin(without_user(shown));
    }
    if let (Some(mine), Some(theirs)) =
        (own.strip_prefix("http://"), small.strip_prefix("https://"))
        && host(mine) == host(theirs)
    {
        return Elsewhere::ToTls(without_user(shown));
    }
    Elsewhere::To(without_user(shown))
}

/// The host of an address without its scheme, without port.
fn host(rest: &str) -> &str {
    let end = rest.find('/').unwrap_or(rest.len());
    let authority = &rest[..end];
    match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => &authority[..at],
        _ => authority,
    }
}

/// Without a user name before the host.
fn without_user(address: String) -> String {
    let Some(start) = address.find("://").map(|at| at + 3) else {
        return address;
    };
    let end = address[start..]
        .find('/')
        .map_or(address.len(), |at| start + at);
    match address[start..end].rfind('@') {
        Some(at) => format!("{}{}", &address[..start], &address[start + at + 1..]),
        None => address,
    }
}

/// What a reply that is no envelope is. `kind` is its `Content-Type`.
pub fn page(kind: Option<&str>, body: &[u8]) -> Elsewhere {
    let head = &body[..body.len().min(65_536)];
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    if text.contains("type=\"password\"")
        || text.contains("type='password'")
        || text.contains("/owa/auth")
    {
        return Elsewhere::LoginPage;
    }
    if text.trim_start().starts_with("<!doctype html") || text.contains("<html") {
        return Elsewhere::Page;
    }
    let kind = kind
        .unwrap_or("none")
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let word = |c: char| c.is_ascii_alphanumeric() || "/+-.".contains(c);
    Elsewhere::Type(kind.chars().filter(|c| word(*c)).take(60).collect())
}

impl Elsewhere {
    /// What to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::ToTls(to) => format!("write ews_url = \"{to}\" in the plan"),
            Self::To(to) => format!(
                "if that address is yours, write it as ews_url in the plan; mailferry follows no redirect, so that the password goes only to \
                 the host you named ({to})"
            ),
            Self::ToLogin(_) | Self::LoginPage => "a proxy or Outlook on the web signs people in before EWS: use an address where /EWS is passed \
                 through, and switch pre-authentication off for it"
                .to_owned(),
            Self::ToErrorPage => "Exchange is unwell: look at its health and event log, then run again".to_owned(),
            Self::Nowhere | Self::Page | Self::Type(_) | Self::NotFound => {
                "check ews_url in the plan; it ends in /EWS/Exchange.asmx".to_owned()
            }
        }
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToTls(to) => write!(
                f,
                "the server wants TLS and points to {to}; nothing was sent there"
            ),
            Self::ToLogin(to) => write!(
                f,
                "the server points to a login page, {to}; nothing was sent there"
            ),
            Self::ToErrorPage => f.write_str("the server points to its own error page"),
            Self::To(to) => write!(
                f,
                "the server points elsewhere, to {to}; nothing was sent there"
            ),
            Self::Nowhere => f.write_str("the server redirects without saying where to"),
            Self::LoginPage => f.write_str("a login page came in place of a reply"),
            Self::Page => f.write_str("a web page came in place of a reply"),
            Self::Type(kind) => write!(f, "what came is no reply of EWS (its type is {kind})"),
            Self::NotFound => f.write_str("there is no EWS at that address"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_told_apart_and_their_secrets_are_dropped() {
        let own = "http://mail.clinic.example/EWS/Exchange.asmx";
        for (location, want) in [
            (
                "https://mail.clinic.example/EWS/Exchange.asmx",
                Elsewhere::ToTls("https://mail.clinic.example/EWS/Exchange.asmx".into()),
            ),
            (
                "https://MAIL.clinic.example:443/x?token=t",
                Elsewhere::ToTls("https://MAIL.clinic.example:443/x".into()),
            ),
            (
                "https://other.example/EWS?x=y",
                Elsewhere::To("https://other.example/EWS".into()),
            ),
            (
                "https://u:pw@other.example/EWS",
                Elsewhere::To("https://other.example/EWS".into()),
            ),
            (
                "/owa/auth/logon.aspx?url=https%3a",
                Elsewhere::ToLogin("/owa/auth/logon.aspx".into()),
            ),
            (
                "https://sts.clinic.example/adfs/ls#x",
                Elsewhere::ToLogin("https://sts.clinic.example/adfs/ls".into()),
            ),
            (
                "/ews/genericerrorpage.htm?aspxerrorpath=/ews",
                Elsewhere::ToErrorPage,
            ),
            ("", Elsewhere::Nowhere),
            ("?a", Elsewhere::Nowhere),
        ] {
            assert_eq!(redirect(own, location), want, "{location}");
        }
        let long = format!("https://x.example/{}", "a".repeat(5_000));
        let Elsewhere::To(shown) = redirect(own, &long) else {
            panic!("another address");
        };
        assert_eq!(shown.len(), SHOWN);
    }

    #[test]
    fn pages_are_told_apart() {
        let form = b"<html><form><input type=\"password\"></form>";
        for (kind, body, want) in [
            (Some("text/html"), &form[..], Elsewhere::LoginPage),
            (
                Some("text/html; charset=utf-8"),
                b"<!DOCTYPE html><p>x",
                Elsewhere::Page,
            ),
            (
                Some("application/json; x=1"),
                b"{}",
                Elsewhere::Type("application/json".into()),
            ),
            (None, b"\x00\xff", Elsewhere::Type("none".into())),
        ] {
            assert_eq!(page(kind, body), want);
        }
    }
}
