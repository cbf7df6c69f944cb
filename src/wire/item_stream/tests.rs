//! The reader against the writer, against any chunking, and against Microsoft's own sample streams.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::base::quantity::Count;

fn any_prop() -> impl Strategy<Value = Prop> {
    let plain = prop_oneof![
        (1_u16..0x3FFF, ".{0,40}").prop_map(|(id, text)| Prop::text(id, &text)),
        (1_u16..0x3FFF, vec(any::<u8>(), 0..90)).prop_map(|(id, v)| Prop::binary(id, v)),
        (1_u16..0x3FFF, any::<u32>()).prop_map(|(id, v)| Prop::i32(id, v)),
        (1_u16..0x3FFF, any::<u64>()).prop_map(|(id, v)| Prop::time(id, v)),
        (1_u16..0x3FFF, any::<bool>()).prop_map(|(id, v)| Prop::boolean(id, v)),
        (1_u16..0x3FFF, ".{0,9}", ".{0,9}").prop_map(|(id, a, b)| Prop::texts(id, &[&a, &b])),
        (1_u16..0x3FFF, vec(any::<u8>(), 0..9)).prop_map(|(id, v)| Prop::raw(
            id,
            tags::T_UNICODE_CP,
            v
        )),
    ];
    (
        plain,
        0_u8..4,
        any::<u16>(),
        any::<[u8; 16]>(),
        "[a-z]{1,12}",
    )
        .prop_map(|(prop, how, id, set, name)| match how {
            0 => prop.numbered(id, set, u32::from(id)),
            1 => prop.called(id, set, &name),
            _ => prop,
        })
}

fn any_message() -> impl Strategy<Value = Message> {
    let flat = (
        vec(any_prop(), 1..12),
        vec(vec(any_prop(), 0..4), 0..4),
        vec(vec(any_prop(), 0..4), 0..3),
    )
        .prop_map(|(props, recipients, attachments)| Message {
            props,
            recipients,
            attachments: attachments
                .into_iter()
                .map(|props| Attachment {
                    props,
                    embedded: None,
                })
                .collect(),
        });
    flat.prop_recursive(3, 8, 1, |inner| {
        (inner.clone(), inner).prop_map(|(mut outer, inner)| {
            outer.attachments.push(Attachment {
                props: Vec::new(),
                embedded: Some(Box::new(inner)),
            });
            outer
        })
    })
}

fn read_in(stream: &[u8], cuts: &[usize]) -> ItemReport {
    let mut reader = ItemReader::new();
    let mut rest = stream;
    for cut in cuts.iter().cycle().take(stream.len() * 2) {
        let (now, later) = rest.split_at((*cut).min(rest.len()));
        reader.feed(now);
        rest = later;
    }
    reader.feed(rest);
    reader.finish()
}

proptest! {
    #[test]
    fn what_the_writer_wrote_is_read_whole_and_decodes_to_the_same(message in any_message()) {
        let stream = encode(&message);
        let report = digest_of(&stream);
        prop_assert!(report.sound && report.whole);
        prop_assert_eq!(report.recipients, Count::new(message.recipients.len() as u64));
        prop_assert_eq!(report.attachments, Count::new(message.attachments.len() as u64));
        prop_assert_eq!(decode(&stream), Some(message));
    }

    #[test]
    fn any_chunking_gives_the_same_report(message in any_message(), cuts in vec(0_usize..70, 1..9)) {
        let stream = encode(&message);
        prop_assert_eq!(read_in(&stream, &cuts), digest_of(&stream));
    }

    #[test]
    fn order_and_local_ids_of_named_properties_do_not_count(message in any_message()) {
        let digest = digest_of(&encode(&message)).digest;
        let mut other = message;
        other.props.reverse();
        other.recipients.reverse();
        for prop in &mut other.props {
            if !matches!(prop.name, Name::Tag(_)) {
                prop.id ^= 0x0123;
            }
        }
        prop_assert_eq!(digest_of(&encode(&other)).digest, digest);
    }

    #[test]
    fn what_the_store_assigns_does_not_count_and_content_does(
        message in any_message(), id in 0x6600_u16..0x6800, size in any::<u32>()
    ) {
        let digest = digest_of(&encode(&message)).digest;
        let mut other = message;
        other.props.push(Prop::i32(id, size));
        other.props.push(Prop::i32(tags::MESSAGE_SIZE, size));
        prop_assert_eq!(digest_of(&encode(&other)).digest, digest);
        other.props.push(Prop::i32(0x3FFF, size));
        prop_assert_ne!(digest_of(&encode(&other)).digest, digest);
    }

    #[test]
    fn a_stream_cut_anywhere_is_not_whole(message in any_message(), at in any::<prop::sample::Index>()) {
        let stream = encode(&message);
        let report = digest_of(&stream[..at.index(stream.len())]);
        prop_assert!(!report.whole && report.digest.is_none());
    }

    #[test]
    fn damaged_bytes_never_panic(message in any_message(), hits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut stream = encode(&message);
        for (at, byte) in hits {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let report = digest_of(&stream);
        prop_assert_eq!(report.whole, report.digest.is_some());
        let _ = decode(&stream);
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..600), cuts in vec(1_usize..9, 1..4)) {
        prop_assert_eq!(read_in(&bytes, &cuts), digest_of(&bytes));
    }
}

