//! The pictures of a report: SVG without script, drawn in shares of the width, so that they fit a phone and a sheet of paper alike. What a colour
//! says, a pattern says too, and every number stands in words beside its bar.

use std::fmt::Write as _;

use super::paper::{MailboxPart, PUBLISHED, Paper, percent, share};
use super::words::{civil, count};
use crate::base::fact::Bucket;
use crate::base::html::escape;
use crate::base::quantity::Count;
use crate::evidence::balance::Totals;
use crate::evidence::runs::{Figures, RunNote};
use crate::report::words;

/// Bars drawn; the others are counted in words. The table below has them all.
const BARS_MAX: usize = 60;

/// The whole width, in hundredths of a percent.
const WHOLE: u64 = 10_000;

/// The least a part of a bar is drawn, so that one item of a million is seen: 0.8 % of the width, 2 px of a phone's.
const LEAST: u64 = 80;

/// How a bucket is drawn: its pattern's name and what the pattern holds. Told apart by form and not by colour.
const fn pattern(bucket: Bucket) -> (&'static str, &'static str) {
    match bucket {
        Bucket::Confirmed => (
            "confirmed",
            "<rect class=\"solid\" width=\"8\" height=\"8\"/>",
        ),
        Bucket::Skipped => ("skipped", "<rect class=\"pale\" width=\"8\" height=\"8\"/>"),
        Bucket::Quarantined => ("quarantined", "<path class=\"line\" d=\"M2 0V8M6 0V8\"/>"),
        Bucket::Refused => (
            "refused",
            "<path class=\"line\" d=\"M-2 2L2 -2M0 8L8 0M6 10L10 6\"/>",
        ),
        Bucket::Parked => ("parked", "<path class=\"line\" d=\"M0 8L8 0M0 0L8 8\"/>"),
        Bucket::InDoubt => ("in-doubt", "<path class=\"line\" d=\"M0 2H8M0 6H8\"/>"),
        Bucket::Remaining => ("remaining", ""),
        Bucket::ChangedSince => (
            "changed",
            "<circle class=\"dot\" cx=\"4\" cy=\"4\" r=\"1.7\"/>",
        ),
    }
}

/// The balance: a bar for all items, then one for each mailbox.
pub(super) fn balance(out: &mut String, paper: &Paper) {
    let shown = words::shown(&paper.totals);
    put(
        out,
        "<div class=\"picture\">\n<svg width=\"0\" height=\"0\" aria-hidden=\"true\" style=\"position:absolute\"><defs>",
    );
    for bucket in &shown {
        let (name, inside) = pattern(*bucket);
        put(
            out,
            &format!(
                "<pattern id=\"p-{name}\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\"><rect class=\"ground\" width=\"8\" \
                 height=\"8\"/>{inside}</pattern>"
            ),
        );
    }
    put(out, "</defs></svg>\n<ul class=\"key\">");
    for bucket in &shown {
        put(
            out,
            &format!(
                "<li><svg aria-hidden=\"true\"><rect width=\"100%\" height=\"100%\" fill=\"url(#p-{})\"/><rect class=\"frame\" width=\"100%\" \
                 height=\"100%\"/></svg>{}</li>",
                pattern(*bucket).0,
                words::bucket(*bucket)
            ),
        );
    }
    put(out, "</ul>\n<ol>\n");
    if paper.mailboxes.len() > 1 {
        bar(out, "all", "All mailboxes", &paper.totals, 26);
    }
    let (drawn, more) = chosen(&paper.mailboxes);
    for own in drawn {
        bar(out, &own.job, &own.label, &own.totals, 16);
    }
    put(out, "</ol>\n");
    if more > 0 {
        put(
            out,
            &format!(
                "<p class=\"dim\">Drawn are the {BARS_MAX} mailboxes with most items that are not confirmed; the table has the other {}.</p>\n",
                Count::new(more as u64)
            ),
        );
    }
    put(
        out,
        "<p class=\"dim\">Bars are drawn in shares of each mailbox; a part with items in it is never thinner than 0.8 % of the bar.</p>\n</div>\n",
    );
}

