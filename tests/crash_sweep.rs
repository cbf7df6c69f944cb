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
    steps.taken()
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
