//! A cloud without mailbox import: folders by the Mail, Calendar and Contacts APIs, and whole mailboxes moved through them.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mailferry::base::fact::{Bucket, LeaveRule};
use mailferry::base::id::TargetFolderId;
use mailferry::base::losses::family_of;
use mailferry::base::mailbox::{FolderKind, FolderOrder, FolderRole, TargetFolder};
use mailferry::base::outcome::Setback;
use mailferry::base::quantity::{Count, Moment, Tick};
use mailferry::base::route::{Route, RouteRule};
use mailferry::engine::ports::Ports;
use mailferry::evidence::balance::Balance;
use mailferry::graph::UserTarget;
use mailferry::lab::direct::lock;
use mailferry::lab::populate::Population;
use mailferry::lab::world::{Content, NewFolder, Now, World};
use mailferry::lab::wrong::Wrong;
use mailferry::port::ledger::Ledger;
use mailferry::port::target::Target;
use mailferry::port::typed::TypedPorts;
use mailferry::store::memory::MemoryLedger;
use mailferry::verify::reason::Reason;

use crate::routes::{audited_by, world_of};
use crate::stage::{Knobs, address};
use crate::typed_target::without_import::seeded;
use crate::weather_http::Rig;

fn names(folders: &[TargetFolder]) -> Vec<&str> {
    folders.iter().map(|own| own.name.as_str()).collect()
}

#[tokio::test]
async fn the_tree_shows_what_the_three_apis_know_once_and_by_its_role() {
    use FolderRole as R;
    for seed in [1, 2] {
        let (bench, _lab) = seeded(seed).await;
        let folders = bench.target.folders(&bench.mailbox().await).await.unwrap();
        assert_eq!(folders[0].role, Some(FolderRole::Top));
        let mut known: BTreeSet<&TargetFolderId> = BTreeSet::new();
        for folder in &folders {
            assert!(folder.parent.as_ref().is_none_or(|id| known.contains(id)));
            assert!(known.insert(&folder.id), "{seed}: {} twice", folder.name);
        }
        let mut roles: Vec<FolderRole> = folders.iter().filter_map(|own| own.role).collect();
        roles.sort_unstable();
        let mut want = vec![
            R::Top,
            R::Inbox,
            R::SentItems,
            R::Drafts,
            R::DeletedItems,
            R::JunkEmail,
            R::Outbox,
            R::Calendar,
            R::Contacts,
            R::ConversationHistory,
        ];
        want.sort_unstable();
        assert_eq!(roles, want, "{seed}");
        // Where the service shows the user's own contacts folder among those inside it, and nothing tells yet which it is, it is there once more, empty and
        // beside, so that nothing is ever poured into it.
        let top = &folders[0].id;
        let more: Vec<_> = folders.iter().filter(|own| own.role.is_none()).collect();
        assert_eq!(
            more.len(),
            usize::from(seed == 2),
            "{seed}: {:?}",
            names(&folders)
        );
        assert!(
            more.iter()
                .all(|own| own.items == Count::ZERO && own.parent.as_ref() == Some(top))
        );
        bench.assert_clean();
    }
}

#[tokio::test]
async fn each_kind_of_folder_is_made_once_in_its_own_tree_renamed_and_removed() {
    for seed in [1, 2] {
        let (bench, _lab) = seeded(seed).await;
        let (mailbox, inbox) = (bench.mailbox().await, bench.role(FolderRole::Inbox).await);
        let target = &bench.target;
        for (class, under) in [
            ("IPF.Note", FolderRole::Inbox),
            ("IPF.Appointment", FolderRole::Top),
            ("IPF.Contact", FolderRole::Contacts),
        ] {
            let order = FolderOrder {
                parent: inbox.id.clone(),
                name: "Röntgen \"A/B\"".to_owned(),
                class: class.to_owned(),
            };
            let place = target.place_of(&inbox.id, class);
            assert_eq!(place, bench.role(under).await.id, "{class}");
            let made = target.ensure_folder(&mailbox, &order).await.unwrap();
            let again = target.ensure_folder(&mailbox, &order).await.unwrap();
            assert_eq!(made.id, again.id, "{class}");
            let listed = target.folders(&mailbox).await.unwrap();
            let own = listed.iter().find(|own| own.id == made.id).unwrap();
            assert_eq!(
                (&own.name, &own.parent),
                (&order.name, &Some(place.clone()))
            );
            // One inside, where the kind has an inside.
            let inside = FolderOrder {
                parent: made.id.clone(),
                ..order.clone()
            };
            let inner = target.ensure_folder(&mailbox, &inside).await.unwrap();
            let nested = class != "IPF.Appointment";
            assert_eq!(
                inner.id != made.id,
                nested,
                "{class}: calendars lie side by side"
            );
            if nested {
                assert_eq!(target.remove_folder(&mailbox, &made.id).await, Ok(false));
                assert_eq!(target.remove_folder(&mailbox, &inner.id).await, Ok(true));
            }
            target
                .rename_folder(&mailbox, &made.id, "Befunde")
                .await
                .unwrap();
            let listed = target.folders(&mailbox).await.unwrap();
            assert!(names(&listed).contains(&"Befunde"), "{class}");
            assert_eq!(target.remove_folder(&mailbox, &made.id).await, Ok(true));
            assert_eq!(target.remove_folder(&mailbox, &made.id).await, Ok(true));
            let listed = target.folders(&mailbox).await.unwrap();
            assert!(listed.iter().all(|own| own.id != made.id), "{class}");
        }
        // A name that a folder of another kind has is taken, and nobody sees by what.
        let taken = FolderOrder {
            parent: bench.role(FolderRole::Top).await.id,
            name: "Tasks".to_owned(),
            class: "IPF.Note".to_owned(),
        };
        let made = target.ensure_folder(&mailbox, &taken).await;
        assert!(matches!(made, Err(Setback::OurRequest(_))), "{made:?}");
        bench.assert_clean();
    }
}

