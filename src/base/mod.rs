//! Layer 0: the words and numbers everybody shares. Data and arithmetic only.

pub mod books;
pub mod build;
pub mod canary;
pub mod dice;
pub mod event;
pub mod fact;
pub mod html;
pub mod id;
pub mod item;
pub mod limits;
pub mod losses;
pub mod mailbox;
pub mod outcome;
pub mod outline;
pub mod probe;
pub mod prose;
pub mod quantity;
pub mod route;
pub mod screen_rules;
pub mod screening;
pub mod secret;
pub mod sight;
pub mod spec;
pub mod typed;
