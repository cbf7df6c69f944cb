//! Events and contacts on every `TypedTarget`: the world's direct face, and Graph over loopback HTTP.

#![allow(
    clippy::unused_async,
    clippy::assigning_clones,
    clippy::similar_names,
    clippy::unnecessary_wraps,
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test; helpers are not seen as such by the lint"
)]

use mailferry::base::event::Side;
use mailferry::base::id::TargetMailboxId;
use mailferry::base::item::{Placed, TargetHeader};
use mailferry::base::mailbox::{FolderOrder, FolderRole, TargetFolder};
use mailferry::base::outcome::Setback;
use mailferry::base::quantity::{Count, Moment};
use mailferry::base::route::Route;
use mailferry::base::typed::{
    Answer, Attendee, Occurrence, Pattern, Person, PostalAddress, Recurrence, ShowAs,
    TypedAttachment, TypedContact, TypedEvent, TypedItem, Until, WallTime,
};
use mailferry::lab::direct::lock;
use mailferry::lab::fault::{CallKind, Fault};
use mailferry::lab::mishap::{Mishap, MishapOrder};
use mailferry::lab::truth::held;
use mailferry::lab::world::Now;
use mailferry::wire::graph::provenance::{self, Mark};
use mailferry::wire::parcel::{ParcelReport, stamp_of};

use crate::stage::address;
use crate::typed_target::{Bench, MB, assert_same, report};

type Whole = (TypedItem, Vec<Vec<u8>>);

fn role_of(own: &Whole) -> FolderRole {
    match own.0 {
        TypedItem::Contact(_) => FolderRole::Contacts,
        _ => FolderRole::Calendar,
    }
}

async fn try_compose(bench: &Bench, own: &Whole) -> Result<Placed, Setback> {
    let (mailbox, folder) = (bench.mailbox().await, bench.role(role_of(own)).await);
    let parcel = bench.parcel(own).await;
    let stamp = stamp_of(&own.0);
    bench
        .typed
        .compose(&mailbox, &folder, &stamp, &parcel)
        .await
}

async fn read(bench: &Bench, role: FolderRole, placed: &Placed) -> ParcelReport {
    let (mailbox, folder) = (bench.mailbox().await, bench.role(role).await);
    report(
        bench
            .typed
            .read(&mailbox, &folder, &placed.item)
            .await
            .unwrap(),
    )
    .await
}

async fn amend(bench: &Bench, placed: &Placed, own: &Whole) -> Result<Placed, Setback> {
    let (mailbox, folder) = (bench.mailbox().await, bench.role(role_of(own)).await);
    let parcel = bench.parcel(own).await;
    let stamp = stamp_of(&own.0);
    let amended = bench
        .typed
        .amend(&mailbox, &folder, &stamp, placed, &parcel);
    amended.await
}

async fn list(bench: &Bench, role: FolderRole) -> Vec<TargetHeader> {
    let (mailbox, folder) = (bench.mailbox().await, bench.role(role).await);
    let page = bench.target.page(&mailbox, &folder.id, None).await.unwrap();
    page.items
}

fn wall(local: &str) -> WallTime {
    WallTime {
        local: local.to_owned(),
        zone: "W. Europe Standard Time".to_owned(),
    }
}

fn person(name: &str) -> Person {
    Person {
        name: name.to_owned(),
        address: format!("{}@clinic.example", name.to_ascii_lowercase()),
    }
}

fn appointment(n: u8) -> TypedEvent {
    let mut own = TypedEvent {
        start: wall("2026-11-27T09:00:00"),
        end: wall("2026-11-27T10:00:00"),
        location: "Ward 3".to_owned(),
        show_as: ShowAs::Away,
        reminder: Some(15),
        ..TypedEvent::default()
    };
    own.common.class = "IPM.Appointment".to_owned();
    own.common.search_key = format!("{n:02x}").repeat(16);
    own.common.subject = "Round ü".to_owned();
    own.common.body.content = "At nine.".to_owned();
    own.common.importance = 1;
    own.common.categories = vec!["Blue".to_owned()];
    own
}

fn meeting(n: u8) -> TypedEvent {
    TypedEvent {
        meeting: true,
        organizer: Some(person("Chief")),
        attendees: vec![Attendee {
            person: person("Ann"),
            answer: Answer::Accepted,
            ..Attendee::default()
        }],
        uid: "040000008200E00074C5B7101A82E008".to_owned(),
        ..appointment(n)
    }
}