/// The mailboxes that are drawn, in plan order, and how many are not.
fn chosen(all: &[MailboxPart]) -> (Vec<&MailboxPart>, usize) {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|at| {
        let totals = &all[*at].totals;
        let apart = totals.source.saturating_sub(totals.of(Bucket::Confirmed));
        (std::cmp::Reverse(apart), *at)
    });
    order.truncate(BARS_MAX);
    order.sort_unstable();
    let more = all.len() - order.len();
    (order.into_iter().map(|at| &all[at]).collect(), more)
}

/// The numbers of a bar, in words.
fn said(totals: &Totals) -> String {
    if totals.source == Count::ZERO {
        return "no items".to_owned();
    }
    let mut parts = vec![format!(
        "{} of {} confirmed",
        totals.of(Bucket::Confirmed),
        totals.source
    )];
    for bucket in words::BUCKETS {
        if bucket != Bucket::Confirmed && totals.of(bucket) > Count::ZERO {
            parts.push(format!("{} {}", totals.of(bucket), words::bucket(bucket)));
        }
    }
    if totals.unexplained() > Count::ZERO {
        parts.push(format!("{} unexplained", totals.unexplained()));
    }
    parts.join(", ")
}

fn bar(out: &mut String, id: &str, label: &str, totals: &Totals, height: u32) {
    let (label, said) = (escape(label), said(totals));
    put(
        out,
        &format!(
            "<li><span>{label}<small>{said}</small></span><svg role=\"img\" height=\"{height}\" aria-labelledby=\"b-{id}-t b-{id}-d\">\
             <title id=\"b-{id}-t\">Balance of {label}</title><desc id=\"b-{id}-d\">{said}</desc>"
        ),
    );
    let mut parts: Vec<(String, u64)> = words::BUCKETS
        .into_iter()
        .map(|bucket| {
            let fill = format!("fill=\"url(#p-{})\"", pattern(bucket).0);
            (fill, totals.of(bucket).get())
        })
        .collect();
    parts.push(("class=\"alarm\"".to_owned(), totals.unexplained().get()));
    let mut from = 0;
    for (fill, width) in widths(&parts) {
        put(
            out,
            &format!(
                "<rect x=\"{}\" width=\"{}\" height=\"100%\" {fill}/>",
                at(from),
                at(width)
            ),
        );
        from += width;
        if from < WHOLE {
            put(
                out,
                &format!(
                    "<line class=\"edge\" x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"100%\"/>",
                    at(from)
                ),
            );
        }
    }
    put(
        out,
        "<rect class=\"frame\" width=\"100%\" height=\"100%\"/></svg></li>\n",
    );
}

/// Parts with anything in them, and how wide each is: in proportion, none thinner than [`LEAST`], all together the whole.
fn widths<T: Clone>(parts: &[(T, u64)]) -> Vec<(T, u64)> {
    let sum: u128 = parts.iter().map(|(_, n)| u128::from(*n)).sum();
    let mut out: Vec<(T, u64)> = parts
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(fill, n)| {
            let width = u128::from(*n) * u128::from(WHOLE) / sum.max(1);
            let width = u64::try_from(width).unwrap_or(WHOLE);
            (fill.clone(), width.max(LEAST))
        })
        .collect();
    // What the thin ones take too much, or rounding leaves over, is the widest one's.
    let all: u64 = out.iter().map(|(_, width)| width).sum();
    if let Some((_, widest)) = out.iter_mut().max_by_key(|(_, width)| *width) {
        *widest = (*widest + WHOLE).saturating_sub(all);
    }
    out
}

