//! An assessment for people: servers, then what was found, then what was not looked at, then what to do next.

use std::fmt::Write as _;

use crate::posture::assessment::Assessment;
use crate::posture::catalogue::{self, KINDS, NEVER_SEEN};
use crate::posture::leads::Standing;
use crate::posture::rule::{Known, State};
use crate::posture::server::Server;

/// Vulnerabilities of one state that are printed; JSON has all.
const SHOWN: usize = 12;

/// Findings of one kind that are printed.
const FINDINGS: usize = 50;

/// The text.
pub(super) fn text(found: &Assessment) -> String {
    let mut out = String::new();
    line(
        &mut out,
        &format!(
            "table of builds and vulnerabilities as of {}; judged as of {}",
            found.table_date, found.today
        ),
    );
    for one in &found.servers {
        server(&mut out, one);
    }
    for (server, finding) in &found.health {
        line(
            &mut out,
            &format!("{server}: HealthChecker says: {finding}"),
        );
    }
    for window in &found.windows {
        line(
            &mut out,
            &format!(
                "open to attacks known to be used: {} to {} ({})",
                window.from,
                window.to,
                short(&window.why)
            ),
        );
    }
    leads(&mut out, found);
    detections(&mut out, found);
    exposure(&mut out, found);
    actions(&mut out, found);
    not_checked(&mut out, found);
    line(&mut out, &next(found));
    out
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a string grows");
}

fn short(words: &[String]) -> String {
    let shown: Vec<&str> = words.iter().take(4).map(String::as_str).collect();
    match words.len() {
        n if n > 4 => format!("{} and {} more", shown.join(", "), n - 4),
        _ => shown.join(", "),
    }
}

fn server(out: &mut String, server: &Server) {
    let origin = server.origin.map_or("nobody", |origin| origin.word());
    let what = match server.known {
        Known::Exact(build) => format!("{build}, {}", server.update.as_deref().unwrap_or("")),
        Known::CumulativeOnly(build) => format!(
            "{build}, {}, security update unknown (read the file version of ExSetup.exe)",
            server.cu.as_deref().unwrap_or("")
        ),
        Known::NotInTable(build) => {
            format!(
                "{build}, a build no list has; nothing is said about it (a newer table: --builds, --cves)"
            )
        }
        Known::Nothing => "no readable build".to_owned(),
    };
    line(out, &format!("{}: {what}; said by {origin}", server.name));
    if let Some(since) = server.unsupported_since {
        let paid = server
            .paid_updates_ended
            .map_or(String::new(), |day| format!("; paid updates ended {day}"));
        line(out, &format!("  out of support since {since}{paid}"));
    }
    if let (Some(last), false) = (server.last_update_for_cu, server.later_cus.is_empty()) {
        let later = server.later_cus.join(", ");
        line(
            out,
            &format!(
                "  last update for its cumulative update came out {last}; later ones: {later}"
            ),
        );
    }
    match &server.missing {
        None => line(out, "  missing security updates: not known"),
        Some(missing) if missing.is_empty() => {
            line(out, "  missing security updates: none of the table");
        }
        Some(missing) => {
            for one in missing {
                let severity = match one.severity.as_deref() {
                    None => "names no CVE",
                    Some("unknown") => "severity unknown",
                    Some(word) => word,
                };
                line(
                    out,
                    &format!(
                        "  missing {} {} ({}, {severity})",
                        one.name, one.build, one.date
                    ),
                );
            }
        }
    }
    cves(out, server);
}

fn cves(out: &mut String, server: &Server) {
    let counts: Vec<String> = [
        (State::Vulnerable, "open"),
        (
            State::ActionUnknown,
            "fix installed, further action unknown",
        ),
        (State::Unknown, "not known"),
        (State::Fixed, "fixed"),
    ]
    .iter()
    .map(|(state, word)| format!("{} {word}", server.count(*state)))
    .collect();
    line(out, &format!("  vulnerabilities: {}", counts.join(", ")));
    let used: Vec<_> = server.exploited(State::Vulnerable).collect();
    for verdict in used.iter().take(SHOWN) {
        let alias = if verdict.alias.is_empty() {
            String::new()
        } else {
            format!(" ({})", verdict.alias)
        };
        let days = verdict.days.unwrap_or(0);
        line(
            out,
            &format!(
                "  open and known to be used: {}{alias}, {}, since {}, {days} days; fixed in {}",
                verdict.cve, verdict.severity, verdict.since, verdict.fixed_in
            ),
        );
    }
    if used.len() > SHOWN {
        line(
            out,
            &format!("  {} more; --json has all", used.len() - SHOWN),
        );
    }
}

