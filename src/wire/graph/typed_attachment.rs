//! Attachments of typed items: how each travels, the requests that carry them, and what the service shows of them (reference/graph.md 2.3).

use base64_simd::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::limits::{
    ATTACHMENT_MAX, ATTACHMENT_POST_MAX, ATTACHMENT_SESSION_MIN, GRAPH_REQUEST_MAX,
    TYPED_REQUEST_MAX,
};
use crate::base::outcome::{Code, MisreadCause, Said, Setback};
use crate::base::quantity::Bytes;
use crate::base::secret::SafeUrl;
use crate::base::typed::TypedAttachment;
use crate::wire::graph::json as body;

/// The name of what has none at the source; an attachment must have one.
pub const UNNAMED: &str = "unnamed";

/// The query that lists attachments without their bytes. The content id belongs to one kind of attachment only and is named with it.
pub const LIST_QUERY: &str =
    "$select=id,name,contentType,isInline,size,microsoft.graph.fileAttachment/contentId";

/// The service's word for an attachment that is too small for a session (reference/graph.md 2.3).
const TOO_SMALL: &str = "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize";

/// True where a session was refused since the attachment is too small for one.
pub fn is_too_small(setback: &Setback) -> bool {
    let said = match setback {
        Setback::ItemRefused(refusal) => &refusal.said,
        Setback::OurRequest(said) => said,
        _ => return false,
    };
    said.code
        .as_ref()
        .is_some_and(|code| code.as_str() == TOO_SMALL)
}

/// True where a session expects other bytes than those that came (reference/graph.md section 8).
pub fn is_out_of_order(setback: &Setback) -> bool {
    let Setback::ItemRefused(refusal) = setback else {
        return false;
    };
    let code = refusal.said.code.as_ref().map(Code::as_str);
    refusal.said.status == Some(416)
        || matches!(code, Some("fragmentOutOfOrder" | "fragmentOverlap"))
}

/// How one attachment travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Inside the request that creates the item.
    Inside,
    /// In a request of its own.
    Post,
    /// By an upload session; where the service says that it is too small for one, in a request of its own.
    SessionOrPost,
    /// By an upload session.
    Session,
    /// Not at all: it is larger than the service takes.
    TooLarge,
}

/// Says how each attachment travels beside a creating request of `head` bytes without any. Everything inside where it fits; else the smallest
/// inside, so that calls are few.
pub fn ways(head: u64, attachments: &[(&TypedAttachment, Bytes)]) -> Vec<Way> {
    let mut ways: Vec<Way> = attachments
        .iter()
        .map(|(own, len)| alone(own, *len))
        .collect();
    let mut by_size: Vec<usize> = (0..ways.len())
        .filter(|at| ways[*at] == Way::Post)
        .collect();
    by_size.sort_by_key(|at| attachments[*at].1);
    let mut total = head.saturating_add(LIST_FRAME);
    for at in by_size {
        let (own, len) = &attachments[at];
        total = total.saturating_add(inside_len(own, *len));
        if total > TYPED_REQUEST_MAX.get() {
            break;
        }
        ways[at] = Way::Inside;
    }
    ways
}

/// True when one request makes the whole item.
pub fn in_one_call(ways: &[Way]) -> bool {
    ways.iter().all(|way| *way == Way::Inside)
}

fn alone(own: &TypedAttachment, len: Bytes) -> Way {
    if len > ATTACHMENT_MAX {
        Way::TooLarge
    } else if len >= ATTACHMENT_SESSION_MIN {
        Way::Session
    } else if len > ATTACHMENT_POST_MAX || inside_len(own, len) > GRAPH_REQUEST_MAX.get() {
        Way::SessionOrPost
    } else {
        Way::Post
    }
}

/// `,"attachments":[]`.
const LIST_FRAME: u64 = 17;

/// What an attachment of so many bytes adds to a request.
fn inside_len(own: &TypedAttachment, len: Bytes) -> u64 {
    let frame = post_body(own, &[]).len() as u64 + 1;
    frame.saturating_add(len.get().div_ceil(3).saturating_mul(4))
}

