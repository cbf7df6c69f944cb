//! Bounded, rewindable bodies: memory first, then an owner-only file without a name.
//!
//! The bodies of one export share one file, one behind the other: open files are as few as exports, however many small bodies find no memory. A
//! file has no name from the start, so a killed process leaves none behind. How much there may be of all this: [`crate::engine::room`].

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes as Chunk;
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::base::limits::{BODY_PIECE, SPOOL_IN_MEMORY};
use crate::base::outcome::{LocalCause, Setback};
use crate::base::quantity::Bytes;
use crate::engine::room::Room;
use crate::port::body::{Body, BodyStream, Rewind};

pub use crate::engine::room::Spool;

/// How much is read from or written to a file at a time: 196,608 bytes. Each create in flight holds one such buffer, 300 of them 59 MB.
const FILE_READ: usize = 4 * BODY_PIECE;

/// The file that the bodies of one export share, made when the first of them needs it.
#[derive(Clone, Debug, Default)]
pub struct Spill(Arc<Mutex<Spilled>>);

#[derive(Debug, Default)]
struct Spilled {
    file: Option<Arc<Mutex<std::fs::File>>>,
    /// Where the next body begins.
    end: u64,
}

impl Spill {
    /// The file, and where a body begins that is written now. Bodies are written one after the other.
    fn open(&self, dir: &Path) -> std::io::Result<(Arc<Mutex<std::fs::File>>, u64)> {
        let mut spilled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &spilled.file {
            Some(file) => Arc::clone(file),
            None => Arc::new(Mutex::new(tempfile::tempfile_in(dir)?)),
        };
        spilled.file = Some(Arc::clone(&file));
        Ok((file, spilled.end))
    }

    fn grown_to(&self, end: u64) {
        let mut spilled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spilled.end = spilled.end.max(end);
    }
}

/// A body that is being written.
#[derive(Debug)]
pub struct Spooling {
    room: Room,
    spill: Spill,
    len: u64,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Memory(Vec<u8>),
    File(Part),
}

/// A body's part of a file.
#[derive(Debug)]
struct Part {
    file: Arc<Mutex<std::fs::File>>,
    start: u64,
    /// Bytes of it that are in the file.
    written: u64,
    /// Bytes of it that are not yet.
    pending: Vec<u8>,
}

impl Part {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < FILE_READ {
            return Ok(());
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Setback> {
        let (file, at) = (Arc::clone(&self.file), self.start + self.written);
        let mut buffer = std::mem::take(&mut self.pending);
        let write = move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&buffer)?;
            Ok(std::mem::take(&mut buffer))
        };
        let done: std::io::Result<Vec<u8>> = tokio::task::spawn_blocking(write)
            .await
            .map_err(|_| Setback::Local(LocalCause::Spool))?;
        self.pending = done.map_err(|error| local(&error))?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

impl Spooling {
    /// Begins a body in `room`; what finds no memory goes to `spill`. End it, or drop it, before the next one of the same spill is written.
    pub fn begin(room: Room, spill: Spill) -> Self {
        Self {
            room,
            spill,
            len: 0,
            held: Held::Memory(Vec::new()),
        }
    }

    /// Bytes written so far.
    pub fn len(&self) -> Bytes {
        Bytes::new(self.len)
    }

    /// True when nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        let n = bytes.len() as u64;
        if let Held::Memory(held) = &mut self.held {
            let stays = self.len + n <= SPOOL_IN_MEMORY.get() && self.room.try_memory(n);
            if stays {
                grow(held, bytes.len());
                held.extend_from_slice(bytes);
                self.len += n;
                return Ok(());
            }
            let held = std::mem::take(held);
            self.spill(&held).await?;
        }
        self.len += n;
        if let Held::File(part) = &mut self.held {
            self.spill.grown_to(part.start + self.len);
            part.write(bytes).await?;
        }
        Ok(())
    }

