//! One contract, every ledger: what `port::ledger` promises, checked over the memory and the embedded store.

#![expect(clippy::print_stderr, reason = "a measurement is printed")]
#![expect(
    clippy::unwrap_used,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailferry::base::books::Due;
use mailferry::base::dice::Dice;
use mailferry::base::fact::{
    Bucket, CopyFact, CopyRow, Fact, FolderFate, FolderRow, JobPhase, JobRow, SkipRule,
};
use mailferry::base::id::{
    ChangeKey, FolderId, FolderNo, ItemId, JobId, MailboxId, PlanHash, SyncToken, TargetItemId,
    WorkerId,
};
use mailferry::base::item::{ItemClass, ItemKey, Placed, SearchKey, SourceHeader, Stamp};
use mailferry::base::limits;
use mailferry::base::mailbox::{FolderKind, FolderPath};
use mailferry::base::outcome::DoubtCause;
use mailferry::base::quantity::{Bytes, Count, Moment};
use mailferry::base::route::Route;
use mailferry::base::spec::Realm;
use mailferry::port::ledger::{Lease, Ledger, LedgerError};
use mailferry::store::codec::{self, Header};
use mailferry::store::embedded::{EmbeddedLedger, OpenError, Opening};
use mailferry::store::memory::MemoryLedger;

const J0: JobId = JobId(0);
const J1: JobId = JobId(1);
const F1: FolderNo = FolderNo(1);
const F2: FolderNo = FolderNo(2);

fn job(job: JobId) -> JobRow {
    JobRow {
        job,
        source: MailboxId::new(format!("s{}@x.example", job.0)),
        target: MailboxId::new(format!("t{}@y.example", job.0)),
        phase: JobPhase::Waiting,
        epoch: 0,
        since: Moment::from_unix_ms(0),
        hierarchy: None,
    }
}

fn header(id: &str) -> SourceHeader {
    SourceHeader {
        id: ItemId::new(id),
        stamp: Stamp::Key(SearchKey::new(id.as_bytes()).unwrap()),
        class: ItemClass::new("IPM.Note"),
        size: Bytes::new(1_000),
        read: Some(false),
        received: None,
        version: None,
    }
}

fn found(folder: FolderNo, id: &str) -> Fact {
    Fact::Found {
        folder,
        header: header(id),
    }
}

fn key(id: &str) -> ItemKey {
    ItemKey::of(&ItemId::new(id))
}

fn copy(folder: FolderNo, id: &str, fact: CopyFact) -> Fact {
    Fact::Copy {
        folder,
        key: key(id),
        fact,
    }
}

fn folder(no: FolderNo, sync: Option<&str>) -> FolderRow {
    FolderRow {
        no,
        source: FolderId::new(format!("F{}", no.0)),
        parent: None,
        name: "Inbox".into(),
        path: FolderPath::of(["Inbox"]),
        class: "IPF.Note".into(),
        role: None,
        kind: FolderKind::Generic,
        items: Count::new(3),
        fate: FolderFate::Carry,
        target: None,
        sync: sync.map(SyncToken::new),
        swept: false,
        made: false,
        named: None,
        before: Count::ZERO,
        gone: false,
    }
}

fn who() -> WorkerId {
    WorkerId::new("w")
}

fn belongs() -> Header {
    Header {
        plan: PlanHash::new("aa"),
        realm: Realm::Rehearsal,
    }
}

async fn claimed(ledger: &dyn Ledger) -> Lease {
    ledger.register(&[job(J0), job(J1)]).await.unwrap();
    ledger.claim(J0, &who()).await.unwrap()
}

async fn page(ledger: &dyn Ledger, folder: FolderNo) -> Vec<CopyRow> {
    let all = Count::new(u64::MAX);
    ledger.copies(J0, folder, None, all).await.unwrap()
}

async fn facts_of(ledger: &dyn Ledger, id: &str) -> Option<Vec<CopyFact>> {
    let row = ledger.copy(J0, F1, key(id)).await.unwrap();
    row.map(|row| row.facts)
}

// ---- The contract, written once -----------------------------------------------------------------------------------------------

async fn jobs_come_in_plan_order(ledger: &dyn Ledger) {
    ledger
        .register(&[job(JobId(300)), job(J1), job(J0)])
        .await
        .unwrap();
    let jobs = ledger.jobs().await.unwrap();
    let order: Vec<u32> = jobs.iter().map(|row| row.job.0).collect();
    assert_eq!(order, [0, 1, 300]);
}

async fn registering_again_changes_nothing(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let seeding = Fact::Phase(JobPhase::Seeding, Moment::from_unix_ms(7));
    ledger.append(&lease, &[seeding]).await.unwrap();
    let before = ledger.jobs().await.unwrap();
    ledger.register(&[job(J0), job(J1)]).await.unwrap();
    assert_eq!(ledger.jobs().await.unwrap(), before);
    assert_eq!(before[0].phase, JobPhase::Seeding);
    assert_eq!(before[0].since, Moment::from_unix_ms(7));
    assert_eq!(before[0].epoch, 1);
}

