//! Tokens by client credentials, kept until shortly before they end (reference/graph.md 7.1 and 7.6).

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use oauth2::basic::BasicClient;
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse,
    RequestTokenError, Scope, TokenResponse, TokenUrl,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;

use crate::base::limits;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::{Bytes, Span, Tick};
use crate::base::secret::{SafeUrl, Secret};
use crate::graph::caller::classify_reply;
use crate::graph::lease::renew_at;
use crate::port::clock::Clock;
use crate::transport::{Auth, Call, CallBody, Http, Identity, Method};
use crate::wire::graph::assertion::{self, Claims};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::escape;
use crate::wire::graph::token::ASSERTION_TYPE;

/// How the application proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A client secret.
    Secret(Secret),
    /// A certificate with its key. Only a signature of it leaves this machine.
    Certificate(Identity),
}

/// The application, and the tokens it holds.
#[derive(Debug)]
pub(super) struct Tokens {
    http: Http,
    clock: Arc<dyn Clock>,
    url: String,
    scope: String,
    client_id: String,
    credential: Credential,
    held: Mutex<Held>,
    /// One fetch at a time; the others wait for its result.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<(Secret, Tick)>,
    /// Claims of a challenge, for the next request.
    claims: Option<String>,
}

#[derive(Debug, Error)]
#[error("the token request gave no token")]
struct NoToken(Setback);

impl Tokens {
    /// `login_url` and `graph_url` are the two hosts of the cloud in use, without a slash at the end.
    pub(super) fn new(
        http: Http,
        clock: Arc<dyn Clock>,
        login_url: &str,
        graph_url: &str,
        tenant: &str,
        client_id: &str,
        credential: Credential,
    ) -> Self {
        Self {
            http,
            clock,
            url: format!("{login_url}/{}/oauth2/v2.0/token", escape::segment(tenant)),
            scope: format!("{graph_url}/.default"),
            client_id: client_id.to_owned(),
            credential,
            held: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// What the sign-in service says of this tenant to anybody (OpenID Connect Discovery).
    pub(super) fn discovery_url(&self) -> String {
        let tenant = self.url.trim_end_matches("/oauth2/v2.0/token");
        format!("{tenant}/v2.0/.well-known/openid-configuration")
    }

    /// A token that is good for now.
    pub(super) async fn get(&self) -> Result<Secret, Setback> {
        if let Some(token) = self.held_token() {
            return Ok(token);
        }
        let _alone = self.fetching.lock().await;
        if let Some(token) = self.held_token() {
            return Ok(token);
        }
        let claims = self.lock().claims.take();
        let asked_at = self.clock.tick();
        let fetched = self.fetch(claims.as_deref()).await;
        let mut held = self.lock();
        match fetched {
            Ok((token, life)) => {
                let until = renew_at(asked_at, life, limits::TOKEN_MARGIN);
                held.token = Some((token.clone(), until));
                Ok(token)
            }
            Err(setback) => {
                held.claims = claims;
                Err(setback)
            }
        }
    }

    /// A token was refused, perhaps with a challenge: the next request carries its claims. Whoever hears of it late, when a newer token is held,
    /// changes nothing: one refusal of many calls in flight means one new token.
    pub(super) fn refused(&self, token: &Secret, claims: Option<String>) {
        let mut held = self.lock();
        if held.token.as_ref().is_some_and(|(newer, _)| newer != token) {
            return;
        }
        held.token = None;
        held.claims = claims.or_else(|| held.claims.take());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_token(&self) -> Option<Secret> {
        let now = self.clock.tick();
        let held = self.lock();
        let (token, until) = held.token.as_ref()?;
        (now < *until).then(|| token.clone())
    }

    /// A new assertion: each is used once.
    fn assertion(&self, own: &Identity) -> Result<Secret, Setback> {
        let wrong = || Setback::OurRequest(Said::code("assertion-not-signed"));
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).map_err(|_| wrong())?;
        let claims = Claims::new(&self.url, &self.client_id, id, self.clock.moment());
        let unsigned = claims.unsigned(own.certificate());
        let signature = own.sign_ps256(unsigned.as_bytes()).map_err(|_| wrong())?;
        Ok(Secret::new(assertion::signed(&unsigned, &signature)))
    }

    async fn fetch(&self, claims: Option<&str>) -> Result<(Secret, Span), Setback> {
        let url = TokenUrl::new(self.url.clone())
            .map_err(|_| Setback::OurRequest(Said::code("bad-login-url")))?;
        let mut client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(url);
        if let Credential::Secret(secret) = &self.credential {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        let mut request = client
            .exchange_client_credentials()
            .add_scope(Scope::new(self.scope.clone()));
        if let Credential::Certificate(own) = &self.credential {
            let signed = self.assertion(own)?;
            request = request
                .add_extra_param("client_assertion_type", ASSERTION_TYPE)
                .add_extra_param("client_assertion", signed.expose().to_owned());
        }
        if let Some(claims) = claims {
            request = request.add_extra_param("claims", claims);
        }
        let carrier = Carrier {
            http: self.http.clone(),
            clock: Arc::clone(&self.clock),
        };
        let reply = request.request_async(&carrier).await;
        let unreadable = |why| Setback::Misread(why, Said::status(200));
        let reply = reply.map_err(|error| match error {
            RequestTokenError::Request(NoToken(setback)) => setback,
            RequestTokenError::Parse(_, body) if body.starts_with(b"<") => {
                unreadable(MisreadCause::Html)
            }
            _ => unreadable(MisreadCause::Malformed),
        })?;
        let life = reply
            .expires_in()
            .ok_or_else(|| unreadable(MisreadCause::Incomplete))?;
        Ok((
            Secret::new(reply.access_token().secret().as_str()),
            Span::from_secs(life.as_secs()),
        ))
    }
}

/// The transport as the OAuth library wants it.
struct Carrier {
    http: Http,
    clock: Arc<dyn Clock>,
}

impl<'c> AsyncHttpClient<'c> for Carrier {
    type Error = NoToken;
    type Future = BoxFuture<'c, Result<HttpResponse, NoToken>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.carry(request))
    }
}

impl Carrier {
    /// Anything but a success is classified here, where the whole reply is at hand.
    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, NoToken> {
        let (parts, body) = request.into_parts();
        let call = Call::new(Method::Post, SafeUrl::new(parts.uri.to_string()))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            // The body carries the secret.
            .auth(Auth::InUrl)
            .body(CallBody::bytes(body));
        let reply = self.http.send(call).await.map_err(NoToken)?;
        if !reply.is_success() {
            let setback = classify_reply(Asked::Token, reply, self.clock.moment()).await;
            return Err(NoToken(setback));
        }
        let mut answer = HttpResponse::new(Vec::new());
        if let Some(value) = reply.header("content-type").and_then(|v| v.parse().ok()) {
            answer.headers_mut().insert("content-type", value);
        }
        *answer.body_mut() = reply.read_all(TOKEN_REPLY_MAX).await.map_err(NoToken)?;
        Ok(answer)
    }
}

/// A token is some KB long.
const TOKEN_REPLY_MAX: Bytes = limits::ERROR_BODY_MAX;
