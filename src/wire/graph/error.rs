//! The error body of Graph: read leniently, for it comes from many services; written as Graph writes it.

use serde::{Deserialize, Serialize};

use crate::base::outcome::{Code, Said};
use crate::wire::graph::json;

/// `{"error":{...}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// The outermost error.
    pub error: ErrorDetail,
}

/// One level of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorDetail {
    /// Code word.
    pub code: Option<String>,
    /// For people. Never repeated by us: it may name mailboxes.
    pub message: Option<String>,
    /// The next level, under either spelling.
    #[serde(alias = "innererror", skip_serializing_if = "Option::is_none")]
    pub inner_error: Option<Box<InnerError>>,
}

/// An inner level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InnerError {
    /// Code word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The service's id of the request.
    #[serde(rename = "request-id", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Our id of the request.
    #[serde(rename = "client-request-id", skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    /// The next level.
    #[serde(alias = "innererror", skip_serializing_if = "Option::is_none")]
    pub inner_error: Option<Box<InnerError>>,
}

/// Which of two limits a throttle names in its message, the only texts that are looked into (reference/graph.md section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitNamed {
    /// Calls in flight per mailbox.
    MailboxConcurrency,
    /// Bytes sent per mailbox.
    IncomingBytes,
}

/// Levels followed inward; honest errors have two or three.
const LEVELS_MAX: usize = 8;

impl ErrorBody {
    /// Reads an error body. `None` for what is not one: a web page, nothing at all, other JSON.
    pub fn read(body: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(body).ok()?;
        (read != Self::default()).then_some(read)
    }

    /// Every code from the outside in.
    pub fn codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = self.error.code.as_deref().into_iter().collect();
        let mut next = self.error.inner_error.as_deref();
        while let Some(inner) = next.filter(|_| codes.len() < LEVELS_MAX) {
            codes.push(inner.code.as_deref().unwrap_or(""));
            next = inner.inner_error.as_deref();
        }
        codes.retain(|code| !code.is_empty());
        codes
    }

    /// Which limit the message names.
    pub fn limit_named(&self) -> Option<LimitNamed> {
        let message = self.error.message.as_deref()?;
        if message.contains("MailboxConcurrency") {
            Some(LimitNamed::MailboxConcurrency)
        } else if message.contains("IncomingBytes") {
            Some(LimitNamed::IncomingBytes)
        } else {
            None
        }
    }

    /// Writes an error as the service does.
    pub fn write(code: &str, message: &str, request_id: &str, date: &str) -> Vec<u8> {
        json::write(&Self {
            error: ErrorDetail {
                code: Some(code.to_owned()),
                message: Some(message.to_owned()),
                inner_error: Some(Box::new(InnerError {
                    date: Some(date.to_owned()),
                    request_id: Some(request_id.to_owned()),
                    client_request_id: Some(request_id.to_owned()),
                    ..InnerError::default()
                })),
            },
        })
    }
}

/// A status and a code word, an empty code left out.
pub(super) fn said_of(status: u16, code: &str) -> Said {
    Said {
        status: Some(status),
        code: Code::new(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_walked_inward_under_either_spelling() {
        let body = br#"{"error":{"code":"UnknownError","message":"","innerError":{"code":"a","innererror":{"code":"b"}}}}"#;
        assert_eq!(
            ErrorBody::read(body).unwrap().codes(),
            ["UnknownError", "a", "b"]
        );
        for body in [
            "",
            "<html>",
            "[]",
            "{}",
            "{\"error\":{}}",
            "{\"error\":null}",
            "{\"error\":1}",
        ] {
            assert_eq!(ErrorBody::read(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn nesting_without_end_does_not_hurt() {
        let deep = format!("{}{}", r#"{"error":{"innerError":"#.repeat(5_000), "}");
        assert_eq!(ErrorBody::read(deep.as_bytes()), None);
        let many = format!(
            r#"{{"error":{{"code":"x","innerError":{}{}}}}}"#,
            r#"{"code":"y","innerError":"#.repeat(50) + "null",
            "}".repeat(50)
        );
        assert_eq!(
            ErrorBody::read(many.as_bytes()).unwrap().codes().len(),
            LEVELS_MAX
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let body = ErrorBody::write(
            "ApplicationThrottled",
            "Application is over its MailboxConcurrency limit.",
            "7b0",
            "2026-01-01T00:00:00",
        );
        let read = ErrorBody::read(&body).unwrap();
        assert_eq!(read.codes(), ["ApplicationThrottled"]);
        assert_eq!(read.limit_named(), Some(LimitNamed::MailboxConcurrency));
    }
}
