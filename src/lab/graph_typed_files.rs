//! Attachments of the Mail API: listed, read, added whole, or by a session of slices on a pre-authenticated URL (reference/graph.md 2.3).

use axum::http::Method;
use serde_json::{Value, json};

use super::graph_answer::Answer;
use super::graph_http::{Asked, GraphFace};
use super::graph_mailbox::{object, refused};
use super::graph_typed::Place;
use super::graph_typed_json::{file_of, named_file};
use super::typed_make::files_in;
use super::world::Refused;
use super::world_events::instance_of;
use super::world_typed::Uploaded;
use crate::base::quantity::Span;
use crate::base::typed::TypedAttachment;
use crate::wire::base64;
use crate::wire::graph::escape;
use crate::wire::graph::path_user::Holder;

const HEAD: &str = "/api/v2.0/Users('";
const MIDDLE: &str = "')/AttachmentSessions('";
const TAIL: &str = "')";

const FIELDS: [&str; 7] = [
    "id",
    "name",
    "contentType",
    "isInline",
    "size",
    "lastModifiedDateTime",
    "microsoft.graph.fileAttachment/contentId",
];

/// The user whom an upload URL names.
pub(super) fn user_of(path: &str) -> Option<String> {
    let (user, _) = path.strip_prefix(HEAD)?.split_once(MIDDLE)?;
    path.ends_with(TAIL).then(|| escape::decode(user)).flatten()
}

/// What an item has attached: id, file, bytes.
fn held(at: &Place<'_>, of: &Holder) -> Result<Vec<(String, TypedAttachment, Vec<u8>)>, Refused> {
    let id = of.id();
    at.lab.world(|world, _| {
        let series = instance_of(id).map(|(series, _)| series);
        if let Some((series, original)) = instance_of(id)
            && let Some(own) = world.event(at.mailbox, series)?.2.get(&original)
        {
            let each = own
                .files
                .iter()
                .map(|(n, file, bytes)| (format!("{id}-{n}"), file.clone(), bytes.clone()));
            return Ok(each.collect());
        }
        let (_, tree) = world.typed_tree(at.mailbox, series.unwrap_or(id))?;
        let each = files_in(&tree).into_iter().enumerate();
        Ok(each
            .map(|(n, (file, bytes))| (format!("{id}-{n}"), file, bytes))
            .collect())
    })
}

/// Lists attachments. Without a selection their bytes come along, and with a plain one the content id would be refused.
pub(super) fn list(at: &Place<'_>, of: &Holder) -> Answer {
    let pairs = escape::pairs(at.asked.query()).unwrap_or_default();
    let known = |select: &str| select.split(',').all(|name| FIELDS.contains(&name));
    let selected = matches!(&pairs[..], [(name, value)] if name == "$select" && known(value));
    if !selected && !at.asked.query().is_empty() {
        return at
            .lab
            .broken("attachments are listed whole, or with $select of properties there are");
    }
    let held = match held(at, of) {
        Ok(held) => held,
        Err(why) => return refused(at.lab, why),
    };
    let value: Vec<Value> = held
        .iter()
        .map(|(id, own, bytes)| {
            let mut shown = json!({"@odata.type": "#microsoft.graph.fileAttachment", "id": id, "name": own.name,
                "contentType": (!own.content_type.is_empty()).then_some(&own.content_type),
                "contentId": (!own.content_id.is_empty()).then_some(&own.content_id),
                "isInline": own.inline, "size": bytes.len() + 318});
            if !selected {
                shown["contentBytes"] = Value::String(base64::encode(bytes));
            }
            shown
        })
        .collect();
    Answer::json(200, &json!({ "value": value }))
}

/// The bytes of one.
pub(super) fn value(at: &Place<'_>, of: &Holder, attachment: &str) -> Answer {
    if !at.asked.query().is_empty() {
        return at.lab.broken("$value takes no parameters");
    }
    let held = match held(at, of) {
        Ok(held) => held,
        Err(why) => return refused(at.lab, why),
    };
    let mut named = held.into_iter();
    match named.find(|(id, ..)| id == attachment) {
        Some((_, _, bytes)) => Answer::bytes(200, bytes),
        None => refused(at.lab, Refused::NoItem),
    }
}

/// Takes one from an occurrence, which had it from its series.
pub(super) fn remove(at: &Place<'_>, of: &Holder, attachment: &str) -> Answer {
    let number = attachment
        .rsplit_once('-')
        .and_then(|(_, own)| own.parse::<u64>().ok());
    let (Some(instance), Some(number)) = (instance_of(of.id()), number) else {
        return at
            .lab
            .broken("this lab takes attachments from occurrences only");
    };
    let done = at.lab.world(|world, now| {
        world.change_instance(now, at.mailbox, instance, |own, _| {
            own.files.retain(|(id, ..)| *id != number);
        })
    });
    match done {
        Ok(_) => Answer::empty(204),
        Err(why) => refused(at.lab, why),
    }
}

/// The item is out of sight for once, as others saw it of the service.
fn out_of_sight(at: &Place<'_>, of: &Holder) -> Option<Answer> {
    let unseen = at.lab.world(|world, _| world.is_unseen(of.id()));
    unseen.then(|| Answer::refused(Refused::NoItem))
}

