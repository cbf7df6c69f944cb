//! The Graph adapter against a service that answers oddly, word for word as a test wants it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use mailferry::base::id::{TargetFolderId, TargetMailboxId};
use mailferry::base::mailbox::{FolderOrder, FolderRole};
use mailferry::base::outcome::{
    MisreadCause, Refusal, RefusalWhy, Said, Setback, StopCause, UnreachedCause,
};
use mailferry::base::secret::Secret;
use mailferry::graph::{Credential, GraphOptions, GraphTarget};
use mailferry::port::target::{Cursor, Target};

use crate::loopback::{HandClock, item};

/// A request as the service saw it: method and path with query, Authorization, body.
#[derive(Clone, Debug)]
struct Seen {
    line: String,
    bearer: Option<String>,
    body: String,
}

struct Reply(u16, Vec<(&'static str, String)>, String);

fn ok(body: &Value) -> Reply {
    Reply(200, Vec::new(), body.to_string())
}

fn bare(status: u16) -> Reply {
    Reply(status, Vec::new(), String::new())
}

/// A service of one test: answers by `script`, tokens apart, and remembers what it was asked.
struct Service {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Service {
    async fn new(script: impl Fn(&str, &Seen) -> Reply + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (base, log) = (url.clone(), Arc::clone(&seen));
        let answer = move |request: Request| {
            let (script, base, log) = (script.clone(), base.clone(), Arc::clone(&log));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, 1_000_000).await.unwrap();
                let auth = parts.headers.get("authorization");
                let seen = Seen {
                    line: format!("{} {}", parts.method, parts.uri),
                    bearer: auth.map(|v| v.to_str().unwrap().to_owned()),
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
                log.lock().unwrap().push(seen.clone());
                let reply = if seen.line.ends_with("/token") && !seen.body.contains("plain-script")
                {
                    ok(&json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "tok"}))
                } else {
                    script(&base, &seen)
                };
                let mut response = Response::builder().status(reply.0);
                for (name, value) in reply.1 {
                    response = response.header(name, value);
                }
                response.body(HttpBody::from(reply.2)).unwrap()
            }
        };
        let router = Router::new().fallback(answer);
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    fn target(&self, client_id: &str) -> GraphTarget {
        let options = GraphOptions {
            login_url: self.url.clone(),
            graph_url: format!("{}/", self.url),
            tenant: "t".to_owned(),
            client_id: client_id.to_owned(),
            credential: Credential::Secret(Secret::new("s")),
            max_connections: 2,
        };
        GraphTarget::new(options, Arc::new(HandClock::default())).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn mailbox() -> TargetMailboxId {
    TargetMailboxId::new("MBX:a@b")
}

fn folder(id: &str, name: &str) -> Value {
    json!({"id": id, "displayName": name, "parentFolderId": "r", "childFolderCount": 0, "totalItemCount": 1, "type": "IPF.Note"})
}

#[tokio::test]
async fn default_folders_are_found_by_name_where_the_listing_does_not_say_them() {
    let service = Service::new(|_, seen| {
        let path = seen.line.split(['?', ' ']).nth(1).unwrap();
        match path.rsplit('/').next().unwrap() {
            "msgfolderroot" => ok(&folder("r", "Top of Information Store")),
            "childFolders" => {
                ok(&json!({"value": [folder("i", "Posteingang"), folder("x", "Inbox")]}))
            }
            "inbox" => ok(&folder("i", "Posteingang")),
            _ => Reply(
                404,
                Vec::new(),
                r#"{"error":{"code":"ErrorItemNotFound"}}"#.to_owned(),
            ),
        }
    })
    .await;
    let tree = service.target("c").folders(&mailbox()).await.unwrap();
    let roles: Vec<_> = tree.iter().map(|f| (f.name.as_str(), f.role)).collect();
    assert_eq!(
        roles,
        [
            ("Top of Information Store", Some(FolderRole::Top)),
            ("Posteingang", Some(FolderRole::Inbox)),
            ("Inbox", None)
        ]
    );
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed_and_one_to_itself_ends_the_listing() {
    let elsewhere = Service::new(|_, _| ok(&json!({"value": []}))).await;
    let other = elsewhere.url.clone();
    let service = Service::new(move |base, seen| {
        let path = seen.line.split(' ').nth(1).unwrap();
        let next = if path.contains("/mine/") {
            format!("{base}{path}")
        } else {
            format!("{other}/v1.0/next")
        };
        ok(&json!({"value": [], "@odata.nextLink": next}))
    })
    .await;
    let target = service.target("c");
    let theirs = TargetFolderId::new("theirs");
    let page = target.page(&mailbox(), &theirs, None).await.unwrap();
    let foreign = target.page(&mailbox(), &theirs, page.next.as_ref()).await;
    let why = Setback::Misread(MisreadCause::Malformed, Said::code("link-elsewhere"));
    assert_eq!(foreign.unwrap_err(), why);
    let relative = Cursor::new("/v1.0/next");
    assert_eq!(
        target
            .page(&mailbox(), &theirs, Some(&relative))
            .await
            .unwrap_err(),
        why
    );
    assert!(
        elsewhere.seen().is_empty(),
        "our token left for another host"
    );
    let mine = TargetFolderId::new("mine");
    let first = target.page(&mailbox(), &mine, None).await.unwrap();
    let own = target.page(&mailbox(), &mine, first.next.as_ref()).await;
    let endless = Setback::Misread(MisreadCause::TooLarge, Said::code("endless-listing"));
    assert_eq!(own.unwrap_err(), endless);
}

#[tokio::test]
async fn a_claims_challenge_is_answered_with_the_next_token_request() {
    let service = Service::new(|_, _| {
        let challenge = r#"Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ==""#;
        Reply(
            401,
            vec![("www-authenticate", challenge.to_owned())],
            String::new(),
        )
    })
    .await;
    let target = service.target("c");
    for _ in 0..2 {
        let refused = target
            .page(&mailbox(), &TargetFolderId::new("f"), None)
            .await;
        let said = Said::new(401, "insufficient_claims");
        assert_eq!(refused.unwrap_err(), Setback::Expired(said));
    }
    let asked = service.seen();
    let tokens: Vec<_> = asked.iter().filter(|s| s.line.contains("/token")).collect();
    assert_eq!(
        tokens.len(),
        2,
        "the challenged token must not be used again"
    );
    assert!(!tokens[0].body.contains("claims="));
    assert!(
        tokens[1].body.contains("claims=%7B%22a%22%3A1%7D"),
        "{}",
        tokens[1].body
    );
    assert!(
        tokens.iter().all(|s| s.bearer.is_none()),
        "the secret goes in the body alone"
    );
}

#[tokio::test]
async fn a_login_page_is_no_answer() {
    let service =
        Service::new(|_, _| Reply(200, Vec::new(), "<html>sign in</html>".to_owned())).await;
    let html = Setback::Misread(MisreadCause::Html, Said::status(200));
    let folders = service.target("c").folders(&mailbox()).await;
    assert_eq!(folders.unwrap_err(), html);
    assert_eq!(
        service.target("plain-script").sign_in().await.unwrap_err(),
        html
    );
    let timeless =
        Service::new(|_, _| ok(&json!({"token_type": "Bearer", "access_token": "t"}))).await;
    assert_eq!(
        timeless.target("plain-script").sign_in().await.unwrap_err(),
        Setback::Misread(MisreadCause::Incomplete, Said::status(200))
    );
}

#[tokio::test]
async fn an_import_url_in_clear_to_another_host_is_refused_and_never_called() {
    let service = Service::new(|_, _| {
        ok(&json!({"importUrl": "http://203.0.113.1/importItem?authtoken=x", "expirationDateTime": "2099-01-01T00:00:00Z"}))
    })
    .await;
    let target = service.target("c");
    let made = target
        .create(&mailbox(), &TargetFolderId::new("f"), &item(1, 10))
        .await;
    assert_eq!(
        made.unwrap_err(),
        Setback::SideClosed(
            StopCause::WrongTargetAddress,
            Said::code("import-url-not-https")
        )
    );
}

#[tokio::test]
async fn what_fails_before_a_create_is_no_doubt_about_it_and_what_fails_after_is() {
    for (session, import, want) in [
        (504, 200, Setback::Unreached(UnreachedCause::Connect)),
        (503, 200, Setback::Unreached(UnreachedCause::Connect)),
        (200, 504, Setback::GatewayGaveUp(Said::status(504))),
        (200, 503, Setback::Unwell(Said::status(503))),
        (
            200,
            200,
            Setback::Misread(MisreadCause::CutOff, Said::status(200)),
        ),
        (200, 403, Setback::Expired(Said::status(403))),
        (
            200,
            413,
            Setback::ItemRefused(Refusal {
                why: RefusalWhy::TooLarge,
                said: Said::status(413),
            }),
        ),
    ] {
        let service = Service::new(move |base, seen| {
            if seen.line.contains("importItem") {
                bare(import)
            } else if session == 200 {
                ok(&json!({"importUrl": format!("{base}/importItem?authtoken=x"), "expirationDateTime": "2099-01-01T00:00:00Z"}))
            } else {
                bare(session)
            }
        })
        .await;
        let target = service.target("c");
        let made = target
            .create(&mailbox(), &TargetFolderId::new("f"), &item(1, 10))
            .await;
        assert_eq!(made.unwrap_err(), want);
        let imports = service
            .seen()
            .into_iter()
            .filter(|s| s.line.contains("importItem"));
        let imports: Vec<_> = imports.collect();
        assert_eq!(
            imports.len(),
            usize::from(session == 200),
            "sent once, or not at all"
        );
        assert!(imports.iter().all(|s| s.bearer.is_none()));
    }
}

#[tokio::test]
async fn a_folder_whose_name_is_taken_is_adopted_if_it_shows_and_our_mistake_if_not() {
    for shows in [true, false] {
        let lists = Arc::new(Mutex::new(0));
        let service = Service::new(move |_, seen| {
            if seen.line.starts_with("POST") {
                return Reply(
                    409,
                    Vec::new(),
                    r#"{"error":{"code":"ErrorFolderExists"}}"#.to_owned(),
                );
            }
            let mut count = lists.lock().unwrap();
            *count += 1;
            // Names that differ only in case are different folders.
            let late = if shows && *count > 1 { "Ward" } else { "ward" };
            ok(&json!({"value": [folder("w", late)]}))
        })
        .await;
        let order = FolderOrder {
            parent: TargetFolderId::new("p"),
            name: "Ward".to_owned(),
            class: String::new(),
        };
        let made = service.target("c").ensure_folder(&mailbox(), &order).await;
        if shows {
            let made = made.unwrap();
            assert_eq!(
                (made.name.as_str(), made.parent),
                ("Ward", Some(order.parent))
            );
        } else {
            let taken = Setback::OurRequest(Said::new(409, "ErrorFolderExists"));
            assert_eq!(made.unwrap_err(), taken);
        }
        let seen = service.seen();
        let posts: Vec<_> = seen
            .iter()
            .filter(|s| s.line.contains("childFolders") && s.line.starts_with("POST"))
            .collect();
        assert_eq!(posts.len(), 1);
        let body: Value = serde_json::from_str(&posts[0].body).unwrap();
        assert_eq!(body, json!({"displayName": "Ward", "type": "IPF.Note"}));
    }
}
