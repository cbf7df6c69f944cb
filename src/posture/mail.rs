//! What listings of mail show, without any content: hours in which far more was sent than usual, and senders whose domain looks like a known one.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::quantity::Moment;
use crate::base::sight::{Burst, Lies, LookAlike, MailSight};

const HOUR_MS: i64 = 3_600_000;

/// Messages in an hour below which nothing is a burst: one person writes some ten.
const BURST_LEAST: u64 = 60;

/// Times the usual hour from which on an hour is a burst.
const BURST_TIMES: u64 = 10;

/// Bursts and look-alikes that are shown.
const SHOWN: usize = 20;

/// Messages from which on a domain is a usual correspondent.
const USUAL_FROM: u64 = 20;

/// Messages up to which a domain is a rare one: who writes a lot is known to the owner.
const RARE_UP_TO: u64 = 5;

/// Characters below which two domains look alike by chance.
const DOMAIN_LEAST: usize = 6;

/// Letters by which two domains may differ and still be taken for one another.
const TYPOS: usize = 2;

/// Domains that are remembered of one mailbox: 20,000 x 60 bytes = 1.2 MB. Further ones are not looked at, and that is said.
pub const DOMAINS_MAX: usize = 20_000;

/// The counts of one mailbox so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailTally {
    hours: BTreeMap<i64, u64>,
    domains: BTreeMap<String, u64>,
    full: bool,
}

impl MailTally {
    /// Counts an item.
    pub fn take(&mut self, lies: Lies, at: Option<Moment>, domain: Option<&str>) {
        match (lies, at, domain) {
            (Lies::Sent, Some(at), _) => {
                *self
                    .hours
                    .entry(at.unix_ms().div_euclid(HOUR_MS))
                    .or_default() += 1;
            }
            (Lies::Received, _, Some(domain)) => {
                if let Some(n) = self.domains.get_mut(domain) {
                    *n += 1;
                } else if self.domains.len() < DOMAINS_MAX {
                    self.domains.insert(domain.to_owned(), 1);
                } else {
                    self.full = true;
                }
            }
            _ => {}
        }
    }

    /// What it comes to, or why it says nothing. `own` are the organisation's domains, lower case.
    pub fn sight(&self, own: &BTreeSet<String>) -> Result<MailSight, String> {
        if self.full {
            return Err(format!("more than {DOMAINS_MAX} domains wrote to it"));
        }
        Ok(MailSight {
            bursts: bursts(&self.hours),
            look_alikes: look_alikes(&self.domains, own),
        })
    }
}

fn bursts(hours: &BTreeMap<i64, u64>) -> Vec<Burst> {
    let mut counts: Vec<u64> = hours.values().copied().collect();
    counts.sort_unstable();
    let Some(usual) = counts.get(counts.len().saturating_sub(1) / 2).copied() else {
        return Vec::new();
    };
    let least = BURST_LEAST.max(usual.saturating_mul(BURST_TIMES));
    let mut out: Vec<Burst> = hours
        .iter()
        .filter(|(_, sent)| **sent >= least)
        .map(|(hour, sent)| Burst {
            hour: Moment::from_unix_ms(hour.saturating_mul(HOUR_MS)),
            sent: *sent,
            usual,
        })
        .collect();
    out.sort_by_key(|burst| (std::cmp::Reverse(burst.sent), burst.hour));
    out.truncate(SHOWN);
    out
}

fn look_alikes(domains: &BTreeMap<String, u64>, own: &BTreeSet<String>) -> Vec<LookAlike> {
    let usual = domains.iter().filter(|(_, n)| **n >= USUAL_FROM);
    let known: BTreeSet<&str> = usual
        .map(|(domain, _)| domain.as_str())
        .chain(own.iter().map(String::as_str))
        .filter(|domain| domain.chars().count() >= DOMAIN_LEAST)
        .collect();
    let rare = domains
        .iter()
        .filter(|(domain, n)| **n <= RARE_UP_TO && !known.contains(domain.as_str()));
    let mut out: Vec<LookAlike> = rare
        .filter_map(|(domain, n)| {
            let like = known.iter().find(|like| alike(domain, like))?;
            Some(LookAlike {
                domain: domain.clone(),
                like: (*like).to_owned(),
                messages: *n,
            })
        })
        .collect();
    out.truncate(SHOWN);
    out
}

