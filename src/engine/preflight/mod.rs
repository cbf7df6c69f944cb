//! Drives a preflight: asks both sides everything `preflight` judges, a bounded number of mailboxes at a time, and sends canaries.
//!
//! A sign-in that is refused is tried once and never again: each try counts towards the lock-out of an account.

mod ask;
mod canary;
mod compare;
mod content;
mod drive;
mod flight;
mod leftover;
mod mailbox;

pub use drive::{Order, Ports, observe};