/// The seams of a cloud without mailbox import.
fn seams(rig: &Rig, ledger: &Arc<dyn Ledger>, ports: &mut Ports) {
    let graph = Arc::new(rig.target().without_import());
    ports.target = Arc::new(UserTarget::of(Arc::clone(&graph)));
    ports.typed = Some(TypedPorts {
        source: Arc::new(rig.source()),
        target: graph,
    });
    ports.ledger = Arc::clone(ledger);
}

async fn moved(rig: &Rig, ledger: &Arc<dyn Ledger>) -> Balance {
    let mut ports = rig.ports();
    seams(rig, ledger, &mut ports);
    rig.run_by(ports).await
}

/// Findings beside what the route is known to do, and how many items were compared.
async fn verified(rig: &Rig, ledger: &Arc<dyn Ledger>, knobs: &Knobs) -> (Vec<Reason>, Count) {
    let audit = audited_by(rig, knobs, |ports| seams(rig, ledger, ports)).await;
    let all = audit.folders.iter().flat_map(|folder| &folder.findings);
    let odd = all.chain(&audit.findings).map(|finding| finding.reason);
    let compared = audit.folders.iter().map(|own| own.content.compared).sum();
    (
        odd.filter(|reason| *reason != Reason::ByRoute).collect(),
        compared,
    )
}

/// Items in each folder of the target that the tree shows, by name.
async fn held(rig: &Rig) -> BTreeMap<String, u64> {
    let target = UserTarget::of(Arc::new(rig.target().without_import()));
    let mailbox = target.resolve(&address(0)).await.unwrap();
    let folders = target.folders(&mailbox).await.unwrap();
    let counted = folders.into_iter();
    counted.map(|own| (own.name, own.items.get())).collect()
}

