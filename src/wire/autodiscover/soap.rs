//! Autodiscover by SOAP: GetUserSettings (Exchange 2010 and later).

use crate::base::outcome::Code;
use crate::wire::autodiscover::reply::{Reply, at, child, document, text};
use crate::wire::xml::{Element, NS_SOAP, Writer};

/// The service's namespace.
pub const NS: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover";

/// WS-Addressing.
const NS_ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";

/// What is done.
const ACTION: &str =
    "http://schemas.microsoft.com/exchange/2010/Autodiscover/Autodiscover/GetUserSettings";

/// What is asked: the URL from outside, and the one from inside where there is no other.
const SETTINGS: [&str; 2] = ["ExternalEwsUrl", "InternalEwsUrl"];

/// Writes the request about one mailbox, to be posted to `to`.
pub fn request(mailbox: &str, to: &str) -> String {
    let mut w = Writer::document();
    w.open(
        "soap:Envelope",
        &[
            ("xmlns:a", NS),
            ("xmlns:wsa", NS_ADDRESSING),
            ("xmlns:soap", NS_SOAP),
        ],
    );
    w.open("soap:Header", &[]);
    w.leaf("a:RequestedServerVersion", "Exchange2013");
    w.leaf("wsa:Action", ACTION);
    w.leaf("wsa:To", to);
    w.close();
    w.open("soap:Body", &[]);
    w.open("a:GetUserSettingsRequestMessage", &[]);
    w.open("a:Request", &[]);
    w.open("a:Users", &[]);
    w.open("a:User", &[]);
    w.leaf("a:Mailbox", mailbox);
    w.close();
    w.close();
    w.open("a:RequestedSettings", &[]);
    for setting in SETTINGS {
        w.leaf("a:Setting", setting);
    }
    w.finish()
}

/// The mailbox a request asks about; for the lab.
pub fn asked(bytes: &[u8]) -> Option<String> {
    let root = document(bytes)?;
    let message = at(&root, &["Body", "GetUserSettingsRequestMessage", "Request"])?;
    text(at(message, &["Users", "User", "Mailbox"]))
}

/// Reads a reply. Errors stand on three levels: the whole, the user, the setting.
pub fn read(bytes: &[u8]) -> Reply {
    let Some(root) = document(bytes) else {
        return Reply::Unreadable;
    };
    let path = ["Body", "GetUserSettingsResponseMessage", "Response"];
    let Some(response) = at(&root, &path) else {
        let fault = at(&root, &["Body", "Fault"]).is_some();
        return if fault {
            Reply::Refused(Code::new("Fault"))
        } else {
            Reply::Unreadable
        };
    };
    if let Some(code) = error(response) {
        return Reply::Refused(Code::new(&code));
    }
    let Some(user) = at(response, &["UserResponses", "UserResponse"]) else {
        return Reply::Unreadable;
    };
    let target = text(child(user, "RedirectTarget"));
    match (error(user).as_deref(), target) {
        (None, _) => settings(user),
        (Some("RedirectAddress"), Some(to)) => Reply::RedirectAddress(to),
        (Some("RedirectUrl"), Some(to)) => Reply::RedirectUrl(to),
        (Some(code), _) => Reply::Refused(Code::new(code)),
    }
}

/// The error code, unless it says that there is none.
fn error(element: &Element) -> Option<String> {
    text(child(element, "ErrorCode")).filter(|code| code != "NoError")
}

fn settings(user: &Element) -> Reply {
    let all = child(user, "UserSettings");
    let value = |wanted: &str| {
        let mut rows = all.iter().flat_map(|list| &list.children);
        let row = rows.find(|row| text(child(row, "Name")).as_deref() == Some(wanted))?;
        text(child(row, "Value"))
    };
    let url = SETTINGS.into_iter().find_map(value);
    url.map_or_else(
        || Reply::Refused(Code::new("SettingIsNotAvailable")),
        Reply::Ews,
    )
}

/// Writes a reply, as the lab gives it.
pub fn write(reply: &Reply) -> String {
    let (code, target, url) = match reply {
        Reply::Ews(url) => ("NoError", None, Some(url)),
        Reply::RedirectAddress(to) => ("RedirectAddress", Some(to), None),
        Reply::RedirectUrl(to) => ("RedirectUrl", Some(to), None),
        Reply::Refused(_) | Reply::Unreadable => ("InvalidUser", None, None),
    };
    let mut w = Writer::document();
    w.open("s:Envelope", &[("xmlns:s", NS_SOAP)]);
    w.open("s:Body", &[]);
    w.open("GetUserSettingsResponseMessage", &[("xmlns", NS)]);
    w.open("Response", &[]);
    w.leaf("ErrorCode", "NoError");
    w.open("UserResponses", &[]);
    w.open("UserResponse", &[]);
    w.leaf("ErrorCode", code);
    w.leaf("RedirectTarget", target.map_or("", String::as_str));
    w.open("UserSettings", &[]);
    if let Some(url) = url {
        w.open("UserSetting", &[]);
        w.leaf("Name", SETTINGS[0]);
        w.leaf("Value", url);
        w.close();
    }
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_and_escapes() {
        let text = request("a&b@c.example", "https://h/x?a=1&b");
        assert_eq!(asked(text.as_bytes()).as_deref(), Some("a&b@c.example"));
        assert!(text.contains("<wsa:To>https://h/x?a=1&amp;b</wsa:To>"));
    }

    #[test]
    fn every_reply_survives_its_writing() {
        for reply in [
            Reply::Ews("https://m.example/EWS/Exchange.asmx".to_owned()),
            Reply::RedirectAddress("a@b.example".to_owned()),
            Reply::RedirectUrl("https://x.example/autodiscover/autodiscover.svc".to_owned()),
            Reply::Refused(Code::new("InvalidUser")),
        ] {
            assert_eq!(read(write(&reply).as_bytes()), reply);
        }
    }

    #[test]
    fn odd_documents_are_no_replies() {
        for odd in [
            "",
            "<html><body>sign in</body></html>",
            "<a/>",
            "<s:Envelope",
            "\u{0}",
        ] {
            assert_eq!(read(odd.as_bytes()), Reply::Unreadable, "{odd}");
        }
        let busy = "<e xmlns='x'><Body><GetUserSettingsResponseMessage><Response><ErrorCode>ServerBusy</ErrorCode></Response></GetUserSettingsResponseMessage></Body></e>";
        assert_eq!(
            read(busy.as_bytes()),
            Reply::Refused(Code::new("ServerBusy"))
        );
    }
}
