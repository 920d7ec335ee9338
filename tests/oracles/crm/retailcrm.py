"""RetailCRM's own client works with our simulated account: URL and key in, nothing out."""

import sys

import retailcrm

URL, KEY = sys.argv[1:3]
CLIENT = retailcrm.v5(URL, KEY)


def good(answer):
    assert answer.is_successful(), answer.get_response()
    body = answer.get_response()
    assert body["success"] is True, body
    return body


def bad(answer, status, message):
    assert answer.get_status_code() == status, answer.get_status_code()
    assert not answer.get_response()["success"]
    assert answer.get_error_msg() == message, answer.get_error_msg()
    return answer.get_errors()


def orders():
    order = good(CLIENT.order("A-1"))["order"]
    assert (order["externalId"], order["status"]) == ("A-1", "new"), order
    edit = {
        "externalId": "A-1",
        "status": "prepayed",
        "customFields": {"tracking": "№ 7 & 50%", "no_such_field": "x"},
    }
    edited = good(CLIENT.order_edit(edit, site="main-shop"))
    assert edited["id"] == order["id"]
    assert edited["order"]["status"] == "prepayed"
    assert edited["order"]["customFields"] == {"tracking": "№ 7 & 50%"}, edited
    by_id = {"id": order["id"], "status": "complete"}
    assert good(CLIENT.order_edit(by_id, uid_type="id"))["order"]["status"] == "complete"
    made = good(CLIENT.order_create({"externalId": "A-3", "status": "new"}, site="main-shop"))
    assert good(CLIENT.order(made["id"], uid_type="id"))["order"]["externalId"] == "A-3"


def lists():
    found = good(CLIENT.orders({"externalIds": ["A-1", "A-2", "A-9"]}, limit=20))
    assert [order["externalId"] for order in found["orders"]] == ["A-1", "A-2"], found
    assert found["pagination"]["totalCount"] == 2
    ids = [order["id"] for order in found["orders"]]
    read = good(CLIENT.orders({"ids": ids}, limit=50))
    assert [order["id"] for order in read["orders"]] == ids
    errors = bad(CLIENT.orders({}, limit=33), 400, "Errors in the input parameters")
    assert list(errors) == ["limit"]


def history():
    first = good(CLIENT.orders_history({"sinceId": 0}, limit=20))["history"]
    assert [change["id"] for change in first] == sorted(change["id"] for change in first)
    assert first[0]["created"] is True
    assert first[0]["newValue"] == {"code": "new"}
    last = first[-1]["id"]
    good(CLIENT.order_edit({"externalId": "A-2", "status": "assembling"}))
    [change] = good(CLIENT.orders_history({"sinceId": last}, limit=20))["history"]
    assert (change["field"], change["oldValue"]) == ("status", {"code": "new"}), change
    assert change["apiKey"] == {"current": True}
    assert change["order"]["externalId"] == "A-2"


def refusals():
    bad(CLIENT.order("A-9"), 404, "Not found")
    bad(CLIENT.order_edit({"externalId": "A-9", "status": "new"}), 404, "Not found")
    edit = {"externalId": "A-1", "status": "no-such-status"}
    errors = bad(CLIENT.order_edit(edit), 400, "Errors in the entity format")
    assert list(errors) == ["status"], errors
    bad(CLIENT.order_create({"externalId": "A-1"}), 400, "Order already exists.")
    bad(retailcrm.v5(URL, "wrong").order("A-1"), 403, 'Wrong "apiKey" value.')


orders()
lists()
history()
refusals()
