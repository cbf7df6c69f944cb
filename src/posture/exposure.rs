//! What lay open in a window, as counts for a data-protection officer: items that were there, what changed, and with whom the mailbox wrote, by
//! domain. Mailboxes appear by pseudonym.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::leads;
use super::timeline::Window;
use crate::base::quantity::Moment;
use crate::base::sight::{Look, MailboxSight};

/// A domain with fewer messages than this is counted among the others: it may be one person's.
const DOMAIN_LEAST: u64 = 5;

/// One item as the count needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSight {
    /// When it was received or made.
    pub at: Option<Moment>,
    /// The domain of who sent it, lower case.
    pub domain: Option<String>,
}

/// The counts of one mailbox so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    present: u64,
    received: u64,
    undated: u64,
    domains: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts an item against the window.
    pub fn take(&mut self, item: &ItemSight, window: &Window) {
        let Some(day) = item.at.and_then(leads::day) else {
            self.undated += 1;
            return;
        };
        if day > window.to {
            return;
        }
        self.present += 1;
        if window.holds(day) {
            self.received += 1;
        }
        if let Some(domain) = &item.domain {
            *self.domains.entry(domain.clone()).or_default() += 1;
        }
    }
}

/// One mailbox in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The pseudonym.
    pub subject: String,
    /// Items still there that were there on the last day of the window: what an intruder could read. What was deleted since is not counted.
    pub items_present: u64,
    /// Of these, items that came in the window.
    pub items_received: u64,
    /// Items without a readable day.
    pub items_undated: u64,
    /// Rules changed in the window; `None` where nobody looked.
    pub rules_changed: Option<u64>,
    /// Ways out of the mailbox now: forwards and rules that send outside; `None` where nobody looked.
    pub forwards: Option<u64>,
    /// Messages by domain of their sender, most first; small ones together under `others`.
    pub correspondents: Vec<(String, u64)>,
}

/// The entry of a mailbox.
pub fn entry(subject: String, tally: Tally, sight: &MailboxSight, window: &Window) -> Entry {
    let inside = |day: Option<Date>| day.is_some_and(|day| window.holds(day));
    let rules_changed = match &sight.rule_messages {
        Look::Seen(list) => {
            let days = list.iter().map(|m| m.modified.and_then(leads::day));
            Some(days.filter(|day| inside(*day)).count() as u64)
        }
        Look::NotChecked(_) => None,
    };
    let by_rule = match &sight.rules {
        Look::Seen(rules) => {
            let out = rules.iter().filter(|r| !r.sends_outside.is_empty());
            Some(out.count() as u64)
        }
        Look::NotChecked(_) => None,
    };
    let whole = match &sight.forwards {
        Look::Seen(list) => Some(list.iter().filter(|f| f.outside).count() as u64),
        Look::NotChecked(_) => None,
    };
    let forwards = match (by_rule, whole) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
    };
    let mut others = 0;
    let mut correspondents: Vec<(String, u64)> = Vec::new();
    for (domain, n) in tally.domains {
        if n < DOMAIN_LEAST {
            others += n;
        } else {
            correspondents.push((domain, n));
        }
    }
    correspondents.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if others > 0 {
        correspondents.push(("others".to_owned(), others));
    }
    Entry {
        subject,
        items_present: tally.present,
        items_received: tally.received,
        items_undated: tally.undated,
        rules_changed,
        forwards,
        correspondents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Private;

    #[test]
    fn what_came_after_the_window_was_not_exposed() {
        let window = Window::parse("2021-03-02..2021-08-31").expect("a window");
        let at = |text: &str| {
            let at: jiff::Timestamp = text.parse().expect("a time");
            Some(Moment::from_unix_ms(at.as_millisecond()))
        };
        let mut tally = Tally::default();
        for (when, domain) in [
            ("2019-01-01T00:00:00Z", "lab.example"),
            ("2021-08-31T23:59:59Z", "lab.example"),
            ("2021-09-01T00:00:00Z", "late.example"),
        ] {
            let domain = Some(domain.to_owned());
            tally.take(
                &ItemSight {
                    at: at(when),
                    domain,
                },
                &window,
            );
        }
        tally.take(
            &ItemSight {
                at: None,
                domain: None,
            },
            &window,
        );
        let sight = MailboxSight::of(Private::new("a@clinic.example"));
        let entry = entry("p1".to_owned(), tally, &sight, &window);
        assert_eq!(
            (
                entry.items_present,
                entry.items_received,
                entry.items_undated
            ),
            (2, 1, 1)
        );
        assert_eq!(entry.correspondents, [("others".to_owned(), 2)]);
        assert_eq!((entry.rules_changed, entry.forwards), (None, None));
    }
}
