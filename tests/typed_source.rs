//! The typed source over loopback HTTP against the lab's own Exchange: every item comes as the parcel that its properties make.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mailferry::base::id::{ItemId, MailboxId};
use mailferry::base::losses::{Family, family_of};
use mailferry::base::mailbox::{FolderKind, FolderRole};
use mailferry::base::outcome::{RefusalWhy, Setback};
use mailferry::base::quantity::{Count, Moment, Span};
use mailferry::base::secret::{SafeUrl, Secret};
use mailferry::base::typed::{TypedContact, TypedEvent, TypedItem};
use mailferry::engine::clock::TokioClock;
use mailferry::exchange::{ExchangeSource, SignIn};
use mailferry::lab::direct::{DirectSource, DirectTypedSource, SharedWorld, lock};
use mailferry::lab::eml;
use mailferry::lab::ews_http::{self, EwsOptions};
use mailferry::lab::face::{Door, Face, Scissors};
use mailferry::lab::fault::{CallKind, Fault};
use mailferry::lab::populate::{self, Population};
use mailferry::lab::world::{Content, World, WorldOptions};
use mailferry::port::clock::Clock;
use mailferry::port::source::{ExportSink, Source as _};
use mailferry::port::typed::TypedSource;
use mailferry::transport::{Http, HttpOptions};
use mailferry::wire::item_stream::encode;
use mailferry::wire::parcel::{Brought, ParcelMeter, ParcelReader};

const PASSWORD: &str = "only-for-the-lab";

/// Keeps what is read.
#[derive(Default)]
struct Keep(Vec<Vec<u8>>);

#[async_trait]
impl ExportSink for Keep {
    async fn begin(&mut self, index: usize) -> Result<(), Setback> {
        assert!(index >= self.0.len(), "in order");
        self.0.resize(index + 1, Vec::new());
        Ok(())
    }

    async fn piece(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        self.0.last_mut().expect("begun").extend_from_slice(bytes);
        Ok(())
    }
}

struct Lab {
    world: SharedWorld,
    clock: Arc<dyn Clock>,
    url: SafeUrl,
}

impl Lab {
    async fn open(population: &Population) -> Self {
        let mut world = World::new(WorldOptions {
            seed: 5,
            ..WorldOptions::default()
        });
        populate::fill(&mut world, population).expect("an empty world can be filled");
        let world: SharedWorld = Arc::new(Mutex::new(world));
        let moment = Moment::from_unix_ms(1_793_577_600_000);
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(moment));
        let face = Face {
            world: Arc::clone(&world),
            clock: Arc::clone(&clock),
            latency: Span::ZERO,
        };
        let options = EwsOptions {
            user: "LAB\\svc".to_owned(),
            pass: Secret::new(PASSWORD),
            denied: BTreeSet::new(),
        };
        let door = Door::open(0).await.expect("a free port");
        let port = door.port().expect("a port");
        let app = ews_http::router(face, options).into_make_service_with_connect_info::<Scissors>();
        #[expect(
            clippy::disallowed_methods,
            reason = "the test's server dies with its runtime"
        )]
        tokio::spawn(async move { axum::serve(door, app).await });
        let url = SafeUrl::new(format!("http://127.0.0.1:{port}/EWS/Exchange.asmx"));
        Self { world, clock, url }
    }

    fn source(&self) -> ExchangeSource {
        let http = Http::new(HttpOptions::with_connections(4)).expect("a client");
        let sign_in = SignIn::Basic {
            user: "LAB\\svc".to_owned(),
            pass: Secret::new(PASSWORD),
        };
        ExchangeSource::new(http, self.url.clone(), sign_in)
    }

    fn direct(&self) -> DirectTypedSource {
        DirectTypedSource::new(Arc::clone(&self.world), Arc::clone(&self.clock), Span::ZERO)
    }

    /// Every item of a mailbox, folder by folder, and its class.
    async fn items(&self, mailbox: &MailboxId) -> Vec<(ItemId, String)> {
        let source =
            DirectSource::new(Arc::clone(&self.world), Arc::clone(&self.clock), Span::ZERO);
        let mut all = Vec::new();
        for folder in source.folders(mailbox).await.expect("folders") {
            if folder.kind == FolderKind::Search {
                continue;
            }
            let mut offset = 0;
            loop {
                let page = source
                    .page(mailbox, &folder.id, Count::new(offset), Count::new(500))
                    .await
                    .expect("a page");
                offset += page.items.len() as u64;
                let rows = page.items.into_iter();
                all.extend(rows.map(|row| (row.id, row.class.as_str().to_owned())));
                if page.last {
                    break;
                }
            }
        }
        all
    }

    fn invalid(&self) -> Vec<String> {
        let world = lock(&self.world);
        world.invalid_log().map(|entry| entry.why.clone()).collect()
    }
}

