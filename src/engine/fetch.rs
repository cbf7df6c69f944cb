//! Exports groups of items, spools each body whole, and makes the intents of the group durable.
//!
//! The spool is complete before the intent is recorded: a source that fails half-way never puts anything in doubt.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use crate::base::books::Due;
use crate::base::event::EventKind;
use crate::base::fact::{CopyFact, CopyRow, Fact};
use crate::base::id::{FolderNo, ItemId};
use crate::base::item::{Digest, ItemClass, ItemKey, Placed, Stamp};
use crate::base::limits::{
    GROUPS_AHEAD, INTENT_GROUP, MOVE_PAUSE, SOURCE_EXPORT_BYTES, SOURCE_EXPORT_IDS, TYPED_BATCH,
};
use crate::base::outcome::{Refusal, RefusalWhy, Said, Scope, Setback, Verdict};
use crate::base::quantity::Bytes;
use crate::base::route::Route;
use crate::base::screening::Effect;
use crate::engine::cx::{Break, JobCx};
use crate::engine::room::Booking;
use crate::engine::screen::{self, Admission, Before};
use crate::engine::take::{Spooled, take};
use crate::engine::typed;
use crate::flow::copy::CopyState;
use crate::flow::judge::{Repeat, judge};
use crate::flow::route::route_of;
use crate::port::body::Body;

/// An item whose intent is durable.
#[derive(Debug)]
pub struct Ready {
    /// Its key.
    pub key: ItemKey,
    /// Its class.
    pub class: ItemClass,
    /// The mark by which its copy is recognised.
    pub stamp: Stamp,
    /// By which route it travels.
    pub route: Route,
    /// Its whole stream, or its parcel.
    pub body: Body,
    /// The copy it replaces; `None` for one that is new.
    pub replaces: Option<Placed>,
}

/// A row to be carried.
#[derive(Debug)]
struct Wanted {
    key: ItemKey,
    id: ItemId,
    size: Bytes,
    before: Before,
    route: Route,
    /// True where it is put on the typed route now.
    rerouted: bool,
    /// The copy that is older than the source, and what it was made from.
    outdated: Option<(Placed, Option<Digest>)>,
}

/// Times an item that failed in a group is asked for alone.
const ALONE_MAX: u32 = 3;

/// Times those whose turn did not come are asked for together, before each is asked for alone.
const TOGETHER_MAX: u32 = 4;

/// Fetches everything of `folder` that is to be created, then what is to be updated, in key order, and hands it on. Returns at the end of the
/// folder. `waiting`: also what waits to be looked into once more.
pub async fn fetch(
    cx: &JobCx,
    folder: FolderNo,
    waiting: bool,
    ready: mpsc::Sender<Vec<Ready>>,
) -> Result<(), Break> {
    // First: what is found to wait in this pass waits for the next one.
    if waiting {
        fetch_due(cx, folder, Due::Attention, &ready).await?;
    }
    fetch_due(cx, folder, Due::Create, &ready).await?;
    fetch_due(cx, folder, Due::Update, &ready).await
}

