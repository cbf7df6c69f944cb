//! Tests of events: what is sent, that it invites nobody, and that it comes back as it was.

use proptest::prelude::*;
use serde_json::{Value, json};

use mailferry::base::id::TargetMailboxId;
use mailferry::base::item::{SearchKey, Stamp};
use mailferry::base::limits::ATTENDEES_KEPT;
use mailferry::base::quantity::{Bytes, Moment};
use mailferry::base::typed::{
    Answer, Attendee, AttendeePart, Occurrence, Pattern, Person, Recurrence, ShowAs,
    TypedAttachment, TypedBody, TypedCommon, TypedEvent, TypedItem, Until, WallTime,
};
use mailferry::verify::typed::{Canon, TypedJudged, compare, judge};
use mailferry::wire::graph::property;
use mailferry::wire::graph::provenance::{self, Mark};
use mailferry::wire::graph::query::ListQuery;
use mailferry::wire::graph::time_zone;
use mailferry::wire::graph::typed_attachment::{ShownAttachment, Way};
use mailferry::wire::graph::typed_event::{
    Act, EventFields, InstancePage, KEPT_EVENT, NewEvent, ShownEvent, ShownSeries, Step, Unfit,
    exceptions, files_of_instance, instances_query, pick,
};

const BERLIN: &str = "W. Europe Standard Time";

fn wall(local: &str, zone: &str) -> WallTime {
    WallTime {
        local: local.to_owned(),
        zone: zone.to_owned(),
    }
}

fn at(text: &str) -> Moment {
    property::moment(text).expect("it is there")
}

fn somebody(name: &str, address: &str) -> Person {
    Person {
        name: name.to_owned(),
        address: address.to_owned(),
    }
}

fn meeting() -> TypedEvent {
    TypedEvent {
        common: TypedCommon {
            class: "IPM.Appointment".to_owned(),
            search_key: "00ff".to_owned(),
            subject: "Plan".to_owned(),
            body: TypedBody {
                html: true,
                content: "<html><body class=\"x\"><p>Let us <b>talk</b></p></body></html>"
                    .to_owned(),
            },
            importance: 1,
            sensitivity: 2,
            categories: vec!["Red".to_owned()],
            ..TypedCommon::default()
        },
        start: wall("2026-11-27T09:00:00", BERLIN),
        end: wall("2026-11-27T10:30:00", BERLIN),
        location: "Room 1".to_owned(),
        show_as: ShowAs::Busy,
        reminder: Some(15),
        meeting: true,
        organizer: Some(somebody("Olga <O>", "olga@b.example")),
        attendees: vec![
            Attendee {
                person: somebody("Ann & Co", "ann@c.example"),
                part: AttendeePart::Optional,
                answer: Answer::Accepted,
                answered: Some(at("2026-11-01T10:00:00Z")),
            },
            Attendee {
                person: somebody("", "bob@c.example"),
                ..Attendee::default()
            },
        ],
        uid: "040000008200E000".to_owned(),
        ..TypedEvent::default()
    }
}

fn daily() -> TypedEvent {
    TypedEvent {
        recurrence: Some(Recurrence {
            pattern: Pattern::Weeks {
                interval: 2,
                days: vec![1, 5],
                first_day: 1,
            },
            first: "2026-11-27".to_owned(),
            until: Until::Date("2027-03-01".to_owned()),
        }),
        ..meeting()
    }
}

fn mark() -> Mark {
    let stamp = Stamp::Key(SearchKey::new([0, 0xff]).expect("it is there"));
    Mark::new(stamp, &TargetMailboxId::new("m1"))
}

fn files(event: &TypedEvent) -> Vec<(Bytes, [u8; 32])> {
    let item = TypedItem::Event(Box::new(event.clone()));
    vec![(Bytes::new(10), [7; 32]); item.attachments().len()]
}

fn new(event: &TypedEvent) -> NewEvent {
    NewEvent::of(event, &mark(), &files(event)).expect("it fits")
}

fn why(event: &TypedEvent) -> Option<Unfit> {
    NewEvent::of(event, &mark(), &files(event)).err()
}

