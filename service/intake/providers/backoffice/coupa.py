"""Coupa: call outs with purchase orders in, purchase statements out.

Facts PARTIAL (Coupa's own pages, of which only parts could be read; read 2026-11): call outs with
user and password or OAuth 2.0 client credentials, an object as XML or JSON, `id` and `updated-at`,
the PO number, `acknowledged-flag`, that orders are issued, cancelled, closed, soft-closed and held.
UNVERIFIED: how exactly `status` spells these, the name of the XML's root, timeouts and retries.
"""

from dataclasses import replace

from service.intake.preset import Declared, Preset, Proof
from service.intake.reading.kinds import Kinds, writing
from service.intake.reading.layout import Layout, Says
from service.intake.reading.money import Amount
from service.intake.verification.shared import Basic
from service.settings import Source

SETUP = """\
1. In Coupa under Setup, Integrations, Call Outs, add one for purchase orders with this source's
   URL, basic authentication, and as its content the order as XML or JSON.
2. Put USER:PASSWORD behind the reference in `secrets`. OAuth 2.0 is not offered: Coupa would ask a
   token server of yours for it.
3. The purchase order's number is taken from po-number; set subject.ref to another place."""

SCHEME = Basic("USER:PASSWORD of the call out")

STATUSES = {
    "draft": "approval.draft",
    "pending_approval": "approval.submitted",
    "buyer_hold": "facts",
    "currency_hold": "facts",
    "supplier_window_hold": "facts",
    "issued": "supplier.sent",
    "acknowledged": "supplier.confirmed",
    "received": "receipt.received",
    "soft_closed": "supplier.closed",
    "closed": "supplier.closed",
    "cancelled": "supplier.cancelled",
}


def places(at: str) -> Layout:
    """Lay out an order below a root; in XML a value with attributes is an object of its own."""

    def place(name: str) -> str:
        return f'{at}"{name}"."#text" || {at}"{name}"'

    acknowledged = f"to_string({place('acknowledged-flag')}) == 'true'"
    status = place("status")
    return Layout(
        title="Coupa",
        says=(
            Says(
                f"(({status}) == 'issued' && {acknowledged} && 'acknowledged') || {status}",
                STATUSES,
            ),
        ),
        ref=place("po-number"),
        key=(place("id"), place("updated-at"), status, place("acknowledged-flag")),
        when=place("updated-at"),
        lifecycle="purchase_order",
        facts={
            "coupa_id": place("id"),
            "version": place("version"),
            "supplier": f"{at}supplier.name",
        },
        amounts={"amount": Amount(place("total"), f"{at}currency.code")},
    )


KINDS = Kinds(writing, {"xml": replace(places('"order-header".'), form="xml")}, usual=places(""))


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), KINDS.reader(source))


PRESET = Preset(
    name="coupa",
    title="Coupa",
    category="erp",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the object's id, the time of its change, its status",
    proof=Proof("none", "Coupa's integration pages, in part"),
    doubts=(
        "That call outs come with user and password is PARTIAL: confirm on a live delivery.",
        "The spelling of `status` is UNVERIFIED: an unknown word is a dead letter.",
        (
            "The root `order-header` of the XML is UNVERIFIED: another one makes the event "
            "unreadable; send JSON then."
        ),
    ),
)
