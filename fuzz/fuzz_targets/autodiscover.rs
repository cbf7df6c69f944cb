//! Any bytes as what Autodiscover says: read without a panic in both forms, written back as they were read, and never leading the search to a host
//! that nobody allowed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::wire::autodiscover::hunt::{Heard, Hunt, Outcome, Step, https_host};
use mailferry::wire::autodiscover::reply::Reply;
use mailferry::wire::autodiscover::{pox, soap};
use mailferry::wire::graph::jwt;

fuzz_target!(|replies: Vec<Vec<u8>>| {
    let mut hunt = Hunt::new("a@clinic.example", "clinic.example", &[]);
    for bytes in replies {
        let _ = jwt::read(&String::from_utf8_lossy(&bytes));
        let _ = (soap::asked(&bytes), pox::asked(&bytes));
        let (by_soap, by_pox) = (soap::read(&bytes), pox::read(&bytes));
        if let Reply::Ews(_) = &by_pox {
            assert_eq!(pox::read(pox::write(&by_pox).as_bytes()), by_pox);
        }
        match hunt.step() {
            Step::Done(_) => return,
            Step::Ask { url, .. } => {
                let host = https_host(&url).expect("credentials go over https");
                assert!(host == "clinic.example" || host.ends_with(".clinic.example"));
            }
            Step::Knock { url } => assert!(url.starts_with("http://autodiscover.")),
        }
        let reply = if by_soap == Reply::Unreadable { by_pox } else { by_soap };
        if let Some(Outcome::Found { ews_url, .. }) = hunt.hear(Heard::Reply(reply)) {
            let host = https_host(&ews_url).expect("EWS is asked over https");
            assert!(host == "clinic.example" || host.ends_with(".clinic.example"));
            return;
        }
    }
});
