"""Words for what validation found: an error of pydantic in, a sentence and a remedy out."""

from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.settings import schema
from service.settings.problems import Issue, Place

NAMED = {("sources",), ("destinations",), ("lifecycles",)}
WANTED = {
    "string_type": "Text in quotes is wanted here.",
    "int_type": "A whole number without quotes is wanted here.",
    "bool_type": "true or false is wanted here.",
    "tuple_type": "A list in square brackets is wanted here.",
    "dict_type": "A table is wanted here.",
    "model_type": "A table is wanted here.",
    "model_attributes_type": "A table is wanted here.",
    "too_short": "The list is empty.",
    "string_too_short": "The text is empty.",
    "union_tag_not_found": "The key {discriminator} is missing.",
}


def worth_telling(error: ValidationError) -> list[ErrorDetails]:
    """All but "too short" of a list that is short only because its elements are wrong."""
    details = error.errors(include_url=False, include_input=False)
    return [
        detail
        for detail in details
        if detail["type"] != "too_short" or not _has_inner(detail["loc"], details)
    ]


def _has_inner(loc: Place, details: Sequence[ErrorDetails]) -> bool:
    return any(loc == each["loc"][: len(loc)] != each["loc"] for each in details)


def complaint(table: Place, detail: ErrorDetails) -> Issue:
    place = (*table, *_steps(detail["loc"]))
    context = detail.get("ctx", {})
    match detail["type"]:
        case "refused":
            return Issue(place, str(context["what"]), str(context["remedy"]))
        case "missing":
            return Issue(place, "This key is missing.", _as_in("Add it", place))
        case "extra_forbidden":
            return stranger(place)
        case "literal_error" | "union_tag_invalid":
            what = "This is not one of the words wanted here."
            expected = context.get("expected") or context.get("expected_tags")
            return Issue(place, what, f"Write one of {expected}.")
        case "greater_than_equal" | "less_than_equal":
            bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
            return Issue(place, "The number is out of bounds.", f"Write {bound}.")
        case kind:
            what = WANTED[kind].format(**context) if kind in WANTED else f"{detail['msg']}."
            return Issue(place, what, _as_in("Write it", place))


def _steps(loc: Place) -> Place:
    """A place of the file: without the chosen scheme or kind, which pydantic puts between."""
    for at, step in enumerate(loc[:-2]):
        if step == "attributes" and loc[at + 2] in {"text", "table"}:
            return (*loc[: at + 2], *loc[at + 3 :])
    match loc:
        case (("verify" | "handshake") as key, _, *rest):
            return (key, *rest)
        case (*table, "[key]"):
            return tuple(table)
        case _:
            return loc


def _as_in(verb: str, place: Place) -> str:
    example = schema.example(place)
    return f"{verb}, as in {example}." if example else f"{verb}, as the documentation shows."


def stranger(place: Place) -> Issue:
    known = schema.fields(schema.kind_at(place[:-1]))
    return Issue(place, "There is no such key here.", schema.suggest(str(place[-1]), known))


def not_a_table(place: Place) -> Issue:
    if isinstance(place[-1], int):
        return Issue(place, "A table is wanted here.", "Begin each with [[routes]].")
    header = ".".join(str(step) for step in place)
    hint = f"[{header}.NAME]" if place in NAMED else f"[{header}]"
    return Issue(place, "A table is wanted here.", f"Begin it with {hint}.")


def not_a_list(place: Place) -> Issue:
    return Issue(place, "A list of tables is wanted here.", f"Begin each with [[{place[0]}]].")