fn request(event: &TypedEvent) -> Value {
    serde_json::from_slice(new(event).body()).expect("it is there")
}

/// The answer as the service gives it: times in UTC but midnights of whole days as they are, the zones beside them, ids without leading zeros.
fn shown_json(request: &Value) -> Value {
    let mut answer = request.clone();
    answer["id"] = json!("AAMk=");
    answer["changeKey"] = json!("CQ==");
    answer["attendees"] = json!([]);
    answer["organizer"] = json!({"emailAddress": {"name": "Owner", "address": "owner@c.example"}});
    answer["isCancelled"] = json!(false);
    for (name, original) in [
        ("start", "originalStartTimeZone"),
        ("end", "originalEndTimeZone"),
    ] {
        let own = &request[name];
        let (local, zone) = (
            own["dateTime"].as_str().expect("it is there"),
            own["timeZone"].as_str().expect("it is there"),
        );
        answer[original] = json!(zone);
        let told = if request["isAllDay"] == true {
            local.to_owned()
        } else {
            let at = time_zone::moment(&wall(local, zone)).expect("it is there");
            at.to_string().trim_end_matches('Z').to_owned()
        };
        answer[name] = json!({"dateTime": format!("{told}.0000000"), "timeZone": "UTC"});
    }
    let properties = answer["singleValueExtendedProperties"]
        .as_array_mut()
        .expect("it is there");
    for own in properties {
        own["id"] = json!(
            own["id"]
                .as_str()
                .expect("it is there")
                .replace("0x00", "0x")
        );
    }
    answer
}

fn shown(request: &Value) -> ShownEvent {
    ShownEvent::read(200, shown_json(request).to_string().as_bytes()).expect("it is there")
}

fn apply(value: &mut Value, patch: &[u8]) {
    let patch: Value = serde_json::from_slice(patch).expect("it is there");
    for (name, own) in patch.as_object().expect("it is there") {
        if name == "singleValueExtendedProperties" {
            for property in own.as_array().expect("it is there") {
                let all = value[name].as_array_mut().expect("it is there");
                all.retain(|old| old["id"] != property["id"]);
                all.push(property.clone());
            }
        } else {
            value[name] = own.clone();
        }
    }
}

/// The event after all its calls, as it is read back.
fn through(event: &TypedEvent) -> TypedEvent {
    let new = new(event);
    let mut master: Value = serde_json::from_slice(new.body()).expect("it is there");
    let (mut changed, mut series) = (Vec::new(), ShownSeries::default());
    let mut files = Vec::new();
    let item = TypedItem::Event(Box::new(event.clone()));
    for step in new.steps() {
        match step {
            Step::Attach { at, .. } => files.push(item.attachments()[*at].clone()),
            Step::Instance {
                original,
                act: Act::Remove,
            } => {
                let day = time_zone::wall(*original, &event.start.zone)
                    .expect("it is there")
                    .local;
                let id = format!("OID.AAMk=.{}", &day[..10]);
                series.cancelled_occurrences.push(id);
            }
            Step::Instance {
                original,
                act: Act::Change { body, files },
            } => {
                let mut own = shown_json(&serde_json::from_slice(body).expect("it is there"));
                own["type"] = json!("exception");
                own["originalStart"] = json!(original.to_string());
                own["id"] = json!(files.len().to_string());
                changed.push((
                    serde_json::from_value::<ShownEvent>(own).expect("it is there"),
                    files.clone(),
                ));
            }
            Step::Finish(body) => apply(&mut master, body),
        }
    }
    let master = shown(&master);
    let properties = &master.fields.single_value_extended_properties;
    assert_eq!(provenance::of(properties), Some(mark()));
    assert_eq!(provenance::unfinished_of(properties), None);
    let mut back = master.typed();
    back.common.attachments = files;
    let readings: Vec<ShownEvent> = changed.iter().map(|(own, _)| own.clone()).collect();
    back.exceptions = exceptions(&back, &series, &readings);
    let mut theirs = changed.iter();
    for own in back
        .exceptions
        .iter_mut()
        .filter_map(|own| own.instead.as_mut())
    {
        let (_, files) = theirs.next().expect("it is there");
        let named = files.iter().map(|file| item.attachments()[file.at].clone());
        own.common.attachments = named.collect();
    }
    back
}

