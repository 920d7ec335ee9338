"""docs/configuration.md says of every key what the models say, and nothing of others."""

import base64
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_origin

import pytest
from pydantic import TypeAdapter

from service.settings import Known, Settings, load
from service.settings.checks import LATER
from service.settings.model import Model
from service.settings.models import Document
from service.settings.schema import alternatives, as_toml, fields, values
from service.settings.secrets import References

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "configuration.md").read_text()
EXAMPLE = ROOT / "deploy" / "orderhook.example.toml"
KNOWN = Known(providers=("stripe", "generic"), crms=("callback", "pipedrive", "rest"))
NOT_YET = "not in this version yet."


class Environment(dict[str, str]):
    """Has a fitting value for every variable an example names."""

    def __init__(self, text: str) -> None:
        super().__init__({name: fitting(name) for name in re.findall(r"env:(\w+)", text)})


def fitting(name: str) -> str:
    endings = {
        "DATABASE_URL": "postgresql://orderhook@127.0.0.1/orderhook",
        "AMQP_URL": "amqp://127.0.0.1/",
        "CALLBACK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "_TOKEN": "0123456789abcdef" * 2,
        "ORDERHOOK_KEY": base64.b64encode(bytes(range(32))).decode(),
        "BASIC": "user:password",
    }
    return next((value for end, value in endings.items() if name.endswith(end)), "x" * 32)


def tables() -> dict[str, type[Model]]:
    """Every table there is, by the heading it has in the page."""
    named: dict[str, type[Model]] = {}
    for section, field in Document.model_fields.items():
        if fields(values(field.annotation)):
            named |= dict(repeated(section, field.annotation, word="NAME"))
        else:
            (inner,) = alternatives(field.annotation)
            assert isinstance(inner, type)
            assert issubclass(inner, Model)
            named |= dict(nested(section, inner))
    return named


def repeated(path: str, kind: object, *, word: str) -> Iterator[tuple[str, type[Model]]]:
    """Tables that a name or a place in a list tells apart."""
    (inner,) = (each for each in alternatives(values(kind)) if fields(each))
    assert isinstance(inner, type)
    assert issubclass(inner, Model)
    if any(get_origin(each) is tuple for each in alternatives(kind)):
        yield f"[[{path}]]", inner
    else:
        yield from nested(f"{path}.{word}", inner)


WORDS = {"lanes": "LANE", "statuses": "STATUS", "objects": "LIFECYCLE"}


def nested(path: str, model: type[Model]) -> Iterator[tuple[str, type[Model]]]:
    yield f"[{path}]", model
    for key, field in model.model_fields.items():
        if fields(values(field.annotation)):
            yield from repeated(f"{path}.{key}", field.annotation, word=WORDS.get(key, "NAME"))
        inner = [each for each in alternatives(field.annotation) if fields(each)]
        for each in inner:
            assert isinstance(each, type)
            assert issubclass(each, Model)
            if len(inner) == 1:
                yield from nested(f"{path}.{key}", each)
            else:
                word = "scheme" if "scheme" in each.model_fields else "kind"
                yield f'{word} = "{each.model_fields[word].default}"', each


