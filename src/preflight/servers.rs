//! Judges what servers show before anybody signs in: name, connection, TLS, clock. A step behind one that failed is not checked.

use crate::base::outcome::{Setback, UnreachedCause};
use crate::base::probe::{Server, ServerSight, TlsSight, Trust};
use crate::base::quantity::{Moment, Span};
use crate::preflight::cause::Cause;
use crate::preflight::check::Check;
use crate::preflight::facts::Facts;
use crate::preflight::finding::Finding;

/// Clocks further apart than this break Kerberos (five minutes) and signed assertions.
pub const SKEW_MAX: Span = Span::from_secs(300);

/// A certificate that ends within this time may end in the middle of a migration.
pub const CERTIFICATE_SOON: Span = Span::from_secs(30 * 86_400);

/// The checks of one server.
struct Row {
    name: Check,
    connect: Check,
    tls: Check,
    clock: Check,
}

const fn row(server: Server) -> Row {
    match server {
        Server::Source => Row {
            name: Check::SourceName,
            connect: Check::SourceConnect,
            tls: Check::SourceTls,
            clock: Check::SourceClock,
        },
        Server::Login | Server::Graph => Row {
            name: Check::TargetName,
            connect: Check::TargetConnect,
            tls: Check::TargetTls,
            clock: Check::TargetClock,
        },
    }
}

/// Everything about one server.
pub fn server(server: Server, sight: &ServerSight, facts: &Facts) -> Vec<Finding> {
    let row = row(server);
    let place = sight.place.as_str();
    let of = |cause, check, detail: String| Finding::of(cause, check, place, detail, facts);
    let skip = |check, why: &str| Finding::not_checked(check, place, why);
    let mut out = Vec::new();
    let Some(n) = sight.addresses else {
        let detail = "the name does not resolve on this machine".to_owned();
        out.push(of(Cause::NameUnknown(server), row.name, detail));
        for check in [row.connect, row.tls, row.clock] {
            out.push(skip(check, "the name does not resolve"));
        }
        return out;
    };
    let detail = format!("resolves to {n} address{}", if n == 1 { "" } else { "es" });
    out.push(Finding::ok(row.name, place, detail));
    match sight.connected {
        Some(true) => out.push(Finding::ok(row.connect, place, "takes connections")),
        Some(false) => {
            let detail = "no connection was made to any of its addresses".to_owned();
            out.push(of(Cause::NoConnection(server), row.connect, detail));
            for check in [row.tls, row.clock] {
                out.push(skip(check, "no connection"));
            }
            return out;
        }
        None => out.push(skip(row.connect, "not tried")),
    }
    out.push(tls(server, sight, row.tls, facts));
    out.push(clock(server, sight, row.clock, facts));
    out
}

fn tls(server: Server, sight: &ServerSight, check: Check, facts: &Facts) -> Finding {
    let place = sight.place.as_str();
    match (&sight.tls, sight.secure, sight.loopback) {
        (Some(tls), _, _) => handshake(server, tls, place, check, facts, now_of(sight)),
        (None, true, _) => Finding::not_checked(check, place, "the handshake was not tried"),
        (None, false, true) => Finding::ok(check, place, "clear text, on this machine only"),
        (None, false, false) => Finding::of(
            Cause::ClearText(server),
            check,
            place,
            "the URL is http: credentials and mail would travel in clear, so nothing is sent",
            facts,
        ),
    }
}

fn handshake(
    server: Server,
    tls: &TlsSight,
    place: &str,
    check: Check,
    facts: &Facts,
    now: Option<Moment>,
) -> Finding {
    let of = |cause, detail: String| Finding::of(cause, check, place, detail, facts);
    let ends = tls
        .ends
        .map_or_else(String::new, |ends| format!(", ends {ends}"));
    let names = if tls.names.is_empty() {
        "no name".to_owned()
    } else {
        tls.names.join(", ")
    };
    match tls.trust {
        Trust::NotShown => of(
            Cause::TlsRefused(server),
            "the handshake failed before a certificate was shown: no version or cipher suite in common, or no TLS at that port".to_owned(),
        ),
        Trust::Expired => of(
            Cause::CertificateExpired(server),
            match tls.ends {
                Some(ends) => format!("the certificate ended {ends}"),
                None => "the certificate has ended".to_owned(),
            },
        ),
        Trust::NotYet => of(
            Cause::CertificateNotYet(server),
            "the certificate has not begun: this machine's clock or the certificate is wrong".to_owned(),
        ),
        Trust::WrongName => of(
            Cause::CertificateWrongName(server),
            format!("the certificate is for {names}"),
        ),
        Trust::UnknownIssuer => of(
            Cause::CertificateUnknownIssuer(server),
            format!("nobody this machine trusts has issued the certificate ({} shown)", tls.chain),
        ),
        Trust::Revoked | Trust::Unusable => of(
            Cause::CertificateUnusable(server),
            "the certificate cannot be used (withdrawn, or not for servers)".to_owned(),
        ),
        Trust::Trusted => {
            let version = tls.version.unwrap_or("TLS");
            let soon = tls.ends.zip(now).is_some_and(|(ends, now)| ends < now.after(CERTIFICATE_SOON));
            let detail = format!("{version}, certificate trusted{ends}");
            if soon {
                of(Cause::CertificateEndsSoon(server), detail)
            } else {
                Finding::ok(check, place, detail)
            }
        }
    }
}

/// Our own time when the server answered.
fn now_of(sight: &ServerSight) -> Option<Moment> {
    match &sight.answer {
        Some(Ok(answer)) => Some(answer.at),
        _ => None,
    }
}

