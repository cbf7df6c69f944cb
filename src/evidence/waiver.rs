//! Waivers: exceptions that people answer for. Pure rules; who may sign what, the list of signers says.
//!
//! A waiver counts when the one who asks for it and another one who grants it have both signed the same bytes, with two names and two keys, for
//! this plan, and its last day is not over. The operator of a run asks; the operator does not grant.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::balance::Exception;
use crate::base::fact::{Bucket, SkipRule};
use crate::base::id::{JobId, PlanHash};
use crate::base::item::{ItemClass, ItemKey};
use crate::base::quantity::Count;

/// The schema of a waiver.
pub const SCHEMA: &str = "mailferry.waiver/1";

/// A waiver file larger than this is none: 1,000 item keys of 35 bytes and a reason.
pub const FILE_MAX: usize = 64_000;

/// Item keys one waiver may name; more than these are a class.
pub const ITEMS_MAX: usize = 1_000;

/// Characters of a reason.
pub const REASON_MAX: usize = 2_000;

/// What must be waived. What a run settles by itself (remaining, in doubt), or a rule of the plan explains (skipped), may not.
pub const WAIVABLE: [Bucket; 4] = [
    Bucket::Refused,
    Bucket::Parked,
    Bucket::Quarantined,
    Bucket::ChangedSince,
];

/// What is waived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Source items that one side says cannot be carried.
    Refused,
    /// Source items that waited for a person.
    Parked,
    /// Source items withheld by screening.
    Quarantined,
    /// Source items that changed after they were carried.
    ChangedSince,
    /// Source items that one person left behind, or accepted as the target holds them.
    Decided,
    /// Items on the target that nobody accounts for.
    Extra,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 6] = [
        Self::Refused,
        Self::Parked,
        Self::Quarantined,
        Self::ChangedSince,
        Self::Decided,
        Self::Extra,
    ];

    /// The bucket of the balance; `None` for what is on the target only.
    pub const fn bucket(self) -> Option<Bucket> {
        match self {
            Self::Refused => Some(Bucket::Refused),
            Self::Parked => Some(Bucket::Parked),
            Self::Quarantined => Some(Bucket::Quarantined),
            Self::ChangedSince => Some(Bucket::ChangedSince),
            Self::Decided => Some(Bucket::Skipped),
            Self::Extra => None,
        }
    }

    /// Its word on the command line and in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Parked => "parked",
            Self::Quarantined => "quarantined",
            Self::ChangedSince => "changed_since",
            Self::Decided => "decided",
            Self::Extra => "extra",
        }
    }
}

/// A waiver, as it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// [`SCHEMA`].
    pub schema: String,
    /// `W0001` and on.
    pub id: String,
    /// For which plan.
    pub plan: PlanHash,
    /// What is waived.
    pub subject: Subject,
    /// Of this mailbox only.
    pub mailbox: Option<JobId>,
    /// Of this class and its sub-classes only.
    pub class: Option<String>,
    /// These items only, by key, in order; empty for all that the other lines let through.
    pub items: Vec<String>,
    /// No more items than this, so that what fails later is not covered unseen.
    pub at_most: u64,
    /// Who asks.
    pub requested_by: String,
    /// When, in UTC.
    pub requested_at: String,
    /// Why.
    pub reason: String,
    /// The last day it counts (UTC), `2027-01-31`.
    pub expires: String,
}

/// Why a text is no waiver.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WaiverFault {
    /// Not the document.
    #[error("no waiver of the schema {SCHEMA}")]
    Unreadable,
    /// Readable, and not in the one form that is written.
    #[error("a waiver that was edited by hand: make a new one")]
    Edited,
    /// A field says what it may not.
    #[error("{0}")]
    Field(&'static str),
}

impl Waiver {
    /// The bytes that are kept and signed.
    pub fn render(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a waiver is plain data");
        text.push('\n');
        text
    }

    /// Reads what [`Waiver::render`] wrote, and nothing else.
    pub fn parse(text: &str) -> Result<Self, WaiverFault> {
        if text.len() > FILE_MAX {
            return Err(WaiverFault::Unreadable);
        }
        let waiver: Self = serde_json::from_str(text).map_err(|_| WaiverFault::Unreadable)?;
        waiver.check()?;
        if waiver.render() == text {
            Ok(waiver)
        } else {
            Err(WaiverFault::Edited)
        }
    }

