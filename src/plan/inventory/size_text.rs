//! Sizes as Exchange prints them: `1.234 GB (1,325,400,064 bytes)`, `256 KB`, `6672B`, plain numbers, `Unlimited`.
//!
//! Only the digits in the parenthesis are exact; everything else is a rounded number (reference/inventory.md section 3).

use super::model::{Ceiling, Size};
use crate::base::quantity::Bytes;

/// A size that was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeText {
    /// What it says.
    pub ceiling: Ceiling,
    /// True where the rounded number and the exact one are more than 0.1 % apart.
    pub disagrees: bool,
}

/// Why a text is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeFault {
    /// It ends in dots: a table was cut.
    #[error("the size is cut off")]
    Cut,
    /// `1,234 GB` is 1.2 GB or 1.2 TB, depending on who printed it.
    #[error(
        "the size can be read in two ways, with the separator as decimal point or as thousands mark"
    )]
    Ambiguous,
    /// It is below zero.
    #[error("the size is negative")]
    Negative,
    /// It is larger than any store.
    #[error("the size is larger than any store")]
    TooLarge,
    /// Anything else.
    #[error("the text is no size")]
    NotASize,
}

/// Reads a size. Empty text is no size: the caller knows what absence means there.
pub fn parse_size(text: &str) -> Result<SizeText, SizeFault> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("unlimited") {
        return Ok(SizeText {
            ceiling: Ceiling::Unlimited,
            disagrees: false,
        });
    }
    if text.ends_with("...") || text.ends_with('…') {
        return Err(SizeFault::Cut);
    }
    if text.starts_with(['-', '\u{2212}']) {
        return Err(SizeFault::Negative);
    }
    let Some((rounded, exact)) = text.split_once('(') else {
        let bytes = if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            let bytes = text.parse().map_err(|_| SizeFault::TooLarge)?;
            return Ok(exactly(bytes, false));
        } else {
            rounded_size(text)?
        };
        return Ok(SizeText {
            ceiling: Ceiling::At(Size {
                bytes: Bytes::new(bytes),
                approximate: true,
            }),
            disagrees: false,
        });
    };
    let exact = exact.trim_end().strip_suffix(')').ok_or(SizeFault::Cut)?;
    let bytes = exact_bytes(exact)?;
    let agrees = |rounded: u64| {
        let apart = rounded.abs_diff(bytes);
        // Four significant digits are off by at most 0.05 %; a byte or two for numbers below a kilobyte.
        apart <= bytes / 1_000 + 1
    };
    let readings = readings_of(rounded);
    Ok(exactly(bytes, !readings.into_iter().flatten().any(agrees)))
}

fn exactly(bytes: u64, disagrees: bool) -> SizeText {
    let size = Size {
        bytes: Bytes::new(bytes),
        approximate: false,
    };
    SizeText {
        ceiling: Ceiling::At(size),
        disagrees,
    }
}

/// The number before the unit word, whatever separates its groups.
fn exact_bytes(text: &str) -> Result<u64, SizeFault> {
    let text = text.trim();
    let end = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if !unit.chars().all(char::is_alphabetic) || unit.len() > 20 {
        return Err(SizeFault::NotASize);
    }
    let mut bytes: u64 = 0;
    let mut digits = 0_u32;
    for c in number.chars() {
        if let Some(digit) = c.to_digit(10) {
            digits += 1;
            bytes = bytes
                .checked_mul(10)
                .and_then(|n| n.checked_add(u64::from(digit)))
                .ok_or(SizeFault::TooLarge)?;
        } else if !is_separator(c) {
            return Err(SizeFault::NotASize);
        }
    }
    if digits == 0 {
        return Err(SizeFault::NotASize);
    }
    Ok(bytes)
}

fn is_separator(c: char) -> bool {
    matches!(
        c,
        ',' | '.' | '\'' | '\u{2019}' | ' ' | '\u{A0}' | '\u{202F}'
    )
}

