//! Base64 in pieces.
