"""Microsoft's own client works with our simulated Dynamics 365: URL and token in, nothing out."""

import sys
import time

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.upsert import UpsertItem

URL, TOKEN = sys.argv[1:3]
TABLE = "salesorder"


class Credential:
    def __init__(self, token):
        self.token = token

    def get_token(self, *_scopes, **_rest):
        return AccessToken(self.token, int(time.time()) + 3600)


def client(token):
    made = DataverseClient("https://sandbox.invalid", Credential(token))
    # It takes no address without TLS.
    made._base_url = URL  # noqa: SLF001
    return made


DATAVERSE = client(TOKEN)


def find(number):
    return list(DATAVERSE.records.list(TABLE, filter=f"ordernumber eq '{number}'"))


def records():
    [one] = find("A-1")
    key = one["salesorderid"]
    DATAVERSE.records.update(TABLE, key, {"new_tracking": "LT-1", "statuscode": 690970000})
    read = DATAVERSE.records.retrieve(TABLE, key)
    assert ("LT-1", 690970000) == (read["new_tracking"], read["statuscode"]), dict(read)
    DATAVERSE.records.upsert(
        TABLE,
        [UpsertItem(alternate_key={"ordernumber": "N'1"}, record={"name": "New"})],
    )
    assert 1 == len(find("N''1"))
    assert DATAVERSE.records.create(TABLE, {"name": "Made", "ordernumber": "N-2"})


def batches():
    [one], [two] = find("A-1"), find("A-2")
    batch = DATAVERSE.batch.new()
    batch.records.update(TABLE, one["salesorderid"], {"new_tracking": "LT-2"})
    batch.records.update(TABLE, two["salesorderid"], {"statuscode": 424242})
    batch.records.update(TABLE, "00000000-0000-4000-8000-000000000000", {"new_tracking": "x"})
    batch.records.retrieve(TABLE, one["salesorderid"], select=["ordernumber", "new_tracking"])
    told = batch.execute(continue_on_error=True).responses
    assert [204, 400, 404, 200] == [each.status_code for each in told], told
    assert "0x80048408" == told[1].error_code, told[1]
    assert "LT-2" == told[3].data["new_tracking"], told[3]
    batch = DATAVERSE.batch.new()
    batch.records.update(TABLE, two["salesorderid"], {"statuscode": 424242})
    batch.records.update(TABLE, one["salesorderid"], {"new_tracking": "LT-3"})
    assert [400] == [each.status_code for each in batch.execute().responses]


def refusals():
    missing = "00000000-0000-4000-8000-000000000000"
    assert DATAVERSE.records.retrieve(TABLE, missing) is None
    for api, status in ((DATAVERSE, 404), (client("wrong"), 401)):
        try:
            api.records.update(TABLE, missing, {"new_tracking": "x"})
        except HttpError as error:
            told = error.status_code
        else:
            told = 200
        assert status == told, told


records()
batches()
refusals()
