//! Creates and updates items on the target, a few at a time. The only caller of [`Target::create`](crate::port::target::Target::create) and
//! [`Target::update`](crate::port::target::Target::update).
//!
//! A create or update is repeated here only while the far side has said that nothing happened. Everything else becomes a fact, and what follows
//! from it is decided elsewhere. An update without a clear answer leaves no fact: its durable intent says already that somebody must look.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use crate::base::event::{EventKind, Side};
use crate::base::fact::{CopyFact, Fact, FolderRow};
use crate::base::id::TargetFolderId;
use crate::base::item::{ItemKey, Placed};
use crate::base::limits::{
    IMPORT_FRAME, MOVE_PAUSE, MOVE_PAUSES_MAX, RENEWALS_MAX, TARGET_CALLS_WAITING,
};
use crate::base::outcome::{HaltCause, Refusal, RefusalWhy, Scope, Setback, Verdict};
use crate::base::quantity::Bytes;
use crate::base::route::Route;
use crate::engine::ask::{exhausted, patience};
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::engine::fetch::Ready;
use crate::engine::record::Note;
use crate::engine::typed;
use crate::flow::judge::{Repeat, judge};
use crate::pace::budget::Cost;

/// Where items of a folder go.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a> {
    /// The mailbox.
    pub ferry: Ferry<'a>,
    /// The source folder.
    pub folder: &'a FolderRow,
    /// Its counterpart.
    pub to: &'a TargetFolderId,
}

/// How one create or update ended: a fact, and whether the mailbox must stop.
struct Outcome {
    key: ItemKey,
    bytes: Bytes,
    /// `None`: an update that somebody must look after.
    fact: Option<CopyFact>,
    broken: Option<Break>,
}

/// Sends everything `ready` brings. Returns when it ends, or, after what is on its way has come back, when something broke.
pub async fn send(
    lane: Lane<'_>,
    mut ready: mpsc::Receiver<Vec<Ready>>,
    notes: mpsc::Sender<Note>,
) -> Result<(), Break> {
    let cx = lane.ferry.cx;
    // Some wait for their turn besides those in flight, so that the pacer has a choice of sizes.
    let places = cx.run.spec.limits.target_calls_in_flight.max(1) as usize + TARGET_CALLS_WAITING;
    let mut queue: VecDeque<Ready> = VecDeque::new();
    let mut flying = FuturesUnordered::new();
    let mut broken: Option<Break> = None;
    let mut more = true;
    loop {
        if broken.is_none() && cx.run.control.draining() {
            broken = Some(Break::Draining);
        }
        if broken.is_some() {
            // Close first: whatever was still in the channel is handed back as not sent.
            ready.close();
            while let Some(group) = ready.recv().await {
                queue.extend(group);
            }
            more = false;
            for item in queue.drain(..) {
                let fact = Fact::Copy {
                    folder: lane.folder.no,
                    key: item.key,
                    fact: CopyFact::NothingSent,
                };
                note(&notes, Note { fact, then: None }).await?;
            }
        }
        while flying.len() < places {
            let Some(item) = queue.pop_front() else { break };
            flying.push(create(lane, item));
        }
        if flying.is_empty() && !more {
            return broken.map_or(Ok(()), Err);
        }
        tokio::select! {
            biased;
            Some(outcome) = flying.next() => {
                let then = told(&outcome);
                if let Some(fact) = outcome.fact {
                    let fact = Fact::Copy { folder: lane.folder.no, key: outcome.key, fact };
                    note(&notes, Note { fact, then }).await?;
                }
                broken = broken.or(outcome.broken);
            }
            group = ready.recv(), if more && queue.is_empty() => match group {
                Some(group) => queue.extend(group),
                None => more = false,
            },
        }
    }
}

async fn note(notes: &mpsc::Sender<Note>, note: Note) -> Result<(), Break> {
    // The recorder ends early only when the ledger failed, and says so itself.
    notes.send(note).await.map_err(|_| Break::Draining)
}

/// What is told once the fact is durable. An item that was not sent goes back in line without a word.
fn told(outcome: &Outcome) -> Option<EventKind> {
    let bytes = outcome.bytes;
    match outcome.fact.as_ref()? {
        CopyFact::Acknowledged(_) => Some(EventKind::CopyConfirmed { bytes }),
        CopyFact::Updated(_) => Some(EventKind::CopyUpdated { bytes }),
        CopyFact::Refused(refusal) => Some(EventKind::CopyRefused(refusal.clone())),
        CopyFact::Rerouted(Some(refusal)) => Some(EventKind::CopyRerouted(refusal.clone())),
        CopyFact::Lost(_) => Some(EventKind::Doubted),
        _ => None,
    }
}

