//! The token endpoint of the lab's tenant (reference/graph.md 7.1).

use axum::http::Method;

use super::graph_answer::Answer;
use super::graph_assertion;
use super::graph_http::{Asked, GraphFace};
use super::wrong::Wrong;
use crate::wire::graph::token::{TokenError, TokenReply, TokenRequest};

/// Answers a token request.
pub(super) fn token(lab: &GraphFace, tenant: &str, asked: &Asked<'_>) -> Answer {
    if asked.parts.method != Method::POST {
        return lab.broken("a token is asked for by POST");
    }
    if !asked.query().is_empty() {
        return lab.broken("a token request has no query");
    }
    let form_kind = "application/x-www-form-urlencoded";
    let kind = asked.header("content-type").unwrap_or("");
    if kind.split(';').next() != Some(form_kind) {
        return lab.broken("a token request is a form");
    }
    let form = std::str::from_utf8(&asked.body).unwrap_or("%");
    let request = match TokenRequest::parse(form) {
        Ok(request) => request,
        Err(why) => {
            lab.invalid(&format!("token request: {why}"));
            return refusal(400, "invalid_request", 900_144, "the request body is wrong");
        }
    };
    let wrong = |wrong| lab.world(|world, _| world.is_wrong(wrong));
    if tenant != lab.app.tenant_id || wrong(Wrong::WrongTenant) {
        return no_tenant();
    }
    if request.grant_type != "client_credentials" {
        lab.invalid("only client_credentials is granted");
        return refusal(
            400,
            "unsupported_grant_type",
            70_003,
            "the grant type is not supported",
        );
    }
    if request.scope != format!("{}/.default", lab.base) {
        lab.invalid("the scope is not that of this cloud's Graph");
        return refusal(400, "invalid_scope", 70_011, "the scope is not valid");
    }
    if request.client_id != lab.app.client_id || wrong(Wrong::WrongApplication) {
        return refusal(400, "unauthorized_client", 700_016, "application not found");
    }
    if wrong(Wrong::ExpiredSecret) {
        return refusal(
            401,
            "invalid_client",
            7_000_222,
            "the client secret has expired",
        );
    }
    if let Some(assertion) = &request.assertion {
        if let Err((number, text)) = graph_assertion::check(lab, tenant, assertion) {
            return refusal(401, "invalid_client", number, text);
        }
    } else if request.client_secret != lab.app.client_secret || wrong(Wrong::WrongSecret) {
        return refusal(401, "invalid_client", 7_000_215, "invalid client secret");
    }
    let claims = request.claims.as_deref();
    let (token, life) = lab.world(|world, now| world.issue_token(now, claims));
    let seconds = life.get() / 1_000;
    let reply = TokenReply {
        token_type: "Bearer".to_owned(),
        expires_in: seconds,
        ext_expires_in: seconds,
        access_token: token,
    };
    Answer::json(200, &reply).header("cache-control", "no-store, no-cache")
}

/// The tenant is not there.
pub(super) fn no_tenant() -> Answer {
    refusal(400, "invalid_request", 90_002, "tenant not found")
}

fn refusal(status: u16, word: &str, number: u32, text: &str) -> Answer {
    let error = TokenError {
        error: Some(word.to_owned()),
        error_description: Some(format!("AADSTS{number}: {text}.")),
        error_codes: vec![number],
        ..TokenError::default()
    };
    Answer::json(status, &error)
}
