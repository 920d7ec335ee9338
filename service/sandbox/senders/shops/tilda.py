"""Tilda as a sender: a form with a cart, with the API key as one of its fields."""

from service.intake.providers.shops import tilda
from service.sandbox.senders.occasion import Object, Occasion, Sender, as_form, token, told
from service.sandbox.senders.signing import schemes

WORDS = {"new": "new", "paid": "paid"}


def _form(word: str, occasion: Occasion) -> Object:
    payment: Object = {
        "orderid": occasion.order,
        "amount": str(occasion.amount),
        "sys": "sandbox",
        "products": [{"name": "Lamp", "quantity": "1", "amount": str(occasion.amount)}],
    }
    if word == "paid":
        payment["systranid"] = token("", occasion.order)
    return {
        "Name": "Anna",
        "Phone": "+79990000000",
        "payment": payment,
        "formid": "form123",
        "formname": "Cart",
        "tranid": f"1111111:{occasion.key}",
    }


SENDER = Sender(
    tilda.PRESET.name,
    schemes.signer(tilda.SCHEME),
    told(_form, WORDS, form="form"),
    usual="paid",
    dress=as_form,
)
