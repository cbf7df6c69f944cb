//! Any text as the documents of an evidence pack: read without a panic, and what is read is written back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::evidence::manifest::{ItemLine, PseudonymKey};
use mailferry::evidence::pack::{BalanceDocument, Pack, Tally};
use mailferry::evidence::waiver::Waiver;
use mailferry::evidence::{chain, verdict::Verdict};

fuzz_target!(|text: &str| {
    if let Ok(pack) = Pack::parse(text) {
        assert_eq!(pack.render(), text);
    }
    if let Ok(waiver) = Waiver::parse(text) {
        assert_eq!(waiver.render(), text);
    }
    if let Ok((chain, entries)) = chain::read(text) {
        assert_eq!(chain.entries(), entries.len() as u64);
    }
    let _ = PseudonymKey::parse(text);
    if let Ok(value) = serde_json::from_str(text) {
        let _ = Verdict::read(&value);
    }
    let mut tally = Tally::default();
    for line in text.lines() {
        if let Ok(item) = serde_json::from_str::<ItemLine>(line) {
            let _ = tally.add(&item);
        }
    }
    if let Ok(balance) = serde_json::from_str::<BalanceDocument>(text) {
        let _ = tally.against(&balance);
    }
});
