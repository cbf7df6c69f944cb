//! Reading a whole JSON reply: what is missing, cut off or not JSON at all gets its name.

use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::base::outcome::{MisreadCause, Said, Setback};

/// Reads a reply of HTTP `status`. The setback says why it could not be read, never what it said.
pub fn read<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<T, Setback> {
    serde_json::from_slice(body).map_err(|error| {
        let why = if looks_like_html(body) {
            MisreadCause::Html
        } else {
            match error.classify() {
                serde_json::error::Category::Eof => MisreadCause::CutOff,
                serde_json::error::Category::Data => MisreadCause::Incomplete,
                _ => MisreadCause::Malformed,
            }
        };
        Setback::Misread(why, Said::status(status))
    })
}

/// Writes a value. Our own structures have no keys or numbers that JSON cannot carry.
pub fn write<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structures of strings and numbers always serialise")
}

/// True for a body that begins like a web page.
pub fn looks_like_html(body: &[u8]) -> bool {
    let start = body.iter().position(|b| !b.is_ascii_whitespace());
    start.is_some_and(|at| body[at] == b'<')
}

/// Reads an Int64 that OData may write as a number or as text. `null` is 0.
pub(super) fn lax_u64<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Lax {
        Number(i64),
        Text(String),
        Null,
    }
    match Lax::deserialize(from)? {
        // A negative size is a server's bug, not a reason to stop.
        Lax::Number(n) => Ok(u64::try_from(n).unwrap_or(0)),
        Lax::Text(text) => text.parse().map_err(|_| D::Error::custom("not a number")),
        Lax::Null => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named() {
        for (body, want) in [
            ("<!DOCTYPE html>", MisreadCause::Html),
            ("  \n<html>", MisreadCause::Html),
            ("{\"value\":", MisreadCause::CutOff),
            ("", MisreadCause::CutOff),
            ("{]", MisreadCause::Malformed),
            ("{\"value\":1}", MisreadCause::Incomplete),
            ("{}", MisreadCause::Incomplete),
        ] {
            #[derive(Debug, PartialEq, Deserialize)]
            struct Reply {
                value: String,
            }
            assert_eq!(
                read::<Reply>(200, body.as_bytes()),
                Err(Setback::Misread(want, Said::status(200))),
                "{body}"
            );
        }
    }
}
