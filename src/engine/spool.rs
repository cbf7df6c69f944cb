//! Bounded, rewindable bodies: memory first, then an owner-only file without a name.
//!
//! The room of a whole group is reserved at once, before its export begins: nobody waits for more room while holding some, so nobody
//! waits for ever. Streams that turn out longer than listed are taken in all the same and counted as debt, which the next reservation
//! waits out. A file has no name from the start, so a killed process leaves none behind.

use std::collections::VecDeque;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes as Chunk;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;

use crate::base::limits::{BODY_PIECE, SPOOL_IN_MEMORY};
use crate::base::outcome::{LocalCause, Setback};
use crate::base::quantity::Bytes;
use crate::port::body::{Body, BodyStream, Rewind};

/// How much is read from a file at a time: 196,608 bytes. Each create in flight holds one such buffer, 300 of them 59 MB.
const FILE_READ: usize = 4 * BODY_PIECE;

/// The room all bodies of a run share.
#[derive(Debug)]
pub struct Spool {
    total: u64,
    memory: u64,
    dir: PathBuf,
    used: Mutex<Used>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Used {
    total: u64,
    memory: u64,
    /// Who waits, the first at the front: a large body is not passed over for ever by small ones.
    line: VecDeque<u64>,
    tickets: u64,
}

/// A place in the line; given up when dropped.
struct Place<'a> {
    spool: &'a Spool,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut used = self.spool.lock();
        let own = self.ticket;
        used.line.retain(|ticket| *ticket != own);
        drop(used);
        // Whoever is first now may find room.
        self.spool.freed.notify_waiters();
    }
}

/// Reserved room; freed on drop.
#[derive(Debug)]
pub struct Room {
    spool: Arc<Spool>,
    total: u64,
    memory: u64,
}

impl Spool {
    /// A spool of `total` bytes, of which `memory` may be memory; files go to `dir`.
    pub fn new(total: Bytes, memory: Bytes, dir: PathBuf) -> Arc<Self> {
        let used = Mutex::new(Used::default());
        Arc::new(Self {
            total: total.get(),
            memory: memory.get(),
            dir,
            used,
            freed: Notify::new(),
        })
    }

    /// Waits until `estimate` bytes are free and takes them; who asked first is served first. An estimate above the whole is granted when the
    /// spool is empty. Dropping the future gives up the place.
    pub async fn reserve(self: &Arc<Self>, estimate: Bytes) -> Room {
        let place = self.join();
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let first = self.lock().line.front() == Some(&place.ticket);
            if first && self.try_take(estimate.get()) {
                return Room {
                    spool: Arc::clone(self),
                    total: estimate.get(),
                    memory: 0,
                };
            }
            freed.await;
        }
    }

    fn join(&self) -> Place<'_> {
        let mut used = self.lock();
        used.tickets += 1;
        let ticket = used.tickets;
        used.line.push_back(ticket);
        Place {
            spool: self,
            ticket,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_take(&self, n: u64) -> bool {
        let mut used = self.lock();
        let fits = used.total == 0 || used.total.saturating_add(n) <= self.total;
        if fits {
            used.total += n;
        }
        fits
    }
}

impl Room {
    /// Splits off `n` bytes, or all there are.
    #[must_use]
    pub fn split(&mut self, n: Bytes) -> Self {
        let n = n.get().min(self.total);
        self.total -= n;
        Self {
            spool: Arc::clone(&self.spool),
            total: n,
            memory: 0,
        }
    }

    /// Makes the room exactly `n` bytes: frees what is over, or takes what is missing as debt.
    fn resize(&mut self, n: u64) {
        let mut used = self
            .spool
            .used
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        used.total = used.total.saturating_sub(self.total).saturating_add(n);
        self.total = n;
        drop(used);
        self.spool.freed.notify_waiters();
    }

    /// Takes `n` bytes of memory where there are.
    fn try_memory(&mut self, n: u64) -> bool {
        let mut used = self
            .spool
            .used
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let fits = used.memory.saturating_add(n) <= self.spool.memory;
        if fits {
            used.memory += n;
            self.memory += n;
        }
        fits
    }

    fn leave_memory(&mut self) {
        let mut used = self
            .spool
            .used
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        used.memory = used.memory.saturating_sub(self.memory);
        self.memory = 0;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.leave_memory();
        self.resize(0);
    }
}

