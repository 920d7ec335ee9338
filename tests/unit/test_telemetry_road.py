"""What follows a request costs nothing when nobody looks, is bounded, and cannot be forged."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from service import journal, supervisor, tracing
from service.domain.events import Subject
from service.store.ids import made_at, new_id
from service.store.syncs import Lease, Owed
from service.supervisor import Supervisor
from service.tracing import Context, Kind, Value
from service.worker.roads import MOST_EVENTS, Memory, Origin

CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Spans:
    """Remembers what was begun; every span is sampled and has a context of its own."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, Context | None, list[Context]]] = []

    def begin(
        self,
        name: str,
        *,
        kind: Kind,
        parent: Context | None,
        links: Iterable[Context],
        attributes: Mapping[str, Value],
    ) -> "Open":
        self.begun.append((name, parent, list(links)))
        return Open(len(self.begun))


class Open:
    def __init__(self, number: int) -> None:
        self.context = f"00-{1:032x}-{number:016x}-01"

    def set(self, attributes: Mapping[str, Value]) -> None: ...

    def fail(self, reason: str) -> None: ...

    def end(self) -> None: ...


def test_without_a_recorder_nothing_is_carried_and_no_header_is_sent() -> None:
    with tracing.serving("request", sender=[CONTEXT]), tracing.step("accept"):
        assert (None, {}) == (tracing.current(), tracing.headers())


def test_a_step_outside_of_a_sampled_request_makes_no_span() -> None:
    spans = Spans()
    with tracing.recording(spans), tracing.step("accept"), tracing.batch("fold", "internal", []):
        pass
    assert [] == spans.begun


@pytest.mark.parametrize(
    ("sender", "linked"),
    [
        ([CONTEXT], [CONTEXT]),
        ([], []),
        ([CONTEXT, OTHER], []),
        ([CONTEXT.replace("00-", "ff-", 1)], []),
        ([CONTEXT + "-more"], []),
        ([CONTEXT.upper()], []),
        (["00-" + "0" * 32 + "-b7ad6b7169203331-01"], []),
        (["x" * 100_000], []),
    ],
)
def test_a_senders_context_is_linked_when_it_is_one_and_well_formed(
    sender: list[str], linked: list[str]
) -> None:
    spans = Spans()
    with tracing.recording(spans), tracing.serving("request", sender=sender):
        pass
    assert [("request", None, linked)] == spans.begun


def test_a_batch_makes_one_span_for_each_trace_and_hands_its_context_on() -> None:
    spans = Spans()
    ids = [new_id() for _ in range(4)]
    contexts = {ids[0]: CONTEXT, ids[1]: CONTEXT, ids[2]: OTHER}
    with (
        tracing.recording(spans),
        tracing.carrying(contexts),
        tracing.batch("fold", "internal", ids) as onward,
    ):
        assert onward == tracing.carried(ids)
        assert onward[ids[0]] == onward[ids[1]] != onward[ids[2]]
        assert ids[3] not in onward
    assert [("fold", CONTEXT, []), ("fold", OTHER, [])] == spans.begun
    assert {} == tracing.carried(ids)


def test_a_shared_stretch_belongs_to_the_first_trace_and_links_the_others_once() -> None:
    spans = Spans()
    with tracing.recording(spans), tracing.joining("call", "client", [CONTEXT, OTHER, CONTEXT]):
        assert {"traceparent": tracing.current()} == tracing.headers()
    assert [("call", CONTEXT, [OTHER])] == spans.begun


def test_lines_of_the_journal_are_bounded_and_leave_no_row_out() -> None:
    with capture_logs() as logs:
        journal.folded({"version": number} for number in range(41))
        journal.folded([])
    assert [20, 20, 1] == [len(line["events"]) for line in logs]
    assert list(range(41)) == [row["version"] for line in logs for row in line["events"]]


async def test_requests_that_come_within_a_moment_share_a_line() -> None:
    journaled, requests = journal.Accepted(), [new_id() for _ in range(23)]
    with capture_logs() as logs:
        for request in requests:
            journaled.note(request, [request])
        journaled.note(new_id(), [])
        assert [20] == [len(line["requests"]) for line in logs]
        async with asyncio.timeout(5):
            while len(logs) < 2:
                await asyncio.sleep(0.01)
        journaled.flush()
    told = [each for line in logs for each in line["requests"].items()]
    assert [(str(each), [str(each)]) for each in requests] == told


def test_ids_of_a_row_are_listed_up_to_a_bound_and_then_counted() -> None:
    ids = [new_id() for _ in range(45)]
    assert [*map(str, ids[:20]), "and 25 more"] == journal.listed(ids)
    assert [*map(str, ids[:20])] == journal.listed(ids[:20])


def owed(*event_ids: UUID) -> Owed:
    return Owed(
        lease=Lease(1, "crm", 1),
        subject=Subject("order", "", "1001"),
        status="paid",
        previous=None,
        version=1,
        state={},
        event_ids=event_ids,
        changed_at=datetime(2026, 3, 1, tzinfo=UTC),
        occurred_at=None,
        attempts=0,
        failing_for=timedelta(),
        told_previous=None,
        told_event_ids=event_ids,
    )


def test_a_pump_remembers_origins_until_they_are_used_and_only_so_many() -> None:
    memory, request = Memory(), new_id()
    first, second = new_id(), new_id()
    memory.keep({first: Origin(request, CONTEXT), second: Origin(request, None)})
    sync = owed(second, first)
    assert ([request], [CONTEXT]) == (memory.requests(sync), memory.traces(sync))
    memory.forget(sync)
    assert [second, first] == memory.missing([sync])
    memory.learn({first: request})
    memory.keep({new_id(): Origin(request, None) for _ in range(MOST_EVENTS)})
    assert [first] == memory.missing([owed(first)])


def test_an_id_tells_when_it_was_made() -> None:
    before = datetime.now(UTC).timestamp()
    assert abs(made_at(new_id()) - before) < 5


async def test_a_task_with_work_is_silent_from_its_last_beat_and_an_idle_one_never() -> None:
    begun = asyncio.Event()

    async def stuck(stop: asyncio.Event) -> None:
        supervisor.beat()
        begun.set()
        await stop.wait()

    async def idle(stop: asyncio.Event) -> None:
        supervisor.beat()
        supervisor.idle()
        await stop.wait()

    async def mute(stop: asyncio.Event) -> None:
        await stop.wait()

    group = Supervisor(restarted=lambda _: None)
    for name, run in (("stuck", stuck), ("idle", idle), ("mute", mute)):
        group.start(name, run)
    await begun.wait()
    await asyncio.sleep(0.05)
    silences = group.silences()
    await group.stop(1)
    assert (0.0, 0.0) == (silences["idle"], silences["mute"])
    assert silences["stuck"] >= 0.04


def test_a_beat_outside_of_a_supervised_task_is_nothing() -> None:
    supervisor.beat()
    supervisor.idle()
