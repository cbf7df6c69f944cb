//! A plan as one HTML page: verdict, calendar of nights, rights with what is cut, sizes, findings. No script, no network, light and dark,
//! printable on A4.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::plan_picture;
use crate::base::html::escape;
use crate::base::id::MailboxId;
use crate::base::quantity::{Bytes, Count};
use crate::plan::document::Plan;
use crate::plan::draft::Draft;
use crate::plan::explain::{
    cut_grant, cut_notice, last_night, name, reminder_line, route_lines, span,
};
use crate::plan::forecast::tenths_of_hours;
use crate::plan::inventory::Inventory;
use crate::plan::lint::{Finding, Severity};
use crate::plan::nights::Bar;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#59636e;--paper:#fff;--line:#d1d9e0;--mark:#f6f8fa;--bar:#0969da;--ahead:#8250df;--delta:#1a7f37;--cut:#b42318;--tie:#8c959f}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--paper:#0d1117;--line:#3d444d;--mark:#151b23;--bar:#4493f8;--ahead:#ab7df8;--delta:#3fb950;--cut:#f97066;--tie:#656c76}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.25rem;max-width:68rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.25rem 0 .25rem;overflow-wrap:anywhere}
p{margin:.5rem 0}.dim{color:var(--dim);overflow-wrap:anywhere}
.verdict{border-left:.4rem solid var(--delta);background:var(--mark);padding:.75rem 1rem;font-size:1.1rem;font-weight:600}
.verdict.open{border-color:var(--cut)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;overflow-wrap:break-word}
th{color:var(--dim);font-weight:600}.n{text-align:right;white-space:nowrap}
.error{color:var(--cut);font-weight:600}.meter{min-width:6rem}.meter div{background:var(--bar);height:.6rem;margin-top:.4rem}
svg{display:block;width:100%;min-width:38rem;height:auto;font:12px system-ui,sans-serif}
svg text{fill:var(--ink)}svg .wave{fill:var(--dim)}svg circle{fill:var(--ink)}
.window{fill:var(--mark);stroke:var(--line)}.hour{stroke:var(--line)}.slow{opacity:.4}
.whole rect{fill:var(--bar)}.ahead rect{fill:var(--ahead)}.delta rect{fill:var(--delta)}
.tie,.cut{fill:none;stroke:var(--tie);stroke-width:1.2}.cut{stroke:var(--cut);stroke-width:2;stroke-dasharray:5 3}
.key span{display:inline-block;width:.8rem;height:.8rem;margin:0 .3rem 0 .8rem;vertical-align:-.05rem}
@media print{@page{size:A4;margin:14mm}:root{--ink:#000;--dim:#444;--paper:#fff;--line:#bbb;--mark:#f4f4f4;--bar:#0969da;--ahead:#8250df;--delta:#1a7f37;--cut:#b42318;--tie:#777}
body{max-width:none;padding:0;font-size:9.5pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}.wide{overflow:visible}svg{min-width:0}
tr,figure,.verdict{break-inside:avoid}h2,h3{break-after:avoid}}
figure{margin:0 0 1rem}
";

/// Nights drawn; a longer plan is cut here, and says so.
const NIGHTS_SHOWN: usize = 120;
/// Rows of a table; the rest is counted.
const ROWS_SHOWN: usize = 400;

/// Renders the page. The same plan gives the same bytes.
pub fn page(plan: &Plan, draft: &Draft, inventory: &Inventory, findings: &[Finding]) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n",
    );
    let title = escape(&plan.name);
    let _ = write!(
        out,
        "<title>{title} – migration plan</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Migration plan: {title}</h1>\n"
    );
    let _ = writeln!(
        out,
        "<p class=\"dim\">Plan {}</p>",
        escape(plan.hash().as_str())
    );
    verdict(&mut out, draft, findings);
    route(&mut out, plan);
    calendar(&mut out, draft);
    rights(&mut out, draft, inventory);
    sizes(&mut out, draft);
    lint(&mut out, findings);
    excluded(&mut out, draft, inventory);
    out.push_str("<h2>What the hours rest on</h2>\n<ul>\n");
    for line in &draft.assumptions {
        let _ = writeln!(out, "<li>{}</li>", escape(line));
    }
    out.push_str("</ul>\n</main>\n</body>\n</html>\n");
    out
}

