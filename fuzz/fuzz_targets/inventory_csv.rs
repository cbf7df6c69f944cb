//! Any bytes as a delimited export: read to the end without a panic, and the same in whatever portions they come.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use mailferry::plan::inventory::Reader;

struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(self.0.len()).min(out.len());
        out[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (bytes, portion) = input;
    let mut reader = Reader::new();
    reader.read("f", &mut bytes.as_slice()).expect("memory is readable");
    let whole = reader.finish();
    let mut reader = Reader::new();
    let mut drip = Drip(&bytes, usize::from(portion).max(1));
    reader.read("f", &mut drip).expect("memory is readable");
    assert_eq!(reader.finish(), whole);
    assert!(whole.mailboxes.len() <= bytes.len());
});
