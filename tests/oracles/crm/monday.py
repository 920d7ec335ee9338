"""monday's own Python client works with our simulated monday: URL and token in, nothing out."""

import sys

from monday_sdk import MondayClient

BOARD = "4150868001"
URL, TOKEN = sys.argv[1:3]


def client(token):
    made = MondayClient(token=token, max_retry_attempts=1)
    # It has no setting for the address.
    made._graphql_client.endpoint = f"{URL}/v2"  # noqa: SLF001
    return made


MONDAY = client(TOKEN)


def find(key):
    page = MONDAY.items.fetch_items_by_column_value(BOARD, "order_no", key, limit=10)
    return page.data.items_page_by_column_values.items


def items():
    [one] = find("A-1")
    assert [] == find("none")
    MONDAY.items.change_multiple_column_values(
        BOARD, one.id, {"status": {"label": "Paid"}, "total": "49.90", "gift": {"checked": "true"}}
    )
    [read] = MONDAY.items.fetch_items_by_id([one.id])
    shown = {each.column.id: each.text for each in read.column_values}
    assert (shown["status"], shown["total"], shown["gift"]) == ("Paid", "49.90", "v"), shown
    MONDAY.items.change_status_column_value(BOARD, one.id, "status", "Shipped")
    MONDAY.items.change_simple_column_value(BOARD, one.id, "tracking", "LT-1")
    MONDAY.items.create_item(BOARD, "topics", "New", {"order_no": "N-1"})
    assert 1 == len(find("N-1"))
    MONDAY.updates.create_update(one.id, 'Paid: "50%".')


def refusals():
    [one] = find("A-2")
    for api, label, why in ((MONDAY, "no such label", "label"), (client("wrong"), "Paid", "401")):
        try:
            api.items.change_status_column_value(BOARD, one.id, "status", label)
        except Exception as error:
            told = str(error)
        else:
            told = "nothing"
        assert why in told, told


items()
refusals()
