//! Tests of the comparison of typed items: what is seen, and what the table explains.

use super::*;
use crate::base::quantity::Moment;
use crate::base::typed::{
    Attendee, FollowUp, Occurrence, Pattern, Person, PostalAddress, Recurrence, TypedBody,
    TypedCommon, TypedContact, TypedEvent, TypedMessage, Until,
};

fn at(secs: i64) -> Moment {
    Moment::from_unix_ms(secs * 1_000)
}

fn somebody(name: &str, address: &str) -> Person {
    Person {
        name: name.to_owned(),
        address: address.to_owned(),
    }
}

fn common() -> TypedCommon {
    TypedCommon {
        class: "IPM.Note".to_owned(),
        search_key: "00ff".to_owned(),
        subject: "Hi".to_owned(),
        body: TypedBody {
            html: false,
            content: "One & two".to_owned(),
        },
        categories: vec!["Red".to_owned()],
        created: Some(at(10)),
        modified: Some(at(20)),
        attachments: vec![TypedAttachment {
            name: "a.txt".to_owned(),
            content_type: "text/plain".to_owned(),
            content_id: "cid".to_owned(),
            ..TypedAttachment::default()
        }],
        ..TypedCommon::default()
    }
}

fn message() -> TypedMessage {
    TypedMessage {
        common: common(),
        message_id: "<a@b>".to_owned(),
        flags: 1,
        submitted: Some(at(100)),
        delivered: Some(at(101)),
        from: Some(somebody("Anna", "anna@b.example")),
        sender: Some(somebody("Help", "help@b.example")),
        to: vec![somebody("Me", "me@c.example"), somebody("List", "")],
        cc: vec![somebody("C", "c@c.example")],
        bcc: vec![somebody("B", "b@c.example")],
        reply_to: vec![somebody("R", "r@c.example")],
        headers: "A: b\r\nC: d\r\n".to_owned(),
        in_reply_to: "<x@y>".to_owned(),
        references: "<x@y>".to_owned(),
        conversation_index: "AQ==".to_owned(),
        flag: Some(FollowUp {
            complete: false,
            start: Some(at(200)),
            due: Some(at(201)),
            completed: Some(at(202)),
        }),
    }
}

fn event() -> TypedEvent {
    let one = TypedEvent {
        common: common(),
        reminder: Some(15),
        organizer: Some(somebody("O", "o@c.example")),
        attendees: vec![Attendee {
            person: somebody("P", "p@c.example"),
            answered: Some(at(7)),
            ..Attendee::default()
        }],
        uid: "u".to_owned(),
        location: "Room".to_owned(),
        recurrence: Some(Recurrence {
            pattern: Pattern::Days { interval: 1 },
            first: "2026-11-27".to_owned(),
            until: Until::Count(3),
        }),
        ..TypedEvent::default()
    };
    let changed = TypedEvent {
        location: "Elsewhere".to_owned(),
        recurrence: None,
        ..one.clone()
    };
    TypedEvent {
        exceptions: vec![Occurrence {
            original: Moment::from_unix_ms(5_000),
            instead: Some(Box::new(changed)),
        }],
        ..one
    }
}

fn contact() -> TypedContact {
    let mut own = common();
    own.attachments.push(TypedAttachment::default());
    TypedContact {
        common: own,
        given_name: "Anna".to_owned(),
        children: vec!["X".to_owned()],
        emails: vec![somebody("A", "a@b.example")],
        im: vec!["im".to_owned()],
        phones: vec![("MobilePhone".to_owned(), "1".to_owned())],
        addresses: vec![("Home".to_owned(), PostalAddress::default())],
        photo: Some(1),
        ..TypedContact::default()
    }
}

fn all() -> [TypedItem; 3] {
    [
        TypedItem::Message(Box::new(message())),
        TypedItem::Event(Box::new(event())),
        TypedItem::Contact(Box::new(contact())),
    ]
}

fn canon(item: &TypedItem) -> Canon {
    let hashes = item.attachments().len();
    let bytes: Vec<_> = (0..hashes)
        .map(|at| (Bytes::new(at as u64), [u8::try_from(at).unwrap(); 32]))
        .collect();
    Canon::of(item, &bytes)
}

/// The difference of two messages, where there is exactly one.
fn only(source: &TypedMessage, target: &TypedMessage) -> TypedDifference {
    let canon = |own: &TypedMessage| canon(&TypedItem::Message(Box::new(own.clone())));
    let mut got = compare(&canon(source), &canon(target));
    assert_eq!(got.len(), 1, "{got:?}");
    got.remove(0)
}

