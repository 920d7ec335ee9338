"""Yonyou's open platform (用友): encrypted events in, statements as the source maps them out.

Facts from the vendor's demo (yonyoucloud-open/corp-demo, read 2026-11): the envelope with signature
and cipher, the key that self-built apps derive from their secret, `eventId`, `type`, `timestamp`,
CHECK_URL and the types of staff, departments and users, `success` within five seconds, retries per
minute, then 5 minutes, then an hour, for a day. UNVERIFIED: types and fields of business documents,
which differ by product: the source says in `statuses` and subject.ref what they mean. The answer is
plain, as the demo has it; its README wants it encrypted.
"""

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.verification.sealed import YONYOU

SETUP = """\
1. In Yonyou's open platform take the app's secret and, if it has one, its encodingAESKey (43
   characters).
2. Put SECRET:AESKEY, or for a self-built app the secret alone, behind the reference in `secrets`;
   set options = { receiver = "…" } to the app key, so that nobody else's event is taken.
3. Enter this source's URL for event push: Yonyou tests it with CHECK_URL.
4. Subscribe to the documents that matter. Say in subject.ref where the document's number is, in
   subject.lifecycle what it is ("purchase_order" unless you say otherwise), and translate each
   `type` in `statuses`."""

SCHEME = YONYOU

_PEOPLE = (
    *(f"STAFF_{word}" for word in ("ADD", "UPDATE", "ENABLE", "DISABLE", "DELETE")),
    *(f"DEPT_{word}" for word in ("ADD", "UPDATE", "ENABLE", "DISABLE", "DELETE")),
    *("USER_ADD", "USER_DELETE", "DELETE_DIWORKSESSION"),
)

LAYOUT = Layout(
    title="Yonyou",
    says=(
        Says(
            "type",
            {"CHECK_URL": "ignore: a test of the address"}
            | dict.fromkeys(_PEOPLE, "ignore: it is about people, not about a document"),
        ),
    ),
    ref="",
    key=("eventId",),
    when="timestamp",
    lifecycle="purchase_order",
    facts={"tenant": "tenantId"},
)

PRESET = Preset(
    name="yonyou",
    title="Yonyou open platform (用友)",
    category="erp",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.text("success"))),
    scheme=SCHEME.summary,
    identity="eventId",
    proof=Proof("none", "the vendor's demo"),
    doubts=(
        (
            "Types and fields of business documents are UNVERIFIED: without `statuses` and "
            "subject.ref each of them is a dead letter."
        ),
        (
            "Whether a plain `success` is taken (demo) or only an encrypted one (README) is "
            "UNVERIFIED: confirm on a live delivery that no event is repeated."
        ),
    ),
    options=("receiver",),
)