async fn fetch_due(
    cx: &JobCx,
    folder: FolderNo,
    due: Due,
    ready: &mpsc::Sender<Vec<Ready>>,
) -> Result<(), Break> {
    let mut after = None;
    loop {
        let rows = cx.due(folder, due, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        after = Some(last.key);
        let (typed, streams): (VecDeque<Wanted>, VecDeque<Wanted>) = rows
            .iter()
            .filter(|(_, state)| due != Due::Attention || state.waits_for_screening().is_some())
            .filter_map(|row| wanted(cx, row))
            .partition(|item| item.route == Route::Typed);
        fetch_page(cx, folder, streams, ready).await?;
        fetch_page(cx, folder, typed, ready).await?;
    }
}

/// Fetches one page's items. Goes through to the end also when something breaks: groups that are being made ready by then have, or are
/// about to have, durable intents, and those are handed back as not sent; an intent nobody answers for would be a doubt.
async fn fetch_page(
    cx: &JobCx,
    folder: FolderNo,
    mut wanted: VecDeque<Wanted>,
    ready: &mpsc::Sender<Vec<Ready>>,
) -> Result<(), Break> {
    let stopped = &AtomicBool::new(false);
    let groups = std::iter::from_fn(|| Some(next_group(&mut wanted)).filter(|g| !g.is_empty()));
    let mut fetched = stream::iter(groups)
        .map(|group| async move {
            if cx.run.control.draining() || stopped.load(Ordering::Relaxed) {
                return Err(Break::Draining);
            }
            fetch_group(cx, folder, &group).await
        })
        .buffered(GROUPS_AHEAD);
    let mut broken = None;
    while let Some(group) = fetched.next().await {
        let unsent = match group {
            Ok(group) if group.is_empty() => continue,
            Ok(group) if broken.is_some() => group,
            Ok(group) => match ready.send(group).await {
                Ok(()) => continue,
                // The sender stopped; its reason is the one that counts.
                Err(refused) => {
                    broken = Some(Break::Draining);
                    refused.0
                }
            },
            Err(error) => {
                broken = broken.or(Some(error));
                Vec::new()
            }
        };
        stopped.store(true, Ordering::Relaxed);
        hand_back(cx, folder, &unsent).await?;
    }
    broken.map_or(Ok(()), Err)
}

/// Records that nothing of these was sent.
async fn hand_back(cx: &JobCx, folder: FolderNo, unsent: &[Ready]) -> Result<(), Break> {
    let facts: Vec<Fact> = unsent
        .iter()
        .map(|item| Fact::Copy {
            folder,
            key: item.key,
            fact: CopyFact::NothingSent,
        })
        .collect();
    cx.append(&facts).await
}

fn wanted(cx: &JobCx, (row, state): &(CopyRow, CopyState)) -> Option<Wanted> {
    let outdated = match state {
        CopyState::Wanted { .. } => None,
        CopyState::ChangedSince {
            placed,
            sent: Some(sent),
            refused: None,
            ..
        } => Some((placed.clone(), sent.digest)),
        _ => return None,
    };
    let route = typed::choose(cx, row, outdated.is_some());
    Some(Wanted {
        key: row.key,
        id: row.header.id.clone(),
        size: row.header.size,
        before: Before::of(row, state.waits_for_screening()),
        route,
        rerouted: route != route_of(row),
        outdated,
    })
}

/// As many as share one export and one append; a large item goes alone.
fn next_group(wanted: &mut VecDeque<Wanted>) -> Vec<Wanted> {
    let mut group: Vec<Wanted> = Vec::new();
    let mut bytes = Bytes::ZERO;
    while let Some(next) = wanted.front() {
        let most = match next.route {
            Route::Stream => INTENT_GROUP.min(SOURCE_EXPORT_IDS),
            Route::Typed => INTENT_GROUP.min(TYPED_BATCH),
        };
        let full = group.len() >= most;
        if !group.is_empty() && (full || bytes + next.size > SOURCE_EXPORT_BYTES) {
            break;
        }
        bytes += next.size;
        group.extend(wanted.pop_front());
    }
    group
}

/// Room for one item: streams are longer than the store's count (reference/graph.md 1.5), the rest becomes debt.
fn estimate(item: &Wanted) -> Bytes {
    Bytes::new(item.size.get() + item.size.get() / 4 + 16 * 1024)
}

/// What a group gave so far.
#[derive(Default)]
struct Haul<'g> {
    /// Exported whole, and not yet looked into.
    whole: Vec<(&'g Wanted, Spooled)>,
    facts: Vec<Fact>,
    events: Vec<EventKind>,
    ready: Vec<Ready>,
}

async fn fetch_group(cx: &JobCx, folder: FolderNo, group: &[Wanted]) -> Result<Vec<Ready>, Break> {
    let mut haul = Haul::default();
    // Before anybody's turn is taken, and for as long as the group is being fetched.
    let room = cx.run.spool.reserve(group.iter().map(estimate).sum()).await;
    let alone = fetch_together(cx, folder, group, &room, &mut haul).await?;
    fetch_alone(cx, folder, alone, &room, &mut haul).await?;
    let broken = admit(cx, folder, &mut haul).await;
    // Law 1: durable before the first byte of any of these creates or updates leaves.
    cx.append(&haul.facts).await?;
    for event in haul.events {
        cx.tell(event);
    }
    broken.map_or(Ok(haul.ready), Err)
}

/// Has everything that was exported looked into, where the plan wants it, and gives intents to what passes. When that breaks, nothing gets an
/// intent: nobody would answer for it.
async fn admit(cx: &JobCx, folder: FolderNo, haul: &mut Haul<'_>) -> Option<Break> {
    let whole = std::mem::take(&mut haul.whole);
    let asked: Vec<_> = whole
        .iter()
        .map(|(item, spooled)| (item.before.clone(), spooled.body.clone(), spooled.digest))
        .collect();
    let (admissions, broken) = screen::admit(cx, folder, asked).await;
    for ((item, spooled), admission) in whole.into_iter().zip(admissions) {
        let (screening, carried) = match admission {
            Admission::Carried(screening) => (screening, broken.is_none()),
            Admission::Stays(screening) => {
                haul.events.extend(screening.as_ref().map(screen::told));
                (screening, false)
            }
            Admission::Unasked => continue,
        };
        let stays = screening
            .as_ref()
            .is_some_and(|own| own.effect != Effect::Passes);
        if carried || stays {
            haul.facts.extend(screening.map(|screening| Fact::Copy {
                folder,
                key: item.key,
                fact: CopyFact::Screened(screening),
            }));
        }
        if carried {
            haul.intend(folder, item, spooled);
        }
    }
    broken
}

/// Asks for the group in one call, and for those whose turn did not come in another. Returns those that must be asked for alone.
async fn fetch_together<'g>(
    cx: &JobCx,
    folder: FolderNo,
    group: &'g [Wanted],
    room: &Booking,
    haul: &mut Haul<'g>,
) -> Result<VecDeque<(&'g Wanted, u32)>, Break> {
    let mut together: Vec<&Wanted> = group.iter().collect();
    let mut alone = VecDeque::new();
    let mut rounds = 0;
    while !together.is_empty() {
        let results = match export(cx, room, &together).await {
            Ok(results) => results,
            // One poisoned item can spoil a whole call: each is asked for alone, so that it spoils nothing but itself.
            Err(broken) if group_may_be_at_fault(&broken) => {
                alone.extend(together.drain(..).map(|item| (item, 1)));
                break;
            }
            Err(broken) => return Err(broken),
        };
        rounds += 1;
        let mut again = Vec::new();
        let mut held = false;
        for (item, result) in together.iter().zip(results) {
            match result {
                Ok(spooled) => haul.keep(folder, item, spooled),
                Err(Setback::Throttled { scope, wait, .. }) => {
                    cx.hold(scope, wait, rounds);
                    held = true;
                    again.push(*item);
                }
                Err(Setback::NotTried(_)) if rounds < TOGETHER_MAX => again.push(*item),
                Err(setback) => {
                    let more = settle(cx, folder, item, &setback, 0, haul)?;
                    alone.extend(more.then_some((*item, 1)));
                }
            }
        }
        if !again.is_empty() && !held {
            cx.wait(cx.backoff(rounds)).await?;
        }
        together = again;
    }
    Ok(alone)
}

