//! The whole way over TLS, by the real binary: a lab that is trusted is worked with, one that is not is refused by name.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::path::Path;
use std::process::Output;

use crate::process::{Lab, mailferry};

/// `mailferry run` where the system trusts what is in `roots` and nothing else.
fn run_trusting(lab: &Lab, roots: &Path) -> Output {
    mailferry("run", &lab.plan(), &["--json"])
        .env("SSL_CERT_FILE", roots)
        .output()
        .unwrap()
}

#[test]
fn a_lab_that_is_trusted_is_moved_over_tls() {
    let lab = Lab::start(&["--tls", "--mailboxes", "2", "--items", "30"]);
    for key in ["ews_url", "graph_url", "login_url", "truth_url"] {
        let url = lab.facts[key].as_str().unwrap();
        assert!(url.starts_with("https://127.0.0.1:"), "{key}: {url}");
    }
    let out = run_trusting(&lab, &lab.ca());
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{err}");
    lab.assert_same_on_both_sides();
    lab.assert_clean_hands();
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_by_name_and_nothing_is_sent() {
    let lab = Lab::start(&["--tls", "--mailboxes", "1", "--items", "5"]);
    let stranger = Lab::start(&["--tls", "--mailboxes", "1", "--items", "0"]);
    let out = run_trusting(&lab, &stranger.ca());
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(4), "{err}");
    assert!(
        err.contains("the source at https://127.0.0.1:") && err.contains("no TLS connection"),
        "{err}"
    );
    assert!(err.contains("trusts its issuer"), "{err}");
    let stats = lab.get("control_url", "/stats");
    assert_eq!(stats["total"]["requests"], 0, "{stats}");
    assert_eq!(stats["invalid"], 0, "{stats}");
}
