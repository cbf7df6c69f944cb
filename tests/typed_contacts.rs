//! Tests of contacts: what is sent, and that it comes back as it was.

use proptest::prelude::*;
use serde_json::{Value, json};

use mailferry::base::id::TargetMailboxId;
use mailferry::base::item::{SearchKey, Stamp};
use mailferry::base::quantity::Bytes;
use mailferry::base::typed::{
    Person, PostalAddress, TypedAttachment, TypedBody, TypedCommon, TypedContact, TypedItem,
};
use mailferry::verify::typed::{Canon, TypedJudged, compare, judge};
use mailferry::wire::graph::provenance::{self, Mark};
use mailferry::wire::graph::query::ListQuery;
use mailferry::wire::graph::typed_contact::{ContactFields, NewContact, PHONES, ShownContact};
use mailferry::wire::graph::typed_event::Unfit;

fn somebody(name: &str, address: &str) -> Person {
    Person {
        name: name.to_owned(),
        address: address.to_owned(),
    }
}

fn pair(kind: &str, number: &str) -> (String, String) {
    (kind.to_owned(), number.to_owned())
}

fn anna() -> TypedContact {
    TypedContact {
        common: TypedCommon {
            class: "IPM.Contact".to_owned(),
            search_key: "00ff".to_owned(),
            subject: "Anna B.".to_owned(),
            body: TypedBody {
                html: false,
                content: "Notes\r\nmore".to_owned(),
            },
            importance: 1,
            sensitivity: 2,
            categories: vec!["Red".to_owned()],
            ..TypedCommon::default()
        },
        file_as: "B., Anna".to_owned(),
        given_name: "Anna".to_owned(),
        surname: "B.".to_owned(),
        title: "Dr.".to_owned(),
        children: vec!["X".to_owned()],
        emails: vec![
            somebody("Anna", "anna@b.example"),
            somebody("Old", "/o=Org/cn=anna"),
            somebody("", "a2@b.example"),
        ],
        im: vec!["im:anna".to_owned()],
        phones: vec![
            pair("BusinessPhone2", "2"),
            pair("MobilePhone", "3"),
            pair("Pager", "4"),
            pair("Msn", "5"),
        ],
        addresses: vec![(
            "Home".to_owned(),
            PostalAddress {
                city: "Bern".to_owned(),
                ..PostalAddress::default()
            },
        )],
        birthday: "1970-01-31".to_owned(),
        anniversary: "2001-02-03".to_owned(),
        ..TypedContact::default()
    }
}

fn with_photo() -> TypedContact {
    let mut own = anna();
    own.common.attachments = vec![
        TypedAttachment::default(),
        TypedAttachment {
            name: "ContactPicture.jpg".to_owned(),
            content_type: "image/png".to_owned(),
            ..TypedAttachment::default()
        },
    ];
    own.photo = Some(1);
    own
}

fn mark() -> Mark {
    let stamp = Stamp::Key(SearchKey::new([0, 0xff]).expect("it is there"));
    Mark::new(stamp, &TargetMailboxId::new("m1"))
}

const FILES: [(Bytes, [u8; 32]); 2] = [(Bytes::new(10), [1; 32]), (Bytes::new(20), [2; 32])];

fn new(contact: &TypedContact) -> NewContact {
    NewContact::of(contact, &mark(), &FILES[..contact.common.attachments.len()]).expect("it fits")
}

fn request(contact: &TypedContact) -> Value {
    serde_json::from_slice(new(contact).body()).expect("it is there")
}

/// The answer as the service gives it: every field is there, and it keeps numbers as the properties they are.
fn shown(request: &Value, tags: bool) -> ShownContact {
    let mut answer = request.clone();
    answer["id"] = json!("AAMk=");
    answer["changeKey"] = json!("CQ==");
    for name in ["businessAddress", "homeAddress", "otherAddress"] {
        if answer[name].is_null() {
            answer[name] = json!({});
        }
    }
    let mut numbers = Vec::new();
    for (name, first) in [("businessPhones", 0), ("homePhones", 2)] {
        for (at, number) in request[name]
            .as_array()
            .expect("it is there")
            .iter()
            .enumerate()
        {
            numbers.push((PHONES[first + at].1, number.clone()));
        }
    }
    let properties = answer["singleValueExtendedProperties"]
        .as_array_mut()
        .expect("it is there");
    if tags {
        for (id, number) in numbers {
            properties.push(json!({"id": id.as_replied(), "value": number}));
        }
        let second = PHONES[1].1.to_string();
        let alone = properties.iter().find(|own| own["id"] == second).cloned();
        if let (Some(own), true) = (alone, request["businessPhones"] == json!([])) {
            answer["businessPhones"] = json!([own["value"]]);
        }
    }
    ShownContact::read(200, answer.to_string().as_bytes()).expect("it is there")
}