async fn fetch_alone<'g>(
    cx: &JobCx,
    folder: FolderNo,
    mut alone: VecDeque<(&'g Wanted, u32)>,
    room: &Booking,
    haul: &mut Haul<'g>,
) -> Result<(), Break> {
    while let Some((item, attempt)) = alone.pop_front() {
        let outcome = match export(cx, room, &[item]).await {
            Ok(results) => results
                .into_iter()
                .next()
                .unwrap_or(Err(Setback::Truncated)),
            Err(Break::Exhausted(setback)) => {
                blame(cx).await?;
                Err(as_refusal(&setback))
            }
            Err(Break::Refused(refusal)) => Err(Setback::ItemRefused(refusal)),
            Err(Break::Gone) => Err(Setback::Gone),
            Err(broken) => return Err(broken),
        };
        match outcome {
            Ok(spooled) => haul.keep(folder, item, spooled),
            Err(setback) => {
                if attempt >= ALONE_MAX && judge(Repeat::Freely, &setback) == Verdict::Again {
                    blame(cx).await?;
                }
                if settle(cx, folder, item, &setback, attempt, haul)? {
                    cx.wait(cx.backoff(attempt)).await?;
                    alone.push_back((item, attempt + 1));
                }
            }
        }
    }
    Ok(())
}