async fn a_job_registers_at_epoch_zero_whatever_the_caller_says(ledger: &dyn Ledger) {
    let eager = JobRow {
        epoch: 9,
        ..job(J0)
    };
    ledger.register(&[eager]).await.unwrap();
    assert_eq!(ledger.jobs().await.unwrap()[0].epoch, 0);
}

async fn an_unknown_job_is_refused(ledger: &dyn Ledger) {
    assert_eq!(
        ledger.claim(JobId(9), &who()).await,
        Err(LedgerError::UnknownJob(JobId(9)))
    );
    let forged = Lease {
        job: JobId(9),
        epoch: 1,
    };
    assert_eq!(
        ledger.append(&forged, &[found(F1, "a")]).await,
        Err(LedgerError::UnknownJob(JobId(9)))
    );
    assert!(page(ledger, F1).await.is_empty());
}

async fn two_claimers_leave_one_writer(ledger: &dyn Ledger) {
    let first = claimed(ledger).await;
    let second = ledger.claim(J0, &who()).await.unwrap();
    assert!(second.epoch > first.epoch);
    assert_eq!(
        ledger.append(&first, &[found(F1, "a")]).await,
        Err(LedgerError::Fenced(J0))
    );
    assert!(
        page(ledger, F1).await.is_empty(),
        "a fenced worker changes nothing"
    );
    ledger.append(&second, &[found(F1, "a")]).await.unwrap();
    assert_eq!(page(ledger, F1).await.len(), 1);
}

async fn a_claim_fences_its_own_job_only(ledger: &dyn Ledger) {
    let first = claimed(ledger).await;
    ledger.claim(J1, &who()).await.unwrap();
    ledger.append(&first, &[found(F1, "a")]).await.unwrap();
}

async fn a_lease_from_the_future_is_fenced(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let forged = Lease {
        job: J0,
        epoch: lease.epoch + 1,
    };
    assert_eq!(
        ledger.append(&forged, &[found(F1, "a")]).await,
        Err(LedgerError::Fenced(J0))
    );
}

async fn facts_of_an_item_keep_their_order(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let intended = CopyFact::Intended {
        digest: None,
        stream: Bytes::new(5),
    };
    let facts = [
        found(F1, "a"),
        copy(F1, "a", intended.clone()),
        copy(F1, "a", CopyFact::NothingSent),
    ];
    ledger.append(&lease, &facts).await.unwrap();
    ledger
        .append(&lease, &[copy(F1, "a", CopyFact::ChangedSince)])
        .await
        .unwrap();
    let want = vec![intended, CopyFact::NothingSent, CopyFact::ChangedSince];
    assert_eq!(facts_of(ledger, "a").await, Some(want));
}

async fn found_again_renews_the_header_and_keeps_the_facts(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let settled = CopyFact::Skipped(SkipRule::TooOld);
    ledger
        .append(&lease, &[found(F1, "a"), copy(F1, "a", settled.clone())])
        .await
        .unwrap();
    let mut renewed = header("a");
    renewed.size = Bytes::new(9);
    renewed.read = Some(true);
    let again = Fact::Found {
        folder: F1,
        header: renewed.clone(),
    };
    ledger.append(&lease, &[again]).await.unwrap();
    let row = ledger.copy(J0, F1, key("a")).await.unwrap().unwrap();
    assert_eq!(row.header, renewed);
    assert_eq!(row.facts, [settled]);
}

async fn a_fact_about_an_unlisted_item_writes_nothing_of_its_append(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let facts = [
        Fact::Folder(folder(F1, Some("token"))),
        found(F1, "a"),
        copy(F1, "b", CopyFact::Gone),
        Fact::Phase(JobPhase::CaughtUp, Moment::from_unix_ms(1)),
    ];
    assert_eq!(
        ledger.append(&lease, &facts).await,
        Err(LedgerError::UnknownItem(J0))
    );
    assert!(page(ledger, F1).await.is_empty());
    assert!(ledger.folders(J0).await.unwrap().is_empty());
    assert_eq!(ledger.jobs().await.unwrap()[0].phase, JobPhase::Waiting);
}

async fn an_item_is_known_per_folder_and_job(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    ledger.append(&lease, &[found(F1, "a")]).await.unwrap();
    assert_eq!(
        ledger
            .append(&lease, &[copy(F2, "a", CopyFact::Gone)])
            .await,
        Err(LedgerError::UnknownItem(J0))
    );
    let other = ledger.claim(J1, &who()).await.unwrap();
    assert_eq!(
        ledger
            .append(&other, &[copy(F1, "a", CopyFact::Gone)])
            .await,
        Err(LedgerError::UnknownItem(J1))
    );
    assert_eq!(facts_of(ledger, "a").await, Some(vec![]));
}

async fn rows_of_one_job_are_not_seen_by_another(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let facts = [Fact::Folder(folder(F1, None)), found(F1, "a")];
    ledger.append(&lease, &facts).await.unwrap();
    let all = Count::new(10);
    assert!(ledger.copies(J1, F1, None, all).await.unwrap().is_empty());
    assert!(ledger.folders(J1).await.unwrap().is_empty());
}

