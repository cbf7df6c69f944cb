//! How long a mailbox takes, as a range, and which limit binds. Pure arithmetic in whole seconds; every assumption is a number of
//! `base::limits` or a measured rate, and can be printed.

use std::fmt;

use serde_json::Value;

use crate::base::limits;
use crate::base::quantity::{Bytes, Count, Span};
use crate::base::spec::RunLimits;

const HOUR: u64 = 3_600;

/// What is carried: items and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Load {
    /// How many items.
    pub items: Count,
    /// How many bytes, before base64.
    pub bytes: Bytes,
}

impl Load {
    /// A hundredth part of it, taken `percent` times, rounded up.
    #[must_use]
    pub fn percent(self, percent: u64) -> Self {
        let part = |n: u64| n.div_ceil(100).saturating_mul(percent);
        Self {
            items: Count::new(part(self.items.get())),
            bytes: Bytes::new(part(self.bytes.get())),
        }
    }
}

/// The limit that decides how long a mailbox takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// Upload per five minutes and mailbox.
    Upload,
    /// Requests per ten minutes and mailbox.
    Requests,
    /// Calls in flight per mailbox, and how long each takes.
    CallsInFlight,
    /// What Exchange gives out of one mailbox.
    SourceMailbox,
    /// What every mailbox costs besides its items.
    Overhead,
    /// The rate that was measured.
    Measured,
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upload => "upload per mailbox",
            Self::Requests => "requests per mailbox",
            Self::CallsInFlight => "calls in flight per mailbox",
            Self::SourceMailbox => "export per mailbox",
            Self::Overhead => "fixed cost per mailbox",
            Self::Measured => "measured rate",
        })
    }
}

/// The speeds of one end of the range, per mailbox unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes per hour and the limit they come from, each.
    bytes: [(u64, Binding); 2],
    /// Items per hour, alike.
    items: [(u64, Binding); 2],
    /// What a mailbox costs besides its items.
    overhead: Span,
    /// Bytes per hour that the source gives all mailboxes together.
    source: u64,
}

/// Fast and slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paces {
    /// The fast end: how long it takes at least.
    pub fast: Pace,
    /// The slow end: what the nights are filled with.
    pub slow: Pace,
}

/// Rates out of a run, per mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Bytes per hour.
    pub bytes_per_hour: Bytes,
    /// Items per hour.
    pub items_per_hour: Count,
}

impl Measured {
    /// Reads the summary of a run (`mailferry.summary/1`, the last line of `run --json` or a document of its own), or a document with
    /// `bytes_per_hour` and `items_per_hour` per mailbox (`mailferry.rates/1`). The reason names no content.
    pub fn parse(text: &str, mailboxes_at_once: u32) -> Result<Self, &'static str> {
        let last = text
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        let value: Value = serde_json::from_str(text)
            .or_else(|_| serde_json::from_str(last))
            .map_err(|_| "neither a run's summary nor rates in JSON")?;
        let number = |path: &str| value.pointer(path).and_then(Value::as_u64);
        let (bytes, items) = match value.get("schema").and_then(Value::as_str) {
            Some("mailferry.rates/1") => (number("/bytes_per_hour"), number("/items_per_hour")),
            Some("mailferry.summary/1") => {
                let seconds = value.get("seconds").and_then(Value::as_f64);
                let ms = seconds
                    .filter(|s| s.is_finite() && *s >= 0.001 && *s < 1e9)
                    .ok_or("the summary has no `seconds`")?;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0.001 to 1e9 s, checked above"
                )]
                let ms = (ms * 1_000.0) as u64;
                let at_once = number("/mailboxes")
                    .unwrap_or(1)
                    .clamp(1, u64::from(mailboxes_at_once.max(1)));
                let hourly = |n: u64| {
                    let n = u128::from(n) * u128::from(HOUR) * 1_000;
                    u64::try_from(n / u128::from(ms.max(1)) / u128::from(at_once))
                        .unwrap_or(u64::MAX)
                };
                (
                    number("/bytes/sent").map(hourly),
                    number("/items/confirmed").map(hourly),
                )
            }
            _ => return Err("the schema is neither mailferry.summary/1 nor mailferry.rates/1"),
        };
        match (bytes, items) {
            (Some(bytes), Some(items)) if bytes > 0 && items > 0 => Ok(Self {
                bytes_per_hour: Bytes::new(bytes),
                items_per_hour: Count::new(items),
            }),
            _ => Err("nothing was carried: there is no rate to take from it"),
        }
    }
}

