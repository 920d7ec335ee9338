"""GraphQL as far as a simulator needs it: a document comes in, its fields and arguments go out.

Operations with variables, aliases, arguments and nested fields; inline fragments are read over,
named ones and directives refused (GraphQL specification, October 2021).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from pydantic import JsonValue

TOKEN = re.compile(
    r'[\s,\ufeff]*(?:#[^\n]*[\s,]*)*("(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?'
    r"|[_A-Za-z][_0-9A-Za-z]*|\$|[!():=@\[\]{}|&]|\.\.\.)"
)
NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
DEEPEST = 12


class GraphQLError(Exception):
    """The document is not one, or not one that fits."""


@dataclass(frozen=True, slots=True)
class Field:
    alias: str
    name: str
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    bound: Mapping[str, str] = field(default_factory=dict)
    """The arguments that a variable fills, and its declared type."""
    fields: Sequence["Field"] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    kind: str
    """`query` or `mutation`."""
    variables: Mapping[str, str]
    """The type of each variable as it is declared: `[ID!]`."""
    fields: Sequence[Field]


def parse(text: str, variables: Mapping[str, JsonValue]) -> Operation:
    """The one operation of a document, its variables filled in."""
    return _Reader(_tokens(text), variables).operation()


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    place, end = 0, len(text.rstrip(" \t\r\n,"))
    while place < end:
        found = TOKEN.match(text, place)
        if found is None:
            raise GraphQLError(f"Syntax Error: Unexpected character at {place}.")
        tokens.append(found[1])
        place = found.end()
    return tokens


class _Reader:
    def __init__(self, tokens: Sequence[str], variables: Mapping[str, JsonValue]) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0
        self._variables = variables
        self._declared: dict[str, str] = {}
        self._defaults: dict[str, JsonValue] = {}
        self._used: set[str] = set()

    def operation(self) -> Operation:
        kind = "query"
        if self._tokens[self._at] != "{":
            kind = self._name()
            if kind not in {"query", "mutation"}:
                raise GraphQLError(f'Syntax Error: Unexpected Name "{kind}".')
            if NAME.fullmatch(self._tokens[self._at]):
                self._name()
            self._declarations()
        fields = self._fields(0)
        if self._tokens[self._at]:
            raise GraphQLError("Syntax Error: Only one operation is taken.")
        unused = sorted(set(self._declared) - self._used)
        if unused:
            raise GraphQLError(f'Variable "${unused[0]}" is never used.')
        return Operation(kind, self._declared, fields)

    def _declarations(self) -> None:
        if not self._takes("("):
            return
        while not self._takes(")"):
            self._expect("$")
            name = self._name()
            self._expect(":")
            self._declared[name] = self._type()
            if self._takes("="):
                self._defaults[name] = self._value()
            absent = self._variables.get(name, self._defaults.get(name)) is None
            if absent and self._declared[name].endswith("!"):
                wanted = self._declared[name]
                raise GraphQLError(f'Variable "${name}" of type "{wanted}" was not provided.')

    def _type(self) -> str:
        if self._takes("["):
            name = f"[{self._type()}]"
            self._expect("]")
        else:
            name = self._name()
        return f"{name}!" if self._takes("!") else name

    def _fields(self, depth: int) -> Sequence[Field]:
        if depth > DEEPEST:
            raise GraphQLError("Query max depth exceeded.")
        self._expect("{")
        fields: list[Field] = []
        while not self._takes("}"):
            if self._takes("..."):
                self._fragment(depth)
            else:
                fields.append(self._field(depth))
        if not fields:
            raise GraphQLError("Syntax Error: Expected Name, found }.")
        return fields

    def _fragment(self, depth: int) -> None:
        """What is asked of one type only; the simulators' records are of none."""
        self._expect("on")
        self._name()
        self._fields(depth + 1)

    def _field(self, depth: int) -> Field:
        alias = name = self._name()
        if self._takes(":"):
            name = self._name()
        arguments: dict[str, JsonValue] = {}
        bound: dict[str, str] = {}
        if self._takes("("):
            while not self._takes(")"):
                key = self._name()
                self._expect(":")
                if self._tokens[self._at] == "$":
                    bound[key] = self._declared.get(self._tokens[self._at + 1], "")
                arguments[key] = self._value()
        inner = self._fields(depth + 1) if self._tokens[self._at] == "{" else ()
        return Field(alias, name, arguments, bound, inner)

    def _value(self) -> JsonValue:
        token = self._next()
        if token == "$":  # noqa: S105  # of GraphQL
            return self._variable(self._name())
        if token == "[":  # noqa: S105
            found: list[JsonValue] = []
            while not self._takes("]"):
                found.append(self._value())
            return found
        if token == "{":  # noqa: S105
            return self._object()
        if token in {"null", "true", "false"} or token[:1] in '"-0123456789':
            return self._literal(token)
        if NAME.fullmatch(token):
            return token
        raise GraphQLError(f"Syntax Error: Unexpected {token or '<EOF>'}.")

    def _object(self) -> JsonValue:
        found: dict[str, JsonValue] = {}
        while not self._takes("}"):
            key = self._name()
            self._expect(":")
            found[key] = self._value()
        return found

    def _variable(self, name: str) -> JsonValue:
        if name not in self._declared:
            raise GraphQLError(f'Variable "${name}" is not defined.')
        self._used.add(name)
        return self._variables.get(name, self._defaults.get(name))

    def _literal(self, token: str) -> JsonValue:
        try:
            found: JsonValue = orjson.loads(token or "-")
        except orjson.JSONDecodeError:
            raise GraphQLError(f"Syntax Error: Unexpected {token or '<EOF>'}.") from None
        return found

    def _name(self) -> str:
        token = self._next()
        if not NAME.fullmatch(token):
            raise GraphQLError(f"Syntax Error: Expected Name, found {token or '<EOF>'}.")
        return token

    def _next(self) -> str:
        token = self._tokens[self._at]
        if not token:
            raise GraphQLError("Syntax Error: Unexpected <EOF>.")
        self._at += 1
        return token

    def _takes(self, token: str) -> bool:
        if self._tokens[self._at] != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._takes(token):
            shown = self._tokens[self._at] or "<EOF>"
            raise GraphQLError(f'Syntax Error: Expected "{token}", found {shown}.')
