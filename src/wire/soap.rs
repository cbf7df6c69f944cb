//! The SOAP 1.1 envelope of EWS: headers, faults, and the body element inside (reference/ews.md sections 0 and 3).
//!
//! What the body element means is the business of `wire::ews`.

use thiserror::Error;

use crate::base::id::MailboxId;
use crate::base::outcome::MisreadCause;
use crate::base::quantity::Span;
use crate::wire::xml::{
    self, Element, Manner, NS_ERRORS, NS_MESSAGES, NS_SOAP, NS_TYPES, Ns, Writer, XmlError,
};

/// The version header we send: documented, and accepted by 2013 SP1 up to Exchange Online (reference/ews.md section 0).
pub const REQUEST_VERSION: &str = "Exchange2013_SP1";

/// Whom a request acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Impersonation {
    /// By primary SMTP address; the only form we send.
    PrimarySmtpAddress(MailboxId),
    /// By another of the four forms; its element name.
    Other(String),
}

/// The header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// RequestServerVersion, where it was sent.
    pub version: Option<String>,
    /// ExchangeImpersonation, where it was sent.
    pub impersonate: Option<Impersonation>,
}

impl RequestHeader {
    /// The header of everything we send on behalf of `mailbox`.
    pub fn acting_for(mailbox: &MailboxId) -> Self {
        Self {
            version: Some(REQUEST_VERSION.to_owned()),
            impersonate: Some(Impersonation::PrimarySmtpAddress(mailbox.clone())),
        }
    }
}

/// The build a server states in every reply that is not a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// 15 for Exchange 2013 and later.
    pub major: u32,
    /// 1 for Exchange 2016.
    pub minor: u32,
    /// E.g. 2507 for CU23.
    pub build: u32,
    /// The update on top of it.
    pub revision: u32,
}

/// A fault. Its texts are not kept: they may name people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// `e:ResponseCode`, or the local name of `faultcode` where there is none.
    pub code: String,
    /// True when `code` came out of the detail, not from `faultcode`.
    pub detailed: bool,
    /// BackOffMilliseconds, where the server gives it.
    pub back_off: Option<Span>,
    /// Line and column of a schema violation.
    pub violation: Option<(u64, u64)>,
}

/// What is inside a reply's envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The service refused the whole call.
    Fault(Fault),
    /// The one element in the body.
    Payload(Element),
}

/// A reply that was read to its closing Envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyEnvelope {
    /// The server's build, where it says so.
    pub version: Option<ServerVersion>,
    /// What is inside.
    pub body: Body,
    /// Forbidden characters that were replaced.
    pub replaced: u64,
}

/// Why a request is not an envelope we can look into. Read strictly.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RequestError {
    /// Not XML.
    #[error("not XML: {0}")]
    Xml(#[from] XmlError),
    /// XML, but not a SOAP 1.1 envelope with a body of one element.
    #[error("not a SOAP envelope with a body of one element")]
    NotSoap,
}

/// A request that was read to its closing Envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestEnvelope {
    /// The header element, where there is one.
    pub header: Option<Element>,
    /// The one element in the body.
    pub payload: Element,
}

/// Writes a request: the envelope, the header, and what `payload` writes.
pub fn write_request(header: &RequestHeader, payload: impl FnOnce(&mut Writer)) -> String {
    let mut w = Writer::document();
    w.open(
        "soap:Envelope",
        &[
            ("xmlns:soap", NS_SOAP),
            ("xmlns:t", NS_TYPES),
            ("xmlns:m", NS_MESSAGES),
        ],
    );
    w.open("soap:Header", &[]);
    if let Some(version) = &header.version {
        w.empty("t:RequestServerVersion", &[("Version", version)]);
    }
    if let Some(Impersonation::PrimarySmtpAddress(mailbox)) = &header.impersonate {
        w.open("t:ExchangeImpersonation", &[]);
        w.open("t:ConnectingSID", &[]);
        w.leaf("t:PrimarySmtpAddress", mailbox.reveal());
        w.close();
        w.close();
    }
    w.close();
    w.open("soap:Body", &[]);
    payload(&mut w);
    w.finish()
}

