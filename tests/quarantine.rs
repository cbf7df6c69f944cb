//! The binary against its lab with infected mail: withheld, listed, decided about, carried or not; by the rules alone, and with a real clamd.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::process::{Lab, mailferry, wait_for};

/// Runs a command and returns its exit code and the last line of stdout as JSON.
fn ask(command: &str, plan: &Path, more: &[&str]) -> (i32, Value) {
    let out = mailferry(command, plan, more).output().unwrap();
    let stdout = String::from_utf8(out.stdout).unwrap();
    let code = out.status.code().unwrap();
    let last = stdout.lines().last().unwrap_or_default();
    let value = serde_json::from_str(last).unwrap_or(Value::Null);
    if value.is_null() {
        println!(
            "{command}: {stdout}\n{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    (code, value)
}

/// Every item of a side: content -> (how often, disguise).
fn items(lab: &Lab, side: &str) -> BTreeMap<(String, String), (u64, Option<String>)> {
    let truth = lab.get("truth_url", "");
    let mut out = BTreeMap::new();
    for held in truth[side].as_object().unwrap().values() {
        for folder in held["folders"].as_array().unwrap() {
            for item in folder["items"].as_array().unwrap() {
                let key = (folder["path"].to_string(), item["sha256"].to_string());
                let entry = out.entry(key).or_insert((0, None));
                entry.0 += 1;
                entry.1 = item["infected"].as_str().map(str::to_owned);
            }
        }
    }
    out
}

/// Everything but `withheld` infected items is on the target, byte for byte what it was; nothing else is.
fn assert_carried(lab: &Lab, withheld: usize) -> usize {
    let (source, target) = (items(lab, "source"), items(lab, "target"));
    let (mut missing, mut same) = (Vec::new(), 0);
    for (what, (times, disguise)) in &source {
        let there = target.get(what).map_or(0, |own| own.0);
        if disguise.is_some() && there == 0 {
            missing.push(disguise.clone().unwrap());
        } else {
            assert_eq!(there, *times, "{what:?}");
            same += usize::try_from(there).unwrap();
        }
    }
    assert_eq!(missing.len(), withheld, "{missing:?}");
    assert!(target.keys().all(|what| source.contains_key(what)));
    same
}

fn keys(list: &Value, state: &str) -> Vec<String> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["state"] == state)
        .map(|item| item["item"].as_str().unwrap().to_owned())
        .collect()
}

fn edit(plan: &Path, lines: &[(&str, String)]) {
    let text = std::fs::read_to_string(plan).unwrap();
    let mut out = String::new();
    for line in text.lines() {
        let with = lines.iter().find(|(key, _)| line.starts_with(key));
        out.push_str(with.map_or(line, |(_, with)| with.as_str()));
        out.push('\n');
    }
    std::fs::write(plan, out).unwrap();
}

