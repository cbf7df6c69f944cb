//! The one table of what the typed route does not carry as it was: for plan, preflight and report to print; held against the model by a test.
//!
//! The typed route creates items by the fields and properties that the service documents (reference/graph.md section 2). What has no such place is
//! here, in the words of those whose mail it is.

mod carried;
mod classes;
mod folders;
mod table;
mod told;
mod words;

#[cfg(test)]
mod tests;

pub use carried::CARRIED;
pub use classes::{CLASSES, ClassFate, UNKNOWN_CLASS, class_fate, family_of};
pub use folders::{FolderLoss, WITHOUT_IMPORT};
pub use table::LOSSES;
pub use told::{LossLine, brief, of, told};
pub use words::{Family, Fate, Loss};
