//! A preflight as a table: grouped, checks of many mailboxes put together, whatever is not as it should be listed with its remedy.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::base::route::RouteRule;
use crate::preflight::cause::Cause;
use crate::preflight::check::{About, Check};
use crate::preflight::finding::{Finding, State};
use crate::preflight::report::Report;
use crate::preflight::verdict::FastTransfer;

/// Subjects listed for one diagnosis of one check.
const SHOWN: usize = 5;

/// The table.
pub(super) fn text(report: &Report) -> String {
    let mut out = String::new();
    for about in About::ALL {
        let findings: Vec<&Finding> = report.group(about).collect();
        if findings.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}", about.heading());
        for check in Check::ALL.iter().filter(|check| check.about() == about) {
            let own: Vec<&Finding> = report.of(*check).collect();
            if !own.is_empty() {
                lines(&own, about, &mut out);
            }
        }
        out.push('\n');
    }
    rights(report, &mut out);
    remedies(report, &mut out);
    verdict(report, &mut out);
    out.push_str(&closing(report));
    out
}

/// One line for each check and diagnosis: a mailbox that is well is counted, one that is not is named.
fn lines(own: &[&Finding], about: About, out: &mut String) {
    let many = matches!(about, About::SourceMailbox | About::TargetMailbox) && own.len() > 1;
    if !many {
        for finding in own {
            line(finding, &finding.subject, &finding.detail, out);
        }
        return;
    }
    let mut groups: BTreeMap<(State, Option<Cause>), Vec<&Finding>> = BTreeMap::new();
    for finding in own {
        let key = (finding.state, finding.cause);
        groups.entry(key).or_default().push(finding);
    }
    for ((state, _), findings) in groups {
        let all = findings.len() == own.len();
        let subject = match (all, findings.len()) {
            (true, n) => format!("all {n}"),
            (false, n) => format!("{n} of {}", own.len()),
        };
        let same = findings.iter().all(|f| f.detail == findings[0].detail);
        let detail = match (state, same) {
            (State::Ok, false) => span(&findings),
            (_, true) => findings[0].detail.clone(),
            (_, false) => format!("{}; and others", findings[0].detail),
        };
        line(findings[0], &subject, &detail, out);
        if matches!(state, State::Warn | State::Fail) {
            for finding in findings.iter().take(SHOWN) {
                let _ = writeln!(out, "{:38}{}", "", finding.subject);
            }
            if findings.len() > SHOWN {
                let more = findings.len() - SHOWN;
                let _ = writeln!(out, "{:38}and {more} more; --json lists them", "");
            }
        }
    }
}

/// What many good answers have in common: the first and the last in order.
fn span(findings: &[&Finding]) -> String {
    let first = findings.first().map_or("", |f| f.detail.as_str());
    format!("e.g. {first}")
}

fn line(finding: &Finding, subject: &str, detail: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "  {:<12}{:<24}{subject}: {detail}",
        finding.state.word().replace('_', " "),
        finding.check.id(),
    );
}

fn rights(report: &Report, out: &mut String) {
    let _ = writeln!(
        out,
        "Rights of the application      held by the token  proved by a call  needed"
    );
    for row in &report.rights {
        let word = |yes: bool| if yes { "yes" } else { "no" };
        let held = row.held.map_or("not shown", word);
        let _ = writeln!(
            out,
            "  {:<29}{held:<19}{:<18}{}",
            row.role,
            word(row.used),
            word(row.needed)
        );
    }
    out.push('\n');
}

/// Each diagnosis once, with the remedy of its first subject.
fn remedies(report: &Report, out: &mut String) {
    let mut seen: Vec<(Check, Cause, &str)> = Vec::new();
    let mut number = 0;
    for weight in [State::Fail, State::Warn] {
        for finding in &report.findings {
            let Some(cause) = finding.cause.filter(|_| finding.state == weight) else {
                continue;
            };
            // What to do about items that have no form depends on what they are.
            let own = match cause {
                Cause::NoTypedForm | Cause::ClassRefused | Cause::TypedRefused => {
                    finding.remedy.as_str()
                }
                _ => "",
            };
            if seen.contains(&(finding.check, cause, own)) || finding.remedy.is_empty() {
                continue;
            }
            seen.push((finding.check, cause, own));
            number += 1;
            let _ = writeln!(
                out,
                "{number}. {} {} ({}), {}\n   {}",
                weight.word(),
                finding.check.id(),
                cause.word(),
                finding.subject,
                finding.remedy
            );
        }
    }
    if number > 0 {
        out.push('\n');
    }
}

fn verdict(report: &Report, out: &mut String) {
    let route = &report.route;
    let word = match (route.rule, route.fast_transfer) {
        (RouteRule::Typed, _) => "Route typed",
        (_, FastTransfer::Works) => "FastTransfer works",
        (_, FastTransfer::Refused) => "FastTransfer is refused",
        (_, FastTransfer::NotProven) => "FastTransfer is not proven",
    };
    let _ = writeln!(out, "{word}: {}.", route.detail);
    if route.by_class().next().is_some() {
        let _ = writeln!(
            out,
            "What items lose that are carried by their class: mailferry losses."
        );
    }
}

fn closing(report: &Report) -> String {
    let (looked, planned) = report.mailboxes;
    let sample = if looked < planned {
        format!(" of {planned} in the plan: a sample")
    } else {
        String::new()
    };
    format!(
        "{looked} mailboxes looked at{sample}. {} checks are well, {} need attention, {} failed, {} were not made.\n",
        report.count(State::Ok),
        report.count(State::Warn),
        report.count(State::Fail),
        report.count(State::NotChecked),
    )
}
