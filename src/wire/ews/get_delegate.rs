//! GetDelegate: who may act for the owner of a mailbox, with rights per default folder.

use crate::base::id::MailboxId;
use crate::wire::ews::reply::Operation;
use crate::wire::xml::{Element, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetDelegate {
    /// Whose delegates.
    pub mailbox: MailboxId,
}

impl GetDelegate {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:GetDelegate", &[("IncludePermissions", "true")]);
        w.open("m:Mailbox", &[]);
        w.leaf("t:EmailAddress", self.mailbox.reveal());
        w.close();
        w.close();
    }

    /// Reads a body element that passed the schema; `None` where it names nobody.
    pub fn read(e: &Element) -> Option<Self> {
        let address = e.m("Mailbox")?.t("EmailAddress")?.text.trim();
        Some(Self {
            mailbox: MailboxId::new(address),
        })
    }
}

/// One delegate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelegateEntry {
    /// The address, where there is one.
    pub address: Option<String>,
    /// The security identifier; all there is where the account is gone.
    pub sid: Option<String>,
    /// Folder and level, e.g. `Calendar` and `Editor`.
    pub levels: Vec<(String, String)>,
    /// Sees items marked private.
    pub sees_private: bool,
}

impl DelegateEntry {
    fn read(e: &Element) -> Option<Self> {
        let user = e.t("UserId")?;
        let text = |name: &str| {
            let text = user.t(name).map(|v| v.text.trim().to_owned());
            text.filter(|text| !text.is_empty())
        };
        let levels = e.t("DelegatePermissions").map(|p| p.children.as_slice());
        Some(Self {
            address: text("PrimarySmtpAddress"),
            sid: text("SID"),
            levels: levels
                .unwrap_or_default()
                .iter()
                .filter_map(|level| {
                    let folder = level.name.strip_suffix("FolderPermissionLevel")?;
                    Some((folder.to_owned(), level.text.trim().to_owned()))
                })
                .collect(),
            sees_private: e.t("ViewPrivateItems").and_then(Element::boolean) == Some(true),
        })
    }

    fn write(&self, w: &mut Writer) {
        w.open(
            "m:DelegateUserResponseMessageType",
            &[("ResponseClass", "Success")],
        );
        w.leaf("m:ResponseCode", "NoError");
        w.open("m:DelegateUser", &[]);
        w.open("t:UserId", &[]);
        if let Some(sid) = &self.sid {
            w.leaf("t:SID", sid);
        }
        if let Some(address) = &self.address {
            w.leaf("t:PrimarySmtpAddress", address);
        }
        w.close();
        w.open("t:DelegatePermissions", &[]);
        for (folder, name) in [
            ("Calendar", "t:CalendarFolderPermissionLevel"),
            ("Tasks", "t:TasksFolderPermissionLevel"),
            ("Inbox", "t:InboxFolderPermissionLevel"),
        ] {
            if let Some((_, level)) = self.levels.iter().find(|(own, _)| own == folder) {
                w.leaf(name, level);
            }
        }
        w.close();
        w.leaf("t:ReceiveCopiesOfMeetingMessages", "false");
        let private = if self.sees_private { "true" } else { "false" };
        w.leaf("t:ViewPrivateItems", private);
        w.close();
        w.close();
    }
}

impl Operation for GetDelegate {
    const NAME: &'static str = "GetDelegate";
    const RESPONSE: &'static str = "m:GetDelegateResponse";
    const MESSAGE: &'static str = "m:GetDelegateResponse";
    const FLAT: bool = true;
    type Payload = Vec<DelegateEntry>;

    fn read_payload(message: &Element) -> Option<Vec<DelegateEntry>> {
        let list = message.m("ResponseMessages").map(|l| l.children.as_slice());
        list.unwrap_or_default()
            .iter()
            .map(|one| DelegateEntry::read(one.m("DelegateUser")?))
            .collect()
    }

    fn write_payload(delegates: &Vec<DelegateEntry>, w: &mut Writer) {
        if !delegates.is_empty() {
            w.open("m:ResponseMessages", &[]);
            for delegate in delegates {
                delegate.write(w);
            }
            w.close();
        }
        w.leaf("m:DeliverMeetingRequests", "DelegatesAndMe");
    }

    fn write_nothing(_: &mut Writer) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ews::classify::Place;
    use crate::wire::ews::reply::{self, Message};
    use crate::wire::soap::ServerVersion;

    #[test]
    fn delegates_survive_writing_and_reading_and_an_unreadable_one_is_not_left_out() {
        let version = ServerVersion {
            major: 15,
            minor: 1,
            build: 2507,
            revision: 6,
        };
        let gone = DelegateEntry {
            sid: Some("S-1-5-21-1".to_owned()),
            ..DelegateEntry::default()
        };
        let one = DelegateEntry {
            address: Some("b@clinic.example".to_owned()),
            levels: vec![("Calendar".to_owned(), "Editor".to_owned())],
            sees_private: true,
            ..DelegateEntry::default()
        };
        let list = vec![one, gone];
        let text = reply::write::<GetDelegate>(&version, &[Message::Done(list.clone())]);
        let reply = reply::read::<GetDelegate>(text.as_bytes()).expect("a reply");
        assert_eq!(reply.single(Place::Folder), Ok(list));
        let broken = text.replace("t:UserId>", "t:Other>");
        let reply = reply::read::<GetDelegate>(broken.as_bytes()).expect("a reply");
        assert!(reply.single(Place::Folder).is_err());
    }
}