fn canon(event: &TypedEvent) -> Canon {
    Canon::of(&TypedItem::Event(Box::new(event.clone())), &files(event))
}

fn same(event: &TypedEvent) {
    let got = compare(&canon(event), &canon(&through(event)));
    assert!(got.is_empty(), "{got:?}");
}

#[test]
fn a_meeting_becomes_an_appointment_that_tells_of_it() {
    let got = request(&meeting());
    assert_eq!(
        got["start"],
        json!({"dateTime": "2026-11-27T09:00:00", "timeZone": BERLIN})
    );
    for (name, want) in [
        ("subject", json!("Plan")),
        ("showAs", json!("busy")),
        ("sensitivity", json!("private")),
        ("importance", json!("normal")),
        ("isReminderOn", json!(true)),
        ("reminderMinutesBeforeStart", json!(15)),
        ("isAllDay", json!(false)),
        ("location", json!({"displayName": "Room 1"})),
        ("categories", json!(["Red"])),
    ] {
        assert_eq!(got[name], want, "{name}");
    }
    assert_eq!(
        got["body"]["content"],
        "<html><body class=\"x\"><div id=\"mailferry-head\">Copied from the former mailbox. Nobody was invited again.<br>\
         Organiser: Olga &lt;O&gt; &lt;olga@b.example&gt;<br>Required: bob@c.example - no answer<br>\
         Optional: Ann &amp; Co &lt;ann@c.example&gt; - accepted, 2026-11-01T10:00:00Z<br>--------<br></div>\r\n\
         <p>Let us <b>talk</b></p></body></html>"
    );
    // The service refuses the second event of one transaction, and a true copy bears the same mark.
    assert!(got.get("transactionId").is_none());
    assert!(new(&meeting()).in_one_call());
    same(&meeting());
    assert!(through(&meeting()) == meeting());
    // A plain appointment has no head.
    let plain = TypedEvent {
        meeting: false,
        attendees: Vec::new(),
        ..meeting()
    };
    assert_eq!(
        request(&plain)["body"]["content"],
        plain.common.body.content
    );
    assert!(through(&plain) == plain);
}

#[test]
fn the_head_is_taken_off_whatever_the_service_made_of_the_markup() {
    let mut event = meeting();
    event.cancelled = true;
    let take = |content: String, html: bool| {
        let mut own = shown(&request(&event));
        let body = own.fields.body.as_mut().expect("it is there");
        body.content = Some(content);
        body.content_type = Some(if html { "html" } else { "text" }.to_owned());
        let mut back = event.clone();
        back.common.body = own.typed().common.body;
        back
    };
    let content = request(&event)["body"]["content"]
        .as_str()
        .expect("it is there")
        .to_owned();
    let rewritten = content
        .replace("<br>", "<br/>\r\n")
        .replace("id=\"mailferry-head\"", "id=\"x_head\"")
        .replace(
            "<body",
            "<head><meta charset=utf-8><style>p {}</style></head><body",
        )
        .replace("was invited", "was&nbsp;invited");
    assert!(compare(&canon(&event), &canon(&take(rewritten, true))).is_empty());
    // As text.
    let mut plain = event.clone();
    plain.common.body = TypedBody {
        html: false,
        content: "Let us talk".to_owned(),
    };
    let text = request(&plain)["body"]["content"]
        .as_str()
        .expect("it is there")
        .to_owned();
    assert!(text.starts_with("Copied") && text.ends_with("--------\r\nLet us talk"));
    let got = compare(&canon(&event), &canon(&take(text, false)));
    assert_eq!(got.len(), 1, "{got:?}");
    // Somebody wrote into it: it stays, and that is explained; the rest is still compared.
    let touched = content.replace("bob@", "robert@");
    let TypedJudged::ByRoute(got) = judge(&canon(&event), &canon(&take(touched, true))) else {
        panic!("explained");
    };
    assert!(got.iter().all(|own| own.field.starts_with("common.body")));
    let gone = take("<p>Something else</p>".to_owned(), true);
    assert!(matches!(
        judge(&canon(&event), &canon(&gone)),
        TypedJudged::Differs(_)
    ));
}

