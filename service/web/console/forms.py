"""Forms of our own pages: a bounded body in, its fields as text out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web

from service.domain.keys import clean_text
from service.web import limits
from service.web.console import languages
from service.web.limits import KIB, Budget
from service.web.listeners import LIMITS
from service.web.problems import Refused

MOST_BYTES = 64 * KIB
MOST_FIELDS = 1_200
LONGEST = 4 * KIB
TYPE = "application/x-www-form-urlencoded"
UNREADABLE = languages.mark("The form cannot be read; open the page anew.")


@dataclass(frozen=True, slots=True)
class Form:
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The field without blanks around it; empty when it was not sent."""
        return (self.fields.get(name) or ("",))[-1].strip()

    def all(self, name: str) -> Sequence[str]:
        return [value.strip() for value in self.fields.get(name, ())]

    def ticked(self, name: str) -> bool:
        return bool(self.text(name))


FORM = web.RequestKey("form", Form)


async def read(request: web.Request) -> Form:
    """The form a request carries; what no browser would send is refused."""
    if request.content_type != TYPE:
        said = languages.text("Send the form as Content-Type: %(type)s.") % {"type": TYPE}
        raise Refused(415, said, close=True)
    most = limits.content_length(request, limit=MOST_BYTES)
    limits.invite(request)
    body = bytearray()
    budget = Budget(MOST_BYTES)
    try:
        await limits.read(request, body, most=most, budget=budget, limits=request.app[LIMITS])
    finally:
        budget.give_back(len(body))
    return _form(bytes(body))


def unclean(name: str) -> Refused:
    said = languages.text("What was filled in as %(name)s is too long, or no plain text.")
    return Refused(400, said % {"name": name})


def _form(body: bytes) -> Form:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise Refused(400, UNREADABLE) from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if value and clean_text(value, limit=LONGEST) is None:
            raise unclean(name[:64])
        fields.setdefault(name, []).append(value)
    return Form(fields)
