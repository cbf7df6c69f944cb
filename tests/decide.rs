//! What people decide about parked items: which decisions a state admits, and what follows from each.

#![expect(
    clippy::unwrap_used,
    reason = "a test; helpers are not seen as such by the lint"
)]

use mailferry::base::books::Due;
use mailferry::base::fact::{
    Bucket, CopyFact, Decision, Fact, FolderFate, FolderRow, JobPhase, JobRow, Resolution, SkipRule,
};
use mailferry::base::id::{FolderId, FolderNo, ItemId, JobId, MailboxId, WorkerId};
use mailferry::base::item::{ItemClass, ItemKey, SourceHeader, Stamp};
use mailferry::base::mailbox::{FolderKind, FolderPath};
use mailferry::base::outcome::DoubtCause;
use mailferry::base::quantity::{Bytes, Count, Moment};
use mailferry::engine::decide::{RESOLUTIONS, find, record, waiting};
use mailferry::flow::copy::CopyState;
use mailferry::port::ledger::Ledger as _;
use mailferry::store::memory::MemoryLedger;

const FOLDER: FolderNo = FolderNo(1);

fn folder() -> FolderRow {
    FolderRow {
        no: FOLDER,
        source: FolderId::new("F1"),
        parent: None,
        name: "Inbox".into(),
        path: FolderPath::of(["Inbox"]),
        class: "IPF.Note".into(),
        role: None,
        kind: FolderKind::Generic,
        items: Count::new(3),
        fate: FolderFate::Carry,
        target: None,
        sync: None,
        swept: true,
        made: false,
        named: None,
        before: Count::ZERO,
        gone: false,
    }
}

fn header(id: &str) -> SourceHeader {
    let class = ItemClass::new("IPM.Note");
    SourceHeader {
        id: ItemId::new(id),
        stamp: Stamp::fallback(None, &class, None),
        class,
        size: Bytes::new(9),
        read: None,
        received: None,
        version: None,
    }
}

fn decision() -> Decision {
    Decision {
        by: "A. Harris".into(),
        why: "seen".into(),
        at: Moment::from_unix_ms(5),
    }
}

/// Three parked items and one that waits for nobody.
async fn parked() -> MemoryLedger {
    let ledger = MemoryLedger::new();
    let job = JobRow {
        job: JobId(0),
        source: MailboxId::new("a@x.example"),
        target: MailboxId::new("a@x.example"),
        phase: JobPhase::Waiting,
        epoch: 0,
        since: Moment::from_unix_ms(0),
        hierarchy: None,
    };
    ledger.register(&[job]).await.unwrap();
    let lease = ledger.claim(JobId(0), &WorkerId::new("w")).await.unwrap();
    let mut facts = vec![Fact::Folder(folder())];
    for id in ["1", "2", "3", "4"] {
        facts.push(Fact::Found {
            folder: FOLDER,
            header: header(id),
        });
        let happened = [
            CopyFact::Intended {
                digest: None,
                stream: Bytes::new(9),
            },
            CopyFact::Lost(DoubtCause::Reset),
            CopyFact::SeenTwice,
        ];
        let last = if id == "4" { 0 } else { happened.len() };
        facts.extend(happened[..last].iter().map(|fact| Fact::Copy {
            folder: FOLDER,
            key: ItemKey::of(&ItemId::new(id)),
            fact: fact.clone(),
        }));
    }
    ledger.append(&lease, &facts).await.unwrap();
    ledger
}

#[tokio::test]
async fn each_decision_about_a_parked_item_has_its_own_consequence() {
    let ledger = parked().await;
    let items = waiting(&ledger).await.unwrap();
    assert_eq!(items.len(), 3);
    for item in &items {
        assert_eq!(item.decisions(), RESOLUTIONS);
        assert!(!item.may_be_retried(), "retry is for refused items only");
    }
    let who = WorkerId::new("resolve");
    for (wish, item) in RESOLUTIONS.iter().zip(&items) {
        let fact = CopyFact::Resolved(*wish, decision());
        let done = record(&ledger, &who, std::slice::from_ref(item), &fact).await;
        assert_eq!(done, Ok(Count::new(1)));
    }
    assert_eq!(waiting(&ledger).await.unwrap(), []);
    let mut states = Vec::new();
    for item in &items {
        let found = find(&ledger, item.row.key).await.unwrap();
        assert_eq!(found.len(), 1);
        states.push(found[0].state.clone());
        assert!(matches!(
            found[0].row.facts.last(),
            Some(CopyFact::Resolved(_, by)) if by.by == "A. Harris"
        ));
    }
    // Looked at before anything is sent: whoever made the second copy may have made this one too.
    assert_eq!(states[0].due(), Some(Due::Doubt));
    for (state, want) in states[1..]
        .iter()
        .zip([SkipRule::Accepted, SkipRule::LeftBehind])
    {
        assert!(matches!(state, CopyState::Decided { rule, .. } if *rule == want));
        assert_eq!((state.due(), state.bucket()), (None, Some(Bucket::Skipped)));
    }
}

#[tokio::test]
async fn a_decision_that_a_state_does_not_admit_changes_nothing() {
    let ledger = parked().await;
    let key = ItemKey::of(&ItemId::new("4"));
    let item = find(&ledger, key).await.unwrap().remove(0);
    assert_eq!(item.decisions(), [] as [Resolution; 0]);
    let mut all = waiting(&ledger).await.unwrap();
    all.push(item);
    let fact = CopyFact::Resolved(Resolution::Leave, decision());
    let done = record(&ledger, &WorkerId::new("resolve"), &all, &fact).await;
    assert!(done.is_err());
    assert_eq!(waiting(&ledger).await.unwrap().len(), 3, "all or none");
}
