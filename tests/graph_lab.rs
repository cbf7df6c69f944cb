//! The Graph adapter against the lab's Graph face, on real loopback: renewal, throttling, and that a setback says the truth about whether
//! the item exists.

use std::sync::Arc;

use bytes::Bytes as Chunk;
use futures_util::StreamExt as _;
use serde_json::json;

use mailferry::base::id::{TargetFolderId, TargetMailboxId};
use mailferry::base::mailbox::{FolderOrder, FolderRole};
use mailferry::base::outcome::{
    DoubtCause, HaltCause, RefusalWhy, Said, Scope, Setback, StopCause,
};
use mailferry::base::quantity::{Bytes, Span};
use mailferry::base::secret::Secret;
use mailferry::graph::{Credential, GraphOptions, GraphTarget};
use mailferry::lab::direct::lock;
use mailferry::lab::fault::Weather;
use mailferry::lab::world::{Content, Now, WorldOptions};
use mailferry::port::body::Body;
use mailferry::port::target::Target;
use mailferry::wire::item_stream::digest_of;

use crate::loopback::*;

#[tokio::test]
async fn an_item_goes_in_is_listed_comes_back_and_is_taken_out_without_a_broken_rule() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    // Larger than many pieces, and no multiple of three.
    let body = item(7, 1_000_000);
    let placed = target.create(&mailbox, &inbox, &body).await.unwrap();
    let page = target.page(&mailbox, &inbox, None).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].placed, placed);
    let pieces = target.export(&mailbox, &placed.item).await.unwrap();
    let pieces: Vec<_> = pieces.collect().await;
    let pieces: Vec<Chunk> = pieces.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(pieces.len() > 10 && pieces.iter().all(|p| p.len() <= 48 * 1024));
    let sent = Content::Plain {
        seed: 7,
        body: 1_000_000,
    }
    .stream()
    .unwrap();
    let back = digest_of(&pieces.concat()).digest;
    assert!(back.is_some());
    assert_eq!(back, digest_of(&sent).digest);
    target.retract(&mailbox, &inbox, &placed).await.unwrap();
    target.retract(&mailbox, &inbox, &placed).await.unwrap();
    let page = target.page(&mailbox, &inbox, None).await.unwrap();
    assert!(page.items.is_empty());
    assert_eq!(stand.broken(), Vec::<String>::new());
    let gone = target.export(&mailbox, &placed.item).await.unwrap();
    let last = gone.collect::<Vec<_>>().await.pop().unwrap();
    assert_eq!(last, Err(Setback::Gone));
}

