//! The assertion that stands in for a client secret: a JSON Web Token signed with the application's certificate (RFC 7523; reference/graph.md 7.2).
//! Written here, and read by the lab. Pure: time and the random id are parameters, signing is somebody else's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::quantity::Moment;

/// Seconds an assertion is good for: five to ten minutes are advised.
pub const LIFE: i64 = 600;

/// What is asserted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The token endpoint.
    pub aud: String,
    /// The application.
    pub iss: String,
    /// The application.
    pub sub: String,
    /// Used once.
    pub jti: String,
    /// Not before, in seconds since 1970.
    pub nbf: i64,
    /// Issued at.
    pub iat: i64,
    /// Not after.
    pub exp: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

/// An assertion as the lab reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// SHA-256 of the certificate, in Base64url.
    pub thumbprint: String,
    /// What is asserted.
    pub claims: Claims,
    /// What was signed.
    pub unsigned: String,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Claims {
    /// For a token endpoint, by an application, at a moment. `id` is random.
    pub fn new(endpoint: &str, client_id: &str, id: [u8; 16], now: Moment) -> Self {
        let now = now.unix_ms().div_euclid(1_000);
        Self {
            aud: endpoint.to_owned(),
            iss: client_id.to_owned(),
            sub: client_id.to_owned(),
            jti: guid(id),
            nbf: now,
            iat: now,
            exp: now.saturating_add(LIFE),
        }
    }

    /// Header and claims, ready to be signed with PS256 by the key of this certificate (DER).
    pub fn unsigned(&self, certificate: &[u8]) -> String {
        let header = Header {
            alg: "PS256".to_owned(),
            typ: "JWT".to_owned(),
            thumbprint: thumbprint(certificate),
        };
        let part = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
        let header = serde_json::to_vec(&header).expect("plain strings always serialise");
        let claims = serde_json::to_vec(self).expect("plain strings always serialise");
        format!("{}.{}", part(header), part(claims))
    }
}

/// The whole assertion.
pub fn signed(unsigned: &str, signature: &[u8]) -> String {
    format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// SHA-256 of a certificate as assertions carry it.
pub fn thumbprint(certificate: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(certificate))
}

/// A random id as a GUID of version 4.
fn guid(mut id: [u8; 16]) -> String {
    id[6] = (id[6] & 0x0f) | 0x40;
    id[8] = (id[8] & 0x3f) | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(id));
    let cut = |from, to| &hex[from..to];
    format!(
        "{}-{}-{}-{}-{}",
        cut(0, 8),
        cut(8, 12),
        cut(12, 16),
        cut(16, 20),
        cut(20, 32)
    )
}

impl Assertion {
    /// Reads an assertion. The signature is not judged here.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("not three parts");
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "not Base64url");
        let read: Header =
            serde_json::from_slice(&decode(header)?).map_err(|_| "the header is wrong")?;
        if read.alg != "PS256" || read.typ != "JWT" {
            return Err("not a JWT signed with PS256");
        }
        let asserted = decode(claims)?;
        Ok(Self {
            thumbprint: read.thumbprint,
            claims: serde_json::from_slice(&asserted).map_err(|_| "the claims are wrong")?,
            unsigned: format!("{header}.{claims}"),
            signature: decode(signature)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_reads_back_as_it_was_written() {
        let claims = Claims::new(
            "https://login.example/t/oauth2/v2.0/token",
            "app",
            [0xff; 16],
            Moment::from_unix_ms(1_999),
        );
        assert_eq!(claims.jti, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!((claims.nbf, claims.exp), (1, 601));
        let unsigned = claims.unsigned(b"certificate");
        let read = Assertion::read(&signed(&unsigned, b"sig")).expect("readable");
        assert_eq!(read.claims, claims);
        assert_eq!((read.unsigned, read.signature), (unsigned, b"sig".to_vec()));
        assert_eq!(read.thumbprint, thumbprint(b"certificate"));
    }

    #[test]
    fn what_is_no_assertion_is_refused() {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let header = part(r#"{"alg":"PS256","typ":"JWT","x5t#S256":"x"}"#);
        let none = part(r#"{"alg":"none","typ":"JWT","x5t#S256":"x"}"#);
        let old = part(r#"{"alg":"RS256","typ":"JWT","x5t":"x"}"#);
        for text in [
            String::new(),
            "a.b".to_owned(),
            format!("{header}.{{}}.x"),
            format!("{header}.{}.x", part("{}")),
            format!("{none}.{}.", part("{}")),
            format!("{old}.{}.x", part("{}")),
            format!("{header}.a.b.c"),
        ] {
            assert!(Assertion::read(&text).is_err(), "{text}");
        }
    }
}
