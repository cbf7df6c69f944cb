//! The verdict on the way between the sides: whether streams are taken, and how items of each class will travel.

use serde_json::{Value, json};

use crate::base::losses::{self, Family, family_of};
use crate::base::probe::CanaryTrial;
use crate::base::route::{self, RouteRule};
use crate::preflight::cause::Cause;
use crate::preflight::check::Check;
use crate::preflight::finding::{Finding, State};
use crate::preflight::observed::CanariesSeen;

/// Whether streams of this source are taken by this tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastTransfer {
    /// At least one class went there and came back the same; the classes say which.
    Works,
    /// Nothing was taken.
    Refused,
    /// Nothing was tried, or nothing told.
    NotProven,
}

impl FastTransfer {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Refused => "refused",
            Self::NotProven => "not_proven",
        }
    }
}

/// The verdict of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whether it works.
    pub fast_transfer: FastTransfer,
    /// In one sentence.
    pub detail: String,
    /// What the plan says about routes.
    pub rule: RouteRule,
    /// Each class that was judged.
    pub classes: Vec<ClassWay>,
}

/// How items of a class will travel, as far as a preflight can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As streams.
    Stream,
    /// Read and created by their class.
    Typed,
    /// They are refused.
    None,
}

impl Way {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Typed => "typed",
            Self::None => "none",
        }
    }
}

/// One class of the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassWay {
    /// Its name.
    pub class: String,
    /// The state of its check.
    pub state: State,
    /// How it will travel.
    pub way: Way,
}

impl ClassWay {
    /// Its part of the document; what it loses is there for a class that goes by the typed route.
    pub fn to_json(&self) -> Value {
        let mut out =
            json!({"class": self.class, "state": self.state.word(), "way": self.way.word()});
        if let Some(family) = self.family() {
            let lines = losses::of(family);
            let lines = lines
                .iter()
                .map(|loss| json!({"what": loss.what, "fate": loss.fate.key(), "how": loss.how}));
            out["losses"] = lines.collect();
        }
        out
    }

    /// As what it is carried by the typed route, where it is.
    fn family(&self) -> Option<Family> {
        let typed = self.way == Way::Typed;
        family_of(&self.class).filter(|_| typed)
    }
}

impl Route {
    /// The classes that go by the typed route.
    pub fn by_class(&self) -> impl Iterator<Item = &str> {
        let typed = self.classes.iter().filter(|own| own.way == Way::Typed);
        typed.map(|own| own.class.as_str())
    }

    /// The families of items that go by the typed route; all of them where a plan asks for it and no item was looked at.
    pub fn families(&self) -> Vec<Family> {
        let mut out = Family::ALL.to_vec();
        if self.rule != RouteRule::Typed || !self.classes.is_empty() {
            let own: Vec<Family> = self.classes.iter().filter_map(ClassWay::family).collect();
            out.retain(|family| own.contains(family));
        }
        out
    }
}

/// A class with its diagnosis.
struct Judged {
    own: ClassWay,
    cause: Option<Cause>,
}

impl Judged {
    /// As streams, and one was taken.
    fn is_taken(&self) -> bool {
        let taken = self.own.state == State::Ok || self.cause == Some(Cause::ItemsRefused);
        self.own.way == Way::Stream && taken
    }

    /// By its class, for all that is known.
    fn is_by_class(&self) -> bool {
        self.own.way == Way::Typed && self.own.state != State::Fail
    }

    /// As streams, and nothing could be proved.
    fn is_open(&self) -> bool {
        let known = self.cause == Some(Cause::ItemsRefused);
        self.own.way == Way::Stream && self.own.state == State::Warn && !known
    }
}

/// Which of them are meant.
type Pick = fn(&Judged) -> bool;

