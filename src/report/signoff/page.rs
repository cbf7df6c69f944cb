//! The report as one HTML file: no script, no network, light and dark, printable, readable on a phone.

use std::fmt::Write as _;

use super::paper::{Edition, Paper};
use super::style::STYLE;
use super::words::{Ending, civil};
use super::{by_class, parts, picture};
use crate::base::fact::Bucket;
use crate::base::html::escape;
use crate::base::quantity::Count;
use crate::base::spec::Realm;

/// Rows of one table; the rest is counted here and listed in the CSV beside the page. 2,000 rows are 40 pages of A4.
pub(super) const ROWS_MAX: usize = 2_000;

/// Writes one part of the page.
type Part = fn(&mut Page, &Paper);

/// The parts, in the order in which somebody who decides reads them: what is shown, what is not, then the particulars. What the source's own
/// posture says stands behind the timeline: it is about the house, and not about the items.
const PARTS: [Part; 12] = [
    parts::balance,
    parts::not_proven,
    by_class::part,
    parts::exceptions,
    parts::findings,
    parts::timeline,
    parts::posture,
    parts::decisions,
    parts::waivers,
    parts::mailboxes,
    parts::limits,
    parts::meanings,
];

/// Renders the report.
pub fn render(paper: &Paper) -> String {
    let mut out = Page::default();
    let title = paper.name.as_ref().map_or_else(
        || {
            let short: String = paper.plan.chars().take(12).collect();
            format!("Migration report of plan {short}")
        },
        |name| format!("Migration report: {name}"),
    );
    out.put("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.put("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    out.put("<meta name=\"referrer\" content=\"no-referrer\">\n");
    // Nothing is loaded and nothing runs, whatever a name in it says.
    out.put("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">\n");
    out.line(&format!("<title>{}</title>", escape(&title)));
    out.put(&format!(
        "<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    ));
    head(&mut out, paper, &title);
    for part in PARTS {
        part(&mut out, paper);
    }
    out.put("</main>\n</body>\n</html>\n");
    out.text
}

fn head(out: &mut Page, paper: &Paper, title: &str) {
    out.line(&format!("<h1>{}</h1>", escape(title)));
    let realm = match paper.realm {
        Realm::Live => "Live mailboxes",
        Realm::Rehearsal => "A rehearsal against the built-in lab; no real mailbox was touched",
    };
    let edition = match paper.edition {
        Edition::Internal => "Internal: names in clear, for the house only",
        Edition::External => "External: mailboxes, folders, items and people bear pseudonyms",
    };
    out.line(&format!("<p class=\"dim\">{realm}. {edition}.</p>"));
    let records = paper
        .records
        .as_ref()
        .map(|at| format!(" Records until {}.", escape(&civil(at))))
        .unwrap_or_default();
    out.line(&format!(
        "<p class=\"dim\">Plan {}.{records}</p>",
        escape(&paper.plan)
    ));
    let ending = paper.ending();
    let (class, sign) = match ending {
        Ending::Proven => (" proven", "\u{2713}"),
        Ending::Open => ("", "\u{25CB}"),
        Ending::Wrong => (" wrong", "\u{2717}"),
    };
    out.line(&format!(
        "<p class=\"verdict{class}\"><strong><span aria-hidden=\"true\">{sign}</span> {}</strong>{}</p>",
        ending.word(),
        escape(&paper.verdict())
    ));
    out.line(&format!("<p>{}</p>", escape(&paper.open())));
    let totals = &paper.totals;
    let open: Count = super::make::OPEN
        .iter()
        .map(|bucket| totals.of(*bucket))
        .sum();
    out.line("<ul class=\"figures\">");
    for (n, what) in [
        (totals.source, "source items"),
        (totals.of(Bucket::Confirmed), "confirmed on Microsoft 365"),
        (totals.of(Bucket::Skipped), "stay by rule or decision"),
        (open, "open"),
        (totals.unexplained(), "in no column"),
    ] {
        out.line(&format!("<li><b>{n}</b><span>{what}</span></li>"));
    }
    out.line("</ul>");
}

/// A column: its name, and how it is set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// Text of any length.
    Words(&'static str),
    /// One of few words of ours.
    Short(&'static str),
    /// A number.
    Number(&'static str),
}

/// HTML as it grows.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    columns: Vec<Column>,
}

impl Page {
    /// Adds markup as it is.
    pub(super) fn put(&mut self, html: &str) {
        self.text.push_str(html);
    }

    /// Adds a line of markup as it is.
    pub(super) fn line(&mut self, html: &str) {
        self.text.push_str(html);
        self.text.push('\n');
    }

    /// Adds a paragraph of plain text.
    pub(super) fn say(&mut self, text: &str) {
        self.line(&format!("<p>{}</p>", escape(text)));
    }

    /// Opens a table. `name` is what a screen reader calls it.
    pub(super) fn open(&mut self, name: &str, columns: &[Column]) {
        let name = escape(name);
        write!(
            self.text,
            "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{name}\"><table><thead><tr>"
        )
        .expect("a string grows");
        for column in columns {
            let (class, header) = match column {
                Column::Words(header) | Column::Short(header) => ("", header),
                Column::Number(header) => (" class=\"n\"", header),
            };
            write!(
                self.text,
                "<th scope=\"col\"{class}>{}</th>",
                escape(header)
            )
            .expect("a string grows");
        }
        self.put("</tr></thead><tbody>\n");
        self.columns = columns.to_vec();
    }

    /// Adds a row of plain text; its first cell names it.
    pub(super) fn row(&mut self, cells: &[String]) {
        self.row_of("", cells);
    }

    /// Adds the row of sums.
    pub(super) fn sum(&mut self, cells: &[String]) {
        self.row_of(" class=\"sum\"", cells);
    }

    fn row_of(&mut self, class: &str, cells: &[String]) {
        debug_assert_eq!(cells.len(), self.columns.len());
        write!(self.text, "<tr{class}>").expect("a string grows");
        for (at, (cell, column)) in cells.iter().zip(&self.columns).enumerate() {
            let cell = escape(cell);
            match (at, column) {
                (0, _) => write!(self.text, "<th scope=\"row\">{cell}</th>"),
                (_, Column::Short(_)) => write!(self.text, "<td>{cell}</td>"),
                (_, Column::Words(_)) => write!(self.text, "<td class=\"w\">{cell}</td>"),
                (_, Column::Number(_)) => write!(self.text, "<td class=\"n\">{cell}</td>"),
            }
            .expect("a string grows");
        }
        self.put("</tr>\n");
    }

    /// Closes a table.
    pub(super) fn close(&mut self) {
        self.put("</tbody></table></div>\n");
        self.columns.clear();
    }

    /// Says how many rows a table left off, and where they are.
    pub(super) fn more(&mut self, all: usize, file: &str) {
        if let Some(more) = all.checked_sub(ROWS_MAX).filter(|more| *more > 0) {
            self.say(&format!(
                "And {} more, all of them in the {file} file beside this page.",
                Count::new(more as u64)
            ));
        }
    }

    /// Adds the picture of a balance.
    pub(super) fn balance(&mut self, paper: &Paper) {
        picture::balance(&mut self.text, paper);
    }

    /// Adds the picture of the runs.
    pub(super) fn rates(&mut self, paper: &Paper) {
        picture::rates(&mut self.text, paper);
    }
}
