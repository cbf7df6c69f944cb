//! Tests of the typed message: what is created, what is not, and that it comes back.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::base::id::TargetMailboxId;
use crate::base::item::{SearchKey, Stamp};
use crate::base::typed::TypedAttachment;
use crate::wire::graph::openapi::holds;

fn at(text: &str) -> Option<Moment> {
    property::moment(text)
}

fn somebody(name: &str, address: &str) -> Person {
    Person {
        name: name.to_owned(),
        address: address.to_owned(),
    }
}

fn received() -> TypedMessage {
    let mut message = TypedMessage {
        message_id: "<a@b.example>".to_owned(),
        flags: READ,
        submitted: at("2020-01-02T03:04:05Z"),
        delivered: at("2020-01-02T03:04:09Z"),
        from: Some(somebody("Anna", "anna@b.example")),
        sender: Some(somebody("Assistant", "help@b.example")),
        to: vec![somebody("", "me@c.example"), somebody("List", "")],
        cc: vec![somebody("X", "/o=Org/cn=x")],
        bcc: vec![somebody("B", "b@c.example")],
        reply_to: vec![somebody("R", "r@b.example")],
        headers: "Received: from x\r\n by y\r\nSubject: \"Hi\"\r\n".to_owned(),
        in_reply_to: "<z@b.example>".to_owned(),
        references: "<y@b.example> <z@b.example>".to_owned(),
        conversation_index: "AdGx2w==".to_owned(),
        flag: Some(FollowUp {
            complete: false,
            start: at("2020-01-03T00:00:00Z"),
            due: at("2020-01-04T00:00:00Z"),
            completed: None,
        }),
        ..TypedMessage::default()
    };
    message.common = TypedCommon {
        class: "IPM.Note".to_owned(),
        search_key: "00ff".to_owned(),
        subject: "Grüße \"quoted\"".to_owned(),
        body: TypedBody {
            html: true,
            content: "<p>Hi</p>".to_owned(),
        },
        importance: 2,
        sensitivity: 2,
        categories: vec!["Red".to_owned()],
        ..TypedCommon::default()
    };
    message
}

fn mark() -> Mark {
    let stamp = Stamp::Key(SearchKey::new([0, 0xff]).unwrap());
    Mark::new(stamp, &TargetMailboxId::new("MBX:1@2"))
}

fn request(message: &TypedMessage) -> Value {
    let new = NewMessage::of(message, &mark()).unwrap();
    let body = new.body([]);
    assert_eq!(body.len() as u64, new.bare_len());
    serde_json::from_slice(&body).unwrap()
}

fn property_in(request: &Value, id: &str) -> Option<String> {
    let all = request["singleValueExtendedProperties"].as_array().unwrap();
    let own = all.iter().find(|own| own["id"] == id)?;
    Some(own["value"].as_str().unwrap().to_owned())
}

/// The message as the service would show it: what was created, and what it adds.
fn shown(request: &Value) -> ShownMessage {
    let mut answer = request.clone();
    let flags = property_in(request, "Integer 0x0E07");
    answer["id"] = json!("AAMk=");
    answer["changeKey"] = json!("CQ==");
    answer["isDraft"] = json!(flags.is_none_or(|n| n.parse::<u32>().unwrap() & UNSENT != 0));
    answer["receivedDateTime"] = json!("2026-11-27T12:00:00Z");
    answer["@odata.context"] = json!("https://graph.example/$metadata");
    for own in answer["singleValueExtendedProperties"]
        .as_array_mut()
        .unwrap()
    {
        // Graph gives ids back without leading zeros.
        let id = own["id"]
            .as_str()
            .unwrap()
            .replace("0x00", "0x")
            .replace("0x0", "0x");
        own["id"] = json!(id);
    }
    ShownMessage::read(200, answer.to_string().as_bytes()).unwrap()
}

