"""What a CRM said comes in; the same goes out, bounded and without what PostgreSQL cannot keep."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from service.worker.crms.base import Answer, Class, Record

Told = TypeVar("Told", Record, Sequence[Record])

MOST_DETAIL = 500
MOST_ID = 256
MOST_TOKEN = 1024
MOST_TEXT = 16_384
"""Far longer than any text of ours: a cut one differs from ours as the whole did."""
UNKEEPABLE = re.compile("[\0\ud800-\udfff]")
CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""What would end a line, or move the cursor of whoever reads it on a terminal."""


def answer(said: Answer) -> Answer:
    detail, remote_id, token = said.detail, said.remote_id, said.token
    if len(detail) > MOST_DETAIL or CONTROLS.search(detail):
        detail = CONTROLS.sub(" ", detail)[:MOST_DETAIL]
    remote_id, token = _kept(remote_id, MOST_ID), _token(token)
    if (detail, remote_id, token) == (said.detail, said.remote_id, said.token):
        return said
    return replace(said, detail=detail, remote_id=remote_id, token=token)


def record(said: Record) -> Record:
    texts = [said.status, *said.fields.values()]
    token = _token(said.token)
    if token == said.token and all(_text(text) == text for text in texts):
        return said
    fields = {name: _text(text) for name, text in said.fields.items()}
    return replace(said, fields=fields, status=_text(said.status), token=token)


def seen(said: Told | Answer) -> Told | Answer:
    """What was found or read; an id that cannot be kept leads to no record."""
    if isinstance(said, Answer):
        return answer(said)
    records: Sequence[Record] = [said] if isinstance(said, Record) else said
    if all(_kept(one.remote_id, MOST_ID) for one in records):
        return said
    sentence = "The CRM told an id that is no id: look at what answers at the address in url."
    return Answer(Class.TRANSIENT, "read", detail=sentence)


def _kept(text: str | None, most: int) -> str | None:
    """A cut id would be another one."""
    return None if text is None or len(text) > most or UNKEEPABLE.search(text) else text


def _token(text: str | None) -> str | None:
    """It is shown again in a header."""
    kept = _kept(text, MOST_TOKEN)
    return None if kept is None or CONTROLS.search(kept) else kept


def _text(text: str | None) -> str | None:
    return text and UNKEEPABLE.sub("", text)[:MOST_TEXT]
