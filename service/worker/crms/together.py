"""Questions about many records go in, one call for those that fit; answers in the order asked."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from service.worker.crms.base import Answer, Known, Record, Target, Wanted

Read = Sequence[Record] | Answer
Ask = Callable[[Target, Sequence[str], Sequence[str]], Awaitable[Read]]
"""An object, the fields to read, different numbers or ids: every record that has one of them."""
Parts = Callable[[Sequence[str]], Iterable[Sequence[str]]]
"""Numbers or ids as they fit into one call."""


def by(most: int) -> Parts:
    """So many in one call."""
    return lambda names: (names[at : at + most] for at in range(0, len(names), most))


async def find(
    wanted: Sequence[Wanted], ask: Ask, *, parts: Parts
) -> Sequence[Sequence[Record] | Answer]:
    """For each the records with exactly its number: many CRMs take `a-1` for `A-1`."""
    read = await _asked([(one.target, tuple(one.fields), one.key) for one in wanted], ask, parts)
    return [
        there if isinstance(there, Answer) else [each for each in there if each.key == one.key]
        for one, there in zip(wanted, read, strict=True)
    ]


async def read_many(
    known: Sequence[Known], ask: Ask, *, gone: Answer, parts: Parts
) -> Sequence[Record | Answer]:
    """Each record, or `gone` where the call gave none with its id."""
    places = [(one.target, tuple(one.fields), one.remote_id) for one in known]
    read = await _asked(places, ask, parts)
    return [
        there
        if isinstance(there, Answer)
        else next((each for each in there if each.remote_id == one.remote_id), gone)
        for one, there in zip(known, read, strict=True)
    ]


Question = tuple[Target, tuple[str, ...], str]


async def _asked(questions: Sequence[Question], ask: Ask, parts: Parts) -> Sequence[Read]:
    names: dict[tuple[Target, tuple[str, ...]], dict[str, None]] = {}
    for target, fields, name in questions:
        names.setdefault((target, fields), {})[name] = None
    read: dict[Question, Read] = {}
    for (target, fields), each in names.items():
        for part in parts(list(each)):
            came = _named(await ask(target, fields, part))
            read |= {(target, fields, name): came(name) for name in part}
    return [read[question] for question in questions]


def _named(read: Read) -> Callable[[str], Read]:
    """What an answer says of a number or an id, without a search through all for each."""
    if isinstance(read, Answer):
        return lambda _: read
    there: dict[str | None, list[Record]] = {}
    for record in read:
        for name in {record.key, record.remote_id}:
            there.setdefault(name, []).append(record)
    return lambda name: there.get(name, [])
