"""The short profile of the torture: one seed, some ninety seconds of load, a dozen faults."""

import sys
from pathlib import Path

import pytest

from tests import servers
from tests.torture import page, report, sitting
from tests.torture.faults import broker as rabbitmq
from tests.torture.faults import crm, network, points, postgres, resources, roles
from tests.torture.sitting import Wish

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.timeout(400),
]

PROFILE = (
    roles.GatewayKilled,
    roles.RelayKilled,
    roles.WorkerKilled,
    points.GatewayAtPoint,
    points.SyncAtPoint,
    postgres.Killed,
    postgres.Frozen,
    postgres.AnswerLost,
    rabbitmq.Killed,
    rabbitmq.QueuePurged,
    rabbitmq.ConfirmsHeld,
    network.Resets,
    crm.LosesAnswers,
    crm.StormsAfterEffect,
    resources.FewFiles,
)


async def test_nothing_is_lost_doubled_or_wrong_whatever_breaks() -> None:
    if sys.platform != "linux" or not isinstance(servers.find_broker(), Path):
        pytest.skip("It needs Linux, and a RabbitMQ of its own that is no container.")
    wish = Wish(
        seconds=90.0, seed=7, rate=200.0, faults=PROFILE, words="the short profile", brisk=True
    )
    async with sitting.folder() as folder:
        result = await sitting.sit(wish, folder, print)
        one = report.record(result, command="pytest tests/acceptance/test_torture.py")
    print(page.page([one]))  # noqa: T201
    assert [] == one["findings"]
    assert [] == one["surprises"]
    assert [] == [fault["error"] for fault in one["faults"] if fault["error"]]
    assert one["events"]["accepted"] > 5_000
    assert len(one["faults"]) >= 12
