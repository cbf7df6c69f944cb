//! What becomes of items by their class.

use super::words::Family::{self, Contact, Event, Message};
use crate::base::item::ItemClass;

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
