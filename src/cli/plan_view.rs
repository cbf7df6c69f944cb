//! What `mailferry plan` prints: JSON (design/contract.md section 4) and sentences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::id::MailboxId;
use crate::base::quantity::Count;
use crate::base::spec::Realm;
use crate::plan::document::Plan;
use crate::plan::draft::Draft;
use crate::plan::explain::{cut_grant, cut_notice, last_night, name, reminder_line, route_lines};
use crate::plan::forecast::tenths_of_hours;
use crate::plan::inventory::Inventory;
use crate::plan::lint::{Finding, Severity};

/// The schema of `plan --json`.
const SCHEMA: &str = "mailferry.plan-summary/1";

/// Findings printed for a person; the rest is counted.
const FINDINGS_SHOWN: usize = 40;

/// A plan with what it was made of, where it was made just now.
pub(super) struct View<'a> {
    pub(super) plan: &'a Plan,
    pub(super) made: Option<(&'a Draft, &'a Inventory)>,
    pub(super) findings: &'a [Finding],
}

/// Seconds as hours with one decimal, rounded up.
fn hours(secs: u64) -> Value {
    let tenths = u32::try_from(secs.div_ceil(360)).unwrap_or(u32::MAX);
    json!(f64::from(tenths) / 10.0)
}

impl View<'_> {
    pub(super) fn to_json(&self) -> Value {
        let mut out = json!({
            "schema": SCHEMA,
            "name": self.plan.name,
            "hash": self.plan.hash().as_str(),
            "mailboxes": self.plan.jobs().len(),
            "route": self.plan.target.route.word(),
            "reminders": self.plan.target.reminders.word(),
            "waves": self.waves(),
            "cuts": [],
            "excluded": [],
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        });
        if let Some((draft, inventory)) = self.made {
            out["cuts"] = cuts(draft, inventory);
            out["excluded"] = draft
                .estate
                .excluded
                .iter()
                .map(|excluded| json!({"mailbox": name(inventory, excluded.record), "rule": excluded.rule}))
                .collect();
            out["forecast"] = forecast(draft);
            out["assumptions"] = json!(draft.assumptions);
        }
        out
    }

    fn waves(&self) -> Vec<Value> {
        let waves = self.plan.waves.iter().enumerate();
        let one = |(at, wave): (usize, &crate::plan::document::Wave)| {
            let mailboxes: Vec<&str> = wave
                .mailboxes
                .iter()
                .map(|pair| pair.source.reveal())
                .collect();
            let draft = self
                .made
                .and_then(|(draft, _)| Some((draft, draft.waves.get(at)?)));
            // Without an inventory nobody knows the sizes, and a made-up forecast would be read as a promise.
            let (nights, hours) = draft.map_or((json!([]), Value::Null), |(draft, wave)| {
                let nights: BTreeSet<usize> = wave.bars.iter().map(|bar| bar.night).collect();
                let nights: Vec<String> = nights
                    .into_iter()
                    .map(|night| draft.night_name(night))
                    .collect();
                (
                    json!(nights),
                    json!([hours(wave.secs.0), hours(wave.secs.1)]),
                )
            });
            json!({
                "name": wave.name,
                "not_before": wave.not_before,
                "nights": nights,
                "mailboxes": mailboxes,
                "hours": hours,
            })
        };
        waves.map(one).collect()
    }

    /// The plan in sentences, ending with what to type next.
    pub(super) fn to_text(&self, file: &str) -> String {
        let realm = match self.plan.realm {
            Realm::Live => "live",
            Realm::Rehearsal => "rehearsal",
        };
        let mut out = format!(
            "{file}: plan {} ({realm}), {} mailboxes in {} waves\nhash {}\n",
            self.plan.name,
            Count::new(self.plan.jobs().len() as u64),
            Count::new(self.plan.waves.len() as u64),
            self.plan.hash()
        );
        if let Some((draft, _)) = self.made {
            let (low, high) = draft.secs();
            let _ = writeln!(
                out,
                "{} to {} h of work; {}\n{} rights are cut, {} mailboxes stay",
                tenths_of_hours(low),
                tenths_of_hours(high),
                last_night(draft),
                Count::new(draft.cuts.len() as u64),
                Count::new(draft.estate.excluded.len() as u64)
            );
        }
        let (route, losses) = route_lines(self.plan.target.route, self.plan.target.has_import());
        let _ = writeln!(out, "{route}");
        for line in losses {
            let _ = writeln!(out, "  {line}");
        }
        let target = &self.plan.target;
        if let Some(line) = reminder_line(target.route, target.reminders) {
            let _ = writeln!(out, "{line}");
        }
        out.push_str(&self.findings_text());
        out
    }

    /// The findings, worst first.
    pub(super) fn findings_text(&self) -> String {
        let mut out = String::new();
        for finding in self.findings.iter().take(FINDINGS_SHOWN) {
            let about = finding
                .mailbox
                .as_ref()
                .map_or(String::new(), |mailbox| format!("{}: ", mailbox.reveal()));
            let _ = writeln!(
                out,
                "{} ({}): {about}{}; {}",
                finding.severity.word(),
                finding.check,
                finding.evidence,
                finding.remedy
            );
        }
        if self.findings.len() > FINDINGS_SHOWN {
            let mut left: BTreeMap<Severity, u64> = BTreeMap::new();
            for finding in &self.findings[FINDINGS_SHOWN..] {
                *left.entry(finding.severity).or_default() += 1;
            }
            let left: Vec<String> = left
                .iter()
                .map(|(severity, count)| format!("{} {}s", Count::new(*count), severity.word()))
                .collect();
            let _ = writeln!(out, "and {} more: --json lists all", left.join(", "));
        }
        out
    }
}

fn finding(finding: &Finding) -> Value {
    json!({
        "severity": finding.severity.word(),
        "check": finding.check,
        "mailbox": finding.mailbox.as_ref().map(MailboxId::reveal),
        "evidence": finding.evidence,
        "remedy": finding.remedy,
    })
}

fn cuts(draft: &Draft, inventory: &Inventory) -> Value {
    let wave = |at: Option<usize>| {
        at.and_then(|at| draft.waves.get(at))
            .map(|wave| wave.name.as_str())
    };
    let cuts = draft.cuts.iter().map(|cut| {
        json!({
            "grant": cut_grant(inventory, cut),
            "from": name(inventory, cut.trustee),
            "to": name(inventory, cut.owner),
            "why": cut_notice(inventory, cut),
            "from_wave": wave(cut.trustee_wave),
            "to_wave": wave(cut.owner_wave),
        })
    });
    cuts.collect()
}

fn forecast(draft: &Draft) -> Value {
    let mut out = Vec::new();
    for wave in &draft.waves {
        let mut nights: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        for bar in &wave.bars {
            nights.entry(bar.mover).or_default().insert(bar.night);
        }
        for place in &wave.members {
            let (mover, times) = (
                &draft.estate.movers[*place as usize],
                draft.times[*place as usize],
            );
            let nights = nights.get(place).into_iter().flatten();
            out.push(json!({
                "mailbox": mover.source.reveal(),
                "wave": wave.name,
                "items": mover.load.items.get(),
                "bytes": mover.load.bytes.get(),
                "hours": [hours(times.fast), hours(times.slow)],
                "limit": times.why.to_string(),
                "nights": nights.map(|night| draft.night_name(*night)).collect::<Vec<_>>(),
            }));
        }
    }
    Value::Array(out)
}
