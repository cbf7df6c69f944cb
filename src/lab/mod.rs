//! Layer 5: the rehearsal world: an Exchange 2016 and a Microsoft 365 on loopback.
//!
//! [`world`] holds what both sides hold and refuses what the services refuse; the faces (SOAP and Graph over HTTP, and
//! the direct one for simulations) only translate. The lab counts limits by its own means and never with the product's code.

pub mod control;
pub mod direct;
mod direct_probe;
mod direct_source;
mod direct_target;
mod direct_typed_acts;
pub mod direct_typed_source;
mod direct_typed_target;
pub mod eml;
mod ews_answers;
pub mod ews_http;
mod ews_looks;
mod ews_other;
pub mod ews_sign_in;
mod ews_stream;
mod ews_typed;
mod ews_weather;
pub mod face;
pub mod fault;
mod graph_answer;
mod graph_assertion;
mod graph_batch;
mod graph_body;
mod graph_contacts;
mod graph_event_shown;
mod graph_events;
pub mod graph_http;
mod graph_import;
mod graph_lists;
mod graph_mailbox;
mod graph_pages;
mod graph_shelves;
mod graph_token;
mod graph_typed;
mod graph_typed_files;
mod graph_typed_json;
mod graph_typed_shown;
mod graph_users;
pub mod infected;
pub mod leads;
pub mod mishap;
pub mod papers;
pub mod populate;
pub mod populate_inventory;
mod populate_items;
mod populate_names;
mod populate_people;
pub mod record;
pub mod server;
pub mod tls;
pub mod truth;
mod typed_appointment;
mod typed_card;
mod typed_make;
mod typed_mime;
mod typed_props;
mod typed_recur;
mod typed_render;
pub mod world;
mod world_calls;
mod world_content;
mod world_events;
mod world_folders;
mod world_rewrite;
mod world_source;
mod world_store;
mod world_sync;
mod world_target;
mod world_typed;
mod world_users;
pub mod wrong;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_populate;
#[cfg(test)]
mod tests_target;
#[cfg(test)]
mod tests_world;