fn verdict(out: &mut String, draft: &Draft, findings: &[Finding]) {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    let bytes: Bytes = draft
        .estate
        .movers
        .iter()
        .map(|mover| mover.load.bytes)
        .sum();
    let items: Count = draft
        .estate
        .movers
        .iter()
        .map(|mover| mover.load.items)
        .sum();
    let (low, high) = draft.secs();
    let class = if errors > 0 {
        "verdict open"
    } else {
        "verdict"
    };
    let _ = writeln!(
        out,
        "<p class=\"{class}\">{} mailboxes in {} waves; {} errors to clear before the first night; {} rights cut.</p>",
        Count::new(draft.estate.movers.len() as u64),
        Count::new(draft.waves.len() as u64),
        Count::new(errors as u64),
        Count::new(draft.cuts.len() as u64)
    );
    let _ = writeln!(
        out,
        "<p>{bytes} in {items} items; {} to {} hours of work, one wave after the other; {}.</p>",
        tenths_of_hours(low),
        tenths_of_hours(high),
        escape(&last_night(draft))
    );
}

/// How items travel, and what they lose where it is not as streams.
fn route(out: &mut String, plan: &Plan) {
    let (line, losses) = route_lines(plan.target.route, plan.target.has_import());
    let _ = writeln!(out, "<p class=\"dim\">{}</p>", escape(&line));
    if let Some(line) = reminder_line(plan.target.route, plan.target.reminders) {
        let _ = writeln!(out, "<p class=\"dim\">{}</p>", escape(&line));
    }
    if losses.is_empty() {
        return;
    }
    out.push_str("<ul>\n");
    for line in losses {
        let _ = writeln!(out, "<li>{}</li>", escape(&line));
    }
    out.push_str("</ul>\n");
}

/// Opens a table.
fn open(out: &mut String, headers: &[&str]) {
    out.push_str("<div class=\"wide\"><table><thead><tr>");
    for header in headers {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(header));
    }
    out.push_str("</tr></thead><tbody>\n");
}

/// Closes a table of `all` rows.
fn close(out: &mut String, all: usize) {
    out.push_str("</tbody></table></div>\n");
    if all > ROWS_SHOWN {
        let _ = writeln!(
            out,
            "<p class=\"dim\">and {} more: <code>mailferry plan --json</code> lists all</p>",
            Count::new((all - ROWS_SHOWN) as u64)
        );
    }
}

fn calendar(out: &mut String, draft: &Draft) {
    out.push_str("<h2>Nights</h2>\n<p class=\"dim key\">Each bar is a mailbox in its night: solid to the fast end of its range, light to the slow end.<span style=\"background:var(--bar)\"></span>all of it<span style=\"background:var(--ahead)\"></span>copied ahead<span style=\"background:var(--delta)\"></span>what changed since</p>\n");
    let mut nights: BTreeMap<usize, Vec<Bar>> = BTreeMap::new();
    for bar in draft.waves.iter().flat_map(|wave| &wave.bars) {
        nights.entry(bar.night).or_default().push(*bar);
    }
    for (night, bars) in nights.iter().take(NIGHTS_SHOWN) {
        let wave = draft.waves.iter().find(|wave| wave.night == Some(*night));
        let when = match draft.nights.get(*night) {
            Some(found) if draft.dated => span(found, &draft.time_zone),
            _ => draft.night_name(*night),
        };
        let what = wave.map_or_else(
            || "only mailboxes copied ahead".to_owned(),
            |wave| {
                format!(
                    "{}: {} mailboxes, {} to {} h of work",
                    wave.name,
                    wave.members.len(),
                    tenths_of_hours(wave.secs.0),
                    tenths_of_hours(wave.secs.1)
                )
            },
        );
        let _ = writeln!(
            out,
            "<h3>{}</h3>\n<p class=\"dim\">{}</p>\n<figure class=\"wide\">",
            escape(&when),
            escape(&what)
        );
        out.push_str(&plan_picture::night(draft, *night, bars));
        out.push_str("</figure>\n");
    }
    if nights.len() > NIGHTS_SHOWN {
        let _ = writeln!(
            out,
            "<p class=\"dim\">and {} more nights</p>",
            Count::new((nights.len() - NIGHTS_SHOWN) as u64)
        );
    }
    for wave in draft.waves.iter().filter(|wave| wave.night.is_none()) {
        let _ = writeln!(
            out,
            "<p class=\"error\">{}: no night has room for it</p>",
            escape(&wave.name)
        );
    }
}

