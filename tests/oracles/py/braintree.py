"""Braintree's own gateway: it signs its samples of notifications, and judges what we sign."""

from urllib.parse import parse_qsl, urlencode

import braintree
import oracle
from braintree.exceptions.invalid_signature_error import InvalidSignatureError

BY = "braintree 4.48.0 (PyPI), gateway.webhook_testing.sample_notification"
PUBLIC = "integration_public_key"
KINDS = (
    *("transaction_settled", "transaction_disbursed", "transaction_settlement_declined"),
    *("refund_failed", "dispute_opened", "dispute_won", "local_payment_completed"),
    *("subscription_charged_successfully", "check"),
)


def gateway(private, public=PUBLIC):
    where = braintree.Environment.Sandbox
    return braintree.BraintreeGateway(
        braintree.Configuration(where, "merchant", public_key=public, private_key=private)
    )


def sample(kind, private="private"):
    return gateway(private).webhook_testing.sample_notification(kind, "my_id")


def takes(form, private):
    try:
        gateway(private).webhook_notification.parse(form["bt_signature"], form["bt_payload"])
    except InvalidSignatureError:
        return False
    return True


def vector(name, form, *, genuine=None):
    said = takes(form, "private") if genuine is None else genuine
    return oracle.vector(
        name,
        by=BY,
        source={"secrets": ["private"], "options": {"public_key": PUBLIC}},
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(form),
        genuine=said,
    )


def sign():
    settled = sample("transaction_settled")
    stripped = {**settled, "bt_payload": settled["bt_payload"].rstrip(b"\n")}
    others = {**settled, "bt_signature": f"other_key|{'0' * 40}&{settled['bt_signature']}"}
    unnamed = {**settled, "bt_signature": settled["bt_signature"].replace(PUBLIC, "other_key")}
    return [
        *(vector(kind, sample(kind)) for kind in KINDS),
        vector("without the last line break", stripped),
        vector("beside the signature of another key", others),
        vector("under the name of another key", unnamed),
        vector("another private key", sample("transaction_settled", "other")),
    ]


def check(each):
    form = dict(parse_qsl(each["request"]["body"], keep_blank_values=True))
    return takes(form, each["source"]["secrets"][0])


oracle.main(sign, check)
