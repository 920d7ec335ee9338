"""HubSpot: changes become batches of properties written to orders, deals, tickets or other objects.

Rows are found by a property of unique values (`idProperty`), or by search where there is none; a
batch may succeed in part (207), and what a refused batch did not tell is found out by halving it.
HubSpot knows no conditional write and no key of ours: a lost answer is read back.

Facts: HubSpot's public API specifications (roll-out 424, 2026-08), its developer pages and change
log, hubspot-api-client 12.0.0, as in the catalogue of 2026-11. What is not in these is in DOUBTS.
"""

from service.worker.crms.hubspot.account import ABLE, LIMITS, URL, USUAL, build
from service.worker.crms.kind import Kind, OAuth, Option

SET_UP = """\
1. In HubSpot, Settings → Properties → (your object): add a property for the merchant's number,
   single-line text, with "Require unique values" on. Its internal name is objects.order.key_field.
2. Development → Legacy apps (private app): give it crm.objects.<object>.read and .write (and
   crm.objects.contacts.read/.write if notes = true), and take its token:
   token = "env:HUBSPOT_TOKEN".
   Or register a public app and use oauth with its refresh token.
3. Settings → Objects → (your object) → Pipelines shows the internal id of each stage:
   statuses = { paid = "4b27b500-…", delivered = "closedwon" }.
4. limits.requests.count and limits.daily.count are those of your edition (190 in 10 s and 650 000 a
   day for Professional), less what other apps use."""
DOUBTS = (
    "That a batch takes 100 rows: the specifications name no number.",
    "That hs_pipeline_stage is the stage of an order, as it is of a ticket.",
    "Whether batch/update answers 207 for single rows, and names them by objectWriteTraceId.",
    "The words of policyName in a 429 (DAILY, TEN_SECONDLY_ROLLING, SECONDLY).",
    "How far search lags behind writes (seconds), and that hs_object_id can be compared in it.",
    "That the operator IN of search wants 100 values at most, in lower case.",
    "The association types of notes (deals 214, tickets 228).",
)

KIND = Kind(
    "hubspot",
    "HubSpot (orders, deals, tickets or custom objects)",
    build,
    setup=SET_UP,
    doubts=DOUBTS,
    options=(
        Option(
            "unique",
            "Whether objects.order.key_field requires unique values; if not, records are searched, "
            "none is created and found ones are written by id. Usually true.",
            "false",
        ),
        Option("pipeline", "Internal id of the pipeline the stages belong to.", '"default"'),
        Option(
            "note_association",
            "Association type from a note to the object, as "
            "GET /crm/v4/associations/notes/{object}/labels shows; known for deals and tickets.",
            "214",
        ),
    ),
    oauth=OAuth(f"{URL}/oauth/v1/token", ("refresh_token",)),
    default_url=URL,
    capabilities=ABLE,
    limits=LIMITS,
    targets={"order": USUAL},
)