#[test]
fn a_series_is_made_in_steps_and_is_whole_after_the_last() {
    let file = |name: &str| TypedAttachment {
        name: name.to_owned(),
        content_id: name.to_owned(),
        ..TypedAttachment::default()
    };
    let mut series = daily();
    series.common.attachments = vec![file("a"), file("b")];
    let mut changed = meeting();
    changed.start = wall("2026-12-11T11:00:00", BERLIN);
    changed.end = wall("2026-12-11T12:00:00", BERLIN);
    changed.common.attachments = vec![file("a"), file("c")];
    changed.common.search_key = "0102".to_owned();
    changed.common.class = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}".to_owned();
    series.exceptions = vec![
        Occurrence {
            original: at("2026-12-11T08:00:00Z"),
            instead: Some(Box::new(changed)),
        },
        Occurrence {
            original: at("2026-12-14T08:00:00Z"),
            instead: None,
        },
    ];
    let made = new(&series);
    let got: Value = serde_json::from_slice(made.body()).expect("it is there");
    assert_eq!(got["isReminderOn"], false);
    let begun = shown(&got).fields.single_value_extended_properties;
    assert_eq!(provenance::of(&begun), None);
    assert_eq!(provenance::unfinished_of(&begun), Some(mark()));
    assert_eq!(
        got["recurrence"],
        json!({
            "pattern": {"type": "weekly", "interval": 2, "daysOfWeek": ["monday", "friday"], "firstDayOfWeek": "monday"},
            "range": {"type": "endDate", "startDate": "2026-11-27", "endDate": "2027-03-01", "recurrenceTimeZone": BERLIN},
        })
    );
    let steps = made.steps();
    assert!(matches!(
        steps[0],
        Step::Attach {
            at: 0,
            way: Way::Post
        }
    ));
    assert!(matches!(steps[1], Step::Attach { at: 1, .. }));
    assert!(matches!(
        steps[2],
        Step::Instance {
            act: Act::Remove,
            ..
        }
    ));
    let Step::Instance {
        act: Act::Change { files, .. },
        ..
    } = &steps[3]
    else {
        panic!("a change");
    };
    let told: Vec<_> = files.iter().map(|own| (own.at, own.as_master)).collect();
    assert_eq!(told, [(2, true), (3, false)]);
    assert!(matches!(&steps[4], Step::Finish(_)) && steps.len() == 5);
    same(&series);
    // What the instance took from its series and does not have goes; what it has of its own comes.
    let all = TypedItem::Event(Box::new(series.clone()));
    let wanted: Vec<_> = files
        .iter()
        .map(|own| (*own, all.attachments()[own.at]))
        .collect();
    let there = |id: &str, name: &str| ShownAttachment {
        id: Some(id.to_owned()),
        name: Some(name.to_owned()),
        content_id: Some(name.to_owned()),
        ..ShownAttachment::default()
    };
    let differ = files_of_instance(&wanted, &[there("1", "a"), there("2", "b")]);
    assert_eq!(differ.remove, ["2"]);
    assert_eq!(differ.add, [1]);
    let none = files_of_instance(&wanted, &[]);
    assert_eq!((none.add.len(), none.remove.len()), (2, 0));
}

