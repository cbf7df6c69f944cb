//! Why the source does not let us work, as data: for the message of a command and for preflight.

use std::fmt;

use crate::transport::ConnectTrouble;
use crate::wire::ews::elsewhere::Elsewhere;
use crate::wire::sign_in::SignInTrouble;

/// What stood in the way last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceTrouble {
    /// No connection.
    Connect(ConnectTrouble),
    /// The sign-in was refused.
    SignIn(SignInTrouble),
    /// This machine had no Kerberos ticket to show.
    NoTicket,
    /// Something else than EWS answered.
    Elsewhere(Elsewhere),
}

impl fmt::Display for SourceTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTicket => f.write_str("no Kerberos ticket for the source"),
            Self::Connect(trouble) => trouble.fmt(f),
            Self::SignIn(trouble) => trouble.fmt(f),
            Self::Elsewhere(trouble) => trouble.fmt(f),
        }
    }
}
