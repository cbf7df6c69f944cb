//! What a 401 of the source means: which methods it offers, what was tried, and the likely causes, most likely first (reference/ews.md section 2).
//! One table, pure; the words are for the engineer in front of it.

use std::fmt;

use crate::base::quantity::Span;

/// Sign-in methods as `WWW-Authenticate` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// Name and password in every request.
    Basic,
    /// NTLM, per connection.
    Ntlm,
    /// Kerberos or NTLM.
    Negotiate,
    /// A token.
    Bearer,
    /// Something else.
    Other,
}

impl Scheme {
    /// Its word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
            Self::Bearer => "Bearer",
            Self::Other => "another method",
        }
    }

    /// The word of `auth.method` in a plan, where there is one.
    pub const fn method(self) -> Option<&'static str> {
        match self {
            Self::Basic => Some("basic"),
            Self::Ntlm => Some("ntlm"),
            Self::Negotiate => Some("negotiate"),
            Self::Bearer => Some("oauth"),
            Self::Other => None,
        }
    }
}

/// What a server offers, in its order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered(Vec<Scheme>);

impl Offered {
    /// Out of all `WWW-Authenticate` headers. Several methods in one header are told apart by their first words.
    pub fn read<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        let mut found = Vec::new();
        let bare: Vec<String> = headers.into_iter().map(unquoted).collect();
        for part in bare.iter().flat_map(|header| header.split(',')) {
            let part = part.trim();
            let word = part.split([' ', '=']).next().unwrap_or_default();
            // `realm="x"` is a parameter of the method before it.
            let parameter = part[word.len()..].starts_with('=');
            let scheme = match word.to_ascii_lowercase().as_str() {
                "" => continue,
                _ if parameter => continue,
                "basic" => Scheme::Basic,
                "ntlm" => Scheme::Ntlm,
                "negotiate" => Scheme::Negotiate,
                "bearer" => Scheme::Bearer,
                _ => Scheme::Other,
            };
            if !found.contains(&scheme) {
                found.push(scheme);
            }
        }
        Self(found)
    }

    /// True when it is among them.
    pub fn has(&self, scheme: Scheme) -> bool {
        self.0.contains(&scheme)
    }

    /// All of them.
    pub fn schemes(&self) -> &[Scheme] {
        &self.0
    }
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        let words: Vec<&str> = self.0.iter().map(|scheme| scheme.word()).collect();
        f.write_str(&words.join(", "))
    }
}

/// A header without what stands in quotes.
fn unquoted(header: &str) -> String {
    let parts = header.split('"').step_by(2);
    parts.collect()
}

/// What was tried, and what was seen on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The method.
    pub tried: Scheme,
    /// Messages sent before the last 401.
    pub legs: u8,
    /// Over TLS. Only then is a sign-in bound to its channel.
    pub tls: bool,
    /// What went wrong with the exchange itself.
    pub flaw: Option<Flaw>,
    /// By how much our clock and the server's `Date` differ.
    pub skew: Option<Span>,
    /// The same account was accepted before in this process.
    pub accepted_before: bool,
}

/// What can go wrong with the messages of a sign-in, apart from their being refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The server, or something before it, closed the connection between two messages.
    BrokenOff,
    /// The server's message could not be read.
    Unreadable,
}

/// A likely cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The 401 names no method at all.
    NothingOffered,
    /// The method is not switched on at the EWS virtual directory.
    NotOffered(Scheme),
    /// The connection does not live through the sign-in.
    NotKept,
    /// The method is offered and its first message not answered.
    NotAnswered,
    /// The clocks are too far apart.
    Clock(Span),
    /// Extended Protection sees another TLS channel than we do.
    Binding,
    /// The password is wrong or expired.
    Password,
    /// The account is locked, disabled, or may not sign in there or now.
    Account,
    /// The name has a form that the directory does not know.
    NameForm,
    /// NTLM is restricted by policy.
    NtlmRestricted,
    /// The service principal name of the host belongs to another account (load balancers need an alternate service account).
    ServiceName,
    /// The token is not for this server, or has expired.
    Token,
}

/// Clocks further apart than this fail Kerberos (default of "Maximum tolerance for computer clock synchronization").
const KERBEROS_SKEW: Span = Span::from_secs(300);

/// Clocks further apart than this are worth a word with NTLM, which takes the server's time where it states one.
const NTLM_SKEW: Span = Span::from_secs(1_800);

/// A refused sign-in, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInTrouble {
    /// What the server offers.
    pub offered: Offered,
    /// What we tried.
    pub tried: Scheme,
    /// Why it may have failed, most likely first; never empty.
    pub causes: Vec<Cause>,
}

