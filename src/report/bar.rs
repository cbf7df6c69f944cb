//! The progress bar: drawn from the counters, at most ten times a second, and only where a person looks.

use std::fmt::Write as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::fact::Bucket;
use crate::base::quantity::{Bytes, Count};
use crate::report::progress::Progress;

/// Drawings per second.
const HZ: u8 = 10;

/// One line on stderr for the whole run.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar on stderr.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(HZ));
        let style = ProgressStyle::with_template("{bar:24} {msg}").expect("a fixed template");
        bar.set_style(style.progress_chars("##-"));
        Self { bar }
    }

    /// Draws what the counters say.
    pub fn draw(&self, progress: &Progress) {
        let (done, all) = done(progress);
        // Nothing listed yet is nothing done, and not all of nothing.
        self.bar.set_length(all.get().max(1));
        self.bar.set_position(done.get());
        self.bar.set_message(message(progress));
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

/// Items that need nothing more from this run, and all items.
fn done(progress: &Progress) -> (Count, Count) {
    let all: Count = progress.mailboxes.iter().map(|m| m.items).sum();
    let to_do: Count = progress
        .mailboxes
        .iter()
        .flat_map(|m| [Bucket::Remaining, Bucket::InDoubt].map(|b| m.buckets.get(&b).copied()))
        .flatten()
        .sum();
    (all.saturating_sub(to_do), all)
}

/// How far it is, in one line without addresses.
pub fn message(progress: &Progress) -> String {
    let (done, all) = done(progress);
    let carried: Bytes = progress.mailboxes.iter().map(|m| m.carried).sum();
    let waiting = progress
        .mailboxes
        .iter()
        .filter(|m| m.waiting.is_some())
        .count();
    let rate: Count = progress.mailboxes.iter().filter_map(|m| m.rate).sum();
    let mut text = format!("{done}/{all} items  {carried}");
    if rate > Count::ZERO {
        write!(text, "  {rate}/h").expect("a string grows");
    }
    if let Some(eta) = progress.mailboxes.iter().filter_map(|m| m.eta).max() {
        write!(text, "  {eta} left").expect("a string grows");
    }
    if waiting > 0 {
        write!(text, "  {waiting} waiting").expect("a string grows");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fact::JobPhase;
    use crate::base::id::{JobId, MailboxId};
    use crate::base::quantity::{Moment, Span};
    use crate::report::progress::Standing;

    #[test]
    fn the_line_shows_items_bytes_rate_and_waits() {
        let standing = Standing {
            job: JobId(0),
            source: MailboxId::new("a@x.example"),
            target: MailboxId::new("a@x.example"),
            phase: JobPhase::Seeding,
            items: Count::new(2_000),
            buckets: [
                (Bucket::Confirmed, Count::new(1_500)),
                (Bucket::Remaining, Count::new(400)),
                (Bucket::InDoubt, Count::new(100)),
            ]
            .into(),
            bytes: Bytes::ZERO,
            carried: Bytes::new(3_000_000),
            routes: None,
            rate: Some(Count::new(9_000)),
            waiting: Some(("the target mailbox", Moment::from_unix_ms(1))),
            eta: Some(Span::from_secs(245)),
            last_error: None,
        };
        let progress = Progress {
            at: Moment::from_unix_ms(0),
            running: true,
            resting: None,
            mailboxes: vec![standing],
        };
        assert_eq!(
            message(&progress),
            "1,500/2,000 items  3.0 MB  9,000/h  4 min 05 s left  1 waiting"
        );
        assert!(!message(&progress).contains('@'));
    }
}
