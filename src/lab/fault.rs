//! Weather: what goes wrong with one call, drawn from seeded dice with a probability per kind of call, or set by name
//! (`POST control_url/weather`; see `mailferry lab --help`). What lasts longer than a call is in [`super::mishap`].
//!
//! A fault says what happens; each face shows it as its own side would ([`Fault::on`] names the nearest relative where the other side
//! has no such shape). A new one needs: a variant, a line in `NAMES`, its look on both faces, a scenario in `tests/weather.rs`.

use serde::{Deserialize, Serialize};

use crate::base::dice::Dice;
use crate::base::event::Side;
use crate::base::quantity::Span;

/// How bad it is outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weather {
    /// Nothing goes wrong by itself.
    #[default]
    Calm,
    /// A busy afternoon: about one call in thirty.
    Busy,
    /// About one call in six.
    Storm,
}

/// What kind of call asks for its weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// A token request.
    Token,
    /// A listing or lookup on either side.
    Read,
    /// A page of changes.
    Sync,
    /// An export of content on either side.
    Export,
    /// A folder is made.
    MakeFolder,
    /// An import session is opened.
    OpenSession,
    /// An item is created.
    Import,
    /// An attachment is added to an item, or part of one.
    Attach,
    /// An item is deleted.
    Delete,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused as too fast, nothing done: 429 with the word MailboxConcurrency; ErrorServerBusy, inside the reply with a wait, as a fault
    /// without one. `None` leaves Retry-After out.
    Busy(Option<Span>),
    /// Refused as too fast, nothing done: 429 with the word IncomingBytes. The source knows only [`Fault::Busy`].
    IncomingBytes(Option<Span>),
    /// Refused as busy outside the usual reply, nothing done: ErrorServerBusy as a fault with a back-off; 503 with Retry-After.
    BusyFault(Span),
    /// ErrorExceededConnectionCount, which suggests a back-off of 0 ms; on the target MailboxConcurrency without Retry-After.
    Connections,
    /// Exports of the source: one entry of the batch is ErrorServerBusy.
    BusyEntry(Span),
    /// Exports of the source: every entry of the batch is ErrorServerBusy.
    BusyEntries(Span),
    /// Exports of the source: one entry fails badly, and those behind it are not tried.
    BatchStopped,
    /// Exports of the source: every second entry is an error, between good ones.
    Holes,
    /// Listings: fewer than asked, with more to come.
    ShortPage,
    /// Listings of the source: an error beside an empty sync state and "includes the last item".
    EmptyState,
    /// Listings of the source: a success beside an empty sync state and "includes the last item", and nothing else.
    HollowPage,
    /// Refused as unwell, nothing done: 503 as a web page.
    Unavailable,
    /// 500 as a web page or without a telling word, nothing done.
    ServerError,
    /// 401 although the token is good; nothing done.
    Unauthorized,
    /// 401 with a claims challenge: every token given out so far is refused until one was asked for with the claims.
    Claims,
    /// The same with 403.
    ClaimsForbidden,
    /// The mailbox is on its way to another database; nothing done.
    Moving,
    /// 504, nothing done.
    GatewayBefore,
    /// 504, and it was done.
    GatewayAfter,
    /// The connection is reset before anything is done.
    ResetBefore,
    /// It is done, then the connection is reset.
    ResetAfter,
    /// It is done, and the answer never comes.
    SilenceAfter,
    /// It is done, and the answer is cut in its middle.
    CutBody,
    /// Exports only: the value ends in the truncation marker.
    Truncated,
    /// Changes only: the sync state is refused.
    StateRefused,
    /// It is done, after this long.
    Slow(Span),
}

/// What happens to one entry of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// ErrorServerBusy with this wait.
    Busy(Span),
    /// ErrorInternalServerError.
    Failed,
    /// ErrorTimeoutExpired.
    TooSlow,
    /// ErrorBatchProcessingStopped, a warning.
    NotTried,
}

impl Fault {
    /// True when the call takes effect all the same.
    pub const fn acts(self) -> bool {
        matches!(
            self,
            Self::GatewayAfter
                | Self::ResetAfter
                | Self::SilenceAfter
                | Self::CutBody
                | Self::Truncated
                | Self::Slow(_)
                | Self::ShortPage
                | Self::BusyEntry(_)
                | Self::BusyEntries(_)
                | Self::BatchStopped
                | Self::Holes
        )
    }

