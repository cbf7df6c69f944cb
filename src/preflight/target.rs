//! Judges Microsoft 365: sign-in, rights, and each mailbox.

use crate::base::outcome::{Code, HaltCause, Said, Setback, StopCause};
use crate::base::probe::{Absent, Server, UserSight};
use crate::base::quantity::Bytes;
use crate::base::route::RouteRule;
use crate::preflight::cause::{Cause, Right};
use crate::preflight::check::Check;
use crate::preflight::facts::{Facts, host};
use crate::preflight::finding::Finding;
use crate::preflight::observed::{Known, MailboxSeen, Observed};
use crate::preflight::rights::{NO_STREAMS, Standing, standing};
use crate::preflight::servers::trouble;
use crate::preflight::source::throttling;

/// Sign-in and pace.
pub fn side(observed: &Observed, facts: &Facts) -> Vec<Finding> {
    let place = host(&facts.graph_url);
    let held = observed
        .mailboxes
        .iter()
        .flat_map(|m| {
            [
                error(m.user.as_ref()),
                error(m.resolved.as_ref()),
                error(m.target_folders.as_ref()),
                error(m.session.as_ref()),
            ]
        })
        .flatten()
        .find(|why| matches!(why, Setback::Throttled { .. }));
    vec![
        sign_in(observed, facts),
        throttling(Server::Graph, held, observed.target_calls, place, facts),
    ]
}

fn error<T>(asked: Option<&Result<T, Setback>>) -> Option<&Setback> {
    asked?.as_ref().err()
}

fn sign_in(observed: &Observed, facts: &Facts) -> Finding {
    let (check, place) = (Check::TargetSignIn, host(&facts.login_url));
    let of = |cause, detail: String| Finding::of(cause, check, place, detail, facts);
    match &observed.token {
        None => Finding::not_checked(
            check,
            place,
            "the sign-in service was not reached; see above",
        ),
        Some(Ok(token)) => {
            let tenant = token.tenant.as_deref().unwrap_or(&facts.tenant);
            Finding::ok(
                check,
                place,
                format!("application accepted in tenant {tenant}"),
            )
        }
        Some(Err(Setback::SideClosed(StopCause::UnknownTenant, said))) => {
            of(Cause::TenantUnknown, format!("{said}"))
        }
        Some(Err(Setback::SideClosed(StopCause::TargetCredentials, said))) => {
            of(refusal(said), format!("{said}"))
        }
        Some(Err(Setback::SideClosed(StopCause::NoRights, said))) => {
            of(Cause::ConsentMissing(Right::Items), format!("{said}"))
        }
        Some(Err(Setback::SideClosed(_, said))) => of(Cause::WrongTargetUrl, format!("{said}")),
        Some(Err(why)) => of(
            trouble(Server::Login, why).unwrap_or(Cause::TargetCredentials),
            why.to_string(),
        ),
    }
}

/// The diagnosis of an AADSTS number (reference/graph.md 7.1).
fn refusal(said: &Said) -> Cause {
    match said.code.as_ref().map(Code::as_str) {
        Some("AADSTS7000215") => Cause::SecretWrong,
        Some("AADSTS7000222") => Cause::SecretExpired,
        Some("AADSTS700016") => Cause::AppUnknown,
        Some("AADSTS700027" | "AADSTS700024" | "AADSTS700023") => Cause::AssertionRefused,
        _ => Cause::TargetCredentials,
    }
}

/// Each mailbox.
pub fn mailboxes(observed: &Observed, known: &Known, facts: &Facts) -> Vec<Finding> {
    let rights = Right::ALWAYS.map(|right| standing(observed, right, facts));
    let mut out = Vec::new();
    for seen in &observed.mailboxes {
        let it = One {
            seen,
            address: seen.target.reveal(),
            rights: &rights,
            facts,
        };
        out.push(it.mailbox());
        out.push(it.licence());
        out.push(it.listed());
        out.push(it.session());
        out.push(it.quota(known));
        out.push(it.item_size(known));
        out.push(it.addresses());
    }
    out
}

struct One<'a> {
    seen: &'a MailboxSeen,
    address: &'a str,
    rights: &'a [Standing; 3],
    facts: &'a Facts,
}

