//! The whole retry policy, as one table. No clock, no I/O. Pinned by the snapshot at the end: changing policy means changing a text
//! that a reviewer reads.

use crate::base::outcome::{DoubtCause, HaltCause, Refusal, RefusalWhy, Setback, Verdict};

/// How often a call may take effect. Declared by the caller, never guessed from its HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Reads, and writes that end in the same state however often they run.
    Freely,
    /// Creates: a second success is a duplicate in somebody's mailbox.
    Once,
}

/// Says what to do about `setback`.
pub fn judge(repeat: Repeat, setback: &Setback) -> Verdict {
    let doubt_or_again = |cause: DoubtCause| match repeat {
        Repeat::Freely => Verdict::Again,
        Repeat::Once => Verdict::Doubt(cause),
    };
    match setback {
        // The far side says it did nothing. Waiting is always safe.
        Setback::Throttled { scope, wait, .. } => Verdict::Hold {
            scope: *scope,
            at_least: *wait,
        },
        Setback::Unreached(_) | Setback::Truncated | Setback::NotTried(_) => Verdict::Again,
        // No answer, or one that may hide a success.
        Setback::Lost(cause) => doubt_or_again(cause.clone()),
        Setback::GatewayGaveUp(said) | Setback::Unwell(said) => {
            doubt_or_again(DoubtCause::Answered(said.clone()))
        }
        Setback::Misread(why, _) => doubt_or_again(DoubtCause::Unreadable(*why)),
        Setback::Expired(_) => Verdict::Renew,
        Setback::Gone => Verdict::Forget,
        Setback::FolderGone => Verdict::Resurvey,
        Setback::StateInvalid => Verdict::Resync,
        Setback::ItemRefused(refusal) => Verdict::Refuse(refusal.clone()),
        // A move ends by itself; every other cause waits for a person.
        Setback::MailboxClosed(why @ HaltCause::Moving, _) => Verdict::Pause(*why),
        Setback::MailboxClosed(why, _) => Verdict::Halt(*why),
        Setback::SideClosed(why, _) => Verdict::Stop(*why),
        // A refusal of one create is that item's; a refused read is a bug that would loop.
        Setback::OurRequest(said) => match repeat {
            Repeat::Freely => Verdict::Halt(HaltCause::OurRequest),
            Repeat::Once => Verdict::Refuse(Refusal {
                why: RefusalWhy::TargetRefused,
                said: said.clone(),
            }),
        },
        Setback::Local(why) => Verdict::Drain(*why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::outcome::{LocalCause, MisreadCause, Said, Scope, StopCause, UnreachedCause};
    use crate::base::quantity::Span;
    use std::fmt::Write as _;

    fn all_setbacks() -> Vec<Setback> {
        let said = || Said::new(503, "ErrorServerBusy");
        let throttled = |wait| Setback::Throttled {
            scope: Scope::TargetMailbox,
            wait,
            said: said(),
        };
        let refusal = Refusal {
            why: RefusalWhy::SourceCorrupt,
            said: Said::code("ErrorItemCorrupt"),
        };
        vec![
            throttled(Some(Span::new(500))),
            throttled(None),
            Setback::Unreached(UnreachedCause::Connect),
            Setback::Lost(DoubtCause::TimedOut),
            Setback::GatewayGaveUp(Said::status(504)),
            Setback::Unwell(said()),
            Setback::Expired(Said::status(401)),
            Setback::Truncated,
            Setback::NotTried(Said::code("ErrorBatchProcessingStopped")),
            Setback::Gone,
            Setback::FolderGone,
            Setback::StateInvalid,
            Setback::ItemRefused(refusal),
            Setback::MailboxClosed(HaltCause::QuotaFull, Said::status(507)),
            Setback::MailboxClosed(HaltCause::Moving, Said::code("ErrorMailboxMoveInProgress")),
            Setback::SideClosed(StopCause::TargetCredentials, Said::status(401)),
            Setback::Misread(MisreadCause::Html, Said::status(200)),
            Setback::OurRequest(Said::status(400)),
            Setback::Local(LocalCause::DiskFull),
        ]
    }

    #[test]
    fn the_table() {
        let mut table = String::new();
        for setback in all_setbacks() {
            let row = |repeat| format!("{:?}", judge(repeat, &setback));
            let _ = writeln!(
                table,
                "{setback}\n  freely: {}\n  once:   {}",
                row(Repeat::Freely),
                row(Repeat::Once)
            );
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_create_without_an_answer_is_never_simply_sent_again() {
        for setback in all_setbacks() {
            if judge(Repeat::Once, &setback) == Verdict::Again {
                assert!(
                    matches!(
                        setback,
                        Setback::Unreached(_) | Setback::Truncated | Setback::NotTried(_)
                    ),
                    "{setback:?} would be resent blindly"
                );
            }
        }
    }
}
