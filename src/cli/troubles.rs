//! What a refusal means and what to type next, where an adapter knows more than its setback says.

use crate::base::outcome::StopCause;
use crate::base::secret::SafeUrl;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::reach::LEGACY_HINT;
use crate::cli::wiring::Sides;
use crate::exchange::SourceTrouble;
use crate::plan::document::Plan;
use crate::transport::{ConnectTrouble, colons, has_legacy_tls};

/// Why a side closed in the middle of a run, where its adapter knows.
pub fn closed(cause: StopCause, plan: &Plan, sides: &Sides) -> Option<CommandError> {
    let url = SafeUrl::new(plan.source.ews_url.clone());
    match (cause, sides.source.trouble()) {
        (
            StopCause::SourceCredentials,
            Some(known @ (SourceTrouble::SignIn(_) | SourceTrouble::NoTicket)),
        )
        | (StopCause::WrongSourceAddress, Some(known @ SourceTrouble::Elsewhere(_)))
        | (StopCause::SourceUnreachable, Some(known @ SourceTrouble::Connect(_))) => {
            Some(source(&known, &url))
        }
        (StopCause::TargetUnreachable, _) => {
            let url = SafeUrl::new(plan.target.service.graph_url());
            let trouble = sides.target.trouble()?;
            Some(connect("target", "graph_url", &trouble, &url))
        }
        _ => None,
    }
}

/// The source's trouble as the end of a command.
pub fn source(trouble: &SourceTrouble, url: &SafeUrl) -> CommandError {
    match trouble {
        SourceTrouble::NoTicket => CommandError::new(
            Exit::Unreached,
            "Kerberos: this machine has no ticket for the source",
        )
        .hint("see `klist`; get one with `kinit`, check the key table and the name in `auth`, and that the KDC knows HTTP/<host of ews_url>"),
        SourceTrouble::Connect(trouble) => connect("source", "ews_url", trouble, url),
        SourceTrouble::SignIn(trouble) => {
            let causes = trouble.causes.iter();
            let remedies: Vec<String> =
                causes.map(|cause| cause.remedy(&trouble.offered)).collect();
            CommandError::new(Exit::Unreached, trouble.to_string())
                .hint(remedies.join("\n      or: "))
        }
        SourceTrouble::Elsewhere(elsewhere) => CommandError::new(
            Exit::Unreached,
            format!("the source at {url} is not EWS: {elsewhere}"),
        )
        .hint(elsewhere.remedy()),
    }
}

/// A connection that was not made.
pub fn connect(side: &str, key: &str, trouble: &ConnectTrouble, url: &SafeUrl) -> CommandError {
    let hint = match trouble {
        ConnectTrouble::Name { proxy: false } => format!(
            "check the host in `{key}` of the plan and name resolution on this machine, or write resolve = [\"host=address\"] in [{side}]"
        ),
        ConnectTrouble::NoAnswer { proxy: false, .. } => {
            format!("check host and port in `{key}` of the plan, firewall and proxy")
        }
        ConnectTrouble::Name { proxy: true }
        | ConnectTrouble::NoAnswer { proxy: true, .. }
        | ConnectTrouble::NoProxy => format!("check `proxy` in [{side}] of the plan"),
        ConnectTrouble::ProxyRefused {
            status: 407,
            offered,
        } => {
            if offered
                .iter()
                .any(|scheme| scheme.eq_ignore_ascii_case("basic"))
            {
                format!(
                    "write username and password_env into `proxy` in [{side}] of the plan, and check them"
                )
            } else {
                "this program signs in to proxies by Basic only: have the proxy let this machine through to that host without a login".to_owned()
            }
        }
        ConnectTrouble::ProxyRefused { .. } => {
            "have the proxy allow CONNECT to that host and port".to_owned()
        }
        ConnectTrouble::NoSharedSuite | ConnectTrouble::ClosedInHandshake => {
            if has_legacy_tls() {
                format!(
                    "write tls = {{ backend = \"legacy\" }} in [{side}] of the plan, and see whether the server allows TLS 1.2"
                )
            } else {
                LEGACY_HINT.to_owned()
            }
        }
        ConnectTrouble::NoLegacyTls => LEGACY_HINT.to_owned(),
        ConnectTrouble::UnknownIssuer => format!(
            "check the certificate of the server, and that this machine trusts its issuer: write tls = {{ ca = \"site-ca.pem\" }} in [{side}] \
             of the plan with the authority's certificate"
        ),
        ConnectTrouble::NotPinned { shown } => format!(
            "if somebody renewed it, ask them for its SHA-256, compare, and write tls = {{ pin = \"{}\" }} in [{side}] of the plan",
            colons(shown)
        ),
        ConnectTrouble::OtherName { .. } => {
            format!("write one of its names as the host of `{key}` in the plan")
        }
        ConnectTrouble::WantsOurCertificate => format!(
            "write tls = {{ certificate = \"FILE\", password_env = \"NAME\" }} in [{side}] of the plan"
        ),
        ConnectTrouble::Expired | ConnectTrouble::NotYetValid | ConnectTrouble::BadCertificate => {
            "check the certificate of the server and the clock of this machine".to_owned()
        }
        ConnectTrouble::NotTls => format!("check the port in `{key}` of the plan"),
        ConnectTrouble::SilentInHandshake | ConnectTrouble::Tls => {
            "check the TLS settings of the server, and what stands between".to_owned()
        }
    };
    let kind = match trouble.cause() {
        crate::base::outcome::UnreachedCause::Tls => "no TLS connection, ",
        _ => "",
    };
    let message = format!("the {side} at {url} cannot be reached: {kind}{trouble}");
    CommandError::new(Exit::Unreached, message).hint(hint)
}
