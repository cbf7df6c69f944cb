//! The rules of the target: imports, sessions, visibility, limits, counts.

use std::collections::BTreeSet;

use super::tests_world::{NOW, at, pair, stream};
use super::world::*;
use crate::base::event::Side;
use crate::base::mailbox::FolderKind;
use crate::base::quantity::{Bytes, Count, Span};
use crate::wire::item_stream::{Prop, decode, digest_of, encode};

#[test]
fn an_import_keeps_content_and_search_key_and_renews_the_rest() {
    let mut pair = pair(WorldOptions::default());
    let session = pair.session();
    let sent = stream(7);
    let row = pair.import(NOW, &session, sent.clone()).unwrap();
    let (again, bytes) = pair.world.target_export(&pair.target, &row.id).unwrap();
    assert_eq!(again, row);
    assert_eq!(row.search_key, digest_of(&sent).search_key);
    assert_ne!(bytes, sent);
    assert_eq!(digest_of(&bytes).digest, digest_of(&sent).digest);
    assert_ne!(row.size, Bytes::new(sent.len() as u64));
    let twice = pair.import(NOW, &session, sent).unwrap();
    assert_ne!(twice.id, row.id);
    assert_ne!(twice.change_key, row.change_key);
}

#[test]
fn what_no_store_would_take_is_refused() {
    let mut pair = pair(WorldOptions::default());
    let session = pair.session();
    let good = stream(7);
    let mut marked = good.clone();
    marked.extend(b"=== Truncated Data ===");
    for bad in [
        Vec::new(),
        good[..good.len() - 1].to_vec(),
        good[..60].to_vec(),
        marked,
        b"mail".to_vec(),
    ] {
        assert_eq!(
            pair.import(NOW, &session, bad).err(),
            Some(Refused::MalformedStream)
        );
    }
    let mut strange = decode(&good).unwrap();
    strange.props.push(Prop::raw(0x1234, 0x00FD, vec![1]));
    assert!(
        pair.import(NOW, &session, encode(&strange)).is_ok(),
        "unread is not broken"
    );
    assert_eq!(
        pair.import(NOW, "nonsense", good.clone()).err(),
        Some(Refused::NoSession)
    );
    pair.world
        .set_quota(&pair.target.clone(), Bytes::new(10))
        .unwrap();
    assert_eq!(
        pair.import(NOW, &session, good).err(),
        Some(Refused::QuotaFull)
    );
}

#[test]
fn mode_update_needs_the_version_that_lies_there() {
    let mut pair = pair(WorldOptions::default());
    let session = pair.session();
    let row = pair.import(NOW, &session, stream(7)).unwrap();
    let folder = pair.into.clone();
    let mut update = |version: &str| {
        let order = ImportOrder {
            folder: &folder,
            update: Some((&row.id, version)),
            stream: stream(8),
        };
        pair.world.import(NOW, &session, order)
    };
    assert_eq!(update("CQAAold").err(), Some(Refused::WrongVersion));
    let new = update(&row.change_key).unwrap();
    assert_eq!(new.id, row.id);
    assert_ne!(new.change_key, row.change_key);
}

#[test]
fn sessions_and_tokens_end_and_new_items_show_after_the_lag() {
    let life = Span::from_secs(60);
    let mut pair = pair(WorldOptions {
        lag: Span::from_secs(5),
        session_life: life,
        token_life: life,
        ..WorldOptions::default()
    });
    let session = pair.session();
    let (token, _) = pair.world.issue_token(NOW, None);
    pair.import(at(59_999), &session, stream(1)).unwrap();
    assert_eq!(
        pair.import(at(60_000), &session, stream(2)).err(),
        Some(Refused::Expired)
    );
    assert!(pair.world.token_ok(at(59_999), &token) && !pair.world.token_ok(at(60_000), &token));
    assert!(!pair.world.token_ok(NOW, "lab-other"));
    let shown = |ms| {
        pair.world
            .target_items(at(ms), &pair.target, &pair.into, None, 10)
            .unwrap()
            .items
            .len()
    };
    assert_eq!((shown(64_998), shown(64_999)), (0, 1));
    let total = |ms| {
        pair.world
            .target_folder(at(ms), &pair.target, "INBOX")
            .unwrap()
            .items
    };
    assert_eq!((total(64_998), total(64_999)), (Count::ZERO, Count::new(1)));
}

