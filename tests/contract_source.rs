//! What every `Source` keeps, run over each implementation: the world's direct face, and EWS over loopback HTTP.

#![allow(
    clippy::unused_async,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::sync::Arc;

use async_trait::async_trait;

use crate::stage::*;
use mailferry::base::id::{ItemId, MailboxId, SyncToken};
use mailferry::base::mailbox::FolderRole;
use mailferry::base::outcome::{HaltCause, RefusalWhy, Setback};
use mailferry::base::quantity::{Count, Span};
use mailferry::lab::direct::{DirectSource, SharedWorld, lock};
use mailferry::lab::world::Now;
use mailferry::port::source::{Change, ExportSink, Source};

/// Keeps every exported item in memory.
#[derive(Default)]
struct Keep(Vec<(usize, Vec<u8>)>);

#[async_trait]
impl ExportSink for Keep {
    async fn begin(&mut self, index: usize) -> Result<(), Setback> {
        self.0.push((index, Vec::new()));
        Ok(())
    }
    async fn piece(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        self.0
            .last_mut()
            .expect("begin comes first")
            .1
            .extend_from_slice(bytes);
        Ok(())
    }
}

struct Bench {
    source: Arc<dyn Source>,
    world: SharedWorld,
    mailbox: MailboxId,
}

impl Bench {
    async fn folder(&self, role: FolderRole) -> mailferry::base::mailbox::SourceFolder {
        let folders = self.source.folders(&self.mailbox).await.unwrap();
        folders
            .into_iter()
            .find(|folder| folder.role == Some(role))
            .expect("the folder is listed")
    }

    async fn sync(&self, token: Option<SyncToken>, at_most: u64) -> (Vec<Change>, SyncToken) {
        let inbox = self.folder(FolderRole::Inbox).await.id;
        let (mut all, mut token) = (Vec::new(), token);
        loop {
            let at_most = Count::new(at_most);
            let page = self
                .source
                .changes(&self.mailbox, &inbox, token.as_ref(), at_most)
                .await
                .unwrap();
            assert!(page.changes.len() as u64 <= at_most.get());
            all.extend(page.changes);
            token = Some(page.token);
            if page.complete {
                return (all, token.unwrap());
            }
        }
    }

    async fn ids(&self) -> Vec<ItemId> {
        let created = |change| match change {
            Change::Created(header) => header.id,
            other => panic!("a first listing shows {other:?}"),
        };
        self.sync(None, 512)
            .await
            .0
            .into_iter()
            .map(created)
            .collect()
    }
}

async fn folders_come_top_first_parents_before_children_with_their_names(bench: &Bench) {
    let folders = bench.source.folders(&bench.mailbox).await.unwrap();
    assert_eq!(folders[0].role, Some(FolderRole::Top));
    for (at, folder) in folders.iter().enumerate() {
        if let Some(parent) = &folder.parent
            && let Some(place) = folders.iter().position(|other| other.id == *parent)
        {
            assert!(place < at, "{} comes before its parent", folder.name);
        }
    }
    let named = |name: &str| folders.iter().find(|folder| folder.name == name);
    assert_eq!(named("Lab/results").unwrap().items, Count::new(3));
    assert_eq!(named("Eingang").unwrap().role, Some(FolderRole::Inbox));
    assert_eq!(named("Kalender").unwrap().class, "IPF.Appointment");
    assert!(named(" leer").is_some(), "the leading blank is gone");
    assert!(named("Quick Steps").unwrap().hidden);
}

async fn a_listing_in_small_pages_is_the_listing_in_one(bench: &Bench) {
    let id = |change: &Change| match change {
        Change::Created(header) => header.id.clone(),
        other => panic!("{other:?}"),
    };
    let mut one: Vec<_> = bench.sync(None, 512).await.0.iter().map(id).collect();
    let mut small: Vec<_> = bench.sync(None, 2).await.0.iter().map(id).collect();
    assert_eq!(one.len(), 5);
    one.sort();
    small.sort();
    assert_eq!(one, small);
    one.dedup();
    assert_eq!(one.len(), 5, "same-key copies are items of their own");
}

async fn a_plain_listing_shows_the_same_headers(bench: &Bench) {
    let inbox = bench.folder(FolderRole::Inbox).await.id;
    let mut synced: Vec<_> = bench
        .sync(None, 512)
        .await
        .0
        .into_iter()
        .map(|change| {
            if let Change::Created(header) = change {
                header
            } else {
                panic!()
            }
        })
        .collect();
    let mut found = Vec::new();
    loop {
        let offset = Count::new(found.len() as u64);
        let page = bench
            .source
            .page(&bench.mailbox, &inbox, offset, Count::new(2))
            .await
            .unwrap();
        assert_eq!(page.total, Count::new(5));
        found.extend(page.items);
        if page.last {
            break;
        }
    }
    synced.sort_by(|a, b| a.id.cmp(&b.id));
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(synced, found);
}

