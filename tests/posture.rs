//! Builds, vulnerabilities and leads, set against what the published tables and lists say, evaluated here a second time from their text.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use mailferry::base::build::Build;
use mailferry::posture::rule::{Known, State, judge};
use mailferry::posture::section::{self, People};
use mailferry::posture::server::{Origin, Sighting, assess};
use mailferry::posture::table::Table;

/// The table as text, read here by nothing of the product.
const BUILDS: &str = include_str!("../src/posture/data/exchange2016-builds.csv");
const CVES: &str = include_str!("../src/posture/data/exchange2016-cves.csv");

/// Thirty vulnerabilities of every kind: old and new, used and not, zero days, silent fixes, with further steps, for one update and for twelve.
const CHOSEN: [&str; 30] = [
    "CVE-2020-0688",
    "CVE-2020-16875",
    "CVE-2020-17132",
    "CVE-2021-1730",
    "CVE-2021-26855",
    "CVE-2021-26412",
    "CVE-2021-28480",
    "CVE-2021-31196",
    "CVE-2021-31207",
    "CVE-2021-33766",
    "CVE-2021-34470",
    "CVE-2021-34473",
    "CVE-2021-34523",
    "CVE-2021-42321",
    "CVE-2022-21978",
    "CVE-2022-21979",
    "CVE-2022-23277",
    "CVE-2022-41040",
    "CVE-2022-41080",
    "CVE-2022-41082",
    "CVE-2023-21529",
    "CVE-2023-21709",
    "CVE-2023-36439",
    "CVE-2024-21410",
    "CVE-2024-49040",
    "CVE-2025-53786",
    "CVE-2026-42897",
    "CVE-2026-62911",
    "CVE-2026-70279",
    "CVE-2026-96940",
];

/// Cells of a line, quotes heeded.
fn cells(line: &str) -> Vec<String> {
    let (mut out, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    out.push(cell);
    out
}

fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let header = cells(lines.next().unwrap());
    lines
        .map(|line| header.iter().cloned().zip(cells(line)).collect())
        .collect()
}

fn number(text: &str) -> [u64; 4] {
    let parts: Vec<u64> = text.split('.').map(|p| p.parse().unwrap()).collect();
    parts.try_into().unwrap()
}

/// The rule's text, step by step: "Let B = server build. If B >= highest build in the list: fixed. Else if the list has B's CU (same third part
/// of the number) and B >= that build: fixed. Else vulnerable. `extra_action` not empty: the build alone proves nothing."
fn by_the_text(row: &BTreeMap<String, String>, b: [u64; 4]) -> &'static str {
    let list: Vec<[u64; 4]> = row["first_fixed_builds"]
        .split(';')
        .map(|entry| number(entry.split('=').nth(1).unwrap()))
        .collect();
    let mut fixed = b >= *list.iter().max().unwrap();
    if !fixed {
        for entry in &list {
            if entry[2] == b[2] && b >= *entry {
                fixed = true;
            }
        }
    }
    match (fixed, row["extra_action"].is_empty()) {
        (false, _) => "vulnerable",
        (true, true) => "fixed",
        (true, false) => "action_unknown",
    }
}

#[test]
fn every_build_and_every_vulnerability_is_judged_as_the_published_rule_says() {
    let table = Table::built_in();
    let (builds, cves) = (rows(BUILDS), rows(CVES));
    assert_eq!(
        (table.builds.len(), table.cves.len()),
        (builds.len(), cves.len())
    );
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chosen = 0;
    for row in &cves {
        let cve = table.cves.iter().find(|c| c.cve == row["cve"]).unwrap();
        for build in &builds {
            let text = &build["build_short"];
            let known = Known::exact(&table, Build::parse(text).unwrap());
            let (got, want) = (judge(cve, known).word(), by_the_text(row, number(text)));
            assert_eq!(got, want, "{} on {text}", cve.cve);
            *seen.entry(want).or_default() += 1;
            chosen += usize::from(CHOSEN.contains(&row["cve"].as_str()));
        }
    }
    assert_eq!(
        chosen,
        CHOSEN.len() * builds.len(),
        "all thirty were in the table"
    );
    assert!(
        seen.len() == 3 && seen.values().all(|n| *n > 100),
        "{seen:?}"
    );
}

