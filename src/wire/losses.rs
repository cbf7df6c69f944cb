//! The one table of what the typed route does not carry as it was: for plan, preflight and report to print; held against the model by a test.
//!
//! The typed route creates items by the fields and properties that the service documents (reference/graph.md section 2). What has no such place is
//! here, in the words of those whose mail it is.

use crate::base::item::ItemClass;

/// The families of items that the route knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Mail.
    Message,
    /// Appointments and meetings.
    Event,
    /// People.
    Contact,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Message, Self::Event, Self::Contact];

    /// As people call it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Message => "mail",
            Self::Event => "calendar",
            Self::Contact => "contacts",
        }
    }

    /// The word of the model and of other programs.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Event => "event",
            Self::Contact => "contact",
        }
    }
}

/// What becomes of something that is not carried as it was, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is not there any more.
    Lost,
    /// It can be read in the text of the item.
    InBody,
    /// It is kept in a property that programs can read and people do not see.
    AsProperty,
    /// The service or the route writes it in another way.
    Rewritten,
}

impl Fate {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::InBody => "kept readable in the text",
            Self::AsProperty => "kept as a property that only programs see",
            Self::Rewritten => "written in another way",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Of which items.
    pub family: Family,
    /// What, in the user's words.
    pub what: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// How, or why.
    pub how: &'static str,
    /// The fields of `base::typed` that it is about; each stands for everything below it. Empty for what the model does not have.
    pub fields: &'static [&'static str],
}

const fn loss(
    family: Family,
    what: &'static str,
    fate: Fate,
    how: &'static str,
    fields: &'static [&'static str],
) -> Loss {
    Loss {
        family,
        what,
        fate,
        how,
        fields,
    }
}

use Family::{Contact, Event, Message};
use Fate::{AsProperty, InBody, Lost, Rewritten};

