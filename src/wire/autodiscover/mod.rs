//! Autodiscover: where a mailbox's EWS is (reference/ews.md section 1, Autodiscover). Requests, replies and the search as a machine without I/O.

pub mod hunt;
pub mod pox;
pub mod reply;
pub mod soap;