fn clock(server: Server, sight: &ServerSight, check: Check, facts: &Facts) -> Finding {
    let place = sight.place.as_str();
    let (date, at) = match &sight.answer {
        Some(Ok(answer)) => match answer.date {
            Some(date) => (date, answer.at),
            None => return Finding::not_checked(check, place, "its answers bear no date"),
        },
        Some(Err(why)) => return Finding::not_checked(check, place, format!("no answer: {why}")),
        None => return Finding::not_checked(check, place, "no answer"),
    };
    let apart = date.unix_ms().saturating_sub(at.unix_ms());
    let span = Span::new(apart.unsigned_abs());
    // A Date has whole seconds.
    if span.get() < 1_000 {
        return Finding::ok(check, place, "its clock and ours agree within a second");
    }
    let side = if apart > 0 { "ahead of" } else { "behind" };
    let detail = format!("its clock is {} s {side} ours", span.get() / 1_000);
    if span > SKEW_MAX {
        Finding::of(Cause::ClockSkew(server), check, place, detail, facts)
    } else {
        Finding::ok(check, place, detail)
    }
}

/// The diagnosis of a setback that says nothing about rights or mailboxes: reached or not, throttled, unwell.
pub fn trouble(server: Server, why: &Setback) -> Option<Cause> {
    Some(match why {
        Setback::Unreached(UnreachedCause::Name) => Cause::NameUnknown(server),
        Setback::Unreached(UnreachedCause::Connect) => Cause::NoConnection(server),
        Setback::Unreached(UnreachedCause::Tls) => Cause::CertificateUnusable(server),
        Setback::Unreached(UnreachedCause::NotSecure) => Cause::ClearText(server),
        Setback::Throttled { .. } => Cause::Throttled(server),
        Setback::Lost(_)
        | Setback::GatewayGaveUp(_)
        | Setback::Unwell(_)
        | Setback::Misread(..) => Cause::NoUsableAnswer(server),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::probe::AnswerSight;
    use crate::preflight::finding::State;

    fn sight() -> ServerSight {
        let now = Moment::from_unix_ms(1_795_000_000_000);
        ServerSight {
            addresses: Some(1),
            connected: Some(true),
            tls: Some(TlsSight {
                version: Some("TLS 1.2"),
                trust: Trust::Trusted,
                ends: Some(now.after(Span::from_secs(90 * 86_400))),
                names: vec!["m.example".to_owned()],
                chain: 2,
            }),
            answer: Some(Ok(AnswerSight {
                status: 401,
                methods: vec!["Basic".to_owned()],
                date: Some(now),
                at: now,
                code: None,
            })),
            ..ServerSight::of("m.example:443".to_owned(), true, false)
        }
    }

    fn words(sight: &ServerSight) -> Vec<(State, Option<&'static str>)> {
        let all = server(Server::Source, sight, &Facts::default());
        all.iter()
            .map(|f| (f.state, f.cause.map(Cause::word)))
            .collect()
    }

    #[test]
    fn a_good_server_passes_and_steps_behind_a_failure_are_not_checked() {
        let ok = (State::Ok, None);
        let not = (State::NotChecked, None);
        assert_eq!(words(&sight()), [ok, ok, ok, ok]);
        let unnamed = ServerSight::of("x:443".to_owned(), true, false);
        let name = (State::Fail, Some("name_unknown"));
        assert_eq!(words(&unnamed), [name, not, not, not]);
        let closed = ServerSight {
            addresses: Some(2),
            connected: Some(false),
            ..unnamed
        };
        let shut = (State::Fail, Some("no_connection"));
        assert_eq!(words(&closed), [ok, shut, not, not]);
    }

    #[test]
    fn every_fault_of_a_certificate_has_its_name() {
        for (trust, want) in [
            (Trust::Expired, "certificate_expired"),
            (Trust::NotYet, "certificate_not_yet_valid"),
            (Trust::WrongName, "certificate_wrong_name"),
            (Trust::UnknownIssuer, "certificate_unknown_issuer"),
            (Trust::Unusable, "certificate_unusable"),
            (Trust::NotShown, "tls_refused"),
        ] {
            let mut bad = sight();
            bad.tls.as_mut().unwrap().trust = trust;
            assert_eq!(words(&bad)[2], (State::Fail, Some(want)));
        }
        let mut soon = sight();
        soon.tls.as_mut().unwrap().ends =
            Some(Moment::from_unix_ms(1_795_000_000_000).after(Span::from_secs(86_400)));
        assert_eq!(
            words(&soon)[2],
            (State::Warn, Some("certificate_ends_soon"))
        );
        let mut clear = sight();
        clear.tls = None;
        clear.secure = false;
        assert_eq!(words(&clear)[2], (State::Fail, Some("clear_text")));
        clear.loopback = true;
        assert_eq!(words(&clear)[2].0, State::Ok);
    }

    #[test]
    fn clocks_may_differ_by_five_minutes() {
        for (ms, want) in [
            (0, State::Ok),
            (299_000, State::Ok),
            (-300_000, State::Ok),
            (301_000, State::Fail),
            (-86_400_000, State::Fail),
        ] {
            let mut off = sight();
            let Some(Ok(answer)) = &mut off.answer else {
                unreachable!()
            };
            answer.date = Some(Moment::from_unix_ms(answer.at.unix_ms() + ms));
            assert_eq!(words(&off)[3].0, want, "{ms}");
        }
    }
}