#[test]
fn verdicts_that_were_worked_out_by_hand() {
    let table = Table::built_in();
    let state = |cve: &str, build: &str| {
        let row = table.cves.iter().find(|c| c.cve == cve).unwrap();
        judge(row, Known::exact(&table, Build::parse(build).unwrap()))
    };
    // ProxyLogon: CU17 got a fix of its own, CU7 did not, CU20 was born with it.
    assert_eq!(state("CVE-2021-26855", "15.1.2044.13"), State::Fixed);
    assert_eq!(state("CVE-2021-26855", "15.1.2044.12"), State::Vulnerable);
    assert_eq!(state("CVE-2021-26855", "15.1.1261.39"), State::Vulnerable);
    assert_eq!(state("CVE-2021-26855", "15.1.2242.4"), State::Fixed);
    // ProxyShell: a later CU than the highest fixed one, and CU18, which got none.
    assert_eq!(state("CVE-2021-34473", "15.1.2308.8"), State::Fixed);
    assert_eq!(state("CVE-2021-34473", "15.1.2242.4"), State::Vulnerable);
    assert_eq!(state("CVE-2021-34473", "15.1.2106.13"), State::Vulnerable);
    // Numbers are compared as numbers: .9 is before .12.
    assert_eq!(state("CVE-2022-34692", "15.1.2507.9"), State::Vulnerable);
    assert_eq!(state("CVE-2022-34692", "15.1.2507.12"), State::Fixed);
    // Extended Protection is not seen in a build.
    assert_eq!(
        state("CVE-2024-21410", "15.1.2507.77"),
        State::ActionUnknown
    );
}

const TODAY: Date = date(2026, 11, 26);

fn sighting(origin: Origin, build: &str) -> Sighting {
    Sighting {
        server: "EX1".to_owned(),
        origin,
        build: Build::parse(build),
    }
}

#[test]
fn a_patched_server_known_by_its_cumulative_update_only_is_unknown_and_lacks_nothing() {
    let table = Table::built_in();
    for (origin, build) in [
        (Origin::AdminDisplay, "Version 15.1 (Build 2507.6)"),
        (Origin::HealthCheckerOffline, "15.1.2507.6"),
        (Origin::Ews, "15.1.2507.6"),
    ] {
        let server = &assess(&table, &[sighting(origin, build)], &[], TODAY)[0];
        assert_eq!(server.cu.as_deref(), Some("CU23"));
        assert_eq!(
            (server.update.as_deref(), &server.missing),
            (None, &None),
            "{origin:?}"
        );
        assert_eq!(server.count(State::Vulnerable), 0, "{origin:?}");
        let later = server
            .cves
            .iter()
            .find(|v| v.cve == "CVE-2022-41040")
            .unwrap();
        assert_eq!((later.state, later.days), (State::Unknown, None));
        // What the cumulative update itself brought is certain.
        let before = server
            .cves
            .iter()
            .find(|v| v.cve == "CVE-2021-34473")
            .unwrap();
        assert_eq!(before.state, State::Fixed);
    }
    // The better word wins, whatever the order.
    let both = [
        sighting(Origin::AdminDisplay, "15.1.2507.6"),
        sighting(Origin::ExSetup, "15.1.2507.77"),
    ];
    let server = &assess(&table, &both, &[], TODAY)[0];
    assert_eq!(server.update.as_deref(), Some("CU23 Oct26SU"));
    assert_eq!(server.missing, Some(Vec::new()));
    assert_eq!(server.count(State::Vulnerable), 0);
    assert_eq!(server.unsupported_since, Some(date(2025, 10, 14)));
}

