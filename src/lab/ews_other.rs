//! Properties by tag that our client never asks for and that other software needs: IMAP numbers, counts, times (MS-OXPROPS).

use super::world::{FolderRow, ItemRow};
use crate::base::mailbox::FolderKind;
use crate::wire::ews::shape::{PropType, Tag};

const fn tag(id: u16, kind: PropType) -> Tag {
    Tag { id, kind }
}

/// Of an item: PidTagInternetArticleNumber, PidTagMessageSize, PidTagMessageFlags, PidTagMessageDeliveryTime.
pub(super) fn of_item(row: &ItemRow) -> Vec<(Tag, String)> {
    let mut out = vec![
        (tag(0x0E23, PropType::Integer), row.article.to_string()),
        (tag(0x0E08, PropType::Integer), row.size.get().to_string()),
        (Tag::FLAGS, row.flags.to_string()),
    ];
    if let Some(at) = row.received {
        out.push((Tag::DELIVERED, at.to_string()));
    }
    out
}

/// Of a folder: PidTagContainerClass, PidTagContentCount, PidTagSubfolders.
pub(super) fn of_folder(row: &FolderRow) -> Vec<(Tag, String)> {
    let mut out = vec![
        (tag(0x3602, PropType::Integer), row.items.get().to_string()),
        (
            tag(0x360A, PropType::Boolean),
            (row.children.get() > 0).to_string(),
        ),
    ];
    if !row.class.is_empty() && row.kind == FolderKind::Generic {
        out.push((tag(0x3613, PropType::String), row.class.clone()));
    }
    out
}
