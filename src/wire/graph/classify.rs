//! Every unwelcome answer of Graph, classified once, in one table (reference/graph.md section 8). Status, code words and two documented
//! texts decide; nothing else of a message is looked at.

use crate::base::outcome::{
    CROWDED, Code, HaltCause, Refusal, RefusalWhy, Said, Scope, Setback, StopCause,
};
use crate::base::quantity::{Moment, Span};
use crate::wire::graph::error::{ErrorBody, LimitNamed, said_of};
use crate::wire::graph::{retry_after, token};

/// What was asked. The same status means different things to different calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// A token.
    Token,
    /// The mailbox id of a user.
    Settings,
    /// Folders.
    Folders,
    /// A new folder.
    MakeFolder,
    /// A page of items, or the version of one.
    Items,
    /// An import session.
    Session,
    /// The import of an item, on the pre-authenticated URL.
    Import,
    /// The stream of an item.
    Export,
    /// The deletion of an item.
    Delete,
    /// A message, event or contact made by its fields, or moved to where it belongs.
    Compose,
    /// An attachment of an item that was made just now, or a session for one.
    Attach,
    /// A slice of an attachment, or a question about it, on the pre-authenticated URL.
    Upload,
    /// A change of an item's fields.
    Amend,
}

impl Asked {
    /// True for what makes an item, so that what cannot be told from a success is not called a refusal.
    const fn makes(self) -> bool {
        matches!(self, Self::Import | Self::Compose)
    }

    /// True where a refusal of the request is one of the item.
    const fn of_one_item(self) -> bool {
        self.makes() || matches!(self, Self::Attach | Self::Upload | Self::Amend)
    }
}

/// How long what was made just now may stay out of sight of the next call. Others double their waits from about a second (reference/graph.md 2.3).
const UNSEEN_WAIT: Span = Span::from_secs(1);

/// An answer that is not a success.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Status.
    pub status: u16,
    /// `Retry-After`, as it came.
    pub retry_after: Option<&'a str>,
    /// `Date`, as it came: what a Retry-After date is measured against, so that our own clock need not be right.
    pub date: Option<&'a str>,
    /// True when a `WWW-Authenticate` header says `insufficient_claims`.
    pub claims_challenge: bool,
    /// The body.
    pub body: &'a [u8],
}

/// Says what an answer means. `now` serves only where a Retry-After date comes without a Date header.
pub fn classify(asked: Asked, answer: &Answer<'_>, now: Moment) -> Setback {
    let body = ErrorBody::read(answer.body);
    let codes = body.as_ref().map(ErrorBody::codes).unwrap_or_default();
    // Both limits come under one code; only the message tells them apart.
    let said = match body.as_ref().and_then(ErrorBody::limit_named) {
        Some(LimitNamed::MailboxConcurrency) => said_of(answer.status, CROWDED),
        Some(LimitNamed::IncomingBytes) | None => said_of(answer.status, telling(&codes)),
    };
    let wait = retry_after::wait(answer.retry_after, answer.date, now);
    if let Some(setback) = by_code(asked, answer.status, &codes, &said) {
        return setback;
    }
    match answer.status {
        429 | 509 => Setback::Throttled {
            scope: scope_of(asked),
            wait,
            said,
        },
        400..=403 if asked == Asked::Token => token::refusal(answer.status, answer.body),
        401 => Setback::Expired(if answer.claims_challenge {
            Said::new(401, CLAIMS)
        } else {
            said
        }),
        403 if answer.claims_challenge => Setback::Expired(Said::new(403, CLAIMS)),
        403 => forbidden(asked, said),
        404 => not_found(asked, codes.is_empty(), said),
        408 => Setback::GatewayGaveUp(said),
        410 if asked == Asked::Items => Setback::StateInvalid,
        413 if asked.of_one_item() => refused(RefusalWhy::TooLarge, said),
        423 => Setback::Unwell(said),
        507 => Setback::MailboxClosed(HaltCause::QuotaFull, said),
        // A service that says when to come again has refused before acting; for a create that is not certain enough.
        503 if !asked.makes() && wait.is_some() => Setback::Throttled {
            scope: scope_of(asked),
            wait,
            said,
        },
        503 => Setback::Unwell(said),
        500..=599 => Setback::GatewayGaveUp(said),
        300..=399 => Setback::SideClosed(StopCause::WrongTargetAddress, said),
        400..=499 if asked.of_one_item() => refused(RefusalWhy::TargetRefused, said),
        _ => Setback::OurRequest(said),
    }
}

/// The code under which a claims challenge is reported; the challenge itself is in the header.
pub const CLAIMS: &str = "insufficient_claims";

/// Takes the base64 text of the claims out of a `WWW-Authenticate` header (reference/graph.md 7.6).
pub fn claims_of(header: &str) -> Option<String> {
    if !header.contains(CLAIMS) {
        return None;
    }
    let at = header.find("claims=\"")?;
    let text = &header[at + 8..];
    let bytes = crate::wire::base64::decode(&text[..text.find('"')?]).ok()?;
    String::from_utf8(bytes).ok()
}

