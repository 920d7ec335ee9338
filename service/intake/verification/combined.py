"""Senders that prove themselves in two ways: schemes come in, one scheme goes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.domain.refusals import Cause
from service.intake.preset import Scheme
from service.intake.provider import (
    NO_KEYS,
    Forged,
    Genuine,
    Guard,
    Keys,
    RawRequest,
    Reply,
    Undecided,
    Verification,
    Wanted,
)
from service.intake.reading.mapping import Unreadable
from service.settings import Source


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every proof must be right."""

    schemes: tuple[Scheme, ...]

    @property
    def summary(self) -> str:
        return " and ".join(each.summary for each in self.schemes)

    def guard(self, source: Source) -> "Every":
        return Every(tuple(each.guard(source) for each in self.schemes))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One right proof is enough; `when` names the one a source wants, where it can."""

    schemes: tuple[Scheme, ...]
    when: Callable[[Source], int | None] | None = None

    @property
    def summary(self) -> str:
        return " or ".join(each.summary for each in self.schemes)

    def guard(self, source: Source) -> Guard:
        chosen = self.when(source) if self.when else None
        if chosen is not None:
            return self.schemes[chosen].guard(source)
        return Either(tuple(each.guard(source) for each in self.schemes))


def all_of(*schemes: Scheme) -> AllOf:
    return AllOf(_some(schemes))


def any_of(*schemes: Scheme, when: Callable[[Source], int | None] | None = None) -> AnyOf:
    return AnyOf(_some(schemes), when)


def _some(schemes: tuple[Scheme, ...]) -> tuple[Scheme, ...]:
    if not schemes:
        raise ValueError("Of no schemes, all would be right.")
    return schemes


@dataclass(frozen=True, slots=True)
class Several(Guard):
    """What several guards have in common, whoever of them decides."""

    guards: Sequence[Guard]

    def redact(self, request: RawRequest) -> RawRequest:
        for each in self.guards:
            request = each.redact(request)
        return request

    def greet(self, request: RawRequest) -> Reply | None:
        return next(filter(None, (each.greet(request) for each in self.guards)), None)

    def answer(self, request: RawRequest) -> Reply | None:
        return next(filter(None, (each.answer(request) for each in self.guards)), None)


@dataclass(frozen=True, slots=True)
class Every(Several):
    """Genuine when every guard says so; a forgery outranks a key that is still wanted."""

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys = NO_KEYS) -> Verification:
        judged = [each.verify(request, now=now, keys=keys) for each in self.guards]
        for kind in (Forged, Undecided, Wanted):
            for each in judged:
                if isinstance(each, kind):
                    return each
        return Genuine()

    def open(self, request: RawRequest) -> RawRequest:
        for each in self.guards:
            request = each.open(request)
        return request


@dataclass(frozen=True, slots=True)
class Either(Several):
    """Genuine when one guard says so."""

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys = NO_KEYS) -> Verification:
        judged = [each.verify(request, now=now, keys=keys) for each in self.guards]
        for kind in (Genuine, Wanted, Undecided):
            for each in judged:
                if isinstance(each, kind):
                    return each
        # The proof that was tried says more than those that were not.
        tried = (each for each in judged if _cause(each) is not Cause.MISSING)
        return next(tried, judged[0])

    def open(self, request: RawRequest) -> RawRequest:
        """Decrypt by the first guard that can."""
        *others, last = self.guards
        for each in others:
            try:
                return each.open(request)
            except Unreadable:
                continue
        return last.open(request)


def _cause(judged: Verification) -> Cause | None:
    return judged.cause if isinstance(judged, Forged) else None
