//! Any bytes as a reply: no reader panics, and what was understood is written and understood again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::wire::ews::find_folder::FindFolder;
use mailferry::wire::ews::find_item::FindItem;
use mailferry::wire::ews::get_delegate::GetDelegate;
use mailferry::wire::ews::get_folder::GetFolder;
use mailferry::wire::ews::get_inbox_rules::GetInboxRules;
use mailferry::wire::ews::get_item::GetItem;
use mailferry::wire::ews::get_user_oof_settings::GetUserOofSettings;
use mailferry::wire::ews::look::{LookAtFolders, LookAtItems, LookForItems};
use mailferry::wire::ews::reply::{self, Message, Operation};
use mailferry::wire::ews::sync_folder_hierarchy::SyncFolderHierarchy;
use mailferry::wire::ews::sync_folder_items::SyncFolderItems;
use mailferry::wire::soap::ServerVersion;

const VERSION: ServerVersion = ServerVersion {
    major: 15,
    minor: 1,
    build: 2507,
    revision: 6,
};

/// Reads, writes, reads: the second reading has as many messages, and refuses the same ones for the same reason.
fn turn<O: Operation>(bytes: &[u8]) {
    let Ok(first) = reply::read::<O>(bytes) else {
        return;
    };
    let written = reply::write::<O>(&VERSION, &first.messages);
    let second = reply::read::<O>(written.as_bytes()).expect("what we write can be read");
    assert_eq!(second.replaced, 0);
    assert_eq!(second.messages.len(), first.messages.len());
    for (one, two) in first.messages.iter().zip(&second.messages) {
        if let Message::Refused(one) = one {
            let Message::Refused(two) = two else {
                panic!("a refusal stays one")
            };
            assert_eq!(one.back_off, two.back_off);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    turn::<GetFolder>(bytes);
    turn::<FindFolder>(bytes);
    turn::<SyncFolderHierarchy>(bytes);
    turn::<SyncFolderItems>(bytes);
    turn::<FindItem>(bytes);
    turn::<GetItem>(bytes);
    turn::<GetInboxRules>(bytes);
    turn::<GetDelegate>(bytes);
    turn::<GetUserOofSettings>(bytes);
    turn::<LookAtFolders>(bytes);
    turn::<LookForItems>(bytes);
    turn::<LookAtItems>(bytes);
});
