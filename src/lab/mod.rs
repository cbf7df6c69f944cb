//! Layer 5: the rehearsal world: an Exchange 2016 and a Microsoft 365 on loopback.
