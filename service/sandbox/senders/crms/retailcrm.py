"""RetailCRM as a sender: a trigger's fields, at a secret address."""

from service.intake.providers.crms import retailcrm
from service.sandbox.senders.occasion import Object, Occasion, Sender, as_form, token, told
from service.sandbox.senders.signing import schemes

PERSON, OURS = "anna", "orderhook"
WORDS = {
    "new": ("new", PERSON),
    "confirmed": ("client-confirmed", PERSON),
    "picking": ("assembling", PERSON),
    "completed": ("complete", PERSON),
    "cancelled": ("cancel-other", PERSON),
    "own_write": ("delivering", OURS),
}


def _fields(word: tuple[str, str], occasion: Occasion) -> Object:
    status, author = word
    said: Object = {
        "order_id": occasion.order,
        "status": status,
        "changed_at": occasion.at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "id": str(int(token("", occasion.order)[:5], 16)),
        "total": str(occasion.amount),
        "currency": occasion.currency,
        "author": author,
    }
    return said | ({"comment": "changed their mind"} if status == "cancel-other" else {})


SENDER = Sender(
    retailcrm.PRESET.name,
    schemes.signer(retailcrm.SCHEME),
    told(_fields, WORDS, form="form"),
    usual="confirmed",
    dress=as_form,
    rules={"options": {"own_user": OURS}},
)
