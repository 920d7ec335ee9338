"""PySuiteCRM works with our simulated SuiteCRM: URL in, nothing out; it asks for its token."""

import os
import sys
import tempfile

from PySuiteCRM.SuiteCRM import SuiteCRM

URL = sys.argv[1]
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
# The client keeps its token in a file beside the program.
os.chdir(tempfile.mkdtemp())

CRM = SuiteCRM("app-1", "app-secret", f"{URL}/Api/V8")


def finds_and_writes():
    [one] = CRM.Opportunities.get(fields=["order_no_c", "sales_stage"], order_no_c="A-1")
    assert one["type"] == "Opportunity", one
    assert one["attributes"] == {"order_no_c": "A-1", "sales_stage": "Prospecting"}, one
    saved = CRM.Opportunities.update(one["id"], sales_stage="Closed Won", tracking_c="LT-1")
    assert saved["data"]["id"] == one["id"], saved
    assert saved["data"]["attributes"]["sales_stage"] == "Closed Won", saved
    assert CRM.Opportunities.get(order_no_c="nobody") == []


def makes_and_refuses():
    made = CRM.Opportunities.create(name="Ada", order_no_c="N-1")
    assert made["data"]["attributes"]["order_no_c"] == "N-1", made
    assert "sales_stage" in CRM.Opportunities.fields()
    note = {"parent_type": "Opportunities", "parent_id": made["data"]["id"]}
    assert CRM.Notes.create(name="Paid", description="Paid.", **note)["data"]["id"]
    gone = CRM.Opportunities.update("no-such-id", sales_stage="Closed Won")
    assert gone["errors"]["status"] == 400, gone
    assert gone["errors"]["detail"] == "Opportunities module with id no-such-id is not found"
    wrong = CRM.Opportunities.update(made["data"]["id"], no_such_field="x")
    assert wrong["errors"]["detail"].startswith("Property no_such_field"), wrong


finds_and_writes()
makes_and_refuses()
