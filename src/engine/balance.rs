//! Takes the balance from the ledger.

use std::collections::BTreeMap;

use crate::base::books::{Due, FolderSums};
use crate::base::fact::{Bucket, CopyFact, CopyRow, Decision, FolderRow, JobRow, SkipRule};
use crate::base::id::{FolderNo, JobId};
use crate::base::limits::LEDGER_PAGE;
use crate::base::quantity::{Bytes, Count};
use crate::base::route::Route;
use crate::base::screening::Answer;
use crate::evidence::balance::{
    Balance, Exception, FolderBalance, KEPT_WITHHELD_BY, Leftover, MailboxBalance, skip_words,
};
use crate::flow::copy::{CopyState, replay};
use crate::flow::route::route_of;
use crate::flow::screened::last_screening;
use crate::port::ledger::{Ledger, LedgerError};

/// Reads every row of the ledger once and adds up. Changes nothing; memory: a page of rows, the folders, and the exceptions.
pub async fn take(ledger: &dyn Ledger) -> Result<Balance, LedgerError> {
    let mut balance = Balance::default();
    for job in ledger.jobs().await? {
        balance.mailboxes.push(mailbox(ledger, &job).await?);
    }
    Ok(balance)
}

/// The same balance without its exceptions, from the sums the ledger keeps: costs a read per folder, however many items there are. For people
/// who wait; reports for others are taken row by row.
pub async fn sums(ledger: &dyn Ledger) -> Result<Balance, LedgerError> {
    let mut balance = Balance::default();
    for job in ledger.jobs().await? {
        let sums = ledger.sums(job.job).await?;
        let rows = ledger.folders(job.job).await?;
        let mut folders = Vec::new();
        for row in &rows {
            let own = sums.get(&row.no).copied().unwrap_or_default();
            if is_tombstone(row, own) {
                continue;
            }
            let mut folder = FolderBalance::begin(row);
            folder.take_in(&own);
            folder.confirmed_withheld = confirmed(ledger, job.job, row.no, own).await?;
            folder.finish(row);
            folders.push(folder);
        }
        folders.sort_by(|a, b| a.path.cmp(&b.path));
        balance.mailboxes.push(MailboxBalance {
            job: job.job,
            source: job.source,
            target: job.target,
            phase: job.phase,
            folders,
            exceptions: Vec::new(),
            leftovers: Vec::new(),
            typed: BTreeMap::new(),
        });
    }
    Ok(balance)
}

/// Of the withheld items of a folder, those that a person confirmed: all but those that wait for one. Costs nothing where nothing is withheld.
async fn confirmed(
    ledger: &dyn Ledger,
    job: JobId,
    folder: FolderNo,
    sums: FolderSums,
) -> Result<Count, LedgerError> {
    let withheld = sums.of(Bucket::Quarantined);
    if withheld == Count::ZERO {
        return Ok(Count::ZERO);
    }
    let (mut undecided, mut after) = (0, None);
    loop {
        let rows = ledger
            .due(job, folder, Due::Attention, after, LEDGER_PAGE)
            .await?;
        let Some(last) = rows.last() else {
            return Ok(withheld.saturating_sub(Count::new(undecided)));
        };
        after = Some(last.key);
        for row in &rows {
            let state = replay(row).map_err(|error| LedgerError::Unusable(error.to_string()))?;
            undecided += u64::from(state.is_undecided());
        }
    }
}

/// What has a reason a person may want to read, by what is to be done about it. What stays by rule is in the sums, and in the report.
const OPEN: [Due; 6] = [
    Due::Attention,
    Due::Retract,
    Due::Doubt,
    Due::InFlight,
    Due::Check,
    Due::Update,
];

