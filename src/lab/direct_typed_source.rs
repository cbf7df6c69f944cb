//! The typed source port straight on the world: what the server's answers would show, without asking it.

use std::sync::Arc;

use async_trait::async_trait;

use super::direct::{Call, Desk, SharedWorld, answer, refusal_of, setback_of, setback_of_entry};
use super::fault::{CallKind, Fault};
use super::typed_render::read_out;
use super::world::{Refused, World};
use crate::base::event::Side;
use crate::base::id::{ItemId, MailboxId};
use crate::base::limits;
use crate::base::outcome::{Refusal, RefusalWhy, Said, Setback};
use crate::base::quantity::{Bytes, Span};
use crate::port::clock::Clock;
use crate::port::source::ExportSink;
use crate::port::typed::TypedSource;
use crate::wire::parcel;

/// The typed source, straight on the world.
#[derive(Clone, Debug)]
pub struct DirectTypedSource {
    desk: Desk,
}

impl DirectTypedSource {
    /// A source on this world; each call takes `latency` of this clock.
    pub fn new(world: SharedWorld, clock: Arc<dyn Clock>, latency: Span) -> Self {
        Self {
            desk: Desk {
                world,
                clock,
                latency,
            },
        }
    }
}

/// An item's parcel; `None` where its class has none.
fn parcel_of(world: &World, mailbox: &str, id: &ItemId) -> Result<Option<Vec<u8>>, Refused> {
    let export = world.source_export(mailbox, id.as_str())?;
    let tree = export.tree().ok_or(Refused::Corrupt)?;
    Ok(read_out(&tree).map(|(item, files)| parcel::encode(&item, &files)))
}

#[async_trait]
impl TypedSource for DirectTypedSource {
    async fn read(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        let call = Call {
            side: Side::Source,
            mailbox: mailbox.reveal(),
            kind: CallKind::Export,
            upload: 0,
        };
        let act = |world: &mut World, _| {
            let each = |id: &ItemId| parcel_of(world, mailbox.reveal(), id);
            let all: Vec<_> = items.iter().map(each).collect();
            if all.iter().any(|own| matches!(own, Err(Refused::Poisoned))) {
                return Err(Refused::Poisoned);
            }
            let sent = all.iter().flatten().flatten();
            let sent = sent.map(|own| own.len() as u64 / 3 * 4);
            let bytes = answer(0) + Bytes::new(sent.sum());
            Ok((all, bytes))
        };
        let (all, fault) = self.desk.call(call, act).await?;
        let of = all.len();
        let mut results = Vec::with_capacity(of);
        let cuts = fault.filter(|f| matches!(f, Fault::CutBody | Fault::Truncated));
        for (index, own) in all.into_iter().enumerate() {
            if let Some(entry) = fault.and_then(|fault| fault.entry(index, of)) {
                results.push(Err(setback_of_entry(entry)));
                continue;
            }
            let parcel = match own {
                Ok(Some(parcel)) => parcel,
                Ok(None) => {
                    results.push(Err(not_carried()));
                    continue;
                }
                Err(refused) => {
                    results.push(Err(refusal_of(Side::Source, refused)));
                    continue;
                }
            };
            // The last item of the batch suffers from the weather.
            let hurt = cuts.filter(|_| index + 1 == of);
            let keep = if hurt.is_some() {
                parcel.len() / 2
            } else {
                parcel.len()
            };
            sink.begin(index).await?;
            for piece in parcel[..keep].chunks(limits::BODY_PIECE) {
                sink.piece(piece).await?;
            }
            match hurt {
                Some(fault @ Fault::CutBody) => {
                    return Err(setback_of(Side::Source, CallKind::Export, fault));
                }
                Some(_) => results.push(Err(Setback::Truncated)),
                None => results.push(Ok(())),
            }
        }
        Ok(results)
    }
}

fn not_carried() -> Setback {
    Setback::ItemRefused(Refusal {
        why: RefusalWhy::NoTypedForm,
        said: Said::code("ClassNotCarried"),
    })
}
