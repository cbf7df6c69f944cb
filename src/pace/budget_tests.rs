//! What the budget promises: places, order, windows, holds.

use super::*;
use crate::base::limits::HOLD_GAP;
use proptest::prelude::*;

fn upload(n: u64) -> Cost {
    Cost {
        upload: Bytes::new(n),
    }
}

/// The tickets that may go now; their permits with them.
fn go(budget: &mut Budget, now: u64) -> Vec<(Ticket, Permit)> {
    budget.serve(Tick::new(now)).go
}

fn end(budget: &mut Budget, now: u64, permit: Permit) {
    budget.settle(Tick::new(now), permit, Signal::Nothing);
}

#[test]
fn a_full_gate_spends_nothing() {
    let mut budget = Budget::new(1).with_requests(Some(Count::new(2)), Span::new(1000));
    for _ in 0..10 {
        budget.join(Cost::default());
    }
    let first = go(&mut budget, 0).pop().unwrap().1;
    for now in 1..10 {
        assert!(go(&mut budget, now).is_empty());
    }
    end(&mut budget, 10, first);
    assert_eq!(go(&mut budget, 10).len(), 1);
}

#[test]
fn who_waited_first_goes_first_and_who_leaves_is_passed_over() {
    let mut budget = Budget::new(1);
    let tickets: Vec<Ticket> = (0..5).map(|_| budget.join(Cost::default())).collect();
    budget.leave(tickets[2]);
    let mut order = Vec::new();
    while let Some((ticket, permit)) = go(&mut budget, 0).pop() {
        order.push(ticket);
        end(&mut budget, 0, permit);
    }
    assert_eq!(order, [tickets[0], tickets[1], tickets[3], tickets[4]]);
    assert!(budget.is_idle());
}

#[test]
fn small_calls_use_what_a_large_one_must_leave_empty_and_never_delay_it() {
    let window = Span::new(100_000);
    let mut budget = Budget::new(9).with_upload(Some(Bytes::new(100)), window);
    let first = {
        budget.join(upload(90));
        go(&mut budget, 0).pop().unwrap().1
    };
    end(&mut budget, 0, first);
    // 10 are left. The large one waits for the 90 to leave, and then leaves 40.
    let large = budget.join(upload(60));
    let small = budget.join(upload(8));
    let smaller = budget.join(upload(2));
    let too_much = budget.join(upload(1));
    let passed: Vec<Ticket> = go(&mut budget, 1)
        .into_iter()
        .map(|(ticket, _)| ticket)
        .collect();
    assert_eq!(passed, [small, smaller]);
    let next = budget.serve(Tick::new(2)).next.unwrap();
    let then: Vec<Ticket> = go(&mut budget, next.get())
        .into_iter()
        .map(|(t, _)| t)
        .collect();
    assert_eq!(then, [large, too_much]);
}

#[test]
fn after_a_hold_calls_start_one_after_another() {
    let mut budget = Budget::new(100);
    budget.hold(Tick::ZERO, Span::from_secs(10));
    for _ in 0..20 {
        budget.join(Cost::default());
    }
    let (mut now, mut starts) = (Tick::ZERO, Vec::new());
    while !budget.is_idle() {
        let served = budget.serve(now);
        starts.extend(served.go.iter().map(|_| now));
        now = served.next.unwrap_or(now);
    }
    assert!(starts[0] >= Tick::new(10_000));
    assert!(
        starts.windows(2).all(|pair| pair[1] - pair[0] >= HOLD_GAP),
        "{starts:?}"
    );
}

#[test]
fn a_lower_cap_sends_nobody_away_and_lets_nobody_in() {
    let mut budget = Budget::new(4).with_tide(Tide::high(4, Span::from_secs(30)));
    for _ in 0..8 {
        budget.join(Cost::default());
    }
    let mut inside = go(&mut budget, 0);
    assert_eq!(inside.len(), 4);
    budget.set_cap(2);
    for left in (0..4).rev() {
        let (_, permit) = inside.pop().unwrap();
        end(&mut budget, 1, permit);
        assert_eq!(
            go(&mut budget, 1).len(),
            usize::from(left < 2),
            "{left} inside"
        );
        if left < 2 {
            break;
        }
    }
}

