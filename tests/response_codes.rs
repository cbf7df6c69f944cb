//! The table of response codes beside ours, and every recorded refusal classed as it says. The table and the dialogues live where the samples of
//! `wire_corpus` do; without them these tests say so and pass.

use std::collections::BTreeMap;
use std::path::Path;

use mailferry::base::outcome::Setback;
use mailferry::base::quantity::Span;
use mailferry::wire::ews::classify::{self, Class, Place};
use mailferry::wire::ews::reply::{self, Message};
use mailferry::wire::ews::sync_folder_items::SyncFolderItems;
use mailferry::wire::soap::{self, Body};

use crate::wire_corpus::{body_of, files, samples, skipped, with_envelope};

/// What the table of response codes calls a class, and which of ours that may be. A code that we do not list is asked again and put aside in the
/// end, which is right for everything that concerns one folder or an optional thing.
const ALLOWED: [(&str, &[Class]); 12] = [
    ("wait", &[Class::Wait]),
    ("retry", &[Class::Outage, Class::Retry, Class::Moving]),
    ("split", &[Class::Retry, Class::NotTried]),
    ("item-reduce", &[Class::Corrupt]),
    ("item-skip", &[Class::Corrupt, Class::Withheld]),
    ("gone", &[Class::Gone, Class::FolderGone]),
    ("resync", &[Class::Resync]),
    ("folder", &[Class::Absent, Class::Retry, Class::Denied]),
    ("feature-absent", &[Class::Absent, Class::Retry]),
    ("mailbox", &[Class::NoMailbox, Class::Closed, Class::Denied]),
    (
        "run",
        &[
            Class::Credentials,
            Class::NoImpersonation,
            Class::ClientRefused,
        ],
    ),
    ("bug", &[Class::OurRequest]),
];

/// Where we mean otherwise, and why.
const OTHERWISE: [(&str, Class); 9] = [
    // The first sign of a missing right: asking again would only repeat it, and the next mailbox may still be open.
    ("ErrorImpersonateUserDenied", Class::NotImpersonable),
    // A full mailbox hinders no reader; what it says is not about us.
    ("ErrorQuotaExceeded", Class::Retry),
    // The item became another one meanwhile: it is simply read anew.
    ("ErrorObjectTypeChanged", Class::Retry),
    // We send no such query, view or stream: there is nothing to make smaller but our mistake.
    ("ErrorCalendarViewRangeTooBig", Class::OurRequest),
    ("ErrorInvalidPagingMaxRows", Class::OurRequest),
    ("ErrorQueryFilterTooLong", Class::OurRequest),
    ("ErrorRequestStreamTooBig", Class::OurRequest),
    ("ErrorRestrictionTooComplex", Class::OurRequest),
    ("ErrorRestrictionTooLong", Class::OurRequest),
];

/// Every code of the table with the class it suggests; the class is empty where it suggests none.
fn response_codes(dir: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(dir.join("responsecodes.tsv")).expect("the table");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let mut cells = row.split('\t');
        let code = cells.next().unwrap_or_default().to_owned();
        (code, cells.nth(1).unwrap_or_default().to_owned())
    })
    .collect()
}

/// True when the table and we agree on a code.
fn agreed(code: &str, word: &str) -> bool {
    let ours = classify::class_of(code);
    if let Some((_, own)) = OTHERWISE.iter().find(|(known, _)| *known == code) {
        return ours == *own;
    }
    match ALLOWED.iter().find(|(known, _)| *known == word) {
        Some((_, allowed)) => allowed.contains(&ours),
        // No class: not expected of a reader. One of those that we know besides would be listed above.
        None => word.is_empty() && ours == Class::Retry,
    }
}

#[test]
fn the_response_code_table_and_ours_agree() {
    let Some(dir) = samples() else {
        return skipped();
    };
    let codes = response_codes(&dir);
    assert!(codes.len() > 500, "{}", codes.len());
    let apart: Vec<_> = codes
        .iter()
        .filter(|(code, word)| *code != "NoError" && !agreed(code, word))
        .map(|(code, word)| format!("{code}: {word}, {:?}", classify::class_of(code)))
        .collect();
    assert_eq!(apart, Vec::<String>::new());
}

/// The text of every element of this local name, whatever the prefix and whether the rest is readable or not.
fn texts<'a>(sample: &'a str, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for piece in sample.split('<') {
        let Some((tag, text)) = piece.split_once('>') else {
            continue;
        };
        let tag = tag.split_ascii_whitespace().next().unwrap_or_default();
        let own = !tag.starts_with('/') && tag.rsplit(':').next() == Some(name);
        if own && !text.trim().is_empty() {
            found.push(text.trim());
        }
    }
    found
}

/// What a dialogue was refused with, as our readers tell it: a fault, or a message of a listing.
fn refusal_of(bytes: &[u8]) -> Option<(String, Setback)> {
    let envelope = soap::read_reply(bytes).ok()?;
    match envelope.body {
        Body::Fault(fault) => {
            let setback = classify::fault(&fault, 500, Place::Folder);
            Some((fault.code, setback))
        }
        Body::Payload(payload) if payload.name == "SyncFolderItemsResponse" => {
            let reply = reply::read::<SyncFolderItems>(bytes).ok()?;
            let mut messages = reply.messages.into_iter();
            messages.find_map(|message| match message {
                Message::Refused(refused) => Some((
                    refused.code.clone(),
                    classify::refused(&refused, Place::Folder),
                )),
                _ => None,
            })
        }
        Body::Payload(_) => None,
    }
}

#[test]
fn every_refusal_in_a_recorded_dialogue_is_classed_as_the_table_says() {
    let Some(dir) = samples() else {
        return skipped();
    };
    let codes = response_codes(&dir);
    let (mut refusals, mut throttles, mut heads) = (0, 0, 0);
    for (name, bytes) in files(&dir.join("samples")) {
        let whole = with_envelope(&bytes);
        let text = String::from_utf8_lossy(&whole).into_owned();
        heads += u32::from(body_of(&bytes).len() < bytes.len());
        for code in texts(&text, "ResponseCode") {
            let word = codes.get(code);
            let word = word.unwrap_or_else(|| panic!("{name}: {code} is not in the table"));
            if code != "NoError" {
                assert!(agreed(code, word), "{name}: {code} is {word}");
                refusals += 1;
            }
        }
        let Some((said, setback)) = refusal_of(&whole) else {
            continue;
        };
        let told_to_wait = codes.get(&said).is_some_and(|word| word == "wait");
        let wait = text.split("Name=\"BackOffMilliseconds\">").nth(1);
        let wait = wait.and_then(|rest| rest.split('<').next()?.trim().parse().ok());
        match setback {
            Setback::Throttled { wait: asked, .. } => {
                assert!(told_to_wait, "{name}: {said}");
                assert_eq!(asked, wait.map(Span::new), "{name}");
                throttles += 1;
            }
            _ => assert!(!told_to_wait, "{name}: {said}"),
        }
    }
    assert!(
        refusals >= 38 && throttles >= 5 && heads == 5,
        "{refusals} {throttles} {heads}"
    );
}
