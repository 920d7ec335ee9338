"""Odoo: a change becomes an action of a sale order, or a field of any other record.

A sale order is found by `client_order_ref`, which is not unique, and changes its state by the
methods of its work flow: writing `state` is accepted but skips deliveries and invoices. A method
refuses an order that is there already, so the state is read first. Calls for many records are all
or nothing: rows are grouped by what they set, and a refused group is halved until the row at fault
is alone. There is no conditional write and no key of ours.

Facts: Odoo 19.0 community, run and watched (catalogue of 2026-11).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import odoo_words as words
from service.worker.crms import onsite, reading, together, windows
from service.worker.crms.api import Api, Fixed
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
from service.worker.crms.kind import Kind, Option, Tools
from service.worker.crms.odoo_wire import Json2, JsonRpc, Said, Wire

USUAL = Target(words.SALE_ORDER, "client_order_ref", "state")
BATCH = 100
ABLE = Capabilities(BATCH, creates=True, notes=True, feed=True)
"""A sale order is never made: it has lines."""
PAGE = 500
HIDDEN_TOO: JsonValue = {"active_test": False}
"""A lost lead is archived, and left out unless one asks for it."""
UNASKED: JsonValue = {"disable_cancel_warning": True}
"""Older versions answer a cancellation with a dialog."""
SET_UP = """\
1. In Odoo, make a user for this gateway with the rights to read and change sale orders, and in
   its preferences, under Account Security, an API key: token = "env:ODOO_KEY".
2. url is the address of Odoo, options.database the name of its database.
3. Up to Odoo 18, add options.api = "json-rpc" and options.login, the user's login.
4. Sale orders are found by Customer Reference (client_order_ref). Their stages are sale, cancel and
   locked: statuses = { paid = "sale", cancelled = "cancel", completed = "locked" }.
5. For leads or anything else, name objects.order.object, key_field and status_field, for example
   crm.lead, x_merchant_order and stage_id, and the stages by their numbers."""
DOUBTS = (
    "Quotas of Odoo Online and Odoo.sh; the community edition has none.",
    "That write_date is UTC; it is read so.",
    "The exceptions a busy database raises (LockError, psycopg2.errors.*) by these names.",
    "That action_draft and action_quotation_sent exist under these names in your version.",
    "That a message posted as text is shown as text, with its signs < and > kept.",
    "In which release JSON-RPC will be gone.",
)
OPTIONS = (
    Option(
        "database",
        "The name of the database; needed for json-rpc, and where there are several.",
        "shop",
    ),
    Option("api", '"json-2" (Odoo 19 and later, the default) or "json-rpc" (older).', "json-rpc"),
    Option("login", "The login of the user, for json-rpc.", "gateway@example.com"),
    Option("user_id", "The number of that user, so that its own changes are told apart.", "7"),
    onsite.CREATE,
)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it has no key, or json-rpc lacks a login or a database."""
    site = onsite.site(destination, USUAL)
    able = replace(ABLE, creates=site.targets["order"].object != words.SALE_ORDER)
    return Odoo(
        _wire(destination, tools, site),
        site,
        bools=onsite.bools(destination),
        shows_locked=words.LOCKED in onsite.stages(destination),
        user_id=reading.option(destination, "user_id") or None,
        capabilities=able,
    )


def _wire(destination: Destination, tools: Tools, site: onsite.Site) -> Wire:
    key = onsite.key(destination, "The API key of an Odoo user")
    database = reading.option(destination, "database")
    match reading.option(destination, "api", usual="json-2"):
        case "json-2":
            shown = Fixed({"Authorization": f"bearer {key}"})
            api = Api(tools.session, tools.clock, destination.timeout, tools.spending, shown)
            return Json2(api, site.url, database, site.costs)
        case "json-rpc":
            login = reading.option(destination, "login")
            if not (login and database):
                raise ConfigurationError("json-rpc needs options.login and options.database.")
            api = Api(tools.session, tools.clock, destination.timeout, tools.spending, Fixed())
            return JsonRpc(api, site.url, database, login, key, site.costs)
        case other:
            raise ConfigurationError(f'options.api is "json-2" or "json-rpc", not {other!r}.')


FOR_ONE = {Class.PERMANENT, Class.NOT_FOUND, Class.HUMAN}
"""How a call for many ends when one of them is at fault."""
Act = Callable[[Sequence[words.Row]], Awaitable[Answer]]


