//! One mailbox, from claim to caught up.
//!
//! A pass: recover what the last process left open; list the folders where they changed; per folder, list what changed and carry it; settle
//! doubts together; and last, once everything that was moved is in its new place, take away copies whose items left.

use crate::base::books::{Due, FolderSums};
use crate::base::event::EventKind;
use crate::base::fact::{CopyFact, Fact, FolderFate, FolderRow, JobPhase};
use crate::base::id::TargetMailboxId;
use crate::base::limits::{EMPTY_LOOKS_MIN, ROUNDS_MAX};
use crate::base::outcome::{DoubtCause, HaltCause};
use crate::base::quantity::Count;
use crate::base::route::Route;
use crate::base::spec::PassKind;
use crate::engine::carry::carry;
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::engine::follow::{check, retract};
use crate::engine::reconcile::{Look, look};
use crate::engine::reminders;
use crate::engine::send::Lane;
use crate::engine::survey::{Scope, Survey, remove_folders, survey};
use crate::engine::sweep::{compare, folder_left, sweep};
use crate::engine::typed;
use crate::engine::witness::{Patience, settle_time};
use crate::flow::copy::CopyState;
use crate::flow::route::route_of;

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
    let (end, settled) = match journey(cx).await {
        Ok(phase) => (JobEnd::CaughtUp, phase),
        Err(Break::Draining) => (JobEnd::Stopped, JobPhase::CaughtUp),
        Err(broken) => match broken.for_mailbox() {
            Break::Halt(why) => (JobEnd::Halted(why), JobPhase::Halted(why)),
            broken => (JobEnd::Broke(broken), JobPhase::CaughtUp),
        },
    };
    let phase = match &end {
        JobEnd::CaughtUp | JobEnd::Halted(_) => settled,
        JobEnd::Stopped | JobEnd::Broke(_) => return end,
    };
    match enter(cx, phase).await {
        Ok(()) => {
            if let JobEnd::Halted(why) = &end {
                cx.tell(EventKind::JobHalted(*why));
            }
            end
        }
        Err(broken) => JobEnd::Broke(broken),
    }
}

async fn enter(cx: &JobCx, phase: JobPhase) -> Result<(), Break> {
    cx.append(&[Fact::Phase(phase, cx.run.ports.clock.moment())])
        .await?;
    cx.tell(EventKind::JobPhase(phase));
    Ok(())
}

/// One pass. Returns the phase it leads to.
async fn journey(cx: &JobCx) -> Result<JobPhase, Break> {
    recover(cx).await?;
    let finish = cx.run.spec.pass == PassKind::Final;
    let jobs = cx.run.ports.ledger.jobs().await?;
    let row = jobs.into_iter().find(|row| row.job == cx.job.job);
    let hierarchy = row.as_ref().and_then(|row| row.hierarchy.clone());
    // Once caught up, a pass that was cut short changes nothing about what was listed before it.
    let settled =
        row.is_some_and(|row| row.phase.is_settled() || row.phase == JobPhase::CatchingUp);
    enter(
        cx,
        match (finish, settled) {
            (true, _) => JobPhase::Finishing,
            (false, true) => JobPhase::CatchingUp,
            (false, false) => JobPhase::Seeding,
        },
    )
    .await?;
    // A mailbox that was never caught up, and one that is about to be final, is looked at from both sides in full.
    let mut scope = if finish || !settled {
        Scope::Everything
    } else {
        Scope::Changes(hierarchy)
    };
    for _ in 0..=ROUNDS_MAX {
        let mut found = survey(cx, scope).await?;
        match folders(cx, &mut found).await {
            // Somebody deleted or moved a folder under us: list again, a bounded number of times.
            Err(Break::FolderGone) => {
                scope = Scope::Everything;
                // Groups that were made ready and not sent have intents nobody will answer for.
                recover(cx).await?;
            }
            Err(other) => return Err(other),
            Ok(()) => {
                if finish {
                    reminders::turn_on(cx).await?;
                }
                typed::tidy(cx, found.rows.iter().chain(&found.gone), finish).await?;
                return Ok(if finish {
                    JobPhase::Finished
                } else {
                    JobPhase::CaughtUp
                });
            }
        }
    }
    Err(Break::FolderGone)
}

