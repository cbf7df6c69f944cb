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
#[path = "verdict_tests.rs"]
mod tests;
