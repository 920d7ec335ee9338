"""What a value shows of itself in a log or a traceback holds no secret, no body and no header."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime

import service
from service.intake.provider import RawRequest

SILENT = frozenset(
    {
        *("secret", "secrets", "client_secret", "password", "dsn", "authorization", "cookie"),
        *("body", "headers", "jwt", "ring", "cipher", "private_key"),
    }
)
"""Fields that are never shown where they hold the thing itself."""
SHOWN = frozenset(
    {
        "service.intake.provider.Reply.body",
        "service.intake.provider.Reply.headers",
        "service.intake.verification.itemised.Itemised.secret",
        "service.intake.verification.publickeys.PublicKey.body",
        "service.app.adapters.Adapters.secrets",
        "service.broker.base.Delivery.body",
        "service.broker.memory.Held.body",
        "service.ops.dead_letters.Placed.body",
    }
)
"""Our own answers and messages, which name ids; the name of a field; a pool."""


def fields() -> Iterator[str]:
    """Every field of every dataclass of the service that its generated `repr` shows."""
    for module in pkgutil.walk_packages(service.__path__, "service."):
        if module.name.startswith("service.sandbox") or module.name.endswith("embedded_child"):
            continue
        for name, kind in vars(importlib.import_module(module.name)).items():
            ours = inspect.isclass(kind) and kind.__module__ == module.name
            if ours and dataclasses.is_dataclass(kind):
                shown = (field.name for field in dataclasses.fields(kind) if field.repr)
                yield from (f"{module.name}.{name}.{each}" for each in shown)


def test_no_value_shows_a_secret_a_body_or_headers() -> None:
    shown = {each for each in fields() if each.rpartition(".")[2] in SILENT}
    assert SHOWN == shown


def test_a_request_shows_where_it_came_from_and_nothing_of_what_it_carries() -> None:
    request = RawRequest(
        "POST",
        "/webhooks/shop",
        "token=s3cret",
        [("authorization", "Bearer s3cret")],
        b"s3cret",
        datetime(2026, 3, 1, tzinfo=UTC),
    )
    assert "/webhooks/shop" in repr(request)
    assert "s3cret" not in repr(request)
