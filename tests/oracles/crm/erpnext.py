"""frappe-client (version 1 of the API) works with our simulated ERPNext: URL and key in."""

import sys

from frappeclient import FrappeClient
from frappeclient.frappeclient import FrappeException

URL, TOKEN = sys.argv[1:3]
STATUS = "custom_order_status"


def raises(act, name):
    found = AssertionError("nothing was raised")
    try:
        act()
    except FrappeException as error:
        found = error
    assert name in str(found), found


def client(token):
    site = FrappeClient(URL)
    site.session.headers["Authorization"] = f"token {token}"
    return site


SITE = client(TOKEN)
[one] = SITE.get_list(
    "Sales Order",
    fields=["name", STATUS, "modified"],
    filters={"po_no": "A-1"},
    limit_page_length=5,
)
assert one[STATUS] == "Open", one
document = {"doctype": "Sales Order", "name": one["name"]}
saved = SITE.update({**document, STATUS: "Paid", "modified": one["modified"]})
assert saved[STATUS] == "Paid", saved
assert saved["modified"] > one["modified"], saved
stale = {**document, STATUS: "Shipped", "modified": one["modified"]}
raises(lambda: SITE.update(stale), "TimestampMismatchError")
raises(lambda: SITE.update({**document, STATUS: "No such"}), "ValidationError")
raises(lambda: SITE.update({**document, "po_no": "x"}), "UpdateAfterSubmitError")
made = SITE.insert({"doctype": "Sales Order", "customer": "Ada", "po_no": "N-1"})
assert SITE.get_doc("Sales Order", made["name"])["po_no"] == "N-1"
raises(lambda: SITE.get_doc("Sales Order", "SAL-ORD-0000"), "DoesNotExistError")
wrong = client("key:wrong")
raises(lambda: wrong.get_doc("Sales Order", one["name"]), "AuthenticationError")
