//! Layer 5: the target on Microsoft Graph.

mod away;
mod caller;
mod content;
mod folders;
mod lease;
mod pages;
mod probe;
mod sessions;
mod shelf_walk;
mod target;
mod tokens;
mod typed;
mod typed_bench;
mod typed_contact;
mod typed_event;
mod typed_message;
mod typed_parcel;
mod typed_read;
mod typed_reminder;
mod typed_upload;
mod user_probe;
mod user_target;
mod walk;

pub use target::{GraphOptions, GraphTarget};
pub use tokens::Credential;
pub use user_target::UserTarget;
