//! The pictures of a plan, as SVG without script: nights with a bar for each mailbox, and the rights between mailboxes as arcs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::base::html::escape;
use crate::plan::draft::{Draft, grant_word};
use crate::plan::explain::name;
use crate::plan::forecast::tenths_of_hours;
use crate::plan::inventory::{Inventory, MailboxNo};
use crate::plan::nights::{Bar, Stage};

/// The width of every picture in its own units.
const WIDTH: u64 = 1_000;

/// Up to so many mailboxes a night has a row for each, with its name; beyond, a row for each lane.
const NAMED_ROWS: usize = 40;

/// Mailboxes shown with their rights.
const ARC_ROWS: usize = 60;

/// One night: the window with its hours, and what lies in it.
pub(super) fn night(draft: &Draft, at: usize, bars: &[Bar]) -> String {
    let Some(night) = draft.nights.get(at) else {
        return String::new();
    };
    let length = (night.length().get() / 1_000).max(1);
    let named = bars.len() <= NAMED_ROWS;
    let (row, gutter) = if named { (18, 300) } else { (10, 0) };
    let rows = if named {
        bars.len() as u64
    } else {
        bars.iter()
            .map(|bar| u64::from(bar.lane) + 1)
            .max()
            .unwrap_or(1)
    };
    let height = rows * row + 18;
    let scale = |secs: u64| secs.min(length) * (WIDTH - gutter) / length;
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"bars of {}\">\n",
        escape(&draft.night_name(at))
    );
    let _ = writeln!(
        out,
        "<rect class=\"window\" x=\"{gutter}\" y=\"0\" width=\"{}\" height=\"{}\"/>",
        WIDTH - gutter,
        rows * row
    );
    let hours = length / 3_600;
    let step = (hours / 12).max(1);
    for hour in (0..=hours).step_by(usize::try_from(step).unwrap_or(1)) {
        let x = gutter + scale(hour * 3_600);
        // The last label would hang over the edge.
        let (at, anchor) = if x + 40 > WIDTH {
            (x - 2, "end")
        } else {
            (x + 2, "start")
        };
        let _ = writeln!(
            out,
            "<path class=\"hour\" d=\"M{x} 0V{}\"/><text x=\"{at}\" y=\"{}\" text-anchor=\"{anchor}\">{hour} h</text>",
            rows * row,
            height - 4
        );
    }
    let mut order: Vec<&Bar> = bars.iter().collect();
    if named {
        order.sort_by_key(|bar| (bar.stage != Stage::Ahead, bar.lane, bar.from, bar.mover));
    }
    for (line, bar) in (0..).zip(order) {
        let line = if named { line } else { u64::from(bar.lane) };
        one_bar(
            &mut out,
            draft,
            bar,
            (
                gutter + scale(bar.from),
                line * row + 1,
                scale(bar.secs).max(1),
                row - 2,
            ),
        );
        if named {
            let mover = &draft.estate.movers[bar.mover as usize];
            let _ = writeln!(
                out,
                "<text x=\"0\" y=\"{}\">{}</text>",
                line * row + 13,
                escape(&short(mover.source.reveal()))
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

/// A bar: light to the slow end of its range, solid to the fast end.
fn one_bar(
    out: &mut String,
    draft: &Draft,
    bar: &Bar,
    (x, y, width, height): (u64, u64, u64, u64),
) {
    let (mover, times) = (
        &draft.estate.movers[bar.mover as usize],
        draft.times[bar.mover as usize],
    );
    let class = match bar.stage {
        Stage::Whole => "whole",
        Stage::Ahead => "ahead",
        Stage::Delta => "delta",
    };
    let what = match bar.stage {
        Stage::Whole => "all of it",
        Stage::Ahead => "a part, ahead of its wave",
        Stage::Delta => "what changed since it was copied ahead",
    };
    let fast = width * times.fast.min(times.slow) / times.slow.max(1);
    let _ = writeln!(
        out,
        "<g class=\"{class}\"><title>{}: {what}, up to {} h ({})</title><rect class=\"slow\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/><rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{height}\"/></g>",
        escape(mover.source.reveal()),
        tenths_of_hours(bar.secs),
        times.why,
        fast.max(1)
    );
}

/// A name that fits into the gutter.
fn short(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let head: String = text.chars().take(MOST - 1).collect();
    format!("{head}…")
}

/// The rights between mailboxes: one row a mailbox, wave by wave, one arc for two that work together; cut ones in another colour. Mailboxes
/// with cut rights first, when there are more than fit. Returns the picture and how many mailboxes it leaves out.
pub(super) fn arcs(draft: &Draft, inventory: &Inventory) -> (String, usize) {
    let cut: BTreeSet<(MailboxNo, MailboxNo)> = draft
        .cuts
        .iter()
        .map(|cut| (cut.owner, cut.trustee))
        .collect();
    let mut ties: BTreeMap<(MailboxNo, MailboxNo), BTreeSet<&'static str>> = BTreeMap::new();
    for link in &draft.estate.links {
        if let Some(grant) = usize::try_from(link.grant)
            .ok()
            .and_then(|at| inventory.grants.get(at))
        {
            ties.entry((link.owner, link.trustee))
                .or_default()
                .insert(grant_word(&grant.kind));
        }
    }
    let of_cut = ties.keys().filter(|pair| cut.contains(pair));
    let others = ties.keys().filter(|pair| !cut.contains(pair));
    let mut shown = BTreeSet::new();
    let mut all = BTreeSet::new();
    for (owner, trustee) in of_cut.chain(others) {
        all.extend([*owner, *trustee]);
        let new = [owner, trustee]
            .iter()
            .filter(|no| !shown.contains(**no))
            .count();
        if shown.len() + new <= ARC_ROWS {
            shown.extend([*owner, *trustee]);
        }
    }
    let rows = rows(draft, &shown);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"rights between mailboxes\">\n",
        rows.len() as u64 * 18 + 8
    );
    let y_of = |no: MailboxNo| {
        rows.iter()
            .position(|(_, row)| *row == no)
            .map(|at| at as u64 * 18 + 13)
    };
    for (wave, no) in &rows {
        let y = y_of(*no).unwrap_or(0);
        let _ = writeln!(
            out,
            "<text class=\"wave\" x=\"0\" y=\"{y}\">{}</text><text x=\"110\" y=\"{y}\">{}</text><circle cx=\"440\" cy=\"{}\" r=\"3\"/>",
            escape(wave),
            escape(&short(name(inventory, *no))),
            y - 4
        );
    }
    for ((owner, trustee), words) in &ties {
        let (Some(from), Some(to)) = (y_of(*owner), y_of(*trustee)) else {
            continue;
        };
        let (top, bottom) = (from.min(to) - 4, from.max(to) - 4);
        let bulge = 446 + ((bottom - top) * 9 / 10).clamp(16, 540);
        let class = if cut.contains(&(*owner, *trustee)) {
            "cut"
        } else {
            "tie"
        };
        let words: Vec<&str> = words.iter().copied().collect();
        let _ = writeln!(
            out,
            "<path class=\"{class}\" d=\"M444 {top}C{bulge} {top} {bulge} {bottom} 444 {bottom}\"><title>{} has {} in {}</title></path>",
            escape(name(inventory, *trustee)),
            words.join(", "),
            escape(name(inventory, *owner))
        );
    }
    out.push_str("</svg>\n");
    (out, all.len() - shown.len())
}

/// The mailboxes shown, wave by wave, those that stay at the end.
fn rows<'a>(draft: &'a Draft, shown: &BTreeSet<MailboxNo>) -> Vec<(&'a str, MailboxNo)> {
    let mut out = Vec::new();
    let mut left = shown.clone();
    for wave in &draft.waves {
        let mut own: Vec<MailboxNo> = wave
            .members
            .iter()
            .map(|place| draft.estate.movers[*place as usize].record)
            .collect();
        own.retain(|no| left.remove(no));
        own.sort_unstable();
        out.extend(own.into_iter().map(|no| (wave.name.as_str(), no)));
    }
    out.extend(left.into_iter().map(|no| ("stays", no)));
    out
}
