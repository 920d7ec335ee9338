"""What a CRM answered goes in; how it is meant comes out: by rules first, then as HTTP is meant."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from service.domain.budget import Hint
from service.settings.rest_table import RestError, RestRate, RestRule
from service.worker.crms import reading as plain
from service.worker.crms.base import Answer, Class
from service.worker.crms.client import MAX_AFTER, Call, Clock, Reply
from service.worker.crms.rest.reading import holds, look

MEANT = {
    409: Class.CONFLICT,
    410: Class.NOT_FOUND,
    423: Class.TRANSIENT,
}
"""Besides what `crms.reading.JUDGED` says of every CRM."""
SEARCHED = 4096
MOST_WORDS = 200
NUMBER = re.compile(r"[0-9]{1,13}(\.[0-9]{1,6})?")
REMEDIES = {
    Class.AUTH: "The credentials are refused: renew them in the configuration, reload, then resume "
    "the destination.",
    Class.HUMAN: "It lets nobody in as things stand: look at the account and at the user's rights, "
    "then resume the destination.",
    Class.PERMANENT: "Mend the record there or the mapping here, then redrive.",
    Class.NOT_FOUND: "It has no such record.",
    Class.CONFLICT: "The record changed since it was read.",
}


@dataclass(frozen=True, slots=True)
class Judge:
    """How one destination's answers are meant."""

    rule: RestRule
    clock: Clock

    def __call__(self, reply: Reply, call: Call) -> Answer:
        body = reply.json()
        if self._is_success(reply, body):
            return Answer(Class.OK, call.operation, http_status=reply.status)
        for rule in self.rule.errors:
            if _fits(rule, reply, body):
                return self._answer(Class(rule.kind), reply, call, scope=rule.scope or None)
        return self._answer(_usual(reply, call), reply, call)

    def _is_success(self, reply: Reply, body: JsonValue) -> bool:
        wanted = self.rule.success
        good = reply.status in wanted.statuses if wanted.statuses else 200 <= reply.status < 300
        if not good or _is_page(reply):
            return False
        return not wanted.when or holds(wanted.when, body)

    def _answer(self, kind: Class, reply: Reply, call: Call, *, scope: str | None = None) -> Answer:
        answer = Answer(kind, call.operation, http_status=reply.status, after=reply.after)
        if kind is Class.OK:
            return answer
        if kind is Class.RATE:
            answer = replace(answer, scope=scope, after=self._wait(reply))
        return replace(answer, detail=self._sentence(kind, reply))

    def _sentence(self, kind: Class, reply: Reply) -> str:
        words = self._words(reply)
        said = f"The CRM answered {reply.status}" + (f": {words}" if words else "")
        if 300 <= reply.status < 400:
            return f"{said}, a redirect, which is not followed: mend url or the path, then resume."
        if 200 <= reply.status < 300 and _is_page(reply):
            said = f"{said} with a page for people"
        elif 200 <= reply.status < 300 and kind is Class.PERMANENT:
            said = f"{said}, but not as success.when wants"
        remedy = REMEDIES.get(kind, "")
        return f"{said}. {remedy}".strip()

    def _words(self, reply: Reply) -> str:
        if not self.rule.message:
            return ""
        found = plain.text(look(self.rule.message, reply.json())) or ""
        return re.sub(r"[\s\x00-\x1f\x7f]+", " ", found)[:MOST_WORDS].strip().rstrip(".")

    def _wait(self, reply: Reply) -> timedelta | None:
        if reply.after is not None:
            return reply.after
        rate = self.rule.rate
        body = look(rate.wait, reply.json()) if rate.wait else None
        until = _moment(reply, rate, now=self.clock())
        if (seconds := _number(plain.text(body))) is not None:
            return min(timedelta(seconds=seconds), MAX_AFTER)
        return max(until - self.clock(), timedelta()) if until else None

    def hints(self, reply: Reply) -> Sequence[Hint]:
        rate = self.rule.rate
        remaining = _number(_header(reply, rate.remaining))
        ceiling = _number(_header(reply, rate.ceiling))
        until = _moment(reply, rate, now=self.clock())
        if remaining is None and ceiling is None and until is None:
            return ()
        rests = until if remaining == 0 else None
        return (Hint(rate.limit, remaining, ceiling, resets_at=until, rests_until=rests),)


def _fits(rule: RestError, reply: Reply, body: JsonValue) -> bool:
    if rule.status and reply.status not in rule.status:
        return False
    if rule.match and not holds(rule.match, body):
        return False
    text = (reply.body or b"")[:SEARCHED].decode("utf-8", "replace")
    return not rule.pattern or re.search(rule.pattern, text) is not None


def _is_page(reply: Reply) -> bool:
    """A page for people, as of a proxy or a login, never comes from an API."""
    return reply.headers.get("content-type", "").lower().startswith("text/html")


def _usual(reply: Reply, call: Call) -> Class:
    if not 200 <= reply.status < 300:
        return MEANT.get(reply.status) or plain.judged(reply, call)
    if reply.json() is not None and not _is_page(reply):
        return Class.PERMANENT
    # Something between us and the CRM answered in its stead.
    return Class.TRANSIENT if call.safe else Class.UNKNOWN_OUTCOME


def _header(reply: Reply, name: str | None) -> str | None:
    return reply.headers.get(name.lower()) if name else None


def _number(text: str | None) -> float | None:
    found = (text or "").strip()
    return float(found) if NUMBER.fullmatch(found) else None


def _moment(reply: Reply, rate: RestRate, *, now: datetime) -> datetime | None:
    """When a limit is full again; at most a day ahead."""
    number = _number(_header(reply, rate.reset))
    if number is None:
        return None
    match rate.reset_is:
        case "seconds":
            return now + min(timedelta(seconds=number), MAX_AFTER)
        case "unix" | "unix_ms":
            seconds = number / 1000 if rate.reset_is == "unix_ms" else number
            return min(datetime.fromtimestamp(min(seconds, 4e9), UTC), now + MAX_AFTER)
