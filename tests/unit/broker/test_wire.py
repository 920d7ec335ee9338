"""Work messages survive the wire; whatever else arrives is named Malformed."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.broker import wire
from service.broker.wire import MAX_BYTES, MAX_IDS, Malformed, Work

AT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
MOMENT = b'"published_at":"2026-03-01T12:30:15.250000+00:00"'
IDS = b'"ids":["01890a5d-ac96-774b-bcce-b302099a8057"]'


@given(
    st.lists(st.uuids(), min_size=1, max_size=MAX_IDS, unique=True),
    st.datetimes(timezones=st.just(UTC)),
)
def test_what_is_encoded_is_decoded(ids: list[UUID], at: datetime) -> None:
    assert Work(tuple(ids), at) == wire.decode(wire.encode(ids, at))


CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACES = b'"traces":{"' + CONTEXT.encode() + b'":[0]}'


@given(
    st.lists(st.uuids(), min_size=1, max_size=MAX_IDS, unique=True),
    st.lists(st.none() | st.integers(1, 9), min_size=MAX_IDS, max_size=MAX_IDS),
)
def test_the_traces_of_a_message_are_given_back(ids: list[UUID], numbers: list[int | None]) -> None:
    traces = {
        each: f"00-{number:032x}-{number:016x}-01"
        for each, number in zip(ids, numbers, strict=False)
        if number is not None
    }
    assert traces == wire.decode(wire.encode(ids, AT, traces)).traces


def test_a_full_message_in_which_each_id_has_a_trace_of_its_own_fits() -> None:
    ids = [UUID(int=number) for number in range(MAX_IDS)]
    traces = {each: f"00-{each.int + 1:032x}-{1:016x}-01" for each in ids}
    body = wire.encode(ids, AT, traces)
    assert MAX_BYTES > len(body)
    assert traces == wire.decode(body).traces


def test_the_bytes_are_readable_and_stable() -> None:
    assert b'{"v":1,' + MOMENT + b"," + IDS + b"}" == wire.encode([ID], AT)


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=5)))
    assert wire.encode([ID], AT) == wire.encode([ID], local)


def test_a_full_message_fits() -> None:
    ids = [UUID(int=number) for number in range(MAX_IDS)]
    assert MAX_BYTES > len(wire.encode(ids, AT))


@pytest.mark.parametrize("ids", [[], [ID, ID], [UUID(int=number) for number in range(MAX_IDS + 1)]])
def test_a_message_without_ids_with_too_many_or_with_one_twice_is_not_made(ids: list[UUID]) -> None:
    with pytest.raises(ValueError, match="1 to 100 different ids"):
        wire.encode(ids, AT)


def test_a_time_without_a_zone_is_not_made() -> None:
    with pytest.raises(ValueError, match="time zone"):
        wire.encode([ID], AT.replace(tzinfo=None))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="not text"),
        pytest.param(b"null", id="not an object"),
        pytest.param(b"[" * 5000, id="deep"),
        pytest.param(b" " * (MAX_BYTES + 1), id="too long"),
        pytest.param(b"{}", id="no fields"),
        pytest.param(b'{"v":1,' + MOMENT + b"}", id="no ids"),
        pytest.param(b'{"v":1,' + MOMENT + b"," + IDS + b',"state":"paid"}', id="one field more"),
        pytest.param(b'{"v":1,' + MOMENT + b"," + IDS + b',"traces":[]}', id="traces no object"),
        pytest.param(
            b'{"v":1,' + MOMENT + b"," + IDS + b"," + TRACES.replace(b"00-", b"ff-") + b"}",
            id="trace unreadable",
        ),
        pytest.param(
            b'{"v":1,' + MOMENT + b"," + IDS + b"," + TRACES.replace(b"[0]", b"0") + b"}",
            id="places no list",
        ),
        pytest.param(
            b'{"v":1,' + MOMENT + b"," + IDS + b"," + TRACES.replace(b"[0]", b"[1]") + b"}",
            id="trace of no id",
        ),
        pytest.param(
            b'{"v":1,' + MOMENT + b"," + IDS + b"," + TRACES.replace(b"[0]", b"[true]") + b"}",
            id="place no number",
        ),
        pytest.param(
            b'{"v":1,' + MOMENT + b"," + IDS + b"," + TRACES.replace(b"[0]", b"[0,0]") + b"}",
            id="two traces of one id",
        ),
        pytest.param(b'{"v":2,' + MOMENT + b"," + IDS + b"}", id="another version"),
        pytest.param(b'{"v":1,' + MOMENT + b',"ids":[]}', id="empty ids"),
        pytest.param(b'{"v":1,' + MOMENT + b',"ids":"x"}', id="ids no list"),
        pytest.param(b'{"v":1,' + MOMENT + b',"ids":[1]}', id="id no text"),
        pytest.param(b'{"v":1,' + MOMENT + b',"ids":["x"]}', id="id no id"),
        pytest.param(
            b'{"v":1,' + MOMENT + b',"ids":["{01890a5d-ac96-774b-bcce-b302099a8057}"]}',
            id="id in another spelling",
        ),
        pytest.param(
            b'{"v":1,' + MOMENT + b"," + IDS.replace(b"]", b"," + IDS[7:]) + b"}", id="id twice"
        ),
        pytest.param(b'{"v":1,"published_at":5,' + IDS + b"}", id="time no text"),
        pytest.param(b'{"v":1,"published_at":"soon",' + IDS + b"}", id="time no time"),
        pytest.param(
            b'{"v":1,"published_at":"2026-03-01T12:30:15",' + IDS + b"}", id="time without zone"
        ),
        pytest.param(
            b'{"v":1,"published_at":"0001-01-01T00:00:00+09:00",' + IDS + b"}", id="time too early"
        ),
    ],
)
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        wire.decode(body)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(body: bytes) -> None:
    with pytest.raises(Malformed):
        wire.decode(body)
