//! How fast we may be, and how we wait: the engine in virtual time against the lab's limiter, which counts by means of its own.
//! The whole table: `scripts/bench.sh pace`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::sync::Arc;

use crate::paced::*;
use mailferry::base::event::Side;
use mailferry::base::outcome::Scope;
use mailferry::base::quantity::{Bytes, Count, Span, Tick};
use mailferry::base::route::RouteRule;
use mailferry::base::spec::{RunLimits, SourceByDay};

const MINUTE: Span = Span::from_secs(60);

/// Runs a course for so many minutes, and measures after the first window.
fn measured(course: Course, minutes: u64, weigh: impl Fn(&Sent) -> u64 + Copy) -> (f64, f64) {
    play(|| async {
        let stage = Stage::new(course);
        let done = ferry(&stage, jobs(&stage.course), MINUTE.times(minutes)).await;
        assert!(!done, "the course was too short to be measured");
        let (from, to) = (Tick::ZERO + MINUTE.times(5), stage.clock.tick());
        let rate = mean_rate(&stage, from, to, weigh);
        let (requests, throttled) = stage.totals();
        (rate, throttled as f64 / requests as f64)
    })
}

#[test]
fn mailboxes_of_large_items_reach_the_published_upload() {
    for (sizes, mailboxes) in [
        (vec![5_000_000], 1),
        (vec![300_000, 4_000_000, 1_000_000, 2_500_000, 700_000], 1),
    ] {
        let course = Course {
            mailboxes,
            items: 2_000,
            sizes,
            ..Course::default()
        };
        let (rate, throttled) = measured(course, 11, |call| call.bytes);
        let share = rate * 300.0 / 150e6;
        println!("{share:.4} of 150 MB per 5 minutes, {throttled:.5} throttled");
        assert!(share >= 0.97, "{share}");
        assert!(share <= 1.0, "{share}");
        assert!(throttled < 0.001, "{throttled}");
    }
}

#[test]
fn mailboxes_of_small_items_reach_what_calls_in_flight_and_requests_allow() {
    for (latency, most, minutes) in [(250, 9_600.0, 11), (100, 10_000.0, 21)] {
        let course = Course {
            items: 40_000,
            sizes: vec![2_000],
            latency: Span::new(latency),
            ..Course::default()
        };
        let (rate, throttled) = measured(course, minutes, |_| 1);
        let share = rate * 600.0 / most;
        println!(
            "{latency} ms: {share:.4} of {most} calls in 10 minutes, {throttled:.5} throttled"
        );
        assert!(share >= 0.97, "{share}");
        assert!(throttled < 0.001, "{throttled}");
    }
}

#[test]
fn messages_by_their_class_reach_what_the_published_calls_allow() {
    let course = Course {
        items: 40_000,
        sizes: vec![2_000],
        latency: Span::new(100),
        route: RouteRule::Typed,
        ..Course::default()
    };
    let (rate, throttled) = measured(course, 21, |_| 1);
    let share = rate * 600.0 / 10_000.0;
    println!("{share:.4} of 10,000 calls in 10 minutes, {throttled:.5} throttled");
    assert!(share >= 0.95, "{share}");
    assert!(throttled < 0.001, "{throttled}");
}

#[test]
fn an_item_above_a_window_is_carried_on_debt() {
    play(|| async {
        let course = Course {
            items: 12,
            // 200 MB on the wire, and small ones that come between.
            sizes: vec![150_000_000, 10_000, 10_000],
            ..Course::default()
        };
        let stage = Stage::new(course);
        assert!(ferry(&stage, jobs(&stage.course), MINUTE.times(600)).await);
        let log = stage.log();
        assert!(log.throttled.is_empty(), "{:?}", log.throttled);
        let sent = &log.sent[address(0).reveal()];
        let large: Vec<&Sent> = sent
            .iter()
            .filter(|call| call.bytes > 150_000_000)
            .collect();
        assert_eq!((sent.len(), large.len()), (12, 4));
        for pair in large.windows(2) {
            // 200 MB at 148 MB per 5 minutes are 6 min 45 s; what is over a window keeps the next one until it is paid.
            let apart = pair[1].at - pair[0].at;
            assert!(apart >= Span::from_secs(405), "{apart}");
            assert!(apart <= Span::from_secs(605), "{apart}");
        }
    });
}

