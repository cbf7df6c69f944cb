//! The item stream.
