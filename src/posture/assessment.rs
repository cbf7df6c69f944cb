//! The whole assessment as one document, `mailferry.assess/1`, and what it asks people to do.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::catalogue::{self, NEVER_SEEN, Weight};
use super::cves::Exploited;
use super::detections::Detection;
use super::exposure::Entry;
use super::finding::Decision;
use super::leads::{Lead, Standing};
use super::register::{Action, Status};
use super::rule::{Known, State};
use super::server::Server;
use super::timeline::Window;

/// The schema.
pub const SCHEMA: &str = "mailferry.assess/1";

/// Everything that was found out.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// The day it is about.
    pub today: Date,
    /// When it was made, RFC 3339.
    pub at: String,
    /// The date of the table of builds.
    pub table_date: Date,
    /// The servers.
    pub servers: Vec<Server>,
    /// Other findings of HealthChecker: server and text.
    pub health: Vec<(String, String)>,
    /// When attacks that were known to be used could come in.
    pub windows: Vec<Window>,
    /// Leads, with who accepted them.
    pub leads: Vec<(Lead, Option<Decision>)>,
    /// Detections.
    pub detections: Vec<Detection>,
    /// The register.
    pub actions: Vec<Action>,
    /// The ledger of exposure and its window, where one was asked for.
    pub exposure: Option<(Window, Vec<Entry>)>,
    /// Mailboxes that were looked at.
    pub mailboxes: usize,
}

impl Assessment {
    /// Findings that stand in the way of a cutover: leads of high weight and detections that nobody has decided about.
    pub fn open_critical(&self) -> usize {
        let leads = self.leads.iter().filter(|(lead, decision)| {
            lead.standing == Standing::Found && lead.weight == Weight::High && decision.is_none()
        });
        let detections = self.detections.iter().filter(|d| d.acknowledged.is_none());
        leads.count() + detections.count()
    }

    /// The document.
    pub fn to_json(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "at": self.at,
            "today": self.today.to_string(),
            "table_date": self.table_date.to_string(),
            "mailboxes": self.mailboxes,
            "open_critical": self.open_critical(),
            "servers": self.servers.iter().map(server).collect::<Vec<_>>(),
            "health": self.health.iter().map(|(server, text)| json!({"server": server, "finding": text})).collect::<Vec<_>>(),
            "windows": self.windows.iter().map(window).collect::<Vec<_>>(),
            "leads": self.leads.iter().map(lead).collect::<Vec<_>>(),
            "detections": self.detections.iter().map(detection).collect::<Vec<_>>(),
            "actions": self.actions.iter().map(|one| action(one, self.today)).collect::<Vec<_>>(),
            "exposure": self.exposure.as_ref().map(|(over, entries)| json!({
                "window": window(over),
                "mailboxes": entries.iter().map(entry).collect::<Vec<_>>(),
            })),
            "never_seen": NEVER_SEEN,
        })
    }
}

fn window(window: &Window) -> Value {
    json!({"from": window.from.to_string(), "to": window.to.to_string(), "why": window.why})
}

fn server(server: &Server) -> Value {
    let build = server.known.build();
    let level = match server.known {
        Known::Exact(_) => "known",
        Known::CumulativeOnly(_) => "unknown",
        Known::NotInTable(_) => "unknown build",
        Known::Nothing => "not known",
    };
    let says: Vec<Value> = server
        .sightings
        .iter()
        .map(|s| json!({"origin": s.origin.word(), "build": s.build.map(|b| b.to_string())}))
        .collect();
    json!({
        "name": server.name,
        "build": build.map(|build| build.to_string()),
        "origin": server.origin.map(super::server::Origin::word),
        "sightings": says,
        "cu": server.cu,
        "update": server.update,
        "security_update": level,
        "missing_updates": server.missing.as_deref().unwrap_or_default().iter().map(|m| json!({
            "name": m.name, "build": m.build.to_string(), "date": m.date.to_string(), "severity": m.severity, "kb": m.kb,
        })).collect::<Vec<_>>(),
        "later_cus": server.later_cus,
        "last_update_for_cu": server.last_update_for_cu.map(|d| d.to_string()),
        "unsupported_since": server.unsupported_since.map(|d| d.to_string()),
        "paid_updates_ended": server.paid_updates_ended.map(|d| d.to_string()),
        "history": server.history.iter().map(|h| json!({"build": h.build.to_string(), "installed": h.on.to_string()})).collect::<Vec<_>>(),
        "cves": server.cves.iter().map(|v| json!({
            "cve": v.cve,
            "state": v.state.word(),
            "exploited": v.exploited == Exploited::Yes,
            "exploited_word": v.exploited.word(),
            "severity": v.severity,
            "alias": v.alias,
            "fixed_in": v.fixed_in,
            "exposed_since": v.since.to_string(),
            "patchable_since": v.patchable_since.to_string(),
            "exposed_until": v.until.map(|d| d.to_string()),
            "exposed_days": v.days,
            "extra_action": v.extra_action,
        })).collect::<Vec<_>>(),
    })
}