/// `1.234 GB`: the one way to read it, or why there is none.
fn rounded_size(text: &str) -> Result<u64, SizeFault> {
    match readings_of(text) {
        [Some(a), Some(b)] if a != b => Err(SizeFault::Ambiguous),
        [Some(n), _] | [None, Some(n)] => Ok(n),
        [None, None] => Err(SizeFault::NotASize),
    }
}

/// The number of bytes with the separators as decimal point, and as thousands mark.
fn readings_of(text: &str) -> [Option<u64>; 2] {
    let text = text.trim();
    let Some(end) = text.find(|c: char| c.is_ascii_alphabetic()) else {
        return [None, None];
    };
    let number = text[..end].trim_end_matches([' ', '\u{A0}', '\u{202F}']);
    let Some(unit) = unit_of(text[end..].trim()) else {
        return [None, None];
    };
    let last = number.rfind(|c: char| !c.is_ascii_digit());
    let Some(last) = last else {
        let whole = whole_number(number).and_then(|n| n.checked_mul(unit));
        return [whole, None];
    };
    let separator = number[last..].chars().next().unwrap_or(' ');
    let after = &number[last + separator.len_utf8()..];
    let decimal = matches!(separator, '.' | ',')
        .then(|| fraction(&number[..last], after, unit))
        .flatten();
    // The shell prints English numbers: a lone dot is its decimal point. Only a comma leaves doubt.
    let lone_dot = separator == '.' && number.matches('.').count() == 1;
    let thousands = (!lone_dot && grouped(number))
        .then(|| whole_number(number).and_then(|n| n.checked_mul(unit)))
        .flatten();
    [decimal, thousands]
}

/// True where every group after the first has three digits.
fn grouped(number: &str) -> bool {
    let mut groups = number.split(is_separator);
    let first = groups.next().is_some_and(|g| (1..=3).contains(&g.len()));
    first && groups.all(|g| g.len() == 3)
}

fn whole_number(number: &str) -> Option<u64> {
    let digits: String = number.chars().filter(|c| !is_separator(*c)).collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// `whole`.`after` times `unit`, rounded to a byte.
fn fraction(whole: &str, after: &str, unit: u64) -> Option<u64> {
    // Separators before the decimal point are thousands marks, of another kind than the point.
    if !whole.bytes().all(|b| b.is_ascii_digit()) && !grouped(whole) {
        return None;
    }
    let whole = whole_number(whole)?;
    if after.is_empty() || after.len() > 9 || !after.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(after.len()).ok()?)?;
    let digits: u128 = after.parse().ok()?;
    let part = (digits * u128::from(unit) + scale / 2) / scale;
    let total = u128::from(whole) * u128::from(unit) + part;
    u64::try_from(total).ok()
}