fn leads(out: &mut String, found: &Assessment) {
    let hits: Vec<_> = found
        .leads
        .iter()
        .filter(|(lead, _)| lead.standing == Standing::Found)
        .collect();
    if found.mailboxes == 0 {
        line(out, "leads of compromise: no mailbox was looked at");
        return;
    }
    line(
        out,
        &format!(
            "leads of compromise: {} found in {} mailboxes looked at",
            hits.len(),
            found.mailboxes
        ),
    );
    for (lead, decision) in hits.iter().take(FINDINGS) {
        let state = decision.as_ref().map_or(String::new(), |d| {
            format!(", accepted by {}: {}", d.by, d.note)
        });
        line(
            out,
            &format!(
                "  {} {} weight, {}: {}{state}",
                lead.finding,
                lead.weight.word(),
                lead.mailbox,
                catalogue::of(lead.id).title
            ),
        );
        for text in &lead.evidence {
            line(out, &format!("      {text}"));
        }
        line(out, &format!("      remedy: {}", lead.remedy));
    }
    if hits.len() > FINDINGS {
        line(
            out,
            &format!("  {} more; --json has all", hits.len() - FINDINGS),
        );
    }
}

fn detections(out: &mut String, found: &Assessment) {
    if found.detections.is_empty() {
        return;
    }
    let open = found.detections.iter().filter(|d| d.acknowledged.is_none());
    let inside = found
        .detections
        .iter()
        .filter(|d| d.in_window == Some(true));
    line(
        out,
        &format!(
            "detections: {}, {} that nobody acknowledged, {} in a window of exposure",
            found.detections.len(),
            open.count(),
            inside.count()
        ),
    );
    for one in found.detections.iter().take(FINDINGS) {
        let day = one
            .day
            .map_or("day not certain".to_owned(), |d| d.to_string());
        let place = match one.in_window {
            Some(true) => ", in the window of exposure",
            Some(false) => ", outside the window",
            None => "",
        };
        let who = one.acknowledged.as_ref().map_or(String::new(), |d| {
            format!(", acknowledged by {}: {}", d.by, d.note)
        });
        line(
            out,
            &format!(
                "  {} {day}{place}: {} {}{who}",
                one.finding, one.threat, one.resource
            ),
        );
    }
}

fn exposure(out: &mut String, found: &Assessment) {
    let Some((window, entries)) = &found.exposure else {
        return;
    };
    line(
        out,
        &format!(
            "exposure {} to {}, by pseudonym; what was deleted since is not counted:",
            window.from, window.to
        ),
    );
    let known = |n: Option<u64>| n.map_or("not checked".to_owned(), |n| n.to_string());
    for entry in entries {
        line(
            out,
            &format!(
                "  {}: {} items were there, {} of them came in the window; rules changed {}, ways out {}, {} correspondent domains",
                entry.subject,
                entry.items_present,
                entry.items_received,
                known(entry.rules_changed),
                known(entry.forwards),
                entry.correspondents.len()
            ),
        );
    }
}

fn actions(out: &mut String, found: &Assessment) {
    if found.actions.is_empty() {
        return;
    }
    let left = found.actions.iter().filter(|a| !a.status.settled()).count();
    line(
        out,
        &format!(
            "remedial actions: {}, {left} not settled",
            found.actions.len()
        ),
    );
    for one in found
        .actions
        .iter()
        .filter(|a| !a.status.settled())
        .take(FINDINGS)
    {
        let due = match one.days_left(found.today) {
            Some(days) if days < 0 => format!("{} days overdue", -days),
            Some(days) => format!("{days} days left"),
            None => "no due date".to_owned(),
        };
        let owner = if one.owner.is_empty() {
            "nobody"
        } else {
            &one.owner
        };
        line(
            out,
            &format!(
                "  {} {}, {owner}, {due}: {}",
                one.id,
                one.status.word(),
                one.requirement
            ),
        );
    }
}

fn not_checked(out: &mut String, found: &Assessment) {
    for kind in KINDS {
        let of_kind = found.leads.iter().filter(|(lead, _)| lead.id == kind.id);
        let mut why: Vec<(&str, usize)> = Vec::new();
        for (lead, _) in of_kind {
            if let Standing::NotChecked(reason) = &lead.standing {
                match why.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, n)) => *n += 1,
                    None => why.push((reason, 1)),
                }
            }
        }
        for (reason, n) in why {
            let mailboxes = if n > 1 {
                format!(", {n} mailboxes")
            } else {
                String::new()
            };
            line(
                out,
                &format!(
                    "not checked: {} {}{mailboxes}: {reason}",
                    kind.id, kind.title
                ),
            );
        }
    }
    for text in NEVER_SEEN {
        line(out, &format!("cannot be seen from outside: {text}"));
    }
}

fn next(found: &Assessment) -> String {
    match found.open_critical() {
        0 => "next: nothing critical is open; what was not checked is listed above".to_owned(),
        n => format!(
            "next: {n} critical findings wait for a person: mailferry assess --state DIR --acknowledge ID --by NAME --note TEXT"
        ),
    }
}
