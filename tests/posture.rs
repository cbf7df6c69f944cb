//! Builds, vulnerabilities and leads, set against what the published tables and lists say, evaluated here a second time from their text.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use mailferry::base::build::Build;
use mailferry::posture::rule::{Known, State, judge};
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
