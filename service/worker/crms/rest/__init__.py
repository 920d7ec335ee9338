"""The destination kind `rest`: any REST CRM by configuration alone."""

from service.worker.crms.base import Capabilities, Target
from service.worker.crms.kind import Kind, OAuth
from service.worker.crms.rest.adapter import build

SETUP = """\
1. Find four things in the API's documentation: how a call is let in, how an order is found by its
   number, how it is read by its id, and how it is written.
2. Write [destinations.NAME.rest]: auth, find, read and write; docs/recipes/rest-crm.md has a table
   of fifteen lines to begin with, docs/configuration.md every key.
3. Give statuses (our word, theirs) and attributes (our attribute, their field).
4. State its quota in limits, as in limits = { requests = { count = 5, period = "1s" } }.
5. Run `orderhook check`, then start with shadow = true and compare what would be written."""
DOUBTS = (
    "That find answers with the records of exactly that number, and not of numbers like it.",
    "That a refusal is told apart from success by its HTTP status; else describe success.when.",
    "What the API does with a write that is sent twice; claim idempotent only where it says so.",
)

KIND = Kind(
    "rest",
    "Any REST CRM, described by configuration",
    build,
    setup=SETUP,
    example={
        "url": "https://crm.example.com/api",
        "rest": {
            "key_field": "number",
            "status_field": "stage",
            "find": {"path": "/orders", "query": {"number": "{key}"}, "records": "items"},
            "read": {"path": "/orders/{id}"},
            "write": {"path": "/orders/{id}"},
        },
    },
    doubts=DOUBTS,
    oauth=OAuth(None, ("refresh_token", "client_credentials", "jwt_bearer")),
    # Each of these when the table describes it.
    capabilities=Capabilities(conditional=True, creates=True, notes=True, feed=True),
    targets={"order": Target("", "", "")},
)
