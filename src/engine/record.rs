//! Makes answers durable, many at a time, and only then tells the listeners.

use tokio::sync::mpsc;

use crate::base::event::EventKind;
use crate::base::fact::Fact;
use crate::base::limits::INTENT_GROUP;
use crate::engine::cx::{Break, JobCx};

/// A fact and what is told once it is durable.
#[derive(Debug)]
pub struct Note {
    /// The fact.
    pub fact: Fact,
    /// What to tell.
    pub then: Option<EventKind>,
}

/// Takes notes until every sender is gone. Whatever waits shares one append.
pub async fn record(cx: &JobCx, mut notes: mpsc::Receiver<Note>) -> Result<(), Break> {
    let mut batch = Vec::with_capacity(INTENT_GROUP);
    while notes.recv_many(&mut batch, INTENT_GROUP).await > 0 {
        let (facts, events): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|note| (note.fact, note.then)).unzip();
        cx.append(&facts).await?;
        for event in events.into_iter().flatten() {
            cx.tell(event);
        }
    }
    Ok(())
}
