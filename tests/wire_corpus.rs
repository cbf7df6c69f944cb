//! Every EWS sample in, one snapshot out: which operation, which codes, how many, and what it means to us. No content.
//!
//! The samples live beside the project and are not part of it: without them this test says so and passes. `MAILFERRY_SHARED` names
//! another place for them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mailferry::base::id::{FolderId, ItemId, MailboxId, SyncToken};
use mailferry::base::outcome::Setback;
use mailferry::wire::ews::classify::{self, Hints, Place};
use mailferry::wire::ews::export_items::ExportItems;
use mailferry::wire::ews::export_splitter::ExportSplitter;
use mailferry::wire::ews::find_folder::FindFolder;
use mailferry::wire::ews::find_item::FindItem;
use mailferry::wire::ews::folder::FolderEntry;
use mailferry::wire::ews::get_folder::GetFolder;
use mailferry::wire::ews::get_item::GetItem;
use mailferry::wire::ews::item::ItemEntry;
use mailferry::wire::ews::reply::{self, Message, Operation};
use mailferry::wire::ews::request::{self, Call, Rejected};
use mailferry::wire::ews::shape::{FolderRef, Shape};
use mailferry::wire::ews::sync_folder_hierarchy::{FolderChange, SyncFolderHierarchy};
use mailferry::wire::ews::sync_folder_items::{ItemChange, SyncFolderItems};
use mailferry::wire::soap::{self, Body, RequestHeader};

/// Where the samples are, if they are anywhere.
pub(crate) fn samples() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test asks where its samples are"
    )]
    let named = std::env::var("MAILFERRY_SHARED").ok().map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let dir = named.unwrap_or(beside).join("data/ews");
    dir.is_dir().then_some(dir)
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn skipped() {
    eprintln!("skipped: ../shared is not here");
}

/// All files below `dir`, by path relative to it.
pub(crate) fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).expect("a readable directory") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| e == "xml" || e == "http") {
                let name = path.strip_prefix(dir).expect("below the directory");
                let bytes = std::fs::read(&path).expect("a readable file");
                found.insert(name.to_string_lossy().replace('\\', "/"), bytes);
            }
        }
    }
    found
}

/// What a payload holds, in numbers.
trait Tell {
    fn tell(&self) -> String;
}

impl Tell for FolderEntry {
    fn tell(&self) -> String {
        let known = [
            ("parent", self.parent.is_some()),
            ("class", self.class.is_some()),
            ("name", self.name.is_some()),
            ("total", self.total.is_some()),
        ];
        let known: Vec<&str> = known.iter().filter(|k| k.1).map(|k| k.0).collect();
        format!("{:?} with {}", self.element, known.join(" "))
    }
}

impl Tell for ItemEntry {
    fn tell(&self) -> String {
        let class = self.class.as_ref().map_or("no class", |c| c.as_str());
        let has = |is: bool, name: &str| {
            if is {
                format!(" {name}")
            } else {
                String::new()
            }
        };
        format!(
            "{class}{}{}{}{}",
            has(self.size.is_some(), "size"),
            has(self.received.is_some(), "received"),
            has(self.read.is_some(), "read"),
            has(self.message_id.is_some(), "message-id"),
        )
    }
}

impl Tell for mailferry::wire::ews::find_folder::FolderPage {
    fn tell(&self) -> String {
        let (n, end) = (self.folders.len(), self.end);
        format!("{n} folders of {}, last {}", end.total, end.last)
    }
}

impl Tell for mailferry::wire::ews::find_item::ItemPage {
    fn tell(&self) -> String {
        let (n, end) = (self.items.len(), self.end);
        format!("{n} items of {}, last {}", end.total, end.last)
    }
}

impl Tell for mailferry::wire::ews::sync_folder_hierarchy::HierarchyPage {
    fn tell(&self) -> String {
        let mut counts = [0; 3];
        for change in &self.changes {
            counts[match change {
                FolderChange::Created(_) => 0,
                FolderChange::Updated(_) => 1,
                FolderChange::Deleted(_) => 2,
            }] += 1;
        }
        format!("created, updated, deleted {counts:?}, last {}", self.last)
    }
}

impl Tell for mailferry::wire::ews::sync_folder_items::ChangePage {
    fn tell(&self) -> String {
        let mut counts = [0; 4];
        for change in &self.changes {
            counts[match change {
                ItemChange::Created(_) => 0,
                ItemChange::Updated(_) => 1,
                ItemChange::Deleted(_) => 2,
                ItemChange::Read { .. } => 3,
            }] += 1;
        }
        format!(
            "created, updated, deleted, read {counts:?}, last {}",
            self.last
        )
    }
}