/// Explains a 401.
pub fn diagnose(offered: Offered, attempt: &Attempt) -> SignInTrouble {
    let causes = causes(&offered, attempt);
    SignInTrouble {
        offered,
        tried: attempt.tried,
        causes,
    }
}

fn causes(offered: &Offered, attempt: &Attempt) -> Vec<Cause> {
    let (tried, skew) = (attempt.tried, attempt.skew.unwrap_or(Span::ZERO));
    if attempt.flaw == Some(Flaw::BrokenOff) {
        return vec![Cause::NotKept];
    }
    if offered.schemes().is_empty() && !attempt.accepted_before {
        return vec![Cause::NothingOffered];
    }
    // IIS leaves the method out of the list once it has refused its last message.
    let last = attempt.legs >= 2;
    if !offered.has(tried) && !last && !attempt.accepted_before {
        return vec![Cause::NotOffered(tried)];
    }
    if attempt.flaw == Some(Flaw::Unreadable) || (tried == Scheme::Ntlm && attempt.legs == 1) {
        return vec![Cause::NotAnswered, Cause::NtlmRestricted];
    }
    let mut out = Vec::new();
    match tried {
        Scheme::Basic => out.extend([Cause::Password, Cause::Account, Cause::NameForm]),
        Scheme::Bearer => out.push(Cause::Token),
        Scheme::Negotiate => {
            if skew > KERBEROS_SKEW {
                out.push(Cause::Clock(skew));
            }
            out.push(Cause::ServiceName);
            out.extend(attempt.tls.then_some(Cause::Binding));
            out.push(Cause::Account);
        }
        Scheme::Ntlm | Scheme::Other => {
            if skew > NTLM_SKEW {
                out.push(Cause::Clock(skew));
            }
            out.push(Cause::Password);
            out.extend(attempt.tls.then_some(Cause::Binding));
            out.extend([Cause::Account, Cause::NtlmRestricted]);
        }
    }
    // A password that was right a moment ago is more likely locked than mistyped.
    if attempt.accepted_before {
        out.retain(|cause| *cause != Cause::Account && *cause != Cause::NameForm);
        out.insert(0, Cause::Account);
    }
    out
}

impl Cause {
    /// What to look at or to type.
    pub fn remedy(self, offered: &Offered) -> String {
        match self {
            Self::NothingOffered => "a reverse proxy before Exchange takes the header WWW-Authenticate away, or signs people in itself: let \
                 /EWS pass through it unchanged, or use an address behind it"
                .to_owned(),
            Self::NotOffered(tried) => {
                let other = offered.schemes().iter().find_map(|scheme| scheme.method());
                let switch = match tried {
                    Scheme::Basic => "Set-WebServicesVirtualDirectory -BasicAuthentication $true",
                    Scheme::Bearer => "Set-WebServicesVirtualDirectory -OAuthAuthentication $true",
                    _ => "Set-WebServicesVirtualDirectory -WindowsAuthentication $true",
                };
                match other {
                    Some(other) => format!(
                        "write method = \"{other}\" in auth of [source], or switch {} on: {switch}",
                        tried.word()
                    ),
                    None => format!("switch {} on: {switch}", tried.word()),
                }
            }
            Self::NotKept => "something between here and Exchange closes connections in the middle of the sign-in (a proxy or load balancer \
                 without persistence): go around it, keep connections alive on it, or use Basic"
                .to_owned(),
            Self::NotAnswered => {
                "a proxy before Exchange passes the offer on but not the answer: go around it, or use Basic".to_owned()
            }
            Self::Clock(by) => format!(
                "set the clock: it differs from the server's by {} min",
                by.get() / 60_000
            ),
            Self::Binding => "Extended Protection: something between here and Exchange ends TLS with a certificate of its own (load balancer, \
                 inspecting proxy): give it the same certificate, go around it, or use Basic; the server logs 0xC000035B"
                .to_owned(),
            Self::Password => "check the password".to_owned(),
            Self::Account => "see whether the account is locked, disabled or expired, or may not sign in over the network: Get-ADUser -Properties \
                 LockedOut,Enabled,PasswordExpired; event 4625 on the server says which"
                .to_owned(),
            Self::NameForm => "write the name as DOMAIN\\user or as user@domain".to_owned(),
            Self::NtlmRestricted => {
                "the policy \"Network security: Restrict NTLM\" may forbid it: use Negotiate with Kerberos, or Basic".to_owned()
            }
            Self::ServiceName => "Kerberos: the name HTTP/<host> must belong to the account that runs Exchange (behind a load balancer to the \
                 alternate service account): setspn -Q HTTP/<host>"
                .to_owned(),
            Self::Token => "the token has expired or is for another server: get a new one for this address".to_owned(),
        }
    }

