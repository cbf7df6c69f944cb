//! The report of a real rehearsal: what stays in the house stays there, the same records make the same report, and runs leave their figures.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn run(args: &[&str], code: i32) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_mailferry"))
        .args(args)
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{args:?}: {talk}");
    String::from_utf8(out.stdout).unwrap()
}

fn files(reports: &Path, external: bool) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out: Vec<_> = std::fs::read_dir(reports)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("report") && name.starts_with("report-external") == external
        })
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    out.sort();
    out
}

#[test]
fn an_external_report_of_a_rehearsal_holds_no_address_no_folder_and_no_subject() {
    let room = tempfile::tempdir().unwrap();
    let dir = room.path().join("r");
    let dir = dir.to_str().unwrap();
    let made = [
        "rehearse",
        "--dir",
        dir,
        "--mailboxes",
        "3",
        "--items",
        "40",
    ];
    let odd = [
        "--corrupt",
        "1",
        "--refused",
        "2",
        "--limits",
        "off",
        "--json",
    ];
    let told: Value = serde_json::from_str(&run(&[&made[..], &odd].concat(), 5)).unwrap();
    let plan = format!("{dir}/plan.toml");
    let reports = Path::new(dir).join("state/reports");
    run(&["report", &plan], 0);
    let ending = run(&["report", &plan, "--external"], 0);
    let last = ending.trim_end().lines().last().unwrap();
    assert!(last.starts_with("next: mailferry resolve"), "{ending}");

    let inside: Value =
        serde_json::from_slice(&std::fs::read(reports.join("report.json")).unwrap()).unwrap();
    let mailboxes = inside["mailboxes"].as_array().unwrap();
    let mut names: Vec<String> = Vec::new();
    for own in mailboxes {
        let address = own["mailbox"].as_str().unwrap();
        names.push(address.to_owned());
        names.push(address.split_once('@').unwrap().0.to_owned());
        let paths = own["folders"].as_array().unwrap().iter();
        names.extend(paths.map(|folder| folder["path"].as_str().unwrap().to_owned()));
        let items = own["exceptions"].as_array().unwrap().iter();
        names.extend(items.map(|one| one["item"].as_str().unwrap().to_owned()));
    }
    // Names of folders that are words of the report itself say nothing when they are found.
    names.retain(|name| !["Drafts", "Notes", "Tasks", "Sync Issues"].contains(&name.as_str()));
    assert!(names.len() > 30 && names.iter().any(|name| name == "Inbox"));
    let outside = files(&reports, true);
    assert_eq!(outside.len(), 6);
    for (path, bytes) in &outside {
        let text = String::from_utf8(bytes.clone()).unwrap();
        for name in names.iter().filter(|name| name.len() > 3) {
            assert!(!text.contains(name.as_str()), "{}: {name}", path.display());
        }
        assert!(!text.contains("clinic.example"), "{}", path.display());
    }
    // Both say the same numbers, which are those of the run.
    let shown: Value =
        serde_json::from_slice(&std::fs::read(reports.join("report-external.json")).unwrap())
            .unwrap();
    assert_eq!(shown["items"], inside["items"]);
    assert_eq!(shown["items"]["refused"], told["items"]["refused"]);
    assert_eq!(shown["proven"], false);

    // The run left its figures, and the same records make the same reports.
    let figures = &inside["runs"][0]["figures"];
    assert_eq!(figures["confirmed"], told["items"]["confirmed"]);
    assert_eq!(figures["sent_bytes"], told["bytes"]["sent"]);
    assert!(figures["busiest_upload_bytes_in_5_min"].as_u64().unwrap() > 0);
    assert!(figures["busiest_upload_bytes_in_5_min"].as_u64() <= figures["sent_bytes"].as_u64());
    let before = files(&reports, false);
    run(&["report", &plan], 0);
    run(&["report", &plan, "--external"], 0);
    assert_eq!(files(&reports, false), before);
    assert_eq!(files(&reports, true), outside);
}
