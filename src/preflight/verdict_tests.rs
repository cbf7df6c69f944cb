//! Tests of the verdict: what it makes of findings, and findings of trials.

use super::*;
use crate::base::item::ItemClass;
use crate::base::outcome::{Refusal, RefusalWhy, Said, Setback};
use crate::base::probe::CanaryEnd;
use crate::base::quantity::Bytes;
use crate::preflight::facts::Facts;
use crate::preflight::route::findings;

fn refused(why: RefusalWhy) -> CanaryEnd {
    CanaryEnd::Refused(Setback::ItemRefused(Refusal {
        why,
        said: Said::default(),
    }))
}

fn judged(rule: RouteRule, seen: &CanariesSeen) -> (Vec<Finding>, Route) {
    let facts = Facts {
        plan: "p.toml".to_owned(),
        route: rule,
        ..Facts::default()
    };
    let found = findings(seen, &facts);
    let route = verdict(&found, seen, rule);
    (found, route)
}

fn flown(ends: &[(&str, CanaryEnd)]) -> CanariesSeen {
    let trials = ends.iter().map(|(class, end)| CanaryTrial {
        class: (*class).to_owned(),
        size: Bytes::new(9),
        largest: false,
        route: route::Route::Stream,
        end: end.clone(),
    });
    CanariesSeen {
        trials: trials.collect(),
        ..CanariesSeen::default()
    }
}

fn ways(route: &Route) -> Vec<(&str, Way)> {
    let all = route.classes.iter();
    all.map(|own| (own.class.as_str(), own.way)).collect()
}

#[test]
fn a_refused_class_goes_by_its_class_where_plan_and_form_allow() {
    let seen = flown(&[
        ("IPM.Appointment", CanaryEnd::Same),
        ("IPM.Contact", refused(RefusalWhy::TargetRefused)),
        ("IPM.Note", refused(RefusalWhy::SourceDenied)),
        ("IPM.Task", refused(RefusalWhy::TargetRefused)),
    ]);
    let (found, route) = judged(RouteRule::Auto, &seen);
    assert_eq!(
        ways(&route),
        [
            ("IPM.Appointment", Way::Stream),
            ("IPM.Contact", Way::Typed),
            ("IPM.Note", Way::None),
            ("IPM.Task", Way::None)
        ]
    );
    assert_eq!(route.families(), [Family::Contact]);
    assert_eq!(route.fast_transfer, FastTransfer::Works);
    assert_eq!(
        route.detail,
        "works for IPM.Appointment; refused or changed: IPM.Note, IPM.Task; refused, so carried by class: IPM.Contact"
    );
    let by_class = found.iter().find(|own| own.subject == "IPM.Contact");
    let by_class = by_class.expect("a finding");
    assert_eq!(
        (by_class.cause, by_class.state),
        (Some(Cause::CarriedByClass), State::Warn)
    );
    assert!(
        by_class
            .remedy
            .contains("`mailferry losses --class IPM.Contact`")
    );
    let json = route.classes[1].to_json();
    assert_eq!(json["way"], "typed");
    assert_eq!(
        json["losses"].as_array().map(Vec::len),
        Some(losses::of(Family::Contact).len())
    );
    assert_eq!(route.classes[3].to_json()["losses"], Value::Null);
    let task = found.iter().find(|own| own.subject == "IPM.Task");
    assert!(
        task.expect("a finding")
            .remedy
            .contains("export the folder of tasks")
    );

    let (found, route) = judged(RouteRule::Stream, &seen);
    assert!(ways(&route)[1..].iter().all(|(_, way)| *way == Way::None));
    assert_eq!(route.families(), []);
    let contact = found.iter().find(|own| own.subject == "IPM.Contact");
    let contact = contact.expect("a finding");
    assert_eq!(contact.cause, Some(Cause::ClassRefused));
    assert!(
        contact.remedy.contains("route = \"auto\""),
        "{}",
        contact.remedy
    );
}

fn made(class: &str, end: CanaryEnd) -> CanaryTrial {
    CanaryTrial {
        class: class.to_owned(),
        size: Bytes::new(9),
        largest: false,
        route: route::Route::Typed,
        end,
    }
}

fn denied() -> CanaryEnd {
    use crate::base::outcome::HaltCause;
    let said = Said::new(403, "ErrorAccessDenied");
    CanaryEnd::Refused(Setback::MailboxClosed(HaltCause::TargetDenied, said))
}

