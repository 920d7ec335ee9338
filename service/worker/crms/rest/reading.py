"""The JSON of an answer goes in; records, pages and pieces of them come out; nothing raises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import jmespath
from pydantic import JsonValue

from service.domain import moments
from service.settings.rest_table import RestRecord
from service.worker.crms import client
from service.worker.crms import reading as plain
from service.worker.crms.base import Record, Target

_BAD_DATA = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
MOST_DEEP = 100


def look(expression: str, document: JsonValue) -> JsonValue:
    """What a JMESPath finds; nothing where its functions do not suit the data."""
    try:
        # jmespath keeps what it compiled last.
        return cast("JsonValue", jmespath.search(expression, document))
    except _BAD_DATA:
        return None


def holds(expression: str, document: JsonValue) -> bool:
    """Whether a predicate holds, as JMESPath takes values for true: 0 is true there."""
    found = look(expression, document)
    return bool(found) or (isinstance(found, int | float) and not isinstance(found, bool))


def shown(value: JsonValue) -> str | None:
    """A value as text; a structure as its JSON, None when it is empty."""
    if isinstance(value, dict | list):
        return client.encode(value).decode() if value else None
    return plain.text(value)


@dataclass(frozen=True, slots=True)
class Reader:
    """How one destination's records are read."""

    rule: RestRecord

    def record(
        self,
        node: JsonValue,
        *,
        target: Target,
        fields: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Record | None:
        """None for what has no id, and so is no record."""
        rule = self.rule
        remote_id = plain.text(look(rule.id, node))
        if remote_id is None or not isinstance(node, dict):
            return None
        return Record(
            remote_id,
            self._text(rule.key, node, target.key_field),
            self._text(rule.status, node, target.status_field),
            {name: self._text(rule.fields.get(name, ""), node, name) for name in fields},
            token=self._token(node, headers or {}),
            modified_at=self._modified(node),
            by_us=self._by_us(node),
        )

    def _text(self, expression: str, node: Mapping[str, JsonValue], name: str) -> str | None:
        return shown(look(expression, dict(node)) if expression else node.get(name))

    def _token(self, node: JsonValue, headers: Mapping[str, str]) -> str | None:
        place = self.rule.token
        if place.startswith("header:"):
            return headers.get(place.removeprefix("header:").lower()) or None
        return plain.text(look(place, node)) if place else None

    def _modified(self, node: JsonValue) -> datetime | None:
        return moments.parse(look(self.rule.modified, node)) if self.rule.modified else None

    def _by_us(self, node: JsonValue) -> bool | None:
        who = plain.text(look(self.rule.author, node)) if self.rule.author else None
        return who == self.rule.us if who is not None and self.rule.us else None