async fn a_folder_row_replaces_the_one_of_its_number(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let later = folder(F1, Some("s2"));
    let facts = [
        Fact::Folder(folder(FolderNo(256), None)),
        Fact::Folder(folder(F1, Some("s1"))),
        Fact::Folder(later.clone()),
    ];
    ledger.append(&lease, &facts).await.unwrap();
    assert_eq!(
        ledger.folders(J0).await.unwrap(),
        [later, folder(FolderNo(256), None)]
    );
}

async fn pages_come_in_key_order_and_end_empty(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let ids: Vec<String> = (0..57).map(|n| format!("item {n}")).collect();
    let facts: Vec<Fact> = ids.iter().map(|id| found(F1, id)).collect();
    ledger.append(&lease, &facts).await.unwrap();
    ledger.append(&lease, &[found(F2, "x")]).await.unwrap();
    let mut want: Vec<ItemKey> = ids.iter().map(|id| key(id)).collect();
    want.sort();
    let (mut got, mut after) = (Vec::new(), None);
    loop {
        let rows = ledger.copies(J0, F1, after, Count::new(10)).await.unwrap();
        assert!(rows.len() <= 10);
        let Some(last) = rows.last() else { break };
        after = Some(last.key);
        got.extend(rows.iter().map(|row| row.key));
    }
    assert_eq!(got, want);
}

async fn a_page_of_nothing_is_asked_for_and_given(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    ledger.append(&lease, &[found(F1, "a")]).await.unwrap();
    let none = ledger.copies(J0, F1, None, Count::ZERO).await.unwrap();
    assert!(none.is_empty());
    let past = Some(ItemKey([0xFF; 16]));
    let end = ledger.copies(J0, F1, past, Count::new(5)).await.unwrap();
    assert!(end.is_empty());
}

async fn paging_under_writes_misses_no_row_that_was_there(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let old: Vec<Fact> = (0..40).map(|n| found(F1, &format!("old {n}"))).collect();
    ledger.append(&lease, &old).await.unwrap();
    let (mut seen, mut after, mut n) = (Vec::new(), None, 0);
    loop {
        let rows = ledger.copies(J0, F1, after, Count::new(3)).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = Some(last.key);
        seen.extend(rows.iter().map(|row| row.key));
        n += 1;
        // New rows land before and behind the reader, and the rows being read change.
        let mut facts = vec![found(F1, &format!("new {n}"))];
        facts.push(copy(F1, &format!("old {n}"), CopyFact::Gone));
        ledger.append(&lease, &facts).await.unwrap();
    }
    for n in 0..40 {
        let key = key(&format!("old {n}"));
        assert_eq!(seen.iter().filter(|k| **k == key).count(), 1, "old {n}");
    }
}

async fn an_empty_append_still_asks_for_the_lease(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    ledger.append(&lease, &[]).await.unwrap();
    ledger.claim(J0, &who()).await.unwrap();
    assert_eq!(
        ledger.append(&lease, &[]).await,
        Err(LedgerError::Fenced(J0))
    );
}

async fn a_row_does_not_grow_without_end(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    ledger.append(&lease, &[found(F1, "a")]).await.unwrap();
    let made = [copy(F1, "a", intended()), copy(F1, "a", acknowledged())];
    ledger.append(&lease, &made).await.unwrap();
    // Two years of a draft that is edited every day.
    for _ in 0..700 {
        let day = [
            CopyFact::ChangedSince,
            CopyFact::UpdateIntended {
                digest: None,
                stream: Bytes::new(5),
            },
            CopyFact::Updated(placed()),
        ];
        let day = day.map(|fact| copy(F1, "a", fact));
        ledger.append(&lease, &day).await.unwrap();
        let facts = facts_of(ledger, "a").await.unwrap();
        assert!(facts.len() <= limits::FACTS_PER_ROW_LONG, "{}", facts.len());
    }
    let row = ledger.copy(J0, F1, key("a")).await.unwrap().unwrap();
    let state = mailferry::flow::copy::replay(&row).unwrap();
    assert_eq!(state.bucket(), Some(Bucket::Confirmed));
}

async fn a_fact_that_contradicts_its_row_writes_nothing(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    ledger.append(&lease, &[found(F1, "a")]).await.unwrap();
    let facts = [found(F1, "b"), copy(F1, "a", CopyFact::NotSeen)];
    assert_eq!(
        ledger.append(&lease, &facts).await,
        Err(LedgerError::Contradiction(J0))
    );
    assert_eq!(facts_of(ledger, "a").await, Some(vec![]));
    assert_eq!(facts_of(ledger, "b").await, None);
    ledger.append(&lease, &[found(F1, "c")]).await.unwrap();
}

