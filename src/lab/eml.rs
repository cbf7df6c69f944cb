//! Real RFC 822 files as mailbox items. Every file becomes an item: one that cannot be read becomes a message that carries the file as
//! its attachment.

use std::path::{Path, PathBuf};
use std::{fs, io};

use mail_parser::{
    Address, ContentType, DateTime, MessageParser, MessagePart, MimeHeaders as _, PartType,
};

use super::populate_items::{embedded, file};
use super::typed_props::entries_of;
use super::world::filetime_of;
use crate::base::quantity::Moment;
use crate::base::typed::Person;
use crate::wire::item_stream::{Attachment, Message, Prop, tags};

/// Messages inside messages that are followed; deeper ones become files.
const DEPTH_MAX: usize = 8;

/// Folders inside folders that are searched.
const FOLDERS_MAX: usize = 16;

/// Reads every `.eml` file below `dir`, in the order of their paths. Symbolic links are not followed.
pub fn read_tree(dir: &Path) -> io::Result<Vec<Message>> {
    let mut files = Vec::new();
    collect(dir, FOLDERS_MAX, &mut files)?;
    files.sort();
    files
        .iter()
        .map(|path| fs::read(path).map(|raw| message_of(&raw)))
        .collect()
}

fn collect(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let eml = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("eml"));
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, files)?;
        } else if kind.is_file() && eml {
            files.push(path);
        }
    }
    Ok(())
}

/// The item that a file becomes. It has no search key yet.
pub fn message_of(raw: &[u8]) -> Message {
    // The parser's own mistakes on malformed mail must not take the lab down: such a file is one that cannot be read.
    let read = std::panic::catch_unwind(|| {
        let mail = MessageParser::default().parse(raw)?;
        Some(converted(&mail, DEPTH_MAX))
    });
    read.ok().flatten().unwrap_or_else(|| unread(raw))
}

/// A message around bytes that are no mail.
fn unread(raw: &[u8]) -> Message {
    let head = raw
        .windows(2)
        .position(|two| two == b"\n\n" || two == b"\r\n" && raw.starts_with(b"\r\n"))
        .map_or(raw, |end| &raw[..end]);
    let head: String = String::from_utf8_lossy(head).chars().take(4_096).collect();
    Message {
        props: vec![
            Prop::text(tags::MESSAGE_CLASS, "IPM.Note"),
            Prop::text(tags::SUBJECT, ""),
            Prop::text(0x007D, &head),
            Prop::boolean(0x0E1B, true),
        ],
        recipients: Vec::new(),
        attachments: vec![file("message.eml", raw.to_vec())],
    }
}

