"""Secrets that each item of a body carries: a scheme and a source come in, a guard goes out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

import orjson

from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, Guard, Keys, RawRequest, Verification
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.verification import keyring, signing
from service.intake.verification.enclosed import REDACTED
from service.settings import Source

REFUSED = "refused"
DONE = "orderhook_redacted"
"""Stands in the document once its secrets were taken out."""


@dataclass(frozen=True, slots=True)
class Itemised:
    """A sender that shows a secret in each item of a list, for each may be someone else's.

    One right item makes the request genuine. Opened, the `word` of every other item reads
    `refused`, so that a layout leaves these out and not the whole batch.
    """

    items: str
    """The name of the list."""
    secret: str
    """The name of the field that shows the secret."""
    word: str
    what: str = "the secret the sender shows"

    @property
    def summary(self) -> str:
        return f"a secret in each item ({self.items}[].{self.secret})"

    def guard(self, source: Source) -> Guard:
        return _Itemised(self, keyring.plain(source, self.what))


@dataclass(frozen=True, slots=True)
class _Itemised(Guard):
    scheme: Itemised
    secrets: Sequence[bytes] = field(repr=False)

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        try:
            shown = [item.get(self.scheme.secret) for item in self._items(_read(request))]
        except Unreadable as error:
            signing.decoy(request, now=now)
            return Forged(str(error))
        if not any(isinstance(each, str) and each for each in shown):
            signing.decoy(request, now=now)
            why = f"No item of {self.scheme.items} carries a {self.scheme.secret}."
            return Forged(why, cause=Cause.MISSING)
        if any(self._known(each) for each in shown):
            return Genuine()
        why = f"The {self.scheme.secret} of no item is one of the {len(self.secrets)} configured."
        return Forged(why, cause=Cause.WRONG_SECRET)

    def redact(self, request: RawRequest) -> RawRequest:
        return self._marked(request, opened=False)

    def open(self, request: RawRequest) -> RawRequest:
        return self._marked(request, opened=True)

    def _known(self, shown: JSON) -> bool:
        return isinstance(shown, str) and signing.known(self.secrets, signing.raw(shown))

    def _items(self, document: JSON) -> Iterator[dict[str, JSON]]:
        found = document.get(self.scheme.items) if isinstance(document, dict) else None
        listed = found if isinstance(found, list) else []
        yield from (item for item in listed if isinstance(item, dict))

    def _marked(self, request: RawRequest, *, opened: bool) -> RawRequest:
        """Take the secrets out; what a replay finds then says which items had shown one.

        Whoever's item it is may call himself redacted; that this was done here stands beside them.
        """
        try:
            document = _read(request)
        except Unreadable:
            return request
        done = isinstance(document, dict) and document.get(DONE) is True
        items = list(islice(self._items(document), mapping.MAX_ITEMS + 1))
        if opened and len(items) > mapping.MAX_ITEMS:
            return request
        changed = [self._mark(item, opened=opened, done=done) for item in self._items(document)]
        if any(changed) and isinstance(document, dict):
            document[DONE] = True
        return replace(request, body=orjson.dumps(document)) if any(changed) else request

    def _mark(self, item: dict[str, JSON], *, opened: bool, done: bool) -> bool:
        """Tell whether the item had to be changed."""
        shown = item.get(self.scheme.secret)
        right = (done and shown == REDACTED) or self._known(shown)
        if self.scheme.secret in item:
            item[self.scheme.secret] = REDACTED if right else REFUSED
        if opened and not right:
            item[self.scheme.word] = REFUSED
        return self.scheme.secret in item or opened


def _read(request: RawRequest) -> JSON:
    return mapping.read(request.body)
