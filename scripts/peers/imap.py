#!/usr/bin/env python3
"""A mailbox of a running lab through DavMail, as a mail program sees it: DavMail speaks EWS to the lab, and Python's imaplib speaks IMAP to DavMail.

    imap.py LAB_DIR MAILBOX IMAP_PORT OWNER_PORT

Folders, counts, numbers, flags and message ids must be what the lab says it holds, and nothing may be written to it: OWNER_PORT is that of
owner.py, which counts the calls.
"""

import email
import imaplib
import json
import re
import sys
from collections import Counter
from email.policy import default
from pathlib import Path

import requests

LAB, MAILBOX = Path(sys.argv[1]), sys.argv[2]
IMAP_PORT, OWNER_PORT = int(sys.argv[3]), int(sys.argv[4])
FACTS = json.loads((LAB / "lab.json").read_text())
# What DavMail calls the default folders.
NAMES = {"Inbox": "INBOX", "Sent Items": "Sent", "Deleted Items": "Trash", "Junk Email": "Junk"}
# DavMail leaves out what is no message to a mail program.
MESSAGES = ("IPM.Note", "REPORT.", "IPM.Schedule.Meeting")


def get(url):
    answer = requests.get(url, timeout=30)
    answer.raise_for_status()
    return answer.json()


def name_of(path):
    """A path of the lab as DavMail spells it; a slash inside a name is a character of its own there."""
    first, *rest = path.replace("\\/", "\0").split("/")
    return "/".join([NAMES.get(first, first), *rest]).replace("\0", "_xF8FF_")


def decoded(name):
    """A name out of IMAP's own UTF-7 (RFC 3501 section 5.1.3)."""
    plain = lambda own: f"+{own[1].replace(',', '/')}-".encode().decode("utf-7") if own[1] else "&"  # noqa: E731
    return re.sub(r"&([^-]*)-", plain, name)


def messages(imap):
    """Number, flags, and the whole message, of each in the folder that is open."""
    status, answer = imap.fetch("1:*", "(UID FLAGS BODY.PEEK[])")
    assert status == "OK", "a FETCH is refused"
    for part in answer:
        if isinstance(part, tuple):
            head = part[0].decode()
            number = int(re.search(r"UID (\d+)", head)[1])
            yield number, r"\Seen" in head, email.message_from_bytes(part[1], policy=default)


def main():
    before = get(f"{FACTS['control_url']}/stats")
    held = get(FACTS["truth_url"])["source"][MAILBOX]["folders"]
    imap = imaplib.IMAP4("127.0.0.1", IMAP_PORT, timeout=60)
    imap.login(MAILBOX, FACTS["ews_password"])
    status, lines = imap.list()
    assert status == "OK"
    raw = [re.search(r'"/" "(.*)"$', line.decode())[1] for line in lines]
    listed = {decoded(name): name for name in raw}
    read, opened = 0, 0
    for folder in held:
        if not folder["class"].startswith("IPF.Note"):
            continue
        name = listed.get(name_of(folder["path"]))
        assert name is not None, f"a folder of {len(folder['path'])} letters is not listed"
        status, answer = imap.select(f'"{name}"', readonly=True)
        assert status == "OK", "a folder does not open"
        opened += 1
        items = [item for item in folder["items"] if item["class"].startswith(MESSAGES)]
        assert int(answer[0]) == len(items), f"{int(answer[0])} messages, the lab holds {len(items)}"
        if not items:
            continue
        found = list(messages(imap))
        numbers = [number for number, _, _ in found]
        assert numbers == sorted(set(numbers)), "numbers do not rise"
        shown = Counter((message["Message-ID"], seen) for _, seen, message in found)
        assert shown == Counter((item["message_id"], item["read"]) for item in items), "other messages, or other flags"
        assert all(message["Subject"] and message.get_body() is not None for _, _, message in found)
        read += len(found)
    imap.logout()
    assert read, "no messages"
    calls = get(f"http://127.0.0.1:{OWNER_PORT}/")
    assert not calls["refused"], f"the lab refused: {calls['refused']}"
    after = get(f"{FACTS['control_url']}/stats")
    for name in ("source_writes", "invalid"):
        assert after[name] == before[name], f"{name} rose"
    print(f"  DavMail: {len(listed)} folders listed, {opened} opened, {read} messages read, {sum(calls['asked'].values())} calls of EWS")


main()
