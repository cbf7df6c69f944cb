//! Recording: every request and reply of both faces as numbered files (design/contract.md section 3), for schema checks.
//!
//! The lab's own secrets are worth nothing, yet a recording is copied around; so tokens, secrets and the query of import URLs are left out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use crate::base::limits;

/// Which face a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaceName {
    /// SOAP.
    Ews,
    /// JSON.
    Graph,
}

/// Writes messages into a directory.
#[derive(Debug)]
pub struct Recorder {
    dir: PathBuf,
    next: AtomicU64,
    lost: AtomicU64,
}

impl Recorder {
    /// A recorder into `dir`, which is made.
    pub fn new(dir: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            next: AtomicU64::new(1),
            lost: AtomicU64::new(0),
        })
    }

    /// Files that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    async fn write(&self, number: u64, name: &str, bytes: &[u8]) {
        let path = self.dir.join(format!("{number:04}.{name}"));
        if tokio::fs::write(path, bytes).await.is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The file of a request: its name behind the number, and its bytes.
fn request_file(face: FaceName, head: &Request, body: &[u8]) -> (&'static str, Vec<u8>) {
    match face {
        FaceName::Ews => ("ews.request.xml", body.to_vec()),
        FaceName::Graph => {
            let path = head.uri().path_and_query().map_or("", |path| path.as_str());
            let value = json!({
                "method": head.method().as_str(),
                "path": without_token(path),
                "headers": headers_of(head.headers()),
                "body": body_of(body),
            });
            ("graph.request.json", pretty(&value))
        }
    }
}

/// The file of a reply.
fn reply_file(face: FaceName, reply: &Response, body: &[u8]) -> (&'static str, Vec<u8>) {
    match face {
        // A refusal before SOAP (401, 404) is no envelope and has no place among them.
        FaceName::Ews if !body.starts_with(b"<") => {
            let line = format!("HTTP {}\n", reply.status().as_u16());
            ("ews.reply.txt", line.into_bytes())
        }
        FaceName::Ews => ("ews.reply.xml", body.to_vec()),
        FaceName::Graph => {
            let value = json!({
                "status": reply.status().as_u16(),
                "headers": headers_of(reply.headers()),
                "body": body_of(body),
            });
            ("graph.reply.json", pretty(&value))
        }
    }
}

/// The middleware: lay it around a face's router with `axum::middleware::from_fn_with_state`. Bodies are held whole while it records.
pub async fn record(
    State((recorder, face)): State<(Arc<Recorder>, FaceName)>,
    request: Request,
    next: Next,
) -> Response {
    // The lab's own pages are no traffic of either service, and a preflight that only knocks asks for no operation of theirs.
    let path = request.uri().path();
    let knock = request.method() == axum::http::Method::GET
        && (matches!(face, FaceName::Ews) || path == "/v1.0/");
    if knock || path.starts_with("/lab/") {
        return next.run(request).await;
    }
    let number = recorder.next.fetch_add(1, Ordering::Relaxed);
    let (parts, body) = request.into_parts();
    let most = usize::try_from(limits::LAB_BODY_MAX.get()).unwrap_or(usize::MAX);
    // A body that did not arrive whole is none; the face says what it thinks of that.
    let body = to_bytes(body, most).await.unwrap_or_default();
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let (name, bytes) = request_file(face, &request, &body);
    recorder.write(number, name, &bytes).await;
    let (parts, body) = next.run(request).await.into_parts();
    let (came, cut) = arrived(body).await;
    let came = Chunk::from(came);
    let Some(error) = cut else {
        let reply = Response::from_parts(parts, Body::from(came.clone()));
        let (name, bytes) = reply_file(face, &reply, &came);
        recorder.write(number, name, &bytes).await;
        return reply;
    };
    // The weather cut it: what arrived of it is no message, and goes on as it came.
    let first = stream::once(async { Ok(came) });
    let end = stream::once(async {
        // The server must turn to its socket once, or nothing of the first part leaves.
        tokio::task::yield_now().await;
        Err(error)
    });
    Response::from_parts(parts, Body::from_stream(first.chain(end)))
}

/// What of a body arrives, and what broke it off.
async fn arrived(mut body: Body) -> (Vec<u8>, Option<axum::Error>) {
    let mut came = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => came.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..])),
            Err(error) => return (came, Some(error)),
        }
    }
    (came, None)
}

fn pretty(value: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("a JSON value always serialises")
}

fn headers_of(headers: &HeaderMap) -> Value {
    let mut out = Map::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        let text = match (name.as_str(), text.split_once(' ')) {
            ("authorization", Some((scheme, _))) => format!("{scheme} x"),
            ("authorization", None) => "x".to_owned(),
            _ => text.into_owned(),
        };
        out.insert(name.as_str().to_owned(), Value::String(text));
    }
    Value::Object(out)
}

/// JSON as it is, nothing as null, anything else as text.
fn body_of(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    match serde_json::from_slice(body) {
        Ok(mut value) => {
            hide(&mut value);
            value
        }
        Err(_) => Value::String(without_secret(&String::from_utf8_lossy(body))),
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "access_token" {
                    *field = Value::String("x".to_owned());
                } else {
                    hide(field);
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(hide),
        Value::String(text) if text.contains(TOKEN) => *text = without_token(text),
        _ => {}
    }
}

const TOKEN: &str = "authtoken=";

fn without_token(text: &str) -> String {
    without(text, TOKEN)
}

fn without_secret(text: &str) -> String {
    without(&without(text, "client_secret="), "client_assertion=")
}

/// Replaces the value of every `name` by `x`.
fn without(text: &str, name: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let value = at + name.len();
        out.push_str(&rest[..value]);
        out.push('x');
        let end = rest[value..].find(['&', '"', ' ']);
        rest = end.map_or("", |end| &rest[value + end..]);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_recorded() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer abc".parse().unwrap());
        assert_eq!(headers_of(&headers), json!({"authorization": "Bearer x"}));
        assert_eq!(
            without_token("/i?authtoken=abc&x=1&authtoken=d"),
            "/i?authtoken=x&x=1&authtoken=x"
        );
        assert_eq!(
            body_of(b"client_id=1&client_secret=s&scope=2"),
            json!("client_id=1&client_secret=x&scope=2")
        );
        assert_eq!(
            body_of(br#"{"access_token":"abc","v":[{"importUrl":"https://h/i?authtoken=abc"}]}"#),
            json!({"access_token": "x", "v": [{"importUrl": "https://h/i?authtoken=x"}]})
        );
        assert_eq!(body_of(b""), Value::Null);
    }
}
