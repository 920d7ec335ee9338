"""Other names of subjects, and two that are one: a decision in, the subject after it out."""

from collections.abc import Sequence

from service.domain.errors import Declined, Misnamed, NotFound
from service.domain.events import Alias, Subject
from service.domain.keys import clean_text
from service.domain.names import Kind
from service.ops.decisions import Hand, expect_open, open_subject, record
from service.ops.lookups import Body
from service.store import aliases, subjects
from service.store.pool import Connection, transaction
from service.worker import names

CLAIM: Kind = "operator"


async def link(hand: Hand, name: Subject, alias: Alias) -> Body:
    """Say that a subject goes by this name, too; events that waited for it go on."""
    _expect_clean(alias)
    async with transaction(hand.pool) as tx:
        await aliases.lock(tx, name.lifecycle, [alias])
        row = await open_subject(tx, hand, name)
        await _expect_free(tx, row.id, name, alias)
        await names.link(tx, alias, row, kind=CLAIM, claimant=hand.actor)
        await record(tx, hand, "link", target=name, detail=alias._asdict())
    return await hand.page(name)


async def unlink(hand: Hand, name: Subject, alias: Alias) -> Body:
    """Take back every claim that this subject goes by the name; a source's stays denied."""
    _expect_clean(alias)
    async with transaction(hand.pool) as tx:
        await aliases.lock(tx, name.lifecycle, [alias])
        row = await open_subject(tx, hand, name)
        done = await names.unlink(tx, alias, row, rules=hand.rules, actor=hand.actor)
        if done == "nobody":
            raise NotFound(f"Nobody says that {name} is called {alias}; its page lists its names.")
        detail = {**alias._asdict(), "denied": done == "denied"}
        await record(tx, hand, "unlink", target=name, detail=detail)
    return await hand.page(name)


async def merge(hand: Hand, loser: Subject, readings: Sequence[Subject], *, reason: str) -> Body:
    """Make one subject of two: the survivor answers, and names what the other leaves behind.

    Of the readings of the survivor's name the first one that exists is meant.
    """
    async with transaction(hand.pool) as tx:
        rows = await subjects.lock_present(tx, [loser, *readings])
        into = next((name for name in readings if name in rows), readings[0])
        if loser == into:
            raise Declined(f"{loser} cannot be merged into itself.")
        if loser.lifecycle != into.lifecycle:
            raise Declined(f"{loser} and {into} are of two lifecycles and cannot be one.")
        gone = await expect_open(tx, hand, rows.get(loser), loser)
        winner = await expect_open(tx, hand, rows.get(into), into)
        await names.merge(tx, winner, gone, rules=hand.rules, actor=hand.actor, reason=reason)
        detail = {"loser": str(loser), "into": str(into), "reason": reason}
        await record(tx, hand, "merge", target=loser, detail=detail)
    return await hand.page(into)


def read_subject(text: str) -> list[Subject]:
    """What `order/1001`, `order/shop-eu:1001` may name: a colon may belong to the ref, too."""
    lifecycle, slash, rest = text.partition("/")
    if not slash or not lifecycle or not rest:
        raise Misnamed(f"{text!r} names no subject; write it like order/1001 or order/shop:1001.")
    scope, colon, ref = rest.partition(":")
    plain = Subject(lifecycle, "", rest)
    return [Subject(lifecycle, scope, ref), plain] if colon and ref else [plain]


def _expect_clean(alias: Alias) -> None:
    if not (alias.type and alias.value) or None in map(clean_text, alias):
        raise Misnamed("The type and the value of an alias are 1 to 256 bytes of text without NUL.")


async def _expect_free(tx: Connection, subject_id: int, name: Subject, alias: Alias) -> None:
    """A name that leads elsewhere is taken back there first; contradicting sources are settled."""
    standing = await aliases.claims(tx, name.lifecycle, alias)
    claims = [claim for claim in standing if claim.kind != "denial"]
    heard = [claim for claim in claims if claim.kind == CLAIM] or claims
    others = [claim for claim in heard if claim.root != subject_id]
    roots = {claim.root for claim in heard}
    if others and (len(roots) == 1 or heard[0].kind == CLAIM):
        first = others[0]
        raise Declined(
            f"{alias} is a name of {first.subject}: {first.claimant} said so at "
            f"{first.made_at:%F %T} UTC. Take that back first, or merge the two."
        )
