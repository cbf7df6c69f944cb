//! Any bytes, in any portions: the reader never panics, and portions do not change what it reports.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::wire::item_stream::{ItemReader, decode, digest_of, encode};

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (bytes, portion) = input;
    let whole = digest_of(&bytes);
    let mut reader = ItemReader::new();
    for piece in bytes.chunks(usize::from(portion).max(1)) {
        reader.feed(piece);
    }
    assert_eq!(reader.finish(), whole);
    if let Some(message) = decode(&bytes) {
        let again = encode(&message);
        assert_eq!(decode(&again).as_ref(), Some(&message));
        if whole.whole {
            assert_eq!(digest_of(&again).digest, whole.digest);
        }
    }
});
