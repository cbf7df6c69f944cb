//! The parts of the page below the verdict.

use super::page::{Column, Page, ROWS_MAX};
use super::paper::{ExceptionPart, MailboxPart, PUBLISHED, Paper, percent, share};
use super::words::{civil, count};
use crate::base::fact::{Bucket, JobPhase};
use crate::base::html::escape;
use crate::base::quantity::Count;
use crate::evidence::balance::Totals;
use crate::evidence::runs::RunNote;
use crate::report::words;
use Column::{Number, Short, Words};

/// Mailboxes whose folders are on the page; those of the others are in the CSV. 300 mailboxes of 30 folders are 9,000 rows.
const MAILBOXES_MAX: usize = 300;

fn headers(first: &'static str, shown: &[Bucket]) -> Vec<Column> {
    let mut headers = vec![Words(first), Number("source")];
    headers.extend(shown.iter().map(|bucket| Number(words::bucket(*bucket))));
    headers.push(Number("difference"));
    headers
}

fn numbers(first: String, totals: &Totals, shown: &[Bucket]) -> Vec<String> {
    let mut cells = vec![first, totals.source.to_string()];
    cells.extend(shown.iter().map(|bucket| totals.of(*bucket).to_string()));
    cells.push(totals.unexplained().to_string());
    cells
}

pub(super) fn balance(out: &mut Page, paper: &Paper) {
    out.line("<h2>Balance</h2>");
    if paper.mailboxes.is_empty() {
        out.say("No mailbox was begun.");
        return;
    }
    out.say(
        "Every source item is in exactly one column; the source's number minus all columns is the difference, which must be 0. Columns nobody is \
         in are left out.",
    );
    out.balance(paper);
    let totals = &paper.totals;
    let shown = words::shown(totals);
    out.open("Balance of each mailbox", &headers("mailbox", &shown));
    for own in paper.mailboxes.iter().take(ROWS_MAX) {
        out.row(&numbers(own.label.clone(), &own.totals, &shown));
    }
    out.sum(&numbers("all".to_owned(), totals, &shown));
    out.close();
    out.more(paper.mailboxes.len(), "mailboxes");
    out.say(&format!(
        "The source lists {} for these items; {} of item streams arrived. {} items in folders that stay by rule were not carried.",
        totals.bytes, totals.carried, totals.left_out
    ));
    proof(out, paper);
}

fn proof(out: &mut Page, paper: &Paper) {
    let Some(proof) = &paper.proof else {
        out.line("<h3>Verification</h3>");
        out.line("<p>Both sides have not been listed again since: run <code>mailferry verify</code>.</p>");
        return;
    };
    out.line("<h3>Verification</h3>");
    out.say(
        "The balance above is what this program recorded. The verification listed both sides again, apart from it.",
    );
    out.open("Verification", &[Words("what"), Words("found")]);
    let mut row = |what: &str, found: String| out.row(&[what.to_owned(), found]);
    row("grade", proof.grade.clone());
    row("level", proof.level.clone());
    if let Some(at) = &proof.at {
        row("ended", civil(at));
    }
    row(
        "source items",
        format!(
            "{} listed: {} found on the target, {} explained, {} unexplained",
            proof.source, proof.confirmed, proof.explained, proof.unexplained
        ),
    );
    if let Some(content) = &proof.content {
        let by_route = match content.by_route {
            Count::ZERO => String::new(),
            n => format!(", {n} the same but for documented effects of the route"),
        };
        row(
            "content",
            format!(
                "{} of {} compared ({}): {} the same{by_route}, {} different, {} not comparable",
                content.compared,
                content.of,
                content.scope,
                content.same,
                content.differing,
                content.not_comparable
            ),
        );
    }
    row(
        "target items without a counterpart",
        format!(
            "{}, of which {} are explained",
            proof.extra, proof.extra_explained
        ),
    );
    if let Some(covers) = &proof.covers {
        row(
            "covers",
            format!(
                "{} of the source, listed from {} to {}",
                count(covers.folders, "folder", "folders"),
                civil(&covers.from),
                civil(&covers.to)
            ),
        );
        row("watermark", covers.watermark.clone());
    }
    out.close();
    if proof.stale.is_empty() {
        return;
    }
    out.line("<h3>Folders the verification no longer covers</h3>");
    let columns = [Words("mailbox"), Words("folder"), Words("why")];
    out.open("Folders no longer covered", &columns);
    for one in proof.stale.iter().take(ROWS_MAX) {
        out.row(&[one.label.clone(), one.folder.clone(), one.why.to_owned()]);
    }
    out.close();
}

