"""What a source calls personal is shown nowhere, and reaches the CRM whole."""

import base64
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests import servers
from tests.household import EMBEDDED, Household, household

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]

CONFIG = (
    EMBEDDED
    + """\
[sources.shop]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:open"]
key = "id"
subject = {{ ref = "order" }}
status = "status"
statuses = {{ PAID = "payment.paid" }}
attributes = {{ nick = "buyer.nickName", shoe = "buyer.shoe", email = "buyer.email" }}
mask = ["nick_name", "nick", "buyer.shoe", "attributes.shoe"]
[destinations.crm]
crm = "callback"
url = "{url}"
secret = "plain:whsec_b3JkZXJob29rLWFjY2VwdGFuY2UtdGVzdHM="
attributes = {{ nick = "nick", shoe = "shoe_size" }}
[[routes]]
destinations = ["crm"]
"""
)
PRIVATE = ("Lady Lovelace", "forty-one-and-a-half")
SAID = {
    "id": "m-1",
    "order": "1001",
    "status": "PAID",
    "shoe": "not of the buyer",
    "buyer": {"nickName": PRIVATE[0], "shoe": PRIVATE[1], "email": "ada@example.com"},
}


async def test_what_a_source_masks_is_shown_nowhere_and_told_to_the_crm(
    tmp_path: Path, postgres: servers.Postgres, template: str
) -> None:
    told: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/callback", take)
    async with TestServer(app) as crm:
        config = CONFIG.format(url=crm.make_url("/callback"))
        with household(config, folder=tmp_path, postgres=postgres, template=template) as house:
            await house.post("shop", **SAID)
            page = await house.until("1001", _is_synced)
            shown = [page, *await _answers(house, page["history"][0]["event_id"])]
            log = (tmp_path / "log").read_text()
    attributes = {"nick": "(masked)", "shoe": "(masked)", "email": "ada@example.com"}
    assert attributes == page["attributes"]
    assert [] == [private for private in PRIVATE if private in repr(shown) + log]
    assert {"nick": PRIVATE[0], "shoe_size": PRIVATE[1]} == told[-1]["data"]["attributes"]


def _is_synced(page: Any) -> bool:
    return [("synced", 1)] == [(each["state"], each["synced"]) for each in page["syncs"]]


async def _answers(house: Household, event_id: str) -> list[Any]:
    """Everything else that tells of the event, and what it tells."""
    answers = []
    for path in (f"/events/{event_id}", "/events", "/subjects", "/attempts", "/held", "/sources"):
        status, body = await house.ask("GET", path)
        assert 200 == status, path
        answers.append(body)
    body = base64.b64decode(answers[0]["request"]["body_base64"]).decode()
    assert (2, "not of the buyer" in body) == (body.count("(masked)"), True)
    for words in (
        ("orders", "show", "1001"),
        ("orders", "show", "1001", "--json"),
        ("orders", "history", "1001"),
        ("events", "show", event_id),
        ("events", "show", event_id, "--json"),
        ("attempts", "list"),
    ):
        code, out, err = await house.run(*words)
        assert 0 == code, err
        answers.append(out + err)
    return [body, *answers]
