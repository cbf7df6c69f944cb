#!/usr/bin/env python3
"""A web server for software that reads the account's own mailbox: passes each call on to a lab's EWS face as the service account's, on behalf of
one mailbox, since the lab's service account has none of its own.

    owner.py LAB_DIR MAILBOX READY_FILE

Nothing is changed in a call but its SOAP header. ConvertId is answered here: the lab does not have it, and DavMail asks only whose mailbox it is in.
GET tells how many calls there were of each operation, and how many of them the lab refused.
"""

import base64
import json
import re
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

LAB, MAILBOX, READY = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
FACTS = json.loads((LAB / "lab.json").read_text())
ASKED, REFUSED = Counter(), Counter()
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
ON_BEHALF = (
    f'<t:ExchangeImpersonation xmlns:t="{TYPES}"><t:ConnectingSID><t:PrimarySmtpAddress>{MAILBOX}'
    "</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>"
)


# The service takes a call without it as one of 2007; the lab wants every call to say.
VERSION = f'<t:RequestServerVersion xmlns:t="{TYPES}" Version="Exchange2007_SP1"/>'


def converted(body):
    """The answer to ConvertId, by which DavMail learns whose mailbox it is in."""
    known = re.search(r'<t:AlternateId\s[^>]*\bId="([^"]+)"', body)[1]
    messages = TYPES.replace("types", "messages")
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<m:ConvertIdResponse xmlns:m="{messages}" xmlns:t="{TYPES}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><m:ResponseMessages>'
        '<m:ConvertIdResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f'<m:AlternateId xsi:type="t:AlternateIdType" Format="EwsId" Id="{known}" Mailbox="{MAILBOX}"/></m:ConvertIdResponseMessage>'
        "</m:ResponseMessages></m:ConvertIdResponse></s:Body></s:Envelope>"
    ).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, kind, body=b""):
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="lab"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        length = self.headers.get("Content-Length")
        body = (self.rfile.read(int(length)) if length else self.chunks()).decode()
        name = re.search(r"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", body)
        name = name[1] if name else "nothing"
        ASKED[name] += 1
        if not self.signed_in():
            return self.answer(401, "text/plain")
        if name == "ConvertId":
            return self.answer(200, "text/xml; charset=utf-8", converted(body))
        headers = {"Content-Type": self.headers["Content-Type"], "X-AnchorMailbox": MAILBOX}
        own = ON_BEHALF if "RequestServerVersion" in body else VERSION + ON_BEHALF
        body = re.sub(r"</((?:\w+:)?Header)>", lambda end: f"{own}</{end[1]}>", body, count=1)
        login = (FACTS["ews_username"], FACTS["ews_password"])
        reply = requests.post(FACTS["ews_url"], data=body.encode(), headers=headers, auth=login, timeout=60)
        if reply.status_code != 200 or b'ResponseClass="Error"' in reply.content:
            REFUSED[name] += 1
            print(f"{name}: HTTP {reply.status_code}", file=sys.stderr, flush=True)
        self.answer(reply.status_code, reply.headers.get("content-type", "text/plain"), reply.content)

    def signed_in(self):
        wanted = base64.b64encode(f"{MAILBOX}:{FACTS['ews_password']}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {wanted}"

    def chunks(self):
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def do_GET(self):
        if self.path != "/":
            # A browser gets the page of the web service, which wants a sign-in first.
            return self.answer(200 if self.signed_in() else 401, "text/html", b"")
        self.answer(200, "application/json", json.dumps({"asked": ASKED, "refused": REFUSED}).encode())


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    READY.write_text(str(server.server_address[1]))
    server.serve_forever()


main()
