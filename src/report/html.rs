//! The sign-off report as one HTML file: no script, no network, light and dark, printable, readable on a phone.

use std::fmt::Write as _;

use crate::base::fact::{Bucket, JobPhase};
use crate::base::quantity::Count;
use crate::base::spec::Realm;
use crate::evidence::balance::{FolderBalance, MailboxBalance, Totals};
use crate::evidence::grade::GRADE_RULES_TEXT;
use crate::report::document::{NOT_PROVEN, Report};
use crate::report::words;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#59636e;--paper:#fff;--line:#d1d9e0;--good:#1a7f37;--bad:#b42318;--mark:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--paper:#0d1117;--line:#3d444d;--good:#3fb950;--bad:#f97066;--mark:#151b23}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.25rem;max-width:64rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem;overflow-wrap:anywhere}h3{font-size:1rem;margin:1.25rem 0 .25rem}
p{margin:.5rem 0}.dim{color:var(--dim);overflow-wrap:anywhere}
.verdict{border-left:.4rem solid var(--bad);background:var(--mark);padding:.75rem 1rem;font-size:1.15rem;font-weight:600}
.verdict.ok{border-color:var(--good)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
th:first-child,td:first-child{text-align:left;overflow-wrap:break-word;min-width:6rem}
.words th,.words td{text-align:left;overflow-wrap:break-word}
th{color:var(--dim);font-weight:600}tr.sum td{font-weight:600}
@media print{@page{size:A4;margin:15mm}body{max-width:none;padding:0;font-size:10pt;color:#000;background:#fff}.wide{overflow:visible}
tr,.verdict{break-inside:avoid}h2,h3{break-after:avoid}}
";

/// Renders the report.
pub fn render(report: &Report<'_>) -> String {
    let mut out = Page(String::new());
    let totals = report.balance.totals();
    out.put("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.put("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    out.line(&format!(
        "<title>{} – migration report</title>",
        escape(report.name)
    ));
    out.put(&format!(
        "<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    ));
    out.line(&format!(
        "<h1>Migration report: {}</h1>",
        escape(report.name)
    ));
    let realm = match report.realm {
        Realm::Live => "live mailboxes",
        Realm::Rehearsal => "a rehearsal against the built-in lab; no real mailbox was touched",
    };
    out.line(&format!(
        "<p class=\"dim\">{realm}. Plan {}</p>",
        escape(report.plan.as_str())
    ));
    let ok = report.is_in_order();
    let class = if ok { "verdict ok" } else { "verdict" };
    out.line(&format!(
        "<p class=\"{class}\">{}</p>",
        escape(&report.verdict())
    ));
    verification(&mut out, report);
    overview(&mut out, report, &totals);
    out.line("<h2>What the columns mean</h2>");
    out.open("words", &["column", "an item is in it when"]);
    for bucket in words::BUCKETS {
        out.row(
            "",
            &[
                words::bucket(bucket).to_owned(),
                words::bucket_meaning(bucket).to_owned(),
            ],
        );
    }
    out.close();
    for mailbox in &report.balance.mailboxes {
        one_mailbox(&mut out, mailbox);
    }
    limits(&mut out, report);
    out.line("<h2>What this report does not prove</h2>\n<ul>");
    for sentence in NOT_PROVEN {
        out.line(&format!("<li>{}</li>", escape(sentence)));
    }
    out.put("</ul>\n</main>\n</body>\n</html>\n");
    out.0
}

struct Page(String);

impl Page {
    fn put(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn line(&mut self, html: &str) {
        self.0.push_str(html);
        self.0.push('\n');
    }

    fn open(&mut self, class: &str, headers: &[&str]) {
        write!(
            self.0,
            "<div class=\"wide\"><table class=\"{class}\"><thead><tr>"
        )
        .expect("a string grows");
        for header in headers {
            write!(self.0, "<th scope=\"col\">{}</th>", escape(header)).expect("a string grows");
        }
        self.put("</tr></thead><tbody>\n");
    }

    fn row(&mut self, class: &str, cells: &[String]) {
        write!(self.0, "<tr class=\"{class}\">").expect("a string grows");
        for cell in cells {
            write!(self.0, "<td>{}</td>", escape(cell)).expect("a string grows");
        }
        self.put("</tr>\n");
    }

    fn close(&mut self) {
        self.put("</tbody></table></div>\n");
    }
}

fn verification(out: &mut Page, report: &Report<'_>) {
    let Some(found) = report.verification else {
        out.line("<p>Both sides have not been listed again since: run <code>mailferry verify</code>.</p>");
        return;
    };
    let text = |key: &str| found[key].as_str().unwrap_or("?").to_owned();
    let number = |key: &str| Count::new(found[key].as_u64().unwrap_or_default());
    out.line(&format!(
        "<p>Last verification: both sides were listed again at level {}; grade <strong>{}</strong>, {} source items unexplained, {} \
         items on the target without a counterpart, of which {} are explained.</p>",
        escape(&text("level")),
        escape(&text("grade")),
        number("unexplained"),
        number("extra_on_target"),
        number("extra_explained"),
    ));
    out.line(&format!(
        "<details><summary>How grades are given</summary><pre>{}</pre></details>",
        escape(GRADE_RULES_TEXT)
    ));
}

fn numbers(totals: &Totals, shown: &[Bucket]) -> Vec<String> {
    let mut cells = vec![totals.source.to_string()];
    cells.extend(shown.iter().map(|bucket| totals.of(*bucket).to_string()));
    cells.push(totals.unexplained().to_string());
    cells
}

fn headers(first: &'static str, shown: &[Bucket]) -> Vec<&'static str> {
    let mut headers = vec![first, "source"];
    headers.extend(shown.iter().map(|bucket| words::bucket(*bucket)));
    headers.push("difference");
    headers
}

fn overview(out: &mut Page, report: &Report<'_>, totals: &Totals) {
    out.line("<h2>Balance</h2>");
    out.line(
        "<p>Every source item is in exactly one column; source minus all columns is the difference, which must be 0. Columns nobody is in are \
         left out.</p>",
    );
    let shown = words::shown(totals);
    out.open("", &headers("mailbox", &shown));
    for mailbox in &report.balance.mailboxes {
        let mut cells = vec![mailbox.source.reveal().to_owned()];
        cells.extend(numbers(&mailbox.totals(), &shown));
        out.row("", &cells);
    }
    let mut cells = vec!["all".to_owned()];
    cells.extend(numbers(totals, &shown));
    out.row("sum", &cells);
    out.close();
    out.line(&format!(
        "<p>The source lists {} for these items; {} of item streams arrived. {} items in folders that stay by rule were not carried.</p>",
        totals.bytes,
        totals.carried,
        totals.left_out
    ));
}

fn one_mailbox(out: &mut Page, mailbox: &MailboxBalance) {
    let (source, target) = (mailbox.source.reveal(), mailbox.target.reveal());
    out.line(&format!("<h2>{}</h2>", escape(source)));
    let phase = match mailbox.phase {
        JobPhase::Halted(cause) => format!(
            "halted: {}; {}",
            words::halt(cause),
            words::halt_remedy(cause)
        ),
        other => words::phase(other).to_owned(),
    };
    out.line(&format!(
        "<p class=\"dim\">{} to {}, {}</p>",
        mailbox.job,
        escape(target),
        escape(&phase)
    ));
    let shown = words::shown(&mailbox.totals());
    out.open("", &headers("folder", &shown));
    for folder in mailbox.folders.iter().filter(|f| f.left_out.is_none()) {
        let totals = Totals {
            source: folder.source,
            buckets: folder.buckets.clone(),
            ..Totals::default()
        };
        let mut cells = vec![path(folder)];
        cells.extend(numbers(&totals, &shown));
        out.row("", &cells);
    }
    let mut cells = vec!["all".to_owned()];
    cells.extend(numbers(&mailbox.totals(), &shown));
    out.row("sum", &cells);
    out.close();
    left_out(out, mailbox);
    exceptions(out, mailbox);
    leftovers(out, mailbox);
}

fn leftovers(out: &mut Page, mailbox: &MailboxBalance) {
    if mailbox.leftovers.is_empty() {
        return;
    }
    out.line("<h3>Copies on the target whose items left the source</h3>");
    out.open("words", &["folder", "item", "class", "why"]);
    for leftover in &mailbox.leftovers {
        out.row(
            "",
            &[
                leftover.folder.to_string(),
                leftover.item.to_string(),
                leftover.class.to_string(),
                leftover.why.clone(),
            ],
        );
    }
    out.close();
}

/// A folder's path; the top of the tree has none.
fn path(folder: &FolderBalance) -> String {
    if folder.path.as_str().is_empty() {
        "(top)".to_owned()
    } else {
        folder.path.to_string()
    }
}

fn left_out(out: &mut Page, mailbox: &MailboxBalance) {
    let stay: Vec<_> = mailbox
        .folders
        .iter()
        .filter_map(|folder| Some((folder, folder.left_out?)))
        .collect();
    if stay.is_empty() {
        return;
    }
    out.line("<h3>Folders that stay, by rule</h3>");
    out.open("words", &["folder", "rule", "items"]);
    for (folder, rule) in stay {
        out.row(
            "",
            &[
                path(folder),
                rule.name().to_owned(),
                folder.source.to_string(),
            ],
        );
    }
    out.close();
}

fn exceptions(out: &mut Page, mailbox: &MailboxBalance) {
    if mailbox.exceptions.is_empty() {
        return;
    }
    out.line("<h3>Items that are not simply there</h3>");
    out.open("words", &["folder", "item", "class", "state", "why"]);
    for exception in &mailbox.exceptions {
        out.row(
            "",
            &[
                exception.folder.to_string(),
                exception.item.to_string(),
                exception.class.to_string(),
                words::bucket(exception.bucket).to_owned(),
                exception.why.clone(),
            ],
        );
    }
    out.close();
}

fn limits(out: &mut Page, report: &Report<'_>) {
    let limits = report.limits;
    out.line("<h2>Limits kept</h2>");
    out.open("words", &["limit", "value"]);
    let none = || "none (rehearsal)".to_owned();
    let rows = [
        (
            "calls in flight per target mailbox",
            limits.target_calls_in_flight.to_string(),
        ),
        (
            "requests per 10 minutes per target mailbox",
            limits
                .target_requests_per_window
                .map_or_else(none, |n| n.to_string()),
        ),
        (
            "upload per 5 minutes per target mailbox",
            limits
                .target_upload_per_window
                .map_or_else(none, |n| n.to_string()),
        ),
        ("mailboxes at once", limits.mailboxes_at_once.to_string()),
        (
            "connections to the source",
            limits.source_connections.to_string(),
        ),
        (
            "wait before a missing item counts as missing",
            limits.settle.to_string(),
        ),
    ];
    for (name, value) in rows {
        out.row("", &[name.to_owned(), value]);
    }
    out.close();
}

/// Text for HTML. Control characters, which folder names may hold, are shown as symbols.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Direction marks could make a path read as another one.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => out.push('\u{FFFD}'),
            c if c.is_control() => {
                let shown = char::from_u32(0x2400 + u32::from(c)).filter(|_| u32::from(c) < 0x20);
                out.push(shown.unwrap_or('\u{FFFD}'));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::PlanHash;
    use crate::base::spec::RunLimits;
    use crate::evidence::balance::Balance;
    use crate::report::sample;

    fn page(balance: &Balance) -> String {
        let (plan, limits) = (PlanHash::new("abc"), RunLimits::default());
        render(&Report {
            name: "clinic & co",
            plan: &plan,
            realm: Realm::Live,
            limits: &limits,
            balance,
            verification: None,
        })
    }

    #[test]
    fn the_page_stands_alone_and_runs_nothing() {
        let html = page(&sample::balance());
        for foreign in [
            "<script", "http:", "https:", "src=", "url(", "@import", "<link", "onclick",
        ] {
            assert!(!html.contains(foreign), "{foreign}");
        }
        assert!(html.contains("prefers-color-scheme:dark"));
        assert!(html.contains("@page{size:A4"));
        assert!(html.contains("name=\"viewport\""));
    }

    #[test]
    fn names_are_text_and_never_markup() {
        let html = page(&sample::balance());
        assert!(html.contains("Lab\\/results &lt;b&gt;"));
        assert!(!html.contains("<b>"));
        assert!(html.contains("clinic &amp; co"));
        assert_eq!(escape("a\u{1}\u{202E}\u{7f}"), "a\u{2401}\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn the_page_names_verdict_rules_reasons_and_what_it_does_not_prove() {
        let html = page(&sample::balance());
        for said in [
            "Not finished: 1,205 of 1,249 source items",
            "the target mailbox is full",
            "sync issues",
            "TargetRefused: HTTP 400, ErrorCorruptData",
            "too many attempts",
            "What this report does not prove",
            "run <code>mailferry verify</code>",
        ] {
            assert!(html.contains(said), "{said}");
        }
        assert!(!html.contains("verdict ok"));
    }

    #[test]
    fn the_same_ledger_gives_the_same_bytes() {
        assert_eq!(page(&sample::balance()), page(&sample::balance()));
    }

    #[test]
    fn a_settled_balance_is_in_order_and_an_empty_one_is_not() {
        let mut balance = sample::balance();
        balance.mailboxes.remove(0);
        let html = page(&balance);
        assert!(html.contains("verdict ok"));
        assert!(
            html.contains("In order: 5 of 7 source items are on Microsoft 365; 2 stay by rule")
        );
        assert!(page(&Balance::default()).contains("Nothing was begun yet."));
        assert!(!page(&Balance::default()).contains("verdict ok"));
    }

    #[test]
    fn every_table_row_has_as_many_cells_as_its_head() {
        let html = page(&sample::balance());
        for table in html.split("<table").skip(1) {
            let table = table.split("</table>").next().expect("a table");
            let heads = table.matches("<th ").count();
            for row in table.split("<tr class").skip(1) {
                assert_eq!(row.matches("<td>").count(), heads, "{row}");
            }
        }
    }
}
