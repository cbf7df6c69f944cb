//! Tenants that do not take streams: every item ends where the plan said it would, and what travelled by its class is what it was.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::stage::{
    Knobs, Steps, act, address, assert_never_twice, assert_source_untouched, clock, spec,
};
use crate::weather_http::Rig;
use async_trait::async_trait;
use mailferry::base::dice::Dice;
use mailferry::base::fact::Bucket;
use mailferry::base::id::{FolderId, ItemId, MailboxId, RunId, SyncToken, TargetMailboxId};
use mailferry::base::item::{ItemClass, Stamp};
use mailferry::base::losses::{Family, family_of};
use mailferry::base::mailbox::{FolderKind, FolderRole, SourceFolder, UNFINISHED_FOLDER};
use mailferry::base::outcome::{Refusal, RefusalWhy, Said, Setback};
use mailferry::base::quantity::Count;
use mailferry::base::quantity::Moment;
use mailferry::base::route::{ReminderRule, RouteRule};
use mailferry::base::spec::PassKind;
use mailferry::engine::audit::{Level, MailboxAudit, Order, audit};
use mailferry::engine::control::control;
use mailferry::engine::cx::RunCx;
use mailferry::engine::pacer::Pacer;
use mailferry::engine::ports::Ports;
use mailferry::engine::run::enlist;
use mailferry::engine::spool::Spool;
use mailferry::evidence::balance::Balance;
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::populate::{self, Population};
use mailferry::lab::world::Content;
use mailferry::lab::world::{Limits, Now, World, WorldOptions};
use mailferry::lab::wrong::Wrong;
use mailferry::port::ledger::Ledger;
use mailferry::port::source::{Changes, ExportSink, HierarchyNews, Source, SourcePage};
use mailferry::port::target::Target as _;
use mailferry::port::typed::TypedTarget as _;
use mailferry::store::memory::MemoryLedger;
use mailferry::verify::march::Scope;
use mailferry::verify::reason::Reason;
use mailferry::wire::graph::provenance::{self, Mark};

/// One mailbox with all the variety of the lab, or with real mail.
fn world(population: &Population, wrong: &[Wrong]) -> SharedWorld {
    world_of(population, wrong, WorldOptions::default().seed)
}

/// The same with a seed for what no document says.
pub(crate) fn world_of(population: &Population, wrong: &[Wrong], seed: u64) -> SharedWorld {
    let mut world = World::new(WorldOptions {
        seed,
        limits: Limits::Off,
        ..WorldOptions::default()
    });
    world.misconfigure(wrong);
    let population = Population {
        pairs: vec![(address(0), address(0))],
        ..population.clone()
    };
    populate::fill(&mut world, &population).unwrap();
    Arc::new(Mutex::new(world))
}

