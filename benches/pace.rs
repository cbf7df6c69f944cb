//! How near to the published limits a policy comes, in virtual time under the lab's limiter: mailferry's engine beside two simpler ones.
//! Run by `scripts/bench.sh pace`; prints a table. `-- 1 10` measures with these numbers of mailboxes only.
//!
//! The simpler policies have every item at hand; the engine lists, exports and spools it first. The source is quick (100 ms a call), so
//! that the target's limits are what is measured.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "../tests/paced/mod.rs"]
mod paced;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use mailferry::base::dice::Dice;
use mailferry::base::limits::SPOOL_TOTAL;
use mailferry::base::quantity::{Bytes, Span, Tick};
use paced::{Course, Sent, Stage, address, ferry, jobs, mean_rate, play};

const MINUTE: Span = Span::from_secs(60);

/// What a create weighs on the wire beside its base64 text.
const FRAME: u64 = 600;

#[derive(Clone, Copy, Debug)]
enum Policy {
    Mailferry,
    /// Two creates at a time; after a throttle 15, 30, 45, then 60 s.
    FixedWaits,
    /// Four at a time; after a throttle 1 s, doubled each time up to 60 s, of which the upper half is random.
    Exponential,
}

impl Policy {
    const ALL: [Self; 3] = [Self::Mailferry, Self::FixedWaits, Self::Exponential];

    const fn name(self) -> &'static str {
        match self {
            Self::Mailferry => "mailferry",
            Self::FixedWaits => "2 lanes, 15/30/45/60 s",
            Self::Exponential => "4 lanes, exponential",
        }
    }

    const fn lanes(self) -> u64 {
        match self {
            Self::Mailferry | Self::Exponential => 4,
            Self::FixedWaits => 2,
        }
    }

    fn wait(self, nth: u64, dice: &mut Dice) -> Span {
        match self {
            Self::FixedWaits => Span::from_secs(15 * nth.min(4)),
            Self::Mailferry | Self::Exponential => {
                let whole = 1_000 * (1 << (nth - 1).min(6));
                let whole = whole.min(60_000);
                Span::new(whole / 2 + dice.below(whole / 2))
            }
        }
    }
}

/// A simple policy on one mailbox, for ever.
async fn simple(stage: &Stage, mailbox: u32, policy: Policy) {
    let next = AtomicU64::new(0);
    let (name, next) = (address(mailbox), &next);
    let lanes = (0..policy.lanes()).map(|lane| {
        let name = name.reveal();
        let mut dice = Dice::new(u64::from(mailbox) * 10 + lane);
        async move {
            loop {
                let item = next.fetch_add(1, Ordering::Relaxed);
                let wire = stage.course.size(item).div_ceil(3) * 4 + FRAME;
                let mut nth = 0;
                while stage.call(name, wire).await.is_err() {
                    nth += 1;
                    let until = stage.clock.tick() + policy.wait(nth, &mut dice);
                    stage.clock.sleep_until(until).await;
                }
            }
        }
    });
    join_all(lanes).await;
}

/// What was measured: bytes and calls per second and mailbox, and the share of throttled calls.
struct Figures {
    bytes: f64,
    calls: f64,
    throttled: f64,
}