pub(super) fn not_proven(out: &mut Page, paper: &Paper) {
    out.line("<h2>What this report does not prove</h2>\n<ul>");
    for sentence in paper.not_proven() {
        out.line(&format!("<li>{}</li>", escape(&sentence)));
    }
    out.line("</ul>");
}

pub(super) fn exceptions(out: &mut Page, paper: &Paper) {
    out.line("<h2>Exceptions</h2>");
    let listed: Vec<_> = paper.exceptions().collect();
    if listed.is_empty() {
        out.say("Every item is simply confirmed or simply waits to be carried; there are no exceptions.");
    } else {
        out.say("Items that are neither confirmed nor simply waiting to be carried, each with its reason.");
        out.open(
            "Exceptions",
            &[
                Words("mailbox"),
                Words("folder"),
                Words("item"),
                Words("class"),
                Short("state"),
                Words("why"),
            ],
        );
        for (own, one) in listed.iter().take(ROWS_MAX) {
            out.row(&[
                own.label.clone(),
                one.folder.clone(),
                one.item.clone(),
                one.class.clone(),
                one.bucket.map_or("", words::bucket).to_owned(),
                one.why.clone(),
            ]);
        }
        out.close();
        out.more(listed.len(), "exceptions");
    }
    let left: Vec<(&MailboxPart, &ExceptionPart)> = paper
        .mailboxes
        .iter()
        .flat_map(|own| own.leftovers.iter().map(move |one| (own, one)))
        .collect();
    if left.is_empty() {
        return;
    }
    out.line("<h3>Copies on the target whose items left the source</h3>");
    let columns = ["mailbox", "folder", "item", "class", "why"].map(Words);
    out.open("Copies whose items left the source", &columns);
    for (own, one) in left.iter().take(ROWS_MAX) {
        out.row(&[
            own.label.clone(),
            one.folder.clone(),
            one.item.clone(),
            one.class.clone(),
            one.why.clone(),
        ]);
    }
    out.close();
    out.more(left.len(), "exceptions");
}

pub(super) fn findings(out: &mut Page, paper: &Paper) {
    let Some(proof) = paper.proof.as_ref().filter(|own| !own.findings.is_empty()) else {
        return;
    };
    out.line("<h2>Differences the verification found</h2>");
    out.open(
        "Differences",
        &[
            Words("mailbox"),
            Words("folder"),
            Words("item"),
            Words("what"),
            Short("explained"),
            Number("items"),
        ],
    );
    for one in proof.findings.iter().take(ROWS_MAX) {
        out.row(&[
            one.label.clone(),
            one.folder.clone(),
            one.item.clone(),
            one.what.clone(),
            if one.explained { "yes" } else { "no" }.to_owned(),
            one.items.to_string(),
        ]);
    }
    out.close();
    if proof.findings.len() > ROWS_MAX {
        let more = Count::new((proof.findings.len() - ROWS_MAX) as u64);
        out.say(&format!(
            "And {more} more, all of them in the JSON beside this page."
        ));
    }
}

/// The state of the source. It was escaped where it was written.
pub(super) fn posture(out: &mut Page, paper: &Paper) {
    if let Some(posture) = &paper.posture {
        out.put(&posture.html);
    }
}

