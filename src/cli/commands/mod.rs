//! One file per command.

pub mod plan;
pub mod report;
pub mod run;
pub mod status;
pub mod verify;
