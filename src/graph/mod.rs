//! Layer 5: the target on Microsoft Graph.
