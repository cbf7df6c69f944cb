//! What a populated world holds.

use std::collections::BTreeMap;

use serde_json::Value;

use super::direct::lock;
use super::populate::Population;
use super::tests::{few, populated};
use super::truth::truth;
use super::world::WorldOptions;
use crate::base::id::MailboxId;

#[test]
fn every_mailbox_has_exactly_the_items_asked_for_and_some_that_must_stay() {
    for items in [0, 1, 7, 60, 200] {
        let population = Population {
            items,
            mailboxes: 3,
            ..Population::default()
        };
        let world = populated(WorldOptions::default(), &population);
        let truth = truth(&lock(&world));
        for mailbox in truth["source"].as_object().unwrap().values() {
            let folders = mailbox["folders"].as_array().unwrap();
            let held: usize = folders
                .iter()
                .map(|f| f["items"].as_array().unwrap().len())
                .sum();
            assert_eq!(held as u64, items);
            let whys: std::collections::BTreeSet<&str> = mailbox["left_out"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| f["why"].as_str().unwrap())
                .collect();
            assert_eq!(whys.len(), 8, "{whys:?}");
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_world_and_another_seed_another() {
    let of = |seed| {
        let options = WorldOptions {
            seed,
            ..WorldOptions::default()
        };
        let population = Population { seed, ..few() };
        truth(&lock(&populated(options, &population))).to_string()
    };
    assert_eq!(of(5), of(5));
    assert_ne!(of(5), of(6));
}

#[test]
fn the_populated_mailbox_has_every_trap() {
    let population = Population {
        mailboxes: 1,
        ..Population::default()
    };
    let world = populated(WorldOptions::default(), &population);
    let truth = truth(&lock(&world));
    let folders = truth["source"]["a.harris@clinic.example"]["folders"]
        .as_array()
        .unwrap();
    let paths: Vec<&str> = folders
        .iter()
        .map(|f| f["path"].as_str().unwrap())
        .collect();
    for path in [
        "Inbox/Lab\\/results",
        "Inbox/🏥 Nightshift 🌙",
        "Inbox/ leading blank",
        "Inbox/Rota",
        "Inbox/rota",
        "Inbox/Empty",
    ] {
        assert!(paths.contains(&path), "{path}");
    }
    assert!(paths.iter().any(|path| path.chars().count() == 206));
    let items: Vec<&Value> = folders
        .iter()
        .flat_map(|f| f["items"].as_array().unwrap())
        .collect();
    let without = |key: &str| items.iter().filter(|i| i[key].is_null()).count();
    assert!(without("search_key") >= 5 && without("message_id") >= 20 && without("sha256") == 0);
    let classes: std::collections::BTreeSet<&str> =
        items.iter().map(|i| i["class"].as_str().unwrap()).collect();
    assert!(classes.len() >= 11, "{classes:?}");
    let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
    for key in items.iter().filter_map(|i| i["search_key"].as_str()) {
        *keys.entry(key).or_default() += 1;
    }
    assert_eq!(keys.values().max(), Some(&4));
    let sizes: Vec<u64> = items.iter().map(|i| i["size"].as_u64().unwrap()).collect();
    let total: u64 = sizes.iter().sum();
    assert!(
        sizes.iter().max() > Some(&60_000) && total < 6_000_000,
        "{total}"
    );
}

#[test]
fn real_mail_takes_the_place_of_made_up_mail_and_keeps_its_content() {
    let raw = b"Subject: hello\r\nMessage-ID: <real@clinic.example>\r\n\r\nBody\r\n";
    let population = Population {
        mail: vec![super::eml::message_of(raw)],
        ..few()
    };
    let world = populated(WorldOptions::default(), &population);
    let truth = truth(&lock(&world));
    let inbox = &truth["source"]["a.harris@clinic.example"]["folders"][0];
    assert_eq!(inbox["path"], "Inbox");
    let mut keys = std::collections::BTreeSet::new();
    for item in inbox["items"].as_array().unwrap() {
        assert_eq!(item["message_id"], "<real@clinic.example>");
        keys.insert(item["search_key"].to_string());
    }
    assert!(keys.len() > 10, "each use of a file is an item of its own");
}

#[test]
fn a_world_takes_the_addresses_of_a_plan() {
    let pair = (
        MailboxId::new("Old.Name@clinic.example"),
        MailboxId::new("new.name@clinic.example"),
    );
    let population = Population {
        pairs: vec![pair.clone()],
        ..few()
    };
    let world = populated(WorldOptions::default(), &population);
    assert_eq!(lock(&world).pairs(), [pair]);
    let truth = truth(&lock(&world));
    assert!(truth["source"]["old.name@clinic.example"].is_object());
    assert!(truth["target"]["new.name@clinic.example"].is_object());
}