#[test]
fn a_throttle_pauses_its_whole_scope_once_and_nobody_else() {
    let wait = Span::from_secs(40);
    let struck = Tick::new(30_000);
    for (side, scope) in [
        (Side::Target, Scope::TargetApp),
        (Side::Target, Scope::TargetMailbox),
        (Side::Source, Scope::SourceServer),
        (Side::Source, Scope::SourceMailbox),
    ] {
        play(|| async {
            let course = Course {
                mailboxes: 5,
                items: 10_000,
                sizes: vec![2_000],
                ..Course::default()
            };
            let stage = Stage::new(course);
            // Several calls are told the same: one pause, not several.
            for _ in 0..3 {
                stage.strike(Bolt {
                    from: struck,
                    side,
                    scope,
                    wait: Some(wait),
                });
            }
            ferry(&stage, jobs(&stage.course), Span::from_secs(85)).await;
            let log = stage.log();
            // Those that were on their way may still arrive.
            let (from, to) = (struck + Span::new(4_000), struck + wait);
            let paused = |calls: &[Tick]| !calls.iter().any(|at| (from..to).contains(at));
            let back = |calls: &[Tick]| {
                let first = calls.iter().find(|at| **at >= to).copied().unwrap();
                first < to + Span::new(8_000)
            };
            let mut quiet = 0;
            for n in 0..5 {
                let name = address(n).reveal().to_owned();
                let calls: Vec<Tick> = match side {
                    Side::Target => log.sent[&name].iter().map(|call| call.at).collect(),
                    Side::Source => (log.asked.iter().filter(|(_, who)| *who == name))
                        .map(|(at, _)| *at)
                        .collect(),
                };
                quiet += usize::from(paused(&calls));
                assert!(back(&calls), "{scope:?}: mailbox {n} did not come back");
            }
            match scope {
                Scope::TargetApp | Scope::SourceServer => assert_eq!(quiet, 5, "{scope:?}"),
                // Three bolts may meet up to three mailboxes.
                Scope::TargetMailbox | Scope::SourceMailbox => {
                    assert!((1..=3).contains(&quiet), "{scope:?}: {quiet}");
                }
            }
            // They do not come back as one.
            if scope == Scope::TargetApp {
                let all = log.sent.values().flatten();
                let mut starts: Vec<Tick> =
                    all.map(|call| call.at).filter(|at| *at >= to).collect();
                starts.sort_unstable();
                let crowd = starts
                    .iter()
                    .filter(|at| **at < to + Span::new(100))
                    .count();
                assert!(crowd <= 5, "{crowd} calls within 100 ms after the pause");
            }
        });
    }
}

#[test]
fn whoever_shares_a_mailbox_with_us_is_left_room() {
    let course = Course {
        items: 20_000,
        sizes: vec![2_000],
        ..Course::default()
    };
    play(|| async {
        let stage = Stage::new(course);
        let other = {
            let stage = Arc::clone(&stage);
            async move {
                // Two calls in flight all the time, for five minutes.
                let busy = || async {
                    while stage.clock.tick() < Tick::ZERO + MINUTE.times(5) {
                        let _ = stage.call(address(0).reveal(), 0).await;
                    }
                };
                tokio::join!(busy(), busy());
            }
        };
        let ours = ferry(&stage, jobs(&stage.course), MINUTE.times(10));
        tokio::join!(other, ours);
        let (from, to) = (Tick::ZERO + MINUTE.times(8), Tick::ZERO + MINUTE.times(10));
        let log = stage.log();
        let refused = log.throttled[address(0).reveal()].len();
        // Two lanes are ours; a third is tried every half minute, and each try may cost both a call.
        assert!(refused < 100, "{refused} throttled");
        let late = rate(&log.sent[address(0).reveal()], from, to, |_| 1);
        assert!(
            late * 600.0 >= 0.97 * 9_600.0,
            "{late} calls/s after the other left"
        );
    });
}