fn canon(contact: &TypedContact, files: &[(Bytes, [u8; 32])]) -> Canon {
    Canon::of(&TypedItem::Contact(Box::new(contact.clone())), files)
}

#[test]
fn a_contact_has_its_fields_and_the_rest_its_properties() {
    let got = request(&anna());
    assert_eq!(got["displayName"], "Anna B.");
    assert_eq!(
        got["emailAddresses"],
        json!([{"name": "Anna", "address": "anna@b.example"}, {"address": "a2@b.example"}])
    );
    assert_eq!(got["businessPhones"], json!([]));
    assert_eq!(got["mobilePhone"], "3");
    assert_eq!(got["homeAddress"], json!({"city": "Bern"}));
    assert_eq!(got["birthday"], "1970-01-31T11:59:00Z");
    let properties: Vec<_> = got["singleValueExtendedProperties"]
        .as_array()
        .expect("it is there")
        .clone();
    for (id, value) in [
        ("String 0x3A1B", "2"),
        ("String 0x3A21", "4"),
        ("SystemTime 0x3A41", "2001-02-03T11:59:00Z"),
        ("Integer 0x0036", "2"),
    ] {
        assert!(
            properties.contains(&json!({"id": id, "value": value})),
            "{id}"
        );
    }
    for tags in [true, false] {
        let back = shown(&got, tags).typed(false);
        assert_eq!(compare(&canon(&anna(), &[]), &canon(&back, &[])), []);
        assert!(back.emails == anna().emails && back.im == anna().im);
    }
    assert!(new(&anna()).photo().is_none() && new(&anna()).finish().is_none());
    let query = ListQuery::parse(&ShownContact::query()).expect("it is there");
    assert_eq!(query.expand.len(), 4 + PHONES.len());
}

#[test]
fn a_contact_with_a_picture_is_whole_after_the_picture() {
    let new = new(&with_photo());
    assert_eq!(new.photo(), Some((1, "image/png")));
    let got: Value = serde_json::from_slice(new.body()).expect("it is there");
    let begun = shown(&got, true).fields.single_value_extended_properties;
    assert_eq!(provenance::of(&begun), None);
    assert_eq!(provenance::unfinished_of(&begun), Some(mark()));
    let ending: Value =
        serde_json::from_slice(new.finish().expect("it is there")).expect("it is there");
    let ended: ContactFields = serde_json::from_value(ending).expect("it is there");
    let properties = ended.single_value_extended_properties;
    assert_eq!(provenance::of(&properties), Some(mark()));
    assert_eq!(provenance::unfinished_of(&properties), None);
    let mut whole = shown(&got, true);
    whole
        .fields
        .single_value_extended_properties
        .splice(0..1, properties);
    let (source, back) = (
        canon(&with_photo(), &FILES),
        canon(&whole.typed(true), &FILES[1..]),
    );
    // The other file has no place, and that is known.
    assert!(matches!(judge(&source, &back), TypedJudged::ByRoute(all) if all.len() == 3));
    let without = canon(&whole.typed(false), &[]);
    assert!(matches!(judge(&source, &without), TypedJudged::Differs(_)));
}

#[test]
fn what_is_no_contact_or_too_large_is_refused() {
    let mut own = anna();
    own.common.class = "IPM.DistList".to_owned();
    assert_eq!(NewContact::of(&own, &mark(), &[]).err(), Some(Unfit::Class));
    let large = [FILES[0], (Bytes::new(5_000_000), [0; 32])];
    assert_eq!(
        NewContact::of(&with_photo(), &mark(), &large).err(),
        Some(Unfit::TooLarge)
    );
    let mut own = anna();
    own.common.body.content = "x".repeat(4_000_000);
    assert_eq!(
        NewContact::of(&own, &mark(), &[]).err(),
        Some(Unfit::TooLarge)
    );
}

