//! By which route items travel: as opaque streams, or read and created by their classes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The route of one item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Exported and imported as a stream, byte for byte.
    #[default]
    Stream,
    /// Read and created by its class. What that loses is said by one table (`base::losses`).
    Typed,
}

/// What a plan says about routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteRule {
    /// Streams; an item whose stream is refused is carried by its class, once.
    Auto,
    /// Streams only: what is refused is listed as refused. The usual, for a copy by its class is no copy byte for byte, and that is for a person to
    /// want.
    #[default]
    Stream,
    /// Everything by its class, without trying streams. Classes without a form are listed as refused.
    Typed,
}

impl RouteRule {
    /// All of them, in the order in which they are named to people.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Stream, Self::Typed];

    /// The word in a plan.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Stream => "stream",
            Self::Typed => "typed",
        }
    }
}

impl fmt::Display for RouteRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