async fn every_kind_of_change_is_told_once(bench: &Bench) {
    let (_, token) = bench.sync(None, 512).await;
    let inbox = bench.folder(FolderRole::Inbox).await.id;
    let ids = bench.ids().await;
    let name = bench.mailbox.reveal();
    {
        let mut world = lock(&bench.world);
        let now = Now::default();
        world.edit_source_item(now, name, ids[0].as_str()).unwrap();
        world.delete_source_item(name, ids[1].as_str()).unwrap();
        let read = world.source_item(name, ids[2].as_str()).unwrap().read;
        world
            .mark_source_read(now, name, ids[2].as_str(), !read)
            .unwrap();
        let content = mailferry::lab::world::Content::Plain {
            seed: 77,
            body: 100,
        };
        world
            .add_source_item(name, inbox.as_str(), content, ANCHOR)
            .unwrap();
    }
    let (changes, after) = bench.sync(Some(token.clone()), 512).await;
    let told = |which: fn(&Change) -> bool| changes.iter().filter(|c| which(c)).count();
    assert_eq!(told(|c| matches!(c, Change::Created(_))), 1, "{changes:?}");
    assert!(
        changes
            .iter()
            .any(|c| matches!(c, Change::Updated(h) if h.id == ids[0]))
    );
    assert!(
        changes
            .iter()
            .any(|c| matches!(c, Change::Deleted(id) if *id == ids[1]))
    );
    let flagged = |c: &Change| match c {
        Change::Read { id, .. } => *id == ids[2],
        Change::Updated(header) => header.id == ids[2],
        Change::Created(_) | Change::Deleted(_) => false,
    };
    assert!(changes.iter().any(flagged), "{changes:?}");
    // The same token again: the same view, or a later one.
    assert_eq!(bench.sync(Some(token), 512).await.0.len(), changes.len());
    assert!(bench.sync(Some(after), 512).await.0.is_empty());
}

async fn a_token_that_is_none_is_refused_as_such(bench: &Bench) {
    let inbox = bench.folder(FolderRole::Inbox).await.id;
    let token = SyncToken::new("bm9uZSBvZiBvdXJz");
    let answer = bench
        .source
        .changes(&bench.mailbox, &inbox, Some(&token), Count::new(10))
        .await;
    assert_eq!(answer, Err(Setback::StateInvalid));
}

async fn an_export_is_the_stream_byte_for_byte_and_one_bad_item_spoils_no_other(bench: &Bench) {
    let mut ids = bench.ids().await;
    let name = bench.mailbox.reveal();
    lock(&bench.world)
        .mark_corrupt(name, ids[1].as_str())
        .unwrap();
    lock(&bench.world)
        .delete_source_item(name, ids[3].as_str())
        .unwrap();
    // The same id in other letters is another id.
    let flipped: String = ids[4]
        .as_str()
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    ids[4] = ItemId::new(flipped);
    let mut keep = Keep::default();
    let results = bench
        .source
        .export(&bench.mailbox, &ids, &mut keep)
        .await
        .unwrap();
    assert_eq!(results.len(), ids.len());
    for good in [0, 2] {
        assert_eq!(results[good], Ok(()));
        let want = lock(&bench.world)
            .source_export(name, ids[good].as_str())
            .unwrap()
            .stream;
        let got = keep
            .0
            .iter()
            .find(|(index, _)| *index == good)
            .expect("its bytes came");
        assert!(got.1[..] == want[..], "item {good} differs");
    }
    match &results[1] {
        Err(Setback::ItemRefused(refusal)) => assert_eq!(refusal.why, RefusalWhy::SourceCorrupt),
        other => panic!("a corrupt item gave {other:?}"),
    }
    assert_eq!(results[3], Err(Setback::Gone));
    assert!(
        results[4].is_err(),
        "an id in other letters was taken for the item"
    );
}

