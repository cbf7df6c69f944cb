//! The lab's judgement of a client assertion, as strict as the service's and stricter where the service is silent (reference/graph.md 7.2).

use std::sync::PoisonError;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;
use webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY;

use super::graph_http::GraphFace;
use crate::wire::graph::assertion::{Assertion, thumbprint};

/// Clocks may differ by this many seconds.
const TOLERANCE: i64 = 300;

/// An AADSTS number with its words.
type Refused = (u32, &'static str);

/// Checks an assertion for this tenant. Who is refused is told by number why.
pub(super) fn check(lab: &GraphFace, tenant: &str, text: &str) -> Result<(), Refused> {
    let wrong = |why: &str| lab.invalid(&format!("client assertion: {why}"));
    let assertion = Assertion::read(text).map_err(|why| {
        wrong(why);
        (50_027, "the assertion is not a valid JWT")
    })?;
    let Some(own) = &lab.app.certificate else {
        return Err((700_027, "no certificate is registered for the application"));
    };
    if assertion.thumbprint != thumbprint(own) {
        return Err((
            700_027,
            "the certificate with that thumbprint is not registered",
        ));
    }
    let der = CertificateDer::from(own.as_slice());
    let known = EndEntityCert::try_from(&der).is_ok_and(|own| {
        own.verify_signature(
            RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            assertion.unsigned.as_bytes(),
            &assertion.signature,
        )
        .is_ok()
    });
    if !known {
        return Err((
            700_027,
            "the signature of the assertion does not fit the certificate",
        ));
    }
    let claims = &assertion.claims;
    if claims.aud != format!("{}/{tenant}/oauth2/v2.0/token", lab.base) {
        wrong("the audience is not the token endpoint");
        return Err((700_023, "the audience of the assertion is wrong"));
    }
    if claims.iss != lab.app.client_id || claims.sub != lab.app.client_id {
        wrong("issuer or subject is not the application");
        return Err((700_021, "the assertion is of another application"));
    }
    let now = lab.face.now().moment.unix_ms().div_euclid(1_000);
    if claims.nbf > now + TOLERANCE || claims.exp + TOLERANCE <= now || claims.exp <= claims.nbf {
        return Err((700_024, "the assertion is not within its valid time range"));
    }
    let mut spent = lab.spent.lock().unwrap_or_else(PoisonError::into_inner);
    if claims.jti.is_empty() || !spent.insert(claims.jti.clone()) {
        drop(spent);
        wrong("the id was used before");
        return Err((700_027, "the assertion was used before"));
    }
    Ok(())
}
