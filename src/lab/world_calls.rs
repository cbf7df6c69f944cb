//! Counting calls, in a deliberately dumb way: lists of timestamps. The lab must not share an idea of limits with the product it tests.

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;

use super::world::{Limits, Now};
use crate::base::event::Side;
use crate::base::quantity::{Bytes, Moment, Span, Tick};

/// Which limit a call ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Too many requests in the window.
    Requests,
    /// Too many bytes uploaded in the window.
    Upload,
    /// Too many calls at once.
    Concurrency,
}

/// A call that was refused for being too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Which limit.
    pub limit: Limit,
    /// How long to wait, for Retry-After.
    pub wait: Span,
}

/// The right to be in flight. Give it back through `World::end`.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    side: Side,
    mailbox: String,
}

/// A request that broke a published rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRequest {
    /// When.
    pub at: Moment,
    /// On which face.
    pub side: Side,
    /// Which rule.
    pub why: String,
}

/// Entries the log of invalid requests keeps.
const INVALID_KEPT: usize = 1_000;

/// What the source admits at once per mailbox (EWSMaxConcurrency; reference/ews.md section 3).
const SOURCE_AT_ONCE: u64 = 27;

/// The wait that small limits ask for.
pub(super) const SMALL_HOLD: Span = Span::new(200);

/// The numbers of one kind of limits.
#[derive(Clone, Copy, Debug)]
struct Rule {
    requests: usize,
    request_window: Span,
    upload: u64,
    upload_window: Span,
    at_once: u64,
    hold: Option<Span>,
}

const fn rule(limits: Limits) -> Option<Rule> {
    match limits {
        Limits::Off => None,
        Limits::Published => Some(Rule {
            requests: 10_000,
            request_window: Span::from_secs(600),
            upload: 150_000_000,
            upload_window: Span::from_secs(300),
            at_once: 4,
            hold: None,
        }),
        Limits::Small => Some(Rule {
            requests: 60,
            request_window: Span::from_secs(2),
            upload: 4_000_000,
            upload_window: Span::from_secs(2),
            at_once: 4,
            hold: Some(SMALL_HOLD),
        }),
    }
}

#[derive(Debug, Default)]
struct Tally {
    requests: u64,
    throttled: u64,
    bytes_in: u64,
    bytes_out: u64,
    in_flight: u64,
    peak: u64,
    asked_at: VecDeque<Tick>,
    uploaded_at: VecDeque<(Tick, u64)>,
}

/// All counts.
#[derive(Debug)]
pub(super) struct Calls {
    limits: Limits,
    tallies: BTreeMap<(Side, String), Tally>,
    invalid: u64,
    log: VecDeque<InvalidRequest>,
    pub(super) source_writes: u64,
    pub(super) invitations: u64,
    pub(super) import_asked_in_vain: u64,
}