fn files(n: usize, from: usize) -> Vec<TypedAttachment> {
    let name = |at| TypedAttachment {
        name: format!("plan {at}.pdf"),
        content_type: "application/pdf".to_owned(),
        ..TypedAttachment::default()
    };
    (from..from + n).map(name).collect()
}

/// Every Friday, six times; the second deleted, the third an hour later, with an attachment of its own in place of that of the series.
fn series(n: u8) -> Whole {
    let mut own = appointment(n);
    own.recurrence = Some(Recurrence {
        pattern: Pattern::Weeks {
            interval: 1,
            days: vec![5],
            first_day: 1,
        },
        first: "2026-11-27".to_owned(),
        until: Until::Count(6),
    });
    own.common.attachments = files(1, 0);
    let mut moved = appointment(n);
    moved.start = wall("2026-12-11T10:00:00");
    moved.end = wall("2026-12-11T11:00:00");
    moved.common.subject = "Later".to_owned();
    moved.common.attachments = files(1, 1);
    let eight = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    own.exceptions = vec![
        Occurrence {
            original: Moment::from_unix_ms(eight("2026-12-04T08:00:00Z")),
            instead: None,
        },
        Occurrence {
            original: Moment::from_unix_ms(eight("2026-12-11T08:00:00Z")),
            instead: Some(Box::new(moved)),
        },
    ];
    let bytes = vec![vec![1; 5 * MB], vec![2; 300]];
    (TypedItem::Event(Box::new(own)), bytes)
}

fn card(n: u8, photo: bool) -> Whole {
    let mut own = TypedContact {
        given_name: "Änn".to_owned(),
        surname: "Berg".to_owned(),
        file_as: "Berg, Änn".to_owned(),
        company: "Clinic".to_owned(),
        children: vec!["Bo".to_owned()],
        emails: vec![person("Ann"), person("Berg")],
        phones: vec![
            ("BusinessPhone".to_owned(), "1".to_owned()),
            ("Pager".to_owned(), "2".to_owned()),
        ],
        addresses: vec![(
            "Home".to_owned(),
            PostalAddress {
                city: "Ulm".to_owned(),
                ..PostalAddress::default()
            },
        )],
        birthday: "1970-01-31".to_owned(),
        anniversary: "1999-09-09".to_owned(),
        photo: photo.then_some(0),
        ..TypedContact::default()
    };
    own.common.class = "IPM.Contact".to_owned();
    own.common.search_key = format!("{n:02x}").repeat(16);
    own.common.subject = "Änn Berg".to_owned();
    own.common.body.content = "Notes.".to_owned();
    own.common.importance = 1;
    let mut files = Vec::new();
    if photo {
        own.common.attachments = vec![TypedAttachment {
            name: "ContactPicture.jpg".to_owned(),
            content_type: "image/jpeg".to_owned(),
            ..TypedAttachment::default()
        }];
        files.push(vec![7; 30_000]);
    }
    (TypedItem::Contact(Box::new(own)), files)
}

fn event(own: TypedEvent) -> Whole {
    (TypedItem::Event(Box::new(own)), Vec::new())
}

fn whole_day() -> TypedEvent {
    TypedEvent {
        all_day: true,
        start: wall("2026-11-27T00:00:00"),
        end: wall("2026-11-29T00:00:00"),
        reminder: None,
        ..appointment(4)
    }
}

async fn what_is_composed_is_listed_with_its_mark_and_reads_back_the_same(bench: &Bench) {
    for own in [
        event(appointment(1)),
        event(meeting(2)),
        event(whole_day()),
        series(3),
        card(5, false),
        card(6, true),
    ] {
        let role = role_of(&own);
        let placed = try_compose(bench, &own).await.unwrap();
        let listed = list(bench, role).await;
        let header = listed.iter().find(|own| own.placed == placed).unwrap();
        assert!(header.bears(&stamp_of(&own.0)), "{header:?}");
        assert_same(&own, &read(bench, role, &placed).await);
    }
    assert_eq!(list(bench, FolderRole::Calendar).await.len(), 4);
    assert_eq!(list(bench, FolderRole::Contacts).await.len(), 2);
    bench.assert_clean();
}

