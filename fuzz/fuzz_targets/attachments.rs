//! Any bytes as a stream and as a file: the reader of parts and the rules never panic, portions do not change what is read, and what is
//! looked into stays within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::base::limits::SIFT_PARTS_MAX;
use mailferry::base::screen_rules::RuleBook;
use mailferry::base::screening::ClamdAddress;
use mailferry::screen::{read_reply, read_version};
use mailferry::sift::{HashLists, Piece, Sifter, fold};
use mailferry::wire::item_stream::{Part, PartReader};

fn read(bytes: &[u8], portion: usize) -> (Vec<Part>, bool) {
    let mut reader = PartReader::new();
    let mut parts = Vec::new();
    for piece in bytes.chunks(portion.max(1)) {
        reader.feed(piece);
        parts.extend(std::iter::from_fn(|| reader.take()));
    }
    let whole = reader.finish();
    (parts, whole)
}

fuzz_target!(|input: (Vec<u8>, String, u8)| {
    let (bytes, name, portion) = input;
    let (parts, whole) = read(&bytes, bytes.len());
    assert_eq!(read(&bytes, usize::from(portion)), (parts.clone(), whole));
    let (book, lists) = (RuleBook::default(), HashLists::default());
    let mut sifter = Sifter::new(&book, &lists, None);
    let piece = |data, body, depth| Piece {
        name: Some(&name),
        mime: Some(&name),
        data,
        body,
        depth,
    };
    let _ = sifter.part(piece(&bytes, false, 0));
    for part in &parts {
        let _ = sifter.part(piece(&part.data, false, part.depth));
    }
    let sifted = sifter.finish();
    assert!(sifted.parts <= SIFT_PARTS_MAX + 1 || sifted.unscanned.is_some());
    let _ = fold(&sifted.found, sifted.unscanned);
    let _ = HashLists::default().add(&name);
    let _ = ClamdAddress::parse(&name);
    let _ = read_reply(&name);
    let _ = read_version(&name);
});