    /// In a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NothingOffered => "no method is named in the refusal",
            Self::NotOffered(_) => "the method is switched off on the EWS virtual directory",
            Self::NotKept => "the connection was closed between two messages of the sign-in",
            Self::NotAnswered => "the first message of the sign-in was not answered",
            Self::Clock(_) => "the clocks differ",
            Self::Binding => "channel binding (Extended Protection)",
            Self::Password => "the password",
            Self::Account => "the account is locked, disabled or restricted",
            Self::NameForm => "the form of the user name",
            Self::NtlmRestricted => "NTLM is restricted by policy",
            Self::ServiceName => "the service principal name",
            Self::Token => "the token",
        }
    }
}

impl fmt::Display for SignInTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.causes.iter().map(|cause| cause.words()).collect();
        write!(
            f,
            "the source refuses the sign-in: it offers {}, tried was {}; likely: {}",
            self.offered,
            self.tried.word(),
            words.join("; or ")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn offered(headers: &[&str]) -> Offered {
        Offered::read(headers.iter().copied())
    }

    #[test]
    fn headers_name_methods_and_their_parameters_do_not() {
        for (headers, want) in [
            (
                &["Negotiate", "NTLM", "Basic realm=\"mail.clinic.example\""][..],
                "Negotiate, NTLM, Basic",
            ),
            (
                &["Negotiate TlRMTVNTUAAC", "basic realm=\"a, NTLM\""],
                "Negotiate, Basic",
            ),
            (
                &[
                    "Bearer client_id=\"0\", trusted_issuers=\"x@*\", token_types=\"app\"",
                    "Basic",
                ],
                "Bearer, Basic",
            ),
            (&["NTLM, Basic realm=x", "NTLM"], "NTLM, Basic"),
            (&["", " , "], "nothing"),
            (&["Digest qop=\"auth\",nonce=x"], "another method"),
        ] {
            assert_eq!(offered(headers).to_string(), want, "{headers:?}");
        }
    }

    #[test]
    fn the_table_of_refusals() {
        let base = Attempt {
            tried: Scheme::Basic,
            legs: 1,
            tls: true,
            flaw: None,
            skew: None,
            accepted_before: false,
        };
        let windows: &[&str] = &["Negotiate", "NTLM"];
        let all: &[&str] = &["Negotiate", "NTLM", "Basic realm=x"];
        let ntlm = Attempt {
            tried: Scheme::Ntlm,
            legs: 2,
            ..base
        };
        let kerberos = Attempt {
            tried: Scheme::Negotiate,
            ..base
        };
        let hour = Some(Span::from_secs(3_600));
        let rows: &[(&str, &[&str], Attempt)] = &[
            ("basic, switched off", windows, base),
            ("basic, refused", all, base),
            (
                "basic, refused later",
                all,
                Attempt {
                    accepted_before: true,
                    ..base
                },
            ),
            ("nothing offered", &[], base),
            (
                "ntlm, switched off",
                &["Basic"],
                Attempt { legs: 1, ..ntlm },
            ),
            (
                "ntlm, first not answered",
                windows,
                Attempt { legs: 1, ..ntlm },
            ),
            ("ntlm, refused over TLS", windows, ntlm),
            (
                "ntlm, refused, hour off",
                windows,
                Attempt { skew: hour, ..ntlm },
            ),
            (
                "ntlm, refused in clear",
                windows,
                Attempt { tls: false, ..ntlm },
            ),
            (
                "ntlm, connection closed",
                windows,
                Attempt {
                    flaw: Some(Flaw::BrokenOff),
                    legs: 1,
                    ..ntlm
                },
            ),
            (
                "ntlm, unreadable",
                windows,
                Attempt {
                    flaw: Some(Flaw::Unreadable),
                    ..ntlm
                },
            ),
            ("kerberos, refused", windows, kerberos),
            (
                "kerberos, hour off",
                windows,
                Attempt {
                    skew: hour,
                    ..kerberos
                },
            ),
            ("kerberos, switched off", &["Basic"], kerberos),
            (
                "token, refused",
                &["Bearer"],
                Attempt {
                    tried: Scheme::Bearer,
                    ..base
                },
            ),
        ];
        let mut table = String::new();
        for (name, headers, attempt) in rows {
            let trouble = diagnose(offered(headers), attempt);
            assert!(!trouble.causes.is_empty(), "{name}");
            let _ = writeln!(table, "{name}\n  {trouble}");
            let first = trouble.causes[0].remedy(&trouble.offered);
            let _ = writeln!(table, "  next: {first}");
        }
        insta::with_settings!({snapshot_path => "../../tests/data/snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("sign_in_refusals", table);
        });
    }
}
