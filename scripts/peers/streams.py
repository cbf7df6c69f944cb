#!/usr/bin/env python3
"""What `mailferry run` sent of a lab's mailboxes, byte by byte, beside what exchangelib exported of them.

    streams.py EXPORTED.json RECORD_DIR SUMMARY.json

RECORD_DIR is what `mailferry lab --record` wrote. Every stream that was imported must be one that exchangelib exported, as often at most, and together
they must be at least as many as the run says it confirmed.
"""

import base64
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path


def imported(record):
    for path in sorted(Path(record).glob("*.graph.request.json")):
        request = json.loads(path.read_text())
        if request["method"] == "POST" and "importItem" in request["path"]:
            yield hashlib.sha256(base64.b64decode(request["body"]["Data"])).hexdigest()


def main():
    exported = Counter(s for streams in json.loads(Path(sys.argv[1]).read_text()).values() for s in streams)
    summary = json.loads(Path(sys.argv[3]).read_text().splitlines()[-1])
    mine = Counter(imported(sys.argv[2]))
    strangers = mine - exported
    assert not strangers, f"{sum(strangers.values())} imported streams are none that exchangelib exported"
    carried, confirmed = sum(mine.values()), summary["items"]["confirmed"]
    assert carried >= confirmed > 0, f"{carried} streams were sent, the run confirmed {confirmed}"
    print(f"  {carried} imported streams are those that exchangelib exported, byte for byte ({sum(exported.values())} in all)")


if __name__ == "__main__":
    main()
