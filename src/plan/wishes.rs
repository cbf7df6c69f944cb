//! What the engineer asks of a plan, besides the inventory.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::base::limits;
use crate::base::quantity::{Bytes, Count};
use crate::base::spec::RunLimits;
use crate::plan::forecast::Measured;
use crate::plan::schedule::{DAY_MINUTES, DAYS, Schedule, Window, parse_time};

/// The wishes. Addresses are compared in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// The first day on which anything may begin; `None`: nights are counted, not dated.
    pub start: Option<Date>,
    /// When to work; `None`: always.
    pub schedule: Option<Schedule>,
    /// Days on which no night begins.
    pub blackout: BTreeSet<Date>,
    /// Mailboxes that go first.
    pub pilots: BTreeSet<String>,
    /// Mailboxes that go once the way is proven, never with a pilot.
    pub vips: BTreeSet<String>,
    /// Mailboxes that stay.
    pub exclude: BTreeSet<String>,
    /// Mailboxes that may not go before a day.
    pub not_before: BTreeMap<String, Date>,
    /// Mailboxes per wave at most.
    pub wave_mailboxes: u32,
    /// Bytes per wave's night at most.
    pub wave_bytes: Option<Bytes>,
    /// Items per wave's night at most.
    pub wave_items: Option<Count>,
    /// What the whole source gives per hour, where somebody knows.
    pub source_per_hour: Option<Bytes>,
    /// Rates of an earlier run.
    pub measured: Option<Measured>,
    /// Domains that the tenant accepts; empty: nobody said.
    pub accepted_domains: BTreeSet<String>,
    /// The largest message the tenant takes.
    pub tenant_item_max: Bytes,
    /// The bounds of the runs.
    pub limits: RunLimits,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            start: None,
            schedule: None,
            blackout: BTreeSet::new(),
            pilots: BTreeSet::new(),
            vips: BTreeSet::new(),
            exclude: BTreeSet::new(),
            not_before: BTreeMap::new(),
            wave_mailboxes: limits::WAVE_MAILBOXES,
            wave_bytes: None,
            wave_items: None,
            source_per_hour: None,
            measured: None,
            accepted_domains: BTreeSet::new(),
            tenant_item_max: limits::TENANT_ITEM_DEFAULT,
            limits: RunLimits::default(),
        }
    }
}

/// Reads a window as people type it: `mon-fri 20:00-06:00`, `sat,sun 00:00-24:00`, `daily 22:00-05:00`.
pub fn parse_window(text: &str) -> Option<Window> {
    let (days, times) = text.trim().split_once(' ')?;
    let (from, to) = times.trim().split_once('-')?;
    let (from, to) = (parse_time(from.trim())?, parse_time(to.trim())?);
    let index = |day: &str| {
        let found = DAYS
            .iter()
            .position(|known| day.eq_ignore_ascii_case(known))?;
        u8::try_from(found).ok()
    };
    let mut out = Vec::new();
    for part in days.split(',') {
        match part.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (index(first)?, index(last)?);
                // `fri-mon` runs over the weekend.
                let count = (last + 7 - first) % 7;
                out.extend((0..=count).map(|step| (first + step) % 7));
            }
            None if part.eq_ignore_ascii_case("daily") => out.extend(0..7),
            None => out.push(index(part)?),
        }
    }
    out.sort_unstable();
    out.dedup();
    (from < DAY_MINUTES && from != to).then_some(Window {
        days: out,
        from,
        to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_read_as_people_type_them() {
        for (text, days, from, to) in [
            ("mon-fri 20:00-06:00", vec![0, 1, 2, 3, 4], 1_200, 360),
            ("sat,sun 00:00-24:00", vec![5, 6], 0, 1_440),
            ("fri-mon 22:30-05:00", vec![0, 4, 5, 6], 1_350, 300),
            ("Daily 22:00-05:00", vec![0, 1, 2, 3, 4, 5, 6], 1_320, 300),
        ] {
            assert_eq!(
                parse_window(text),
                Some(Window { days, from, to }),
                "{text}"
            );
        }
        for bad in [
            "",
            "mon",
            "mon 20:00",
            "moon 20:00-06:00",
            "mon 24:00-06:00",
            "mon 5-6",
            "mon 05:00-05:00",
        ] {
            assert_eq!(parse_window(bad), None, "{bad}");
        }
    }
}
