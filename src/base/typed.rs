//! An item as its class knows it: sender, dates, attendees, telephone numbers. What the typed route reads on one side, creates on the other, and
//! compares; the stream route needs none of it.
//!
//! Dates are kept to the second, since no service keeps more. Every list is in the order of the source. What a class cannot carry to the other side
//! is said by the table in `base::losses`, not here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::quantity::Moment;

/// Subjects, names, addresses and texts are content: `Debug` shows the kind of thing and nothing of it.
macro_rules! unprinted {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

unprinted!(TypedItem TypedCommon TypedBody TypedAttachment Person TypedMessage TypedEvent Attendee Occurrence TypedContact PostalAddress);

/// One item, by the family of its class.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case")]
pub enum TypedItem {
    /// Mail and everything that lies in a mail folder as a message.
    Message(Box<TypedMessage>),
    /// An appointment or meeting in a calendar, a series with all its exceptions.
    Event(Box<TypedEvent>),
    /// A person.
    Contact(Box<TypedContact>),
}

/// What every item has.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedCommon {
    /// PidTagMessageClass, as the source spells it.
    pub class: String,
    /// PidTagSearchKey in lower-case hexadecimal; empty when the item has none.
    pub search_key: String,
    /// Subject, or the display name of a contact.
    pub subject: String,
    /// The text.
    pub body: TypedBody,
    /// 0 low, 1 normal, 2 high.
    pub importance: u8,
    /// 0 normal, 1 personal, 2 private, 3 confidential.
    pub sensitivity: u8,
    /// Category names.
    pub categories: Vec<String>,
    /// When the item was made, and last changed, at the source.
    pub created: Option<Moment>,
    /// See `created`.
    pub modified: Option<Moment>,
    /// What hangs on it; the bytes follow in the parcel in the same order.
    pub attachments: Vec<TypedAttachment>,
}

/// A text and how it is written.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedBody {
    /// True for HTML, false for plain text.
    pub html: bool,
    /// The text itself.
    pub content: String,
}

/// One attachment, without its bytes.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedAttachment {
    /// File name as shown. An embedded item is a file here: `.eml`, `.ics` or `.vcf`, made by the source server.
    pub name: String,
    /// MIME type; empty when the source says none.
    pub content_type: String,
    /// Content-ID without angle brackets; empty when there is none.
    pub content_id: String,
    /// Whether the text shows it in place.
    pub inline: bool,
    /// True when it was an item of its own at the source.
    pub embedded: bool,
}

/// Somebody with an address.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// Display name; may be empty.
    pub name: String,
    /// SMTP address where the source knows one, else whatever address it has; may be empty.
    pub address: String,
}

/// A message.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedMessage {
    /// What every item has.
    pub common: TypedCommon,
    /// PidTagInternetMessageId with its angle brackets; empty when there is none.
    pub message_id: String,
    /// PidTagMessageFlags (MS-OXCMSG 2.2.1.6): 1 read, 4 submitted, 8 unsent.
    pub flags: u32,
    /// PidTagClientSubmitTime.
    pub submitted: Option<Moment>,
    /// PidTagMessageDeliveryTime.
    pub delivered: Option<Moment>,
    /// On whose behalf (From).
    pub from: Option<Person>,
    /// Who handed it in (Sender).
    pub sender: Option<Person>,
    /// To.
    pub to: Vec<Person>,
    /// Cc.
    pub cc: Vec<Person>,
    /// Bcc.
    pub bcc: Vec<Person>,
    /// Reply-To.
    pub reply_to: Vec<Person>,
    /// PidTagTransportMessageHeaders; empty when there is none.
    pub headers: String,
    /// PidTagInReplyToId.
    pub in_reply_to: String,
    /// PidTagInternetReferences.
    pub references: String,
    /// PidTagConversationIndex in base64.
    pub conversation_index: String,
    /// The follow-up flag.
    pub flag: Option<FollowUp>,
}