/// The verdict.
pub fn verdict(findings: &[Finding], seen: &CanariesSeen, rule: RouteRule) -> Route {
    let judged = |f: &Finding| Judged {
        own: ClassWay {
            class: f.subject.clone(),
            state: f.state,
            way: way(f, seen),
        },
        cause: f.cause,
    };
    let classes: Vec<Judged> = findings
        .iter()
        .filter(|f| f.check == Check::RouteClass && f.state != State::NotChecked)
        .map(judged)
        .collect();
    let (fast_transfer, detail) = match rule {
        RouteRule::Typed => (FastTransfer::NotProven, without_streams(&classes, seen)),
        RouteRule::Auto | RouteRule::Stream => by_streams(&classes, seen),
    };
    Route {
        fast_transfer,
        detail,
        rule,
        classes: classes.into_iter().map(|one| one.own).collect(),
    }
}

/// How items of a class will travel: what its finding says, else the way that its canary took.
fn way(finding: &Finding, seen: &CanariesSeen) -> Way {
    let made = |trial: &CanaryTrial| {
        let same = trial.class.eq_ignore_ascii_case(&finding.subject);
        same && trial.route == route::Route::Typed
    };
    match finding.cause {
        Some(Cause::CarriedByClass) => Way::Typed,
        Some(Cause::ClassRefused | Cause::NoTypedForm | Cause::TypedRefused) => Way::None,
        _ if seen
            .trials
            .iter()
            .any(|trial| !trial.largest && made(trial)) =>
        {
            Way::Typed
        }
        _ => Way::Stream,
    }
}

/// The names of some classes, parted by commas; `None` where there is none.
fn names(classes: &[Judged], pick: Pick) -> Option<String> {
    let picked = classes.iter().filter(|one| pick(one));
    let names: Vec<&str> = picked.map(|one| one.own.class.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// What is said where the plan wants no streams.
fn without_streams(classes: &[Judged], seen: &CanariesSeen) -> String {
    let mut parts = vec!["streams are not tried, as the plan says".to_owned()];
    let by_class = names(classes, Judged::is_by_class);
    parts.extend(by_class.map(|names| format!("carried by class: {names}")));
    let changed = names(classes, |one| {
        one.own.way == Way::Typed && !one.is_by_class()
    });
    parts.extend(changed.map(|names| format!("changed on the way: {names}")));
    let formless = names(classes, |one| one.own.way == Way::None);
    parts.extend(formless.map(|names| format!("not carried: {names}")));
    if classes.is_empty() {
        let why = seen.not_tried.clone();
        parts.push(why.unwrap_or_else(|| "no item was found".to_owned()));
    }
    parts.join("; ")
}

/// Whether streams are taken.
fn by_streams(classes: &[Judged], seen: &CanariesSeen) -> (FastTransfer, String) {
    let works = names(classes, Judged::is_taken);
    let bad = names(classes, |one| one.own.state == State::Fail);
    let by_class = names(classes, Judged::is_by_class);
    let open = names(classes, Judged::is_open);
    let mut parts = Vec::new();
    let refused = bad.is_some() || by_class.is_some();
    let verdict = match (works, refused) {
        (Some(works), false) if open.is_none() => {
            parts.push(format!("works for every class that was found: {works}"));
            FastTransfer::Works
        }
        (Some(works), _) => {
            parts.push(format!("works for {works}"));
            FastTransfer::Works
        }
        (None, true) => {
            parts.push("no class was taken".to_owned());
            FastTransfer::Refused
        }
        (None, false) => {
            let why = seen.not_tried.clone();
            parts.push(match &open {
                Some(open) => format!("nothing could be decided for {open}"),
                None => why.unwrap_or_else(|| "no item was found to try it with".to_owned()),
            });
            FastTransfer::NotProven
        }
    };
    parts.extend(bad.map(|names| format!("refused or changed: {names}")));
    parts.extend(by_class.map(|names| format!("refused, so carried by class: {names}")));
    if verdict == FastTransfer::Works {
        parts.extend(open.map(|names| format!("not proven for {names}")));
    }
    (verdict, parts.join("; "))
}

#[cfg(test)]
mod tests {
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
}