/// A body that is being written.
#[derive(Debug)]
pub struct Spooling {
    room: Room,
    len: u64,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Memory(Vec<u8>),
    File(tokio::fs::File),
}

impl Spooling {
    /// Begins a body in `room`.
    pub fn begin(room: Room) -> Self {
        Self {
            room,
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
        if let Held::File(file) = &mut self.held {
            file.write_all(bytes).await.map_err(|error| local(&error))?;
        }
        self.len += n;
        Ok(())
    }

    async fn spill(&mut self, held: &[u8]) -> Result<(), Setback> {
        let file = tempfile::tempfile_in(&self.room.spool.dir).map_err(|error| local(&error))?;
        let mut file = tokio::fs::File::from_std(file);
        file.write_all(held).await.map_err(|error| local(&error))?;
        self.held = Held::File(file);
        self.room.leave_memory();
        Ok(())
    }

    /// Ends the body.
    pub async fn finish(mut self) -> Result<Body, Setback> {
        self.room.resize(self.len);
        let content = match self.held {
            Held::Memory(mut bytes) => {
                bytes.shrink_to_fit();
                Content::Memory(Chunk::from(bytes))
            }
            Held::File(mut file) => {
                file.flush().await.map_err(|error| local(&error))?;
                Content::File(Arc::new(Mutex::new(file.into_std().await)))
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
    File(Arc<Mutex<std::fs::File>>),
}

impl Rewind for Spooled {
    fn len(&self) -> Bytes {
        Bytes::new(self.len)
    }

    fn open(&self) -> BodyStream {
        match self.content.clone() {
            Content::Memory(bytes) => stream::iter(pieces(bytes).map(Ok)).boxed(),
            Content::File(file) => {
                stream::try_unfold((file, 0u64, self.len), |(file, at, len)| async move {
                    if at >= len {
                        return Ok(None);
                    }
                    let reader = Arc::clone(&file);
                    let read = tokio::task::spawn_blocking(move || read_at(&reader, at, len))
                        .await
                        .map_err(|_| Setback::Local(LocalCause::Spool))??;
                    let next = at + read.len() as u64;
                    Ok(Some((
                        stream::iter(pieces(read).map(Ok)),
                        (file, next, len),
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

fn read_at(file: &Mutex<std::fs::File>, at: u64, len: u64) -> Result<Chunk, Setback> {
    let want = usize::try_from(len - at)
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
        let room = spool.reserve(Bytes::new(bytes.len() as u64)).await;
        let mut spooling = Spooling::begin(room);
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
    async fn room_comes_back_when_the_last_handle_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(Bytes::new(100), Bytes::new(100), dir.path().into());
        let body = spooled(&spool, &bytes(90), 10).await;
        assert!(!spool.try_take(20), "more was given than there is");
        drop(body);
        assert!(spool.try_take(100));
    }

    #[tokio::test]
    async fn a_large_body_is_not_passed_over_by_small_ones() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(Bytes::new(100), Bytes::new(100), dir.path().into());
        let held = spool.reserve(Bytes::new(60)).await;
        let mut gone = Box::pin(spool.reserve(Bytes::new(90)));
        let mut large = Box::pin(spool.reserve(Bytes::new(80)));
        let mut small = Box::pin(spool.reserve(Bytes::new(10)));
        assert!(futures_util::poll!(&mut gone).is_pending());
        assert!(futures_util::poll!(&mut large).is_pending());
        assert!(futures_util::poll!(&mut small).is_pending(), "it would fit");
        drop(gone);
        drop(held);
        assert!(futures_util::poll!(&mut small).is_pending(), "not its turn");
        let first = large.await;
        let second = small.await;
        drop((first, second));
        assert!(spool.try_take(100));
    }

    #[tokio::test]
    async fn a_stream_longer_than_listed_is_taken_in_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(Bytes::new(100), Bytes::new(1000), dir.path().into());
        let mut spooling = Spooling::begin(spool.reserve(Bytes::new(10)).await);
        spooling.write(&bytes(500)).await.unwrap();
        let body = spooling.finish().await.unwrap();
        assert!(!spool.try_take(1), "the debt is not counted");
        drop(body);
        assert!(spool.try_take(1));
    }
}
