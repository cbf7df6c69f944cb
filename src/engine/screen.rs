//! Between the spool and the intent: whole items are looked into, and only what passes gets an intent.
//!
//! Nothing is recorded of an item before its answer is there, and a withheld one is kept for whoever decides before the ledger says that it is
//! withheld: a crash in between looks again. An engine that does not answer ends the run in order; its items wait.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;

use crate::base::dice::Dice;
use crate::base::event::EventKind;
use crate::base::fact::{CopyRow, FolderRow};
use crate::base::id::FolderNo;
use crate::base::item::{Digest, ItemKey, SourceHeader};
use crate::base::limits::{SCREEN_ATTEMPTS_MAX, SCREENS_AT_ONCE};
use crate::base::mailbox::FolderPath;
use crate::base::outcome::{LocalCause, Setback};
use crate::base::screening::{Answer, Binding, Effect, ScreenedBy, Screening, Unscanned};
use crate::engine::control::Wish;
use crate::engine::cx::{Break, JobCx, RunCx};
use crate::flow::screened::released;
use crate::pace::backoff;
use crate::port::body::Body;
use crate::port::screen::{Looked, Record, ScreenFault, Screener};

/// What is known of an item before it is looked into.
#[derive(Clone, Debug)]
pub struct Before {
    /// Its listing.
    pub header: SourceHeader,
    /// The content that a person released.
    released: Option<Binding>,
    /// Why it waits already, where it does.
    waits: Option<Unscanned>,
}

impl Before {
    /// Of a row of the ledger.
    pub fn of(row: &CopyRow, waits: Option<Unscanned>) -> Self {
        Self {
            header: row.header.clone(),
            released: released(row),
            waits,
        }
    }
}

/// What became of one item.
#[derive(Debug)]
pub enum Admission {
    /// It is carried; says who looked, where somebody did.
    Carried(Option<Screening>),
    /// It stays where it is; says why, where that is news.
    Stays(Option<Screening>),
    /// Somebody before it broke off: it was not looked into.
    Unasked,
}

/// Looks into all of these, a few at a time. The first thing that breaks ends it, and what was learnt before it is handed out all the same.
pub async fn admit(
    cx: &JobCx,
    folder: FolderNo,
    items: Vec<(Before, Body, Option<Digest>)>,
) -> (Vec<Admission>, Option<Break>) {
    let Some(screener) = &cx.run.ports.screener else {
        let all = items.iter().map(|_| Admission::Carried(None));
        return (all.collect(), None);
    };
    let asked = items.len();
    let mut out: Vec<Admission> = Vec::with_capacity(asked);
    let mut broken = None;
    let mut waiting = items.into_iter();
    let mut looks = FuturesOrdered::new();
    loop {
        while looks.len() < SCREENS_AT_ONCE
            && let Some(item) = waiting.next()
        {
            looks.push_back(one(cx, screener, folder, item));
        }
        match looks.next().await {
            Some(Ok(admission)) => out.push(admission),
            Some(Err((admission, error))) => {
                out.extend(admission);
                broken = Some(error);
                break;
            }
            None => break,
        }
    }
    out.resize_with(asked, || Admission::Unasked);
    (out, broken)
}

async fn one(
    cx: &JobCx,
    screener: &Arc<dyn Screener>,
    folder: FolderNo,
    (before, body, digest): (Before, Body, Option<Digest>),
) -> Result<Admission, (Option<Admission>, Break)> {
    let (before, body) = (&before, &body);
    let bound = Binding {
        content: digest,
        version: before.header.version,
    };
    let free = before
        .released
        .is_some_and(|released| released.holds(&bound));
    let looked = match ask(cx, screener, body, free).await {
        Ok(looked) => looked,
        Err(Break::Local(LocalCause::NoScreening)) => {
            let waits = nobody();
            let stays = settle(before, &waits, Effect::Waits, bound);
            return Err((Some(stays), Break::Local(LocalCause::NoScreening)));
        }
        Err(broken) => return Err((None, broken)),
    };
    let effect = if free { Effect::Passes } else { looked.effect };
    if effect == Effect::Withheld {
        keep(cx, screener, folder, before, &looked, bound, body)
            .await
            .map_err(|broken| (None, broken))?;
    }
    Ok(settle(before, &looked, effect, bound))
}

