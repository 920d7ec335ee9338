"""One trace per sampled request: a span for each stretch of the road, and what carries it on.

A context is the W3C `traceparent` of a sampled span, as text, so that it fits into a message, a row
and a header. Nothing is recorded until a recorder is installed; where no sampled context arrives,
nothing is recorded either, so that everything here costs what sampling says it may.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol, Self
from uuid import UUID

Context = str
Kind = Literal["server", "internal", "producer", "consumer", "client"]
Value = str | int

SAMPLED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")
FOREIGN = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
MOST_LINKS = 20
NOTHING: Mapping[UUID, Context] = {}
UNSAID: Mapping[str, Value] = {}


class Span(Protocol):
    """One stretch, under way."""

    @property
    def context(self) -> Context | None:
        """What the next stretch needs; None when this one is not sampled."""
        ...

    def set(self, attributes: Mapping[str, Value]) -> None: ...

    def fail(self, reason: str) -> None: ...

    def end(self) -> None: ...


class Recorder(Protocol):
    """Makes spans; `service.spans` has the one that speaks OpenTelemetry."""

    def begin(
        self,
        name: str,
        *,
        kind: Kind,
        parent: Context | None,
        links: Iterable[Context],
        attributes: Mapping[str, Value],
    ) -> Span: ...


class Unrecorded:
    """A stretch nobody looks at."""

    context: Context | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def set(self, attributes: Mapping[str, Value]) -> None: ...

    def fail(self, reason: str) -> None: ...

    def end(self) -> None: ...


UNRECORDED = Unrecorded()
_recorders: list[Recorder] = []
_current: ContextVar[Context | None] = ContextVar("trace", default=None)
_carried: ContextVar[Mapping[UUID, Context]] = ContextVar("traces", default=NOTHING)


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Record into this one until the block ends."""
    _recorders.append(recorder)
    try:
        yield
    finally:
        _recorders.remove(recorder)


def current() -> Context | None:
    """The context of the stretch this task is on."""
    return _current.get()


def headers() -> dict[str, str]:
    """What tells the receiver of a request which trace it belongs to."""
    context = _current.get()
    return {} if context is None else {"traceparent": context}


def carried(event_ids: Iterable[UUID]) -> Mapping[UUID, Context]:
    """The contexts of those of these events that came with one."""
    everything = _carried.get()
    if not everything:
        return NOTHING
    return {each: everything[each] for each in event_ids if each in everything}


@contextmanager
def carrying(contexts: Mapping[UUID, Context]) -> Iterator[None]:
    """Let what is called in the block, and the tasks it starts, find the contexts of events."""
    token = _carried.set(contexts)
    try:
        yield
    finally:
        _carried.reset(token)


def serving(
    name: str, *, sender: Sequence[str], attributes: Mapping[str, Value] = UNSAID
) -> AbstractContextManager[Span]:
    """A trace begins: a stranger's own context is linked, never the parent.

    With it as the parent, senders would decide what we sample and into which trace it goes.
    """
    if not _recorders:
        return UNRECORDED
    links = [one for one in sender if len(sender) == 1 and FOREIGN.fullmatch(one)]
    return _entered(name, "server", parent=None, links=links, attributes=attributes)


def step(
    name: str, kind: Kind = "internal", *, attributes: Mapping[str, Value] = UNSAID
) -> AbstractContextManager[Span]:
    """A stretch inside the one this task is on."""
    parent = _current.get()
    if parent is None or not _recorders:
        return UNRECORDED
    return _entered(name, kind, parent=parent, links=(), attributes=attributes)


def joining(
    name: str, kind: Kind, contexts: Sequence[Context], *, attributes: Mapping[str, Value] = UNSAID
) -> AbstractContextManager[Span]:
    """A stretch that several traces share: it belongs to the first, and links the others."""
    if not contexts or not _recorders:
        return UNRECORDED
    first, *others = dict.fromkeys(contexts)
    links = others[:MOST_LINKS]
    return _entered(name, kind, parent=first, links=links, attributes=attributes)


@contextmanager
def batch(name: str, kind: Kind, event_ids: Sequence[UUID]) -> Iterator[Mapping[UUID, Context]]:
    """A stretch that many events walk together: one span in the trace of each sampled request.

    One span for all would leave each request's own trace broken off here. Yields the contexts the
    events carry on.
    """
    before = carried(event_ids)
    if not before or not _recorders:
        yield before
        return
    said = {"orderhook.batch.events": len(event_ids)}
    with ExitStack() as stack:
        after = {
            context: stack.enter_context(
                _begun(name, kind, parent=context, links=(), attributes=said)
            ).context
            for context in dict.fromkeys(before.values())
        }
        onward = {each: after[context] or context for each, context in before.items()}
        with carrying(onward):
            yield onward


@contextmanager
def _entered(
    name: str,
    kind: Kind,
    *,
    parent: Context | None,
    links: Iterable[Context],
    attributes: Mapping[str, Value],
) -> Iterator[Span]:
    with _begun(name, kind, parent=parent, links=links, attributes=attributes) as span:
        token = _current.set(span.context)
        try:
            yield span
        finally:
            _current.reset(token)


@contextmanager
def _begun(
    name: str,
    kind: Kind,
    *,
    parent: Context | None,
    links: Iterable[Context],
    attributes: Mapping[str, Value],
) -> Iterator[Span]:
    span = _recorders[-1].begin(name, kind=kind, parent=parent, links=links, attributes=attributes)
    try:
        yield span
    except BaseException as error:
        # Not its text: that may quote what a sender sent.
        span.fail(type(error).__name__)
        raise
    finally:
        span.end()
