//! Import sessions and the import body, which is never built whole in memory (reference/graph.md 1.6).

use base64_simd::STANDARD;
use serde::{Deserialize, Serialize};

use crate::base::id::TargetFolderId;
use crate::base::item::Placed;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::{Bytes, Moment};
use crate::base::secret::SafeUrl;
use crate::wire::graph::{items, json, property};

/// The reply of createImportSession.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub struct ImportSession {
    /// The pre-authenticated URL. A secret.
    pub import_url: Option<String>,
    /// When it ends.
    pub expiration_date_time: Option<String>,
}

impl ImportSession {
    /// Reads the reply: the URL, and when it ends.
    pub fn read(status: u16, body: &[u8]) -> Result<(SafeUrl, Moment), Setback> {
        let missing = || Setback::Misread(MisreadCause::Incomplete, Said::status(status));
        let session: Self = json::read(status, body)?;
        let url = session.import_url.filter(|url| !url.is_empty());
        let ends = session.expiration_date_time;
        let ends = ends.as_deref().and_then(property::moment);
        Ok((
            SafeUrl::new(url.ok_or_else(missing)?),
            ends.ok_or_else(missing)?,
        ))
    }
}

/// What stands before the Base64 text of an item in an import body.
pub fn create_head(folder: &TargetFolderId) -> Vec<u8> {
    let mut head = br#"{"FolderId":"#.to_vec();
    head.extend(json::write(&folder.as_str()));
    head.extend(br#","Mode":"create","Data":""#);
    head
}

/// What stands before the Base64 text of an item that replaces an older version of itself.
pub fn update_head(folder: &TargetFolderId, replaces: &Placed) -> Vec<u8> {
    let mut head = br#"{"FolderId":"#.to_vec();
    head.extend(json::write(&folder.as_str()));
    head.extend(br#","Mode":"update","ItemId":"#);
    head.extend(json::write(&replaces.item.as_str()));
    head.extend(br#","ChangeKey":"#);
    head.extend(json::write(&replaces.change_key.as_str()));
    head.extend(br#","Data":""#);
    head
}

/// What stands behind it.
pub const CREATE_TAIL: &[u8] = b"\"}";

/// Length of the import body of an item of `stream` bytes: head, four letters for every three bytes begun, tail.
/// `None` beyond 64 bits.
pub fn create_len(head: &[u8], stream: Bytes) -> Option<Bytes> {
    let letters = stream.get().div_ceil(3).checked_mul(4)?;
    let frame = (head.len() + CREATE_TAIL.len()) as u64;
    letters.checked_add(frame).map(Bytes::new)
}

/// Base64 of bytes that come in pieces of any length.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    carry: Vec<u8>,
}

impl Encoder {
    /// The letters of `piece` and what was left of earlier ones.
    pub fn push(&mut self, piece: &[u8]) -> String {
        if self.carry.is_empty() && piece.len().is_multiple_of(3) {
            return STANDARD.encode_to_string(piece);
        }
        self.carry.extend_from_slice(piece);
        let rest = self.carry.split_off(self.carry.len() / 3 * 3);
        let letters = STANDARD.encode_to_string(&self.carry);
        self.carry = rest;
        letters
    }

    /// The letters of the last one or two bytes, with padding.
    pub fn finish(self) -> String {
        STANDARD.encode_to_string(&self.carry)
    }
}

/// An import body as the lab reads it. Names are PascalCase; any other name, and any name in other letters, is refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ImportRequest {
    /// Into which folder.
    pub folder_id: String,
    /// `create` or `update`.
    pub mode: String,
    /// Base64 of the stream.
    pub data: String,
    /// Only with `update`.
    #[serde(default)]
    pub item_id: Option<String>,
    /// Only with `update`.
    #[serde(default)]
    pub change_key: Option<String>,
}

/// The reply to an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImportReply {
    /// OData context.
    #[serde(rename = "@odata.context", skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The new item.
    pub item_id: Option<String>,
    /// Its version.
    pub change_key: Option<String>,
}

impl ImportReply {
    /// Reads the reply. Without both texts nobody knows what was made.
    pub fn read(status: u16, body: &[u8]) -> Result<Placed, Setback> {
        let reply: Self = json::read(status, body)?;
        items::placed(
            reply.item_id.as_deref(),
            reply.change_key.as_deref(),
            status,
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::id::{ChangeKey, TargetItemId};

    #[test]
    fn a_session_without_url_or_end_is_not_understood() {
        let whole = br#"{"importUrl":"https://o.example/i?authtoken=x","expirationDateTime":"2026-01-01T00:00:00Z"}"#;
        let (url, ends) = ImportSession::read(201, whole).unwrap();
        assert_eq!(url.expose(), "https://o.example/i?authtoken=x");
        assert_eq!(ends.to_string(), "2026-01-01T00:00:00Z");
        for body in [
            r#"{"importUrl":"https://o.example/"}"#,
            r#"{"expirationDateTime":"2026-01-01T00:00:00Z"}"#,
            r#"{"importUrl":"https://o.example/","expirationDateTime":"soon"}"#,
        ] {
            let read = ImportSession::read(200, body.as_bytes());
            assert!(matches!(
                read,
                Err(Setback::Misread(MisreadCause::Incomplete, _))
            ));
        }
    }

    #[test]
    fn the_lab_reads_only_the_documented_letters() {
        let read = |body: &str| serde_json::from_str::<ImportRequest>(body);
        assert!(read(r#"{"FolderId":"f","Mode":"create","Data":""}"#).is_ok());
        assert!(read(r#"{"folderId":"f","Mode":"create","Data":""}"#).is_err());
        assert!(read(r#"{"FolderId":"f","Mode":"create","Data":"","X":1}"#).is_err());
        assert!(read(r#"{"FolderId":"f","Mode":"create"}"#).is_err());
    }

    proptest! {
        #[test]
        fn a_body_in_any_pieces_has_the_promised_length_and_reads_back(
            folder in ".{0,40}",
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..8),
        ) {
            let stream: Vec<u8> = pieces.concat();
            let head = create_head(&TargetFolderId::new(folder.clone()));
            let promised = create_len(&head, Bytes::new(stream.len() as u64)).unwrap();
            let mut body = head;
            let mut encoder = Encoder::default();
            for piece in &pieces {
                body.extend(encoder.push(piece).as_bytes());
            }
            body.extend(encoder.finish().as_bytes());
            body.extend(CREATE_TAIL);
            prop_assert_eq!(body.len() as u64, promised.get());
            let request: ImportRequest = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(request.folder_id, folder);
            prop_assert_eq!(request.mode, "create");
            let placed = Placed { item: TargetItemId::new("I"), change_key: ChangeKey::new("K") };
            let mut body = update_head(&TargetFolderId::new("f"), &placed);
            body.extend(CREATE_TAIL);
            let update: ImportRequest = serde_json::from_slice(&body).unwrap();
            let pair = (update.item_id.as_deref(), update.change_key.as_deref());
            prop_assert_eq!((update.mode.as_str(), pair), ("update", (Some("I"), Some("K"))));
            prop_assert_eq!(STANDARD.decode_to_vec(request.data).unwrap(), stream);
        }
    }
}