/// The answer as it is recorded, and what is told of it.
fn settle(before: &Before, looked: &Looked, effect: Effect, bound: Binding) -> Admission {
    let screening = Screening {
        by: looked.by.clone(),
        answer: looked.answer.clone(),
        effect,
        parts: looked.parts,
        bound,
    };
    match (effect, &looked.answer) {
        (Effect::Passes, _) => Admission::Carried(Some(screening)),
        (Effect::Waits, Answer::NotScanned(why)) if before.waits == Some(*why) => {
            Admission::Stays(None)
        }
        (Effect::Waits | Effect::Withheld, _) => Admission::Stays(Some(screening)),
    }
}

/// What is told of an item that stays, once that is on record.
pub fn told(screening: &Screening) -> EventKind {
    match &screening.answer {
        Answer::NotScanned(why) => EventKind::CopyWaits(*why),
        Answer::NothingFound | Answer::Found(_) => EventKind::CopyWithheld,
    }
}

/// What is said of an item that nobody could look into.
fn nobody() -> Looked {
    Looked {
        by: ScreenedBy::default(),
        answer: Answer::NotScanned(Unscanned::NoEngine),
        effect: Effect::Waits,
        parts: 0,
        found: Vec::new(),
    }
}

/// Asks until there is an answer, a bounded number of times. A released item is carried without one: a person looked.
async fn ask(
    cx: &JobCx,
    screener: &Arc<dyn Screener>,
    body: &Body,
    free: bool,
) -> Result<Looked, Break> {
    let mut attempts = 0;
    loop {
        match screener.look(body).await {
            Ok(looked) => return Ok(looked),
            Err(ScreenFault::Spool(Setback::Local(cause))) => return Err(Break::Local(cause)),
            Err(ScreenFault::Spool(_)) => return Err(Break::Local(LocalCause::Spool)),
            Err(ScreenFault::NoEngine) if free => return Ok(nobody()),
            Err(ScreenFault::NoEngine) => attempts += 1,
        }
        if attempts >= SCREEN_ATTEMPTS_MAX {
            return Err(Break::Local(LocalCause::NoScreening));
        }
        cx.wait(cx.backoff(attempts)).await?;
    }
}

async fn keep(
    cx: &JobCx,
    screener: &Arc<dyn Screener>,
    folder: FolderNo,
    before: &Before,
    looked: &Looked,
    bound: Binding,
    body: &Body,
) -> Result<(), Break> {
    // Seldom: a hit is worth a read of the folders.
    let rows: Vec<FolderRow> = cx.run.ports.ledger.folders(cx.job.job).await?;
    let path = rows.into_iter().find(|row| row.no == folder);
    let header = &before.header;
    let record = Record {
        job: cx.job.job,
        mailbox: cx.job.source.clone(),
        folder: path.map_or_else(|| FolderPath::of([]), |row| row.path),
        item: ItemKey::of(&header.id),
        class: header.class.clone(),
        size: header.size,
        received: header.received,
        bound,
        looked: looked.clone(),
        at: cx.run.ports.clock.moment(),
    };
    let kept = screener.keep(&record, body).await;
    kept.map_err(|setback| match setback {
        Setback::Local(cause) => Break::Local(cause),
        _ => Break::Local(LocalCause::Quarantine),
    })
}

/// Asks for proof before anything is fetched: a bounded number of times, as an item's answer is.
pub async fn prove(cx: &RunCx, dice: &Dice) -> Result<(), LocalCause> {
    let Some(screener) = &cx.ports.screener else {
        return Ok(());
    };
    let mut dice = dice.split("screener");
    for attempt in 1..=SCREEN_ATTEMPTS_MAX {
        if let Ok(proof) = screener.prove().await {
            cx.tell(EventKind::ScreenerProved {
                by: proof.by.to_string(),
                stale: proof.stale,
            });
            return Ok(());
        }
        if cx.control.draining() || attempt == SCREEN_ATTEMPTS_MAX {
            break;
        }
        let until = cx.ports.clock.tick() + backoff::delay(attempt, &mut dice);
        tokio::select! {
            biased;
            () = cx.control.reached(Wish::Drain) => break,
            () = cx.ports.clock.sleep_until(until) => {}
        }
    }
    Err(LocalCause::NoScreening)
}