fn tell_reply<O: Operation>(bytes: &[u8], place: Place) -> String
where
    O::Payload: Tell,
{
    let reply = match reply::read::<O>(bytes) {
        Ok(reply) => reply,
        Err(why) => return format!("{}: {why:?}\n", O::NAME),
    };
    let mut out = format!("{} reply", O::NAME);
    if let Some(v) = &reply.version {
        let _ = write!(out, " of {}.{}", v.major, v.minor);
    }
    if reply.replaced > 0 {
        let _ = write!(out, ", {} characters replaced", reply.replaced);
    }
    out.push('\n');
    for message in reply.messages {
        match message {
            Message::Done(payload) => {
                let _ = writeln!(out, "    {}", payload.tell());
            }
            other => {
                let setback = other.into_result(place).err();
                let _ = writeln!(
                    out,
                    "    {}",
                    setback.as_ref().map_or_else(String::new, tell_setback)
                );
            }
        }
    }
    out
}

fn tell_setback(setback: &Setback) -> String {
    format!("-> {setback}")
}

fn tell_export(bytes: &[u8]) -> String {
    let asked = reply::read::<ExportItems>(bytes).map_or(0, |reply| reply.messages.len());
    let ids: Vec<ItemId> = (0..asked)
        .map(|n| ItemId::new(format!("asked {n}")))
        .collect();
    let run = |cut: usize| {
        let mut splitter = ExportSplitter::new();
        for chunk in bytes.chunks(cut) {
            splitter.push(chunk);
        }
        splitter.finish(200, Hints::default(), &ids)
    };
    let outcome = run(bytes.len().max(1));
    assert_eq!(run(7), outcome, "chunks do not matter");
    let mut out = "ExportItems reply\n".to_owned();
    match outcome {
        Ok(items) => {
            for item in items {
                let text = item.map_or_else(|s| tell_setback(&s), |length| length.to_string());
                let _ = writeln!(out, "    {text}");
            }
        }
        Err(setback) => {
            let _ = writeln!(out, "    {}", tell_setback(&setback));
        }
    }
    out
}

fn tell_request(bytes: &[u8]) -> String {
    match request::read(bytes) {
        Ok(incoming) => format!("{} request, accepted\n", incoming.call.name()),
        Err(Rejected::Schema(violation)) => format!("request, schema: {violation}\n"),
        Err(Rejected::Writes(operation)) => format!("request, {operation} writes\n"),
        Err(Rejected::NotAnswered(operation)) => format!("request, {operation} not answered\n"),
        Err(Rejected::Envelope(error)) => format!("request, no envelope: {error}\n"),
    }
}

const REQUESTS: [&str; 7] = [
    "GetFolder",
    "FindFolder",
    "SyncFolderHierarchy",
    "SyncFolderItems",
    "FindItem",
    "GetItem",
    "ExportItems",
];

/// Some samples are bare operations; they get the envelope they lack. Of a dialogue with its HTTP head the body is taken.
pub(crate) fn with_envelope(bytes: &[u8]) -> Vec<u8> {
    let bytes = body_of(bytes);
    let text = String::from_utf8_lossy(bytes);
    if text.contains("Envelope") || !text.trim_start().starts_with('<') {
        return bytes.to_vec();
    }
    let bare = match text.find("?>") {
        Some(end) if text.trim_start().starts_with("<?xml") => &text[end + 2..],
        _ => &text,
    };
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    format!("<s:Envelope xmlns:s='{soap}'><s:Body>{bare}</s:Body></s:Envelope>").into_bytes()
}

/// The body of a recorded dialogue. The publishers took the empty line before it away.
pub(crate) fn body_of(bytes: &[u8]) -> &[u8] {
    let head = bytes.starts_with(b"HTTP/1.1 ") || bytes.starts_with(b"POST ");
    let begin = bytes.windows(5).position(|window| window == b"<?xml");
    match begin {
        Some(begin) if head => &bytes[begin..],
        _ => bytes,
    }
}

