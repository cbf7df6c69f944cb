//! Any text as what a refusal says: headers, redirects, pages and client assertions are read or refused, and nothing shown holds a line end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::wire::ews::elsewhere;
use mailferry::wire::graph::assertion::Assertion;
use mailferry::wire::sign_in::Offered;

fuzz_target!(|text: &str| {
    let _ = Offered::read(text.split('\n')).to_string();
    let _ = Assertion::read(text);
    for shown in [
        elsewhere::redirect("http://mail.example/EWS", text),
        elsewhere::page(Some(text), text.as_bytes()),
    ] {
        assert!(!shown.to_string().contains(['\n', '\r']));
        assert!(!shown.remedy().contains(['\n', '\r']));
    }
});
