"""What those are told that keep no records: a change in, the data of an announcement out."""

from collections.abc import Mapping
from datetime import UTC

from service.domain.events import AttributeValue
from service.worker.crms.base import Change


def kind(change: Change) -> str:
    """What happened, as the announcement names it."""
    return f"{change.subject.lifecycle}.status_changed"


def data(
    change: Change, *, statuses: Mapping[str, str], attributes: Mapping[str, AttributeValue]
) -> dict[str, object]:
    """The same bytes for the same change: sorted, and only from what is stored."""
    previous = change.previous
    return {
        "subject": str(change.subject),
        "status": statuses.get(change.status, change.status),
        "previous": previous and statuses.get(previous, previous),
        "lanes": dict(sorted(change.lanes.items())),
        "version": change.version,
        "event_ids": [str(event_id) for event_id in change.event_ids],
        "occurred_at": change.occurred_at and change.occurred_at.astimezone(UTC),
        "attributes": attributes,
    }


def renamed(
    attributes: Mapping[str, AttributeValue], names: Mapping[str, str]
) -> dict[str, AttributeValue]:
    """Attributes by their names there; without names, all of them by ours."""
    known = names or {name: name for name in attributes}
    return {known[name]: attributes[name] for name in sorted(attributes) if name in known}
