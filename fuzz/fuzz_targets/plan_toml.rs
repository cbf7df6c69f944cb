//! Any text: reading a plan never panics, and what is read renders to the same plan, comments or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::plan::diff::diff;
use mailferry::plan::document::{Comments, Plan};
use mailferry::plan::forecast::Measured;

fuzz_target!(|text: &str| {
    let _ = Measured::parse(text, 20);
    let Ok(plan) = Plan::parse(text) else { return };
    let comments = Comments {
        head: vec![text.chars().take(200).collect()],
        waves: vec![vec![text.chars().rev().take(200).collect()]; plan.waves.len()],
    };
    let again = Plan::parse(&plan.render_explained(&comments)).expect("what is rendered can be read");
    assert_eq!(again.hash(), plan.hash());
    assert!(diff(&plan, &again).is_empty());
});
