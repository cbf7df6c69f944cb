//! The lab's Mail and Calendar APIs refuse what the services refuse, and lose without a word what they lose.

#![allow(
    clippy::assigning_clones,
    clippy::similar_names,
    clippy::unnecessary_wraps,
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use serde_json::{Value, json};

use mailferry::base::secret::{SafeUrl, Secret};
use mailferry::lab::direct::lock;
use mailferry::transport::{Auth, Call, CallBody, Method};

use crate::loopback::*;

/// A call of the user, signed in; the answer's status, and its body as JSON.
async fn call(stand: &Stand, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let path = format!("/v1.0/users/{}/{path}", user().reveal());
    stand.ask(method, &path, body).await
}

async fn post(stand: &Stand, path: &str, body: Value) -> (u16, Value) {
    call(stand, Method::Post, path, Some(body)).await
}

fn invitations(stand: &Stand) -> u64 {
    lock(&stand.world).stats()["invitations"].as_u64().unwrap()
}

const MESSAGES: &str = "mailFolders/inbox/messages";

#[tokio::test]
async fn a_create_by_fields_alone_is_a_draft_without_dates_and_headers() {
    let stand = Stand::new().await;
    let plain = json!({
        "subject": "x",
        "receivedDateTime": "2001-01-01T00:00:00Z",
        "sentDateTime": "2001-01-01T00:00:00Z",
        "internetMessageHeaders": [{"name": "X-A", "value": "1"}],
    });
    let (status, made) = post(&stand, MESSAGES, plain).await;
    assert_eq!(status, 201);
    assert_eq!(made["isDraft"], true);
    assert!(
        !made["receivedDateTime"]
            .as_str()
            .unwrap()
            .starts_with("2001")
    );
    let received = json!({"subject": "x", "singleValueExtendedProperties": [
        {"id": "Integer 0x0E07", "value": "1"}, {"id": "SystemTime 0x0E06", "value": "2001-01-01T00:00:00Z"}]});
    let (status, made) = post(&stand, MESSAGES, received).await;
    assert_eq!((status, &made["isDraft"]), (201, &json!(false)));
    assert_eq!(made["receivedDateTime"], "2001-01-01T00:00:00Z");
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn what_no_message_has_is_refused() {
    let stand = Stand::new().await;
    for odd in [
        json!({"subject": "x", "colour": "red"}),
        json!({"subject": 1}),
        json!({"body": {"contentType": "rtf", "content": ""}}),
        json!({"toRecipients": [{"emailAddress": {"address": "nobody"}}]}),
        json!({"flag": {"flagStatus": "flagged", "dueDateTime": {"dateTime": "2026-11-27T00:00:00", "timeZone": "UTC"}}}),
        json!({"attachments": [{"name": "a", "contentBytes": "AAAA"}]}),
        json!({"singleValueExtendedProperties": [{"id": "String 37", "value": ""}]}),
    ] {
        let (status, _) = post(&stand, MESSAGES, odd.clone()).await;
        assert_eq!(status, 400, "{odd}");
    }
    assert_eq!(stand.broken().len(), 7);
    let large = json!({"subject": "x".repeat(4_300_000)});
    let (status, answer) = post(&stand, MESSAGES, large).await;
    assert_eq!((status, answer), (413, Value::Null));
}

#[tokio::test]
async fn whoever_would_write_to_somebody_is_counted() {
    let stand = Stand::new().await;
    let receipt = json!({"subject": "x", "isReadReceiptRequested": true});
    post(&stand, MESSAGES, receipt).await;
    assert_eq!(invitations(&stand), 1);
    let event =
        json!({"subject": "x", "attendees": [{"emailAddress": {"address": "a@b.example"}}]});
    let (status, _) = post(&stand, "calendars/calendar/events", event).await;
    assert_eq!((status, invitations(&stand)), (403, 2));
    assert_eq!(stand.broken().len(), 2);
}

#[tokio::test]
async fn what_was_received_keeps_its_text() {
    let stand = Stand::new().await;
    let received = json!({"subject": "x", "singleValueExtendedProperties": [{"id": "Integer 0x0E07", "value": "1"}]});
    let (_, made) = post(&stand, MESSAGES, received).await;
    let path = format!("messages/{}", made["id"].as_str().unwrap());
    let patch = |body| call(&stand, Method::Patch, &path, Some(body));
    assert_eq!(patch(json!({"subject": "y"})).await.0, 403);
    assert_eq!(patch(json!({"toRecipients": []})).await.0, 403);
    let (status, changed) = patch(json!({"isRead": false, "categories": ["Red"]})).await;
    assert_eq!((status, &changed["isRead"]), (200, &json!(false)));
    assert_ne!(changed["changeKey"], made["changeKey"]);
    assert_eq!(changed["subject"], "x");
    assert_eq!(stand.broken().len(), 2);
}

#[tokio::test]
async fn a_hidden_folder_shows_to_those_who_ask_and_ids_change_on_a_move() {
    let stand = Stand::new().await;
    let (status, made) = post(
        &stand,
        "mailFolders",
        json!({"displayName": "h", "isHidden": true}),
    )
    .await;
    assert_eq!(status, 201);
    let (status, _) = post(&stand, "mailFolders", json!({"displayName": "h"})).await;
    assert_eq!(status, 409);
    let names = async |query: &str| {
        let (_, page) = call(
            &stand,
            Method::Get,
            &format!("mailFolders?$top=100{query}"),
            None,
        )
        .await;
        let all = page["value"].as_array().unwrap().clone();
        all.iter().any(|own| own["displayName"] == "h")
    };
    assert!(!names("").await);
    assert!(names("&includeHiddenFolders=true").await);
    let own = format!("mailFolders/{}/messages", made["id"].as_str().unwrap());
    let (_, message) = post(&stand, &own, json!({"subject": "x"})).await;
    let path = format!("messages/{}", message["id"].as_str().unwrap());
    let (status, moved) = post(
        &stand,
        &format!("{path}/move"),
        json!({"destinationId": "inbox"}),
    )
    .await;
    assert_eq!(status, 201);
    assert_ne!(moved["id"], message["id"]);
    assert_eq!(call(&stand, Method::Get, &path, None).await.0, 404);
    let (status, error) = call(
        &stand,
        Method::Get,
        &format!("{MESSAGES}?$orderby=subject"),
        None,
    )
    .await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (400, &json!("InefficientFilter"))
    );
}

