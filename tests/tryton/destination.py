"""Tryton as a destination: what an integrator writes who has read its REST protocol."""

from tests.tryton.server import Tryton

TABLE = """
[destinations.tryton]
crm = "rest"
url = "{url}"
token = "plain:{key}"
on_missing = "wait"
timeout = "5s"
retry = {{ first = "300ms", max = "2s" }}
limits = {{ requests = {{ count = 40, period = "1s", burst = 10 }} }}
statuses = {{ cancelled = "cancelled" }}
attributes = {{ tracking_number = "description" }}

[destinations.tryton.rest]
object = "sale.sale"
key_field = "reference"
status_field = "state"
headers = {{ "X-Tryton-Context" = "{context}" }}
record = {{ token = "write_date && to_string(write_date)" }}
message = "message"
find = {{ path = "/model/{{object}}", query = {{ d = "{{filter|base64url}}", f = {fields} }} }}
read = {{ path = "/model/{{object}}/{{id}}", query = {{ f = {fields} }} }}

[destinations.tryton.rest.parts]
filter = [["{{key_field}}", "=", "{{key}}"]]

[[destinations.tryton.rest.write]]
when = "fields"
method = "PUT"
path = "/model/{{object}}/{{id}}"
body = "{{fields}}"

[[destinations.tryton.rest.write]]
when = "status"
method = "POST"
path = "/model/{{object}}/{{id}}/{{action}}"
body = {{}}
actions = {{ cancelled = "cancel", draft = "draft" }}
unless_shown = true

[destinations.tryton.rest.create]
path = "/model/{{object}}"
body = {{ reference = "{{key}}", company = {company}, party = {party}, currency = {currency} }}
then_write = true

[[destinations.tryton.rest.errors]]
status = [500]
kind = "permanent"
"""


def table(tryton: Tryton) -> str:
    """The part of orderhook.toml that describes it."""
    fields = '["reference", "state", "description", "write_date"]'
    made = {name: tryton.made[name] for name in ("company", "party", "currency")}
    return TABLE.format(
        url=tryton.url, key=tryton.key, context=tryton.context, fields=fields, **made
    )
