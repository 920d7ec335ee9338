"""Rows of Odoo: its JSON comes in, records go out; writes come in, values and methods go out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from service.worker.crms import reading
from service.worker.crms.base import Record, Target, Write
from service.worker.crms.client import encode

SALE_ORDER = "sale.order"
LOCKED = "locked"
METHODS: Mapping[str, tuple[str, ...]] = {
    "draft": ("action_draft",),
    "sent": ("action_quotation_sent",),
    "sale": ("action_confirm",),
    LOCKED: ("action_confirm", "action_lock"),
    "cancel": ("action_cancel",),
}
"""How a quotation gets to each state of a sale order."""

Row = tuple[int, Write]
"""A write and its place in the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """How a row of Odoo is read."""

    bools: frozenset[str]
    shows_locked: bool
    user_id: str | None

    def names(self, target: Target, fields: Sequence[str]) -> list[str]:
        usual = [target.key_field, target.status_field, "write_date", "write_uid"]
        locked = [LOCKED] if target.object == SALE_ORDER else []
        return list(dict.fromkeys([*usual, *locked, *fields]))

    def record(
        self, row: Mapping[str, JsonValue], target: Target, fields: Sequence[str]
    ) -> Record | None:
        """None when it has no id, so that it is no record."""
        remote_id = id_of(row.get("id"))
        if remote_id is None:
            return None
        status = self._shown(row, target.status_field)
        if self.shows_locked and target.object == SALE_ORDER and row.get(LOCKED) is True:
            status = LOCKED
        user = self._shown(row, "write_uid")
        return Record(
            remote_id,
            self._shown(row, target.key_field),
            status,
            {name: self._shown(row, name) for name in fields},
            modified_at=reading.moment(row.get("write_date")),
            by_us=None if self.user_id is None or user is None else user == self.user_id,
        )

    def _shown(self, row: Mapping[str, JsonValue], name: str) -> str | None:
        value = row.get(name)
        if value is False and name not in self.bools:
            # How Odoo says that a field of any kind is empty.
            return None
        # A link is shown as its number and its name.
        return reading.text(value[0] if isinstance(value, list) and value else value)


def steps(now: str, wanted: str) -> tuple[str, ...] | None:
    """The methods that take a sale order from one state to another; None for no such state."""
    if now == wanted or (now, wanted) == (LOCKED, "sale"):
        return ()
    methods = METHODS.get(wanted)
    if methods is None:
        return None
    if (now, wanted) == ("sale", LOCKED):
        return ("action_lock",)
    # A cancelled order is made a quotation first.
    return ("action_draft", *methods) if now == "cancel" and wanted != "draft" else methods


def moves(write: Write) -> bool:
    """Whether its state is changed by methods."""
    return write.status is not None and by_method(write.target)


def by_method(target: Target) -> bool:
    return (target.object, target.status_field) == (SALE_ORDER, "state")


def vals(write: Write) -> dict[str, object]:
    """What `write` and `create` are given: never the state of a sale order."""
    given: dict[str, object] = dict(write.fields)
    if write.status is not None and not by_method(write.target):
        link = write.target.status_field.endswith("_id")
        given[write.target.status_field] = number(write.status) if link else write.status
    return given


def same(rows: Sequence[Row]) -> Sequence[Sequence[Row]]:
    """Rows that set the same values of the same kind of record, together."""
    groups: dict[tuple[Target, bytes], list[Row]] = {}
    for row in rows:
        alike = row[1].target, encode(dict(sorted(vals(row[1]).items())))
        groups.setdefault(alike, []).append(row)
    return list(groups.values())


def numbers(rows: Sequence[Row]) -> list[int | str]:
    return [number(write.remote_id or "") for _, write in rows]


def id_of(value: JsonValue) -> str | None:
    return str(value) if isinstance(value, int) and value is not True and value > 0 else None


def number(text: str) -> int | str:
    return int(text or 0) if text.isascii() and text.isdigit() and len(text) < 16 else text or 0
