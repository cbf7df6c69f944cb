//! What goes wrong before or around the copying, with the real binary: each case ends with its documented exit code, a message that says what
//! happened and what to do, and nothing lost.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::process::{Lab, mailferry, run_to_the_end, wait_for};
use crate::stage::*;
use axum::Router;
use axum::response::Html;
use axum::routing::any;

use mailferry::base::quantity::Span;
use mailferry::base::secret::Secret;
use mailferry::lab::ews_http::{EwsOptions, router};
use mailferry::lab::face::{Door, Face, Scissors};

/// A copy of the lab's plan with one change, in a directory of its own, with the lab's secrets beside it.
fn changed(lab: &Lab, name: &str, from: &str, to: &str) -> std::path::PathBuf {
    let dir = lab.dir.path().join(name);
    fs::create_dir_all(&dir).unwrap();
    let text = fs::read_to_string(lab.plan()).unwrap();
    assert!(text.contains(from), "the plan has no {from:?}:\n{text}");
    let plan = dir.join("plan.toml");
    fs::write(&plan, text.replacen(from, to, 1)).unwrap();
    fs::copy(lab.dir.path().join("secrets.env"), dir.join("secrets.env")).unwrap();
    plan
}

fn fact<'a>(lab: &'a Lab, key: &str) -> &'a str {
    lab.facts[key].as_str().unwrap()
}

fn run(plan: &Path) -> Output {
    mailferry("run", plan, &[]).output().unwrap()
}

/// The run is refused with this code; the message names what must be named and no secret.
fn assert_refused(lab: &Lab, out: &Output, code: i32, names: &[&str]) {
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    let all = format!("{talk}{}", String::from_utf8_lossy(&out.stdout));
    assert_eq!(out.status.code(), Some(code), "{all}");
    for name in names {
        assert!(
            all.to_lowercase().contains(&name.to_lowercase()),
            "{name:?} is not named: {all}"
        );
    }
    assert!(!all.contains("panicked"), "{all}");
    for secret in ["ews_password", "client_secret"] {
        assert!(!all.contains(fact(lab, secret)), "a secret was printed");
    }
}

#[test]
fn what_is_wrong_with_either_side_is_said_and_nothing_is_begun() {
    let lab = Lab::start(&["--mailboxes", "1", "--items", "30", "--limits", "off"]);
    let ews = fact(&lab, "ews_url").to_owned();

    let dead = changed(
        &lab,
        "unreachable",
        &ews,
        "http://127.0.0.1:9/EWS/Exchange.asmx",
    );
    assert_refused(
        &lab,
        &run(&dead),
        4,
        &["source", "cannot be reached", "ews_url"],
    );

    let tenant = fact(&lab, "tenant_id").to_owned();
    let plan = changed(&lab, "tenant", &tenant, "no-such-tenant.example");
    assert_refused(&lab, &run(&plan), 4, &["tenant"]);

    for (name, key, side) in [
        ("password", "ews_password", "source"),
        ("secret", "client_secret", "Microsoft 365"),
    ] {
        let plan = changed(&lab, name, "schema", "schema");
        let secrets = plan.with_file_name("secrets.env");
        let text = fs::read_to_string(&secrets).unwrap();
        fs::write(&secrets, text.replace(fact(&lab, key), "not-the-secret")).unwrap();
        assert_refused(&lab, &run(&plan), 4, &[side]);
    }

    let other = changed(&lab, "other", "max_connections", "max_connections");
    let state = lab.dir.path().join("shared-state");
    let state = state.to_str().unwrap();
    assert_eq!(
        mailferry("run", &lab.plan(), &["--state", state])
            .output()
            .unwrap()
            .status
            .code(),
        Some(0)
    );
    let text = fs::read_to_string(&other).unwrap();
    fs::write(&other, text.replacen("name = \"", "name = \"another-", 1)).unwrap();
    let out = mailferry("run", &other, &["--state", state])
        .output()
        .unwrap();
    assert_refused(&lab, &out, 3, &["state", "another plan"]);
    lab.assert_clean_hands_but_for_strangers();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::disallowed_methods,
    reason = "the servers live as long as the test"
)]
async fn a_missing_right_and_a_web_page_are_called_what_they_are() {
    let lab = Lab::start(&["--mailboxes", "1", "--items", "30", "--limits", "off"]);
    let (ews, password) = (
        fact(&lab, "ews_url").to_owned(),
        fact(&lab, "ews_password").to_owned(),
    );
    let user = fact(&lab, "ews_username").to_owned();

    let page = Router::new().fallback(any(|| async { Html("<html><body>Sign in</body></html>") }));
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/EWS/Exchange.asmx", door.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(door, page).await });
    let plan = changed(&lab, "html", &ews, &url);
    assert_refused(&lab, &run(&plan), 4, &["source", "web page"]);

    let world = build(&Knobs::default());
    let face = Face {
        world,
        clock: clock(),
        latency: Span::ZERO,
    };
    let denied = std::collections::BTreeSet::from([address(0).reveal().to_owned()]);
    let options = EwsOptions {
        user,
        pass: Secret::new(password),
        denied,
    };
    let door = Door::open(0).await.unwrap();
    let url = format!(
        "http://127.0.0.1:{}/EWS/Exchange.asmx",
        door.port().unwrap()
    );
    let routes = router(face, options).into_make_service_with_connect_info::<Scissors>();
    tokio::spawn(async move { axum::serve(door, routes).await });
    let source = lab.facts["mailboxes"][0]["source"]
        .as_str()
        .unwrap()
        .to_owned();
    let plan = changed(&lab, "denied", &ews, &url);
    let text = fs::read_to_string(&plan).unwrap();
    let pair = format!("source = \"{source}\"");
    assert!(text.contains(&pair), "{text}");
    fs::write(
        &plan,
        text.replace(&pair, &format!("source = \"{}\"", address(0).reveal())),
    )
    .unwrap();
    assert_refused(&lab, &run(&plan), 4, &["impersonat"]);
}

