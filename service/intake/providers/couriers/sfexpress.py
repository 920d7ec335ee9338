"""SF Express: pushes of the route of a waybill in, delivery statements out.

PARTIAL, as all of it is from copies of SF's documentation and several implementations that agree
(read 2026-11): RoutePushService as XML in the form field `content` or as JSON, up to ten nodes a
push, none repeated, the answers, the operation codes. No signature was found. UNVERIFIED: the
addresses SF sends from, and the codes that are not in CODES, which are therefore unmapped.

Times are China's, without a zone. Another answer than OK brings the whole push again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from service.intake.answering import replies
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import RawRequest, Reply
from service.intake.reading import markup
from service.intake.reading.layout import Layout, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON, Path
from service.intake.reading.reader import Reader
from service.intake.verification import hashes
from service.intake.verification.shared import UrlToken
from service.intake.verification.wrapped import Wrapped, is_json
from service.settings import Source

SETUP = """\
1. Send the shop's order number as `orderId` when you place the order with SF (丰桥).
2. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`.
3. In SF's open platform under RoutePushService (路由推送), enter this source's URL, a slash and the
   token; json and form are both read.
4. If SF names the networks it sends from, put them into `allow_from`."""

FIELD = "content"
ROUTES = Path.of("Request.Body.WaybillRoute")


def unwrap(body: bytes) -> bytes:
    """Write the XML of a form as the JSON SF sends where it was told to."""
    if is_json(body):
        return body
    content = hashes.form(body).get(FIELD)
    if not isinstance(content, str):
        raise Unreadable(f"The form carries no `{FIELD}`.")
    found = ROUTES.find(markup.read(content.encode()))
    routes = found if isinstance(found, list) else [found] if found else []
    return orjson.dumps({"Body": {"WaybillRoute": [_bare(route) for route in routes]}})


def _bare(route: JSON) -> JSON:
    """Name attributes as the members of JSON are."""
    if not isinstance(route, dict):
        return route
    return {name.removeprefix("@"): value for name, value in route.items()}


TOKEN = UrlToken()
SCHEME = Wrapped(TOKEN, unwrap)

FAILED = "delivery.delivery_failed"
CODES: Mapping[str, str] = {
    **dict.fromkeys(("50", "54"), "delivery.picked_up"),
    **dict.fromkeys(("30", "31", "36", "123", "130"), "delivery.in_transit"),
    **dict.fromkeys(("44", "204"), "delivery.out_for_delivery"),
    **dict.fromkeys(("80", "8000"), "delivery.delivered"),
    **dict.fromkeys(("33", "70"), FAILED),
    **dict.fromkeys(("99", "631", "648"), "delivery.returning"),
}

LAYOUT = Layout(
    title="SF Express",
    items="Body.WaybillRoute",
    says=(Says("opCode", CODES),),
    ref="orderid",
    key=("mailno", "id", "opCode", "acceptTime"),
    when="acceptTime",
    zone="Asia/Shanghai",
    parcel="mailno",
    reason="reasonCode",
    aliases={"tracking": "mailno"},
    facts={"tracking_number": "mailno", "place": "acceptAddress"},
)

AS_JSON = replies.document({"return_code": "0000", "return_msg": "成功"})
AS_XML = Reply(
    200,
    b'<Response service="RoutePushService"><Head>OK</Head></Response>',
    {"Content-Type": "application/xml; charset=utf-8", "X-Content-Type-Options": "nosniff"},
)


@dataclass(frozen=True, slots=True)
class Pushes(Declared):
    """A configured push, answered in the writing it came in."""

    def acknowledge(self, request: RawRequest) -> Reply:
        return AS_JSON if is_json(request.body) else AS_XML


def build(source: Source) -> Pushes:
    return Pushes(SCHEME.guard(source), Reader.of(LAYOUT, source))


DOUBTS: Sequence[str] = (
    "That nothing is signed is PARTIAL: confirm that a live push carries no signature.",
    (
        "The codes are PARTIAL and SF has more of them: confirm those that come, and add them to "
        "`statuses`."
    ),
    (
        "The fields, also reasonCode and acceptAddress, and that times are China's, are PARTIAL: "
        "confirm on a live push."
    ),
    "The JSON is PARTIAL (third parties): confirm one push where you chose json.",
)

PRESET = Preset(
    name="sfexpress",
    title="SF Express (顺丰)",
    category="courier",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="waybill, id, code and time of a node",
    proof=Proof("none", "copies of SF's documentation: nothing is signed"),
    doubts=tuple(DOUBTS),
    url_token=True,
)