#[test]
fn a_number_that_no_list_has_is_not_judged() {
    let table = Table::built_in();
    for build in ["15.1.2507.18", "15.1.2507.500", "15.2.1544.4", "15.1.1.1"] {
        let server = &assess(&table, &[sighting(Origin::ExSetup, build)], &[], TODAY)[0];
        assert!(matches!(server.known, Known::NotInTable(_)), "{build}");
        assert_eq!(server.count(State::Unknown), table.cves.len(), "{build}");
        assert_eq!(server.missing, None);
    }
}

#[test]
fn missing_updates_and_days_of_exposure_are_counted_from_the_table() {
    let table = Table::built_in();
    // A CU19 of March 2021, looked at on 1 August 2021.
    let on = date(2021, 8, 1);
    let server = &assess(&table, &[sighting(Origin::ExSetup, "15.1.2176.9")], &[], on)[0];
    let names: Vec<&str> = server
        .missing
        .iter()
        .flatten()
        .map(|m| m.name.as_str())
        .collect();
    assert_eq!(names, ["CU19 Apr21SU", "CU19 May21SU"]);
    assert_eq!(
        server.missing.as_ref().unwrap()[0].severity.as_deref(),
        Some("Critical")
    );
    assert_eq!(server.unsupported_since, None);
    // Fixed in silence on 13 April, published on 13 July: it stood open from the fix on. 13 April to 1 August are 110 days.
    let shell = server
        .cves
        .iter()
        .find(|v| v.cve == "CVE-2021-34473")
        .unwrap();
    assert_eq!(
        (shell.state, shell.since, shell.days),
        (State::Vulnerable, date(2021, 4, 13), Some(110))
    );
    let first = &server.cves[0];
    assert_eq!(first.exploited.word(), "yes", "known used ones come first");
}

mod outside {
    //! The real binary against its lab, and with files that are broken.

    use std::fmt::Write as _;
    use std::path::Path;
    use std::process::{Command, Output};

    use serde_json::Value;

    use crate::process::{BINARY, Lab};

    fn assess(args: &[&str]) -> Output {
        Command::new(BINARY)
            .arg("assess")
            .args(args)
            .output()
            .unwrap()
    }

