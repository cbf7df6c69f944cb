//! A message in MIME as the lab's Exchange writes it: always the same bytes for the same message, which the boundaries of other writers are not.

use std::fmt::Write as _;

use super::typed_props::clean;
use crate::base::quantity::Moment;
use crate::base::typed::{Person, TypedAttachment, TypedMessage};
use crate::wire::base64;

/// Bytes of text in one encoded word: with its frame it stays below 75 characters (RFC 2047 section 2).
const WORD_MAX: usize = 42;

/// The message as a file.
pub(super) fn mime_of(message: &TypedMessage, files: &[Vec<u8>]) -> Vec<u8> {
    let common = &message.common;
    let mut out = String::new();
    for (name, people) in [
        ("From", message.from.as_slice()),
        ("Sender", message.sender.as_slice()),
        ("To", &message.to),
        ("Cc", &message.cc),
        ("Bcc", &message.bcc),
        ("Reply-To", &message.reply_to),
    ] {
        if !people.is_empty() {
            let list: Vec<String> = people.iter().map(mailbox).collect();
            header(&mut out, name, &list.join(",\r\n "));
        }
    }
    header(&mut out, "Subject", &words(&common.subject));
    if let Some(at) = message.submitted {
        header(&mut out, "Date", &date(at));
    }
    for (name, value) in [
        ("Message-ID", &message.message_id),
        ("In-Reply-To", &message.in_reply_to),
        ("References", &message.references),
    ] {
        if !value.is_empty() {
            header(&mut out, name, &ascii(value));
        }
    }
    header(&mut out, "MIME-Version", "1.0");
    let kind = if common.body.html { "html" } else { "plain" };
    let mut text = String::new();
    header(
        &mut text,
        "Content-Type",
        &format!("text/{kind}; charset=utf-8"),
    );
    coded(&mut text, common.body.content.as_bytes());
    if files.is_empty() {
        out.push_str(&text);
        return out.into_bytes();
    }
    // The coded parts hold no hyphens at the begin of a line, so that no text can end a part.
    let boundary = format!("mailferry-lab-{}", files.len());
    let kind = format!("multipart/mixed; boundary=\"{boundary}\"");
    header(&mut out, "Content-Type", &kind);
    let _ = write!(out, "\r\n--{boundary}\r\n{text}");
    for (own, bytes) in common.attachments.iter().zip(files) {
        let _ = write!(out, "--{boundary}\r\n");
        part(&mut out, own, bytes);
    }
    let _ = write!(out, "--{boundary}--\r\n");
    out.into_bytes()
}

fn part(out: &mut String, own: &TypedAttachment, bytes: &[u8]) {
    let kind = match own.content_type.as_str() {
        "" | "message/rfc822" => "application/octet-stream",
        other => other,
    };
    header(out, "Content-Type", &ascii(kind));
    let place = if own.inline { "inline" } else { "attachment" };
    let name = words(&own.name).replace('"', "'");
    header(
        out,
        "Content-Disposition",
        &format!("{place}; filename=\"{name}\""),
    );
    if !own.content_id.is_empty() {
        header(out, "Content-ID", &format!("<{}>", ascii(&own.content_id)));
    }
    coded(out, bytes);
}

fn header(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str(": ");
    out.push_str(value);
    out.push_str("\r\n");
}

/// The rest of a part's header, and its bytes in lines of Base64.
fn coded(out: &mut String, bytes: &[u8]) {
    header(out, "Content-Transfer-Encoding", "base64");
    out.push_str("\r\n");
    let text = base64::encode(bytes);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(76));
        out.push_str(line);
        out.push_str("\r\n");
        rest = after;
    }
}

fn mailbox(person: &Person) -> String {
    let name = words(&person.name).replace(['"', '\\'], "'");
    let address = ascii(&person.address);
    if name.is_empty() {
        format!("<{address}>")
    } else if name.starts_with("=?") {
        format!("{name} <{address}>")
    } else {
        format!("\"{name}\" <{address}>")
    }
}

/// One line of plain letters: what would break a header becomes a blank or a question mark.
fn ascii(text: &str) -> String {
    let plain = |c: char| match c {
        ' '..='~' => c,
        c if c.is_whitespace() => ' ',
        _ => '?',
    };
    text.chars().map(plain).collect()
}

/// A text as it is, or in encoded words where it is more than plain letters.
fn words(text: &str) -> String {
    let text = clean(text);
    if text.chars().all(|c| matches!(c, ' '..='~')) && !text.contains("=?") {
        return text;
    }
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len() + c.len_utf8() > WORD_MAX {
            finish_word(&mut out, &mut word);
        }
        word.push(c);
    }
    finish_word(&mut out, &mut word);
    out
}

fn finish_word(out: &mut String, word: &mut String) {
    if !out.is_empty() {
        out.push_str("\r\n ");
    }
    let _ = write!(out, "=?utf-8?B?{}?=", base64::encode(word.as_bytes()));
    word.clear();
}

/// `Fri, 27 Nov 2026 09:00:00 +0000`.
fn date(at: Moment) -> String {
    let at = jiff::Timestamp::from_millisecond(at.unix_ms()).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, MimeHeaders as _};

    use super::*;
    use crate::base::typed::TypedBody;

    #[test]
    fn another_reader_finds_everything_in_it() {
        let person = |name: &str| Person {
            name: name.to_owned(),
            address: "a@clinic.example".to_owned(),
        };
        let mut message = TypedMessage {
            from: Some(person("Müller, \"Bär\"")),
            to: vec![person(""), person("Ann")],
            message_id: "<1@x>".to_owned(),
            submitted: Some(Moment::from_unix_ms(1_700_000_000_000)),
            ..TypedMessage::default()
        };
        message.common.subject = format!("Größe{}\r\nBcc: x@y", "ü".repeat(90));
        message.common.body = TypedBody {
            html: true,
            content: "<p>--\r\n--mailferry-lab-1--</p>".to_owned(),
        };
        message.common.attachments = vec![TypedAttachment {
            name: "ä.bin".to_owned(),
            content_id: "c@d".to_owned(),
            ..TypedAttachment::default()
        }];
        let bytes: Vec<u8> = (0..=255).collect();
        let mime = mime_of(&message, std::slice::from_ref(&bytes));
        assert_eq!(mime, mime_of(&message, std::slice::from_ref(&bytes)));
        let read = MessageParser::default().parse(&mime).unwrap();
        assert_eq!(read.subject(), Some(message.common.subject.as_str()));
        assert_eq!(read.bcc(), None);
        assert_eq!(read.message_id(), Some("1@x"));
        assert_eq!(read.date().unwrap().to_timestamp(), 1_700_000_000);
        assert_eq!(read.to().unwrap().iter().count(), 2);
        assert_eq!(
            read.from().unwrap().first().unwrap().name(),
            Some("Müller, \"Bär\"")
        );
        assert_eq!(read.body_html(0).unwrap(), message.common.body.content);
        let file = read.attachment(0).unwrap();
        assert_eq!(file.attachment_name(), Some("ä.bin"));
        assert_eq!(file.contents(), bytes);
    }
}
