//! The posture section of a report: HTML with a picture, and JSON, both out of the document `mailferry.assess/1`. Names no mailbox, no address, no
//! rule: what an executive and a regulator may read. What the document lacks is left out, so that an older or a damaged one is still shown.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::picture;
use crate::base::html::escape;

/// The section as JSON: counts and days only.
pub fn json(document: &Value) -> Value {
    let servers: Vec<Value> = list(document, "servers")
        .map(|server| {
            let count = |state: &str, used: bool| {
                let cves = list(server, "cves");
                cves.filter(|v| v["state"] == state && (!used || v["exploited"] == true))
                    .count()
            };
            json!({
                "name": server["name"],
                "build": server["build"],
                "origin": server["origin"],
                "update": server["update"],
                "security_update": server["security_update"],
                "unsupported_since": server["unsupported_since"],
                "missing_updates": list(server, "missing_updates").count(),
                "vulnerable": count("vulnerable", false),
                "vulnerable_and_used": count("vulnerable", true),
                "action_unknown": count("action_unknown", false),
                "unknown": count("unknown", false),
                "fixed": count("fixed", false),
            })
        })
        .collect();
    let open = |key: &str| {
        list(document, key)
            .filter(|v| v["status"] == "open")
            .count()
    };
    let leads = |state: &str| {
        list(document, "leads")
            .filter(|v| v["state"] == state)
            .count()
    };
    json!({
        "schema": "mailferry.posture/1",
        "at": document["at"],
        "table_date": document["table_date"],
        "servers": servers,
        "windows": document["windows"],
        "leads": {"found": leads("found"), "open": open("leads"), "not_found": leads("not_found"), "not_checked": leads("not_checked")},
        "detections": {"total": list(document, "detections").count(), "open": open("detections")},
        "actions": {
            "total": list(document, "actions").count(),
            "settled": list(document, "actions").filter(|a| a["status"] == "verified" || a["status"] == "not applicable").count(),
            "overdue": list(document, "actions").filter(|a| a["overdue"] == true).count(),
        },
        "never_seen": document["never_seen"],
    })
}

/// Whether the people of the register are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum People {
    /// For the house.
    Named,
    /// For anybody: of the register only ids, days and states are shown; the rest is in people's own words.
    LeftOut,
}

/// The section as HTML: a fragment that begins with `<section class="posture"`. Needs neither a style sheet nor a script.
pub fn html(document: &Value, people: People) -> String {
    let mut out = String::from("<section class=\"posture\"><h2>The state of the source</h2>\n");
    let facts = json(document);
    say(&mut out, &summary(&facts));
    out.push_str(&picture::timeline(document));
    servers(&mut out, &facts);
    leads(&mut out, document);
    register(&mut out, document, people);
    not_checked(&mut out, document);
    out.push_str("</section>\n");
    out
}

/// Values of a list, or none.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => escape(text),
        Value::Null => "not known".to_owned(),
        other => escape(&other.to_string()),
    }
}

fn say(out: &mut String, text: &str) {
    writeln!(out, "<p>{text}</p>").expect("a string grows");
}

