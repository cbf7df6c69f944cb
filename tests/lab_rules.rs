//! The lab's Graph face from outside: what it refuses and how it names the broken rule, its pages, its papers, its recording.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use mailferry::base::id::TargetItemId;
use mailferry::base::outcome::Setback;
use mailferry::base::quantity::Span;
use mailferry::base::secret::{SafeUrl, Secret};
use mailferry::lab::direct::lock;
use mailferry::lab::fault::Weather;
use mailferry::lab::world::Content;
use mailferry::port::target::Target;
use mailferry::transport::{Auth, Call, CallBody, Method};

use crate::loopback::*;

#[tokio::test]
async fn requests_that_break_a_published_rule_are_refused_and_named() {
    let stand = Stand::new().await;
    let inbox = stand.inbox();
    let odd = inbox.as_str().replace("AAMkAG", "AAMKAG");
    let item = |rest: &str| stand.path(&format!("folders/{inbox}/items{rest}"));
    for (method, path, body, why) in [
        (
            Method::Get,
            item("?top=5"),
            None,
            "unknown query parameter top",
        ),
        (Method::Get, item("?$select=subject"), None, "$select names"),
        (
            Method::Get,
            item("?$top=5000"),
            None,
            "$top is out of range",
        ),
        (
            Method::Get,
            stand.path(&format!("folders/{odd}/items")),
            None,
            "in another case",
        ),
        (Method::Delete, item("/AAMkx"), None, "disposalType"),
        (
            Method::Post,
            stand.path("exportItems"),
            Some(json!({"itemIds": ["a"], "mode": "x"})),
            "itemIds and nothing",
        ),
        (
            Method::Post,
            stand.path("exportItems"),
            Some(json!({"itemIds": vec!["a"; 21]})),
            "1 to 20 ids",
        ),
        (
            Method::Post,
            stand.path("folders/inbox/childFolders"),
            Some(json!({"DisplayName": "x", "type": "IPF.Note"})),
            "displayName and type",
        ),
        (
            Method::Post,
            stand.path("folders/inbox/childFolders"),
            Some(json!({"displayName": "x", "type": "Note"})),
            "IPF family",
        ),
        (
            Method::Post,
            stand.path("createImportSession"),
            Some(json!({"FolderId": "x"})),
            "has no body",
        ),
        (Method::Patch, item(""), Some(json!({})), "method"),
        (
            Method::Get,
            "/v1.0/users/a/messages".to_owned(),
            None,
            "not part of mailbox import",
        ),
    ] {
        let (status, _) = stand.ask(method, &path, body).await;
        assert!((400..500).contains(&status), "{path}: {status}");
        let said = stand.broken().pop().unwrap_or_default();
        assert!(said.contains(why), "{path}: {said}");
    }
    let count = stand.broken().len();
    let (status, _) = stand
        .raw(Call::new(Method::Get, stand.url(&item(""))))
        .await;
    assert_eq!((status, stand.broken().len()), (401, count + 1));
}

#[tokio::test]
async fn a_batch_answers_each_of_its_calls_for_itself() {
    let stand = Stand::new().await;
    let base = format!("/admin/exchange/mailboxes/{}", stand.mailbox());
    let call =
        |id: &str, method: &str, url: String| json!({"id": id, "method": method, "url": url});
    let batch = async |requests: Value| {
        let body = json!({ "requests": requests });
        stand.ask(Method::Post, "/v1.0/$batch", Some(body)).await
    };
    let export = json!({"id": "3", "method": "POST", "url": format!("{base}/exportItems"),
        "headers": {"Content-Type": JSON}, "body": {"itemIds": ["AAMkAGnothing"]}});
    let (status, said) = batch(json!([
        call("1", "GET", format!("{base}/folders?$top=3")),
        call("2", "GET", format!("{base}/folders/inbox/items")),
        export,
    ]))
    .await;
    assert_eq!(status, 200, "{said}");
    let all = said["responses"].as_array().unwrap();
    let ids: Vec<_> = all.iter().map(|one| (&one["id"], &one["status"])).collect();
    assert_eq!(
        json!(ids),
        json!([["1", 200], ["2", 200], ["3", 200]]),
        "{said}"
    );
    assert!(!all[0]["body"]["value"].as_array().unwrap().is_empty());
    let entry = &all[2]["body"]["value"][0]["error"]["code"];
    assert_eq!(entry, "ErrorItemNotFound");
    assert_eq!(stand.broken(), Vec::<String>::new());
    // What went wrong stays with its call, and with those that depend on it.
    let mut late = call("2", "GET", format!("{base}/folders"));
    late["dependsOn"] = json!(["1"]);
    let lost = call("1", "GET", format!("{base}/folders/AAMkAGnothing"));
    let (_, said) = batch(json!([
        lost,
        late,
        call("x", "GET", format!("{base}/folders"))
    ]))
    .await;
    let status = |index: usize| said["responses"][index]["status"].as_u64();
    assert_eq!(
        (status(0), status(1), status(2)),
        (Some(404), Some(424), Some(200))
    );
    let many: Vec<_> = (0..21)
        .map(|n| call(&n.to_string(), "GET", base.clone()))
        .collect();
    let twice = [
        call("1", "GET", base.clone()),
        call("1", "GET", base.clone()),
    ];
    let inner = [call("1", "POST", "/$batch".to_owned())];
    let untyped = [json!({"id": "1", "method": "POST", "url": base, "body": {}})];
    for (requests, why) in [
        (json!(many), "1 to 20"),
        (json!(twice), "an id twice"),
        (json!(inner), "relative URL"),
        (json!(untyped), "Content-Type"),
    ] {
        let (status, _) = batch(requests).await;
        assert_eq!(status, 400, "{why}");
        let noted = stand.broken().pop().unwrap_or_default();
        assert!(noted.contains(why), "{why}: {noted}");
    }
}

