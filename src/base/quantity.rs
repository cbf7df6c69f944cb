//! Quantities with their units. No bare integer that counts bytes, items or time crosses a function.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

macro_rules! quantity {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0);

            /// Wraps a plain number of the unit.
            pub const fn new(n: u64) -> Self {
                Self(n)
            }

            /// Returns the plain number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Returns the difference, or zero where it would be negative.
            #[must_use]
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::ZERO, |a, b| a + b)
            }
        }
    )+};
}

quantity! {
    /// A number of bytes.
    Bytes,
    /// A number of things.
    Count,
    /// A length of time in milliseconds.
    Span,
    /// A point on the monotonic clock: milliseconds since the process began. Orders and paces.
    Tick,
}

impl Span {
    /// Whole seconds as a span.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// The span as the standard library's duration.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// The span taken `n` times.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

impl Add<Span> for Tick {
    type Output = Tick;
    fn add(self, span: Span) -> Tick {
        Tick(self.0.saturating_add(span.0))
    }
}

impl Sub for Tick {
    type Output = Span;
    fn sub(self, earlier: Tick) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Bytes {
    /// Decimal units, as the published limits use them: `999 B`, `1.5 KB`, `140.0 MB`, `2.1 GB`.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number for people, one decimal"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0 as f64;
        match self.0 {
            0..1_000 => write!(f, "{} B", self.0),
            1_000..1_000_000 => write!(f, "{:.1} KB", n / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", n / 1e6),
            _ => write!(f, "{:.1} GB", n / 1e9),
        }
    }
}

impl fmt::Display for Count {
    /// Digits in groups of three, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
        for (i, c) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                out.push(',');
            }
            out.push(c);
        }
        f.pad(&out)
    }
}

impl fmt::Display for Span {
    /// `450 ms`, `12.3 s`, `4 min 05 s`, `2 h 10 min`.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number for people, one decimal"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0 / 1000;
        match self.0 {
            0..1_000 => write!(f, "{} ms", self.0),
            1_000..100_000 => write!(f, "{:.1} s", self.0 as f64 / 1e3),
            100_000..3_600_000 => write!(f, "{} min {:02} s", secs / 60, secs % 60),
            _ => write!(f, "{} h {:02} min", secs / 3600, secs / 60 % 60),
        }
    }
}

/// A point in civil time: milliseconds since 1970-01-01T00:00:00Z. For records and people, never for decisions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// Wraps milliseconds since the Unix epoch.
    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Returns milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// The moment `span` later.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add_unsigned(span.0))
    }
}

impl fmt::Display for Moment {
    /// RFC 3339 in UTC with whole seconds, e.g. `2026-11-23T20:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0.div_euclid(1000)) {
            Ok(at) => write!(f, "{at}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Reads a size as people write it in plans: `140 MB`, `150MB`, `64 KiB`, `2 GB`, `512 B`. Decimal and binary units.
///
/// Returns `None` for anything else, so that the caller can say where it stood.
pub fn parse_bytes(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..split].parse().ok()?;
    let unit = match text[split..].trim() {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit).map(Bytes::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, want) in [
            ("140 MB", Some(140_000_000)),
            ("150MB", Some(150_000_000)),
            ("64 KiB", Some(65_536)),
            ("1 B", Some(1)),
            ("12", None),
            ("MB", None),
            ("1.5 GB", None),
            ("-1 MB", None),
            ("99999999999999999999 GB", None),
            ("18446744073709551615 GB", None),
        ] {
            assert_eq!(parse_bytes(text), want.map(Bytes::new), "{text}");
        }
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(Count::new(1_234_567).to_string(), "1,234,567");
        assert_eq!(Count::new(12).to_string(), "12");
        assert_eq!(Bytes::new(140_000_000).to_string(), "140.0 MB");
        assert_eq!(Span::from_secs(245).to_string(), "4 min 05 s");
        assert_eq!(Moment::from_unix_ms(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(format!("{:>7}", Count::new(1000)), "  1,000");
    }
}
