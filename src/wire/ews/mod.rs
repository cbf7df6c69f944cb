//! The operations of EWS that read a mailbox, one file each: request and reply, writer and reader. The lab answers with the same codec.

pub mod classify;
pub mod elsewhere;
pub mod export_items;
pub mod export_splitter;
pub mod find_folder;
pub mod find_item;
pub mod folder;
pub mod get_delegate;
pub mod get_folder;
pub mod get_inbox_rules;
pub mod get_item;
pub mod get_user_oof_settings;
pub mod item;
pub mod look;
mod models;
pub mod ren;
pub mod reply;
pub mod request;
pub mod restriction;
pub mod schema;
pub mod shape;
pub mod sync_folder_hierarchy;
pub mod sync_folder_items;
pub mod typed_attachment;
