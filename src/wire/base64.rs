//! Base64 in pieces: decoding a text that arrives in chunks, with bounded memory and a verdict on its end.
//!
//! Exchange may wrap the text in lines (the samples of ExportItems do), and ends an export it gave up on with the literal words
//! `=== Truncated Data ===` (reference/ews.md section 1). The library decodes and encodes whole groups with the
//! processor's vector instructions.

use thiserror::Error;

use crate::base::quantity::Bytes;

/// Why a text is not the Base64 of anything.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base64Error {
    /// A character outside the alphabet.
    #[error("a character that is not Base64")]
    Character,
    /// The end is missing, has the wrong padding, or bits that belong to no byte.
    #[error("wrong padding at the end")]
    Padding,
    /// It ends in the server's truncation marker.
    #[error("truncated by the server")]
    Truncated,
}

/// Longest end we look at: the marker has 20 letters, padding two, and a margin.
const TAIL_MAX: usize = 64;

/// Decodes a text piece by piece. After an error it stays in that error.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// Sextets of the unfinished group.
    group: [u8; 4],
    held: usize,
    /// Everything from the first `=` on, without blanks.
    tail: Vec<u8>,
    failed: Option<Base64Error>,
    decoded: u64,
    /// The text is broken into lines, or wrong somewhere.
    lines: bool,
}

impl Decoder {
    /// A decoder at the beginning of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes decoded so far.
    pub fn decoded(&self) -> Bytes {
        Bytes::new(self.decoded)
    }

    /// Takes the next piece of text and appends what it decodes to.
    pub fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        let mut rest = text;
        // Each character is looked at a bounded number of times, whatever the text.
        while let ([first, ..], None) = (rest, self.failed) {
            if self.held == 0 && self.tail.is_empty() {
                // A text without line breaks goes through whole; once one was met, line by line.
                let (whole, after) = rest.split_at(rest.len() & !3);
                if !self.lines && !whole.is_empty() {
                    if groups(whole, out) {
                        rest = after;
                        continue;
                    }
                    self.lines = true;
                }
                let plain = rest.iter().position(|b| *b <= b' ' || *b == b'=');
                let (line, after) = rest.split_at(plain.unwrap_or(rest.len()) & !3);
                if !line.is_empty() {
                    if !groups(line, out) {
                        for byte in line {
                            self.one(*byte, out);
                        }
                    }
                    rest = after;
                    continue;
                }
            }
            self.one(*first, out);
            rest = &rest[1..];
        }
        self.decoded += (out.len() - before) as u64;
    }

    /// Takes one character: what stands at the edges of pieces and lines, and what is wrong.
    fn one(&mut self, byte: u8, out: &mut Vec<u8>) {
        if byte.is_ascii_whitespace() || self.failed.is_some() {
            return;
        }
        if byte == b'=' || !self.tail.is_empty() {
            self.end_with(byte);
            return;
        }
        match sextet(byte) {
            Some(value) => {
                self.group[self.held] = value;
                self.held += 1;
                if self.held == 4 {
                    out.extend(three(self.group));
                    self.held = 0;
                }
            }
            None => self.failed = Some(Base64Error::Character),
        }
    }

    fn end_with(&mut self, byte: u8) {
        if self.tail.len() >= TAIL_MAX {
            self.failed = Some(Base64Error::Padding);
        } else {
            self.tail.push(byte);
        }
    }

    /// Ends the text: appends the bytes of the last group and returns how many there were in all.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<Bytes, Base64Error> {
        // A marker may follow legitimate padding, so its words decide, not its equals signs.
        if self.tail.windows(13).any(|w| w == b"TruncatedData") {
            return Err(Base64Error::Truncated);
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        let [a, b, c, _] = self.group;
        // With two sextets held, `c` is left over from an earlier group; it only touches bytes that are not taken.
        let last = three([a, b, c, 0]);
        let rest = match (self.held, self.tail.as_slice()) {
            (0, b"") => &last[..0],
            (2, b"==") if b << 4 == 0 => &last[..1],
            (3, b"=") if c << 6 == 0 => &last[..2],
            _ => return Err(Base64Error::Padding),
        };
        out.extend(rest);
        self.decoded += rest.len() as u64;
        Ok(Bytes::new(self.decoded))
    }
}

/// Decodes whole groups at the library's speed. False, and nothing appended, where a character is wrong.
fn groups(text: &[u8], out: &mut Vec<u8>) -> bool {
    let before = out.len();
    // Without padding: an equals sign ends a text and is judged there.
    let done = base64_simd::STANDARD_NO_PAD
        .decode_append(text, out)
        .is_ok();
    if !done {
        out.truncate(before);
    }
    done
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn three([a, b, c, d]: [u8; 4]) -> [u8; 3] {
    [(a << 2) | (b >> 4), (b << 4) | (c >> 2), (c << 6) | d]
}

/// Decodes a whole text.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut decoder = Decoder::new();
    decoder.push(text.as_bytes(), &mut out);
    decoder.finish(&mut out)?;
    Ok(out)
}

/// Encodes a whole value.
pub fn encode(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_are_judged() {
        for (text, want) in [
            ("", Ok(0)),
            ("QUJD", Ok(3)),
            ("QUI=", Ok(2)),
            ("QQ==", Ok(1)),
            (" Q U\r\nJ\tD ", Ok(3)),
            ("QUI", Err(Base64Error::Padding)),
            ("QUI==", Err(Base64Error::Padding)),
            ("QUJD=", Err(Base64Error::Padding)),
            ("Q", Err(Base64Error::Padding)),
            ("Q===", Err(Base64Error::Padding)),
            ("QR==", Err(Base64Error::Padding)),
            ("QUJ=", Err(Base64Error::Padding)),
            ("QUI=QUJD", Err(Base64Error::Padding)),
            ("QU-D", Err(Base64Error::Character)),
            ("QUJD=== Truncated Data ===", Err(Base64Error::Truncated)),
            ("QUI==== Truncated Data ===", Err(Base64Error::Truncated)),
            ("QU=== Truncated Data ===", Err(Base64Error::Truncated)),
            ("=== Truncated Data ===", Err(Base64Error::Truncated)),
        ] {
            assert_eq!(decode(text).map(|b| b.len()), want, "{text}");
        }
        assert_eq!(
            decode(&format!("=={}", "x".repeat(99))),
            Err(Base64Error::Padding)
        );
    }

    proptest! {
        #[test]
        fn any_chunking_and_wrapping_gives_the_bytes_back(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            cut in 1usize..40,
            wrap in 1usize..80,
        ) {
            let text = encode(&bytes);
            let wrapped: Vec<u8> = text
                .as_bytes()
                .chunks(wrap)
                .flat_map(|line| [line, b"\r\n ".as_slice()].concat())
                .collect();
            let (mut out, mut decoder) = (Vec::new(), Decoder::new());
            for piece in wrapped.chunks(cut) {
                decoder.push(piece, &mut out);
            }
            prop_assert_eq!(decoder.finish(&mut out), Ok(Bytes::new(bytes.len() as u64)));
            prop_assert_eq!(out, bytes);
        }

        #[test]
        fn agrees_with_the_reference_decoder_on_texts_without_blanks(text in "[A-Da-d0-3+/=]{0,24}") {
            prop_assert_eq!(decode(&text).ok(), { use ::base64::Engine as _; ::base64::engine::general_purpose::STANDARD.decode(&text).ok() });
        }
    }
}