/// `n` taken `percent` hundredths.
const fn part(n: u64, percent: u64) -> u64 {
    n.saturating_mul(percent) / 100
}

impl Paces {
    /// The published limits of `run` with the assumptions of `base::limits`. `source` is what the whole source gives per hour, where known.
    pub fn published(run: &RunLimits, source: Option<Bytes>) -> Self {
        let upload = run
            .target_upload_per_window
            .unwrap_or(limits::TARGET_UPLOAD_PER_WINDOW)
            .get();
        let requests = run
            .target_requests_per_window
            .unwrap_or(limits::TARGET_REQUESTS_PER_WINDOW)
            .get();
        // Base64 makes four bytes out of three.
        let upload =
            upload.saturating_mul(HOUR * 1_000 / limits::GRAPH_UPLOAD_WINDOW.get()) / 4 * 3;
        let requests = requests.saturating_mul(HOUR * 1_000 / limits::GRAPH_REQUEST_WINDOW.get());
        let (few, many) = limits::FORECAST_REQUESTS_PER_ITEM_TENTHS;
        let calls = u64::from(run.target_calls_in_flight.max(1)) * HOUR * 1_000;
        let (server_fast, server_slow) = limits::FORECAST_SOURCE_SERVER;
        let (quick, slow) = limits::FORECAST_CREATE;
        let (give_fast, give_slow) = limits::FORECAST_SOURCE_MAILBOX;
        let pace = |percent, per_item, create: Span, give: Bytes, overhead, server: Bytes| Pace {
            bytes: [
                (part(upload, percent), Binding::Upload),
                (give.get(), Binding::SourceMailbox),
            ],
            items: [
                (requests.saturating_mul(10) / per_item, Binding::Requests),
                (calls / create.get().max(1), Binding::CallsInFlight),
            ],
            overhead,
            source: source.unwrap_or(server).get(),
        };
        let (short, long) = limits::FORECAST_MAILBOX;
        let stalled = limits::FORECAST_SLOW_UPLOAD_PERCENT;
        Self {
            fast: pace(100, few, quick, give_fast, short, server_fast),
            slow: pace(stalled, many, slow, give_slow, long, server_slow),
        }
    }

    /// The same with a measured rate in place of the assumptions.
    #[must_use]
    pub fn measured(self, rates: Measured) -> Self {
        let (more, less) = limits::FORECAST_MEASURED_PERCENT;
        let pace = |old: Pace, percent| {
            let bytes = part(rates.bytes_per_hour.get(), percent);
            let items = part(rates.items_per_hour.get(), percent);
            Pace {
                bytes: [(bytes, Binding::Measured); 2],
                items: [(items, Binding::Measured); 2],
                ..old
            }
        };
        Self {
            fast: pace(self.fast, more),
            slow: pace(self.slow, less),
        }
    }

    /// What the ranges rest on, one sentence each.
    pub fn assumptions(&self) -> Vec<String> {
        let range = |what: &str,
                     fast: (u64, Binding),
                     slow: (u64, Binding),
                     unit: &dyn Fn(u64) -> String| {
            format!(
                "{what}: {} to {} per hour ({})",
                unit(slow.0),
                unit(fast.0),
                fast.1
            )
        };
        let bytes = |n: u64| Bytes::new(n).to_string();
        let items = |n: u64| format!("{} items", Count::new(n));
        let mut out = Vec::new();
        for at in 0..2 {
            out.push(range(
                "bytes of one mailbox",
                self.fast.bytes[at],
                self.slow.bytes[at],
                &bytes,
            ));
        }
        for at in 0..2 {
            out.push(range(
                "items of one mailbox",
                self.fast.items[at],
                self.slow.items[at],
                &items,
            ));
        }
        out.dedup();
        let (fast, slow) = (Bytes::new(self.fast.source), Bytes::new(self.slow.source));
        out.push(format!("the whole source gives {slow} to {fast} per hour"));
        out.push(format!(
            "every mailbox costs {} to {} besides its items",
            self.fast.overhead, self.slow.overhead
        ));
        out.push(format!(
            "{} % of a mailbox change between its copy ahead and its night",
            limits::FORECAST_DELTA_PERCENT
        ));
        out
    }
}

