#!/usr/bin/env python3
"""exchangelib, a client that nobody here wrote, against the EWS face of a running lab.

    ews.py LAB_DIR basic|ntlm OUT.json

Walks the folder tree, finds, gets, syncs and exports the items of every mailbox, and writes per mailbox the SHA-256 of each exported stream.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from exchangelib import BASIC, IMPERSONATION, NTLM, Account, Configuration, Credentials
from exchangelib.protocol import BaseProtocol
from exchangelib.version import EXCHANGE_2016, Version
from exchangelib.errors import ErrorItemCorrupt, ErrorInternalServerError

LIST_PAGE = 50


def account(facts, address, method):
    config = Configuration(
        service_endpoint=facts["ews_url"],
        credentials=Credentials(facts["ews_username"], facts["ews_password"]),
        auth_type={"basic": BASIC, "ntlm": NTLM}[method],
        version=Version(EXCHANGE_2016),
        max_connections=1,
    )
    return Account(address, config=config, autodiscover=False, access_type=IMPERSONATION)


def walk(box):
    """Every folder below the top of the user's tree, deep and in one query."""
    return list(box.msg_folder_root.walk())


def work(facts, address, method, truth):
    box = account(facts, address, method)
    folders = walk(box)
    streams, counts = [], {"folders": len(folders), "found": 0, "got": 0, "synced": 0, "refused": 0}
    for folder in folders:
        found = list(folder.all().only("id", "changekey", "subject", "item_class"))
        counts["found"] += len(found)
        if not found:
            continue
        got = list(box.fetch(found[:1], only_fields=["item_class", "size"]))
        counts["got"] += sum(1 for item in got if not isinstance(item, Exception))
        synced = [change for change in folder.sync_items()]
        counts["synced"] += len(synced)
        for answer in box.export(found):
            if isinstance(answer, Exception):
                counts["refused"] += 1
            else:
                streams.append(hashlib.sha256(base64.b64decode(answer)).hexdigest())
    return counts, sorted(streams)


def main():
    lab, method, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    facts = json.loads((lab / "lab.json").read_text())
    result = {}
    for pair in facts["mailboxes"]:
        counts, streams = work(facts, pair["source"], method, None)
        print(f"  {pair['source']} by {method}: {counts}")
        assert counts["found"] > 0 and counts["got"] > 0, "nothing was read"
        assert counts["synced"] == counts["found"], "sync and find disagree"
        assert len(streams) + counts["refused"] == counts["found"], "export lost items"
        result[pair["target"]] = streams
    out.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
