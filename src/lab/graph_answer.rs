//! Answers of the Graph face: as Graph writes them, with its headers, its error bodies and its ways to fail.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use super::world::{Busy, Limit, Refused};
use crate::base::quantity::{Bytes, Moment, Span};
use crate::wire::graph::error::ErrorBody;
use crate::wire::graph::json;

/// One answer, before it gets its ids and its date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    status: u16,
    body: Vec<u8>,
    headers: Vec<(&'static str, String)>,
    /// A Graph error: code and message. Its body is written when its ids are known.
    error: Option<(&'static str, String)>,
    /// Only the first half of the body arrives.
    cut: bool,
}

impl Answer {
    /// JSON.
    pub(super) fn json<T: Serialize>(status: u16, value: &T) -> Self {
        Self {
            status,
            body: json::write(value),
            headers: vec![("content-type", "application/json".to_owned())],
            ..Self::default()
        }
    }

    /// Bytes as they are.
    pub(super) fn bytes(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            headers: vec![("content-type", "application/octet-stream".to_owned())],
            ..Self::default()
        }
    }

    /// No body.
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// What a gateway says when it has nothing to say.
    pub(super) fn html(status: u16) -> Self {
        Self {
            status,
            body: b"<!DOCTYPE html><html><body><h1>Service Unavailable</h1></body></html>".to_vec(),
            headers: vec![("content-type", "text/html".to_owned())],
            ..Self::default()
        }
    }

    /// An error as Graph writes it.
    pub(super) fn error(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            error: Some((code, message.into())),
            ..Self::default()
        }
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Lets only the first half of the body arrive.
    pub(super) fn cut_in_half(mut self) -> Self {
        self.cut = true;
        self
    }

    /// Too fast, with the wait in whole seconds where there is one, and in fractions where it is shorter than a second.
    pub(super) fn too_fast(wait: Option<Span>, message: &str) -> Self {
        let answer = Self::error(429, "ApplicationThrottled", message);
        match wait {
            None => answer,
            Some(wait) => answer.after(wait),
        }
    }

    /// Overloaded, and says when to come again.
    pub(super) fn come_again(wait: Span) -> Self {
        Self::empty(503).after(wait)
    }

    fn after(self, wait: Span) -> Self {
        let (secs, ms) = (wait.get() / 1_000, wait.get() % 1_000);
        let text = match (secs, ms) {
            (_, 0) => secs.to_string(),
            (0, _) => format!("0.{ms:03}"),
            _ => (secs + 1).to_string(),
        };
        self.header("retry-after", text)
    }

    /// The token is good no longer: one must be asked for with these claims (reference/graph.md 7.6).
    pub(super) fn challenge(status: u16, claims: &str) -> Self {
        let claims = crate::wire::base64::encode(claims.as_bytes());
        let header = format!(
            "Bearer realm=\"\", authorization_uri=\"https://login.example/oauth2/authorize\", \
             error=\"insufficient_claims\", claims=\"{claims}\""
        );
        Self::error(
            status,
            "InvalidAuthenticationToken",
            "Continuous access evaluation resulted in challenge.",
        )
        .header("www-authenticate", header)
    }

    /// The answer to a call over a limit.
    pub(super) fn busy(busy: Busy) -> Self {
        let what = match busy.limit {
            Limit::Concurrency => "MailboxConcurrency",
            Limit::Upload => "IncomingBytes",
            Limit::Requests => "RequestRate",
        };
        Self::too_fast(
            Some(busy.wait),
            &format!("Application is over its {what} limit."),
        )
    }

    /// The token is not good.
    pub(super) fn unauthorized() -> Self {
        Self::error(
            401,
            "InvalidAuthenticationToken",
            "Access token has expired or is not yet valid.",
        )
        .header("www-authenticate", "Bearer realm=\"\"")
    }

    /// What a refusal of the world looks like.
    pub(super) fn refused(refused: Refused) -> Self {
        let (status, code, message) = match refused {
            Refused::NoMailbox => (
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            ),
            Refused::NoFolder | Refused::NoItem => (
                404,
                "ErrorItemNotFound",
                "The specified object was not found in the store.",
            ),
            Refused::WrongCase => (400, "ErrorInvalidIdMalformed", "Id is malformed."),
            Refused::SearchFolder | Refused::BadState => {
                (400, "ErrorInvalidOperation", "The operation is invalid.")
            }
            Refused::Corrupt => (500, "ErrorCorruptData", "Data is corrupt."),
            Refused::Protected => (403, "ErrorAccessDenied", "Access is denied."),
            Refused::FolderExists => (
                409,
                "ErrorFolderExists",
                "A folder with the specified name already exists.",
            ),
            Refused::NoSession | Refused::Expired => return Self::unauthorized(),
            Refused::MalformedStream => {
                (400, "ErrorCorruptData", "The item could not be imported.")
            }
            // Permanent, although it is a 500.
            Refused::ImportRefused => (500, "ErrorCorruptData", "The item could not be imported."),
            Refused::Poisoned | Refused::Failing => (500, "UnknownError", ""),
            Refused::WrongVersion => (
                412,
                "ErrorIrresolvableConflict",
                "The send or update operation could not be performed because the change key passed \
                 in the request does not match the current change key for the item.",
            ),
            Refused::TooLarge => (
                413,
                "ErrorMessageSizeExceeded",
                "The message exceeds the maximum supported size.",
            ),
            Refused::QuotaFull => (507, "ErrorQuotaExceeded", "The mailbox is full."),
            Refused::Discarded => (
                500,
                "ErrorCorruptData",
                "This lab throws content away and cannot give it back.",
            ),
        };
        Self::error(status, code, message)
    }

    /// The length of its body, error bodies about.
    pub(super) fn len(&self) -> Bytes {
        let error = self
            .error
            .as_ref()
            .map_or(0, |(c, m)| c.len() + m.len() + 200);
        Bytes::new((self.body.len() + error) as u64)
    }

    /// The HTTP response: ids of the request, the lab's date, and the body, or half of it.
    pub(super) fn into_response(self, id: &str, client_id: Option<&str>, now: Moment) -> Response {
        let body = match &self.error {
            Some((code, message)) => {
                let date = now.to_string();
                ErrorBody::write(code, message, id, date.trim_end_matches('Z'))
            }
            None => self.body,
        };
        let length = body.len();
        let half = self.cut && length > 1;
        let body = if half {
            let first = Chunk::from(body[..length / 2].to_vec());
            let first = stream::once(async { Ok(first) });
            let end = stream::once(async {
                // The server must turn to its socket once, or nothing of the first half leaves.
                tokio::task::yield_now().await;
                Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
            });
            Body::from_stream(first.chain(end))
        } else {
            Body::from(body)
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let mut set = |name: &'static str, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        };
        if half {
            set("content-length", &length.to_string());
        }
        set("request-id", id);
        set("client-request-id", client_id.unwrap_or(id));
        set("date", &http_date(now));
        for (name, text) in &self.headers {
            set(name, text);
        }
        response
    }
}

fn http_date(now: Moment) -> String {
    let at =
        jiff::Timestamp::from_millisecond(now.unix_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A moment as a Date header.
pub(super) fn date_of(at: Moment) -> Option<HeaderValue> {
    HeaderValue::from_str(&http_date(at)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_waits_are_written_as_http_has_them() {
        assert_eq!(
            http_date(Moment::from_unix_ms(0)),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
        let wait = |ms| {
            let answer = Answer::too_fast(Some(Span::new(ms)), "x");
            answer.headers.last().map(|(_, value)| value.clone())
        };
        assert_eq!(wait(200), Some("0.200".to_owned()));
        assert_eq!(wait(2_000), Some("2".to_owned()));
        assert_eq!(wait(2_001), Some("3".to_owned()));
    }
}