impl One<'_> {
    fn of(&self, cause: Cause, check: Check, detail: impl Into<String>) -> Finding {
        Finding::of(cause, check, self.address, detail, self.facts)
    }

    fn ok(&self, check: Check, detail: impl Into<String>) -> Finding {
        Finding::ok(check, self.address, detail)
    }

    fn not(&self, check: Check, why: impl Into<String>) -> Finding {
        Finding::not_checked(check, self.address, why)
    }

    /// A refusal of this mailbox, where the right itself stands or not.
    fn refused(&self, check: Check, right: Right, why: &Setback) -> Finding {
        if !self.facts.no_import && self.rights[right as usize].is_missing() {
            return self.not(
                check,
                format!("{} is refused as a whole; see target.rights", right.role()),
            );
        }
        match why {
            Setback::MailboxClosed(HaltCause::TargetDenied, said)
            | Setback::SideClosed(StopCause::NoRights, said) => self.of(
                Cause::TargetScope,
                check,
                format!("{said}, while other mailboxes are open"),
            ),
            why => self.of(
                trouble(Server::Graph, why).unwrap_or(Cause::TargetTrouble),
                check,
                why.to_string(),
            ),
        }
    }

    fn mailbox(&self) -> Finding {
        let check = Check::TargetMailbox;
        match &self.seen.resolved {
            None => self.not(
                check,
                "the application was not accepted, or Graph not reached",
            ),
            Some(Ok(())) => self.ok(check, "there"),
            Some(Err(Setback::MailboxClosed(HaltCause::NoTargetMailbox, said))) => {
                self.missing(said)
            }
            Some(Err(why)) => self.refused(check, Right::Users, why),
        }
    }

    fn missing(&self, said: &Said) -> Finding {
        let check = Check::TargetMailbox;
        match (&self.seen.user, self.seen.absent) {
            (_, Some(Absent::Deleted)) => {
                self.of(Cause::TargetDeleted, check, "the user was deleted and can be restored")
            }
            (_, Some(Absent::Never)) => self.of(
                Cause::TargetMissing,
                check,
                "the tenant has no such user, not among the deleted ones either",
            ),
            (_, Some(Absent::NotChecked)) => self.of(
                Cause::TargetMissing,
                check,
                format!("{said}; the deleted users could not be looked at"),
            ),
            (Some(Ok(user)), None) if user.licences_known && user.exchange_plans.is_empty() => self.of(
                Cause::TargetUnlicensed,
                check,
                format!("{said}: the user is there, without an Exchange licence and without a mailbox"),
            ),
            (Some(Ok(user)), None) if user.on_premises => self.of(
                Cause::TargetOnPremises,
                check,
                format!("{said}: the user is synchronised from on premises and licensed, and its mailbox is not in the cloud"),
            ),
            _ => self.of(Cause::TargetNoMailbox, check, format!("{said}")),
        }
    }

    fn user(&self) -> Option<&UserSight> {
        self.seen.user.as_ref()?.as_ref().ok()
    }

    fn licence(&self) -> Finding {
        let check = Check::TargetLicence;
        let there = matches!(self.seen.resolved, Some(Ok(())));
        match self.user() {
            Some(user) if !user.licences_known => {
                self.not(check, "the directory does not show licences")
            }
            Some(user) if !user.exchange_plans.is_empty() => {
                let names: Vec<&str> = user.exchange_plans.iter().map(|id| plan_name(id)).collect();
                self.ok(check, names.join(", "))
            }
            Some(_) if there => self.of(
                Cause::NoLicence,
                check,
                "a mailbox without an Exchange licence",
            ),
            Some(_) => self.not(check, "there is no mailbox; see target.mailbox"),
            None => self.not(check, "the directory did not show the user"),
        }
    }

    fn listed(&self) -> Finding {
        let check = Check::TargetFolders;
        match &self.seen.target_folders {
            None => self.not(check, "the mailbox was not found"),
            Some(Ok(n)) => self.ok(check, format!("{n} folders")),
            Some(Err(why)) => self.refused(check, Right::Folders, why),
        }
    }

    fn session(&self) -> Finding {
        let check = Check::TargetSession;
        match &self.seen.session {
            None if self.facts.route == RouteRule::Typed => self.not(check, NO_STREAMS),
            None => self.not(check, "the mailbox was not found"),
            Some(Ok(())) => self.ok(check, "an import session opens"),
            Some(Err(why)) => self.refused(check, Right::Items, why),
        }
    }

    fn quota(&self, known: &Known) -> Finding {
        let check = Check::TargetQuota;
        let Some(Ok(sum)) = &self.seen.folders else {
            return self.not(check, "the source's size is not known");
        };
        let told = known.ceilings.get(&self.address.to_lowercase());
        let (quota, by) = match (told.and_then(|c| c.quota), self.user()) {
            (Some(quota), _) => (quota, "its ProhibitSendReceiveQuota"),
            (None, Some(user)) => match published_quota(&user.exchange_plans) {
                Some(quota) => (quota, "the published size of its plan"),
                None => {
                    return self.not(check, "the service does not tell a mailbox's size; name an export of the target with --target-inventory");
                }
            },
            (None, None) => return self.not(check, "the directory did not show the user"),
        };
        let detail = format!("the source holds {}, {by} is {quota}", sum.bytes);
        if sum.bytes > quota {
            self.of(Cause::QuotaSmall, check, detail)
        } else if sum.bytes > tenth_less(quota) {
            self.of(Cause::QuotaTight, check, detail)
        } else {
            self.ok(check, detail)
        }
    }

    fn item_size(&self, known: &Known) -> Finding {
        let check = Check::TargetItemSize;
        let told = known.ceilings.get(&self.address.to_lowercase());
        let Some(ceiling) = told.and_then(|c| c.receive) else {
            return self.not(
                check,
                "the service does not tell it; --target-inventory names it, and route.largest_item proves one",
            );
        };
        let Some(Ok(Some(item))) = &self.seen.largest else {
            return self.not(check, "the source's largest item is not known");
        };
        let detail = format!(
            "the largest item has {}, its MaxReceiveSize is {ceiling}",
            item.size
        );
        if item.size > ceiling && item.size <= known.item_max {
            self.of(Cause::ItemSizeSmall, check, detail)
        } else {
            self.ok(check, detail)
        }
    }

    fn addresses(&self) -> Finding {
        let check = Check::TargetAddresses;
        let Some(user) = self.user() else {
            return self.not(check, "the directory did not show the user");
        };
        if user.addresses.is_empty() {
            return self.not(check, "the directory shows no addresses");
        }
        let wanted = self.seen.source.reveal().to_lowercase();
        if user.addresses.iter().any(|own| own.reveal() == wanted) {
            self.ok(check, "has the source's address")
        } else {
            self.of(
                Cause::AddressMissing,
                check,
                "does not have the source's address: after cutover mail for it is lost",
            )
        }
    }
}

