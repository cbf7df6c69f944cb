//! The report against its laws: it stands alone, adds up, names nobody outside the house, and survives any name.

use proptest::prelude::*;
use serde_json::Value;

use super::sample::{Case, NAMES};
use super::words::Ending;
use super::{csv, json, render};
use crate::base::fact::Bucket;
use crate::base::id::{ItemId, MailboxId};
use crate::base::item::{ItemClass, ItemKey};
use crate::base::losses::{self, Family};
use crate::base::mailbox::FolderPath;
use crate::base::quantity::{Bytes, Count};
use crate::evidence::balance::Balance;
use crate::report::words;

#[test]
fn the_page_of_a_house_is_as_it_was() {
    let html = render(&Case::full().internal());
    let body = html.split_once("</style>").expect("a style sheet").1;
    insta::assert_snapshot!("internal_page", body);
}

#[test]
fn the_page_for_others_is_as_it_was() {
    let html = render(&Case::proven().external());
    let body = html.split_once("</style>").expect("a style sheet").1;
    insta::assert_snapshot!("external_page", body);
}

#[test]
fn the_page_stands_alone_and_runs_nothing() {
    for html in [
        render(&Case::full().internal()),
        render(&Case::full().external()),
    ] {
        for foreign in [
            "<script",
            "http:",
            "https:",
            "src=",
            "@import",
            "<link",
            "onclick",
            "javascript",
        ] {
            assert!(!html.contains(foreign), "{foreign}");
        }
        // What is painted with a pattern is painted with one of this page.
        assert!(html.split("url(").skip(1).all(|rest| rest.starts_with('#')));
        for there in [
            "prefers-color-scheme:dark",
            "@page{size:A4",
            "name=\"viewport\"",
            "default-src 'none'",
        ] {
            assert!(html.contains(there), "{there}");
        }
        for id in html.split("url(#").skip(1) {
            let id = id.split(')').next().expect("an end");
            assert_eq!(html.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
        }
    }
}

#[test]
fn outside_the_house_nobody_and_nothing_is_named() {
    let (case, outside) = (Case::full(), Case::full().external());
    let all = |paper: &super::paper::Paper| {
        let mut texts = vec![render(paper), format!("{:#}", json::to_json(paper))];
        texts.extend(csv::tables(paper));
        texts.push(paper.verdict() + &paper.open());
        texts
    };
    let inside = all(&case.internal()).concat();
    for name in NAMES {
        assert!(inside.contains(name), "{name} is not in the sample");
    }
    for text in all(&outside) {
        let lower = text.to_lowercase();
        for name in NAMES {
            assert!(!lower.contains(&name.to_lowercase()), "{name}");
        }
        assert!(!text.contains('@') || text.contains("@page") || text.contains("@media"));
    }
    let pseudonym = outside.mailboxes[0].mailbox.clone();
    assert!(render(&outside).contains(&pseudonym));
    assert!(render(&outside).contains("person "));
}

#[test]
fn json_csv_and_page_say_the_same_numbers() {
    let paper = Case::full().internal();
    let read = json::to_json(&paper);
    let tables = csv::tables(&paper);
    let sum = |table: &str, column: &str| -> u64 {
        let mut rows = ::csv::Reader::from_reader(table.trim_start_matches('\u{FEFF}').as_bytes());
        let head = rows.headers().expect("a header").clone();
        let at = head.iter().position(|own| own == column).expect("a column");
        let rule = head.iter().position(|own| own == "left_out");
        rows.records()
            .map(|row| row.expect("a row"))
            .filter(|row| rule.is_none_or(|rule| row[rule].is_empty()))
            .map(|row| row[at].parse::<u64>().expect("a number"))
            .sum()
    };
    let mut all = 0;
    for bucket in words::BUCKETS {
        let key = words::bucket_key(bucket);
        let n = read["items"][key].as_u64().expect("a number");
        assert_eq!(sum(&tables[0], key), n, "{key}");
        assert_eq!(sum(&tables[1], key), n, "{key}");
        assert!(render(&paper).contains(&Count::new(n).to_string()));
        all += n;
    }
    assert_eq!(read["items"]["source"], all);
    assert_eq!(sum(&tables[0], "source"), all);
    assert_eq!(tables[2].lines().count(), 1 + 4);
    assert_eq!(tables[3].lines().count(), 1 + 3);
    assert_eq!(read["runs"][0]["items_per_hour"], 400);
    assert_eq!(read["runs"][1]["figures"], Value::Null);
}

#[test]
fn what_went_by_its_class_is_named_with_what_it_lost() {
    let plain = Case::full().internal();
    assert!(!render(&plain).contains("Carried by class"));
    assert_eq!(json::to_json(&plain)["carried_by_class"], Value::Null);
    assert_eq!(csv::by_class(&plain), None);
    let mut case = Case::full();
    for (at, class, n) in [
        (0, "IPM.Note", 40),
        (1, "ipm.note", 2),
        (1, "IPM.Contact", 3),
    ] {
        let own = &mut case.balance.mailboxes[at].typed;
        own.insert(ItemClass::new(class), Count::new(n));
    }
    let paper = case.internal();
    let (page, read) = (render(&paper), json::to_json(&paper));
    let told = &read["carried_by_class"];
    assert_eq!(
        told["items"],
        serde_json::json!({"IPM.Note": 42, "IPM.Contact": 3})
    );
    let lines = told["losses"].as_array().expect("lines");
    for family in [Family::Message, Family::Contact] {
        let own: Vec<&Value> = lines
            .iter()
            .filter(|own| own["family"] == family.key())
            .collect();
        assert_eq!(own.len(), losses::of(family).len(), "{family:?}");
        for loss in losses::of(family) {
            assert!(
                page.contains(&crate::base::html::escape(loss.what)),
                "{}",
                loss.what
            );
        }
    }
    assert_eq!(
        lines.iter().filter(|own| own["family"] == "event").count(),
        0
    );
    assert_eq!(read["mailboxes"][1]["carried_by_class"]["IPM.Contact"], 3);
    assert!(page.contains("<h2>Carried by class</h2>"));
    assert!(page.contains("<td class=\"n\">45</td>"));
    let table = csv::by_class(&paper).expect("a table");
    assert_eq!(table.lines().count(), 1 + 3);
    assert!(
        table.contains("b.ozanne@clinic.example,IPM.Contact,3,contact"),
        "{table}"
    );
    let unproven = paper.not_proven().concat();
    assert!(
        unproven.contains("45 items were carried not as streams but by their class"),
        "{unproven}"
    );
}

#[test]
fn the_verdict_names_grade_level_watermark_and_what_no_longer_holds() {
    let paper = Case::full().internal();
    assert_eq!(paper.ending(), Ending::Open);
    let covers = paper.proof.as_ref().and_then(|own| own.covers.clone());
    let mark: String = covers
        .expect("watermarks")
        .watermark
        .chars()
        .take(12)
        .collect();
    assert_eq!(
        paper.verdict(),
        format!(
            "Grade investigate at level content: 1,200 of 1,242 source items were found again on Microsoft 365, none is unexplained; this covers \
             the source as it was listed at 2026-12-04 08:00:01 UTC (watermark {mark}), and no longer holds for 1 folder that changed since; 1 \
             mailbox was not verified."
        )
    );
    assert_eq!(
        paper.open(),
        "Open: 40 remaining, 1 refused, 1 parked, 1 mailbox not finished, 1 target item of unknown origin; 1 of these items is waived by two \
         people; 2 items need a decision or a waiver."
    );
    assert_eq!(paper.next("p.toml"), "mailferry run p.toml");
    let unproven = paper.not_proven().concat();
    for said in [
        "120 of 1,200",
        "seed 7",
        "1 run left no figures",
        "1 folder changed",
    ] {
        assert!(unproven.contains(said), "{said}: {unproven}");
    }
}

#[test]
fn proven_is_only_what_was_verified_and_still_holds() {
    let proven = Case::proven();
    assert_eq!(proven.internal().ending(), Ending::Proven);
    assert_eq!(
        proven.internal().next("p"),
        "mailferry cutover p --name NAME"
    );
    let spoil: [fn(&mut Case); 5] = [
        |case| case.verification = None,
        |case| case.stale.push((MailboxId::new("x"), String::new())),
        |case| case.verification.as_mut().expect("one")["grade"] = "investigate".into(),
        |case| {
            let own = &mut case.verification.as_mut().expect("one")["mailboxes"][0];
            own["not_verified"] = "not begun".into();
        },
        |case| {
            let folder = &mut case.balance.mailboxes[0].folders[0];
            folder.count(Bucket::Parked, Bytes::new(1), Bytes::ZERO);
        },
    ];
    for (at, spoil) in spoil.into_iter().enumerate() {
        let mut case = Case::proven();
        spoil(&mut case);
        assert_eq!(case.internal().ending(), Ending::Open, "{at}");
    }
    let mut case = Case::proven();
    case.verification.as_mut().expect("one")["mailboxes"][0]["unexplained"] = 1.into();
    assert_eq!(case.internal().ending(), Ending::Wrong);
    let mut case = Case::proven();
    case.balance.mailboxes[0].folders[0].source = Count::new(9);
    assert_eq!(case.internal().ending(), Ending::Wrong);
    let mut case = Case::proven();
    case.balance = Balance::default();
    assert_eq!(case.internal().ending(), Ending::Open);
    assert!(case.internal().verdict().starts_with("Nothing was begun"));
}

#[test]
fn a_spreadsheet_takes_no_cell_for_a_formula() {
    let mut case = Case::full();
    case.balance.mailboxes[0].exceptions[0].folder = FolderPath::of(["=1+1,\"x\""]);
    let tables = csv::tables(&case.internal());
    assert!(tables[2].contains("\"'=1+1,\"\"x\"\"\""), "{}", tables[2]);
}

/// Markup of a page without its text: tags with their attributes' names.
fn skeleton(html: &str) -> String {
    let mut out = String::new();
    let (mut tag, mut quoted) = (false, false);
    for c in html.chars() {
        match c {
            '<' if !tag => tag = true,
            '>' if tag && !quoted => {
                tag = false;
                out.push('>');
            }
            '"' if tag => quoted = !quoted,
            _ => {}
        }
        if tag && !quoted {
            out.push(c);
        }
    }
    out
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("<script>alert(1)</script>".to_owned()),
        Just("\"><img src=x onerror=alert(1)>".to_owned()),
        Just("' onmouseover='alert(1)".to_owned()),
        Just("</style></title></svg>-->]]>".to_owned()),
        Just("\u{202E}gpj.exe\u{2066}\u{200F}".to_owned()),
        Just("&lt;b&gt;&#60;".to_owned()),
        Just("\0\u{1b}[2J\r\n".to_owned()),
        Just("W".repeat(20_000)),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_name_changes_the_page(name in hostile(), folder in hostile(), class in hostile(), why in hostile(), who in hostile()) {
        let dress = |name: &str, folder: &str, class: &str, why: &str, who: &str| {
            let mut case = Case::full();
            case.name = name.to_owned();
            let own = &mut case.balance.mailboxes[0];
            own.source = MailboxId::new(name);
            own.target = MailboxId::new(folder);
            own.folders[0].path = FolderPath::of([folder]);
            own.exceptions[0].item = ItemKey::of(&ItemId::new("one"));
            own.exceptions[0].class = ItemClass::new(class);
            own.exceptions[0].why = why.to_owned();
            own.leftovers[0].why = why.to_owned();
            case.waivers[0].0.waiver.reason = why.to_owned();
            case.entries[8].facts.insert("reason".into(), why.into());
            case.entries[8].who = Some(who.to_owned());
            let found = case.verification.as_mut().expect("one");
            found["grade_rules_text"] = why.into();
            found["mailboxes"][0]["mailbox"] = name.into();
            found["mailboxes"][0]["findings"][0]["what"] = why.into();
            case
        };
        let (plain, odd) = (dress("a", "b", "c", "d", "e"), dress(&name, &folder, &class, &why, &who));
        prop_assert_eq!(skeleton(&render(&plain.internal())), skeleton(&render(&odd.internal())));
        let outside = render(&odd.external());
        prop_assert_eq!(skeleton(&render(&plain.external())), skeleton(&outside));
        let marks = ['\u{202E}', '\u{2066}', '\0'];
        prop_assert!(!outside.contains(marks));
    }
}
