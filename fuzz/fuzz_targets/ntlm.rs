//! Any bytes as the messages of an NTLM sign-in: read or refused, and what is answered to a challenge is never accepted for another password.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::base::secret::Secret;
use mailferry::wire::ntlm::{
    Account, Acceptor, Challenge, FileTime, Names, Protection, Response, negotiate,
};

fuzz_target!(|bytes: &[u8]| {
    let first = negotiate();
    if let Ok(challenge) = Challenge::read(bytes) {
        let with = Response {
            account: &Account::parse("LAB\\svc"),
            password: &Secret::new("p"),
            service: "HTTP/h",
            end_point: Some(&[1; 32]),
            now: FileTime(1),
            nonce: [2; 8],
        };
        assert!(challenge.answer(&first, &with).starts_with(b"NTLMSSP\0"));
    }
    let names = Names {
        domain: "LAB".to_owned(),
        computer: "EX".to_owned(),
    };
    let _ = Acceptor::begin(bytes, &names, [3; 8], FileTime(1));
    let acceptor = Acceptor::begin(&first, &names, [3; 8], FileTime(1)).expect("our own message");
    let password = Secret::new("another password");
    let judged = acceptor.judge(bytes, "LAB\\svc", &password, None, Protection::None);
    assert!(judged.is_err());
});