/// The item of a parcel and the bytes of its attachments.
fn opened(parcel: &[u8]) -> (TypedItem, Vec<Vec<u8>>) {
    let (mut item, mut files) = (None, Vec::<Vec<u8>>::new());
    let mut reader = ParcelReader::new();
    let told = reader.feed(parcel, &mut |brought| match brought {
        Brought::Head(head) => item = Some(*head),
        Brought::Attachment => files.push(Vec::new()),
        Brought::Piece(bytes) => files.last_mut().expect("begun").extend_from_slice(bytes),
    });
    told.expect("a parcel");
    reader.finish().expect("its end");
    (item.expect("a head"), files)
}

/// Reads every item of a mailbox by both ways and compares. Returns the items of each family, and how many there were.
async fn compared(lab: &Lab, mailbox: &MailboxId) -> (Vec<TypedItem>, usize) {
    let items = lab.items(mailbox).await;
    let (http, direct) = (lab.source(), lab.direct());
    let mut read = Vec::new();
    for group in items.chunks(37) {
        let ids: Vec<ItemId> = group.iter().map(|(id, _)| id.clone()).collect();
        let (mut told, mut true_) = (Keep::default(), Keep::default());
        let results = http.read(mailbox, &ids, &mut told).await.expect("a call");
        let wanted = direct
            .read(mailbox, &ids, &mut true_)
            .await
            .expect("a call");
        assert_eq!(results.len(), ids.len());
        told.0.resize(ids.len(), Vec::new());
        for (n, (result, want)) in results.iter().zip(&wanted).enumerate() {
            assert_eq!(result.is_ok(), want.is_ok(), "{}: {result:?}", group[n].1);
            if result.is_err() {
                assert!(matches!(result, Err(Setback::ItemRefused(_))), "{result:?}");
                continue;
            }
            let (item, files) = opened(&told.0[n]);
            let (want, bytes) = opened(&true_.0[n]);
            assert!(item == want, "{}: {}", group[n].1, difference(&item, &want));
            assert!(files == bytes, "the bytes of attachments");
            let digest = |parcel: &[u8]| {
                let mut meter = ParcelMeter::new();
                meter.feed(parcel).expect("a parcel");
                meter.finish().expect("its end").digest
            };
            assert_eq!(digest(&told.0[n]), digest(&true_.0[n]));
            read.push(item);
        }
    }
    (read, items.len())
}

fn has_files(event: Option<&TypedEvent>) -> bool {
    event.is_some_and(|own| !own.common.attachments.is_empty())
}

/// The first field that differs, by name.
fn difference(own: &TypedItem, want: &TypedItem) -> String {
    let value = |item: &TypedItem| serde_json::to_value(item).expect("a value");
    let (own, want) = (value(own), value(want));
    let fields = |value: &serde_json::Value| value.as_object().cloned().unwrap_or_default();
    let mut out = Vec::new();
    for (name, value) in fields(&want) {
        if own.get(&name) != Some(&value) {
            out.push(format!("{name}: {:?} / {value:?}", own.get(&name)));
        }
    }
    out.join("; ")
}