fn class_of(mail: &mail_parser::Message<'_>) -> &'static str {
    let root = mail.root_part();
    if root.is_content_type("multipart", "signed") {
        "IPM.Note.SMIME.MultipartSigned"
    } else if root.is_content_type("application", "pkcs7-mime") {
        "IPM.Note.SMIME"
    } else if root.is_content_type("multipart", "report") {
        "REPORT.IPM.Note.NDR"
    } else {
        "IPM.Note"
    }
}

fn filetime(date: &DateTime) -> u64 {
    filetime_of(Moment::from_unix_ms(
        date.to_timestamp().saturating_mul(1_000),
    ))
}

fn converted(mail: &mail_parser::Message<'_>, depth: usize) -> Message {
    let subject = mail.subject().unwrap_or("");
    let mut props = vec![
        Prop::text(tags::MESSAGE_CLASS, class_of(mail)),
        Prop::text(tags::SUBJECT, subject),
        Prop::text(0x0E1D, mail.thread_name().unwrap_or(subject)),
        Prop::text(0x007D, &headers(mail)),
    ];
    if let Some(id) = mail.message_id().filter(|id| !id.is_empty()) {
        props.push(Prop::text(tags::INTERNET_MESSAGE_ID, &format!("<{id}>")));
    }
    if let Some(date) = mail.date() {
        let at = filetime(date);
        props.push(Prop::time(tags::CLIENT_SUBMIT_TIME, at));
        let arrived = mail.received().and_then(mail_parser::Received::date);
        let arrived = arrived.map_or(at, |date| filetime(&date));
        props.push(Prop::time(tags::MESSAGE_DELIVERY_TIME, arrived));
    }
    let mut recipients = Vec::new();
    for (kind, list) in [(1, mail.to()), (2, mail.cc()), (3, mail.bcc())] {
        recipients.extend(addresses(list).into_iter().map(|(name, address)| {
            vec![
                Prop::i32(0x0C15, kind),
                Prop::text(0x3001, &name),
                Prop::text(0x3002, "SMTP"),
                Prop::text(0x3003, &address),
                Prop::text(0x39FE, &address),
            ]
        }));
    }
    if let Some((name, address)) = addresses(mail.from()).into_iter().next() {
        props.extend([
            Prop::text(0x0C1A, &name),
            Prop::text(0x0C1E, "SMTP"),
            Prop::text(0x0C1F, &address),
            Prop::text(0x0042, &name),
            Prop::text(0x0064, "SMTP"),
            Prop::text(0x0065, &address),
        ]);
    }
    let reply_to = addresses(mail.reply_to()).into_iter();
    let reply_to: Vec<Person> = reply_to
        .map(|(name, address)| Person { name, address })
        .collect();
    if !reply_to.is_empty() {
        props.push(Prop::binary(0x004F, entries_of(&reply_to)));
    }
    for (tag, ids) in [(0x1042, mail.in_reply_to()), (0x1039, mail.references())] {
        let ids = ids.as_text_list().unwrap_or_default();
        let ids: Vec<String> = ids.iter().map(|id| format!("<{id}>")).collect();
        if !ids.is_empty() {
            props.push(Prop::text(tag, &ids.join(" ")));
        }
    }
    if let Some(text) = mail.body_text(0) {
        props.push(Prop::text(tags::BODY, &text));
    }
    if let Some(html) = mail.body_html(0) {
        props.push(Prop::binary(0x1013, html.as_bytes()));
        props.push(Prop::i32(0x3FDE, 65_001));
    }
    let attachments: Vec<Attachment> = mail.attachments().map(|p| attached(p, depth)).collect();
    if !attachments.is_empty() {
        props.push(Prop::boolean(0x0E1B, true));
    }
    Message {
        props,
        recipients,
        attachments,
    }
}

/// The header block as it came.
fn headers(mail: &mail_parser::Message<'_>) -> String {
    let root = mail.root_part();
    let from = usize::try_from(root.offset_header).unwrap_or(0);
    let to = usize::try_from(root.offset_body).unwrap_or(usize::MAX);
    let raw = mail.raw_message();
    let block = raw.get(from..to.min(raw.len())).unwrap_or(raw);
    String::from_utf8_lossy(block).into_owned()
}

/// Display name and address of every mailbox in a list, groups resolved.
fn addresses(list: Option<&Address<'_>>) -> Vec<(String, String)> {
    let each = list.into_iter().flat_map(Address::iter);
    each.map(|own| {
        let address = own.address().unwrap_or("");
        let name = own.name().unwrap_or(address);
        (name.to_owned(), address.to_owned())
    })
    .collect()
}

fn attached(part: &MessagePart<'_>, depth: usize) -> Attachment {
    if let (PartType::Message(inner), true) = (&part.body, depth > 0) {
        return embedded(converted(inner, depth - 1));
    }
    let data = match &part.body {
        PartType::Message(inner) => inner.raw_message(),
        _ => part.contents(),
    };
    let mut own = file(
        part.attachment_name().unwrap_or("attachment"),
        data.to_vec(),
    );
    if let Some(kind) = part.content_type() {
        let kind = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("*"));
        own.props.push(Prop::text(0x370E, &kind));
    }
    if let Some(id) = part.content_id() {
        own.props.push(Prop::text(0x3712, id));
        let inline = part
            .content_disposition()
            .is_none_or(ContentType::is_inline);
        own.props
            .push(Prop::i32(0x3714, if inline { 4 } else { 0 }));
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::quantity::Count;
    use crate::wire::item_stream::{digest_of, encode};

    const LETTER: &[u8] = b"From: Ann <ann@clinic.example>\r\nTo: b@clinic.example, c@clinic.example\r\n\
        Cc: d@clinic.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1.2@clinic.example>\r\n\
        Date: Mon, 2 Nov 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nHello\r\n\
        --x\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAQID\r\n\
        --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nHi\r\n--x--\r\n";

    #[test]
    fn a_letter_becomes_an_item_with_all_its_parts() {
        let message = message_of(LETTER);
        let report = digest_of(&encode(&message));
        assert!(report.whole);
        assert_eq!(report.message_id.as_deref(), Some("<1.2@clinic.example>"));
        assert_eq!(report.recipients, Count::new(3));
        assert_eq!(report.attachments, Count::new(2));
        assert_eq!(report.embedded, Count::new(1));
        let at = crate::lab::world::moment_of(report.submitted.unwrap());
        assert_eq!(at.to_string(), "2026-11-02T09:00:00Z");
        assert_eq!(
            message.get(tags::SUBJECT),
            Prop::text(1, "Grüße").value.one()
        );
    }

    #[test]
    fn bytes_that_are_no_mail_travel_as_an_attachment() {
        for raw in [&b""[..], b"\n", b"\xFF\xFE\x00", b"no header here"] {
            let message = message_of(raw);
            let report = digest_of(&encode(&message));
            assert!(report.whole, "{raw:?}");
            assert!(report.class.is_some());
        }
        assert_eq!(message_of(b"").attachments.len(), 1);
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn every_file_of_the_corpus_becomes_an_item() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/corpus");
        if !dir.is_dir() {
            eprintln!("skipped: ../shared is not here");
            return;
        }
        let messages = read_tree(&dir).unwrap();
        assert_eq!(messages.len(), 250);
        for message in &messages {
            assert!(digest_of(&encode(message)).whole);
        }
    }
}
