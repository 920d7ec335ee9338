"""Salesforce: changes become collections of at most 200 records of one object, updated by their id.

Records are found by SOQL; only creating goes by the external id, because an upsert in a collection
would also create what is only to be updated. A condition (If-Match) holds for Account alone, one
record a call. A collection answers 200 whatever became of its rows, in their order.

Facts: the REST API guide of developer.salesforce.com (v68), help.salesforce.com, simple-salesforce
1.12.10, as in the catalogue of 2026-11. What is not in these is in DOUBTS.
"""

from service.worker.crms.kind import Kind, OAuth, Option
from service.worker.crms.salesforce.org import ABLE, LIMITS, USUAL, VERSION, build

SET_UP = """\
1. In Setup → Object Manager → (your object) add a text field for the merchant's number, marked
   External ID and Unique: its API name (Order_No__c) is objects.order.key_field.
2. Setup → External Client Apps: make an app with OAuth, scope "api". Either enable the client
   credentials flow and name the user it runs as:
   oauth = { grant = "client_credentials", url = "https://MYDOMAIN.my.salesforce.com/services/oauth2/token",
             client_id = "…", client_secret = "env:SF_SECRET" }
   or upload a certificate, approve the app for the user beforehand, and use
   oauth = { grant = "jwt_bearer", url = "…/services/oauth2/token", client_id = "…",
             key = "file:sf.pem", subject = "user@example.com",
             audience = "https://login.salesforce.com" }
3. url = "https://MYDOMAIN.my.salesforce.com"
4. statuses = { paid = "Closed Won" } are values of the status field's picklist.
5. limits.daily.count is your org's (Setup → Company Information), less what other apps use."""
DOUBTS = (
    "That REQUEST_LIMIT_EXCEEDED comes as 403, and only its message names 'ConcurrentRequests'.",
    "Whether a row whose record is no more says ENTITY_IS_DELETED or INVALID_CROSS_REFERENCE_KEY.",
    "That a collection with a field unknown to the object is refused as a whole (400).",
    "That notes are wanted as completed tasks (WhatId), which not every object allows.",
    "That SystemModstamp and Id order what is read back as they compare.",
)

KIND = Kind(
    "salesforce",
    "Salesforce (opportunities, orders, accounts or custom objects)",
    build,
    setup=SET_UP,
    token=False,
    example={
        "url": "https://company.my.salesforce.com",
        "oauth": {"url": "https://company.my.salesforce.com/services/oauth2/token"},
    },
    doubts=DOUBTS,
    options=(
        Option("version", f"Version of the REST API; {VERSION} when left out.", '"v68.0"'),
        Option(
            "create",
            "Fields that a new record gets besides (on_missing = create), as required ones.",
            '{ Name = "Web order", CloseDate = "2026-12-31" }',
        ),
    ),
    oauth=OAuth(None, ("client_credentials", "jwt_bearer")),
    capabilities=ABLE,
    limits=LIMITS,
    targets={"order": USUAL},
)
