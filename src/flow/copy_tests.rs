//! Tests of the item-copy machine.

use crate::base::books::Due;
use crate::base::fact::{Bucket, CopyFact, CopyRow, Decision, Estrangement, Resolution, SkipRule};
use crate::base::id::{ChangeKey, FolderNo, ItemId, TargetItemId};
use crate::base::item::{Digest, ItemClass, ItemKey, Placed, SourceHeader, Stamp};
use crate::base::limits::{ATTEMPTS_MAX, EMPTY_LOOKS_MIN};
use crate::base::outcome::DoubtCause;
use crate::base::outcome::{Refusal, RefusalWhy, Said};
use crate::base::quantity::{Bytes, Moment};
use crate::base::screening::{
    Answer, Binding, Effect, Judgement, ScreenedBy, Screening, Unscanned,
};
use crate::flow::copy::{CopyState, IllegalFact, ParkCause};
use crate::flow::route::route_of;
use crate::flow::screened::{released, short};
use proptest::prelude::*;

fn placed(n: u32) -> Placed {
    Placed {
        item: TargetItemId::new(format!("t{n}")),
        change_key: ChangeKey::new("c"),
    }
}

fn every_fact() -> Vec<CopyFact> {
    let refusal = Refusal {
        why: RefusalWhy::TargetRefused,
        said: Said::default(),
    };
    vec![
        CopyFact::Intended {
            digest: None,
            stream: Bytes::new(1),
        },
        CopyFact::Acknowledged(placed(1)),
        CopyFact::NothingSent,
        CopyFact::Refused(refusal),
        CopyFact::Lost(DoubtCause::TimedOut),
        CopyFact::SeenOnce(placed(2)),
        CopyFact::NotSeen,
        CopyFact::SeenTwice,
        CopyFact::Adopted(placed(3)),
        CopyFact::Skipped(SkipRule::TooOld),
        CopyFact::Gone,
        CopyFact::ChangedSince,
        UPDATE,
        CopyFact::Updated(placed(4)),
        CopyFact::NotUpdated,
        CopyFact::SameContent,
        CopyFact::Relearned(placed(5)),
        CopyFact::Estranged(Estrangement::Edited),
        CopyFact::Estranged(Estrangement::Missing),
        CopyFact::Retracted,
        CopyFact::Retried(decision()),
        CopyFact::Resolved(Resolution::Again, decision()),
        CopyFact::Resolved(Resolution::Accept, decision()),
        CopyFact::Resolved(Resolution::Leave, decision()),
        screened(Answer::NothingFound, Effect::Passes),
        screened(Answer::Found(Vec::new()), Effect::Withheld),
        screened(Answer::NotScanned(Unscanned::TooDeep), Effect::Waits),
        CopyFact::Judged(Judgement::Release, BOUND, decision()),
        CopyFact::Judged(Judgement::Confirm, BOUND, decision()),
        CopyFact::Rerouted(None),
    ]
}

const BOUND: Binding = Binding {
    content: Some(Digest([9; 32])),
    version: None,
};

fn screened(answer: Answer, effect: Effect) -> CopyFact {
    CopyFact::Screened(Screening {
        by: ScreenedBy::default(),
        answer,
        effect,
        parts: 1,
        bound: BOUND,
    })
}

fn decision() -> Decision {
    Decision {
        by: "a".into(),
        why: "b".into(),
        at: Moment::from_unix_ms(0),
    }
}

const UPDATE: CopyFact = CopyFact::UpdateIntended {
    digest: Some(Digest([2; 32])),
    stream: Bytes::new(2),
};

fn run(facts: &[CopyFact]) -> Result<CopyState, IllegalFact> {
    facts.iter().try_fold(CopyState::NEW, CopyState::apply)
}

const INTENT: CopyFact = CopyFact::Intended {
    digest: None,
    stream: Bytes::ZERO,
};

