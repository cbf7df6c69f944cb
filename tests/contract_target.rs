//! What every `Target` keeps, run over each implementation: the world's direct face, and Graph over loopback HTTP.

#![allow(
    clippy::unused_async,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::sync::Arc;

use futures_util::StreamExt as _;

use crate::stage::*;
use mailferry::base::id::{ChangeKey, MailboxId, TargetFolderId, TargetMailboxId};
use mailferry::base::item::{Placed, TargetHeader};
use mailferry::base::mailbox::{FolderOrder, FolderRole, TargetFolder};
use mailferry::base::outcome::{HaltCause, RefusalWhy, Setback};
use mailferry::base::quantity::{Bytes, Span};
use mailferry::base::secret::Secret;
use mailferry::engine::spool::{Spill, Spool, Spooling};
use mailferry::lab::direct::{DirectTarget, SharedWorld, lock};
use mailferry::lab::world::Content;
use mailferry::port::body::Body;
use mailferry::port::target::Target;
use mailferry::wire::item_stream::digest_of;

struct Bench {
    target: Arc<dyn Target>,
    world: SharedWorld,
    dir: tempfile::TempDir,
}

impl Bench {
    async fn mailbox(&self) -> TargetMailboxId {
        self.target.resolve(&address(0)).await.unwrap()
    }

    async fn role(&self, role: FolderRole) -> TargetFolder {
        let folders = self.target.folders(&self.mailbox().await).await.unwrap();
        folders
            .into_iter()
            .find(|folder| folder.role == Some(role))
            .expect("a default folder")
    }

    async fn order(&self, name: &str, class: &str) -> FolderOrder {
        let parent = self.role(FolderRole::Top).await.id;
        FolderOrder {
            parent,
            name: name.to_owned(),
            class: class.to_owned(),
        }
    }

    async fn body(&self, bytes: &[u8]) -> Body {
        let total = Bytes::new(100_000_000);
        let spool = Spool::new(total, total, self.dir.path().into());
        let size = Bytes::new(bytes.len() as u64);
        let room = spool.reserve(size).await.lend(size);
        let mut spooling = Spooling::begin(room, Spill::default());
        spooling.write(bytes).await.unwrap();
        spooling.finish().await.unwrap()
    }

    async fn list(&self, folder: &TargetFolderId) -> Vec<TargetHeader> {
        let (mailbox, mut all, mut next) = (self.mailbox().await, Vec::new(), None);
        loop {
            let page = self
                .target
                .page(&mailbox, folder, next.as_ref())
                .await
                .unwrap();
            all.extend(page.items);
            next = page.next;
            if next.is_none() {
                return all;
            }
        }
    }

    async fn create(&self, folder: &TargetFolderId, seed: u64, body: u64) -> Placed {
        let stream = Content::Plain { seed, body }.stream().unwrap();
        let body = self.body(&stream).await;
        self.target
            .create(&self.mailbox().await, folder, &body)
            .await
            .unwrap()
    }
}

async fn an_unknown_user_closes_only_that_mailbox(bench: &Bench) {
    match bench
        .target
        .resolve(&MailboxId::new("nobody@clinic.example"))
        .await
    {
        Err(Setback::MailboxClosed(HaltCause::NoTargetMailbox, _)) => {}
        other => panic!("{other:?}"),
    }
}

async fn folders_come_top_first_and_default_ones_have_their_role(bench: &Bench) {
    let folders = bench.target.folders(&bench.mailbox().await).await.unwrap();
    assert_eq!(folders[0].role, Some(FolderRole::Top));
    for role in [
        FolderRole::Inbox,
        FolderRole::Calendar,
        FolderRole::Tasks,
        FolderRole::SentItems,
    ] {
        assert_eq!(
            folders
                .iter()
                .filter(|folder| folder.role == Some(role))
                .count(),
            1,
            "{role:?}"
        );
    }
    let inbox = folders
        .iter()
        .find(|folder| folder.role == Some(FolderRole::Inbox))
        .unwrap();
    assert_eq!(inbox.name, "Posteingang");
}