/// The balance from the sums, and no more than `at_most` of its exceptions: costs a read per folder and one per exception, however many items
/// there are.
pub async fn brief(ledger: &dyn Ledger, at_most: Count) -> Result<Balance, LedgerError> {
    let mut balance = sums(ledger).await?;
    let mut left = at_most;
    for mailbox in &mut balance.mailboxes {
        let sums = ledger.sums(mailbox.job).await?;
        for row in ledger.folders(mailbox.job).await? {
            let sums = sums.get(&row.no).copied().unwrap_or_default();
            for due in OPEN {
                if left > Count::ZERO && sums.due(due) > Count::ZERO {
                    let before = mailbox.exceptions.len() + mailbox.leftovers.len();
                    some(ledger, mailbox, &row, due, left).await?;
                    let found = mailbox.exceptions.len() + mailbox.leftovers.len() - before;
                    left = left.saturating_sub(Count::new(found as u64));
                }
            }
        }
    }
    Ok(balance)
}

/// Adds the first exceptions and leftovers of a folder that have this to be done.
async fn some(
    ledger: &dyn Ledger,
    mailbox: &mut MailboxBalance,
    row: &FolderRow,
    due: Due,
    at_most: Count,
) -> Result<(), LedgerError> {
    let copies = ledger.due(mailbox.job, row.no, due, None, at_most).await?;
    let mut nowhere = FolderBalance::begin(row);
    for copy in &copies {
        count(copy, row, &mut nowhere, mailbox)?;
    }
    Ok(())
}

/// A folder that went, with nothing left that is on the source.
fn is_tombstone(row: &FolderRow, sums: FolderSums) -> bool {
    row.gone && sums.source() == Count::ZERO
}

async fn mailbox(ledger: &dyn Ledger, job: &JobRow) -> Result<MailboxBalance, LedgerError> {
    let mut out = MailboxBalance {
        job: job.job,
        source: job.source.clone(),
        target: job.target.clone(),
        phase: job.phase,
        folders: Vec::new(),
        exceptions: Vec::new(),
        leftovers: Vec::new(),
        typed: BTreeMap::new(),
    };
    for row in ledger.folders(job.job).await? {
        if is_tombstone(&row, ledger.folder_sums(job.job, row.no).await?) {
            continue;
        }
        let mut folder = FolderBalance::begin(&row);
        let mut after = None;
        loop {
            let copies = ledger.copies(job.job, row.no, after, LEDGER_PAGE).await?;
            let Some(last) = copies.last() else { break };
            after = Some(last.key);
            for copy in &copies {
                count(copy, &row, &mut folder, &mut out)?;
            }
        }
        folder.finish(&row);
        out.folders.push(folder);
    }
    out.folders.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(out)
}

fn count(
    copy: &CopyRow,
    row: &FolderRow,
    folder: &mut FolderBalance,
    out: &mut MailboxBalance,
) -> Result<(), LedgerError> {
    let state = replay(copy).map_err(|error| LedgerError::Unusable(error.to_string()))?;
    let Some(bucket) = state.bucket() else {
        out.leftovers.extend(leftover(copy, row, &state));
        return Ok(());
    };
    let carried = match &state {
        CopyState::Confirmed {
            sent: Some(sent), ..
        } => sent.stream,
        _ => Bytes::ZERO,
    };
    folder.count(bucket, copy.header.size, carried);
    if state.placed().is_some() {
        let route = route_of(copy);
        folder.routes.count(route);
        if route == Route::Typed {
            *out.typed.entry(copy.header.class.clone()).or_default() += Count::new(1);
        }
    }
    if bucket == Bucket::Quarantined && !state.is_undecided() {
        folder.confirmed_withheld += Count::new(1);
    }
    if let Some(why) = why(copy, &state, bucket) {
        out.exceptions.push(Exception {
            folder: row.path.clone(),
            item: copy.key,
            class: copy.header.class.clone(),
            bucket,
            rule: match &state {
                CopyState::Skipped(rule) | CopyState::Decided { rule, .. } => Some(*rule),
                _ => None,
            },
            why,
        });
    }
    Ok(())
}

