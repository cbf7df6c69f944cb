//! What people decide about items: finds those that wait for a person, and records decisions as facts.

use std::collections::BTreeMap;

use crate::base::books::Due;
use crate::base::fact::{Bucket, CopyFact, CopyRow, Decision, Fact, FolderRow, JobRow, Resolution};
use crate::base::id::{JobId, WorkerId};
use crate::base::item::ItemKey;
use crate::base::limits::LEDGER_PAGE;
use crate::base::mailbox::FolderPath;
use crate::base::quantity::Count;
use crate::base::screening::{Binding, Judgement};
use crate::flow::copy::{CopyState, replay};
use crate::flow::screened::last_screening;
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

    /// True for an item that is withheld, or that waits to be looked into.
    pub fn is_screened_out(&self) -> bool {
        let withheld = matches!(self.state, CopyState::Withheld { .. });
        withheld || self.state.waits_for_screening().is_some()
    }

    /// What a decision about it would be bound to; nothing where its content is not known well enough.
    pub fn bound(&self) -> Option<Binding> {
        let bound = match &self.state {
            CopyState::Withheld { bound, .. } => Some(*bound),
            _ => last_screening(&self.row).map(|own| own.bound),
        };
        bound.filter(|bound| bound.holds(bound))
    }

    /// The decisions about screening that its state admits.
    pub fn judgements(&self) -> Vec<Judgement> {
        let Some(bound) = self.bound() else {
            return Vec::new();
        };
        let admits = |judgement: &Judgement| {
            let fact = CopyFact::Judged(*judgement, bound, nobody());
            let next = self.state.clone().apply(&fact);
            next.is_ok_and(|next| next != self.state)
        };
        [Judgement::Release, Judgement::Confirm]
            .into_iter()
            .filter(admits)
            .collect()
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

/// Every item that is withheld, decided about or not, and every one that waits to be looked into. Costs a read of the folders that hold one.
pub async fn withheld(ledger: &dyn Ledger) -> Result<Vec<Waiting>, LedgerError> {
    let mut out = Vec::new();
    for job in ledger.jobs().await? {
        let sums = ledger.sums(job.job).await?;
        for folder in ledger.folders(job.job).await? {
            let own = sums.get(&folder.no).copied().unwrap_or_default();
            let kept = own.of(Bucket::Quarantined) > Count::ZERO;
            if !kept && own.due(Due::Attention) == Count::ZERO {
                continue;
            }
            let mut after = None;
            loop {
                let rows = if kept {
                    ledger
                        .copies(job.job, folder.no, after, LEDGER_PAGE)
                        .await?
                } else {
                    let due = Due::Attention;
                    ledger
                        .due(job.job, folder.no, due, after, LEDGER_PAGE)
                        .await?
                };
                let Some(last) = rows.last() else { break };
                after = Some(last.key);
                for row in rows {
                    let item = Waiting::of(&job, &folder, row)?;
                    out.extend(item.is_screened_out().then_some(item));
                }
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
    let each: Vec<(&Waiting, CopyFact)> = items.iter().map(|item| (item, fact.clone())).collect();
    record_each(ledger, who, &each).await
}

/// Records its own fact about each of these items. All items of a mailbox in a page of them get theirs, or none.
pub async fn record_each(
    ledger: &dyn Ledger,
    who: &WorkerId,
    items: &[(&Waiting, CopyFact)],
) -> Result<Count, LedgerError> {
    let mut by_job: BTreeMap<JobId, Vec<Fact>> = BTreeMap::new();
    for (item, fact) in items {
        by_job.entry(item.job.job).or_default().push(Fact::Copy {
            folder: item.row.folder,
            key: item.row.key,
            fact: fact.clone(),
        });
    }
    let mut done = Count::ZERO;
    for (job, facts) in by_job {
        let lease = ledger.claim(job, who).await?;
        for page in facts.chunks(usize::try_from(LEDGER_PAGE.get()).unwrap_or(1)) {
            ledger.append(&lease, page).await?;
            done += Count::new(page.len() as u64);
        }
    }
    Ok(done)
}