#[test]
fn a_second_run_on_the_same_state_is_turned_away() {
    let lab = Lab::start(&[
        "--mailboxes",
        "2",
        "--items",
        "200",
        "--limits",
        "off",
        "--latency",
        "25",
    ]);
    let mut first = mailferry("run", &lab.plan(), &["--quiet"]).spawn().unwrap();
    let state = lab.dir.path().join("state");
    wait_for("the first run to hold its state", || {
        state.join("ledger").exists()
    });
    let out = run(&lab.plan());
    assert_refused(&lab, &out, 9, &["state", "run"]);
    assert!(
        first.wait().unwrap().success(),
        "the first run was disturbed"
    );
    lab.assert_same_on_both_sides();
}

/// A file system of a few megabytes, unmounted when dropped.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(dir.path())
            .output();
        mounted
            .is_ok_and(|out| out.status.success())
            .then_some(Self(dir))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg(self.0.path())
            .output();
    }
}

#[test]
fn a_full_disk_stops_the_run_in_order_and_loses_nothing() {
    let Some(disk) = TinyDisk::mount() else {
        println!("skipped: a small file system cannot be mounted here (needs root)");
        return;
    };
    let lab = Lab::start(&["--mailboxes", "2", "--items", "600", "--limits", "off"]);
    let state = disk.0.path().join("state");
    let state_arg = state.to_str().unwrap();
    let out = mailferry("run", &lab.plan(), &["--state", state_arg])
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        talk.to_lowercase().contains("disk") || talk.to_lowercase().contains("space"),
        "{talk}"
    );
    assert_eq!(out.status.code(), Some(6), "{talk}");
    assert!(!talk.contains("panicked"), "{talk}");
    // With room again, the same state goes on where it was.
    let grown = std::process::Command::new("mount")
        .args(["-o", "remount,size=200m"])
        .arg(disk.0.path())
        .output()
        .unwrap();
    assert!(grown.status.success());
    let out = mailferry("run", &lab.plan(), &["--state", state_arg])
        .output()
        .unwrap();
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    lab.assert_same_on_both_sides();
    assert_eq!(
        run_to_the_end(&changed(&lab, "again", "schema", "schema"))["items"]["confirmed"],
        1200
    );
    lab.assert_same_on_both_sides();
}