/// Law 2: an intent whose answer nobody heard becomes a doubt, and nothing else changes.
async fn recover(cx: &JobCx) -> Result<(), Break> {
    let ledger = &cx.run.ports.ledger;
    for (folder, sums) in ledger.sums(cx.job.job).await? {
        // Each page takes its rows out of the index, so the next one begins at the front again.
        let mut left = sums.due(Due::InFlight);
        while left > Count::ZERO {
            let rows = cx.due(folder, Due::InFlight, None).await?;
            let facts: Vec<Fact> = rows
                .iter()
                .map(|(row, _)| Fact::Copy {
                    folder,
                    key: row.key,
                    fact: CopyFact::Lost(DoubtCause::Crash),
                })
                .collect();
            if rows.iter().any(|(row, _)| route_of(row) == Route::Typed) {
                typed::composes(cx, folder);
            }
            cx.append(&facts).await?;
            for _ in &facts {
                cx.tell(EventKind::DoubtKept);
            }
            left = if facts.is_empty() {
                Count::ZERO
            } else {
                cx.sums(folder).await?.due(Due::InFlight)
            };
        }
    }
    Ok(())
}

async fn folders(cx: &JobCx, survey: &mut Survey) -> Result<(), Break> {
    let mut open: Vec<usize> = Vec::new();
    for at in 0..survey.rows.len() {
        if survey.rows[at].fate != FolderFate::Carry {
            continue;
        }
        if cx.run.control.draining() {
            return Err(Break::Draining);
        }
        let shown = survey.shown(&survey.rows[at]);
        if one_folder(cx, &mut survey.rows[at], shown).await? > Count::ZERO {
            open.push(at);
        }
    }
    for folder in &survey.gone {
        if cx.sums(folder.no).await?.source() > Count::ZERO {
            folder_left(cx, folder).await?;
        }
    }
    let mut rows: Vec<&FolderRow> = open.iter().map(|at| &survey.rows[*at]).collect();
    // What was on its way into a folder that went must be found before it can follow.
    for folder in &survey.gone {
        if unfinished(&cx.sums(folder.no).await?) == Count::ZERO {
            continue;
        }
        if folder.target.is_some() {
            rows.push(folder);
        } else {
            never_arrived(cx, folder).await?;
        }
    }
    settle_all(cx, &rows).await?;
    if leaving(cx).await? {
        let ferry = Ferry {
            cx,
            to: cx.to().await?,
        };
        let all: Vec<FolderRow> = survey.rows.iter().chain(&survey.gone).cloned().collect();
        retract(ferry, &all).await?;
    }
    remove_folders(cx, &mut survey.gone).await?;
    // Last: whoever is told that nothing changed among the folders must be able to rely on what was done about the last change.
    cx.append(&[Fact::Hierarchy(survey.hierarchy.take())]).await
}

/// Doubts of a folder whose counterpart is gone too: nothing of them can be on the target.
async fn never_arrived(cx: &JobCx, folder: &FolderRow) -> Result<(), Break> {
    for _ in 0..EMPTY_LOOKS_MIN {
        let mut after = None;
        loop {
            let rows = cx.due(folder.no, Due::Doubt, after).await?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(last.key);
            let facts: Vec<Fact> = rows
                .iter()
                .map(|(row, _)| Fact::Copy {
                    folder: folder.no,
                    key: row.key,
                    fact: CopyFact::NotSeen,
                })
                .collect();
            cx.append(&facts).await?;
        }
    }
    Ok(())
}

async fn leaving(cx: &JobCx) -> Result<bool, Break> {
    let sums = cx.run.ports.ledger.sums(cx.job.job).await?;
    Ok(sums
        .values()
        .any(|sums| sums.due(Due::Retract) > Count::ZERO))
}