/// Off and kept, with those of the exceptions; then one request for each turns it on, which touches nothing else and nobody.
#[test]
fn a_reminder_that_waits_is_off_and_kept_until_it_is_turned_on() {
    let own = meeting();
    let held = own.clone().holding_reminders();
    let sent = request(&held);
    assert_eq!(sent["isReminderOn"], false);
    assert!(!sent.to_string().contains("attendees"));
    let back = through(&held);
    assert_eq!((back.reminder, back.reminder_held), (Some(15), true));
    match judge(&canon(&own), &canon(&back)) {
        TypedJudged::ByRoute(named) => {
            let named: Vec<&str> = named.iter().map(|own| own.field.as_str()).collect();
            assert!(
                named.contains(&"reminder_held") && !named.contains(&"reminder"),
                "{named:?}"
            );
        }
        _ => panic!("a difference that is named"),
    }
    let mut there = shown_json(&sent);
    assert!(shown(&there).waits().is_some());
    let patch = shown(&there).reminded().expect("it waits");
    let told: Value = serde_json::from_slice(&patch).expect("ours");
    let names: Vec<&String> = told.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        [
            "isReminderOn",
            "reminderMinutesBeforeStart",
            "singleValueExtendedProperties"
        ]
    );
    apply(&mut there, &patch);
    let on = shown(&there);
    assert_eq!(
        (on.typed().reminder, on.typed().reminder_held),
        (Some(15), false)
    );
    assert!(on.reminded().is_none() && on.waits().is_none());
    // Its user turned it on before: with his minutes it stays.
    let mut theirs = shown_json(&sent);
    theirs["isReminderOn"] = json!(true);
    theirs["reminderMinutesBeforeStart"] = json!(5);
    let patch = shown(&theirs).reminded().expect("the sign waits");
    apply(&mut theirs, &patch);
    let kept = shown(&theirs);
    assert_eq!(
        (kept.typed().reminder, kept.waits().is_none()),
        (Some(5), true)
    );
    // What does not remind does not wait.
    let silent = TypedEvent {
        reminder: None,
        ..own
    };
    let silent = silent.holding_reminders();
    assert!(!silent.reminder_held && shown(&shown_json(&request(&silent))).reminded().is_none());
}

/// A series waits for its exceptions even where it does not remind itself.
#[test]
fn a_series_waits_for_its_exceptions() {
    let mut own = daily();
    own.reminder = None;
    let original = time_zone::moment(&own.start).expect("it is there");
    let instead = TypedEvent {
        recurrence: None,
        reminder: Some(30),
        ..meeting()
    };
    own.exceptions = vec![Occurrence {
        original,
        instead: Some(Box::new(instead)),
    }];
    let held = own.clone().holding_reminders();
    let back = through(&held);
    let instance = back.exceptions[0].instead.as_ref().expect("changed");
    assert!(back.reminder_held && back.reminder.is_none());
    assert_eq!(
        (instance.reminder, instance.reminder_held),
        (Some(30), true)
    );
    assert!(matches!(
        judge(&canon(&own), &canon(&back)),
        TypedJudged::ByRoute(_)
    ));
    for step in new(&held).steps() {
        if let Step::Instance {
            act: Act::Change { body, .. },
            ..
        } = step
        {
            let body: Value = serde_json::from_slice(body).expect("ours");
            assert_eq!(body["isReminderOn"], false);
        }
        if let Step::Finish(body) = step {
            let body: Value = serde_json::from_slice(body).expect("ours");
            assert_eq!(body["isReminderOn"], false);
        }
    }
}

#[test]
fn an_instance_is_found_by_when_it_would_have_begun() {
    let own = |start: &str, all_day: bool| ShownEvent {
        original_start: Some(start.to_owned()),
        original_start_time_zone: Some(BERLIN.to_owned()),
        id: Some(start.to_owned()),
        fields: EventFields {
            is_all_day: Some(all_day),
            ..EventFields::default()
        },
        ..ShownEvent::default()
    };
    let all = [
        own("2026-12-10T08:00:00Z", false),
        own("2026-12-11T08:00:00Z", false),
        own("2026-12-12T00:00:00Z", true),
    ];
    let found = |text: &str| pick(at(text), &all).and_then(|own| own.id.clone());
    assert_eq!(
        found("2026-12-11T08:00:00.400Z").as_deref(),
        Some("2026-12-11T08:00:00Z")
    );
    assert_eq!(found("2026-12-11T08:01:00Z"), None);
    // Midnight of the day in its zone.
    assert_eq!(
        found("2026-12-11T23:00:00Z").as_deref(),
        Some("2026-12-12T00:00:00Z")
    );
    let query =
        ListQuery::parse(&instances_query(at("2026-12-11T08:00:00Z"))).expect("it is there");
    assert_eq!(
        query.window,
        Some((at("2026-12-10T08:00:00Z"), at("2026-12-12T08:00:00Z")))
    );
    assert!(
        ListQuery::parse(&ShownSeries::query())
            .expect("it is there")
            .exceptions
    );
    let query = ListQuery::parse(&ShownEvent::query()).expect("it is there");
    assert_eq!(query.named.len(), 3 + KEPT_EVENT.len());
    let page: InstancePage =
        serde_json::from_value(json!({"value": [{"id": "x", "type": "occurrence"}]}))
            .expect("it is there");
    assert_eq!(page.value.len(), 1);
}