async fn the_index_and_the_sums_say_what_the_rows_say(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let listed: Vec<Fact> = (0..12).map(|n| found(F1, &n.to_string())).collect();
    ledger.append(&lease, &listed).await.unwrap();
    ledger.append(&lease, &[found(F2, "0")]).await.unwrap();
    // Several facts of one item in one append, and items in every kind of state.
    let facts = [
        ("1", vec![intended()]),
        ("2", vec![intended(), acknowledged()]),
        ("3", vec![intended(), CopyFact::Lost(DoubtCause::Reset)]),
        (
            "4",
            vec![intended(), acknowledged(), CopyFact::ChangedSince],
        ),
        ("5", vec![intended(), acknowledged(), CopyFact::Gone]),
        ("6", vec![CopyFact::Skipped(SkipRule::TooOld)]),
        ("7", vec![CopyFact::Gone]),
    ];
    for (id, facts) in facts {
        let facts: Vec<Fact> = facts.into_iter().map(|fact| copy(F1, id, fact)).collect();
        ledger.append(&lease, &facts).await.unwrap();
    }
    let mut seen = Vec::new();
    for due in Due::ALL {
        let mut after = None;
        loop {
            let rows = ledger.due(J0, F1, due, after, Count::new(2)).await.unwrap();
            let Some(last) = rows.last() else { break };
            assert!(rows.len() <= 2 && rows.is_sorted_by_key(|row| row.key));
            after = Some(last.key);
            for row in rows {
                let state = mailferry::flow::copy::replay(&row).unwrap();
                assert_eq!(state.due(), Some(due));
                seen.push(row.header.id.as_str().to_owned());
            }
        }
    }
    seen.sort();
    assert_eq!(seen, ["0", "1", "10", "11", "3", "4", "5", "8", "9"]);
    let sums = ledger.sums(J0).await.unwrap();
    let one = sums[&F1];
    assert_eq!(one.source(), Count::new(10));
    assert_eq!(one.of(Bucket::Remaining), Count::new(5));
    assert_eq!(one.of(Bucket::Confirmed), Count::new(1));
    assert_eq!(one.of(Bucket::InDoubt), Count::new(2));
    assert_eq!(one.due(Due::Retract), Count::new(1));
    assert_eq!(
        (one.placed(), one.carried()),
        (Count::new(3), Bytes::new(5))
    );
    assert_eq!(sums[&F2].source(), Count::new(1));
    assert!(ledger.sums(J1).await.unwrap().is_empty());
}

fn placed() -> Placed {
    Placed {
        item: TargetItemId::new("t"),
        change_key: ChangeKey::new("c"),
    }
}

fn intended() -> CopyFact {
    CopyFact::Intended {
        digest: None,
        stream: Bytes::new(5),
    }
}

fn acknowledged() -> CopyFact {
    CopyFact::Acknowledged(placed())
}

async fn ids_that_differ_in_case_are_two_rows(ledger: &dyn Ledger) {
    let lease = claimed(ledger).await;
    let facts = [
        found(F1, "AbC="),
        found(F1, "aBc="),
        copy(F1, "aBc=", CopyFact::Gone),
    ];
    ledger.append(&lease, &facts).await.unwrap();
    assert_eq!(page(ledger, F1).await.len(), 2);
    assert_eq!(facts_of(ledger, "AbC=").await, Some(vec![]));
}

async fn an_unknown_row_is_none_and_not_an_error(ledger: &dyn Ledger) {
    claimed(ledger).await;
    assert_eq!(ledger.copy(J0, F1, key("a")).await, Ok(None));
    assert_eq!(ledger.copy(JobId(77), F1, key("a")).await, Ok(None));
}