/// Binary units, as Exchange means them; `o` is the French byte.
fn unit_of(text: &str) -> Option<u64> {
    let unit = text.to_ascii_lowercase();
    Some(match unit.as_str() {
        "b" | "o" | "byte" | "bytes" | "octets" => 1,
        "kb" | "ko" => 1 << 10,
        "mb" | "mo" => 1 << 20,
        "gb" | "go" => 1 << 30,
        "tb" | "to" => 1 << 40,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(n: u64) -> SizeText {
        exactly(n, false)
    }

    fn about(n: u64) -> SizeText {
        SizeText {
            ceiling: Ceiling::At(Size {
                bytes: Bytes::new(n),
                approximate: true,
            }),
            disagrees: false,
        }
    }

    #[test]
    fn sizes_read_as_exchange_prints_them() {
        let gb = 1_u64 << 30;
        for (text, want) in [
            ("225.8 MB (236,732,045 bytes)", Ok(exact(236_732_045))),
            ("49.5 GB (53,150,220,288 bytes)", Ok(exact(53_150_220_288))),
            ("10 GB (10,737,418,240 bytes)", Ok(exact(10_737_418_240))),
            ("256 KB (262,144 bytes)", Ok(exact(262_144))),
            ("0 B (0 bytes)", Ok(exact(0))),
            ("1.234 GB (1,325,400,064 bytes)", Ok(exact(1_325_400_064))),
            ("1,234 GB (1.325.400.064 Bytes)", Ok(exact(1_325_400_064))),
            (
                "1,234 Go (1\u{202F}325\u{A0}400 064 octets)",
                Ok(exact(1_325_400_064)),
            ),
            (
                "1.234 GB (1'325\u{2019}400'064 bytes)",
                Ok(exact(1_325_400_064)),
            ),
            ("1,023 MB (1,072,693,248 bytes)", Ok(exact(1_072_693_248))),
            ("6672B", Ok(about(6_672))),
            ("1.5 GB", Ok(about(gb / 2 * 3))),
            ("1,5 GB", Ok(about(gb / 2 * 3))),
            ("12 GB", Ok(about(12 * gb))),
            ("1.234 GB", Ok(about(1_324_997_411))),
            ("1,234.5 MB", Ok(about(1_294_467_072))),
            ("1.234,5 MB", Ok(about(1_294_467_072))),
            ("1325400064", Ok(exact(1_325_400_064))),
            ("0", Ok(exact(0))),
            (
                " unlimited ",
                Ok(SizeText {
                    ceiling: Ceiling::Unlimited,
                    disagrees: false,
                }),
            ),
            (
                "2 GB (1,325,400,064 bytes)",
                Ok(exactly(1_325_400_064, true)),
            ),
            ("1,234 GB", Err(SizeFault::Ambiguous)),
            ("1.234 GB (1,325...", Err(SizeFault::Cut)),
            ("1.234 GB (1,325,4", Err(SizeFault::Cut)),
            ("1.2…", Err(SizeFault::Cut)),
            ("-1", Err(SizeFault::Negative)),
            ("", Err(SizeFault::NotASize)),
            ("GB", Err(SizeFault::NotASize)),
            ("a lot", Err(SizeFault::NotASize)),
            ("1.5 parsec", Err(SizeFault::NotASize)),
            ("1 GB (bytes)", Err(SizeFault::NotASize)),
            ("1 GB (1;000 bytes)", Err(SizeFault::NotASize)),
            ("99999999999999999999", Err(SizeFault::TooLarge)),
            (
                "1 TB (99,999,999,999,999,999,999 bytes)",
                Err(SizeFault::TooLarge),
            ),
        ] {
            assert_eq!(parse_size(text), want, "{text}");
        }
    }

    /// As Exchange prints it: four significant digits, binary unit, exact bytes.
    fn print(bytes: u64, comma: &str) -> String {
        let units = ["B", "KB", "MB", "GB", "TB"];
        let mut unit = 0;
        #[expect(clippy::cast_precision_loss, reason = "what is printed is rounded")]
        let mut n = bytes as f64;
        while n >= 1024.0 && unit < 4 {
            n /= 1024.0;
            unit += 1;
        }
        let decimals = if n < 10.0 {
            3
        } else if n < 100.0 {
            2
        } else {
            1
        };
        let exact = bytes.to_string();
        let mut grouped = String::new();
        for (at, c) in exact.chars().enumerate() {
            if at > 0 && (exact.len() - at).is_multiple_of(3) {
                grouped.push_str(comma);
            }
            grouped.push(c);
        }
        format!("{n:.decimals$} {} ({grouped} bytes)", units[unit])
    }

    proptest::proptest! {
        #[test]
        fn what_exchange_prints_is_read_to_the_byte(bytes in 0_u64..(1 << 44), comma in "[,.' ]") {
            proptest::prop_assert_eq!(parse_size(&print(bytes, &comma)), Ok(exact(bytes)));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,40}") {
            let _ = parse_size(&text);
        }

        #[test]
        fn texts_made_of_sizes_are_answered(text in "[0-9.,'() BKMGTbytes\u{A0}\u{2026}-]{0,40}") {
            if let Ok(SizeText { ceiling: Ceiling::At(size), .. }) = parse_size(&text) {
                proptest::prop_assert!(text.contains(|c: char| c.is_ascii_digit()), "{:?}", size);
            }
        }
    }
}