/// Sweeps and carries one folder. Returns how many items are still open.
///
/// `shown` is what the target counts in its counterpart, where it was asked.
async fn one_folder(
    cx: &JobCx,
    folder: &mut FolderRow,
    shown: Option<Count>,
) -> Result<Count, Break> {
    sweep(cx, folder).await?;
    if cx.run.spec.pass == PassKind::Final {
        compare(cx, folder).await?;
    }
    let before = cx.sums(folder.no).await?;
    let waiting = waits(cx, folder, &before).await?;
    if (unfinished(&before) == Count::ZERO && !waiting) || folder.target.is_none() {
        return Ok(Count::ZERO);
    }
    let ferry = Ferry {
        cx,
        to: cx.to().await?,
    };
    // More than this ledger explains, doubts included: answers of a ledger that was lost, or an earlier plan's work.
    let explained = before.placed() + before.due(Due::Doubt);
    if shown.is_some_and(|shown| shown > explained) && before.due(Due::Create) > Count::ZERO {
        look(ferry, folder, Look::Adopt).await?;
    }
    check(ferry, folder).await?;
    carry_folder(ferry, folder, waiting).await?;
    if cx.sums(folder.no).await?.due(Due::Doubt) > Count::ZERO {
        look(ferry, folder, Look::Early).await?;
    }
    Ok(unfinished(&cx.sums(folder.no).await?))
}

/// What a pass still has to do in a folder, besides taking copies away.
fn unfinished(sums: &FolderSums) -> Count {
    sums.open().saturating_sub(sums.due(Due::Retract))
}

/// Whether an item of a folder waits to be looked into. Asked once a pass: an item that waits is looked into once in it, not in every round.
async fn waits(cx: &JobCx, folder: &FolderRow, sums: &FolderSums) -> Result<bool, Break> {
    if sums.due(Due::Attention) == Count::ZERO {
        return Ok(false);
    }
    let mut after = None;
    loop {
        let rows = cx.due(folder.no, Due::Attention, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(false);
        };
        after = Some(last.key);
        let waits = |(_, state): &(_, CopyState)| state.waits_for_screening().is_some();
        if rows.iter().any(waits) {
            return Ok(true);
        }
    }
}

async fn carry_folder(ferry: Ferry<'_>, folder: &FolderRow, waiting: bool) -> Result<(), Break> {
    let sums = ferry.cx.sums(folder.no).await?;
    let due = waiting || sums.due(Due::Create) + sums.due(Due::Update) > Count::ZERO;
    if let (true, Some(to)) = (due, &folder.target) {
        carry(Lane { ferry, folder, to }, waiting).await?;
    }
    Ok(())
}

/// Settles what is open in all these folders together: wait once for all, look at each, send again what proved missing.
async fn settle_all(cx: &JobCx, rows: &[&FolderRow]) -> Result<(), Break> {
    if rows.is_empty() {
        return Ok(());
    }
    let ferry = Ferry {
        cx,
        to: cx.to().await?,
    };
    let mut patience = Patience::default();
    for _ in 0..ROUNDS_MAX {
        let mut open = Count::ZERO;
        for _ in 0..EMPTY_LOOKS_MIN {
            let mut doubts = Count::ZERO;
            for row in rows {
                doubts += cx.sums(row.no).await?.due(Due::Doubt);
            }
            if doubts == Count::ZERO {
                break;
            }
            settle_time(ferry, &mut patience).await?;
            for row in rows {
                look(ferry, row, Look::Late).await?;
            }
        }
        for row in rows {
            check(ferry, row).await?;
            carry_folder(ferry, row, false).await?;
            if cx.sums(row.no).await?.due(Due::Doubt) > Count::ZERO {
                look(ferry, row, Look::Early).await?;
            }
            open += unfinished(&cx.sums(row.no).await?);
        }
        if open == Count::ZERO {
            return Ok(());
        }
    }
    Err(Break::Halt(HaltCause::Exhausted))
}

/// The target mailbox of a job, for callers outside the engine.
pub async fn resolve(cx: &JobCx) -> Result<TargetMailboxId, Break> {
    cx.to().await.cloned()
}
