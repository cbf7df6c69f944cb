//! A finding: one check of one subject, how it ended, and what to do about it.

use crate::preflight::cause::Cause;
use crate::preflight::check::Check;
use crate::preflight::facts::Facts;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, and somebody should know.
    Warn,
    /// Must be mended before a run.
    Fail,
    /// Nobody looked; the detail says why.
    NotChecked,
}

impl State {
    /// The word in JSON and in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::NotChecked => "not_checked",
        }
    }
}

/// One check of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// Of what: an address of the plan, a host, a class; for the operator's own eyes.
    pub subject: String,
    /// How it ended.
    pub state: State,
    /// What was seen, in one sentence.
    pub detail: String,
    /// The diagnosis, where there is one.
    pub cause: Option<Cause>,
    /// What to do and type; empty where nothing is to be done.
    pub remedy: String,
}

impl Finding {
    /// All is well.
    pub fn ok(check: Check, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(check, subject, State::Ok, detail)
    }

    /// Nobody looked.
    pub fn not_checked(check: Check, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(check, subject, State::NotChecked, why)
    }

    /// Something is wrong, or will be.
    pub fn of(
        cause: Cause,
        check: Check,
        subject: impl Into<String>,
        detail: impl Into<String>,
        facts: &Facts,
    ) -> Self {
        let subject = subject.into();
        let remedy = cause.remedy(facts, &subject);
        Self {
            cause: Some(cause),
            remedy,
            ..Self::new(check, subject, cause.state(), detail)
        }
    }

    fn new(
        check: Check,
        subject: impl Into<String>,
        state: State,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            check,
            subject: subject.into(),
            state,
            detail: detail.into(),
            cause: None,
            remedy: String::new(),
        }
    }
}
