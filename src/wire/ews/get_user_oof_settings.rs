//! GetUserOofSettings: whether the automatic reply is on, and its texts.

use crate::base::id::MailboxId;
use crate::wire::ews::reply::Operation;
use crate::wire::xml::{Element, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetUserOofSettings {
    /// Whose automatic reply.
    pub mailbox: MailboxId,
}

impl GetUserOofSettings {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:GetUserOofSettingsRequest", &[]);
        w.open("t:Mailbox", &[]);
        w.leaf("t:Address", self.mailbox.reveal());
        w.close();
        w.close();
    }

    /// Reads a body element that passed the schema; `None` where it names nobody.
    pub fn read(e: &Element) -> Option<Self> {
        let address = e.t("Mailbox")?.t("Address")?.text.trim();
        Some(Self {
            mailbox: MailboxId::new(address),
        })
    }
}

/// The automatic reply. Its texts are HTML that people wrote; whoever reads them keeps no more than what it looks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OofEntry {
    /// `Disabled`, `Enabled` or `Scheduled`.
    pub state: String,
    /// What goes to people of the organisation.
    pub inside: String,
    /// What goes to everybody else.
    pub outside: String,
}

impl Operation for GetUserOofSettings {
    const NAME: &'static str = "GetUserOofSettings";
    const RESPONSE: &'static str = "m:GetUserOofSettingsResponse";
    const MESSAGE: &'static str = "m:GetUserOofSettingsResponse";
    const FLAT: bool = true;
    const BESIDE: bool = true;
    type Payload = OofEntry;

    fn read_payload(message: &Element) -> Option<OofEntry> {
        let settings = message.t("OofSettings")?;
        let text = |name: &str| {
            let reply = settings.t(name).and_then(|reply| reply.t("Message"));
            reply.map(|text| text.text.clone()).unwrap_or_default()
        };
        Some(OofEntry {
            state: settings.t("OofState")?.text.trim().to_owned(),
            inside: text("InternalReply"),
            outside: text("ExternalReply"),
        })
    }

    fn write_payload(oof: &OofEntry, w: &mut Writer) {
        w.open("t:OofSettings", &[]);
        w.leaf("t:OofState", &oof.state);
        w.leaf("t:ExternalAudience", "All");
        for (name, text) in [
            ("t:InternalReply", &oof.inside),
            ("t:ExternalReply", &oof.outside),
        ] {
            w.open(name, &[]);
            w.leaf("t:Message", text);
            w.close();
        }
        w.close();
        w.leaf("m:AllowExternalOof", "All");
    }

    fn write_nothing(_: &mut Writer) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ews::classify::Place;
    use crate::wire::ews::reply::{self, Message, Refused};
    use crate::wire::soap::ServerVersion;

    const VERSION: ServerVersion = ServerVersion {
        major: 15,
        minor: 1,
        build: 2507,
        revision: 6,
    };

    #[test]
    fn the_reply_survives_writing_and_reading_and_class_and_code_stand_beside_it() {
        let oof = OofEntry {
            state: "Scheduled".to_owned(),
            inside: "<html><body>Back on Monday & Tuesday</body></html>".to_owned(),
            outside: String::new(),
        };
        let text = reply::write::<GetUserOofSettings>(&VERSION, &[Message::Done(oof.clone())]);
        let read =
            |text: &str| reply::read::<GetUserOofSettings>(text.as_bytes()).expect("a reply");
        assert_eq!(read(&text).single(Place::Folder), Ok(oof));
        let without = text.replace("m:ResponseMessage", "m:Other");
        assert_eq!(read(&without).messages, vec![Message::Incomplete]);
        let refused = Message::Refused(Refused::error("ErrorMailboxStoreUnavailable"));
        let text = reply::write::<GetUserOofSettings>(&VERSION, std::slice::from_ref(&refused));
        assert_eq!(read(&text).messages, vec![refused]);
    }
}
