//! The floor of the benchmark: a bare client that posts streams to the lab's import URL, three at a time, and nothing else. No export, no
//! ledger, no digest. `scripts/bench.sh` sets `mailferry run` beside it.
//!
//! Usage: `cargo bench --bench floor -- LAB_JSON ITEMS BODY_BYTES`. Prints one JSON line.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::process::ExitCode;
use std::time::Instant;

use base64::Engine as _;
use futures_util::StreamExt as _;
use futures_util::stream;
use mailferry::lab::world::Content;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// Different bodies that are posted in turn: enough that no cache answers for the server, few enough to fit in memory.
const BODIES: u64 = 16;

/// As many at once as `mailferry run` uses.
const LANES: usize = 3;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let [lab, items, body] = args.as_slice() else {
        println!("floor: skipped, it needs LAB_JSON ITEMS BODY_BYTES (see scripts/bench.sh)");
        return ExitCode::SUCCESS;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    match runtime.block_on(floor(lab, items, body)) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn text(value: &Value, key: &str) -> Result<String, Failure> {
    Ok(value[key]
        .as_str()
        .ok_or_else(|| format!("no {key}"))?
        .to_owned())
}

async fn json_of(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let reply = request.send().await?;
    let (status, body) = (reply.status(), reply.bytes().await?);
    if !status.is_success() {
        return Err(format!("HTTP {status}").into());
    }
    Ok(serde_json::from_slice(&body)?)
}

async fn floor(lab: &str, items: &str, body: &str) -> Result<Value, Failure> {
    let (items, body): (u64, u64) = (items.parse()?, body.parse()?);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let lab: Value = serde_json::from_slice(&std::fs::read(lab)?)?;
    let http = reqwest::Client::new();
    let (graph, login) = (text(&lab, "graph_url")?, text(&lab, "login_url")?);
    let form = format!(
        "client_id={}&client_secret={}&grant_type=client_credentials&scope={graph}%2F.default",
        text(&lab, "client_id")?,
        text(&lab, "client_secret")?
    );
    let token = http
        .post(format!(
            "{login}/{}/oauth2/v2.0/token",
            text(&lab, "tenant_id")?
        ))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let token = text(&json_of(token).await?, "access_token")?;
    let user = text(&lab["mailboxes"][0], "target")?;
    let settings = http.get(format!("{graph}/v1.0/users/{user}/settings/exchange"));
    let mailbox = text(
        &json_of(settings.bearer_auth(&token)).await?,
        "primaryMailboxId",
    )?;
    let base = format!("{graph}/v1.0/admin/exchange/mailboxes/{mailbox}");
    let inbox = http
        .get(format!("{base}/folders/inbox"))
        .bearer_auth(&token);
    let inbox = text(&json_of(inbox).await?, "id")?;
    let session = http
        .post(format!("{base}/createImportSession"))
        .bearer_auth(&token);
    let url = text(&json_of(session).await?, "importUrl")?;

    let mut bytes = 0;
    let bodies: Vec<bytes::Bytes> = (0..BODIES.min(items))
        .filter_map(|seed| {
            Content::Plain {
                seed: 900_000 + seed,
                body,
            }
            .stream()
        })
        .map(|stream| {
            bytes = stream.len() as u64;
            let data = base64::engine::general_purpose::STANDARD.encode(&stream);
            let order = json!({"FolderId": inbox, "Mode": "create", "Data": data});
            bytes::Bytes::from(order.to_string())
        })
        .collect();

    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    let began = Instant::now();
    let mut posts = stream::iter((0..items).map(|n| {
        let body = bodies[usize::try_from(n).unwrap_or(0) % bodies.len()].clone();
        let post = http
            .post(&url)
            .header("content-type", "application/json")
            .body(body);
        async move { post.send().await?.error_for_status()?.bytes().await }
    }))
    .buffer_unordered(LANES);
    while let Some(done) = posts.next().await {
        // The URL carries a token: it must not ride along in an error.
        done.map_err(reqwest::Error::without_url)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({"items": items, "stream_bytes": bytes * items, "seconds": seconds}))
}
