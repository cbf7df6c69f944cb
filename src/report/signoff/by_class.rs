//! The part of the page about items that travelled by the typed route.

use super::page::{Column, Page};
use super::paper::Paper;
use crate::base::losses::Family;
use crate::base::quantity::Count;
use Column::{Number, Short, Words};

/// How many items of each class, and what becomes of what they had; nothing where no item travelled so.
pub(super) fn part(out: &mut Page, paper: &Paper) {
    if paper.by_class.is_empty() {
        return;
    }
    out.line("<h2>Carried by class</h2>");
    out.say(
        "These items did not travel as streams, which keep everything: each was read and created by its class. What such items lose stands below, for \
         as many of them as it may be about.",
    );
    out.open("Carried by class", &[Words("class"), Number("items")]);
    for (class, n) in &paper.by_class {
        out.row(&[class.as_str().to_owned(), n.to_string()]);
    }
    out.sum(&[
        "all".to_owned(),
        paper.by_class.values().copied().sum::<Count>().to_string(),
    ]);
    out.close();
    let columns = [
        Words("what does not arrive as it was"),
        Short("of"),
        Number("items at most"),
        Words("what becomes of it"),
        Words("how, or why"),
    ];
    out.open("What these items lose", &columns);
    for line in paper.losses() {
        out.row(&[
            line.what.to_owned(),
            line.family.map_or("", Family::words).to_owned(),
            line.items.to_string(),
            line.fate.words().to_owned(),
            line.how.to_owned(),
        ]);
    }
    out.close();
}