#[test]
fn whole_days_are_midnights_of_their_own_zone() {
    let mut event = meeting();
    event.all_day = true;
    event.start = wall("2026-11-27T00:00:00", BERLIN);
    event.end = wall("2026-11-29T00:00:00", BERLIN);
    let got = request(&event);
    assert_eq!(
        got["end"],
        json!({"dateTime": "2026-11-29T00:00:00", "timeZone": BERLIN})
    );
    same(&event);
    // What is no midnight becomes one, outwards.
    event.start.local = "2026-11-27T08:00:00".to_owned();
    event.end.local = "2026-11-27T09:00:00".to_owned();
    let got = request(&event);
    assert_eq!(got["start"]["dateTime"], "2026-11-27T00:00:00");
    assert_eq!(got["end"]["dateTime"], "2026-11-28T00:00:00");
    // Midnights of a zone that nobody knows are the nearest ones.
    event.start = wall("2026-11-26T22:00:00Z", "tzone://Microsoft/Custom");
    event.end = wall("2026-11-27T22:00:00Z", "tzone://Microsoft/Custom");
    let got = request(&event);
    assert_eq!(
        got["start"],
        json!({"dateTime": "2026-11-27T00:00:00", "timeZone": "UTC"})
    );
    assert_eq!(got["end"]["dateTime"], "2026-11-28T00:00:00");
}

