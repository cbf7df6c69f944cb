//! The command line from outside: help, refusals with their exit codes, and a journey against a lab in another process. Hermetic: the
//! environment is cleared, every file lies in a temporary directory.

#![expect(
    clippy::unwrap_used,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use mailferry::plan::document::Plan;
use mailferry::store::codec::Header;
use mailferry::store::embedded::{EmbeddedLedger, Opening};
use serde_json::Value;

const PLAN: &str = include_str!("../plans/clinic.toml");

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailferry"));
        command
            .args(args)
            .env_clear()
            .env("TMPDIR", self.dir.path())
            .current_dir(self.dir.path());
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        Said::of(&self.command(args).output().unwrap())
    }
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("an exit code, not a signal"),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(self.out.lines().last().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("data/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn help_shows_every_command_with_examples() {
    let room = Room::new();
    let top = room.run(&["--help"]);
    assert_eq!(top.code, 0);
    let mut all = top.out.clone();
    for command in [
        "inventory",
        "rehearse",
        "lab",
        "plan",
        "losses",
        "run",
        "status",
        "verify",
        "retry",
        "resolve",
        "quarantine",
        "ledger",
        "report",
        "waive",
        "sign",
        "cutover",
    ] {
        let help = room.run(&[command, "--help"]);
        assert_eq!(help.code, 0, "{command}");
        assert!(top.out.contains(&format!("  {command} ")), "{command}");
        assert!(help.out.contains("Examples:"), "{command}");
        all.extend(["\n---- ", command, "\n", &help.out]);
    }
    for args in [["evidence", "verify"], ["waive", "create"]] {
        let help = match args {
            ["waive", action] => room.run(&["waive", "plan.toml", action, "--help"]),
            _ => room.run(&[args[0], args[1], "--help"]),
        };
        assert_eq!(help.code, 0, "{args:?}");
        all.extend(["\n---- ", args[0], " ", args[1], "\n", &help.out]);
    }
    snapshot("cli_help", &all);
}

#[test]
fn version_is_one_line_on_stdout() {
    let said = Room::new().run(&["--version"]);
    assert_eq!(
        said.out,
        concat!("mailferry ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

/// Every wrong input: exit code, nothing on stdout, and a message that names place, reason and next step.
#[test]
fn wrong_inputs_are_refused_with_place_reason_and_exit_code() {
    let room = Room::new();
    room.write("plan.toml", PLAN);
    room.write("key.toml", &PLAN.replace("impersonate", "impersonat"));
    room.write(
        "type.toml",
        &PLAN.replace("max_connections = 20", "max_connections = \"20\""),
    );
    room.write("toml.toml", "schema = \n");
    room.write(
        "authority.toml",
        &PLAN
            .replace("impersonate = true", "tls = { ca = \"missing.pem\" }")
            .replace("not_before", "# "),
    );
    room.write("list.csv", "source,target\na@x.example,b\n");
    room.write(
        "secret.csv",
        "source,target,password\na@x.example,a@x.example,hunter2\n",
    );
    room.write("latin.csv", "nothing");
    std::fs::write(room.path("latin.csv"), b"source,target\n\xE9,b\n").unwrap();
    room.write("open.env", "MAILFERRY_SOURCE_PASSWORD=hunter2\n");
    std::fs::create_dir(room.path("mine")).unwrap();
    room.write("mine/thesis.txt", "mine");
    let make = [
        "--ews-url",
        "https://m.example/E",
        "--username",
        "u",
        "--tenant",
        "t",
        "--client-id",
        "c",
    ];
    let plan_of = |list: &'static str| [&["plan", list][..], &make[..]].concat();
    let cases: Vec<(Vec<&str>, i32)> = vec![
        (vec![], 2),
        (vec!["fly"], 2),
        (vec!["run"], 2),
        (vec!["run", "plan.toml", "--stop-after", "soon"], 2),
        (vec!["run", "plan.toml", "-v", "-q"], 2),
        (vec!["plan"], 2),
        (vec!["plan", "list.csv"], 3),
        (plan_of("missing.csv"), 3),
        (plan_of("list.csv"), 3),
        (plan_of("secret.csv"), 3),
        (plan_of("latin.csv"), 3),
        (vec!["plan", "--check", "missing.toml"], 3),
        (vec!["plan", "--check", "key.toml"], 3),
        (vec!["plan", "--check", "type.toml"], 3),
        (vec!["plan", "--check", "toml.toml"], 3),
        (vec!["run", "key.toml"], 3),
        (vec!["run", "authority.toml"], 3),
        (vec!["run", "plan.toml"], 4),
        (vec!["run", "plan.toml", "--secrets", "open.env"], 3),
        (vec!["run", "plan.toml", "--secrets", "missing.env"], 3),
        (vec!["status", "plan.toml"], 3),
        (vec!["status", "plan.toml", "--state", "mine"], 3),
        (vec!["report", "plan.toml"], 3),
        (vec!["verify", "plan.toml"], 4),
        (vec!["rehearse", "--plan", "missing.toml"], 3),
        (vec!["rehearse", "--mailboxes", "0"], 2),
        (vec!["rehearse", "--eml", "missing"], 3),
    ];
    let mut all = String::new();
    for (args, code) in cases {
        let said = room.run(&args);
        assert_eq!(said.code, code, "{args:?}: {}", said.err);
        assert_eq!(said.out, "", "{args:?}");
        assert!(!said.err.contains("hunter2"), "{args:?}");
        assert!(!said.err.contains("panicked"), "{args:?}");
        // Usage errors are the parser's own; ours are what we promise.
        if code != 2 {
            all.extend(["$ mailferry ", &args.join(" "), "\n", &said.err, "\n"]);
        }
    }
    snapshot("cli_refusals", &all);
    assert_eq!(std::fs::read_dir(room.path("mine")).unwrap().count(), 1);
    assert!(
        !room.path("state").exists(),
        "a refused command leaves nothing behind"
    );
}

#[test]
fn a_list_becomes_a_plan_that_checks_and_is_not_overwritten() {
    let room = Room::new();
    room.write(
        "list.csv",
        "\u{feff}EmailAddress;Name\r\na@x.example;A\r\nb@x.example;B\r\nc@x.example;C\r\n",
    );
    let make = |out: &str| {
        room.run(&[
            "plan",
            "list.csv",
            "--ews-url",
            "https://mail.x.example/EWS/Exchange.asmx",
            "--username",
            "X\\svc",
            "--tenant",
            "x.onmicrosoft.com",
            "--client-id",
            "id",
            "--wave-size",
            "2",
            "--out",
            out,
        ])
    };
    let said = make("plan.toml");
    assert_eq!(said.code, 0, "{}", said.err);
    let plan = Plan::parse(&std::fs::read_to_string(room.path("plan.toml")).unwrap()).unwrap();
    let sizes: Vec<usize> = plan.waves.iter().map(|wave| wave.mailboxes.len()).collect();
    assert_eq!(sizes, [2, 1]);
    assert!(said.out.contains(plan.hash().as_str()));
    assert_eq!(
        make("plan.toml").code,
        3,
        "a plan that is there is not overwritten"
    );
    let check = room.run(&["plan", "--check", "plan.toml", "--json"]).json();
    assert_eq!(check["schema"], "mailferry.plan-summary/1");
    assert_eq!(check["hash"], plan.hash().as_str());
    assert_eq!(check["route"], "stream");
    let text = std::fs::read_to_string(room.path("plan.toml")).unwrap();
    let typed = text.replace("[target]", "[target]\nroute = \"typed\"");
    room.write("typed.toml", &typed);
    let typed = room.run(&["plan", "--check", "typed.toml"]).out;
    for want in [
        "route typed: no streams",
        "  mail: lost: ",
        "  contacts: lost: ",
        "`mailferry losses`",
    ] {
        assert!(typed.contains(want), "{want} is not in\n{typed}");
    }
    let usual = room.run(&["plan", "--check", "plan.toml"]).out;
    assert!(
        usual.contains("route stream: ") && !usual.contains("mail: lost: "),
        "{usual}"
    );
    assert_eq!(
        check["waves"][1]["mailboxes"],
        serde_json::json!(["c@x.example"])
    );
}

#[test]
fn a_state_of_another_plan_or_of_a_running_one_is_left_alone() {
    let room = Room::new();
    room.write("plan.toml", PLAN);
    let header = |text: &str| {
        let plan = Plan::parse(text).unwrap();
        Header {
            plan: plan.hash(),
            realm: plan.realm,
        }
    };
    let own = EmbeddedLedger::open(&room.path("state"), &header(PLAN), Opening::Create).unwrap();
    let held = room.run(&["report", "plan.toml"]);
    assert_eq!(held.code, 9);
    assert!(
        held.err.contains(&std::process::id().to_string()),
        "{}",
        held.err
    );
    drop(own);
    assert_eq!(room.run(&["status", "plan.toml"]).code, 0);
    let other = PLAN.replace("clinic-wave-1", "clinic-wave-2");
    room.write("other.toml", &other);
    let said = room.run(&["status", "other.toml"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("belongs to another plan"), "{}", said.err);
    let empty = room.run(&["report", "plan.toml"]);
    assert_eq!(empty.code, 0);
    assert!(empty.out.contains("Nothing was begun yet"), "{}", empty.out);
}

#[test]
fn a_rehearsal_moves_everything_once_and_leaves_only_its_report() {
    let room = Room::new();
    let args = [
        "rehearse",
        "--mailboxes",
        "2",
        "--items",
        "12",
        "--limits",
        "off",
        "--json",
        "--quiet",
    ];
    let said = room.run(&args);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    let told = said.json();
    assert_eq!(said.out.lines().count(), 1);
    assert_eq!(told["schema"], "mailferry.summary/1");
    assert_eq!(told["mailboxes"], 2);
    assert_eq!(told["items"]["source"], 24);
    assert_eq!(told["items"]["confirmed"], 24);
    assert_eq!(told["exit"], 0);
    assert_eq!(told["stopped"], Value::Null);
    assert_eq!(told["verify"]["schema"], "mailferry.verify/1");
    assert_eq!(told["verify"]["grade"], "perfect");
    assert_eq!(told["verify"]["unexplained"], 0);
    assert_eq!(told["lab"]["same_content"], 24);
    assert_eq!(told["lab"]["missing"], 0);
    assert_eq!(told["lab"]["extra"], 0);
    assert_eq!(told["lab"]["stats"]["source_writes"], 0);
    assert_eq!(told["lab"]["stats"]["invitations"], 0);
    let left: Vec<_> = std::fs::read_dir(room.dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let report = std::path::Path::new(told["report"].as_str().unwrap());
    assert!(
        std::fs::read_to_string(report)
            .unwrap()
            .contains("24 of 24 source items")
    );
}

#[test]
fn a_rehearsal_counts_what_could_not_be_carried() {
    let room = Room::new();
    let args = [
        "rehearse",
        "--mailboxes",
        "1",
        "--items",
        "12",
        "--limits",
        "off",
        "--corrupt",
        "1",
        "--refused",
        "2",
        "--json",
        "--dir",
        "kept",
    ];
    let said = room.run(&args);
    assert_eq!(said.code, 5, "{} {}", said.out, said.err);
    let told = said.json();
    assert_eq!(told["items"]["refused"], 3);
    assert_eq!(told["items"]["confirmed"], 9);
    assert_eq!(told["items"]["unexplained"], 0);
    assert_eq!(told["verify"]["unexplained"], 0);
    assert!(room.path("kept/state/reports/report.html").is_file());
    assert_eq!(
        room.run(&args).code,
        3,
        "an earlier rehearsal is not overwritten"
    );
}

// ---- A lab in another process ----------------------------------------------------------------------------------------------

struct Lab {
    child: Child,
    info: Value,
}

impl Lab {
    /// Starts a lab and waits for the line that says it is ready.
    fn start(room: &Room, more: &[&str]) -> Self {
        let args = [
            &[
                "lab",
                "--dir",
                "lab",
                "--json",
                "--mailboxes",
                "2",
                "--items",
                "15",
                "--limits",
                "off",
            ][..],
            more,
        ]
        .concat();
        let mut command = room.command(&args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let info: Value = serde_json::from_str(&line).unwrap();
        let file = std::fs::read_to_string(room.path("lab/lab.json")).unwrap();
        assert_eq!(info, serde_json::from_str::<Value>(&file).unwrap());
        Self { child, info }
    }

    /// One request to the lab's control face.
    fn ask(&self, method: &str, tail: &str, body: &str) -> Value {
        let url = format!("{}{tail}", self.info["control_url"].as_str().unwrap());
        let rest = url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 2"), "{reply}");
        let body = reply.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    /// Asks the lab to end, as `kill` does.
    fn end(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        self.child.wait().unwrap().code().expect("an exit code")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[cfg(unix)]
#[test]
fn the_whole_journey_against_a_lab_in_another_process() {
    let room = Room::new();
    // Without lag, so that what is tampered with shows at once.
    let lab = Lab::start(&room, &["--lag", "0"]);
    let plan = "lab/plan.toml";

    let ran = room.run(&["run", plan, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.iter().all(|line| line["event"].is_string()));
    assert_eq!(
        lines
            .iter()
            .filter(|line| line["event"] == "copy_confirmed")
            .count(),
        30
    );
    let summary = lines.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["items"]["confirmed"], 30);

    // Nothing is sent again, and nothing is left to send.
    let again = room.run(&["run", plan, "--json"]).json();
    assert_eq!(again["items"]["confirmed"], 30);
    assert_eq!(lab.ask("GET", "/stats", "")["source_writes"], 0);

    let status = room.run(&["status", plan, "--json"]).json();
    assert_eq!(status["mailboxes"][0]["phase"], "caught_up");
    assert_eq!(status["mailboxes"][1]["items"]["confirmed"], 15);

    let verified = room.run(&["verify", plan, "--json"]);
    assert_eq!(verified.code, 0, "{} {}", verified.out, verified.err);
    assert_eq!(verified.json()["grade"], "perfect");

    // The same ledger gives the same report.
    assert_eq!(room.run(&["report", plan]).code, 0);
    let report = room.path("lab/state/reports/report.html");
    let first = bytes(&report);
    assert_eq!(room.run(&["report", plan]).code, 0);
    assert_eq!(bytes(&report), first);
    assert!(
        String::from_utf8(first)
            .unwrap()
            .contains("Grade perfect at level identity: 30 of 30")
    );

    // Somebody deletes an item on the target: the verifier says what is missing.
    let mailbox = &lab.info["mailboxes"][0]["target"];
    let tamper = |action: &str, count: u32| {
        let body = serde_json::json!({"mailbox": mailbox, "action": action, "folder": "Inbox", "count": count});
        assert_eq!(lab.ask("POST", "/target", &body.to_string())["done"], count);
        let said = room.run(&["verify", plan, "--json"]);
        assert_eq!(said.code, 7, "{action}: {}", said.out);
        said.json()
    };
    let missing = tamper("delete", 1);
    assert_eq!(
        (&missing["unexplained"], &missing["extra_on_target"]),
        (&1.into(), &0.into())
    );
    assert_eq!(missing["grade"], "poor");
    // Somebody copies what is left of the folder: one of the copies may stand in for the missing item, no more than one.
    let doubled = tamper("duplicate", 5);
    assert!(
        doubled["extra_on_target"].as_u64().unwrap() >= 4,
        "{doubled}"
    );

    // Narration names no mailbox, and no secret is anywhere in the state directory.
    let journal = std::fs::read_to_string(room.path("lab/state/journal.jsonl")).unwrap();
    assert!(!journal.contains('@'), "{journal}");
    let secret = lab.info["client_secret"].as_str().unwrap().to_owned();
    assert_no_file_holds(&room.path("lab/state"), secret.as_bytes());

    assert_eq!(lab.end(), 0);
    assert!(!room.path("lab/lab.json").exists());
    let unreached = room.run(&["verify", plan]);
    assert_eq!(
        unreached.code, 4,
        "the lab's password went with it: {}",
        unreached.err
    );
}

fn assert_no_file_holds(dir: &Path, needle: &[u8]) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_file_holds(&path, needle);
        } else {
            let found = bytes(&path)
                .windows(needle.len())
                .any(|part| part == needle);
            assert!(!found, "{}", path.display());
        }
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_is_told_to_stop_says_so_and_a_later_one_finishes() {
    let room = Room::new();
    // Slow enough that the run cannot be done before it is told to stop.
    let lab = Lab::start(&room, &["--latency", "40"]);
    let plan = "lab/plan.toml";
    let stopped = room.run(&["run", plan, "--json", "--stop-after", "100 ms"]);
    assert_eq!(stopped.code, 6, "{} {}", stopped.out, stopped.err);
    let told = stopped.json();
    assert_eq!(told["stopped"], "--stop-after is reached");
    assert_eq!(told["items"]["unexplained"], 0);
    let finished = room.run(&["run", plan, "--json"]);
    assert_eq!(finished.code, 0, "{}", finished.err);
    assert_eq!(finished.json()["items"]["confirmed"], 30);
    let stats = lab.ask("GET", "/stats", "");
    assert_eq!(
        stats["invalid"],
        0,
        "{}",
        lab.ask("GET", "/log?invalid=1", "")
    );
    assert_eq!(room.run(&["verify", plan]).code, 0);
}

#[cfg(unix)]
#[test]
fn a_killed_run_is_finished_by_the_next_one_without_loss_or_double() {
    let room = Room::new();
    let lab = Lab::start(&room, &["--latency", "40"]);
    let plan = "lab/plan.toml";
    let mut child = room
        .command(&["run", plan, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The run is killed in the middle of its work: after the third item was confirmed.
    let confirmed =
        |line: &std::io::Result<String>| line.as_ref().is_ok_and(|l| l.contains("copy_confirmed"));
    assert_eq!(lines.by_ref().filter(confirmed).take(3).count(), 3);
    // While it works, another process may look and may not touch.
    let status = room.run(&["status", plan, "--json"]);
    assert_eq!(status.code, 0, "{}", status.err);
    assert_eq!(status.json()["running"], true);
    assert_eq!(status.json()["mailboxes"].as_array().unwrap().len(), 2);
    assert_eq!(room.run(&["run", plan]).code, 9);
    child.kill().unwrap();
    child.wait().unwrap();
    let finished = room.run(&["run", plan, "--json"]);
    assert_eq!(finished.code, 0, "{}", finished.err);
    assert_eq!(finished.json()["items"]["confirmed"], 30);
    let verified = room.run(&["verify", plan, "--json"]);
    assert_eq!(verified.code, 0, "{}", verified.out);
    assert_eq!(verified.json()["extra_on_target"], 0);
    drop(lab);
}
