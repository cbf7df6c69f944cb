//! # mailferry: the architecture page
//!
//! Moves mailboxes from an on-premises Exchange 2016 to Microsoft 365 and proves that nothing was lost.
//!
//! ```text
//!  6  cli                                    words, wiring, exit codes; the only layer that knows every other
//!  5  exchange graph store lab report        one adapter family each; never import one another
//!  4  transport                              one HTTP client, TLS, redaction
//!  3  engine                                 async drivers: ask the pure machines, call the ports, record, narrate
//!  2  port                                   the seams: Source, Target, Ledger, Clock, EventSink
//!  1  plan flow pace verify evidence wire    pure: no async, no I/O, no clock, no randomness; never import one another
//!  0  base                                   words and numbers everybody shares
//! ```
//!
//! Three rules, checked by `tests/layers.rs`:
//!
//! 1. A module imports only from lower layers.
//! 2. Modules of one layer never import one another (inside a module, children see siblings as they like).
//! 3. Layers 0 and 1 contain no `async`, no `tokio`, no file, network, environment or thread, no clock, no dice of others.
//!
//! ## Glossary
//!
//! | Word | Means | Not to be confused with |
//! |---|---|---|
//! | plan | immutable, content-hashed document: waves of mailbox pairs | run |
//! | job | one mailbox pair of a plan | task (a tokio task) |
//! | run | one process lifetime working on a plan | pass |
//! | item copy | the carrying of one item; has a state | `Copy` the Rust trait |
//! | intent | durable note "I am about to create this" | attempt |
//! | doubt | the create may have happened | failure |
//! | stamp | the mark by which we recognise our work on the target | digest (content) |
//! | setback | what came back instead of a result | verdict |
//! | verdict | what we do next about a setback | finding |
//! | ledger | durable truth about jobs and copies | journal (narration) |
//! | finding | a difference the verifier reports | error |
//! | park | put aside for a person | skip (by rule) |
//! | realm | live or rehearsal, written into plan and ledger | environment |

pub mod base;
pub mod cli;
pub mod engine;
pub mod evidence;
pub mod exchange;
pub mod flow;
pub mod graph;
pub mod lab;
pub mod pace;
pub mod plan;
pub mod port;
pub mod report;
pub mod store;
pub mod transport;
pub mod verify;
pub mod wire;