pub(super) fn timeline(out: &mut Page, paper: &Paper) {
    out.line("<h2>Timeline</h2>");
    if paper.runs.is_empty() {
        out.say("No run is on record.");
        return;
    }
    out.say(&format!(
        "Runs in the order they began, times in UTC. Busiest is the mailbox that was sent most in one window, as this program counted its own calls, \
         against the limits Microsoft publishes for one mailbox: {} of upload in 5 minutes, {} requests in 10 minutes. Time is counted in slots \
         of 5 seconds, so the share said can be up to 2 % of itself too high and is never too low.",
        PUBLISHED.0, PUBLISHED.1
    ));
    out.rates(paper);
    out.open(
        "Runs",
        &[
            Words("began"),
            Words("ended"),
            Number("took"),
            Number("items"),
            Number("items per hour"),
            Number("carried"),
            Number("busiest upload in 5 min"),
            Number("busiest requests in 10 min"),
            Number("throttled"),
            Words("ended with"),
        ],
    );
    for run in paper.runs.iter().take(ROWS_MAX) {
        out.row(&run_row(run));
    }
    out.close();
    out.more(paper.runs.len(), "runs");
}

fn run_row(run: &RunNote) -> Vec<String> {
    let at = |moment: Option<&str>| moment.map_or_else(|| "not recorded".to_owned(), civil);
    let mut row = vec![at(run.began.as_deref()), at(run.ended.as_deref())];
    match &run.figures {
        None => {
            row.resize(9, "–".to_owned());
            row.push("no figures: its process died, or it is not over".to_owned());
        }
        Some(own) => {
            let of =
                |part: u64, whole: u64| share(part, Some(whole)).map_or_else(String::new, percent);
            let rate = own.items_per_hour();
            row.extend([
                own.took.to_string(),
                own.confirmed.to_string(),
                rate.map_or_else(|| "–".to_owned(), |n| n.to_string()),
                own.carried.to_string(),
                format!(
                    "{} ({})",
                    own.busiest_upload,
                    of(own.busiest_upload.get(), PUBLISHED.0.get())
                ),
                format!(
                    "{} ({})",
                    own.busiest_requests,
                    of(own.busiest_requests.get(), PUBLISHED.1.get())
                ),
                own.throttled.to_string(),
                words::exit(own.exit).to_owned(),
            ]);
        }
    }
    row
}

pub(super) fn decisions(out: &mut Page, paper: &Paper) {
    out.line("<h2>Who decided what</h2>");
    if paper.decisions.is_empty() {
        out.say(
            "Nobody has decided, waived or signed anything yet, and no run named who began it.",
        );
        return;
    }
    out.say("From the log of decisions, in which each line names the digest of the one before. Names are as people gave them; who signed is as the \
             key says.");
    out.open(
        "Decisions",
        &[Words("when"), Words("who"), Words("what"), Words("reason")],
    );
    for one in paper.decisions.iter().take(ROWS_MAX) {
        out.row(&[
            civil(&one.at),
            one.who.clone(),
            one.what.clone(),
            one.reason.clone().unwrap_or_default(),
        ]);
    }
    out.close();
    if paper.decisions.len() > ROWS_MAX {
        out.say("The JSON beside this page has the rest.");
    }
}

pub(super) fn waivers(out: &mut Page, paper: &Paper) {
    if paper.waivers.is_empty() {
        return;
    }
    out.line("<h3>Waivers</h3>");
    out.open(
        "Waivers",
        &[
            Words("waiver"),
            Words("of"),
            Number("at most"),
            Number("covers"),
            Words("asked by"),
            Words("granted by"),
            Words("reason"),
            Words("until"),
            Words("standing"),
        ],
    );
    for one in &paper.waivers {
        out.row(&[
            one.id.clone(),
            format!("{}, {}", one.subject.replace('_', " "), one.scope),
            one.at_most.to_string(),
            one.used.to_string(),
            one.asked.clone(),
            one.granted.clone().unwrap_or_else(|| "nobody".to_owned()),
            one.reason.clone(),
            one.until.clone(),
            one.standing.to_owned(),
        ]);
    }
    out.close();
    out.say("Whether a waiver counts is judged here at the last moment on record; the gate before cutover judges it anew on its day.");
}

