#!/usr/bin/env python3
"""O365, a client of the Mail, Calendar and Contacts APIs, against what our client made by them in a running lab.

    o365.py LAB_DIR

Wants a mailbox that was carried with route = "typed". Not asked, since the service itself would refuse or the library cannot point it elsewhere:
the sign-in page of a person (there is none for applications) and `me` (an application has no mailbox of its own). Not asked either, though the
service answers: filters other than by our mark, $orderby and calendarView, which the lab refuses, because our client has no use for them.
"""

import base64
import json
import sys
import time
from collections import Counter
from pathlib import Path

import requests
from O365 import Account, MSGraphProtocol
from O365.utils import BaseTokenBackend

LAB = Path(sys.argv[1])
FACTS = json.loads((LAB / "lab.json").read_text())


class LabProtocol(MSGraphProtocol):
    """The library's own protocol at the lab's address. Times are asked for in UTC, which is what the service tells without a preference."""

    _protocol_url = f"{FACTS['graph_url']}/"
    _oauth_scope_prefix = f"{FACTS['graph_url']}/"


class LabToken(BaseTokenBackend):
    """Takes the token from the lab's own endpoint, by client secret.

    The library leaves signing in to MSAL, which insists on https and asks Microsoft whether the authority is a known one. The lab is neither, so
    the token comes by the same request without MSAL, and the library finds it where it would find one that it stored before.
    """

    def __init__(self):
        super().__init__()
        url = f"{FACTS['login_url']}/{FACTS['tenant_id']}/oauth2/v2.0/token"
        form = {
            "grant_type": "client_credentials",
            "client_id": FACTS["client_id"],
            "client_secret": FACTS["client_secret"],
            "scope": f"{FACTS['graph_url']}/.default",
        }
        answer = requests.post(url, data=form, timeout=30)
        answer.raise_for_status()
        self.token = answer.json()

    has_data = True

    def get_access_token(self, *, username=None):
        return {"secret": self.token["access_token"], "expires_on": "2000000000"}

    def load_token(self):
        return True

    def save_token(self, force=False):
        return True


def truth(user):
    """What the lab holds: by path the items of each folder, and the folders' classes."""
    answer = requests.get(FACTS["truth_url"], timeout=30)
    answer.raise_for_status()
    folders = answer.json()["target"][user]["folders"]
    return {folder["path"]: (folder["class"], folder["items"]) for folder in folders}


def invalid():
    """Requests that the lab found against a rule."""
    answer = requests.get(f"{FACTS['control_url']}/log?invalid=1", timeout=30)
    answer.raise_for_status()
    return [entry["why"] for entry in answer.json()["invalid"]]


def each_folder(mailbox):
    """All folders, parents first."""
    found = list(mailbox.get_folders())
    for folder in found:
        assert folder.child_folders_count >= 0
        if folder.child_folders_count:
            found.extend(folder.get_folders())
    return found


def settled(account, user, held):
    """The folders, once they show all they hold: what was made last may be out of sight for a moment, here as there."""
    wanted = sum(len(items) for kind, items in held.values() if kind.startswith("IPF.Note"))
    for _ in range(100):
        folders = each_folder(account.mailbox(user))
        shown = sum(folder.total_items_count for folder in folders)
        if shown == wanted:
            return folders
        time.sleep(0.1)
    raise AssertionError(f"the folders count {shown} items, the lab holds {wanted}")


