"""Coupa as a sender: call outs with a purchase order, with user and password."""

from service.intake.providers.backoffice import coupa
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

TOLD = {
    "draft": ("draft", False),
    "sent": ("issued", False),
    "confirmed": ("issued", True),
    "closed": ("soft_closed", True),
    "cancelled": ("cancelled", False),
}


def _order(said: tuple[str, bool], occasion: Occasion) -> Object:
    status, acknowledged = said
    return {
        "id": int(token("", occasion.order)[:6], 16),
        "updated-at": occasion.at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "status": status,
        "acknowledged-flag": acknowledged,
        "version": 1,
        "total": str(occasion.amount),
        "currency": {"code": occasion.currency},
        "supplier": {"name": "Paper Mill"},
    }


SENDER = Sender(
    coupa.PRESET.name,
    schemes.signer(coupa.SCHEME),
    told(_order, TOLD, ref='"po-number"'),
    usual="sent",
)