#[test]
fn folders_of_exactly_one_name_conflict_and_those_that_differ_in_case_do_not() {
    let mut pair = pair(WorldOptions::default());
    let mut make = |name: &str| {
        pair.world
            .create_folder(NOW, &pair.target, "msgfolderroot", name, "IPF.Note")
    };
    assert!(make("Rota").is_ok() && make("rota").is_ok());
    assert_eq!(make("Rota").err(), Some(Refused::FolderExists));
    let new = NewFolder {
        parent: Some(&pair.from),
        name: "Rota",
        class: "IPF.Note",
        role: None,
        kind: FolderKind::Generic,
        hidden: false,
        stays: None,
    };
    assert_eq!(
        pair.world.add_source_folder(&pair.source, &new).err(),
        Some(Refused::FolderExists)
    );
}

#[test]
fn target_pages_cover_every_item_once() {
    let mut pair = pair(WorldOptions::default());
    let session = pair.session();
    let made: BTreeSet<String> = (0..23)
        .map(|n| pair.import(NOW, &session, stream(n)).unwrap().id)
        .collect();
    let (mut seen, mut from) = (BTreeSet::new(), None);
    loop {
        let page = pair
            .world
            .target_items(NOW, &pair.target, &pair.into, from, 5)
            .unwrap();
        assert!(page.items.len() == 5 || page.next.is_none());
        for row in page.items {
            assert!(seen.insert(row.id));
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
}

#[test]
fn the_published_limits_are_counted_per_mailbox() {
    let mut pair = pair(WorldOptions::default());
    let target = pair.target.clone();
    let mut begin = |now: Now, bytes: u64| {
        let upload = bytes > 0;
        pair.world
            .begin(now, Side::Target, &target, Bytes::new(bytes), upload)
    };
    let held: Vec<Ticket> = (0..4).map(|_| begin(NOW, 0).unwrap()).collect();
    assert_eq!(begin(NOW, 0).unwrap_err().limit, Limit::Concurrency);
    for ticket in held {
        pair.world.end(ticket, Bytes::ZERO);
    }
    assert_eq!(pair.world.stats()["peak_in_flight"], 4);
    assert_eq!(pair.world.invalid_log().count(), 1);

    let mut one = |now: Now, bytes: u64| {
        let upload = bytes > 0;
        let ticket = pair
            .world
            .begin(now, Side::Target, &target, Bytes::new(bytes), upload)?;
        pair.world.end(ticket, Bytes::ZERO);
        Ok::<(), Busy>(())
    };
    one(at(1_000), 100_000_000).unwrap();
    one(at(2_000), 50_000_000).unwrap();
    let busy = one(at(3_000), 1).unwrap_err();
    assert_eq!(
        (busy.limit, busy.wait),
        (Limit::Upload, Span::from_secs(298))
    );
    one(at(301_000), 1).unwrap();
    one(at(900_000), 200_000_000).expect("alone, an item may be larger than the window");
    let mut requests = 1;
    while one(at(902_000), 0).is_ok() {
        requests += 1;
    }
    assert_eq!(requests, 10_000);
    assert_eq!(one(at(1_499_999), 0).unwrap_err().limit, Limit::Requests);
}

#[test]
fn small_limits_recover_in_two_seconds_and_none_never_refuse() {
    for (limits, admitted) in [(Limits::Small, 60), (Limits::Off, 500)] {
        let mut pair = pair(WorldOptions {
            limits,
            ..WorldOptions::default()
        });
        let target = pair.target.clone();
        let mut passes = |now| {
            let calls = (0..500).map(|_| {
                pair.world
                    .begin(now, Side::Target, &target, Bytes::ZERO, false)
            });
            let tickets: Vec<_> = calls.collect();
            let passed = tickets.iter().flatten().count();
            for ticket in tickets.into_iter().flatten() {
                pair.world.end(ticket, Bytes::ZERO);
            }
            passed
        };
        let first = passes(at(0));
        assert_eq!(first, if admitted == 60 { 4 } else { admitted });
        assert_eq!(passes(at(1_999)), if admitted == 60 { 0 } else { admitted });
        assert_eq!(passes(at(4_000)), first);
    }
}

#[test]
fn statistics_name_mailboxes_by_address_and_sum_up() {
    let mut pair = pair(WorldOptions::default());
    for (side, mailbox) in [
        (Side::Source, pair.source.clone()),
        (Side::Target, pair.target.clone()),
    ] {
        let ticket = pair
            .world
            .begin(NOW, side, &mailbox, Bytes::new(30), true)
            .unwrap();
        pair.world.end(ticket, Bytes::new(500));
    }
    let stats = pair.world.stats();
    for side in ["source", "target"] {
        let want =
            serde_json::json!({"requests": 1, "throttled": 0, "bytes_in": 30, "bytes_out": 500});
        assert_eq!(stats[side][&pair.source], want);
        assert_eq!(stats["total"][side], want);
    }
    assert_eq!(stats["total"]["requests"], 2);
    assert_eq!(
        (&stats["invitations"], &stats["source_writes"]),
        (&0.into(), &0.into())
    );
}
