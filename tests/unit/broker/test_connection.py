"""Every AMQP call ends in time with an answer or BrokerUnavailable, whatever the client does."""

import asyncio

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from service.broker.connection import answered, read_url
from service.domain.errors import BrokerUnavailable, ConfigurationError


async def _answer() -> str:
    return "yes"


async def _never() -> None:
    await asyncio.Event().wait()


async def test_an_answer_is_passed_on() -> None:
    assert await answered(_answer(), doing="asking") == "yes"


async def test_a_cancellation_nobody_asked_for_is_a_lost_connection() -> None:
    async def lost() -> None:
        raise asyncio.CancelledError

    with pytest.raises(BrokerUnavailable, match="lost while asking"):
        await answered(lost(), doing="asking")


async def test_a_cancellation_somebody_asked_for_stays_one() -> None:
    asking = asyncio.create_task(answered(_never(), doing="asking"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert asking.cancelled()


async def test_silence_ends_in_time() -> None:
    with pytest.raises(BrokerUnavailable, match=r"did not answer within 0\.01 s while asking"):
        await answered(_never(), doing="asking", within=0.01)


async def test_a_call_that_will_not_be_cancelled_ends_in_time_too() -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await release.wait()

    with pytest.raises(BrokerUnavailable, match="did not answer"):
        await answered(stubborn(), doing="asking", within=0.01)
    release.set()


async def test_what_the_broker_said_is_kept_as_the_cause() -> None:
    async def refuse() -> None:
        raise ChannelNotFoundEntity("NOT_FOUND - no queue")

    with pytest.raises(BrokerUnavailable, match="NOT_FOUND - no queue") as caught:
        await answered(refuse(), doing="asking")
    assert isinstance(caught.value.__cause__, ChannelNotFoundEntity)


async def test_a_mistake_of_ours_is_not_called_a_lost_connection() -> None:
    async def mistake() -> None:
        raise TypeError("ours")

    with pytest.raises(TypeError, match="ours"):
        await answered(mistake(), doing="asking")


@pytest.mark.parametrize(
    "url", ["", "junk", "http://h", "amqp://", "amqp://h:port/", "amqp://h:99999/", "amqp://h:0/"]
)
def test_an_unreadable_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write amqp://user:password@host:5672/vhost"):
        read_url(url)


def test_heartbeats_are_ours_unless_the_url_says_otherwise() -> None:
    urls = ("amqp://h/", "amqp://h/?heartbeat=30")
    assert ["10", "30"] == [read_url(url).query["heartbeat"] for url in urls]