async fn a_folder_is_made_once_and_found_again_with_odd_names_intact(bench: &Bench) {
    let mailbox = bench.mailbox().await;
    let long = "ü".repeat(200);
    let names = [
        "Lab/results",
        " leading",
        "🩺 ward",
        "Case",
        "case",
        "a\\b",
        long.as_str(),
        "x' eq 'y",
    ];
    let mut ids = std::collections::BTreeSet::new();
    for name in names {
        let order = bench.order(name, "IPF.Appointment").await;
        let made = bench.target.ensure_folder(&mailbox, &order).await.unwrap();
        assert_eq!(
            (made.name.as_str(), made.class.as_str()),
            (name, "IPF.Appointment")
        );
        let found = bench.target.ensure_folder(&mailbox, &order).await.unwrap();
        assert_eq!(found.id, made.id, "{name:?} was made twice");
        ids.insert(made.id);
    }
    assert_eq!(ids.len(), names.len());
}

async fn what_is_created_is_listed_with_its_marks_and_reads_back_the_same(bench: &Bench) {
    let inbox = bench.role(FolderRole::Inbox).await.id;
    let stream = Content::Plain {
        seed: 5,
        body: 200_000,
    }
    .stream()
    .unwrap();
    let want = digest_of(&stream);
    let placed = bench.create(&inbox, 5, 200_000).await;
    let listed = bench.list(&inbox).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].placed, placed);
    assert!(
        listed[0].bears(&want.stamp()),
        "{:?} does not bear {:?}",
        listed[0],
        want.stamp()
    );
    assert_eq!(Some(&listed[0].class), want.class.as_ref());
    let mut back = bench
        .target
        .export(&bench.mailbox().await, &placed.item)
        .await
        .unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = back.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(digest_of(&bytes).digest, want.digest);
    assert!(want.digest.is_some());
}

async fn three_creates_of_one_stream_are_three_items(bench: &Bench) {
    let inbox = bench.role(FolderRole::Inbox).await.id;
    for _ in 0..3 {
        bench.create(&inbox, 9, 100).await;
    }
    assert_eq!(bench.list(&inbox).await.len(), 3);
}

async fn a_listing_of_many_pages_shows_everything_once(bench: &Bench) {
    let inbox = bench.role(FolderRole::Inbox).await.id;
    for seed in 0..260 {
        bench.create(&inbox, seed, 50).await;
    }
    let ids: std::collections::BTreeSet<_> = bench
        .list(&inbox)
        .await
        .into_iter()
        .map(|header| header.placed.item)
        .collect();
    assert_eq!(ids.len(), 260);
}

async fn a_stream_that_is_none_is_refused_and_leaves_nothing(bench: &Bench) {
    let inbox = bench.role(FolderRole::Inbox).await.id;
    let body = bench.body(b"this is not an item stream").await;
    match bench
        .target
        .create(&bench.mailbox().await, &inbox, &body)
        .await
    {
        Err(Setback::ItemRefused(refusal)) => assert_eq!(refusal.why, RefusalWhy::TargetRefused),
        other => panic!("{other:?}"),
    }
    assert!(bench.list(&inbox).await.is_empty());
}

async fn a_create_into_a_folder_that_is_gone_says_so(bench: &Bench) {
    let stream = Content::Plain { seed: 5, body: 10 }.stream().unwrap();
    let body = bench.body(&stream).await;
    let nowhere = TargetFolderId::new("AAMkAGnowhere");
    match bench
        .target
        .create(&bench.mailbox().await, &nowhere, &body)
        .await
    {
        Err(Setback::FolderGone) => {}
        other => panic!("{other:?}"),
    }
}