impl Calls {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            tallies: BTreeMap::new(),
            invalid: 0,
            log: VecDeque::new(),
            source_writes: 0,
            invitations: 0,
            import_asked_in_vain: 0,
        }
    }

    pub(super) fn begin(
        &mut self,
        now: Now,
        side: Side,
        mailbox: &str,
        bytes_in: Bytes,
        upload: bool,
    ) -> Result<Ticket, Busy> {
        let limits = rule(self.limits);
        let tally = self.tallies.entry((side, mailbox.to_owned())).or_default();
        tally.requests += 1;
        tally.bytes_in += bytes_in.get();
        let up = if upload { bytes_in.get() } else { 0 };
        let busy = match (side, limits) {
            _ if mailbox.is_empty() => None,
            (_, None) => None,
            (Side::Source, Some(_)) => (tally.in_flight >= SOURCE_AT_ONCE).then_some(Busy {
                limit: Limit::Concurrency,
                wait: Span::ZERO,
            }),
            (Side::Target, Some(rule)) => tally.too_fast(now.tick, up, rule),
        };
        if let Some(busy) = busy {
            tally.throttled += 1;
            if side == Side::Target && busy.limit == Limit::Concurrency {
                self.note_invalid(now, side, "a fifth call at once on one mailbox");
            }
            return Err(busy);
        }
        tally.in_flight += 1;
        tally.peak = tally.peak.max(tally.in_flight);
        Ok(Ticket {
            side,
            mailbox: mailbox.to_owned(),
        })
    }

    pub(super) fn end(&mut self, ticket: Ticket, bytes_out: Bytes) {
        if let Some(tally) = self.tallies.get_mut(&(ticket.side, ticket.mailbox)) {
            tally.in_flight = tally.in_flight.saturating_sub(1);
            tally.bytes_out += bytes_out.get();
        }
    }

    pub(super) fn note_invalid(&mut self, now: Now, side: Side, why: &str) {
        self.invalid += 1;
        if self.log.len() == INVALID_KEPT {
            self.log.pop_front();
        }
        self.log.push_back(InvalidRequest {
            at: now.moment,
            side,
            why: why.to_owned(),
        });
    }

    pub(super) fn invalid_log(&self) -> impl Iterator<Item = &InvalidRequest> {
        self.log.iter()
    }

    pub(super) fn stats(&self) -> serde_json::Value {
        let of = |side: Side| {
            let own = self.tallies.iter().filter(|((s, _), _)| *s == side);
            let named = own.filter(|((_, name), _)| !name.is_empty());
            named
                .map(|((_, name), tally)| (name.clone(), tally.json()))
                .collect::<serde_json::Map<_, _>>()
        };
        let total = |side: Side| {
            let mut sum = Tally::default();
            for (_, tally) in self.tallies.iter().filter(|((s, _), _)| *s == side) {
                sum.requests += tally.requests;
                sum.throttled += tally.throttled;
                sum.bytes_in += tally.bytes_in;
                sum.bytes_out += tally.bytes_out;
            }
            sum
        };
        let peak = |side: Side| {
            let own = self
                .tallies
                .iter()
                .filter(|((s, n), _)| *s == side && !n.is_empty());
            own.map(|(_, tally)| tally.peak).max().unwrap_or(0)
        };
        let (source, target) = (total(Side::Source), total(Side::Target));
        json!({
            "source": of(Side::Source),
            "target": of(Side::Target),
            "total": {
                "source": source.json(),
                "target": target.json(),
                "requests": source.requests + target.requests,
                "throttled": source.throttled + target.throttled,
                "bytes_in": source.bytes_in + target.bytes_in,
                "bytes_out": source.bytes_out + target.bytes_out,
            },
            "invitations": self.invitations,
            "source_writes": self.source_writes,
            "invalid": self.invalid,
            "import_asked_in_vain": self.import_asked_in_vain,
            "peak_in_flight": peak(Side::Target),
            "peak_in_flight_source": peak(Side::Source),
        })
    }
}

impl Tally {
    fn json(&self) -> serde_json::Value {
        json!({
            "requests": self.requests,
            "throttled": self.throttled,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        })
    }

    /// Counts the call against the windows; throttled calls count as requests too.
    fn too_fast(&mut self, now: Tick, upload: u64, rule: Rule) -> Option<Busy> {
        let past = |at: Tick, window: Span| now - at >= window;
        while self
            .asked_at
            .front()
            .is_some_and(|at| past(*at, rule.request_window))
        {
            self.asked_at.pop_front();
        }
        while self
            .uploaded_at
            .front()
            .is_some_and(|(at, _)| past(*at, rule.upload_window))
        {
            self.uploaded_at.pop_front();
        }
        let busy = self.limit(now, upload, rule);
        self.asked_at.push_back(now);
        if self.asked_at.len() > rule.requests {
            // A client that never waits must not be locked out for ever: the list keeps one window's worth.
            self.asked_at.pop_front();
        }
        if busy.is_none() && upload > 0 {
            self.uploaded_at.push_back((now, upload));
        }
        busy
    }

    fn limit(&self, now: Tick, upload: u64, rule: Rule) -> Option<Busy> {
        let least = Span::from_secs(1);
        let until =
            |at: Tick, window: Span| rule.hold.unwrap_or_else(|| (at + window - now).max(least));
        if self.in_flight >= rule.at_once {
            return Some(Busy {
                limit: Limit::Concurrency,
                wait: rule.hold.unwrap_or(least),
            });
        }
        if self.asked_at.len() >= rule.requests {
            let oldest = self.asked_at.front().copied().unwrap_or(now);
            return Some(Busy {
                limit: Limit::Requests,
                wait: until(oldest, rule.request_window),
            });
        }
        let sent: u64 = self.uploaded_at.iter().map(|(_, bytes)| bytes).sum();
        // One item may be larger than the window; alone it passes.
        if upload > 0 && sent > 0 && sent + upload > rule.upload {
            let oldest = self.uploaded_at.front().map_or(now, |(at, _)| *at);
            return Some(Busy {
                limit: Limit::Upload,
                wait: until(oldest, rule.upload_window),
            });
        }
        None
    }
}
