//! The whole preflight as one list of findings in the table's order, with the verdict; and its JSON.

use serde_json::{Value, json};

use crate::preflight::cause::Right;
use crate::preflight::check::{About, Check};
use crate::preflight::facts::Facts;
use crate::preflight::finding::{Finding, State};
use crate::preflight::observed::{Known, Observed};
use crate::preflight::rights::{Standing, standing};
use crate::preflight::route::{self, Route};
use crate::preflight::{local, rights, servers, source, target};

/// Everything that is known after a preflight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Every check of every subject, in the table's order.
    pub findings: Vec<Finding>,
    /// The verdict on the route.
    pub route: Route,
    /// Rights on the target: role, held by the token, used by a call that succeeded, needed.
    pub rights: Vec<RightRow>,
    /// Mailboxes looked at, and in the plan.
    pub mailboxes: (u32, u32),
}

/// One right of the self-report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightRow {
    /// The application permission.
    pub role: String,
    /// Whether the token names it; `None` where it cannot be read.
    pub held: Option<bool>,
    /// Whether a call that needs it succeeded.
    pub used: bool,
    /// Whether mailferry needs it.
    pub needed: bool,
}

/// Judges everything that was seen.
pub fn report(observed: &Observed, known: &Known, facts: &Facts) -> Report {
    let mut findings = local::here(known, &observed.servers, facts);
    for (server, sight) in &observed.servers {
        findings.extend(servers::server(*server, sight, facts));
    }
    findings.extend(source::side(observed, known, facts));
    findings.extend(source::mailboxes(observed, known, facts));
    findings.extend(target::side(observed, facts));
    findings.extend(rights::report(observed, facts));
    findings.extend(target::mailboxes(observed, known, facts));
    let ways = route::findings(&observed.canaries, facts);
    let route = route::verdict(&ways, &observed.canaries);
    findings.extend(ways);
    // Stable: subjects stay in plan order.
    findings.sort_by_key(|finding| finding.check);
    let looked = u32::try_from(observed.mailboxes.len()).unwrap_or(u32::MAX);
    Report {
        findings,
        route,
        rights: right_rows(observed),
        mailboxes: (looked, known.planned),
    }
}

fn right_rows(observed: &Observed) -> Vec<RightRow> {
    let roles = match &observed.token {
        Some(Ok(token)) => token.roles.as_ref(),
        _ => None,
    };
    let mut out: Vec<RightRow> = Right::ALL
        .into_iter()
        .map(|right| RightRow {
            role: right.role().to_owned(),
            held: roles.map(|roles| roles.iter().any(|own| own == right.role())),
            used: matches!(standing(observed, right), Standing::Proved(_)),
            needed: true,
        })
        .collect();
    let beyond = roles.into_iter().flatten();
    let beyond = beyond.filter(|role| !Right::ALL.iter().any(|right| right.role() == *role));
    out.extend(beyond.map(|role| RightRow {
        role: role.clone(),
        held: Some(true),
        used: false,
        needed: false,
    }));
    out
}

impl Report {
    /// How many checks ended so.
    pub fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|f| f.state == state).count()
    }

    /// True when nothing stands in the way of a run. A class that the target refuses does not: its items are named and need a decision.
    pub fn may_run(&self) -> bool {
        let stops = |f: &&Finding| f.state == State::Fail && f.check.about() != About::Route;
        !self.findings.iter().any(|f| stops(&f))
    }

    /// The findings of a group.
    pub fn group(&self, about: About) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |f| f.check.about() == about)
    }

    /// The findings of a check.
    pub fn of(&self, check: Check) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| f.check == check)
    }

    /// The document of the contract, `mailferry.preflight/1`.
    pub fn to_json(&self) -> Value {
        let checks: Vec<Value> = self
            .findings
            .iter()
            .map(|f| {
                json!({
                    "check": f.check.id(),
                    "subject": f.subject,
                    "state": f.state.word(),
                    "cause": f.cause.map(super::cause::Cause::word),
                    "detail": f.detail,
                    "remedy": f.remedy,
                })
            })
            .collect();
        let classes: Vec<Value> = self
            .route
            .classes
            .iter()
            .map(|(class, state)| json!({"class": class, "state": state.word()}))
            .collect();
        let rights: Vec<Value> = self
            .rights
            .iter()
            .map(|r| json!({"role": r.role, "held": r.held, "used": r.used, "needed": r.needed}))
            .collect();
        json!({
            "schema": "mailferry.preflight/1",
            "mailboxes": {"looked_at": self.mailboxes.0, "planned": self.mailboxes.1},
            "checks": checks,
            "route": {
                "fast_transfer": self.route.fast_transfer.word(),
                "detail": self.route.detail,
                "classes": classes,
            },
            "rights": rights,
            "ok": self.count(State::Ok),
            "warn": self.count(State::Warn),
            "fail": self.count(State::Fail),
            "not_checked": self.count(State::NotChecked),
        })
    }
}
