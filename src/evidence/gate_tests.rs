//! Tests of [`super::gate`].

use std::collections::BTreeMap;

use super::*;
use crate::base::fact::LeaveRule;
use crate::base::id::MailboxId;
use crate::base::item::{ItemClass, ItemKey};
use crate::base::mailbox::FolderPath;
use crate::base::quantity::Bytes;
use crate::evidence::balance::{Exception, FolderBalance, MailboxBalance, Routes};
use crate::evidence::checks::Looked;
use crate::evidence::waiver::{SCHEMA, Subject};

fn balance(confirmed: u64, refused: u64, phase: JobPhase) -> Balance {
    let mut buckets = std::collections::BTreeMap::new();
    buckets.insert(Bucket::Confirmed, Count::new(confirmed));
    buckets.insert(Bucket::Refused, Count::new(refused));
    let exception = |n| Exception {
        folder: FolderPath::of(["Inbox"]),
        item: ItemKey([n; 16]),
        class: ItemClass::new("IPM.Note"),
        bucket: Bucket::Refused,
        rule: None,
        why: String::new(),
    };
    Balance {
        mailboxes: vec![MailboxBalance {
            job: JobId(0),
            source: MailboxId::new("a@x.example"),
            target: MailboxId::new("a@x.example"),
            phase,
            folders: vec![FolderBalance {
                path: FolderPath::of(["Inbox"]),
                left_out: None::<LeaveRule>,
                source: Count::new(confirmed + refused),
                buckets,
                bytes: Bytes::ZERO,
                carried: Bytes::ZERO,
                left: Bytes::ZERO,
                unlisted: Count::ZERO,
                confirmed_withheld: Count::ZERO,
                routes: Routes::default(),
            }],
            exceptions: (0..refused)
                .map(|n| exception(u8::try_from(n).unwrap()))
                .collect(),
            leftovers: Vec::new(),
            typed: BTreeMap::new(),
        }],
    }
}

fn verdict() -> Verdict {
    Verdict {
        grade: "good".into(),
        level: "identity".into(),
        mailboxes: vec![MailboxVerdict {
            job: "m0000".into(),
            confirmed: Count::new(5),
            ..MailboxVerdict::default()
        }],
        ..Verdict::default()
    }
}

fn waiver(at_most: u64, subject: Subject, standing: Standing) -> (SignedWaiver, Standing) {
    let waiver = Waiver {
        schema: SCHEMA.into(),
        id: "W0001".into(),
        plan: PlanHash::new("p"),
        subject,
        mailbox: (subject == Subject::Extra).then_some(JobId(0)),
        class: None,
        items: Vec::new(),
        at_most,
        requested_by: "Ada".into(),
        requested_at: String::new(),
        reason: "x".into(),
        expires: "2026-12-31".into(),
    };
    let signed = SignedWaiver {
        waiver,
        request: None,
        approval: None,
        revoked: false,
    };
    (signed, standing)
}

struct Case {
    balance: Balance,
    verdict: Option<Verdict>,
    confirmed: Vec<Check>,
    given: bool,
    runs_without_name: u64,
    waivers: Vec<(SignedWaiver, Standing)>,
    directory: Vec<DirectoryNote>,
    posture: Vec<Finding>,
    actions: Option<Vec<Finding>>,
}

impl Case {
    fn good() -> Self {
        Self {
            balance: balance(5, 0, JobPhase::CaughtUp),
            verdict: Some(verdict()),
            confirmed: Vec::new(),
            given: true,
            runs_without_name: 0,
            waivers: Vec::new(),
            directory: Vec::new(),
            posture: Vec::new(),
            actions: Some(Vec::new()),
        }
    }

    fn gates(&self) -> Vec<&'static str> {
        let ruling = self.ruling();
        assert!(
            ruling
                .open
                .iter()
                .all(|gate| !gate.closes.is_empty() && !gate.detail.is_empty())
        );
        ruling.open.iter().map(|gate| gate.gate).collect()
    }

    fn ruling(&self) -> Ruling {
        let plan = PlanHash::new("p");
        let mailboxes = [Mailbox {
            job: JobId(0),
            label: "a@x.example".into(),
        }];
        judge(&Evidence {
            plan: &plan,
            plan_file: "plan.toml",
            mailboxes: &mailboxes,
            balance: &self.balance,
            verdict: self.verdict.as_ref(),
            waivers: &self.waivers,
            directory: self.given.then_some(&self.directory),
            posture: self.given.then_some(&self.posture),
            actions: self.actions.as_deref(),
            runs_without_name: Count::new(self.runs_without_name),
            name: "Ada",
            confirmed: &self.confirmed,
        })
    }
}

/// Breaks one piece of good evidence.
type Break = fn(&mut Case);

