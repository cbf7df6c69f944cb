#!/usr/bin/env python3
"""msgraph-sdk, Microsoft's own client, against the Graph face of a running lab: token, folders, items, import session, export, batch.

    graph.py LAB_DIR
"""

import asyncio
import json
import sys
from pathlib import Path
from urllib.parse import quote

import requests
from azure.core.credentials import AccessToken
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_abstractions.headers_collection import HeadersCollection
from kiota_abstractions.request_information import RequestInformation
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.admin.exchange.mailboxes.item.export_items.export_items_post_request_body import (
    ExportItemsPostRequestBody,
)
from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem

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
    seen, filled = [], None
    for folder in folders:
        items = (await mailbox.folders.by_mailbox_folder_id(folder.id).items.get()).value
        filled = filled or (items and folder)
        seen.extend(item.id for item in items)
    assert seen, "no items"
    exported = (await mailbox.export_items.post(ExportItemsPostRequestBody(item_ids=seen[:2]))).value
    assert [entry.item_id for entry in exported] == seen[:2], "export lost items"
    assert all(entry.data and not entry.error for entry in exported), "an export failed"
    await batch(adapter, settings.primary_mailbox_id, filled)
    print(f"  msgraph-sdk: {len(names)} folders, {len(seen)} items seen, {len(exported)} exported, an import session opened, a batch of 2 answered")


async def batch(adapter, mailbox_id, folder):
    """Two reads in one call: the folders of the mailbox, and the items of one."""
    top = f"/admin/exchange/mailboxes/{quote(mailbox_id, safe='')}/folders"
    calls = []
    for url in (top, f"{top}/{quote(folder.id, safe='')}/items"):
        call = RequestInformation()
        call.http_method = "GET"
        call.url = url
        call.headers = HeadersCollection()
        calls.append(BatchRequestItem(request_information=call))
    answer = await BatchRequestBuilder(adapter).post(batch_request_content=BatchRequestContent(calls_of(calls)))
    for call in calls:
        response = answer.get_response_by_id(call.id)
        assert response.status == 200, f"HTTP {response.status} in a batch"
        # The client keeps no body that it has no model for; tests/lab_rules.rs looks into those.


def calls_of(calls):
    """The batch takes a mapping by id in one release of the client and a list in another."""
    try:
        BatchRequestContent({call.id: call for call in calls})
        return {call.id: call for call in calls}
    except (AttributeError, TypeError):
        return calls


asyncio.run(main())
