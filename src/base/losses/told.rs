//! The table as it is told: the lines of a family, and those of a mailbox with its counts, the same for plan, preflight and report.

use std::collections::BTreeMap;

use super::classes::class_fate;
use super::table::LOSSES;
use super::words::{Family, Fate, Loss};
use crate::base::item::ItemClass;
use crate::base::quantity::Count;

/// The lines of a family, the worst first.
pub fn of(family: Family) -> Vec<&'static Loss> {
    let mut out: Vec<&Loss> = LOSSES.iter().filter(|loss| loss.family == family).collect();
    out.sort_by_key(|loss| loss.fate);
    out
}

/// What a family loses in one line: what is not there any more by name, and how much else does not arrive as it was.
pub fn brief(family: Family) -> String {
    let lines = of(family);
    let (lost, other): (Vec<&Loss>, Vec<&Loss>) =
        lines.into_iter().partition(|loss| loss.fate == Fate::Lost);
    let names: Vec<&str> = lost.iter().map(|loss| loss.what).collect();
    format!(
        "{}: lost: {}; {} more things do not arrive as they were",
        family.words(),
        names.join("; "),
        other.len()
    )
}

/// One line for people: what becomes of so many items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossLine {
    /// The family they are carried as; `None` for items that are not carried at all.
    pub family: Option<Family>,
    /// What it is about.
    pub what: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// How, or why.
    pub how: &'static str,
    /// How many items: all that are not carried; of those that are, as many as it may be about.
    pub items: Count,
    /// What the user can do; empty where nothing is to be done.
    pub advice: &'static str,
    /// The classes of items that are not carried.
    pub classes: Vec<ItemClass>,
}

/// Why items are not carried.
const NO_WAY: &str = "the service has no way for a program to create them";

impl LossLine {
    /// The line as a sentence.
    pub fn text(&self) -> String {
        let n = self.items.get();
        let Self {
            what, how, advice, ..
        } = self;
        match self.family {
            None => format!("{n} {what} are not copied: {how}; {advice}"),
            Some(family) => {
                let (words, fate) = (family.words(), self.fate.words());
                format!("{words}, {n} at most: {what}: {fate}; {how}")
            }
        }
    }
}

/// The lines for a mailbox with so many items of each class: first those that are not carried, the most first, then what the others lose, the worst
/// first. A class without items has no line.
pub fn told(classes: &BTreeMap<ItemClass, Count>) -> Vec<LossLine> {
    let mut left: BTreeMap<&str, LossLine> = BTreeMap::new();
    let mut carried: BTreeMap<Family, u64> = BTreeMap::new();
    for (class, count) in classes.iter().filter(|(_, count)| count.get() > 0) {
        let fate = class_fate(class.as_str());
        if let Some(family) = fate.family {
            let sum = carried.entry(family).or_default();
            *sum = sum.saturating_add(count.get());
            continue;
        }
        let line = left.entry(fate.class).or_insert_with(|| LossLine {
            family: None,
            what: fate.what,
            fate: Fate::Lost,
            how: NO_WAY,
            items: Count::new(0),
            advice: fate.advice,
            classes: Vec::new(),
        });
        line.items = Count::new(line.items.get().saturating_add(count.get()));
        line.classes.push(class.clone());
    }
    let mut out: Vec<LossLine> = left.into_values().collect();
    out.sort_by_key(|line| std::cmp::Reverse(line.items));
    for (family, n) in carried {
        out.extend(of(family).into_iter().map(|loss| LossLine {
            family: Some(family),
            what: loss.what,
            fate: loss.fate,
            how: loss.how,
            items: Count::new(n),
            advice: "",
            classes: Vec::new(),
        }));
    }
    out
}
