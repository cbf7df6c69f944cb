//! Item streams on their way: Base64 into the import body, and out of the export reply. Neither is ever whole in memory.

use bytes::Bytes as Chunk;
use futures_util::{StreamExt, stream};

use crate::base::id::{TargetFolderId, TargetItemId};
use crate::base::item::Placed;
use crate::base::limits;
use crate::base::outcome::{Said, Setback};
use crate::port::body::{Body, BodyStream};
use crate::transport::{CallBody, Reply};
use crate::wire::graph::export_reader::ExportReader;
use crate::wire::graph::import::{CREATE_TAIL, Encoder, create_head, create_len, update_head};

/// The import body of an item, which is new or replaces an older version of itself.
pub(super) fn import_body(
    folder: &TargetFolderId,
    replaces: Option<&Placed>,
    body: &Body,
) -> Result<CallBody, Setback> {
    let head = replaces.map_or_else(|| create_head(folder), |placed| update_head(folder, placed));
    let len = create_len(&head, body.len())
        .ok_or_else(|| Setback::OurRequest(Said::code("item-length")))?;
    let head = stream::once(async { Ok(Chunk::from(head)) });
    let letters = stream::unfold(
        Some((body.open(), Encoder::default())),
        |state| async move {
            let (mut pieces, mut encoder) = state?;
            match pieces.next().await {
                Some(Ok(piece)) => {
                    let letters = encoder.push(&piece);
                    Some((Ok(Chunk::from(letters)), Some((pieces, encoder))))
                }
                Some(Err(setback)) => Some((Err(setback), None)),
                None => {
                    let mut end = encoder.finish().into_bytes();
                    end.extend_from_slice(CREATE_TAIL);
                    Some((Ok(Chunk::from(end)), None))
                }
            }
        },
    );
    Ok(CallBody::Stream {
        len,
        stream: head.chain(letters).boxed(),
    })
}

struct Export {
    reply: Reply,
    reader: ExportReader,
    asked: TargetItemId,
    decoded: Vec<u8>,
}

enum Stage {
    Arriving(Box<Export>),
    Last(Vec<u8>, Option<Setback>),
}

/// The stream of an export reply. Ends in an error unless the whole reply came and holds exactly the item asked for.
pub(super) fn export_stream(reply: Reply, asked: TargetItemId) -> BodyStream {
    let export = Export {
        reader: ExportReader::new(reply.status()),
        reply,
        asked,
        decoded: Vec::new(),
    };
    stream::unfold(Some(Stage::Arriving(Box::new(export))), |stage| async {
        let mut stage = stage?;
        if let Stage::Arriving(export) = stage {
            stage = arrive(export).await;
        }
        match stage {
            Stage::Arriving(mut export) => {
                let piece = first_piece(&mut export.decoded);
                Some((Ok(piece), Some(Stage::Arriving(export))))
            }
            Stage::Last(mut rest, end) if !rest.is_empty() => {
                let piece = first_piece(&mut rest);
                Some((Ok(piece), Some(Stage::Last(rest, end))))
            }
            Stage::Last(_, Some(setback)) => Some((Err(setback), None)),
            Stage::Last(_, None) => None,
        }
    })
    .boxed()
}

/// Reads on until a whole piece is decoded or the reply ends.
async fn arrive(mut export: Box<Export>) -> Stage {
    while export.decoded.len() < limits::BODY_PIECE {
        let next = export.reply.chunk().await;
        let pushed = match next {
            Ok(Some(chunk)) => export.reader.push(&chunk, &mut export.decoded),
            Ok(None) => {
                let mut decoded = std::mem::take(&mut export.decoded);
                let end = export.reader.finish(&export.asked, &mut decoded);
                return Stage::Last(decoded, end.err());
            }
            Err(setback) => Err(setback),
        };
        if let Err(setback) = pushed {
            return Stage::Last(Vec::new(), Some(setback));
        }
    }
    Stage::Arriving(export)
}

pub(super) fn first_piece(bytes: &mut Vec<u8>) -> Chunk {
    let rest = bytes.split_off(bytes.len().min(limits::BODY_PIECE));
    Chunk::from(std::mem::replace(bytes, rest))
}
