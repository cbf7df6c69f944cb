//! Any bytes as an export reply, in any portions: the reader never panics, portions do not matter, and what it takes for whole holds
//! exactly the bytes that a plain JSON reader finds in it.
#![no_main]

use base64::Engine as _;
use libfuzzer_sys::fuzz_target;
use mailferry::base::id::TargetItemId;
use mailferry::wire::graph::export_reader::ExportReader;

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (body, portion) = input;
    let asked = TargetItemId::new("i");
    let run = |cut: usize| {
        let (mut out, mut reader) = (Vec::new(), ExportReader::new(200));
        for piece in body.chunks(cut) {
            if let Err(setback) = reader.push(piece, &mut out) {
                return Err(setback);
            }
        }
        reader.finish(&asked, &mut out).map(|()| out)
    };
    let whole = run(body.len().max(1));
    let pieces = run(usize::from(portion).max(1));
    assert_eq!(whole, pieces);
    let (Ok(bytes), Ok(value)) = (whole, serde_json::from_slice::<serde_json::Value>(&body)) else {
        return;
    };
    let data = value["value"][0]["data"].as_str().unwrap_or_default();
    let blank: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let engine = base64::engine::general_purpose::STANDARD;
    assert_eq!(engine.decode(blank).ok(), Some(bytes));
});
