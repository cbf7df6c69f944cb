//! Source and Target straight on the world, without a wire: for simulations under paused time. The same rules, limits, weather and counts as
//! the two faces; each call takes `latency` of the clock it was given, half before it takes effect and half after.

use std::sync::{Arc, Mutex, MutexGuard};

pub use super::direct_source::DirectSource;
pub use super::direct_target::DirectTarget;
pub use super::direct_typed_acts::Between;
pub use super::direct_typed_source::DirectTypedSource;
use super::fault::{CallKind, Entry, Fault};
use super::world::{Busy, Limit, Now, Refused, Ticket, World};
use crate::base::event::Side;
use crate::base::outcome::{
    CROWDED, DoubtCause, HaltCause, MisreadCause, Refusal, RefusalWhy, Said, Scope, Setback,
};
use crate::base::quantity::{Bytes, Span};
use crate::port::clock::Clock;

/// The world as faces share it. Lock it for single calls, never across an await.
pub type SharedWorld = Arc<Mutex<World>>;

/// Locks the world. A panic of another holder leaves it usable: the world has no invariant that spans calls.
pub fn lock(world: &SharedWorld) -> MutexGuard<'_, World> {
    world
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What both sides share: the world, the clock, how long a call takes.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) world: SharedWorld,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) latency: Span,
}

/// A call in flight; ends when dropped, also when its future is cancelled.
struct InFlight<'a> {
    world: &'a SharedWorld,
    ticket: Option<Ticket>,
    bytes_out: Bytes,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            lock(self.world).end(ticket, self.bytes_out);
        }
    }
}

/// Whom a call concerns, and what it is.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) side: Side,
    pub(super) mailbox: &'a str,
    pub(super) kind: CallKind,
    /// Body of the request; more than nothing means an upload.
    pub(super) upload: u64,
}

impl Desk {
    fn now(&self) -> Now {
        Now {
            tick: self.clock.tick(),
            moment: self.clock.moment(),
        }
    }

    async fn pass(&self, span: Span) {
        if span > Span::ZERO {
            self.clock.sleep_until(self.clock.tick() + span).await;
        }
    }

    /// Makes one call. `act` is what it does to the world, and how long its answer is. The second result is a fault that leaves the
    /// answer usable in part (exports).
    pub(super) async fn call<T: Send>(
        &self,
        call: Call<'_>,
        act: impl FnOnce(&mut World, Now) -> Result<(T, Bytes), Refused> + Send,
    ) -> Result<(T, Option<Fault>), Setback> {
        let (mut flight, fault) = {
            let mut world = lock(&self.world);
            let asked = Bytes::new(call.upload.max(600));
            let now = world.shown(self.now());
            let ticket = world
                .begin(now, call.side, call.mailbox, asked, call.upload > 0)
                .map_err(|busy| too_fast(call.side, busy))?;
            let flight = InFlight {
                world: &self.world,
                ticket: Some(ticket),
                bytes_out: Bytes::ZERO,
            };
            let fault = world.fault(now, call.side, call.mailbox, call.kind);
            (flight, fault)
        };
        let half = Span::new(self.latency.get() / 2);
        self.pass(half).await;
        if let Some(fault) = fault.filter(|fault| !fault.acts()) {
            self.pass(half).await;
            return Err(setback_of(call.side, call.kind, fault));
        }
        if let Some(Fault::Slow(span)) = fault {
            self.pass(span).await;
        }
        let done = {
            let mut world = lock(&self.world);
            let now = world.shown(self.now());
            world.with_short_pages(fault == Some(Fault::ShortPage), |world| act(world, now))
        };
        self.pass(half).await;
        // A fault that leaves the answer whole is none for the caller.
        let fault = fault.filter(|fault| !matches!(fault, Fault::Slow(_) | Fault::ShortPage));
        let in_part = |fault: &Fault| fault.spoils_in_part() && call.kind == CallKind::Export;
        if let Some(fault) = fault.filter(|fault| !in_part(fault)) {
            return Err(setback_of(call.side, call.kind, fault));
        }
        let (value, bytes) = done.map_err(|refused| refusal_of(call.side, refused))?;
        flight.bytes_out = bytes;
        Ok((value, fault))
    }
}