proptest! {
    /// Never more than the places in flight, whatever order calls start and end in.
    #[test]
    fn never_more_than_the_places_in_flight(acts in proptest::collection::vec(any::<bool>(), 0..100)) {
        let mut budget = Budget::new(3);
        let mut inside = Vec::new();
        for start in acts {
            if start {
                budget.join(Cost::default());
            } else if let Some((_, permit)) = inside.pop() {
                end(&mut budget, 0, permit);
            }
            inside.extend(go(&mut budget, 0));
            prop_assert!(inside.len() <= 3);
            prop_assert!(inside.len() == 3 || budget.is_idle(), "a free place and somebody waits");
        }
    }

    /// Mailboxes that share a gate: whatever each of them wants and however long its calls take, none gets a turn twice while another that
    /// was waiting before gets none.
    #[test]
    fn nobody_starves_at_a_shared_gate(
        places in 1u32..5,
        lengths in proptest::collection::vec(1u64..50, 2..12),
    ) {
        let mut budget = Budget::new(places);
        let mailboxes = lengths.len();
        let mut owner: Vec<(Ticket, usize)> = Vec::new();
        let mut flying: Vec<(u64, usize, Permit)> = Vec::new();
        let mut turns: Vec<usize> = Vec::new();
        // Each mailbox asks again as soon as it has had its turn.
        for mailbox in 0..mailboxes {
            owner.push((budget.join(Cost::default()), mailbox));
        }
        let mut now = 0;
        while turns.len() < mailboxes * 20 {
            for (ticket, permit) in go(&mut budget, now) {
                let at = owner.iter().position(|(own, _)| *own == ticket).unwrap();
                let (_, mailbox) = owner.remove(at);
                turns.push(mailbox);
                flying.push((now + lengths[mailbox], mailbox, permit));
            }
            let at = (0..flying.len()).min_by_key(|at| flying[*at].0).unwrap();
            let (ended, mailbox, permit) = flying.remove(at);
            now = ended;
            end(&mut budget, now, permit);
            owner.push((budget.join(Cost::default()), mailbox));
        }
        for (mailbox, length) in lengths.iter().enumerate() {
            let at: Vec<usize> = (0..turns.len()).filter(|n| turns[*n] == mailbox).collect();
            // Between two turns of one mailbox every other one has at most as many turns as fit beside one call of this one.
            let longest = usize::try_from(length * u64::from(places)).unwrap() + mailboxes;
            prop_assert!(!at.is_empty(), "mailbox {mailbox} never had a turn");
            prop_assert!(at.windows(2).all(|pair| pair[1] - pair[0] <= longest + mailboxes));
        }
    }

    /// A large item among any number of small ones goes when the window lets it, and not a moment later than without them.
    #[test]
    fn a_large_item_is_never_delayed_by_small_ones(smalls in proptest::collection::vec(1u64..20, 0..60)) {
        let span = Span::new(10_000);
        let turn = |smalls: &[u64]| {
            let mut budget = Budget::new(100).with_upload(Some(Bytes::new(100)), span);
            budget.join(upload(70));
            let (_, permit) = go(&mut budget, 0).pop().unwrap();
            end(&mut budget, 0, permit);
            let large = budget.join(upload(80));
            for small in smalls {
                budget.join(upload(*small));
            }
            let mut now = Tick::new(1);
            loop {
                let served = budget.serve(now);
                let mut found = false;
                for (ticket, permit) in served.go {
                    found |= ticket == large;
                    budget.settle(now, permit, Signal::Nothing);
                }
                if found {
                    return now;
                }
                now = served.next.unwrap_or(now + Span::new(1));
            }
        };
        prop_assert_eq!(turn(&smalls), turn(&[]));
    }
}
