//! What belongs to one user in the Mail, Calendar and Contacts APIs, as paths below `users/{user}`, and back. Source: reference/graph.md section 2,
//! and the OpenAPI subset in data/graph.

use crate::base::losses::Family;
use crate::wire::graph::escape;

/// One resource of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfUser {
    /// `mailFolders`: the folders directly under the root of the user's tree.
    MailFolders,
    /// `mailFolders/{folder}`.
    MailFolder {
        /// Folder id or well-known name.
        folder: String,
    },
    /// `mailFolders/{folder}/childFolders`: the folders directly under one.
    ChildMailFolders {
        /// Folder id or well-known name.
        folder: String,
    },
    /// `mailFolders/{folder}/messages`: where messages are listed, and made.
    Messages {
        /// Folder id or well-known name.
        folder: String,
    },
    /// `messages/{message}`.
    Message {
        /// Message.
        message: String,
    },
    /// `messages/{message}/move`.
    Move {
        /// Message.
        message: String,
    },
    /// `attachments` of an item.
    Attachments {
        /// Of which item.
        of: Holder,
    },
    /// `attachments/{attachment}` of an item.
    Attachment {
        /// Of which item.
        of: Holder,
        /// Attachment.
        attachment: String,
    },
    /// `attachments/{attachment}/$value`: the bytes of an attachment.
    AttachmentValue {
        /// Of which item.
        of: Holder,
        /// Attachment.
        attachment: String,
    },
    /// `attachments/createUploadSession` of an item.
    UploadSession {
        /// Of which item.
        of: Holder,
    },
    /// `calendars`: all of them, in one row.
    Calendars,
    /// `calendars/{calendar}`.
    Calendar {
        /// Calendar id.
        calendar: String,
    },
    /// `calendars/{calendar}/events`.
    Events {
        /// Calendar id.
        calendar: String,
    },
    /// `events/{event}`.
    Event {
        /// Event.
        event: String,
    },
    /// `events/{event}/instances`: the occurrences of a series.
    Instances {
        /// The master of the series.
        event: String,
    },
    /// `contactFolders`: the folders under the user's own one for contacts.
    ContactFolders,
    /// `contacts`: those of the user's own folder for contacts.
    OwnContacts,
    /// `contactFolders/{folder}`.
    ContactFolder {
        /// Folder id.
        folder: String,
    },
    /// `contactFolders/{folder}/childFolders`.
    ChildContactFolders {
        /// Folder id.
        folder: String,
    },
    /// `contactFolders/{folder}/contacts`.
    Contacts {
        /// Folder id.
        folder: String,
    },
    /// `contacts/{contact}`.
    Contact {
        /// Contact.
        contact: String,
    },
    /// `contacts/{contact}/photo/$value`: the picture.
    Photo {
        /// Contact.
        contact: String,
    },
    /// `{kind}/{item}/permanentDelete`, in the worldwide cloud alone.
    PermanentDelete {
        /// Which kind of item.
        family: Family,
        /// Item.
        item: String,
    },
}

/// The word in front of an item's id.
const fn word_of(family: Family) -> &'static str {
    match family {
        Family::Message => "messages",
        Family::Event => "events",
        Family::Contact => "contacts",
    }
}

/// An item that holds attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A message.
    Message(String),
    /// An event.
    Event(String),
}

impl Holder {
    /// The id of the item.
    pub fn id(&self) -> &str {
        match self {
            Self::Message(id) | Self::Event(id) => id,
        }
    }

    fn path(&self) -> String {
        let (word, id) = match self {
            Self::Message(id) => ("messages", id),
            Self::Event(id) => ("events", id),
        };
        format!("{word}/{}", escape::segment(id))
    }

    fn parse(word: &str, id: &str) -> Option<Self> {
        match word {
            "messages" => Some(Self::Message(id.to_owned())),
            "events" => Some(Self::Event(id.to_owned())),
            _ => None,
        }
    }
}

impl OfUser {
    /// The path behind `users/{user}/`.
    pub fn path(&self) -> String {
        let one = |word: &str, id: &str| format!("{word}/{}", escape::segment(id));
        match self {
            Self::MailFolders => "mailFolders".to_owned(),
            Self::MailFolder { folder } => one("mailFolders", folder),
            Self::ChildMailFolders { folder } => one("mailFolders", folder) + "/childFolders",
            Self::Messages { folder } => one("mailFolders", folder) + "/messages",
            Self::Message { message } => one("messages", message),
            Self::Move { message } => one("messages", message) + "/move",
            Self::Attachments { of } => of.path() + "/attachments",
            Self::Attachment { of, attachment } => {
                of.path() + "/" + &one("attachments", attachment)
            }
            Self::AttachmentValue { of, attachment } => {
                of.path() + "/" + &one("attachments", attachment) + "/$value"
            }
            Self::UploadSession { of } => of.path() + "/attachments/createUploadSession",
            Self::Calendars => "calendars".to_owned(),
            Self::Calendar { calendar } => one("calendars", calendar),
            Self::Events { calendar } => one("calendars", calendar) + "/events",
            Self::Event { event } => one("events", event),
            Self::Instances { event } => one("events", event) + "/instances",
            Self::ContactFolders => "contactFolders".to_owned(),
            Self::OwnContacts => "contacts".to_owned(),
            Self::ContactFolder { folder } => one("contactFolders", folder),
            Self::ChildContactFolders { folder } => one("contactFolders", folder) + "/childFolders",
            Self::Contacts { folder } => one("contactFolders", folder) + "/contacts",
            Self::Contact { contact } => one("contacts", contact),
            Self::Photo { contact } => one("contacts", contact) + "/photo/$value",
            Self::PermanentDelete { family, item } => {
                one(word_of(*family), item) + "/permanentDelete"
            }
        }
    }

