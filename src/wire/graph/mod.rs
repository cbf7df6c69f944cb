//! The JSON calls of Graph, one file per family.
