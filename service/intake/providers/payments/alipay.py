"""Alipay (domestic): asynchronous notifications about trades in, payment statements out.

Facts from the official SDK (alipay-sdk 4.14.0, npm) and python-alipay-sdk 3.4.0 (PyPI), read
2026-11: RSA over sorted fields, decoded once, with sign_type or without; and from copies of the
documentation: notify_id, the answer `success`, the schedule of repeats, refund_fee as the sum of
all refunds. The old RSA with SHA-1 (sign_type RSA) is refused. Times are those of Shanghai.
"""

import re
from collections.abc import Sequence

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.provider import RawRequest
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.verification import hashes
from service.intake.verification.publickeys import PublicKey

SETUP = """\
1. Send your order number as out_trade_no, and this source's URL as notify_url, with each payment.
   It must not redirect.
2. Choose UTF-8 and RSA2 for the application.
3. Put the Alipay public key (not the public key of your own application), or Alipay's certificate,
   behind the reference in `secrets`."""

SIGN, TYPE = "sign", "sign_type"
RSA2 = "RSA2"
_WITHIN = re.compile(
    r"&(?:out_trade_no|trade_no|trade_status|total_amount|refund_fee|notify_id|gmt_\w+|seller_id)="
)


def signed(request: RawRequest) -> Sequence[bytes]:
    """Write the fields in the order of their names, without and with the kind of signature."""
    fields = hashes.form(request.body)
    if fields.get(TYPE) != RSA2:
        raise Unreadable(f"The sign_type is not {RSA2}; choose {RSA2} for the application.")
    if any(isinstance(each, str) and _WITHIN.search(each) for each in fields.values()):
        raise Unreadable("A field holds another one, so that what is signed reads in two ways.")
    pairs = [(name, f"{name}={fields[name]}") for name in sorted(fields) if name != SIGN]
    without = [pair for name, pair in pairs if name != TYPE]
    return "&".join(without).encode(), "&".join(pair for _, pair in pairs).encode()


SCHEME = PublicKey(
    SIGN,
    where="form",
    canonical=signed,
    what="the Alipay public key",
)

GIVEN_BACK = "to_number(refund_fee) > `0`"
TRADED = Branch(
    GIVEN_BACK,
    {"true": "payment.partially_refunded", "false": "payment.paid"},
    absent="payment.paid",
)

LAYOUT = Layout(
    title="Alipay",
    form="form",
    says=(
        Says(
            "trade_status",
            {
                "WAIT_BUYER_PAY": "payment.awaiting_payment",
                "TRADE_SUCCESS": TRADED,
                "TRADE_FINISHED": TRADED,
                # Nobody paid in time, or all of it was given back.
                "TRADE_CLOSED": Branch(
                    GIVEN_BACK,
                    {"true": "payment.refunded", "false": "payment.cancelled"},
                    absent="payment.cancelled",
                ),
            },
        ),
    ),
    ref="out_trade_no",
    key=("notify_id",),
    when="gmt_refund || gmt_close || gmt_payment || gmt_create || notify_time",
    zone="Asia/Shanghai",
    aliases={"payment:alipay": "trade_no"},
    facts={"payment_id": "trade_no", "refund_id": "out_biz_no", "seller": "seller_id"},
    amounts={"amount": Amount("total_amount", "'CNY'")},
    money=(
        MoneyAt(
            "paid",
            "(gmt_payment || trade_status != 'TRADE_CLOSED') && total_amount",
            "'CNY'",
            "trade_no",
            when=("TRADE_SUCCESS", "TRADE_FINISHED", "TRADE_CLOSED"),
        ),
        MoneyAt("refunded", "refund_fee", "'CNY'"),
    ),
)

PRESET = Preset(
    name="alipay",
    title="Alipay",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.text("success"))),
    scheme="RSA-SHA256 of the sorted fields, base64",
    identity="notify_id",
    proof=Proof("sdk", "alipay-sdk 4.14.0 (npm)"),
    doubts=(
        (
            "Whose money it is (seller_id, app_id) is not compared with anything: give each "
            "application a source of its own."
        ),
        "Bodies in GBK are refused: confirm that charset is utf-8.",
    ),
)
