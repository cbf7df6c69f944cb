//! Any bytes as the answer of an SSH agent, and any text as a public key: refused without a panic, and no answer signs what nobody signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::evidence::agent::{Asked, read_public};
use mailferry::evidence::sshsig::{PACK, verify};

const DOCUMENT: &[u8] = b"a document nobody ever signed";

fuzz_target!(|bytes: &[u8]| {
    let ours = ssh_key::public::Ed25519PublicKey([1; 32]).into();
    let named = std::str::from_utf8(bytes).ok().and_then(|text| read_public(text).ok());
    for key in named.into_iter().chain([ours]) {
        let asked = Asked::new(key, DOCUMENT, PACK).expect("a key that was read can be asked for");
        if let Ok(armour) = asked.armour(bytes) {
            assert!(verify(DOCUMENT, armour.as_bytes(), PACK).is_err());
        }
    }
});
