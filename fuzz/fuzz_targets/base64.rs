//! Any text, in any portions: the decoder never panics, portions do not matter, and what it accepts encodes back to the same letters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::wire::base64::{Decoder, encode};

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (text, portion) = input;
    let run = |cut: usize| {
        let (mut out, mut decoder) = (Vec::new(), Decoder::new());
        for piece in text.chunks(cut) {
            decoder.push(piece, &mut out);
        }
        let end = decoder.finish(&mut out);
        (out, end)
    };
    let (bytes, end) = run(text.len().max(1));
    assert_eq!(run(usize::from(portion).max(1)), (bytes.clone(), end));
    if let Ok(length) = end {
        assert_eq!(length.get(), bytes.len() as u64);
        let letters: Vec<u8> = text
            .into_iter()
            .filter(|b| !b.is_ascii_whitespace())
            .collect();
        assert_eq!(encode(&bytes).into_bytes(), letters);
    }
});
