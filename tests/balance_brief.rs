//! What a run says at its end: the sums of the ledger, and the first of the items that are listed one by one.

#![expect(
    clippy::unwrap_used,
    reason = "a test; helpers are not seen as such by the lint"
)]

use mailferry::base::fact::{
    Bucket, CopyFact, Fact, FolderFate, FolderRow, JobPhase, JobRow, SkipRule,
};
use mailferry::base::id::{FolderId, FolderNo, ItemId, JobId, MailboxId, WorkerId};
use mailferry::base::item::{ItemClass, ItemKey, SearchKey, SourceHeader, Stamp};
use mailferry::base::mailbox::{FolderKind, FolderPath};
use mailferry::base::outcome::{DoubtCause, Refusal, RefusalWhy, Said};
use mailferry::base::quantity::{Bytes, Count, Moment};
use mailferry::engine::balance;
use mailferry::port::ledger::Ledger;
use mailferry::store::memory::MemoryLedger;

fn folder(no: u32) -> Fact {
    Fact::Folder(FolderRow {
        no: FolderNo(no),
        source: FolderId::new(format!("F{no}")),
        parent: None,
        name: format!("Folder {no}"),
        path: FolderPath::of([format!("Folder {no}").as_str()]),
        class: "IPF.Note".into(),
        role: None,
        kind: FolderKind::Generic,
        items: Count::new(5),
        fate: FolderFate::Carry,
        target: None,
        sync: None,
        swept: true,
        made: false,
        named: None,
        before: Count::ZERO,
        gone: false,
    })
}

/// An item of the folder, and what happened to it.
fn item(no: u32, name: &str, happened: &[CopyFact]) -> Vec<Fact> {
    let id = ItemId::new(format!("{no} {name}"));
    let key = ItemKey::of(&id);
    let folder = FolderNo(no);
    let header = SourceHeader {
        stamp: Stamp::Key(SearchKey::new(key.0).unwrap()),
        id,
        class: ItemClass::new("IPM.Note"),
        size: Bytes::new(1_000),
        read: None,
        received: None,
        version: None,
    };
    let found = Fact::Found { folder, header };
    let fact = |fact: &CopyFact| Fact::Copy {
        folder,
        key,
        fact: fact.clone(),
    };
    std::iter::once(found)
        .chain(happened.iter().map(fact))
        .collect()
}

#[tokio::test]
async fn the_end_of_a_run_has_the_sums_and_the_first_items_that_need_a_look() {
    let ledger = MemoryLedger::new();
    let job = JobRow {
        job: JobId(0),
        source: MailboxId::new("s@x.example"),
        target: MailboxId::new("t@y.example"),
        phase: JobPhase::Seeding,
        epoch: 0,
        since: Moment::from_unix_ms(0),
        hierarchy: None,
    };
    ledger.register(&[job]).await.unwrap();
    let lease = ledger
        .claim(JobId(0), &WorkerId::new("test"))
        .await
        .unwrap();
    let refused = CopyFact::Refused(Refusal {
        why: RefusalWhy::SourceCorrupt,
        said: Said::code("ErrorItemCorrupt"),
    });
    let intended = CopyFact::Intended {
        digest: None,
        stream: Bytes::new(9),
    };
    let doubt = [intended.clone(), CopyFact::Lost(DoubtCause::Crash)];
    let mut facts = Vec::new();
    for no in 0..3 {
        facts.push(folder(no));
        facts.extend(item(no, "refused", std::slice::from_ref(&refused)));
        facts.extend(item(no, "in doubt", &doubt));
        facts.extend(item(no, "on its way", std::slice::from_ref(&intended)));
        facts.extend(item(no, "wanted", &[]));
        let skipped = CopyFact::Skipped(SkipRule::SystemClass);
        facts.extend(item(no, "skipped", &[skipped]));
    }
    ledger.append(&lease, &facts).await.unwrap();

    let whole = balance::take(&ledger).await.unwrap();
    let brief = balance::brief(&ledger, Count::new(100)).await.unwrap();
    assert_eq!(brief.totals(), whole.totals());
    let listed = |balance: &mailferry::evidence::balance::Balance| {
        let mut all: Vec<String> = balance.mailboxes[0]
            .exceptions
            .iter()
            .filter(|exception| exception.bucket != Bucket::Skipped)
            .map(|exception| format!("{exception:?}"))
            .collect();
        all.sort();
        all
    };
    assert_eq!(listed(&whole).len(), 9);
    assert_eq!(listed(&brief), listed(&whole));
    assert_eq!(brief.mailboxes[0].exceptions.len(), 9);

    for n in [0, 1, 4] {
        let brief = balance::brief(&ledger, Count::new(n)).await.unwrap();
        assert_eq!(brief.totals(), whole.totals());
        assert_eq!(brief.mailboxes[0].exceptions.len() as u64, n);
    }
}
