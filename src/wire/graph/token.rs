//! The token endpoint: form in, token or AADSTS error out (reference/graph.md 7.1).

use serde::{Deserialize, Serialize};

use crate::base::outcome::{Said, Scope, Setback, StopCause};
use crate::wire::graph::escape;

/// The reply with a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReply {
    /// `Bearer`.
    pub token_type: String,
    /// Seconds it lives.
    pub expires_in: u64,
    /// The same, unless the service is in a crisis.
    #[serde(default)]
    pub ext_expires_in: u64,
    /// The token. A secret.
    pub access_token: String,
}

/// The reply without one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenError {
    /// OAuth's word.
    pub error: Option<String>,
    /// `AADSTS...: ...`, for people.
    pub error_description: Option<String>,
    /// The AADSTS numbers.
    pub error_codes: Vec<u32>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The service's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The service's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

impl TokenError {
    /// The first AADSTS number, from the list or from the head of the text.
    fn number(&self) -> Option<u32> {
        let from_text = || {
            let text = self.error_description.as_deref()?;
            let rest = text.trim_start().strip_prefix("AADSTS")?;
            let end = rest.find(|c: char| !c.is_ascii_digit());
            rest[..end.unwrap_or(rest.len())].parse().ok()
        };
        self.error_codes.first().copied().or_else(from_text)
    }
}

/// What a reply of the token endpoint other than 2xx means. `throttled` and the plain 5xx are judged before this.
pub fn refusal(status: u16, body: &[u8]) -> Setback {
    let Ok(error) = serde_json::from_slice::<TokenError>(body) else {
        return Setback::SideClosed(StopCause::WrongTargetAddress, Said::status(status));
    };
    let number = error.number();
    let word = match number {
        Some(number) => format!("AADSTS{number}"),
        None => error.error.clone().unwrap_or_default(),
    };
    let said = Said::new(status, &word);
    let stop = |cause| Setback::SideClosed(cause, said.clone());
    match (number, error.error.as_deref()) {
        // Unknown tenant; tenant named neither by id nor by a domain of its own.
        (Some(90_002 | 900_021 | 900_023), _) => stop(StopCause::UnknownTenant),
        // The service asks to come again.
        (Some(90_033 | 90_055), _) | (None, Some("temporarily_unavailable")) => {
            Setback::Unwell(said)
        }
        (Some(50_196), _) => Setback::Throttled {
            scope: Scope::TargetApp,
            wait: None,
            said,
        },
        // Consent is missing, or the scope asked for does not exist.
        (Some(65_001 | 650_057 | 500_011), _) => stop(StopCause::NoRights),
        (None, None) => stop(StopCause::WrongTargetAddress),
        _ => stop(StopCause::TargetCredentials),
    }
}

/// The type of assertions (reference/graph.md 7.1).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token request as the lab reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// `client_credentials`.
    pub grant_type: String,
    /// The application.
    pub client_id: String,
    /// Its secret; empty with an assertion.
    pub client_secret: String,
    /// Its signed assertion, in place of a secret.
    pub assertion: Option<String>,
    /// `<graph>/.default`.
    pub scope: String,
    /// The answer to a claims challenge.
    pub claims: Option<String>,
}

impl TokenRequest {
    /// Reads the form. `Err` says which field is unknown, doubled or missing.
    pub fn parse(form: &str) -> Result<Self, &'static str> {
        let mut out = Self::default();
        let mut seen = Vec::new();
        for (name, value) in escape::pairs(form).ok_or("form not decodable")? {
            if seen.contains(&name) {
                return Err("field twice");
            }
            match name.as_str() {
                "grant_type" => out.grant_type = value,
                "client_id" => out.client_id = value,
                "client_secret" => out.client_secret = value,
                "client_assertion" => out.assertion = Some(value),
                "client_assertion_type" if value == ASSERTION_TYPE => {}
                "client_assertion_type" => return Err("client_assertion_type is not jwt-bearer"),
                "scope" => out.scope = value,
                "claims" => out.claims = Some(value),
                _ => return Err("unknown field"),
            }
            seen.push(name);
        }
        for (value, why) in [
            (&out.grant_type, "grant_type is missing"),
            (&out.client_id, "client_id is missing"),
            (&out.scope, "scope is missing"),
        ] {
            if value.is_empty() {
                return Err(why);
            }
        }
        let typed = seen.iter().any(|name| name == "client_assertion_type");
        match (out.client_secret.is_empty(), &out.assertion) {
            (true, None) => return Err("client_secret is missing"),
            (false, Some(_)) => return Err("a secret and an assertion"),
            _ if typed != out.assertion.is_some() => {
                return Err("client_assertion and client_assertion_type go together");
            }
            _ => {}
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_their_number() {
        let body = |number: u32| {
            format!(
                r#"{{"error":"invalid_client","error_description":"AADSTS{number}: words","error_codes":[{number}]}}"#
            )
        };
        for (number, want) in [
            (7_000_215, StopCause::TargetCredentials),
            (7_000_222, StopCause::TargetCredentials),
            (700_016, StopCause::TargetCredentials),
            (700_027, StopCause::TargetCredentials),
            (90_002, StopCause::UnknownTenant),
            (65_001, StopCause::NoRights),
        ] {
            let said = Said::new(401, &format!("AADSTS{number}"));
            let stop = Setback::SideClosed(want, said);
            assert_eq!(refusal(401, body(number).as_bytes()), stop);
            let text_only = body(number).replace(&format!("[{number}]"), "[]");
            assert_eq!(refusal(401, text_only.as_bytes()), stop);
        }
        assert!(matches!(
            refusal(400, b"<html>"),
            Setback::SideClosed(StopCause::WrongTargetAddress, _)
        ));
        assert!(matches!(
            refusal(400, b"{}"),
            Setback::SideClosed(StopCause::WrongTargetAddress, _)
        ));
    }

    #[test]
    fn the_lab_reads_forms_strictly() {
        let whole = "grant_type=client_credentials&client_id=a&client_secret=b%2Bc&scope=http%3A%2F%2Fx%2F.default";
        let request = TokenRequest::parse(whole).unwrap();
        assert_eq!(request.client_secret, "b+c");
        assert_eq!(request.scope, "http://x/.default");
        assert_eq!(
            TokenRequest::parse(&format!("{whole}&x=1")),
            Err("unknown field")
        );
        assert_eq!(
            TokenRequest::parse(&format!("{whole}&scope=1")),
            Err("field twice")
        );
        assert_eq!(
            TokenRequest::parse("client_id=a"),
            Err("grant_type is missing")
        );
    }
}