fn n(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn summary(facts: &Value) -> String {
    let servers: Vec<&Value> = list(facts, "servers").collect();
    let sum = |key: &str| servers.iter().map(|s| n(&s[key])).sum::<u64>();
    format!(
        "{} servers were assessed against the table of {}: {} entries of open vulnerabilities, {} of them known to be used by attackers; \
         {} where the build does not decide. {} leads of compromise were found, {} of them without a decision; {} detections of antivirus, {} \
         that nobody acknowledged. A lead is something to look at, not a verdict; what was not found may still be there.",
        servers.len(),
        text(&facts["table_date"]),
        sum("vulnerable"),
        sum("vulnerable_and_used"),
        sum("unknown"),
        n(&facts["leads"]["found"]),
        n(&facts["leads"]["open"]),
        n(&facts["detections"]["total"]),
        n(&facts["detections"]["open"]),
    )
}

fn table(out: &mut String, head: &[&str], rows: &[Vec<String>]) {
    out.push_str("<table><thead><tr>");
    for cell in head {
        write!(out, "<th scope=\"col\">{cell}</th>").expect("a string grows");
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            write!(out, "<td>{cell}</td>").expect("a string grows");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
}

fn servers(out: &mut String, facts: &Value) {
    let rows: Vec<Vec<String>> = list(facts, "servers")
        .map(|s| {
            let update = match s["update"].as_str() {
                Some(update) => escape(update),
                None => format!("security update {}", text(&s["security_update"])),
            };
            vec![
                text(&s["name"]),
                text(&s["build"]),
                update,
                text(&s["origin"]),
                n(&s["missing_updates"]).to_string(),
                format!(
                    "{} ({} used)",
                    n(&s["vulnerable"]),
                    n(&s["vulnerable_and_used"])
                ),
                n(&s["action_unknown"]).to_string(),
                n(&s["unknown"]).to_string(),
                s["unsupported_since"]
                    .as_str()
                    .map_or("supported".to_owned(), |d| format!("since {}", escape(d))),
            ]
        })
        .collect();
    out.push_str("<h3>Servers</h3>\n");
    let head = [
        "server",
        "build",
        "update",
        "says",
        "missing updates",
        "open",
        "more than the update needed",
        "not known",
        "out of support",
    ];
    table(out, &head, &rows);
}

fn leads(out: &mut String, document: &Value) {
    let mut kinds: Vec<(String, String, [u64; 4])> = Vec::new();
    for lead in list(document, "leads") {
        let id = text(&lead["id"]);
        let known = kinds.iter().position(|kind| kind.0 == id);
        let at = known.unwrap_or(kinds.len());
        if known.is_none() {
            kinds.push((id, text(&lead["title"]), [0; 4]));
        }
        let slot = match lead["state"].as_str() {
            Some("found") => 0,
            Some("not_found") => 2,
            _ => 3,
        };
        kinds[at].2[slot] += 1;
        if slot == 0 && lead["status"] == "open" {
            kinds[at].2[1] += 1;
        }
    }
    kinds.sort_by_key(|kind| {
        let number = kind.0.trim_start_matches(|c: char| !c.is_ascii_digit());
        number.parse::<u32>().unwrap_or(u32::MAX)
    });
    let rows: Vec<Vec<String>> = kinds
        .into_iter()
        .map(|(id, title, counts)| {
            let mut row = vec![id, title];
            row.extend(counts.map(|count| count.to_string()));
            row
        })
        .collect();
    out.push_str("<h3>Leads of compromise, in mailboxes</h3>\n");
    let head = [
        "lead",
        "what",
        "found",
        "of these open",
        "not found",
        "not checked",
    ];
    table(out, &head, &rows);
}

/// What a person wrote, or what names one.
const PERSONAL: [&str; 5] = ["requirement", "action", "owner", "verified_by", "evidence"];

fn register(out: &mut String, document: &Value, people: People) {
    let rows: Vec<Vec<String>> = list(document, "actions")
        .map(|a| {
            let left = match a["days_left"].as_i64() {
                Some(days) if days < 0 => format!("{} days overdue", -days),
                Some(days) => format!("{days} days left"),
                None => String::new(),
            };
            let cell = |key: &str| {
                let hidden = people == People::LeftOut && PERSONAL.contains(&key);
                let text = a[key].as_str().filter(|_| !hidden);
                text.map_or(String::new(), escape)
            };
            vec![
                cell("id"),
                cell("requirement"),
                cell("action"),
                cell("owner"),
                cell("due"),
                left,
                cell("status"),
                cell("evidence"),
                cell("verified_by"),
            ]
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    out.push_str("<h3>Remedial actions</h3>\n");
    let head = [
        "id",
        "requirement",
        "action",
        "owner",
        "due",
        "",
        "status",
        "evidence",
        "verified by",
    ];
    table(out, &head, &rows);
}

fn not_checked(out: &mut String, document: &Value) {
    out.push_str("<h3>What was not checked</h3>\n<ul>\n");
    let mut seen: Vec<String> = Vec::new();
    for lead in list(document, "leads").filter(|l| l["state"] == "not_checked") {
        let line = format!(
            "{} {}: {}",
            text(&lead["id"]),
            text(&lead["title"]),
            text(&lead["why"])
        );
        if !seen.contains(&line) {
            seen.push(line);
        }
    }
    for line in list(document, "never_seen") {
        seen.push(format!("cannot be seen from outside: {}", text(line)));
    }
    for line in seen {
        writeln!(out, "<li>{line}</li>").expect("a string grows");
    }
    out.push_str("</ul>\n");
}