    fn json(args: &[&str]) -> (i32, Value) {
        let mut all = args.to_vec();
        all.push("--json");
        let output = assess(&all);
        let text = String::from_utf8_lossy(&output.stdout);
        let value = serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), value)
    }

    fn states<'a>(found: &'a Value, mailbox: &str, state: &str) -> Vec<&'a str> {
        let leads = found["leads"].as_array().unwrap().iter();
        leads
            .filter(|l| l["mailbox"] == mailbox && l["state"] == state)
            .map(|l| l["id"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn a_seeded_mailbox_yields_each_lead_once_and_a_plain_one_none() {
        let lab = Lab::start(&["--mailboxes", "3", "--items", "40", "--leads"]);
        let plan = lab.dir.path().join("plan.toml");
        let plan = plan.to_str().unwrap();
        let window = [
            "--plan",
            plan,
            "--window",
            "2021-04-13..2021-12-01",
            "--exposure",
            "--mail",
        ];
        let (exit, found) = json(&window);
        let mailboxes = lab.facts["mailboxes"].as_array().unwrap();
        let address = |n: usize| mailboxes[n]["source"].as_str().unwrap();
        assert_eq!(
            states(&found, address(0), "found"),
            [
                "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9", "M10", "M11", "M14", "M15", "M16",
                "M20"
            ]
        );
        for n in [1, 2] {
            assert_eq!(states(&found, address(n), "found"), [""; 0]);
            // What needs an inventory was not looked at, and says so.
            assert_eq!(
                states(&found, address(n), "not_checked"),
                ["M1", "M13", "M17", "M18"]
            );
        }
        for lead in found["leads"].as_array().unwrap() {
            let evidence = lead["evidence"].as_array().unwrap().len();
            assert_eq!(evidence, usize::from(lead["state"] == "found"), "{lead}");
        }
        assert_eq!((exit, found["open_critical"].as_u64()), (5, Some(12)));
        // Counts by pseudonym: no address, no local part.
        let exposure = &found["exposure"];
        assert_eq!(exposure["mailboxes"].as_array().unwrap().len(), 3);
        assert!(!exposure.to_string().contains("clinic.example\",\"items"));
        assert!(!exposure.to_string().contains('@'));
        assert_eq!(exposure["mailboxes"][0]["rules_changed"], 1);

        assert_eq!(states(&found, "", "not_checked"), ["M12", "M19"]);
        // Neither the texts of the automatic reply nor its addresses are in the result, only the host.
        assert!(!found.to_string().contains("see here"));
        assert!(!found.to_string().contains("elsewhere.example/login"));

        // A decision closes one, lives beside the result, and survives the next assessment; the gate reads the file.
        let id = found["leads"]
            .as_array()
            .unwrap()
            .iter()
            .find(|l| l["state"] == "found");
        let id = id.unwrap()["finding"].as_str().unwrap().to_owned();
        let signed = [
            "--plan",
            plan,
            "--acknowledge",
            &id,
            "--by",
            "Ann",
            "--note",
            "asked the owner",
        ];
        assert_eq!(assess(&signed).status.code(), Some(0));
        let (_, again) = json(&["--plan", plan]);
        let of = |v: &Value| {
            let leads = v["leads"].as_array().unwrap().iter();
            leads
                .filter(|l| l["finding"] == id.as_str())
                .map(|l| l["status"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&again), ["accepted"]);
        let kept = std::fs::read(lab.dir.path().join("state/assess.json")).unwrap();
        assert_eq!(of(&serde_json::from_slice(&kept).unwrap()), ["accepted"]);
        // Without a window nothing is known to have changed in one.
        assert!(states(&again, address(0), "not_checked").contains(&"M20"));
        let wrong = [
            "--plan",
            plan,
            "--acknowledge",
            "M2-00000000",
            "--by",
            "A",
            "--note",
            "b",
        ];
        assert_eq!(assess(&wrong).status.code(), Some(3));
        // A run begins in the directory that the assessment made.
        let run = Command::new(BINARY)
            .args(["run", "-q", plan])
            .output()
            .unwrap();
        assert_eq!(
            run.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
    }

    #[test]
    fn an_inventory_shows_add_ins_roles_and_who_opens_many_mailboxes() {
        let clinic = |name: &str| format!("{}/plans/clinic/{name}.csv", env!("CARGO_MANIFEST_DIR"));
        let files = ["mailboxes", "apps", "role-assignments"].map(clinic);
        let (_, found) = json(&files.each_ref().map(String::as_str));
        let evidence = |id: &str, mailbox: &str| {
            let leads = found["leads"].as_array().unwrap().iter();
            let own: Vec<&Value> = leads
                .filter(|l| l["id"] == id && l["mailbox"] == mailbox)
                .collect();
            assert_eq!(own.len(), 1, "{id} {mailbox}");
            own[0]["evidence"].clone()
        };
        let (owner, other) = ("c.lemoine@clinic.example", "a.harris@clinic.example");
        assert_eq!(states(&found, owner, "found"), ["M13"]);
        let app = evidence("M13", owner).to_string();
        assert!(app.contains("Letter Box by Mail Tools"), "{app}");
        // What everybody has was not installed by the owner.
        assert_eq!(states(&found, other, "found"), [""; 0]);
        // Two hold the role; the third may only hand it out.
        let roles = evidence("M12", "");
        assert_eq!(roles.as_array().unwrap().len(), 2, "{roles}");
        assert!(!roles.to_string().contains("Organization Management"));
        let lead = found["leads"].as_array().unwrap().iter();
        let lead = lead.into_iter().find(|l| l["id"] == "M12").unwrap();
        assert_eq!(lead["weight"], "high");
        // Whether a room has sent mail is only seen by EWS.
        let rooms = ["M18"; 1];
        assert!(states(&found, owner, "not_found").contains(&rooms[0]));

        let mut grants = "PrimarySmtpAddress,User,AccessRights,IsInherited,Deny\n".to_owned();
        let mut mailboxes = "PrimarySmtpAddress,DisplayName,RecipientTypeDetails\n".to_owned();
        for n in 0..25 {
            writeln!(
                grants,
                "m{n}@clinic.example,m99@clinic.example,FullAccess,False,False"
            )
            .unwrap();
            writeln!(mailboxes, "m{n}@clinic.example,M {n},UserMailbox").unwrap();
        }
        mailboxes.push_str("m99@clinic.example,M 99,UserMailbox\n");
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (mailboxes, rights) = (file("m.csv", &mailboxes), file("g.csv", &grants));
        let (_, found) = json(&[&mailboxes, &rights]);
        assert_eq!(states(&found, "m3@clinic.example", "found"), ["M11"]);
        // One fewer is a team's.
        let fewer: Vec<&str> = grants.lines().take(25).collect();
        let (_, found) = json(&[&mailboxes, &file("f.csv", &fewer.join("\n"))]);
        assert_eq!(states(&found, "m3@clinic.example", "found"), [""; 0]);
    }

    #[test]
    fn a_room_that_sent_mail_is_a_lead_and_a_person_is_not() {
        let lab = Lab::start(&["--mailboxes", "2", "--items", "40"]);
        let mailboxes = lab.facts["mailboxes"].as_array().unwrap();
        let address = |n: usize| mailboxes[n]["source"].as_str().unwrap();
        let path = lab.dir.path().join("kinds.csv");
        let text = format!(
            "PrimarySmtpAddress,DisplayName,RecipientTypeDetails\n{},Room,RoomMailbox\n{},Ann,UserMailbox\n",
            address(0),
            address(1)
        );
        std::fs::write(&path, text).unwrap();
        let plan = lab.dir.path().join("plan.toml");
        let (_, found) = json(&[path.to_str().unwrap(), "--plan", plan.to_str().unwrap()]);
        assert_eq!(states(&found, address(0), "found"), ["M18"]);
        assert!(states(&found, address(1), "not_found").contains(&"M18"));
        // Nobody asked for listings of mail, and that is said.
        let unread = states(&found, address(1), "not_checked");
        assert!(unread.contains(&"M14") && unread.contains(&"M15"));
    }

    #[test]
    fn a_server_by_hand_is_judged_and_the_form_of_its_number_decides_how_much_is_known() {
        let (exit, found) = json(&["--on", "2026-11-26", "--server", "EX1=15.1.2507.61"]);
        assert_eq!(exit, 0);
        let server = &found["servers"][0];
        assert_eq!(
            (&server["cu"], &server["origin"]),
            (&"CU23".into(), &"the operator".into())
        );
        assert_eq!(server["missing_updates"].as_array().unwrap().len(), 8);
        let display = "EX1=Version 15.1 (Build 2507.6)";
        let (_, found) = json(&["--on", "2026-11-26", "--server", display]);
        let server = &found["servers"][0];
        assert_eq!(server["security_update"], "unknown");
        assert!(server["missing_updates"].as_array().unwrap().is_empty());
        let cves = server["cves"].as_array().unwrap();
        assert!(cves.iter().all(|v| v["state"] != "vulnerable"));
        assert!(cves.iter().any(|v| v["state"] == "unknown"));
        assert_eq!(found["table_date"], "2026-10-15");
    }

    #[test]
    fn an_update_log_ends_the_window_and_detections_fall_into_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let log = file(
            "updates.csv",
            "server,build,installed\nEX1,15.1.2507.61,2025-11-01\nEX1,15.1.2308.20,2021-11-20\n",
        );
        let av = file(
            "av.csv",
            "Detected,Threat,Path\n2021-08-14,Backdoor,C:\\x.aspx\n2010-01-01,Other,C:\\y\n",
        );
        let state = dir.path().join("state");
        let state = state.to_str().unwrap();
        let (exit, found) = json(&[
            "--on",
            "2025-12-01",
            "--server",
            "EX1=15.1.2507.61",
            "--updates",
            &log,
            "--detections",
            &av,
            "--state",
            state,
        ]);
        assert_eq!((exit, found["open_critical"].as_u64()), (5, Some(2)));
        let cves = found["servers"][0]["cves"].as_array().unwrap();
        let shell = cves.iter().find(|v| v["cve"] == "CVE-2021-34473").unwrap();
        // 13 April to 20 November 2021.
        assert_eq!(
            (&shell["exposed_until"], &shell["exposed_days"]),
            (&"2021-11-20".into(), &221.into())
        );
        let list = found["detections"].as_array().unwrap();
        assert_eq!(
            (&list[0]["in_window"], &list[1]["in_window"]),
            (&true.into(), &false.into())
        );
        let ids: Vec<&str> = list.iter().map(|d| d["id"].as_str().unwrap()).collect();
        let signed = [
            "--state",
            state,
            "--acknowledge",
            ids[0],
            "--acknowledge",
            ids[1],
            "--by",
            "Ann",
            "--note",
            "seen",
        ];
        assert_eq!(assess(&signed).status.code(), Some(0));
        let kept = std::fs::read(Path::new(state).join("assess.json")).unwrap();
        let kept: Value = serde_json::from_slice(&kept).unwrap();
        assert_eq!(kept["open_critical"], 0);
        assert_eq!(
            assess(&[
                "--state",
                state,
                "--acknowledge",
                ids[0],
                "--by",
                " ",
                "--note",
                "x"
            ])
            .status
            .code(),
            Some(2)
        );
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_nothing_panics() {
        let dir = tempfile::tempdir().unwrap();
        for (flag, name, bytes, says) in [
            (
                "--detections",
                "av.csv",
                &b"threat,file\na,b\nc\n"[..],
                "av.csv:3: ",
            ),
            ("--detections", "av.json", b"[\n{]", "av.json:2: "),
            (
                "--health",
                "health.json",
                b"{\"Servers\":3}",
                "health.json:1: ",
            ),
            ("--health", "utf16.json", b"\xFF\xFE\x00", "utf16.json:1: "),
            (
                "--actions",
                "actions.csv",
                b"id,requirement,action,owner,due,status\n1,r,a,o,soon,open\n",
                "actions.csv:2: ",
            ),
            (
                "--updates",
                "log.csv",
                b"server,build,installed\nEX1,fifteen,2021-01-01\n",
                "log.csv:2: ",
            ),
            (
                "--builds",
                "builds.csv",
                b"name\nCU1\n",
                "builds.csv:1: no column",
            ),
            ("--cves", "cves.csv", b"", "cves.csv:1: the file is empty"),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let output = assess(&["--server", "EX1=15.1.2507.61", flag, path.to_str().unwrap()]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(3), "{name}: {said}");
            assert!(said.contains(says), "{name}: {said}");
        }
        assert_eq!(assess(&[]).status.code(), Some(2));
        assert_eq!(assess(&["--server", "EX1"]).status.code(), Some(2));
    }

    #[test]
    fn the_register_is_seeded_written_and_read_again_and_evidence_must_be_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("register.csv");
        let path = path.to_str().unwrap();
        let server = ["--on", "2026-11-26", "--server", "EX1=15.1.2507.61"];
        let mut first = server.to_vec();
        first.extend(["--write-actions", path]);
        let (_, found) = json(&first);
        let seeded = found["actions"].as_array().unwrap().len();
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), seeded + 1);
        std::fs::write(dir.path().join("photo.pdf"), "proof").unwrap();
        let line = text.lines().nth(1).unwrap();
        let id = line.split(',').next().unwrap();
        let row =
            format!("{id},patched,order,patch,Bob,2026-12-20,verified,photo.pdf,,Ann,2026-11-25,");
        std::fs::write(path, text.replace(line, &row)).unwrap();
        let mut second = server.to_vec();
        second.extend(["--actions", path, "--write-actions", path]);
        let (_, found) = json(&second);
        let list = found["actions"].as_array().unwrap();
        assert_eq!(
            list.len(),
            seeded,
            "a row of a person stays, and is not seeded again"
        );
        assert_eq!(
            (&list[0]["status"], &list[0]["owner"]),
            (&"verified".into(), &"Bob".into())
        );
        std::fs::write(dir.path().join("photo.pdf"), "another").unwrap();
        let output = assess(&second);
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains("register.csv:2: "));
    }
}

