//! The upload of one large attachment, as a machine without I/O: it says what to do next, and is told what came of it.
//!
//! ```text
//! Open ──▶ Put ──▶ Put ──▶ … ──▶ created ──▶ Done
//!            │ 416, no answer, an error        ▲
//!            ▼                                 │ it is there
//!           Ask ──▶ Put from where it says     │
//!            │ the session is gone             │
//!            ├─ before the last byte ──▶ Open again, from the first byte
//!            └─ after it ──▶ Look ─────────────┘
//! ```
//!
//! Slices go one after the other; where the next begins is the service's word (reference/graph.md 2.3). An answer that says more than was sent, or
//! "created" before the last byte left, is not believed: an attachment is whole or it is not there.

use crate::base::limits::{
    UPLOAD_RANGES_MAX, UPLOAD_SESSIONS_MAX, UPLOAD_SLICE, UPLOAD_STALLS_MAX,
};
use crate::base::quantity::Bytes;

/// The bytes of one PUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The first.
    pub from: u64,
    /// How many; never none.
    pub len: u64,
    /// Of how many in all.
    pub total: u64,
}

impl Slice {
    /// The header `Content-Range`.
    pub fn content_range(&self) -> String {
        let last = self.from + self.len - 1;
        format!("bytes {}-{last}/{}", self.from, self.total)
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open a session. What an earlier one took is forgotten.
    Open,
    /// Send these bytes.
    Put(Slice),
    /// Ask the session what it misses (GET on its URL).
    Ask,
    /// Look whether the item has the attachment.
    Look,
    /// The attachment is there, whole.
    Done,
    /// It is not, and trying on here would not end. The item may hold it all the same: it is to be made anew.
    Failed(UploadFailed),
}

/// Why an upload is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UploadFailed {
    /// It did not move on, however often asked.
    Stalled,
    /// One session after the other was lost.
    SessionsLost,
    /// The service calls it complete before the last byte was sent.
    TooEarly,
}

