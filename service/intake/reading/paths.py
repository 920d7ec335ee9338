"""Places in a document: JMESPath expressions in, what stands there out."""

from dataclasses import dataclass
from typing import Self

from service.intake.reading import searches
from service.intake.reading.searches import JSON, Search

__all__ = ["JSON", "Path", "Search"]


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled JMESPath."""

    expression: str
    search: Search
    """Never raises."""

    @classmethod
    def of(cls, expression: str) -> Self:
        return cls(expression, searches.compiled(expression))

    def find(self, document: JSON) -> JSON:
        """Look the value up; a function that does not suit the data finds nothing."""
        return self.search(document)
