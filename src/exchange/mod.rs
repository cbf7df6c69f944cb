//! Layer 5: the source on EWS.
