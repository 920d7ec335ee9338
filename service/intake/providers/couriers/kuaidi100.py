"""Kuaidi100: the trackings of an aggregator in, delivery statements out.

Facts from Kuaidi100's documentation of subscription pushes (read 2026-11): the form fields `param`
and `sign`, MD5 over `param` and the salt, the states, the answer, three more tries after half an
hour each. UNVERIFIED: the case of the letters of `sign`, which is therefore ignored.

A push carries the whole history, newest line first, and one state, that of the newest line. Lines
have no state of their own, so only the newest is read. Times are China's, without a zone.
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
1. Make a salt of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `secrets`.
2. Send it as `salt`, and this source's URL as `callbackurl`, with each subscription
   (poll.kuaidi100.com/poll). Without a salt pushes are not signed, and refused.
3. A push names no order: let the shop or warehouse tell the tracking number with the order."""


def compose(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    """Put the salt behind `param`, as it reads after decoding the form."""
    if "param" not in fields:
        raise Unreadable("The form carries no `param`.")
    return hashes.text(fields["param"]).encode() + secret


def unwrap(body: bytes) -> bytes:
    param = hashes.form(body).get("param")
    if not isinstance(param, str):
        raise Unreadable("The form carries no `param`.")
    return param.encode()


PROOF = Fields("form", "sign", "md5", compose=compose, what="the salt of the subscription")
SCHEME = Wrapped(PROOF, unwrap)
ANSWER = {"result": True, "returnCode": "200", "message": "成功"}

MOVING = "delivery.in_transit"
FAILED = "delivery.delivery_failed"
STATES: Mapping[str, str] = {
    "0": MOVING,
    "1": "delivery.picked_up",
    "2": FAILED,
    "3": "delivery.delivered",
    "4": "delivery.returned_to_sender",
    "5": "delivery.out_for_delivery",
    "6": "delivery.returning",
    "7": MOVING,
    "8": MOVING,
    "14": FAILED,
    "abort": "ignore: Kuaidi100 follows the parcel no longer, which is no status",
}

NEWEST = "lastResult.data[0]"
STATE = "status == 'abort' && status || lastResult.state"

LAYOUT = Layout(
    title="Kuaidi100",
    says=(Says(STATE, STATES),),
    ref="",
    key=("lastResult.nu", "lastResult.com", STATE, f"{NEWEST}.ftime", f"{NEWEST}.context"),
    when=f"{NEWEST}.ftime || {NEWEST}.time",
    zone="Asia/Shanghai",
    parcel="lastResult.nu",
    reason=f"{NEWEST}.status",
    aliases={"tracking": "lastResult.nu"},
    facts={"tracking_number": "lastResult.nu", "carrier": "lastResult.com"},
)

PRESET = Preset(
    name="kuaidi100",
    title="Kuaidi100 (快递100)",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.document(ANSWER))),
    scheme=SCHEME.summary,
    identity="carrier, tracking number, state, time and text of the newest line",
    proof=Proof("none", "Kuaidi100's documentation of subscription pushes"),
    doubts=(
        (
            "Whether `sign` is in capitals is UNVERIFIED and does not matter here: confirm that a "
            "live push is taken."
        ),
        (
            "What `abort` tells about the parcel is UNVERIFIED: confirm on one that it was never "
            "found."
        ),
    ),
)
