//! By which route items travel: as opaque streams, or read and created by their classes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::outcome::RefusalWhy;

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

    /// Whether an item whose stream was refused for this reason is carried by its class instead. `has_form`: its class has a typed form.
    ///
    /// What the source does not hand out for reasons of its own (rights, its virus scanner) is not fetched by another way.
    pub const fn falls_back(self, has_form: bool, why: RefusalWhy) -> bool {
        let about_the_stream = match why {
            RefusalWhy::SourceCorrupt | RefusalWhy::TargetRefused | RefusalWhy::TooLarge => true,
            RefusalWhy::SourceDenied | RefusalWhy::NoTypedForm => false,
        };
        matches!(self, Self::Auto) && has_form && about_the_stream
    }
}

/// When events that are created by their class begin to remind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReminderRule {
    /// As at the source, from the first day: whoever still works in the old mailbox may be reminded twice.
    #[default]
    AsSource,
    /// Off until the final pass, which turns them on. A stream is never edited, so that only copies by class know this.
    AfterCutover,
}

impl ReminderRule {
    /// All of them, in the order in which they are named to people.
    pub const ALL: [Self; 2] = [Self::AsSource, Self::AfterCutover];

    /// The word in a plan.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AsSource => "as_source",
            Self::AfterCutover => "after_cutover",
        }
    }
}

impl fmt::Display for RouteRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refused_stream_falls_back_and_only_where_the_plan_leaves_it_open() {
        use RefusalWhy as W;
        for (rule, form, why, want) in [
            (RouteRule::Auto, true, W::TargetRefused, true),
            (RouteRule::Auto, true, W::SourceCorrupt, true),
            (RouteRule::Auto, true, W::TooLarge, true),
            (RouteRule::Auto, true, W::SourceDenied, false),
            (RouteRule::Auto, true, W::NoTypedForm, false),
            (RouteRule::Auto, false, W::TargetRefused, false),
            (RouteRule::Stream, true, W::TargetRefused, false),
            (RouteRule::Typed, true, W::TargetRefused, false),
        ] {
            assert_eq!(rule.falls_back(form, why), want, "{rule} {form} {why:?}");
        }
    }
}
