//! Ledgers under a magnifying glass, with the real binary: check names damage by its place, export shows no address, compact leaves one good
//! ledger whenever it is killed, and decisions of people are kept and followed.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::process::{BINARY, Lab, mailferry, wait_for};
use mailferry::base::dice::Dice;
use serde_json::Value;

fn tool(words: &[&str]) -> Output {
    Command::new(BINARY)
        .args(words)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ledger(verb: &str, plan: &Path, more: &[&str]) -> Output {
    let plan = plan.to_str().unwrap();
    tool(&[&["ledger", verb, plan], more].concat())
}

fn state(plan: &Path) -> PathBuf {
    plan.with_file_name("state")
}

fn export(plan: &Path, more: &[&str]) -> String {
    let out = ledger("export", plan, more);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    text(&out.stdout)
}

fn json(out: &Output, code: i32) -> Value {
    let (said, talk) = (text(&out.stdout), text(&out.stderr));
    assert_eq!(out.status.code(), Some(code), "{said}{talk}");
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

/// Opens the database itself, changes something in it and closes it.
fn tamper(plan: &Path, change: impl FnOnce(&sled::Db)) {
    let db = opened(&state(plan).join("ledger"));
    change(&db);
    db.flush().unwrap();
}

fn first(db: &sled::Db, table: u8) -> (sled::IVec, sled::IVec) {
    db.scan_prefix([table]).next().unwrap().unwrap()
}

#[test]
fn check_and_export_look_and_do_not_touch() {
    let lab = Lab::start(&[
        "--mailboxes",
        "2",
        "--items",
        "40",
        "--refused",
        "1",
        "--limits",
        "off",
    ]);
    let plan = lab.plan();
    let none = ledger("check", &plan, &[]);
    assert_eq!(none.status.code(), Some(3), "nothing was begun yet");
    let run = mailferry("run", &plan, &[]).output().unwrap();
    assert_eq!(run.status.code(), Some(5), "{}", text(&run.stderr));
    let found = json(&ledger("check", &plan, &["--json"]), 0);
    assert_eq!(
        (&found["mailboxes"], &found["items"], &found["damaged"]),
        (&2.into(), &80.into(), &0.into()),
        "{found}"
    );
    assert!(found["index_entries"].as_u64().unwrap() >= 2);

    let masked = export(&plan, &[]);
    let lines: Vec<Value> = masked
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("ledger"), of("mailbox"), of("item")), (1, 2, 80));
    assert!(!masked.contains("@clinic.example") && !masked.contains("Inbox"));
    assert!(!masked.contains("harris") && !masked.contains("okafor"));
    let refused = lines.iter().filter(|line| line["bucket"] == "refused");
    assert_eq!(refused.count(), 2);
    let shown = export(&plan, &["--reveal"]);
    assert!(shown.contains("a.harris@clinic.example") && shown.contains("Inbox"));

    for (table, place, change) in [
        (b'u', "not in the index", None),
        (b'n', "sums", None),
        (b'f', "items without a row of their folder", None),
        (b'c', "does not read back", Some(vec![2, 9, 9])),
        (b'j', "newer", Some(vec![9])),
    ] {
        let mut kept = None;
        tamper(&plan, |db| {
            // The last folder of the table holds items; the top of a tree does not.
            let (key, value) = if table == b'f' {
                db.scan_prefix([table])
                    .map(Result::unwrap)
                    .find(|(key, _)| {
                        db.scan_prefix([&b"c"[..], &key[1..]].concat())
                            .next()
                            .is_some()
                    })
                    .unwrap()
            } else {
                first(db, table)
            };
            match &change {
                Some(bytes) => drop(db.insert(&key, bytes.clone()).unwrap()),
                None => drop(db.remove(&key).unwrap()),
            }
            kept = Some((key, value));
        });
        let out = ledger("check", &plan, &[]);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{place}: {said}");
        assert!(said.contains(place), "{place}: {said}");
        assert!(said.contains("m000"), "the place is named: {said}");
        assert!(!said.contains('@') && !said.contains("panicked"), "{said}");
        let (key, value) = kept.unwrap();
        tamper(&plan, |db| drop(db.insert(key, value).unwrap()));
        let out = ledger("check", &plan, &[]);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    }
    assert_eq!(export(&plan, &[]), masked, "looking changed nothing");
}

#[test]
fn a_newer_ledger_and_one_that_is_held_are_left_alone() {
    let lab = Lab::start(&["--mailboxes", "1", "--items", "10", "--limits", "off"]);
    let plan = lab.plan();
    crate::process::run_to_the_end(&plan);
    let lock = state(&plan).join("lock");
    std::fs::write(&lock, "4711 another-host\n").unwrap();
    for verb in ["check", "export", "compact"] {
        let out = ledger(verb, &plan, &[]);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(9), "{said}");
        assert!(said.contains("process 4711 on another-host"), "{said}");
    }
    std::fs::write(&lock, "").unwrap();
    tamper(&plan, |db| {
        let mut header = db.get(b"h").unwrap().unwrap().to_vec();
        header[0] = 9;
        db.insert(b"h", header).unwrap();
    });
    for verb in ["check", "export", "compact"] {
        let out = ledger(verb, &plan, &[]);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{said}");
        assert!(said.contains("newer mailferry (format 9"), "{said}");
    }
}

