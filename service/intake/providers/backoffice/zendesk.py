"""Zendesk: webhooks of ticket events and of triggers in, ticket statements out.

Facts from Zendesk's documentation (read 2026-11): the signature over time and body without anything
between, the time in ISO 8601, that the body of a trigger's webhook is the merchant's own, the event
types of tickets and what `detail` holds. PARTIAL: the words of `status`, and that `id` names an
event. UNVERIFIED: how an invocation is named, and its retries.
"""

from service.intake.preset import Declared, Preset, Proof
from service.intake.reading.kinds import Kinds, word_at
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. In Zendesk's Admin Center under Apps and integrations, Webhooks, create one with this source's
   URL. Either subscribe it to the ticket events created, status changed, soft deleted, permanently
   deleted, undeleted, marked as spam and merged; or connect it to a trigger or an automation.
2. For a trigger, choose JSON and this body: {"ticket_id": "{{ticket.id}}", "status":
   "{{ticket.status}}", "updated_at": "{{ticket.updated_at_with_timestamp}}", "external_id":
   "{{ticket.external_id}}"}. Zendesk writes the words of `status` in the account's language: it
   must be English, or add yours to `statuses`.
3. Put the webhook's signing secret behind the reference in `secrets`.
4. The ticket is named by its number. Where the external id is the order number and the order itself
   is to be told, set subject = { lifecycle = "order", ref = "detail.external_id || external_id" }
   and translate in `statuses`."""

SCHEME = Hmac(
    "X-Zendesk-Webhook-Signature",
    message="{time}{body}",
    encoding="base64",
    time="header:X-Zendesk-Webhook-Signature-Timestamp",
    unit="iso",
    what="the webhook's signing secret",
)

STATUSES = {
    "NEW": "work.new",
    "OPEN": "work.open",
    "PENDING": "work.waiting_for_customer",
    "HOLD": "work.on_hold",
    "ON-HOLD": "work.on_hold",
    "SOLVED": "work.resolved",
    "CLOSED": "work.closed",
    "DELETED": "work.cancelled",
    "ARCHIVED": "work.closed",
    "SCRUBBED": "facts",
}
NOW = Branch("detail.status", STATUSES)
EVENT = "zen:event-type:ticket."

EVENTS = Layout(
    title="Zendesk",
    says=(
        Says(
            "type",
            {
                f"{EVENT}created": NOW,
                f"{EVENT}status_changed": Branch("event.current || detail.status", STATUSES),
                f"{EVENT}undeleted": NOW,
                f"{EVENT}soft_deleted": "work.cancelled",
                f"{EVENT}permanently_deleted": "work.cancelled",
                f"{EVENT}marked_as_spam": "work.cancelled",
                f"{EVENT}merged": "work.closed",
            },
            # The dozens of other events of a ticket leave its status as it is.
            ours=(f"{EVENT}status_", f"{EVENT}created"),
        ),
    ),
    ref="detail.id",
    key=("id",),
    when="time",
    zone="UTC",
    lifecycle="ticket",
    facts={
        "order_number": "detail.external_id",
        "priority": "detail.priority",
        "ticket_type": "detail.type",
    },
)

TRIGGERS = Layout(
    title="Zendesk",
    says=(Says("status", STATUSES),),
    ref="ticket_id",
    key=("ticket_id && updated_at && 'ticket'", "ticket_id", "updated_at", "status"),
    when="updated_at",
    zone="UTC",
    lifecycle="ticket",
    facts={"order_number": "external_id", "priority": "priority"},
)

KINDS = Kinds(word_at("type && 'event'"), {"event": EVENTS}, usual=TRIGGERS)


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), KINDS.reader(source))


PRESET = Preset(
    name="zendesk",
    title="Zendesk",
    category="back office",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the event's id; of a trigger ticket, time and status",
    proof=Proof("none", "Zendesk's documentation of webhooks"),
    doubts=(
        (
            "That `id` stays the same when an event is sent again is PARTIAL: confirm on a "
            "webhook that was refused once."
        ),
        "The words of `status` are PARTIAL: an unknown one is a dead letter.",
        "Which answers are tried again is UNVERIFIED: confirm that 503 is.",
    ),
)
