//! `GET /users/{id}/settings/exchange`: the mailbox id of a user (reference/graph.md 1.3).

use serde::{Deserialize, Serialize};

use crate::base::id::TargetMailboxId;
use crate::base::outcome::{HaltCause, MisreadCause, Said, Setback};
use crate::wire::graph::json;

/// The reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeSettings {
    /// `MBX:...`; null where the user has no mailbox.
    #[serde(default)]
    pub primary_mailbox_id: Option<String>,
}

impl ExchangeSettings {
    /// Reads the reply and takes the primary mailbox out. A user without one is [`HaltCause::NoTargetMailbox`].
    pub fn read(status: u16, body: &[u8]) -> Result<TargetMailboxId, Setback> {
        let value: serde_json::Value = json::read(status, body)?;
        let object = value.as_object();
        let Some(id) = object.and_then(|o| o.get("primaryMailboxId")) else {
            let said = Said::status(status);
            return Err(Setback::Misread(MisreadCause::Incomplete, said));
        };
        match id.as_str() {
            Some(id) if !id.is_empty() => Ok(TargetMailboxId::new(id)),
            _ => Err(Setback::MailboxClosed(
                HaltCause::NoTargetMailbox,
                Said::status(status),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_mailbox_is_told_from_a_wrong_reply() {
        let read = |body: &str| ExchangeSettings::read(200, body.as_bytes());
        let own = ExchangeSettings {
            primary_mailbox_id: Some("MBX:a@b".to_owned()),
        };
        assert_eq!(
            ExchangeSettings::read(200, &json::write(&own)),
            Ok(TargetMailboxId::new("MBX:a@b"))
        );
        for body in [r#"{"primaryMailboxId":null}"#, r#"{"primaryMailboxId":""}"#] {
            assert!(
                matches!(
                    read(body),
                    Err(Setback::MailboxClosed(HaltCause::NoTargetMailbox, _))
                ),
                "{body}"
            );
        }
        for body in ["{}", "[]", "null"] {
            assert!(
                matches!(
                    read(body),
                    Err(Setback::Misread(MisreadCause::Incomplete, _))
                ),
                "{body}"
            );
        }
    }
}
