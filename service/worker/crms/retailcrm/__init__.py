"""RetailCRM and Simla: a change becomes the edit of an order by its externalId, in API v5.

The body is a form that holds JSON. There is no batch of edits; what stands is read many at a time,
and orders/history is an ordered feed of changes that says which were made with our own key.

Facts: retailcrm/api-client-php (official) @8946611 of 2026-04-29 with the answers in its tests;
PyPI retailcrm 5.3.0 (official); its issues 14 (Python), 44 (PHP) for error bodies.
"""

from service.worker.crms.kind import Kind, Option
from service.worker.crms.retailcrm.account import ABLE, LIMITS, USUAL, build

SET_UP = """\
1. Settings → Integration → API keys: make a key for Orderhook alone, with the rights to read and
   write orders, for one shop: token = "env:RETAILCRM_KEY", url = "https://COMPANY.retailcrm.ru".
2. A key for several shops needs options.site, the code of the shop.
3. Orders are found by their externalId, the number your shop gave them.
4. Settings → Statuses shows the codes: statuses = { paid = "prepayed", delivered = "complete" }.
5. A field of your own is written customFields.CODE: attributes = { tracking_url =
   "customFields.track" }; fields of the order by their name, as managerComment."""
DOUBTS = (
    "That an edit answers with the order as it then is; without it nothing can be compared.",
    "With which words an order is refused whose externalId is taken already.",
    "That a custom field that does not exist is ignored without a word; we compare.",
    "That 503 always means too many requests; the official client treats it so.",
    "That the times in orders/history and its generatedAt are of one and the same time zone.",
    "That filter[ids][] takes as many ids as a page holds.",
)

KIND = Kind(
    "retailcrm",
    "RetailCRM and Simla (orders)",
    build,
    setup=SET_UP,
    example={"url": "https://company.retailcrm.ru"},
    doubts=DOUBTS,
    options=(Option("site", "The code of the shop, for a key that has several.", "my-shop"),),
    capabilities=ABLE,
    limits=LIMITS,
    targets={"order": USUAL},
)
