//! Tests of the rules: what must be found, what must not, and that nothing hostile costs more than its bound.

use std::io::{Cursor, Write as _};

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::base::limits::{SIFT_DEPTH_MAX, SIFT_PARTS_MAX, SIFT_UNPACKED_MAX};
use crate::base::screen_rules::{Mode, Rule, RuleBook};
use crate::base::screening::{Answer, Effect, Found, Unscanned};

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in members {
        out.start_file(*name, SimpleFileOptions::default()).unwrap();
        out.write_all(data).unwrap();
    }
    out.finish().unwrap().into_inner()
}

fn sift_all(pieces: &[(&str, &[u8])], lists: &HashLists) -> Sifted {
    let book = RuleBook::default();
    let mut sifter = Sifter::new(&book, lists, None);
    for (name, data) in pieces {
        let piece = Piece {
            name: Some(name),
            mime: None,
            data,
            body: false,
            depth: 0,
        };
        sifter.part(piece).unwrap();
    }
    sifter.finish()
}

fn marks(name: &str, data: &[u8]) -> Vec<String> {
    let sifted = sift_all(&[(name, data)], &HashLists::default());
    assert_eq!(sifted.unscanned, None, "{name}");
    let mut marks: Vec<String> = sifted
        .found
        .iter()
        .map(|found| found.mark.to_string())
        .collect();
    marks.sort();
    marks.dedup();
    marks
}

fn unscanned(name: &str, data: &[u8]) -> Option<Unscanned> {
    sift_all(&[(name, data)], &HashLists::default()).unscanned
}

fn program() -> Vec<u8> {
    let mut out = b"MZ\x90\0\x03".to_vec();
    out.resize(400, 0);
    out
}

fn ole(inside: &str) -> Vec<u8> {
    let mut out = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    out.resize(1_024, 0);
    out.extend(inside.encode_utf16().flat_map(u16::to_le_bytes));
    out.resize(2_048, 0);
    out
}

#[test]
fn the_test_file_is_the_one_that_engines_know() {
    let file = test_file();
    assert_eq!(file.len(), 68);
    assert_eq!(marks("a.txt", &file), ["test-file"]);
    let spaced = [file.as_slice(), b"\r\n  "].concat();
    assert_eq!(marks("a.txt", &spaced), ["test-file"]);
    let other = [b" x".as_slice(), &file].concat();
    assert!(
        marks("a.txt", &other).is_empty(),
        "inside something else it is none"
    );
}

#[test]
fn each_rule_finds_what_it_is_for() {
    let smuggler = b"<html><script>var b = new Blob([atob(\"QUJD\")]); var a = document.createElement('a'); a.href = \
        URL.createObjectURL(b); a.download = 'invoice.iso'; a.click();</script></html>";
    let shell = b"<%@ Page Language=\"JScript\"%><%eval(Request.Item[\"cmd\"],\"unsafe\");%>";
    let macros = zipped(&[
        ("[Content_Types].xml", b"<x/>"),
        ("word/vbaProject.bin", b"x"),
    ]);
    for (name, data, want) in [
        ("setup.exe", program(), vec!["dangerous-type", "executable"]),
        ("scan.pdf", program(), vec!["disguised", "executable"]),
        ("run.js", b"WScript.Echo(1)".to_vec(), vec!["script"]),
        (
            "a.pdf.js",
            b"x".to_vec(),
            vec!["double-extension", "script"],
        ),
        ("old.doc", ole("_VBA_PROJECT"), vec!["office-macro"]),
        (
            "old.docx",
            ole("EncryptedPackage"),
            vec!["encrypted-archive"],
        ),
        ("new.docm", macros, vec!["office-macro"]),
        ("page.html", smuggler.to_vec(), vec!["html-smuggling"]),
        ("x.txt", shell.to_vec(), vec!["web-shell"]),
        (
            "a.7z",
            b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(),
            vec!["unreadable-archive"],
        ),
        (
            "a.mdb",
            b"\0\x01\0\0Standard Jet DB".to_vec(),
            vec!["dangerous-type"],
        ),
        (
            "link.txt",
            b"L\0\0\0\x01\x14\x02\0\0\0".to_vec(),
            vec!["disguised", "script"],
        ),
    ] {
        assert_eq!(marks(name, &data), want, "{name}");
    }
}

