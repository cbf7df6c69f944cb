//! One call to Graph: the token goes in, and whatever is no success comes out as a setback.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::id::TargetMailboxId;
use crate::base::limits;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::{Count, Moment};
use crate::base::secret::SafeUrl;
use crate::graph::tokens::Tokens;
use crate::port::clock::Clock;
use crate::transport::{Auth, Call, CallBody, CallKind, Http, Method, Reply};
use crate::wire::graph::classify::{self, Answer, Asked};
use crate::wire::graph::path::Resource;

/// Graph as the adapter calls it.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) http: Http,
    pub(super) tokens: Tokens,
    pub(super) clock: Arc<dyn Clock>,
    /// Scheme, host and port, without a slash at the end.
    base: String,
    /// Requests on a mailbox beyond those its callers know of.
    besides: Mutex<BTreeMap<TargetMailboxId, u64>>,
}

impl Caller {
    pub(super) fn new(http: Http, tokens: Tokens, clock: Arc<dyn Clock>, base: String) -> Self {
        Self {
            http,
            tokens,
            clock,
            base,
            besides: Mutex::default(),
        }
    }

    /// Notes `requests` on a mailbox that the pace does not know of.
    pub(super) fn made(&self, mailbox: &TargetMailboxId, requests: u64) {
        if requests > 0 {
            *self.lock().entry(mailbox.clone()).or_default() += requests;
        }
    }

    /// The requests noted for a mailbox, once.
    pub(super) fn take_made(&self, mailbox: &TargetMailboxId) -> Count {
        Count::new(self.lock().remove(mailbox).unwrap_or(0))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TargetMailboxId, u64>> {
        self.besides.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Scheme, host and port of Graph.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The address of a resource; `query` may be empty.
    pub(super) fn url(&self, resource: &Resource, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{query}", self.base, resource.path())
    }

    /// A link out of a reply, to be followed verbatim. Our token goes nowhere but to the host we were told.
    pub(super) fn own_link(&self, link: &str) -> Result<(), Setback> {
        if origin(link).is_some() && origin(link) == origin(&self.base) {
            Ok(())
        } else {
            Err(Setback::Misread(
                MisreadCause::Malformed,
                Said::code("link-elsewhere"),
            ))
        }
    }

    /// A GET whose whole reply is wanted.
    pub(super) async fn get(&self, asked: Asked, url: String) -> Result<(u16, Vec<u8>), Setback> {
        self.whole(asked, Call::new(Method::Get, SafeUrl::new(url)))
            .await
    }

    /// A call whose whole reply is wanted.
    pub(super) async fn whole(&self, asked: Asked, call: Call) -> Result<(u16, Vec<u8>), Setback> {
        let reply = self.send(asked, call).await?;
        Ok((reply.status(), reply.read_all(limits::REPLY_MAX).await?))
    }

    /// Sends a call with our token. Returns only successes.
    pub(super) async fn send(&self, asked: Asked, call: Call) -> Result<Reply, Setback> {
        let token = self.tokens.get().await?;
        let call = call
            .header("accept", "application/json")
            .auth(Auth::Bearer(token.clone()));
        let reply = self.http.send(call).await?;
        if reply.is_success() {
            return Ok(reply);
        }
        let claims = reply
            .headers("www-authenticate")
            .find_map(classify::claims_of);
        if reply.status() == 401 || claims.is_some() {
            self.tokens.refused(&token, claims);
        }
        Err(classify_reply(asked, reply, self.clock.moment()).await)
    }
}

/// A POST that carries JSON.
pub(super) fn json_post(url: String, body: CallBody) -> Call {
    json_call(Method::Post, url, body)
}

/// A call that carries JSON.
pub(super) fn json_call(method: Method, url: String, body: CallBody) -> Call {
    let call = Call::new(method, SafeUrl::new(url));
    let call = if body.is_empty() {
        call
    } else {
        call.header("content-type", "application/json")
    };
    call.body(body).kind(CallKind::Ask)
}

/// Reads an unwelcome reply to its end, as far as it comes, and classifies it.
pub(super) async fn classify_reply(asked: Asked, reply: Reply, now: Moment) -> Setback {
    let status = reply.status();
    let own = |name| reply.header(name).map(str::to_owned);
    let (retry_after, date) = (own("retry-after"), own("date"));
    let challenge = |header: &str| header.contains(classify::CLAIMS);
    let claims_challenge = reply.headers("www-authenticate").any(challenge);
    // An error whose body is cut off is still that error.
    let body = reply.read_all(limits::ERROR_BODY_MAX).await;
    let answer = Answer {
        status,
        retry_after: retry_after.as_deref(),
        date: date.as_deref(),
        claims_challenge,
        body: &body.unwrap_or_default(),
    };
    classify::classify(asked, &answer, now)
}

/// Scheme, host and port of a URL, in small letters.
pub(super) fn origin(url: &str) -> Option<String> {
    let start = url.find("://")? + 3;
    let end = url[start..].find(['/', '?', '#']);
    let end = end.map_or(url.len(), |at| start + at);
    (end > start).then(|| url[..end].to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_the_very_same_host_are_followed() {
        let own = origin("https://graph.microsoft.com");
        for same in [
            "https://graph.microsoft.com/v1.0?$skip=1",
            "HTTPS://Graph.Microsoft.com",
            "https://graph.microsoft.com?x",
        ] {
            assert_eq!(origin(same), own, "{same}");
        }
        for other in [
            "http://graph.microsoft.com/",
            "https://graph.microsoft.com:8443/",
            "https://graph.microsoft.com@evil.example/",
            "https://graph.microsoft.com.evil.example/",
            "https://graph.microsoft.com\\@evil.example/",
            "/v1.0/next",
            "",
            "https://",
        ] {
            assert_ne!(origin(other), own, "{other}");
        }
    }
}