/// Every value of the item, altered one at a time.
fn altered(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
    let mut inside = |own: &Value, path: String, put: &dyn Fn(&mut Value, Value)| {
        let mut below = Vec::new();
        altered(own, &path, &mut below);
        for (path, new) in below {
            let mut whole = value.clone();
            put(&mut whole, new);
            out.push((path, whole));
        }
    };
    match value {
        Value::Object(fields) => {
            for (name, own) in fields {
                inside(own, format!("{path}.{name}"), &|whole, new| {
                    whole[name] = new;
                });
            }
        }
        Value::Array(all) => {
            for (at, own) in all.iter().enumerate() {
                inside(own, format!("{path}.{at}"), &|whole, new| whole[at] = new);
            }
        }
        Value::Bool(own) => out.push((path.to_owned(), Value::Bool(!own))),
        Value::Number(n) => {
            // More than a second, and another bit of the flags.
            let step = if path.ends_with("flags") { 8 } else { 1_000 };
            let step = if ["importance", "sensitivity", "interval"]
                .iter()
                .any(|own| path.ends_with(own))
            {
                1
            } else {
                step
            };
            out.push((path.to_owned(), Value::from(n.as_i64().unwrap() + step)));
        }
        Value::String(own) => out.push((path.to_owned(), Value::String(format!("{own}x")))),
        Value::Null => {}
    }
}

#[test]
fn whatever_the_model_holds_is_compared() {
    for item in all() {
        let (own, value) = (canon(&item), serde_json::to_value(&item).unwrap());
        assert_eq!(judge(&own, &canon(&item)), TypedJudged::Same);
        let mut variants = Vec::new();
        altered(&value, "", &mut variants);
        let (mut seen, mut unread) = (0, Vec::new());
        for (path, variant) in variants {
            let Ok(other) = serde_json::from_value::<TypedItem>(variant) else {
                // Words of which there are only some.
                unread.push(path);
                continue;
            };
            let other = canon(&other);
            let got = compare(&own, &other);
            let last = path.rsplit('.').next().unwrap();
            // A picture is told by its bytes alone; only it is a second attachment here.
            let apart = ["created", "modified", "embedded"].contains(&last)
                || path.contains("attachments.1.");
            assert_eq!(got.is_empty(), apart, "{path}: {got:?}");
            assert_eq!(own.digest() == other.digest(), apart, "{path}");
            seen += 1;
        }
        assert!(seen > 30 && unread.len() < 12, "{seen} {unread:?}");
    }
}

#[test]
fn bytes_of_attachments_are_compared_wherever_they_hang() {
    for item in all() {
        let n = item.attachments().len();
        let bytes: Vec<_> = (0..n)
            .map(|at| (Bytes::new(at as u64), [u8::try_from(at).unwrap(); 32]))
            .collect();
        let own = Canon::of(&item, &bytes);
        for at in 0..n {
            let mut other = bytes.clone();
            other[at].1[0] ^= 1;
            assert_eq!(compare(&own, &Canon::of(&item, &other)).len(), 1);
            other[at] = (Bytes::new(99), bytes[at].1);
            assert_eq!(compare(&own, &Canon::of(&item, &other)).len(), 1);
        }
        // One that never came is seen.
        assert!(!compare(&own, &Canon::of(&item, &bytes[..n - 1])).is_empty());
    }
}

#[test]
fn what_the_service_is_known_to_rewrite_is_named() {
    let source = message();
    let mut html = source.clone();
    html.common.body = TypedBody {
        html: true,
        content: "<html><body>One &amp;\r\n <b>two</b></body></html>".to_owned(),
    };
    let got = only(&source, &html);
    assert_eq!(
        (got.field.as_str(), got.effect),
        ("common.body.html", Some(HTML))
    );
    let mut named = source.clone();
    named.to[0].name = "Me Myself".to_owned();
    assert_eq!(only(&source, &named).effect, Some(NAMES));
    let mut dated = source.clone();
    dated.delivered = None;
    let target = TypedMessage {
        delivered: dated.submitted,
        ..dated.clone()
    };
    assert_eq!(only(&dated, &target).effect, Some(DATES));
    // Neither date: the day it was made.
    (dated.submitted, dated.delivered) = (None, None);
    let mut made = TypedMessage {
        submitted: Some(at(10)),
        delivered: Some(at(10)),
        ..dated.clone()
    };
    let sides = |a: &TypedMessage, b: &TypedMessage| {
        let canon = |own: &TypedMessage| canon(&TypedItem::Message(Box::new(own.clone())));
        judge(&canon(a), &canon(b))
    };
    assert!(matches!(sides(&dated, &made), TypedJudged::ByRoute(two) if two.len() == 2));
    made.delivered = Some(at(1_000_000));
    assert!(matches!(sides(&dated, &made), TypedJudged::Differs(_)));
    let mut due = source.clone();
    due.flag.as_mut().unwrap().start = None;
    let mut begun = due.clone();
    begun.flag.as_mut().unwrap().start = Some(at(201));
    assert!(only(&due, &begun).effect.is_some());
    begun.flag.as_mut().unwrap().start = Some(at(202));
    assert_eq!(only(&due, &begun).effect, None);
    let anonymous = TypedMessage {
        message_id: String::new(),
        ..source.clone()
    };
    assert!(only(&anonymous, &source).effect.is_some());
}