/// The table.
pub const LOSSES: &[Loss] = &[
    loss(
        Message,
        "when the item was made and last changed in the old mailbox",
        Lost,
        "the service counts both for itself; dates of sending and receiving are kept",
        &["common.created", "common.modified"],
    ),
    loss(
        Message,
        "the hidden number by which the old mailbox knew the item",
        AsProperty,
        "the new one gives its own; ours is the mark by which the item is recognised",
        &["common.search_key"],
    ),
    loss(
        Message,
        "attached messages, appointments and contacts",
        Rewritten,
        "each is a file (.eml, .ics, .vcf) that opens with a double click",
        &["common.attachments.embedded"],
    ),
    loss(
        Message,
        "attachments without a name",
        Rewritten,
        "they are called \"unnamed\"",
        &[],
    ),
    loss(
        Message,
        "senders and recipients without an Internet address",
        AsProperty,
        "the message header still shows them; the list of recipients cannot",
        &[],
    ),
    loss(
        Message,
        "a due date without a begin",
        Rewritten,
        "the flag begins on the day it is due",
        &[],
    ),
    loss(
        Message,
        "a missing date of sending or receiving",
        Rewritten,
        "each stands for the other, so that no message gets the day of the move",
        &[],
    ),
    loss(
        Message,
        "signed and encrypted mail",
        Rewritten,
        "the signed original is attached as signed-message.eml, byte for byte",
        &[],
    ),
    loss(
        Message,
        "texts written in Rich Text",
        Rewritten,
        "they become HTML, as the old server makes it",
        &[],
    ),
    loss(
        Message,
        "the arrows for answered and forwarded",
        Lost,
        "the service documents no way to set them",
        &[],
    ),
    loss(
        Message,
        "voting buttons, answers to votes, and reminders of flagged mail",
        Lost,
        "the route does not read them",
        &[],
    ),
    loss(
        Message,
        "requests for read and delivery receipts",
        Lost,
        "on purpose: nobody is to get a receipt because of a move",
        &[],
    ),
    loss(
        Message,
        "retention labels and fields of add-ins and forms",
        Lost,
        "only what is named by the standard is read",
        &[],
    ),
    loss(
        Event,
        "the invitation itself: who was invited, who invited, and what they answered",
        InBody,
        "the service would mail everybody again; all of it stands at the head of the text and in a property, and the entry is an appointment of its own",
        &["attendees", "organizer", "meeting"],
    ),
    loss(
        Event,
        "the number by which later updates of a meeting find it",
        AsProperty,
        "the service gives its own; an update from the organiser makes a second entry",
        &["uid"],
    ),
    loss(
        Event,
        "that a meeting was cancelled",
        InBody,
        "only the organiser's own cancelling sets the sign",
        &["cancelled"],
    ),
    loss(
        Event,
        "when the item was made and last changed in the old mailbox",
        Lost,
        "the service counts both for itself",
        &["common.created", "common.modified"],
    ),
    loss(
        Event,
        "the hidden number by which the old mailbox knew the item",
        AsProperty,
        "the new one gives its own; ours is the mark by which the item is recognised",
        &["common.search_key"],
    ),
    loss(
        Event,
        "names of time zones",
        Rewritten,
        "each becomes the service's name of the same zone; the old name is kept in a property",
        &["start.zone", "end.zone"],
    ),
    loss(
        Event,
        "time zones that somebody made, of single appointments",
        Rewritten,
        "the appointment is at the same moment, written in universal time",
        &[],
    ),
    loss(
        Event,
        "series in a time zone that somebody made",
        Lost,
        "the service does not know when they take place; such a series is named in the report, and is not copied",
        &[],
    ),
    loss(
        Event,
        "whole days that do not begin at midnight",
        Rewritten,
        "they become the days that they touch",
        &[],
    ),
    loss(
        Event,
        "online meetings as such",
        Lost,
        "the link in the text stays; the service makes no meeting of its own for it",
        &[],
    ),
    loss(
        Event,
        "attached messages, appointments and contacts",
        Rewritten,
        "each is a file (.eml, .ics, .vcf) that opens with a double click",
        &["common.attachments.embedded"],
    ),
    loss(
        Event,
        "retention labels and fields of add-ins and forms",
        Lost,
        "only what is named by the standard is read",
        &[],
    ),
    loss(
        Contact,
        "when the item was made and last changed in the old mailbox",
        Lost,
        "the service counts both for itself",
        &["common.created", "common.modified"],
    ),
    loss(
        Contact,
        "the hidden number by which the old mailbox knew the item",
        AsProperty,
        "the new one gives its own; ours is the mark by which the item is recognised",
        &["common.search_key"],
    ),
    loss(
        Contact,
        "files attached to a contact",
        Lost,
        "the service takes none; the picture is carried",
        &["common.attachments"],
    ),
    loss(
        Contact,
        "telephone numbers of a kind that the standard does not name, a second one of a kind, and addresses beyond the third",
        AsProperty,
        "the service has no place for them",
        &[],
    ),
    loss(
        Contact,
        "mail addresses that are not Internet addresses",
        AsProperty,
        "the service takes none",
        &[],
    ),
    loss(
        Contact,
        "formatting of the notes",
        Rewritten,
        "notes are plain text",
        &["common.body.html"],
    ),
    loss(
        Contact,
        "retention labels and fields of add-ins and forms",
        Lost,
        "only what is named by the standard is read",
        &[],
    ),
];

/// The fields of the model that arrive as they were; each stands for everything below it.
pub const CARRIED: &[(Family, &[&str])] = &[
    (
        Message,
        &[
            "common.class",
            "common.subject",
            "common.body",
            "common.importance",
            "common.sensitivity",
            "common.categories",
            "common.attachments.name",
            "common.attachments.content_type",
            "common.attachments.content_id",
            "common.attachments.inline",
            "message_id",
            "flags",
            "submitted",
            "delivered",
            "from",
            "sender",
            "to",
            "cc",
            "bcc",
            "reply_to",
            "headers",
            "in_reply_to",
            "references",
            "conversation_index",
            "flag",
        ],
    ),
    (
        Event,
        &[
            "common.class",
            "common.subject",
            "common.body",
            "common.importance",
            "common.sensitivity",
            "common.categories",
            "common.attachments.name",
            "common.attachments.content_type",
            "common.attachments.content_id",
            "common.attachments.inline",
            "start.local",
            "end.local",
            "all_day",
            "location",
            "show_as",
            "reminder",
            "recurrence",
            "exceptions",
        ],
    ),
    (
        Contact,
        &[
            "common.class",
            "common.subject",
            "common.body.content",
            "common.importance",
            "common.sensitivity",
            "common.categories",
            "file_as",
            "given_name",
            "middle_name",
            "surname",
            "title",
            "generation",
            "initials",
            "nickname",
            "company",
            "department",
            "job_title",
            "profession",
            "office",
            "manager",
            "assistant",
            "spouse",
            "children",
            "home_page",
            "emails",
            "im",
            "phones",
            "addresses",
            "birthday",
            "anniversary",
            "photo",
        ],
    ),
];

