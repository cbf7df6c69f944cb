//! What people decide about items: finds those that wait for a person, and records decisions as facts.

use std::collections::BTreeMap;

use crate::base::books::Due;
use crate::base::fact::{CopyFact, CopyRow, Decision, Fact, FolderRow, JobRow, Resolution};
use crate::base::id::{FolderNo, JobId, WorkerId};
use crate::base::item::ItemKey;
use crate::base::limits::LEDGER_PAGE;
use crate::base::mailbox::FolderPath;
use crate::base::quantity::Count;
use crate::flow::copy::{CopyState, replay};
use crate::port::ledger::{Ledger, LedgerError};

/// One item that a person may decide about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its mailbox pair.
    pub job: JobRow,
    /// The path of its folder.
    pub folder: FolderPath,
    /// Its row.
    pub row: CopyRow,
    /// Where it stands.
    pub state: CopyState,
}

/// Every decision a person can make about an item that waits.
pub const RESOLUTIONS: [Resolution; 3] = [Resolution::Again, Resolution::Accept, Resolution::Leave];

impl Waiting {
    fn of(job: &JobRow, folder: &FolderRow, row: CopyRow) -> Result<Self, LedgerError> {
        let state = replay(&row).map_err(|_| LedgerError::Contradiction(job.job))?;
        Ok(Self {
            job: job.clone(),
            folder: folder.path.clone(),
            row,
            state,
        })
    }

    /// The decisions its state admits.
    pub fn decisions(&self) -> Vec<Resolution> {
        let admits = |wish: &Resolution| {
            let fact = CopyFact::Resolved(*wish, nobody());
            self.state.clone().apply(&fact).is_ok()
        };
        RESOLUTIONS.into_iter().filter(admits).collect()
    }

    /// True when trying it again makes sense: it was refused, or its newer version was, or updates were tried as often as allowed.
    pub fn may_be_retried(&self) -> bool {
        let retried = self.state.clone().apply(&CopyFact::Retried(nobody()));
        retried.is_ok_and(|state| state.due() != Some(Due::Attention))
    }
}

/// A decision for asking what would follow from one.
fn nobody() -> Decision {
    Decision {
        by: String::new(),
        why: String::new(),
        at: crate::base::quantity::Moment::from_unix_ms(0),
    }
}

/// Everything that waits for a person, in plan order. Costs what it returns, and a read per folder.
pub async fn waiting(ledger: &dyn Ledger) -> Result<Vec<Waiting>, LedgerError> {
    let mut out = Vec::new();
    for job in ledger.jobs().await? {
        for folder in ledger.folders(job.job).await? {
            let mut after = None;
            loop {
                let rows = ledger
                    .due(job.job, folder.no, Due::Attention, after, LEDGER_PAGE)
                    .await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.key);
                for row in rows {
                    out.push(Waiting::of(&job, &folder, row)?);
                }
            }
        }
    }
    Ok(out)
}

/// The rows with this key, wherever they lie. A key is made from the source's id; two mailboxes do not share one.
pub async fn find(ledger: &dyn Ledger, key: ItemKey) -> Result<Vec<Waiting>, LedgerError> {
    let mut out = Vec::new();
    for job in ledger.jobs().await? {
        for folder in ledger.folders(job.job).await? {
            if let Some(row) = ledger.copy(job.job, folder.no, key).await? {
                out.push(Waiting::of(&job, &folder, row)?);
            }
        }
    }
    Ok(out)
}

/// Records one fact about each of these items. All items of a mailbox in a page of them get it, or none.
pub async fn record(
    ledger: &dyn Ledger,
    who: &WorkerId,
    items: &[Waiting],
    fact: &CopyFact,
) -> Result<Count, LedgerError> {
    let mut by_job: BTreeMap<JobId, Vec<(FolderNo, ItemKey)>> = BTreeMap::new();
    for item in items {
        let rows = by_job.entry(item.job.job).or_default();
        rows.push((item.row.folder, item.row.key));
    }
    let mut done = Count::ZERO;
    for (job, rows) in by_job {
        let lease = ledger.claim(job, who).await?;
        for page in rows.chunks(usize::try_from(LEDGER_PAGE.get()).unwrap_or(1)) {
            let facts: Vec<Fact> = page
                .iter()
                .map(|(folder, key)| Fact::Copy {
                    folder: *folder,
                    key: *key,
                    fact: fact.clone(),
                })
                .collect();
            ledger.append(&lease, &facts).await?;
            done += Count::new(facts.len() as u64);
        }
    }
    Ok(done)
}