impl Pace {
    /// How many seconds one mailbox takes, and which limit decides it.
    pub fn time(&self, load: Load) -> (u64, Binding) {
        let hours = |n: u64, rate: u64| {
            let secs = (u128::from(n) * u128::from(HOUR)).div_ceil(u128::from(rate.max(1)));
            u64::try_from(secs)
                .unwrap_or(u64::MAX / 4)
                .min(u64::MAX / 4)
        };
        let overhead = self.overhead.get() / 1_000;
        let bytes = self
            .bytes
            .iter()
            .map(|(rate, why)| (hours(load.bytes.get(), *rate), *why));
        let items = self
            .items
            .iter()
            .map(|(rate, why)| (hours(load.items.get(), *rate), *why));
        // The first of equals decides, so that the answer does not depend on how the lists are made.
        let mut longest = (0, Binding::Overhead);
        for (secs, why) in bytes.chain(items) {
            if secs > longest.0 {
                longest = (secs, why);
            }
        }
        let why = if longest.0 > overhead {
            longest.1
        } else {
            Binding::Overhead
        };
        (longest.0 + overhead, why)
    }

    /// How many seconds the source needs to give `bytes` to everybody together.
    pub fn source_time(&self, bytes: Bytes) -> u64 {
        let secs =
            (u128::from(bytes.get()) * u128::from(HOUR)).div_ceil(u128::from(self.source.max(1)));
        u64::try_from(secs).unwrap_or(u64::MAX / 4)
    }
}

/// Seconds as hours with one decimal, rounded up, so that a forecast never promises less than it computed.
pub fn tenths_of_hours(secs: u64) -> String {
    let tenths = secs.div_ceil(360);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(items: u64, bytes: u64) -> Load {
        Load {
            items: Count::new(items),
            bytes: Bytes::new(bytes),
        }
    }

    #[test]
    fn each_limit_binds_where_it_is_the_narrowest() {
        let paces = Paces::published(&RunLimits::default(), None);
        // 148 MB in 5 minutes are 1.33 GB an hour before base64.
        assert_eq!(
            paces.fast.time(load(1, 1_332_000_000)),
            (3_660, Binding::Upload)
        );
        assert_eq!(
            paces.slow.time(load(1, 1_065_600_000)),
            (3_900, Binding::Upload)
        );
        // 4 calls of 0.3 s are 48,000 items an hour, of 1.2 s are 12,000.
        assert_eq!(
            paces.fast.time(load(48_000, 1)),
            (3_660, Binding::CallsInFlight)
        );
        assert_eq!(
            paces.slow.time(load(12_000, 1)),
            (3_900, Binding::CallsInFlight)
        );
        assert_eq!(paces.fast.time(load(0, 0)), (60, Binding::Overhead));
        let few = RunLimits {
            target_requests_per_window: Some(Count::new(100)),
            ..RunLimits::default()
        };
        let paces = Paces::published(&few, None);
        assert_eq!(paces.fast.time(load(600, 1)).1, Binding::Requests);
        assert!(paces.slow.time(load(u64::MAX, u64::MAX)).0 > 1 << 40);
    }

    #[test]
    fn a_measured_rate_takes_the_place_of_the_assumptions() {
        let summary = r#"{"event":"x"}
{"schema":"mailferry.summary/1","mailboxes":40,"items":{"confirmed":20000},"bytes":{"sent":2000000000},"seconds":3600.0}
"#;
        let rates = Measured::parse(summary, 20).expect("a summary");
        assert_eq!(rates.items_per_hour, Count::new(1_000));
        assert_eq!(rates.bytes_per_hour, Bytes::new(100_000_000));
        let paces = Paces::published(&RunLimits::default(), None).measured(rates);
        assert_eq!(
            paces.slow.time(load(800, 1)),
            (3_600 + 300, Binding::Measured)
        );
        assert_eq!(
            paces.fast.time(load(1_200, 1)),
            (3_600 + 60, Binding::Measured)
        );
        for bad in [
            "",
            "{}",
            "null",
            r#"{"schema":"mailferry.summary/1","seconds":0}"#,
            r#"{"schema":"mailferry.summary/1","seconds":5,"items":{"confirmed":0},"bytes":{"sent":0}}"#,
            r#"{"schema":"mailferry.rates/1","bytes_per_hour":-1,"items_per_hour":2}"#,
        ] {
            assert!(Measured::parse(bad, 20).is_err(), "{bad}");
        }
    }

    #[test]
    fn hours_are_rounded_up() {
        assert_eq!(tenths_of_hours(0), "0.0");
        assert_eq!(tenths_of_hours(1), "0.1");
        assert_eq!(tenths_of_hours(3_600), "1.0");
        assert_eq!(tenths_of_hours(36_001), "10.1");
    }
}
