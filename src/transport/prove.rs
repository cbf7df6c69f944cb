//! Calls on proven connections: the legs of a sign-in and the request itself travel on one socket, in this order and on no other
//! (reference/ews.md section 2, NTLM scope).

use bytes::Bytes as Chunk;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, body::Incoming};

use crate::base::limits;
use crate::base::outcome::{Said, Setback, StopCause, UnreachedCause};
use crate::transport::body::OutBody;
use crate::transport::client::{Http, Ready, Undone};
use crate::transport::dial::host_text;
use crate::transport::pool::Connection;
use crate::transport::proof::{Proof, ProofFault, Prover};
use crate::transport::reply::{Held, Proven, Reply, drain};

/// More legs than any scheme has: NTLM has two, Negotiate up to four.
const LEGS_MAX: u8 = 6;

impl Http {
    /// Sends a call on a connection that is proven, or is proven with it.
    pub(super) async fn prove(
        &self,
        ready: Ready,
        body: Chunk,
        mut held: Held,
    ) -> Result<Reply, Setback> {
        let Some(prover) = self.prover() else {
            return Err(Setback::OurRequest(Said::code("no-identity")));
        };
        loop {
            let mut connection = self.connection(&ready.url, &mut held.deadline).await?;
            let used = connection.used;
            if connection.proven {
                let request = ready.request(OutBody::whole(body.clone()));
                match self
                    .once(&mut connection, request, &mut held.deadline)
                    .await
                {
                    Ok(response) if response.status() == 401 => {
                        // The server no longer knows the connection. It refused before acting, so the call goes again, proven anew.
                        if !emptied(response, &mut held).await {
                            return Err(Setback::Unreached(UnreachedCause::Connect));
                        }
                    }
                    Ok(response) => {
                        connection.proven = stays(prover.lasts(), &response);
                        return Ok(Reply::new(response, connection, Proven::default(), held));
                    }
                    Err(Undone::NotSent(_)) => continue,
                    Err(Undone::Failed(setback)) => return Err(setback),
                }
            }
            let facts = connection.facts.as_ref().map(|facts| facts.end_point());
            let proof = prover.begin(&host_text(&ready.url), facts.as_deref());
            let legs = Legs {
                http: self,
                prover: prover.as_ref(),
                ready: &ready,
                body: &body,
            };
            match legs.walk(connection, proof, held).await {
                Walked::Reply(reply) => return Ok(*reply),
                Walked::Stale(back) if used => held = *back,
                Walked::Stale(_) => return Err(Setback::Unreached(UnreachedCause::Connect)),
                Walked::Failed(setback) => return Err(setback),
            }
        }
    }
}

/// The legs of one proof.
struct Legs<'a> {
    http: &'a Http,
    prover: &'a dyn Prover,
    ready: &'a Ready,
    body: &'a Chunk,
}

/// How a proof ended.
enum Walked {
    /// With a reply: to the call, or the 401 that ends the proof.
    Reply(Box<Reply>),
    /// The idle connection had closed before anything was sent on it.
    Stale(Box<Held>),
    /// Without a reply.
    Failed(Setback),
}