#[test]
fn the_section_names_no_mailbox_and_keeps_markup_out() {
    let lead = serde_json::json!({"id": "M2", "title": "a rule", "mailbox": "a.harris@clinic.example", "state": "found", "status": "open",
        "weight": "high", "evidence": ["sends to x@evil.example"]});
    let mut document = serde_json::json!({
        "table_date": "2026-10-15", "today": "2026-11-26", "leads": [lead], "never_seen": ["<b>"],
        "servers": [{"name": "EX<1>", "build": "15.1.2507.61", "history": [{"build": "15.1.2507.61", "installed": "2025-11-01"}],
            "cves": [{"cve": "CVE-2026-42897", "state": "vulnerable", "exploited": true, "exposed_since": "2026-05-14", "exposed_days": 196}]}],
    });
    let html = section::html(&document, People::Named);
    assert!(html.contains("<svg") && html.contains("196 days") && html.contains("EX&lt;1&gt;"));
    assert!(!html.contains("harris") && !html.contains("evil") && !html.contains("<b>"));
    assert_eq!(
        html.matches("<section").count(),
        html.matches("</section>").count()
    );
    let facts = mailferry::posture::section::json(&document);
    assert_eq!(facts["servers"][0]["vulnerable_and_used"], 1);
    // A document of another kind is shown as far as it goes.
    document["servers"] = 3.into();
    document["leads"] = serde_json::Value::Null;
    assert!(section::html(&document, People::Named).contains("0 servers"));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic_and_a_register_stays_one(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        text in "[a-z#=\"';,\n\t \\[{}:]{0,120}",
    ) {
        use mailferry::posture::{detections, finding, health, register, server, sheet};
        let head = "id,requirement,action,owner,due,status\n";
        for input in [bytes.clone(), text.clone().into_bytes(), format!("{head}{text}").into_bytes()] {
            let _ = detections::parse("f", &input);
            let _ = health::parse(&input);
            let Ok(decoded) = sheet::decode(&input) else { continue };
            let _ = finding::parse_decisions(&decoded);
            let _ = Table::parse(&decoded, CVES);
            let Ok(rows) = sheet::Sheet::parse(&decoded) else { continue };
            let _ = server::parse_installed(&rows);
            if let Ok(actions) = register::parse(&rows) {
                let written = register::write(&actions);
                let again = register::parse(&sheet::Sheet::parse(&written).unwrap()).unwrap();
                proptest::prop_assert_eq!(again.len(), actions.len());
            }
        }
    }

    #[test]
    fn a_register_of_any_words_survives(words in proptest::collection::vec("[a-zA-Z#=+@'\", ;-]{0,12}", 4)) {
        use mailferry::posture::{register, sheet};
        let mut action = register::Action::seeded(&[&words[0]], format!("r{}", words[0]), words[1].trim().to_owned());
        action.owner = words[2].trim().to_owned();
        action.note = words[3].trim().to_owned();
        let text = register::write(std::slice::from_ref(&action));
        let mut again = register::parse(&sheet::Sheet::parse(&text).unwrap()).unwrap();
        again[0].line = 0;
        action.requirement = action.requirement.trim().to_owned();
        proptest::prop_assert_eq!(again, vec![action]);
    }
}
