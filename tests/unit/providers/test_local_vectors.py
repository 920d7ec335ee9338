"""Requests worked out from the documentation by somebody else's hand; no vendor's, so no proof."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.registry import preset
from service.settings import Secret, Source

AT = datetime(2026, 1, 15, tzinfo=UTC)
BODY = b'{"id":"1","status":"delivered"}'
SEVENTEEN = "f8d0ff3521ee6c7dc2568aada530a47357e82b19607534fb9a8612f9be514ee2"
MD5 = "32934D33F6F5C8A775DE9891E10BCF93"


def form(sign: str) -> bytes:
    return urlencode({"param": BODY, "sign": sign}).encode("ascii")


@pytest.mark.parametrize(
    ("provider", "body", "headers"),
    [
        ("17track", BODY, {"sign": SEVENTEEN}),
        ("kuaidi100", form(MD5), {}),
        ("kuaidi100", form(MD5.lower()), {}),
        (
            "shiphero",
            BODY,
            {"x-shiphero-hmac-sha256": "sTm3kYHndw4H35gmQ6rDl/jaXouPCV3O6IVbbVJVxgQ="},
        ),
        ("motive", BODY, {"x-kt-webhook-signature": "c2f9b928165695dd11087ffe0f03322c40413f02"}),
    ],
)
def test_what_the_documentation_leads_others_to_is_genuine(
    provider: str, body: bytes, headers: dict[str, str]
) -> None:
    request = RawRequest("POST", "/webhooks/x", "", [*headers.items()], body, AT)
    for secret, expected in (("topsecret", Genuine), ("another", Forged)):
        source = Source(name="x", provider=provider, secrets=(Secret.plain(secret),))
        verdict = preset(provider).build(source).verify(request, now=AT)
        assert isinstance(verdict, expected)