/// The request that adds one attachment to an item, and its entry in the request that creates the item.
pub fn post_body(own: &TypedAttachment, bytes: &[u8]) -> Vec<u8> {
    let mut fields = json!({
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": name_of(own),
        "isInline": own.inline,
        "contentBytes": "",
    });
    named(&mut fields, own);
    // The letters go in where the empty text stands, so that megabytes are written once and never escaped.
    let mut out = body::write(&fields);
    let at = out.windows(MARKER.len()).position(|part| part == MARKER);
    let at = at.map_or(out.len(), |at| at + MARKER.len());
    let rest = out.split_off(at);
    out.extend(STANDARD.encode_to_string(bytes).into_bytes());
    out.extend(rest);
    out
}

/// Stands once in a document: inside a text its quotation marks would be escaped.
const MARKER: &[u8] = b"\"contentBytes\":\"";

/// The request that opens an upload session.
pub fn session_body(own: &TypedAttachment, len: Bytes) -> Vec<u8> {
    let mut fields = json!({
        "attachmentType": "file",
        "name": name_of(own),
        "size": len.get(),
        "isInline": own.inline,
    });
    named(&mut fields, own);
    body::write(&json!({ "AttachmentItem": fields }))
}

fn name_of(own: &TypedAttachment) -> &str {
    if own.name.is_empty() {
        UNNAMED
    } else {
        &own.name
    }
}

/// Adds what an attachment may lack.
fn named(fields: &mut Value, own: &TypedAttachment) {
    for (name, text) in [
        ("contentType", &own.content_type),
        ("contentId", &own.content_id),
    ] {
        if !text.is_empty() {
            fields[name] = Value::String(text.clone());
        }
    }
}

/// The answer that opens a session, and that of a question about it. It holds a pre-authenticated URL, so nothing prints it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UploadSession {
    /// Where the slices go. A secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_url: Option<String>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_date_time: Option<String>,
    /// What is missing, as `0-` or `100-199`.
    pub next_expected_ranges: Vec<String>,
}

impl UploadSession {
    /// Reads the answer that opens a session: the URL, and what is missing.
    pub fn opened(status: u16, bytes: &[u8]) -> Result<(SafeUrl, Vec<String>), Setback> {
        let read: Self = body::read(status, bytes)?;
        match read.upload_url.filter(|url| !url.is_empty()) {
            Some(url) => Ok((SafeUrl::new(url), read.next_expected_ranges)),
            None => Err(Setback::Misread(
                MisreadCause::Incomplete,
                Said::status(status),
            )),
        }
    }

    /// Reads any later answer: what is missing. An empty body says nothing.
    pub fn ranges(status: u16, bytes: &[u8]) -> Result<Vec<String>, Setback> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        Ok(body::read::<Self>(status, bytes)?.next_expected_ranges)
    }
}

/// One attachment as the service shows it, without its bytes.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShownAttachment {
    /// Id.
    pub id: Option<String>,
    /// File name.
    pub name: Option<String>,
    /// MIME type.
    pub content_type: Option<String>,
    /// Content-ID.
    pub content_id: Option<String>,
    /// In place.
    pub is_inline: bool,
    /// Bytes as the store counts them, with properties.
    #[serde(deserialize_with = "body::lax_u64")]
    pub size: u64,
}

/// A page of them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentPage {
    /// The attachments.
    pub value: Vec<ShownAttachment>,
    /// Where the next page is; followed verbatim.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}

