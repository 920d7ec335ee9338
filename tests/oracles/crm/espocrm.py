"""espocrm-client works with our simulated EspoCRM: URL and key in, nothing out."""

import sys

from espocrm import EspoCRMClient
from espocrm.auth import APIKeyAuth
from espocrm.config import ClientConfig

URL, TOKEN = sys.argv[1:3]


def client(key):
    config = ClientConfig(base_url=URL, api_key=key, max_retries=0)
    return EspoCRMClient(URL, APIKeyAuth(api_key=key), config)


def raises(act, status):
    found = AssertionError("nothing was raised")
    try:
        act()
    except Exception as error:
        found = error
    assert getattr(found, "status_code", None) == status, found


CRM = client(TOKEN)
where = {
    "whereGroup[0][type]": "equals",
    "whereGroup[0][attribute]": "cOrderNo",
    "whereGroup[0][value]": "A-1",
    "select": "cOrderNo,stage,versionNumber",
}
# The client puts `list`, and any single record, under `data`.
[one] = CRM.get("Opportunity", params=where)["data"]
assert (one["cOrderNo"], one["stage"], one["versionNumber"]) == ("A-1", "Prospecting", 1), one
saved = CRM.patch(f"Opportunity/{one['id']}", data={"stage": "Closed Won"})["data"]
assert saved["versionNumber"] == 2, saved
made = CRM.post("Opportunity", data={"name": "Ada", "cOrderNo": "N-1"})["data"]
assert CRM.get(f"Opportunity/{made['id']}")["data"]["cOrderNo"] == "N-1"
note = {"type": "Post", "parentType": "Opportunity", "parentId": made["id"], "post": "Paid."}
assert CRM.post("Note", data=note)["data"]["id"]
raises(lambda: CRM.get("Opportunity/0000000000000000f"), 404)
raises(lambda: CRM.patch(f"Opportunity/{one['id']}", data={"stage": "No such"}), 400)
raises(lambda: CRM.post("Opportunity", data={"name": "Ada"}), 409)
raises(lambda: client("wrong-key-0123456789").get("Opportunity"), 401)
