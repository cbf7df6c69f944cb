//! One file per command.

pub mod assess;
pub mod cutover;
pub mod evidence;
pub mod inventory;
pub mod lab;
pub mod ledger;
pub mod losses;
pub mod nights;
pub mod plan;
pub mod preflight;
pub mod quarantine;
pub mod rehearse;
pub mod report;
pub mod resolve;
pub mod retry;
pub mod run;
pub mod sign;
pub mod status;
pub mod verify;
pub mod waive;
