//! The sign-off report: one value made of the evidence, and its forms: HTML for people, JSON and CSV with the same numbers for programs.
//!
//! Everything that names a person or a thing passes through [`Names`](crate::evidence::manifest::Names) once, where the value is made. What the
//! forms print they have from the value, so an external report cannot show what the value does not hold.

mod by_class;
pub mod csv;
pub mod json;
pub mod make;
mod page;
pub mod paper;
mod parts;
mod picture;
#[cfg(test)]
mod sample;
mod style;
#[cfg(test)]
mod tests;
pub mod words;

pub use page::render;