/// What a sample is to us; `None` for other operations.
fn tell(bytes: &[u8]) -> Option<String> {
    let envelope = match soap::read_reply(bytes) {
        Ok(envelope) => envelope,
        Err(why) => return Some(format!("misread: {why:?}\n")),
    };
    let payload = match envelope.body {
        Body::Fault(fault) => {
            let setback = classify::fault(&fault, 500, Place::Folder);
            let detail = if fault.detailed { "" } else { ", by faultcode" };
            return Some(format!("fault{detail} {}\n", tell_setback(&setback)));
        }
        Body::Payload(payload) => payload,
    };
    Some(match payload.name.as_str() {
        "GetFolderResponse" => tell_reply::<GetFolder>(bytes, Place::Folder),
        "FindFolderResponse" => tell_reply::<FindFolder>(bytes, Place::Folder),
        "SyncFolderHierarchyResponse" => tell_reply::<SyncFolderHierarchy>(bytes, Place::Folder),
        "SyncFolderItemsResponse" => tell_reply::<SyncFolderItems>(bytes, Place::Folder),
        "FindItemResponse" => tell_reply::<FindItem>(bytes, Place::Folder),
        "GetItemResponse" => tell_reply::<GetItem>(bytes, Place::Item),
        "ExportItemsResponse" => tell_export(bytes),
        name if REQUESTS.contains(&name) => tell_request(bytes),
        _ => return None,
    })
}

#[test]
fn every_sample_is_read_and_means_what_it_meant() {
    let Some(dir) = samples() else {
        return skipped();
    };
    let (mut text, mut others) = (String::new(), 0);
    for (name, bytes) in files(&dir.join("samples")) {
        // Whatever it is, both directions must survive it.
        let _ = request::read(&bytes);
        let _ = tell_export(&bytes);
        match tell(&with_envelope(&bytes)) {
            Some(told) => {
                let _ = write!(text, "{name}\n  {told}");
            }
            None => others += 1,
        }
    }
    let _ = writeln!(text, "{others} samples of other operations");
    insta::with_settings!({snapshot_path => "data/snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("ews_samples", text);
    });
}

#[test]
fn every_sample_cut_short_is_misread_and_never_half_believed() {
    let Some(dir) = samples() else {
        return skipped();
    };
    let mut cut = 0;
    for (name, bytes) in files(&dir.join("samples")) {
        let bytes = bytes.trim_ascii_end();
        if soap::read_reply(bytes).is_err() {
            continue;
        }
        for part in 1..8 {
            let end = bytes.len() * part / 8;
            assert!(
                soap::read_reply(&bytes[..end]).is_err(),
                "{name} up to {end}"
            );
            cut += 1;
        }
    }
    assert!(cut > 1_000, "{cut}");
}

#[test]
fn every_prepared_request_we_answer_is_accepted() {
    let Some(dir) = samples() else {
        return skipped();
    };
    let mut accepted = 0;
    for (name, bytes) in files(&dir.join("requests")) {
        let stem = name.split(['_', '.']).next().unwrap_or_default();
        if REQUESTS.contains(&stem) {
            let incoming = request::read(&bytes);
            assert!(incoming.is_ok_and(|i| i.call.name() == stem), "{name}");
            accepted += 1;
        }
    }
    assert!(accepted >= 10, "{accepted}");
}

#[test]
fn what_the_product_asks_is_what_the_lab_reads() {
    let header = RequestHeader::acting_for(&MailboxId::new("a.harris@clinic.example"));
    let folder = || FolderRef::Id(FolderId::new("AAMkAD+/="));
    let named = || FolderRef::Distinguished("msgfolderroot".to_owned());
    let calls = [
        Call::GetFolder(GetFolder {
            shape: Shape::folders_with_special_ids(),
            folders: vec![named(), folder()],
        }),
        Call::FindFolder(FindFolder {
            traversal: "Deep".to_owned(),
            shape: Shape::folders(),
            at_most: Some(500),
            offset: 0,
            restriction: None,
            parents: vec![named()],
        }),
        Call::SyncFolderItems(SyncFolderItems {
            shape: Shape::items(),
            folder: folder(),
            state: Some(SyncToken::new("H4sIAAAA")),
            ignore: Vec::new(),
            at_most: 512,
            associated: false,
        }),
        Call::FindItem(FindItem {
            traversal: "Shallow".to_owned(),
            shape: Shape::items(),
            at_most: Some(500),
            offset: 500,
            restriction: None,
            largest_first: false,
            parents: vec![folder()],
        }),
        Call::ExportItems(ExportItems {
            items: vec![ItemId::new("AAMkAD+/=")],
        }),
    ];
    let mut text = String::new();
    for call in calls {
        let written = call.write(&header);
        let read = request::read(written.as_bytes()).expect("accepted");
        assert_eq!((&read.header, &read.call), (&header, &call));
        let _ = writeln!(text, "{}\n", written.replace("><", ">\n<"));
    }
    insta::with_settings!({snapshot_path => "data/snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("ews_requests", text);
    });
}
