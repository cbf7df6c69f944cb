//! Any text as an allowed_signers file: read or refused with a line that exists, and asking it never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::base::quantity::Moment;
use mailferry::evidence::signers::Signers;
use mailferry::evidence::sshsig::PACK;

fuzz_target!(|text: &str| {
    let utc = jiff::tz::TimeZone::UTC;
    match Signers::parse(text, &utc) {
        Err(fault) => assert!(fault.line >= 1 && fault.line <= text.lines().count().max(1)),
        Ok(signers) => {
            let key = ssh_key::public::Ed25519PublicKey([1; 32]).into();
            let name: String = text.chars().take(40).collect();
            let _ = signers.knows(&name, &key, PACK, Moment::from_unix_ms(0));
            let _ = signers.names(&key, PACK, Moment::from_unix_ms(0));
        }
    }
});
