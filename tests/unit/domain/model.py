"""The law told a second time, without haste: each strand walks the whole set of events by itself.

It shares no code with the law, so that both can only be wrong in the same way by the same thought.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from service.domain.events import AttributeValue, Event, Outcome, Statement
from service.domain.law import Pin
from service.domain.lifecycle import Lane, Lifecycle, Settlement

Amount = Fraction | float
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Views:
    """All that can be seen of a folded subject; amounts by value, not by spelling."""

    lanes: Mapping[str, str]
    parcels: Mapping[str, Mapping[str, str]]
    attributes: Mapping[str, AttributeValue | Amount]
    outcomes: Mapping[UUID, Outcome]


class Model:
    """One method a sentence of the law; the broken ones of the tests override one of them."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.lifecycle = lifecycle

    def views(
        self, events: Iterable[Event], pins: Sequence[Pin] = (), rolled_back: Iterable[UUID] = ()
    ) -> Views:
        story = list({event.id: event for event in events}.values())
        kept = self.kept(story, set(rolled_back))
        known = [event for event in kept if self.known(event)]
        walk = sorted(known, key=self.turn)
        returns = self.returns(walk)
        strands: dict[tuple[str, str | None], str] = {}
        stepped: set[UUID] = set()
        for lane, parcel in self.strands(walk):
            mine = [e for e in walk if self.speaks(e.statement, lane, parcel, returns)]
            status = self.walk(self.lifecycle.lanes[lane], mine, stepped)
            if status is not None:
                strands[lane, parcel] = status
        said = self.attributes(walk)
        money = self.money(walk)
        lanes = self.lanes(strands, returns)
        for name, status in lanes.items():
            settlement = self.lifecycle.lanes[name].settlement
            if settlement is not None:
                lanes[name] = self.settled(settlement, status, money, said, walk)
        return Views(
            lanes={**lanes, **self.pinned(pins)},
            parcels=self.parcels(strands),
            attributes={**said, **self.named(money)},
            outcomes=self.outcomes(story, kept, known, stepped),
        )

    def kept(self, story: Sequence[Event], rolled_back: set[UUID]) -> list[Event]:
        left = [event for event in story if event.id not in rolled_back]
        gone = {event.statement.revokes for event in left if event.statement.revokes}
        return [
            event
            for event in left
            if event.statement.revokes or (event.source, event.statement.dedupe_key) not in gone
        ]

    def clear(self, event: Event) -> bool:
        said = event.statement
        return said.status is None or self.lifecycle.find(said.lane, said.status) is not None

    def known(self, event: Event) -> bool:
        return self.clear(event) or event.statement.revokes is not None

    def turn(self, event: Event) -> Any:
        said = event.statement
        status = self.lifecycle.find(said.lane, said.status)
        at = said.occurred_at
        rank = status.rank if status else 0
        return (at is None, at or LONG_AGO, rank, event.source, said.dedupe_key, event.id)

    def returns(self, walk: Sequence[Event]) -> set[str]:
        return {e.statement.parcel or "" for e in walk if e.statement.returns}

    def strands(self, walk: Sequence[Event]) -> set[tuple[str, str | None]]:
        said = [e.statement for e in walk if e.statement.status and self.clear(e)]
        named = {(each.lane or "", each.parcel) for each in said}
        return named | {(lane, None) for lane, _ in named}

    def speaks(self, said: Statement, lane: str, parcel: str | None, returns: set[str]) -> bool:
        if said.status is None or said.lane != lane:
            return False
        return said.parcel == parcel or (said.parcel is None and parcel not in returns)

    def walk(self, lane: Lane, mine: Sequence[Event], stepped: set[UUID]) -> str | None:
        now: str | None = None
        for event in mine:
            wanted = event.statement.status or ""
            if self.may(lane, now, wanted, timed=event.statement.occurred_at is not None):
                now = wanted
                stepped.add(event.id)
        return now

    def may(self, lane: Lane, now: str | None, wanted: str, *, timed: bool) -> bool:
        if now is None:
            return True
        rises = lane.statuses[wanted].rank > lane.statuses[now].rank
        allowed = wanted in lane.statuses[now].exits
        return allowed or wanted == now if timed else allowed and rises

    def lanes(
        self, strands: Mapping[tuple[str, str | None], str], returns: set[str]
    ) -> dict[str, str]:
        shown: dict[str, str] = {}
        for name, lane in self.lifecycle.lanes.items():
            mine = {parcel: now for (of, parcel), now in strands.items() if of == name}
            out = [now for parcel, now in mine.items() if parcel and parcel not in returns]
            back = [now for parcel, now in mine.items() if parcel in returns]
            status = self.together(lane, out) if out else mine.get(None)
            status = self.sent_back(lane, status, back)
            if status is not None:
                shown[name] = status
        return shown

    def together(self, lane: Lane, out: Sequence[str]) -> str:
        rank = {name: status.rank for name, status in lane.statuses.items()}
        if len(set(out)) == 1:
            return out[0]
        for mark in sorted(lane.partly, key=lambda name: -rank[name]):
            ahead = [
                now == mark or (rank[now] > rank[mark] and mark not in lane.statuses[now].exits)
                for now in out
            ]
            if len(set(ahead)) == 2:
                return lane.partly[mark]
        return min(out, key=lambda name: rank[name])

    def sent_back(self, lane: Lane, status: str | None, back: Sequence[str]) -> str | None:
        meant = [lane.backward[now] for now in back if now in lane.backward]
        if not meant:
            return status
        least = min(meant, key=lambda name: lane.statuses[name].rank)
        return least if status is None or least in lane.statuses[status].exits else status

    def attributes(self, walk: Sequence[Event]) -> dict[str, AttributeValue]:
        return {k: v for event in walk for k, v in event.statement.attributes.items()}

    def money(self, walk: Sequence[Event]) -> dict[str, dict[str, Amount]]:
        """By kind and currency."""
        told = [
            (event.source, money)
            for event in walk
            for money in event.statement.money
            if money.amount.replace(".", "", 1).isdigit()
        ]
        currencies = self.currencies(told)
        usual = currencies.pop() if len(currencies) == 1 else ""
        found: dict[str, dict[str, Amount]] = {}
        for kind, source in sorted({(money.kind, source) for source, money in told}):
            mine = [money for whose, money in told if (whose, money.kind) == (source, kind)]
            of_kind = found.setdefault(kind, {})
            for currency, amount in self.told_by_one(mine, usual).items():
                of_kind[currency] = self.of_sources(of_kind.get(currency), amount)
        return found

    def currencies(self, told: Sequence[tuple[str, Any]]) -> set[str]:
        return {money.currency for _, money in told if money.currency}

    def told_by_one(self, mine: Sequence[Any], usual: str) -> dict[str, Amount]:
        totals: dict[str, Amount] = {}
        for money in mine:
            if money.id is None:
                currency = money.currency or usual
                totals[currency] = max(totals.get(currency, 0), self.number(money.amount))
        sums: dict[str, Amount] = {}
        for name in {money.id for money in mine if money.id is not None}:
            words = [money for money in mine if money.id == name]
            stated = [money.currency for money in words if money.currency]
            currency = stated[-1] if stated else usual
            sums[currency] = sums.get(currency, 0) + self.number(self.word(words).amount)
        return {**totals, **sums}

    def word(self, words: Sequence[Any]) -> Any:
        return words[-1]

    def number(self, text: str) -> Amount:
        return Fraction(text)

    def of_sources(self, one: Amount | None, other: Amount) -> Amount:
        return other if one is None else max(one, other)

    def settled(
        self,
        settlement: Settlement,
        status: str,
        money: Mapping[str, Mapping[str, Amount]],
        said: Mapping[str, AttributeValue],
        walk: Sequence[Event],
    ) -> str:
        back = money.get(settlement.returned, {})
        paid = money.get(settlement.paid, {})
        price = said.get("amount")
        if not paid and isinstance(price, str) and len(back) == 1:
            paid = dict.fromkeys(back, self.number(price))
        priced = any(paid.values())
        covered = priced and all(back.get(c, 0) >= amount for c, amount in paid.items())
        failed = self.failed(walk, settlement.returned)
        nothing = not any(back.values())
        if failed and nothing and status in {settlement.partly, settlement.fully}:
            return settlement.restored
        if status == settlement.partly and covered:
            return settlement.fully
        if status == settlement.fully and failed and priced and not covered:
            return settlement.partly
        return status

    def failed(self, walk: Sequence[Event], kind: str) -> bool:
        last = {
            (event.source, money.id): money.amount
            for event in walk
            for money in event.statement.money
            if money.kind == kind and money.id is not None
        }
        return any(self.number(amount) == 0 for amount in last.values())

    def pinned(self, pins: Sequence[Pin]) -> dict[str, str]:
        known = [pin for pin in pins if self.lifecycle.find(pin.lane, pin.status)]
        return {pin.lane: pin.status for pin in sorted(known)}

    def parcels(self, strands: Mapping[tuple[str, str | None], str]) -> dict[str, dict[str, str]]:
        shown: dict[str, dict[str, str]] = {}
        for (lane, parcel), status in strands.items():
            if parcel is not None:
                shown.setdefault(parcel, {})[lane] = status
        return shown

    def named(
        self, money: Mapping[str, Mapping[str, Amount]]
    ) -> dict[str, AttributeValue | Amount]:
        named: dict[str, AttributeValue | Amount] = {}
        for kind, by_currency in money.items():
            for currency, amount in by_currency.items():
                alone = len(by_currency) == 1
                suffix = "" if alone or not currency else f"_{currency.lower()}"
                named[f"{kind}_amount{suffix}"] = amount
                if alone and currency:
                    named[f"{kind}_currency"] = currency
        return named

    def outcomes(
        self,
        story: Sequence[Event],
        kept: Sequence[Event],
        known: Sequence[Event],
        stepped: set[UUID],
    ) -> dict[UUID, Outcome]:
        found = {event.id: Outcome.REVOKED for event in story}
        found |= {event.id: Outcome.IGNORED for event in kept}
        for event in known:
            said = event.statement
            fine = said.status is None or said.revokes or event.id in stepped
            found[event.id] = Outcome.APPLIED if fine else Outcome.SUPERSEDED
        return found