async fn many_jobs_append_at_once_and_each_reads_its_own(ledger: Arc<dyn Ledger>) {
    let jobs: Vec<JobRow> = (0..20).map(|n| job(JobId(n))).collect();
    ledger.register(&jobs).await.unwrap();
    let tasks = (0..20).map(|n| {
        let ledger = Arc::clone(&ledger);
        async move {
            let lease = ledger.claim(JobId(n), &who()).await.unwrap();
            for round in 0..5 {
                let id = format!("{n}/{round}");
                let facts = [found(F1, &id), copy(F1, &id, CopyFact::Gone)];
                ledger.append(&lease, &facts).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(tasks).await;
    for n in 0..20 {
        let rows = ledger.copies(JobId(n), F1, None, Count::new(99)).await;
        assert_eq!(rows.unwrap().len(), 5, "job {n}");
    }
}

macro_rules! contract {
    ($($case:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&super::MemoryLedger::new()).await;
            })+
        }
        mod embedded {
            $(#[tokio::test]
            async fn $case() {
                let dir = tempfile::tempdir().unwrap();
                super::$case(&super::open(dir.path())).await;
            })+
        }
    };
}

contract!(
    jobs_come_in_plan_order,
    registering_again_changes_nothing,
    a_job_registers_at_epoch_zero_whatever_the_caller_says,
    an_unknown_job_is_refused,
    two_claimers_leave_one_writer,
    a_claim_fences_its_own_job_only,
    a_lease_from_the_future_is_fenced,
    facts_of_an_item_keep_their_order,
    found_again_renews_the_header_and_keeps_the_facts,
    a_fact_about_an_unlisted_item_writes_nothing_of_its_append,
    an_item_is_known_per_folder_and_job,
    rows_of_one_job_are_not_seen_by_another,
    a_folder_row_replaces_the_one_of_its_number,
    pages_come_in_key_order_and_end_empty,
    a_page_of_nothing_is_asked_for_and_given,
    paging_under_writes_misses_no_row_that_was_there,
    an_empty_append_still_asks_for_the_lease,
    a_row_does_not_grow_without_end,
    a_fact_that_contradicts_its_row_writes_nothing,
    the_index_and_the_sums_say_what_the_rows_say,
    ids_that_differ_in_case_are_two_rows,
    an_unknown_row_is_none_and_not_an_error,
);

#[tokio::test]
async fn many_jobs_append_at_once_memory() {
    many_jobs_append_at_once_and_each_reads_its_own(Arc::new(MemoryLedger::new())).await;
}

#[tokio::test]
async fn many_jobs_append_at_once_embedded() {
    let dir = tempfile::tempdir().unwrap();
    many_jobs_append_at_once_and_each_reads_its_own(Arc::new(open(dir.path()))).await;
}

// ---- Memory: what a crash forgets -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_crash_forgets_nothing_that_was_acknowledged() {
    let ledger = MemoryLedger::new();
    let lease = claimed(&ledger).await;
    ledger.append(&lease, &[found(F1, "a")]).await.unwrap();
    ledger.crash();
    assert_eq!(facts_of(&ledger, "a").await, Some(vec![]));
}

#[tokio::test]
async fn a_forgetful_ledger_forgets_what_was_not_flushed() {
    let ledger = MemoryLedger::forgetful();
    let lease = claimed(&ledger).await;
    ledger.append(&lease, &[found(F1, "a")]).await.unwrap();
    ledger.flush();
    let facts = [found(F1, "b"), copy(F1, "a", CopyFact::Gone)];
    ledger.append(&lease, &facts).await.unwrap();
    assert_eq!(
        facts_of(&ledger, "b").await,
        Some(vec![]),
        "seen before the crash"
    );
    ledger.crash();
    assert_eq!(facts_of(&ledger, "a").await, Some(vec![]));
    assert_eq!(facts_of(&ledger, "b").await, None);
}

// ---- Embedded: files, reopening, refusals ---------------------------------------------------------------------------------------

fn state(dir: &Path) -> PathBuf {
    dir.join("state")
}

fn open(dir: &Path) -> EmbeddedLedger {
    EmbeddedLedger::open(&state(dir), &belongs(), Opening::Create).unwrap()
}

fn reopen(dir: &Path, belongs: &Header) -> Result<EmbeddedLedger, OpenError> {
    EmbeddedLedger::open(&state(dir), belongs, Opening::Existing)
}

async fn with_one_item(dir: &Path) {
    let ledger = open(dir);
    let lease = claimed(&ledger).await;
    let facts = [
        Fact::Folder(folder(F1, Some("s"))),
        found(F1, "a"),
        copy(F1, "a", intended()),
        copy(F1, "a", acknowledged()),
    ];
    ledger.append(&lease, &facts).await.unwrap();
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    with_one_item(dir.path()).await;
    let ledger = reopen(dir.path(), &belongs()).unwrap();
    assert_eq!(ledger.jobs().await.unwrap().len(), 2);
    assert_eq!(ledger.folders(J0).await.unwrap(), [folder(F1, Some("s"))]);
    assert!(matches!(
        facts_of(&ledger, "a").await.unwrap()[..],
        [CopyFact::Intended { .. }, CopyFact::Acknowledged(_)]
    ));
}

#[tokio::test]
async fn a_lease_of_an_earlier_process_is_fenced_by_the_next_claim() {
    let dir = tempfile::tempdir().unwrap();
    let stale = {
        let ledger = open(dir.path());
        claimed(&ledger).await
    };
    let ledger = reopen(dir.path(), &belongs()).unwrap();
    ledger.claim(J0, &who()).await.unwrap();
    assert_eq!(
        ledger.append(&stale, &[]).await,
        Err(LedgerError::Fenced(J0))
    );
}

