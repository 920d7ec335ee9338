"""A change comes in; what is to be written, in the words of the CRM, goes out."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from hashlib import sha256

import orjson

from service.domain.events import AttributeValue, Subject
from service.settings import Destination, FieldRule, ObjectRule
from service.worker.crms.base import Answer, Change, Class, Target, Value, Write

PLACE = re.compile(r"\{(scope|ref|lifecycle)\}")
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
NOWHERE = Target("", "", "")
MOST_DIGITS = 60
PLAIN = ObjectRule()


def worded(change: Change, rule: Destination, targets: Mapping[str, Target]) -> Write | Answer:
    """The write that makes a record show the change, or why the configuration cannot say it."""
    lifecycle = change.subject.lifecycle
    said = rule.objects.get(lifecycle, PLAIN)
    target = _target(said, targets.get(lifecycle))
    if target is None:
        return _refused(
            f"{rule.name} has no record for a {lifecycle}: name object, key_field and "
            f"status_field in [destinations.{rule.name}.objects.{lifecycle}]"
        )
    statuses = rule.statuses if said.statuses is None else said.statuses
    attributes = rule.attributes if said.attributes is None else said.attributes
    fields: dict[str, Value] = {}
    for ours, theirs in attributes.items():
        if ours in change.attributes:
            value = _typed(change.attributes[ours], theirs)
            if value is None:
                return _refused(f"The attribute {ours} is not a {_type(theirs)}")
            fields[_field(theirs)] = value
    status = statuses.get(change.status) if statuses else change.status
    return Write(change, target, _key(said.key, change.subject), status, fields)


def place(
    lifecycle: str, rule: Destination, targets: Mapping[str, Target]
) -> tuple[Target, tuple[str, ...]] | None:
    """The kind of record a lifecycle is, and every field of it that may be written."""
    said = rule.objects.get(lifecycle, PLAIN)
    target = _target(said, targets.get(lifecycle))
    attributes = rule.attributes if said.attributes is None else said.attributes
    return None if target is None else (target, tuple(map(_field, attributes.values())))


def told(change: Change) -> Write:
    """The same for a destination that keeps no records."""
    return Write(change, NOWHERE, change.subject.ref, change.status)


def shown(write: Write) -> dict[str, str | None]:
    """What the record shows after it, as text."""
    fields: dict[str, str | None] = {name: text(value) for name, value in write.fields.items()}
    if write.status is not None:
        fields[write.target.status_field] = write.status
    return fields


def digest(write: Write) -> bytes:
    """Equal for writes that make a record show the same, of whatever version."""
    target = write.target
    fields = [[name, type(value).__name__, text(value)] for name, value in write.fields.items()]
    said = [target.object, target.key_field, target.status_field, write.key, write.status]
    return sha256(orjson.dumps([*said, sorted(fields)])).digest()


def text(value: Value) -> str:
    """A value as it is compared with what a CRM shows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else value


def _target(said: ObjectRule, usual: Target | None) -> Target | None:
    if usual is not None:
        return Target(
            said.object or usual.object,
            said.key_field or usual.key_field,
            said.status_field or usual.status_field,
        )
    if said.object and said.key_field and said.status_field:
        return Target(said.object, said.key_field, said.status_field)
    return None


def _key(template: str, subject: Subject) -> str:
    parts = subject._asdict()
    return PLACE.sub(lambda place: str(parts[place[1]]), template)


def _field(theirs: str | FieldRule) -> str:
    return theirs if isinstance(theirs, str) else theirs.field


def _type(theirs: str | FieldRule) -> str:
    return "text" if isinstance(theirs, str) else theirs.type


def _typed(value: AttributeValue, theirs: str | FieldRule) -> Value | None:
    match _type(theirs):
        case "number":
            return _number(value)
        case "bool":
            return value if isinstance(value, bool) else FLAGS.get(value.strip().lower())
        case _:
            return text(value)


def _number(value: AttributeValue) -> Decimal | None:
    if isinstance(value, bool):
        return Decimal(value)
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return None
    # An exponent may make a short text a number of a million digits.
    return number if number.is_finite() and abs(number.adjusted()) < MOST_DIGITS else None


def _refused(why: str) -> Answer:
    return Answer(Class.PERMANENT, "wording", detail=f"{why}.")
