//! Layer 3: async drivers. They ask the pure machines, call the ports, record and narrate.
