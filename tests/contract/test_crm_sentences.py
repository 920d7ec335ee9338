"""Whatever a CRM refuses a call with, people are told what to do about it."""

from collections.abc import AsyncIterator

import pytest

from service.sandbox.dialects.registry import DIALECTS
from service.worker.crms.base import Answer, Class
from tests.contract import peers
from tests.contract.peers import Peer

STOPPING = {Class.AUTH, Class.HUMAN, Class.PERMANENT}
TO_DO = (
    *("look at", "mend", "then redrive", "then resume", "put new ones", "put a new one", "give "),
    *("ask support", "ask Bitrix24", "make a new", "let it through", "set ", "is it "),
    *("write ", "change ", "needs paying", "not paid", "open it", "raise ", "install"),
)


@pytest.fixture(params=DIALECTS, ids=lambda kind: kind.name)
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    async with peers.peer(request.param) as found:
        found.boundless()
        yield found


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 402, 403, 404, 405, 409, 412, 422])
async def test_every_refusal_says_what_to_do(peer: Peer, status: int) -> None:
    remote_id = peer.some_id()
    for way, ask in {**peers.READS, **peers.WRITES}.items():
        if not peers.can(peer.crm, way):
            continue
        peer.be("status", status=status)
        [answer] = await ask(peer.crm, peer, remote_id)
        peer.well()
        assert isinstance(answer, Answer), (way, answer)
        assert Class.OK != answer.kind, (way, answer)
        if answer.kind in STOPPING:
            lowered = answer.detail.lower()
            assert any(words.lower() in lowered for words in TO_DO), (way, answer.detail)
            assert answer.detail.endswith("."), (way, answer.detail)