#[tokio::test]
async fn an_upload_session_keeps_order() {
    let stand = Stand::new().await;
    let (_, message) = post(&stand, MESSAGES, json!({"subject": "x"})).await;
    let path = format!(
        "messages/{}/attachments/createUploadSession",
        message["id"].as_str().unwrap()
    );
    let open = |size: u64| {
        post(
            &stand,
            &path,
            json!({"AttachmentItem": {"attachmentType": "file", "name": "a", "size": size}}),
        )
    };
    let (status, error) = open(2_900_000).await;
    assert_eq!(status, 400);
    assert_eq!(
        error["error"]["code"],
        "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"
    );
    let (status, session) = open(4_000_000).await;
    assert_eq!(
        (status, &session["nextExpectedRanges"]),
        (201, &json!(["0-"]))
    );
    let url = || SafeUrl::new(session["uploadUrl"].as_str().unwrap());
    let put = |range: &str, len: usize| {
        let call = Call::new(Method::Put, url()).auth(Auth::InUrl);
        call.header("content-range", range)
            .body(CallBody::bytes(vec![0; len]))
    };
    let stray = stand.raw(put("bytes 1000-1999/4000000", 1_000)).await;
    assert_eq!(stray.0, 416);
    assert_eq!(stand.broken(), Vec::<String>::new());
    let token = lock(&stand.world).issue_token(stand.now(), None).0;
    let with_token = put("bytes 0-999/4000000", 1_000).auth(Auth::Bearer(Secret::new(token)));
    assert_eq!(stand.raw(with_token).await.0, 400);
    let untrue = stand.raw(put("bytes 0-999/4000000", 900)).await;
    assert_eq!(untrue.0, 400);
    assert_eq!(stand.broken().len(), 2);
    let (status, answer) = stand.raw(put("bytes 0-999/4000000", 1_000)).await;
    assert_eq!(
        (status, &answer["nextExpectedRanges"]),
        (200, &json!(["1000-"]))
    );
}

