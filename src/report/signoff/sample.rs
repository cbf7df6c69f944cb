//! Evidence for tests: two mailboxes, three runs, a verification, a waiver and those who decided.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::make::{Sources, StaleFolder, make};
use super::paper::{PackPart, Paper};
use crate::base::fact::Bucket;
use crate::base::id::{MailboxId, PlanHash};
use crate::base::quantity::{Bytes, Count, Span};
use crate::base::spec::{Realm, RunLimits};
use crate::evidence::balance::{Balance, skip_words};
use crate::evidence::chain::{Entry, Kind};
use crate::evidence::manifest::{Names, PseudonymKey};
use crate::evidence::runs::Figures;
use crate::evidence::waiver::{SCHEMA, SignedWaiver, Standing, Subject, Voice, Waiver};
use crate::report::sample;

/// Everything a report is made of, owned.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) balance: Balance,
    pub(super) verification: Option<Value>,
    pub(super) stale: Vec<(MailboxId, String)>,
    pub(super) entries: Vec<Entry>,
    pub(super) waivers: Vec<(SignedWaiver, Standing)>,
}

/// Words of the sample that name somebody or something.
pub(super) const NAMES: [&str; 13] = [
    "a.harris@clinic.example",
    "b.ozanne@clinic.example",
    "b@clinic.example",
    "clinic",
    "harris",
    "ozanne",
    "Ada Lovelace",
    "Bea Okafor",
    "Lovelace",
    "Okafor",
    "Inbox",
    "results",
    "seen with",
];

fn entry(seq: u64, at: &str, kind: Kind, who: Option<&str>, facts: Value) -> Entry {
    let facts: BTreeMap<String, Value> = serde_json::from_value(facts).expect("an object");
    Entry {
        seq,
        prev: String::new(),
        at: at.to_owned(),
        kind,
        who: who.map(str::to_owned),
        facts,
    }
}

fn entries() -> Vec<Entry> {
    let figures = |items, upload, requests, exit| Figures {
        took: Span::from_secs(9_000),
        confirmed: Count::new(items),
        carried: Bytes::new(items * 9_000),
        sent: Bytes::new(items * 12_100),
        source_calls: Count::new(90),
        target_calls: Count::new(items + 40),
        throttled: Count::new(4),
        busiest_upload: Bytes::new(upload),
        busiest_requests: Count::new(requests),
        exit,
        ..Figures::default()
    };
    let run = |seq, at, event: &str, run: &str| {
        let facts = json!({"event": event, "run": run});
        entry(seq, at, Kind::Run, None, facts)
    };
    let did = |seq, at, own: Figures, run: &str| {
        let facts = json!(own.facts(run));
        entry(seq, at, Kind::Run, None, facts)
    };
    let (ada, bea) = (Some("Ada Lovelace"), Some("Bea Okafor"));
    vec![
        entry(
            1,
            "2026-12-01T19:59:58Z",
            Kind::Run,
            ada,
            json!({"event": "operator"}),
        ),
        run(2, "2026-12-01T20:00:00Z", "run_started", "r1"),
        run(3, "2026-12-01T22:30:00Z", "run_ended", "r1"),
        did(
            4,
            "2026-12-01T22:30:00Z",
            figures(1_000, 146_700_000, 1_800, 6),
            "r1",
        ),
        run(5, "2026-12-02T20:00:00Z", "run_started", "r2"),
        run(6, "2026-12-03T20:00:00Z", "run_started", "r3"),
        run(7, "2026-12-03T22:30:00Z", "run_ended", "r3"),
        did(
            8,
            "2026-12-03T22:30:00Z",
            figures(205, 30_000_000, 600, 5),
            "r3",
        ),
        entry(
            9,
            "2026-12-04T09:00:00Z",
            Kind::WaiverRequested,
            ada,
            json!({"waiver": "W0001", "sha256": "ab", "reason": "seen with A. Harris"}),
        ),
        entry(
            10,
            "2026-12-04T10:00:00Z",
            Kind::WaiverSigned,
            bea,
            json!({"waiver": "W0001", "sha256": "ab", "role": "approval", "key": "SHA256:bea"}),
        ),
        entry(
            11,
            "2026-12-04T10:05:00Z",
            Kind::Resolved,
            ada,
            json!({"what": "leave it behind", "items": 1, "reason": "seen with B. Ozanne"}),
        ),
        entry(
            12,
            "2026-12-04T10:10:00Z",
            Kind::PackSigned,
            bea,
            json!({"pack": "cd".repeat(32), "key": "SHA256:bea"}),
        ),
    ]
}

fn waiver() -> (SignedWaiver, Standing) {
    let voice = |name: &str| {
        Some(Voice {
            names: vec![name.to_owned()],
            key: format!("SHA256:{name}"),
        })
    };
    let waiver = Waiver {
        schema: SCHEMA.to_owned(),
        id: "W0001".to_owned(),
        plan: PlanHash::new("ab"),
        subject: Subject::Refused,
        mailbox: None,
        class: Some("IPM.Note".to_owned()),
        items: Vec::new(),
        at_most: 1,
        requested_by: "Ada Lovelace".to_owned(),
        requested_at: "2026-12-04T09:00:00Z".to_owned(),
        reason: "corrupt since 2014, seen with A. Harris".to_owned(),
        expires: "2027-01-31".to_owned(),
    };
    let signed = SignedWaiver {
        waiver,
        request: voice("Ada Lovelace"),
        approval: voice("Bea Okafor"),
        revoked: false,
    };
    (signed, Standing::Counts)
}

