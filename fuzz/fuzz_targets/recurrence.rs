#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::base::limits::OCCURRENCES_MAX;
use mailferry::wire::recurrence::Recurrence;

// Whatever a calendar item carries as its recurrence: no panic, and never more occurrences than the bound and the exceptions.
fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Recurrence::read(bytes) {
        assert!(read.expand().len() <= OCCURRENCES_MAX + bytes.len() / 14);
    }
});
