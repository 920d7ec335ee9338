"""WeChat Pay v3: notifications about transactions and refunds in, payment statements out.

Facts from the vendor's Go SDK (wechatpay-go, with its signed test request) and from wechatpayv3
2.0.4 (PyPI, community), read 2026-11: signature, sealed resource, event types. The `resource`
read here is the decrypted one. The platform now and then posts a signature that starts with
`WECHATPAY/SIGNTEST/` and must see it refused, which happens by itself. UNVERIFIED: the tolerance
of five minutes, and that an answer must come within five seconds.
"""

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.verification.sealed import WeChatPay

SETUP = """\
1. Send your order number as out_trade_no, and this source's URL as notify_url, with each order and
   each refund.
2. In the merchant portal under API security, set the APIv3 key (32 characters) and download the
   WeChat Pay public key (or take the platform certificates).
3. Put both behind references in `secrets`: the APIv3 key, and the public key or certificates in
   PEM. A platform certificate is replaced in time: list the old and the new one meanwhile."""

SCHEME = WeChatPay()

STATES = {
    "SUCCESS": "payment.paid",
    "NOTPAY": "payment.awaiting_payment",
    "USERPAYING": "payment.awaiting_payment",
    "REFUND": "payment.partially_refunded",
    "CLOSED": "payment.cancelled",
    "REVOKED": "payment.cancelled",
    "PAYERROR": "payment.failed",
}

CURRENCY = "resource.amount.currency || 'CNY'"

LAYOUT = Layout(
    title="WeChat Pay",
    says=(
        Says(
            "event_type",
            {
                "TRANSACTION.SUCCESS": Branch("resource.trade_state", STATES),
                # The sums of refunds tell whether all of it went back.
                "REFUND.SUCCESS": "payment.partially_refunded",
                "REFUND.ABNORMAL": "facts",
                "REFUND.CLOSED": "facts",
            },
            ours=("TRANSACTION.", "REFUND."),
        ),
    ),
    ref="resource.out_trade_no",
    key=("id",),
    when="resource.success_time || create_time",
    zone="Asia/Shanghai",
    aliases={"payment:wechatpay": "resource.transaction_id"},
    facts={
        "payment_id": "resource.transaction_id",
        "refund_id": "resource.refund_id",
        "refund_status": "resource.refund_status",
    },
    amounts={"amount": Amount("resource.amount.total", CURRENCY, "minor")},
    money=(
        MoneyAt(
            "paid",
            "(resource.refund_id || resource.trade_state == 'SUCCESS') && resource.amount.total",
            CURRENCY,
            "resource.transaction_id",
            "minor",
        ),
        MoneyAt(
            "refunded",
            "resource.amount.refund",
            CURRENCY,
            "resource.out_refund_no",
            "minor",
            ("REFUND.SUCCESS",),
        ),
        MoneyAt("refunded", "`0`", CURRENCY, "resource.out_refund_no", "minor", ("REFUND.CLOSED",)),
    ),
)

PRESET = Preset(
    name="wechatpay",
    title="WeChat Pay",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.document({"code": "SUCCESS"}))),
    scheme=SCHEME.summary,
    identity="the notification's id",
    proof=Proof("vector", "wechatpay-go, notify_test.go; and wechatpayv3 2.0.4 (PyPI)"),
    doubts=(
        (
            "The tolerance of five minutes, and that a notification sent again is signed anew, "
            "are UNVERIFIED: confirm on one that comes again hours later; if it is refused as "
            "stale, raise tolerance."
        ),
        (
            "REFUND.ABNORMAL (the money could not be given back) is only kept as refund_status: "
            "confirm that somebody watches it, as the payment stays as it was."
        ),
        (
            "Platform certificates are not fetched: put a new one into `secrets` before the old "
            "one ends, or use the WeChat Pay public key."
        ),
    ),
)
