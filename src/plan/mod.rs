//! Layer 1: from inventory to plan: which mailboxes, which folders and items, under which limits.

pub mod address;
pub mod calendar;
pub mod capacity;
pub mod diff;
pub mod document;
pub mod draft;
pub mod estate;
pub mod explain;
pub mod forecast;
pub mod graph;
pub mod inventory;
pub mod lint;
mod lint_address;
mod lint_content;
mod lint_rights;
pub mod nights;
pub mod problem;
mod read;
mod read_bounds;
mod read_waves;
mod render;
pub mod rules;
pub mod schedule;
mod strict;
pub mod together;
pub mod waves;
pub mod wishes;