#[tokio::test]
async fn every_made_up_item_comes_as_its_properties_make_it() {
    let lab = Lab::open(&Population {
        mailboxes: 1,
        items: 240,
        seed: 5,
        ..Population::default()
    })
    .await;
    let (read, all) = compared(&lab, &populate::address(0)).await;
    let of = |family| {
        let same = |item: &&TypedItem| family_of(&item.common().class) == Some(family);
        read.iter().filter(same).count()
    };
    assert!(
        of(Family::Message) > 100,
        "{} of {all}",
        of(Family::Message)
    );
    assert!(of(Family::Event) > 15 && of(Family::Contact) > 10);
    let event = |test: fn(&TypedEvent) -> bool| {
        let of_it = |item: &TypedItem| matches!(item, TypedItem::Event(own) if test(own));
        assert!(read.iter().any(of_it));
    };
    event(|own| own.recurrence.is_some() && own.exceptions.len() == 2);
    event(|own| {
        own.exceptions
            .iter()
            .any(|e| has_files(e.instead.as_deref()))
    });
    event(|own| own.all_day && own.start.local.ends_with("T00:00:00"));
    event(|own| own.meeting && own.attendees.len() == 3);
    event(|own| own.cancelled && own.reminder.is_none());
    event(|own| own.uid.ends_with("@other.example"));
    let contact = |test: fn(&TypedContact) -> bool| {
        let of_it = |item: &TypedItem| matches!(item, TypedItem::Contact(own) if test(own));
        assert!(read.iter().any(of_it));
    };
    contact(|own| own.photo == Some(0) && own.common.attachments.len() == 1);
    contact(|own| own.emails.len() == 2 && own.addresses.len() == 2);
    contact(|own| own.birthday.ends_with("-02-03") && own.children.len() == 2);
    let carries = |test: fn(&TypedItem) -> bool| read.iter().any(test);
    assert!(carries(|item| item
        .attachments()
        .iter()
        .any(|own| own.embedded)));
    assert!(carries(|item| item
        .attachments()
        .iter()
        .any(|own| own.inline)));
    assert!(carries(|item| item
        .attachments()
        .iter()
        .any(|own| own.name == "signed-message.eml")));
    assert!(carries(
        |item| matches!(item, TypedItem::Message(own) if !own.reply_to.is_empty())
    ));
    assert!(carries(
        |item| matches!(item, TypedItem::Message(own) if own.flag.is_some())
    ));
    assert_eq!(lab.invalid(), Vec::<String>::new());
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
async fn real_mail_comes_as_its_properties_make_it() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/corpus");
    if !dir.is_dir() {
        eprintln!("skipped: ../shared is not here");
        return;
    }
    let mail = eml::read_tree(&dir).expect("the corpus");
    let heads: BTreeSet<Vec<u8>> = (mail.iter())
        .map(|own| own.get(0x007D).unwrap_or_default().to_vec())
        .collect();
    let lab = Lab::open(&Population {
        mailboxes: 1,
        items: 20,
        seed: 6,
        ..Population::default()
    })
    .await;
    let mailbox = populate::address(0);
    {
        let mut world = lock(&lab.world);
        let inbox = world
            .source_folder_with_role(mailbox.reveal(), FolderRole::Inbox)
            .expect("an inbox");
        for own in &mail {
            let content = Content::Stream(encode(own).into());
            let at = Moment::from_unix_ms(1_700_000_000_000);
            world
                .add_source_item(mailbox.reveal(), &inbox.id, content, at)
                .expect("room");
        }
    }
    let (read, _) = compared(&lab, &mailbox).await;
    let read: BTreeSet<&str> = (read.iter())
        .filter_map(|item| match item {
            TypedItem::Message(own) => Some(own.headers.as_str()),
            _ => None,
        })
        .collect();
    assert!(heads.len() > 100 && read.len() >= heads.len());
    assert_eq!(lab.invalid(), Vec::<String>::new());
}