#[tokio::test]
async fn a_folder_tree_of_several_pages_and_levels_is_listed_whole() {
    let stand = Stand::new().await;
    let (target, mailbox) = (stand.target(), stand.mailbox());
    let parent = stand.inbox();
    {
        let mut world = lock(&stand.world);
        let (id, now) = (mailbox.as_str(), Now::default());
        let mut deep = parent.as_str().to_owned();
        for n in 0..600 {
            let name = format!("wide {n}");
            world
                .create_folder(now, id, parent.as_str(), &name, "IPF.Note")
                .unwrap();
        }
        for n in 0..12 {
            let row = world.create_folder(now, id, &deep, &format!("deep {n}"), "IPF.Task");
            deep = row.unwrap().id;
        }
    }
    let tree = target.folders(&mailbox).await.unwrap();
    assert_eq!(tree[0].role, Some(FolderRole::Top));
    assert_eq!(tree[0].parent, None);
    let wide = tree
        .iter()
        .filter(|folder| folder.name.starts_with("wide "))
        .count();
    let deep = tree
        .iter()
        .filter(|folder| folder.name.starts_with("deep "))
        .count();
    assert_eq!((wide, deep), (600, 12));
    for (at, folder) in tree.iter().enumerate().skip(1) {
        let before = tree[..at]
            .iter()
            .any(|other| Some(&other.id) == folder.parent.as_ref());
        assert!(before, "a child came before its parent");
    }
    let order = FolderOrder {
        parent,
        name: "wide 599".to_owned(),
        class: "IPF.Note".to_owned(),
    };
    let found = target.ensure_folder(&mailbox, &order).await.unwrap();
    assert!(tree.contains(&found));
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn wrong_identities_are_told_apart() {
    let stand = Stand::new().await;
    let right = stand.options();
    let wrong = |change: fn(&mut GraphOptions)| {
        let mut options = right.clone();
        change(&mut options);
        GraphTarget::new(options, Arc::clone(&stand.clock) as _).unwrap()
    };
    assert_eq!(stand.target().sign_in().await, Ok(()));
    for (target, want, code) in [
        (
            wrong(|o| o.tenant = "other.example".to_owned()),
            StopCause::UnknownTenant,
            Said::new(400, "AADSTS90002"),
        ),
        (
            wrong(|o| o.client_id = "other".to_owned()),
            StopCause::TargetCredentials,
            Said::new(400, "AADSTS700016"),
        ),
        (
            wrong(|o| o.credential = Credential::Secret(Secret::new("a&b=c"))),
            StopCause::TargetCredentials,
            Said::new(401, "AADSTS7000215"),
        ),
    ] {
        assert_eq!(target.sign_in().await, Err(Setback::SideClosed(want, code)));
    }
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn tokens_and_sessions_are_shared_and_renewed_before_they_end() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    let body = item(1, 10);
    let many = (0..4).map(|_| target.create(&mailbox, &inbox, &body));
    for result in futures_util::future::join_all(many).await {
        result.unwrap();
    }
    // One token, one session, four imports.
    assert_eq!(stand.stat("/total/requests"), json!(6));
    // Into the last minutes of both: neither is used any more, and neither was refused.
    stand.clock.advance(Span::from_secs(3_400));
    target.create(&mailbox, &inbox, &body).await.unwrap();
    assert_eq!(stand.stat("/total/requests"), json!(9));
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn an_ended_session_and_token_are_said_to_be_expired_and_renewal_helps() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.dreamer(), stand.mailbox(), stand.inbox());
    let body = item(1, 10);
    target.create(&mailbox, &inbox, &body).await.unwrap();
    stand.clock.advance(Span::from_secs(4_000));
    let ended = target.create(&mailbox, &inbox, &body).await.unwrap_err();
    assert!(matches!(ended, Setback::Expired(_)), "{ended:?}");
    let ended = target.page(&mailbox, &inbox, None).await.unwrap_err();
    assert!(matches!(ended, Setback::Expired(_)), "{ended:?}");
    assert_eq!(stand.copies(1), 1);
    target.renew(&mailbox);
    target.create(&mailbox, &inbox, &body).await.unwrap();
    target.page(&mailbox, &inbox, None).await.unwrap();
    assert_eq!(stand.copies(1), 2);
    // Using what ended is no broken rule; never having had it would be.
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn the_fifth_call_at_once_is_throttled_with_its_wait_and_nothing_else_suffers() {
    let options = WorldOptions::default();
    let clock = HandClock::patient();
    let stand = Stand::with(options, clock, Span::new(1_000), false).await;
    let (target, mailbox) = (stand.target(), stand.mailbox());
    let signed_in = target.sign_in();
    let tick = async {
        // Each half of the token call's latency waits for the clock.
        while stand.stat("/total/bytes_out") == json!(0) {
            stand.clock.advance(Span::new(500));
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(signed_in, tick).0.unwrap();
    let five = async {
        let all = (0..5).map(|_| target.page(&mailbox, &INBOX, None));
        futures_util::future::join_all(all).await
    };
    let tick = async {
        // Only when the fifth was refused may the four go on.
        while stand.stat("/total/throttled") == json!(0) {
            tokio::task::yield_now().await;
        }
        while stand.stat("/total/requests") != json!(6) {
            tokio::task::yield_now().await;
        }
        loop {
            stand.clock.advance(Span::new(500));
            tokio::task::yield_now().await;
        }
    };
    let five = tokio::select! {
        five = five => five,
        () = tick => unreachable!("it never ends"),
    };
    let (good, bad): (Vec<_>, Vec<_>) = five.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (4, 1));
    assert_eq!(
        *bad[0].as_ref().unwrap_err(),
        Setback::Throttled {
            scope: Scope::TargetMailbox,
            wait: Some(Span::from_secs(1)),
            said: Said::new(429, "MailboxConcurrency"),
        }
    );
    assert_eq!(stand.stat("/peak_in_flight"), json!(4));
    assert_eq!(stand.broken(), ["a fifth call at once on one mailbox"]);
}

static INBOX: std::sync::LazyLock<TargetFolderId> =
    std::sync::LazyLock::new(|| TargetFolderId::new("inbox"));

#[tokio::test]
async fn a_full_mailbox_closes_and_a_refused_stream_is_that_items() {
    let stand = Stand::new().await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    let none: Body = Arc::new(InMemory(b"no item stream".to_vec()));
    match target.create(&mailbox, &inbox, &none).await {
        Err(Setback::ItemRefused(refusal)) => assert_eq!(refusal.why, RefusalWhy::TargetRefused),
        other => panic!("{other:?}"),
    }
    lock(&stand.world)
        .set_quota(mailbox.as_str(), Bytes::new(3_000))
        .unwrap();
    assert_eq!(
        target.create(&mailbox, &inbox, &item(3, 5_000)).await,
        Err(Setback::MailboxClosed(
            HaltCause::QuotaFull,
            Said::new(507, "ErrorQuotaExceeded")
        ))
    );
    let other = TargetMailboxId::new("MBX:00000000@00000000");
    assert!(matches!(
        target.folders(&other).await,
        Err(Setback::MailboxClosed(HaltCause::NoTargetMailbox, _))
    ));
}

#[tokio::test]
async fn in_a_storm_a_setback_never_lies_about_whether_the_item_exists() {
    let options = WorldOptions {
        weather: Weather::Storm,
        ..quiet()
    };
    let stand = Stand::with(options, Arc::default(), Span::ZERO, false).await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    let (mut made, mut doubts, mut hidden) = (0, 0, 0);
    for seed in 0..400 {
        let result = target.create(&mailbox, &inbox, &item(seed, 20)).await;
        let there = stand.copies(seed);
        match result {
            Ok(_) => {
                assert_eq!(there, 1, "acknowledged, yet there are {there}");
                made += 1;
            }
            // The port says: after these the item does not exist.
            Err(
                Setback::Throttled { .. }
                | Setback::Unreached(_)
                | Setback::Expired(_)
                | Setback::ItemRefused(_)
                | Setback::FolderGone
                | Setback::MailboxClosed(..)
                | Setback::SideClosed(..)
                | Setback::OurRequest(_)
                | Setback::Local(_),
            ) => assert_eq!(there, 0, "said not to be there: {result:?}"),
            Err(
                Setback::Lost(_)
                | Setback::GatewayGaveUp(_)
                | Setback::Unwell(_)
                | Setback::Misread(..),
            ) => {
                assert!(there <= 1, "one call made {there}");
                doubts += 1;
                hidden += there;
            }
            Err(other) => panic!("a create has no business with {other:?}"),
        }
        target.renew(&mailbox);
    }
    assert!(
        made > 200 && doubts > 10 && hidden > 5,
        "{made} {doubts} {hidden}"
    );
    assert_eq!(stand.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn in_a_storm_a_stream_read_back_is_whole_or_ends_in_an_error() {
    let stand = Stand::with(quiet(), Arc::default(), Span::ZERO, false).await;
    let (target, mailbox, inbox) = (stand.target(), stand.mailbox(), stand.inbox());
    let placed = target
        .create(&mailbox, &inbox, &item(5, 90_000))
        .await
        .unwrap();
    let want = digest_of(
        &Content::Plain {
            seed: 5,
            body: 90_000,
        }
        .stream()
        .unwrap(),
    );
    lock(&stand.world).set_weather(Weather::Storm);
    let (mut whole, mut cut, mut truncated) = (0, 0, 0);
    for _ in 0..300 {
        let Ok(pieces) = target.export(&mailbox, &placed.item).await else {
            target.renew(&mailbox);
            continue;
        };
        let pieces: Result<Vec<Chunk>, Setback> =
            pieces.collect::<Vec<_>>().await.into_iter().collect();
        match pieces {
            Ok(pieces) => {
                assert_eq!(digest_of(&pieces.concat()).digest, want.digest);
                whole += 1;
            }
            Err(Setback::Truncated) => truncated += 1,
            Err(Setback::Misread(..) | Setback::Lost(DoubtCause::Reset)) => cut += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(
        whole > 150 && cut > 0 && truncated > 0,
        "{whole} {cut} {truncated}"
    );
}

#[tokio::test]
async fn in_a_storm_a_large_tree_is_listed_whole_in_few_attempts() {
    let stand = Stand::new().await;
    let (target, mailbox) = (stand.target(), stand.mailbox());
    {
        let mut world = lock(&stand.world);
        for n in 0..60 {
            let name = format!("ward {n}");
            let row =
                world.create_folder(Now::default(), mailbox.as_str(), "inbox", &name, "IPF.Note");
            let inner = world.create_folder(
                Now::default(),
                mailbox.as_str(),
                &row.unwrap().id,
                "x",
                "IPF.Note",
            );
            inner.unwrap();
        }
    }
    let calm = target.folders(&mailbox).await.unwrap();
    lock(&stand.world).set_weather(Weather::Storm);
    // Sixty-two calls at one fault in six: about twelve breaks. Begun anew each time it would take some 50,000 attempts.
    let mut attempts = 0;
    let stormy = loop {
        attempts += 1;
        assert!(attempts < 60, "the listing does not get on");
        match target.folders(&mailbox).await {
            Ok(tree) => break tree,
            Err(Setback::Expired(_)) => target.renew(&mailbox),
            Err(_) => {}
        }
    };
    assert!(attempts > 1, "the storm was none");
    assert_eq!(stormy, calm);
}
