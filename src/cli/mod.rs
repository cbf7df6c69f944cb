//! Layer 6: words, wiring, exit codes. The only layer that knows every other.

mod agent;
pub mod args;
pub mod assess_args;
mod assess_ews;
mod assess_facts;
mod assess_view;
pub mod commands;
pub mod contact;
pub mod decision_args;
pub mod decisions;
pub mod directory;
pub mod error;
pub mod evidence_args;
pub mod exit;
mod found;
mod invitations;
pub mod lab_help;
mod left;
pub mod packs;
pub mod plan_args;
mod plan_view;
pub mod plans;
pub mod preflight_args;
mod preflight_facts;
mod preflight_view;
pub mod reach;
pub mod secrets;
pub mod signals;
mod slices;
mod start;
pub mod troubles;
pub mod ui;
pub mod verdict;
mod verify_view;
pub mod wiring;

pub use start::main;
