//! What stands at the head of an event's text: who invited whom and what was answered, for people to read; and how it is taken off again.

use std::fmt::Write as _;

use crate::base::html;
use crate::base::prose;
use crate::base::typed::{Answer, Attendee, AttendeePart, Person, TypedBody};

use super::model::Kept;

/// The element around the head in HTML.
const ELEMENT: &str = "<div id=\"mailferry-head\">";

/// The lines of the head; none for what was no meeting.
fn lines(
    meeting: bool,
    cancelled: bool,
    organizer: Option<&Person>,
    invited: &[Attendee],
) -> Vec<String> {
    if !meeting && !cancelled && invited.is_empty() {
        return Vec::new();
    }
    let mut out = vec!["Copied from the former mailbox. Nobody was invited again.".to_owned()];
    if cancelled {
        out.push("This meeting was cancelled.".to_owned());
    }
    if let Some(person) = organizer {
        out.push(format!("Organiser: {}", named(person)));
    }
    for (part, word) in [
        (AttendeePart::Required, "Required"),
        (AttendeePart::Optional, "Optional"),
        (AttendeePart::Resource, "Room or resource"),
    ] {
        for own in invited.iter().filter(|own| own.part == part) {
            let mut line = format!("{word}: {} - {}", named(&own.person), answer(own.answer));
            if let Some(at) = own.answered {
                let _ = write!(line, ", {at}");
            }
            out.push(line);
        }
    }
    out.push("--------".to_owned());
    out
}

/// Name and address on one line, without what would not be shown as it is.
fn named(person: &Person) -> String {
    let plain = |text: &str| -> String {
        let seen = |c: char| if c.is_control() { ' ' } else { c };
        let marks = |c: &char| !matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        text.chars().map(seen).filter(marks).collect()
    };
    let (name, address) = (plain(&person.name), plain(&person.address));
    match (name.trim(), address.trim()) {
        ("", "") => "(no name)".to_owned(),
        ("", address) => address.to_owned(),
        (name, "") => name.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    }
}

const fn answer(own: Answer) -> &'static str {
    match own {
        Answer::Unknown | Answer::None => "no answer",
        Answer::Organizer => "organiser",
        Answer::Tentative => "tentative",
        Answer::Accepted => "accepted",
        Answer::Declined => "declined",
    }
}

fn written(lines: &[String], is_html: bool) -> String {
    if lines.is_empty() {
        return String::new();
    }
    if !is_html {
        return lines.iter().fold(String::new(), |mut out, line| {
            let _ = write!(out, "{line}\r\n");
            out
        });
    }
    let mut out = ELEMENT.to_owned();
    for line in lines {
        let _ = write!(out, "{}<br>", html::escape(line));
    }
    out.push_str("</div>\r\n");
    out
}

/// The text with its head.
pub(super) fn put(
    body: &TypedBody,
    meeting: bool,
    cancelled: bool,
    organizer: Option<&Person>,
    invited: &[Attendee],
) -> String {
    let head = written(&lines(meeting, cancelled, organizer, invited), body.html);
    let (before, after) = body.content.split_at(place(body));
    format!("{before}{head}{after}")
}

/// Where the head goes: behind the `<body>` of HTML, if nothing is shown before that.
fn place(body: &TypedBody) -> usize {
    let behind = || {
        let at = body.content.to_ascii_lowercase().find("<body")?;
        let end = at + body.content[at..].find('>')? + 1;
        let hidden = prose::bare(&body.content[..end], true).is_empty();
        hidden.then_some(end)
    };
    if body.html { behind().unwrap_or(0) } else { 0 }
}

/// The text without its head, where it is exactly ours: letter by letter where the service wrote it as it was, else by the letters that are shown. Else
/// the whole text.
pub(super) fn taken_off(shown: TypedBody, kept: &Kept) -> TypedBody {
    let lines = lines(
        kept.meeting,
        kept.cancelled,
        kept.organizer.as_ref(),
        &kept.invited,
    );
    // With somebody left out there is no telling how it ended.
    if lines.is_empty() || kept.left_out > 0 {
        return shown;
    }
    let own = written(&lines, shown.html);
    let around = shown
        .content
        .split_once(&own)
        .filter(|(before, _)| prose::bare(before, shown.html).is_empty());
    let around = around.or_else(|| {
        let letters = prose::bare(&lines.concat(), false);
        prose::around(&shown.content, shown.html, &letters)
    });
    match around {
        Some((before, after)) => TypedBody {
            html: shown.html,
            content: format!("{before}{after}"),
        },
        None => shown,
    }
}
