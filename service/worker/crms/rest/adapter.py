"""Any REST CRM: what its table in the configuration describes becomes calls and answers.

A lost answer to a write or to the making of a record is UNKNOWN_OUTCOME: nothing is sent again
before the record was looked for and read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.settings.rest_checks import used_by
from service.settings.rest_table import RestRule, RestWrite
from service.worker.crms import reading as plain
from service.worker.crms.api import Api
from service.worker.crms.base import (
    Answer,
    Capabilities,
    Class,
    Crm,
    Known,
    Page,
    Record,
    Target,
    Wanted,
    Write,
)
from service.worker.crms.client import Call, Reply
from service.worker.crms.kind import Tools
from service.worker.crms.rest import paging, saying, signing
from service.worker.crms.rest.calling import Caller, strange
from service.worker.crms.rest.judging import Judge
from service.worker.crms.rest.paging import Astray, Read
from service.worker.crms.rest.reading import Reader, look

MOST_ROWS = 10_000
GUESS = Limit("requests", 10, timedelta(seconds=1), burst=10)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it is not described, or has nothing to be let in with."""
    rule = destination.rest
    if rule is None:
        raise ConfigurationError(
            f"{destination.name} is a REST CRM without a table [destinations.{destination.name}"
            ".rest] that describes its calls; docs/recipes/rest-crm.md has one."
        )
    judge = Judge(rule, tools.clock)
    api = Api(
        tools.session,
        tools.clock,
        destination.timeout,
        tools.spending,
        signing.credentials(destination, rule.auth, tools),
        expired=lambda reply: judge(reply, _ANY).kind is Class.AUTH,
        hints=judge.hints,
    )
    signer = signing.signer(destination, rule.auth)
    url, limits = destination.url.rstrip("/"), quotas(destination)
    caller = Caller(api, url, rule, judge, signer, tools.clock, limits)
    usual = Target(rule.object, rule.key_field, rule.status_field)
    targets = {"order": plain.target(destination, usual)}
    return Rest(caller, rule, targets, capabilities(rule))


def quotas(destination: Destination) -> Sequence[Limit]:
    """Every call spends one of each."""
    named = [
        Limit(name, rule.count, rule.period, rule.burst)
        for name, rule in destination.limits.items()
    ]
    return named if "requests" in destination.limits else [GUESS, *named]


def capabilities(rule: RestRule) -> Capabilities:
    """What the table describes, it can do."""
    mentioned = frozenset[str]().union(*(used_by(step, rule) for step in rule.write))
    return Capabilities(
        idempotent=rule.idempotent,
        keyed=rule.find is None,
        conditional="token" in mentioned,
        creates=rule.create is not None,
        notes=rule.note is not None,
        feed=rule.feed is not None,
    )


