//! An ExportItems reply on its way: one item at a time in memory, base64 made piece by piece.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes as Chunk;
use futures_util::stream;

use super::direct::lock;
use super::ews_answers::{Desk, VERSION, told};
use super::face::{Face, Flight, Scissors};
use super::fault::Fault;
use crate::base::event::Side;
use crate::base::id::ItemId;
use crate::base::limits;
use crate::base::quantity::Bytes;
use crate::wire::base64;
use crate::wire::ews::export_items::ExportReplyWriter;

/// The literal end of an export that the server gave up on.
const TRUNCATION_MARK: &str = "=== Truncated Data ===";

/// The item being sent.
struct Open {
    stream: Arc<[u8]>,
    at: usize,
    /// Where it breaks off, and how.
    spoilt: Option<(usize, Fault)>,
}

/// The reply being sent.
pub(super) struct ExportStream {
    face: Face,
    mailbox: String,
    writer: Option<ExportReplyWriter>,
    waiting: VecDeque<ItemId>,
    /// Entries of the whole batch.
    of: usize,
    open: Option<Open>,
    fault: Option<Fault>,
    sent: u64,
    flight: Flight,
    scissors: Scissors,
}

impl ExportStream {
    pub(super) fn new(
        face: Face,
        mailbox: &str,
        items: Vec<ItemId>,
        fault: Option<Fault>,
        flight: Flight,
        scissors: Scissors,
    ) -> Self {
        Self {
            face,
            mailbox: mailbox.to_owned(),
            writer: Some(ExportReplyWriter::new(&VERSION)),
            of: items.len(),
            waiting: items.into(),
            open: None,
            fault,
            sent: 0,
            flight,
            scissors,
        }
    }

    pub(super) fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(Some(self), |sending| async {
            let mut sending = sending?;
            match sending.next() {
                Some(Ok(text)) => {
                    sending.sent += text.len() as u64;
                    Some((Ok(Chunk::from(text)), Some(sending)))
                }
                Some(Err(error)) => {
                    sending.scissors.cut();
                    Some((Err(error), None))
                }
                None => {
                    sending.flight.end(Bytes::new(sending.sent));
                    None
                }
            }
        }))
    }

    /// The next piece of the reply; `None` after its end.
    fn next(&mut self) -> Option<io::Result<String>> {
        match self.open.take() {
            Some(open) => Some(self.continue_item(open)),
            None => match self.waiting.pop_front() {
                Some(id) => Some(Ok(self.begin_item(&id))),
                None => Some(Ok(self.writer.take()?.finish())),
            },
        }
    }

    fn begin_item(&mut self, id: &ItemId) -> String {
        let Some(writer) = &mut self.writer else {
            return String::new();
        };
        let index = self.of - self.waiting.len() - 1;
        if let Some(entry) = self.fault.and_then(|fault| fault.entry(index, self.of)) {
            return writer.refuse(&told(entry));
        }
        let world = lock(&self.face.world);
        match world.source_export(&self.mailbox, id.as_str()) {
            Ok(export) => {
                // The last item of the batch suffers from the weather.
                let cuts = |fault: &Fault| matches!(fault, Fault::CutBody | Fault::Truncated);
                let last = self.waiting.is_empty();
                let fault = self.fault.take_if(|fault| last && cuts(fault));
                let middle = export.stream.len() / 2;
                self.open = Some(Open {
                    stream: export.stream,
                    at: 0,
                    spoilt: fault.map(|fault| (middle, fault)),
                });
                writer.begin_item(id)
            }
            Err(no) => {
                let mut desk = Desk {
                    world: &world,
                    mailbox: &self.mailbox,
                    fault: None,
                    broken: Vec::new(),
                };
                let refused = desk.refuse(no);
                let broken = desk.broken;
                drop(world);
                for why in broken {
                    self.face.invalid(Side::Source, &why);
                }
                writer.refuse(&refused)
            }
        }
    }

    fn continue_item(&mut self, mut open: Open) -> io::Result<String> {
        let end = open.spoilt.map_or(open.stream.len(), |(end, _)| end);
        let to = end.min(open.at + limits::BODY_PIECE);
        let mut text = base64::encode(&open.stream[open.at..to]);
        open.at = to;
        if to < end {
            self.open = Some(open);
            return Ok(text);
        }
        match open.spoilt {
            Some((_, Fault::CutBody)) => {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset));
            }
            Some((_, Fault::Truncated)) => text.push_str(TRUNCATION_MARK),
            _ => {}
        }
        if let Some(writer) = &mut self.writer {
            text += &writer.end_item();
        }
        Ok(text)
    }
}
