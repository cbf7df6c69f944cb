//! Drives the search for the EWS URL: each place is asked without credentials first, and with them only once it asked for them.

use crate::base::id::MailboxId;
use crate::base::outcome::Setback;
use crate::base::probe::HuntSight;
use crate::base::quantity::Bytes;
use crate::base::secret::SafeUrl;
use crate::exchange::sign_in::SignIn;
use crate::transport::{Auth, Call, CallBody, Http, Method};
use crate::wire::autodiscover::hunt::{Form, Heard, Hunt, Outcome, Step};
use crate::wire::autodiscover::reply::REPLY_MAX;
use crate::wire::autodiscover::{pox, soap};

/// Sign-ins that may be refused in one search: each counts towards the lock-out of the account, and a web server at the domain's root may ask for
/// credentials of its own.
const REFUSALS_MAX: u32 = 2;

/// Searches for the EWS URL of a mailbox, as the plan says where: a domain, or the URL of one service (`https://host`).
pub async fn find(
    http: &Http,
    sign_in: &SignIn,
    mailbox: &MailboxId,
    place: &str,
    hosts: &[String],
) -> HuntSight {
    let mut hunt = hunt_of(mailbox, place, hosts);
    let mut refusals = 0;
    loop {
        let heard = match hunt.step() {
            Step::Done(outcome) => return sight(outcome, &hunt),
            Step::Knock { url } => knock(http, url).await,
            Step::Ask { form, url, mailbox } => {
                ask(http, sign_in, form, &url, &mailbox, &mut refusals).await
            }
        };
        if let Some(outcome) = hunt.hear(heard) {
            return sight(outcome, &hunt);
        }
    }
}

fn hunt_of(mailbox: &MailboxId, place: &str, hosts: &[String]) -> Hunt {
    let Some((_, rest)) = place.split_once("://") else {
        return Hunt::new(mailbox.reveal(), place, hosts);
    };
    let base = place.trim_end_matches('/');
    let host = rest.split(['/', ':']).next().unwrap_or(rest);
    Hunt::new(mailbox.reveal(), host, hosts).at(base)
}

fn sight(outcome: Outcome, hunt: &Hunt) -> HuntSight {
    match outcome {
        Outcome::Found { ews_url, said_by } => HuntSight::Found { ews_url, said_by },
        Outcome::Elsewhere { host, said_by } => HuntSight::Elsewhere { host, said_by },
        Outcome::Nowhere => {
            let tried = hunt.tried().iter();
            HuntSight::Nowhere(tried.map(|t| (t.url.clone(), t.what.clone())).collect())
        }
    }
}

async fn knock(http: &Http, url: String) -> Heard {
    match http.send(Call::new(Method::Get, SafeUrl::new(url))).await {
        Ok(reply) => other(reply.status(), reply.header("location")),
        Err(why) => Heard::NoAnswer(why.to_string()),
    }
}

async fn ask(
    http: &Http,
    sign_in: &SignIn,
    form: Form,
    url: &str,
    mailbox: &str,
    refusals: &mut u32,
) -> Heard {
    match post(http, form, url, mailbox, None).await {
        Ok(Heard::Status(401)) if *refusals >= REFUSALS_MAX => Heard::NoAnswer(
            "HTTP 401; the sign-in was refused before and is not tried again".to_owned(),
        ),
        Ok(Heard::Status(401)) => {
            let auth = sign_in.auth();
            match post(http, form, url, mailbox, Some(auth)).await {
                Ok(Heard::Status(401)) => {
                    *refusals += 1;
                    Heard::Status(401)
                }
                Ok(heard) => heard,
                Err(why) => Heard::NoAnswer(why.to_string()),
            }
        }
        Ok(heard) => heard,
        Err(why) => Heard::NoAnswer(why.to_string()),
    }
}

async fn post(
    http: &Http,
    form: Form,
    url: &str,
    mailbox: &str,
    auth: Option<Auth>,
) -> Result<Heard, Setback> {
    let body = match form {
        Form::Soap => soap::request(mailbox, url),
        Form::Pox => pox::request(mailbox),
    };
    let mut call = Call::new(Method::Post, SafeUrl::new(url))
        .header("content-type", "text/xml; charset=utf-8")
        .body(CallBody::bytes(body));
    call.auth = auth;
    let reply = http.send(call).await?;
    let status = reply.status();
    if status != 200 {
        return Ok(other(status, reply.header("location")));
    }
    let body = reply.read_all(Bytes::new(REPLY_MAX as u64)).await?;
    Ok(Heard::Reply(match form {
        Form::Soap => soap::read(&body),
        Form::Pox => pox::read(&body),
    }))
}

/// An answer that is no document. A Location without a host stays on that server, which was asked already.
fn other(status: u16, location: Option<&str>) -> Heard {
    match location {
        Some(to) if (300..400).contains(&status) && to.contains("://") => {
            Heard::Redirect(to.to_owned())
        }
        _ => Heard::Status(status),
    }
}