def rows() -> dict[str, dict[str, tuple[str, str]]]:
    """What the page documents: heading → key → (default, meaning)."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    heading = ""
    for line in TEXT.splitlines():
        if title := re.match(r"#+ `(.+)`$", line):
            heading = title[1]
        elif row := re.match(r"\| `(\w+)` \| (?:.+?) \| (.+?) \| (.+) \|$", line):
            assert row[1] not in found.setdefault(heading, {}), line
            found[heading][row[1]] = (row[2], row[3])
    return found


TABLES = tables()
ROWS = rows()


def test_the_page_has_every_table_and_no_other() -> None:
    assert TABLES.keys() == ROWS.keys()


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_has_every_key_and_no_other(heading: str) -> None:
    assert fields(TABLES[heading]).keys() == ROWS[heading].keys()


@pytest.mark.parametrize(
    ("heading", "key"), [(heading, key) for heading in TABLES for key in fields(TABLES[heading])]
)
def test_the_page_has_the_right_default(heading: str, key: str) -> None:
    field = TABLES[heading].model_fields[key]
    said = ROWS[heading][key][0]
    match said:
        case "required":
            assert field.is_required() or key in {"scheme", "kind"}
        case "none":
            assert field.default is None
        case _ if said.startswith("see "):
            assert key == "data_dir" or isinstance(field.default, Model)
        case _:
            written = tomllib.loads(f"value = {said.strip('`')}")["value"]
            assert field.default == parsed(TABLES[heading], key, written)


def parsed(model: type[Model], key: str, written: object) -> object:
    """The value as its own field reads it."""
    schema = TypeAdapter(model).validator
    context = References(Environment(str(written)), Path(), sandbox=False)
    blank = model.model_construct()
    return schema.validate_assignment(blank, key, written, context=context).__dict__[key]


@pytest.mark.parametrize(("model", "key"), [(model, key) for model, key, _ in LATER])
def test_the_page_says_what_this_version_lacks(model: type[Model], key: str) -> None:
    (heading,) = (heading for heading, table in TABLES.items() if table is model)
    assert NOT_YET in ROWS[heading][key][1].lower()


def test_the_page_calls_nothing_missing_that_is_there() -> None:
    later = {(model, key) for model, key, _ in LATER}
    marked = {
        (TABLES[heading], key)
        for heading, keys in ROWS.items()
        for key, (_, meaning) in keys.items()
        if NOT_YET in meaning.lower()
    }
    assert later == marked


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL))
def test_every_example_of_the_page_loads(tmp_path: Path, block: str) -> None:
    present = tomllib.loads(block)
    destination = """[destinations.crm]
crm = "callback"
url = "http://127.0.0.1/"
secret = "env:CALLBACK_SECRET"
"""
    needed = {
        "store": '[store]\nurl = "embedded"\n',
        "broker": '[broker]\nurl = "embedded"\n',
        "destinations": destination,
    }
    text = block + "".join(rest for key, rest in needed.items() if key not in present)
    file = tmp_path / "orderhook.toml"
    file.write_text(text)
    made = load(file, Environment(text), known=KNOWN)
    assert present.get("sources", {}).keys() == made.sources.keys()


def test_the_example_file_loads_with_secrets_in_the_environment() -> None:
    made = load(EXAMPLE, Environment(EXAMPLE.read_text()), known=KNOWN)
    assert list(made.sources) == ["stripe-eu", "wms", "courier"]
    assert list(made.destinations) == ["crm"]


def test_every_field_has_its_help_sentence() -> None:
    models: list[type[Model]] = [Settings, *TABLES.values()]
    for model in models:
        for key, field in model.model_fields.items():
            assert (field.description or "").endswith("."), (model, key)


def is_table(model: type[Model], key: str) -> bool:
    """Whether it holds tables with keys of their own, whose examples are theirs."""
    kind = model.model_fields[key].annotation
    return any(fields(each) for each in (*alternatives(kind), *alternatives(values(kind))))


@pytest.mark.parametrize(
    ("model", "key"), [(model, key) for model in TABLES.values() for key in fields(model)]
)
def test_the_example_in_a_remedy_is_one_its_own_field_reads(model: type[Model], key: str) -> None:
    examples = model.model_fields[key].examples
    if examples is None:
        assert is_table(model, key) or key in {"scheme", "kind"}
    else:
        written = tomllib.loads(f"value = {as_toml(examples[0])}")["value"]
        assert parsed(model, key, written) is not None


def test_overrides_of_the_page_name_real_keys() -> None:
    lines = re.findall(r"^(ORDERHOOK__\w+)=(.+)$", TEXT, re.MULTILINE)
    environ: Mapping[str, str] = Environment(EXAMPLE.read_text()) | dict(lines)
    made = load(EXAMPLE, environ, known=KNOWN)
    assert len(lines) == 3
    assert made.server.public.port == 9000
    assert made.destinations["crm"].retry.max_attempts == 20
