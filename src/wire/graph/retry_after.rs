//! `Retry-After`, rounded up to the millisecond and never down (reference/graph.md section 4).

use crate::base::quantity::{Moment, Span};

/// The wait the service asks for: seconds, with or without a fraction, or a date. A date is measured against the reply's own `Date`,
/// so that our clock need not be right; `now` serves where there is none.
pub fn wait(retry_after: Option<&str>, date: Option<&str>, now: Moment) -> Option<Span> {
    let text = retry_after?.trim();
    if let Some(wait) = seconds(text) {
        return Some(wait);
    }
    let until = http_date(text)?;
    let from = date.and_then(http_date).unwrap_or(now);
    let ms = until.unix_ms().saturating_sub(from.unix_ms());
    Some(Span::new(u64::try_from(ms).unwrap_or(0)))
}

/// `10`, `0.5`: to the millisecond, up. Read digit by digit, since a binary fraction could round down.
fn seconds(text: &str) -> Option<Span> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut ms = whole
        .parse::<u64>()
        .unwrap_or(u64::MAX)
        .saturating_mul(1_000);
    let mut unit = 100;
    for (i, digit) in fraction.bytes().enumerate() {
        if i < 3 {
            ms = ms.saturating_add(u64::from(digit - b'0') * unit);
            unit /= 10;
        } else if digit != b'0' {
            ms = ms.saturating_add(1);
            break;
        }
    }
    Some(Span::new(ms))
}

/// Reads an HTTP date.
pub fn http_date(text: &str) -> Option<Moment> {
    let at = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    Some(Moment::from_unix_ms(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_never_down() {
        let now = Moment::from_unix_ms(0);
        for (text, date, want) in [
            ("10", None, Some(10_000)),
            ("0.5", None, Some(500)),
            ("0.0001", None, Some(1)),
            ("1.0010", None, Some(1_001)),
            ("0", None, Some(0)),
            ("Thu, 01 Jan 1970 00:00:30 GMT", None, Some(30_000)),
            (
                "Thu, 01 Jan 1970 00:00:30 GMT",
                Some("Thu, 01 Jan 1970 00:00:20 GMT"),
                Some(10_000),
            ),
            (
                "Thu, 01 Jan 1970 00:00:30 GMT",
                Some("Thu, 01 Jan 1970 00:01:20 GMT"),
                Some(0),
            ),
            ("99999999999999999999", None, Some(u64::MAX)),
            ("-1", None, None),
            ("soon", None, None),
            ("", None, None),
        ] {
            assert_eq!(wait(Some(text), date, now), want.map(Span::new), "{text}");
        }
    }
}
