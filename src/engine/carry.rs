//! Carries everything of one folder that is to be created: fetch, send and record, side by side in one task.

use tokio::sync::mpsc;

use crate::base::limits::NOTES_WAITING;
use crate::engine::cx::Break;
use crate::engine::fetch::fetch;
use crate::engine::record::record;
use crate::engine::send::{Lane, send};

/// Carries a folder once through, with what waits to be looked into once more where `waiting` says so. What came back as "not sent" or in doubt stays for the caller to see in the ledger.
///
/// Queues: one group between fetch and send, besides those that fetch makes ready; `limits::NOTES_WAITING` notes.
pub async fn carry(lane: Lane<'_>, waiting: bool) -> Result<(), Break> {
    let cx = lane.ferry.cx;
    let (ready_in, ready_out) = mpsc::channel(1);
    let (notes_in, notes_out) = mpsc::channel(NOTES_WAITING);
    let (fetched, sent, recorded) = tokio::join!(
        fetch(cx, lane.folder.no, waiting, ready_in),
        send(lane, ready_out, notes_in),
        record(cx, notes_out),
    );
    // A ledger that failed explains the other two; a sender that broke explains the fetcher.
    recorded?;
    sent?;
    fetched
}
