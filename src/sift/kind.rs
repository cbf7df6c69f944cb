//! What a file is by its first bytes.

use memchr::memmem;

/// Kinds that the rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Windows, Linux or macOS program.
    Program,
    /// A Windows shortcut.
    Shortcut,
    /// OLE compound file: old Office documents, MSI, MSG, encrypted new documents.
    Ole,
    Zip,
    Gzip,
    Rar,
    SevenZip,
    /// An archive or disk image that is not opened here.
    OtherArchive,
    Pdf,
    Rtf,
    /// A OneNote section: files inside it run on a double click.
    OneNote,
    /// Compiled help.
    Help,
    Picture,
    Html,
    Svg,
    Text,
    Unknown,
}

/// How far a text is looked at to tell what it is.
const HEAD: usize = 4_096;

/// Fixed beginnings.
const BEGINNINGS: &[(&[u8], Kind)] = &[
    (b"\x7fELF", Kind::Program),
    (b"\xfe\xed\xfa\xce", Kind::Program),
    (b"\xfe\xed\xfa\xcf", Kind::Program),
    (b"\xce\xfa\xed\xfe", Kind::Program),
    (b"\xcf\xfa\xed\xfe", Kind::Program),
    (b"\xca\xfe\xba\xbe", Kind::Program),
    (b"L\0\0\0\x01\x14\x02\0", Kind::Shortcut),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::Ole),
    (b"PK\x03\x04", Kind::Zip),
    (b"PK\x05\x06", Kind::Zip),
    (b"PK\x07\x08", Kind::Zip),
    (b"PK00PK\x03\x04", Kind::Zip),
    (b"\x1f\x8b", Kind::Gzip),
    (b"Rar!\x1a\x07", Kind::Rar),
    (b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
    (b"MSCF\0\0\0\0", Kind::OtherArchive),
    (b"BZh", Kind::OtherArchive),
    (b"\xfd7zXZ\0", Kind::OtherArchive),
    (b"\x28\xb5\x2f\xfd", Kind::OtherArchive),
    (b"\x60\xea", Kind::OtherArchive),
    (b"conectix", Kind::OtherArchive),
    (b"vhdxfile", Kind::OtherArchive),
    (b"xar!", Kind::OtherArchive),
    (b"ITSF", Kind::Help),
    (b"{\\rt", Kind::Rtf),
    (
        b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3",
        Kind::OneNote,
    ),
    (b"\xff\xd8\xff", Kind::Picture),
    (b"\x89PNG", Kind::Picture),
    (b"GIF8", Kind::Picture),
    (b"II*\0", Kind::Picture),
    (b"MM\0*", Kind::Picture),
];

impl Kind {
    pub(super) fn of(data: &[u8]) -> Self {
        let head = &data[..data.len().min(HEAD)];
        // Text that begins with these two letters is text.
        if head.starts_with(b"MZ") && head.iter().take(64).any(|byte| *byte == 0) {
            return Self::Program;
        }
        let fixed = BEGINNINGS.iter().find(|(start, _)| head.starts_with(start));
        if let Some((_, kind)) = fixed {
            return *kind;
        }
        let at = |from: usize, mark: &[u8]| data.get(from..).is_some_and(|d| d.starts_with(mark));
        if at(257, b"ustar") || at(32_769, b"CD001") {
            return Self::OtherArchive;
        }
        if memmem::find(&head[..head.len().min(1_024)], b"%PDF-").is_some() {
            return Self::Pdf;
        }
        if head.contains(&0) {
            return Self::Unknown;
        }
        let lower = head.to_ascii_lowercase();
        let has = |mark: &[u8]| memmem::find(&lower, mark).is_some();
        if has(b"<svg") && !has(b"<html") {
            return Self::Svg;
        }
        if [
            b"<html".as_slice(),
            b"<!doctype html",
            b"<script",
            b"<body",
            b"<head",
        ]
        .iter()
        .any(|mark| has(mark))
        {
            return Self::Html;
        }
        Self::Text
    }

    pub(super) const fn is_text(self) -> bool {
        matches!(self, Self::Html | Self::Svg | Self::Text | Self::Rtf)
    }
}

/// True when a list of members stands near the end, as in a zip: whoever unpacks looks there, whatever the file begins with.
pub(super) fn ends_like_zip(data: &[u8]) -> bool {
    let tail = &data[data.len().saturating_sub(65_557)..];
    memmem::rfind(tail, b"PK\x05\x06").is_some()
}