impl ShownAttachment {
    /// The attachment in our words. An embedded item is a file here.
    pub fn typed(&self) -> TypedAttachment {
        let text = |own: &Option<String>| own.clone().unwrap_or_default();
        let id = text(&self.content_id);
        let bare = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
        TypedAttachment {
            name: text(&self.name),
            content_type: text(&self.content_type),
            content_id: bare.unwrap_or(&id).to_owned(),
            inline: self.is_inline,
            embedded: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;

    use super::*;

    fn file(name: &str) -> TypedAttachment {
        TypedAttachment {
            name: name.to_owned(),
            content_type: "image/png".to_owned(),
            content_id: "logo@here".to_owned(),
            inline: true,
            embedded: false,
        }
    }

    #[test]
    fn the_requests_are_spelt_as_documented() {
        assert_eq!(
            serde_json::from_slice::<Value>(&post_body(&file("a.png"), b"hello")).unwrap(),
            json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.png", "isInline": true,
                "contentType": "image/png", "contentId": "logo@here", "contentBytes": "aGVsbG8="})
        );
        assert_eq!(
            serde_json::from_slice::<Value>(&session_body(&file("a.png"), Bytes::new(5_000_000)))
                .unwrap(),
            json!({"AttachmentItem": {"attachmentType": "file", "name": "a.png", "size": 5_000_000,
                "isInline": true, "contentType": "image/png", "contentId": "logo@here"}})
        );
        let bare =
            serde_json::from_slice::<Value>(&post_body(&TypedAttachment::default(), b"")).unwrap();
        assert_eq!(
            bare,
            json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "unnamed", "isInline": false, "contentBytes": ""})
        );
    }

    #[test]
    fn each_size_has_its_way() {
        let one = file("x");
        let way = |len: u64| ways(1_000, &[(&one, Bytes::new(len))])[0];
        assert_eq!(way(0), Way::Inside);
        assert_eq!(way(2_600_000), Way::Inside);
        assert_eq!(way(2_650_000), Way::Post);
        assert_eq!(way(2_998_500), Way::Post);
        assert_eq!(way(2_998_501), Way::SessionOrPost);
        assert_eq!(way(3 * 1_048_576 - 1), Way::SessionOrPost);
        assert_eq!(way(3 * 1_048_576), Way::Session);
        assert_eq!(way(150 << 20), Way::Session);
        assert_eq!(way((150 << 20) + 1), Way::TooLarge);
        // The smallest go inside, whatever their order.
        let sizes = [2_000_000, 9_000_000, 10, 1_500_000];
        let files: Vec<_> = sizes.iter().map(|len| (&one, Bytes::new(*len))).collect();
        let got = ways(1_000, &files);
        assert_eq!(got, [Way::Post, Way::Session, Way::Inside, Way::Inside]);
        assert!(!in_one_call(&got));
        assert!(in_one_call(&ways(1_000, &[])));
    }

    #[test]
    fn what_the_service_shows_reads_back() {
        let page = r##"{"value":[{"@odata.type":"#microsoft.graph.fileAttachment","id":"AA","name":"a.png","contentType":"image/png",
            "size":9,"isInline":true,"contentId":"<logo@here>","lastModifiedDateTime":"2026-11-27T09:00:00Z"},{"id":"B","name":null,"contentType":null,"size":null}],
            "@odata.nextLink":"https://x/y"}"##;
        let page: AttachmentPage = body::read(200, page.as_bytes()).unwrap();
        assert!(page.value[0].typed() == file("a.png"));
        assert!(page.value[1].typed() == TypedAttachment::default());
        assert_eq!(page.next_link.as_deref(), Some("https://x/y"));
        let (url, ranges) = UploadSession::opened(
            201,
            br#"{"uploadUrl":"https://outlook.example/AttachmentSessions('x')?authtoken=ey","expirationDateTime":"2026-11-27T09:00:00Z","nextExpectedRanges":["0-"]}"#,
        )
        .unwrap();
        assert!(!format!("{url:?} {url}").contains("ey"));
        assert_eq!(ranges, ["0-"]);
        assert!(UploadSession::opened(201, br#"{"nextExpectedRanges":["0-"]}"#).is_err());
        assert_eq!(UploadSession::ranges(201, b""), Ok(Vec::new()));
        assert!(UploadSession::ranges(200, b"<html>").is_err());
    }

    proptest! {
        #[test]
        fn a_request_is_as_long_as_it_was_planned(
            name in ".{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let own = TypedAttachment { name: name.clone(), content_id: "\"contentBytes\":\"".to_owned(), ..file("") };
            let text = post_body(&own, &bytes);
            prop_assert_eq!(text.len() as u64 + 1, inside_len(&own, Bytes::new(bytes.len() as u64)));
            let read: Value = serde_json::from_slice(&text).unwrap();
            let letters = read["contentBytes"].as_str().unwrap();
            prop_assert_eq!(base64::engine::general_purpose::STANDARD.decode(letters).unwrap(), bytes);
            if !name.is_empty() {
                prop_assert_eq!(read["name"].as_str(), Some(name.as_str()));
            }
        }

        #[test]
        fn what_is_planned_inside_fits(sizes in proptest::collection::vec(0_u64..4_000_000, 0..12), head in 0_u64..3_400_000) {
            let one = file("x");
            let files: Vec<_> = sizes.iter().map(|len| (&one, Bytes::new(*len))).collect();
            let got = ways(head, &files);
            let inside = files.iter().zip(&got).filter(|(_, way)| **way == Way::Inside);
            let sum: u64 = inside.map(|((own, len), _)| inside_len(own, *len)).sum();
            prop_assert!(sum == 0 || head + LIST_FRAME + sum <= TYPED_REQUEST_MAX.get());
        }
    }
}