pub(super) fn mailboxes(out: &mut Page, paper: &Paper) {
    out.line("<h2>Mailboxes by folder</h2>");
    for own in paper.mailboxes.iter().take(MAILBOXES_MAX) {
        one_mailbox(out, own);
    }
    if let Some(more) = paper.mailboxes.len().checked_sub(MAILBOXES_MAX + 1) {
        out.say(&format!(
            "And {} more mailboxes, all of them in the folders file beside this page.",
            Count::new(more as u64 + 1)
        ));
    }
}

fn one_mailbox(out: &mut Page, own: &MailboxPart) {
    out.line(&format!("<h3>{}</h3>", escape(&own.label)));
    let phase = match own.phase {
        JobPhase::Halted(cause) => format!(
            "halted: {}; {}",
            words::halt(cause),
            words::halt_remedy(cause)
        ),
        other => words::phase(other).to_owned(),
    };
    out.line(&format!(
        "<p class=\"dim\">{}, {} to {}, {}</p>",
        own.job,
        escape(&own.mailbox),
        escape(&own.target),
        escape(&phase)
    ));
    let shown = words::shown(&own.totals);
    out.open("Folders", &headers("folder", &shown));
    for folder in own.folders.iter().filter(|own| own.left_out.is_none()) {
        let totals = Totals {
            source: folder.balance.source,
            buckets: folder.balance.buckets.clone(),
            ..Totals::default()
        };
        out.row(&numbers(folder.path.clone(), &totals, &shown));
    }
    out.sum(&numbers("all".to_owned(), &own.totals, &shown));
    out.close();
    let mut stay = own
        .folders
        .iter()
        .filter_map(|folder| Some((folder, folder.left_out?)))
        .peekable();
    if stay.peek().is_none() {
        return;
    }
    out.open(
        "Folders that stay",
        &[
            Words("folder that stays"),
            Words("by rule"),
            Number("items"),
        ],
    );
    for (folder, rule) in stay {
        out.row(&[
            folder.path.clone(),
            rule.name().to_owned(),
            folder.balance.source.to_string(),
        ]);
    }
    out.close();
}

pub(super) fn limits(out: &mut Page, paper: &Paper) {
    let limits = &paper.limits;
    out.line("<h2>Limits the plan sets</h2>");
    out.open("Limits", &[Words("limit"), Words("value")]);
    let none = || "none (rehearsal)".to_owned();
    let requests = limits.target_requests_per_window;
    let upload = limits.target_upload_per_window;
    let rows = [
        (
            "calls in flight per target mailbox",
            limits.target_calls_in_flight.to_string(),
        ),
        (
            "requests per 10 minutes per target mailbox",
            requests.map_or_else(none, |n| n.to_string()),
        ),
        (
            "upload per 5 minutes per target mailbox",
            upload.map_or_else(none, |n| n.to_string()),
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
        out.row(&[name.to_owned(), value]);
    }
    out.close();
}

pub(super) fn meanings(out: &mut Page, paper: &Paper) {
    out.line("<h2>How to check this</h2>");
    if let Some(pack) = &paper.pack {
        out.say(
            "Every number here can be recomputed from the evidence pack, offline and without this program (scripts/verify_pack.py):",
        );
        out.line(&format!(
            "<pre>mailferry evidence verify {}</pre>",
            escape(&pack.name)
        ));
        out.open("Evidence pack", &[Words("what"), Words("value")]);
        for (what, value) in [
            ("SHA-256 of pack.json", pack.digest.clone()),
            ("Merkle root of the manifest", pack.root.clone()),
            ("lines of the manifest", Count::new(pack.lines).to_string()),
            ("signatures", Count::new(pack.signatures).to_string()),
        ] {
            out.row(&[what.to_owned(), value]);
        }
        out.close();
    }
    out.line("<h3>What the columns mean</h3>");
    out.open(
        "Columns",
        &[Words("column"), Words("an item is in it when")],
    );
    for bucket in words::BUCKETS {
        out.row(&[
            words::bucket(bucket).to_owned(),
            words::bucket_meaning(bucket).to_owned(),
        ]);
    }
    out.close();
    if let Some(proof) = &paper.proof {
        out.line("<h3>How grades are given</h3>");
        out.line(&format!("<pre>{}</pre>", escape(&proof.rules)));
    }
}