    /// Says what may not stand in it.
    pub fn check(&self) -> Result<(), WaiverFault> {
        let field = |bad, why| {
            if bad {
                Err(WaiverFault::Field(why))
            } else {
                Ok(())
            }
        };
        let number = self.id.strip_prefix('W').unwrap_or_default();
        let numbered = number.len() >= 4 && number.bytes().all(|b| b.is_ascii_digit());
        field(self.schema != SCHEMA, "another schema")?;
        field(
            !numbered || number.len() > 9,
            "an id is W and at least four digits",
        )?;
        field(self.requested_by.trim().is_empty(), "nobody asks for it")?;
        field(self.reason.trim().is_empty(), "it has no reason")?;
        field(
            self.reason.chars().count() > REASON_MAX,
            "its reason is longer than 2,000 characters",
        )?;
        field(self.at_most == 0, "it covers nothing")?;
        field(
            day(&self.expires).is_none(),
            "its last day is no date (2027-01-31)",
        )?;
        field(
            self.items.len() > ITEMS_MAX,
            "more than 1,000 items; waive a class",
        )?;
        let ordered = self.items.windows(2).all(|two| two[0] < two[1]);
        field(!ordered, "its items are not in order, or twice")?;
        field(
            !self.items.iter().all(|item| is_key(item)),
            "an item key is 32 hexadecimal digits",
        )
    }

    /// True when an open item falls under it.
    pub fn covers(&self, job: JobId, exception: &Exception) -> bool {
        self.subject.bucket() == Some(exception.bucket)
            && (self.subject == Subject::Decided) == is_decided(exception)
            && self.mailbox.is_none_or(|own| own == job)
            && self
                .class
                .as_ref()
                .is_none_or(|own| exception.class.is_a(own))
            && (self.items.is_empty() || self.names(exception.item))
    }

    fn names(&self, item: ItemKey) -> bool {
        self.items.binary_search(&item.to_string()).is_ok()
    }

    /// How exactly it says what it covers: the narrowest is used first.
    fn breadth(&self) -> (bool, bool, bool) {
        (
            self.items.is_empty(),
            self.class.is_none(),
            self.mailbox.is_none(),
        )
    }
}

/// True for 32 lower-case hexadecimal digits.
pub fn is_key(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A date in the one spelling that sorts as text.
pub fn day(text: &str) -> Option<jiff::civil::Date> {
    let date: jiff::civil::Date = text.parse().ok()?;
    (date.to_string() == text).then_some(date)
}

/// Somebody who signed a waiver, as the list of signers knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Every name the list gives the key.
    pub names: Vec<String>,
    /// The key's fingerprint.
    pub key: String,
}

impl Voice {
    fn is(&self, name: &str) -> bool {
        self.names.iter().any(|own| same_name(own, name))
    }

    /// The first name, for lists.
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }
}

/// Names differ in more than capitals and blanks.
pub fn same_name(a: &str, b: &str) -> bool {
    let plain = |name: &str| {
        name.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    plain(a) == plain(b)
}

/// Whether a waiver counts, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It counts.
    Counts,
    /// The one who asks has not signed, or with a key the list of signers does not give that name.
    NotRequested,
    /// Nobody whom the list of signers lets grant it has signed.
    NotApproved,
    /// The one who grants it is the one who asks, by name.
    SameName,
    /// Both signatures are of one key.
    SameKey,
    /// Its last day is over.
    Expired,
    /// It was made for another plan.
    OtherPlan,
    /// It was taken back.
    Revoked,
}

impl Standing {
    /// What it means, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::NotRequested => "not signed by the one who asks",
            Self::NotApproved => "not signed by a second person",
            Self::SameName => "granted by the one who asks",
            Self::SameKey => "signed twice with one key",
            Self::Expired => "expired",
            Self::OtherPlan => "made for another plan",
            Self::Revoked => "taken back",
        }
    }
}

/// A waiver with those who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedWaiver {
    /// The waiver.
    pub waiver: Waiver,
    /// Who signed the request.
    pub request: Option<Voice>,
    /// Who signed the approval.
    pub approval: Option<Voice>,
    /// True when it was taken back.
    pub revoked: bool,
}

impl SignedWaiver {
    /// Whether it counts for `plan` on the day `today`. `operators`: names known to operate this plan, who may grant nothing.
    pub fn standing(&self, plan: &PlanHash, today: &str, operators: &BTreeSet<String>) -> Standing {
        let waiver = &self.waiver;
        if waiver.plan != *plan {
            return Standing::OtherPlan;
        }
        if self.revoked {
            return Standing::Revoked;
        }
        // Dates of this form sort as text.
        if waiver.expires.as_str() < today {
            return Standing::Expired;
        }
        let Some(request) = self
            .request
            .as_ref()
            .filter(|voice| voice.is(&waiver.requested_by))
        else {
            return Standing::NotRequested;
        };
        let Some(approval) = self
            .approval
            .as_ref()
            .filter(|voice| !voice.names.is_empty())
        else {
            return Standing::NotApproved;
        };
        if approval.key == request.key {
            return Standing::SameKey;
        }
        let own = approval.is(&waiver.requested_by)
            || request.names.iter().any(|name| approval.is(name))
            || operators.iter().any(|name| approval.is(name));
        if own {
            Standing::SameName
        } else {
            Standing::Counts
        }
    }
}