fn measure(course: Course, policy: Policy, minutes: u64) -> Figures {
    play(|| async {
        let stage = Stage::new(course);
        let span = MINUTE.times(minutes);
        if let Policy::Mailferry = policy {
            let done = ferry(&stage, jobs(&stage.course), span).await;
            assert!(!done, "the course was too short to be measured");
        } else {
            let all = (0..stage.course.mailboxes).map(|n| simple(&stage, n, policy));
            tokio::select! {
                biased;
                _ = join_all(all) => {}
                () = stage.clock.sleep_until(Tick::ZERO + span) => {}
            }
        }
        figures(&stage, span)
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn figures(stage: &Arc<Stage>, span: Span) -> Figures {
    // The first window begins empty and is no measure.
    let (from, to) = (Tick::ZERO + MINUTE.times(5), Tick::ZERO + span);
    let bytes: fn(&Sent) -> u64 = |call| call.bytes;
    let (requests, throttled) = stage.totals();
    Figures {
        bytes: mean_rate(stage, from, to, bytes),
        calls: mean_rate(stage, from, to, |_| 1),
        throttled: throttled as f64 / requests.max(1) as f64,
    }
}

/// A kind of mailbox, and what the limits allow it.
struct Kind {
    name: &'static str,
    sizes: Vec<u64>,
    latency: u64,
    minutes: u64,
    /// Calls in 10 minutes that are possible; nothing where bytes are what counts.
    calls: Option<f64>,
}

fn kinds() -> Vec<Kind> {
    vec![
        Kind {
            name: "items of 5 MB",
            sizes: vec![5_000_000],
            latency: 250,
            minutes: 26,
            calls: None,
        },
        Kind {
            name: "items of 0.3 to 4 MB",
            sizes: vec![300_000, 4_000_000, 1_000_000, 2_500_000, 700_000],
            latency: 250,
            minutes: 26,
            calls: None,
        },
        Kind {
            name: "items of 2 KB, 250 ms",
            sizes: vec![2_000],
            latency: 250,
            minutes: 11,
            calls: Some(9_600.0),
        },
        Kind {
            name: "items of 2 KB, 100 ms",
            sizes: vec![2_000],
            latency: 100,
            minutes: 31,
            calls: Some(10_000.0),
        },
    ]
}

fn main() {
    let asked: Vec<u32> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let asked = if asked.is_empty() {
        vec![1, 10, 200]
    } else {
        asked
    };
    println!(
        "virtual time, published limits: 150 MB per 5 minutes, 10,000 calls per 10 minutes, 4 in flight, per mailbox;"
    );
    println!(
        "at 250 ms a call 4 in flight are 9,600 calls in 10 minutes. Bytes as they travel (base64). The first 5 minutes are not counted."
    );
    println!();
    println!(
        "| mailboxes | of | policy | MB/5 min | of 150 | calls/10 min | of possible | throttled |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for kind in kinds() {
        for &mailboxes in &asked {
            // 200 mailboxes at 10,000 calls in 4 minutes are 4 million rows: memory, and nothing new.
            if mailboxes >= 100 && kind.latency == 100 {
                continue;
            }
            let most = if mailboxes >= 100 { 21 } else { u64::MAX };
            let minutes = kind.minutes.min(most);
            for policy in Policy::ALL {
                row(&kind, mailboxes, minutes, policy);
            }
        }
    }
}

fn row(kind: &Kind, mailboxes: u32, minutes: u64, policy: Policy) {
    let mut course = Course {
        mailboxes,
        // More than can be sent in that time.
        items: match kind.calls {
            Some(_) => minutes * 1_100 + 500,
            None => {
                minutes * 30_000_000 * 2 / kind.sizes.iter().sum::<u64>() * kind.sizes.len() as u64
            }
        },
        sizes: kind.sizes.clone(),
        latency: Span::new(kind.latency),
        ..Course::default()
    };
    course.limits.mailboxes_at_once = mailboxes;
    // As much room a mailbox as the defaults give their 20.
    let room = Bytes::new(SPOOL_TOTAL.get() / 20 * u64::from(mailboxes.max(20)));
    course.limits.spool_total = room;
    course.limits.spool_memory = room;
    let found = measure(course, policy, minutes);
    let (bytes, calls) = (found.bytes * 300.0, found.calls * 600.0);
    println!(
        "| {mailboxes} | {} | {} | {:.1} | {} | {:.0} | {} | {:.3} % |",
        kind.name,
        policy.name(),
        bytes / 1e6,
        if kind.calls.is_none() {
            format!("{:.1} %", bytes / 1.5e6)
        } else {
            "-".into()
        },
        calls,
        kind.calls.map_or_else(
            || "-".into(),
            |most| format!("{:.1} %", calls * 100.0 / most)
        ),
        found.throttled * 100.0,
    );
}
