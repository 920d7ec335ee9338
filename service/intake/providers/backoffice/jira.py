"""Jira Cloud and Jira Service Management: admin webhooks of issues in, ticket statements out.

Facts from Atlassian's documentation (read 2026-11): `X-Hub-Signature` by the secret of an admin
webhook, with a published example; the identifier that stays the same over retries; the headers of
retries; categories of statuses (the statuses themselves are whatever a site made of them). PARTIAL:
up to five retries. UNVERIFIED: the timeout. Webhooks of Connect and OAuth apps are not signed so.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. In Jira under Settings, System, Webhooks, add one with this source's URL, a secret, and the
   events Issue created, updated and deleted; a JQL filter keeps it to the projects that matter.
2. Put the secret behind the reference in `secrets`.
3. The ticket is named by the issue's key. Where a custom field holds the order number and the order
   itself is to be told, set subject = { lifecycle = "order", ref =
   "issue.fields.customfield_10042" } and translate the categories in `statuses`."""

SCHEME = Hmac("X-Hub-Signature", prefix="sha256=", what="the secret of the webhook")

CATEGORIES = Branch(
    "issue.fields.status.statusCategory.key",
    {
        "undefined": "facts",
        "new": "work.open",
        "indeterminate": "work.in_progress",
        "done": "work.resolved",
    },
)

LAYOUT = Layout(
    title="Jira",
    says=(
        Says(
            "webhookEvent",
            {
                "jira:issue_created": CATEGORIES,
                "jira:issue_updated": CATEGORIES,
                "jira:issue_deleted": "work.cancelled",
            },
            ours=("jira:issue_",),
        ),
    ),
    ref="issue.key",
    key=("header:X-Atlassian-Webhook-Identifier",),
    when="timestamp",
    lifecycle="ticket",
    reason="issue.fields.resolution.name",
    aliases={"ticket:jira": "issue.id"},
    facts={
        "ticket_status": "issue.fields.status.name",
        "ticket_type": "issue.fields.issuetype.name",
        "priority": "issue.fields.priority.name",
        "project": "issue.fields.project.key",
    },
)

PRESET = Preset(
    name="jira",
    title="Jira Cloud (and Service Management)",
    category="back office",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="X-Atlassian-Webhook-Identifier",
    proof=Proof("vector", "Atlassian's documentation of webhooks"),
    doubts=(
        (
            "The identifier stands in a header that is not signed: whoever has one signed request "
            "may post it again under another, which repeats what it said and nothing else."
        ),
        (
            "Retries are PARTIAL (five) and the timeout UNVERIFIED: confirm on a webhook that was "
            "refused for a while."
        ),
    ),
)
