//! The process is stopped at every step of a ten-item job, exhaustively, and started again: nothing is lost and nothing is twice.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::sync::Arc;

use crate::stage::*;
use mailferry::base::id::PlanHash;
use mailferry::base::quantity::Span;
use mailferry::base::route::RouteRule;
use mailferry::base::spec::PassKind;
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::fault::{CallKind, Fault};
use mailferry::lab::mishap::{Mishap, MishapOrder};
use mailferry::lab::world::Now;
use mailferry::lab::wrong::Wrong;
use mailferry::port::ledger::Ledger;
use mailferry::store::memory::MemoryLedger;

/// Runs to step `last`, then again to the end. Returns the steps of the second run.
async fn crash_at(last: u64, ledgers: &mut dyn FnMut() -> Arc<dyn Ledger>, knobs: &Knobs) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let (world, clock) = (build(knobs), clock());
    let what = format!("stopped at step {last}");
    let steps = Steps::until(last);
    let ledger = ledgers();
    let end = act(knobs, &world, &ledger, &clock, &steps, dir.path()).await;
    assert_eq!(end.is_none(), last < steps.taken(), "{what}: {end:?}");
    assert_never_twice(&world, knobs, &what);
    if knobs.by_class.is_some() {
        by_class::assert_copies_are_whole(&world, knobs, &what);
    }
    drop(ledger);
    // A killed process takes its tasks with it: let the aborted ones go before the next begins.
    tokio::task::yield_now().await;
    let steps = Steps::until(u64::MAX);
    let ledger = ledgers();
    let end = act(knobs, &world, &ledger, &clock, &steps, dir.path())
        .await
        .unwrap();
    assert!(end.stopped.is_none(), "{what}: {end:?}");
    assert_everything_once(&world, knobs, &what);
    assert_all_confirmed(&ledger, knobs, &what).await;
    assert_nothing_left(&world, knobs, &what);
    // Each create clears away what an earlier attempt left.
    assert_eq!(steps.swept(), 0, "{what}");
    steps.taken()
}

