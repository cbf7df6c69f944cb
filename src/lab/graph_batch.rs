//! `$batch` of the Graph face: up to twenty calls in one, each counted, let in and answered for itself (reference/graph.md 3). We never send one; other
//! clients do.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{Method, Request};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::face::Scissors;
use super::graph_answer::Answer;
use super::graph_body;
use super::graph_http::GraphFace;

/// Where it is.
pub(super) const PATH: &str = "/v1.0/$batch";

/// Calls in one.
const CALLS_MAX: usize = 20;

/// The whole of a batch, either way.
const BODY_MAX: usize = 4_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    requests: Vec<Inner>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Inner {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Value>,
    /// Calls that must have gone well before. Microsoft's Python client writes the name its own way, and empty.
    #[serde(default, alias = "depends_on")]
    depends_on: Vec<String>,
}

/// Answers a batch: the calls in their order, one at a time. Boxed, since its calls go through the face that calls it.
pub(super) fn answer<'a>(
    lab: &'a GraphFace,
    parts: &'a Parts,
    body: Body,
    scissors: &'a Scissors,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
    Box::pin(async move {
        let body = to_bytes(body, BODY_MAX).await.unwrap_or_default();
        let calls = match read(parts, &body) {
            Ok(calls) => calls,
            Err(why) => return lab.broken(why),
        };
        let mut failed = BTreeSet::new();
        let mut responses = Vec::new();
        for call in calls {
            let id = call.id.clone();
            let (status, response) = if call.depends_on.iter().any(|on| failed.contains(on)) {
                (424, json!({"id": id, "status": 424, "headers": {}}))
            } else {
                one(lab, parts, call, scissors).await
            };
            if status >= 400 {
                failed.insert(id);
            }
            responses.push(response);
        }
        Answer::json(200, &json!({ "responses": responses }))
    })
}

/// The calls, where all of them are as they should be.
fn read(parts: &Parts, body: &[u8]) -> Result<Vec<Inner>, &'static str> {
    if parts.method != Method::POST {
        return Err("a batch is posted");
    }
    let batch: Batch = graph_body::read(body).ok_or("a batch has requests of its fixed members")?;
    if batch.requests.is_empty() || batch.requests.len() > CALLS_MAX {
        return Err("a batch has 1 to 20 requests");
    }
    let mut seen = BTreeSet::new();
    for call in &batch.requests {
        if !call.depends_on.iter().all(|on| seen.contains(on)) {
            return Err("a request of a batch depends on one before it");
        }
        if call.url.starts_with("/$batch") || !call.url.starts_with('/') {
            return Err("a request of a batch has a relative URL of its own");
        }
        let json = |(name, kind): (&String, &String)| {
            name.eq_ignore_ascii_case("content-type") && kind.starts_with("application/json")
        };
        if call.body.is_some() && !call.headers.iter().any(json) {
            return Err("a body in a batch has a Content-Type");
        }
        if !seen.insert(call.id.clone()) {
            return Err("an id twice in a batch");
        }
    }
    Ok(batch.requests)
}

/// One call of it, signed in as the batch is.
async fn one(lab: &GraphFace, outer: &Parts, call: Inner, scissors: &Scissors) -> (u16, Value) {
    let body = call.body.as_ref().map_or_else(Vec::new, |body| {
        serde_json::to_vec(body).unwrap_or_default()
    });
    let mut request = Request::builder()
        .method(call.method.as_str())
        .uri(format!("/v1.0{}", call.url))
        .header("content-length", body.len());
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    if let Some(token) = outer.headers.get("authorization") {
        request = request.header("authorization", token);
    }
    let answer = match request.body(()) {
        Ok(request) => {
            let (parts, ()) = request.into_parts();
            lab.answer(&parts, Body::from(body), scissors).await
        }
        Err(_) => lab.broken("a request of a batch is no request"),
    };
    let response = answer.into_response(&call.id, None, lab.face.now().moment);
    let (head, body) = response.into_parts();
    let body = to_bytes(body, BODY_MAX).await.unwrap_or_default();
    let headers: Map<String, Value> = head
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.into())))
        .collect();
    let status = head.status.as_u16();
    let mut out = json!({"id": call.id, "status": status, "headers": headers});
    if !body.is_empty() {
        let text = || Value::String(crate::wire::base64::encode(&body));
        out["body"] = serde_json::from_slice(&body).unwrap_or_else(|_| text());
    }
    (status, out)
}