#[test]
fn compacting_may_be_killed_at_any_moment() {
    let lab = Lab::start(&[
        "--mailboxes",
        "2",
        "--items",
        "1500",
        "--item-size",
        "1 KB",
        "--limits",
        "off",
    ]);
    let plan = lab.plan();
    crate::process::run_to_the_end(&plan);
    let whole = export(&plan, &["--reveal"]);
    let mut dice = Dice::new(0xC0_4AC7);
    // How long one takes here decides when it is killed.
    let began = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    json(&ledger("compact", &plan, &["--json"]), 0);
    let ended = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let whole_ms = u64::try_from(ended.saturating_sub(began).as_millis())
        .unwrap()
        .max(20);
    let mut killed = 0;
    for _ in 0..12 {
        let mut compact = Command::new(BINARY)
            .args(["ledger", "compact"])
            .arg(&plan)
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (patience, mut waited) = (dice.below(whole_ms), 0);
        wait_for("the moment to kill", || {
            waited += 10;
            waited >= patience || compact.try_wait().unwrap().is_some()
        });
        let _ = compact.kill();
        killed += u32::from(compact.wait().unwrap().code().is_none());
        assert_eq!(export(&plan, &["--reveal"]), whole);
        assert!(!state(&plan).join("ledger.new").exists());
        assert!(!state(&plan).join("ledger.old").exists());
    }
    assert!(killed >= 3, "only {killed} were killed before they ended");
    // Between the two renames nothing lies in the ledger's place.
    let (now, old) = (state(&plan).join("ledger"), state(&plan).join("ledger.old"));
    std::fs::rename(&now, &old).unwrap();
    std::fs::create_dir(state(&plan).join("ledger.new")).unwrap();
    assert_eq!(export(&plan, &["--reveal"]), whole);
    let done = json(&ledger("compact", &plan, &["--json"]), 0);
    assert!(done["rows"].as_u64().unwrap() > 100, "{done}");
    assert_eq!(json(&ledger("check", &plan, &["--json"]), 0)["damaged"], 0);
    assert_eq!(export(&plan, &["--reveal"]), whole);
    crate::process::run_to_the_end(&plan);
    lab.assert_clean_hands();
}

#[test]
fn refused_items_are_tried_again_or_left_by_a_named_person() {
    let lab = Lab::start(&[
        "--mailboxes",
        "2",
        "--items",
        "40",
        "--refused",
        "2",
        "--limits",
        "off",
    ]);
    let plan = lab.plan();
    let name = plan.to_str().unwrap();
    let run = |code| {
        json(
            &mailferry("run", &plan, &["--json"]).output().unwrap(),
            code,
        )
    };
    assert_eq!(run(5)["items"]["refused"], 4);

    let list = json(&tool(&["resolve", name, "list", "--json"]), 0);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 4, "{list}");
    assert_eq!(items[0]["decisions"], serde_json::json!(["leave", "retry"]));
    let key = items[0]["item"].as_str().unwrap();

    // Nothing else is put back, and what is put back is carried, and refused again: the cause is still there.
    let wrong = tool(&["retry", name, "--class", "source-corrupt", "--json"]);
    assert_eq!(json(&wrong, 0)["retried"], 0);
    let nobody = tool(&["retry", name, "--mailbox", "nobody@clinic.example"]);
    assert_eq!(nobody.status.code(), Some(3));
    let one = tool(&["retry", name, "--item", key, "--json"]);
    assert_eq!(json(&one, 0)["retried"], 1);
    let again = tool(&["retry", name, "--item", key]);
    assert_eq!(again.status.code(), Some(3), "it is not refused any more");
    let all = tool(&["retry", name, "--class", "target-refused", "--json"]);
    assert_eq!(json(&all, 0)["retried"], 3);
    let status = json(
        &mailferry("status", &plan, &["--json"]).output().unwrap(),
        0,
    );
    assert_eq!(status["mailboxes"][0]["items"]["remaining"], 2, "{status}");
    assert_eq!(run(5)["items"]["refused"], 4);

    let leave = |key: &str, more: &[&str]| {
        let words = ["resolve", name, "leave", key];
        tool(&[&words[..], more].concat())
    };
    assert_eq!(leave(key, &[]).status.code(), Some(2), "nobody decided");
    let who = ["--name", "A. Harris", "--reason", "test message of 2009"];
    let not = tool(&[&["resolve", name, "again", key], &who[..]].concat());
    assert_eq!(not.status.code(), Some(3), "refused items are not in doubt");
    assert_eq!(leave("00", &who).status.code(), Some(2));
    let unknown = "0".repeat(32);
    assert_eq!(leave(&unknown, &who).status.code(), Some(3));
    for item in items {
        let out = leave(item["item"].as_str().unwrap(), &who);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    }
    let shown = text(&tool(&["resolve", name, "show", key]).stdout);
    assert!(shown.contains("decided by A. Harris"), "{shown}");
    assert!(shown.contains("test message of 2009"), "{shown}");
    let done = run(0);
    assert_eq!(done["items"]["skipped"], 4);
    assert_eq!(done["items"]["unexplained"], 0);
    assert_eq!(json(&ledger("check", &plan, &["--json"]), 0)["damaged"], 0);
    // Names and reasons are in the ledger and on request, never in the journal.
    let journal = std::fs::read_to_string(state(&plan).join("journal.jsonl")).unwrap();
    assert!(!journal.contains("Harris") && !journal.contains("2009\""));
    assert!(!export(&plan, &[]).contains("A. Harris"));
    assert!(export(&plan, &["--reveal"]).contains("A. Harris"));
    let report = mailferry("report", &plan, &[]).output().unwrap();
    assert_eq!(report.status.code(), Some(0), "{}", text(&report.stderr));
    let html = std::fs::read_to_string(state(&plan).join("reports/report.html")).unwrap();
    assert!(html.contains("A. Harris"));
}

/// The store as the ledger keeps it.
fn opened(path: &std::path::Path) -> sled::Db {
    sled::Config::new()
        .path(path)
        .segment_size(mailferry::base::limits::LEDGER_SEGMENT)
        .open()
        .unwrap()
}