#[test]
fn an_old_server_is_not_pressed_and_a_strong_one_is_used() {
    let seen = |bears, (from, seconds): (u64, u64), by_day| {
        let course = Course {
            mailboxes: 20,
            items: 10_000,
            sizes: vec![2_000],
            latency: Span::new(50),
            source_latency: Span::new(3_000),
            source_bears: bears,
            limits: RunLimits {
                target_requests_per_window: None,
                source_by_day: by_day,
                ..Course::default().limits
            },
            ..Course::default()
        };
        play(|| async {
            let stage = Stage::new(course);
            ferry(&stage, jobs(&stage.course), Span::from_secs(seconds)).await;
            let log = stage.log();
            let late = log
                .source_seen
                .iter()
                .filter(|(at, _)| at.get() >= from * 1_000);
            let all: Vec<u32> = late.map(|(_, there)| *there).collect();
            let mean = f64::from(all.iter().sum::<u32>()) / all.len() as f64;
            (mean, all.iter().max().copied().unwrap())
        })
    };
    let (mean, _) = seen(Some(5), (100, 160), None);
    assert!(
        (3.0..10.0).contains(&mean),
        "an old server has {mean:.1} calls at once"
    );
    let (mean, most) = seen(None, (120, 160), None);
    assert!(
        mean > 15.0 && most <= 20,
        "a strong one has {mean:.1}, at most {most}"
    );
    // It is 20:26 on a Thursday: a day that ends at 20:28 spares the server until then.
    let by_day = SourceByDay {
        connections: 3,
        time_zone: "UTC".into(),
        days: vec![3],
        from: 7 * 60,
        to: 20 * 60 + 28,
    };
    let (_, most) = seen(None, (0, 170), Some(by_day.clone()));
    assert!(most > 10, "the night is not used: {most}");
    let always = SourceByDay {
        to: 24 * 60,
        ..by_day
    };
    let (_, most) = seen(None, (0, 60), Some(always));
    assert!(most <= 3, "the day is not spared: {most}");
}

#[test]
fn mailboxes_share_a_narrow_source_evenly() {
    let course = Course {
        mailboxes: 10,
        items: 10_000,
        sizes: vec![2_000],
        latency: Span::new(50),
        source_latency: Span::new(500),
        limits: RunLimits {
            source_connections: 2,
            target_requests_per_window: None,
            ..Course::default().limits
        },
        ..Course::default()
    };
    play(|| async {
        let stage = Stage::new(course);
        ferry(&stage, jobs(&stage.course), MINUTE.times(4)).await;
        let log = stage.log();
        let counts: Vec<usize> = log.sent.values().map(Vec::len).collect();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(counts.len() == 10 && *least * 10 >= *most * 9, "{counts:?}");
    });
}

#[test]
fn the_longest_mailbox_begins_first() {
    let course = Course {
        mailboxes: 6,
        items: 20,
        sizes: vec![2_000],
        limits: RunLimits {
            mailboxes_at_once: 1,
            ..Course::default().limits
        },
        ..Course::default()
    };
    play(|| async {
        let stage = Stage::new(course);
        let mut jobs = jobs(&stage.course);
        for (job, (items, bytes)) in jobs.iter_mut().zip([
            (10, 1_000),
            (500_000, 0),
            (10, 9_000_000_000),
            (10, 1_000),
            (10, 20_000_000_000),
            (2_000, 0),
        ]) {
            job.items = Some(Count::new(items));
            job.bytes = Some(Bytes::new(bytes));
        }
        assert!(ferry(&stage, jobs, MINUTE.times(60)).await);
        let log = stage.log();
        let mut order: Vec<&str> = log.asked.iter().map(|(_, who)| who.as_str()).collect();
        order.dedup();
        let names = [4, 1, 2, 5, 0, 3].map(|n| address(n).reveal().to_owned());
        assert_eq!(order, names);
    });
}
