//! The table against the model, and as it is told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Family::{Contact, Event, Message};
use super::Fate::Lost;
use super::*;
use crate::base::item::ItemClass;
use crate::base::quantity::{Count, Moment};
use crate::base::typed::{
    Attendee, FollowUp, Occurrence, Pattern, Person, PostalAddress, Recurrence, TypedAttachment,
    TypedCommon, TypedContact, TypedEvent, TypedItem, TypedMessage, Until,
};

/// An item of the family in which every list has something.
fn full(family: Family) -> TypedItem {
    let common = TypedCommon {
        categories: vec![String::new()],
        attachments: vec![TypedAttachment::default()],
        ..TypedCommon::default()
    };
    let person = Person::default;
    match family {
        Message => TypedItem::Message(Box::new(TypedMessage {
            common,
            from: Some(person()),
            sender: Some(person()),
            to: vec![person()],
            cc: vec![person()],
            bcc: vec![person()],
            reply_to: vec![person()],
            flag: Some(FollowUp::default()),
            ..TypedMessage::default()
        })),
        Event => TypedItem::Event(Box::new(TypedEvent {
            common,
            organizer: Some(person()),
            attendees: vec![Attendee::default()],
            reminder_held: true,
            recurrence: Some(Recurrence {
                pattern: Pattern::Days { interval: 1 },
                first: String::new(),
                until: Until::Forever,
            }),
            exceptions: vec![Occurrence {
                original: Moment::default(),
                instead: None,
            }],
            ..TypedEvent::default()
        })),
        Contact => TypedItem::Contact(Box::new(TypedContact {
            common,
            children: vec![String::new()],
            emails: vec![person()],
            im: vec![String::new()],
            phones: vec![(String::new(), String::new())],
            addresses: vec![(String::new(), PostalAddress::default())],
            ..TypedContact::default()
        })),
    }
}

fn leaves(value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(value, &format!("{path}{dot}{name}"), out);
            }
        }
        Value::Array(all) if !all.is_empty() => {
            for one in all {
                leaves(one, path, out);
            }
        }
        _ => {
            out.insert(path.to_owned());
        }
    }
}

fn covers(entry: &str, leaf: &str) -> bool {
    let rest = leaf.strip_prefix(entry);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[test]
fn every_field_of_the_model_is_carried_or_named() {
    for family in Family::ALL {
        let value = serde_json::to_value(full(family)).unwrap();
        let mut all = BTreeSet::new();
        leaves(&value, "", &mut all);
        assert!(all.remove("family") && all.len() > 15, "{family:?}");
        let carried = CARRIED.iter().filter(|(own, _)| *own == family);
        let mut entries: Vec<&str> = carried
            .flat_map(|(_, fields)| fields.iter().copied())
            .collect();
        entries.extend(
            of(family)
                .iter()
                .flat_map(|loss| loss.fields.iter().copied()),
        );
        for leaf in &all {
            assert!(
                entries.iter().any(|entry| covers(entry, leaf)),
                "{family:?}: {leaf} is neither carried nor named"
            );
        }
        for entry in &entries {
            assert!(
                all.iter().any(|leaf| covers(entry, leaf)),
                "{family:?} has no {entry}"
            );
            let same = entries.iter().filter(|other| covers(entry, other)).count();
            assert!(same == 1, "{family:?}: {entry} is named twice");
        }
    }
}

#[test]
fn the_longest_class_decides() {
    assert_eq!(family_of("IPM.Note.SMIME.MultipartSigned"), Some(Message));
    assert_eq!(family_of("ipm.contact"), Some(Contact));
    assert_eq!(family_of("REPORT.IPM.Note.NDR"), Some(Message));
    for class in [
        "IPM.Schedule.Meeting.Request",
        "IPM.NoteX",
        "",
        "IPM",
        "IPM.Task.X",
    ] {
        assert_eq!(family_of(class), None, "{class}");
        assert!(!class_fate(class).advice.is_empty(), "{class}");
    }
    assert_eq!(class_fate("IPM.Task.X").what, "tasks");
}

#[test]
fn the_table_speaks_to_people() {
    for loss in LOSSES {
        for text in [loss.what, loss.how] {
            assert!(
                !text.is_empty() && !text.ends_with('.') && !text.contains("Pid"),
                "{text}"
            );
        }
    }
    for family in Family::ALL {
        let fates: Vec<Fate> = of(family).iter().map(|loss| loss.fate).collect();
        assert!(fates.is_sorted() && fates.contains(&Lost), "{family:?}");
    }
}

#[test]
fn a_family_in_one_line_names_all_that_is_lost_and_counts_the_rest() {
    for family in Family::ALL {
        let (line, all) = (brief(family), of(family));
        let lost = all.iter().filter(|loss| loss.fate == Lost);
        assert!(lost.clone().all(|loss| line.contains(loss.what)), "{line}");
        let others = all.len() - lost.count();
        assert!(line.contains(&format!("; {others} more things")), "{line}");
        assert!(
            line.starts_with(family.words()) && !line.contains('\n'),
            "{line}"
        );
    }
}

#[test]
fn a_mailbox_is_told_of_what_it_has() {
    let count = |class: &str, n| (ItemClass::new(class), Count::new(n));
    let classes: BTreeMap<ItemClass, Count> = [
        count("IPM.Note", 10),
        count("IPM.Note.SMIME", 5),
        count("IPM.Contact", 0),
        count("IPM.Task", 2),
        count("IPM.Task.Form", 1),
        count("IPM.Mystery", 7),
    ]
    .into();
    let got = told(&classes);
    let left: Vec<_> = got.iter().filter(|line| line.family.is_none()).collect();
    assert_eq!(left.len(), 2);
    assert_eq!(left[0].what, UNKNOWN_CLASS.what);
    assert_eq!(left[0].classes, [ItemClass::new("IPM.Mystery")]);
    assert_eq!((left[1].what, left[1].items), ("tasks", Count::new(3)));
    assert!(left[1].text().starts_with("3 tasks are not copied: "));
    let mail: Vec<_> = got[2..]
        .iter()
        .map(|line| (line.family, line.items))
        .collect();
    assert_eq!(mail.len(), of(Message).len());
    assert!(
        mail.iter()
            .all(|own| *own == (Some(Message), Count::new(15)))
    );
    assert!(got[2..].iter().map(|line| line.fate).is_sorted());
    for line in &got {
        assert!(!line.text().contains("  ") && !line.text().ends_with("; "));
    }
    assert_eq!(told(&BTreeMap::new()), []);
}
