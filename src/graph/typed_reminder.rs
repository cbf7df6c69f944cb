//! Reminders that were held back, found and turned on at the cutover. Two members of an event are changed, and a sign of ours; who is invited is in no
//! request here.

use crate::base::id::TargetItemId;
use crate::base::item::Placed;
use crate::base::outcome::Setback;
use crate::graph::caller::Caller;
use crate::graph::typed::{Site, patch};
use crate::graph::typed_bench::marked;
use crate::graph::typed_event::{one, shown};
use crate::wire::graph::json;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::provenance::Home;
use crate::wire::graph::query::{ListQuery, Sought};
use crate::wire::graph::reminder::{HELD, REMINDER};
use crate::wire::graph::shelf::Shelf;
use crate::wire::graph::typed_event::ShownSeries;

/// The events of a calendar whose sign says that they wait. Whose copies they are is asked of each.
pub(super) async fn held_back(
    caller: &Caller,
    site: &Site<'_>,
    calendar: &Shelf,
) -> Result<Vec<TargetItemId>, Setback> {
    let query = ListQuery {
        select: vec!["id".to_owned(), "changeKey".to_owned()],
        bearing: Some((REMINDER, Sought::Is(HELD.to_owned()))),
        ..ListQuery::default()
    };
    let first = site.url(caller, calendar.items(), &query.encode());
    let all = marked(caller, site, first).await?;
    let ids = all.into_iter().filter_map(|own| own.id);
    Ok(ids.map(TargetItemId::new).collect())
}

/// Turns on what waits of one event: its exceptions first, so that the event is found again until all of it is done.
pub(super) async fn remind(
    caller: &Caller,
    site: &Site<'_>,
    id: &str,
) -> Result<Option<(Placed, Placed)>, Setback> {
    let event = match one(caller, site, id).await {
        Err(Setback::Gone) => return Ok(None),
        other => other?,
    };
    // An event that came back from another mailbox brought its sign along.
    let ours = event.waits().map(|mark| mark.home) == Some(Home::of(site.mailbox));
    let (true, Some(body)) = (ours, event.reminded()) else {
        return Ok(None);
    };
    let before = event.placed(200)?;
    if event.kind.as_deref() == Some("seriesMaster") {
        let (status, body) = shown(caller, site, id, &ShownSeries::query()).await?;
        let series: ShownSeries = json::read(status, &body)?;
        for exception in series
            .exception_occurrences
            .iter()
            .filter_map(|own| own.id.as_ref())
        {
            let own = one(caller, site, exception).await?;
            if let Some(body) = own.reminded() {
                let event = exception.clone();
                patch(caller, site, OfUser::Event { event }, body).await?;
            }
        }
    }
    let event = id.to_owned();
    let after = patch(caller, site, OfUser::Event { event }, body).await?;
    Ok(Some((before, after)))
}