/// The files as they lie on disk at the moment an append returns are what a killed process leaves behind.
#[tokio::test]
async fn an_append_is_in_the_files_when_it_returns() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let lease = claimed(&ledger).await;
    for n in 0..20 {
        let id = format!("item {n}");
        let facts = [found(F1, &id), copy(F1, &id, CopyFact::Gone)];
        ledger.append(&lease, &facts).await.unwrap();
        let image = tempfile::tempdir().unwrap();
        copy_tree(&state(dir.path()), &state(image.path()));
        let left = reopen(image.path(), &belongs()).unwrap();
        assert_eq!(
            facts_of(&left, &id).await,
            Some(vec![CopyFact::Gone]),
            "{id}"
        );
        assert_eq!(page(&left, F1).await.len(), n + 1);
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn a_second_opener_is_told_who_holds_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path());
    match reopen(dir.path(), &belongs()) {
        Err(OpenError::Held { by, .. }) => {
            assert_eq!(by.map(|by| by.pid), Some(std::process::id()));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_plan_or_realm_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    with_one_item(dir.path()).await;
    let other_plan = Header {
        plan: PlanHash::new("bb"),
        ..belongs()
    };
    assert!(matches!(
        reopen(dir.path(), &other_plan),
        Err(OpenError::OtherPlan { found, .. }) if found == PlanHash::new("aa")
    ));
    let live = Header {
        realm: Realm::Live,
        ..belongs()
    };
    assert!(matches!(
        reopen(dir.path(), &live),
        Err(OpenError::OtherRealm { .. })
    ));
    reopen(dir.path(), &belongs()).expect("refusing left it usable");
}

#[tokio::test]
async fn a_directory_without_a_ledger_is_missing_and_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        reopen(dir.path(), &belongs()),
        Err(OpenError::Missing(_))
    ));
    assert!(!state(dir.path()).exists());
}

#[tokio::test]
async fn a_directory_with_other_files_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(state(dir.path())).unwrap();
    std::fs::write(state(dir.path()).join("thesis.txt"), "mine").unwrap();
    let opened = EmbeddedLedger::open(&state(dir.path()), &belongs(), Opening::Create);
    assert!(matches!(opened, Err(OpenError::Foreign(_))));
    assert_eq!(std::fs::read_dir(state(dir.path())).unwrap().count(), 1);
}

#[tokio::test]
async fn a_ledger_of_a_newer_program_is_refused_by_number() {
    let dir = tempfile::tempdir().unwrap();
    with_one_item(dir.path()).await;
    {
        let db = opened(&state(dir.path()).join("ledger"));
        let mut bytes = db.get(codec::HEADER_KEY).unwrap().unwrap().to_vec();
        bytes[0] = codec::FORMAT + 1;
        db.insert(codec::HEADER_KEY, bytes).unwrap();
    }
    match reopen(dir.path(), &belongs()) {
        Err(OpenError::Newer { found, newest, .. }) => assert_eq!((found, newest), (3, 2)),
        other => panic!("{other:?}"),
    }
}

/// Enough rows that leaves are cut many times and the store is opened anew on the way: both ledgers say the same of everything.
#[tokio::test]
async fn a_ledger_on_disk_says_what_one_in_memory_says_however_many_rows_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, memory) = (open(dir.path()), MemoryLedger::new());
    let leases = [claimed(&disk).await, claimed(&memory).await];
    let mut dice = Dice::new(0x1EAF);
    let mut known = [0u64; 2];
    for round in 0..60 {
        let mut facts = Vec::new();
        for _ in 0..100 {
            let at = usize::try_from(dice.below(2)).unwrap();
            let folder = [F1, F2][at];
            if known[at] == 0 || dice.chance(3, 5) {
                facts.push(found(folder, &format!("{at}/{}", known[at])));
                known[at] += 1;
                continue;
            }
            let id = format!("{at}/{}", dice.below(known[at]));
            let fact = if dice.chance(1, 3) {
                CopyFact::Gone
            } else {
                CopyFact::ChangedSince
            };
            facts.push(copy(folder, &id, fact));
            if dice.chance(1, 3) {
                let sent = format!("sent {round}/{}", facts.len());
                let intended = CopyFact::Intended {
                    digest: None,
                    stream: Bytes::new(5),
                };
                facts.push(found(folder, &sent));
                facts.push(copy(folder, &sent, intended));
            }
        }
        disk.append(&leases[0], &facts).await.unwrap();
        memory.append(&leases[1], &facts).await.unwrap();
    }
    assert!(known.iter().sum::<u64>() > 3_000);
    drop(disk);
    let disk = reopen(dir.path(), &belongs()).unwrap();
    for folder in [F1, F2] {
        let sums = memory.folder_sums(J0, folder).await.unwrap();
        assert_eq!(disk.folder_sums(J0, folder).await.unwrap(), sums);
        for at_most in [60, 1_000] {
            let mut after = None;
            loop {
                let page = disk
                    .copies(J0, folder, after, Count::new(at_most))
                    .await
                    .unwrap();
                let want = memory.copies(J0, folder, after, Count::new(at_most)).await;
                assert_eq!(page, want.unwrap());
                let Some(last) = page.last() else { break };
                after = Some(last.key);
            }
            for due in Due::ALL {
                let mut after = None;
                loop {
                    let page = disk
                        .due(J0, folder, due, after, Count::new(at_most))
                        .await
                        .unwrap();
                    let want = memory
                        .due(J0, folder, due, after, Count::new(at_most))
                        .await;
                    assert_eq!(page, want.unwrap());
                    let Some(last) = page.last() else { break };
                    after = Some(last.key);
                }
            }
        }
    }
}

