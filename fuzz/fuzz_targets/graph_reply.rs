//! Any bytes as a reply of Graph: no reader panics, and every unwelcome answer gets a class that repeats nothing of its message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::base::id::TargetMailboxId;
use mailferry::base::quantity::Moment;
use mailferry::wire::graph::classify::{Answer, Asked, claims_of, classify};
use mailferry::wire::graph::folders::{FolderPage, MailboxFolder};
use mailferry::wire::graph::import::{ImportReply, ImportSession};
use mailferry::wire::graph::items::{ItemPage, MailboxItem};
use mailferry::wire::graph::json;
use mailferry::wire::graph::path::Resource;
use mailferry::wire::graph::provenance::Home;
use mailferry::wire::graph::query::ListQuery;
use mailferry::wire::graph::settings::ExchangeSettings;
use mailferry::wire::graph::token::TokenRequest;

const ASKED: [Asked; 9] = [
    Asked::Token,
    Asked::Settings,
    Asked::Folders,
    Asked::MakeFolder,
    Asked::Items,
    Asked::Session,
    Asked::Import,
    Asked::Export,
    Asked::Delete,
];

fuzz_target!(|input: (u16, u8, String, Vec<u8>)| {
    let (status, asked, text, body) = input;
    let home = Home::of(&TargetMailboxId::new("MBX:1@2"));
    let _ = ExchangeSettings::read(status, &body);
    let _ = ImportSession::read(status, &body);
    let _ = ImportReply::read(status, &body);
    let _ = MailboxFolder::read(status, &body);
    if let Ok(page) = json::read::<FolderPage>(status, &body) {
        for folder in page.value {
            let _ = folder.into_target(status);
        }
    }
    if let Ok(page) = json::read::<ItemPage>(status, &body) {
        for item in page.value {
            let _ = item.into_header(status, home);
        }
    }
    let _ = json::read::<MailboxItem>(status, &body);
    let answer = Answer {
        status,
        retry_after: Some(&text),
        date: Some(&text),
        claims_challenge: asked & 128 != 0,
        body: &body,
    };
    let asked = ASKED[usize::from(asked & 127) % ASKED.len()];
    let _ = classify(asked, &answer, Moment::default()).to_string();
    let _ = claims_of(&text);
    let _ = TokenRequest::parse(&text);
    if let Some(resource) = Resource::parse(&text) {
        assert_eq!(Resource::parse(&resource.path()), Some(resource));
    }
    if let Ok(query) = ListQuery::parse(&text) {
        assert_eq!(ListQuery::parse(&query.encode()), Ok(query));
    }
});
