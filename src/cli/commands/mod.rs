//! One file per command.

pub mod inventory;
pub mod lab;
pub mod nights;
pub mod plan;
pub mod rehearse;
pub mod report;
pub mod run;
pub mod status;
pub mod verify;
