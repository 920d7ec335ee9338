"""Bitrix24, cloud and box: changes become commands of one `batch`, up to fifty in one request.

Deals, leads, invoices and smart processes are written through crm.item.*, orders of the shop
through sale.order.*. Each command of a batch has its own result. An update is not refused for a
field that does not exist: such a field is missing in the item that comes back, so we look.

Facts: bitrix-tools/b24-rest-docs (official, MIT) @2ba8202 of 2026-08-21, pages batch, limits,
crm.item.*, object-fields, sale.order.*, crm.timeline.comment.add, system errors; b24pysdk 1.3.2.
"""

from service.worker.crms.bitrix24.portal import PACE, TIMES, USUAL, Bitrix24, build
from service.worker.crms.kind import Kind, OAuth, Option

SET_UP = """\
1. Make an employee for Orderhook alone, with rights to read and change the records, and an
   incoming webhook of this employee: Developer resources → Other → Inbound webhook, with the
   rights crm (and sale for orders of the shop; that takes an administrator).
2. url = "https://COMPANY.bitrix24.com", token = "env:BITRIX24_WEBHOOK": the whole URL of the
   webhook, or its USER/CODE. Or a local app with oauth = { grant = "refresh_token", … }.
3. The deal of an order carries the order number as originId and options.originator as
   originatorId. A field of your own serves too: objects.order.key_field = "UF_CRM_ORDER_NO".
4. crm.status.list with ENTITY_ID = DEAL_STAGE, or DEAL_STAGE_9 for pipeline 9, shows the stages:
   statuses = { paid = "PREPARATION", delivered = "WON" } or { paid = "C9:PREPARATION" }.
5. On a portal of your own (box): options.edition = "box", it has no limit of requests."""
DOUBTS = (
    "That two records with one originId are possible; we report them as two.",
    "How long an operation limit lasts on your portal: 480 s in ten minutes is only an example.",
    "That a batch over the time of one request (60 s) leaves commands without any answer.",
    "The name `dynamic_31` of invoices in the time line, and the error of a locked order (box).",
    "That a missing deal is answered NOT_FOUND; the page names this code for its type only.",
    "That robots which move a record at once are not yet seen in the answer to the write.",
)

KIND = Kind(
    "bitrix24",
    "Bitrix24, in the cloud or on a server of your own (deals, leads, invoices, shop orders)",
    build,
    setup=SET_UP,
    example={"url": "https://company.bitrix24.com"},
    doubts=DOUBTS,
    options=(
        Option(
            "entity",
            "What an order is there: deal, lead, invoice, order (of the shop) or dynamic_NUMBER; "
            "deal when left out.",
            "deal",
        ),
        Option(
            "originator",
            "The originatorId of records found by originId; orderhook when left out.",
            "orderhook",
        ),
        Option("category", "The pipeline of new deals; the first one when left out.", "9"),
        Option(
            "user",
            "The id of the employee only Orderhook uses: what this one changed is never taken "
            "for a person's change. Nobody when left out.",
            "14",
        ),
        Option("edition", "cloud, or box for a server of your own; cloud when left out.", "box"),
    ),
    oauth=OAuth(
        "https://oauth.bitrix24.tech/oauth/token/",
        ("refresh_token",),
        method="GET",
        rotating=True,
    ),
    capabilities=Bitrix24.capabilities,
    limits=(*PACE, *TIMES),
    targets={"order": USUAL},
)
