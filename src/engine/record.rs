//! Makes answers durable, many at a time, and only then tells the listeners.

use tokio::sync::mpsc;

use crate::base::event::EventKind;
use crate::base::fact::Fact;
use crate::base::limits::{ACK_GATHER, INTENT_GROUP};
use crate::engine::cx::{Break, JobCx};

/// A fact and what is told once it is durable.
#[derive(Debug)]
pub struct Note {
    /// The fact.
    pub fact: Fact,
    /// What to tell.
    pub then: Option<EventKind>,
}

/// Waits a moment for company: an append costs the same for one note as for a group. A crash meanwhile leaves doubts, which a look settles.
async fn gather(cx: &JobCx, notes: &mut mpsc::Receiver<Note>, batch: &mut Vec<Note>) {
    let until = cx.run.ports.clock.tick() + ACK_GATHER;
    while batch.len() < INTENT_GROUP {
        let room = INTENT_GROUP - batch.len();
        tokio::select! {
            biased;
            more = notes.recv_many(batch, room) => if more == 0 { return },
            () = cx.run.ports.clock.sleep_until(until) => return,
        }
    }
}

/// Takes notes until every sender is gone. Whatever waits shares one append.
pub async fn record(cx: &JobCx, mut notes: mpsc::Receiver<Note>) -> Result<(), Break> {
    let mut batch = Vec::with_capacity(INTENT_GROUP);
    while notes.recv_many(&mut batch, INTENT_GROUP).await > 0 {
        gather(cx, &mut notes, &mut batch).await;
        let (facts, events): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|note| (note.fact, note.then)).unzip();
        cx.append(&facts).await?;
        for event in events.into_iter().flatten() {
            cx.tell(event);
        }
    }
    Ok(())
}