async fn changes_follow_where_one_request_makes_them(bench: &Bench) {
    let placed = try_compose(bench, &event(meeting(1))).await.unwrap();
    let mut newer = meeting(1);
    newer.location = "Ward 4".to_owned();
    newer.attendees[0].answer = Answer::Declined;
    let newer = event(newer);
    let amended = amend(bench, &placed, &newer).await.unwrap();
    assert_eq!(amended.item, placed.item);
    assert_same(&newer, &read(bench, FolderRole::Calendar, &amended).await);
    let stale = amend(bench, &placed, &newer).await;
    assert!(matches!(stale, Err(Setback::ItemRefused(_))), "{stale:?}");
    let refused = amend(bench, &amended, &series(1)).await;
    assert!(
        matches!(refused, Err(Setback::ItemRefused(_))),
        "{refused:?}"
    );
    let (mut contact, files) = card(2, true);
    let placed = try_compose(bench, &(contact.clone(), files.clone()))
        .await
        .unwrap();
    if let TypedItem::Contact(own) = &mut contact {
        own.company = "Other".to_owned();
        own.phones.clear();
    }
    let newer = (contact, vec![vec![8; 20_000]]);
    let amended = amend(bench, &placed, &newer).await.unwrap();
    assert_same(&newer, &read(bench, FolderRole::Contacts, &amended).await);
    bench.assert_clean();
}

/// Whatever a newer state says of itself, the copy stays known by the mark it was given.
async fn a_change_keeps_the_mark(bench: &Bench) {
    for own in [event(appointment(1)), card(2, false)] {
        let role = role_of(&own);
        let placed = try_compose(bench, &own).await.unwrap();
        let stamp = stamp_of(&own.0);
        let mut newer = own.clone();
        let common = match &mut newer.0 {
            TypedItem::Event(own) => &mut own.common,
            TypedItem::Contact(own) => &mut own.common,
            TypedItem::Message(own) => &mut own.common,
        };
        common.search_key = "ab".repeat(16);
        common.body.content = "Another text.".to_owned();
        let (mailbox, folder) = (bench.mailbox().await, bench.role(role).await);
        let parcel = bench.parcel(&newer).await;
        let amended = bench
            .typed
            .amend(&mailbox, &folder, &stamp, &placed, &parcel)
            .await;
        let amended = amended.unwrap();
        let listed = list(bench, role).await;
        let header = listed.iter().find(|own| own.placed == amended).unwrap();
        assert!(header.bears(&stamp), "{header:?}");
    }
}

/// Events and contacts that are not whole are removed from the folders that are named, and nothing else is: not what is whole, what is another
/// mailbox's, what was completed, or what only looks so to a filter.
async fn what_is_not_whole_is_tidied_away_and_nothing_else(bench: &Bench) {
    let mailbox = bench.mailbox().await;
    let mut folders = Vec::new();
    for role in [
        FolderRole::Inbox,
        FolderRole::Calendar,
        FolderRole::Contacts,
    ] {
        folders.push(bench.role(role).await);
    }
    let (event, card) = (event(appointment(1)), card(2, false));
    let kept = [
        try_compose(bench, &event).await.unwrap(),
        try_compose(bench, &card).await.unwrap(),
    ];
    let text = |mailbox: &TargetMailboxId| {
        let stamp = stamp_of(&series(9).0);
        provenance::text(&Mark::new(stamp, mailbox))
    };
    let own = text(&mailbox);
    let other = text(&TargetMailboxId::new("MBX:other"));
    let odd = own.replacen("k:", "z:", 1);
    let leave = |folder: usize, mark: &str| {
        let mut world = lock(&bench.world);
        let id = folders[folder].id.as_str();
        world
            .leave_unfinished(Now::default(), mailbox.as_str(), id, mark)
            .unwrap()
    };
    for folder in [1, 2] {
        for mark in [&own, &other, &odd, ""] {
            leave(folder, mark);
        }
    }
    // Folders that are not named are left alone; mail has none of these.
    assert_eq!(
        bench.typed.tidy(&mailbox, &folders[..1]).await,
        Ok(Count::ZERO)
    );
    assert_eq!(
        bench.typed.tidy(&mailbox, &folders).await,
        Ok(Count::new(2))
    );
    for (role, kept) in [FolderRole::Calendar, FolderRole::Contacts]
        .into_iter()
        .zip(&kept)
    {
        let left = list(bench, role).await;
        assert_eq!(left.len(), 4, "{role:?}");
        assert!(left.iter().any(|own| own.placed == *kept), "{role:?}");
    }
    assert_eq!(bench.typed.tidy(&mailbox, &folders).await, Ok(Count::ZERO));
    bench.assert_clean();
}

macro_rules! suite {
    ($bench:path: $($case:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (bench, _keep) = $bench().await;
                super::$case(&bench).await;
            }
        )+
    };
}