async fn a_retract_takes_exactly_what_it_names_and_may_be_repeated(bench: &Bench) {
    let inbox = bench.role(FolderRole::Inbox).await.id;
    let mailbox = bench.mailbox().await;
    let first = bench.create(&inbox, 1, 10).await;
    let second = bench.create(&inbox, 1, 10).await;
    let stale = Placed {
        change_key: ChangeKey::new("c3RhbGU="),
        ..first.clone()
    };
    assert!(
        bench
            .target
            .retract(&mailbox, &inbox, &stale)
            .await
            .is_err(),
        "a changed item was deleted"
    );
    assert_eq!(bench.list(&inbox).await.len(), 2);
    bench
        .target
        .retract(&mailbox, &inbox, &first)
        .await
        .unwrap();
    bench
        .target
        .retract(&mailbox, &inbox, &first)
        .await
        .unwrap();
    let left: Vec<_> = bench
        .list(&inbox)
        .await
        .into_iter()
        .map(|header| header.placed)
        .collect();
    assert_eq!(left, [second]);
}

async fn an_update_replaces_the_version_it_names_and_no_other(bench: &Bench) {
    let inbox = bench.role(FolderRole::Inbox).await.id;
    let mailbox = bench.mailbox().await;
    let old = bench.create(&inbox, 1, 10).await;
    let stream = Content::Plain { seed: 2, body: 20 }.stream().unwrap();
    let body = bench.body(&stream).await;
    let new = bench
        .target
        .update(&mailbox, &inbox, &old, &body)
        .await
        .unwrap();
    assert_eq!(new.item, old.item);
    assert_ne!(new.change_key, old.change_key);
    let again = bench.target.update(&mailbox, &inbox, &old, &body).await;
    assert!(
        matches!(again, Err(Setback::ItemRefused(_) | Setback::OurRequest(_))),
        "a stale version was replaced: {again:?}"
    );
    assert_eq!(bench.list(&inbox).await.len(), 1);
    let seen = bench.target.version(&mailbox, &inbox, &old.item).await;
    assert_eq!(seen, Ok(new.clone()));
    bench.target.retract(&mailbox, &inbox, &new).await.unwrap();
    let gone = bench.target.version(&mailbox, &inbox, &old.item).await;
    assert_eq!(gone, Err(Setback::Gone));
    let late = bench.target.update(&mailbox, &inbox, &new, &body).await;
    assert!(late.is_err(), "an item was raised from the dead");
    assert!(bench.list(&inbox).await.is_empty());
}

async fn a_version_is_asked_of_the_folder_we_put_the_item_into(bench: &Bench) {
    let inbox = bench.role(FolderRole::Inbox).await.id;
    let other = bench.role(FolderRole::Drafts).await.id;
    let mailbox = bench.mailbox().await;
    let placed = bench.create(&inbox, 1, 10).await;
    let elsewhere = bench.target.version(&mailbox, &other, &placed.item).await;
    assert_eq!(elsewhere, Err(Setback::Gone));
}

async fn a_folder_is_renamed_and_removed_only_when_nothing_is_inside(bench: &Bench) {
    let mailbox = bench.mailbox().await;
    let order = bench.order("Ward 3", "IPF.Note").await;
    let ward = bench.target.ensure_folder(&mailbox, &order).await.unwrap();
    for _ in 0..2 {
        bench
            .target
            .rename_folder(&mailbox, &ward.id, "Ward 4/5 ü")
            .await
            .unwrap();
    }
    let named = |folders: Vec<mailferry::base::mailbox::TargetFolder>| {
        let own = folders.into_iter().find(|folder| folder.id == ward.id);
        own.map(|folder| folder.name)
    };
    let all = bench.target.folders(&mailbox).await.unwrap();
    assert_eq!(named(all).as_deref(), Some("Ward 4/5 ü"));
    let placed = bench.create(&ward.id, 1, 10).await;
    let kept = bench.target.remove_folder(&mailbox, &ward.id).await;
    assert_eq!(kept, Ok(false), "a folder with an item inside");
    bench
        .target
        .retract(&mailbox, &ward.id, &placed)
        .await
        .unwrap();
    for _ in 0..2 {
        let gone = bench.target.remove_folder(&mailbox, &ward.id).await;
        assert_eq!(gone, Ok(true));
    }
    let all = bench.target.folders(&mailbox).await.unwrap();
    assert_eq!(named(all), None);
}

