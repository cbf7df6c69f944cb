//! The timeline as a picture: per server, the vulnerabilities that were known to be used as bars over the days, and the builds as marks. SVG, read
//! without colour too: open bars are filled, ended ones are outlined, unknown ones are dashed.

use std::fmt::Write as _;

use jiff::civil::Date;
use serde_json::Value;

use super::section::list;
use super::server::days_between;
use crate::base::html::escape;

/// Width of the days, in pixels.
const WIDTH: f64 = 640.0;
/// Width of the names beside them.
const NAMES: f64 = 220.0;
/// Height of a bar with its gap.
const LANE: f64 = 18.0;
/// Lines on which the labels of builds stand in turn.
const MARK_ROWS: usize = 3;
/// Bars of one server; what is more is counted in words.
const LANES_MAX: usize = 40;

struct Bar {
    name: String,
    from: Date,
    to: Date,
    how: &'static str,
    days: Option<u64>,
}

/// The picture of every server; empty where none has a bar.
pub(super) fn timeline(document: &Value) -> String {
    let Some(today) = day(&document["today"]) else {
        return String::new();
    };
    let mut out = String::new();
    for server in list(document, "servers") {
        let bars = bars(server, today);
        if !bars.is_empty() {
            one(&mut out, server, &bars, today);
        }
    }
    out
}

fn day(value: &Value) -> Option<Date> {
    value.as_str()?.parse().ok()
}

fn bars(server: &Value, today: Date) -> Vec<Bar> {
    let used = list(server, "cves").filter(|v| v["exploited"] == true);
    used.filter_map(|v| {
        let from = day(&v["exposed_since"]).filter(|from| *from <= today)?;
        let (to, how) = match (v["state"].as_str()?, day(&v["exposed_until"])) {
            ("vulnerable", _) => (today, "open"),
            ("unknown", _) => (today, "not known"),
            (_, Some(until)) => (until, "ended"),
            _ => return None,
        };
        let alias = v["alias"].as_str().filter(|alias| !alias.is_empty());
        let cve = v["cve"].as_str()?;
        Some(Bar {
            name: alias.map_or_else(|| cve.to_owned(), |alias| format!("{cve} {alias}")),
            from,
            to: to.max(from),
            how,
            days: v["exposed_days"].as_u64(),
        })
    })
    .collect()
}

fn one(out: &mut String, server: &Value, bars: &[Bar], today: Date) {
    let shown = &bars[..bars.len().min(LANES_MAX)];
    let installed =
        list(server, "history").filter_map(|h| Some((day(&h["installed"])?, h["build"].as_str()?)));
    let marks: Vec<(Date, &str)> = installed.collect();
    let first = shown
        .iter()
        .map(|bar| bar.from)
        .chain(marks.iter().map(|mark| mark.0))
        .min()
        .unwrap_or(today);
    let span = f64::from(days_between(first, today).max(1));
    let x = |day: Date| NAMES + WIDTH * f64::from(days_between(first, day)) / span;
    let lanes = f64::from(u32::try_from(shown.len()).unwrap_or(0));
    // Labels of builds that came soon after one another stand on three lines.
    let rows = u32::try_from(marks.len().min(MARK_ROWS)).unwrap_or(0);
    let marked = 12.0 * f64::from(rows) + if rows == 0 { 0.0 } else { 4.0 };
    let height = marked + lanes * LANE + 30.0;
    let name = escape(server["name"].as_str().unwrap_or("a server"));
    let label = words(&name, bars);
    let full = NAMES + WIDTH + 80.0;
    writeln!(
        out,
        "<figure><svg role=\"img\" viewBox=\"0 0 {full:.0} {height:.0}\" width=\"100%\" font-family=\"sans-serif\" font-size=\"11\" fill=\"currentColor\">\
         <title>{label}</title>"
    )
    .expect("a string grows");
    for (row, (at, build)) in (0..MARK_ROWS).cycle().zip(&marks) {
        let left = x(*at);
        writeln!(
            out,
            "<line x1=\"{left:.1}\" y1=\"4\" x2=\"{left:.1}\" y2=\"{:.1}\" stroke=\"#2e86c1\" stroke-dasharray=\"2 3\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#2e86c1\">{}</text>",
            height - 26.0,
            left + 2.0,
            12.0 + 12.0 * f64::from(u32::try_from(row).unwrap_or(0)),
            escape(build)
        )
        .expect("a string grows");
    }
    for (n, bar) in (0_u32..).zip(shown) {
        lane(
            out,
            bar,
            marked + f64::from(n) * LANE,
            x(bar.from),
            x(bar.to),
        );
    }
    let base = height - 22.0;
    writeln!(
        out,
        "<line x1=\"{NAMES}\" y1=\"{base:.1}\" x2=\"{:.1}\" y2=\"{base:.1}\" stroke=\"currentColor\"/>\
         <text x=\"{NAMES}\" y=\"{:.1}\">{first}</text><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{today}</text>",
        NAMES + WIDTH,
        base + 14.0,
        NAMES + WIDTH,
        base + 14.0
    )
    .expect("a string grows");
    writeln!(out, "</svg><figcaption>{label}</figcaption></figure>").expect("a string grows");
}

fn lane(out: &mut String, bar: &Bar, top: f64, from: f64, to: f64) {
    let look = match bar.how {
        "open" => "fill=\"#b03a2e\" stroke=\"#b03a2e\"",
        "ended" => "fill=\"none\" stroke=\"#b03a2e\"",
        _ => "fill=\"none\" stroke=\"#7f8c8d\" stroke-dasharray=\"4 3\"",
    };
    let days = match bar.days {
        Some(days) => format!("{days} days"),
        None => "not known".to_owned(),
    };
    writeln!(
        out,
        "<text x=\"0\" y=\"{:.1}\">{}</text><rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"10\" {look}/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{days}</text>",
        top + 13.0,
        escape(&bar.name),
        top + 4.0,
        (to - from).max(2.0),
        to + 4.0,
        top + 13.0
    )
    .expect("a string grows");
}

/// The picture in words.
fn words(name: &str, bars: &[Bar]) -> String {
    let count = |how: &str| bars.iter().filter(|bar| bar.how == how).count();
    let more = bars.len().saturating_sub(LANES_MAX);
    let rest = if more > 0 {
        format!("; {more} more are not drawn")
    } else {
        String::new()
    };
    format!(
        "{name}: vulnerabilities that attackers are known to use. Filled: open until today ({}). Outlined: ended by an update ({}). Dashed: the \
         build does not decide ({}){rest}.",
        count("open"),
        count("ended"),
        count("not known")
    )
}
