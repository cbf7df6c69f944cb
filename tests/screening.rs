//! Screening on the way, from a crash at every step to a real clamd.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::stage::screener::MoodyScreener;
use crate::stage::*;
use mailferry::base::dice::Dice;
use mailferry::base::quantity::{Count, Span};
use mailferry::lab::fault::Weather;
use mailferry::lab::world::{Limits, WorldOptions};
use mailferry::port::ledger::Ledger;
use mailferry::store::memory::MemoryLedger;

fn screened(screener: &Arc<MoodyScreener>, knobs: &Knobs) -> Knobs {
    Knobs {
        screener: Some(Arc::clone(screener) as _),
        ..knobs.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_step_of_a_screened_run_loses_nothing_and_lets_nothing_bad_pass() {
    let knobs = Knobs {
        inbox: 8,
        lab: 4,
        calendar: 2,
        ..Knobs::default()
    };
    let mut last = 0;
    let withheld = loop {
        let screener = Arc::new(MoodyScreener::new(7, false));
        let knobs = screened(&screener, &knobs);
        let dir = tempfile::tempdir().unwrap();
        let (world, clock) = (build(&knobs), clock());
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let what = format!("stopped at step {last}");
        let steps = Steps::until(last);
        let end = act(&knobs, &world, &ledger, &clock, &steps, dir.path()).await;
        tokio::task::yield_now().await;
        assert_never_twice(&world, &knobs, &what);
        let steps = Steps::until(u64::MAX);
        let again = act(&knobs, &world, &ledger, &clock, &steps, dir.path())
            .await
            .unwrap();
        assert!(again.stopped.is_none(), "{what}: {again:?}");
        let withheld = screener
            .assert_outcome(&world, ledger.as_ref(), &knobs, &what)
            .await;
        if end.is_some() {
            break withheld;
        }
        last += 1;
    };
    assert!(withheld > Count::ZERO, "the sweep withholds nothing");
    println!("{last} steps, each crashed once, {withheld} items withheld each time");
}

async fn play(seed: u64) {
    let mut dice = Dice::new(seed).split("knobs");
    let mut upto = |n: u64| u32::try_from(dice.below(n)).unwrap();
    let screener = Arc::new(MoodyScreener::new(seed, true));
    let plain = Knobs {
        world: WorldOptions {
            seed,
            limits: Limits::Off,
            weather: [Weather::Calm, Weather::Busy][upto(2) as usize],
            lag: Span::new(u64::from(upto(25_000))),
            ..WorldOptions::default()
        },
        mailboxes: 1 + upto(3),
        inbox: 5 + upto(60),
        lab: upto(40),
        calendar: upto(20),
        copies: upto(4),
        variety: seed.is_multiple_of(3).then_some(80),
        ..Knobs::default()
    };
    let knobs = screened(&screener, &plain);
    let what = format!("seed {seed}");
    let dir = tempfile::tempdir().unwrap();
    let (world, clock) = (build(&knobs), clock());
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let mut crashes = Dice::new(seed).split("crashes");
    for _ in 0..4 {
        let last = if crashes.chance(1, 2) {
            crashes.below(400)
        } else {
            u64::MAX
        };
        let steps = Steps::until(last);
        act(&knobs, &world, &ledger, &clock, &steps, dir.path()).await;
        tokio::task::yield_now().await;
        assert_never_twice(&world, &knobs, &what);
    }
    set_weather(&world, Weather::Calm);
    screener.calm();
    for _ in 0..3 {
        let steps = Steps::until(u64::MAX);
        act(&knobs, &world, &ledger, &clock, &steps, dir.path()).await;
    }
    screener
        .assert_outcome(&world, ledger.as_ref(), &knobs, &what)
        .await;
    assert!(
        screener.silences.load(Ordering::SeqCst) > 0,
        "{what}: it never failed"
    );
}

#[test]
fn a_screener_that_finds_fails_and_recovers_lets_nothing_bad_pass_and_loses_nothing() {
    for seed in 1..=12 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(seed));
    }
}
