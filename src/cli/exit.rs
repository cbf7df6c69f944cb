//! The documented exit codes (design: contract section 2). Scripts rely on them; none is ever renumbered.

use std::process::ExitCode;

/// How a command ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, nothing open.
    Done,
    /// 1: internal error, a bug.
    Internal,
    /// 2: wrong usage.
    Usage,
    /// 3: an input was refused: inventory, plan, certificate, state.
    Refused,
    /// 4: a side cannot be reached or signed in to, or rights are missing.
    Unreached,
    /// 5: finished, but some items need a decision.
    Decision,
    /// 6: stopped with work left.
    Stopped,
    /// 7: verification found something unexplained.
    Unexplained,
    /// 8: the gate before cutover is open.
    Gate,
    /// 9: another run holds the state directory.
    Held,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreached => 4,
            Self::Decision => 5,
            Self::Stopped => 6,
            Self::Unexplained => 7,
            Self::Gate => 8,
            Self::Held => 9,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