#[test]
fn infected_items_are_withheld_listed_and_decided_about() {
    let lab = Lab::start(&["--mailboxes", "2", "--items", "90", "--infected"]);
    let plan = lab.plan();
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    edit(
        &plan,
        &[(
            "sha256_lists",
            format!(
                "sha256_lists = [\"known-bad.sha256\"]\nquarantine_recipient = \"{recipient}\""
            ),
        )],
    );
    let (code, summary) = ask("run", &plan, &["--json"]);
    assert_eq!(code, 5, "{summary}");
    assert_eq!(summary["items"]["confirmed"], 173);
    assert_eq!(summary["items"]["quarantined"], 7);
    assert_eq!(summary["items"]["remaining"], 0);
    assert_eq!(assert_carried(&lab, 7), 173);
    lab.assert_clean_hands();

    let (code, list) = ask("quarantine", &plan, &["list", "--json"]);
    assert_eq!(code, 0);
    let withheld = keys(&list, "withheld");
    assert_eq!(withheld.len(), 7);
    let state = plan.with_file_name("state");
    let (mut names, mut decrypted) = (Vec::new(), 0);
    for key in &withheld {
        let (_, shown) = ask("quarantine", &plan, &["show", key, "--json"]);
        let record = &shown["items"][0]["record"];
        for found in record["found"].as_array().unwrap() {
            names.extend(found["names"].as_array().unwrap().iter().cloned());
        }
        let stream = state
            .join("quarantine")
            .join(record["stream"].as_str().unwrap());
        decrypted += usize::from(!open(&stream, &identity).is_empty());
    }
    assert_eq!(decrypted, 7);
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    for name in [
        "documents.zip",
        "2019.zip",
        "letter.txt",
        "update.exe",
        "report.pdf",
        "note.txt",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_private(&state);

    let by = ["--by", "A. Harris", "--reason", "checked by IT", "--json"];
    let judge = |word: &str, keys: &[String]| {
        let mut args: Vec<&str> = vec![word];
        args.extend(keys.iter().map(String::as_str));
        args.extend(by);
        ask("quarantine", &plan, &args)
    };
    let (code, _) = judge("release", &withheld[..1]);
    assert_eq!(code, 0);
    let (code, summary) = ask("run", &plan, &["--json"]);
    assert_eq!(
        (code, &summary["items"]["quarantined"]),
        (5, &6.into()),
        "{summary}"
    );
    assert_eq!(assert_carried(&lab, 6), 174);
    let (code, told) = judge("confirm", &withheld[1..]);
    assert_eq!((code, &told["decided"]), (0, &6.into()));
    let (code, _) = judge("confirm", &withheld[1..2]);
    assert_eq!(code, 3, "decided already");
    let (code, summary) = ask("run", &plan, &["--json"]);
    assert_eq!(code, 0, "nothing waits for a decision: {summary}");
    assert_eq!(summary["items"]["quarantined"], 6);
    assert_eq!(assert_carried(&lab, 6), 174);
    let log = std::fs::read_to_string(state.join("decisions.jsonl")).unwrap();
    assert!(log.contains("quarantine release") && log.contains("quarantine confirm"));
    let (_, verdict) = ask("verify", &plan, &["--json"]);
    assert_eq!(verdict["unexplained"], 0, "what was withheld is explained");
    let (code, _) = ask("report", &plan, &["--json"]);
    assert_eq!(code, 0);
    let page = std::fs::read_to_string(state.join("reports/report.html")).unwrap();
    assert!(page.contains("kept withheld by A. Harris"));
}

/// The stream of a kept item.
fn open(path: &Path, identity: &age::x25519::Identity) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap();
    let decryptor = age::Decryptor::new(file).unwrap();
    let mut reader = decryptor
        .decrypt(std::iter::once(identity as &dyn age::Identity))
        .unwrap();
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    assert!(
        mailferry::wire::item_stream::decode(&out).is_some(),
        "a whole stream"
    );
    out
}

/// Names of attachments are in the quarantine alone, and the quarantine is its owner's alone.
fn assert_private(state: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let quarantine = state.join("quarantine");
    assert_eq!(mode(&quarantine), 0o700);
    for entry in std::fs::read_dir(&quarantine).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    let journal = std::fs::read_to_string(state.join("journal.jsonl")).unwrap();
    assert!(journal.contains("copy_withheld"));
    for name in ["documents.zip", "letter.txt", "report.pdf", "forwarded.eml"] {
        assert!(!journal.contains(name), "{name} is in the journal");
    }
}

#[test]
fn a_run_without_its_engine_or_its_lists_begins_nothing() {
    let lab = Lab::start(&["--mailboxes", "1", "--items", "80", "--infected"]);
    let plan = lab.plan();
    edit(
        &plan,
        &[(
            "sha256_lists",
            "sha256_lists = [\"none.sha256\"]".to_owned(),
        )],
    );
    assert_eq!(ask("run", &plan, &["--json"]).0, 3, "the list is missing");
    let bad = lab.dir.path().join("none.sha256");
    std::fs::write(&bad, "0123\n").unwrap();
    assert_eq!(ask("run", &plan, &["--json"]).0, 3, "the list is none");
    let gone = format!(
        "sha256_lists = []\nclamd = \"unix:{}/none.ctl\"",
        lab.dir.path().display()
    );
    edit(&plan, &[("sha256_lists", gone)]);
    let (code, summary) = ask("run", &plan, &["--json"]);
    assert_eq!(code, 6, "{summary}");
    assert!(items(&lab, "target").is_empty(), "nothing was carried");
}

/// Where the real clamd is; the test is run by scripts/clamd.sh.
#[expect(clippy::disallowed_methods, reason = "a test is told where clamd is")]
fn clamd_binary() -> PathBuf {
    std::env::var("MAILFERRY_CLAMD")
        .expect("MAILFERRY_CLAMD names the clamd binary")
        .into()
}

/// A clamd of our own with three signatures: the test file's, and one for each specimen of the lab.
struct Daemon {
    binary: PathBuf,
    dir: tempfile::TempDir,
    process: Option<Child>,
}

