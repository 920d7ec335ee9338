"""amoCRM and Kommo: webhooks about leads in, statements about orders out.

Facts from www.amocrm.ru/developers (format of webhooks; read 2026-11): form bodies, a list of leads
for each action. Third parties that agree (PyPI aioamocrm 0.1.1, a recorded webhook in
Bolid1/zapier_build): the fields of a lead, no signature, several leads in a request, an address
that does not answer is switched off. UNVERIFIED: 142 and 143 as won and lost in every pipeline.

Nothing is signed: the token at the end of the URL proves who sends.
"""

from collections.abc import Sequence
from dataclasses import replace

from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.reading import order_field
from service.intake.reading.layout import Layout, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.reading.reader import OWN_USER, Reader
from service.intake.verification.shared import UrlToken
from service.settings import Source

SETUP = """\
1. In amoCRM make a field of leads for the order number, and give its id (the number in the list of
   custom fields) as options = { order_field = "1119321" }.
2. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`.
3. In the marketplace, Web hooks, add this source's URL, a slash and the token, for the events: lead
   added, lead changed, status of a lead changed.
4. Set options.own_user to the id of the user our integration writes as, so that our own writes are
   ignored when they come back.
5. Name the statuses of your pipelines by their ids in `statuses`, as in "10216994" =
   "order.confirmed" or "ignore"; until then each is a dead letter. 142 is won, 143 is lost."""

SCHEME = UrlToken()
ACTIONS = ("add", "update", "status", "restore", "delete")
LISTED = ", ".join(f"leads.{name}[].{{action: '{name}', lead: @}}" for name in ACTIONS)
CHANGED = "lead.updated_at || lead.last_modified"

LAYOUT = Layout(
    title="amoCRM",
    form="form",
    items=f"[{LISTED}][]",
    says=(
        Says(
            "action == 'delete' && 'delete' || lead.status_id",
            {
                "142": "order.confirmed",
                "143": "order.cancelled",
                "delete": "ignore: the order keeps its last status",
            },
        ),
    ),
    ref="`null`",
    # Times are whole seconds, in which a person may change a lead as well as we.
    key=(
        "lead.id",
        "action",
        CHANGED,
        "lead.status_id",
        "lead.modified_user_id",
        "lead.pipeline_id",
        "lead.price",
    ),
    when=CHANGED,
    author="lead.modified_user_id",
    aliases={"deal:amocrm": "lead.id"},
    facts={
        "deal_name": "lead.name",
        "crm_stage": "lead.status_id",
        "pipeline": "lead.pipeline_id",
    },
    amounts={"amount": Amount("lead.price")},
)


class Hooks(Reader):
    """Reads webhooks for one configured account."""

    __slots__ = ()

    def views(self, document: JSON) -> Sequence[JSON]:
        if not document:
            raise Unreadable("It is not a webhook of amoCRM: it carries no fields.")
        return super().views(document)


def build(source: Source) -> Declared:
    field = order_field.named(source)
    place = f"lead.custom_fields[?id=='{field}'].values[0].value | [0]"
    layout = replace(LAYOUT, ref=place, key=(*LAYOUT.key, place)) if field else LAYOUT
    return Declared(
        SCHEME.guard(source), Hooks.of(layout, source), Manners(answer=replies.text("OK"))
    )


PRESET = Preset(
    name="amocrm",
    title="amoCRM and Kommo",
    category="crm",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the lead, the action, its time and author, its status and content",
    proof=Proof("none", "www.amocrm.ru/developers"),
    doubts=(
        (
            "Nothing is signed: keep the URL secret, or anybody who learns it can say that a deal"
            " is won."
        ),
        "142 and 143 as won and lost are UNVERIFIED: confirm by closing a test lead.",
        (
            "That modified_user_id names our integration's user after a write over the API is "
            "UNVERIFIED: confirm on a write of our own."
        ),
        "A lead's price carries no currency: confirm that all of them are in one.",
    ),
    url_token=True,
    options=(order_field.OPTION, OWN_USER),
)