/// True when a folder of that name is already there: list, and adopt it (reference/graph.md 1.4).
pub fn is_folder_conflict(said: &Said) -> bool {
    let code = said.code.as_ref().map(Code::as_str);
    said.status == Some(409) || matches!(code, Some("ErrorFolderExists" | "nameAlreadyExists"))
}

/// The code that says most: the first that is not a placeholder.
fn telling<'a>(codes: &[&'a str]) -> &'a str {
    let placeholder =
        |code: &str| matches!(code, "UnknownError" | "BadRequest" | "generalException");
    let first = codes.iter().copied();
    let best = first.clone().find(|code| !placeholder(code));
    best.or_else(|| first.clone().next()).unwrap_or("")
}

/// Codes that mean the same under any status.
fn by_code(asked: Asked, status: u16, codes: &[&str], said: &Said) -> Option<Setback> {
    codes.iter().find_map(|code| {
        let said = said.clone();
        Some(match *code {
            "ApplicationThrottled"
            | "TooManyRequests"
            | "activityLimitReached"
            | "throttledRequest"
                if status != 429 && !asked.makes() =>
            {
                Setback::Throttled {
                    scope: scope_of(asked),
                    wait: None,
                    said,
                }
            }
            "Authorization_RequestDenied" => Setback::SideClosed(StopCause::NoRights, said),
            "MailboxNotEnabledForRESTAPI"
            | "MailboxNotHostedInExchangeOnline"
            | "extensionError"
            | "Request_ResourceNotFound"
            | "ErrorInvalidUser"
            | "ErrorNonExistentMailbox" => Setback::MailboxClosed(HaltCause::NoTargetMailbox, said),
            "ErrorQuotaExceeded" | "quotaLimitReached" => {
                Setback::MailboxClosed(HaltCause::QuotaFull, said)
            }
            "ErrorFolderNotFound" | "ErrorSyncFolderNotFound" => Setback::FolderGone,
            "SyncStateNotFound" | "SyncStateInvalid" | "resyncRequired"
                if asked == Asked::Items =>
            {
                Setback::StateInvalid
            }
            // The store has not caught up with the create before: nothing was done, and soon it can be.
            "ErrorItemNotFound" | "itemNotFound" if asked == Asked::Attach => Setback::Throttled {
                scope: Scope::TargetMailbox,
                wait: Some(UNSEEN_WAIT),
                said,
            },
            // The session knows no more of it; a new one may.
            "uploadSessionNotFound" if asked == Asked::Upload => Setback::Gone,
            // A 500 that repeating does not cure.
            "ErrorCorruptData" | "ErrorItemCorrupt"
                if asked.of_one_item() || asked == Asked::Export =>
            {
                refused(RefusalWhy::TargetRefused, said)
            }
            "ErrorMessageSizeExceeded" | "maxFileSizeExceeded" if asked.of_one_item() => {
                refused(RefusalWhy::TooLarge, said)
            }
            _ => return None,
        })
    })
}

fn refused(why: RefusalWhy, said: Said) -> Setback {
    Setback::ItemRefused(Refusal { why, said })
}

const fn scope_of(asked: Asked) -> Scope {
    match asked {
        Asked::Token | Asked::Settings => Scope::TargetApp,
        _ => Scope::TargetMailbox,
    }
}

fn forbidden(asked: Asked, said: Said) -> Setback {
    match asked {
        // The session's token is what was refused; a new session tells whether the mailbox is closed.
        Asked::Import | Asked::Upload => Setback::Expired(said),
        // Held content may not be deleted; the mailbox is open all the same.
        Asked::Delete => refused(RefusalWhy::TargetRefused, said),
        _ => Setback::MailboxClosed(HaltCause::TargetDenied, said),
    }
}

