"""Money that moved, as a source maps it: an event comes in, the amounts it tells go out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from service.domain.events import Money
from service.intake.reading import mapping
from service.intake.reading.money import Spelling, amount, currency_code
from service.intake.reading.paths import JSON, Path
from service.settings import MoneyRule


@dataclass(frozen=True, slots=True)
class Moved:
    """Where one kind of money stands."""

    kind: Literal["paid", "refunded", "charged_back"]
    amount: Path
    currency: Path | None
    id: Path | None
    spelling: Spelling

    @classmethod
    def of(cls, rule: MoneyRule) -> Self:
        return cls(
            rule.kind,
            Path.of(rule.amount),
            Path.of(rule.currency) if rule.currency else None,
            Path.of(rule.id) if rule.id else None,
            rule.spelling,
        )

    def find(self, said: JSON, item: JSON) -> Money | None:
        """Read what was said; without its id, where it should have one, it cannot be counted."""
        currency = currency_code(self.currency.find(item)) if self.currency else ""
        value = amount(said, currency, self.spelling)
        named = mapping.name(self.id.find(item)) if self.id else None
        if value is None or (self.id is not None and named is None):
            return None
        return Money(self.kind, value, currency, named)


def told(places: Sequence[Moved], item: JSON) -> tuple[tuple[Money, ...], str]:
    """Collect the amounts that are there; the note names those that had to be left out."""
    found: list[Money] = []
    lost: list[str] = []
    for place in places:
        said = place.amount.find(item)
        if said is None or said is False:
            continue
        money = place.find(said, item)
        if money is None:
            lost.append(place.kind)
        else:
            found.append(money)
    odd = f"Left out (no usable amount, or one without its id): {', '.join(lost)}." if lost else ""
    return tuple(found), odd
