//! # mailferry: the architecture page
//!
//! Moves mailboxes from an on-premises Exchange 2016 to Microsoft 365 and proves that nothing was lost.
//!
//! ```text
//!  6  cli                                    words, wiring, exit codes; the only layer that knows every other
//!  5  exchange graph store screen lab report one adapter family each; never import one another
//!  4  transport                              one HTTP client, TLS, redaction
//!  3  engine                                 async drivers: ask the pure machines, call the ports, record, narrate
//!  2  port                                   the seams: Source, Target, Ledger, Screener, Clock, EventSink
//!  1  plan flow pace verify evidence posture preflight sift wire   pure: no async, no I/O, no clock, no randomness; never import one another
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

//!
//! ## Where to start reading
//!
//! 1. [`flow::copy`]: the item-copy machine, its drawing, and the honest sentence about what it promises.
//! 2. [`flow::judge`]: the retry policy, one table, pinned by a snapshot.
//! 3. [`port`]: the seams. Whoever writes a backend needs to read nothing else.
//! 4. [`engine::worker`]: one mailbox from claim to caught up; [`engine::carry`]: fetch, send and record side by side.
//! 5. [`cli::wiring`]: which adapter stands where in the running program.
//!
//! ## The six laws, and where each is kept and tested
//!
//! | Law | Kept by | Tested by |
//! |---|---|---|
//! | an intent is durable before the first byte leaves | `engine::fetch` appends before it hands a group on; `engine::send` is the only caller of `Target::create` | `tests/crash_sweep.rs` |
//! | a crash turns intended into in doubt and nothing else | `flow::copy::CopyState::after_crash`, `engine::worker` | `flow::copy`, `tests/crash_sweep.rs` |
//! | nothing is sent again before the doubt is settled | `flow::copy` (no intent follows a doubt) | `flow::copy`, `tests/simulation.rs` |
//! | absence counts only after the visibility lag and more than once | `engine::worker` waits, `flow::copy` counts the looks | `flow::copy`, `flow::doubt`, `tests/simulation.rs` |
//! | we delete only what we made | `Target::retract` takes a `Placed` and compares its change key | `tests/contract_target.rs` |
//! | a fenced worker changes nothing | the ledgers compare epochs inside the append | `tests/contract_ledger.rs` |
//!
//! The tests under `tests/` are one program (`tests/all.rs`): thirty of them linked one by one cost more time and disk than they ran.
//!
//! ## Decisions that the code taught
//!
//! - **The ledger stores facts, never states.** A row is a listing header and the facts that happened to it; `flow::copy::replay` makes the
//!   state. A claim has no time limit: one process holds a state directory, and a later claim fences an earlier one.
//! - **The ledger knows what is due.** Beside the rows it keeps an index by what is to be done and the sums of each folder, changed in the same
//!   step, so that a run over a million items begins within seconds and a pass costs what changed. What a fact does to a row is asked of
//!   [`flow::copy`], so `store` may use `flow`; a fact that cannot follow its row is refused before it is written.
//! - **Rows lie together in leaves.** Sled keeps some 700 bytes in memory for each of its pages, however small its cache, and a page holds at most
//!   16 values; a value for each item made that 145 MB for a million. `store::leaf` puts some 30 rows of neighbouring items into one packed value,
//!   and the index names leaves. What sled remembers of pages it touched it bounds by looks, not by bytes, so `store::shelf` opens it anew
//!   after so many leaves; everything it was told is on disk before, so nobody but the memory notices.
//! - **Doubt is settled by multisets.** The target is asked for pages, not for stamps; `flow::doubt` compares what a folder shows with what
//!   the rows explain. The same look adopts what an earlier plan or a lost ledger made, so that a new state directory sends nothing twice.
//! - **No retrying or pacing decorators.** Reads go through one loop (`engine::ask`), creates through another (`engine::send`), both driven by
//!   `flow::judge`; a turn of the pacer is a value that lives as long as the call.
//! - **A throttled create keeps its intent.** The far side said that nothing happened, so the intent on record still stands and the same create
//!   goes again; only a create that is given up becomes `NothingSent`.
//! - **One HTTP stack of our own making on hyper's connections.** NTLM belongs to a TCP connection and a channel binding to its certificate, so the
//!   connection must be in sight; one stack for both sides means one place for trust, pins, proxies and addresses. Its pool belongs to one client and
//!   so to one identity.
//! - **NTLMv2 is written out in [`wire::ntlm`].** `sspi` was measured: 110 more crates, pre-releases of a cryptography stack beside the one here (with
//!   an `rsa` under RUSTSEC-2023-0071), nine minutes of processor time and 600 MB for a debug build, and a clock and dice of its own; it has no key tables and no
//!   ticket caches. `ntlmclient` writes neither bindings nor integrity codes. Three messages are 400 lines, checked against the published values and
//!   against pyspnego. Kerberos is the system's (`libgssapi`, feature `kerberos`), which knows both.
//! - **Two routes, one engine.** Where a tenant takes no streams, an item travels as a parcel ([`wire::parcel`]): read by its class
//!   ([`port::typed::TypedSource`]), spooled, digested, looked into and intended as a stream is, created by its class
//!   ([`port::typed::TypedTarget`]), and found again by our mark. Which route a row is on is a fact ([`flow::route`]), so that a copy is looked after
//!   in the way it was made. Streams only is what a plan means that does not say otherwise: a copy by its class is no copy byte for byte, and what
//!   it loses stands in one table ([`base::losses`]) that plan, preflight and report print.
//! - **The mark names the mailbox it is for.** A created item gets a new search key, so listings ask for our mark and believe it before the key. An item
//!   that came back from an earlier migration bears one too; it counts only in the mailbox it was made for.
//! - **What needs several calls is made out of sight.** A message is built in a hidden folder of ours and moved when it is complete, so that its folder
//!   shows the whole of it or nothing; events and contacts cannot be moved and bear another mark until they are complete.
//! - **One tree out of three kinds of folders.** A cloud without mailbox import knows mail folders, calendars and contact folders by three APIs and no other
//!   kind. [`graph::UserTarget`] makes one tree of them, with ids that say whose they are (`wire::graph::shelf`); where a folder of a class really lies is
//!   asked of the seam ([`port::target::Target::place_of`]), so that the survey's law that two folders are never poured into one holds where calendars lie
//!   side by side. What is taken away there may end among the user's deleted items, so it loses our mark first.
//! - **Reads go one by one, not by `$batch`.** The service meters each request in a batch alone and serves 4 at a time to a mailbox, as many as go side
//!   by side without one; `graph::typed_read` has the arithmetic.
//! - **Legacy TLS is a feature.** rustls speaks no CBC suites. `native-tls` asks what the system has, OpenSSL on Linux, so that the ordinary build needs
//!   no system library; where it is missing, the failure is named with what to type.

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
pub mod posture;
pub mod preflight;
pub mod report;
pub mod screen;
pub mod sift;
pub mod store;
pub mod transport;
pub mod verify;
pub mod wire;
