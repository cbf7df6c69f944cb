//! Nights with the real binary: windows that are closed, signals in the middle of a run, what is left and how long it takes.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::process::{Lab, mailferry, run_to_the_end, wait_for};
use serde_json::Value;

/// The lab's plan with a schedule, in a directory of its own, with the lab's secrets beside it.
fn scheduled(lab: &Lab, name: &str, windows: &str, day: &str) -> PathBuf {
    let dir = lab.dir.path().join(name);
    fs::create_dir_all(&dir).unwrap();
    let text = fs::read_to_string(lab.plan()).unwrap();
    let text = text.replacen(
        "[select]",
        &format!("[schedule]\ntime_zone = \"UTC\"\nwindows = [{windows}]\n\n[select]"),
        1,
    );
    let text = text.replacen("name = \"pilot\"", &format!("name = \"pilot\"\n{day}"), 1);
    let plan = dir.join("plan.toml");
    fs::write(&plan, text).unwrap();
    fs::copy(lab.dir.path().join("secrets.env"), dir.join("secrets.env")).unwrap();
    plan
}

/// A window of one minute that is at least two days away from now.
fn far_window() -> String {
    let day = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .weekday()
        .to_monday_zero_offset();
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let far = days[(usize::try_from(day).unwrap() + 3) % 7];
    format!("{{ days = [\"{far}\"], from = \"12:00\", to = \"12:01\" }}")
}

/// Asks a process to end, as systemd does.
fn terminate(child: &Child) {
    let status = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

fn start(plan: &Path, more: &[&str]) -> Child {
    mailferry("run", plan, more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn summary(stdout: &[u8]) -> Value {
    let text = String::from_utf8_lossy(stdout);
    serde_json::from_str(text.lines().last().expect("a summary line")).unwrap()
}

fn journal(plan: &Path) -> String {
    fs::read_to_string(plan.with_file_name("state").join("journal.jsonl")).unwrap_or_default()
}

#[test]
fn a_scheduled_run_waits_for_its_window_and_says_until_when() {
    let lab = Lab::start(&["--mailboxes", "2", "--items", "30", "--limits", "off"]);
    let plan = scheduled(&lab, "closed", &far_window(), "");

    let refused = mailferry("run", &plan, &[]).output().unwrap();
    let talk = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(6), "{talk}");
    assert!(
        talk.contains("12:00:00Z") && talk.contains("--scheduled"),
        "{talk}"
    );

    let run = start(&plan, &["--scheduled", "--json"]);
    wait_for("the wait in the journal", || {
        journal(&plan).contains("\"event\":\"resting\"")
    });
    wait_for("the snapshot", || {
        plan.with_file_name("state").join("status.json").exists()
    });
    let status = mailferry("status", &plan, &["--json"]).output().unwrap();
    let found: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status.status.code(), Some(0));
    let until = found["waiting_for"]["until"].as_str().unwrap().to_owned();
    assert!(until.ends_with("T12:00:00Z"), "{found}");
    assert_eq!(found["running"], true);
    let shown = mailferry("status", &plan, &[]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains(&format!("until {until}")),
        "a person reads it too: {shown}"
    );

    terminate(&run);
    let out = run.wait_with_output().unwrap();
    let talk = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(6), "{talk}");
    assert!(talk.contains(&until), "{talk}");
    assert!(!talk.contains("panicked"), "{talk}");
    assert!(!journal(&plan).contains('@'));

    // A window that is open and a day that has come: nothing is waited for.
    let always = "{ days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"], from = \"00:00\", to = \"24:00\" }";
    let open = scheduled(&lab, "open", always, "not_before = \"2020-01-01\"");
    let out = mailferry("run", &open, &["--scheduled", "--json"])
        .output()
        .unwrap();
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(summary(&out.stdout)["items"]["confirmed"], 60);
    lab.assert_same_on_both_sides();
}

#[test]
fn wrong_passwords_are_said_at_once_and_not_when_the_window_opens() {
    let lab = Lab::start(&["--mailboxes", "1", "--items", "5", "--limits", "off"]);
    let plan = scheduled(&lab, "closed", &far_window(), "");
    let out = mailferry("run", &plan, &["--scheduled"])
        .env("MAILFERRY_LAB_SOURCE_PASSWORD", "wrong")
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(4), "{talk}");
    let both = mailferry("run", &plan, &["--scheduled", "--until", "06:00"])
        .output()
        .unwrap();
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn termination_drains_says_what_is_left_and_the_next_run_finishes() {
    let lab = Lab::start(&[
        "--mailboxes",
        "2",
        "--items",
        "400",
        "--limits",
        "off",
        "--latency",
        "30",
    ]);
    let plan = lab.plan();
    let run = start(&plan, &["--json"]);
    wait_for("the first confirmed items", || {
        journal(&plan).matches("copy_confirmed").count() >= 10
    });
    terminate(&run);
    let out = run.wait_with_output().unwrap();
    let talk = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(6), "{talk}");
    assert!(talk.contains("stopping"), "{talk}");
    let told = summary(&out.stdout);
    assert_eq!(told["stopped"], "asked to stop");
    assert_eq!(told["items"]["unexplained"], 0);
    assert_eq!(
        told["items"]["in_doubt"], 0,
        "what was on its way is recorded"
    );
    let (items, left) = (&told["items"], &told["left"]);
    assert_eq!(left["items"], items["remaining"], "{told}");
    assert!(left["bytes"].as_u64().unwrap() > 0);
    assert_eq!(left["mailboxes"], 2);
    assert!(told["forecast"]["hours"].as_f64().unwrap() > 0.0);
    assert_eq!(told["forecast"]["nights"], 0, "there are no windows");
    assert!(told["forecast"]["done_at"].as_str().unwrap().ends_with('Z'));
    let finished = run_to_the_end(&plan);
    assert_eq!(finished["items"]["confirmed"], 800);
    assert_eq!(finished["left"], Value::Null);
    lab.assert_same_on_both_sides();
    lab.assert_clean_hands();
}

#[test]
fn a_second_termination_stops_at_once_and_loses_nothing() {
    let lab = Lab::start(&[
        "--mailboxes",
        "2",
        "--items",
        "40",
        "--limits",
        "off",
        "--latency",
        "150",
    ]);
    let plan = lab.plan();
    let mut run = start(&plan, &["--json"]);
    wait_for("the first confirmed items", || {
        journal(&plan).matches("copy_confirmed").count() >= 3
    });
    terminate(&run);
    // Two signals at once are one: the second waits for the word about the first.
    let mut talk = BufReader::new(run.stderr.take().unwrap()).lines();
    let drains = talk.next().unwrap().unwrap();
    assert!(drains.contains("finished and recorded"), "{drains}");
    terminate(&run);
    let stops = talk.next().unwrap().unwrap();
    assert!(stops.contains("at once"), "{stops}");
    let out = run.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(6));
    assert_eq!(summary(&out.stdout)["items"]["unexplained"], 0);
    let finished = run_to_the_end(&plan);
    assert_eq!(finished["items"]["confirmed"], 80);
    lab.assert_same_on_both_sides();
    lab.assert_clean_hands();
}
