//! Mail addresses and service URLs as plans may hold them, checked before anybody is asked.

/// The longest address SMTP carries (RFC 5321 section 4.5.3.1).
const ADDRESS_MAX: usize = 254;

/// Why `address` cannot be a primary SMTP address; `None` when it can. The reason never repeats the address.
pub fn fault_of_address(address: &str) -> Option<&'static str> {
    if address.is_empty() {
        return Some("the address is empty");
    }
    if address.len() > ADDRESS_MAX {
        return Some("the address is longer than 254 bytes");
    }
    if address.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("the address contains a blank");
    }
    if address
        .chars()
        .any(|c| matches!(c, '<' | '>' | '"' | ',' | ';' | ':' | '(' | ')' | '\\'))
    {
        return Some("the address contains a character that addresses do not have");
    }
    let Some((local, domain)) = address.split_once('@') else {
        return Some("the address has no @");
    };
    if domain.contains('@') {
        return Some("the address has more than one @");
    }
    if local.is_empty() || local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Some("the part before the @ is empty or has a misplaced dot");
    }
    if !domain.contains('.') {
        return Some("the part after the @ is no domain");
    }
    let label_ok = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    if !domain.split('.').all(label_ok) {
        return Some("the part after the @ is no domain");
    }
    None
}

/// What a service URL says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlFacts {
    /// True for `https`.
    pub secure: bool,
    /// True when the host is this machine by number or as `localhost`.
    pub loopback: bool,
}

/// Reads scheme and host of a service URL, or says why it cannot be one.
pub fn read_url(url: &str) -> Result<UrlFacts, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme")?;
    let secure = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err("the URL is neither https nor http"),
    };
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("the URL contains a blank");
    }
    if rest.contains(['?', '#']) {
        return Err("the URL has a query or a fragment");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("the URL contains a user name; sign-in belongs into auth");
    }
    let host = if let Some(v6) = authority.strip_prefix('[') {
        v6.split(']').next().unwrap_or_default()
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
        if port.parse::<u16>().is_err() {
            return Err("the URL's port is no number");
        }
        host
    };
    if host.is_empty() {
        return Err("the URL has no host");
    }
    // 127.0.0.0/8 by number only: a name like 127.0.0.1.example belongs to somebody.
    let v4: Option<Vec<u8>> = host.split('.').map(|part| part.parse().ok()).collect();
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host == "::1"
        || v4.is_some_and(|parts| parts.len() == 4 && parts[0] == 127);
    Ok(UrlFacts { secure, loopback })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_only_looks_like_one() {
        for good in [
            "a.harris@clinic.example",
            "o'neil+x@clinic.local",
            "émile@société.example",
            "x@1.example",
        ] {
            assert_eq!(fault_of_address(good), None, "{good}");
        }
        for bad in [
            "",
            "a.harris",
            "a b@clinic.example",
            "a@b@clinic.example",
            "@clinic.example",
            ".a@clinic.example",
            "a..b@clinic.example",
            "a@clinic",
            "a@clinic..example",
            "a@-clinic.example",
            "Anne <a@clinic.example>",
            "a@clinic.example;b@clinic.example",
            "smtp:a@clinic.example",
        ] {
            assert!(fault_of_address(bad).is_some(), "{bad}");
        }
        assert!(fault_of_address(&format!("{}@x.example", "a".repeat(250))).is_some());
    }

    #[test]
    fn urls_say_whether_they_are_secure_and_whether_they_leave_this_machine() {
        let facts = |secure, loopback| Ok(UrlFacts { secure, loopback });
        for (url, want) in [
            (
                "https://mail.clinic.example/EWS/Exchange.asmx",
                facts(true, false),
            ),
            (
                "http://127.0.0.1:41001/EWS/Exchange.asmx",
                facts(false, true),
            ),
            ("http://localhost", facts(false, true)),
            ("http://[::1]:8080/x", facts(false, true)),
            ("http://127.0.0.1.clinic.example/x", facts(false, false)),
            ("ftp://x.example", Err("the URL is neither https nor http")),
            ("mail.clinic.example", Err("the URL has no scheme")),
            ("https:///x", Err("the URL has no host")),
            (
                "https://x.example:port/",
                Err("the URL's port is no number"),
            ),
            (
                "https://x.example/?a=b",
                Err("the URL has a query or a fragment"),
            ),
            (
                "https://me:pw@x.example/",
                Err("the URL contains a user name; sign-in belongs into auth"),
            ),
        ] {
            assert_eq!(read_url(url), want, "{url}");
        }
    }
}
