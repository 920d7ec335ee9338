"""Secrets that travel with the request, as a sender shows them."""

from base64 import b64encode
from dataclasses import replace
from urllib.parse import urlencode

from service.intake.provider import SignedRequest
from service.intake.verification.enclosed import Where
from service.sandbox.senders.occasion import Delivery, Signer
from service.sandbox.senders.signing.drafts import with_field, with_headers, with_query
from service.settings import Source


def url_token() -> Signer:
    return Signer(_in_url, "url", signs_body=False)


def header(name: str, prefix: str = "") -> Signer:
    def prove(source: Source, draft: SignedRequest, _: Delivery) -> SignedRequest:
        return with_headers(draft, {name: prefix + newest(source)})

    return Signer(prove, f"header:{name}", signs_body=False)


def bearer() -> Signer:
    return header("Authorization", "Bearer ")


def basic() -> Signer:
    def prove(source: Source, draft: SignedRequest, _: Delivery) -> SignedRequest:
        encoded = b64encode(source.secrets[0].reveal()).decode("ascii")
        return with_headers(draft, {"Authorization": f"Basic {encoded}"})

    return Signer(prove, "header:Authorization", signs_body=False)


def query(parameter: str) -> Signer:
    def prove(source: Source, draft: SignedRequest, _: Delivery) -> SignedRequest:
        return with_query(draft, {parameter: newest(source)})

    return Signer(prove, f"query:{parameter}", signs_body=False)


def body(where: Where, place: str) -> Signer:
    """Show the secret in a field of the form, or at a plain place of the JSON."""

    def prove(source: Source, draft: SignedRequest, _: Delivery) -> SignedRequest:
        if where == "json":
            return with_field(draft, place, newest(source))
        field = urlencode({place: newest(source)}).encode("ascii")
        return replace(draft, body=b"&".join(filter(None, (draft.body, field))))

    return Signer(prove, f"{'form' if where == 'form' else 'body'}:{place}", signs_body=False)


def _in_url(source: Source, draft: SignedRequest, _: Delivery) -> SignedRequest:
    token = source.url_token.reveal().decode("latin-1") if source.url_token else ""
    return replace(draft, tail=f"{token}/{draft.tail}" if draft.tail else token)


def newest(source: Source) -> str:
    return source.secrets[0].reveal().decode("latin-1")