fn group_may_be_at_fault(broken: &Break) -> bool {
    match broken {
        Break::Exhausted(setback) => {
            !matches!(setback, Setback::Unreached(_) | Setback::Expired(_))
        }
        Break::Refused(_) | Break::Gone => true,
        Break::Draining
        | Break::Halt(_)
        | Break::Stop(_)
        | Break::Local(_)
        | Break::Ledger(_)
        | Break::FolderGone
        | Break::StateInvalid => false,
    }
}

/// An item is blamed for a call that never succeeds only when the source is well otherwise: it must still list the mailbox's folders. During
/// an outage nobody is blamed, and the mailbox goes on another time.
async fn blame(cx: &JobCx) -> Result<(), Break> {
    let source = &cx.run.ports.source;
    cx.ask_source(|| source.folders(&cx.job.source)).await?;
    Ok(())
}

/// A setback that comes back every time an item is asked for alone is the item's.
fn as_refusal(setback: &Setback) -> Setback {
    let said = match setback {
        Setback::GatewayGaveUp(said)
        | Setback::Unwell(said)
        | Setback::NotTried(said)
        | Setback::Misread(_, said) => said.clone(),
        Setback::Truncated => Said::code("TruncatedData"),
        _ => Said::code("NoAnswer"),
    };
    Setback::ItemRefused(Refusal {
        why: RefusalWhy::SourceCorrupt,
        said,
    })
}

impl<'g> Haul<'g> {
    /// An item that exported. One that has the content its copy was made from needs nothing.
    fn keep(&mut self, folder: FolderNo, item: &'g Wanted, spooled: Spooled) {
        let old = item.outdated.as_ref().and_then(|(_, old)| *old);
        if old.is_none() || old != spooled.digest {
            self.whole.push((item, spooled));
            return;
        }
        self.events.push(EventKind::CopySame);
        self.facts.push(Fact::Copy {
            folder,
            key: item.key,
            fact: CopyFact::SameContent,
        });
    }

    /// The intent of an item, and itself.
    fn intend(&mut self, folder: FolderNo, item: &Wanted, spooled: Spooled) {
        let (digest, stream) = (spooled.digest, spooled.body.len());
        let fact = match &item.outdated {
            None => CopyFact::Intended { digest, stream },
            Some(_) => CopyFact::UpdateIntended { digest, stream },
        };
        let rerouted = item.rerouted.then_some(Fact::Copy {
            folder,
            key: item.key,
            fact: CopyFact::Rerouted(None),
        });
        self.facts.extend(rerouted);
        let header = &item.before.header;
        self.ready.push(Ready {
            key: item.key,
            class: header.class.clone(),
            stamp: header.stamp.clone(),
            route: item.route,
            body: spooled.body,
            replaces: item.outdated.as_ref().map(|(placed, _)| placed.clone()),
        });
        self.facts.push(Fact::Copy {
            folder,
            key: item.key,
            fact,
        });
    }
}