#[test]
fn a_crash_turns_intended_into_in_doubt_and_nothing_else() {
    // Every state reachable in four facts, seen again after a crash.
    let mut states = vec![CopyState::NEW];
    for _ in 0..4 {
        let mut next = states.clone();
        for state in &states {
            next.extend(
                every_fact()
                    .iter()
                    .filter_map(|f| state.clone().apply(f).ok()),
            );
        }
        next.sort_by_key(|s| format!("{s:?}"));
        next.dedup();
        states = next;
    }
    assert!(states.len() > 15, "only {} states reached", states.len());
    for state in states {
        let after = state.clone().after_crash().unwrap();
        if matches!(state, CopyState::Intended { .. }) {
            assert!(matches!(
                after,
                CopyState::InDoubt {
                    cause: DoubtCause::Crash,
                    ..
                }
            ));
        } else {
            assert_eq!(after, state);
        }
    }
}

#[test]
fn nothing_is_sent_again_before_the_doubt_is_settled() {
    let doubt = run(&[INTENT, CopyFact::Lost(DoubtCause::Reset)]).unwrap();
    assert_eq!(doubt.due(), Some(Due::Doubt));
    assert!(
        doubt.apply(&INTENT).is_err(),
        "an intent must not follow a doubt"
    );
    let intended = run(&[INTENT]).unwrap();
    assert!(
        intended.apply(&INTENT).is_err(),
        "an intent must not follow an intent"
    );
}

#[test]
fn absence_counts_only_after_more_than_one_look() {
    let mut state = run(&[INTENT, CopyFact::Lost(DoubtCause::Reset)]).unwrap();
    for _ in 1..EMPTY_LOOKS_MIN {
        state = state.apply(&CopyFact::NotSeen).unwrap();
        assert_eq!(state.due(), Some(Due::Doubt));
    }
    assert_eq!(
        state.apply(&CopyFact::NotSeen).unwrap(),
        CopyState::Wanted {
            attempts: 1,
            waits: None,
        }
    );
}

#[test]
fn spent_attempts_park_instead_of_looping() {
    let mut state = CopyState::NEW;
    for attempt in 1..=ATTEMPTS_MAX {
        state = state.apply(&INTENT).unwrap();
        state = state.apply(&CopyFact::Lost(DoubtCause::TimedOut)).unwrap();
        for _ in 0..EMPTY_LOOKS_MIN {
            state = state.apply(&CopyFact::NotSeen).unwrap();
        }
        assert_eq!(
            matches!(
                state,
                CopyState::Parked {
                    cause: ParkCause::NeverArrives,
                    ..
                }
            ),
            attempt == ATTEMPTS_MAX
        );
    }
}

#[test]
fn an_item_whose_stream_was_refused_has_another_try_by_its_class_and_no_other_state_changes_its_route()
 {
    let refusal = Refusal {
        why: RefusalWhy::TargetRefused,
        said: Said::default(),
    };
    let rerouted = CopyFact::Rerouted(Some(refusal.clone()));
    for before in [
        vec![],
        vec![INTENT],
        vec![INTENT, CopyFact::Refused(refusal)],
    ] {
        let mut facts = before.clone();
        facts.push(rerouted.clone());
        assert_eq!(run(&facts).unwrap(), CopyState::NEW, "{before:?}");
    }
    let lost = CopyFact::Lost(DoubtCause::Reset);
    for before in [
        vec![INTENT, lost],
        vec![INTENT, CopyFact::Acknowledged(placed(1))],
        vec![
            INTENT,
            CopyFact::Acknowledged(placed(1)),
            CopyFact::ChangedSince,
        ],
        vec![CopyFact::Skipped(SkipRule::TooOld)],
        vec![CopyFact::Gone],
    ] {
        let state = run(&before).unwrap();
        assert!(state.apply(&rerouted).is_err(), "{before:?}");
    }
}

#[test]
fn a_throttled_create_costs_no_attempt() {
    let state = run(&[INTENT, CopyFact::NothingSent]).unwrap();
    assert_eq!(state, CopyState::NEW);
}

#[test]
fn a_doubtful_copy_of_an_item_that_changed_is_not_called_confirmed() {
    let lost = CopyFact::Lost(DoubtCause::Reset);
    let state = run(&[
        INTENT,
        lost,
        CopyFact::ChangedSince,
        CopyFact::SeenOnce(placed(1)),
    ])
    .unwrap();
    assert_eq!(state.bucket(), Some(Bucket::ChangedSince));
}