/// What a listing shows over all its pages, and how many pages it took.
async fn pages(stand: &Stand, path: &str) -> (Vec<Value>, usize) {
    let mut path = format!("/v1.0/users/{}/{path}", user().reveal());
    let (mut all, mut count) = (Vec::new(), 0);
    loop {
        let (status, page) = stand.ask(Method::Get, &path, None).await;
        assert_eq!(status, 200, "{page}");
        all.extend(page["value"].as_array().unwrap().iter().cloned());
        count += 1;
        let Some(link) = page["@odata.nextLink"].as_str() else {
            return (all, count);
        };
        path = link[link.find("/v1.0/").unwrap()..].to_owned();
    }
}

fn ids(all: &[Value]) -> std::collections::BTreeSet<String> {
    let each = all.iter().map(|one| one["id"].as_str().unwrap().to_owned());
    each.collect()
}

#[tokio::test]
async fn events_and_contacts_are_listed_whole_page_by_page() {
    let stand = Stand::new().await;
    let (calendars, _) = pages(&stand, "calendars").await;
    let own = calendars
        .iter()
        .find(|one| one["isDefaultCalendar"] == true);
    let events = format!("calendars/{}/events", own.unwrap()["id"].as_str().unwrap());
    let wall =
        |hour: u8| json!({"dateTime": format!("2026-11-27T{hour:02}:00:00"), "timeZone": "UTC"});
    for (path, body) in [
        (
            events.as_str(),
            json!({"subject": "x", "body": {"contentType": "text", "content": "x"}, "start": wall(9), "end": wall(10)}),
        ),
        ("contacts", json!({"displayName": "x"})),
    ] {
        let mut made = Vec::new();
        for _ in 0..3 {
            let (status, one) = post(&stand, path, body.clone()).await;
            assert_eq!(status, 201);
            made.push(one);
        }
        let (all, count) = pages(&stand, &format!("{path}?$top=2")).await;
        assert_eq!((ids(&all), all.len(), count), (ids(&made), 3, 2), "{path}");
    }
    let (beside, _) = pages(&stand, "contactFolders").await;
    assert_eq!(
        beside,
        Vec::<Value>::new(),
        "the user's own is not among them"
    );
    assert_eq!(stand.broken(), Vec::<String>::new());
    let odd = format!("{events}?$skip=1");
    assert_eq!(call(&stand, Method::Get, &odd, None).await.0, 400);
}

#[tokio::test]
async fn mail_folders_are_listed_level_by_level_and_attachments_with_their_bytes() {
    let stand = Stand::new().await;
    let (top, _) = pages(&stand, "mailFolders?$top=1").await;
    let named = |name: &str| top.iter().find(|own| own["displayName"] == name).cloned();
    let inbox = named("Inbox").unwrap();
    let alone = call(&stand, Method::Get, "mailFolders/inbox", None).await;
    assert_eq!(alone, (200, inbox.clone()));
    let (below, _) = pages(&stand, "mailFolders/inbox/childFolders").await;
    assert!(below.iter().all(|own| own["parentFolderId"] == inbox["id"]));
    assert_eq!(inbox["childFolderCount"], below.len());
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "QUJD"});
    let (status, made) = post(
        &stand,
        MESSAGES,
        json!({"subject": "x", "attachments": [file]}),
    )
    .await;
    assert_eq!(status, 201);
    let path = format!("messages/{}/attachments", made["id"].as_str().unwrap());
    let (whole, _) = pages(&stand, &path).await;
    assert_eq!(whole[0]["contentBytes"], "QUJD");
    let (slim, _) = pages(&stand, &format!("{path}?$select=id,name")).await;
    assert_eq!(slim[0].get("contentBytes"), None);
    assert_eq!(ids(&slim), ids(&whole));
    let odd = call(&stand, Method::Get, &format!("{path}?$top=1"), None).await;
    assert_eq!(odd.0, 400);
}