@dataclass(slots=True)
class Rest:
    """One CRM that its configuration describes."""

    caller: Caller
    rule: RestRule
    targets: Mapping[str, Target]
    capabilities: Capabilities

    def limits(self) -> Sequence[Limit]:
        """Those of the configuration; a careful guess for one that does not say."""
        return self.caller.quotas

    # Reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return [await self._found(one) for one in wanted]

    async def _found(self, wanted: Wanted) -> Sequence[Record] | Answer:
        rule = self.rule.find
        if rule is None:
            read = await self._read(Known(wanted.target, wanted.key, wanted.fields))
            gone = isinstance(read, Answer) and read.kind is Class.NOT_FOUND
            return [read] if isinstance(read, Record) else [] if gone else read
        reply = await self.caller.call(
            rule, saying.about(wanted.target, key=wanted.key), "find", safe=True
        )
        if isinstance(reply, Answer):
            # A number in the path may be answered with 404 when nothing carries it.
            return [] if reply.kind is Class.NOT_FOUND and saying.by_path(rule) else reply
        found = self._records(rule.records, reply, wanted.target, wanted.fields)
        if found is None:
            return strange(reply, _FIND, "rest.find.records finds no list of records with ids")
        # Some search for beginnings or parts of words: only the very number counts.
        same = [one for one in found if one.key == wanted.key]
        silent = [one for one in found if one.key is None]
        if same or not silent:
            return same
        if self.rule.record.key or wanted.target.key_field:
            # It may be the one, and it may be any other.
            return strange(reply, _FIND, "it shows records without their number; mend record.key")
        return silent

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        return [await self._read(one) for one in known]

    async def _read(self, known: Known, *, paying: int = 1) -> Record | Answer:
        rule = self.rule.read
        values = saying.about(known.target, id=known.remote_id)
        reply = await self.caller.call(rule, values, "read", safe=True, paying=paying)
        if isinstance(reply, Answer):
            return reply
        node = look(rule.record, reply.json())
        record = self._record(node, known.target, known.fields, reply.headers)
        return record or strange(reply, _READ, "rest.read.record finds no record with an id")

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        rule = self.rule.feed
        if rule is None:
            return Answer(Class.PERMANENT, "read", detail="No feed of changes is described.")
        present = cursor or paging.first(rule.paging)
        values = {**saying.about(target), "since": saying.written(since, rule), "cursor": present}
        address = cursor if rule.paging.by == "link" else None
        made = self.caller.made(rule, values, "read", safe=True, address=address)
        reply = made if isinstance(made, Answer) else await self.caller.sent(made, rule)
        if isinstance(made, Answer) or isinstance(reply, Answer):
            return _refusal(made, reply)
        read = self._records(rule.records, reply, target, fields)
        if read is None:
            return strange(reply, made, "rest.feed.records finds no list of records with ids")
        page = Read(made.url, present, reply, len(read), read[-1] if read else None)
        try:
            return Page(read, paging.following(rule.paging, page))
        except Astray as astray:
            return Answer(Class.PERMANENT, "read", http_status=reply.status, detail=str(astray))

    def _records(
        self, expression: str, reply: Reply, target: Target, fields: Sequence[str]
    ) -> Sequence[Record] | None:
        """None when the answer is no list of records."""
        rows = _rows(look(expression, reply.json()), reply)
        read = [self._record(row, target, fields) for row in rows or ()]
        whole = [one for one in read if one is not None]
        return whole if rows is not None and len(whole) == len(read) else None

    def _record(
        self,
        node: JsonValue,
        target: Target,
        fields: Sequence[str],
        headers: Mapping[str, str] | None = None,
    ) -> Record | None:
        reader = Reader(self.rule.record)
        return reader.record(node, target=target, fields=fields, headers=headers)

    # Writing.

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        return [await self._wrote(write) for write in writes]

    async def _wrote(self, write: Write) -> Answer:
        if write.remote_id is None and self.capabilities.keyed:
            write = replace(write, remote_id=write.key)
        if write.remote_id is None:
            return await self._created(write)
        return await self._steps(write, paying=self._calls(write))

    async def _created(self, write: Write) -> Answer:
        rule = self.rule.create
        if rule is None or not write.create:
            return Answer(Class.NOT_FOUND, "write", detail="The record has not been found yet.")
        values = saying.said(write)
        if write.target.key_field:
            values["record"] = {write.target.key_field: write.key, **saying.record_of(write)}
        paying = 1 + (self._calls(write) if rule.then_write else 0)
        reply = await self.caller.call(rule, values, "create", safe=False, paying=paying)
        if isinstance(reply, Answer):
            return reply
        made = self._record(look(rule.record, reply.json()), write.target, (), reply.headers)
        if made is None:
            return strange(reply, _CREATE, "rest.create.record finds no record with an id")
        if rule.then_write:
            write = replace(write, remote_id=made.remote_id, token=made.token)
            return await self._steps(write, paying=0)
        return _done("create", reply.status, made)

    def _calls(self, write: Write) -> int:
        """How many a write takes at most."""
        steps = [step for step in self.rule.write if saying.has_to_say(step, write)]
        return len(steps) + sum(bool(step.unless_shown) for step in steps)

    async def _steps(self, write: Write, *, paying: int) -> Answer:
        """Every step that has something to say; the first that fails ends it.

        All are paid for with the first call: without a budget for the rest, the first one would be
        made again and again.
        """
        assert write.remote_id is not None
        answer = Answer(Class.OK, "write", remote_id=write.remote_id, token=write.token)
        for step in self.rule.write:
            if not saying.has_to_say(step, write):
                continue
            if step.unless_shown:
                known = Known(write.target, write.remote_id)
                present = await self._read(known, paying=paying)
                paying = 0
                if isinstance(present, Answer):
                    return replace(present, operation="write")
                if present.status == write.status:
                    continue
            answer = await self._step(step, write, paying=paying)
            paying = 0
            if answer.kind is not Class.OK:
                return answer
            write = replace(write, token=answer.token)
        return answer

    async def _step(self, step: RestWrite, write: Write, *, paying: int) -> Answer:
        action = step.actions.get(write.status or "")
        if action is None and "action" in used_by(step, self.rule):
            sentence = f"rest.write.actions has no action for the status {write.status!r}: add it."
            return Answer(Class.PERMANENT, "write", detail=sentence)
        values = {**saying.said(write), "action": action}
        reply = await self.caller.call(step, values, "write", safe=False, paying=paying)
        if isinstance(reply, Answer):
            return reply
        shown = self._record(look(step.record, reply.json()), write.target, (), reply.headers)
        same = shown if shown and shown.remote_id == write.remote_id else None
        done = _done("write", reply.status, same)
        return replace(done, remote_id=write.remote_id)

    async def note(self, known: Known, text: str) -> Answer:
        rule = self.rule.note
        if rule is None:
            return Answer(Class.PERMANENT, "note", detail="No notes are described.")
        values = {**saying.about(known.target, id=known.remote_id), "text": text}
        reply = await self.caller.call(rule, values, "note", safe=False)
        if isinstance(reply, Answer):
            return reply
        return Answer(Class.OK, "note", http_status=reply.status)


_ANY = Call("GET", "", "", safe=True)
_FIND, _READ = Call("GET", "", "find", safe=True), Call("GET", "", "read", safe=True)
_CREATE = Call("POST", "", "create")


def _rows(found: JsonValue, reply: Reply) -> Sequence[JsonValue] | None:
    """The list of records; an answer that has no content lists none."""
    match found:
        case list():
            return found[:MOST_ROWS]
        case dict():
            return [found]
        case _:
            return [] if reply.status == 204 else None


def _refusal(made: Call | Answer, reply: Reply | Answer) -> Answer:
    found = made if isinstance(made, Answer) else reply
    assert isinstance(found, Answer)
    return found


def _done(operation: str, status: int, record: Record | None) -> Answer:
    remote_id, token = (record.remote_id, record.token) if record else (None, None)
    return Answer(Class.OK, operation, http_status=status, remote_id=remote_id, token=token)