#[tokio::test]
async fn ids_that_name_nothing_are_gone_and_nothing_is_asked_for_an_empty_list() {
    let lab = Lab::open(&Population {
        mailboxes: 1,
        items: 40,
        ..Population::default()
    })
    .await;
    let mailbox = populate::address(0);
    let (source, mut keep) = (lab.source(), Keep::default());
    let gone = [ItemId::new("AAMkAGNobody=")];
    let results = source
        .read(&mailbox, &gone, &mut keep)
        .await
        .expect("a call");
    assert_eq!(results, [Err(Setback::Gone)]);
    assert!(keep.0.is_empty());
    assert_eq!(source.read(&mailbox, &[], &mut keep).await, Ok(Vec::new()));
}

#[tokio::test]
async fn both_faces_say_the_same_of_what_befalls_the_bytes() {
    let lab = Lab::open(&Population {
        mailboxes: 1,
        items: 120,
        ..Population::default()
    })
    .await;
    let mailbox = populate::address(0);
    let (http, direct) = (lab.source(), lab.direct());
    let items = lab.items(&mailbox).await;
    let mut hurt = 0;
    for (id, _) in items {
        let mut keep = Keep::default();
        let ids = [id];
        let read = direct
            .read(&mailbox, &ids, &mut keep)
            .await
            .expect("a call");
        let [Ok(())] = read.as_slice() else {
            continue;
        };
        // One whose bytes come by exactly one call.
        let (item, _) = opened(&keep.0[0]);
        let all = item.attachments();
        if all.is_empty()
            || all
                .iter()
                .any(|own| own.embedded || own.name.starts_with("signed"))
        {
            continue;
        }
        hurt += 1;
        for fault in [Fault::CutBody, Fault::Truncated] {
            let mut said = Vec::new();
            for source in [&http as &dyn TypedSource, &direct] {
                lock(&lab.world).script([(CallKind::Export, Some(fault))]);
                said.push(source.read(&mailbox, &ids, &mut Keep::default()).await);
                assert!(lock(&lab.world).fault_is_spent(), "{fault:?}");
            }
            assert_eq!(said[0], said[1], "{fault:?}");
            assert_ne!(said[0], Ok(vec![Ok(())]), "{fault:?}");
        }
    }
    assert!(hurt > 5, "{hurt}");
}

#[tokio::test]
async fn a_busy_server_is_told_apart_from_an_item_that_cannot_be_read() {
    let lab = Lab::open(&Population {
        mailboxes: 1,
        items: 60,
        corrupt: 2,
        ..Population::default()
    })
    .await;
    let mailbox = populate::address(0);
    let source = lab.source();
    let ids: Vec<ItemId> = lab
        .items(&mailbox)
        .await
        .into_iter()
        .map(|own| own.0)
        .collect();
    let wait = Some(Span::from_secs(9));
    for fault in [
        Fault::Busy(wait),
        Fault::BusyFault(Span::from_secs(9)),
        Fault::Unavailable,
    ] {
        lock(&lab.world).script([(CallKind::Read, Some(fault))]);
        let read = source.read(&mailbox, &ids[..3], &mut Keep::default()).await;
        let passing = matches!(read, Err(Setback::Throttled { .. } | Setback::Unwell(_)));
        assert!(passing, "{fault:?}: {read:?}");
    }
    let read = source
        .read(&mailbox, &ids, &mut Keep::default())
        .await
        .expect("a call");
    let corrupt = |own: &&Result<(), Setback>| matches!(own, Err(Setback::ItemRefused(own)) if own.why == RefusalWhy::SourceCorrupt);
    assert_eq!(read.iter().filter(corrupt).count(), 2);
}
