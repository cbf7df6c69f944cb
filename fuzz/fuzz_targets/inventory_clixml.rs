//! Any bytes inside a CLIXML frame: read to the end without a panic, and never more objects than tags.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::plan::inventory::Reader;

fuzz_target!(|input: &[u8]| {
    let mut reader = Reader::new();
    let framed = [b"<Objs Version=\"1.1.0.1\">", input, b"</Objs>"].concat();
    for bytes in [input, framed.as_slice()] {
        reader.read("f", &mut &*bytes).expect("memory is readable");
    }
    let inventory = reader.finish();
    let tags = input.iter().filter(|byte| **byte == b'<').count();
    for file in inventory.files.iter().filter(|file| file.delimiter.is_none()) {
        assert!(file.rows.get() <= tags as u64);
    }
});