proptest! {
    /// Over any sequence of facts: the machine never panics, never counts more attempts than allowed, and a copy once known
    /// stays known until it is gone.
    #[test]
    fn any_sequence_of_facts_keeps_the_books(picks in proptest::collection::vec(0usize..30, 0..60)) {
        let facts = every_fact();
        let mut state = CopyState::NEW;
        let mut row = row();
        for pick in picks {
            let before = state.clone();
            match state.clone().apply(&facts[pick]) {
                Ok(next) => {
                    row.facts.push(facts[pick].clone());
                    if let Some(facts) = short(&row, &next) {
                        let again = run(&facts).unwrap();
                        prop_assert_eq!(again.bucket(), next.bucket());
                        prop_assert_eq!(again.placed(), next.placed());
                        prop_assert_eq!(again.due(), next.due());
                        let short = CopyRow { facts, ..row.clone() };
                        prop_assert!(short.facts.len() <= 7, "{:?}", short.facts);
                        if next != CopyState::Gone {
                            prop_assert_eq!(route_of(&short), route_of(&row), "{:?}", row.facts);
                        }
                        if matches!(next, CopyState::Wanted { attempts: 0, waits: None }) {
                            prop_assert_eq!(released(&short), released(&row), "{:?}", row.facts);
                        }
                        if before == next {
                            // From time to time the row is given its short history, as the ledger does.
                            row = short;
                        }
                    }
                    if before.placed().is_some() && next != CopyState::Gone {
                        prop_assert!(next.placed().is_some(), "{before:?} lost its copy to {next:?}");
                    }
                    if let Some(short) = next.shortest() {
                        let again = run(&short).unwrap();
                        prop_assert_eq!(again.bucket(), next.bucket());
                        prop_assert_eq!(again.placed(), next.placed());
                        prop_assert_eq!(again.due(), next.due());
                    }
                    if let CopyState::Intended { attempts, .. } = next {
                        prop_assert!(attempts <= ATTEMPTS_MAX);
                    }
                    state = next;
                }
                Err(error) => prop_assert_eq!(*error.state, before),
            }
        }
    }
}

fn row() -> CopyRow {
    let (id, class) = (ItemId::new("s1"), ItemClass::new("IPM.Note"));
    CopyRow {
        folder: FolderNo(1),
        key: ItemKey::of(&id),
        header: SourceHeader {
            stamp: Stamp::fallback(None, &class, None),
            id,
            class,
            size: Bytes::ZERO,
            read: None,
            received: None,
            version: None,
        },
        facts: Vec::new(),
    }
}

#[test]
fn what_is_withheld_is_never_sent_until_a_person_releases_it() {
    let found = screened(Answer::Found(Vec::new()), Effect::Withheld);
    let withheld = run(std::slice::from_ref(&found)).unwrap();
    assert_eq!(withheld.bucket(), Some(Bucket::Quarantined));
    assert_eq!(withheld.due(), Some(Due::Attention));
    assert!(withheld.is_undecided());
    for fact in [INTENT, CopyFact::Retried(decision()), found.clone()] {
        assert!(withheld.clone().apply(&fact).is_err(), "{fact:?}");
    }
    let confirm = CopyFact::Judged(Judgement::Confirm, BOUND, decision());
    let confirmed = withheld.clone().apply(&confirm).unwrap();
    assert_eq!(confirmed.bucket(), Some(Bucket::Quarantined));
    assert_eq!(confirmed.due(), None, "nobody has to look at it again");
    assert!(confirmed.clone().apply(&INTENT).is_err());
    let release = CopyFact::Judged(Judgement::Release, BOUND, decision());
    for state in [withheld, confirmed] {
        let free = state.apply(&release).unwrap();
        assert_eq!(free, CopyState::NEW);
        assert_eq!(free.due(), Some(Due::Create));
    }
    let changed = run(&[found, CopyFact::ChangedSince]).unwrap();
    assert_eq!(
        changed,
        CopyState::NEW,
        "a newer version is looked into anew"
    );
}

