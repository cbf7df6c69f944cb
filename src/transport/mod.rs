//! Layer 4: one HTTP client per destination, TLS, redaction. No retries here.