mod direct {
    suite!(crate::typed_target::direct::bench:
        what_is_composed_is_listed_with_its_mark_and_reads_back_the_same,
        changes_follow_where_one_request_makes_them,
        a_change_keeps_the_mark,
        what_is_not_whole_is_tidied_away_and_nothing_else,
    );
}

mod graph_over_http {
    use super::*;
    use crate::typed_target::graph_over_http::bench;

    suite!(bench:
        what_is_composed_is_listed_with_its_mark_and_reads_back_the_same,
        changes_follow_where_one_request_makes_them,
        a_change_keeps_the_mark,
        what_is_not_whole_is_tidied_away_and_nothing_else,
    );

    #[tokio::test]
    async fn what_is_refused_leaves_nothing_behind() {
        let (bench, _lab) = bench().await;
        let mailbox = bench.mailbox().await;
        // Half made when the occurrence is not found.
        let mut odd = series(1);
        if let TypedItem::Event(own) = &mut odd.0 {
            own.exceptions[1].original = Moment::from_unix_ms(1_797_000_000_000);
        }
        let refused = try_compose(&bench, &odd).await;
        assert!(
            matches!(refused, Err(Setback::ItemRefused(_))),
            "{refused:?}"
        );
        assert_eq!(list(&bench, FolderRole::Calendar).await, []);
        // Folders of another kind, before anything is made.
        for (own, role) in [
            (event(appointment(2)), FolderRole::Inbox),
            (card(3, false), FolderRole::Calendar),
            (card(4, true), FolderRole::DeletedItems),
        ] {
            let (folder, parcel) = (bench.role(role).await, bench.parcel(&own).await);
            let refused = bench
                .typed
                .compose(&mailbox, &folder, &stamp_of(&own.0), &parcel)
                .await;
            assert!(
                matches!(refused, Err(Setback::ItemRefused(_))),
                "{refused:?}"
            );
            assert_eq!(list(&bench, role).await, []);
        }
        bench.assert_clean();
    }

    #[tokio::test]
    async fn what_one_request_holds_is_one_call() {
        let (bench, _lab) = bench().await;
        let mailbox = bench.mailbox().await;
        for own in [event(appointment(1)), event(meeting(2)), card(3, false)] {
            let folder = bench.role(role_of(&own)).await;
            bench.typed.made_besides(&mailbox);
            let parcel = bench.parcel(&own).await;
            let before = bench.requests();
            let stamp = stamp_of(&own.0);
            let composed = bench.typed.compose(&mailbox, &folder, &stamp, &parcel);
            composed.await.unwrap();
            assert_eq!(bench.requests() - before, 1);
            assert_eq!(bench.typed.made_besides(&mailbox), Count::ZERO);
        }
        bench.assert_clean();
    }

    #[tokio::test]
    async fn whatever_ends_an_attempt_the_next_one_leaves_one_copy_and_nothing_unfinished() {
        let (attach, import) = (CallKind::Attach, CallKind::Import);
        let scripts: &[&[(CallKind, Option<Fault>)]] = &[
            &[(import, Some(Fault::ResetAfter))],
            &[(attach, Some(Fault::GatewayBefore)); 6],
            &[(attach, None), (attach, Some(Fault::Busy(None)))],
            &[(import, None), (import, Some(Fault::ResetAfter))],
            &[(CallKind::Delete, Some(Fault::GatewayAfter))],
        ];
        for script in scripts {
            let (bench, _lab) = bench().await;
            let own = series(1);
            bench.role(FolderRole::Calendar).await;
            bench.script(script);
            let first = try_compose(&bench, &own).await;
            assert!(first.is_err(), "{script:?}");
            let listed = list(&bench, FolderRole::Calendar).await;
            let marked = listed
                .iter()
                .filter(|own| own.bears(&stamp_of(&series(1).0)));
            assert_eq!(marked.count(), 0, "{script:?}");
            let placed = try_compose(&bench, &own).await.unwrap();
            let listed = list(&bench, FolderRole::Calendar).await;
            assert_eq!(listed.len(), 1, "{script:?}");
            assert!(listed[0].bears(&stamp_of(&own.0)));
            assert_same(&own, &read(&bench, FolderRole::Calendar, &placed).await);
            bench.assert_clean();
        }
    }

