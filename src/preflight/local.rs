//! Judges the plan and this machine.

use crate::base::probe::{Server, ServerSight, StateTrouble};
use crate::preflight::cause::Cause;
use crate::preflight::check::Check;
use crate::preflight::facts::Facts;
use crate::preflight::finding::Finding;
use crate::preflight::observed::Known;

/// Plan and state directory.
pub fn here(known: &Known, servers: &[(Server, ServerSight)], facts: &Facts) -> Vec<Finding> {
    let mut out = vec![realm(known, servers, facts)];
    if known.twice.is_empty() {
        let detail = format!(
            "{} mailboxes, each with one source and one target",
            known.planned
        );
        out.push(Finding::ok(Check::PlanAddresses, &facts.plan, detail));
    }
    for address in &known.twice {
        let detail = "stands in the plan more than once on one side";
        out.push(Finding::of(
            Cause::AddressTwice,
            Check::PlanAddresses,
            address.reveal(),
            detail,
            facts,
        ));
    }
    out.push(state(known, facts));
    out.push(room(known, facts));
    out
}

fn realm(known: &Known, servers: &[(Server, ServerSight)], facts: &Facts) -> Finding {
    let strange = servers
        .iter()
        .find(|(_, sight)| sight.loopback != known.rehearsal);
    let word = if known.rehearsal { "rehearsal" } else { "live" };
    match strange {
        // A tunnel or proxy on this machine is a way to a real server.
        Some((_, sight)) if sight.loopback => Finding::ok(
            Check::PlanRealm,
            &facts.plan,
            format!(
                "realm {word}; {} is this machine: a tunnel, or a mistake",
                sight.place
            ),
        ),
        Some((_, sight)) => {
            let detail = format!(
                "the realm is {word} and {} is not this machine",
                sight.place
            );
            Finding::of(
                Cause::RealmMismatch,
                Check::PlanRealm,
                &facts.plan,
                detail,
                facts,
            )
        }
        None => Finding::ok(Check::PlanRealm, &facts.plan, format!("realm {word}")),
    }
}

fn state(known: &Known, facts: &Facts) -> Finding {
    let check = Check::State;
    let of = |cause, detail: &str| Finding::of(cause, check, &facts.state, detail, facts);
    match &known.state.trouble {
        None => Finding::ok(check, &facts.state, "usable, and nobody else holds it"),
        Some(StateTrouble::Held(why)) => of(Cause::StateHeld, why),
        Some(StateTrouble::OtherPlan(why)) => of(Cause::StateOtherPlan, why),
        Some(StateTrouble::NotWritable(why)) => of(Cause::StateNotWritable, why),
    }
}

fn room(known: &Known, facts: &Facts) -> Finding {
    let check = Check::StateRoom;
    let Some(free) = known.state.free else {
        return Finding::not_checked(
            check,
            &facts.state,
            "the system does not say how full its disk is",
        );
    };
    let wanted = known.room_wanted;
    let detail = format!("{free} free; ledger and spool may take {wanted}");
    if free < crate::base::limits::LEDGER_DISK_RESERVE {
        Finding::of(Cause::DiskFull, check, &facts.state, detail, facts)
    } else if free < wanted {
        Finding::of(Cause::DiskTight, check, &facts.state, detail, facts)
    } else {
        Finding::ok(check, &facts.state, detail)
    }
}