/// Begins a reply as Exchange 2016 does; close two elements, or call `finish`, to end it.
pub fn open_reply(version: &ServerVersion) -> Writer {
    let mut w = Writer::document();
    w.open("s:Envelope", &[("xmlns:s", NS_SOAP)]);
    w.open("s:Header", &[]);
    w.empty(
        "h:ServerVersionInfo",
        &[
            ("MajorVersion", &version.major.to_string()),
            ("MinorVersion", &version.minor.to_string()),
            ("MajorBuildNumber", &version.build.to_string()),
            ("MinorBuildNumber", &version.revision.to_string()),
            ("Version", "V2017_07_11"),
            ("xmlns:h", NS_TYPES),
        ],
    );
    w.close();
    w.open("s:Body", &[("xmlns:m", NS_MESSAGES), ("xmlns:t", NS_TYPES)]);
    w
}

/// Writes a fault with the detail that Exchange gives (HTTP 500). `message` is for people and must name nobody.
pub fn write_fault(fault: &Fault, message: &str) -> String {
    let mut w = Writer::document();
    w.open("s:Envelope", &[("xmlns:s", NS_SOAP)]);
    w.open("s:Body", &[]);
    w.open("s:Fault", &[]);
    let code = format!("a:{}", fault.code);
    w.leaf_with("faultcode", &[("xmlns:a", NS_TYPES)], &code);
    w.leaf_with("faultstring", &[("xml:lang", "en-US")], message);
    w.open("detail", &[]);
    w.leaf_with("e:ResponseCode", &[("xmlns:e", NS_ERRORS)], &fault.code);
    w.leaf_with("e:Message", &[("xmlns:e", NS_ERRORS)], message);
    if fault.violation.is_some() || fault.back_off.is_some() {
        w.open("t:MessageXml", &[("xmlns:t", NS_TYPES)]);
        if let Some((line, column)) = fault.violation {
            w.leaf("t:LineNumber", &line.to_string());
            w.leaf("t:LinePosition", &column.to_string());
            w.leaf("t:Violation", message);
        }
        if let Some(wait) = fault.back_off {
            let wait = wait.get().to_string();
            w.leaf_with("t:Value", &[("Name", "BackOffMilliseconds")], &wait);
        }
    }
    w.finish()
}

/// Reads a reply, tolerantly.
pub fn read_reply(bytes: &[u8]) -> Result<ReplyEnvelope, MisreadCause> {
    let document = xml::read(bytes, Manner::Tolerant).map_err(|error| match error {
        XmlError::CutOff => MisreadCause::CutOff,
        XmlError::Html => MisreadCause::Html,
        XmlError::Malformed(_) | XmlError::Forbidden(_) => MisreadCause::Malformed,
        XmlError::TooLarge => MisreadCause::TooLarge,
    })?;
    let root = document.root;
    if root.name.eq_ignore_ascii_case("html") {
        return Err(MisreadCause::Html);
    }
    if !root.is(Ns::Soap, "Envelope") {
        return Err(MisreadCause::Incomplete);
    }
    let version = root
        .child(Ns::Soap, "Header")
        .and_then(|h| h.t("ServerVersionInfo"))
        .and_then(read_version);
    let mut body = root
        .children
        .into_iter()
        .find(|c| c.is(Ns::Soap, "Body"))
        .ok_or(MisreadCause::Incomplete)?;
    if body.children.is_empty() {
        return Err(MisreadCause::Incomplete);
    }
    let inner = body.children.swap_remove(0);
    let body = if inner.is(Ns::Soap, "Fault") {
        Body::Fault(read_fault(&inner))
    } else {
        Body::Payload(inner)
    };
    Ok(ReplyEnvelope {
        version,
        body,
        replaced: document.replaced,
    })
}

fn read_version(info: &Element) -> Option<ServerVersion> {
    let part = |name: &str| info.attr(name).and_then(|v| v.parse().ok());
    Some(ServerVersion {
        major: part("MajorVersion")?,
        minor: part("MinorVersion")?,
        build: part("MajorBuildNumber").unwrap_or(0),
        revision: part("MinorBuildNumber").unwrap_or(0),
    })
}

/// All three kinds of fault: with `e:ResponseCode`, with `faultcode` alone, and the internal fault of the platform.
fn read_fault(fault: &Element) -> Fault {
    // SOAP 1.1 leaves these without a namespace; nobody is denied over a qualified one.
    let part = |name: &str| fault.children.iter().find(|c| c.name == name);
    let detail = part("detail");
    let code = detail.and_then(|d| d.child(Ns::Errors, "ResponseCode"));
    let xml = detail.and_then(|d| d.children.iter().find(|c| c.name == "MessageXml"));
    let number = |name: &str| xml.and_then(|x| x.t(name)).and_then(Element::number);
    let local = |text: &str| text.rsplit(':').next().unwrap_or("").trim().to_owned();
    Fault {
        code: match code {
            Some(code) => code.text.trim().to_owned(),
            None => part("faultcode").map_or_else(String::new, |c| local(&c.text)),
        },
        detailed: code.is_some(),
        back_off: xml.and_then(back_off),
        violation: number("LineNumber").zip(number("LinePosition")),
    }
}