impl TypedMessage {
    /// Whether the read bit is set.
    pub const fn read(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether it was never sent.
    pub const fn draft(&self) -> bool {
        self.flags & 8 != 0
    }
}

/// A follow-up flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FollowUp {
    /// True when done, false when still open.
    pub complete: bool,
    /// When work should begin.
    pub start: Option<Moment>,
    /// When it is due.
    pub due: Option<Moment>,
    /// When it was done.
    pub completed: Option<Moment>,
}

/// A time on a wall clock of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WallTime {
    /// `2026-11-27T09:00:00`, without an offset. With a `Z` behind it, it is a time in UTC, for nobody knows the clock of the zone.
    pub local: String,
    /// The zone's name as Exchange spells it, e.g. `W. Europe Standard Time`.
    pub zone: String,
}

/// An appointment, a meeting, or the master of a series.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts of an appointment that do not depend on each other"
)]
pub struct TypedEvent {
    /// What every item has.
    pub common: TypedCommon,
    /// Begin. Of an all-day event: midnight in its own zone.
    pub start: WallTime,
    /// End; of an all-day event the midnight after its last day.
    pub end: WallTime,
    /// Whether it takes whole days.
    pub all_day: bool,
    /// Where.
    pub location: String,
    /// How it shows in free/busy.
    pub show_as: ShowAs,
    /// Minutes before the begin at which it reminds; `None` when it does not.
    pub reminder: Option<u32>,
    /// True when that waits for the cutover: the service has it off until then. Never of a source item. Of a series also when one of its exceptions waits.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reminder_held: bool,
    /// True for a meeting, false for an appointment.
    pub meeting: bool,
    /// True when it was cancelled.
    pub cancelled: bool,
    /// Who invited.
    pub organizer: Option<Person>,
    /// Who was invited.
    pub attendees: Vec<Attendee>,
    /// The iCalendar UID; empty when there is none.
    pub uid: String,
    /// How it repeats, for the master of a series.
    pub recurrence: Option<Recurrence>,
    /// Occurrences that differ, by their original begin in ascending order.
    pub exceptions: Vec<Occurrence>,
}

impl TypedEvent {
    /// The same event, whose reminders wait for the cutover, those of its exceptions too.
    #[must_use]
    pub fn holding_reminders(mut self) -> Self {
        let mut any = self.reminder.is_some();
        for instead in self
            .exceptions
            .iter_mut()
            .filter_map(|own| own.instead.as_mut())
        {
            instead.reminder_held = instead.reminder.is_some();
            any |= instead.reminder_held;
        }
        self.reminder_held = any;
        self
    }
}

/// Free/busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShowAs {
    /// Nothing is said.
    #[default]
    Unknown,
    /// Free.
    Free,
    /// Tentative.
    Tentative,
    /// Busy.
    Busy,
    /// Out of office.
    Away,
    /// Working elsewhere.
    Elsewhere,
}

/// Who was invited, and what they said.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attendee {
    /// Who.
    pub person: Person,
    /// In which part.
    pub part: AttendeePart,
    /// What was answered.
    pub answer: Answer,
    /// When it was answered.
    pub answered: Option<Moment>,
}

/// In which part somebody was invited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttendeePart {
    /// Must come.
    #[default]
    Required,
    /// May come.
    Optional,
    /// A room or a thing.
    Resource,
}

/// What somebody answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Nothing is known.
    #[default]
    Unknown,
    /// It is the organiser.
    Organizer,
    /// Perhaps.
    Tentative,
    /// Yes.
    Accepted,
    /// No.
    Declined,
    /// Nothing yet.
    None,
}

/// How a series repeats. Weekdays are 0 Sunday to 6 Saturday.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrence {
    /// The pattern.
    pub pattern: Pattern,
    /// The first day, `2026-11-27`.
    pub first: String,
    /// Where it ends.
    pub until: Until,
}

