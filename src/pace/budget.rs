//! The pace of one scope: gate, tide, windows and hold, and the line of those who wait for them.

use std::collections::VecDeque;

use crate::base::limits::BACKFILL_LOOK;
use crate::base::quantity::{Bytes, Count, Span, Tick};
use crate::pace::gate::Gate;
use crate::pace::hold::Hold;
use crate::pace::tide::{Signal, Tide};
use crate::pace::window::Window;

/// What a call costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of its body on the wire (base64 and frame, not the raw stream).
    pub upload: Bytes,
}

/// Leave to make one call. Give it back to [`Budget::settle`]; it has no public constructor and cannot be copied.
#[derive(Debug)]
#[must_use = "a permit that is not settled blocks its place for ever"]
pub struct Permit {
    upload: u64,
}

/// A place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Who may go, and when to ask again.
#[derive(Debug)]
pub struct Served {
    /// Those whose turn it is, in the order of their turns.
    pub go: Vec<(Ticket, Permit)>,
    /// When somebody may go next, where only time has to pass. `None`: when a permit comes back, or somebody joins.
    pub next: Option<Tick>,
}

/// The pace of one scope: places, requests per window, bytes per window, and a fence.
///
/// Whoever joins first goes first. A call that does not fit the window yet lets smaller ones pass only where that does not delay it: they
/// use what would stay empty, and nobody starves.
#[derive(Clone, Debug)]
pub struct Budget {
    gate: Gate,
    tide: Option<Tide>,
    requests: Option<Window>,
    upload: Option<Window>,
    hold: Hold,
    line: VecDeque<(Ticket, u64)>,
    tickets: u64,
    last: Option<Tick>,
}

impl Budget {
    /// A budget of so many places and no windows.
    pub fn new(places: u32) -> Self {
        Self {
            gate: Gate::new(places),
            tide: None,
            requests: None,
            upload: None,
            hold: Hold::default(),
            line: VecDeque::new(),
            tickets: 0,
            last: None,
        }
    }

    /// Lets the number of places follow what the far side bears.
    #[must_use]
    pub fn with_tide(mut self, tide: Tide) -> Self {
        self.gate.set_limit(tide.lanes());
        self.tide = Some(tide);
        self
    }

    /// Adds a request window.
    #[must_use]
    pub fn with_requests(mut self, limit: Option<Count>, window: Span) -> Self {
        self.requests = limit.map(|limit| Window::new(limit.get(), window));
        self
    }

    /// Adds an upload window.
    #[must_use]
    pub fn with_upload(mut self, limit: Option<Bytes>, window: Span) -> Self {
        self.upload = limit.map(|limit| Window::new(limit.get(), window));
        self
    }

    /// Joins the line. Call [`Budget::serve`] next.
    pub fn join(&mut self, cost: Cost) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.line.push_back((ticket, cost.upload.get()));
        ticket
    }

    /// Leaves the line without having gone. Call [`Budget::serve`] next: others may go now.
    pub fn leave(&mut self, ticket: Ticket) {
        self.line.retain(|(own, _)| *own != ticket);
    }

    /// True when nobody waits.
    pub fn is_idle(&self) -> bool {
        self.line.is_empty()
    }

    /// Lets go who may go now.
    pub fn serve(&mut self, now: Tick) -> Served {
        for window in self.requests.iter_mut().chain(&mut self.upload) {
            window.forget(now);
        }
        let mut go = Vec::new();
        let next = loop {
            let at = match self.first_fit(now) {
                Ok(at) => at,
                Err(next) => break next,
            };
            let Some((ticket, upload)) = self.line.remove(at) else {
                break None;
            };
            self.gate.enter();
            self.last = Some(now);
            if let Some(window) = &mut self.requests {
                window.begin(1);
            }
            if let Some(window) = &mut self.upload {
                window.begin(upload);
            }
            go.push((ticket, Permit { upload }));
        };
        Served { go, next }
    }

    /// The place in the line of who may go now, or when to look again.
    fn first_fit(&self, now: Tick) -> Result<usize, Option<Tick>> {
        let Some((_, head)) = self.line.front() else {
            return Err(None);
        };
        if !self.gate.open() {
            return Err(None);
        }
        let opens = self.hold.opens(now, self.last);
        if opens > now {
            return Err(Some(opens));
        }
        // Until a call on its way ends nobody can say when the head goes, so nobody can say who would delay it.
        let turn = self.when(now, *head).ok_or(None)?;
        if turn <= now {
            return Ok(0);
        }
        let spare = |window: &Option<Window>, cost| {
            (window.as_ref()).map_or(u64::MAX, |window| window.spare_at(turn, cost))
        };
        let (requests, bytes) = (spare(&self.requests, 1), spare(&self.upload, *head));
        let mut behind = self.line.iter().enumerate().skip(1).take(BACKFILL_LOOK);
        behind
            .find(|(_, (_, cost))| {
                requests >= 1 && *cost <= bytes && self.when(now, *cost) == Some(now)
            })
            .map(|(at, _)| at)
            .ok_or(Some(turn))
    }

    fn when(&self, now: Tick, upload: u64) -> Option<Tick> {
        let requests = self.requests.as_ref().map(|window| window.when(now, 1));
        // A call without a body is not one of those whose bytes are counted.
        let bytes = (self.upload.as_ref())
            .filter(|_| upload > 0)
            .map(|window| window.when(now, upload));
        let at = requests.unwrap_or(Some(now))?;
        Some(at.max(bytes.unwrap_or(Some(now))?))
    }

    /// Takes the permit back, and learns from how the call went. Call [`Budget::serve`] next.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "who settles a permit no longer has it"
    )]
    pub fn settle(&mut self, now: Tick, permit: Permit, signal: Signal) {
        let pressed = !self.gate.open();
        self.gate.leave();
        if let Some(window) = &mut self.requests {
            window.end(now, 1);
        }
        if let Some(window) = &mut self.upload {
            window.end(now, permit.upload);
        }
        if let Some(tide) = &mut self.tide {
            tide.learn(now, signal, pressed);
            self.gate.set_limit(tide.lanes());
        }
    }

    /// Charges requests that were made by the way, besides those with permits.
    pub fn charge(&mut self, now: Tick, requests: Count) {
        if let (Some(window), 1..) = (&mut self.requests, requests.get()) {
            window.charge(now, requests.get());
        }
    }

    /// Sets the most places there may be. Call [`Budget::serve`] next.
    pub fn set_cap(&mut self, places: u32) {
        match &mut self.tide {
            Some(tide) => {
                tide.set_cap(places);
                self.gate.set_limit(tide.lanes());
            }
            None => self.gate.set_limit(places),
        }
    }

    /// The places there are now.
    pub fn lanes(&self) -> Option<u32> {
        self.tide.as_ref().map(Tide::lanes)
    }

    /// Fences the scope for `wait` from `now`. True when that is longer than it was fenced already. Call [`Budget::serve`] next.
    pub fn hold(&mut self, now: Tick, wait: Span) -> bool {
        self.hold.raise(now, wait)
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
