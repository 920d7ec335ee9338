"""A query in SOQL comes in, a test, an order and a limit go out; only what our simulator needs.

After the SOQL reference of developer.salesforce.com: strings in single quotes with backslash
escapes, moments bare, text compared without its case.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt
from typing import NoReturn

from pydantic import JsonValue

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')|(?P<moment>\d{4}-\d\d-\d\dT[\d:.]+Z)|(?P<number>\d+)"
    r"|(?P<name>[A-Za-z][\w.]*)|(?P<mark><=|>=|!=|[=<>(),]))"
)
COMPARES: Mapping[str, Callable[[str, str], bool]] = {"=": eq, ">": gt, ">=": ge}
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "'": "'", "\\": "\\", '"': '"'}
Row = Mapping[str, JsonValue]
Test = Callable[[Row], bool]
Token = tuple[str, str]


class MalformedError(Exception):
    """MALFORMED_QUERY, with what was wrong."""


@dataclass(frozen=True, slots=True)
class Query:
    """`SELECT fields FROM kind WHERE test ORDER BY order LIMIT limit`."""

    fields: Sequence[str]
    kind: str
    test: Test
    order: Sequence[str]
    limit: int | None


def parse(soql: str) -> Query:
    """Raises MalformedError."""
    return Parser(_tokens(soql)).query()


def _tokens(soql: str) -> list[Token]:
    found, at, end = list[Token](), 0, len(soql.rstrip())
    while at < end:
        match = TOKEN.match(soql, at)
        if match is None:
            raise MalformedError(f"unexpected token at {at}")
        found.append((match.lastgroup or "", match.group(match.lastgroup or "")))
        at = match.end()
    return found


class Parser:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def query(self) -> Query:
        self.word("SELECT")
        fields = self.names()
        self.word("FROM")
        kind = self.name()
        test: Test = self.either() if self.taken("WHERE") else _all
        order: Sequence[str] = ()
        if self.taken("ORDER"):
            self.word("BY")
            order = self.names()
        limit = int(self.next("number")) if self.taken("LIMIT") else None
        if self.at < len(self.tokens):
            self.fail()
        return Query(fields, kind, test, order, limit)

    def either(self) -> Test:
        tests = [self.both()]
        while self.taken("OR"):
            tests.append(self.both())
        return lambda row: any(test(row) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self.taken("AND"):
            tests.append(self.one())
        return lambda row: all(test(row) for test in tests)

    def one(self) -> Test:
        if self.taken("("):
            inner = self.either()
            self.word(")")
            return inner
        name = self.name()
        if self.taken("IN"):
            self.word("(")
            values = {self.value()}
            while self.taken(","):
                values.add(self.value())
            self.word(")")
            return lambda row: _plain(row, name) in values
        compares = COMPARES.get(self.next("mark")) or self.fail()
        value = self.value()
        return lambda row: compares(_plain(row, name), value)

    def names(self) -> Sequence[str]:
        found = [self.name()]
        while self.taken(","):
            found.append(self.name())
        return found

    def name(self) -> str:
        return self.next("name")

    def value(self) -> str:
        if self.peek()[0] == "moment":
            return self.next("moment").lower()
        quoted = self.next("text")[1:-1]
        return re.sub(r"\\(.)", lambda found: _escaped(found[1]), quoted, flags=re.DOTALL).lower()

    def word(self, wanted: str) -> None:
        if not self.taken(wanted):
            self.fail()

    def taken(self, wanted: str) -> bool:
        kind, found = self.peek()
        if kind in {"name", "mark"} and found.upper() == wanted:
            self.at += 1
            return True
        return False

    def next(self, wanted: str) -> str:
        kind, found = self.peek()
        if kind != wanted:
            self.fail()
        self.at += 1
        return found

    def peek(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def fail(self) -> NoReturn:
        raise MalformedError(f"unexpected token: '{self.peek()[1] or '<EOF>'}'")


def _all(_: Row) -> bool:
    return True


def _plain(row: Row, name: str) -> str:
    if name not in row:
        raise MalformedError(f"No such column '{name}'")
    value = row[name]
    # Ids are told apart by their case in truth; ours differ in digits only.
    return "" if value is None else str(value).lower()


def _escaped(letter: str) -> str:
    if letter not in ESCAPES:
        raise MalformedError(f"Invalid string literal: illegal escape \\{letter}")
    return ESCAPES[letter]
