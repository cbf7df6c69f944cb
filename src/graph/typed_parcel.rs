//! Parcels as the adapter reads them: measured once, then any part of any attachment, in order and without holding more than was asked for.

use std::collections::VecDeque;

use futures_util::StreamExt as _;

use crate::base::outcome::{LocalCause, Said, Setback};
use crate::port::body::{Body, BodyStream};
use crate::wire::parcel::{Brought, NotAParcel, ParcelMeter, ParcelReader, ParcelReport};

/// What a parcel says about its item.
pub(super) async fn measure(mut pieces: BodyStream) -> Result<ParcelReport, Setback> {
    let mut meter = ParcelMeter::new();
    while let Some(piece) = pieces.next().await {
        meter.feed(&piece?).map_err(not_a_parcel)?;
    }
    meter.finish().map_err(not_a_parcel)
}

/// It was made on this machine; what it is not is our mistake, and one item's.
fn not_a_parcel(_: NotAParcel) -> Setback {
    Setback::OurRequest(Said::code("not-a-parcel"))
}

/// Reads parts of a parcel's attachments. Going forward costs nothing; going back opens the parcel again.
pub(super) struct Reel {
    parcel: Body,
    pieces: BodyStream,
    reader: ParcelReader,
    /// Attachments begun, and bytes of the last of them that came.
    begun: usize,
    came: u64,
    /// What came and was not asked for yet: which attachment, where, and the bytes. At most one piece of the parcel.
    held: VecDeque<(usize, u64, Vec<u8>)>,
}

impl Reel {
    pub(super) fn new(parcel: &Body) -> Self {
        Self {
            pieces: parcel.open(),
            parcel: parcel.clone(),
            reader: ParcelReader::new(),
            begun: 0,
            came: 0,
            held: VecDeque::new(),
        }
    }

    /// Bytes of one attachment: `len` of them from `from` on, all of which must be there.
    pub(super) async fn read(
        &mut self,
        which: usize,
        from: u64,
        len: u64,
    ) -> Result<Vec<u8>, Setback> {
        let len = usize::try_from(len).map_err(|_| Setback::Local(LocalCause::Spool))?;
        let mut out = Vec::with_capacity(len);
        if self.is_past(which, from) {
            let parcel = self.parcel.clone();
            *self = Self::new(&parcel);
        }
        while out.len() < len {
            let at = from + out.len() as u64;
            let Some((own, begins, bytes)) = self.held.front_mut() else {
                self.advance().await?;
                continue;
            };
            let skip = usize::try_from(at.saturating_sub(*begins)).unwrap_or(usize::MAX);
            if *own < which || *own == which && skip >= bytes.len() {
                self.held.pop_front();
                continue;
            }
            if *own > which || *begins > at {
                // The attachment is shorter than it was measured.
                return Err(Setback::Local(LocalCause::Spool));
            }
            let end = bytes.len().min(skip + len - out.len());
            out.extend_from_slice(&bytes[skip..end]);
            bytes.drain(..end);
            *begins += end as u64;
            if bytes.is_empty() {
                self.held.pop_front();
            }
        }
        Ok(out)
    }

    /// True when this place was passed already.
    fn is_past(&self, which: usize, from: u64) -> bool {
        match self.held.front() {
            Some((own, begins, _)) => (*own, *begins) > (which, from),
            None => self.begun > which + 1 || self.begun == which + 1 && self.came > from,
        }
    }

    async fn advance(&mut self) -> Result<(), Setback> {
        let lost = || Setback::Local(LocalCause::Spool);
        let piece = self.pieces.next().await.ok_or_else(lost)??;
        let (held, begun, came) = (&mut self.held, &mut self.begun, &mut self.came);
        let tell = &mut |brought: Brought<'_>| match brought {
            Brought::Head(_) => {}
            Brought::Attachment => (*begun, *came) = (*begun + 1, 0),
            Brought::Piece(bytes) => {
                held.push_back((begun.saturating_sub(1), *came, bytes.to_vec()));
                *came += bytes.len() as u64;
            }
        };
        self.reader.feed(&piece, tell).map_err(not_a_parcel)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes as Chunk;
    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;
    use crate::base::quantity::Bytes;
    use crate::base::typed::{TypedAttachment, TypedItem, TypedMessage};
    use crate::port::body::Rewind;
    use crate::wire::parcel::encode;

    #[derive(Debug)]
    struct Held(Vec<u8>, usize);

    impl Rewind for Held {
        fn len(&self) -> Bytes {
            Bytes::new(self.0.len() as u64)
        }

        fn open(&self) -> BodyStream {
            let parts: Vec<_> = self.0.chunks(self.1).map(<[u8]>::to_vec).collect();
            stream::iter(parts.into_iter().map(|part| Ok(Chunk::from(part)))).boxed()
        }
    }

    fn parcel(files: &[Vec<u8>], step: usize) -> Body {
        let mut message = TypedMessage::default();
        message.common.attachments = vec![TypedAttachment::default(); files.len()];
        Arc::new(Held(
            encode(&TypedItem::Message(Box::new(message)), files),
            step,
        ))
    }

    proptest! {
        #[test]
        fn any_part_is_read_in_any_order(
            files in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..4),
            asked in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 1..20),
            step in 1_usize..90,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut reel = Reel::new(&parcel(&files, step));
            for (which, from, len) in asked {
                let which = which.index(files.len());
                let file = &files[which];
                let from = from.index(file.len() + 1);
                let len = len.index(file.len() - from + 1);
                let got = runtime.block_on(reel.read(which, from as u64, len as u64)).unwrap();
                prop_assert_eq!(&got, &file[from..from + len]);
            }
            let beyond = runtime.block_on(reel.read(files.len() - 1, 0, 201));
            prop_assert!(beyond.is_err());
        }
    }

    #[tokio::test]
    async fn what_is_no_parcel_is_refused() {
        let body: Body = Arc::new(Held(b"mail".to_vec(), 2));
        assert!(matches!(
            measure(body.open()).await,
            Err(Setback::OurRequest(_))
        ));
        assert!(Reel::new(&body).read(0, 0, 1).await.is_err());
        let cut: Body = Arc::new(Held(
            encode(&TypedItem::Message(Box::default()), &[])[..30].to_vec(),
            7,
        ));
        assert!(matches!(
            measure(cut.open()).await,
            Err(Setback::OurRequest(_))
        ));
    }
}
