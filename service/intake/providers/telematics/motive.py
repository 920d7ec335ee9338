"""Motive (KeepTruckin): forms that drivers fill in at the stops of a dispatch in, statements out.

Facts from developer.gomotive.com (webhooks: HMAC-SHA1 with a worked example, an answer within 3 s,
tries after a minute, an hour and six, none after a 403; form_entry_upserted with its fields; read
2026-11). The text of the example swaps secret and signature; its code has them right. UNVERIFIED:
the test ping, and webhooks about the stops of a dispatch themselves, which were not found.

A form entry says that the driver filled a form in at a stop, not that goods were handed over. So it
moves nothing, unless the source says `options = { form = "delivered" }`.
"""

from collections.abc import Mapping
from dataclasses import replace

from service.domain.errors import ConfigurationError
from service.intake.preset import Preset, Proof, declared
from service.intake.provider import Provider
from service.intake.reading.layout import Branch, Layout, Says, Told
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. Send the shop's order number as `vendor_id` of the dispatch when you create it; or set
   subject.ref to another place, as in "vendor_stop_id".
2. In Motive under Admin, Developer, Webhooks, add this source's URL for the action
   form_entry_upserted, and a secret of 20 characters.
3. Put the secret behind the reference in `secrets`.
4. Where a submitted form means that the goods were handed over, set
   options = { form = "delivered" }; where it means that they were loaded, "picked_up"."""
OPTIONS = ("form",)
FORMS: Mapping[str, str] = {
    "nothing": "facts",
    "delivered": "delivery.delivered",
    "picked_up": "delivery.picked_up",
}

SCHEME = Hmac("X-KT-Webhook-Signature", algorithm="sha1", what="the webhook's secret")

ACTION = "form_entry_upserted"


def layout(form: str) -> Layout:
    """Say what a submitted form means."""
    told: Mapping[str, Told] = {
        ACTION: Branch(
            "submitted",
            {"true": form, "false": "ignore: the driver has not sent the form yet"},
            absent="facts",
        )
    }
    return replace(LAYOUT, says=(Says("action", told, ours=("form_entry", "dispatch")),))


LAYOUT = Layout(
    title="Motive",
    # What a webhook carries is one event, or a list of them.
    items="type(@) == 'array' && @ || [@]",
    says=(Says("action", {}),),
    ref="vendor_dispatch_id",
    key=("action", "id", "submitted && 'submitted' || 'open'", "entered_at || created_at"),
    when="entered_at || created_at",
    zone="UTC",
    aliases={"dispatch:motive": "dispatch_id"},
    facts={
        "stop": "vendor_stop_id",
        "place": "location",
        "form_submitted_at": "entered_at",
    },
)


def build(source: Source) -> Provider:
    word = source.options.get("form", "nothing")
    if not isinstance(word, str) or word not in FORMS:
        choices = ", ".join(FORMS)
        raise ConfigurationError(f"The option form of the source {source.name} must be {choices}.")
    return declared(SCHEME, layout(FORMS[word]))(source)


PRESET = Preset(
    name="motive",
    title="Motive (KeepTruckin)",
    category="telematics",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="action, id, whether it was submitted and when",
    proof=Proof("vector", "developer.gomotive.com, verifying authenticity"),
    doubts=(
        (
            "That `vendor_dispatch_id` is what you sent as the dispatch's own id is UNVERIFIED: "
            "confirm on one form entry."
        ),
        "What the test ping holds is UNVERIFIED: confirm that the webhook can be saved.",
        (
            "Webhooks about dispatches and stops are UNVERIFIED and unmapped: confirm what your "
            "account offers, and map their actions in `statuses`."
        ),
    ),
    options=OPTIONS,
)