/// A letter or two apart, or the same name below another ending; a part of the other domain (`mail.clinic.example`) is its own.
fn alike<'a>(domain: &'a str, like: &'a str) -> bool {
    let below = |part: &str, whole: &str| {
        let rest = part.strip_suffix(whole);
        rest.is_some_and(|rest| rest.ends_with('.'))
    };
    if below(domain, like) || below(like, domain) {
        return false;
    }
    let name = |text: &'a str| text.rsplit_once('.').map_or(text, |(name, _)| name);
    let same_name = name(domain) == name(like) && name(domain).len() >= DOMAIN_LEAST;
    // Names of much different lengths need no counting of letters: 20,000 domains are set against every usual one.
    let near = domain.len().abs_diff(like.len()) <= TYPOS * 4;
    same_name || (near && strsim::damerau_levenshtein(domain, like) <= TYPOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Moment {
        Moment::from_unix_ms(hour * HOUR_MS + 5)
    }

    #[test]
    fn an_hour_far_above_the_usual_one_is_a_burst_and_a_busy_mailbox_has_none() {
        let mut tally = MailTally::default();
        for hour in 0..50 {
            for _ in 0..4 {
                tally.take(Lies::Sent, Some(at(hour)), None);
            }
        }
        assert_eq!(tally.sight(&BTreeSet::new()).unwrap().bursts, vec![]);
        for _ in 0..59 {
            tally.take(Lies::Sent, Some(at(400)), None);
            // What lies elsewhere was not sent.
            tally.take(Lies::Elsewhere, Some(at(401)), None);
            tally.take(Lies::Received, Some(at(401)), None);
        }
        assert_eq!(tally.sight(&BTreeSet::new()).unwrap().bursts, vec![]);
        tally.take(Lies::Sent, Some(at(400)), None);
        let burst = Burst {
            hour: Moment::from_unix_ms(400 * HOUR_MS),
            sent: 60,
            usual: 4,
        };
        assert_eq!(tally.sight(&BTreeSet::new()).unwrap().bursts, vec![burst]);
        // A counter that always sends ninety an hour.
        let mut counter = MailTally::default();
        for hour in 0..9 {
            for _ in 0..90 {
                counter.take(Lies::Sent, Some(at(hour)), None);
            }
        }
        assert_eq!(counter.sight(&BTreeSet::new()).unwrap().bursts, vec![]);
    }

    #[test]
    fn a_rare_sender_that_looks_like_a_known_one_is_named() {
        let own: BTreeSet<String> = ["clinic.example".to_owned()].into();
        let mut tally = MailTally::default();
        let mut wrote = |domain: &str, n: u64| {
            for _ in 0..n {
                tally.take(Lies::Received, None, Some(domain));
            }
        };
        wrote("laboratory.example", 30);
        wrote("cl1nic.example", 2);
        wrote("laboratroy.example", 1);
        wrote("laboratory.invalid", 1);
        wrote("mail.clinic.example", 1);
        wrote("somebody.example", 1);
        // Often there: the owner knows it.
        wrote("clinics.example", 9);
        let found = tally.sight(&own).unwrap().look_alikes;
        let pairs: Vec<(&str, &str)> = found
            .iter()
            .map(|one| (one.domain.as_str(), one.like.as_str()))
            .collect();
        assert_eq!(
            pairs,
            vec![
                ("cl1nic.example", "clinic.example"),
                ("laboratory.invalid", "laboratory.example"),
                ("laboratroy.example", "laboratory.example"),
            ]
        );
    }

    #[test]
    fn more_domains_than_are_remembered_is_not_checked() {
        let mut tally = MailTally::default();
        for n in 0..=DOMAINS_MAX {
            tally.take(Lies::Received, None, Some(&format!("d{n}.example")));
        }
        assert!(tally.sight(&BTreeSet::new()).is_err());
    }
}
