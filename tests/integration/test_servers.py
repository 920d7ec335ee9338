"""The servers that other tests stand on."""

import asyncpg
import pytest
from aio_pika import connect

from service.store import revision
from tests.rabbitmq import Rabbit


@pytest.mark.postgres
async def test_every_test_has_a_database_of_its_own_with_the_schema(database: str) -> None:
    assert await revision.current(database) == revision.head()
    connection = await asyncpg.connect(database, timeout=5)
    try:
        await connection.execute("CREATE TABLE traces_of_a_test ()")
    finally:
        await connection.close(timeout=5)


@pytest.mark.postgres
async def test_what_another_test_did_to_its_database_is_not_seen(database: str) -> None:
    connection = await asyncpg.connect(database, timeout=5)
    try:
        assert await connection.fetchval("SELECT to_regclass('traces_of_a_test')") is None
    finally:
        await connection.close(timeout=5)


@pytest.mark.rabbitmq
async def test_the_private_rabbitmq_comes_back_under_the_same_url(rabbit: Rabbit) -> None:
    for end in (rabbit.kill, rabbit.stop):
        end()
        with pytest.raises(OSError, match=r"."):
            await connect(rabbit.url, timeout=5)
        rabbit.start()
        async with await connect(rabbit.url, timeout=10) as connection:
            assert connection.is_closed is False


@pytest.mark.rabbitmq
def test_the_private_rabbitmq_can_be_asked(rabbit: Rabbit) -> None:
    assert "guest" in rabbit.ctl("list_users")
