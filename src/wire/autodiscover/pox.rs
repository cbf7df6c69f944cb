//! Autodiscover by plain XML (POX), which every Exchange speaks.

use crate::base::outcome::Code;
use crate::wire::autodiscover::reply::{Reply, at, child, document, text};
use crate::wire::xml::{Element, Writer};

/// The namespace of requests.
const NS_REQUEST: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";

/// The namespaces of replies: the frame, and what is inside.
const NS_FRAME: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
const NS_REPLY: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// Protocols by how well they fit somebody from outside: external, then internal.
const PROTOCOLS: [&str; 2] = ["EXPR", "EXCH"];

/// Writes the request about one mailbox.
pub fn request(mailbox: &str) -> String {
    let mut w = Writer::document();
    w.open("Autodiscover", &[("xmlns", NS_REQUEST)]);
    w.open("Request", &[]);
    w.leaf("EMailAddress", mailbox);
    w.leaf("AcceptableResponseSchema", NS_REPLY);
    w.finish()
}

/// The mailbox a request asks about; for the lab.
pub fn asked(bytes: &[u8]) -> Option<String> {
    let root = document(bytes)?;
    text(at(&root, &["Request", "EMailAddress"])).filter(|_| root.name == "Autodiscover")
}

/// Reads a reply. Errors may come with HTTP 200.
pub fn read(bytes: &[u8]) -> Reply {
    let root = document(bytes).filter(|root| root.name == "Autodiscover");
    let Some(response) = root.as_ref().and_then(|root| child(root, "Response")) else {
        return Reply::Unreadable;
    };
    if let Some(error) = child(response, "Error") {
        let code = text(child(error, "ErrorCode"));
        return Reply::Refused(code.as_deref().and_then(Code::new));
    }
    let Some(account) = child(response, "Account") else {
        return Reply::Unreadable;
    };
    let to = |name: &str| text(child(account, name));
    match text(child(account, "Action")).as_deref() {
        Some("redirectAddr") => {
            to("RedirectAddr").map_or(Reply::Unreadable, Reply::RedirectAddress)
        }
        Some("redirectUrl") => to("RedirectUrl").map_or(Reply::Unreadable, Reply::RedirectUrl),
        Some("settings") => settings(account),
        _ => Reply::Unreadable,
    }
}

fn settings(account: &Element) -> Reply {
    let url = |wanted: &str| {
        let all = account.children.iter().filter(|own| own.name == "Protocol");
        let mut own = all.filter(|p| text(child(p, "Type")).as_deref() == Some(wanted));
        own.find_map(|p| text(child(p, "EwsUrl")).or_else(|| text(child(p, "ASUrl"))))
    };
    let found = PROTOCOLS.into_iter().find_map(url);
    found.map_or(Reply::Refused(None), Reply::Ews)
}

/// Writes a reply, as the lab gives it.
pub fn write(reply: &Reply) -> String {
    let mut w = Writer::document();
    w.open("Autodiscover", &[("xmlns", NS_FRAME)]);
    w.open("Response", &[("xmlns", NS_REPLY)]);
    match reply {
        Reply::Ews(url) => {
            w.open("Account", &[]);
            w.leaf("AccountType", "email");
            w.leaf("Action", "settings");
            w.open("Protocol", &[]);
            w.leaf("Type", PROTOCOLS[0]);
            w.leaf("EwsUrl", url);
        }
        Reply::RedirectAddress(to) => {
            w.open("Account", &[]);
            w.leaf("Action", "redirectAddr");
            w.leaf("RedirectAddr", to);
        }
        Reply::RedirectUrl(to) => {
            w.open("Account", &[]);
            w.leaf("Action", "redirectUrl");
            w.leaf("RedirectUrl", to);
        }
        Reply::Refused(_) | Reply::Unreadable => {
            w.open(
                "Error",
                &[("Time", "21:25:04.8897083"), ("Id", "4130155072")],
            );
            w.leaf("ErrorCode", "500");
            w.leaf("Message", "The email address can't be found.");
        }
    }
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back() {
        let text = request("o'x&y@c.example");
        assert_eq!(asked(text.as_bytes()).as_deref(), Some("o'x&y@c.example"));
        assert_eq!(
            asked(b"<Other><Request><EMailAddress>a</EMailAddress></Request></Other>"),
            None
        );
    }

    #[test]
    fn every_reply_survives_its_writing() {
        for reply in [
            Reply::Ews("https://m.example/EWS/Exchange.asmx".to_owned()),
            Reply::RedirectAddress("a@b.example".to_owned()),
            Reply::RedirectUrl("https://x.example/autodiscover/autodiscover.xml".to_owned()),
            Reply::Refused(Code::new("500")),
        ] {
            assert_eq!(read(write(&reply).as_bytes()), reply);
        }
    }

    #[test]
    fn the_url_from_outside_wins_over_the_one_from_inside() {
        let text = "<Autodiscover xmlns='x'><Response xmlns='y'><Account><Action>settings</Action>\
            <Protocol><Type>EXCH</Type><EwsUrl>https://in/EWS</EwsUrl></Protocol>\
            <Protocol><Type>EXPR</Type><ASUrl>https://out/EWS</ASUrl></Protocol></Account></Response></Autodiscover>";
        assert_eq!(
            read(text.as_bytes()),
            Reply::Ews("https://out/EWS".to_owned())
        );
    }

    #[test]
    fn odd_documents_are_no_replies() {
        for odd in [
            "",
            "<html/>",
            "<Autodiscover/>",
            "<Autodiscover><Response><Account><Action>x</Action></Account></Response></Autodiscover>",
        ] {
            assert_eq!(read(odd.as_bytes()), Reply::Unreadable, "{odd}");
        }
    }
}