/// What becomes of items of a class.
#[derive(Clone, Copy, Debug)]
pub struct ClassFate {
    /// The class; with everything below it, unless a longer one says otherwise.
    pub class: &'static str,
    /// The family it is carried as; `None` when the typed route does not carry it.
    pub family: Option<Family>,
    /// As people call such items.
    pub what: &'static str,
    /// What the user can do about those that are not carried.
    pub advice: &'static str,
}

const fn carried(class: &'static str, family: Family, what: &'static str) -> ClassFate {
    ClassFate {
        class,
        family: Some(family),
        what,
        advice: "",
    }
}

const fn left(class: &'static str, what: &'static str, advice: &'static str) -> ClassFate {
    ClassFate {
        class,
        family: None,
        what,
        advice,
    }
}

/// Every class we know. The service has no way for an application to create what is left (reference/graph.md 2.5).
pub const CLASSES: &[ClassFate] = &[
    carried("IPM.Note", Message, "messages"),
    carried("REPORT", Message, "delivery and read reports"),
    carried("IPM.Appointment", Event, "appointments and meetings"),
    carried("IPM.Contact", Contact, "contacts"),
    left(
        "IPM.DistList",
        "personal distribution lists",
        "open the list in Outlook, copy its members into a new one in the new mailbox",
    ),
    left(
        "IPM.Task",
        "tasks",
        "in Outlook, export the folder of tasks to a file, and import it into the new mailbox",
    ),
    left(
        "IPM.TaskRequest",
        "requests to take over a task",
        "accept or decline them before the move",
    ),
    left(
        "IPM.StickyNote",
        "notes",
        "in Outlook, export the folder of notes to a file, and import it into the new mailbox",
    ),
    left(
        "IPM.Activity",
        "journal entries",
        "in Outlook, export the journal to a file, and import it into the new mailbox",
    ),
    left(
        "IPM.Post",
        "posts",
        "forward to yourself those that are needed",
    ),
    left(
        "IPM.Schedule",
        "meeting requests and answers to them",
        "accept or decline them before the move: the appointment itself is carried",
    ),
    left(
        "IPM.Sharing",
        "invitations to shared folders",
        "accept them before the move, or ask for a new one after it",
    ),
    left(
        "IPM.Document",
        "files that lie in a mail folder",
        "send them to yourself as an attachment",
    ),
];

/// What is said of a class that is not in the table.
pub const UNKNOWN_CLASS: ClassFate = left(
    "",
    "items of a kind this program does not know",
    "find out by the class which program made them, and ask its maker",
);

/// What becomes of items of this class.
pub fn class_fate(class: &str) -> &'static ClassFate {
    let class = ItemClass::new(class);
    let known = CLASSES.iter().filter(|fate| class.is_a(fate.class));
    known
        .max_by_key(|fate| fate.class.len())
        .unwrap_or(&UNKNOWN_CLASS)
}

/// The family that items of this class are carried as.
pub fn family_of(class: &str) -> Option<Family> {
    class_fate(class).family
}

/// The lines of a family, the worst first.
pub fn of(family: Family) -> Vec<&'static Loss> {
    let mut out: Vec<&Loss> = LOSSES.iter().filter(|loss| loss.family == family).collect();
    out.sort_by_key(|loss| loss.fate);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::base::quantity::Moment;
    use crate::base::typed::{
        Attendee, FollowUp, Occurrence, Pattern, Person, PostalAddress, Recurrence,
        TypedAttachment, TypedCommon, TypedContact, TypedEvent, TypedItem, TypedMessage, Until,
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
}