    async fn spill(&mut self, held: &[u8]) -> Result<(), Setback> {
        let open = self.spill.open(self.room.dir());
        let (file, start) = open.map_err(|error| local(&error))?;
        let mut part = Part {
            file,
            start,
            written: 0,
            pending: Vec::new(),
        };
        part.write(held).await?;
        self.held = Held::File(part);
        self.room.leave_memory();
        Ok(())
    }

    /// Ends the body.
    pub async fn finish(mut self) -> Result<Body, Setback> {
        self.room.settle(Bytes::new(self.len));
        let content = match self.held {
            Held::Memory(mut bytes) => {
                bytes.shrink_to_fit();
                Content::Memory(Chunk::from(bytes))
            }
            Held::File(mut part) => {
                part.flush().await?;
                Content::File(part.file, part.start)
            }
        };
        Ok(Arc::new(Spooled {
            content,
            len: self.len,
            _room: self.room,
        }))
    }
}

/// Makes room for `more` bytes. A vector left to itself doubles, and the memory that is counted would be half of what is taken.
fn grow(held: &mut Vec<u8>, more: usize) {
    if held.capacity() - held.len() < more {
        held.reserve_exact(more.max(held.len() / 4));
    }
}

fn local(error: &std::io::Error) -> Setback {
    Setback::Local(match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => LocalCause::DiskFull,
        _ => LocalCause::Spool,
    })
}

/// A complete body.
#[derive(Debug)]
struct Spooled {
    content: Content,
    len: u64,
    _room: Room,
}

#[derive(Clone, Debug)]
enum Content {
    Memory(Chunk),
    File(Arc<Mutex<std::fs::File>>, u64),
}

impl Rewind for Spooled {
    fn len(&self) -> Bytes {
        Bytes::new(self.len)
    }

    fn open(&self) -> BodyStream {
        match self.content.clone() {
            Content::Memory(bytes) => stream::iter(pieces(bytes).map(Ok)).boxed(),
            Content::File(file, start) => {
                let end = start + self.len;
                stream::try_unfold((file, start, end), |(file, at, end)| async move {
                    if at >= end {
                        return Ok(None);
                    }
                    let reader = Arc::clone(&file);
                    let read = tokio::task::spawn_blocking(move || read_at(&reader, at, end))
                        .await
                        .map_err(|_| Setback::Local(LocalCause::Spool))??;
                    let next = at + read.len() as u64;
                    Ok(Some((
                        stream::iter(pieces(read).map(Ok)),
                        (file, next, end),
                    )))
                })
                .try_flatten_boxed()
            }
        }
    }
}

trait FlattenBoxed {
    fn try_flatten_boxed(self) -> BodyStream;
}

impl<S, T> FlattenBoxed for S
where
    S: futures_util::Stream<Item = Result<T, Setback>> + Send + 'static,
    T: futures_util::Stream<Item = Result<Chunk, Setback>> + Send + 'static,
{
    fn try_flatten_boxed(self) -> BodyStream {
        use futures_util::TryStreamExt as _;
        self.try_flatten().boxed()
    }
}

/// Cuts into pieces of `BODY_PIECE`, a multiple of three; only the last may be shorter.
fn pieces(bytes: Chunk) -> impl Iterator<Item = Chunk> + Send {
    let count = bytes.len().div_ceil(BODY_PIECE);
    (0..count).map(move |i| bytes.slice(i * BODY_PIECE..bytes.len().min((i + 1) * BODY_PIECE)))
}

