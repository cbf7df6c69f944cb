//! The whole preflight as one list of findings in the table's order, with the verdict; and its JSON.

use serde_json::{Value, json};

use crate::base::losses::Family;
use crate::base::route::RouteRule;
use crate::preflight::cause::Right;
use crate::preflight::check::{About, Check};
use crate::preflight::facts::Facts;
use crate::preflight::finding::{Finding, State};
use crate::preflight::observed::{Known, Observed};
use crate::preflight::rights::{Standing, standing};
use crate::preflight::verdict::{self, Route};
use crate::preflight::{local, rights, route, servers, source, target};

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
    findings.extend(target::mailboxes(observed, known, facts));
    let ways = route::findings(&observed.canaries, facts);
    let route = verdict::verdict(&ways, &observed.canaries, facts.route);
    let families = route.families();
    findings.extend(rights::report(observed, &families, facts));
    findings.extend(ways);
    // Stable: subjects stay in plan order.
    findings.sort_by_key(|finding| finding.check);
    let looked = u32::try_from(observed.mailboxes.len()).unwrap_or(u32::MAX);
    Report {
        findings,
        route,
        rights: right_rows(observed, &families, facts),
        mailboxes: (looked, known.planned),
    }
}

fn right_rows(observed: &Observed, families: &[Family], facts: &Facts) -> Vec<RightRow> {
    let roles = match &observed.token {
        Some(Ok(token)) => token.roles.as_ref(),
        _ => None,
    };
    let held = |right: Right| roles.map(|roles| roles.iter().any(|own| own == right.role()));
    let row = |right: Right| RightRow {
        role: right.role().to_owned(),
        held: held(right),
        used: matches!(standing(observed, right, facts), Standing::Proved(_)),
        needed: true,
    };
    let mut out: Vec<RightRow> = rights::always(facts).iter().copied().map(row).collect();
    // Of those of the typed route, what is asked for and what is there for it.
    let needed = rights::by_class_needed(families, facts);
    let asked = |right: &Right| needed.contains(right);
    let there = |right: &Right| facts.route != RouteRule::Stream && held(*right) == Some(true);
    let typed = Right::TYPED.into_iter();
    out.extend(typed.filter(|right| asked(right) || there(right)).map(row));
    let beyond = roles.into_iter().flatten();
    let beyond = beyond.filter(|role| !rights::is_of_use(role, facts));
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
            .map(verdict::ClassWay::to_json)
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
                "rule": self.route.rule.word(),
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