async fn create(lane: Lane<'_>, item: Ready) -> Outcome {
    let Ferry { cx, to } = lane.ferry;
    let bytes = item.body.len();
    // Charged as it travels: base64 is 4/3 of the stream, and stands in a frame.
    let wire = Bytes::new(bytes.get().div_ceil(3) * 4) + IMPORT_FRAME;
    let end = |fact, broken| Outcome {
        key: item.key,
        bytes,
        fact: Some(fact),
        broken,
    };
    let look = || Outcome {
        key: item.key,
        bytes,
        fact: None,
        broken: None,
    };
    let (mut attempts, mut throttles, mut renewals, mut pauses) = (0, 0, 0, 0);
    loop {
        let setback = match once(lane, &item, wire).await {
            Ok(Ok(fact)) => return end(fact, None),
            Ok(Err(setback)) => setback,
            Err(broken) => return end(CopyFact::NothingSent, Some(broken)),
        };
        let broken = match judge(Repeat::Once, &setback) {
            // A version that is no longer there, an item that went, a content that is not taken: the codes are not documented, a look tells.
            // Except where the typed route has said that nothing of it can be changed.
            Verdict::Refuse(refusal) if refusal.why == RefusalWhy::NoTypedForm => {
                return end(refused(cx, &item, refusal), None);
            }
            Verdict::Doubt(_) | Verdict::Refuse(_) | Verdict::Forget if item.replaces.is_some() => {
                return look();
            }
            Verdict::Doubt(cause) => return end(CopyFact::Lost(cause), None),
            Verdict::Refuse(refusal) => return end(refused(cx, &item, refusal), None),
            // Nothing happened, says the far side: the intent on record still stands, so the same create may go again.
            Verdict::Hold { scope, at_least } => {
                throttles += 1;
                cx.hold(scope, at_least, throttles);
                continue;
            }
            Verdict::Pause(_) if pauses < MOVE_PAUSES_MAX => {
                pauses += 1;
                cx.hold(Scope::TargetMailbox, Some(MOVE_PAUSE), pauses);
                continue;
            }
            Verdict::Again if attempts + 1 < patience(&setback) => {
                attempts += 1;
                match cx.wait(cx.backoff(attempts)).await {
                    Ok(()) => continue,
                    Err(broken) => broken,
                }
            }
            Verdict::Renew if renewals < RENEWALS_MAX => {
                renewals += 1;
                cx.run.ports.target.renew(to);
                continue;
            }
            Verdict::Again | Verdict::Renew => exhausted(Side::Target, setback),
            Verdict::Forget | Verdict::Resurvey | Verdict::Resync => Break::FolderGone,
            Verdict::Halt(HaltCause::Exhausted) => Break::Exhausted(setback),
            Verdict::Halt(why) | Verdict::Pause(why) => Break::Halt(why),
            Verdict::Stop(why) => Break::Stop(why),
            Verdict::Drain(why) => Break::Local(why),
        };
        return end(CopyFact::NothingSent, Some(broken));
    }
}

/// One attempt: the fact it ends with, or what came back instead. An error: there is no turn to be had.
async fn once(
    lane: Lane<'_>,
    item: &Ready,
    wire: Bytes,
) -> Result<Result<CopyFact, Setback>, Break> {
    let Ferry { cx, to } = lane.ferry;
    let target = &cx.run.ports.target;
    let turns = cx.turns(Side::Target, Cost { upload: wire }).await?;
    cx.tell(EventKind::Called {
        side: Side::Target,
        sent: wire,
    });
    let outcome = match (item.route, &item.replaces) {
        (Route::Stream, None) => target.create(to, lane.to, &item.body).await,
        (Route::Stream, Some(old)) => target.update(to, lane.to, old, &item.body).await,
        (Route::Typed, old) => typed(lane, item, old.as_ref()).await,
    };
    if outcome.is_ok() && item.route == Route::Stream {
        cx.run.routes().taken(&item.class);
    }
    let outcome = outcome.map(|placed| match item.replaces {
        None => CopyFact::Acknowledged(placed),
        Some(_) => CopyFact::Updated(placed),
    });
    let now = cx.run.ports.clock.tick();
    turns.end(now, outcome.as_ref().map(|_| ()), wire);
    cx.charge(to);
    if let Err(setback) = &outcome {
        cx.tell(EventKind::SetBack {
            side: Side::Target,
            setback: setback.clone(),
        });
    }
    Ok(outcome)
}

/// The same by the typed route.
async fn typed(lane: Lane<'_>, item: &Ready, old: Option<&Placed>) -> Result<Placed, Setback> {
    let Ferry { cx, to } = lane.ferry;
    let target = &typed::ports(cx)?.target;
    let folder = typed::counterpart(lane.folder, lane.to);
    typed::composes(cx, lane.folder.no);
    match old {
        None => target.compose(to, &folder, &item.stamp, &item.body).await,
        Some(old) => {
            target
                .amend(to, &folder, &item.stamp, old, &item.body)
                .await
        }
    }
}

/// What follows from a refusal: a refused stream may have another way.
fn refused(cx: &JobCx, item: &Ready, refusal: Refusal) -> CopyFact {
    if item.route == Route::Stream {
        cx.run.routes().refused(&item.class);
        if typed::goes_on(cx, &item.class, &refusal) {
            return CopyFact::Rerouted(Some(refusal));
        }
    }
    CopyFact::Refused(refusal)
}
