//! NTLMv2 against the published values of [MS-NLMP] section 4.2.4, and both ends against each other.

use std::fmt::Write as _;

use super::crypto::{channel, hmac_md5, lm, owf, proof, temp, utf16};
use super::messages::{AV_COMPUTER, AV_DOMAIN, joined};
use super::*;
use crate::base::secret::Secret;

const SERVER: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const NONCE: [u8; 8] = [0xaa; 8];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[test]
fn the_computations_give_the_published_values() {
    let key = owf("Password", "User", "Domain");
    assert_eq!(hex(&key), "0c868a403bfd7a93a3001ef22ef02e3f");
    let info = joined(&[(AV_DOMAIN, utf16("Domain")), (AV_COMPUTER, utf16("Server"))]);
    let temp = temp(FileTime(0), NONCE, &info);
    let (shown, session) = proof(&key, SERVER, &temp);
    assert_eq!(hex(&shown), "68cd0ab851e51c96aabc927bebef6a1c");
    assert_eq!(hex(&session), "8de40ccadbc14a82f15cb0ad0de95ca3");
    let lm = lm(&key, SERVER, NONCE);
    assert_eq!(hex(&lm), "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
    assert_eq!(
        hex(&hmac_md5(b"k", &[b"a", b"b"])),
        hex(&hmac_md5(b"k", &[b"ab"]))
    );
}

#[test]
fn time_counts_from_1601() {
    assert_eq!(FileTime::from_unix_ms(0), FileTime(116_444_736_000_000_000));
    assert_eq!(FileTime::from_unix_ms(i64::MIN), FileTime(0));
}

fn acceptor(negotiate: &[u8]) -> Acceptor {
    let names = Names {
        domain: "LAB".to_owned(),
        computer: "EX01".to_owned(),
    };
    Acceptor::begin(negotiate, &names, SERVER, FileTime(5)).expect("a first message")
}

fn answer(
    acceptor: &Acceptor,
    first: &[u8],
    who: &str,
    pass: &str,
    bound: Option<&[u8]>,
) -> Vec<u8> {
    let challenge = Challenge::read(acceptor.challenge()).expect("a challenge");
    assert_eq!(challenge.time(), Some(FileTime(5)));
    challenge.answer(
        first,
        &Response {
            account: &Account::parse(who),
            password: &Secret::new(pass),
            service: "HTTP/mail.clinic.example",
            end_point: bound,
            now: FileTime(9),
            nonce: NONCE,
        },
    )
}

#[test]
fn the_right_answer_is_accepted_and_each_wrong_one_is_told_apart() {
    let first = negotiate();
    let acceptor = acceptor(&first);
    let password = Secret::new("Pässwörd");
    let judge = |answer: &[u8], own: Option<&[u8]>, protection| {
        acceptor.judge(answer, "LAB\\svc", &password, own, protection)
    };
    let own: &[u8] = &[7; 32];
    let right = answer(&acceptor, &first, "lab\\SVC", "Pässwörd", Some(own));
    for protection in [Protection::None, Protection::Allow, Protection::Require] {
        assert_eq!(judge(&right, Some(own), protection), Ok(()));
        assert_eq!(judge(&right, None, protection), Ok(()));
    }
    let other = answer(&acceptor, &first, "LAB\\svc", "Pässwörd", Some(&[8; 32]));
    let without = answer(&acceptor, &first, "LAB\\svc", "Pässwörd", None);
    for (given, protection, want) in [
        (&other, Protection::None, Ok(())),
        (&other, Protection::Allow, Err(Mismatch::Binding)),
        (&other, Protection::Require, Err(Mismatch::Binding)),
        (&without, Protection::Allow, Ok(())),
        (&without, Protection::Require, Err(Mismatch::Binding)),
    ] {
        assert_eq!(judge(given, Some(own), protection), want);
    }
    let wrong = answer(&acceptor, &first, "LAB\\svc", "Password", Some(own));
    assert_eq!(
        judge(&wrong, Some(own), Protection::None),
        Err(Mismatch::Password)
    );
    let stranger = answer(&acceptor, &first, "LAB\\other", "Pässwörd", Some(own));
    assert_eq!(
        judge(&stranger, Some(own), Protection::None),
        Err(Mismatch::Account)
    );
    for at in [72, 87, 60] {
        let mut bent = right.clone();
        bent[at] ^= 1;
        assert_eq!(
            judge(&bent, Some(own), Protection::None),
            Err(Mismatch::Integrity),
            "{at}"
        );
    }
    let other_first = {
        let mut first = first.clone();
        *first.last_mut().unwrap() ^= 1;
        first
    };
    let replayed = answer(&acceptor, &other_first, "LAB\\svc", "Pässwörd", Some(own));
    assert_eq!(
        judge(&replayed, Some(own), Protection::None),
        Err(Mismatch::Integrity)
    );
}

#[test]
fn a_binding_is_that_of_its_certificate_and_never_all_zero() {
    assert_ne!(channel(&[1; 32]), channel(&[2; 32]));
    assert_ne!(channel(&[]), [0; 16]);
}

#[test]
fn cut_and_bent_messages_are_refused_without_a_panic() {
    let first = negotiate();
    let acceptor = acceptor(&first);
    let whole = acceptor.challenge().to_vec();
    let right = answer(&acceptor, &first, "LAB\\svc", "p", None);
    for len in 0..whole.len() {
        let _ = Challenge::read(&whole[..len]);
    }
    for at in 0..whole.len() {
        let mut bent = whole.clone();
        bent[at] = 0xff;
        let _ = Challenge::read(&bent);
    }
    assert_eq!(Challenge::read(&first), Err(Unreadable));
    let password = Secret::new("p");
    for at in 0..right.len() {
        let cut = acceptor.judge(&right[..at], "LAB\\svc", &password, None, Protection::None);
        assert!(cut.is_err(), "{at}");
        let mut bent = right.clone();
        bent[at] = bent[at].wrapping_add(0x55);
        let bent = acceptor.judge(&bent, "LAB\\svc", &password, None, Protection::None);
        // Name and domain may change their case's bit only; everything else is under a code.
        assert!(bent.is_err(), "{at}");
    }
}