async fn carried(world: &SharedWorld, route: RouteRule) -> Balance {
    let knobs = Knobs {
        route,
        ..Knobs::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let steps = Steps::until(u64::MAX);
    let end = act(&knobs, world, &ledger, &clock(), &steps, dir.path()).await;
    assert!(end.unwrap().stopped.is_none());
    assert_never_twice(world, &knobs, "a tenant");
    assert_source_untouched(world, "a tenant");
    mailferry::engine::balance::take(ledger.as_ref())
        .await
        .unwrap()
}

/// Classes of refused items.
fn refused(balance: &Balance) -> Vec<&ItemClass> {
    let all = balance.mailboxes[0].exceptions.iter();
    all.filter(|own| own.bucket == Bucket::Refused)
        .map(|own| &own.class)
        .collect()
}

fn typed(balance: &Balance) -> Count {
    let by_class = balance.mailboxes[0].typed.values().copied().sum();
    assert_eq!(balance.totals().routes.typed, by_class);
    by_class
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_refuses_every_stream_takes_what_has_a_form_and_the_rest_is_named() {
    let population = Population {
        items: 120,
        ..Population::default()
    };
    for (route, wrong) in [
        (RouteRule::Auto, vec![Wrong::StreamsRefused]),
        (RouteRule::Typed, vec![]),
    ] {
        let balance = carried(&world(&population, &wrong), route).await;
        let totals = balance.totals();
        assert_eq!(totals.source, Count::new(120), "{route}");
        let refused = refused(&balance);
        assert!(!refused.is_empty(), "{route}: the lab has tasks and notes");
        assert!(
            refused
                .iter()
                .all(|class| family_of(class.as_str()).is_none()),
            "{route}: {refused:?}"
        );
        assert_eq!(totals.of(Bucket::Confirmed), typed(&balance), "{route}");
        let sum = totals.of(Bucket::Confirmed) + totals.of(Bucket::Refused);
        assert_eq!(sum, totals.source, "{route}");
    }
    // A plan that wants streams only gets nothing, and is told so item by item.
    let balance = carried(
        &world(&population, &[Wrong::StreamsRefused]),
        RouteRule::Stream,
    )
    .await;
    let totals = balance.totals();
    assert_eq!(totals.of(Bucket::Refused), totals.source);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_refuses_one_class_takes_the_others_as_streams() {
    let population = Population {
        items: 120,
        ..Population::default()
    };
    let world = world(&population, &[Wrong::ClassRefused]);
    let balance = carried(&world, RouteRule::Auto).await;
    let refused = refused(&balance);
    assert!(!refused.is_empty() && refused.iter().all(|class| class.is_a("IPM.Task")));
    assert_eq!(typed(&balance), Count::ZERO, "tasks have no form");
    let totals = balance.totals();
    let sum = totals.of(Bucket::Confirmed) + totals.of(Bucket::Refused);
    assert_eq!(sum, totals.source);
}

#[tokio::test(start_paused = true)]
async fn single_items_whose_stream_is_refused_go_by_their_class_where_the_plan_wants_it() {
    let population = Population {
        items: 120,
        import_refused: 3,
        corrupt: 1,
        ..Population::default()
    };
    let world = || world(&population, &[]);
    let balance = carried(&world(), RouteRule::Auto).await;
    assert_eq!(typed(&balance), Count::new(3));
    // What the source cannot read by either way stays refused.
    assert_eq!(balance.totals().of(Bucket::Refused), Count::new(1));
    let balance = carried(&world(), RouteRule::Stream).await;
    assert_eq!(typed(&balance), Count::ZERO);
    assert_eq!(balance.totals().of(Bucket::Refused), Count::new(4));
}

async fn audited(rig: &Rig, knobs: &Knobs) -> MailboxAudit {
    audited_by(rig, knobs, |_| {}).await
}

/// The same by other seams.
pub(crate) async fn audited_by(
    rig: &Rig,
    knobs: &Knobs,
    change: impl FnOnce(&mut Ports),
) -> MailboxAudit {
    let mut ports = rig.ports();
    change(&mut ports);
    let spec = Arc::new(spec(knobs));
    let (_lever, control) = control();
    let dir = tempfile::tempdir().unwrap();
    let limits = &spec.limits;
    let cx = RunCx {
        server: Pacer::source_server(limits, rig.clock.clone()),
        app: Pacer::target_app(rig.clock.clone()),
        spool: Spool::new(
            limits.spool_total,
            limits.spool_memory,
            dir.path().to_owned(),
        ),
        run: RunId::new("verify"),
        ports,
        spec: Arc::clone(&spec),
        control,
        book: Arc::default(),
    };
    let job = enlist(&cx, &spec.jobs[0], &Dice::new(1)).await.unwrap();
    audit(&job, &Order::new(Level::Content, Scope::All))
        .await
        .unwrap()
}

/// The 250 real messages and everything made up beside them, over HTTP by the real adapters, to a tenant that takes no stream; then every item is read
/// back and compared with its source, field by field.
#[tokio::test]
async fn real_mail_calendars_and_contacts_arrive_by_their_classes_as_what_they_were() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/corpus/eml");
    let mail = if corpus.exists() {
        mailferry::lab::eml::read_tree(&corpus).unwrap()
    } else {
        println!("the corpus is not here: made-up mail only");
        Vec::new()
    };
    let real = mail.len();
    let population = Population {
        items: 450,
        mail,
        ..Population::default()
    };
    let knobs = Knobs {
        route: RouteRule::Auto,
        ..Knobs::default()
    };
    let rig = Rig::on(world(&population, &[Wrong::StreamsRefused]), knobs.clone()).await;
    let balance = rig.run().await;
    let totals = balance.totals();
    assert_eq!(totals.of(Bucket::Confirmed), typed(&balance));
    assert!(typed(&balance).get() > 400 && typed(&balance).get() > real as u64);
    assert!(
        refused(&balance)
            .iter()
            .all(|class| family_of(class.as_str()).is_none())
    );
    let families: std::collections::BTreeSet<_> = (balance.mailboxes[0].typed.keys())
        .filter_map(|class| family_of(class.as_str()))
        .collect();
    assert_eq!(families.len(), 3, "mail, calendar and contacts");
    let before = lock(&rig.world).stats();
    for (what, allowed) in [("invitations", 0), ("source_writes", 0), ("invalid", 0)] {
        assert_eq!(
            before[what],
            allowed,
            "{what}: {:?}",
            lock(&rig.world).invalid_log().next()
        );
    }
    let audit = audited(&rig, &knobs).await;
    let allowed = [Reason::ByRoute];
    let odd: Vec<String> = (audit.folders.iter())
        .flat_map(|folder| &folder.findings)
        .filter(|finding| !allowed.contains(&finding.reason))
        .map(|finding| {
            let fields = finding
                .differences
                .iter()
                .map(mailferry::verify::content::Difference::words);
            format!(
                "{:?} {:?}: {}",
                finding.folder,
                finding.reason,
                fields.collect::<Vec<_>>().join("; ")
            )
        })
        .collect();
    assert!(
        odd.is_empty(),
        "{} findings: {:#?}",
        odd.len(),
        &odd[..odd.len().min(12)]
    );
    let content = audit.folders.iter().fold((0, 0, 0), |sum, folder| {
        let own = &folder.content;
        (
            sum.0 + own.compared.get(),
            sum.1 + own.same.get(),
            sum.2 + own.by_route.get(),
        )
    });
    println!("{content:?}: compared, the same, the same but for what the table names");
    assert_eq!(content.0, typed(&balance).get());
}

/// Whether the import's listings know properties by name is documented nowhere. Streams must not depend on it.
#[tokio::test]
async fn a_service_that_lists_no_properties_by_name_is_asked_without_our_mark() {
    let population = Population {
        items: 40,
        ..Population::default()
    };
    let world = world(&population, &[]);
    lock(&world).forget_names();
    let rig = Rig::on(world, Knobs::default()).await;
    for round in ["first", "again"] {
        let balance = rig.run().await;
        let totals = balance.totals();
        assert_eq!(totals.of(Bucket::Confirmed), totals.source, "{round}");
    }
    // What was created by its class is found again by its mark alone: then nothing is listed without it.
    let target = rig.target().with_marks();
    let mailbox = target.resolve(&address(0)).await.unwrap();
    let inbox = target.folders(&mailbox).await.unwrap();
    let inbox = inbox.iter().find(|own| own.role == Some(FolderRole::Inbox));
    let page = target.page(&mailbox, &inbox.unwrap().id, None).await;
    assert!(matches!(page, Err(Setback::OurRequest(_))), "{page:?}");
    let audit = audited(&rig, &Knobs::default()).await;
    let findings: usize = audit
        .folders
        .iter()
        .map(|folder| folder.findings.len())
        .sum();
    assert_eq!(findings, 0);
    assert_eq!(lock(&rig.world).stats()["invalid"], 0);
}

/// The first item of a class at the source, with its folder.
pub(crate) async fn first_of(rig: &Rig, class: &str) -> (FolderId, ItemId) {
    let source = rig.source();
    for folder in source.folders(&address(0)).await.unwrap() {
        if folder.items == Count::ZERO || folder.kind != FolderKind::Generic {
            continue;
        }
        let (at, most) = (Count::ZERO, Count::new(200));
        let mailbox = address(0);
        let page = source.page(&mailbox, &folder.id, at, most);
        for item in page.await.map(|page| page.items).unwrap_or_default() {
            if item.class.as_str() == class {
                return (folder.id, item.id);
            }
        }
    }
    panic!("no {class}")
}

/// A copied item keeps its search key, so that both bear the same mark. Neither may be taken for the other.
#[tokio::test]
async fn true_copies_of_one_item_arrive_as_many_as_they_are() {
    let population = Population {
        items: 60,
        ..Population::default()
    };
    let knobs = Knobs {
        route: RouteRule::Typed,
        ..Knobs::default()
    };
    let rig = Rig::on(world(&population, &[]), knobs.clone()).await;
    for class in ["IPM.Note", "IPM.Appointment", "IPM.Contact"] {
        let (folder, item) = first_of(&rig, class).await;
        let mut world = lock(&rig.world);
        let stream = world
            .source_export(address(0).reveal(), item.as_str())
            .unwrap()
            .stream;
        for _ in 0..2 {
            let copy = Content::Stream(stream.clone());
            world
                .add_source_item(
                    address(0).reveal(),
                    folder.as_str(),
                    copy,
                    Moment::default(),
                )
                .unwrap();
        }
    }
    let balance = rig.run().await;
    let totals = balance.totals();
    assert_eq!(totals.source, Count::new(66));
    let refused = Count::new(refused(&balance).len() as u64);
    assert_eq!(totals.of(Bucket::Confirmed) + refused, totals.source);
    let audit = audited(&rig, &knobs).await;
    let all = audit.folders.iter().flat_map(|folder| &folder.findings);
    let odd: Vec<Reason> = all
        .map(|finding| finding.reason)
        .filter(|reason| *reason != Reason::ByRoute)
        .collect();
    assert_eq!(odd, []);
}

/// A sent message's text cannot be changed on the target. That is said once, with the reason, and the copy stays as it was.
#[tokio::test(start_paused = true)]
async fn an_edit_that_cannot_follow_is_listed_with_its_reason_after_one_try() {
    let population = Population {
        items: 60,
        ..Population::default()
    };
    let world = world(&population, &[]);
    let knobs = Knobs {
        route: RouteRule::Typed,
        ..Knobs::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let (ledger, clock): (Arc<dyn Ledger>, _) = (Arc::new(MemoryLedger::new()), clock());
    let pass = async || {
        let steps = Steps::until(u64::MAX);
        act(&knobs, &world, &ledger, &clock, &steps, dir.path()).await
    };
    pass().await.unwrap();
    let id = {
        let mut world = lock(&world);
        let mailbox = address(0);
        let inbox = world.source_folder_with_role(mailbox.reveal(), FolderRole::Inbox);
        let inbox = inbox.unwrap().id;
        let page = world.find(mailbox.reveal(), &inbox, 0, 100).unwrap();
        let own = page
            .items
            .iter()
            .find(|own| own.class.as_str() == "IPM.Note");
        let id = own.unwrap().id.clone();
        world
            .edit_source_item(Now::default(), mailbox.reveal(), &id)
            .unwrap();
        id
    };
    let calls = |world: &SharedWorld| {
        lock(world).stats()["target"][address(0).reveal()]["requests"].as_u64()
    };
    let before = calls(&world);
    pass().await.unwrap();
    let tried = calls(&world).zip(before).map(|(now, then)| now - then);
    let balance = mailferry::engine::balance::take(ledger.as_ref())
        .await
        .unwrap();
    let own: Vec<&str> = (balance.mailboxes[0].exceptions.iter())
        .filter(|own| own.bucket == Bucket::ChangedSince)
        .map(|own| own.why.as_str())
        .collect();
    assert!(
        own.len() == 1 && own[0].contains("NoTypedForm: beyond-amending"),
        "{own:?} {id}"
    );
    assert!(tried.is_some_and(|tried| tried <= 6), "{tried:?}");
}

/// A server that lists everything and exports nothing.
#[derive(Debug)]
struct Unwilling(Arc<dyn Source>);

#[async_trait]
impl Source for Unwilling {
    async fn folders(&self, mailbox: &MailboxId) -> Result<Vec<SourceFolder>, Setback> {
        self.0.folders(mailbox).await
    }
    async fn hierarchy(
        &self,
        mailbox: &MailboxId,
        token: Option<&SyncToken>,
    ) -> Result<HierarchyNews, Setback> {
        self.0.hierarchy(mailbox, token).await
    }
    async fn present(&self, mailbox: &MailboxId, items: &[ItemId]) -> Result<Vec<bool>, Setback> {
        self.0.present(mailbox, items).await
    }
    async fn changes(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        token: Option<&SyncToken>,
        at_most: Count,
    ) -> Result<Changes, Setback> {
        self.0.changes(mailbox, folder, token, at_most).await
    }
    async fn page(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        offset: Count,
        at_most: Count,
    ) -> Result<SourcePage, Setback> {
        self.0.page(mailbox, folder, offset, at_most).await
    }
    async fn export(
        &self,
        _: &MailboxId,
        items: &[ItemId],
        _: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        let no = || {
            Setback::ItemRefused(Refusal {
                why: RefusalWhy::SourceCorrupt,
                said: Said::code("ErrorItemCorrupt"),
            })
        };
        Ok(items.iter().map(|_| Err(no())).collect())
    }
}

#[tokio::test]
async fn what_the_source_cannot_export_is_read_by_its_class() {
    let population = Population {
        items: 40,
        ..Population::default()
    };
    for (route, refused_too) in [(RouteRule::Auto, false), (RouteRule::Stream, true)] {
        let knobs = Knobs {
            route,
            ..Knobs::default()
        };
        let rig = Rig::on(world(&population, &[]), knobs).await;
        let mut ports = rig.ports();
        ports.source = Arc::new(Unwilling(ports.source));
        let balance = rig.run_by(ports).await;
        let with_form = refused(&balance)
            .iter()
            .any(|class| family_of(class.as_str()).is_some());
        assert_eq!(with_form, refused_too, "{route}");
        assert_eq!(typed(&balance) > Count::ZERO, !refused_too, "{route}");
    }
}

/// A message that needs several calls is made in a hidden folder of ours, of which nothing is left. A new ledger finds the copy and knows how it was made.
#[tokio::test]
async fn the_hidden_folder_goes_and_a_new_ledger_knows_what_it_finds() {
    let dir = tempfile::tempdir().unwrap();
    let file = mailferry::wire::base64::encode(&vec![7; 4_500_000]);
    let lines: Vec<&str> = (0..file.len())
        .step_by(76)
        .map(|at| &file[at..file.len().min(at + 76)])
        .collect();
    let mail = format!(
        "From: a@x.example\r\nMessage-ID: <big@x.example>\r\nDate: Mon, 01 Jun 2020 10:00:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain\r\n\r\nsee file\r\n--b1\r\n\
         Content-Type: application/octet-stream; name=scan.bin\r\nContent-Disposition: attachment; filename=scan.bin\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b1--\r\n",
        lines.join("\r\n")
    );
    std::fs::write(dir.path().join("big.eml"), mail).unwrap();
    let population = Population {
        items: 2,
        mail: mailferry::lab::eml::read_tree(dir.path()).unwrap(),
        ..Population::default()
    };
    let knobs = Knobs {
        route: RouteRule::Typed,
        ..Knobs::default()
    };
    let rig = Rig::on(world(&population, &[]), knobs).await;
    let target = rig.target();
    let mailbox = target.resolve(&address(0)).await.unwrap();
    for round in ["first ledger", "new ledger"] {
        let mut ports = rig.ports();
        ports.ledger = Arc::new(MemoryLedger::new());
        let balance = rig.run_by(ports).await;
        assert_eq!(
            balance.totals().of(Bucket::Confirmed),
            Count::new(2),
            "{round}"
        );
        assert_eq!(typed(&balance), Count::new(2), "{round}");
        let folders = target.folders(&mailbox).await.unwrap();
        assert!(
            folders.iter().all(|own| own.name != UNFINISHED_FOLDER),
            "{round}"
        );
    }
}

/// What an earlier process left in a calendar, not whole, of an item that is not tried again, goes at the end of a pass that makes events there; what
/// bears no mark of ours stays.
#[tokio::test(start_paused = true)]
async fn what_is_not_whole_and_has_no_item_any_more_goes_at_the_end_of_a_pass() {
    let population = Population {
        items: 40,
        ..Population::default()
    };
    let world = world(&population, &[]);
    let (id, calendar, own) = {
        let mut world = lock(&world);
        let id = world.resolve(address(0).reveal()).unwrap();
        let rows = world.target_folders(Now::default(), &id).unwrap();
        let mut rows = rows.into_iter();
        let own = rows.find(|row| row.role == Some(FolderRole::Calendar));
        let calendar = own.unwrap().id;
        let mailbox = TargetMailboxId::new(id.clone());
        let mark =
            |of: &TargetMailboxId| provenance::text(&Mark::new(Stamp::Fallback([7; 16]), of));
        let mut leave = |mark: &str| {
            world
                .leave_unfinished(Now::default(), &id, &calendar, mark)
                .unwrap()
        };
        let own = leave(&mark(&mailbox));
        leave(&mark(&TargetMailboxId::new("MBX:other")));
        (id, calendar, own)
    };
    let knobs = Knobs {
        route: RouteRule::Typed,
        ..Knobs::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let steps = Steps::until(u64::MAX);
    let end = act(&knobs, &world, &ledger, &clock(), &steps, dir.path()).await;
    assert!(end.unwrap().stopped.is_none());
    let late = Now {
        tick: mailferry::base::quantity::Tick::new(u64::MAX / 2),
        ..Now::default()
    };
    let page = lock(&world)
        .target_items(late, &id, &calendar, None, 999)
        .unwrap();
    assert!(page.items.iter().all(|row| row.id != own));
    let balance = mailferry::engine::balance::take(ledger.as_ref())
        .await
        .unwrap();
    let events = balance.mailboxes[0].typed.iter();
    let events: Count = events
        .filter(|(class, _)| family_of(class.as_str()) == Some(Family::Event))
        .map(|(_, n)| *n)
        .sum();
    assert!(events > Count::ZERO, "{balance:?}");
    // The other mailbox's is the only thing besides.
    assert_eq!(page.items.len() as u64, events.get() + 1);
}

/// Of a target mailbox, how many events remind.
fn reminding(world: &SharedWorld) -> u64 {
    let world = lock(world);
    let mailbox = world.resolve(address(0).reveal()).unwrap();
    world.reminding(&mailbox).unwrap().0
}

/// Of the calendars, how many copies differ in nothing but what the table names; and what was found anywhere that it does not name.
fn named(audit: &MailboxAudit) -> (u64, usize) {
    let calendars = audit.folders.iter().filter(|folder| {
        let path = folder.mark.path.to_string();
        path.starts_with("Calendar")
    });
    let odd = audit.folders.iter().flat_map(|folder| &folder.findings);
    let odd = odd.filter(|finding| finding.reason != Reason::ByRoute);
    let named = calendars.map(|folder| folder.content.by_route.get()).sum();
    (named, odd.count())
}

/// Over HTTP by the real adapters: nothing reminds before the final pass, which turns on what the source has on, also after one that was stopped in the
/// middle; nobody is invited, and copies stay ours.
#[tokio::test]
async fn reminders_wait_for_the_final_pass() {
    let population = Population {
        items: 200,
        ..Population::default()
    };
    let usual = Knobs {
        route: RouteRule::Typed,
        ..Knobs::default()
    };
    let plain = Rig::on(world(&population, &[]), usual.clone()).await;
    let all = plain.run().await.totals();
    let want = reminding(&plain.world);
    assert!(want > 4, "{want}");
    assert_eq!(named(&audited(&plain, &plain.knobs).await), (0, 0));
    let knobs = Knobs {
        reminders: ReminderRule::AfterCutover,
        ..usual
    };
    let mut rig = Rig::on(world(&population, &[]), knobs).await;
    let balance = rig.run().await;
    assert_eq!(
        balance.totals(),
        all,
        "{:?}",
        balance.mailboxes[0].exceptions
    );
    assert_eq!(reminding(&rig.world), 0);
    let (waiting, odd) = named(&audited(&rig, &rig.knobs).await);
    assert_eq!((waiting, odd), (want, 0));
    // A final pass that died behind its first request.
    let target = rig.target();
    let mailbox = target.resolve(&address(0)).await.unwrap();
    let calendar = (target.folders(&mailbox).await.unwrap().into_iter())
        .find(|own| own.role == Some(FolderRole::Calendar))
        .unwrap();
    let held = target.held_back(&mailbox, &calendar).await.unwrap();
    assert!(held.len() > 1);
    assert!(
        target
            .remind(&mailbox, &calendar, &held[0])
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        target
            .remind(&mailbox, &calendar, &held[0])
            .await
            .unwrap()
            .is_none()
    );
    rig.knobs.pass = PassKind::Final;
    for round in ["final", "again"] {
        rig.run().await;
        assert_eq!(reminding(&rig.world), want, "{round}");
        assert_eq!(named(&audited(&rig, &rig.knobs).await), (0, 0), "{round}");
    }
    // The copies are still known as ours: an edit at the source follows, or is said not to for a reason of the route.
    let (_, item) = first_of(&rig, "IPM.Appointment").await;
    lock(&rig.world)
        .edit_source_item(Now::default(), address(0).reveal(), item.as_str())
        .unwrap();
    let balance = rig.run().await;
    assert_eq!(balance.totals().of(Bucket::Parked), Count::ZERO);
    assert_eq!(reminding(&rig.world), want);
    let stats = lock(&rig.world).stats();
    for what in ["invitations", "source_writes", "invalid"] {
        assert_eq!(stats[what], 0, "{what}");
    }
}

/// A final pass that is stopped at any step and begun again turns on every reminder, and none before everything else of the mailbox is there.
#[tokio::test(start_paused = true)]
async fn a_final_pass_that_is_stopped_anywhere_turns_on_every_reminder() {
    let population = Population {
        items: 80,
        ..Population::default()
    };
    let knobs = |reminders, pass| Knobs {
        route: RouteRule::Typed,
        reminders,
        pass,
        ..Knobs::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let pass = async |knobs: &Knobs, world: &SharedWorld, ledger: &Arc<dyn Ledger>, last| {
        let steps = Steps::until(last);
        let ended = act(knobs, world, ledger, &clock, &steps, dir.path()).await;
        tokio::task::yield_now().await;
        (ended.is_some(), steps.taken())
    };
    let fresh = || -> (SharedWorld, Arc<dyn Ledger>) {
        (world(&population, &[]), Arc::new(MemoryLedger::new()))
    };
    let (plain, ledger) = fresh();
    let usual = knobs(ReminderRule::AsSource, PassKind::Final);
    pass(&usual, &plain, &ledger, u64::MAX).await;
    let want = reminding(&plain);
    let follow = knobs(ReminderRule::AfterCutover, PassKind::Follow);
    let last = knobs(ReminderRule::AfterCutover, PassKind::Final);
    let (whole, ledger) = fresh();
    pass(&follow, &whole, &ledger, u64::MAX).await;
    let (_, total) = pass(&last, &whole, &ledger, u64::MAX).await;
    // Reminders come last.
    let mut partly = 0;
    for at in (total.saturating_sub(42)..=total).step_by(3) {
        let (world, ledger) = fresh();
        pass(&follow, &world, &ledger, u64::MAX).await;
        assert_eq!(reminding(&world), 0);
        pass(&last, &world, &ledger, at).await;
        let then = reminding(&world);
        partly += u64::from(then > 0 && then < want);
        assert!(pass(&last, &world, &ledger, u64::MAX).await.0);
        assert_eq!(reminding(&world), want, "stopped at step {at}");
        let balance = mailferry::engine::balance::take(ledger.as_ref())
            .await
            .unwrap();
        assert_eq!(balance.totals().of(Bucket::Parked), Count::ZERO);
    }
    assert!(
        want > 1 && partly > 0,
        "{want} remind, {partly} stops between two of them"
    );
}