    /// True for a fault that spoils part of an export and leaves the rest of the answer usable.
    pub const fn spoils_in_part(self) -> bool {
        matches!(
            self,
            Self::CutBody
                | Self::Truncated
                | Self::BusyEntry(_)
                | Self::BusyEntries(_)
                | Self::BatchStopped
                | Self::Holes
        )
    }

    /// What this fault is for a call of this kind on this side: itself, its nearest relative, or nothing.
    pub const fn on(self, side: Side, kind: CallKind) -> Option<Self> {
        let source = matches!(side, Side::Source);
        let export = matches!(kind, CallKind::Export);
        let listing = matches!(kind, CallKind::Read | CallKind::Sync);
        match self {
            // A wait comes inside the reply, and the reply to an export has as many messages as it has ids.
            Self::Busy(Some(wait)) | Self::IncomingBytes(Some(wait)) if source && export => {
                Some(Self::BusyEntries(wait))
            }
            Self::IncomingBytes(wait) if source => Some(Self::Busy(wait)),
            Self::BusyEntry(wait) | Self::BusyEntries(wait) if !source || !export => {
                Some(Self::Busy(Some(wait)))
            }
            Self::BatchStopped | Self::Holes if !source || !export => None,
            Self::EmptyState | Self::HollowPage if !source || !listing => None,
            Self::ShortPage if !listing => None,
            Self::Truncated if !export => None,
            Self::StateRefused if !matches!(kind, CallKind::Sync) => None,
            Self::Claims | Self::ClaimsForbidden if matches!(kind, CallKind::Token) => None,
            // Basic sign-in knows no claims, and an import URL carries its own token.
            Self::Claims | Self::ClaimsForbidden if source || matches!(kind, CallKind::Import) => {
                Some(Self::Unauthorized)
            }
            // What no document shows of the target is not made up.
            Self::Moving if !source => None,
            own => Some(own),
        }
    }

    /// What becomes of entry `index` of a batch of `of`. A batch of one knows no neighbours to suffer from.
    pub const fn entry(self, index: usize, of: usize) -> Option<Entry> {
        match self {
            Self::BusyEntry(wait) if index == of / 2 => Some(Entry::Busy(wait)),
            Self::BusyEntries(wait) => Some(Entry::Busy(wait)),
            Self::Holes if index % 2 == 1 => Some(Entry::Failed),
            Self::BatchStopped if index == 1 => Some(Entry::TooSlow),
            Self::BatchStopped if index > 1 => Some(Entry::NotTried),
            _ => None,
        }
    }

    /// The fault of this name; `wait` where it has one.
    pub fn named(name: &str, wait: Option<Span>) -> Option<Self> {
        let make = NAMES.iter().find(|(own, _)| *own == name)?.1;
        Some(make(wait))
    }