#[test]
fn a_received_message_is_created_as_what_it_was() {
    let got = request(&received());
    for (id, value) in [
        ("SystemTime 0x0039", "2020-01-02T03:04:05Z"),
        ("SystemTime 0x0E06", "2020-01-02T03:04:09Z"),
        ("Integer 0x0E07", "1"),
        ("String 0x001A", "IPM.Note"),
        (
            "String 0x007D",
            "Received: from x\r\n by y\r\nSubject: \"Hi\"\r\n",
        ),
        ("String 0x1042", "<z@b.example>"),
        ("String 0x1039", "<y@b.example> <z@b.example>"),
        ("Integer 0x0036", "2"),
        (
            "String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name mailferry-source",
            "k:00ff@41928d6fc0c33ec7",
        ),
    ] {
        assert_eq!(property_in(&got, id).as_deref(), Some(value), "{id}");
    }
    assert_eq!(got["internetMessageId"], "<a@b.example>");
    assert_eq!(
        got["body"],
        json!({"contentType": "html", "content": "<p>Hi</p>"})
    );
    assert_eq!(got["isRead"], true);
    assert_eq!(got["importance"], "high");
    assert_eq!(
        got["toRecipients"],
        json!([{"emailAddress": {"address": "me@c.example"}}])
    );
    assert_eq!(got["ccRecipients"], json!([]));
    assert_eq!(
        got["flag"]["dueDateTime"],
        json!({"dateTime": "2020-01-04T00:00:00", "timeZone": "UTC"})
    );
    // What the service ignores or may not be asked for is not there.
    for absent in [
        "receivedDateTime",
        "sentDateTime",
        "isDraft",
        "internetMessageHeaders",
        "isReadReceiptRequested",
        "isDeliveryReceiptRequested",
        "attachments",
    ] {
        assert!(got.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn only_a_draft_stays_a_draft() {
    let draft = TypedMessage {
        flags: UNSENT | READ,
        ..received()
    };
    assert_eq!(property_in(&request(&draft), "Integer 0x0E07"), None);
    assert!(shown(&request(&draft)).typed().draft());
    for flags in [0, READ, SUBMITTED, READ | SUBMITTED, 0x10, 0x11, 0x40] {
        let message = TypedMessage {
            flags,
            ..received()
        };
        let got = property_in(&request(&message), "Integer 0x0E07").unwrap();
        let bits: u32 = got.parse().unwrap();
        assert!(bits & !(READ | SUBMITTED) == 0 && bits != 0, "{flags}");
        let back = shown(&request(&message)).typed();
        assert_eq!(
            (back.draft(), back.read()),
            (false, flags & READ != 0),
            "{flags}"
        );
    }
}

#[test]
fn what_was_no_draft_never_gets_the_date_of_today() {
    let dates = |message: &TypedMessage| {
        let got = request(message);
        (
            property_in(&got, "SystemTime 0x0039"),
            property_in(&got, "SystemTime 0x0E06"),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    let mut message = TypedMessage {
        submitted: None,
        ..received()
    };
    let delivered = some("2020-01-02T03:04:09Z");
    assert_eq!(dates(&message), (delivered.clone(), delivered));
    message.delivered = None;
    message.common.created = at("2019-01-01T00:00:00Z");
    let made = some("2019-01-01T00:00:00Z");
    assert_eq!(dates(&message), (made.clone(), made));
    message.flags = UNSENT;
    assert_eq!(dates(&message), (None, None));
    // No FILETIME, no date.
    assert_eq!(time_text(Moment::from_unix_ms(i64::MIN)), None);
    assert_eq!(time_text(Moment::from_unix_ms(-20_000_000_000_000)), None);
}

#[test]
fn nobody_is_lost_for_want_of_an_address() {
    let message = received();
    let back = shown(&request(&message)).typed();
    assert_eq!(back.to, message.to);
    assert_eq!(back.cc, message.cc);
    let mut nobody = TypedMessage {
        from: Some(somebody("System", "")),
        sender: None,
        ..received()
    };
    nobody.to.insert(0, somebody("First", "no address"));
    let got = request(&nobody);
    assert!(got.get("from").is_none());
    let mut shown = shown(&got);
    // The service names the owner of the mailbox where nobody was named.
    shown.fields.from = Some(recipient(&somebody("Owner", "owner@c.example")));
    assert_eq!(shown.typed().from, nobody.from);
    assert_eq!(shown.typed().to, nobody.to);
    for (text, is) in [
        ("a@b", true),
        ("a@b@c.d", true),
        ("@b", false),
        ("a@", false),
        ("a b@c", false),
        ("a@b>", false),
        ("a@b,c@d", false),
        ("", false),
    ] {
        assert_eq!(is_address(text), is, "{text}");
    }
}

#[test]
fn a_message_comes_back_as_it_was() {
    let message = received();
    assert_eq!(shown(&request(&message)).typed(), message);
    assert!(shown(&request(&message)).placed(200).is_ok());
    // A due time alone begins when it is due; what is done keeps when.
    let mut due = received();
    due.flag = Some(FollowUp {
        complete: true,
        start: None,
        due: at("2020-01-04T00:00:00Z"),
        completed: at("2020-01-05T00:00:00Z"),
    });
    let back = shown(&request(&due)).typed().flag.unwrap();
    assert_eq!(back.start, back.due);
    assert_eq!(back.completed, at("2020-01-05T00:00:00Z"));
}

#[test]
fn what_would_act_or_does_not_fit_is_refused_before_anything_is_sent() {
    for class in [
        "IPM.Schedule.Meeting.Request",
        "IPM.TaskRequest",
        "IPM.Contact",
        "",
        "IPM.NoteX",
    ] {
        let mut message = received();
        message.common.class = class.to_owned();
        let got = NewMessage::of(&message, &mark()).err();
        assert_eq!(got, Some(Unfit::Class), "{class}");
    }
    let mut large = received();
    large.common.body.content = "x".repeat(4_000_000);
    assert_eq!(NewMessage::of(&large, &mark()).err(), Some(Unfit::TooLarge));
}

#[test]
fn the_query_reads_what_is_compared() {
    let query = ShownMessage::query();
    let read = ListQuery::parse(&query).unwrap();
    assert_eq!(read.expand, EXPANDED);
    assert_eq!(read.named, [provenance::SOURCE, UNADDRESSED]);
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn requests_validate_against_the_openapi_subset() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/graph/openapi-subset.yaml");
    let Ok(yaml) = std::fs::read_to_string(path) else {
        eprintln!("skipped: ../shared is not here");
        return;
    };
    let file = TypedAttachment {
        name: "a.txt".to_owned(),
        content_type: "text/plain".to_owned(),
        content_id: "x".to_owned(),
        ..TypedAttachment::default()
    };
    let mut plain = received();
    (plain.common.importance, plain.common.body.html) = (0, false);
    plain.flag = Some(FollowUp {
        complete: true,
        completed: at("2020-01-05T00:00:00Z"),
        ..FollowUp::default()
    });
    for message in [
        received(),
        plain,
        TypedMessage {
            flag: None,
            ..received()
        },
    ] {
        let new = NewMessage::of(&message, &mark()).unwrap();
        let body = new.body([(&file, &b"one"[..]), (&file, &b""[..])]);
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["attachments"].as_array().unwrap().len(), 2);
        holds(&yaml, "message-create.self", &value);
    }
    let session = crate::wire::graph::typed_attachment::session_body(
        &file,
        crate::base::quantity::Bytes::new(4_000_000),
    );
    let session: Value = serde_json::from_slice(&session).unwrap();
    holds(&yaml, "attachmentItem", &session["AttachmentItem"]);
    // The reader of the subset finds what is wrong.
    let wrong = std::panic::catch_unwind(|| {
        holds(
            &yaml,
            "message-create.self",
            &json!({"flag": {"colour": 1}}),
        );
    });
    assert!(wrong.is_err());
}

fn people() -> impl Strategy<Value = Vec<Person>> {
    let one = (".{0,8}", "([a-z]{1,4}@[a-z]{1,4}|.{0,6})")
        .prop_map(|(name, address)| somebody(&name, &address));
    proptest::collection::vec(one, 0..5)
}

proptest! {
    #[test]
    fn people_and_texts_survive_whatever_they_hold(
        to in people(), cc in people(), reply_to in people(), from in proptest::option::of(people()),
        subject in ".*", content in ".*", headers in ".*", flags: u32, importance in 0_u8..3,
    ) {
        // What comes back of the flags: a draft is no more handed in, and what is neither read nor handed in was.
        let flags = match (flags & UNSENT, flags & (READ | SUBMITTED)) {
            (0, 0) => SUBMITTED,
            (0, bits) => bits,
            (draft, bits) => draft | bits & READ,
        };
        let mut message = TypedMessage { flags, to, cc, reply_to, headers, ..received() };
        message.from = from.and_then(|all| all.into_iter().next());
        message.common.subject = subject;
        message.common.body.content = content;
        message.common.importance = importance;
        prop_assert_eq!(shown(&request(&message)).typed(), message);
    }

    #[test]
    fn no_answer_brings_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".*") {
        let _ = ShownMessage::read(200, &bytes).map(|shown| shown.typed());
        let kept = Property::named(&UNADDRESSED, text);
        let mut shown = ShownMessage::default();
        shown.fields.single_value_extended_properties.push(kept);
        let _ = shown.typed();
    }
}
