//! Layer 1: what must be right before anything is moved. A table of checks, functions from what was seen to findings, and the words of each
//! remedy. Decides nothing by itself and reaches nobody: `engine::preflight` asks, this judges.

pub mod canary;
pub mod cause;
pub mod check;
pub mod facts;
pub mod finding;
pub mod local;
pub mod observed;
mod remedy_source;
mod remedy_target;
pub mod report;
pub mod rights;
pub mod route;
mod route_typed;
pub mod servers;
pub mod source;
pub mod target;
pub mod verdict;
