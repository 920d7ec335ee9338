"""A described call and its values go in; one request goes out, and its whole answer comes back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.domain.budget import Limit
from service.settings.rest_table import RestCall, RestRule
from service.worker.crms.api import Api
from service.worker.crms.base import Answer, Class
from service.worker.crms.client import Call, Clock, Reply
from service.worker.crms.rest import filling, paging
from service.worker.crms.rest.filling import Unfillable, Values
from service.worker.crms.rest.judging import Judge
from service.worker.crms.rest.reading import holds
from service.worker.crms.rest.signing import Signer


@dataclass(frozen=True, slots=True)
class Caller:
    """The way to one CRM, as its table describes it."""

    api: Api = field(repr=False)
    url: str
    rule: RestRule
    judge: Judge = field(repr=False)
    signer: Signer | None
    clock: Clock = field(repr=False)
    quotas: Sequence[Limit]

    async def call(
        self, rule: RestCall, values: Values, operation: str, *, safe: bool, paying: int = 1
    ) -> Reply | Answer:
        """`paying`: for how many calls, as of a write in steps that must not stop on the way."""
        call = self.made(rule, values, operation, safe=safe)
        if isinstance(call, Answer):
            return call
        costs = {name: cost * paying for name, cost in call.costs.items()}
        return await self.sent(replace(call, costs=costs), rule)

    async def sent(self, call: Call, rule: RestCall) -> Reply | Answer:
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        answer = self.judge(reply, call)
        if answer.kind is not Class.OK:
            return answer
        if rule.expects and not holds(rule.expects, reply.json()):
            return strange(reply, call, "expects does not hold")
        return reply

    def made(
        self,
        rule: RestCall,
        values: Values,
        operation: str,
        *,
        safe: bool,
        address: str | None = None,
    ) -> Call | Answer:
        """A call, or why it cannot be made from what is known."""
        values = filling.with_parts(self.rule.parts, values)
        if address and not paging.same_origin(address, self.url):
            return Answer(Class.PERMANENT, operation, detail="The link leads to another host.")
        try:
            url = address or self._address(rule, values)
        except Unfillable as why:
            return Answer(Class.PERMANENT, operation, detail=str(why))
        content, kind = filling.body(rule.body, rule.encoding, values)
        headers = {
            "Accept": "application/json",
            **kind,
            **self.rule.headers,
            **filling.headers(rule.headers, values),
        }
        costs = {limit.name: 1.0 for limit in self.quotas}
        call = Call(_method(rule), url, operation, content, headers, costs, safe)
        return self.signer(call, at=self.clock()) if self.signer else call

    def _address(self, rule: RestCall, values: Values) -> str:
        path = filling.path(rule.path, values)
        query = filling.query(rule.query, values)
        joint = "&" if "?" in path else "?"
        return f"{self.url}{path}" + (f"{joint}{query}" if query else "")


def strange(reply: Reply, call: Call, what: str) -> Answer:
    """A whole answer that is not what the configuration says it is: it says nothing."""
    kind = Class.TRANSIENT if call.safe else Class.UNKNOWN_OUTCOME
    json = "" if reply.json() is not None else ", for it is no JSON"
    sentence = f"The answer to {call.operation} is not as described: {what}{json}."
    return Answer(kind, call.operation, http_status=reply.status, detail=sentence)


def _method(rule: RestCall) -> str:
    method = getattr(rule, "method", "GET")
    return method if isinstance(method, str) else "GET"
