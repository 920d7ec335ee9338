"""Jira as a sender: webhooks of issues, signed."""

from service.intake.provider import SignedRequest
from service.intake.providers.backoffice import jira
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import drafts, schemes
from service.settings import Source

TOLD = {
    "open": ("jira:issue_created", "To Do", "new"),
    "in_progress": ("jira:issue_updated", "In Progress", "indeterminate"),
    "resolved": ("jira:issue_updated", "Done", "done"),
    "deleted": ("jira:issue_deleted", "Done", "done"),
    "commented": ("comment_created", "To Do", "new"),
}


def named(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    draft = SignedRequest({"Content-Type": "application/json"}, body)
    identifier = drafts.name(draft, delivery)
    return drafts.with_headers(
        draft,
        {
            "X-Atlassian-Webhook-Identifier": identifier,
            "X-Atlassian-Webhook-Flow": "Primary",
        },
    )


def _event(said: tuple[str, str, str], occasion: Occasion) -> Object:
    kind, status, category = said
    return {
        "timestamp": int(occasion.at.timestamp() * 1000),
        "webhookEvent": kind,
        "issue": {
            "id": str(int(token("", occasion.order)[:5], 16)),
            "fields": {
                "summary": "Arrived damaged",
                "issuetype": {"name": "Return"},
                "project": {"key": "RMA"},
                "priority": {"name": "High"},
                "status": {"name": status, "statusCategory": {"key": category}},
            },
        },
    }


SENDER = Sender(
    jira.PRESET.name,
    schemes.signer(jira.SCHEME),
    told(_event, TOLD, ref="issue.key"),
    "in_progress",
    named,
)