#[test]
fn each_gate_is_open_for_its_reason_alone() {
    assert_eq!(Case::good().gates(), Vec::<&str>::new());
    let cases: [(&[&str], Break); 18] = [
        (&["mailbox.unfinished"], |c| c.balance.mailboxes.clear()),
        (&["mailbox.unfinished"], |c| {
            c.balance = balance(5, 0, JobPhase::Seeding);
        }),
        (&["mailbox.failed"], |c| {
            c.balance = balance(5, 0, JobPhase::Halted(HaltCause::QuotaFull));
        }),
        (&["target.licence"], |c| {
            c.balance = balance(5, 0, JobPhase::Halted(HaltCause::NoTargetMailbox));
        }),
        (&["verdict.missing"], |c| c.verdict = None),
        (&["verdict.missing"], |c| {
            c.verdict.as_mut().unwrap().mailboxes.clear();
        }),
        (&["verdict.stale"], |c| {
            let own = &mut c.verdict.as_mut().unwrap().mailboxes[0];
            own.stale_folders = vec!["Inbox (changed since it was verified)".into()];
        }),
        (&["verdict.stale"], |c| {
            c.balance = balance(6, 0, JobPhase::CaughtUp);
        }),
        (&["verdict.stale"], |c| {
            c.verdict.as_mut().unwrap().plan = Some("q".into());
        }),
        (&["verdict.level"], |c| {
            c.verdict.as_mut().unwrap().level = "counts".into();
        }),
        (&["items.unexplained"], |c| {
            c.verdict.as_mut().unwrap().mailboxes[0].unexplained = Count::new(1);
        }),
        (&["items.extra"], |c| {
            c.verdict.as_mut().unwrap().mailboxes[0].extra = Count::new(1);
        }),
        (&["items.open"], |c| {
            c.balance = balance(5, 1, JobPhase::CaughtUp);
        }),
        (&["target.addresses", "target.x500"], |c| {
            c.directory = vec![DirectoryNote {
                addresses: vec!["b@x".into()],
                x500: vec!["/o=x".into()],
                ..DirectoryNote::default()
            }];
        }),
        (&["target.licence"], |c| {
            c.directory = vec![DirectoryNote {
                no_target: true,
                ..DirectoryNote::default()
            }];
        }),
        (&["target.licence"], |c| {
            c.directory = vec![DirectoryNote {
                unlicensed: true,
                ..DirectoryNote::default()
            }];
        }),
        (&["posture.critical"], |c| {
            c.posture = vec![Finding {
                id: "L1".into(),
                remedy: "look".into(),
            }];
        }),
        (&["actions.open"], |c| {
            c.actions = Some(vec![Finding {
                id: "A1".into(),
                remedy: "verify".into(),
            }]);
        }),
    ];
    for (want, spoil) in cases {
        let mut case = Case::good();
        spoil(&mut case);
        assert_eq!(case.gates(), want);
    }
}

#[test]
fn a_waiver_closes_its_gate_only_when_it_counts() {
    let mut case = Case::good();
    case.balance = balance(5, 2, JobPhase::CaughtUp);
    case.waivers = vec![waiver(2, Subject::Refused, Standing::Counts)];
    assert_eq!(case.gates(), Vec::<&str>::new());
    case.waivers = vec![waiver(1, Subject::Refused, Standing::Counts)];
    assert_eq!(case.gates(), ["items.open"]);
    for (standing, gate) in [
        (Standing::Expired, "waiver.expired"),
        (Standing::NotApproved, "waiver.unsigned"),
        (Standing::SameKey, "waiver.unsigned"),
    ] {
        case.waivers = vec![waiver(2, Subject::Refused, standing)];
        assert_eq!(case.gates(), [gate, "items.open"]);
    }
    let mut case = Case::good();
    case.verdict.as_mut().unwrap().mailboxes[0].extra = Count::new(2);
    case.waivers = vec![waiver(2, Subject::Extra, Standing::Counts)];
    assert_eq!(case.gates(), Vec::<&str>::new());
}

#[test]
fn what_nobody_looked_at_keeps_the_gate_open_until_somebody_says_they_did() {
    let mut case = Case::good();
    case.given = false;
    let open = [
        "licences.not_checked",
        "addresses.not_checked",
        "legacy_names.not_checked",
    ];
    assert_eq!(case.gates(), open);
    case.confirmed = vec![Check::Licences, Check::LegacyNames];
    assert_eq!(case.gates(), ["addresses.not_checked"]);
    case.confirmed.push(Check::Addresses);
    let ruling = case.ruling();
    assert!(ruling.open.is_empty());
    let said = |check| {
        let look = ruling.checks.iter().find(|look| look.check == check);
        look.map(|look| (look.state, look.by.as_deref())).unwrap()
    };
    assert_eq!(said(Check::Licences), (Looked::Confirmed, Some("Ada")));
    assert_eq!(said(Check::Posture), (Looked::NotChecked, None));
    assert_eq!(said(Check::Operators), (Looked::Checked, None));
}

#[test]
fn a_word_of_a_person_closes_no_gate_that_was_found_open() {
    let mut case = Case::good();
    case.directory = vec![DirectoryNote {
        unlicensed: true,
        x500: vec!["/o=x".into()],
        ..DirectoryNote::default()
    }];
    case.confirmed = Check::ALL.to_vec();
    assert_eq!(case.gates(), ["target.licence", "target.x500"]);
    case.directory = vec![DirectoryNote {
        licence_unknown: true,
        ..DirectoryNote::default()
    }];
    assert_eq!(case.gates(), Vec::<&str>::new());
    case.confirmed.clear();
    assert_eq!(case.gates(), ["licences.not_checked"]);
}

#[test]
fn who_operated_matters_only_where_a_waiver_counts() {
    let mut case = Case::good();
    case.runs_without_name = 2;
    assert_eq!(case.gates(), Vec::<&str>::new());
    case.balance = balance(5, 2, JobPhase::CaughtUp);
    case.waivers = vec![waiver(2, Subject::Refused, Standing::Counts)];
    assert_eq!(case.gates(), ["operators.not_checked"]);
    case.runs_without_name = 0;
    assert_eq!(case.gates(), Vec::<&str>::new());
}

#[test]
fn what_the_target_holds_beyond_is_noted_by_its_reason() {
    let mut case = Case::good();
    case.verdict.as_mut().unwrap().mailboxes[0].noted = vec![("made_since".into(), Count::new(3))];
    let ruling = case.ruling();
    assert!(ruling.open.is_empty());
    let noted = &ruling.noted[0];
    assert_eq!(
        (noted.reason.as_str(), noted.items),
        ("made_since", Count::new(3))
    );
}