#[test]
fn what_could_not_be_looked_into_waits_and_is_never_sent() {
    let unscanned = screened(Answer::NotScanned(Unscanned::NoEngine), Effect::Waits);
    let waits = run(std::slice::from_ref(&unscanned)).unwrap();
    assert_eq!(waits.bucket(), Some(Bucket::Remaining));
    assert_eq!(
        waits.due(),
        Some(Due::Attention),
        "once a pass, not in every round"
    );
    assert!(waits.clone().apply(&INTENT).is_err());
    let passes = screened(Answer::NothingFound, Effect::Passes);
    let free = waits.apply(&passes).unwrap();
    assert_eq!(free, CopyState::NEW);
    let mut outdated = outdated();
    outdated = outdated.apply(&unscanned).unwrap();
    assert_eq!(outdated.bucket(), Some(Bucket::ChangedSince));
    assert!(outdated.clone().apply(&UPDATE).is_err());
    assert!(outdated.apply(&passes).unwrap().apply(&UPDATE).is_ok());
}

#[test]
fn a_withheld_newer_version_keeps_the_older_copy_in_the_books() {
    let found = screened(Answer::Found(Vec::new()), Effect::Withheld);
    let withheld = outdated().apply(&found).unwrap();
    assert_eq!(withheld.bucket(), Some(Bucket::Quarantined));
    assert_eq!(withheld.placed(), Some(&placed(1)));
    let gone = withheld.clone().apply(&CopyFact::Gone).unwrap();
    assert_eq!(
        gone.due(),
        Some(Due::Retract),
        "the older copy follows its item"
    );
    let release = CopyFact::Judged(Judgement::Release, BOUND, decision());
    let free = withheld.apply(&release).unwrap();
    assert_eq!(free.due(), Some(Due::Update));
}

#[test]
fn a_release_and_the_last_look_survive_a_short_history() {
    let found = screened(Answer::Found(Vec::new()), Effect::Withheld);
    let release = CopyFact::Judged(Judgement::Release, BOUND, decision());
    let passes = screened(Answer::Found(Vec::new()), Effect::Passes);
    let mut row = row();
    row.facts = vec![found, release, passes.clone()];
    for _ in 0..20 {
        row.facts.extend([INTENT, CopyFact::NothingSent]);
    }
    let state = run(&row.facts).unwrap();
    let facts = short(&row, &state).unwrap();
    let again = CopyRow { facts, ..row };
    assert_eq!(run(&again.facts).unwrap(), state);
    assert_eq!(released(&again), Some(BOUND));
    assert!(again.facts.contains(&passes));
}

const SENT: CopyFact = CopyFact::Intended {
    digest: Some(Digest([1; 32])),
    stream: Bytes::new(1),
};

fn outdated() -> CopyState {
    run(&[
        SENT,
        CopyFact::Acknowledged(placed(1)),
        CopyFact::ChangedSince,
    ])
    .unwrap()
}

#[test]
fn an_edit_is_followed_by_an_update_and_then_confirmed_again() {
    let state = outdated();
    assert_eq!(state.due(), Some(Due::Update));
    assert_eq!(state.bucket(), Some(Bucket::ChangedSince));
    let updating = state.apply(&UPDATE).unwrap();
    assert_eq!(updating.due(), Some(Due::Check));
    assert!(
        updating.clone().apply(&UPDATE).is_err(),
        "an update must not follow an unsettled one"
    );
    assert_eq!(updating.clone().after_crash().unwrap(), updating);
    let state = updating.apply(&CopyFact::Updated(placed(1))).unwrap();
    assert_eq!(state.bucket(), Some(Bucket::Confirmed));
}

#[test]
fn what_was_tried_is_remembered_as_ours_until_one_is_confirmed() {
    let state = outdated()
        .apply(&UPDATE)
        .unwrap()
        .apply(&CopyFact::NotUpdated)
        .unwrap();
    let (_, ours) = state.ours().unwrap();
    assert_eq!(ours, [Digest([1; 32]), Digest([2; 32])]);
    let again = state
        .apply(&UPDATE)
        .unwrap()
        .apply(&CopyFact::Updated(placed(2)))
        .unwrap();
    let departed = again.apply(&CopyFact::Gone).unwrap();
    assert_eq!(departed.ours().unwrap().1, [Digest([2; 32])]);
}

