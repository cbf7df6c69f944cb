//! One mailbox, from claim to caught up.

use crate::base::event::EventKind;
use crate::base::fact::{CopyFact, Fact, FolderFate, FolderRow, JobPhase};
use crate::base::id::{FolderNo, TargetMailboxId};
use crate::base::limits::ROUNDS_MAX;
use crate::base::outcome::{DoubtCause, HaltCause};
use crate::base::quantity::Count;
use crate::engine::carry::carry;
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::engine::reconcile::{Look, look};
use crate::engine::send::Lane;
use crate::engine::survey::{Survey, survey};
use crate::engine::sweep::sweep;
use crate::flow::copy::CopyState;

/// How a job ended.
#[derive(Debug)]
pub enum JobEnd {
    /// Everything listed is settled.
    CaughtUp,
    /// The run winds up; the job goes on next time.
    Stopped,
    /// It waits for a person.
    Halted(HaltCause),
    /// It ended the run.
    Broke(Break),
}

/// Works one mailbox.
pub async fn work(cx: &JobCx) -> JobEnd {
    cx.tell(EventKind::JobStarted);
    let end = match journey(cx).await {
        Ok(()) => JobEnd::CaughtUp,
        Err(Break::Draining) => JobEnd::Stopped,
        Err(broken) => match broken.for_mailbox() {
            Break::Halt(why) => JobEnd::Halted(why),
            broken => JobEnd::Broke(broken),
        },
    };
    let phase = match &end {
        JobEnd::CaughtUp => Some(JobPhase::CaughtUp),
        JobEnd::Halted(why) => Some(JobPhase::Halted(*why)),
        JobEnd::Stopped | JobEnd::Broke(_) => None,
    };
    match phase {
        Some(phase) => match enter(cx, phase).await {
            Ok(()) => {
                if let JobEnd::Halted(why) = &end {
                    cx.tell(EventKind::JobHalted(*why));
                }
                end
            }
            Err(broken) => JobEnd::Broke(broken),
        },
        None => end,
    }
}

async fn enter(cx: &JobCx, phase: JobPhase) -> Result<(), Break> {
    cx.append(&[Fact::Phase(phase, cx.run.ports.clock.moment())])
        .await?;
    cx.tell(EventKind::JobPhase(phase));
    Ok(())
}

async fn journey(cx: &JobCx) -> Result<(), Break> {
    recover(cx).await?;
    enter(cx, JobPhase::Seeding).await?;
    let to = cx
        .ask_target(None, || cx.run.ports.target.resolve(&cx.job.target))
        .await?;
    let mut surveys = 0;
    loop {
        let ferry = Ferry { cx, to: &to };
        let mut found = survey(ferry).await?;
        match folders(ferry, &mut found).await {
            // Somebody deleted or moved a folder under us: list again, a bounded number of times.
            Err(Break::FolderGone) if surveys < ROUNDS_MAX => {
                surveys += 1;
                // Groups that were made ready and not sent have intents nobody will answer for.
                recover(cx).await?;
            }
            other => return other,
        }
    }
}

/// Law 2: an intent whose answer nobody heard becomes a doubt, and nothing else changes.
async fn recover(cx: &JobCx) -> Result<(), Break> {
    for folder in cx.run.ports.ledger.folders(cx.job.job).await? {
        let mut after = None;
        loop {
            let rows = cx.page(folder.no, after).await?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(last.key);
            let facts: Vec<Fact> = rows
                .iter()
                .filter(|(_, state)| matches!(state, CopyState::Intended { .. }))
                .map(|(row, _)| Fact::Copy {
                    folder: folder.no,
                    key: row.key,
                    fact: CopyFact::Lost(DoubtCause::Crash),
                })
                .collect();
            cx.append(&facts).await?;
            for _ in &facts {
                cx.tell(EventKind::Doubted);
            }
        }
    }
    Ok(())
}