#[test]
fn a_change_empties_what_is_gone() {
    let mut newer = anna();
    (newer.phones, newer.addresses, newer.birthday) = (Vec::new(), Vec::new(), String::new());
    newer.given_name = String::new();
    let got = NewContact::amendment(&newer, &anna(), &mark())
        .expect("it fits")
        .expect("it is there");
    let got: Value = serde_json::from_slice(&got).expect("it is there");
    for name in ["homeAddress", "birthday", "givenName", "mobilePhone"] {
        assert!(got.get(name).is_some_and(Value::is_null), "{name}");
    }
    let properties = got["singleValueExtendedProperties"]
        .as_array()
        .expect("it is there");
    assert!(properties.contains(&json!({"id": "String 0x3A21", "value": ""})));
    assert!(shown(&got, false).typed(false).phones.is_empty());
    newer.anniversary.clear();
    assert!(
        NewContact::amendment(&newer, &anna(), &mark())
            .expect("it fits")
            .is_none()
    );
}

prop_compose! {
    fn contacts()(
        texts in proptest::collection::vec(".{0,10}", 18), html: bool, notes in ".{0,40}", importance in 0_u8..3, sensitivity in 0_u8..4,
        emails in proptest::collection::vec((".{0,5}", "([a-z]{1,4}@[a-z]{1,4}|.{0,6})"), 0..5), im in proptest::collection::vec(".{0,5}", 0..5),
        phones in proptest::collection::vec((0_usize..21, "[0-9+ ]{0,8}"), 0..12), children in proptest::collection::vec("[a-z]{1,5}", 0..3),
        places in proptest::collection::vec((0_usize..4, ".{0,5}", ".{0,5}"), 0..5), birthday in "(19[0-9]{2}-0[1-9]-1[0-9]|.{0,12})",
        anniversary in "(19[0-9]{2}-0[1-9]-1[0-9]|.{0,12})",
    ) -> TypedContact {
        let mut own = anna();
        own.common.body = TypedBody { html, content: notes };
        (own.common.importance, own.common.sensitivity) = (importance, sensitivity);
        let text = |at: usize| texts[at].clone();
        (own.common.subject, own.file_as, own.given_name, own.middle_name) = (text(0), text(1), text(2), text(3));
        (own.surname, own.title, own.generation, own.initials) = (text(4), text(5), text(6), text(7));
        (own.nickname, own.company, own.department, own.job_title) = (text(8), text(9), text(10), text(11));
        (own.profession, own.office, own.manager, own.assistant) = (text(12), text(13), text(14), text(15));
        (own.spouse, own.home_page) = (text(16), text(17));
        own.emails = emails.iter().map(|(name, address)| somebody(name, address)).collect();
        (own.im, own.children, own.birthday, own.anniversary) = (im, children, birthday, anniversary);
        own.phones = phones.into_iter().map(|(at, number)| {
            (PHONES.get(at).map_or("Other kind", |(kind, _)| kind).to_owned(), number)
        }).collect();
        own.addresses = places.into_iter().map(|(at, street, city)| {
            (["Business", "Home", "Other", "None"][at].to_owned(), PostalAddress { street, city, ..PostalAddress::default() })
        }).collect();
        own
    }
}

proptest! {
    #[test]
    fn a_contact_comes_back_as_it_was(contact in contacts(), tags: bool) {
        let back = shown(&request(&contact), tags).typed(false);
        let got = compare(&canon(&contact, &[]), &canon(&back, &[]));
        // Of HTML only that it was HTML is lost.
        prop_assert!(got.iter().all(|own| own.field == "common.body.html" && own.effect.is_some()), "{:?}", got);
        prop_assert_eq!(got.is_empty(), !contact.common.body.html);
    }

    #[test]
    fn no_answer_brings_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".*") {
        let _ = ShownContact::read(200, &bytes).map(|shown| shown.typed(true));
        let mut own = shown(&request(&anna()), true);
        own.fields.birthday = Some(text.clone());
        for property in &mut own.fields.single_value_extended_properties {
            property.value = Some(text.clone());
        }
        let _ = own.typed(false);
    }
}
