//! Text out of bytes: which encoding a file has, and its characters as UTF-8, piece by piece.
//!
//! Exchange's shell writes ASCII, UTF-8 with a mark, UTF-16 with a mark and the code page of the machine, and appends one to the other
//! (reference/inventory.md section 2). Memory is one piece, whatever the file.

use std::io::{self, BufRead, Read};

/// How many bytes are read at a time.
const PIECE: usize = 64 * 1024;

/// How the bytes of a file become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8 { mark: bool },
    Utf16 { little: bool, mark: bool },
    Windows1252,
}

impl Encoding {
    /// Its name for people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Utf8 { mark: false } => "UTF-8",
            Self::Utf8 { mark: true } => "UTF-8 with BOM",
            Self::Utf16 {
                little: true,
                mark: true,
            } => "UTF-16LE",
            Self::Utf16 {
                little: false,
                mark: true,
            } => "UTF-16BE",
            Self::Utf16 {
                little: true,
                mark: false,
            } => "UTF-16LE without BOM",
            Self::Utf16 {
                little: false,
                mark: false,
            } => "UTF-16BE without BOM",
            Self::Windows1252 => "windows-1252",
        }
    }
}

/// What is odd about the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oddity {
    /// From here the file is not UTF-8; everything before was plain ASCII, so it is read as windows-1252.
    CodePage,
    /// From here another encoding than before.
    Mixed,
    /// A NUL byte in text that is not UTF-16.
    Nul,
    /// Half a character of UTF-16.
    Broken,
}

/// A position in the decoded text, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    /// The first character.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// Moves over `text`.
    pub(super) fn over(&mut self, text: &[u8]) {
        for byte in text {
            if *byte == b'\n' {
                self.line = self.line.saturating_add(1);
                self.column = 1;
            } else if byte & 0xC0 != 0x80 {
                self.column = self.column.saturating_add(1);
            }
        }
    }
}

/// Decodes a file while it is read.
pub(super) struct Decoder<'r> {
    input: &'r mut dyn Read,
    raw: Vec<u8>,
    /// Bytes of `raw` that wait for the rest of their character.
    held: usize,
    text: String,
    used: usize,
    ended: bool,
    started: bool,
    encoding: Encoding,
    beyond_ascii: bool,
    /// The end of what was decoded.
    end: Position,
    oddities: Vec<(Oddity, Position)>,
}

impl std::fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

impl<'r> Decoder<'r> {
    /// A decoder that has read the first piece.
    pub(super) fn new(input: &'r mut dyn Read) -> io::Result<Self> {
        let mut decoder = Self {
            input,
            raw: vec![0; PIECE],
            held: 0,
            text: String::new(),
            used: 0,
            ended: false,
            started: false,
            encoding: Encoding::Utf8 { mark: false },
            beyond_ascii: false,
            end: Position::START,
            oddities: Vec::new(),
        };
        decoder.more()?;
        Ok(decoder)
    }

    /// The encoding, as far as the file was read.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The decoded text that was not consumed yet; empty at the end of the file.
    pub(super) fn text(&self) -> &str {
        &self.text[self.used..]
    }

    /// What is odd about the bytes read so far. Each oddity is listed once.
    pub(super) fn oddities(&self) -> &[(Oddity, Position)] {
        &self.oddities
    }