async fn a_default_folder_is_neither_renamed_nor_removed(bench: &Bench) {
    let mailbox = bench.mailbox().await;
    let inbox = bench.role(FolderRole::Inbox).await.id;
    let renamed = bench.target.rename_folder(&mailbox, &inbox, "Mine").await;
    assert!(renamed.is_err());
    let removed = bench.target.remove_folder(&mailbox, &inbox).await;
    assert_ne!(removed, Ok(true));
    assert_eq!(bench.role(FolderRole::Inbox).await.name, "Posteingang");
}

async fn nobody_is_invited_and_no_rule_is_broken(bench: &Bench) {
    let calendar = bench.role(FolderRole::Calendar).await.id;
    bench.create(&calendar, 3, 10).await;
    let stats = lock(&bench.world).stats();
    assert_eq!(stats["invitations"], 0);
    assert_eq!(
        stats["invalid"],
        0,
        "{:?}",
        lock(&bench.world).invalid_log().collect::<Vec<_>>()
    );
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
            an_unknown_user_closes_only_that_mailbox,
            folders_come_top_first_and_default_ones_have_their_role,
            a_folder_is_made_once_and_found_again_with_odd_names_intact,
            what_is_created_is_listed_with_its_marks_and_reads_back_the_same,
            three_creates_of_one_stream_are_three_items,
            a_listing_of_many_pages_shows_everything_once,
            a_stream_that_is_none_is_refused_and_leaves_nothing,
            a_create_into_a_folder_that_is_gone_says_so,
            a_retract_takes_exactly_what_it_names_and_may_be_repeated,
            an_update_replaces_the_version_it_names_and_no_other,
            a_version_is_asked_of_the_folder_we_put_the_item_into,
            a_folder_is_renamed_and_removed_only_when_nothing_is_inside,
            a_default_folder_is_neither_renamed_nor_removed,
            nobody_is_invited_and_no_rule_is_broken,
        );
    };
}

/// A world whose items show at once, and whose mailboxes are empty on the target.
fn knobs() -> Knobs {
    let mut knobs = Knobs::default();
    knobs.world.lag = Span::ZERO;
    knobs
}

mod direct {
    use super::*;

    async fn bench() -> (Bench, ()) {
        let world = build(&knobs());
        let target = DirectTarget::new(Arc::clone(&world), clock(), Span::ZERO);
        let dir = tempfile::tempdir().unwrap();
        (
            Bench {
                target: Arc::new(target),
                world,
                dir,
            },
            (),
        )
    }

    whole_suite!(bench);
}

mod graph_over_http {
    use mailferry::graph::{Credential, GraphOptions, GraphTarget};
    use mailferry::lab::server::{LabConfig, RunningLab, start};

    use super::*;

    async fn bench() -> (Bench, RunningLab) {
        let world = build(&knobs());
        let dir = tempfile::tempdir().unwrap();
        let config = LabConfig {
            dir: dir.path().join("lab"),
            ews_port: 0,
            graph_port: 0,
            latency: Span::ZERO,
            record: None,
            tls: false,
        };
        let lab = start(config, Arc::clone(&world), clock()).await.unwrap();
        let options = GraphOptions {
            login_url: lab.info.login_url.clone(),
            graph_url: lab.info.graph_url.clone(),
            tenant: lab.info.tenant_id.clone(),
            client_id: lab.info.client_id.clone(),
            credential: Credential::Secret(Secret::new(lab.info.client_secret.clone())),
            max_connections: 4,
        };
        let target = GraphTarget::new(options, clock()).unwrap();
        (
            Bench {
                target: Arc::new(target),
                world,
                dir,
            },
            lab,
        )
    }

    whole_suite!(bench);
}
