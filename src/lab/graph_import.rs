//! Import sessions, and the import itself on its pre-authenticated URL (reference/graph.md 1.6).

use axum::http::Method;

use super::graph_answer::Answer;
use super::graph_http::{Asked, GraphFace};
use super::world::{ImportOrder, Refused};
use crate::wire::graph::escape;
use crate::wire::graph::import::{ImportReply, ImportRequest, ImportSession};

const HEAD: &str = "/api/gv1.0/Mailboxes('";
const TAIL: &str = "')/importItem";

/// The mailbox an import URL names.
pub(super) fn mailbox_of(path: &str) -> Option<String> {
    escape::decode(path.strip_prefix(HEAD)?.strip_suffix(TAIL)?)
}

/// Opens a session.
pub(super) fn session(lab: &GraphFace, mailbox: &str, asked: &Asked<'_>) -> Answer {
    if asked.parts.method != Method::POST {
        return lab.broken("a session is opened by POST");
    }
    if !asked.query().is_empty() {
        return lab.broken("createImportSession has no query");
    }
    if !matches!(&asked.body[..], b"" | b"{}") {
        return lab.broken("createImportSession has no body");
    }
    match lab.world(|world, now| world.open_session(now, mailbox)) {
        Ok(session) => Answer::json(
            200,
            &ImportSession {
                import_url: Some(format!(
                    "{}{HEAD}{}{TAIL}?authtoken={}",
                    lab.base,
                    escape::segment(mailbox),
                    escape::query_value(&session.token)
                )),
                expiration_date_time: Some(session.expires.to_string()),
            },
        ),
        Err(refused) => Answer::refused(refused),
    }
}

/// Imports one item.
pub(super) fn import(lab: &GraphFace, mailbox: &str, asked: &Asked<'_>) -> Answer {
    if asked.parts.method != Method::POST {
        return lab.broken("an item is imported by POST");
    }
    if asked.header("authorization").is_some() {
        return lab.broken("the import URL is pre-authenticated: no Authorization header");
    }
    let Some([(name, token)]) =
        escape::pairs(asked.query()).and_then(|p| <[_; 1]>::try_from(p).ok())
    else {
        return lab.broken("the import URL was altered");
    };
    if name != "authtoken" {
        return lab.broken("the import URL was altered");
    }
    let owner = lab.world(|world, now| world.session_mailbox(now, &token).map(str::to_owned));
    match owner {
        Ok(owner) if owner == mailbox => {}
        Ok(_) => return lab.broken("the import URL was altered"),
        Err(refused) => {
            if refused == Refused::NoSession {
                lab.invalid("a session that was never opened");
            }
            return Answer::refused(refused);
        }
    }
    if asked.header("content-length").is_none() {
        return lab.broken("an import announces its length");
    }
    if !asked.is_json() {
        return lab.broken("an import body is application/json");
    }
    match order(&asked.body) {
        Ok((request, stream)) => place(lab, &token, &request, stream),
        Err(why) => lab.broken(&format!("import body: {why}")),
    }
}

/// Reads an import body by its published shape.
fn order(body: &[u8]) -> Result<(ImportRequest, Vec<u8>), &'static str> {
    let mut request: ImportRequest = serde_json::from_slice(body)
        .map_err(|_| "not FolderId, Mode and Data, in these letters and nothing else")?;
    let pair = (request.item_id.is_some(), request.change_key.is_some());
    match (request.mode.as_str(), pair) {
        ("create", (false, false)) | ("update", (true, true)) => {}
        ("create", _) => return Err("ItemId and ChangeKey have no place in a create"),
        ("update", _) => return Err("an update needs ItemId and ChangeKey"),
        _ => return Err("Mode is create or update"),
    }
    if request.folder_id.is_empty() {
        return Err("FolderId is empty");
    }
    let data = std::mem::take(&mut request.data);
    let stream = base64_simd::STANDARD
        .decode_to_vec(data)
        .map_err(|_| "Data is not base64")?;
    if stream.is_empty() {
        return Err("Data is empty");
    }
    Ok((request, stream))
}

fn place(lab: &GraphFace, token: &str, request: &ImportRequest, stream: Vec<u8>) -> Answer {
    let update = request
        .item_id
        .as_deref()
        .zip(request.change_key.as_deref());
    let order = ImportOrder {
        folder: &request.folder_id,
        update,
        stream,
    };
    match lab.world(|world, now| world.import(now, token, order)) {
        Ok(row) => Answer::json(
            200,
            &ImportReply {
                context: Some(format!("{}/api/gv1.0/$metadata#importItem", lab.base)),
                item_id: Some(row.id),
                change_key: Some(row.change_key),
            },
        ),
        Err(refused) => {
            match refused {
                Refused::MalformedStream => lab.invalid("a stream whose container is broken"),
                Refused::WrongCase => lab.invalid("a folder id in another case"),
                _ => {}
            }
            Answer::refused(refused)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_bodies_are_held_to_their_shape() {
        let pair = r#","ItemId":"i","ChangeKey":"c""#;
        let body = |mode: &str, more: &str| {
            format!(r#"{{"FolderId":"f","Mode":"{mode}","Data":"AAAA"{more}}}"#)
        };
        assert_eq!(order(body("create", "").as_bytes()).unwrap().1, [0, 0, 0]);
        assert!(order(body("update", pair).as_bytes()).is_ok());
        for wrong in [
            body("create", pair),
            body("update", ""),
            body("update", r#","ItemId":"i""#),
            body("Create", ""),
            body("create", r#","x":1"#),
            body("create", "").replace("FolderId", "folderId"),
            body("create", "").replace("AAAA", "AAA"),
            body("create", "").replace("AAAA", ""),
            body("create", "").replace("\"f\"", "\"\""),
        ] {
            assert!(order(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_mailbox_stands_in_the_url() {
        let path = "/api/gv1.0/Mailboxes('MBX:a@b')/importItem";
        assert_eq!(mailbox_of(path), Some("MBX:a@b".to_owned()));
        assert_eq!(mailbox_of("/api/gv1.0/Mailboxes('')"), None);
    }
}