    /// Takes `bytes` of [`Self::text`]; they end at a character.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.used += bytes;
    }

    /// Reads until there is text, or the file ends: false then.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        while self.used >= self.text.len() && !self.ended {
            self.text.clear();
            self.used = 0;
            let mut filled = self.held;
            // The first piece decides the encoding, so it is not to be three bytes long by chance.
            while filled < self.raw.len() {
                match self.input.read(&mut self.raw[filled..]) {
                    Ok(0) => {
                        self.ended = true;
                        break;
                    }
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            let mut from = 0;
            if !self.started {
                self.started = true;
                (self.encoding, from) = sniff(&self.raw[..filled]);
            }
            let raw = std::mem::take(&mut self.raw);
            let used = from + self.decode(&raw[from..filled]);
            self.raw = raw;
            self.raw.copy_within(used..filled, 0);
            self.held = filled - used;
        }
        Ok(self.used < self.text.len())
    }

    /// Decodes what is whole; returns how many bytes that was.
    fn decode(&mut self, bytes: &[u8]) -> usize {
        match self.encoding {
            Encoding::Utf8 { .. } => self.utf8(bytes),
            Encoding::Utf16 { little, .. } => self.utf16(bytes, little),
            Encoding::Windows1252 => {
                self.code_page(bytes);
                bytes.len()
            }
        }
    }

    fn push(&mut self, text: &str) {
        if self.text.is_empty() {
            // Most pieces are one push.
            self.text.reserve(text.len());
        }
        if let Some(at) = text.find('\0') {
            let mut here = self.end;
            here.over(&text.as_bytes()[..at]);
            self.note(Oddity::Nul, here);
        }
        self.end.over(text.as_bytes());
        self.text.push_str(text);
    }

    fn note(&mut self, oddity: Oddity, at: Position) {
        if self.oddities.iter().all(|(known, _)| *known != oddity) {
            self.oddities.push((oddity, at));
        }
    }

    fn utf8(&mut self, bytes: &[u8]) -> usize {
        let (good, broken) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => {
                let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                // No length: the character goes on in the next piece, if there is one.
                (good, error.error_len().is_some() || self.ended)
            }
        };
        self.beyond_ascii |= !good.is_ascii();
        self.push(good);
        if !broken {
            return good.len();
        }
        let marked = self.encoding == Encoding::Utf8 { mark: true };
        let oddity = if marked || self.beyond_ascii {
            Oddity::Mixed
        } else {
            Oddity::CodePage
        };
        self.note(oddity, self.end);
        self.encoding = Encoding::Windows1252;
        self.code_page(&bytes[good.len()..]);
        bytes.len()
    }

    fn utf16(&mut self, bytes: &[u8], little: bool) -> usize {
        let unit = |pair: &[u8]| {
            if little {
                u16::from_le_bytes([pair[0], pair[1]])
            } else {
                u16::from_be_bytes([pair[0], pair[1]])
            }
        };
        let mut whole = bytes.len() & !1;
        if !self.ended && whole >= 2 && (0xD800..0xDC00).contains(&unit(&bytes[whole - 2..])) {
            whole -= 2;
        }
        let mut out = String::with_capacity(whole);
        let mut broken = false;
        for c in char::decode_utf16(bytes[..whole].chunks_exact(2).map(unit)) {
            broken |= c.is_err();
            out.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if self.ended && whole < bytes.len() {
            broken = true;
            out.push(char::REPLACEMENT_CHARACTER);
            whole = bytes.len();
        }
        if broken {
            let mut here = self.end;
            let at = out.find(char::REPLACEMENT_CHARACTER).unwrap_or(0);
            here.over(&out.as_bytes()[..at]);
            self.note(Oddity::Broken, here);
        }
        self.push(&out);
        whole
    }

    fn code_page(&mut self, bytes: &[u8]) {
        let text: String = bytes.iter().map(|byte| windows_1252(*byte)).collect();
        self.push(&text);
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let have = self.fill_buf()?;
        let n = have.len().min(out.len());
        out[..n].copy_from_slice(&have[..n]);
        self.used += n;
        Ok(n)
    }
}

impl BufRead for Decoder<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.more()?;
        Ok(&self.text.as_bytes()[self.used..])
    }

    fn consume(&mut self, n: usize) {
        self.used = (self.used + n).min(self.text.len());
    }
}

