"""Motive as a sender: a form that a driver fills in at a stop, signed."""

from service.intake.providers.telematics import motive
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {"submitted": True, "opened": False}


def _entry(submitted: bool, occasion: Occasion) -> Object:  # noqa: FBT001  # a word of the table
    at = occasion.at.isoformat()
    return {
        "action": motive.ACTION,
        "trigger": "updated" if submitted else "created",
        "company_id": 160,
        "id": int(token("", occasion.key)[:6], 16),
        "form_id": 80292,
        "dispatch_id": int(token("", occasion.order)[:6], 16),
        "dispatch_stop_id": 74191,
        "created_at": at,
        "entered_at": at if submitted else None,
        "submitted": submitted,
        "location": "7.2 mi SE of Lisbon, PT",
        "vendor_stop_id": "G13-3",
    }


SENDER = Sender(
    motive.PRESET.name,
    schemes.signer(motive.SCHEME),
    told(_entry, WORDS, ref="vendor_dispatch_id"),
    usual="submitted",
    rules={"options": {"form": "delivered"}},
)