fn leftover(copy: &CopyRow, row: &FolderRow, state: &CopyState) -> Option<Leftover> {
    let why = match state {
        CopyState::Departed {
            kept: Some(kept), ..
        } => format!("left the source; {}", kept.name()),
        CopyState::Departed { sent: None, .. } => {
            "left the source; the copy was found there and is not provably ours to remove"
                .to_owned()
        }
        CopyState::Departed { .. } => {
            "left the source; not yet taken off the target, or held back since too much left at once"
                .to_owned()
        }
        _ => return None,
    };
    Some(Leftover {
        folder: row.path.clone(),
        item: copy.key,
        class: copy.header.class.clone(),
        why,
    })
}

/// Why an item is neither confirmed nor simply waiting, in words; a person's decision with name, day and reason.
pub fn why(row: &CopyRow, state: &CopyState, bucket: Bucket) -> Option<String> {
    match state {
        CopyState::Refused(refusal) => Some(format!("{:?}: {}", refusal.why, refusal.said)),
        CopyState::Skipped(rule) => Some(skip_words(*rule)),
        CopyState::Parked { cause, .. } => Some(cause.name().to_owned()),
        CopyState::InDoubt {
            cause, empty_looks, ..
        } => Some(format!(
            "create without a usable answer ({cause:?}), {empty_looks} looks so far"
        )),
        CopyState::Intended { .. } => {
            Some("create begun, answer not recorded; the next run looks".to_owned())
        }
        CopyState::ChangedSince {
            refused: Some(refusal),
            ..
        } => Some(format!(
            "changed at the source after it was carried; the newer version is refused ({:?}: {})",
            refusal.why, refusal.said
        )),
        CopyState::ChangedSince {
            waits: Some(why), ..
        } => Some(format!(
            "changed at the source after it was carried; the newer version is waiting for screening: {}",
            why.name()
        )),
        CopyState::ChangedSince { sent: None, .. } => Some(
            "changed at the source; the copy was found there and is not provably ours to change"
                .to_owned(),
        ),
        CopyState::ChangedSince { .. } => {
            debug_assert_eq!(bucket, Bucket::ChangedSince);
            Some("changed at the source after it was carried".to_owned())
        }
        CopyState::Updating { .. } => {
            Some("update begun, answer not recorded; the next run looks".to_owned())
        }
        CopyState::Decided { rule, .. } => Some(decided(row, *rule)),
        CopyState::Withheld { confirmed, .. } => Some(withheld(row, *confirmed)),
        CopyState::Wanted {
            waits: Some(why), ..
        } => Some(format!("waiting for screening: {}", why.name())),
        CopyState::Wanted { .. }
        | CopyState::Confirmed { .. }
        | CopyState::Departed { .. }
        | CopyState::Gone => None,
    }
}

/// What was found, and who confirmed it. Names of attachments stand in the quarantine record alone.
fn withheld(row: &CopyRow, confirmed: bool) -> String {
    let screening = last_screening(row);
    let what = match screening.map(|own| &own.answer) {
        Some(Answer::Found(hits)) => {
            let marks: Vec<&str> = hits.iter().map(|hit| hit.mark.as_str()).collect();
            format!("found {}", marks.join(", "))
        }
        Some(Answer::NotScanned(why)) => format!("not scanned: {}", why.name()),
        Some(Answer::NothingFound) | None => "withheld".to_owned(),
    };
    let by = screening.map_or_else(String::new, |own| format!(" by {}", own.by));
    let decision = row.facts.iter().rev().find_map(|fact| match fact {
        CopyFact::Judged(_, _, decision) => Some(decision),
        _ => None,
    });
    match decision.filter(|_| confirmed) {
        Some(Decision { by: who, why, at }) => {
            format!("{what}{by}{KEPT_WITHHELD_BY}{who} at {at}: {why}")
        }
        None => format!("{what}{by}; nobody has decided yet"),
    }
}

fn decided(row: &CopyRow, rule: SkipRule) -> String {
    let decision = row.facts.iter().rev().find_map(|fact| match fact {
        CopyFact::Resolved(_, decision) => Some(decision),
        _ => None,
    });
    match decision {
        Some(Decision { by, why, at }) => format!("{}, {by} at {at}: {why}", skip_words(rule)),
        None => skip_words(rule),
    }
}
