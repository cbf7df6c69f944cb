//! Any bytes as what the typed route reads: GetItem and GetAttachment replies, messages, events and contacts of Graph, parcels. No panic, and portions
//! do not change bytes or verdict.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailferry::wire::ews::classify::Hints;
use mailferry::wire::ews::export_splitter::Split;
use mailferry::wire::ews::get_attachment::AttachmentSplitter;
use mailferry::wire::ews::reply;
use mailferry::wire::ews::typed_item::GetTyped;
use mailferry::wire::graph::typed_attachment::UploadSession;
use mailferry::wire::graph::typed_contact::ShownContact;
use mailferry::wire::graph::typed_event::ShownEvent;
use mailferry::wire::graph::typed_message::ShownMessage;
use mailferry::wire::parcel::{ParcelMeter, encode};

fn attachments(bytes: &[u8], cut: usize, asked: usize) -> (Vec<Vec<u8>>, bool) {
    let mut splitter = AttachmentSplitter::new();
    let mut data: Vec<Vec<u8>> = Vec::new();
    for chunk in bytes.chunks(cut) {
        for part in splitter.push(chunk) {
            match part {
                Split::Begin(_) => data.push(Vec::new()),
                Split::Piece(piece) => data
                    .last_mut()
                    .expect("a piece follows its begin")
                    .extend(piece),
            }
        }
    }
    let whole = splitter.finish(200, Hints::default(), asked).is_ok();
    (data, whole)
}

fuzz_target!(|input: (&[u8], u8, u8)| {
    let (bytes, portion, asked) = input;
    let _ = reply::read::<GetTyped>(bytes);
    let asked = usize::from(asked % 8);
    let whole = attachments(bytes, bytes.len().max(1), asked);
    assert_eq!(attachments(bytes, usize::from(portion).max(1), asked), whole);
    if let Ok(shown) = ShownMessage::read(200, bytes) {
        let _ = shown.typed();
    }
    if let Ok(shown) = ShownEvent::read(200, bytes) {
        let _ = shown.typed();
    }
    if let Ok(shown) = ShownContact::read(200, bytes) {
        let _ = shown.typed(false);
    }
    let _ = UploadSession::opened(201, bytes);
    let mut meter = ParcelMeter::new();
    let fed = bytes
        .chunks(usize::from(portion).max(1))
        .try_for_each(|part| meter.feed(part));
    if fed.is_ok()
        && let Ok(report) = meter.finish()
    {
        let files = vec![Vec::new(); report.attachments.len()];
        assert!(encode(&report.item, &files).len() > 20);
    }
});
