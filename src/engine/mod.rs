//! Layer 3: async drivers. They ask the pure machines, call the ports, record and narrate.
//!
//! One task per mailbox ([`worker`]) under one run ([`run`]). Inside a mailbox three drivers share the task: [`fetch`] exports groups of
//! items, spools them and makes their intents durable; [`send`] creates them, a few at a time; [`record`] makes the answers durable.
//! Doubts are settled by [`reconcile`].

pub mod ask;
pub mod audit;
pub mod balance;
pub mod carry;
pub mod clock;
pub mod control;
pub mod cx;
pub mod decide;
pub mod fetch;
pub mod follow;
pub mod lineup;
pub mod marks;
pub mod pacer;
pub mod ports;
pub mod preflight;
pub mod reconcile;
pub mod record;
pub mod reminders;
pub mod room;
pub mod run;
pub mod screen;
pub mod send;
pub mod spool;
pub mod survey;
pub mod sweep;
pub mod take;
pub mod tasks;
pub mod typed;
pub mod witness;
pub mod worker;
