"""Feishu and Lark (飞书): event callbacks of approvals in, approval statements out.

Facts from the documentation and lark-oapi 1.7.5 (PyPI, the vendor's; read 2026-11): signature and
cipher by the Encrypt Key, `event_id` (version 2.0) or `uuid` (1.0), the test of an address.
PARTIAL: the words of an approval's status and where an event of version 1.0 carries it. UNVERIFIED:
three seconds of patience, retries after 15 s, 5 min, 1 h and 6 h; the names of version 2.0.

Without an Encrypt Key nothing is signed, so it is asked for; the verification token in the body is
then no further proof.
"""

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.verification.sealed import Lark

SETUP = """\
1. In the developer console of Feishu or Lark under Events and callbacks, set an Encrypt Key and put
   it behind the reference in `secrets`.
2. Enter this source's URL as the request URL: the platform tests it at once.
3. Subscribe to the approval instance event, and (by the API) to each approval definition.
4. The approval is named by its instance code. An order number in its form is not in the event: link
   the two by an alias, or create approvals with the order number as their uuid and set subject.ref
   = "event.uuid"."""

SCHEME = Lark()

STATUSES = {
    "PENDING": "decision.in_review",
    "APPROVED": "decision.approved",
    "REJECTED": "decision.rejected",
    "CANCELED": "decision.withdrawn",
    "DELETED": "decision.withdrawn",
    "REVERTED": "decision.revoked",
    "OVERTIME_CLOSE": "decision.expired",
    "OVERTIME_RECOVER": "decision.in_review",
}
KIND = "header.event_type || event.type"

LAYOUT = Layout(
    title="Feishu",
    says=(
        Says(
            f"(starts_with({KIND}, 'approval.instance.') && 'approval_instance') || {KIND}",
            {"approval_instance": Branch("event.status || event.object.status", STATUSES)},
            ours=("approval_instance",),
        ),
    ),
    ref="event.instance_code || event.object.instance_code",
    key=("header.event_id || uuid",),
    when="event.operate_time || event.instance_operate_time || header.create_time || ts",
    lifecycle="approval",
    facts={"approval_code": "event.approval_code", "approval_status": "event.status"},
)

PRESET = Preset(
    name="lark",
    title="Feishu / Lark (飞书)",
    category="back office",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.document({}))),
    scheme=SCHEME.summary,
    identity="event_id (version 2.0) or uuid (1.0)",
    proof=Proof("sdk", "lark-oapi 1.7.5 (PyPI)"),
    doubts=(
        (
            "The words of an approval's status are PARTIAL, REVERTED and OVERTIME_CLOSE "
            "UNVERIFIED: an unknown one is a dead letter."
        ),
        (
            "The names of approval events of version 2.0 (`approval.instance.…`) are UNVERIFIED: "
            "confirm on a live delivery; what is unknown is ignored."
        ),
        "Retries are UNVERIFIED (after 15 s, 5 min, 1 h and 6 h): confirm on a refused callback.",
    ),
)