/// After a complete run: nothing half made, and where the world has items that are made in several acts, every copy whole.
fn assert_nothing_left(world: &SharedWorld, knobs: &Knobs, what: &str) {
    by_class::assert_nothing_unfinished(world, knobs, what);
    if let Some(contacts) = knobs.by_class {
        let all = knobs.mailboxes * (knobs.inbox + knobs.lab + knobs.calendar + contacts);
        let whole = by_class::assert_copies_are_whole(world, knobs, what);
        assert_eq!(whole, usize::try_from(all).unwrap(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_step_loses_nothing_and_doubles_nothing_in_memory() {
    // By streams; by class; and by class after the target refused the streams.
    let streams = Knobs::default();
    let typed = Knobs {
        route: RouteRule::Typed,
        ..Knobs::default()
    };
    let refused = Knobs {
        route: RouteRule::Auto,
        wrong: vec![Wrong::StreamsRefused],
        ..Knobs::default()
    };
    for knobs in [streams, typed, refused] {
        let whole = {
            let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
            crash_at(0, &mut || Arc::clone(&ledger), &knobs).await
        };
        assert!(whole > 60, "a whole run takes only {whole} steps");
        for last in 1..=whole {
            let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
            crash_at(last, &mut || Arc::clone(&ledger), &knobs).await;
        }
        println!(
            "{} {:?}: {whole} steps, each crashed once",
            knobs.route, knobs.wrong
        );
    }
}

/// Messages with attachments, two of them copies of one, events and contacts; each create is several acts.
fn in_steps() -> Knobs {
    Knobs {
        route: RouteRule::Typed,
        by_class: Some(2),
        in_steps: true,
        inbox: 4,
        copies: 2,
        lab: 1,
        calendar: 3,
        ..Knobs::default()
    }
}

fn fresh() -> Arc<dyn Ledger> {
    Arc::new(MemoryLedger::new())
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_the_acts_of_a_create_leaves_nothing_half_made() {
    let knobs = in_steps();
    let at_once = Knobs {
        in_steps: false,
        ..knobs.clone()
    };
    let ledger = fresh();
    let at_once = crash_at(0, &mut || Arc::clone(&ledger), &at_once).await;
    let ledger = fresh();
    let whole = crash_at(0, &mut || Arc::clone(&ledger), &knobs).await;
    // Eight creates or more: two steps on the way to each, one for each attachment, one before its end.
    assert!(whole >= at_once + 8 * 4, "{whole} steps, and {at_once}");
    for last in 1..=whole {
        let ledger = fresh();
        crash_at(last, &mut || Arc::clone(&ledger), &knobs).await;
    }
    println!("{whole} steps, each crashed once, also between acts");
}

/// One act meets this fault, and the process stops at step `last`. Returns whether there was such an act.
async fn setback_at(call: usize, fault: Fault, last: u64) -> bool {
    let knobs = in_steps();
    let what = format!("{fault:?} at act {call}, stopped at step {last}");
    let dir = tempfile::tempdir().unwrap();
    let (world, clock, ledger) = (build(&knobs), clock(), fresh());
    let calls = (0..call).map(|_| None).chain([Some(fault)]);
    lock(&world).script(calls.map(|fault| (CallKind::Import, fault)));
    for last in [last, u64::MAX] {
        let steps = Steps::until(last);
        act(&knobs, &world, &ledger, &clock, &steps, dir.path()).await;
        tokio::task::yield_now().await;
        assert_never_twice(&world, &knobs, &what);
        by_class::assert_copies_are_whole(&world, &knobs, &what);
        assert_eq!(steps.swept(), 0, "{what}");
    }
    assert_everything_once(&world, &knobs, &what);
    assert_all_confirmed(&ledger, &knobs, &what).await;
    assert_nothing_left(&world, &knobs, &what);
    lock(&world).fault_is_spent()
}

/// What may come between two acts: the first is lost on its way, or its answer is; it is put off for longer than a listing lags, or for less.
const SETBACKS: [Fault; 4] = [
    Fault::ResetAfter,
    Fault::ResetBefore,
    Fault::Busy(None),
    Fault::Busy(Some(Span::new(100))),
];

#[tokio::test(start_paused = true)]
async fn a_setback_between_the_acts_of_a_create_leaves_nothing_half_made() {
    for fault in SETBACKS {
        let mut acts = 0;
        while setback_at(acts, fault, u64::MAX).await {
            acts += 1;
        }
        assert!(acts > 20, "only {acts} acts");
        println!("{fault:?} at each of {acts} acts");
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "every pair, for scripts/soak.sh"]
async fn every_setback_and_every_crash_together_leave_nothing_half_made() {
    for fault in SETBACKS {
        for acts in 0..30 {
            for last in 1..180 {
                setback_at(acts, fault, last).await;
            }
        }
    }
}

/// Every item leaves the source.
fn empty_the_source(world: &SharedWorld) {
    for folder in ["Inbox", "Inbox/Lab\\/results", "Calendar", "Contacts"] {
        let order = MishapOrder {
            folder: Some(folder.to_owned()),
            count: 100,
            ..MishapOrder::new(Mishap::ItemsDeleted, address(0).reveal())
        };
        lock(world).befall(Now::default(), order).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_goes_though_its_item_left_the_source() {
    let knobs = in_steps();
    // What nothing tells of any more is found by the pass that finishes.
    let last_pass = Knobs {
        pass: PassKind::Final,
        ..knobs.clone()
    };
    // Stopped once, or again while the first stop is settled.
    for second in [None, Some(9), Some(13), Some(21), Some(26)] {
        for first in (1..145).step_by(2) {
            let what = format!("stopped at step {first}, then {second:?}");
            let dir = tempfile::tempdir().unwrap();
            let (world, clock, ledger) = (build(&knobs), clock(), fresh());
            for last in [Some(first), second, Some(u64::MAX)].into_iter().flatten() {
                if last != first {
                    tokio::task::yield_now().await;
                }
                let mut knobs = &knobs;
                if last == u64::MAX {
                    empty_the_source(&world);
                    knobs = &last_pass;
                }
                let steps = Steps::until(last);
                act(knobs, &world, &ledger, &clock, &steps, dir.path()).await;
            }
            by_class::assert_nothing_unfinished(&world, &knobs, &what);
            assert_source_untouched(&world, &what);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_crash_while_settling_the_first_loses_nothing_and_doubles_nothing() {
    let knobs = Knobs {
        inbox: 3,
        copies: 2,
        lab: 1,
        calendar: 0,
        ..Knobs::default()
    };
    for first in (1..90).step_by(3) {
        for second in (1..60).step_by(4) {
            let dir = tempfile::tempdir().unwrap();
            let (world, clock) = (build(&knobs), clock());
            let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
            let what = format!("stopped at steps {first} and {second}");
            for last in [first, second] {
                act(
                    &knobs,
                    &world,
                    &ledger,
                    &clock,
                    &Steps::until(last),
                    dir.path(),
                )
                .await;
                tokio::task::yield_now().await;
                assert_never_twice(&world, &knobs, &what);
            }
            act(
                &knobs,
                &world,
                &ledger,
                &clock,
                &Steps::until(u64::MAX),
                dir.path(),
            )
            .await;
            assert_everything_once(&world, &knobs, &what);
            assert_all_confirmed(&ledger, &knobs, &what).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_ledger_is_rebuilt_by_looking_and_nothing_is_sent_twice() {
    let dir = tempfile::tempdir().unwrap();
    for route in [RouteRule::Auto, RouteRule::Typed] {
        let knobs = Knobs {
            route,
            ..Knobs::default()
        };
        let (world, clock) = (build(&knobs), clock());
        for round in ["first ledger", "new ledger"] {
            let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
            let steps = Steps::until(u64::MAX);
            act(&knobs, &world, &ledger, &clock, &steps, dir.path())
                .await
                .unwrap();
            clock.sleep_until(clock.tick() + Span::from_secs(60)).await;
            let what = format!("{round}, {route}");
            assert_everything_once(&world, &knobs, &what);
            assert_all_confirmed(&ledger, &knobs, &what).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_step_loses_nothing_and_doubles_nothing_on_disk() {
    use mailferry::base::spec::Realm;
    use mailferry::store::codec::Header;
    use mailferry::store::embedded::{EmbeddedLedger, OpenError, Opening};
    let knobs = Knobs {
        inbox: 5,
        lab: 3,
        calendar: 2,
        ..Knobs::default()
    };
    let belongs = Header {
        plan: PlanHash::new("0".repeat(64)),
        realm: Realm::Rehearsal,
    };
    for last in (1..150).step_by(2) {
        let state = tempfile::tempdir().unwrap();
        let mut open = || -> Arc<dyn Ledger> {
            // An aborted task's last read may still hold the files for a moment.
            for _ in 0..1_000_000 {
                match EmbeddedLedger::open(state.path(), &belongs, Opening::Create) {
                    Ok(ledger) => return Arc::new(ledger),
                    Err(OpenError::Corrupt { why, .. }) if why.contains("lock") => {}
                    Err(OpenError::Held { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
                std::thread::yield_now();
            }
            panic!("the dead process never let go of its ledger")
        };
        crash_at(last, &mut open, &knobs).await;
    }
}