/// Hundredths of a percent as SVG takes them.
fn at(hundredths: u64) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// The runs: of each the busiest windows against the published limits.
pub(super) fn rates(out: &mut String, paper: &Paper) {
    let skipped = paper.runs.len().saturating_sub(BARS_MAX);
    put(out, "<div class=\"picture\">\n<ol>\n");
    for (id, run) in paper.runs.iter().enumerate().skip(skipped) {
        match &run.figures {
            Some(figures) => rate(out, id, run, figures),
            None => put(
                out,
                &format!(
                    "<li><span>{}</span><span class=\"dim\">no figures on record</span></li>\n",
                    escape(&civil(run.began.as_deref().unwrap_or("a run")))
                ),
            ),
        }
    }
    put(out, "</ol>\n");
    if skipped > 0 {
        put(
            out,
            &format!(
                "<p class=\"dim\">Drawn are the last {BARS_MAX} runs; the table has the {} before them.</p>\n",
                Count::new(skipped as u64)
            ),
        );
    }
    put(
        out,
        "<p class=\"dim\">The frame is the published limit of one mailbox. Upper bar, filled: upload in 5 minutes. Lower bar, hatched: requests in \
         10 minutes.</p>\n</div>\n",
    );
}

fn rate(out: &mut String, id: usize, run: &RunNote, own: &Figures) {
    let shares = [
        share(own.busiest_upload.get(), Some(PUBLISHED.0.get())).unwrap_or_default(),
        share(own.busiest_requests.get(), Some(PUBLISHED.1.get())).unwrap_or_default(),
    ];
    let began = escape(&civil(run.began.as_deref().unwrap_or("not recorded")));
    let pace = own.items_per_hour().map_or_else(String::new, |rate| {
        format!(" in {}, {rate} an hour", own.took)
    });
    let said = format!(
        "{}{pace}; busiest {} of the upload limit, {} of the request limit; {} throttled",
        count(own.confirmed, "item", "items"),
        percent(shares[0]),
        percent(shares[1]),
        own.throttled
    );
    put(
        out,
        &format!(
            "<li><span>{began}<small>{said}</small></span><svg role=\"img\" height=\"26\" aria-labelledby=\"r-{id}-t r-{id}-d\"><title \
             id=\"r-{id}-t\">Rates of the run of {began}</title><desc id=\"r-{id}-d\">{said}</desc>"
        ),
    );
    if id == 0 || !out.contains("id=\"p-requests\"") {
        put(
            out,
            "<defs><pattern id=\"p-requests\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><path class=\"line\" d=\"M-1 1L1 -1M0 6L6 \
             0M5 7L7 5\"/></pattern></defs>",
        );
    }
    let (upload, requests) = (at(shares[0].min(WHOLE)), at(shares[1].min(WHOLE)));
    put(
        out,
        &format!(
            "<rect class=\"solid\" y=\"3\" width=\"{upload}\" height=\"9\"/><rect y=\"14\" width=\"{requests}\" height=\"9\" \
             fill=\"url(#p-requests)\"/><rect class=\"frame\" width=\"100%\" height=\"100%\"/></svg></li>\n"
        ),
    );
}

fn put(out: &mut String, html: &str) {
    out.write_str(html).expect("a string grows");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_parts_of_a_bar_are_the_whole_and_none_is_lost(parts in proptest::collection::vec(0_u64..u64::MAX / 16, 1..10)) {
            let parts: Vec<(usize, u64)> = parts.into_iter().enumerate().collect();
            let drawn = widths(&parts);
            let there = parts.iter().filter(|(_, n)| *n > 0).count();
            prop_assert_eq!(drawn.len(), there);
            prop_assert!(drawn.iter().all(|(_, width)| *width >= LEAST));
            let sum: u64 = drawn.iter().map(|(_, width)| width).sum();
            prop_assert_eq!(sum, if there > 0 { WHOLE } else { 0 });
        }
    }

    #[test]
    fn every_bucket_has_a_form_of_its_own() {
        let forms: std::collections::BTreeSet<_> = Bucket::ALL.map(pattern).into_iter().collect();
        assert_eq!(forms.len(), Bucket::ALL.len());
    }
}
