"""What is common to CRMs that people run themselves: parts of the configuration, plain refusals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import reading
from service.worker.crms.base import Answer, Class, Target, Value, Write
from service.worker.crms.client import Call, Reply
from service.worker.crms.kind import Option

REQUESTS = "requests"
BLAMED = {Class.OK, Class.PERMANENT, Class.NOT_FOUND, Class.CONFLICT}
"""What is about one record; anything else would happen to the next one too."""
CREATE = Option(
    "create",
    "Fields of a new record besides its number, stage and attributes; {key} is the number. "
    "Nothing by default.",
    'create = { name = "Order {key}" }',
)


@dataclass(frozen=True, slots=True)
class Site:
    """One installation, as the configuration describes it."""

    url: str
    targets: Mapping[str, Target]
    starting: Mapping[str, JsonValue]
    limits: Sequence[Limit]

    @property
    def costs(self) -> Mapping[str, float]:
        """Nothing, unless somebody set a limit: the software itself has none."""
        return {limit.name: 1.0 for limit in self.limits}

    def fields_of_new(self, write: Write) -> Mapping[str, JsonValue]:
        return {
            name: value.replace("{key}", write.key) if isinstance(value, str) else value
            for name, value in self.starting.items()
        }

    def named_new(self, write: Write) -> Mapping[str, object]:
        """All fields of a new record where every record has a name: the number, if none is set."""
        return {
            **({} if "name" in self.starting else {"name": write.key}),
            **self.fields_of_new(write),
            **values(write),
            write.target.key_field: write.key,
        }


def site(destination: Destination, usual: Target) -> Site:
    """Raises ConfigurationError without a URL, or for a `create` that is no table."""
    if not destination.url:
        raise ConfigurationError('Add url = "https://…": where this CRM is installed.')
    rule = destination.limits.get(REQUESTS)
    limits = () if rule is None else (Limit(REQUESTS, rule.count, rule.period, rule.burst),)
    return Site(
        destination.url.rstrip("/"), targets(destination, usual), _create(destination), limits
    )


def targets(destination: Destination, usual: Target) -> Mapping[str, Target]:
    """By lifecycle: the configured object, and the usual names where it does not say."""
    return {
        lifecycle: Target(
            rule.object or usual.object,
            rule.key_field or usual.key_field,
            rule.status_field or usual.status_field,
        )
        for lifecycle, rule in destination.objects.items()
    } | ({} if "order" in destination.objects else {"order": usual})


def bools(destination: Destination) -> frozenset[str]:
    """Their fields that hold a yes or no."""
    tables = [destination.attributes, *(rule.attributes for rule in destination.objects.values())]
    rules = [rule for table in tables if table for rule in table.values()]
    return frozenset(
        rule.field for rule in rules if not isinstance(rule, str) and rule.type == "bool"
    )


def stages(destination: Destination) -> frozenset[str]:
    """Their stages, as far as the configuration names any."""
    tables = [destination.statuses, *(rule.statuses for rule in destination.objects.values())]
    return frozenset(word for table in tables if table for word in table.values())


def key(destination: Destination, what: str) -> str:
    """The token; `what` says what it is, for people."""
    if destination.token is None:
        raise ConfigurationError(f'{what} is missing: add token = "env:…".')
    return destination.token.reveal().decode("latin-1").strip()


def values(write: Write) -> dict[str, Value]:
    """Everything a write sets, the stage among it."""
    status = {} if write.status is None else {write.target.status_field: write.status}
    return {**write.fields, **status}


def shown(value: JsonValue, *, boolean: bool) -> str | None:
    """A value as text; yes and no are `true` and `false` where it is known to be one of them."""
    said = reading.text(value)
    return {"1": "true", "0": "false"}.get(said, said) if boolean and said else said


def puzzled(call: Call, reply: Reply, vendor: str) -> Answer:
    """An answer that says it went well and does not look like one of this CRM."""
    kind = Class.TRANSIENT if call.safe else Class.UNKNOWN_OUTCOME
    detail = f"{vendor} answered {reply.status} with something else than it should."
    return Answer(kind, call.operation, http_status=reply.status, detail=detail)


def unknown_yet(write: Write) -> Answer:
    detail = f"No record with the number {write.key} has been found yet."
    return Answer(Class.NOT_FOUND, "write", detail=detail)


def blamed(answer: Answer, key: str) -> Answer:
    """A search that is refused for every order; for an odd number, perhaps for that one alone.

    A firewall in front of the CRM may take signs in a number for an attack: one order must not
    stop all others.
    """
    if answer.kind is not Class.HUMAN or answer.http_status is None or not reading.odd(key):
        return answer
    sentence = (
        f"The search for this number was refused ({answer.http_status}), perhaps by a firewall for "
        "the signs in it: let it through there, then redrive."
    )
    return replace(answer, kind=Class.PERMANENT, detail=sentence)


def untried(answer: Answer) -> Answer:
    """What rows get that come after one which was refused for no fault of its own."""
    return replace(answer, remote_id=None, token=None, tried=False)


def _create(destination: Destination) -> Mapping[str, JsonValue]:
    table = destination.options.get("create", {})
    if not isinstance(table, dict):
        raise ConfigurationError('options.create is a table, as { name = "Order {key}" }.')
    return table
