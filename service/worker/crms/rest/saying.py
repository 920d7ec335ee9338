"""What is known goes in; the values that templates are filled with come out."""

from datetime import UTC, datetime

from service.domain import templates
from service.settings.rest_table import RestCall, RestFeed, RestWrite
from service.worker.crms.base import Target, Write


def about(target: Target, **more: str) -> dict[str, object]:
    return {
        "object": target.object,
        "key_field": target.key_field,
        "status_field": target.status_field,
        **more,
    }


def said(write: Write) -> dict[str, object]:
    """What a write may be described with."""
    change, fields = write.change, dict(write.fields)
    return {
        **about(write.target, key=write.key),
        "id": write.remote_id,
        "token": write.token,
        "lifecycle": change.subject.lifecycle,
        "scope": change.subject.scope,
        "ref": change.subject.ref,
        "status": write.status,
        "overall": change.status,
        "version": change.version,
        "idempotency_key": change.key,
        "fields": fields,
        "field": fields,
        "record": record_of(write),
    }


def record_of(write: Write) -> dict[str, object]:
    """The status, where there is one, and the fields."""
    stage = {write.target.status_field: write.status} if write.status is not None else {}
    return {**stage, **write.fields}


def by_path(rule: RestCall) -> bool:
    """Whether the number is part of the address itself."""
    template = templates.parse(rule.path.partition("?")[0])
    return any(slot.name == "key" for slot in templates.slots(template))


def has_to_say(step: RestWrite, write: Write) -> bool:
    match step.when:
        case "always":
            return True
        case "status":
            return write.status is not None
        case "fields":
            return bool(write.fields)


def written(since: datetime, rule: RestFeed) -> str:
    match rule.since:
        case "iso":
            return since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case "unix":
            return str(int(since.timestamp()))
        case "unix_ms":
            return str(int(since.timestamp() * 1000))
