//! Layer 1: from inventory to plan: which mailboxes, which folders and items, under which limits.

pub mod address;
pub mod calendar;
pub mod document;
pub mod forecast;
pub mod inventory;
pub mod pairs;
pub mod problem;
mod read;
mod read_bounds;
mod read_waves;
mod render;
pub mod rules;
pub mod schedule;
mod strict;
