//! The source adapter against the lab's own Exchange over loopback HTTP: what comes through the wire is what the world holds.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mailferry::base::id::{FolderId, ItemId, MailboxId};
use mailferry::base::mailbox::{FolderKind, FolderRole};
use mailferry::base::outcome::{HaltCause, Setback, StopCause};
use mailferry::base::quantity::{Bytes, Count, Moment, Span};
use mailferry::base::secret::{SafeUrl, Secret};
use mailferry::engine::clock::TokioClock;
use mailferry::exchange::{ExchangeSource, SignIn};
use mailferry::lab::direct::{DirectSource, SharedWorld, lock};
use mailferry::lab::ews_http::{self, EwsOptions};
use mailferry::lab::face::{Door, Face, Scissors};
use mailferry::lab::fault::Weather;
use mailferry::lab::populate::{self, Population};
use mailferry::lab::world::{World, WorldOptions};
use mailferry::port::clock::Clock;
use mailferry::port::source::{Change, ExportSink, Source};
use mailferry::transport::{self, Auth, CallBody, Http, HttpOptions, Method};
use mailferry::wire::ews::find_item::FindItem;
use mailferry::wire::ews::reply::{self, Message};
use mailferry::wire::ews::request::Call;
use mailferry::wire::ews::shape::{FolderRef, Path, Shape};
use mailferry::wire::ews::sync_folder_items::SyncFolderItems;
use mailferry::wire::soap::{self, RequestHeader};

const PASSWORD: &str = "only-for-the-lab";

/// Keeps what is exported.
#[derive(Default)]
struct Keep(Vec<Vec<u8>>);