    /// A listing that does not show it yet is no reason to make a second one.
    #[tokio::test]
    async fn a_contact_that_was_put_off_is_gone_on_with() {
        let (attach, import) = (CallKind::Attach, CallKind::Import);
        let scripts: &[&[(CallKind, Option<Fault>)]] = &[
            &[(attach, Some(Fault::Busy(None)))],
            &[(import, None), (import, Some(Fault::Busy(None)))],
        ];
        for script in scripts {
            let (bench, _lab) = bench().await;
            let own = card(4, true);
            bench.role(FolderRole::Contacts).await;
            let lag = MishapOrder {
                ms: Some(3_600_000),
                ..MishapOrder::new(Mishap::Lag, "")
            };
            lock(&bench.world).befall(Now::default(), lag).unwrap();
            bench.script(script);
            let first = try_compose(&bench, &own).await;
            assert!(
                matches!(first, Err(Setback::Throttled { .. })),
                "{script:?}: {first:?}"
            );
            let placed = try_compose(&bench, &own).await.unwrap();
            assert_same(&own, &read(&bench, FolderRole::Contacts, &placed).await);
            let all = held(&lock(&bench.world), Side::Target, address(0).reveal());
            assert_eq!(all.len(), 1, "{script:?}: {all:?}");
            bench.assert_clean();
        }
    }

    /// True copies bear one mark. What was begun for one of them in one calendar or contact folder is not taken for the other in another.
    #[tokio::test]
    async fn what_was_put_off_in_one_folder_is_not_gone_on_with_for_its_copy_in_another() {
        for (own, role) in [
            (series(1), FolderRole::Calendar),
            (card(4, true), FolderRole::Contacts),
        ] {
            let (bench, _lab) = bench().await;
            let (mailbox, first) = (bench.mailbox().await, bench.role(role).await);
            let order = FolderOrder {
                parent: first.id.clone(),
                name: "Other".to_owned(),
                class: first.class.clone(),
            };
            let other = bench.target.ensure_folder(&mailbox, &order).await.unwrap();
            let other = TargetFolder {
                class: first.class.clone(),
                ..other
            };
            let parcel = bench.parcel(&own).await;
            let stamp = stamp_of(&own.0);
            let into = async |folder: &TargetFolder| {
                let typed = &bench.typed;
                typed.compose(&mailbox, folder, &stamp, &parcel).await
            };
            bench.script(&[
                (CallKind::Import, None),
                (CallKind::Import, Some(Fault::Busy(None))),
            ]);
            assert!(into(&first).await.is_err(), "{role:?}");
            into(&other).await.unwrap();
            into(&first).await.unwrap();
            for folder in [&first, &other] {
                let page = bench.target.page(&mailbox, &folder.id, None).await.unwrap();
                let marked = page.items.iter().filter(|own| own.route == Route::Typed);
                assert_eq!(marked.count(), 1, "{role:?} {}", folder.name);
            }
            bench.assert_clean();
        }
    }

    /// An attempt whose answer was lost leaves an event that is not whole, and its item may never be tried again. One question of each folder finds it.
    #[tokio::test]
    async fn what_an_attempt_left_openly_is_tidied_away_by_one_question() {
        let (bench, _lab) = bench().await;
        let mailbox = bench.mailbox().await;
        let calendar = bench.role(FolderRole::Calendar).await;
        bench.script(&[(CallKind::Import, Some(Fault::ResetAfter))]);
        assert!(try_compose(&bench, &series(1)).await.is_err());
        assert_eq!(list(&bench, FolderRole::Calendar).await.len(), 1);
        bench.typed.made_besides(&mailbox);
        let before = bench.requests();
        let folders = [calendar];
        assert_eq!(
            bench.typed.tidy(&mailbox, &folders).await,
            Ok(Count::new(1))
        );
        // The calendar, the deletion, and whether there is a hidden folder.
        assert_eq!(bench.requests() - before, 3);
        assert_eq!(bench.typed.made_besides(&mailbox), Count::new(2));
        assert_eq!(list(&bench, FolderRole::Calendar).await, []);
        bench.assert_clean();
    }

    #[tokio::test]
    async fn nobody_is_written_to_whatever_is_made_changed_or_removed() {
        let (bench, _lab) = bench().await;
        let mut own = series(1);
        if let TypedItem::Event(event) = &mut own.0 {
            (event.meeting, event.attendees) = (true, meeting(1).attendees);
        }
        try_compose(&bench, &own).await.unwrap();
        assert_eq!(lock(&bench.world).stats()["invitations"], 0);
        bench.assert_clean();
    }
}
