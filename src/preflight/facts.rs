//! What the plan says, as far as remedies name it. No secret is among it.

use crate::base::route::RouteRule;

/// The names a remedy speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The plan's file, as the operator named it.
    pub plan: String,
    /// The state directory.
    pub state: String,
    /// The EWS URL.
    pub ews_url: String,
    /// Where Autodiscover is asked, where the plan says so.
    pub autodiscover: String,
    /// The service account.
    pub account: String,
    /// Its sign-in method, as the plan writes it.
    pub method: String,
    /// The environment variable with its password.
    pub password_env: String,
    /// Tenant, as the plan names it.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// The environment variable with the application's secret; empty where a certificate proves it.
    pub secret_env: String,
    /// The sign-in service.
    pub login_url: String,
    /// Graph.
    pub graph_url: String,
    /// By which route items are to travel.
    pub route: RouteRule,
    /// The target has no mailbox import, and nothing asks for it.
    pub no_import: bool,
}

impl Facts {
    /// The command that asks everything again.
    pub fn again(&self) -> String {
        format!("mailferry preflight {}", sh(&self.plan))
    }

    /// The service account as Active Directory's commands take it: without domain or suffix.
    pub fn account_name(&self) -> &str {
        let name = self.account.rsplit('\\').next().unwrap_or(&self.account);
        name.split('@').next().unwrap_or(name)
    }
}

/// A word as a POSIX shell reads it whole.
pub fn sh(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A word as PowerShell reads it whole.
pub fn ps(word: &str) -> String {
    format!("'{}'", word.replace('\'', "''"))
}

/// Host of a URL, or of `host:port`.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_or_expand_them() {
        assert_eq!(sh("plan.toml"), "plan.toml");
        assert_eq!(sh("my plan.toml"), "'my plan.toml'");
        assert_eq!(sh("CLINIC\\svc"), "'CLINIC\\svc'");
        assert_eq!(sh("$(rm)"), "'$(rm)'");
        assert_eq!(sh("o'x"), "'o'\\''x'");
        assert_eq!(sh(""), "''");
        assert_eq!(ps("o'x"), "'o''x'");
        assert_eq!(host("https://m.example:8443/EWS"), "m.example");
        assert_eq!(host("m.example:443"), "m.example");
        assert_eq!(host("[::1]:443"), "[::1]");
    }

    #[test]
    fn the_account_is_named_as_the_directory_takes_it() {
        let of = |account: &str| Facts {
            account: account.to_owned(),
            ..Facts::default()
        };
        assert_eq!(of("CLINIC\\svc").account_name(), "svc");
        assert_eq!(of("svc@clinic.example").account_name(), "svc");
    }
}
