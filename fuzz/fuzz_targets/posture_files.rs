//! Any bytes as each file of `assess`: no reader panics, and a register that was understood survives writing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::posture::sheet::{Sheet, decode};
use mailferry::posture::{detections, finding, health, register, section, server, table};

fuzz_target!(|bytes: &[u8]| {
    let _ = health::parse(bytes);
    let _ = detections::parse("f", bytes);
    let Ok(text) = decode(bytes) else {
        return;
    };
    let _ = finding::parse_decisions(&text);
    let _ = table::Table::parse(&text, table::Table::CVES);
    let _ = table::Table::parse(table::Table::BUILDS, &text);
    if let Ok(document) = serde_json::from_str(&text) {
        let _ = section::html(&document, section::People::Named);
        let _ = section::json(&document);
    }
    let Ok(sheet) = Sheet::parse(&text) else {
        return;
    };
    let _ = server::parse_installed(&sheet);
    if let Ok(actions) = register::parse(&sheet) {
        let written = register::write(&actions);
        let again = register::parse(&Sheet::parse(&written).expect("what we write can be read"));
        assert_eq!(again.expect("a register stays one").len(), actions.len());
    }
});
