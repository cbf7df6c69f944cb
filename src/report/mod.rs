//! Layer 5: readers of events and ledger: bar, journal, summary, reports. What an auditor reads comes from the ledger alone.

pub mod bar;
pub mod facts;
pub mod fanout;
pub mod journal;
pub mod narrator;
pub mod pack_check;
mod pack_dir;
mod pack_manifest;
pub mod pack_write;
pub mod plan_html;
mod plan_picture;
pub mod progress;
pub mod runbook;
#[cfg(test)]
mod sample;
pub mod signoff;
mod sorted_lines;
pub mod summary;
pub mod table;
pub mod words;