#[test]
fn everything_else_is_a_finding() {
    let source = message();
    let finding = |change: &dyn Fn(&mut TypedMessage)| {
        let mut target = source.clone();
        change(&mut target);
        let got = only(&source, &target);
        assert_eq!(got.effect, None, "{got:?}");
        got.field
    };
    assert_eq!(finding(&|m| m.flags = 0), "flags.read");
    assert_eq!(finding(&|m| m.flags = 9), "flags.draft");
    assert_eq!(finding(&|m| m.delivered = Some(at(102))), "delivered");
    assert_eq!(finding(&|m| m.headers = "A: b\r\n".to_owned()), "headers");
    assert_eq!(
        finding(&|m| m.message_id = "<new@service>".to_owned()),
        "message_id"
    );
    assert_eq!(finding(&|m| m.common.subject.clear()), "common.subject");
    assert_eq!(
        finding(&|m| m.common.body.content.push('!')),
        "common.body.content"
    );
    assert_eq!(
        finding(&|m| m.common.attachments[0].inline = true),
        "attachments.places"
    );
    // Bits that each store sets for itself say nothing, nor do parts of a second, nor the order of people.
    let mut same = source.clone();
    same.flags = 1 | 4 | 0x10;
    same.delivered = Some(Moment::from_unix_ms(101_999));
    same.to.reverse();
    same.headers = "A: b\nC: d".to_owned();
    let canon = |own: &TypedMessage| canon(&TypedItem::Message(Box::new(own.clone())));
    assert_eq!(judge(&canon(&source), &canon(&same)), TypedJudged::Same);
}

#[test]
fn an_event_without_its_invitation_is_explained_and_a_moved_one_is_not() {
    let source = event();
    let mut target = source.clone();
    target.common.body.content = "Invited: P\n\nOne & two".to_owned();
    target.common.body.html = true;
    target.common.body.content = "Invited: P<br>One &amp; two".to_owned();
    let canon = |own: &TypedEvent| canon(&TypedItem::Event(Box::new(own.clone())));
    let TypedJudged::ByRoute(differences) = judge(&canon(&source), &canon(&target)) else {
        panic!("by the route");
    };
    assert_eq!(differences.len(), 2);
    target.exceptions[0]
        .instead
        .as_mut()
        .unwrap()
        .location
        .clear();
    let got = compare(&canon(&source), &canon(&target));
    let findings: Vec<_> = got.iter().filter(|own| own.effect.is_none()).collect();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].field, "exceptions.0.instead.location");
    // The occurrence is known by its own names in the table.
    let theirs = target.exceptions[0].instead.as_mut().unwrap();
    theirs.common.body.content = "Invited: P\n\nOne & two".to_owned();
    let got = compare(&canon(&source), &canon(&target));
    let text = "exceptions.0.instead.common.body.content";
    assert!(
        got.iter()
            .any(|own| own.field == text && own.effect.is_some())
    );
    // What is kept in a property has to come back.
    for change in [
        (|own: &mut TypedEvent| own.attendees.clear()) as fn(&mut TypedEvent),
        |own| own.organizer = None,
        |own| own.meeting = true,
        |own| own.cancelled = true,
        |own| own.uid.clear(),
        |own| own.start.zone = "UTC".to_owned(),
    ] {
        let mut target = source.clone();
        change(&mut target);
        let got = judge(&canon(&source), &canon(&target));
        assert!(matches!(got, TypedJudged::Differs(_)));
    }
}

#[test]
fn of_very_many_invited_some_may_be_missing_and_none_may_be_another() {
    let with = |n: usize, from: usize| {
        let one = |n: usize| Attendee {
            person: somebody("P", &format!("p{n}@c.example")),
            ..Attendee::default()
        };
        let mut own = event();
        own.attendees = (from..from + n).map(one).collect();
        canon(&TypedItem::Event(Box::new(own)))
    };
    let explained =
        |source: &Canon, target: &Canon| matches!(judge(source, target), TypedJudged::ByRoute(_));
    let many = ATTENDEES_KEPT + 2;
    assert!(explained(&with(many, 0), &with(many - 1, 0)));
    assert!(explained(&with(many, 0), &with(many - 2, 1)));
    assert!(!explained(&with(many, 0), &with(many - 3, 0)));
    assert!(!explained(&with(many, 0), &with(many - 1, 2)));
    assert!(!explained(&with(many, 0), &with(many + 1, 0)));
    assert!(!explained(&with(many - 2, 0), &with(many - 3, 0)));
}

#[test]
fn another_family_is_another_item() {
    let [message, event, _] = all();
    let got = compare(&canon(&message), &canon(&event));
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].effect, None);
}

#[test]
fn every_row_of_the_table_is_about_a_field_there_is() {
    let mut items = Vec::from(all());
    items.push(TypedItem::Event(Box::new(event().holding_reminders())));
    let known: Vec<Canon> = items.iter().map(canon).collect();
    let there = |family: &str, field: &str| {
        let mut own = known.iter().filter(|own| own.family == family);
        own.any(|own| own.fields.contains_key(field))
    };
    for row in REWRITES {
        assert!(there(row.family, row.field), "{} {}", row.family, row.field);
        if let Rule::IfSame(other) | Rule::StandsFor(other) = row.rule {
            assert!(there(row.family, other), "{} {other}", row.family);
        }
        assert!(!row.words.is_empty());
    }
}