async fn the_hierarchy_says_that_something_changed_and_only_then(bench: &Bench) {
    let ask = async |token: Option<&SyncToken>| bench.source.hierarchy(&bench.mailbox, token).await;
    let first = ask(None).await.unwrap();
    assert!(first.changed);
    let quiet = ask(Some(&first.token)).await.unwrap();
    assert!(!quiet.changed);
    let name = bench.mailbox.reveal();
    let calendar = bench.folder(FolderRole::Calendar).await;
    let inbox = bench.folder(FolderRole::Inbox).await;
    let lab = {
        let folders = bench.source.folders(&bench.mailbox).await.unwrap();
        let lab = folders.into_iter().find(|f| f.name == "Lab/results");
        lab.unwrap().id.as_str().to_owned()
    };
    let mut token = quiet.token;
    for act in 0..3 {
        {
            let mut world = lock(&bench.world);
            match act {
                0 => world.rename_source_folder(name, &lab, "Results").unwrap(),
                1 => world
                    .move_source_folder(name, &lab, calendar.id.as_str())
                    .unwrap(),
                _ => world.delete_source_folder(name, &lab).unwrap(),
            }
        }
        let news = ask(Some(&token)).await.unwrap();
        assert!(news.changed, "act {act}");
        token = news.token;
        assert!(!ask(Some(&token)).await.unwrap().changed);
        let folders = bench.source.folders(&bench.mailbox).await.unwrap();
        let own = folders.iter().find(|f| f.id.as_str() == lab);
        match act {
            0 => assert_eq!(own.unwrap().parent.as_ref(), Some(&inbox.id)),
            1 => {
                assert_eq!(own.unwrap().parent.as_ref(), Some(&calendar.id));
                assert_eq!(own.unwrap().name, "Results");
            }
            _ => assert!(own.is_none()),
        }
    }
    let odd = SyncToken::new("bm90IG91cnM=");
    assert_eq!(ask(Some(&odd)).await, Err(Setback::StateInvalid));
}

async fn what_left_is_told_from_what_is_still_there(bench: &Bench) {
    let ids = bench.ids().await;
    lock(&bench.world)
        .delete_source_item(bench.mailbox.reveal(), ids[1].as_str())
        .unwrap();
    let there = bench.source.present(&bench.mailbox, &ids).await.unwrap();
    let want: Vec<bool> = (0..ids.len()).map(|at| at != 1).collect();
    assert_eq!(there, want);
    let none = bench.source.present(&bench.mailbox, &[]).await.unwrap();
    assert!(none.is_empty());
}

async fn a_mailbox_that_is_not_there_closes_only_itself(bench: &Bench) {
    let nobody = MailboxId::new("nobody@clinic.example");
    match bench.source.folders(&nobody).await {
        Err(Setback::MailboxClosed(HaltCause::NoSourceMailbox, _)) => {}
        other => panic!("{other:?}"),
    }
}

macro_rules! suite {
    ($bench:ident: $($case:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (bench, _keep) = $bench().await;
                super::$case(&bench).await;
            }
        )+
    };
}

macro_rules! whole_suite {
    ($bench:ident) => {
        suite!($bench:
            folders_come_top_first_parents_before_children_with_their_names,
            a_listing_in_small_pages_is_the_listing_in_one,
            a_plain_listing_shows_the_same_headers,
            every_kind_of_change_is_told_once,
            a_token_that_is_none_is_refused_as_such,
            an_export_is_the_stream_byte_for_byte_and_one_bad_item_spoils_no_other,
            a_mailbox_that_is_not_there_closes_only_itself,
            the_hierarchy_says_that_something_changed_and_only_then,
            what_left_is_told_from_what_is_still_there,
        );
    };
}

mod direct {
    use super::*;

    async fn bench() -> (Bench, ()) {
        let world = build(&Knobs::default());
        let source = DirectSource::new(Arc::clone(&world), clock(), Span::ZERO);
        (
            Bench {
                source: Arc::new(source),
                world,
                mailbox: address(0),
            },
            (),
        )
    }

    whole_suite!(bench);
}

mod over_http {
    use super::*;
    use mailferry::base::secret::{SafeUrl, Secret};
    use mailferry::exchange::ExchangeSource;
    use mailferry::exchange::SignIn;
    use mailferry::lab::ews_http::{EwsOptions, router};
    use mailferry::lab::face::{Door, Face, Scissors};
    use mailferry::transport::{Http, HttpOptions};

    /// Serves the SOAP face on a free loopback port, until the test's runtime ends.
    #[expect(
        clippy::disallowed_methods,
        reason = "the server lives as long as the test"
    )]
    async fn bench() -> (Bench, ()) {
        let world = build(&Knobs::default());
        let face = Face {
            world: Arc::clone(&world),
            clock: clock(),
            latency: Span::ZERO,
        };
        let options = EwsOptions {
            user: "LAB\\svc".into(),
            pass: Secret::new("pw"),
            denied: std::collections::BTreeSet::new(),
        };
        let door = Door::open(0).await.unwrap();
        let url = SafeUrl::new(format!(
            "http://127.0.0.1:{}/EWS/Exchange.asmx",
            door.port().unwrap()
        ));
        let routes = router(face, options).into_make_service_with_connect_info::<Scissors>();
        tokio::spawn(async move { axum::serve(door, routes).await });
        let http = Http::new(HttpOptions::with_connections(4)).unwrap();
        let sign_in = SignIn::Basic {
            user: "LAB\\svc".into(),
            pass: Secret::new("pw"),
        };
        let source = ExchangeSource::new(http, url, sign_in);
        (
            Bench {
                source: Arc::new(source),
                world,
                mailbox: address(0),
            },
            (),
        )
    }

    whole_suite!(bench);
}
