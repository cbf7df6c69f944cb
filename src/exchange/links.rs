//! Hosts that a text links to. Nothing else of the text is kept.

use std::collections::BTreeSet;

/// Hosts that are kept of one text.
const HOSTS_MAX: usize = 20;

/// The hosts of `http` and `https` addresses in a text or its HTML that are in no domain of `own`, lower case, without doubles.
pub(super) fn outside_hosts(text: &str, own: &BTreeSet<String>) -> Vec<String> {
    let low = text.to_ascii_lowercase();
    let mut hosts = BTreeSet::new();
    for (at, _) in low.match_indices("://") {
        let before = &low[..at];
        if !(before.ends_with("http") || before.ends_with("https")) {
            continue;
        }
        let rest = &low[at + 3..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '@' | '_')));
        let authority = &rest[..end.unwrap_or(rest.len())];
        // A name before an @ is a user, and a usual disguise.
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let host = host.trim_matches('.');
        let inside = own
            .iter()
            .any(|own| host == own || host.ends_with(&format!(".{own}")));
        if host.contains('.') && !inside && hosts.len() < HOSTS_MAX {
            hosts.insert(host.to_owned());
        }
    }
    hosts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_of_others_are_named_and_the_own_ones_are_not() {
        let own: BTreeSet<String> = ["clinic.example".to_owned()].into();
        let text = "<a href=\"HTTPS://Pay.Elsewhere.example/x?y\">here</a> http://www.clinic.example \
                    https://www.clinic.example@evil.example/ ftp://files.example http://localhost:80 https://";
        assert_eq!(
            outside_hosts(text, &own),
            vec!["evil.example", "pay.elsewhere.example"]
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,200}") {
            let _ = outside_hosts(&text, &BTreeSet::new());
            let _ = outside_hosts(&format!("http://{text}"), &BTreeSet::new());
        }
    }
}