#[test]
fn honest_mail_is_left_alone() {
    let pdf = b"%PDF-1.7 ...".to_vec();
    let docx = zipped(&[
        ("[Content_Types].xml", b"<x/>"),
        ("word/document.xml", b"<w/>"),
    ]);
    let page = b"<html><body><script src=\"menu.js\"></script><p>Hello</p></body></html>".to_vec();
    let key = b"-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ0w3d3d3d3d3d3d3d3d3d3d3d3dMAoGCCqGSM49BAMC\nMCcxJTAjBgNVBAMMHG1haWxmZXJyeSB0ZXN0IGF1dGhvcml0eTAeFw0yNjAxMDEw\n-----END CERTIFICATE-----\n".to_vec();
    let mz = b"MZ was the sign of Mark Zbikowski, who wrote the format.".to_vec();
    for (name, data) in [
        ("letter.pdf", pdf.clone()),
        ("letter.docx", docx),
        ("page.html", page),
        ("ca.pem", key),
        ("notes.txt", mz),
        (
            "photos.zip",
            zipped(&[("a.jpg", b"\xff\xd8\xff"), ("b.pdf", &pdf)]),
        ),
        ("", Vec::new()),
    ] {
        assert!(marks(name, &data).is_empty(), "{name}");
    }
}

#[test]
fn what_is_hidden_is_found_with_the_way_to_it() {
    use base64::Engine as _;
    let bad = program();
    let mut lists = HashLists::default();
    let hash: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&bad).into();
    let hex = crate::base::screening::ContentHash(hash).to_string();
    lists.add(&hex).unwrap();
    let inner = zipped(&[("deep/x.bin", &bad)]);
    let gz = {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(&bad).unwrap();
        out.finish().unwrap()
    };
    let text = base64::engine::general_purpose::STANDARD.encode(&bad);
    let text = format!("see here:\n{text}\nbye");
    let behind = [b"\xff\xd8\xff junk in front".as_slice(), &inner].concat();
    for (name, data, names) in [
        (
            "a.zip",
            zipped(&[("b.zip", &inner)]),
            vec!["a.zip", "b.zip", "deep/x.bin"],
        ),
        ("a.bin.gz", gz, vec!["a.bin.gz", "a.bin"]),
        ("note.txt", text.into_bytes(), vec!["note.txt", "(no name)"]),
        ("photo.jpg", behind, vec!["photo.jpg", "deep/x.bin"]),
    ] {
        let sifted = sift_all(&[(name, &data)], &lists);
        let listed: Vec<&Found> = sifted
            .found
            .iter()
            .filter(|found| found.mark.as_str() == "listed-hash")
            .collect();
        assert_eq!(listed.len(), 1, "{name}: {:?}", sifted.found);
        assert_eq!(listed[0].names, names);
        assert_eq!(listed[0].content.to_string(), hex);
        assert_eq!(fold(&sifted.found, None).1, Effect::Withheld);
    }
}

#[test]
fn encrypted_archives_are_told_apart() {
    let mut zip = zipped(&[("secret.txt", b"hello")]);
    // Bit 0 of the general purpose flags, in the local header and in the list of members.
    zip[6] |= 1;
    let central = memchr::memmem::find(&zip, b"PK\x01\x02").unwrap();
    zip[central + 8] |= 1;
    assert_eq!(marks("a.zip", &zip), ["encrypted-archive"]);
    let rar5 = b"Rar!\x1a\x07\x01\0\x11\x22\x33\x44\x21\x04\0\0";
    assert_eq!(
        marks("a.rar", rar5),
        ["encrypted-archive", "unreadable-archive"]
    );
    let plain5 = b"Rar!\x1a\x07\x01\0\x11\x22\x33\x44\x0a\x01\0\0";
    assert_eq!(marks("a.rar", plain5), ["unreadable-archive"]);
    let rar4 = b"Rar!\x1a\x07\0\xcf\x90\x73\x80\0\x0d\0\0\0\0\0\0\0";
    assert_eq!(
        marks("a.rar", rar4),
        ["encrypted-archive", "unreadable-archive"]
    );
}