fn note() -> Message {
    Message {
        props: vec![
            Prop::text(tags::MESSAGE_CLASS, "IPM.Note"),
            Prop::text(tags::INTERNET_MESSAGE_ID, "<1@clinic.example>"),
            Prop::binary(tags::SEARCH_KEY, [7; 16]),
            Prop::time(tags::CLIENT_SUBMIT_TIME, 133_000_000_000_000_000),
            Prop::i32(tags::MESSAGE_FLAGS, tags::FLAG_READ | 0x4),
        ],
        ..Message::default()
    }
}

#[test]
fn identity_is_read_from_the_top_message_only() {
    let mut message = note();
    let mut inner = note();
    inner.set(Prop::binary(tags::SEARCH_KEY, [9; 16]));
    message.attachments.push(Attachment {
        props: Vec::new(),
        embedded: Some(Box::new(inner)),
    });
    let report = digest_of(&encode(&message));
    assert_eq!(report.search_key.unwrap().as_bytes(), [7; 16]);
    assert_eq!(report.message_id.as_deref(), Some("<1@clinic.example>"));
    assert_eq!(report.class.unwrap().as_str(), "IPM.Note");
    assert_eq!(report.submitted, Some(133_000_000_000_000_000));
    assert_eq!(report.flags, Some(5));
    assert_eq!(report.embedded, Count::new(1));
}

#[test]
fn both_spellings_of_unicode_text_and_a_missing_terminator_are_the_same_content() {
    let digest = digest_of(&encode(&note())).digest;
    let mut other = note();
    let bare = other.get(tags::MESSAGE_CLASS).unwrap();
    let bare = bare[..bare.len() - 2].to_vec();
    other.set(Prop::raw(tags::MESSAGE_CLASS, tags::T_UNICODE_CP, bare));
    assert_eq!(digest_of(&encode(&other)).digest, digest);
}

#[test]
fn of_the_message_flags_only_read_unsent_and_associated_count() {
    let digest = digest_of(&encode(&note())).digest;
    let with = |flags| {
        let mut other = note();
        other.set(Prop::i32(tags::MESSAGE_FLAGS, flags));
        digest_of(&encode(&other)).digest
    };
    assert_eq!(with(tags::FLAG_READ | tags::FLAG_ATTACH), digest);
    for flags in [0, 0x9, 0x41] {
        assert_ne!(with(flags), digest, "{flags:#x}");
    }
}

#[test]
fn an_unknown_type_leaves_the_item_unread_with_what_was_seen_before() {
    let mut message = note();
    message.props.push(Prop::raw(0x1234, 0x00FD, vec![1, 2, 3]));
    let report = digest_of(&encode(&message));
    assert!(report.sound && !report.whole);
    assert_eq!(report.unknown, Count::new(1));
    assert_eq!(report.search_key.unwrap().as_bytes(), [7; 16]);
}

#[test]
fn a_large_value_straddles_records_and_is_read_whole() {
    let mut message = note();
    let body = vec![0xA5; 3 * crate::base::limits::STREAM_PIECE + 17];
    message.props.push(Prop::binary(0x1013, body));
    let stream = encode(&message);
    assert!(digest_of(&stream).whole);
    assert_eq!(decode(&stream), Some(message));
}

#[test]
fn the_container_begins_as_every_sample_does() {
    let stream = encode(&note());
    let begin = [
        1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0x18, 0, 0, 0, 1, 0, 0, 0, 7,
        3, 2, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46,
    ];
    assert_eq!(stream[..begin.len()], begin);
}

/// The `Data` values of a sample, decoded as far as the documentation prints them.
fn documented(xml: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let values = xml.split("Data>").skip(1).step_by(2);
    values
        .filter_map(|value| {
            let clean = |c: &char| c.is_ascii_alphanumeric() || "+/".contains(*c);
            let text = value.split('<').next().unwrap_or("");
            let mut text: String = text.chars().filter(clean).collect();
            text.truncate(text.len() / 4 * 4);
            base64::engine::general_purpose::STANDARD.decode(text).ok()
        })
        .collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn microsofts_samples_are_framed_as_far_as_they_are_printed() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/ews/samples");
    if !dir.is_dir() {
        eprintln!("skipped: ../shared is not here");
        return;
    }
    let own = encode(&note());
    let mut framed = 0;
    for name in [
        "exportitems-operation__ExportItemsResponse__01.xml",
        "uploaditems-operation__UploadItems__01.xml",
    ] {
        let xml = std::fs::read_to_string(dir.join("ms-docs").join(name)).unwrap();
        for stream in documented(&xml) {
            let report = digest_of(&stream);
            assert!(
                !report.whole,
                "the documentation prints no stream to its end"
            );
            // Samples that the documentation cut in the middle of a record show nothing of the elements.
            let (config_to_interface, version) = (..48, 48..52);
            if stream[version.clone()] == own[version] {
                assert_eq!(stream[config_to_interface], own[config_to_interface]);
                assert_eq!(report.unknown, Count::ZERO, "everything printed is framed");
                framed += 1;
            }
        }
    }
    assert_eq!(framed, 3);
}
