//! A canary set against what was sent, as the verifier does it: streams by their digest, what was made by its class field by field.

use crate::base::id::TargetMailboxId;
use crate::base::item::{Placed, Stamp};
use crate::base::mailbox::TargetFolder;
use crate::base::probe::CanaryEnd;
use crate::base::typed::TypedItem;
use crate::engine::preflight::content::Told;
use crate::engine::preflight::drive::Desk;
use crate::engine::preflight::flight::Item;
use crate::engine::preflight::leftover;
use crate::verify::typed::{Canon, TypedJudged, judge};
use crate::wire::parcel::ParcelReport;

/// Where an item is read back.
type There<'a> = (&'a Desk<'a>, &'a TargetMailboxId, &'a TargetFolder);

/// Reads an item back and sets it against what was sent.
pub(super) async fn compare(there: There<'_>, placed: &Placed, item: &Item<'_>) -> CanaryEnd {
    if let (Told::Parcel(sent), Some(mark)) = (&item.exported.told, item.mark) {
        return compare_parcel(there, placed, sent, mark).await;
    }
    let (desk, mailbox, _) = there;
    let back = leftover::read_back(desk, mailbox, &placed.item).await;
    match (back, item.exported.digest()) {
        (Err(why), _) => CanaryEnd::NotReadBack(why),
        (Ok(Some(back)), Some(sent)) if back == sent => CanaryEnd::Same,
        (Ok(Some(_)), Some(_)) => CanaryEnd::Differs,
        (Ok(_), _) => CanaryEnd::NotComparable,
    }
}

async fn compare_parcel(
    (desk, mailbox, folder): There<'_>,
    placed: &Placed,
    sent: &ParcelReport,
    mark: &Stamp,
) -> CanaryEnd {
    let back = match leftover::read_parcel(desk, mailbox, folder, &placed.item).await {
        Ok(back) => back,
        Err(why) => return CanaryEnd::NotReadBack(why),
    };
    // The copy of a run comes back with the key of its source item; a canary with that of the mark it was given.
    let sent_as = Canon::of(&marked_so(sent.item.clone(), mark), &sent.attachments);
    match judge(&sent_as, &Canon::of(&back.item, &back.attachments)) {
        TypedJudged::Same => CanaryEnd::Same,
        TypedJudged::ByRoute(all) => {
            CanaryEnd::ByRoute(u32::try_from(all.len()).unwrap_or(u32::MAX))
        }
        TypedJudged::Differs(all) => {
            let beyond = all.into_iter().filter(|own| own.effect.is_none());
            CanaryEnd::DiffersIn(beyond.map(|own| own.field).collect())
        }
    }
}

/// The item with the key that this mark has.
fn marked_so(mut item: TypedItem, mark: &Stamp) -> TypedItem {
    let common = match &mut item {
        TypedItem::Message(own) => &mut own.common,
        TypedItem::Event(own) => &mut own.common,
        TypedItem::Contact(own) => &mut own.common,
    };
    common.search_key = match mark {
        Stamp::Key(key) => key.to_string(),
        Stamp::Fallback(_) => String::new(),
    };
    item
}
