//! Any text as a size: answered without a panic, and what is exact has its digits in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::plan::inventory::{Ceiling, parse_size};

fuzz_target!(|text: &str| {
    if let Ok(size) = parse_size(text)
        && let Ceiling::At(at) = size.ceiling
        && !at.approximate
    {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        assert!(digits.ends_with(&at.bytes.get().to_string()));
    }
});