/// What a fault looks like to a client: what the real adapter of that side makes of its bytes.
pub(super) fn setback_of(side: Side, kind: CallKind, fault: Fault) -> Setback {
    let throttled = |wait, said| Setback::Throttled {
        scope: scope_of(side),
        wait,
        said,
    };
    match fault {
        Fault::Busy(None) | Fault::IncomingBytes(None) if side == Side::Source => {
            throttled(None, Said::new(500, "ErrorServerBusy"))
        }
        Fault::Busy(wait) => throttled(wait, crowded(side)),
        Fault::IncomingBytes(wait) => throttled(wait, busy_word(side)),
        // A create that a busy gateway turned away is not certain enough.
        Fault::BusyFault(_) if kind == CallKind::Import => Setback::Unwell(Said::status(503)),
        Fault::BusyFault(wait) => throttled(
            Some(wait),
            match side {
                Side::Source => Said::new(500, "ErrorServerBusy"),
                Side::Target => Said::status(503),
            },
        ),
        Fault::BusyEntry(wait) | Fault::BusyEntries(wait) => throttled(Some(wait), crowded(side)),
        Fault::Connections => throttled(
            None,
            match side {
                Side::Source => Said::new(500, "ErrorExceededConnectionCount"),
                Side::Target => crowded(side),
            },
        ),
        Fault::EmptyState => throttled(Some(EMPTY_STATE_WAIT), busy_word(side)),
        Fault::HollowPage => Setback::Misread(MisreadCause::Incomplete, Said::default()),
        Fault::BatchStopped => Setback::Unwell(Said::code("ErrorTimeoutExpired")),
        Fault::Holes => Setback::Unwell(Said::code("ErrorInternalServerError")),
        Fault::Unavailable => Setback::Unwell(Said::status(503)),
        Fault::ServerError => match side {
            Side::Source => Setback::Unwell(Said::status(500)),
            Side::Target => Setback::GatewayGaveUp(Said::status(500)),
        },
        Fault::Unauthorized => Setback::Expired(match side {
            Side::Source => Said::status(401),
            Side::Target => Said::new(401, "InvalidAuthenticationToken"),
        }),
        Fault::Claims => Setback::Expired(Said::new(401, "insufficient_claims")),
        Fault::ClaimsForbidden => Setback::Expired(Said::new(403, "insufficient_claims")),
        Fault::Moving => Setback::MailboxClosed(
            HaltCause::Moving,
            Said::new(500, "ErrorMailboxMoveInProgress"),
        ),
        Fault::GatewayBefore | Fault::GatewayAfter => match side {
            Side::Source => Setback::Unwell(Said::status(504)),
            Side::Target => Setback::GatewayGaveUp(Said::new(504, "UnknownError")),
        },
        Fault::ResetBefore | Fault::ResetAfter => Setback::Lost(DoubtCause::Reset),
        Fault::SilenceAfter => Setback::Lost(DoubtCause::TimedOut),
        // The source's replies come in chunks and break off; the target's end before their announced length.
        Fault::CutBody if side == Side::Source => Setback::Lost(DoubtCause::Reset),
        // The last two leave an answer whole; nobody asks.
        Fault::CutBody | Fault::ShortPage | Fault::Slow(_) => {
            let status = if kind == CallKind::MakeFolder {
                201
            } else {
                200
            };
            Setback::Misread(MisreadCause::CutOff, Said::status(status))
        }
        Fault::Truncated => Setback::Truncated,
        Fault::StateRefused => Setback::StateInvalid,
    }
}

/// The wait beside an empty sync state, as recorded (policy ConcurrentSyncCalls).
pub(super) const EMPTY_STATE_WAIT: Span = Span::from_secs(5);