impl Daemon {
    fn new(binary: PathBuf) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("db");
        std::fs::create_dir(&database).unwrap();
        let hash = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f:68:Eicar-Test-Signature\n";
        std::fs::write(database.join("local.hsb"), hash).unwrap();
        let hex = |text: &str| {
            text.bytes().fold(String::new(), |mut out, byte| {
                let _ = write!(out, "{byte:02x}");
                out
            })
        };
        let lines: Vec<String> = ["ONE", "TWO"]
            .iter()
            .map(|no| {
                format!(
                    "Mailferry.Specimen.{no}:0:*:{}\n",
                    hex(&format!("MAILFERRY SPECIMEN {no}"))
                )
            })
            .collect();
        std::fs::write(database.join("local.ndb"), lines.concat()).unwrap();
        let conf = format!(
            "LocalSocket {0}/clamd.ctl\nDatabaseDirectory {0}/db\nForeground yes\nLogFile {0}/clamd.log\n",
            dir.path().display()
        );
        std::fs::write(dir.path().join("clamd.conf"), conf).unwrap();
        let mut daemon = Self {
            binary,
            dir,
            process: None,
        };
        daemon.start();
        daemon
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("clamd.ctl")
    }

    fn start(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        let process = Command::new(&self.binary)
            .arg("-c")
            .arg(self.dir.path().join("clamd.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(process);
        let socket = self.socket();
        wait_for("clamd", || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The lab's plan with clamd alone: no rule, no list.
fn with_clamd_alone(lab: &Lab, daemon: &Daemon) -> PathBuf {
    let plan = lab.plan();
    let clamd = format!(
        "sha256_lists = []\nclamd = \"unix:{}\"",
        daemon.socket().display()
    );
    edit(
        &plan,
        &[
            ("rules = ", "rules = \"off\"".to_owned()),
            ("sha256_lists", clamd),
        ],
    );
    plan
}

#[test]
#[ignore = "needs Debian's clamd: scripts/clamd.sh"]
fn clamd_withholds_seven_of_five_hundred_and_the_others_arrive_as_they_were() {
    let daemon = Daemon::new(clamd_binary());
    let lab = Lab::start(&["--mailboxes", "1", "--items", "500", "--infected"]);
    let plan = with_clamd_alone(&lab, &daemon);
    let (code, summary) = ask("run", &plan, &["--json"]);
    assert_eq!(code, 5, "{summary}");
    assert_eq!(summary["items"]["confirmed"], 493);
    assert_eq!(summary["items"]["quarantined"], 7);
    assert_eq!(assert_carried(&lab, 7), 493);
    let (_, list) = ask("quarantine", &plan, &["list", "--json"]);
    let text = list.to_string();
    for mark in [
        "Eicar-Test-Signature",
        "Mailferry.Specimen.ONE",
        "Mailferry.Specimen.TWO",
        "ClamAV-",
    ] {
        assert!(text.contains(mark), "{mark}: {text}");
    }
    lab.assert_clean_hands();
}

#[test]
#[ignore = "needs Debian's clamd: scripts/clamd.sh"]
fn clamd_killed_in_mid_run_makes_items_wait_and_nothing_passes_unscanned() {
    let mut daemon = Daemon::new(clamd_binary());
    let lab = Lab::start(&[
        "--mailboxes",
        "1",
        "--items",
        "500",
        "--infected",
        "--latency",
        "20",
    ]);
    let plan = with_clamd_alone(&lab, &daemon);
    let mut run = mailferry("run", &plan, &["--json", "--quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the first items", || {
        items(&lab, "target").values().map(|own| own.0).sum::<u64>() >= 40
    });
    daemon.kill();
    let code = run.wait().unwrap().code();
    assert_eq!(code, Some(6), "work is left");
    let there: u64 = items(&lab, "target").values().map(|own| own.0).sum();
    println!("{there} items were carried before clamd was killed");
    assert!((40..493).contains(&there), "{there}");
    let (source, target) = (items(&lab, "source"), items(&lab, "target"));
    for (what, (_, disguise)) in &source {
        assert!(
            disguise.is_none() || !target.contains_key(what),
            "{disguise:?} passed"
        );
    }
    let (_, list) = ask("quarantine", &plan, &["list", "--json"]);
    assert!(!keys(&list, "waiting for screening").is_empty(), "{list}");
    daemon.start();
    let (code, summary) = ask("run", &plan, &["--json"]);
    assert_eq!(code, 5, "{summary}");
    assert_eq!(summary["items"]["confirmed"], 493);
    assert_eq!(assert_carried(&lab, 7), 493);
    lab.assert_clean_hands();
}
