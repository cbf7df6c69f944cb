//! A contact against the OpenAPI subset of the service. That it comes back as it was is an integration test, for it needs the comparison.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::base::id::TargetMailboxId;
use crate::base::item::Stamp;
use crate::base::typed::{Person, PostalAddress, TypedContact};
use crate::wire::graph::openapi::holds;
use crate::wire::graph::provenance::Mark;

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn requests_validate_against_the_openapi_subset() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/graph/openapi-subset.yaml");
    let Ok(yaml) = std::fs::read_to_string(path) else {
        eprintln!("skipped: ../shared is not here");
        return;
    };
    let place = |kind: &str| {
        let own = PostalAddress {
            street: "1".to_owned(),
            city: "2".to_owned(),
            state: "3".to_owned(),
            country: "4".to_owned(),
            postal_code: "5".to_owned(),
        };
        (kind.to_owned(), own)
    };
    let mut contact = TypedContact {
        emails: vec![Person {
            name: "Anna".to_owned(),
            address: "anna@b.example".to_owned(),
        }],
        addresses: ["Business", "Home", "Other"].map(place).to_vec(),
        phones: PHONES
            .map(|(kind, _)| (kind.to_owned(), "1".to_owned()))
            .to_vec(),
        birthday: "1970-01-31".to_owned(),
        ..TypedContact::default()
    };
    contact.common.class = "IPM.Contact".to_owned();
    let mark = Mark::new(Stamp::Fallback([1; 16]), &TargetMailboxId::new("m"));
    let new = NewContact::of(&contact, &mark, &[]).ok().unwrap();
    let value: Value = serde_json::from_slice(new.body()).unwrap();
    holds(&yaml, "contact-create", &value);
}
