//! Classes whose canaries were made by their class: what came of it.

use crate::base::losses::family_of;
use crate::base::outcome::Setback;
use crate::base::probe::{CanaryEnd, CanaryTrial};
use crate::base::route::RouteRule;
use crate::preflight::cause::Cause;
use crate::preflight::check::Check;
use crate::preflight::facts::Facts;
use crate::preflight::finding::Finding;
use crate::preflight::rights::denial;

/// Fields named in one finding; the others are counted.
const FIELDS_NAMED: usize = 5;

/// The finding of a class, by the trials of both routes.
pub(super) fn class(
    name: &str,
    by_class: &[&CanaryTrial],
    streams: &[&CanaryTrial],
    facts: &Facts,
) -> Finding {
    let check = Check::RouteClass;
    // What is known of its streams stands in front: it is why the class goes by another way.
    let stream = streams.iter().rev().find_map(|trial| match &trial.end {
        CanaryEnd::Refused(why) => Some(format!("as a stream: {why}; ")),
        _ => None,
    });
    let stream = stream.unwrap_or_default();
    let of =
        |cause, detail: String| Finding::of(cause, check, name, format!("{stream}{detail}"), facts);
    if let Some((size, fields)) = by_class.iter().find_map(|trial| match &trial.end {
        CanaryEnd::DiffersIn(fields) => Some((trial.size, fields)),
        _ => None,
    }) {
        let detail = format!(
            "an item of {size}, made by its class, came back with other {}",
            listed(fields)
        );
        return of(Cause::ClassDiffers, detail);
    }
    if let Some(detail) = by_class.iter().find_map(|trial| taken(name, trial)) {
        let refused = by_class.iter().find_map(|trial| match &trial.end {
            CanaryEnd::Refused(why) => Some(why),
            _ => None,
        });
        return match (refused, facts.route) {
            (Some(why), _) => of(
                Cause::ItemsRefused,
                format!("{detail}; another was refused before ({why})"),
            ),
            (None, RouteRule::Typed) => Finding::ok(check, name, detail),
            (None, RouteRule::Auto | RouteRule::Stream) => of(
                Cause::CarriedByClass,
                format!("{detail}; such items are carried by their class"),
            ),
        };
    }
    let tried = by_class.len();
    match by_class.iter().rev().find_map(|trial| failed(trial)) {
        Some((Cause::TypedRefused, why)) if denial(why).is_some() => of(
            Cause::CarriedByClass,
            format!("carried by its class, and none could be made: {why}; see target.rights"),
        ),
        Some((Cause::TypedRefused, Setback::FolderGone)) => of(
            Cause::TypedRefused,
            format!(
                "{tried} tried by their class; the service does not find the folder that the import made a moment before"
            ),
        ),
        Some((cause, why)) => of(cause, format!("{tried} tried by their class; {why}")),
        None => Finding::not_checked(check, name, "nothing was tried"),
    }
}

/// What is said of an item that was made and came back.
fn taken(name: &str, trial: &CanaryTrial) -> Option<String> {
    let back = match &trial.end {
        CanaryEnd::Same => "the same".to_owned(),
        CanaryEnd::ByRoute(1) => {
            "the same but for one field that the route is known to write in another way".to_owned()
        }
        CanaryEnd::ByRoute(n) => {
            format!("the same but for {n} fields that the route is known to write in another way")
        }
        _ => return None,
    };
    let words = family_of(name).map_or("an item", |family| family.words());
    Some(format!(
        "an item of {} was made by its class as {words} and came back {back}",
        trial.size
    ))
}

/// Why an item did not come back.
const fn failed(trial: &CanaryTrial) -> Option<(Cause, &Setback)> {
    match &trial.end {
        CanaryEnd::Refused(why) => Some((Cause::TypedRefused, why)),
        CanaryEnd::Doubtful(why) | CanaryEnd::NotReadBack(why) => {
            Some((Cause::CanaryDoubtful, why))
        }
        CanaryEnd::NotExported(why) => Some((Cause::NotExported, why)),
        _ => None,
    }
}

/// The names of fields, the first few of many.
pub(super) fn listed(fields: &[String]) -> String {
    let some: Vec<&str> = fields
        .iter()
        .take(FIELDS_NAMED)
        .map(String::as_str)
        .collect();
    let more = fields.len().saturating_sub(FIELDS_NAMED);
    match more {
        0 => some.join(", "),
        n => format!("{} and {n} more fields", some.join(", ")),
    }
}