fn read_at(file: &Mutex<std::fs::File>, at: u64, end: u64) -> Result<Chunk, Setback> {
    let want = usize::try_from(end - at)
        .unwrap_or(FILE_READ)
        .min(FILE_READ);
    let mut buffer = vec![0; want];
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(at))
        .map_err(|error| local(&error))?;
    file.read_exact(&mut buffer)
        .map_err(|error| local(&error))?;
    Ok(Chunk::from(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spooled(spool: &Arc<Spool>, bytes: &[u8], step: usize) -> Body {
        let size = Bytes::new(bytes.len() as u64);
        let room = spool.reserve(size).await.lend(size);
        let mut spooling = Spooling::begin(room, Spill::default());
        for part in bytes.chunks(step) {
            spooling.write(part).await.unwrap();
        }
        spooling.finish().await.unwrap()
    }

    async fn read(body: &Body) -> Vec<u8> {
        let mut out = Vec::new();
        let mut stream = body.open();
        let mut lens = Vec::new();
        while let Some(piece) = stream.next().await {
            let piece = piece.unwrap();
            lens.push(piece.len());
            out.extend_from_slice(&piece);
        }
        lens.pop();
        assert!(
            lens.iter()
                .all(|len| len.is_multiple_of(3) && *len <= BODY_PIECE)
        );
        out
    }

    fn bytes(n: usize) -> Vec<u8> {
        (0..n).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_body_reads_the_same_from_memory_and_from_a_file_every_time() {
        let dir = tempfile::tempdir().unwrap();
        for (memory, n) in [
            (10_000_000, 1_000_001),
            (1_000, 3_000_001),
            (0, 5),
            (10_000_000, 0),
        ] {
            let spool = Spool::new(Bytes::new(1 << 30), Bytes::new(memory), dir.path().into());
            let want = bytes(n);
            let body = spooled(&spool, &want, 60_001).await;
            assert_eq!(body.len().get(), n as u64);
            assert!(read(&body).await == want);
            assert!(read(&body).await == want, "a second reading differs");
            assert_eq!(
                std::fs::read_dir(dir.path()).unwrap().count(),
                0,
                "a named file was left"
            );
        }
    }

    #[test]
    fn memory_that_is_taken_is_little_more_than_memory_that_is_counted() {
        let mut held = Vec::new();
        for _ in 0..200 {
            grow(&mut held, 40_000);
            held.resize(held.len() + 40_000, 0);
            assert!(
                held.capacity() <= held.len() / 4 * 5 + 40_000,
                "{}",
                held.len()
            );
        }
    }

    #[tokio::test]
    async fn bodies_of_one_export_share_one_file_and_read_each_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(Bytes::new(1 << 30), Bytes::new(10), dir.path().into());
        let booking = spool.reserve(Bytes::new(5_000_000)).await;
        let spill = Spill::default();
        let mut bodies = Vec::new();
        let lens = [1, 5, 11, 1_500_001, 0, 7, 2_000_003, 12];
        let mut waiting = Vec::new();
        for n in lens {
            let mut spooling = Spooling::begin(booking.lend(Bytes::new(n as u64)), spill.clone());
            for part in bytes(n).chunks(50_000) {
                spooling.write(part).await.unwrap();
            }
            waiting.push(spooling);
        }
        // Ended after all were written, as an export ends them.
        for spooling in waiting {
            bodies.push(spooling.finish().await.unwrap());
        }
        for (body, n) in bodies.iter().zip(lens).rev() {
            assert!(read(body).await == bytes(n), "{n} bytes differ");
        }
        let end = spill.0.lock().unwrap().end;
        assert_eq!(end, 11 + 1_500_001 + 7 + 2_000_003 + 12);
    }

    #[tokio::test]
    async fn a_stream_longer_than_listed_is_taken_in_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(Bytes::new(100), Bytes::new(1000), dir.path().into());
        let booking = spool.reserve(Bytes::new(10)).await;
        let mut spooling = Spooling::begin(booking.lend(Bytes::new(10)), Spill::default());
        drop(booking);
        spooling.write(&bytes(500)).await.unwrap();
        let body = spooling.finish().await.unwrap();
        let mut next = Box::pin(spool.reserve(Bytes::new(1)));
        assert!(
            futures_util::poll!(&mut next).is_pending(),
            "the debt is not counted"
        );
        drop(body);
        assert!(futures_util::poll!(&mut next).is_ready());
    }
}