/// What an entry of a batch looks like to a client.
pub(super) fn setback_of_entry(entry: Entry) -> Setback {
    match entry {
        Entry::Busy(wait) => Setback::Throttled {
            scope: Scope::SourceMailbox,
            wait: Some(wait),
            said: busy_word(Side::Source),
        },
        Entry::Failed => Setback::Unwell(Said::code("ErrorInternalServerError")),
        Entry::TooSlow => Setback::Unwell(Said::code("ErrorTimeoutExpired")),
        Entry::NotTried => Setback::NotTried(Said::code("ErrorBatchProcessingStopped")),
    }
}

const fn scope_of(side: Side) -> Scope {
    match side {
        Side::Source => Scope::SourceMailbox,
        Side::Target => Scope::TargetMailbox,
    }
}

fn busy_word(side: Side) -> Said {
    match side {
        Side::Source => Said::code("ErrorServerBusy"),
        Side::Target => Said::new(429, "ApplicationThrottled"),
    }
}

/// What a face that has too many calls at once says.
fn crowded(side: Side) -> Said {
    match side {
        Side::Source => busy_word(side),
        Side::Target => Said::new(429, CROWDED),
    }
}

fn too_fast(side: Side, busy: Busy) -> Setback {
    let said = match (side, busy.limit) {
        (Side::Target, Limit::Concurrency) => Said::new(429, CROWDED),
        _ => busy_word(side),
    };
    Setback::Throttled {
        scope: scope_of(side),
        wait: (busy.wait > Span::ZERO).then_some(busy.wait),
        said,
    }
}

/// What a refusal of the world looks like to a client.
pub(super) fn refusal_of(side: Side, refused: Refused) -> Setback {
    let item = |why, said| Setback::ItemRefused(Refusal { why, said });
    match refused {
        Refused::NoMailbox => {
            let why = match side {
                Side::Source => HaltCause::NoSourceMailbox,
                Side::Target => HaltCause::NoTargetMailbox,
            };
            Setback::MailboxClosed(why, Said::code("ErrorNonExistentMailbox"))
        }
        Refused::NoFolder => Setback::FolderGone,
        Refused::NoItem => Setback::Gone,
        Refused::WrongCase => Setback::OurRequest(Said::code("ErrorInvalidIdMalformed")),
        Refused::SearchFolder => {
            Setback::OurRequest(Said::code("ErrorInvalidFolderTypeForOperation"))
        }
        Refused::BadState => Setback::StateInvalid,
        Refused::Corrupt => item(RefusalWhy::SourceCorrupt, Said::code("ErrorItemCorrupt")),
        Refused::Protected => Setback::OurRequest(Said::new(403, "ErrorAccessDenied")),
        Refused::FolderExists => Setback::OurRequest(Said::new(409, "ErrorFolderExists")),
        Refused::NoSession | Refused::Expired => Setback::Expired(Said::status(401)),
        Refused::MalformedStream => item(
            RefusalWhy::TargetRefused,
            Said::new(400, "ErrorCorruptData"),
        ),
        Refused::ImportRefused => item(
            RefusalWhy::TargetRefused,
            Said::new(500, "ErrorCorruptData"),
        ),
        Refused::Poisoned => Setback::Unwell(Said::status(500)),
        Refused::Failing => Setback::GatewayGaveUp(Said::new(500, "UnknownError")),
        Refused::WrongVersion => item(
            RefusalWhy::TargetRefused,
            Said::new(412, "ErrorIrresolvableConflict"),
        ),
        Refused::TooLarge => item(
            RefusalWhy::TooLarge,
            Said::new(413, "ErrorMessageSizeExceeded"),
        ),
        Refused::QuotaFull => {
            Setback::MailboxClosed(HaltCause::QuotaFull, Said::new(507, "ErrorQuotaExceeded"))
        }
        Refused::Discarded => item(RefusalWhy::TargetRefused, Said::code("LabDiscarded")),
    }
}

/// Length of an answer with this many rows.
pub(super) const fn answer(rows: usize) -> Bytes {
    Bytes::new(400 + rows as u64 * 600)
}