def mail(account, user, held):
    folders = settled(account, user, held)
    mails = {path: items for path, (kind, items) in held.items() if kind.startswith("IPF.Note")}
    names = Counter(folder.name for folder in folders)
    assert len(folders) == len(mails), f"{len(folders)} mail folders, the lab holds {len(mails)}"
    last = Counter(path.replace("\\/", "\0").split("/")[-1].replace("\0", "/") for path in mails)
    assert names == last, "folders are called otherwise"
    read, files, empty = 0, 0, 0
    seen = Counter()
    for folder in folders:
        # A page smaller than the folder: the library follows the links by itself.
        listed = list(folder.get_messages(limit=None, batch=5))
        seen.update((message.internet_message_id, message.is_read) for message in listed)
        assert len({message.object_id for message in listed}) == len(listed), "an id twice"
        again = account.mailbox(user).get_folder(folder_id=folder.folder_id)
        assert (again.name, again.total_items_count) == (folder.name, folder.total_items_count)
        empty += not listed
        for message in listed:
            files += whole(folder, message)
            read += 1
    # Reports are messages to this API as well.
    known = Counter(
        (item["message_id"], item["read"])
        for items in mails.values()
        for item in items
        if item["class"].startswith(("IPM.Note", "REPORT."))
    )
    assert known and seen == known, f"{sum(seen.values())} messages, the lab holds {sum(known.values())}"
    assert files, "no attachment anywhere"
    return len(folders), read, files


def whole(folder, listed):
    """Reads one message alone, and its attachments; how many there are."""
    alone = folder.get_message(object_id=listed.object_id)
    for name in ("object_id", "subject", "internet_message_id", "received", "sent", "is_read", "has_attachments"):
        assert getattr(alone, name) == getattr(listed, name), f"{name} differs between listing and reading"
    assert alone.body == listed.body and alone.body_type == listed.body_type, "the text differs"
    people = lambda own: [(to.name, to.address) for to in own]  # noqa: E731
    assert people(alone.to) == people(listed.to) and people(alone.cc) == people(listed.cc)
    assert alone.sender.address == listed.sender.address
    if not alone.has_attachments:
        return 0
    assert alone.attachments.download_attachments(), "attachments do not come"
    for attachment in alone.attachments:
        assert attachment.name and attachment.attachment_type == "file"
        assert len(base64.b64decode(attachment.content, validate=True)) <= attachment.size
    return len(alone.attachments)


def calendars(account, user, held):
    own = list(account.schedule(resource=user).list_calendars())
    kept = [items for kind, items in held.values() if kind.startswith("IPF.Appointment")]
    assert len(own) == len(kept), f"{len(own)} calendars, the lab holds {len(kept)}"
    # Masters and single events. A window of occurrences (calendarView) is nothing that the lab has.
    events = [event for one in own for event in one.get_events(limit=None, batch=1, include_recurring=False)]
    wanted = sum(item["class"].startswith("IPM.Appointment") for items in kept for item in items)
    assert events and len(events) == wanted, f"{len(events)} events, the lab holds {wanted}"
    for event in events:
        assert event.start <= event.end and not list(event.attendees)
    return len(own), len(events)


def contacts(account, user, held):
    book = account.address_book(resource=user)
    people = list(book.get_contacts(limit=None, batch=1))
    kept = [item for item in held["Contacts"][1] if item["class"].startswith("IPM.Contact")]
    assert people and len(people) == len(kept), f"{len(people)} contacts, the lab holds {len(kept)}"
    below = [path for path, (kind, _) in held.items() if path.startswith("Contacts/") and kind.startswith("IPF.Contact")]
    assert len(list(book.get_folders())) == len([path for path in below if path.count("/") == 1])
    assert all(person.display_name and person.object_id for person in people)
    return len(people)


def main():
    account = Account(
        (FACTS["client_id"], FACTS["client_secret"]),
        auth_flow_type="credentials",
        tenant_id=FACTS["tenant_id"],
        protocol=LabProtocol(timezone="UTC"),
        token_backend=LabToken(),
        requests_delay=0,
        request_retries=0,
    )
    before = invalid()
    for box in FACTS["mailboxes"]:
        user = box["target"]
        held = truth(user)
        folders, read, files = mail(account, user, held)
        own, events = calendars(account, user, held)
        people = contacts(account, user, held)
        print(f"  O365: {folders} mail folders, {read} messages, {files} attachments, {own} calendars, {events} events, {people} contacts")
    assert invalid() == before, f"the lab found fault: {sorted(set(invalid()) - set(before))}"


main()
