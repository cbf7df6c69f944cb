//! The tables of a report as CSV, in UTF-8 with a mark that spreadsheets know it by. Numbers are plain digits.

use super::paper::{ExceptionPart, PUBLISHED, Paper};
use crate::base::losses::{Family, family_of};
use crate::base::quantity::Count;
use crate::evidence::balance::Totals;
use crate::report::words;

/// The names of the tables, which are parts of their file names.
pub const TABLES: [&str; 4] = ["mailboxes", "folders", "exceptions", "runs"];

/// Spreadsheets take a file without it for one of an old code page.
const MARK: &str = "\u{FEFF}";

/// The tables, in the order of [`TABLES`].
pub fn tables(paper: &Paper) -> [String; 4] {
    [
        table(mailboxes(paper)),
        table(folders(paper)),
        table(exceptions(paper)),
        table(runs(paper)),
    ]
}

/// The name of the table of what travelled by the typed route.
pub const BY_CLASS: &str = "carried-by-class";

/// That table; `None` where nothing did.
pub fn by_class(paper: &Paper) -> Option<String> {
    let mut out = vec![header(["job", "mailbox", "class", "items", "family"])];
    for own in &paper.mailboxes {
        out.extend(own.by_class.iter().map(|(class, n)| {
            vec![
                own.job.clone(),
                own.mailbox.clone(),
                class.as_str().to_owned(),
                n.get().to_string(),
                family_of(class.as_str()).map_or("", Family::key).to_owned(),
            ]
        }));
    }
    (out.len() > 1).then(|| table(out))
}

fn table(rows: Vec<Vec<String>>) -> String {
    let mut out = csv::Writer::from_writer(MARK.as_bytes().to_vec());
    for row in rows {
        out.write_record(row.iter().map(|cell| harmless(cell)))
            .expect("rows of one length into memory");
    }
    let bytes = out.into_inner().expect("memory takes everything");
    String::from_utf8(bytes).expect("made of text")
}

/// A cell that a spreadsheet does not take for a formula: folders bear the names their users gave them.
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

fn header<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn bucket_names(row: &mut Vec<String>) {
    row.extend(words::BUCKETS.map(|bucket| words::bucket_key(bucket).to_owned()));
    row.extend(header(["unexplained", "bytes", "carried"]));
}

fn numbers(totals: &Totals, row: &mut Vec<String>) {
    row.push(totals.source.get().to_string());
    row.extend(words::BUCKETS.map(|bucket| totals.of(bucket).get().to_string()));
    let rest = [
        totals.unexplained().get(),
        totals.bytes.get(),
        totals.carried.get(),
    ];
    row.extend(rest.map(|n| n.to_string()));
}

fn mailboxes(paper: &Paper) -> Vec<Vec<String>> {
    let mut head = header(["job", "mailbox", "target", "phase", "source"]);
    bucket_names(&mut head);
    head.push("in_left_out_folders".to_owned());
    let mut out = vec![head];
    for own in &paper.mailboxes {
        let mut row = vec![
            own.job.clone(),
            own.mailbox.clone(),
            own.target.clone(),
            words::phase_key(own.phase).to_owned(),
        ];
        numbers(&own.totals, &mut row);
        row.push(own.totals.left_out.get().to_string());
        out.push(row);
    }
    out
}

fn folders(paper: &Paper) -> Vec<Vec<String>> {
    let mut head = header(["job", "mailbox", "folder", "left_out", "source"]);
    bucket_names(&mut head);
    let mut out = vec![head];
    for own in &paper.mailboxes {
        for folder in &own.folders {
            let rule = folder.left_out.map_or("", |rule| rule.name());
            let mut row = vec![
                own.job.clone(),
                own.mailbox.clone(),
                folder.path.clone(),
                rule.to_owned(),
            ];
            let balance = &folder.balance;
            let totals = Totals {
                source: balance.source,
                buckets: balance.buckets.clone(),
                bytes: balance.bytes,
                carried: balance.carried,
                ..Totals::default()
            };
            numbers(&totals, &mut row);
            if folder.left_out.is_some() {
                // What stays by rule is not part of the difference.
                let at = row.len() - 3;
                "0".clone_into(&mut row[at]);
            }
            out.push(row);
        }
    }
    out
}

fn exceptions(paper: &Paper) -> Vec<Vec<String>> {
    let mut out = vec![header([
        "job", "mailbox", "folder", "item", "class", "state", "why",
    ])];
    for own in &paper.mailboxes {
        let listed = own.exceptions.iter().chain(&own.leftovers);
        out.extend(listed.map(|one| {
            let ExceptionPart {
                folder,
                item,
                class,
                bucket,
                why,
            } = one.clone();
            let state = bucket
                .map_or("left_the_source", words::bucket_key)
                .to_owned();
            vec![
                own.job.clone(),
                own.mailbox.clone(),
                folder,
                item,
                class,
                state,
                why,
            ]
        }));
    }
    out
}

fn runs(paper: &Paper) -> Vec<Vec<String>> {
    let mut out = vec![header([
        "run",
        "began",
        "ended",
        "took_ms",
        "items",
        "items_per_hour",
        "carried_bytes",
        "sent_bytes",
        "source_calls",
        "target_calls",
        "throttled",
        "busiest_upload_bytes_in_5_min",
        "published_upload_bytes_in_5_min",
        "busiest_requests_in_10_min",
        "published_requests_in_10_min",
        "exit",
    ])];
    for run in &paper.runs {
        let mut row = vec![
            run.run.clone(),
            run.began.clone().unwrap_or_default(),
            run.ended.clone().unwrap_or_default(),
        ];
        if let Some(figures) = &run.figures {
            let rate = figures.items_per_hour().map(Count::get);
            row.push(figures.took.get().to_string());
            row.push(figures.confirmed.get().to_string());
            row.push(rate.map_or_else(String::new, |n| n.to_string()));
            let rest = [
                figures.carried.get(),
                figures.sent.get(),
                figures.source_calls.get(),
                figures.target_calls.get(),
                figures.throttled.get(),
                figures.busiest_upload.get(),
                PUBLISHED.0.get(),
                figures.busiest_requests.get(),
                PUBLISHED.1.get(),
                figures.exit.into(),
            ];
            row.extend(rest.map(|n| n.to_string()));
        }
        row.resize(16, String::new());
        out.push(row);
    }
    out
}
