"""The attack list against a real gateway: the exact answer, nothing stored, nothing told."""

import pytest

from tests.acceptance.attacks import rows
from tests.acceptance.attacks.fortress import LAG, MEMORY, Fortress
from tests.acceptance.attacks.rows import Attack

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(60)]


@pytest.mark.parametrize("attack", rows.TABLE, ids=str)
async def test_an_attack_gets_its_exact_answer_and_changes_nothing(
    fortress: Fortress, attack: Attack
) -> None:
    before = await fortress.rows()
    async with fortress.watched() as watch:
        answers = await fortress.say(attack.raw)
    assert [attack.status] == [answer.status for answer in answers][:1]
    assert [] == [answer.status for answer in answers[1:] if answer.status != 400]
    assert attack.stored == await fortress.rows() - before
    assert [] == fortress.tracebacks()
    assert watch.grown <= MEMORY
    assert watch.late <= LAG
