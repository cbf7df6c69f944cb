//! In which order the mailboxes of a run begin.

use std::collections::BTreeMap;

use crate::base::books::FolderSums;
use crate::base::fact::{Bucket, FolderFate, JobPhase, JobRow};
use crate::base::id::JobId;
use crate::base::quantity::Count;
use crate::base::spec::JobSpec;
use crate::engine::cx::RunCx;
use crate::pace::order::{Left, longest_first};
use crate::port::ledger::LedgerError;

/// The jobs of the wave that falls due first, then the next; within a wave longest first by what is left of each: what the plan counts in
/// it, or else what its folders promised, less what the ledger knows to be settled, by its sums. Where all begin at once the order of the plan stays
/// within a wave, and nothing is read.
pub async fn line_up(cx: &RunCx) -> Result<Vec<JobSpec>, LedgerError> {
    let limits = &cx.spec.limits;
    let mut jobs = cx.spec.jobs.clone();
    jobs.sort_by_key(|job| (job.turn, job.job));
    if jobs.len() <= limits.mailboxes_at_once as usize {
        return Ok(jobs);
    }
    let rows = cx.ports.ledger.jobs().await?;
    let rows: BTreeMap<JobId, JobRow> = rows.into_iter().map(|row| (row.job, row)).collect();
    let mut left = Vec::with_capacity(jobs.len());
    for job in &jobs {
        let caught_up = (rows.get(&job.job)).is_some_and(|row| row.phase == JobPhase::CaughtUp);
        left.push(if caught_up {
            // Only what changed since.
            Left::default()
        } else {
            left_of(cx, job).await?
        });
    }
    let order = longest_first(&left, limits);
    let mut jobs: Vec<JobSpec> = order.into_iter().map(|at| jobs[at].clone()).collect();
    // A stable sort: within a wave the longest stays first.
    jobs.sort_by_key(|job| job.turn);
    Ok(jobs)
}

async fn left_of(cx: &RunCx, job: &JobSpec) -> Result<Left, LedgerError> {
    let ledger = &cx.ports.ledger;
    let folders = ledger.folders(job.job).await?;
    let carried = folders.iter().filter(|row| row.fate == FolderFate::Carry);
    let promised: Count = carried.map(|row| row.items).sum();
    let mut sums = FolderSums::default();
    for folder in ledger.sums(job.job).await?.values() {
        sums.absorb(folder);
    }
    let open = sums.of(Bucket::Remaining) + sums.of(Bucket::InDoubt);
    let open_bytes = sums.bytes_of(Bucket::Remaining) + sums.bytes_of(Bucket::InDoubt);
    let settled = sums.source().saturating_sub(open);
    let settled_bytes = sums.bytes().saturating_sub(open_bytes);
    Ok(Left {
        items: job.items.unwrap_or(promised).saturating_sub(settled),
        bytes: match job.bytes {
            Some(bytes) => bytes.saturating_sub(settled_bytes),
            None => open_bytes,
        },
    })
}
