//! Any bytes as an SSH signature and as a private key: refused without a panic. No input is a signature over what nobody signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::evidence::sshsig::{PACK, read, read_key, verify};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(signature) = read(bytes) {
        // One spelling: what was read is what is written.
        let text = signature.to_string();
        assert_eq!(text.trim_end().as_bytes(), bytes.trim_ascii_end());
    }
    assert!(verify(b"a document nobody ever signed", bytes, PACK).is_err());
    let _ = read_key(bytes);
});
