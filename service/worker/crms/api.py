"""Calls to one CRM's own API: paid from its budget, with its credentials, read to the end.

What an adapter adds is words: which call, and what the answer means.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Protocol

import aiohttp

from service import tracing
from service.domain.budget import Hint
from service.worker.crms import client
from service.worker.crms.base import Answer, Class, Spending, Tokens
from service.worker.crms.client import Call, Clock, Reply


class Credentials(Protocol):
    """What a call shows to be let in."""

    async def headers(
        self, *, refused: Mapping[str, str] | None = None
    ) -> Mapping[str, str] | Answer:
        """The headers of a call; other ones than those it showed and were refused, or why not."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A key that does not change; once refused there is no other."""

    shown: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def headers(
        self, *, refused: Mapping[str, str] | None = None
    ) -> Mapping[str, str] | Answer:
        if refused is not None:
            sentence = (
                "The key in the configuration is refused: put a new one where token or secret "
                "refers to, reload, then resume the destination."
            )
            return Answer(Class.AUTH, "sign in", detail=sentence)
        return self.shown


@dataclass(frozen=True, slots=True)
class Renewed:
    """An access token that runs out and is renewed, once for all processes."""

    tokens: Tokens
    form: str = "Bearer {token}"

    async def headers(
        self, *, refused: Mapping[str, str] | None = None
    ) -> Mapping[str, str] | Answer:
        # Not the newest token: of many calls under way each tells of the one it showed itself,
        # so that all together renew it once.
        token = await self.tokens.access(refused=None if refused is None else self._read(refused))
        return token if isinstance(token, Answer) else {"Authorization": self._written(token)}

    def _written(self, token: str) -> str:
        return self.form.format(token=token)

    def _read(self, shown: Mapping[str, str]) -> str:
        before, _, after = self.form.partition("{token}")
        return shown["Authorization"].removeprefix(before).removesuffix(after)


def _nothing(_: Reply) -> Sequence[Hint]:
    return ()


def _unauthorised(reply: Reply) -> bool:
    return reply.status == 401


@dataclass(frozen=True, slots=True)
class Api:
    """The way to one CRM."""

    session: aiohttp.ClientSession = field(repr=False)
    clock: Clock = field(repr=False)
    within: timedelta
    spending: Spending
    credentials: Credentials = field(repr=False)
    expired: Callable[[Reply], bool] = _unauthorised
    """Whether an answer says that the token must be renewed; the call is then made once more."""
    hints: Callable[[Reply], Sequence[Hint]] = _nothing
    """What an answer says about limits."""

    async def call(self, call: Call) -> Reply | Answer:
        """Make one call; an Answer tells why there is no whole reply."""
        shown = await self.credentials.headers()
        if isinstance(shown, Answer):
            return replace(shown, operation=call.operation, tried=False)
        reply = await self._made(call, shown)
        if isinstance(reply, Reply) and self.expired(reply):
            again = await self.credentials.headers(refused=shown)
            if isinstance(again, Answer):
                return replace(again, operation=call.operation, http_status=reply.status)
            reply = await self._made(call, again)
        return reply

    async def _made(self, call: Call, shown: Mapping[str, str]) -> Reply | Answer:
        wait = await self.spending.spend(call.costs)
        if wait is not None:
            detail = "The budget for calls to this destination is spent."
            return Answer(Class.RATE, call.operation, after=wait, detail=detail, tried=False)
        headers = {**call.headers, **shown, **tracing.headers()}
        sent = replace(call, headers=headers)
        reply = await client.exchange(self.session, sent, within=self.within, clock=self.clock)
        match reply:
            case client.Failure(kind, detail, reached):
                detail = f"The call failed: {detail}."
                return Answer(kind, call.operation, detail=detail, reached=reached)
            case Reply(body=None):
                kind = Class.TRANSIENT if call.safe else Class.UNKNOWN_OUTCOME
                detail = f"The answer ({reply.status}) did not come whole, or was too long."
                return Answer(kind, call.operation, http_status=reply.status, detail=detail)
            case Reply():
                self.spending.learn(self.hints(reply))
                return reply