#[async_trait]
impl ExportSink for Keep {
    async fn begin(&mut self, index: usize) -> Result<(), Setback> {
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
    async fn open(weather: Weather) -> Self {
        let mut world = World::new(WorldOptions {
            seed: 5,
            weather,
            ..WorldOptions::default()
        });
        let population = Population {
            mailboxes: 2,
            items: 120,
            seed: 5,
            corrupt: 1,
            ..Population::default()
        };
        populate::fill(&mut world, &population).expect("an empty world can be filled");
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
            denied: BTreeSet::from([populate::address(1).reveal().to_owned()]),
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

    fn source(&self, pass: &str) -> ExchangeSource {
        let http = Http::new(HttpOptions::with_connections(4)).expect("a client");
        let sign_in = SignIn::Basic {
            user: "LAB\\svc".to_owned(),
            pass: Secret::new(pass),
        };
        ExchangeSource::new(http, self.url.clone(), sign_in)
    }

    fn direct(&self) -> DirectSource {
        DirectSource::new(Arc::clone(&self.world), Arc::clone(&self.clock), Span::ZERO)
    }

    fn invalid(&self) -> Vec<String> {
        let world = lock(&self.world);
        world.invalid_log().map(|entry| entry.why.clone()).collect()
    }
}

/// Everything a folder holds, as changes from the start; pages as small as given.
async fn everything(source: &dyn Source, mailbox: &MailboxId, folder: &FolderId) -> Vec<Change> {
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let page = source
            .changes(mailbox, folder, token.as_ref(), Count::new(7))
            .await
            .expect("calm weather");
        all.extend(page.changes);
        token = Some(page.token);
        if page.complete {
            return all;
        }
    }
}

#[tokio::test]
async fn the_wire_shows_the_same_folders_as_the_world() {
    let lab = Lab::open(Weather::Calm).await;
    let mailbox = populate::address(0);
    let over_wire = lab.source(PASSWORD).folders(&mailbox).await.expect("calm");
    let straight = lab.direct().folders(&mailbox).await.expect("calm");
    assert_eq!(over_wire[0].role, Some(FolderRole::Top));
    let mut seen = BTreeSet::new();
    for folder in &over_wire {
        assert!(
            folder.parent.as_ref().is_none_or(|p| seen.contains(p)),
            "parents first"
        );
        seen.insert(folder.id.clone());
        let same = straight.iter().find(|f| f.id == folder.id).expect("known");
        assert_eq!(folder, same);
    }
    assert_eq!(over_wire.len(), straight.len());
    assert_eq!(lab.invalid(), Vec::<String>::new());
}

#[tokio::test]
async fn the_wire_shows_the_same_items_as_the_world_and_hands_out_the_same_bytes() {
    let lab = Lab::open(Weather::Calm).await;
    let mailbox = populate::address(0);
    let (wire, direct) = (lab.source(PASSWORD), lab.direct());
    let (mut exported, mut refused) = (0, 0);
    for folder in direct.folders(&mailbox).await.expect("calm") {
        if folder.kind == FolderKind::Search {
            continue;
        }
        let changes = everything(&wire, &mailbox, &folder.id).await;
        let straight = everything(&direct, &mailbox, &folder.id).await;
        let ids = |changes: &[Change]| -> Vec<ItemId> {
            let id = |c: &Change| match c {
                Change::Created(header) => header.id.clone(),
                other => panic!("a first listing creates: {other:?}"),
            };
            changes.iter().map(id).collect()
        };
        assert_eq!(ids(&changes), ids(&straight));
        for (ours, theirs) in changes.iter().zip(&straight) {
            let (Change::Created(ours), Change::Created(theirs)) = (ours, theirs) else {
                continue;
            };
            assert_eq!(
                (&ours.stamp, &ours.class, ours.size),
                (&theirs.stamp, &theirs.class, theirs.size)
            );
            assert!(ours.read.is_none() || ours.read == theirs.read);
        }
        let listed = wire
            .page(&mailbox, &folder.id, Count::ZERO, Count::new(500))
            .await
            .expect("calm");
        assert_eq!(listed.total, Count::new(changes.len() as u64));
        let all = ids(&changes);
        for group in all.chunks(9) {
            let (mut kept, mut straight) = (Keep::default(), Keep::default());
            let ours = wire.export(&mailbox, group, &mut kept).await.expect("calm");
            let theirs = direct
                .export(&mailbox, group, &mut straight)
                .await
                .expect("calm");
            for (at, outcome) in ours.iter().enumerate() {
                assert_eq!(outcome.is_ok(), theirs[at].is_ok(), "{outcome:?}");
                if outcome.is_ok() {
                    assert!(kept.0[at] == straight.0[at], "byte for byte");
                    exported += 1;
                } else {
                    refused += 1;
                }
            }
        }
    }
    assert!(exported >= 119, "{exported}");
    assert_eq!(refused, 1);
    assert_eq!(lab.invalid(), Vec::<String>::new());
    assert_eq!(lock(&lab.world).stats()["source_writes"], 0);
}

#[tokio::test]
async fn refusals_are_named_for_what_they_are() {
    let lab = Lab::open(Weather::Calm).await;
    let mailbox = populate::address(0);
    let source = lab.source(PASSWORD);
    let version = source.probe(&mailbox).await.expect("it works");
    assert_eq!(version.map(|v| (v.major, v.minor)), Some((15, 1)));
    assert!(matches!(
        lab.source("wrong").probe(&mailbox).await,
        Err(Setback::SideClosed(StopCause::SourceCredentials, _))
    ));
    assert!(matches!(
        source.probe(&populate::address(1)).await,
        Err(Setback::MailboxClosed(HaltCause::ImpersonationDenied, _))
    ));
    assert!(matches!(
        source.probe(&MailboxId::new("nobody@clinic.example")).await,
        Err(Setback::MailboxClosed(HaltCause::NoSourceMailbox, _))
    ));
    let no_folder = FolderId::new("AAMkAGnothing");
    assert_eq!(
        source
            .page(&mailbox, &no_folder, Count::ZERO, Count::new(1))
            .await,
        Err(Setback::FolderGone)
    );
    let elsewhere = lab.url.expose().replace("/EWS/", "/owa/");
    let http = Http::new(HttpOptions::with_connections(1)).expect("a client");
    let sign_in = SignIn::Basic {
        user: "LAB\\svc".to_owned(),
        pass: Secret::new(PASSWORD),
    };
    assert!(matches!(
        ExchangeSource::new(http, SafeUrl::new(elsewhere), sign_in)
            .probe(&mailbox)
            .await,
        Err(Setback::SideClosed(StopCause::WrongSourceAddress, _))
    ));
    assert_eq!(lab.invalid(), Vec::<String>::new());
}

/// What exchangelib asks of items unless told otherwise.
fn greedy() -> Shape {
    let fields = [
        "item:MimeContent",
        "item:Body",
        "item:TextBody",
        "item:UniqueBody",
        "item:Attachments",
        "item:Subject",
        "item:ItemClass",
    ];
    Shape {
        more: fields.map(|field| Path::Field(field.to_owned())).to_vec(),
        ..Shape::default()
    }
}

#[tokio::test]
async fn a_synchronisation_comes_without_the_content_it_asked_for_and_a_search_is_refused() {
    let lab = Lab::open(Weather::Calm).await;
    let header = RequestHeader::acting_for(&populate::address(0));
    let ask = async |call: Call| {
        let http = Http::new(HttpOptions::with_connections(1)).expect("a client");
        let post = transport::Call::new(Method::Post, lab.url.clone())
            .header("content-type", "text/xml; charset=utf-8")
            .auth(Auth::Basic {
                user: "LAB\\svc".to_owned(),
                pass: Secret::new(PASSWORD),
            })
            .body(CallBody::bytes(call.write(&header)));
        let reply = http.send(post).await.expect("an answer");
        reply.read_all(Bytes::new(1_000_000)).await.expect("whole")
    };
    let inbox = FolderRef::Distinguished("inbox".to_owned());
    let answer = ask(Call::SyncFolderItems(SyncFolderItems {
        shape: greedy(),
        folder: inbox.clone(),
        state: None,
        ignore: Vec::new(),
        at_most: 100,
        associated: false,
    }))
    .await;
    let reply = reply::read::<SyncFolderItems>(&answer).expect("a reply");
    let Some(Message::Done(page)) = reply.messages.into_iter().next() else {
        panic!("refused");
    };
    assert!(!page.changes.is_empty());
    let text = String::from_utf8_lossy(&answer);
    // The envelope has a body of its own.
    assert!(!text.contains("<t:Body") && !text.contains("MimeContent"));
    // Whoever is thrifty does not ask: that is counted, and no call of ours may be.
    let noted = lab.invalid();
    assert!(
        noted
            .iter()
            .any(|one| one.contains("content it will not get")),
        "{noted:?}"
    );
    let answer = ask(Call::FindItem(FindItem {
        traversal: "Shallow".to_owned(),
        shape: greedy(),
        at_most: Some(10),
        offset: 0,
        restriction: None,
        largest_first: false,
        parents: vec![inbox],
    }))
    .await;
    let envelope = soap::read_reply(&answer).expect("an envelope");
    assert!(
        matches!(envelope.body, soap::Body::Fault(fault) if fault.code == "ErrorInvalidPropertyForOperation")
    );
}

#[tokio::test]
async fn an_id_in_another_case_is_our_mistake_and_the_lab_says_so() {
    let lab = Lab::open(Weather::Calm).await;
    let mailbox = populate::address(0);
    let source = lab.source(PASSWORD);
    let folders = source.folders(&mailbox).await.expect("calm");
    let inbox = folders
        .iter()
        .find(|f| f.role == Some(FolderRole::Inbox))
        .expect("an inbox");
    let swapped: String = inbox
        .id
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
    let answer = source
        .page(
            &mailbox,
            &FolderId::new(swapped),
            Count::ZERO,
            Count::new(1),
        )
        .await;
    assert!(matches!(answer, Err(Setback::OurRequest(_))), "{answer:?}");
    assert_eq!(lab.invalid().len(), 1);
}

#[tokio::test]
async fn in_a_storm_every_answer_is_right_or_a_setback() {
    let lab = Lab::open(Weather::Storm).await;
    let mailbox = populate::address(0);
    let source = lab.source(PASSWORD);
    let calm = Lab::open(Weather::Calm).await;
    let want = calm.source(PASSWORD).folders(&mailbox).await.expect("calm");
    let (mut right, mut setbacks) = (0, 0);
    for _ in 0..40 {
        match source.folders(&mailbox).await {
            Ok(folders) => {
                assert_eq!(folders, want);
                right += 1;
            }
            Err(setback) => {
                let passing = matches!(
                    setback,
                    Setback::Throttled { .. }
                        | Setback::Unwell(_)
                        | Setback::Lost(_)
                        | Setback::Misread(..)
                        | Setback::Expired(_)
                        | Setback::SideClosed(StopCause::SourceCredentials, _)
                );
                assert!(passing, "{setback:?}");
                setbacks += 1;
            }
        }
    }
    assert!(
        right > 0 && setbacks > 0,
        "{right} right, {setbacks} setbacks"
    );
    assert_eq!(lab.invalid(), Vec::<String>::new());
}