/// A reader between whose pages leaves are cut misses nothing that was there, and sees nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_read_while_rows_are_put_in_hold_every_row_that_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(open(dir.path()));
    let lease = claimed(ledger.as_ref()).await;
    let before: Vec<Fact> = (0..800).map(|n| found(F1, &format!("old {n}"))).collect();
    ledger.append(&lease, &before).await.unwrap();
    let writer = {
        let ledger = Arc::clone(&ledger);
        #[expect(clippy::disallowed_methods, reason = "joined below")]
        tokio::spawn(async move {
            for round in 0..40 {
                let more: Vec<Fact> = (0..50)
                    .map(|n| found(F1, &format!("new {round} {n}")))
                    .collect();
                ledger.append(&lease, &more).await.unwrap();
            }
        })
    };
    let want: std::collections::BTreeSet<ItemKey> =
        (0..800).map(|n| key(&format!("old {n}"))).collect();
    while !writer.is_finished() {
        for by_due in [false, true] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let few = Count::new(30);
                let page = if by_due {
                    ledger.due(J0, F1, Due::Create, after, few).await.unwrap()
                } else {
                    ledger.copies(J0, F1, after, few).await.unwrap()
                };
                let Some(last) = page.last() else { break };
                after = Some(last.key);
                seen.extend(page.iter().map(|row| row.key));
            }
            assert!(seen.is_sorted_by(|a, b| a < b), "ascending, none twice");
            let old = seen.iter().filter(|key| want.contains(key)).count();
            assert_eq!(old, want.len(), "by due: {by_due}");
        }
    }
    writer.await.unwrap();
}

/// Rows as version 0.1 wrote them (pinned in `store::codec_v1`): opened, they are rewritten, indexed and summed.
#[tokio::test]
async fn a_ledger_of_format_1_is_brought_up_to_date_and_a_cut_off_attempt_is_repeated() {
    let hex = |text: &str| -> Vec<u8> {
        let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digits).collect()
    };
    let job = JobId(1);
    let no = FolderNo(3);
    let item = key("AAMk");
    let copy_row = hex("01 03 c25edb1f5b227227eb64a039607a6ce5 04 41414d6b 00 03 010203 08 49504d2e4e6f7465 f0a204 0101 0109 01 00 00 05".replace(' ', "").as_str());
    let folder_row = hex(
        "014601000b4c61622f726573756c747312496e626f782f4c61625c2f726573756c7473084950462e4e6f7465011d010c010901014701015301",
    );
    let folder_row = [vec![1, 3], folder_row].concat();
    let job_row = hex("01010b6140782e6578616d706c650b6240792e6578616d706c650308ac0202");
    for half_done in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        with_one_item(dir.path()).await;
        {
            let db = opened(&state(dir.path()).join("ledger"));
            let header = db.get(codec::HEADER_KEY).unwrap().unwrap();
            db.clear().unwrap();
            let header = [&[1], &header[1..]].concat();
            db.insert(codec::HEADER_KEY, header).unwrap();
            db.insert(codec::job_key(job), job_row.clone()).unwrap();
            db.insert(codec::folder_key(job, no), folder_row.clone())
                .unwrap();
            db.insert(codec::copy_key(job, no, item), copy_row.clone())
                .unwrap();
        }
        if half_done {
            // Some rows were written anew already, and the new ledger is not yet in the old one's place.
            let db = opened(&state(dir.path()).join("ledger.new"));
            let new = mailferry::store::codec_v1::job(&job_row).unwrap();
            db.insert(codec::job_key(job), codec::encode(&new)).unwrap();
        }
        let ledger = reopen(dir.path(), &belongs()).unwrap();
        assert_eq!(ledger.jobs().await.unwrap()[0].epoch, 300);
        assert_eq!(ledger.folders(job).await.unwrap()[0].items, Count::new(12));
        let open = ledger
            .due(job, no, Due::InFlight, None, Count::new(9))
            .await
            .unwrap();
        assert_eq!(open.len(), 1, "half done: {half_done}");
        assert_eq!(open[0].key, item);
        let sums = ledger.sums(job).await.unwrap();
        assert_eq!(sums[&no].of(Bucket::InDoubt), Count::new(1));
        drop(ledger);
        reopen(dir.path(), &belongs()).unwrap();
    }
}

