"""odoo-client-lib and OdooRPC work with our simulated Odoo: URL and key in, nothing out."""

import sys
from urllib.parse import urlsplit

import odoolib
import odoorpc

URL, TOKEN = sys.argv[1:3]
WHERE = urlsplit(URL)
DATABASE, LOGIN = "shop", "gateway"


def connection(protocol, key=TOKEN):
    return odoolib.get_connection(
        hostname=WHERE.hostname,
        port=WHERE.port,
        protocol=protocol,
        database=DATABASE,
        login=LOGIN,
        password=key,
    )


def raises(act, *names):
    found = AssertionError("nothing was raised")
    try:
        act()
    except Exception as error:
        found = error
    assert any(name in f"{found!r} {vars(found)}" for name in names), found


def json2():
    orders = connection("json2").get_model("sale.order")
    [one] = orders.search_read(domain=[["client_order_ref", "=", "A-1"]], fields=["state"])
    assert one["state"] == "draft", one
    # The client looks up in /doc-bearer which argument stands where.
    assert orders.write([one["id"]], {"x_tracking": "LT-1"}) is True
    assert orders.action_confirm(ids=[one["id"]]) is True
    raises(lambda: orders.action_confirm(ids=[one["id"]]), "422", "UserError")
    assert orders.read([one["id"]], ["state", "x_tracking"])["x_tracking"] == "LT-1"
    posted = orders.message_post(ids=[one["id"]], body="Paid.", message_type="comment")
    assert isinstance(posted[0], int), posted
    raises(lambda: orders.write([999999], {"x_tracking": "x"}), "MissingError")
    raises(lambda: orders.write([one["id"]], {"no_such": 1}), "builtins.ValueError")
    assert connection("json2").check_login() is True
    assert connection("json2", "wrong").check_login() is False


def json_rpc():
    conn = connection("jsonrpc")
    conn.check_login()
    orders = conn.get_model("sale.order")
    [one] = orders.search_read([["client_order_ref", "=", "A-2"]], ["state", "write_date"])
    assert one["state"] == "draft", one
    assert orders.write([one["id"]], {"x_total": 49.9}) is True
    assert orders.action_confirm([one["id"]]) is True
    raises(lambda: orders.action_confirm([one["id"]]), "UserError")
    made = conn.get_model("crm.lead").create({"name": "Ada", "x_merchant_order": "L-1"})
    assert conn.get_model("crm.lead").read(made, ["stage_id"])["stage_id"] == [1, "New"]
    raises(lambda: connection("jsonrpc", "wrong").check_login(), "Authentication")


def odoo_rpc():
    odoo = odoorpc.ODOO(WHERE.hostname, port=WHERE.port)
    assert odoo.version == "19.0", odoo.version
    odoo.login(DATABASE, LOGIN, TOKEN)
    orders = odoo.env["sale.order"]
    [number] = orders.search([("client_order_ref", "=", "A-2")])
    order = orders.browse(number)
    assert order.state == "sale", order.state
    order.x_tracking = "LT-2"
    assert orders.read([number], ["x_tracking"]) == [{"id": number, "x_tracking": "LT-2"}]
    assert odoo.execute_kw("sale.order", "action_cancel", [[number]]) is True
    raises(lambda: odoo.execute("sale.order", "read", [999999], ["state"]), "MissingError", "exist")
    raises(lambda: odoo.login(DATABASE, LOGIN, "wrong"), "Wrong login")


json2()
json_rpc()
odoo_rpc()
