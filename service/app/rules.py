"""Settings in, what every fold goes by and what opens kept requests out."""

from collections.abc import Iterator

from service.domain.masking import Mask, everybody
from service.domain.routing import PRIORITIES, Condition, Route
from service.settings import Settings
from service.settings.destination_rules import Fields
from service.settings.models import Route as Table
from service.store.seals import Seals
from service.worker import sync
from service.worker.rules import Rules


def rules(settings: Settings) -> Rules:
    return Rules(
        lifecycles=settings.lifecycles,
        routes=[_route(table) for table in settings.routes],
        leases={name: sync.lease_time(rule) for name, rule in settings.destinations.items()},
        deadline=settings.waiting.deadline,
        mask=_mask(settings),
    )


def _mask(settings: Settings) -> Mask:
    """What of orders is hidden, under our names and under those of the destinations."""
    mask = everybody({name: source.mask for name, source in settings.sources.items()})
    return mask.carried(_theirs(table) for table in _tables(settings))


def _tables(settings: Settings) -> Iterator[Fields]:
    for rule in settings.destinations.values():
        yield rule.attributes
        yield from (each.attributes for each in rule.objects.values() if each.attributes)


def _theirs(table: Fields) -> dict[str, str]:
    return {
        ours: theirs if isinstance(theirs, str) else theirs.field for ours, theirs in table.items()
    }


def sealing(settings: Settings) -> Seals:
    """What opens requests that were sealed, for a look from outside."""
    return Seals.of(settings.server.ring)


def _route(table: Table) -> Route:
    return Route(
        table.sources,
        table.events,
        table.destinations,
        when=Condition.of(table.when) if table.when else None,
        priority=PRIORITIES[table.priority],
    )