impl Legs<'_> {
    async fn walk(&self, connection: Connection, mut proof: Box<dyn Proof>, held: Held) -> Walked {
        let (mut connection, mut held) = (connection, held);
        let mut said = Proven::default();
        let mut next = proof.next(&[]).await;
        loop {
            let Ok(leg) = next else {
                return Walked::Failed(no_means());
            };
            let request = match self.request(leg.header.expose(), leg.last) {
                Ok(request) => request,
                Err(setback) => return Walked::Failed(setback),
            };
            let sent = self
                .http
                .once(&mut connection, request, &mut held.deadline)
                .await;
            let response = match sent {
                Ok(response) => response,
                Err(Undone::NotSent(_)) if said.legs == 0 => return Walked::Stale(Box::new(held)),
                Err(Undone::NotSent(_)) => {
                    return Walked::Failed(Setback::Unreached(UnreachedCause::Connect));
                }
                Err(Undone::Failed(setback)) => return Walked::Failed(setback),
            };
            said.legs += 1;
            if response.status() != 401 {
                // A server that asks for no sign-in answers the empty leg itself; the call is still to be made.
                let open = !leg.last && matches!(response.status().as_u16(), 200 | 400 | 411 | 500);
                connection.proven = open || stays(self.prover.lasts(), &response);
                if !open {
                    let reply = Reply::new(response, connection, said, held);
                    return Walked::Reply(Box::new(reply));
                }
                if !emptied(response, &mut held).await {
                    return Walked::Failed(Setback::Unreached(UnreachedCause::Connect));
                }
                return self.unasked(connection, held, said).await;
            }
            let challenges = challenges(&response);
            let kept = !closes(&response);
            next = proof.next(&challenges).await;
            let fault = match &next {
                Err(fault) => Some(*fault),
                Ok(_) if !kept || said.legs >= LEGS_MAX => Some(ProofFault::NotKept),
                Ok(_) => None,
            };
            if fault.is_some() {
                let said = Proven { fault, ..said };
                return Walked::Reply(Box::new(Reply::new(response, connection, said, held)));
            }
            if !emptied(response, &mut held).await {
                return Walked::Failed(Setback::Unreached(UnreachedCause::Connect));
            }
        }
    }

    /// The call itself, where the server asked for no sign-in.
    async fn unasked(&self, mut connection: Connection, mut held: Held, said: Proven) -> Walked {
        let request = self.ready.request(OutBody::whole(self.body.clone()));
        match self
            .http
            .once(&mut connection, request, &mut held.deadline)
            .await
        {
            Ok(response) => Walked::Reply(Box::new(Reply::new(response, connection, said, held))),
            Err(Undone::NotSent(_)) => Walked::Failed(Setback::Unreached(UnreachedCause::Connect)),
            Err(Undone::Failed(setback)) => Walked::Failed(setback),
        }
    }

    fn request(&self, header: &str, whole: bool) -> Result<hyper::Request<OutBody>, Setback> {
        let wrong = |_| Setback::OurRequest(Said::code("bad-header"));
        let mut value = HeaderValue::from_str(header).map_err(wrong)?;
        value.set_sensitive(true);
        let body = if whole {
            self.body.clone()
        } else {
            Chunk::new()
        };
        let empty = body.is_empty();
        let mut request = self.ready.request(OutBody::whole(body));
        request.headers_mut().insert(AUTHORIZATION, value);
        if empty {
            let none = HeaderValue::from_static("0");
            request.headers_mut().insert(CONTENT_LENGTH, none);
        }
        Ok(request)
    }
}

/// Reads what came with a 401, so that the next leg can go on the same socket. The connection is nobody else's until the proof is over.
async fn emptied(response: Response<Incoming>, held: &mut Held) -> bool {
    drain(
        response.into_body(),
        &mut held.deadline,
        limits::ERROR_BODY_MAX,
    )
    .await
}

/// This machine has nothing to show: no ticket, no key.
fn no_means() -> Setback {
    Setback::SideClosed(StopCause::SourceCredentials, Said::code("NoTicket"))
}

fn challenges(response: &Response<Incoming>) -> Vec<String> {
    let all = response.headers().get_all(WWW_AUTHENTICATE);
    all.iter()
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect()
}

/// True when the server, or something before it, ends the connection after this reply.
fn closes(response: &Response<Incoming>) -> bool {
    let said = response.headers().get(hyper::header::CONNECTION);
    said.and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().contains("close"))
}

/// Whether a connection stays proven after a reply.
fn stays(lasts: bool, response: &Response<Incoming>) -> bool {
    let said = response.headers().get("persistent-auth");
    let said = said.and_then(|value| value.to_str().ok());
    match said.map(str::trim) {
        Some(word) if word.eq_ignore_ascii_case("false") => false,
        Some(word) if word.eq_ignore_ascii_case("true") => true,
        _ => lasts,
    }
}