fn verification() -> Value {
    let folder = |path: &str, number: u32| {
        json!({"folder": path, "number": number, "source": 1, "target": 1, "confirmed": 1, "watermark": {"rows": 3, "facts": 9, "mark": "00ff",
            "sync_state": "aa", "listed": "2026-12-04T08:00:01Z"}})
    };
    json!({"schema": "mailferry.verify/1", "at": "2026-12-04T08:00:09Z", "grade": "investigate", "level": "content",
        "grade_rules_text": "the rules <b>", "says": ["a.harris@clinic.example"],
        "content": {"of": 1200, "compared": 120, "same": 119, "effects_of_route": 1, "differing": 0, "not_comparable": 0,
            "scope": {"sample_percent": 10, "seed": 7}},
        "mailboxes": [
            {"job": "m0000", "mailbox": "a.harris@clinic.example", "grade": "investigate", "source": 1242, "confirmed": 1200, "explained": 42,
                "unexplained": 0, "extra_on_target": 2, "extra_explained": 1, "folders": [folder("Inbox", 1)],
                "findings": [{"folder": "Inbox/Lab\\/results <b>", "item": "aa", "target": null, "reason": "parked", "explained": true,
                    "what": "waits for a person", "differences": [], "items": 1},
                    {"folder": "Inbox", "item": null, "target": "T1", "reason": "unknown", "explained": false, "what": "of unknown origin",
                    "differences": ["subject differs"], "items": 1}]},
            {"job": "m0001", "mailbox": "b.ozanne@clinic.example", "grade": "investigate", "not_verified": "no b.ozanne@clinic.example"}]})
}

impl Case {
    /// Something of everything.
    pub(super) fn full() -> Self {
        let mut balance = sample::balance();
        let own = &mut balance.mailboxes[1];
        own.exceptions[0].rule = Some(crate::base::fact::SkipRule::LeftBehind);
        own.exceptions[0].why = format!(
            "{}, Ada Lovelace at 2026-12-04T10:05:00Z: seen with B. Ozanne",
            skip_words(crate::base::fact::SkipRule::LeftBehind)
        );
        Self {
            name: "clinic & co".to_owned(),
            balance,
            verification: Some(verification()),
            stale: vec![(
                MailboxId::new("a.harris@clinic.example"),
                "Inbox".to_owned(),
            )],
            entries: entries(),
            waivers: vec![waiver()],
        }
    }

    /// Everything there and verified.
    pub(super) fn proven() -> Self {
        let mut case = Self::full();
        case.balance.mailboxes.remove(0);
        case.stale.clear();
        case.waivers.clear();
        let mailbox = &mut case.balance.mailboxes[0];
        mailbox.exceptions.clear();
        mailbox.folders[0].buckets = [(Bucket::Confirmed, Count::new(7))].into();
        if let Some(found) = &mut case.verification {
            let mut own = found["mailboxes"][0].clone();
            own["job"] = json!("m0001");
            own["mailbox"] = json!("b.ozanne@clinic.example");
            own["findings"] = json!([]);
            for (key, n) in [("source", 7), ("confirmed", 7), ("explained", 0)] {
                own[key] = json!(n);
            }
            own["extra_on_target"] = json!(0);
            own["extra_explained"] = json!(0);
            found["mailboxes"] = json!([own]);
            found["grade"] = json!("perfect");
            found["level"] = json!("identity");
        }
        case
    }

    /// The report.
    pub(super) fn paper(&self, names: &Names) -> Paper {
        let (plan, limits) = (PlanHash::new("ab".repeat(32)), RunLimits::default());
        let stale: Vec<StaleFolder<'_>> = self
            .stale
            .iter()
            .map(|(mailbox, path)| StaleFolder {
                mailbox,
                path,
                why: "changed since it was verified",
            })
            .collect();
        make(&Sources {
            name: &self.name,
            plan: &plan,
            realm: Realm::Live,
            limits: &limits,
            balance: &self.balance,
            verification: self.verification.as_ref(),
            stale: &stale,
            entries: &self.entries,
            waivers: &self.waivers,
            pack: Some(PackPart {
                name: "external-cdcd".to_owned(),
                digest: "cd".repeat(32),
                root: "ef".repeat(32),
                lines: 1_249,
                signatures: 1,
            }),
            names,
        })
    }

    /// As the house reads it.
    pub(super) fn internal(&self) -> Paper {
        self.paper(&Names::Revealed)
    }

    /// As anybody reads it.
    pub(super) fn external(&self) -> Paper {
        self.paper(&Names::Pseudonyms(PseudonymKey::new([7; 32])))
    }
}
