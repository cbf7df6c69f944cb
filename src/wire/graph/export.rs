//! exportItems: the request, and the reply as the lab writes it (reference/graph.md 1.5). We ask for one item per call: several at once are
//! known to lose some.

use serde::{Deserialize, Serialize};

use crate::base::outcome::{Code, Refusal, RefusalWhy, Said, Setback};

/// The body of an export request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportRequest {
    /// Ids, at most 20. Microsoft's own clients write `ItemIds` (OpenAPI of v1.0: both names), its reference `itemIds`.
    #[serde(alias = "ItemIds")]
    pub item_ids: Vec<String>,
}

/// One entry of the reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExportEntry {
    /// The item.
    pub item_id: Option<String>,
    /// Its version.
    pub change_key: Option<String>,
    /// Base64 of its stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Why there is no stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ExportError>,
}

/// The error of one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportError {
    /// Code word.
    pub code: Option<String>,
    /// For people; never repeated by us.
    pub message: Option<String>,
}

/// The whole reply, as the lab writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReply {
    /// One entry per id.
    pub value: Vec<ExportEntry>,
}

/// What an error of one entry means for a read.
pub(super) fn entry_setback(said: Said) -> Setback {
    match said.code.as_ref().map(Code::as_str) {
        Some("ErrorItemNotFound" | "itemNotFound") => Setback::Gone,
        Some("ErrorServerBusy" | "ErrorInternalServerTransientError" | "ErrorTimeoutExpired") => {
            Setback::Unwell(said)
        }
        _ => Setback::ItemRefused(Refusal {
            why: RefusalWhy::TargetRefused,
            said,
        }),
    }
}