/// Whole mailboxes, with all the lab has, to a cloud that knows nothing of mailbox import; then verified, and run again by the same ledger and by a new one.
#[tokio::test]
async fn mailboxes_move_verify_and_are_found_again_without_mailbox_import() {
    for seed in [1, 2] {
        let population = Population {
            items: 150,
            seed,
            ..Population::default()
        };
        let knobs = Knobs {
            route: RouteRule::Typed,
            no_import: true,
            ..Knobs::default()
        };
        let rig = Rig::on(
            world_of(&population, &[Wrong::NoImportApi], seed),
            knobs.clone(),
        )
        .await;
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let balance = moved(&rig, &ledger).await;
        let totals = balance.totals();
        let confirmed = totals.of(Bucket::Confirmed);
        assert!(confirmed > Count::new(90), "{confirmed}");
        let sum = [Bucket::Confirmed, Bucket::Refused, Bucket::Skipped].map(|own| totals.of(own));
        assert_eq!(sum.into_iter().sum::<Count>(), totals.source, "{seed}");
        // What lies where no folder can be made is named by its folder.
        let left: Vec<&str> = (balance.mailboxes[0].folders.iter())
            .filter(|own| own.left_out == Some(LeaveRule::NoSuchFolders))
            .map(|own| own.path.as_str())
            .collect();
        assert_eq!(left, ["Journal", "Notes", "Tasks"], "{seed}");
        let refused = balance.mailboxes[0].exceptions.iter();
        for own in refused.filter(|own| own.bucket == Bucket::Refused) {
            assert_eq!(family_of(own.class.as_str()), None, "{seed}: {}", own.class);
        }
        let (odd, compared) = verified(&rig, &ledger, &knobs).await;
        assert_eq!((odd, compared), (vec![], confirmed), "{seed}");
        let made = |rig: &Rig| {
            let world = lock(&rig.world);
            let mailbox = world.resolve(address(0).reveal()).unwrap();
            let late = Now {
                tick: Tick::new(u64::MAX / 2),
                ..Now::default()
            };
            let rows = world.target_folders(late, &mailbox).unwrap();
            rows.iter().map(|row| row.items).sum::<Count>()
        };
        let there = made(&rig);
        assert_eq!(moved(&rig, &ledger).await.totals(), totals, "{seed}");
        let new: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        assert_eq!(
            moved(&rig, &new).await.totals().of(Bucket::Confirmed),
            confirmed
        );
        assert_eq!(made(&rig), there, "{seed}: nothing was sent again");
        let stats = lock(&rig.world).stats();
        for what in [
            "invitations",
            "source_writes",
            "invalid",
            "import_asked_in_vain",
        ] {
            let log = lock(&rig.world)
                .invalid_log()
                .next()
                .map(|own| format!("{own:?}"));
            assert_eq!(stats[what], 0, "{seed}: {what}: {log:?}");
        }
    }
}

