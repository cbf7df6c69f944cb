//! The JSON calls of Graph, one file per family. Both directions: the lab reads requests and writes replies with the same words.

pub mod assertion;
pub mod classify;
pub mod error;
pub mod escape;
pub mod export;
pub mod export_reader;
pub mod folders;
pub mod import;
pub mod items;
pub mod json;
pub mod jwt;
mod kept;
pub mod mail_folder;
#[cfg(test)]
mod openapi;
pub mod path;
pub mod path_user;
pub mod property;
pub mod provenance;
pub mod query;
pub mod reminder;
pub mod retry_after;
pub mod settings;
pub mod shelf;
pub mod time_zone;
mod time_zone_table;
pub mod token;
pub mod typed_amend;
pub mod typed_attachment;
pub mod typed_contact;
pub mod typed_event;
pub mod typed_message;
pub mod user;
