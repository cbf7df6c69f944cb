//! What both HTTP faces share: the world under its lock, the lab's clock, calls in flight, and the means to break a connection.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::{fmt, io};

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::http::Extensions;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;

use super::direct::{SharedWorld, lock};
use super::fault::{CallKind, Fault};
use super::tls::{Identity, Wire};
use super::world::{Busy, Now, Ticket, World};
use crate::base::event::Side;
use crate::base::quantity::{Bytes, Span};
use crate::port::clock::Clock;
use crate::wire::ntlm::Acceptor;

/// A face's view of the lab.
#[derive(Clone, Debug)]
pub struct Face {
    /// The world.
    pub world: SharedWorld,
    /// The lab's time; the system's is never asked.
    pub clock: Arc<dyn Clock>,
    /// How long a call takes: half before it takes effect, half after.
    pub latency: Span,
}

impl Face {
    /// The time, on both clocks.
    pub fn now(&self) -> Now {
        self.with(|_, now| now)
    }

    /// Does something with the world. Never hold it across an await.
    pub fn with<T>(&self, act: impl FnOnce(&mut World, Now) -> T) -> T {
        let mut world = lock(&self.world);
        let now = world.shown(Now {
            tick: self.clock.tick(),
            moment: self.clock.moment(),
        });
        act(&mut world, now)
    }

    /// Lets half of a call's latency pass.
    pub async fn half_latency(&self) {
        self.pass(Span::new(self.latency.get() / 2)).await;
    }

    /// Lets time pass.
    pub async fn pass(&self, span: Span) {
        if span > Span::ZERO {
            self.clock.sleep_until(self.clock.tick() + span).await;
        }
    }

    /// Admits a call and draws its weather; see [`World::begin`] and [`World::fault`].
    pub fn begin(
        &self,
        side: Side,
        mailbox: &str,
        bytes_in: Bytes,
        upload: bool,
        kind: CallKind,
    ) -> Result<(Flight, Option<Fault>), Busy> {
        self.with(|world, now| {
            let ticket = world.begin(now, side, mailbox, bytes_in, upload)?;
            let flight = Flight {
                world: Arc::clone(&self.world),
                ticket: Some(ticket),
            };
            Ok((flight, world.fault(now, side, mailbox, kind)))
        })
    }

    /// Notes a request that breaks a published rule.
    pub fn invalid(&self, side: Side, why: &str) {
        self.with(|world, now| world.note_invalid(now, side, why));
    }
}

/// A call in flight. Ends when told to, or when dropped: a client that goes away in the middle is no longer in flight.
#[derive(Debug)]
pub struct Flight {
    world: SharedWorld,
    ticket: Option<Ticket>,
}

impl Flight {
    /// Ends the call. Do it before the first byte of the answer leaves, so that a client may call again when it has it.
    pub fn end(mut self, bytes_out: Bytes) {
        self.finish(bytes_out);
    }

    fn finish(&mut self, bytes_out: Bytes) {
        if let Some(ticket) = self.ticket.take() {
            lock(&self.world).end(ticket, bytes_out);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.finish(Bytes::ZERO);
    }
}

/// Who is on a connection, where the connection knows.
#[derive(Debug, Default)]
pub(super) struct Guest {
    /// A sign-in under way.
    pub(super) begun: Option<Acceptor>,
    /// True once it was accepted.
    pub(super) signed_in: bool,
}

/// The scissors of one connection, and who is on it. Every request carries them.
#[derive(Clone, Default)]
pub struct Scissors(Arc<Line>);

#[derive(Default)]
struct Line {
    cut: AtomicBool,
    guest: Mutex<Guest>,
}

impl Scissors {
    /// The scissors of the connection a request came on. A request without a connection (a test's) gets some that cut nothing.
    pub fn of(extensions: &Extensions) -> Self {
        let own = extensions.get::<ConnectInfo<Self>>();
        own.map(|ConnectInfo(own)| own.clone()).unwrap_or_default()
    }

    /// Breaks the connection: whatever the handler answers now does not arrive.
    pub fn cut(&self) {
        self.0.cut.store(true, Ordering::Release);
    }

    /// Does something with who is on the connection.
    pub(super) fn with_guest<T>(&self, act: impl FnOnce(&mut Guest) -> T) -> T {
        let mut guest = self.0.guest.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut guest)
    }

    fn is_cut(&self) -> bool {
        self.0.cut.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Scissors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scissors(cut: {})", self.is_cut())
    }
}

impl Connected<IncomingStream<'_, Door>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().scissors.clone()
    }
}

/// A listener on loopback whose connections can be cut.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    identity: Option<Identity>,
}

impl Door {
    /// Opens a door on 127.0.0.1; port 0 takes a free one.
    pub async fn open(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        Ok(Self {
            listener,
            identity: None,
        })
    }

    /// With an identity, speaks TLS.
    #[must_use]
    pub fn with(mut self, identity: Option<Identity>) -> Self {
        self.identity = identity;
        self
    }

    /// On which port.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }
}

impl Listener for Door {
    type Io = Thread;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Thread, Self::Addr) {
        let (stream, from) = Listener::accept(&mut self.listener).await;
        // Small answers must not wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let wire = match &self.identity {
            Some(identity) => identity.accept(stream),
            None => Wire::Clear(stream),
        };
        let thread = Thread {
            wire,
            scissors: Scissors::default(),
        };
        (thread, from)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that can be cut.
#[derive(Debug)]
pub struct Thread {
    wire: Wire,
    scissors: Scissors,
}

impl Thread {
    fn whole(&self) -> io::Result<()> {
        if self.scissors.is_cut() {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }
}

impl AsyncRead for Thread {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.whole()?;
        self.wire.read(cx, buf)
    }
}

impl AsyncWrite for Thread {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.whole()?;
        self.wire.write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole()?;
        self.wire.flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.whole()?;
        self.wire.write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_vectored()
    }
}
