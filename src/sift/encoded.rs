//! Base64 inside text: parts of a mail that somebody attached as a file, or a file that somebody pasted.

use std::ops::Range;

/// True for a character of the alphabet.
const fn is_sign(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// One run of characters of the alphabet over any number of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) at: Range<usize>,
    /// Characters of the alphabet in it.
    pub(super) signs: usize,
}

/// True for a character that may stand inside a run.
const fn may_stand(byte: u8) -> bool {
    STANDS[byte as usize]
}

/// A table, since every byte of every text is asked.
const STANDS: [bool; 256] = {
    let mut out = [false; 256];
    let mut byte: u8 = 0;
    loop {
        out[byte as usize] = is_sign(byte) || byte == b'\r' || byte == b'\n';
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    out
};

/// The runs of at least `least` characters. A line that is not full ends a run only where something else follows: mail breaks lines after 76
/// characters, tools where they like.
pub(super) fn runs(data: &[u8], least: usize) -> impl Iterator<Item = Run> {
    let (mut at, mut sure) = (0, 0);
    std::iter::from_fn(move || {
        loop {
            (at, sure) = candidate(data, at, sure, least)?;
            let found = run_at(data, &mut at);
            if found.signs >= least {
                return Some(found);
            }
        }
    })
}

/// Where a run of at least `least` characters may begin, at or behind `at`, and up to where everything from there may stand in one; `None` where
/// there is none. A run that begins in the next `least` bytes holds the last of them, so most of a text is passed over in strides. `known`: up to
/// where that is known already.
fn candidate(data: &[u8], mut at: usize, mut known: usize, least: usize) -> Option<(usize, usize)> {
    loop {
        let end = at.checked_add(least.max(1))?;
        let ahead = data.get(at.max(known)..end.max(at.max(known)))?;
        match ahead.iter().rposition(|byte| !may_stand(*byte)) {
            None => return Some((at, end.max(known))),
            Some(other) => at = at.max(known) + other + 1,
        }
        known = known.max(at);
    }
}

/// The run that begins at or behind `at`, which moves behind it.
fn run_at(data: &[u8], at: &mut usize) -> Run {
    while *at < data.len() && !is_sign(data[*at]) {
        *at += 1;
    }
    let start = *at;
    let (mut end, mut signs) = (start, 0);
    while *at < data.len() {
        let byte = data[*at];
        if is_sign(byte) {
            signs += 1;
            end = *at + 1;
        } else if byte == b'=' {
            while *at < data.len() && data[*at] == b'=' {
                *at += 1;
            }
            break;
        } else if byte == b'\r' || byte == b'\n' {
            // An empty line parts two things.
            let rest = &data[*at..];
            if rest.starts_with(b"\n\n") || rest.starts_with(b"\r\n\r\n") {
                break;
            }
        } else {
            break;
        }
        *at += 1;
    }
    Run {
        at: start..end,
        signs,
    }
}

/// Whether there is a run of so many characters.
pub(super) fn has_run(data: &[u8], least: usize) -> bool {
    runs(data, least).next().is_some()
}

/// What a run says. What stands behind the last whole group of four is padding or noise.
pub(super) fn decode(data: &[u8], run: &Run) -> Vec<u8> {
    let mut out = Vec::with_capacity(run.signs / 4 * 3 + 3);
    let (mut word, mut held) = (0u32, 0u32);
    for byte in data[run.at.clone()].iter().copied() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        word = (word << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((word >> held) & 0xFF).unwrap_or(0));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    #[test]
    fn a_block_is_found_between_words_and_over_lines() {
        let bytes: Vec<u8> = (0..200u8).collect();
        let text = STANDARD.encode(&bytes);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let mail = format!(
            "Dear all, see below.\r\n\r\n{}\r\n\r\nRegards",
            lines.join("\r\n")
        );
        let found: Vec<Run> = runs(mail.as_bytes(), 64).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(decode(mail.as_bytes(), &found[0]), bytes);
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(bytes in proptest::collection::vec(any::<u8>(), 48..500), wrap in 4usize..100) {
            let text: Vec<u8> = STANDARD.encode(&bytes).into_bytes();
            let text: Vec<u8> = text.chunks(wrap).collect::<Vec<_>>().join(&b'\n');
            let run = runs(&text, 60).next().expect("a run");
            prop_assert_eq!(decode(&text, &run), bytes);
        }

        #[test]
        fn strides_pass_over_nothing(bytes in proptest::collection::vec(proptest::sample::select(b"AAAAAAAA\r\n=.".to_vec()), 0..300), least in 1usize..20) {
            let mut at = 0;
            let mut plainly = Vec::new();
            while at < bytes.len() {
                let run = run_at(&bytes, &mut at);
                plainly.extend((run.signs >= least).then_some(run));
            }
            prop_assert_eq!(runs(&bytes, least).collect::<Vec<_>>(), plainly);
        }

        #[test]
        fn any_bytes_end(bytes: Vec<u8>) {
            for run in runs(&bytes, 4) {
                let _ = decode(&bytes, &run);
            }
        }
    }
}
