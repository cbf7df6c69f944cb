//! Layer 5: readers of events and ledger: bars, journal, summary, report.