#[test]
fn a_zone_that_nobody_knows_is_for_moments_only() {
    let mut event = meeting();
    for name in [
        "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
        "Europe/Berlin",
    ] {
        (event.start.zone, event.end.zone) = (name.to_owned(), name.to_owned());
        assert_eq!(request(&event)["start"]["timeZone"], BERLIN);
        same(&event);
    }
    event.start = wall("2026-11-27T08:00:00Z", "tzone://Microsoft/Custom");
    event.end = wall("2026-11-27T09:00:00Z", "tzone://Microsoft/Custom");
    assert_eq!(
        request(&event)["start"],
        json!({"dateTime": "2026-11-27T08:00:00", "timeZone": "UTC"})
    );
    same(&event);
    event.recurrence = daily().recurrence;
    assert_eq!(why(&event), Some(Unfit::Zone));
    event.recurrence = None;
    event.start.local = "2026-11-27T08:00:00".to_owned();
    assert_eq!(why(&event), Some(Unfit::Zone));
    event.start.local = "at noon".to_owned();
    assert_eq!(why(&event), Some(Unfit::Time));
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_sent() {
    let mut event = meeting();
    event.common.class = "IPM.Contact".to_owned();
    assert_eq!(why(&event), Some(Unfit::Class));
    let mut event = meeting();
    event.common.body.content = "x".repeat(4_000_000);
    assert_eq!(why(&event), Some(Unfit::TooLarge));
    let mut event = meeting();
    event.common.attachments.push(TypedAttachment::default());
    let large = [(Bytes::new(200 << 20), [0; 32])];
    assert_eq!(
        NewEvent::of(&event, &mark(), &large).err(),
        Some(Unfit::TooLarge)
    );
    for pattern in [
        Pattern::Days { interval: 0 },
        Pattern::MonthDay {
            interval: 1,
            day: 32,
        },
        Pattern::YearWeekday {
            month: 0,
            days: vec![1],
            index: 1,
        },
        Pattern::MonthWeekday {
            interval: 1,
            days: vec![7],
            index: 1,
        },
        Pattern::MonthWeekday {
            interval: 1,
            days: vec![1],
            index: 0,
        },
        Pattern::Weeks {
            interval: 1,
            days: Vec::new(),
            first_day: 0,
        },
    ] {
        let mut event = daily();
        event.recurrence.as_mut().expect("it is there").pattern = pattern;
        assert_eq!(why(&event), Some(Unfit::Pattern));
    }
    let amended = NewEvent::amendment(&daily(), &mark()).expect("it fits");
    assert!(amended.is_none());
    let amended = NewEvent::amendment(&meeting(), &mark()).expect("it fits");
    assert!(amended.is_some());
}

#[test]
fn of_very_many_invited_as_many_are_kept_as_fit() {
    let mut event = meeting();
    let one = |n: usize| Attendee {
        person: somebody(
            &format!("Person number {n:04}, department {}", "x".repeat(60)),
            &format!("p{n}@c.example"),
        ),
        ..Attendee::default()
    };
    event.attendees = (0..ATTENDEES_KEPT).map(one).collect();
    same(&event);
    event.attendees = (0..3_000).map(one).collect();
    let TypedJudged::ByRoute(got) = judge(&canon(&event), &canon(&through(&event))) else {
        panic!("explained");
    };
    assert!(got.iter().any(|own| own.field == "attendees"));
    assert!(
        request(&event)["body"]["content"]
            .as_str()
            .expect("it is there")
            .contains("p2999@c.example")
    );
}

fn people() -> impl Strategy<Value = Person> {
    (".{0,8}", "([a-z]{1,4}@[a-z]{1,4}|.{0,6})")
        .prop_map(|(name, address)| somebody(&name, &address))
}

fn attendees() -> impl Strategy<Value = Vec<Attendee>> {
    let part = prop_oneof![
        Just(AttendeePart::Required),
        Just(AttendeePart::Optional),
        Just(AttendeePart::Resource)
    ];
    let answer = prop_oneof![
        Just(Answer::Unknown),
        Just(Answer::Accepted),
        Just(Answer::Declined),
        Just(Answer::None)
    ];
    let one = (
        people(),
        part,
        answer,
        proptest::option::of(0_i64..2_000_000_000),
    )
        .prop_map(|(person, part, answer, secs)| Attendee {
            person,
            part,
            answer,
            answered: secs.map(|secs| Moment::from_unix_ms(secs * 1_000)),
        });
    proptest::collection::vec(one, 0..5)
}

fn patterns() -> impl Strategy<Value = Pattern> {
    let days = || proptest::sample::subsequence(vec![0_u8, 1, 2, 3, 4, 5, 6], 1..7);
    prop_oneof![
        (1_u32..99).prop_map(|interval| Pattern::Days { interval }),
        (1_u32..99, days(), 0_u8..7).prop_map(|(interval, days, first_day)| Pattern::Weeks {
            interval,
            days,
            first_day
        }),
        (1_u32..99, 1_u8..32).prop_map(|(interval, day)| Pattern::MonthDay { interval, day }),
        (1_u32..99, days(), 1_u8..6).prop_map(|(interval, days, index)| Pattern::MonthWeekday {
            interval,
            days,
            index
        }),
        (1_u8..13, 1_u8..32).prop_map(|(month, day)| Pattern::YearDay { month, day }),
        (1_u8..13, days(), 1_u8..6).prop_map(|(month, days, index)| Pattern::YearWeekday {
            month,
            days,
            index
        }),
    ]
}

fn untils() -> impl Strategy<Value = Until> {
    prop_oneof![
        Just(Until::Forever),
        (1_u32..999).prop_map(Until::Count),
        (2027_u16..2040, 1_u8..13, 1_u8..29)
            .prop_map(|(y, m, d)| Until::Date(format!("{y}-{m:02}-{d:02}"))),
    ]
}

prop_compose! {
    fn single()(
        subject in ".{0,20}", content in ".{0,40}", html: bool, meeting: bool, cancelled: bool, importance in 0_u8..3, sensitivity in 0_u8..4,
        organizer in proptest::option::of(people()), attendees in attendees(), uid in "[0-9A-F]{0,20}", location in ".{0,20}",
        reminder in proptest::option::of(0_u32..100_000), hour in 4_u8..20, zone in prop_oneof![
            Just(BERLIN), Just("UTC"), Just("tzone://Microsoft/Utc"), Just("Eastern Standard Time"), Just("(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi"),
        ], class in prop_oneof![Just("IPM.Appointment"), Just("IPM.Appointment.Form")],
    ) -> TypedEvent {
        TypedEvent {
            common: TypedCommon {
                class: class.to_owned(), search_key: "00ff".to_owned(), subject, body: TypedBody { html, content }, importance, sensitivity,
                categories: vec!["A".to_owned(), "B".to_owned()], ..TypedCommon::default()
            },
            start: wall(&format!("2026-11-27T{hour:02}:00:00"), zone),
            end: wall(&format!("2026-11-27T{hour:02}:30:00"), zone),
            all_day: false, location, show_as: ShowAs::Away, reminder, reminder_held: false, meeting, cancelled, organizer, attendees, uid, recurrence: None, exceptions: Vec::new(),
        }
    }
}

fn events() -> impl Strategy<Value = TypedEvent> {
    let exceptions =
        proptest::collection::btree_map(1_i64..30, proptest::option::of(single()), 0..4);
    let series = (patterns(), untils(), exceptions);
    (single(), proptest::option::of(series)).prop_map(|(mut event, series)| {
        if let Some((pattern, until, exceptions)) = series {
            let first = time_zone::moment(&event.start).expect("it is there");
            event.recurrence = Some(Recurrence {
                pattern,
                first: "2026-11-27".to_owned(),
                until,
            });
            event.exceptions = exceptions
                .into_iter()
                .map(|(day, instead)| Occurrence {
                    original: Moment::from_unix_ms(first.unix_ms() + day * 86_400_000),
                    instead: instead.map(Box::new),
                })
                .collect();
        }
        event
    })
}

/// Names that make the service write to somebody, or that it must not be told.
const NEVER: [&str; 6] = [
    "attendees",
    "organizer",
    "responseRequested",
    "hideAttendees",
    "isOnlineMeeting",
    "iCalUId",
];

fn invites_nobody(value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, own) in fields {
                assert!(
                    !NEVER.contains(&name.as_str()) && !name.contains("ttendee"),
                    "{name}"
                );
                invites_nobody(own);
            }
        }
        Value::Array(all) => all.iter().for_each(invites_nobody),
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_request_invites_anybody(event in events()) {
        let new = new(&event);
        let mut bodies = vec![new.body()];
        for step in new.steps() {
            if let Step::Finish(body) | Step::Instance { act: Act::Change { body, .. }, .. } = step {
                bodies.push(body);
            }
        }
        for body in bodies {
            invites_nobody(&serde_json::from_slice(body).expect("it is there"));
        }
    }

    #[test]
    fn an_event_comes_back_as_it_was(event in events()) {
        let got = compare(&canon(&event), &canon(&through(&event)));
        prop_assert!(got.is_empty(), "{:?}", got);
    }

    #[test]
    fn no_answer_brings_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".*", local in ".*") {
        let _ = ShownEvent::read(200, &bytes).map(|shown| shown.typed());
        let mut own = shown(&request(&meeting()));
        own.original_start = Some(local.clone());
        own.original_start_time_zone = Some(text.clone());
        own.fields.start.as_mut().expect("it is there").date_time = local.clone();
        own.fields.end.as_mut().expect("it is there").time_zone = Some(text.clone());
        own.fields.body.as_mut().expect("it is there").content = Some(text.clone());
        let _ = (own.original(), own.typed());
        let named = ShownSeries { cancelled_occurrences: vec![text], ..ShownSeries::default() };
        let _ = exceptions(&own.typed(), &named, &[own.clone()]);
        let mut event = meeting();
        event.start.local = local;
        let _ = why(&event);
    }
}