/// The `t:Value` of this name inside a MessageXml, whose own namespace differs between faults and messages.
pub fn named_value<'a>(message_xml: &'a Element, name: &str) -> Option<&'a str> {
    message_xml
        .children
        .iter()
        .find(|v| v.name == "Value" && v.attr("Name") == Some(name))
        .map(|v| v.text.trim())
}

/// BackOffMilliseconds. Zero is no back-off at all: ErrorExceededConnectionCount suggests "0 ms" (reference/ews.md section 3).
pub fn back_off(message_xml: &Element) -> Option<Span> {
    let text = named_value(message_xml, "BackOffMilliseconds")?;
    let wait: u64 = text.parse().ok()?;
    (wait > 0).then(|| Span::new(wait))
}

/// Reads the envelope of a request, strictly. The header's content is checked by `wire::ews::schema`.
pub fn read_request(bytes: &[u8]) -> Result<RequestEnvelope, RequestError> {
    let root = xml::read(bytes, Manner::Strict)?.root;
    if !root.is(Ns::Soap, "Envelope") {
        return Err(RequestError::NotSoap);
    }
    let (mut header, mut payload) = (None, None);
    for child in root.children {
        if child.is(Ns::Soap, "Header") && header.is_none() && payload.is_none() {
            header = Some(child);
        } else if child.is(Ns::Soap, "Body") && payload.is_none() && child.children.len() == 1 {
            payload = child.children.into_iter().next();
        } else {
            return Err(RequestError::NotSoap);
        }
    }
    Ok(RequestEnvelope {
        header,
        payload: payload.ok_or(RequestError::NotSoap)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(inner: &str) -> Fault {
        let text = format!(
            "<s:Envelope xmlns:s='{NS_SOAP}'><s:Body><s:Fault>{inner}</s:Fault></s:Body></s:Envelope>"
        );
        match read_reply(text.as_bytes()).expect("an envelope").body {
            Body::Fault(fault) => fault,
            Body::Payload(_) => panic!("a fault was written"),
        }
    }

    #[test]
    fn a_fault_survives_writing_and_reading() {
        for fault in [
            Fault {
                code: "ErrorServerBusy".to_owned(),
                detailed: true,
                back_off: Some(Span::new(297_749)),
                violation: None,
            },
            Fault {
                code: "ErrorSchemaValidation".to_owned(),
                detailed: true,
                back_off: None,
                violation: Some((1, 472)),
            },
        ] {
            let read = read_reply(write_fault(&fault, "text").as_bytes()).expect("an envelope");
            assert_eq!(read.body, Body::Fault(fault));
        }
    }

    #[test]
    fn faults_without_detail_give_the_local_name_of_their_code() {
        let fault = fault_of("<faultcode>soap:Client</faultcode><faultstring>x</faultstring>");
        assert_eq!((fault.code.as_str(), fault.detailed), ("Client", false));
        let fault = fault_of("<faultcode xmlns:a='u'>a:InternalServiceFault</faultcode>");
        assert_eq!(fault.code, "InternalServiceFault");
        assert_eq!(fault_of("").code, "");
    }

    #[test]
    fn a_back_off_of_zero_is_none() {
        let value = |ms: &str| {
            fault_of(&format!(
                "<detail><e:MessageXml xmlns:e='u'><e:Value Name='BackOffMilliseconds'>{ms}</e:Value></e:MessageXml></detail>"
            ))
            .back_off
        };
        assert_eq!(value("5000"), Some(Span::from_secs(5)));
        assert_eq!(value("0"), None);
        assert_eq!(value("soon"), None);
    }

    #[test]
    fn what_is_no_envelope_is_misread() {
        assert_eq!(read_reply(b"<html/>"), Err(MisreadCause::Html));
        assert_eq!(read_reply(b"<a/>"), Err(MisreadCause::Incomplete));
        assert_eq!(read_reply(b""), Err(MisreadCause::CutOff));
        assert_eq!(
            read_reply(b"Service Unavailable"),
            Err(MisreadCause::Malformed)
        );
    }
}
