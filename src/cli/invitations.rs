//! What `verify` says about invitations and appointments, and how it knows.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::quantity::Count;
use crate::cli::args::VerifyLevel;
use crate::cli::commands::verify::Verified;

/// How it is known that this program invited nobody.
const BY_ROUTE: &str = "this program creates items by importing stored items, which submits nothing to anybody, or, where the plan says so, by their fields, and then nobody is named as invited";

/// What no verification can see.
const NOT_READ: &str = "what the service sent without keeping a copy, only its message trace shows, which this program does not read";

impl Verified {
    /// Meeting messages on the target that nobody carried; nothing where items were not looked at one by one.
    fn meetings(&self) -> Option<Count> {
        (self.wish.level != VerifyLevel::Counts).then(|| self.sum(|found| found.meetings))
    }

    /// For `verify --json`. No number where something is there that may have been sent.
    pub(in crate::cli) fn invitations_json(&self) -> Value {
        let meetings = self.meetings();
        let caused = match meetings {
            Some(n) if n > Count::ZERO => Value::Null,
            Some(_) | None => 0.into(),
        };
        json!({
            "caused": caused,
            "measured": meetings.is_some(),
            "meeting_messages_not_carried": meetings.map(Count::get),
            "known_by": Self::known_by(meetings),
        })
    }

    fn known_by(meetings: Option<Count>) -> String {
        let seen = match meetings {
            None => "the target's items were not looked at one by one at this level".to_owned(),
            Some(Count::ZERO) => {
                "in the folders that were compared, the target holds no meeting message that was not carried there or there before"
                    .to_owned()
            }
            Some(n) => format!(
                "{n} meeting messages lie on the target that this plan did not make: whether a user sent them, the findings and their owners say"
            ),
        };
        format!("{BY_ROUTE}; {seen}; {NOT_READ}")
    }

    /// For people: invitations, and at level content what was expanded.
    pub(in crate::cli) fn on_the_calendar(&self) -> String {
        let meetings = self.meetings();
        let caused = match meetings {
            Some(n) if n > Count::ZERO => "Invitations caused: not known".to_owned(),
            Some(_) | None => "Invitations caused: 0".to_owned(),
        };
        let mut out = format!("{caused} ({}).", Self::known_by(meetings));
        if self.wish.level == VerifyLevel::Content {
            let tally = self.content();
            let unread = match tally.not_expanded {
                Count::ZERO => String::new(),
                n => format!(", {n} could not be expanded"),
            };
            write!(
                out,
                "\nOf {} appointments, {} occurrences were expanded on both sides{unread}.",
                tally.appointments, tally.occurrences
            )
            .expect("a string grows");
        }
        out
    }
}
