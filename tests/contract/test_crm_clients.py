"""What the vendors' own clients asked our simulated CRMs is still answered in the same shape.

The conversations were kept by `python -m tests.oracles.crms --write`.
"""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from service.sandbox.dialects.base import running
from tests.oracles.crms import KEPT, TOKEN, crm, decoded, prepared, shape


@pytest.mark.parametrize("kept", sorted(KEPT.glob("*.json")), ids=lambda path: path.stem)
async def test_a_conversation_with_the_vendors_client_goes_as_before(kept: Path) -> None:
    dialect, token = prepared(crm(kept))
    said: list[dict[str, Any]] = json.loads(kept.read_text().replace(TOKEN, token))
    async with running(dialect) as url, aiohttp.ClientSession() as session:
        page = ""
        for each in said:
            # The name of a next page is drawn anew.
            path = page if "/query/01g" in each["path"] else each["path"]
            body = each["body"] if isinstance(each["body"], str) else json.dumps(each["body"])
            async with session.request(
                each["method"],
                URL(url + path, encoded=True),
                data=None if each["body"] is None else body,
                headers=each["headers"],
                skip_auto_headers=["Content-Type"],
            ) as response:
                answer = decoded(await response.text())
            assert (each["status"], each["answer"]) == (response.status, shape(answer)), each
            page = str(answer.get("nextRecordsUrl", "")) if isinstance(answer, dict) else ""


def test_conversations_are_kept() -> None:
    assert {"bitrix24", "hubspot", "retailcrm", "salesforce"} <= {
        path.stem for path in KEPT.glob("*.json")
    }