    /// Reads the words behind `users/{user}`, escapes undone. `None` for any other resource.
    pub fn parse(words: &[&str]) -> Option<Self> {
        let own = |id: &str| id.to_owned();
        Some(match *words {
            ["mailFolders"] => Self::MailFolders,
            ["mailFolders", folder] => Self::MailFolder {
                folder: own(folder),
            },
            ["mailFolders", folder, "childFolders"] => Self::ChildMailFolders {
                folder: own(folder),
            },
            ["mailFolders", folder, "messages"] => Self::Messages {
                folder: own(folder),
            },
            ["messages", message] => Self::Message {
                message: own(message),
            },
            ["messages", message, "move"] => Self::Move {
                message: own(message),
            },
            ["events", event] => Self::Event { event: own(event) },
            ["events", event, "instances"] => Self::Instances { event: own(event) },
            ["calendars"] => Self::Calendars,
            ["calendars", calendar] => Self::Calendar {
                calendar: own(calendar),
            },
            ["calendars", calendar, "events"] => Self::Events {
                calendar: own(calendar),
            },
            ["contactFolders"] => Self::ContactFolders,
            ["contacts"] => Self::OwnContacts,
            ["contactFolders", folder] => Self::ContactFolder {
                folder: own(folder),
            },
            ["contactFolders", folder, "childFolders"] => Self::ChildContactFolders {
                folder: own(folder),
            },
            ["contactFolders", folder, "contacts"] => Self::Contacts {
                folder: own(folder),
            },
            ["contacts", contact] => Self::Contact {
                contact: own(contact),
            },
            ["contacts", contact, "photo", "$value"] => Self::Photo {
                contact: own(contact),
            },
            [word, item, "permanentDelete"] => Self::PermanentDelete {
                family: Family::ALL.into_iter().find(|own| word_of(*own) == word)?,
                item: own(item),
            },
            [word, id, "attachments"] => Self::Attachments {
                of: Holder::parse(word, id)?,
            },
            [word, id, "attachments", "createUploadSession"] => Self::UploadSession {
                of: Holder::parse(word, id)?,
            },
            [word, id, "attachments", attachment] => Self::Attachment {
                of: Holder::parse(word, id)?,
                attachment: own(attachment),
            },
            [word, id, "attachments", attachment, "$value"] => Self::AttachmentValue {
                of: Holder::parse(word, id)?,
                attachment: own(attachment),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::graph::path::Resource;

    fn each(a: &str, b: &str) -> Vec<OfUser> {
        let (a, b) = (|| a.to_owned(), || b.to_owned());
        let mut all = vec![
            OfUser::MailFolders,
            OfUser::MailFolder { folder: a() },
            OfUser::ChildMailFolders { folder: a() },
            OfUser::Calendars,
            OfUser::Calendar { calendar: a() },
            OfUser::ContactFolders,
            OfUser::ContactFolder { folder: a() },
            OfUser::ChildContactFolders { folder: a() },
            OfUser::OwnContacts,
            OfUser::Messages { folder: a() },
            OfUser::Message { message: a() },
            OfUser::Move { message: a() },
            OfUser::Events { calendar: a() },
            OfUser::Event { event: a() },
            OfUser::Instances { event: a() },
            OfUser::Contacts { folder: a() },
            OfUser::Contact { contact: a() },
            OfUser::Photo { contact: a() },
        ];
        all.extend(Family::ALL.map(|family| OfUser::PermanentDelete { family, item: a() }));
        for of in [Holder::Message(a()), Holder::Event(a())] {
            all.extend([
                OfUser::Attachments { of: of.clone() },
                OfUser::UploadSession { of: of.clone() },
                OfUser::Attachment {
                    of: of.clone(),
                    attachment: b(),
                },
                OfUser::AttachmentValue {
                    of,
                    attachment: b(),
                },
            ]);
        }
        all
    }

    /// The paths of the OpenAPI subset that we use are ours letter by letter.
    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn paths_read_as_documented() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../shared/data/graph/openapi-subset.yaml");
        let Ok(yaml) = std::fs::read_to_string(path) else {
            eprintln!("skipped: ../shared is not here");
            return;
        };
        let shape = |path: &str| {
            let words = path.trim().trim_end_matches(':').split('/');
            let plain = words.map(|word| if word.starts_with('{') { "ID" } else { word });
            plain.collect::<Vec<_>>().join("/")
        };
        let known: Vec<String> = yaml
            .lines()
            .filter(|line| line.starts_with("  /users/"))
            .map(shape)
            .collect();
        for part in each("ID", "ID") {
            let ours = format!("/users/ID/{}", part.path());
            let spelt = known.contains(&ours);
            // Attachments of events have their own page each in the documents, without the subset listing all of them.
            let of_event = ours.contains("/events/ID/attachments/ID");
            assert!(spelt || of_event, "{ours}");
        }
    }

    proptest! {
        #[test]
        fn every_resource_survives_its_path(user in ".{1,20}", a in ".{1,20}", b in ".{1,20}") {
            for part in each(&a, &b) {
                // An attachment called as an action is that action.
                if b == "createUploadSession" {
                    continue;
                }
                let resource = Resource::Of { user: user.clone(), part };
                prop_assert_eq!(Resource::parse(&resource.path()), Some(resource));
            }
        }
    }
}