/// Sums as they were before they told how copies travelled: opened, they are counted anew.
#[tokio::test]
async fn sums_that_do_not_tell_routes_are_counted_anew_from_their_rows() {
    let dir = tempfile::tempdir().unwrap();
    with_one_item(dir.path()).await;
    let at = codec::sums_key(J0, F1);
    let short = {
        let ledger = reopen(dir.path(), &belongs()).unwrap();
        let lease = ledger.claim(J0, &who()).await.unwrap();
        let mut facts = vec![found(F1, "by class"), found(F1, "stream")];
        facts.push(copy(F1, "by class", CopyFact::Rerouted(None)));
        for id in ["by class", "stream"] {
            facts.push(copy(F1, id, intended()));
            facts.push(copy(F1, id, acknowledged()));
        }
        ledger.append(&lease, &facts).await.unwrap();
        let sums = ledger.folder_sums(J0, F1).await.unwrap();
        assert_eq!(sums.by(Route::Typed), Count::new(1));
        assert_eq!(sums.by(Route::Stream), Count::new(2));
        drop(ledger);
        let db = opened(&state(dir.path()).join("ledger"));
        let whole = db.get(at).unwrap().unwrap();
        let short = whole[..whole.len() - 2].to_vec();
        db.insert(at, short.clone()).unwrap();
        short
    };
    let ledger = reopen(dir.path(), &belongs()).unwrap();
    let sums = ledger.folder_sums(J0, F1).await.unwrap();
    assert_eq!(sums.by(Route::Typed), Count::new(1));
    assert_eq!(sums.by(Route::Stream), Count::new(2));
    assert_eq!(sums.placed(), Count::new(3));
    drop(ledger);
    // Anything else that does not read back stays what it is: damage.
    let db = opened(&state(dir.path()).join("ledger"));
    db.insert(at, &short[..short.len() - 1]).unwrap();
    drop(db);
    let ledger = reopen(dir.path(), &belongs()).unwrap();
    let sums = ledger.folder_sums(J0, F1).await;
    assert!(matches!(sums, Err(LedgerError::Unusable(_))), "{sums:?}");
}

#[tokio::test]
async fn a_damaged_row_is_an_error_and_not_a_missing_row() {
    let dir = tempfile::tempdir().unwrap();
    with_one_item(dir.path()).await;
    {
        let db = opened(&state(dir.path()).join("ledger"));
        db.insert(codec::copy_key(J0, F1, key("a")), &b"\x02\xFF\xFF"[..])
            .unwrap();
    }
    let ledger = reopen(dir.path(), &belongs()).unwrap();
    let read = ledger.copy(J0, F1, key("a")).await;
    assert!(matches!(read, Err(LedgerError::Unusable(_))), "{read:?}");
    let lease = ledger.claim(J0, &who()).await.unwrap();
    let write = ledger.append(&lease, &[found(F1, "a")]).await;
    assert!(matches!(write, Err(LedgerError::Unusable(_))), "{write:?}");
}

#[tokio::test]
async fn garbage_in_place_of_the_database_is_refused_without_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    with_one_item(dir.path()).await;
    let db = state(dir.path()).join("ledger/db");
    let whole = std::fs::read(&db).unwrap();
    let noise: Vec<u8> = (0..=250).cycle().step_by(31).take(whole.len()).collect();
    for bytes in [&b""[..], &b"not a ledger"[..], &noise[..]] {
        std::fs::write(&db, bytes).unwrap();
        match reopen(dir.path(), &belongs()) {
            Err(OpenError::Corrupt { .. }) => {}
            other => panic!("{} bytes: {other:?}", bytes.len()),
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_closed_to_group_and_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    with_one_item(dir.path()).await;
    let _open = reopen(dir.path(), &belongs()).unwrap();
    let mut waiting = vec![state(dir.path())];
    while let Some(path) = waiting.pop() {
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!(meta.permissions().mode() & 0o077, 0, "{}", path.display());
        if meta.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        }
    }
}

/// Not a bar to pass but numbers to read: `cargo test --test all contract_ledger::speed -- --ignored --nocapture`.
#[ignore = "a measurement"]
#[tokio::test(flavor = "multi_thread")]
async fn speed_of_single_and_of_concurrent_appends() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let ledger = Arc::new(open(dir.path()));
    let jobs: Vec<JobRow> = (0..20).map(|n| job(JobId(n))).collect();
    ledger.register(&jobs).await.unwrap();
    let measure = async |workers: u32, rounds: u32| {
        #[expect(clippy::disallowed_methods, reason = "a measurement")]
        let began = std::time::Instant::now();
        let tasks = (0..workers).map(|n| {
            let ledger = Arc::clone(&ledger);
            #[expect(clippy::disallowed_methods, reason = "a measurement")]
            tokio::spawn(async move {
                let lease = ledger.claim(JobId(n), &who()).await.unwrap();
                for round in 0..rounds {
                    let facts: Vec<Fact> = (0..32)
                        .map(|i| found(F1, &format!("{workers}/{n}/{round}/{i}")))
                        .collect();
                    ledger.append(&lease, &facts).await.unwrap();
                }
            })
        });
        for task in futures_util::future::join_all(tasks).await {
            task.unwrap();
        }
        let secs = began.elapsed().as_secs_f64();
        let appends = f64::from(workers * rounds) / secs;
        eprintln!(
            "{workers} jobs: {appends:.0} appends/s, {:.0} facts/s",
            appends * 32.0
        );
    };
    measure(1, 400).await;
    measure(20, 100).await;
}

/// The store as the ledger keeps it.
fn opened(path: &std::path::Path) -> sled::Db {
    sled::Config::new()
        .path(path)
        .segment_size(mailferry::base::limits::LEDGER_SEGMENT)
        .open()
        .unwrap()
}