/// The word by which gates and reports know how bad it is.
const fn severity(weight: Weight) -> &'static str {
    match weight {
        Weight::High => "critical",
        Weight::Medium => "warning",
        Weight::Low => "note",
    }
}

fn status(decision: Option<&Decision>) -> &'static str {
    if decision.is_some() {
        "accepted"
    } else {
        "open"
    }
}

/// How a decision about a finding is recorded.
fn how(finding: &str) -> String {
    format!("mailferry assess --plan PLAN --acknowledge {finding} --by NAME --note TEXT")
}

fn decided(decision: Option<&Decision>) -> Value {
    decision.map_or(
        Value::Null,
        |d| json!({"by": d.by, "note": d.note, "at": d.at}),
    )
}

fn lead((lead, decision): &(Lead, Option<Decision>)) -> Value {
    let mut out = json!({
        "id": lead.id,
        "title": catalogue::of(lead.id).title,
        "mailbox": lead.mailbox,
        "state": lead.standing.word(),
        "weight": lead.weight.word(),
        "evidence": lead.evidence,
        "remedy": lead.remedy,
    });
    match &lead.standing {
        Standing::Found => {
            out["finding"] = json!(lead.finding);
            out["severity"] = json!(severity(lead.weight));
            out["status"] = json!(status(decision.as_ref()));
            out["decision"] = decided(decision.as_ref());
            // A gate shows the remedy alone: it has to say how it is closed.
            out["remedy"] = json!(format!("{}; then: {}", lead.remedy, how(&lead.finding)));
        }
        Standing::NotFound => {}
        Standing::NotChecked(why) => out["why"] = json!(why),
    }
    out
}

fn detection(one: &Detection) -> Value {
    json!({
        "id": one.finding,
        "day": one.day.map(|d| d.to_string()),
        "threat": one.threat,
        "resource": one.resource,
        "engine_action": one.action,
        "file": one.file,
        "line": one.line,
        "in_window": one.in_window,
        "severity": "critical",
        "status": status(one.acknowledged.as_ref()),
        "decision": decided(one.acknowledged.as_ref()),
        "remedy": format!("look at it; then: {}", how(&one.finding)),
    })
}

fn action(one: &Action, today: Date) -> Value {
    json!({
        "id": one.id,
        "requirement": one.requirement,
        "basis": one.basis,
        "action": one.action,
        "owner": one.owner,
        "due": one.due.map(|d| d.to_string()),
        "days_left": one.days_left(today),
        "overdue": one.days_left(today).is_some_and(|days| days < 0),
        "status": one.status.word(),
        "evidence": one.evidence,
        "evidence_sha256": one.evidence_sha256,
        "verified_by": one.verified_by,
        "closed": one.closed.map(|d| d.to_string()),
        "note": one.note,
    })
}

fn entry(one: &Entry) -> Value {
    let domains: Vec<Value> = one
        .correspondents
        .iter()
        .map(|(domain, n)| json!({"domain": domain, "messages": n}))
        .collect();
    json!({
        "subject": one.subject,
        "items_present": one.items_present,
        "items_received": one.items_received,
        "items_undated": one.items_undated,
        "rules_changed": one.rules_changed,
        "forwards": one.forwards,
        "correspondents": domains,
    })
}

/// Writes a decision into a document that was made before it. False where no finding has this id.
pub fn accept(document: &mut Value, decision: &Decision) -> bool {
    let mut found = false;
    for (list, key) in [("leads", "finding"), ("detections", "id")] {
        let entries = document[list].as_array_mut().into_iter().flatten();
        for entry in entries.filter(|e| e[key] == decision.id.as_str()) {
            entry["status"] = json!("accepted");
            entry["decision"] = decided(Some(decision));
            found = true;
        }
    }
    let open: usize = ["leads", "detections"]
        .iter()
        .map(|list| {
            let entries = document[*list].as_array().into_iter().flatten();
            entries
                .filter(|e| e["severity"] == "critical" && e["status"] == "open")
                .count()
        })
        .sum();
    document["open_critical"] = json!(open);
    found
}

