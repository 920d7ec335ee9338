"""amoCRM and Kommo: changes become one PATCH of up to fifty leads in API v4.

A lead is found by a custom field that holds the order number; its stage is `pipeline/status`. One
bad lead rejects the whole request and is named by its request_id. A PATCH may be answered 200 and
change nothing, so what was written is read back in the same breath.

Facts: amocrm/amocrm-api-php (official) @1354d8a of 2026-04-14; developers.kommo.com, limitations
and long-lived tokens; PyPI aioamocrm 0.1.1 (third party) for bodies, as in the catalogue of
2026-11.
"""

from service.worker.crms.amocrm.account import LIMITS, USUAL, AmoCrm, build
from service.worker.crms.kind import Kind, OAuth, Option

SET_UP = """\
1. Settings → Leads: add a text field for the order number; its id is objects.order.key_field.
2. A private integration gives a long-lived token (1 day to 5 years): token = "env:AMOCRM_TOKEN",
   url = "https://COMPANY.amocrm.ru" or "https://COMPANY.kommo.com", never www.
   Or oauth = { grant = "refresh_token", url = "https://COMPANY.amocrm.ru/oauth2/access_token",
   extra = { redirect_uri = "https://…" }, … }: the redirect URI of the integration.
3. GET /api/v4/leads/pipelines shows pipelines and statuses; a stage is written PIPELINE/STATUS:
   statuses = { paid = "1300/5001", delivered = "1300/142", cancelled = "1300/143" }.
4. GET /api/v4/leads/custom_fields shows the ids of fields: attributes = { url = "501" }."""
DOUBTS = (
    "That your plan filters by custom fields; else set options.find to query.",
    "That statuses 142 and 143 are won and lost in every pipeline.",
    "With what a PATCH of a deleted lead is answered; we read it back and find it missing.",
    "That order[id] sorts leads, and that deleted leads are absent from lists.",
    "Whether 403 means a missing right or an address that was blocked for calling too fast.",
    "How soon the full-text search (options.find = query) knows a new lead.",
    "That a refresh needs redirect_uri in the form, as the official client sends it.",
)

KIND = Kind(
    "amocrm",
    "amoCRM and Kommo (leads)",
    build,
    setup=SET_UP,
    example={"url": "https://company.amocrm.ru", "objects": {"order": {"key_field": "500"}}},
    doubts=DOUBTS,
    options=(
        Option(
            "find",
            "filter: leads are found by their custom field, fifty in one call; query: by the "
            "full-text search, one call each. filter when left out.",
            "query",
        ),
        Option(
            "user",
            "The id of the user only Orderhook uses: what this one changed is never taken for a "
            "person's change. Nobody when left out.",
            "504141",
        ),
    ),
    oauth=OAuth(None, ("refresh_token",), rotating=True),
    capabilities=AmoCrm.capabilities,
    limits=LIMITS,
    targets={"order": USUAL},
)
