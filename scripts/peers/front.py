#!/usr/bin/env python3
"""A web server that asks for NTLM or Kerberos, judged by pyspnego, and passes what is signed in on to a lab's EWS face by Basic.

    front.py LAB_DIR ntlm|kerberos PORT READY_FILE [CERT KEY]

With CERT and KEY it speaks TLS and demands the channel binding `tls-server-end-point` of that certificate. NTLM accounts come from NTLM_USER_FILE, the
key table from KRB5_KTNAME. One sign-in belongs to one connection.
"""

import base64
import hashlib
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
import spnego
from cryptography import x509
from spnego.channel_bindings import GssChannelBindings

LAB, WAY, PORT, READY = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
CERT = sys.argv[5:7]
FACTS = json.loads((LAB / "lab.json").read_text())
WORD = {"ntlm": "NTLM", "kerberos": "Negotiate"}[WAY]
# Kerberos comes wrapped in SPNEGO, as IIS takes it.
PROTOCOL = {"ntlm": "ntlm", "kerberos": "negotiate"}[WAY]
STATS = {"signed_in": 0, "refused": 0, "passed_on": 0}


def binding():
    if not CERT:
        return None
    cert = x509.load_pem_x509_certificate(Path(CERT[0]).read_bytes())
    der = ssl.PEM_cert_to_DER_cert(Path(CERT[0]).read_text().strip())
    name = cert.signature_hash_algorithm.name
    digest = hashlib.new("sha256" if name in ("md5", "sha1") else name, der).digest()
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest)


BINDING = binding()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    context = None
    known = False

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body=b""):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("Authorization")
        if given is not None:
            self.known = False
            word, _, token = given.partition(" ")
            if word.lower() != WORD.lower():
                return self.answer(401, [("WWW-Authenticate", WORD)])
            if self.context is None:
                self.context = spnego.server(
                    protocol=PROTOCOL, service="HTTP", hostname="localhost", channel_bindings=BINDING
                )
            try:
                out = self.context.step(base64.b64decode(token))
            except Exception as why:  # a refusal, whatever its kind
                STATS["refused"] += 1
                print(f"refused: {type(why).__name__}: {why}", file=sys.stderr, flush=True)
                self.context = None
                return self.answer(401, [("WWW-Authenticate", WORD)])
            if not self.context.complete:
                text = base64.b64encode(out or b"").decode()
                return self.answer(401, [("WWW-Authenticate", f"{WORD} {text}")])
            STATS["signed_in"] += 1
            self.known, self.context = True, None
        if not self.known:
            return self.answer(401, [("WWW-Authenticate", WORD)])
        self.known = WAY == "ntlm"
        headers = {n: v for n, v in self.headers.items() if n.lower() in ("content-type", "accept", "x-anchormailbox")}
        login = (FACTS["ews_username"], FACTS["ews_password"])
        reply = requests.post(FACTS["ews_url"], data=body, headers=headers, auth=login, timeout=60)
        STATS["passed_on"] += 1
        kept = [(n, v) for n, v in reply.headers.items() if n.lower() in ("content-type", "retry-after", "date")]
        if WAY == "ntlm":
            kept.append(("Persistent-Auth", "true"))
        self.answer(reply.status_code, kept, reply.content)

    def do_GET(self):
        self.answer(200, [("Content-Type", "application/json")], json.dumps(STATS).encode())


def main():
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    server.daemon_threads = True
    if CERT:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*CERT)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    READY.write_text(str(server.server_address[1]))
    server.serve_forever()


if __name__ == "__main__":
    main()