/// An item that left the source leaves the target too, and nothing of it is taken for a copy where this cloud puts what is deleted.
#[tokio::test]
async fn what_left_the_source_leaves_the_target_and_its_mark_with_it() {
    for seed in [1, 2] {
        let population = Population {
            items: 60,
            seed,
            ..Population::default()
        };
        let knobs = Knobs {
            route: RouteRule::Typed,
            no_import: true,
            ..Knobs::default()
        };
        let rig = Rig::on(
            world_of(&population, &[Wrong::NoImportApi], seed),
            knobs.clone(),
        )
        .await;
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let confirmed = |balance: &Balance| balance.totals().of(Bucket::Confirmed);
        let before = confirmed(&moved(&rig, &ledger).await);
        let mut gone = 0;
        for class in ["IPM.Note", "IPM.Appointment", "IPM.Contact"] {
            let (_, item) = crate::routes::first_of(&rig, class).await;
            lock(&rig.world)
                .delete_source_item(address(0).reveal(), item.as_str())
                .unwrap();
            gone += 1;
        }
        let after = confirmed(&moved(&rig, &ledger).await);
        assert_eq!(after + Count::new(gone), before, "{seed}");
        let target = UserTarget::of(Arc::new(rig.target().without_import()));
        let mailbox = target.resolve(&address(0)).await.unwrap();
        let mut marked = 0;
        for folder in target.folders(&mailbox).await.unwrap() {
            let mut from = None;
            loop {
                let page = target
                    .page(&mailbox, &folder.id, from.as_ref())
                    .await
                    .unwrap();
                let ours = page.items.iter().filter(|own| own.route == Route::Typed);
                marked += ours.count() as u64;
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        assert_eq!(Count::new(marked), after, "{seed}");
        let (odd, compared) = verified(&rig, &ledger, &knobs).await;
        assert_eq!((odd, compared), (vec![], after), "{seed}");
        assert_eq!(lock(&rig.world).stats()["invalid"], 0, "{seed}");
    }
}

/// Calendars lie side by side in such a cloud, and folders of other kinds hold names that nobody sees: each source folder has a counterpart of its own all
/// the same, which a new ledger finds again.
#[tokio::test]
async fn folders_of_one_name_are_never_poured_into_one() {
    let population = Population {
        items: 40,
        ..Population::default()
    };
    let knobs = Knobs {
        route: RouteRule::Typed,
        no_import: true,
        ..Knobs::default()
    };
    let world = world_of(&population, &[Wrong::NoImportApi], 1);
    {
        let mut world = lock(&world);
        let mailbox = address(0).reveal().to_owned();
        let role = |world: &World, role| world.source_folder_with_role(&mailbox, role).unwrap().id;
        let events = |world: &World, folder: &str| {
            let all = world.find(&mailbox, folder, 0, 100).unwrap().items;
            all.into_iter()
                .filter(|own| own.class.as_str() == "IPM.Appointment")
        };
        let calendar = role(&world, FolderRole::Calendar);
        let event = events(&world, &calendar).next().unwrap().id;
        let stream = world.source_export(&mailbox, &event).unwrap().stream;
        for parent in [
            calendar,
            role(&world, FolderRole::Inbox),
            role(&world, FolderRole::DeletedItems),
        ] {
            let folder = new_folder(&parent, "Dienst", "IPF.Appointment");
            let folder = world.add_source_folder(&mailbox, &folder).unwrap();
            let copy = Content::Stream(stream.clone());
            world
                .add_source_item(&mailbox, &folder, copy, Moment::default())
                .unwrap();
        }
        // A mail folder whose name a list of tasks of the target has.
        let top = role(&world, FolderRole::Top);
        let folder = new_folder(&top, "Visite", "IPF.Note");
        let folder = world.add_source_folder(&mailbox, &folder).unwrap();
        let mail = Content::Plain { seed: 5, body: 100 };
        world
            .add_source_item(&mailbox, &folder, mail, Moment::default())
            .unwrap();
        let target = world.resolve(&mailbox).unwrap();
        world
            .create_folder(
                Now::default(),
                &target,
                "msgfolderroot",
                "Visite",
                "IPF.Task",
            )
            .unwrap();
    }
    let rig = Rig::on(world, knobs.clone()).await;
    let mut before = None;
    for round in ["first ledger", "new ledger"] {
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let mut ports = rig.ports();
        seams(&rig, &ledger, &mut ports);
        let totals = rig.run_freely(ports).await.totals();
        let held = held(&rig).await;
        for name in ["Dienst", "Dienst (2)", "Dienst (3)", "Visite (2)"] {
            assert_eq!(held.get(name), Some(&1), "{round}: {name}: {held:?}");
        }
        let (odd, compared) = verified(&rig, &ledger, &knobs).await;
        assert_eq!(
            (odd, compared),
            (vec![], totals.of(Bucket::Confirmed)),
            "{round}"
        );
        assert_eq!(*before.get_or_insert_with(|| held.clone()), held, "{round}");
    }
    assert_eq!(lock(&rig.world).stats()["invalid"], 0);
}

/// A calendar that its user made is theirs, wherever the source's counterpart lies: it is filled, and stays when that counterpart goes.
#[tokio::test]
async fn a_calendar_of_the_user_stays_when_its_counterpart_at_the_source_goes() {
    let population = Population {
        items: 40,
        ..Population::default()
    };
    let knobs = Knobs {
        route: RouteRule::Typed,
        no_import: true,
        ..Knobs::default()
    };
    let world = world_of(&population, &[Wrong::NoImportApi], 1);
    let mailbox = address(0).reveal().to_owned();
    let folder = {
        let mut world = lock(&world);
        let target = world.resolve(&mailbox).unwrap();
        world
            .create_folder(
                Now::default(),
                &target,
                "calendar",
                "Dienst",
                "IPF.Appointment",
            )
            .unwrap();
        let calendar = world.source_folder_with_role(&mailbox, FolderRole::Calendar);
        let all = world.find(&mailbox, &calendar.unwrap().id, 0, 100).unwrap();
        let is_event = |class: &str| class == "IPM.Appointment";
        let event = all.items.iter().find(|own| is_event(own.class.as_str()));
        let stream = world
            .source_export(&mailbox, &event.unwrap().id)
            .unwrap()
            .stream;
        let inbox = world.source_folder_with_role(&mailbox, FolderRole::Inbox);
        let inbox = inbox.unwrap().id;
        let folder = new_folder(&inbox, "Dienst", "IPF.Appointment");
        let folder = world.add_source_folder(&mailbox, &folder).unwrap();
        world
            .add_source_item(
                &mailbox,
                &folder,
                Content::Stream(stream),
                Moment::default(),
            )
            .unwrap();
        folder
    };
    let rig = Rig::on(world, knobs).await;
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let run = async || {
        let mut ports = rig.ports();
        seams(&rig, &ledger, &mut ports);
        rig.run_freely(ports).await
    };
    run().await;
    assert_eq!(held(&rig).await.get("Dienst"), Some(&1));
    lock(&rig.world)
        .delete_source_folder(&mailbox, &folder)
        .unwrap();
    for _ in 0..2 {
        run().await;
        assert_eq!(held(&rig).await.get("Dienst"), Some(&0));
    }
}

fn new_folder<'a>(parent: &'a str, name: &'a str, class: &'a str) -> NewFolder<'a> {
    NewFolder {
        parent: Some(parent),
        name,
        class,
        role: None,
        kind: FolderKind::Generic,
        hidden: false,
        stays: None,
    }
}