/// Actions of a document's register that are neither verified nor not applicable, by id; `late_on`: only those whose day is before that one.
/// `None` where the document has no register.
pub fn unsettled(document: &Value, late_on: Option<Date>) -> Option<Vec<String>> {
    let settled = |action: &Value| {
        let words = [Status::Verified, Status::NotApplicable].map(Status::word);
        let own = action["status"].as_str();
        own.is_some_and(|own| words.contains(&own))
    };
    let late = |action: &Value, today: Date| {
        let due = action["due"].as_str().and_then(|day| day.parse().ok());
        due.is_some_and(|due: Date| due < today)
    };
    let open = document["actions"].as_array()?.iter();
    let open = open
        .filter(|action| !settled(action) && late_on.is_none_or(|today| late(action, today)))
        .map(|action| action["id"].as_str().unwrap_or_default().to_owned());
    Some(open.collect())
}

/// What the findings ask people to do. One action for a server's updates, one for a server out of support, one for the further steps, one for
/// each kind of lead that was found, one for detections.
pub fn seeds(servers: &[Server], leads: &[Lead], detections: &[Detection]) -> Vec<Action> {
    let mut out = Vec::new();
    for server in servers {
        let name = server.name.as_str();
        let open = server.count(State::Vulnerable);
        if open > 0 {
            out.push(Action::seeded(
                &["updates", name],
                format!("{name}: {open} known vulnerabilities are open, {} of them known to be used", server.exploited(State::Vulnerable).count()),
                "install the newest security update that can be had, or take the server off the internet until the last mailbox has moved".to_owned(),
            ));
        }
        if matches!(
            server.known,
            Known::CumulativeOnly(_) | Known::NotInTable(_) | Known::Nothing
        ) {
            out.push(Action::seeded(
                &["build", name],
                format!("{name}: which security update is installed is not known"),
                "read the file version of ExSetup.exe on the server, or run HealthChecker.ps1 -VulnerabilityReport there, and assess again".to_owned(),
            ));
        }
        let further = server.count(State::ActionUnknown);
        if further > 0 {
            out.push(Action::seeded(
                &["steps", name],
                format!("{name}: {further} vulnerabilities need more than the update"),
                "show by HealthChecker that Extended Protection is on and the other steps were taken".to_owned(),
            ));
        }
        if let Some(since) = server.unsupported_since {
            out.push(Action::seeded(
                &["support", name],
                format!("{name}: out of support since {since}"),
                "switch the server off after the last mailbox has moved, and wipe it".to_owned(),
            ));
        }
    }
    let mut kinds: Vec<&str> = leads
        .iter()
        .filter(|lead| lead.standing == Standing::Found)
        .map(|lead| lead.id)
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    for id in kinds {
        let kind = catalogue::of(id);
        out.push(Action::seeded(
            &["lead", id],
            format!("{id}: {}", kind.title),
            kind.remedy.to_owned(),
        ));
    }
    if !detections.is_empty() {
        out.push(Action::seeded(
            &["detections"],
            "what antivirus found was looked at by nobody".to_owned(),
            "look at every detection, and put a name and a note beside it".to_owned(),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn an_action_is_in_the_way_until_it_is_settled_and_late_only_behind_its_day() {
        let action =
            |id: &str, status: &str, due: &str| json!({"id": id, "status": status, "due": due});
        let document = json!({"actions": [
            action("A1", "verified", "2026-01-01"),
            action("A2", "not applicable", "2026-01-01"),
            action("A3", "done-unverified", "2026-01-01"),
            action("A4", "open", "2026-03-02"),
            json!({"id": "A5", "status": "in progress", "due": null}),
        ]});
        let all = unsettled(&document, None).expect("a register");
        assert_eq!(all, ["A3", "A4", "A5"]);
        // The day itself is still in time.
        let late = unsettled(&document, Some(date(2026, 3, 2))).expect("a register");
        assert_eq!(late, ["A3"]);
        assert_eq!(unsettled(&json!({}), None), None);
    }
}