async fn folders(ferry: Ferry<'_>, survey: &mut Survey) -> Result<(), Break> {
    let mut open: Vec<usize> = Vec::new();
    for at in 0..survey.rows.len() {
        if survey.rows[at].fate != FolderFate::Carry {
            continue;
        }
        if ferry.cx.run.control.draining() {
            return Err(Break::Draining);
        }
        let folder = &mut survey.rows[at];
        match one_folder(ferry, folder, &survey.target_items).await {
            Ok(0) => {}
            Ok(_) => open.push(at),
            Err(broken) => return Err(broken),
        }
    }
    let rows: Vec<&FolderRow> = open.iter().map(|at| &survey.rows[*at]).collect();
    settle_all(ferry, &rows).await
}

/// Sweeps and carries one folder. Returns how many items are still open.
async fn one_folder(
    ferry: Ferry<'_>,
    folder: &mut FolderRow,
    target_items: &std::collections::BTreeMap<crate::base::id::TargetFolderId, Count>,
) -> Result<usize, Break> {
    sweep(ferry.cx, folder).await?;
    let Some(to) = folder.target.clone() else {
        return Ok(0);
    };
    let before = books(ferry.cx, folder.no).await?;
    let shown = target_items.get(&to).copied().unwrap_or(Count::ZERO);
    if shown > before.placed && before.open > 0 {
        // The target holds more than this ledger explains: answers nobody heard, or an earlier plan's work.
        look(ferry, folder, Look::Adopt).await?;
    } else if before.doubts > 0 {
        look(ferry, folder, Look::Early).await?;
    }
    if before.open > before.doubts {
        carry(Lane {
            ferry,
            folder: folder.no,
            to: &to,
        })
        .await?;
    }
    let mut after = books(ferry.cx, folder.no).await?;
    if after.doubts > 0 {
        look(ferry, folder, Look::Early).await?;
        after = books(ferry.cx, folder.no).await?;
    }
    Ok(after.open)
}

/// Settles what is open in all these folders together: wait once for all, look at each, send again what proved missing.
async fn settle_all(ferry: Ferry<'_>, rows: &[&FolderRow]) -> Result<(), Break> {
    for _ in 0..ROUNDS_MAX {
        let mut open = 0;
        for _ in 0..crate::base::limits::EMPTY_LOOKS_MIN {
            let mut doubts = 0;
            for row in rows {
                doubts += books(ferry.cx, row.no).await?.doubts;
            }
            if doubts == 0 {
                break;
            }
            ferry.cx.wait(ferry.cx.run.spec.limits.settle).await?;
            for row in rows {
                look(ferry, row, Look::Late).await?;
            }
        }
        for row in rows {
            let books_now = books(ferry.cx, row.no).await?;
            if let (true, Some(to)) = (books_now.open > books_now.doubts, &row.target) {
                carry(Lane {
                    ferry,
                    folder: row.no,
                    to,
                })
                .await?;
                look(ferry, row, Look::Early).await?;
            }
            open += books(ferry.cx, row.no).await?.open;
        }
        if open == 0 {
            return Ok(());
        }
    }
    Err(Break::Halt(HaltCause::Exhausted))
}

/// What the rows of a folder add up to.
#[derive(Clone, Copy, Debug, Default)]
struct Books {
    /// Neither settled nor left behind.
    open: usize,
    /// Of them, in doubt.
    doubts: usize,
    /// Known to be on the target.
    placed: Count,
}

async fn books(cx: &JobCx, folder: FolderNo) -> Result<Books, Break> {
    let mut books = Books::default();
    let mut after = None;
    loop {
        let rows = cx.page(folder, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(books);
        };
        after = Some(last.key);
        for (_, state) in &rows {
            match state {
                CopyState::Wanted { .. } => books.open += 1,
                CopyState::Intended { .. } | CopyState::InDoubt { .. } => {
                    books.open += 1;
                    books.doubts += 1;
                }
                other if other.placed().is_some() => books.placed += Count::new(1),
                _ => {}
            }
        }
    }
}

/// The target mailbox of a job, for callers outside the engine.
pub async fn resolve(cx: &JobCx) -> Result<TargetMailboxId, Break> {
    cx.ask_target(None, || cx.run.ports.target.resolve(&cx.job.target))
        .await
}