fn rights(out: &mut String, draft: &Draft, inventory: &Inventory) {
    out.push_str("<h2>Who works with whom</h2>\n");
    if draft.estate.links.is_empty() {
        out.push_str("<p>The inventory names no rights between mailboxes.</p>\n");
        return;
    }
    out.push_str("<p class=\"dim key\"><span style=\"background:var(--tie)\"></span>kept together<span style=\"background:var(--cut)\"></span>cut: the two change over in different nights</p>\n<figure class=\"wide\">\n");
    let (picture, left_out) = plan_picture::arcs(draft, inventory);
    out.push_str(&picture);
    out.push_str("</figure>\n");
    if left_out > 0 {
        let _ = writeln!(
            out,
            "<p class=\"dim\">{} more mailboxes with rights are not drawn</p>",
            Count::new(left_out as u64)
        );
    }
    if draft.cuts.is_empty() {
        out.push_str("<p>No right is cut.</p>\n");
        return;
    }
    open(
        out,
        &[
            "right",
            "who has it",
            "wave",
            "in whose mailbox",
            "wave",
            "what they notice",
        ],
    );
    let wave = |at: Option<usize>| {
        at.and_then(|at| draft.waves.get(at))
            .map_or("stays", |wave| wave.name.as_str())
    };
    for cut in draft.cuts.iter().take(ROWS_SHOWN) {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&cut_grant(inventory, cut)),
            escape(name(inventory, cut.trustee)),
            escape(wave(cut.trustee_wave)),
            escape(name(inventory, cut.owner)),
            escape(wave(cut.owner_wave)),
            cut_notice(inventory, cut)
        );
    }
    close(out, draft.cuts.len());
}

fn sizes(out: &mut String, draft: &Draft) {
    out.push_str("<h2>Sizes</h2>\n");
    open(
        out,
        &[
            "mailbox", "use", "wave", "items", "size", "", "hours", "limit",
        ],
    );
    let mut rows: Vec<(u32, &str)> = Vec::new();
    for wave in &draft.waves {
        rows.extend(
            wave.members
                .iter()
                .map(|place| (*place, wave.name.as_str())),
        );
    }
    let load = |place: u32| draft.estate.movers[place as usize].load;
    rows.sort_by_key(|(place, _)| (std::cmp::Reverse(load(*place).bytes), *place));
    let largest = rows
        .first()
        .map_or(1, |(place, _)| load(*place).bytes.get().max(1));
    for (place, wave) in rows.iter().take(ROWS_SHOWN) {
        let (mover, times) = (
            &draft.estate.movers[*place as usize],
            draft.times[*place as usize],
        );
        let percent = u128::from(mover.load.bytes.get()) * 100 / u128::from(largest);
        let size = if mover.counted {
            mover.load.bytes.to_string()
        } else {
            "unknown".to_owned()
        };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{size}</td><td class=\"meter\"><div style=\"width:{percent}%\"></div></td><td class=\"n\">{} to {}</td><td>{}</td></tr>",
            escape(mover.source.reveal()),
            mover.purpose.word(),
            escape(wave),
            mover.load.items,
            tenths_of_hours(times.fast),
            tenths_of_hours(times.slow),
            times.why
        );
    }
    close(out, rows.len());
}

fn lint(out: &mut String, findings: &[Finding]) {
    out.push_str("<h2>Findings</h2>\n");
    if findings.is_empty() {
        out.push_str("<p>None.</p>\n");
        return;
    }
    open(
        out,
        &[
            "severity",
            "check",
            "mailbox",
            "what was seen",
            "what to do",
        ],
    );
    for finding in findings.iter().take(ROWS_SHOWN) {
        let word = finding.severity.word();
        let _ = writeln!(
            out,
            "<tr><td class=\"{word}\">{word}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            finding.check,
            escape(finding.mailbox.as_ref().map_or("", MailboxId::reveal)),
            escape(&finding.evidence),
            escape(finding.remedy)
        );
    }
    close(out, findings.len());
}

fn excluded(out: &mut String, draft: &Draft, inventory: &Inventory) {
    if draft.estate.excluded.is_empty() {
        return;
    }
    out.push_str("<h2>What stays</h2>\n");
    open(out, &["mailbox", "rule"]);
    for excluded in draft.estate.excluded.iter().take(ROWS_SHOWN) {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td></tr>",
            escape(name(inventory, excluded.record)),
            escape(excluded.rule)
        );
    }
    close(out, draft.estate.excluded.len());
}