#[test]
fn a_copy_that_somebody_else_changed_is_listed_and_never_touched() {
    let parked = outdated()
        .apply(&CopyFact::Estranged(Estrangement::Edited))
        .unwrap();
    assert_eq!(
        (parked.due(), parked.bucket()),
        (Some(Due::Attention), Some(Bucket::Parked))
    );
    assert!(parked.ours().is_none());
    let gone = parked.apply(&CopyFact::Gone).unwrap();
    assert_eq!((gone.due(), gone.bucket()), (Some(Due::Attention), None));
    assert!(gone.apply(&CopyFact::Retracted).is_err());
}

#[test]
fn a_copy_that_was_found_there_is_never_changed_or_removed() {
    let adopted = run(&[CopyFact::Adopted(placed(1))]).unwrap();
    for fact in [CopyFact::ChangedSince, CopyFact::Gone] {
        let state = adopted.clone().apply(&fact).unwrap();
        assert_eq!(state.due(), Some(Due::Attention), "{fact:?}");
        assert!(state.ours().is_none());
        assert!(state.clone().apply(&UPDATE).is_err());
        assert!(state.apply(&CopyFact::Retracted).is_err());
    }
}

#[test]
fn updates_are_attempted_a_bounded_number_of_times() {
    let mut state = outdated();
    for _ in 0..ATTEMPTS_MAX {
        assert_eq!(state.due(), Some(Due::Update));
        state = state
            .apply(&UPDATE)
            .unwrap()
            .apply(&CopyFact::NotUpdated)
            .unwrap();
    }
    assert_eq!(state.due(), Some(Due::Attention));
    assert_eq!(
        state.apply(&CopyFact::ChangedSince).unwrap().due(),
        Some(Due::Update)
    );
}

#[test]
fn a_person_may_have_refused_items_tried_again_and_settle_parked_ones() {
    let refused = CopyFact::Refused(Refusal {
        why: RefusalWhy::TargetRefused,
        said: Said::default(),
    });
    let state = run(&[refused, CopyFact::Retried(decision())]).unwrap();
    assert_eq!(state, CopyState::NEW);
    let parked = run(&[SENT, CopyFact::Lost(DoubtCause::Reset), CopyFact::SeenTwice]).unwrap();
    let looked = parked
        .clone()
        .apply(&CopyFact::Resolved(Resolution::Again, decision()))
        .unwrap();
    assert_eq!(
        looked.due(),
        Some(Due::Doubt),
        "looked at before anything is sent"
    );
    let accepted = parked
        .apply(&CopyFact::Resolved(Resolution::Accept, decision()))
        .unwrap();
    assert_eq!(accepted.bucket(), Some(Bucket::Skipped));
    let edited = accepted.apply(&CopyFact::ChangedSince).unwrap();
    assert_eq!(
        edited.due(),
        None,
        "a decision stands; nothing is sent beside what is there"
    );
}

#[test]
fn an_item_that_left_while_in_doubt_is_never_sent_again() {
    let lost = CopyFact::Lost(DoubtCause::Reset);
    let doubt = run(&[SENT, lost, CopyFact::Gone]).unwrap();
    assert_eq!((doubt.due(), doubt.bucket()), (Some(Due::Doubt), None));
    let seen = doubt.clone().apply(&CopyFact::SeenOnce(placed(1))).unwrap();
    assert_eq!(seen.due(), Some(Due::Retract));
    let unseen =
        (0..EMPTY_LOOKS_MIN).fold(doubt, |state, _| state.apply(&CopyFact::NotSeen).unwrap());
    assert_eq!(unseen, CopyState::Gone);
}

/// Turning on a reminder makes another version of what is there, and nothing else.
#[test]
fn a_copy_that_we_changed_beside_its_content_stays_confirmed() {
    let sent = CopyFact::Intended {
        digest: None,
        stream: Bytes::new(7),
    };
    let facts = [sent, CopyFact::Acknowledged(placed(1))];
    let before = facts
        .iter()
        .try_fold(CopyState::NEW, CopyState::apply)
        .unwrap();
    let after = before
        .clone()
        .apply(&CopyFact::Relearned(placed(2)))
        .unwrap();
    assert_eq!(after.placed(), Some(&placed(2)));
    assert_eq!(after.bucket(), before.bucket());
    assert!(
        CopyState::NEW
            .apply(&CopyFact::Relearned(placed(2)))
            .is_err()
    );
}