/// The pattern of a series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "every", rename_all = "snake_case")]
pub enum Pattern {
    /// Every so many days.
    Days {
        /// How many.
        interval: u32,
    },
    /// Every so many weeks on these days.
    Weeks {
        /// How many.
        interval: u32,
        /// Which days.
        days: Vec<u8>,
        /// The first day of the week.
        first_day: u8,
    },
    /// Every so many months on this day.
    MonthDay {
        /// How many.
        interval: u32,
        /// 1 to 31.
        day: u8,
    },
    /// Every so many months on such a weekday.
    MonthWeekday {
        /// How many.
        interval: u32,
        /// Which days.
        days: Vec<u8>,
        /// 1 to 4, 5 for the last.
        index: u8,
    },
    /// Every year on this day.
    YearDay {
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
    },
    /// Every year on such a weekday.
    YearWeekday {
        /// 1 to 12.
        month: u8,
        /// Which days.
        days: Vec<u8>,
        /// 1 to 4, 5 for the last.
        index: u8,
    },
}

/// Where a series ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Never.
    Forever,
    /// After so many occurrences.
    Count(u32),
    /// On this day, `2027-11-27`.
    Date(String),
}

/// One occurrence that differs from its series.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// When it would have begun.
    pub original: Moment,
    /// What it is instead; `None` when it was deleted. Its attachments come after those of the master, in the order of the exceptions.
    pub instead: Option<Box<TypedEvent>>,
}

/// A person's card.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedContact {
    /// What every item has; `subject` is the display name, `body` the notes.
    pub common: TypedCommon,
    /// File as.
    pub file_as: String,
    /// Given name.
    pub given_name: String,
    /// Middle name.
    pub middle_name: String,
    /// Family name.
    pub surname: String,
    /// Title, e.g. `Dr.`.
    pub title: String,
    /// Generation, e.g. `Jr.`.
    pub generation: String,
    /// Initials.
    pub initials: String,
    /// Nickname.
    pub nickname: String,
    /// Organisation.
    pub company: String,
    /// Its department.
    pub department: String,
    /// Position.
    pub job_title: String,
    /// Profession.
    pub profession: String,
    /// Office.
    pub office: String,
    /// Manager.
    pub manager: String,
    /// Assistant.
    pub assistant: String,
    /// Spouse.
    pub spouse: String,
    /// Children.
    pub children: Vec<String>,
    /// Home page.
    pub home_page: String,
    /// Up to three, in order of their slots.
    pub emails: Vec<Person>,
    /// Up to three.
    pub im: Vec<String>,
    /// By the kind EWS names (`BusinessPhone`, `MobilePhone`, ...).
    pub phones: Vec<(String, String)>,
    /// By the kind EWS names (`Business`, `Home`, `Other`).
    pub addresses: Vec<(String, PostalAddress)>,
    /// `1970-01-31`; empty when there is none.
    pub birthday: String,
    /// The same for the wedding anniversary.
    pub anniversary: String,
    /// Which of the attachments is the picture.
    pub photo: Option<u32>,
}

/// Where somebody lives or works.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostalAddress {
    /// Street.
    pub street: String,
    /// City.
    pub city: String,
    /// State or region.
    pub state: String,
    /// Country.
    pub country: String,
    /// Postal code.
    pub postal_code: String,
}

impl TypedItem {
    /// What every item has.
    pub const fn common(&self) -> &TypedCommon {
        match self {
            Self::Message(own) => &own.common,
            Self::Event(own) => &own.common,
            Self::Contact(own) => &own.common,
        }
    }

    /// Every text: the item's own, then those of its exceptions.
    pub fn texts(&self) -> Vec<&TypedBody> {
        let mut out = vec![&self.common().body];
        if let Self::Event(event) = self {
            let changed = event.exceptions.iter().filter_map(|e| e.instead.as_deref());
            out.extend(changed.map(|own| &own.common.body));
        }
        out
    }

    /// Every attachment in the order of the parcel: the item's own, then those of its exceptions.
    pub fn attachments(&self) -> Vec<&TypedAttachment> {
        let mut out: Vec<&TypedAttachment> = self.common().attachments.iter().collect();
        if let Self::Event(event) = self {
            let changed = event.exceptions.iter().filter_map(|e| e.instead.as_deref());
            out.extend(changed.flat_map(|own| &own.common.attachments));
        }
        out
    }
}