/// Decides about one item that did not export. True: ask for it again, alone.
fn settle(
    cx: &JobCx,
    folder: FolderNo,
    item: &Wanted,
    setback: &Setback,
    attempt: u32,
    haul: &mut Haul,
) -> Result<bool, Break> {
    let spent = attempt >= ALONE_MAX;
    let fact = match judge(Repeat::Freely, setback) {
        Verdict::Again | Verdict::Doubt(_) | Verdict::Renew if !spent => return Ok(true),
        Verdict::Hold { scope, at_least } => {
            cx.hold(scope, at_least, attempt.max(1));
            return Ok(true);
        }
        Verdict::Pause(_) if !spent => {
            cx.hold(Scope::SourceMailbox, Some(MOVE_PAUSE), attempt.max(1));
            return Ok(true);
        }
        Verdict::Again | Verdict::Doubt(_) | Verdict::Renew => {
            let Setback::ItemRefused(refusal) = as_refusal(setback) else {
                return Ok(false);
            };
            refused(cx, item, refusal, haul)
        }
        Verdict::Refuse(refusal) => refused(cx, item, refusal, haul),
        Verdict::Forget => {
            haul.events.push(EventKind::CopyGone);
            CopyFact::Gone
        }
        Verdict::Resurvey => return Err(Break::FolderGone),
        Verdict::Resync => return Err(Break::StateInvalid),
        Verdict::Halt(why) | Verdict::Pause(why) => return Err(Break::Halt(why)),
        Verdict::Stop(why) => return Err(Break::Stop(why)),
        Verdict::Drain(why) => return Err(Break::Local(why)),
    };
    haul.facts.push(Fact::Copy {
        folder,
        key: item.key,
        fact,
    });
    Ok(false)
}

/// What follows from a refusal of the source: an item that cannot be exported may be readable by its class. It stays due, for the next round.
fn refused(cx: &JobCx, item: &Wanted, refusal: Refusal, haul: &mut Haul) -> CopyFact {
    let first = item.route == Route::Stream && item.outdated.is_none();
    if first && typed::goes_on(cx, &item.before.header.class, &refusal) {
        haul.events.push(EventKind::CopyRerouted(refusal.clone()));
        return CopyFact::Rerouted(Some(refusal));
    }
    haul.events.push(EventKind::CopyRefused(refusal.clone()));
    CopyFact::Refused(refusal)
}

async fn export(
    cx: &JobCx,
    room: &Booking,
    group: &[&Wanted],
) -> Result<Vec<Result<Spooled, Setback>>, Break> {
    let route = group.first().map_or(Route::Stream, |item| item.route);
    let asked = group.iter().map(|item| (item.id.clone(), estimate(item)));
    take(cx, room, route, asked.collect()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::item::SourceHeader;

    fn row(id: &ItemId) -> CopyRow {
        let class = ItemClass::new("IPM.Note");
        CopyRow {
            folder: FolderNo(1),
            key: ItemKey::of(id),
            header: SourceHeader {
                stamp: Stamp::fallback(None, &class, None),
                id: id.clone(),
                class,
                size: Bytes::ZERO,
                read: None,
                received: None,
                version: None,
            },
            facts: Vec::new(),
        }
    }

    fn item(n: u32, size: u64) -> Wanted {
        let id = ItemId::new(format!("s{n}"));
        Wanted {
            key: ItemKey::of(&id),
            before: Before::of(&row(&id), None),
            id,
            size: Bytes::new(size),
            route: Route::Stream,
            rerouted: false,
            outdated: None,
        }
    }

    #[test]
    fn groups_hold_what_shares_an_export_and_large_items_go_alone() {
        let mut wanted: VecDeque<_> = (0..70).map(|n| item(n, 1_000)).collect();
        wanted.push_back(item(70, 90_000_000));
        wanted.push_back(item(71, 10));
        let sizes: Vec<usize> = std::iter::from_fn(|| {
            let group = next_group(&mut wanted);
            (!group.is_empty()).then_some(group.len())
        })
        .collect();
        assert_eq!(sizes, [32, 32, 6, 1, 1]);
    }
}