    /// Every name, for whoever asked for another.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

type Make = fn(Option<Span>) -> Fault;

const NAMES: &[(&str, Make)] = &[
    ("busy", Fault::Busy),
    ("incoming_bytes", Fault::IncomingBytes),
    ("busy_fault", |wait| {
        Fault::BusyFault(wait.unwrap_or(BUSY_WAIT))
    }),
    ("connections", |_| Fault::Connections),
    ("busy_entry", |wait| {
        Fault::BusyEntry(wait.unwrap_or(BUSY_WAIT))
    }),
    ("busy_entries", |wait| {
        Fault::BusyEntries(wait.unwrap_or(BUSY_WAIT))
    }),
    ("batch_stopped", |_| Fault::BatchStopped),
    ("holes", |_| Fault::Holes),
    ("short_page", |_| Fault::ShortPage),
    ("empty_state", |_| Fault::EmptyState),
    ("hollow_page", |_| Fault::HollowPage),
    ("unavailable", |_| Fault::Unavailable),
    ("server_error", |_| Fault::ServerError),
    ("unauthorized", |_| Fault::Unauthorized),
    ("claims", |_| Fault::Claims),
    ("claims_forbidden", |_| Fault::ClaimsForbidden),
    ("moving", |_| Fault::Moving),
    ("gateway_before", |_| Fault::GatewayBefore),
    ("gateway_after", |_| Fault::GatewayAfter),
    ("reset_before", |_| Fault::ResetBefore),
    ("reset_after", |_| Fault::ResetAfter),
    ("silence_after", |_| Fault::SilenceAfter),
    ("cut_body", |_| Fault::CutBody),
    ("truncated", |_| Fault::Truncated),
    ("state_refused", |_| Fault::StateRefused),
    ("slow", |wait| Fault::Slow(wait.unwrap_or(SLOW))),
];

/// How long a slow call takes where nobody says.
const SLOW: Span = Span::new(2_000);

/// The wait a busy server asks for.
const BUSY_WAIT: Span = Span::new(1_000);

/// Faults every call may meet.
const ANYWHERE: &[Fault] = &[
    Fault::Busy(Some(BUSY_WAIT)),
    Fault::Busy(None),
    Fault::Unavailable,
    Fault::GatewayBefore,
    Fault::GatewayAfter,
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::SilenceAfter,
    Fault::CutBody,
];

/// What else a storm brings to a call of this kind. Everything here passes: a run that meets it ends as if it had not.
const fn rare(kind: CallKind) -> &'static [Fault] {
    match kind {
        CallKind::Export => &[
            Fault::BusyEntry(BUSY_WAIT),
            Fault::BatchStopped,
            Fault::Holes,
            Fault::ServerError,
            Fault::Slow(SLOW),
        ],
        CallKind::Sync => &[
            Fault::EmptyState,
            Fault::HollowPage,
            Fault::ShortPage,
            Fault::BusyFault(BUSY_WAIT),
            Fault::Connections,
        ],
        CallKind::Read => &[
            Fault::ShortPage,
            Fault::EmptyState,
            Fault::BusyFault(BUSY_WAIT),
            Fault::Claims,
            Fault::Slow(SLOW),
        ],
        CallKind::Import => &[
            Fault::IncomingBytes(Some(BUSY_WAIT)),
            Fault::IncomingBytes(None),
            Fault::BusyFault(BUSY_WAIT),
            Fault::ServerError,
            Fault::Slow(SLOW),
        ],
        CallKind::Token => &[
            Fault::BusyFault(BUSY_WAIT),
            Fault::ServerError,
            Fault::Slow(SLOW),
        ],
        CallKind::MakeFolder | CallKind::OpenSession | CallKind::Attach | CallKind::Delete => &[
            Fault::BusyFault(BUSY_WAIT),
            Fault::ServerError,
            Fault::ClaimsForbidden,
            Fault::Slow(SLOW),
        ],
    }
}

impl Weather {
    /// Calls in a thousand that something happens to.
    const fn per_mille(self) -> u64 {
        match self {
            Self::Calm => 0,
            Self::Busy => 33,
            Self::Storm => 160,
        }
    }

    /// What happens to a call of this kind, if anything. Always draws the same number of dice. Whether it is a rare thing is asked of dice
    /// of its own, so that the seeds keep the common ones.
    pub fn draw(self, dice: &mut Dice, kind: CallKind) -> Option<Fault> {
        let mut aside = dice.split("rare");
        let hit = dice.chance(self.per_mille(), 1_000);
        let special = dice.chance(1, 8);
        let common = *dice.pick(ANYWHERE);
        if !hit {
            return None;
        }
        if self == Self::Storm && aside.chance(1, 4) {
            return Some(*aside.pick(rare(kind)));
        }
        Some(match kind {
            CallKind::Export if special => Fault::Truncated,
            CallKind::Sync if special => Fault::StateRefused,
            CallKind::Import | CallKind::Read | CallKind::OpenSession if special => {
                Fault::Unauthorized
            }
            _ => common,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calm_weather_harms_nobody_and_a_storm_harms_about_one_call_in_six() {
        let mut dice = Dice::new(7);
        let mut hits = |weather: Weather| {
            (0..10_000)
                .filter(|_| weather.draw(&mut dice, CallKind::Import).is_some())
                .count()
        };
        assert_eq!(hits(Weather::Calm), 0);
        assert!((1_400..1_800).contains(&hits(Weather::Storm)));
    }

    #[test]
    fn only_exports_are_truncated_and_only_changes_refuse_states() {
        let mut dice = Dice::new(1);
        for _ in 0..20_000 {
            let fault = Weather::Storm.draw(&mut dice, CallKind::Import);
            assert!(!matches!(
                fault,
                Some(Fault::Truncated | Fault::StateRefused)
            ));
        }
    }
}