#[test]
fn what_goes_over_a_bound_is_not_scanned() {
    let mut deep = zipped(&[("a.txt", b"x")]);
    for _ in 0..=SIFT_DEPTH_MAX {
        deep = zipped(&[("in.zip", &deep)]);
    }
    assert_eq!(unscanned("deep.zip", &deep), Some(Unscanned::TooDeep));
    let zeros = vec![0; 20_000_000];
    let bomb = zipped(&[("zeros", &zeros)]);
    assert!(bomb.len() < 40_000);
    assert_eq!(unscanned("bomb.zip", &bomb), Some(Unscanned::Expands));
    let mut many = ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..=SIFT_PARTS_MAX {
        many.start_file(n.to_string(), SimpleFileOptions::default())
            .unwrap();
    }
    let many = many.finish().unwrap().into_inner();
    assert_eq!(unscanned("many.zip", &many), Some(Unscanned::TooMany));
    let whole = zipped(&[("a.txt", b"some text that is packed, and then cut")]);
    for end in [whole.len() - 10, whole.len() / 2, 30, 4] {
        assert_eq!(
            unscanned("cut.zip", &whole[..end]),
            Some(Unscanned::Damaged),
            "cut at {end}"
        );
    }
    // The largest item, stored, is no bomb.
    const { assert!(SIFT_UNPACKED_MAX > 150_000_000) };
}

#[test]
fn an_item_that_unpacks_to_much_asks_to_be_alone() {
    let noise: Vec<u8> = (0..300_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let zip = zipped(&[("noise", &noise)]);
    let (book, lists) = (RuleBook::default(), HashLists::default());
    let piece = Piece {
        name: Some("a.zip"),
        mime: None,
        data: &zip,
        body: false,
        depth: 0,
    };
    let mut light = Sifter::new(&book, &lists, Some(1_000_000));
    assert_eq!(light.part(piece), Err(Stop::Heavy));
    let mut alone = Sifter::new(&book, &lists, None);
    assert_eq!(alone.part(piece), Ok(()));
    assert_eq!(alone.finish().unscanned, None);
}

#[test]
fn one_answer_is_made_of_everything() {
    let found = |mode| Found {
        mark: crate::base::screening::Mark::new("x"),
        mode,
        content: crate::base::screening::ContentHash([1; 32]),
        size: 1,
        names: Vec::new(),
        mime: None,
    };
    let (report, bad) = (found(Mode::Report), found(Mode::Quarantine));
    let deep = Some(Unscanned::TooDeep);
    let effect = |found: &[Found], why| fold(found, why).1;
    assert_eq!(fold(&[], None), (Answer::NothingFound, Effect::Passes));
    assert_eq!(effect(std::slice::from_ref(&report), None), Effect::Passes);
    assert_eq!(effect(std::slice::from_ref(&report), deep), Effect::Waits);
    assert_eq!(effect(&[], deep), Effect::Waits);
    assert_eq!(effect(&[report, bad.clone()], deep), Effect::Withheld);
    let many = vec![bad; 50];
    assert!(matches!(fold(&many, None).0, Answer::Found(hits) if hits.len() == 1));
}

#[test]
fn rules_that_are_off_find_nothing_and_bounds_still_hold() {
    let (book, lists) = (RuleBook::all(Mode::Off), HashLists::default());
    let mut sifter = Sifter::new(&book, &lists, None);
    let damaged = b"PK\x03\x04 and nothing behind it";
    for (name, data) in [
        ("a.exe", program()),
        ("b.txt", test_file()),
        ("c.zip", damaged.to_vec()),
    ] {
        let piece = Piece {
            name: Some(name),
            mime: None,
            data: &data,
            body: false,
            depth: 0,
        };
        sifter.part(piece).unwrap();
    }
    let out = sifter.finish();
    assert!(out.found.is_empty());
    assert_eq!(out.unscanned, Some(Unscanned::Damaged));
    assert!(Rule::ALL.iter().all(|rule| book.mode(*rule) == Mode::Off));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_bytes_end_in_an_answer(
        head in prop::sample::select(vec![
            &b""[..], b"PK\x03\x04", b"\x1f\x8b\x08", b"MZ", b"Rar!\x1a\x07\x01\0", b"7z\xbc\xaf\x27\x1c",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"<html><script>", b"\xff\xfe",
        ]),
        tail in proptest::collection::vec(any::<u8>(), 0..2_000),
        name in ".{0,40}",
    ) {
        let data = [head, &tail].concat();
        let _ = sift_all(&[(&name, &data)], &HashLists::default());
    }

    #[test]
    fn a_zip_with_any_byte_changed_ends_in_an_answer(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let inner = zipped(&[("x.txt", b"hello hello hello hello")]);
        let mut zip = zipped(&[("a.zip", &inner), ("b.txt", &[b'y'; 3_000])]);
        for (at, value) in flips {
            let at = at.index(zip.len());
            zip[at] = value;
        }
        let sifted = sift_all(&[("a.zip", &zip)], &HashLists::default());
        prop_assert!(sifted.parts <= 10);
    }
}