fn tenth_less(quota: Bytes) -> Bytes {
    quota.saturating_sub(Bytes::new(quota.get() / 10))
}

/// Service plans with a mailbox, their names and what Microsoft publishes as their mailbox size (Exchange Online limits): plan id, name, GB.
const PLANS: [(&str, &str, u64); 3] = [
    (
        "9aaf7827-d63c-4b61-89c3-182f06f82e5c",
        "Exchange Online (Plan 1)",
        50,
    ),
    (
        "efb87545-963c-4e0d-99df-69c6916d9eb0",
        "Exchange Online (Plan 2)",
        100,
    ),
    (
        "4a82b400-a79f-41a4-b4e2-e94f5787b113",
        "Exchange Online Kiosk",
        2,
    ),
];

fn plan_name(id: &str) -> &str {
    let known = PLANS
        .iter()
        .find(|(own, _, _)| own.eq_ignore_ascii_case(id));
    known.map_or("an Exchange plan", |(_, name, _)| name)
}

/// The largest published size among these plans; `None` where none is known.
fn published_quota(plans: &[String]) -> Option<Bytes> {
    let sizes = plans.iter().filter_map(|id| {
        let known = PLANS
            .iter()
            .find(|(own, _, _)| own.eq_ignore_ascii_case(id))?;
        Some(Bytes::new(known.2 * 1_000_000_000))
    });
    sizes.max()
}
