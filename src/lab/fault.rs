//! Weather: what goes wrong on the wire, drawn from seeded dice, with a probability per kind of call.

use serde::{Deserialize, Serialize};

use crate::base::dice::Dice;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// An item is deleted.
    Delete,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused as too fast, nothing done: 429, ErrorServerBusy. `None` leaves Retry-After out.
    Busy(Option<Span>),
    /// Refused as unwell, nothing done: 503, ErrorInternalServerTransientError.
    Unavailable,
    /// 401 although the token is good; nothing done.
    Unauthorized,
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
        )
    }
}

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

impl Weather {
    /// Calls in a thousand that something happens to.
    const fn per_mille(self) -> u64 {
        match self {
            Self::Calm => 0,
            Self::Busy => 33,
            Self::Storm => 160,
        }
    }

    /// What happens to a call of this kind, if anything. Always draws the same number of dice.
    pub fn draw(self, dice: &mut Dice, kind: CallKind) -> Option<Fault> {
        let hit = dice.chance(self.per_mille(), 1_000);
        let special = dice.chance(1, 8);
        let common = *dice.pick(ANYWHERE);
        if !hit {
            return None;
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
