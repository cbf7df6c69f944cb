#!/usr/bin/env python3
"""A TLS front that passes bytes on: TLS on 127.0.0.1 towards us, clear text to PORT of a lab.

    relay.py LISTEN_PORT LAB_PORT READY_FILE CERT KEY [CIPHERS]

CIPHERS is OpenSSL's list; with it only TLS 1.2 is spoken.
"""

import socket
import ssl
import sys
import threading
from pathlib import Path


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client, context, port):
    try:
        secure = context.wrap_socket(client, server_side=True)
    except OSError as why:
        print(f"handshake: {why}", file=sys.stderr, flush=True)
        return
    lab = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=pump, args=(lab, secure), daemon=True).start()
    pump(secure, lab)


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    if len(sys.argv) > 6:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(sys.argv[6])
    Path(sys.argv[3]).write_text(str(listener.getsockname()[1]))
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, context, int(sys.argv[2])), daemon=True).start()


if __name__ == "__main__":
    main()