/// What waivers leave open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Items each waiver covers, in the order given.
    pub used: Vec<u64>,
    /// Waivable items no waiver covers.
    pub open: Count,
    /// The first of them, with their mailbox, for messages.
    pub examples: Vec<(JobId, ItemKey, Bucket)>,
}

/// How many open items a message names.
const EXAMPLES: usize = 5;

/// Sets waivers that count against the open items. Each item is covered once; the narrowest waiver with room takes it.
pub fn cover<'a>(
    waivers: &[&Waiver],
    exceptions: impl IntoIterator<Item = (JobId, &'a Exception)>,
) -> Coverage {
    let mut order: Vec<usize> = (0..waivers.len()).collect();
    order.sort_by_key(|at| waivers[*at].breadth());
    let mut out = Coverage {
        used: vec![0; waivers.len()],
        ..Coverage::default()
    };
    for (job, exception) in exceptions {
        if !WAIVABLE.contains(&exception.bucket) && !is_decided(exception) {
            continue;
        }
        let taker = order
            .iter()
            .copied()
            .find(|at| out.used[*at] < waivers[*at].at_most && waivers[*at].covers(job, exception));
        if let Some(at) = taker {
            out.used[at] += 1;
            continue;
        }
        out.open += Count::new(1);
        if out.examples.len() < EXAMPLES {
            out.examples.push((job, exception.item, exception.bucket));
        }
    }
    out
}

/// True for an item that one person left behind or accepted. The plan did not foresee it, so a second person must agree.
pub fn is_decided(exception: &Exception) -> bool {
    exception.bucket == Bucket::Skipped
        && matches!(
            exception.rule,
            Some(SkipRule::Accepted | SkipRule::LeftBehind)
        )
}

/// How many items of unknown origin on the target of a mailbox the waivers allow.
pub fn extras_allowed(waivers: &[&Waiver], job: JobId) -> Count {
    waivers
        .iter()
        .filter(|waiver| waiver.subject == Subject::Extra && waiver.mailbox == Some(job))
        .map(|waiver| Count::new(waiver.at_most))
        .sum()
}

