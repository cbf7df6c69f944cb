//! The files that run mailferry overnight: units for systemd and a line for cron. They use only flags that exist, and give a drain the time it
//! may take.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test; helpers are not seen as such by the lint, and what is skipped is said"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use mailferry::base::limits::TRANSFER_TIMEOUT;

const BINARY: &str = env!("CARGO_BIN_EXE_mailferry");
const INSTALLED: &str = "/usr/local/bin/mailferry";

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// A unit file as section, key, value.
fn unit(name: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut out = Vec::new();
    for line in read(name).lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            name.strip_suffix(']').unwrap().clone_into(&mut section);
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
        assert!(!section.is_empty(), "{line} stands before any section");
        out.push((section.clone(), key.to_owned(), value.to_owned()));
    }
    out
}

fn value<'a>(unit: &'a [(String, String, String)], section: &str, key: &str) -> &'a str {
    let found = unit.iter().find(|(s, k, _)| s == section && k == key);
    found.map_or_else(|| panic!("{key} is missing in [{section}]"), |(.., v)| v)
}

/// Every long flag of a command line is one that the command's help shows.
fn assert_flags_exist(words: &[&str]) {
    assert_eq!(words[1], "run", "{words:?}");
    let help = Command::new(BINARY)
        .args(["run", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags: Vec<_> = words.iter().filter(|word| word.starts_with("--")).collect();
    assert!(flags.len() >= 2, "{words:?}");
    for flag in flags {
        assert!(
            help.lines()
                .any(|line| line.split([' ', ',']).any(|word| word == *flag)),
            "{flag} is not in the help"
        );
    }
}

#[test]
fn the_service_drains_is_hardened_and_uses_flags_that_exist() {
    let service = unit("systemd/mailferry@.service");
    let get = |key| value(&service, "Service", key);
    let words: Vec<&str> = get("ExecStart").split_whitespace().collect();
    assert_eq!(words[0], INSTALLED);
    assert!(words.contains(&"--scheduled"));
    assert_flags_exist(&words);
    assert_eq!(get("KillSignal"), "SIGTERM");
    let minutes: u64 = get("TimeoutStopSec")
        .strip_suffix("min")
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        minutes * 60_000 > TRANSFER_TIMEOUT.get(),
        "a drain may take as long as the longest transfer"
    );
    for (key, want) in [
        ("NoNewPrivileges", "true"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "true"),
        ("PrivateTmp", "true"),
        ("UMask", "0077"),
        ("StateDirectoryMode", "0700"),
        ("SuccessExitStatus", "6"),
        ("CapabilityBoundingSet", ""),
    ] {
        assert_eq!(get(key), want, "{key}");
    }
    // Secrets are in a file of the service manager, never in the unit or on the command line.
    assert!(get("EnvironmentFile").starts_with("/etc/mailferry/%i/"));
    assert!(service.iter().all(|(_, key, _)| key != "Environment"));
    let timer = unit("systemd/mailferry@.timer");
    assert_eq!(value(&timer, "Timer", "Unit"), "mailferry@%i.service");
    assert_eq!(value(&timer, "Install", "WantedBy"), "timers.target");
    assert_eq!(value(&timer, "Timer", "Persistent"), "true");
}

#[test]
fn the_cron_line_is_one_command_with_flags_that_exist() {
    let text = read("mailferry.cron");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(lines.len(), 1);
    let fields: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(fields[5], "mailferry", "the user");
    assert!(!lines[0].contains('%'), "cron makes % a line break");
    assert_flags_exist(&fields[6..]);
    assert!(!fields.contains(&"--scheduled"), "cron comes every evening");
}

#[test]
fn systemd_reads_the_units_without_a_complaint() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        eprintln!("skipped: no systemd-analyze here, the units were read by key only");
        return;
    };
    assert!(version.status.success());
    let dir = tempfile::tempdir().unwrap();
    for name in ["mailferry@.service", "mailferry@.timer"] {
        let text = read(&format!("systemd/{name}"));
        fs::write(dir.path().join(name), text.replace(INSTALLED, BINARY)).unwrap();
    }
    let out = Command::new("systemd-analyze")
        .args([
            "verify",
            "./mailferry@clinic.service",
            "./mailferry@clinic.timer",
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    assert!(!said.contains("mailferry@"), "{said}");
}