fn not_found(asked: Asked, wordless: bool, said: Said) -> Setback {
    match asked {
        Asked::Token => Setback::SideClosed(StopCause::WrongTargetAddress, said),
        Asked::Settings if wordless => Setback::SideClosed(StopCause::WrongTargetAddress, said),
        // A gateway that does not know the way, not Exchange speaking of a folder or item.
        _ if wordless => Setback::GatewayGaveUp(said),
        Asked::Settings | Asked::Session => {
            Setback::MailboxClosed(HaltCause::NoTargetMailbox, said)
        }
        Asked::Folders | Asked::MakeFolder | Asked::Items | Asked::Import | Asked::Compose => {
            Setback::FolderGone
        }
        Asked::Export | Asked::Delete | Asked::Attach | Asked::Upload => Setback::Gone,
        // What is not there is not the version that was meant.
        Asked::Amend => refused(RefusalWhy::TargetRefused, said),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    const ALL: [Asked; 13] = [
        Asked::Token,
        Asked::Settings,
        Asked::Folders,
        Asked::MakeFolder,
        Asked::Items,
        Asked::Session,
        Asked::Import,
        Asked::Export,
        Asked::Delete,
        Asked::Compose,
        Asked::Attach,
        Asked::Upload,
        Asked::Amend,
    ];

    fn answer(
        status: u16,
        retry_after: Option<&'static str>,
        body: &'static str,
    ) -> Answer<'static> {
        Answer {
            status,
            retry_after,
            date: Some("Mon, 23 Nov 2026 10:00:00 GMT"),
            claims_challenge: false,
            body: body.as_bytes(),
        }
    }

    fn error(code: &str) -> &'static str {
        format!(r#"{{"error":{{"code":"{code}","message":"words"}}}}"#).leak()
    }

    #[test]
    fn the_table() {
        const HTML: &str = "<html>gateway</html>";
        let rows = [
            (429, Some("10"), error("TooManyRequests")),
            (429, None, error("ApplicationThrottled")),
            (429, Some("0.0011"), ""),
            (429, Some("Mon, 23 Nov 2026 10:01:40 GMT"), "UnknownError"),
            (509, None, ""),
            (503, Some("7"), error("serviceNotAvailable")),
            (503, None, HTML),
            (504, None, error("UnknownError")),
            (500, None, ""),
            (502, None, HTML),
            (500, None, error("ErrorCorruptData")),
            (401, None, error("InvalidAuthenticationToken")),
            (403, None, error("ErrorAccessDenied")),
            (403, None, error("Authorization_RequestDenied")),
            (404, None, error("MailboxNotEnabledForRESTAPI")),
            (404, None, error("Request_ResourceNotFound")),
            (404, None, error("ErrorItemNotFound")),
            (404, None, error("ErrorFolderNotFound")),
            (404, None, HTML),
            (409, None, error("ErrorFolderExists")),
            (410, None, error("resyncRequired")),
            (412, None, error("ErrorIrresolvableConflict")),
            (413, None, ""),
            (413, None, error("ErrorMessageSizeExceeded")),
            (423, None, ""),
            (507, None, error("ErrorQuotaExceeded")),
            (400, None, error("ErrorInvalidRequest")),
            (
                400,
                None,
                r#"{"error":"invalid_client","error_codes":[7000215]}"#,
            ),
            (
                400,
                None,
                r#"{"error":"invalid_request","error_codes":[90002]}"#,
            ),
            (302, None, ""),
        ];
        let mut table = String::new();
        for (status, retry_after, body) in rows {
            let wait = retry_after.unwrap_or("-");
            let _ = writeln!(table, "{status} retry-after {wait} body {body:?}");
            let mut said: Vec<(String, Vec<Asked>)> = Vec::new();
            for asked in ALL {
                let now = Moment::from_unix_ms(0);
                let setback = classify(asked, &answer(status, retry_after, body), now);
                let text = format!("{setback:?}");
                match said.iter_mut().find(|(known, _)| *known == text) {
                    Some((_, who)) => who.push(asked),
                    None => said.push((text, vec![asked])),
                }
            }
            for (text, who) in said {
                let _ = writeln!(table, "    {text}\n        {who:?}");
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_claims_challenge_asks_for_a_new_token_and_carries_its_claims() {
        let mut challenged = answer(403, None, "");
        challenged.claims_challenge = true;
        assert_eq!(
            classify(Asked::Folders, &challenged, Moment::from_unix_ms(0)),
            Setback::Expired(Said::new(403, CLAIMS))
        );
        let header = r#"Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ==""#;
        assert_eq!(claims_of(header), Some(r#"{"a":1}"#.to_owned()));
        assert_eq!(claims_of(r#"Bearer claims="eyJhIjoxfQ==""#), None);
        assert_eq!(claims_of(r#"insufficient_claims claims=""#), None);
    }

    #[test]
    fn an_item_never_counts_as_gone_from_the_source_because_of_the_target() {
        for status in 100..600 {
            for code in ["", "ErrorItemNotFound", "ErrorCorruptData", "x"] {
                for asked in [Asked::Import, Asked::Compose, Asked::Amend] {
                    let answer = answer(status, None, error(code));
                    let setback = classify(asked, &answer, Moment::default());
                    assert_ne!(setback, Setback::Gone, "{status} {code}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_classified_and_repeats_no_word_of_its_message(
            status in 100u16..1000,
            body in proptest::collection::vec(any::<u8>(), 0..80),
            retry in ".{0,20}",
            asked in proptest::sample::select(ALL.to_vec()),
            code in "[A-Za-z@ ]{0,20}",
        ) {
            let odd = Answer { status, retry_after: Some(&retry), date: Some(&retry), claims_challenge: false, body: &body };
            let _ = classify(asked, &odd, Moment::default());
            let worded = format!(r#"{{"error":{{"code":"{code}","message":"xyzzy a@b.example"}}}}"#);
            let worded = Answer { body: worded.as_bytes(), ..odd };
            let text = format!("{0} {0:?}", classify(asked, &worded, Moment::default()));
            prop_assert!(!text.contains("xyzzy") && !text.contains('@'), "{}", text);
        }
    }
}
