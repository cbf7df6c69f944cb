//! A state directory on a disk that is too small, with the real binary: the run drains, says so, and the next one goes on where it was.
//! The ledger leaves a reserve of 8 MB free, so a disk of 12 MB has 4 MB for it. Needs the right to mount a small file system; where that is missing, the test says that it was skipped.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint, and what is skipped is said"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::{Lab, mailferry};
use serde_json::Value;

/// A file system of a few megabytes; unmounted when dropped.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let disk = Self { dir };
        if !disk.call(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]) {
            eprintln!("skipped: mounting a small file system is not permitted here");
            return None;
        }
        Some(disk)
    }

    fn grow(&self, size: &str) {
        assert!(self.call(&["-o", &format!("remount,size={size}")]));
    }

    fn call(&self, args: &[&str]) -> bool {
        Command::new("mount")
            .args(args)
            .arg(self.dir.path())
            .output()
            .is_ok_and(|out| out.status.success())
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.dir.path()).output();
    }
}

fn run(plan: &Path, state: &Path) -> Output {
    let state = state.to_str().unwrap();
    mailferry("run", plan, &["--json", "--state", state])
        .output()
        .unwrap()
}

fn assert_full(out: &Output) {
    let talk = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(6), "{talk}");
    assert!(
        talk.contains("full") && talk.contains("make room"),
        "{talk}"
    );
    assert!(!talk.contains("panicked"), "{talk}");
}

fn assert_done(out: &Output, items: u64) {
    let text = String::from_utf8_lossy(&out.stdout);
    let talk = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{talk}");
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(summary["items"]["confirmed"], items, "{summary}");
}

#[test]
fn a_full_disk_ends_the_run_in_order_and_the_next_one_goes_on() {
    let Some(disk) = Disk::mount("12m") else {
        return;
    };
    let lab = Lab::start(&["--mailboxes", "2", "--items", "2500", "--limits", "off"]);
    let plan = lab.plan();
    let first = run(&plan, &disk.state());
    assert_full(&first);
    let text = String::from_utf8_lossy(&first.stdout);
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let confirmed = summary["items"]["confirmed"].as_u64().unwrap();
    assert!(
        confirmed > 0 && confirmed < 5_000,
        "the disk was full at the wrong time: {summary}"
    );
    assert_eq!(summary["items"]["unexplained"], 0);
    // Still full: nothing is begun, and nothing is broken.
    assert_full(&run(&plan, &disk.state()));
    disk.grow("64m");
    assert_done(&run(&plan, &disk.state()), 5_000);
    lab.assert_same_on_both_sides();
    lab.assert_clean_hands();
}

#[test]
fn a_spool_without_room_puts_nothing_in_doubt() {
    let Some(disk) = Disk::mount("14m") else {
        return;
    };
    // Items that are too large for memory lie in the state directory while they travel.
    let lab = Lab::start(&[
        "--mailboxes",
        "1",
        "--items",
        "6",
        "--item-size",
        "20 MB",
        "--limits",
        "off",
    ]);
    let plan = lab.plan();
    let first = run(&plan, &disk.state());
    assert_full(&first);
    let text = String::from_utf8_lossy(&first.stdout);
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(summary["items"]["in_doubt"], 0, "{summary}");
    assert_eq!(summary["items"]["remaining"], 6, "{summary}");
    disk.grow("400m");
    assert_done(&run(&plan, &disk.state()), 6);
    lab.assert_clean_hands();
}