/// What came of the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// An answer with `nextExpectedRanges`, to any of the calls on a session.
    Ranges(&'a [String]),
    /// 201 to a slice: the attachment was made.
    Created,
    /// 416: the session expects other bytes.
    OutOfRange,
    /// The session is not known, or its sign-in has run out.
    SessionGone,
    /// No answer, or one that says nothing: an error of the service, a broken connection.
    Broken,
    /// Whether the item has the attachment.
    There(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Sending,
    Asking,
    Looking,
    Done,
    Failed(UploadFailed),
}

/// One upload.
#[derive(Clone, Debug)]
pub struct Upload {
    total: u64,
    phase: Phase,
    /// Where the next slice begins.
    next: u64,
    /// Bytes that left us in this session, at most.
    sent: u64,
    /// The furthest that this session ever expected; only beyond it is progress.
    best: u64,
    stalls: u32,
    sessions: u32,
}

impl Upload {
    /// An upload of so many bytes, before its first session.
    pub const fn new(total: Bytes) -> Self {
        Self {
            total: total.get(),
            phase: Phase::Opening,
            next: 0,
            sent: 0,
            best: 0,
            stalls: 0,
            sessions: 1,
        }
    }

    /// What to do.
    pub fn step(&self) -> Step {
        match self.phase {
            Phase::Opening => Step::Open,
            Phase::Sending => Step::Put(self.slice()),
            Phase::Asking => Step::Ask,
            Phase::Looking => Step::Look,
            Phase::Done => Step::Done,
            Phase::Failed(why) => Step::Failed(why),
        }
    }

    fn slice(&self) -> Slice {
        Slice {
            from: self.next,
            len: UPLOAD_SLICE.min(self.total - self.next),
            total: self.total,
        }
    }

    /// Takes what came of the last step.
    pub fn tell(&mut self, told: Told<'_>) {
        if matches!(self.phase, Phase::Done | Phase::Failed(_)) {
            return;
        }
        if self.phase == Phase::Sending {
            let slice = self.slice();
            self.sent = self.sent.max(slice.from + slice.len);
        }
        match (self.phase, told) {
            (Phase::Looking, Told::There(true)) => self.phase = Phase::Done,
            (Phase::Looking, Told::There(false)) => self.reopen(),
            (Phase::Looking, _) => self.stall(Phase::Looking),
            (Phase::Opening, Told::Ranges(_)) => self.begin(),
            (Phase::Opening, _) => self.stall(Phase::Opening),
            (Phase::Sending, Told::Created) if self.sent == self.total => self.phase = Phase::Done,
            (_, Told::Created) => self.phase = Phase::Failed(UploadFailed::TooEarly),
            (_, Told::Ranges(ranges)) => self.expect(ranges),
            (_, Told::SessionGone) => self.gone(),
            (_, Told::OutOfRange | Told::Broken | Told::There(_)) => self.stall(Phase::Asking),
        }
    }

    /// A new session expects everything, whatever it says.
    const fn begin(&mut self) {
        (self.next, self.sent, self.best) = (0, 0, 0);
        self.phase = if self.total == 0 {
            Phase::Looking
        } else {
            Phase::Sending
        };
    }

    fn expect(&mut self, ranges: &[String]) {
        match first_missing(ranges) {
            Ok(Some(at)) if at < self.total => {
                if at > self.sent {
                    return self.reopen();
                }
                self.next = at;
                if at > self.best {
                    (self.best, self.stalls) = (at, 0);
                    self.phase = Phase::Sending;
                } else {
                    self.stall(Phase::Sending);
                }
            }
            // Nothing is missing, yet nobody said "created".
            Ok(_) if self.sent == self.total => self.stall(Phase::Looking),
            Ok(_) => self.reopen(),
            Err(NotRanges) => self.stall(Phase::Asking),
        }
    }

    /// The session is gone: after the last byte perhaps because it did its work, and only its answer was lost.
    fn gone(&mut self) {
        if self.sent == self.total {
            self.stall(Phase::Looking);
        } else {
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        self.phase = if self.sessions < UPLOAD_SESSIONS_MAX {
            self.sessions += 1;
            Phase::Opening
        } else {
            Phase::Failed(UploadFailed::SessionsLost)
        };
    }

    fn stall(&mut self, then: Phase) {
        self.phase = if self.stalls < UPLOAD_STALLS_MAX {
            self.stalls += 1;
            then
        } else {
            Phase::Failed(UploadFailed::Stalled)
        };
    }
}

/// Ranges that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRanges;

/// The first byte that is missing by `nextExpectedRanges` (`0-`, `100-199`); nothing where the list is empty.
pub fn first_missing(ranges: &[String]) -> Result<Option<u64>, NotRanges> {
    if ranges.len() > UPLOAD_RANGES_MAX {
        return Err(NotRanges);
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| digits).ok_or(NotRanges)
    };
    let mut first: Option<u64> = None;
    for range in ranges {
        let (from, to) = range.trim().split_once('-').ok_or(NotRanges)?;
        let from = number(from)?;
        if !to.is_empty() && number(to)? < from {
            return Err(NotRanges);
        }
        first = Some(first.map_or(from, |own| own.min(from)));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOTAL: u64 = 3 * UPLOAD_SLICE + 5;

    fn text(ranges: &[&str]) -> Vec<String> {
        ranges.iter().map(|own| (*own).to_owned()).collect()
    }

    fn put(from: u64, len: u64) -> Step {
        Step::Put(Slice {
            from,
            len,
            total: TOTAL,
        })
    }

    /// Begun, with so many whole slices accepted.
    fn after(slices: u64) -> Upload {
        let mut upload = Upload::new(Bytes::new(TOTAL));
        assert_eq!(upload.step(), Step::Open);
        upload.tell(Told::Ranges(&text(&["0-"])));
        for at in 1..=slices {
            upload.tell(Told::Ranges(&text(&[&format!("{}-", at * UPLOAD_SLICE)])));
        }
        upload
    }

    #[test]
    fn slices_follow_each_other_to_the_last_answer() {
        let mut upload = after(0);
        assert_eq!(upload.step(), put(0, 3_932_160));
        assert_eq!(
            upload.slice().content_range(),
            format!("bytes 0-3932159/{TOTAL}")
        );
        upload.tell(Told::Ranges(&text(&["3932160-"])));
        assert_eq!(upload.step(), put(UPLOAD_SLICE, UPLOAD_SLICE));
        upload.tell(Told::Ranges(&text(&["7864320-11796484"])));
        upload.tell(Told::Ranges(&text(&["11796480-"])));
        assert_eq!(upload.step(), put(11_796_480, 5));
        assert_eq!(
            upload.slice().content_range(),
            "bytes 11796480-11796484/11796485"
        );
        upload.tell(Told::Created);
        assert_eq!(upload.step(), Step::Done);
        upload.tell(Told::SessionGone);
        assert_eq!(upload.step(), Step::Done);
    }

    #[test]
    fn after_a_break_the_service_says_where_to_go_on() {
        for told in [Told::OutOfRange, Told::Broken] {
            let mut upload = after(1);
            upload.tell(told);
            assert_eq!(upload.step(), Step::Ask);
            // It took what we did not hear of.
            upload.tell(Told::Ranges(&text(&["7864320-"])));
            assert_eq!(upload.step(), put(2 * UPLOAD_SLICE, UPLOAD_SLICE));
            // It took nothing, or part of a slice.
            upload.tell(told);
            upload.tell(Told::Ranges(&text(&["7864321-"])));
            assert_eq!(upload.step(), put(7_864_321, UPLOAD_SLICE));
        }
        // The first of several.
        let mut upload = after(2);
        upload.tell(Told::Ranges(&text(&["9000000-9000001", "8000000-8000001"])));
        assert_eq!(upload.step(), put(8_000_000, TOTAL - 8_000_000));
    }

    #[test]
    fn a_session_that_is_gone_begins_again_or_was_the_last_answer() {
        let mut upload = after(1);
        upload.tell(Told::SessionGone);
        assert_eq!(upload.step(), Step::Open);
        upload.tell(Told::Ranges(&text(&["0-"])));
        assert_eq!(upload.step(), put(0, UPLOAD_SLICE));
        for there in [true, false] {
            let mut upload = after(3);
            upload.tell(Told::Broken);
            assert_eq!(upload.step(), Step::Ask);
            upload.tell(Told::SessionGone);
            assert_eq!(upload.step(), Step::Look);
            upload.tell(Told::There(there));
            let want = if there { Step::Done } else { Step::Open };
            assert_eq!(upload.step(), want);
        }
        // Nothing missing and no word of creation: look.
        let mut upload = after(3);
        upload.tell(Told::Ranges(&[]));
        assert_eq!(upload.step(), Step::Look);
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        let mut early = after(1);
        early.tell(Told::Created);
        assert_eq!(early.step(), Step::Failed(UploadFailed::TooEarly));
        // More than was sent, and all there after a part of it.
        for ranges in [text(&["11796480-"]), Vec::new()] {
            let mut upload = after(1);
            upload.tell(Told::Ranges(&ranges));
            assert_eq!(upload.step(), Step::Open);
        }
        for wrong in [
            "",
            "-",
            "-5",
            "x-",
            "5",
            "+1-",
            "9-8",
            "1-x",
            "99999999999999999999-",
        ] {
            assert_eq!(first_missing(&text(&[wrong])), Err(NotRanges), "{wrong}");
            let mut upload = after(1);
            upload.tell(Told::Ranges(&text(&[wrong])));
            assert_eq!(upload.step(), Step::Ask, "{wrong}");
        }
        assert_eq!(
            first_missing(&vec!["0-".to_owned(); UPLOAD_RANGES_MAX + 1]),
            Err(NotRanges)
        );
    }

    #[test]
    fn it_is_given_up_in_the_end() {
        let mut stuck = after(1);
        let same = text(&["3932160-"]);
        for _ in 0..UPLOAD_STALLS_MAX {
            stuck.tell(Told::Ranges(&same));
            assert_eq!(stuck.step(), put(UPLOAD_SLICE, UPLOAD_SLICE));
        }
        stuck.tell(Told::Ranges(&same));
        assert_eq!(stuck.step(), Step::Failed(UploadFailed::Stalled));
        let mut lost = after(1);
        for _ in 1..UPLOAD_SESSIONS_MAX {
            lost.tell(Told::SessionGone);
            assert_eq!(lost.step(), Step::Open);
            lost.tell(Told::Ranges(&[]));
        }
        lost.tell(Told::SessionGone);
        assert_eq!(lost.step(), Step::Failed(UploadFailed::SessionsLost));
    }

    /// A service that keeps order, behind a line that does not.
    #[derive(Default)]
    struct Service {
        got: u64,
        open: bool,
        whole: u32,
    }

    impl Service {
        /// What a step comes to, under a fault.
        fn meets(&mut self, step: Step, fault: u8, ranges: &mut Vec<String>) -> Told<'static> {
            if fault == 1 {
                return Told::Broken;
            }
            if fault == 2 {
                self.open = false;
            }
            let told = match step {
                Step::Open => {
                    (self.got, self.open) = (0, true);
                    None
                }
                Step::Look => Some(Told::There(self.whole > 0)),
                _ if !self.open => Some(Told::SessionGone),
                Step::Put(slice) if slice.from != self.got => Some(Told::OutOfRange),
                Step::Put(slice) => {
                    self.got += if fault == 3 { slice.len / 2 } else { slice.len };
                    if self.got == TOTAL {
                        self.whole += 1;
                        self.open = false;
                        Some(Told::Created)
                    } else {
                        None
                    }
                }
                _ => None,
            };
            *ranges = vec![format!("{}-", self.got)];
            // The answer is lost.
            if fault == 4 {
                Told::Broken
            } else {
                told.unwrap_or(Told::Ranges(&[]))
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_done_is_there_once_and_whole(faults in proptest::collection::vec(prop_oneof![4 => Just(0_u8), 1 => 1_u8..5], 0..40)) {
            let mut upload = Upload::new(Bytes::new(TOTAL));
            let (mut service, mut faults, mut ranges) = (Service::default(), faults.into_iter(), Vec::new());
            for _ in 0..200 {
                let step = upload.step();
                if matches!(step, Step::Done | Step::Failed(_)) {
                    break;
                }
                let told = service.meets(step, faults.next().unwrap_or(0), &mut ranges);
                upload.tell(if told == Told::Ranges(&[]) { Told::Ranges(&ranges) } else { told });
            }
            match upload.step() {
                Step::Done => prop_assert_eq!(service.whole, 1),
                Step::Failed(why) => prop_assert!(why != UploadFailed::TooEarly && service.whole <= 1),
                other => prop_assert!(false, "{:?} without an end", other),
            }
        }

        #[test]
        fn whatever_it_is_told_it_ends(
            total in prop_oneof![Just(0), Just(1), Just(TOTAL), any::<u64>()],
            tellings in proptest::collection::vec((0_u8..6, any::<bool>(), proptest::collection::vec("[0-9]{0,8}-?[0-9]{0,2}", 0..3)), 400),
        ) {
            let mut upload = Upload::new(Bytes::new(total));
            let mut stalls = 0;
            for (kind, there, ranges) in &tellings {
                if let Step::Put(slice) = upload.step() {
                    prop_assert!(slice.len > 0 && slice.from + slice.len <= total && slice.len <= UPLOAD_SLICE);
                }
                let best = upload.best;
                upload.tell(match kind {
                    0 => Told::Ranges(ranges),
                    1 => Told::Created,
                    2 => Told::OutOfRange,
                    3 => Told::SessionGone,
                    4 => Told::Broken,
                    _ => Told::There(*there),
                });
                stalls = if upload.best > best { 0 } else { stalls + 1 };
                let ended = matches!(upload.step(), Step::Done | Step::Failed(_));
                let bound = (UPLOAD_STALLS_MAX + 2) * (UPLOAD_SESSIONS_MAX + 1) + UPLOAD_SESSIONS_MAX;
                prop_assert!(ended || stalls < bound, "{stalls} steps without progress");
            }
        }
    }
}
