"""Nested parameters come in, a query or form in PHP's brackets goes out: `filter[id][0]=1`."""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlencode

Nested = None | str | int | Sequence["Nested"] | Mapping[str, "Nested"]


def query(params: Mapping[str, Nested]) -> str:
    """Percent-encode names and values, so that no value can become a name."""
    pairs = [pair for name, value in params.items() for pair in _flat(name, value)]
    return urlencode(pairs, quote_via=quote)


def _flat(name: str, value: Nested) -> Iterator[tuple[str, str]]:
    match value:
        case None:
            yield name, ""
        case str() | int():
            yield name, str(value)
        case Mapping():
            for key, each in value.items():
                yield from _flat(f"{name}[{key}]", each)
        case _:
            for number, each in enumerate(value):
                yield from _flat(f"{name}[{number}]", each)
