//! What weather looks like on the SOAP face when it spoils a call as a whole: as recorded where there is a recording, else as documented
//! (reference/ews.md sections 3 and 4).

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::fault::Fault;
use crate::base::quantity::Span;
use crate::wire::soap::{self, Fault as SoapFault};

/// The text of both shapes of ErrorServerBusy.
const BUSY_TEXT: &str = "The server cannot service this request right now. Try again later.";

/// The text of ErrorExceededConnectionCount.
const CONNECTIONS_TEXT: &str = "You have exceeded the available concurrent connections for your account.  Try again once your other requests \
                                have completed.";

/// What stands in the detail of ErrorExceededConnectionCount: three values, and no BackOffMilliseconds.
const CONNECTIONS_DETAIL: &str = "<t:MessageXml xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\">\
    <t:Value Name=\"Policy\">MaxConcurrency</t:Value><t:Value Name=\"MaxConcurrencyLimit\">27</t:Value>\
    <t:Value Name=\"ErrorMessage\">This operation exceeds the throttling budget for policy part 'MaxConcurrency', policy value '27',  \
    Budget type: 'Ews'.  Suggested backoff time 0 ms.</t:Value></t:MessageXml>";

/// The answer of a call that this fault spoils as a whole and without breaking the connection; `None` for every other fault.
pub(super) fn answer(fault: Fault) -> Option<Response> {
    Some(match fault {
        // With a wait it comes inside the reply, without one as a fault: clients must know both.
        Fault::Busy(None) | Fault::IncomingBytes(None) => busy(None),
        Fault::BusyFault(wait) => busy(Some(wait)),
        Fault::Connections => connections(),
        Fault::Moving => of_code("ErrorMailboxMoveInProgress"),
        Fault::Unavailable => page(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        Fault::ServerError => crash(),
        Fault::GatewayBefore | Fault::GatewayAfter => {
            page(StatusCode::GATEWAY_TIMEOUT, "Gateway Timeout")
        }
        _ => return None,
    })
}

/// The page of an application that fell over.
pub(super) fn crash() -> Response {
    page(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Server Error in '/EWS' Application.",
    )
}

/// ErrorServerBusy as a fault.
pub(super) fn busy(wait: Option<Span>) -> Response {
    let fault = SoapFault {
        code: "ErrorServerBusy".to_owned(),
        back_off: wait,
        ..SoapFault::default()
    };
    as_fault(&fault, BUSY_TEXT)
}

/// ErrorExceededConnectionCount.
pub(super) fn connections() -> Response {
    let fault = SoapFault {
        code: "ErrorExceededConnectionCount".to_owned(),
        ..SoapFault::default()
    };
    let detail = format!("{CONNECTIONS_DETAIL}</detail>");
    let text = soap::write_fault(&fault, CONNECTIONS_TEXT).replace("</detail>", &detail);
    xml(StatusCode::INTERNAL_SERVER_ERROR, Body::from(text))
}

/// A fault with nothing but its code.
pub(super) fn of_code(code: &str) -> Response {
    let fault = SoapFault {
        code: code.to_owned(),
        ..SoapFault::default()
    };
    as_fault(&fault, "The request was refused.")
}

/// A fault, as HTTP 500.
pub(super) fn as_fault(fault: &SoapFault, text: &str) -> Response {
    let reply = soap::write_fault(fault, text);
    xml(StatusCode::INTERNAL_SERVER_ERROR, Body::from(reply))
}

/// A reply in XML.
pub(super) fn xml(code: StatusCode, body: Body) -> Response {
    typed(code, body, "text/xml; charset=utf-8")
}

/// What whoever stands before the service says.
fn page(code: StatusCode, title: &str) -> Response {
    let text = format!(
        "<!DOCTYPE html>\r\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    );
    typed(code, Body::from(text), "text/html")
}

fn typed(code: StatusCode, body: Body, kind: &'static str) -> Response {
    let mut response = (code, body).into_response();
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As recorded from a server, without the declaration.
    const RECORDED: &str = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode xmlns:a="http://schemas.microsoft.com/exchange/services/2006/types">a:ErrorExceededConnectionCount</faultcode><faultstring xml:lang="en-US">You have exceeded the available concurrent connections for your account.  Try again once your other requests have completed.</faultstring><detail><e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">ErrorExceededConnectionCount</e:ResponseCode><e:Message xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">You have exceeded the available concurrent connections for your account.  Try again once your other requests have completed.</e:Message><t:MessageXml xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><t:Value Name="Policy">MaxConcurrency</t:Value><t:Value Name="MaxConcurrencyLimit">27</t:Value><t:Value Name="ErrorMessage">This operation exceeds the throttling budget for policy part 'MaxConcurrency', policy value '27',  Budget type: 'Ews'.  Suggested backoff time 0 ms.</t:Value></t:MessageXml></detail></s:Fault></s:Body></s:Envelope>"#;

    #[tokio::test]
    async fn too_many_connections_look_as_they_were_recorded() {
        let body = connections().into_body();
        let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        let (_, envelope) = text.split_once("?>").unwrap();
        assert_eq!(envelope.trim(), RECORDED);
    }
}