const JSON: &str = "application/json";

/// A session of the mailbox, and a body that would be taken.
async fn session(stand: &Stand) -> (String, Value) {
    let path = stand.path("createImportSession");
    let (_, session) = stand.ask(Method::Post, &path, None).await;
    let url = session["importUrl"].as_str().unwrap().to_owned();
    let stream = Content::Plain { seed: 1, body: 9 }.stream().unwrap();
    let data = mailferry::wire::base64::encode(&stream);
    let body = json!({"FolderId": stand.inbox().as_str(), "Mode": "create", "Data": data});
    (url, body)
}

async fn import(stand: &Stand, url: &str, body: &Value, auth: Auth, kind: &str) -> (u16, Value) {
    let call = Call::new(Method::Post, SafeUrl::new(url))
        .header("content-type", kind)
        .auth(auth)
        .body(CallBody::bytes(serde_json::to_vec(body).unwrap()));
    stand.raw(call).await
}

#[tokio::test]
async fn import_bodies_that_break_a_published_rule_are_refused_and_leave_nothing() {
    let stand = Stand::new().await;
    let (url, good) = session(&stand).await;
    for (field, value, why) in [
        ("Mode", json!("update"), "needs ItemId and ChangeKey"),
        ("Mode", json!("Create"), "Mode is create or update"),
        ("ItemId", json!("x"), "no place in a create"),
        ("folderId", json!("x"), "in these letters"),
        ("Data", json!("?"), "not base64"),
        ("Data", json!("AAAA"), "container is broken"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let (status, _) = import(&stand, &url, &body, Auth::InUrl, JSON).await;
        assert_eq!(status, 400, "{why}");
        let said = stand.broken().pop().unwrap_or_default();
        assert!(said.contains(why), "{why}: {said}");
    }
    assert_eq!(stand.copies(1), 0);
    let (status, placed) = import(&stand, &url, &good, Auth::InUrl, JSON).await;
    assert_eq!((status, stand.copies(1)), (200, 1));
    let mut update = good.clone();
    update["Mode"] = json!("update");
    update["ItemId"] = placed["itemId"].clone();
    update["ChangeKey"] = json!("stale");
    let (status, _) = import(&stand, &url, &update, Auth::InUrl, JSON).await;
    assert_eq!(status, 412);
    update["ChangeKey"] = placed["changeKey"].clone();
    let (status, _) = import(&stand, &url, &update, Auth::InUrl, JSON).await;
    assert_eq!((status, stand.copies(1)), (200, 1));
}

#[tokio::test]
async fn import_urls_are_taken_as_they_were_given_and_without_a_token() {
    let stand = Stand::new().await;
    let (url, good) = session(&stand).await;
    let bearer = Auth::Bearer(Secret::new("lab-x"));
    for (url, auth, kind, why) in [
        (url.clone(), bearer, JSON, "no Authorization"),
        (url.clone(), Auth::InUrl, "text/plain", "application/json"),
        (format!("{url}&x=1"), Auth::InUrl, JSON, "was altered"),
        (
            url.replace("MBX:", "MBX:0"),
            Auth::InUrl,
            JSON,
            "was altered",
        ),
        (
            url[..url.len() - 4].to_owned(),
            Auth::InUrl,
            JSON,
            "never opened",
        ),
    ] {
        let (status, _) = import(&stand, &url, &good, auth, kind).await;
        assert!((400..500).contains(&status), "{why}: {status}");
        let said = stand.broken().pop().unwrap_or_default();
        assert!(said.contains(why), "{why}: {said}");
    }
    assert_eq!(stand.copies(1), 0);
}

#[tokio::test]
async fn an_event_with_attendees_counts_as_an_invitation() {
    let stand = Stand::new().await;
    let path = "/v1.0/users/a.harris@clinic.example/calendar/events";
    let alone = json!({"subject": "x", "attendees": []});
    assert_eq!(stand.ask(Method::Post, path, Some(alone)).await.0, 400);
    assert_eq!(stand.stat("/invitations"), json!(0));
    let invited = json!({"attendees": [{"emailAddress": {"address": "b@clinic.example"}}]});
    assert_eq!(stand.ask(Method::Post, path, Some(invited)).await.0, 403);
    assert_eq!(stand.stat("/invitations"), json!(1));
}

#[tokio::test]
async fn the_labs_pages_tell_the_truth_and_move_the_levers() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    target.create(&mailbox, &inbox, &item(4, 10)).await.unwrap();
    let get = |path: &str| stand.raw(Call::new(Method::Get, stand.url(path)));
    let post = |path: &str, body: Value| {
        let body = serde_json::to_vec(&body).unwrap();
        stand.raw(Call::new(Method::Post, stand.url(path)).body(CallBody::bytes(body)))
    };
    let (status, truth) = get("/lab/truth").await;
    let folders = truth["target"][user().reveal()]["folders"]
        .as_array()
        .unwrap();
    let items: usize = folders
        .iter()
        .map(|f| f["items"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!((status, items), (200, 1));
    let order =
        json!({"mailbox": user().reveal(), "action": "duplicate", "folder": "Inbox", "count": 1});
    assert_eq!(
        post("/lab/control/target", order).await,
        (200, json!({"done": 1}))
    );
    assert_eq!(stand.copies(4), 2);
    assert_eq!(
        post("/lab/control/weather", json!({"weather": "busy"}))
            .await
            .0,
        200
    );
    assert_eq!(lock(&stand.world).options().weather, Weather::Busy);
    assert_eq!(
        post("/lab/control/weather", json!({"weather": "hail"}))
            .await
            .0,
        400
    );
    let (_, counts) = get("/lab/control/stats").await;
    assert_eq!(counts["source_writes"], json!(0));
    let none = json!({"mailbox": "nobody@clinic.example", "action": "delete"});
    assert_eq!(post("/lab/control/source", none).await.0, 404);
    assert_eq!(
        get("/lab/control/log?invalid=1").await,
        (200, json!({"invalid": []}))
    );
    assert_eq!(get("/lab/nothing").await.0, 404);
}

#[tokio::test]
async fn the_papers_are_complete_private_and_make_a_plan_that_reads_back() {
    let stand = Stand::new().await;
    let dir = stand.dir.path().join("lab");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let info: Value = serde_json::from_str(&read("lab.json")).unwrap();
    let fields: Vec<&str> = info
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut want = [
        "schema",
        "target_inventory",
        "pid",
        "ews_url",
        "ews_username",
        "ews_password",
        "graph_url",
        "login_url",
        "tenant_id",
        "client_id",
        "client_secret",
        "truth_url",
        "control_url",
        "mailboxes",
        "inventory",
        "plan",
    ];
    want.sort_unstable();
    assert_eq!(fields, want);
    let plan = mailferry::plan::document::Plan::parse(&read("plan.toml")).unwrap();
    assert_eq!(plan.jobs().len(), 1);
    let mut reader = mailferry::plan::inventory::Reader::new();
    reader
        .read("inventory.csv", &mut read("inventory.csv").as_bytes())
        .unwrap();
    let inventory = reader.finish();
    assert_eq!(inventory.mailboxes.len(), 1);
    assert_eq!(
        (&inventory.refused, &inventory.warnings),
        (&vec![], &vec![])
    );
    assert!(read("secrets.env").contains(info["client_secret"].as_str().unwrap()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&dir) & 0o777, 0o700);
        assert_eq!(mode(&dir.join("secrets.env")) & 0o777, 0o600);
    }
    stand.lab.stop().await;
}

#[tokio::test]
async fn a_recording_holds_every_message_and_no_secret() {
    let stand = Stand::with(quiet(), Arc::default(), Span::ZERO, true).await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    target.resolve(&user()).await.unwrap();
    let placed = target.create(&mailbox, &inbox, &item(4, 10)).await.unwrap();
    target.retract(&mailbox, &inbox, &placed).await.unwrap();
    let mut files: Vec<_> = std::fs::read_dir(stand.dir.path().join("record"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    // Token, settings, session, import, version, delete.
    assert_eq!(files.len(), 12);
    let secret = &stand.lab.info.client_secret;
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let keys = if name.ends_with(".graph.request.json") {
            ["body", "headers", "method", "path"].as_slice()
        } else {
            ["body", "headers", "status"].as_slice()
        };
        assert!(value.as_object().unwrap().keys().eq(keys), "{name}");
        assert!(
            !text.contains(secret.as_str()) && !text.contains("lab-"),
            "{name}"
        );
        assert!(
            !text.contains("authtoken=") || text.contains("authtoken=x\""),
            "{name}"
        );
    }
    let unknown = TargetItemId::new("AAMkAGnothing");
    let last = target.export(&mailbox, &unknown).await.unwrap();
    assert_eq!(last.collect::<Vec<_>>().await, [Err(Setback::Gone)]);
}
