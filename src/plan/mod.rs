//! Layer 1: from inventory to plan: which mailboxes, which folders and items, under which limits.

pub mod rules;
