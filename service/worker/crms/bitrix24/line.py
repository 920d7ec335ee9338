"""The line to a portal: commands go out in one `batch`, and what each of them brought comes back.

A batch is answered 200 whatever became of its commands: each has its result in `result.result` or
its error in `result.result_error`. In a JSON body the commands are encoded once (page batch).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from service.domain.budget import Hint
from service.worker.crms import reading
from service.worker.crms.api import Api
from service.worker.crms.base import Answer, Class, Tokens
from service.worker.crms.bitrix24 import codes
from service.worker.crms.bitrix24.commands import Command, Outcome
from service.worker.crms.client import Call, Clock, Reply, encode

OPERATING = 480.0
"""Seconds of a method in ten minutes; the vendor's example, the true figure is Bitrix24's own."""
TEN_MINUTES = timedelta(minutes=10)
TOUCH = 0.001
"""What a command takes of its method's time is not known before: so little never holds it back,
but it waits while the method rests."""


@dataclass(frozen=True, slots=True)
class Line:
    """Where methods are called, and with what."""

    api: Api = field(repr=False)
    root: str = field(repr=False)
    """It holds the secret of a webhook, so it is never shown."""
    tokens: Tokens | None = field(repr=False)
    clock: Clock = field(repr=False)
    paced: bool = True
    """Whether requests are counted: in the cloud only."""
    resets: dict[str, datetime] = field(default_factory=dict)
    """By method: when some of its time is given back, as last told."""

    async def run(
        self, commands: Sequence[Command], operation: str, *, safe: bool = False
    ) -> Sequence[Outcome]:
        """Run all in one batch; one that a batch would misread travels alone."""
        together = [one for one in commands if not one.refers]
        gathered = iter(await self._batch(together, operation, safe=safe) if together else ())
        return [
            await self._alone(one, operation, safe=safe) if one.refers else next(gathered)
            for one in commands
        ]

    async def _batch(
        self, commands: Sequence[Command], operation: str, *, safe: bool
    ) -> Sequence[Outcome]:
        lines = {f"c{number}": one.line for number, one in enumerate(commands)}
        costs = {one.method: TOUCH for one in commands}
        call = self._call("batch", operation, safe=safe, costs=costs)
        reply = await self._sent(call, {"halt": 0, "cmd": lines})
        if isinstance(reply, Answer):
            return [reply] * len(commands)
        result = reading.mapping(reply.json()).get("result")
        if reply.status != 200 or not isinstance(result, dict):
            return [codes.judged(reply, operation, safe=safe)] * len(commands)
        return [
            self._brought(result, name, one, codes.unreadable(operation, safe=safe), safe=safe)
            for name, one in zip(lines, commands, strict=True)
        ]

    def _brought(
        self,
        result: Mapping[str, JsonValue],
        name: str,
        command: Command,
        missing: Answer,
        *,
        safe: bool,
    ) -> Outcome:
        self._learn(command.method, reading.mapping(result.get("result_time")).get(name))
        errors = reading.mapping(result.get("result_error"))
        if name in errors:
            answer = codes.refused(errors[name], missing.operation, safe=safe)
            return self._rested(answer, command.method)
        return reading.mapping(result.get("result")).get(name, missing)

    async def _alone(self, command: Command, operation: str, *, safe: bool) -> Outcome:
        call = self._call(command.method, operation, safe=safe, costs={command.method: TOUCH})
        reply = await self._sent(call, command.params)
        if isinstance(reply, Answer):
            return reply
        body = reading.mapping(reply.json())
        self._learn(command.method, body.get("time"))
        if reply.status == 200 and "result" in body:
            return body["result"]
        return self._rested(codes.judged(reply, operation, safe=safe), command.method)

    def _call(self, method: str, operation: str, *, safe: bool, costs: Mapping[str, float]) -> Call:
        return Call(
            "POST",
            f"{self.root}{method}",
            operation,
            headers={"Content-Type": "application/json"},
            costs={**({"requests": 1.0} if self.paced else {}), **costs},
            safe=safe,
        )

    async def _sent(self, call: Call, params: Mapping[str, object]) -> Reply | Answer:
        """A token travels in the body; only `expired_token` renews it, once."""
        if self.tokens is None:
            return await self.api.call(replace(call, body=encode(params)))
        token = await self.tokens.access()
        if isinstance(token, Answer):
            return replace(token, operation=call.operation, tried=False)
        reply = await self.api.call(replace(call, body=encode({**params, "auth": token})))
        if isinstance(reply, Answer) or not _expired(reply):
            return reply
        token = await self.tokens.access(refused=token)
        if isinstance(token, Answer):
            return replace(token, operation=call.operation, http_status=reply.status)
        return await self.api.call(replace(call, body=encode({**params, "auth": token})))

    def _learn(self, method: str, time: JsonValue) -> None:
        spent = reading.mapping(time)
        used, resets = spent.get("operating"), spent.get("operating_reset_at")
        if not isinstance(used, int | float) or not isinstance(resets, int | float):
            return
        if 0 < resets < 1e11:
            self.resets[method] = moment = datetime.fromtimestamp(resets, UTC)
            left = max(OPERATING - float(used), 0.0)
            self.api.spending.learn([Hint(method, remaining=left, resets_at=moment)])

    def _rested(self, answer: Answer, method: str) -> Answer:
        """OPERATION_TIME_LIMIT blocks this method alone, until a minute of it is given back."""
        if answer.kind is not Class.RATE or answer.scope is not None:
            return answer
        told = self.resets.get(method)
        left = told - self.clock() if told else codes.LONG
        fits = timedelta() < left <= TEN_MINUTES
        return replace(answer, after=left if fits else codes.LONG, scope=method)


def _expired(reply: Reply) -> bool:
    code = reading.text(reading.mapping(reply.json()).get("error")) or ""
    return code.lower() == "expired_token"
