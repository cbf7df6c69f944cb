//! The product against its own lab, over loopback, in real time: the real binary is killed and started again, and the lab's own truth is the
//! judge.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::io::Read as _;
use std::process::Stdio;

use crate::process::{Lab, mailferry, run_to_the_end, wait_for};
use mailferry::base::dice::Dice;
use serde_json::Value;

/// Starts the real binary `times` times and kills it at a random moment; the lab's own truth is asked after each. Returns how many runs were killed
/// before they ended.
fn drill(lab: &Lab, times: u32, patience_ms: u64) -> u32 {
    let plan = lab.plan();
    let mut dice = Dice::new(0x6B11);
    let mut killed = 0;
    for _ in 0..times {
        let mut run = mailferry("run", &plan, &["--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let patience = 60 + dice.below(patience_ms);
        let mut waited = 0;
        wait_for("the moment to kill", || {
            waited += 10;
            waited >= patience || run.try_wait().unwrap().is_some()
        });
        let _ = run.kill();
        let status = run.wait().unwrap();
        let mut talk = String::new();
        run.stderr
            .take()
            .unwrap()
            .read_to_string(&mut talk)
            .unwrap();
        assert!(!talk.contains("panicked"), "{talk}");
        killed += u32::from(status.code().is_none());
        let (source, target) = lab.truth();
        for (what, times) in &target {
            assert!(
                source.get(what).copied().unwrap_or(0) >= *times,
                "{what:?} is there {times} times"
            );
        }
    }
    killed
}

fn assert_all_there(lab: &Lab, items: u64) {
    let plan = lab.plan();
    let summary = run_to_the_end(&plan);
    assert_eq!(summary["items"]["source"], items, "{summary}");
    assert_eq!(summary["items"]["confirmed"], items, "{summary}");
    lab.assert_same_on_both_sides();
    lab.assert_clean_hands();
    let out = mailferry("verify", &plan, &["--json"]).output().unwrap();
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let verdict: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&verdict["grade"], &verdict["unexplained"]),
        (&"perfect".into(), &0.into()),
        "{verdict}"
    );
}

#[test]
fn ten_kills_of_the_real_binary_lose_nothing_and_double_nothing() {
    let lab = Lab::start(&[
        "--mailboxes",
        "3",
        "--items",
        "90",
        "--limits",
        "off",
        "--latency",
        "4",
    ]);
    let killed = drill(&lab, 10, 500);
    assert!(
        killed >= 3,
        "only {killed} runs were killed before they ended"
    );
    assert_all_there(&lab, 270);
}

/// The same for longer and under weather, for `scripts/soak.sh drill`.
#[test]
#[ignore = "fifty kills under weather take some minutes: scripts/soak.sh drill"]
fn fifty_kills_under_weather_lose_nothing_and_double_nothing() {
    let lab = Lab::start(&[
        "--mailboxes",
        "6",
        "--items",
        "2500",
        "--limits",
        "off",
        "--latency",
        "25",
        "--weather",
        "busy",
    ]);
    let killed = drill(&lab, 50, 2_500);
    println!("{killed} of 50 runs were killed before they ended");
    assert!(killed >= 30, "only {killed} runs were killed");
    assert_all_there(&lab, 15_000);
}