/// The class in the spelling a waiver keeps.
pub fn class_of(text: &str) -> ItemClass {
    ItemClass::new(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mailbox::FolderPath;
    use proptest::prelude::*;

    const PLAN: &str = "ab";
    const TODAY: &str = "2026-11-26";

    fn waiver() -> Waiver {
        Waiver {
            schema: SCHEMA.into(),
            id: "W0001".into(),
            plan: PlanHash::new(PLAN),
            subject: Subject::Refused,
            mailbox: None,
            class: None,
            items: Vec::new(),
            at_most: 2,
            requested_by: "Ada".into(),
            requested_at: "2026-11-26T10:00:00Z".into(),
            reason: "corrupt since 2014".into(),
            expires: "2026-12-31".into(),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the field holds it")]
    fn voice(name: &str, key: &str) -> Option<Voice> {
        Some(Voice {
            names: vec![name.into()],
            key: key.into(),
        })
    }

    fn signed(request: Option<Voice>, approval: Option<Voice>) -> SignedWaiver {
        SignedWaiver {
            waiver: waiver(),
            request,
            approval,
            revoked: false,
        }
    }

    fn exception(n: u8, class: &str, bucket: Bucket) -> Exception {
        Exception {
            folder: FolderPath::of(["Inbox"]),
            item: ItemKey([n; 16]),
            class: ItemClass::new(class),
            bucket,
            rule: None,
            why: String::new(),
        }
    }

    #[test]
    fn two_names_and_two_keys_or_it_does_not_count() {
        let plan = PlanHash::new(PLAN);
        let none = BTreeSet::new();
        let stands = |waiver: &SignedWaiver| waiver.standing(&plan, TODAY, &none);
        let (ada, ben) = (voice("Ada", "k1"), voice("Ben", "k2"));
        assert_eq!(stands(&signed(ada.clone(), ben.clone())), Standing::Counts);
        assert_eq!(stands(&signed(None, ben.clone())), Standing::NotRequested);
        assert_eq!(
            stands(&signed(ben.clone(), ada.clone())),
            Standing::NotRequested
        );
        assert_eq!(stands(&signed(ada.clone(), None)), Standing::NotApproved);
        assert_eq!(
            stands(&signed(ada.clone(), voice(" ADA ", "k2"))),
            Standing::SameName
        );
        assert_eq!(
            stands(&signed(ada.clone(), voice("Ben", "k1"))),
            Standing::SameKey
        );
        let mut over = signed(ada.clone(), ben.clone());
        over.waiver.expires = "2026-11-25".into();
        assert_eq!(stands(&over), Standing::Expired);
        over.waiver.expires = TODAY.into();
        assert_eq!(stands(&over), Standing::Counts, "the last day counts");
        let good = signed(ada, ben);
        let other = PlanHash::new("cd");
        assert_eq!(good.standing(&other, TODAY, &none), Standing::OtherPlan);
        let operators = BTreeSet::from(["ben".to_owned()]);
        assert_eq!(good.standing(&plan, TODAY, &operators), Standing::SameName);
    }

    #[test]
    fn each_item_is_covered_once_and_never_more_than_was_granted() {
        let broad = waiver();
        let narrow = Waiver {
            class: Some("IPM.Note".into()),
            at_most: 1,
            ..waiver()
        };
        let items = [
            exception(1, "IPM.Note.SMIME", Bucket::Refused),
            exception(2, "IPM.Note", Bucket::Refused),
            exception(3, "IPM.Task", Bucket::Refused),
            exception(4, "IPM.Task", Bucket::Refused),
            exception(5, "IPM.Note", Bucket::Parked),
            exception(6, "IPM.Note", Bucket::InDoubt),
        ];
        let found = cover(&[&broad, &narrow], items.iter().map(|e| (JobId(0), e)));
        assert_eq!(found.used, [2, 1]);
        assert_eq!(
            found.open,
            Count::new(2),
            "one over the number, one of another bucket"
        );
    }

    #[test]
    fn what_one_person_decided_needs_a_second_and_what_the_plan_foresaw_does_not() {
        let skipped = |rule| Exception {
            rule: Some(rule),
            ..exception(1, "IPM.Note", Bucket::Skipped)
        };
        let items = [
            skipped(SkipRule::TooOld),
            skipped(SkipRule::LeftBehind),
            skipped(SkipRule::Accepted),
        ];
        let of = |waivers: &[&Waiver]| cover(waivers, items.iter().map(|e| (JobId(0), e))).open;
        assert_eq!(of(&[]), Count::new(2));
        assert_eq!(
            of(&[&waiver()]),
            Count::new(2),
            "a waiver of another subject"
        );
        let decided = Waiver {
            subject: Subject::Decided,
            ..waiver()
        };
        assert_eq!(of(&[&decided]), Count::ZERO);
    }

    #[test]
    fn a_waiver_reads_back_in_its_one_form_only() {
        let text = waiver().render();
        assert_eq!(Waiver::parse(&text), Ok(waiver()));
        assert_eq!(Waiver::parse(text.trim_end()), Err(WaiverFault::Edited));
        assert_eq!(Waiver::parse("{}"), Err(WaiverFault::Unreadable));
        for bad in [
            Waiver {
                reason: " ".into(),
                ..waiver()
            },
            Waiver {
                at_most: 0,
                ..waiver()
            },
            Waiver {
                expires: "2026-2-1".into(),
                ..waiver()
            },
            Waiver {
                items: vec!["b".repeat(32), "a".repeat(32)],
                ..waiver()
            },
            Waiver {
                items: vec!["x".into()],
                ..waiver()
            },
            Waiver {
                id: "W1".into(),
                ..waiver()
            },
        ] {
            assert!(matches!(
                Waiver::parse(&bad.render()),
                Err(WaiverFault::Field(_))
            ));
        }
    }

    proptest! {
        #[test]
        fn what_is_open_and_what_is_covered_add_up(
            rooms in proptest::collection::vec(1u64..4, 0..4), buckets in proptest::collection::vec(0usize..4, 0..20),
        ) {
            let waivers: Vec<Waiver> = rooms.iter().zip(Subject::ALL).map(|(room, subject)| Waiver { at_most: *room, subject, ..waiver() }).collect();
            let waivers: Vec<&Waiver> = waivers.iter().collect();
            let items: Vec<Exception> = buckets.iter().map(|at| exception(1, "IPM.Note", WAIVABLE[*at])).collect();
            let found = cover(&waivers, items.iter().map(|e| (JobId(0), e)));
            prop_assert_eq!(found.used.iter().sum::<u64>() + found.open.get(), items.len() as u64);
            for (used, waiver) in found.used.iter().zip(waivers) {
                prop_assert!(*used <= waiver.at_most);
            }
        }
    }
}
