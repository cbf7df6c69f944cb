#!/usr/bin/env python3
"""msgraph-sdk, Microsoft's own client, against the Graph face of a running lab: token, folders, items, import session.

    graph.py LAB_DIR
"""

import asyncio
import json
import sys
from pathlib import Path

import requests
from azure.core.credentials import AccessToken
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient

LAB = Path(sys.argv[1])
FACTS = json.loads((LAB / "lab.json").read_text())


class LabCredential:
    """Takes the token from the lab's own endpoint, by client secret."""

    def get_token(self, *scopes, **_):
        url = f"{FACTS['login_url']}/{FACTS['tenant_id']}/oauth2/v2.0/token"
        form = {
            "grant_type": "client_credentials",
            "client_id": FACTS["client_id"],
            "client_secret": FACTS["client_secret"],
            "scope": f"{FACTS['graph_url']}/.default",
        }
        answer = requests.post(url, data=form, timeout=30)
        answer.raise_for_status()
        token = answer.json()
        assert "id_token" not in token
        return AccessToken(token["access_token"], 2_000_000_000)


async def main():
    provider = AzureIdentityAuthenticationProvider(LabCredential(), allowed_hosts=["127.0.0.1"])
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = f"{FACTS['graph_url']}/v1.0"
    graph = GraphServiceClient(request_adapter=adapter)
    user = FACTS["mailboxes"][0]["target"]
    settings = await graph.users.by_user_id(user).settings.exchange.get()
    mailbox = graph.admin.exchange.mailboxes.by_mailbox_id(settings.primary_mailbox_id)
    folders = (await mailbox.folders.get()).value
    assert folders, "no folders"
    # The listing shows what is directly under the root; the user's folders are one level below.
    for folder in list(folders):
        below = mailbox.folders.by_mailbox_folder_id(folder.id).child_folders
        folders.extend((await below.get()).value)
    names = {folder.display_name for folder in folders}
    session = await mailbox.create_import_session.post()
    assert session.import_url.startswith(FACTS["graph_url"]) and session.expiration_date_time
    seen = 0
    for folder in folders:
        items = (await mailbox.folders.by_mailbox_folder_id(folder.id).items.get()).value
        seen += len(items)
    assert seen > 0, "no items"
    print(f"  msgraph-sdk: {len(names)} folders, {seen} items seen, an import session opened")


asyncio.run(main())
