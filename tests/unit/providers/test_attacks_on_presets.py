"""Genuine requests taken apart and put together otherwise: refused, or read as what was signed."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.registry import PRESETS, preset
from tests import simulated
from tests.simulated import judge, posted, signer

UNCOVERED: dict[str, str] = {}
"""Presets whose senders sign less than is read, and the words by which people are told."""

NAMES = [each.name for each in PRESETS if each.name not in ("generic",)]
Pairs = Sequence[tuple[str, str]]


# --- ways to take a request apart --------------------------------------------------------------


def with_headers(request: RawRequest, headers: Pairs) -> RawRequest:
    return replace(request, headers=tuple(headers))


def with_query(request: RawRequest, query: str) -> RawRequest:
    return replace(request, query=query, url=f"{request.url.partition('?')[0]}?{query}")


def of_headers(request: RawRequest, signed: set[str]) -> Iterator[tuple[str, RawRequest]]:
    """Send a header twice, under another look, in capitals, or after a byte of its neighbour."""
    there = list(request.headers)
    for place, (name, value) in enumerate(there):
        if name not in signed:
            continue
        for other in (value, "x", ""):
            yield f"{name} again", with_headers(request, [*there, (name, other)])
            yield f"{name} before", with_headers(request, [(name, other), *there])
        if "-" in name:
            twin = (name.replace("-", "_"), "x")
            yield f"{name} as {twin[0]}", with_headers(request, [*there, twin])
        for other in (value.swapcase(), value + "=", f" {value}", f"{value},x", f"{value} x"):
            changed = [*there[:place], (name, other), *there[place + 1 :]]
            yield f"{name}: {other[:40]}", with_headers(request, changed)


def of_query(request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    for more in ("a=b", "&", "%00", request.query):
        if more:
            yield f"?…&{more}", with_query(request, f"{request.query}&{more}")
            yield f"?{more}&…", with_query(request, f"{more}&{request.query}")
    for piece in request.query.split("&") if request.query else ():
        name = piece.partition("=")[0]
        yield f"{name} again", with_query(request, f"{request.query}&{name}=x")
        yield f"{name} before", with_query(request, f"{name}=x&{request.query}")


def of_form(request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    pieces = request.body.decode().split("&")

    def body(*parts: str) -> RawRequest:
        return replace(request, body="&".join(parts).encode())

    yield "reversed", body(*reversed(pieces))
    for place, piece in enumerate(pieces):
        name, _, value = piece.partition("=")
        yield f"{name} again", body(*pieces, f"{name}=x")
        yield f"{name} before", body(f"{name}=x", *pieces)
        yield f"{name}[] again", body(*pieces, f"{name}[]=x")
        yield f"{name} in other cases", body(
            *pieces[:place], f"{name}={value.swapcase()}", *pieces[place + 1 :]
        )
        following = pieces[place + 1] if place + 1 < len(pieces) else ""
        if value and following:
            other, _, rest = following.partition("=")
            moved = f"{name}={value[:-1]}", f"{other}={value[-1]}{rest}"
            yield f"{name} to {other}", body(*pieces[:place], *moved, *pieces[place + 2 :])
            joined = f"{name}={value}{quote_plus('&' + following)}"
            yield f"{name} with {other}", body(*pieces[:place], joined, *pieces[place + 2 :])
    yield "one more", body(*pieces, "zz=1")
    yield "an empty one more", body(*pieces, "aa=")


def scalars(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(node, dict | list):
        inside = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in inside:
            yield from scalars(value, (*path, key))
    else:
        yield path, node


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    node = copy
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return copy


def of_json(request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    document = json.loads(request.body)

    def body(text: str) -> RawRequest:
        return replace(request, body=text.encode())

    plain = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if isinstance(document, dict):
        for name in document:
            yield f"{name} again", body(f'{plain[:-1]},{json.dumps(name)}:"x"}}')
            yield f"{name} before", body(f'{{{json.dumps(name)}:"x",{plain[1:]}')
        yield "one more", body(f'{plain[:-1]},"zz":"1"}}')
        yield "reversed", body(json.dumps(dict(reversed(document.items()))))
    found = sorted(scalars(document), key=lambda each: str(each[0]))
    for (path, value), (other, following) in zip(found, found[1:], strict=False):
        text, rest = (("" if each is None else str(each)) for each in (value, following))
        if text and not isinstance(value, bool) and not isinstance(following, bool):
            moved = put(put(document, path, text[:-1]), other, text[-1] + rest)
            yield f"{path} to {other}", body(json.dumps(moved))
        yield f"{path} for {other}", body(
            json.dumps(put(put(document, path, following), other, value))
        )


def of_body(request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    text = request.body.lstrip()
    if text[:1] in (b"{", b"["):
        yield from of_json(request)
    elif re.fullmatch(rb"[^<=&]+=.*", text, re.DOTALL):
        yield from of_form(request)
    for more in (b" ", b"\n", b"\r\n", b"\0", b"&", b"}", b"\xef\xbb\xbf"):
        yield f"body and {more!r}", replace(request, body=request.body + more)
        yield f"{more!r} and body", replace(request, body=more + request.body)


def mutations(name: str, request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    signs = signer(simulated.source(name))
    places = (signs.proof_at, *signs.also)
    signed = {place.removeprefix("header:").lower() for place in places if "header:" in place}
    yield from of_headers(request, signed)
    yield from of_query(request)
    if signs.signs_body or signs.proof_at.partition(":")[0] in ("form", "body", "json"):
        yield from of_body(request)


# --- what must hold ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_request_put_together_otherwise_says_nothing_else(name: str) -> None:
    source = simulated.source(name)
    built, verdict = preset(name).build(source), judge(source)
    for sample in simulated.sender(name).samples:
        try:
            request = posted(source, sample=sample)
        except Exception:  # noqa: BLE001, S112  # a source with a mapping of its own
            continue
        told = [*built.parse(built.redact(request))]
        for how, changed in mutations(name, request):
            answer = verdict(changed)
            if isinstance(answer, Forged):
                continue
            again = [*built.parse(built.redact(changed))]
            assert told == again, (sample, how, changed.body[:400], changed.headers)