#[test]
fn what_a_canary_by_its_class_showed_is_said_of_its_class() {
    let trials = vec![
        made("IPM.Appointment", CanaryEnd::ByRoute(3)),
        made(
            "IPM.Contact",
            CanaryEnd::DiffersIn(vec!["surname".to_owned()]),
        ),
        made("IPM.Note", refused(RefusalWhy::TargetRefused)),
        made("IPM.Note", CanaryEnd::Same),
        made("IPM.Note.SMIME", refused(RefusalWhy::NoTypedForm)),
        made("REPORT.IPM.Note.NDR", denied()),
    ];
    let found = ["IPM.Appointment", "IPM.Note.Late", "IPM.Task"].map(ItemClass::new);
    let seen = CanariesSeen {
        trials,
        found: found.to_vec(),
        ..CanariesSeen::default()
    };
    let (found, route) = judged(RouteRule::Typed, &seen);
    let of = |class: &str| {
        let own = found.iter().find(|own| own.subject == class);
        own.expect("a finding")
    };
    let told = |class: &str| (of(class).state, of(class).cause);
    assert_eq!(told("IPM.Appointment"), (State::Ok, None));
    assert_eq!(
        of("IPM.Appointment").detail,
        "an item of 9 B was made by its class as calendar and came back the same but for 3 fields that the route is known to write in another way"
    );
    assert_eq!(
        told("IPM.Contact"),
        (State::Fail, Some(Cause::ClassDiffers))
    );
    assert!(
        of("IPM.Contact")
            .detail
            .ends_with("came back with other surname")
    );
    assert_eq!(told("IPM.Note"), (State::Warn, Some(Cause::ItemsRefused)));
    let refused = (State::Fail, Some(Cause::TypedRefused));
    assert_eq!(told("IPM.Note.SMIME"), refused);
    let carried = (State::Warn, Some(Cause::CarriedByClass));
    assert_eq!(told("IPM.Note.Late"), carried);
    assert_eq!(told("REPORT.IPM.Note.NDR"), carried);
    assert!(
        of("REPORT.IPM.Note.NDR")
            .detail
            .ends_with("see target.rights")
    );
    assert_eq!(told("IPM.Task"), (State::Fail, Some(Cause::NoTypedForm)));
    let typed = Way::Typed;
    assert_eq!(
        ways(&route),
        [
            ("IPM.Appointment", typed),
            ("IPM.Contact", typed),
            ("IPM.Note", typed),
            ("IPM.Note.Late", typed),
            ("IPM.Note.SMIME", Way::None),
            ("IPM.Task", Way::None),
            ("REPORT.IPM.Note.NDR", typed),
        ]
    );
    assert_eq!(
        route.detail,
        "streams are not tried, as the plan says; carried by class: IPM.Appointment, IPM.Note, IPM.Note.Late, REPORT.IPM.Note.NDR; changed on the way: IPM.Contact; not carried: IPM.Note.SMIME, IPM.Task"
    );
    assert_eq!(route.families(), Family::ALL);
}

#[test]
fn a_class_that_fell_back_is_said_to_work_by_its_class_and_not_as_a_stream() {
    let mut seen = flown(&[
        ("IPM.Note", refused(RefusalWhy::TargetRefused)),
        ("IPM.Contact", refused(RefusalWhy::TargetRefused)),
    ]);
    seen.trials.extend([
        made("IPM.Note", refused(RefusalWhy::NoTypedForm)),
        made("IPM.Note", CanaryEnd::Same),
        made("IPM.Contact", refused(RefusalWhy::NoTypedForm)),
    ]);
    let largest = |route, end| CanaryTrial {
        largest: true,
        route,
        ..made("IPM.Note", end)
    };
    seen.trials.extend([
        largest(route::Route::Stream, refused(RefusalWhy::TooLarge)),
        largest(route::Route::Typed, CanaryEnd::Same),
    ]);
    let (found, verdict) = judged(RouteRule::Auto, &seen);
    assert_eq!(verdict.fast_transfer, FastTransfer::Refused);
    assert_eq!(
        verdict.detail,
        "no class was taken; refused or changed: IPM.Contact; refused, so carried by class: IPM.Note"
    );
    let big = found.iter().find(|own| own.check == Check::RouteLargest);
    let big = big.expect("a finding");
    assert_eq!(
        (big.state, &*big.detail),
        (State::Ok, "9 B, taken by its class")
    );
}

#[test]
fn where_everything_is_refused_nothing_is_said_to_work() {
    let seen = flown(&[("IPM.Note", refused(RefusalWhy::TargetRefused))]);
    let (_, route) = judged(RouteRule::Auto, &seen);
    assert_eq!(route.fast_transfer, FastTransfer::Refused);
    assert_eq!(
        route.detail,
        "no class was taken; refused, so carried by class: IPM.Note"
    );
}

#[test]
fn a_plan_without_streams_is_told_of_each_class_that_is_there() {
    let seen = CanariesSeen {
        found: ["IPM.Note", "IPM.StickyNote"].map(ItemClass::new).to_vec(),
        not_tried: Some("the plan sends no streams".to_owned()),
        ..CanariesSeen::default()
    };
    let (found, route) = judged(RouteRule::Typed, &seen);
    assert_eq!(
        ways(&route),
        [("IPM.Note", Way::Typed), ("IPM.StickyNote", Way::None)]
    );
    assert_eq!(route.fast_transfer, FastTransfer::NotProven);
    assert_eq!(
        route.detail,
        "streams are not tried, as the plan says; carried by class: IPM.Note; not carried: IPM.StickyNote"
    );
    let note = found.iter().find(|own| own.subject == "IPM.StickyNote");
    let note = note.expect("a finding");
    assert_eq!(
        (note.cause, note.state),
        (Some(Cause::NoTypedForm), State::Fail)
    );
    assert!(
        note.remedy.contains("export the folder of notes"),
        "{}",
        note.remedy
    );
    // Where nobody looked, every right of the route may be needed.
    let (_, blind) = judged(RouteRule::Typed, &CanariesSeen::default());
    assert_eq!(blind.families(), Family::ALL);
    assert_eq!(
        judged(RouteRule::Auto, &CanariesSeen::default())
            .1
            .families(),
        []
    );
}
