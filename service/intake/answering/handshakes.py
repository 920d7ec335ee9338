"""Configured handshakes: a rule and a request in, the answer to a sender's test of the address out.

Whoever knows the address gets these answers, so they say nothing but what was sent or configured.
"""

from typing import assert_never

import orjson

from service.intake.answering import replies
from service.intake.provider import RawRequest, Reply
from service.intake.reading.paths import Path
from service.settings import EchoRule, HandshakeRule, JsonEchoRule, OriginRule, TextRule

MAX_BODY = 8192
"""Tests of an address are small; nothing larger is parsed before it is verified."""

READING = ("GET", "HEAD")


def greet(rule: HandshakeRule, request: RawRequest) -> Reply | None:
    """Answer by the rule; None where the request is no such test."""
    match rule:
        case EchoRule(parameter=parameter):
            return replies.echo(request, parameter)
        case TextRule(body=body):
            return replies.text(body) if request.method in READING else None
        case JsonEchoRule(challenge=challenge, answer=answer):
            return _repeat(Path.of(challenge), answer, request)
        case OriginRule():
            return _allow(request)
        case other:
            assert_never(other)


def _repeat(challenge: Path, answer: str, request: RawRequest) -> Reply | None:
    if request.method != "POST" or len(request.body) > MAX_BODY:
        return None
    try:
        found = challenge.find(orjson.loads(request.body))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, str) or not replies.is_harmless(found):
        return None
    return replies.document({answer: found})


def _allow(request: RawRequest) -> Reply | None:
    """Grant what section 4 of the CloudEvents Web Hooks specification asks for."""
    origin = request.header("webhook-request-origin")
    if request.method != "OPTIONS" or origin is None or not replies.is_harmless(origin):
        return None
    return Reply(200, b"", {"Allow": "POST", "WebHook-Allowed-Origin": origin})