class Odoo:
    """One database of Odoo."""

    def __init__(
        self,
        wire: Wire,
        site: onsite.Site,
        *,
        capabilities: Capabilities,
        bools: frozenset[str],
        shows_locked: bool,
        user_id: str | None,
    ) -> None:
        self.capabilities = capabilities
        self.targets = site.targets
        self._wire = wire
        self._site = site
        self._reads = words.Reads(bools=bools, shows_locked=shows_locked, user_id=user_id)

    def limits(self) -> Sequence[Limit]:
        """None of its own."""
        return self._site.limits

    # Reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return await together.find(wanted, self._with_keys, parts=together.by(BATCH))

    async def _with_keys(
        self, target: Target, fields: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Record] | Answer:
        return await self._searched(target, fields, [[target.key_field, "in", list(keys)]], "find")

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        some = together.by(BATCH)
        return await together.read_many(known, self._with_ids, gone=_GONE, parts=some)

    async def _with_ids(
        self, target: Target, fields: Sequence[str], ids: Sequence[str]
    ) -> Sequence[Record] | Answer:
        numbers: list[JsonValue] = [words.number(each) for each in ids]
        return await self._searched(target, fields, [["id", "in", numbers]], "read")

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        window = windows.opened(since, cursor)
        domain: list[JsonValue] = [["write_date", ">=", windows.spaced(window.since)]]
        if window.before is not None:
            domain.append(["write_date", "<", windows.spaced(window.before)])
            domain.append(["id", ">", words.number(window.above)])
        order = "id asc" if window.alone else "write_date asc, id asc"
        more: Mapping[str, JsonValue] = {"order": order, "limit": PAGE}
        read = await self._searched(target, fields, domain, "read", more=more)
        if isinstance(read, Answer):
            return read
        return windows.turned(window, read, full=len(read) == PAGE)

    async def _searched(
        self,
        target: Target,
        fields: Sequence[str],
        domain: Sequence[JsonValue],
        operation: str,
        *,
        more: Mapping[str, JsonValue] | None = None,
    ) -> Sequence[Record] | Answer:
        names = self._reads.names(target, fields)
        given = {"domain": domain, "fields": names, "context": HIDDEN_TOO, **(more or {})}
        said = await self._wire.ask(
            target.object, "search_read", given, operation=operation, safe=True
        )
        if isinstance(said, Answer):
            return said
        rows = reading.rows(said.value)
        read = [self._reads.record(row, target, fields) for row in rows]
        whole = [each for each in read if each is not None]
        timed = all(each.modified_at for each in whole)
        if not isinstance(said.value, list) or len(whole) != len(said.value) or not timed:
            sentence = "Odoo answered with something else than records."
            return Answer(Class.TRANSIENT, operation, http_status=said.status, detail=sentence)
        return whole

    # Writing.

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        answers: dict[int, Answer] = {}
        rows = list(enumerate(writes))
        for place, write in rows:
            if write.remote_id is None:
                answers[place] = await self._made(write) if write.create else _unfound(write)
        known = [row for row in rows if row[1].remote_id is not None]
        for group in words.same(known):
            if words.vals(group[0][1]):
                answers |= await self._unless_stopped(answers, group, self._set)
        left = [row for row in known if answers.get(row[0], _DONE).kind is Class.OK]
        answers |= {place: _ok(write) for place, write in left}
        moved = [row for row in left if words.moves(row[1])]
        for name in dict.fromkeys(write.target for _, write in moved):
            answers |= await self._moved(name, [row for row in moved if row[1].target == name])
        return [answers[place] for place in range(len(writes))]

    async def _unless_stopped(
        self, answers: Mapping[int, Answer], rows: Sequence[words.Row], act: Act
    ) -> Mapping[int, Answer]:
        said = list(answers.values())
        # A right may be missing for one record alone: two of them speak for all.
        lacking = [one for one in said if one.kind is Class.HUMAN]
        others = [one for one in said if one.kind not in {*onsite.BLAMED, Class.HUMAN}]
        stop = next(iter([*others, *lacking[1:]]), None)
        if stop is not None:
            return {place: onsite.untried(stop) for place, _ in rows}
        return await self._together(rows, act)

    async def _together(self, rows: Sequence[words.Row], act: Act) -> Mapping[int, Answer]:
        """Do it for all rows at once; halve them while one of them is refused."""
        answer = await act(rows)
        if len(rows) == 1 or answer.kind not in FOR_ONE:
            done = answer.kind is Class.OK
            return {
                place: replace(answer, remote_id=write.remote_id if done else None)
                for place, write in rows
            }
        half = len(rows) // 2
        first = await self._together(rows[:half], act)
        return {**first, **await self._unless_stopped(first, rows[half:], act)}

    async def _set(self, rows: Sequence[words.Row]) -> Answer:
        write = rows[0][1]
        given = {"ids": words.numbers(rows), "vals": words.vals(write)}
        said = await self._wire.ask(
            write.target.object, "write", given, operation="write", safe=False
        )
        if isinstance(said, Answer):
            return said
        return _ok(write) if said.value is True else _puzzled("write", said)

    async def _moved(self, target: Target, rows: Sequence[words.Row]) -> Mapping[int, Answer]:
        """Take sale orders to their states by the methods of the work flow."""
        now = await self.read_many([Known(target, write.remote_id or "") for _, write in rows])
        answers: dict[int, Answer] = {}
        plans: dict[tuple[str, ...], list[words.Row]] = {}
        for row, read in zip(rows, now, strict=True):
            if isinstance(read, Answer):
                answers[row[0]] = replace(read, operation="write")
            elif (methods := words.steps(read.status or "", row[1].status or "")) is None:
                answers[row[0]] = _foreign(row[1])
            else:
                plans.setdefault(methods, []).append(row)
        for methods, group in plans.items():
            done = {place: _ok(write) for place, write in group}
            for method in methods:
                left = [row for row in group if done[row[0]].kind is Class.OK]
                if left:
                    act = self._acting(target, method)
                    done |= await self._unless_stopped({**answers, **done}, left, act)
            answers |= done
        return answers

    def _acting(self, target: Target, method: str) -> Act:
        async def act(rows: Sequence[words.Row]) -> Answer:
            given = {"ids": words.numbers(rows), "context": UNASKED}
            said = await self._wire.ask(target.object, method, given, operation="write", safe=False)
            if isinstance(said, Answer):
                return said
            match said.value:
                case True | None:
                    return _ok(rows[0][1])
                case {"type": str()}:
                    sentence = (
                        f"Odoo wants a person to answer a dialog of {method}: do it there, then "
                        "redrive."
                    )
                    return Answer(
                        Class.PERMANENT, "write", http_status=said.status, detail=sentence
                    )
                case _:
                    return _puzzled("write", said)

        return act

    async def _made(self, write: Write) -> Answer:
        if write.target.object == words.SALE_ORDER:
            sentence = (
                "A sale order is not made out of a number: it needs a customer and lines. Make it "
                "there, then redrive."
            )
            return Answer(Class.PERMANENT, "create", detail=sentence)
        named = {} if "name" in self._site.starting else {"name": write.key}
        vals = {
            **named,
            **self._site.fields_of_new(write),
            **words.vals(write),
            write.target.key_field: write.key,
        }
        said = await self._wire.ask(
            write.target.object, "create", {"vals_list": [vals]}, operation="create", safe=False
        )
        if isinstance(said, Answer):
            return said
        remote_id = (
            words.id_of(said.value[0]) if isinstance(said.value, list) and said.value else None
        )
        if remote_id is None:
            return _puzzled("create", said)
        return Answer(Class.OK, "create", http_status=said.status, remote_id=remote_id)

    async def note(self, known: Known, text: str) -> Answer:
        given = {
            "ids": [words.number(known.remote_id)],
            "body": text,
            "message_type": "comment",
            "subtype_xmlid": "mail.mt_note",
        }
        said = await self._wire.ask(
            known.target.object, "message_post", given, operation="note", safe=False
        )
        if isinstance(said, Answer):
            return said
        made = said.value[0] if isinstance(said.value, list) and said.value else None
        if words.id_of(made) is None:
            return _puzzled("note", said)
        return Answer(Class.OK, "note", http_status=said.status)


_DONE = Answer(Class.OK, "write")
_GONE = Answer(Class.NOT_FOUND, "read", detail="Odoo has no such record.")


def _ok(write: Write) -> Answer:
    return replace(_DONE, http_status=200, remote_id=write.remote_id)


def _unfound(write: Write) -> Answer:
    return onsite.unknown_yet(write)


def _foreign(write: Write) -> Answer:
    sentence = (
        f"A sale order has no state {write.status}: let statuses name draft, sent, sale, locked or "
        "cancel, reload, then redrive."
    )
    return Answer(Class.PERMANENT, "write", detail=sentence)


def _puzzled(operation: str, said: Said) -> Answer:
    sentence = "Odoo answered with something else than it should."
    return Answer(Class.UNKNOWN_OUTCOME, operation, http_status=said.status, detail=sentence)


KIND = Kind(
    "odoo",
    "Odoo sale orders, leads and other records (JSON-2 or JSON-RPC)",
    build,
    setup=SET_UP,
    example={"url": "https://company.odoo.com"},
    doubts=DOUBTS,
    options=OPTIONS,
    capabilities=ABLE,
    targets={"order": USUAL},
)