/// The encoding by the first bytes, and the length of its mark.
fn sniff(bytes: &[u8]) -> (Encoding, usize) {
    let utf16 = |little, mark| Encoding::Utf16 { little, mark };
    match bytes {
        [0xEF, 0xBB, 0xBF, ..] => return (Encoding::Utf8 { mark: true }, 3),
        [0xFF, 0xFE, ..] => return (utf16(true, true), 2),
        [0xFE, 0xFF, ..] => return (utf16(false, true), 2),
        _ => {}
    }
    // Latin text in UTF-16 has every other byte zero; a header is Latin.
    let head = &bytes[..bytes.len().min(64) & !1];
    let zero = |odd: usize| head.iter().skip(odd).step_by(2).all(|byte| *byte == 0);
    let full = |odd: usize| head.iter().skip(odd).step_by(2).all(|byte| *byte != 0);
    if head.len() >= 8 && zero(1) && full(0) {
        return (utf16(true, false), 0);
    }
    if head.len() >= 8 && zero(0) && full(1) {
        return (utf16(false, false), 0);
    }
    (Encoding::Utf8 { mark: false }, 0)
}

/// One character of the Western code page; the five unassigned bytes are the control characters of their number.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž',
        '\u{8F}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..0xA0 => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that hands out `step` bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(out.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn all(bytes: &[u8], step: usize) -> (String, &'static str, Vec<(Oddity, Position)>) {
        let mut input = Drip(bytes, step);
        let mut decoder = Decoder::new(&mut input).expect("readable");
        let mut out = String::new();
        while decoder.more().expect("readable") {
            let text = decoder.text().to_owned();
            out.push_str(&text);
            decoder.advance(text.len());
        }
        (out, decoder.encoding().name(), decoder.oddities().to_vec())
    }

    fn utf16(text: &str, to: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
        let mark = mark.then_some(0xFEFF);
        mark.into_iter()
            .chain(text.encode_utf16())
            .flat_map(to)
            .collect()
    }

    #[test]
    fn every_encoding_of_the_shell_gives_the_same_text() {
        let text = "\"Name\"\r\n\"Müller 👩‍⚕️, Jörg\"\r\n";
        for (bytes, name) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            (
                [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
                "UTF-8 with BOM",
            ),
            (utf16(text, u16::to_le_bytes, true), "UTF-16LE"),
            (utf16(text, u16::to_be_bytes, true), "UTF-16BE"),
        ] {
            assert_eq!(all(&bytes, 1), (text.to_owned(), name, vec![]));
            assert_eq!(all(&bytes, 7), (text.to_owned(), name, vec![]));
        }
        let plain = "\"Name\",\"DisplayName of the mailbox that is long\"\r\n\"Müller\"\r\n";
        for (bytes, name) in [
            (
                utf16(plain, u16::to_le_bytes, false),
                "UTF-16LE without BOM",
            ),
            (
                utf16(plain, u16::to_be_bytes, false),
                "UTF-16BE without BOM",
            ),
        ] {
            assert_eq!(all(&bytes, 3), (plain.to_owned(), name, vec![]));
        }
    }

    #[test]
    fn the_code_page_of_the_machine_is_read_and_said() {
        let (text, name, odd) = all(b"Name\nM\xFCller \x96 \x80\n", 2);
        assert_eq!(
            (text.as_str(), name),
            ("Name\nMüller – €\n", "windows-1252")
        );
        assert_eq!(odd, [(Oddity::CodePage, Position { line: 2, column: 2 })]);
    }

    #[test]
    fn two_encodings_in_one_file_are_found_with_their_place() {
        let mixed = [&b"\xEF\xBB\xBFName\nM\xC3\xBCller\nM"[..], b"\xFCller\n"].concat();
        let (_, _, odd) = all(&mixed, 5);
        assert_eq!(odd, [(Oddity::Mixed, Position { line: 3, column: 2 })]);
        let appended = [&b"Name\nHarris\n"[..], b"O\0z\0a\0n\0n\0e\0\n\0"].concat();
        let (_, _, odd) = all(&appended, 5);
        assert_eq!(odd, [(Oddity::Nul, Position { line: 3, column: 2 })]);
        let cut = b"\xFF\xFEN\0a\0m";
        let (_, _, odd) = all(cut, 5);
        assert_eq!(odd, [(Oddity::Broken, Position { line: 1, column: 3 })]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_in_any_portions_decode_to_the_same_text(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
            step in 1_usize..9,
        ) {
            proptest::prop_assert_eq!(all(&bytes, step), all(&bytes, 1000));
        }
    }
}
