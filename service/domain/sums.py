"""Amounts that senders tell come in; exact sums, and the status they mean, go out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from operator import itemgetter
from typing import NamedTuple

from service.domain.events import AttributeValue, Money
from service.domain.lifecycle import Settlement

_AMOUNT = re.compile(r"\d{1,30}(?:\.\d{1,30})?", re.ASCII)
# Wide enough for any sum of what _AMOUNT takes, so that no sum is ever rounded.
_EXACT = Context(prec=100)
_NOTHING = Decimal(0)

Amounts = Mapping[str, Mapping[str, Decimal]]
"""By kind and currency."""


class Teller(NamedTuple):
    """Who tells of which kind of money."""

    kind: str
    source: str


class Word(NamedTuple):
    """What was said last of the refund or payment of one id."""

    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What one source told of one kind of money: by id, and as running totals by currency."""

    words: Mapping[str, Word] = field(default_factory=dict)
    totals: Mapping[str, str] = field(default_factory=dict)


def heard(tally: Tally, money: Money) -> Tally:
    """Take one more word, the latest of this source; what is no amount says nothing."""
    if not _AMOUNT.fullmatch(money.amount):
        return tally
    if money.id is None:
        before = tally.totals.get(money.currency, money.amount)
        largest = max(before, money.amount, key=_size)
        return replace(tally, totals={**tally.totals, money.currency: largest})
    known = tally.words.get(money.id)
    # A failed refund is often told without its currency.
    currency = money.currency or (known.currency if known else "")
    return replace(tally, words={**tally.words, money.id: Word(money.amount, currency)})


def larger(one: str, other: str) -> str:
    """The larger of two amounts as they were written."""
    return max(one, other, key=_size)


def _size(amount: str) -> tuple[Decimal, int]:
    """Order by value; of equal ones the text with more decimal places is the larger."""
    return Decimal(amount), len(amount.partition(".")[2])


def amounts(tallies: Mapping[Teller, Tally]) -> dict[str, dict[str, Decimal]]:
    """Sum up: per source its ids, or else its largest total; then the largest over the sources.

    Money without a currency is taken to be in the only currency that anybody named.
    """
    named = {currency for tally in tallies.values() for currency in _currencies(tally)} - {""}
    usual = named.pop() if len(named) == 1 else ""
    found: dict[str, dict[str, Decimal]] = {}
    for teller, tally in sorted(tallies.items(), key=itemgetter(0)):
        of_kind = found.setdefault(teller.kind, {})
        for currency, amount in _told(tally, usual=usual).items():
            of_kind[currency] = max(of_kind.get(currency, amount), amount, key=_width)
    return found


def _currencies(tally: Tally) -> Iterator[str]:
    yield from tally.totals
    for word in tally.words.values():
        yield word.currency


def _told(tally: Tally, *, usual: str) -> dict[str, Decimal]:
    by_id: dict[str, Decimal] = {}
    for amount, currency in tally.words.values():
        sum_before = by_id.get(currency or usual, _NOTHING)
        by_id[currency or usual] = _EXACT.add(sum_before, Decimal(amount))
    totals: dict[str, Decimal] = {}
    for currency, text in tally.totals.items():
        total = Decimal(text)
        totals[currency or usual] = max(totals.get(currency or usual, total), total, key=_width)
    return {**totals, **by_id}


def _width(amount: Decimal) -> tuple[Decimal, int]:
    """The order of _size."""
    return amount, -int(amount.as_tuple().exponent)


def attributes(found: Amounts) -> dict[str, AttributeValue]:
    """Name the sums: `refunded_amount` and its `refunded_currency`, where one was told.

    In several currencies there is one sum for each: `refunded_amount_eur`, `refunded_amount_usd`.
    """
    named: dict[str, AttributeValue] = {}
    for kind, sums in found.items():
        for currency, amount in sums.items():
            several = f"_{currency.lower()}" if currency and len(sums) > 1 else ""
            named[f"{kind}_amount{several}"] = format(amount, "f")
            if currency and len(sums) == 1:
                named[f"{kind}_currency"] = currency
    return named


def settled(
    settlement: Settlement,
    status: str,
    *,
    tallies: Mapping[Teller, Tally],
    price: AttributeValue | None,
) -> str:
    """Move the status of a lane to where the sums of money say it is.

    `price` stands for what was paid while nobody told that.
    """
    if status not in {settlement.partly, settlement.fully}:
        return status
    found = amounts(tallies)
    returned = found.get(settlement.returned, {})
    whole = _is_whole(returned, paid=found.get(settlement.paid) or _priced(returned, price))
    failed = _any_failed(tallies, settlement.returned)
    if failed and not any(returned.values()):
        return settlement.restored
    if whole and status == settlement.partly:
        return settlement.fully
    if failed and whole is False and status == settlement.fully:
        return settlement.partly
    return status


def _is_whole(returned: Mapping[str, Decimal], *, paid: Mapping[str, Decimal]) -> bool | None:
    """Whether all that was paid went back; None where nobody told what was paid."""
    if not any(paid.values()):
        return None
    return all(returned.get(currency, _NOTHING) >= amount for currency, amount in paid.items())


def _priced(returned: Mapping[str, Decimal], price: AttributeValue | None) -> dict[str, Decimal]:
    """Take the price to be in the currency of what went back; it has none of its own."""
    if not isinstance(price, str) or not _AMOUNT.fullmatch(price) or len(returned) != 1:
        return {}
    return dict.fromkeys(returned, Decimal(price))


def _any_failed(tallies: Mapping[Teller, Tally], kind: str) -> bool:
    """Whether the last word on a refund is that nothing went back."""
    return any(
        not Decimal(word.amount)
        for teller, tally in tallies.items()
        if teller.kind == kind
        for word in tally.words.values()
    )
