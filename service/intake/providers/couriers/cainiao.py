"""Cainiao: reports about parcels of a courier network in, delivery statements out.

The signature is that of Cainiao's open platforms: `data_digest`, base64 of the MD5 over the content
and the secret (open.taobao.com, a question about LINK with a worked example, and
openapi.express.cainiao.com/docs/sign; read 2026-11). UNVERIFIED: that what LINK pushes is signed
like what it is sent, the answer it expects, retries. PARTIAL: the fields and statuses of a report
(Aliyun SmartLogistics), a list of parcels.

Times are China's, without a zone.
"""

from collections.abc import Mapping

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.verification import hashes
from service.intake.verification.hashes import Fields
from service.intake.verification.wrapped import Wrapped

SETUP = """\
1. Send the shop's order number as `outerOrderCode` when you create the parcel.
2. In Cainiao's LINK console, enter this source's URL as the address of pushes and choose JSON.
3. Put the secret of the application (appSecret) behind the reference in `secrets`.
4. What a network such as Aliyun SmartLogistics reports without a signature is read by `generic`
   with a secret in the URL; see the recipe aliyun."""

CONTENT = "logistics_interface"


def compose(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    """Put the secret behind the content, as it reads after decoding the form."""
    if CONTENT not in fields:
        raise Unreadable(f"The form carries no `{CONTENT}`.")
    return hashes.text(fields[CONTENT]).encode() + secret


def unwrap(body: bytes) -> bytes:
    content = hashes.form(body).get(CONTENT)
    if not isinstance(content, str):
        raise Unreadable(f"The form carries no `{CONTENT}`.")
    return content.encode()


PROOF = Fields(
    "form",
    "data_digest",
    "md5",
    compose=compose,
    encoding="base64",
    what="the secret of the application",
)
SCHEME = Wrapped(PROOF, unwrap)

STATUSES: Mapping[str, str] = {
    "WAIT": "delivery.label_created",
    "ACCEPT": "delivery.label_created",
    "GOT": "delivery.picked_up",
    "MODIFY_WEIGHT": "ignore: another weight is no status",
    "TRANSPORT": "delivery.in_transit",
    "DELIVERING": "delivery.out_for_delivery",
    "SIGN": "delivery.delivered",
}

LAYOUT = Layout(
    title="Cainiao",
    items="type(@) == 'array' && @ || [@]",
    says=(Says("logisticsStatus", STATUSES),),
    ref="outerOrderCode",
    key=("mailNo", "logisticsStatus", "time"),
    when="time",
    zone="Asia/Shanghai",
    parcel="mailNo",
    aliases={"tracking": "mailNo"},
    facts={"tracking_number": "mailNo"},
)

PRESET = Preset(
    name="cainiao",
    title="Cainiao (菜鸟)",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.document({"success": True}))),
    scheme=SCHEME.summary,
    identity="tracking number, status and time",
    proof=Proof("vector", "the worked example of Cainiao LINK's questions about data_digest"),
    doubts=(
        "That pushes are signed as calls are is UNVERIFIED: confirm that a live push is taken.",
        (
            "The fields and statuses of a report are PARTIAL: confirm outerOrderCode, mailNo, "
            "logisticsStatus and time on a live push, and that the time is China's."
        ),
        "The answer is UNVERIFIED: confirm that a push is not sent again.",
    ),
)
