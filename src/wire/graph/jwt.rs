//! What an access token says of itself (reference/graph.md 7.3). Its signature is the service's business: nothing is decided by what stands here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::base::outcome::Code;
use crate::base::probe::TokenSight;

/// A token is some KB long; its claims no more.
const CLAIMS_MAX: usize = 100_000;

/// Roles shown of one token.
const ROLES_MAX: usize = 200;

/// Reads the claims of a token. One that is no JWT tells nothing.
pub fn read(token: &str) -> TokenSight {
    claims(token).map_or_else(TokenSight::default, |claims| TokenSight {
        // Entra leaves the claim out where nothing is granted.
        roles: Some(words(claims.get("roles"))),
        tenant: claims
            .get("tid")
            .and_then(Value::as_str)
            .and_then(Code::new)
            .map(|code| code.as_str().to_owned()),
    })
}

fn claims(token: &str) -> Option<serde_json::Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || claims.len() > CLAIMS_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(claims) => Some(claims),
        _ => None,
    }
}

/// Words of a claim; anything that is no plain word is left out, since it goes to a terminal.
fn words(claim: Option<&Value>) -> Vec<String> {
    let all = claim.and_then(Value::as_array).into_iter().flatten();
    let mut out: Vec<String> = all
        .filter_map(Value::as_str)
        .filter_map(Code::new)
        .map(|code| code.as_str().to_owned())
        .take(ROLES_MAX)
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// A token with these claims and no real signature, as the lab gives it out.
pub fn unsigned(claims: &Value, signature: &str) -> String {
    let head = URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"RS256","kid":"lab"}"#);
    let body = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("{head}.{body}.{signature}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn roles_are_read_and_what_is_no_word_is_left_out() {
        let claims = json!({"tid": "t-1", "roles": ["User.Read.All", "a b", "\u{1b}[31m", 7, "User.Read.All"]});
        let token = unsigned(&claims, "sig");
        let read = read(&token);
        assert_eq!(read.roles, Some(vec!["User.Read.All".to_owned()]));
        assert_eq!(read.tenant.as_deref(), Some("t-1"));
    }

    #[test]
    fn a_token_without_roles_has_none_and_one_that_cannot_be_read_tells_nothing() {
        let token = unsigned(&json!({"tid": "t"}), "s");
        assert_eq!(super::read(&token).roles, Some(Vec::new()));
        for odd in ["", "opaque", "a.b", "a.!!.c", "a.W10.c", "a.b.c.d"] {
            assert_eq!(super::read(odd), TokenSight::default(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,60}", claims in "[A-Za-z0-9_-]{0,60}") {
            let _ = read(&text);
            let _ = read(&format!("a.{claims}.c"));
        }
    }
}
