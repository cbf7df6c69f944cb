//! Any bytes as a request: the strict reader never panics, and what it accepts is accepted again once written by us.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::wire::ews::request::{self, Call};
use mailferry::wire::ews::shape::Path;
use mailferry::wire::soap::Impersonation;

/// Parts we read past and never write cannot come back.
fn ours(call: &Call) -> bool {
    let shape = match call {
        Call::GetFolder(call) => &call.shape,
        Call::FindFolder(call) => &call.shape,
        Call::SyncFolderHierarchy(call) => &call.shape,
        Call::SyncFolderItems(call) => &call.shape,
        Call::FindItem(call) => &call.shape,
        Call::GetItem(call) => return !call.items.is_empty() && call.shape.more.is_empty(),
        Call::ExportItems(_) | Call::GetInboxRules(_) | Call::GetDelegate(_) | Call::GetUserOofSettings(_) => {
            return true;
        }
    };
    !shape.more.contains(&Path::Other)
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(first) = request::read(bytes) else {
        return;
    };
    if matches!(first.header.impersonate, Some(Impersonation::Other(_))) || !ours(&first.call) {
        return;
    }
    let written = first.call.write(&first.header);
    let second = request::read(written.as_bytes()).expect("what we write is valid");
    assert_eq!(second.call.name(), first.call.name());
});