/// Adds one whole.
pub(super) fn add(at: &Place<'_>, of: &Holder) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    if let Some(answer) = out_of_sight(at, of) {
        return answer;
    }
    let (own, bytes) = match file_of(&value) {
        Ok(file) => file,
        Err(why) => return at.broken(why),
    };
    let size = bytes.len();
    let done = at
        .lab
        .world(|world, now| world.attach_typed(now, at.mailbox, of.id(), &own, bytes));
    match done {
        Ok(_) => {
            let fields = object(
                json!({"@odata.type": "#microsoft.graph.fileAttachment", "id": of.id(),
                "name": own.name, "size": size, "isInline": own.inline}),
            );
            Answer::json(201, &fields)
        }
        Err(why) => refused(at.lab, why),
    }
}

/// Opens a session.
pub(super) fn open(at: &Place<'_>, of: &Holder) -> Answer {
    let value = match at.json() {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    if let Some(answer) = out_of_sight(at, of) {
        return answer;
    }
    let item = &value["AttachmentItem"];
    let known = [
        "attachmentType",
        "name",
        "size",
        "isInline",
        "contentType",
        "contentId",
    ];
    let own = item.as_object();
    let fits = own.is_some_and(|own| own.keys().all(|name| known.contains(&name.as_str())))
        && item["attachmentType"] == "file";
    let (true, Some(total), Ok(own)) = (fits, item["size"].as_u64(), named_file(item)) else {
        return at
            .lab
            .broken("a session is opened for a file with name and size");
    };
    let opened = at
        .lab
        .world(|world, now| world.open_upload(now, at.mailbox, of.id(), own, total));
    match opened {
        Ok(Some(token)) => {
            let user = escape::segment(at.user);
            let url = format!(
                "{}{HEAD}{user}{MIDDLE}{}{TAIL}?authtoken={}",
                at.lab.base,
                escape::segment(of.id()),
                escape::query_value(&token)
            );
            Answer::json(201, &missing(at.lab, 0, Some(url)))
        }
        // The line is not documented, so that whoever meets it has broken no rule.
        Ok(None) => Answer::error(
            400,
            "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize",
            "The attachment is too small for a session.",
        ),
        Err(why) => refused(at.lab, why),
    }
}

fn missing(lab: &GraphFace, from: u64, url: Option<String>) -> Value {
    let ends = lab.world(|_, now| now.moment.after(Span::from_secs(3_600)));
    let mut out =
        json!({"expirationDateTime": ends.to_string(), "nextExpectedRanges": [format!("{from}-")]});
    if let Some(url) = url {
        out["uploadUrl"] = Value::String(url);
    }
    out
}

/// A call on a session's own URL.
pub(super) fn session(lab: &GraphFace, asked: &Asked<'_>) -> Answer {
    if asked.header("authorization").is_some() {
        return lab.broken("the upload URL is pre-authenticated: no Authorization header");
    }
    let pairs = escape::pairs(asked.query()).unwrap_or_default();
    let [(name, token)] = &pairs[..] else {
        return lab.broken("the upload URL was altered");
    };
    if name != "authtoken" {
        return lab.broken("the upload URL was altered");
    }
    match asked.parts.method {
        Method::GET => {
            let now = lab.world(|world, now| world.ask_upload(now, token));
            told(lab, &Ok(now))
        }
        Method::PUT => put(lab, token, asked),
        _ => lab.broken("a session takes slices and questions"),
    }
}

fn put(lab: &GraphFace, token: &str, asked: &Asked<'_>) -> Answer {
    if asked.body.len() > lab.world(|world, _| world.request_max()) {
        lab.invalid("a slice above 4 MB");
        return Answer::empty(413);
    }
    let range = asked.header("content-range").and_then(range_of);
    let Some((from, to, total)) = range else {
        return lab.broken("a slice says which bytes it is");
    };
    let whole = to.checked_sub(from).map(|len| len + 1) == Some(asked.body.len() as u64);
    if !whole || to >= total {
        return lab.broken("a slice is as long as it says");
    }
    told(
        lab,
        &lab.world(|world, now| world.put_upload(now, token, from, total, &asked.body)),
    )
}

fn told(lab: &GraphFace, uploaded: &Result<Uploaded, Refused>) -> Answer {
    match *uploaded {
        Ok(Uploaded::Missing(from)) => Answer::json(200, &missing(lab, from, None)),
        Ok(Uploaded::Made) => {
            Answer::empty(201).header("location", format!("{}/attachment", lab.base))
        }
        Ok(Uploaded::Disorder) => Answer::error(
            416,
            "fragmentOutOfOrder",
            "The uploaded fragment is not the one that is expected.",
        ),
        Ok(Uploaded::Gone) => Answer::error(404, "uploadSessionNotFound", "No such session."),
        Err(why) => refused(lab, why),
    }
}

/// `bytes 0-99/1000`.
fn range_of(text: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_urls_are_read_as_written() {
        assert_eq!(range_of("bytes 0-99/1000"), Some((0, 99, 1_000)));
        for odd in [
            "",
            "0-99/1000",
            "bytes 0-99",
            "bytes -99/1000",
            "bytes 0-99/*",
        ] {
            assert_eq!(range_of(odd), None, "{odd}");
        }
        let path = "/api/v2.0/Users('a%40b')/AttachmentSessions('x')";
        assert_eq!(user_of(path).as_deref(), Some("a@b"));
        assert_eq!(user_of("/api/v2.0/Users('a')"), None);
    }
}
