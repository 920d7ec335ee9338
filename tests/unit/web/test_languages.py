"""Every text of the console is said in every language, and no text is left out of that."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import nodes

from service.web.console import languages
from tests import write_messages
from tests.write_messages import CONSOLE, TEMPLATES, TRANSLATED

LETTER = re.compile(r"[^\W\d_]")
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|\{\}|`[^`]+`")
SHOWN = ("alt", "aria-label", "data-confirm", "data-name", "label", "placeholder", "title")
"""Attributes that people read."""
SAID_ALIKE = {
    *("HTTP", "ms", "· Orderhook", "Orderhook", "[token]"),
    *("order/1001", "subject.correct", "NUMBER:HASH"),
    *("orderhook audit verify", "orderhook audit verify --head NUMBER:HASH"),
    "orderhook token --console --role viewer --subject you@example.com",
    *("%Y-%m-%d %H:%M:%S UTC", "light dark"),
}
"""Names, units, and what people type: the same in every language."""
SAYING = ("pill", "nothing", "figure")
"""Macros whose first argument people read."""
REFUSALS = ("Refused", "NotFound", "Declined", "Misnamed")


@pytest.fixture(scope="module")
def found() -> Catalog:
    return write_messages.extracted()


@pytest.fixture(params=TRANSLATED)
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    name: str = request.param
    languages.speak(name)
    yield name
    languages.speak(languages.USUAL)


def messages(language: str) -> list[Message]:
    with write_messages.file(language).open("rb") as opened:
        return [each for each in read_po(opened, locale=language) if each.id]


def forms(message: Message) -> list[str]:
    """Of a translation; as many as it takes."""
    return [message.string] if isinstance(message.string, str) else [*message.string]


def ids(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else [*message.id]


def test_the_files_have_the_texts_that_there_are(language: str, found: Catalog) -> None:
    page = write_messages.file(language).read_text("utf-8")
    # Not up to date? make messages, then translate what is empty
    assert write_messages.written(page, language, found) == page


def test_every_text_is_translated(language: str) -> None:
    missing = [each.id for each in messages(language) if not all(forms(each)) or each.fuzzy]
    assert [] == missing


def test_a_translation_is_filled_in_like_its_text(language: str) -> None:
    assert [] == [
        (each.id, form)
        for each in messages(language)
        for form in forms(each)
        if sorted(PLACEHOLDER.findall(ids(each)[-1])) != sorted(PLACEHOLDER.findall(form))
    ]


def test_no_text_can_end_an_attribute_or_begin_a_tag(language: str) -> None:
    """Jinja takes texts for markup, so that what is filled in is escaped once."""
    texts = [text for each in messages(language) for text in (*ids(each), *forms(each))]
    assert [] == [text for text in texts if re.search(r'["<>&]', text)]


def test_a_text_is_said_as_its_number_wants_it() -> None:
    one, many = "%(num)s event in the last hour", "%(num)s events in the last hour"
    languages.speak("ru")
    said = {number: languages.texts(one, many, number) for number in (1, 3, 5, 11, 21)}
    languages.speak("zh")
    chinese = {languages.texts(one, many, number) for number in (1, 3, 5)}
    languages.speak(languages.USUAL)
    assert said[1] == said[21] != said[3] != said[5] == said[11]
    assert 1 == len(chinese)


def test_nothing_to_say_stays_nothing(language: str) -> None:
    assert "" == languages.text("")


def test_only_what_languages_is_given_is_taken_for_a_text() -> None:
    source = """
languages.text("one")
languages.texts("a row", "rows", 3)
NAME = languages.mark(
    "another "
    "one"
)
form.text("no text")
languages.text(said)
"""
    found = [*write_messages.in_python(source)]
    assert ["one", ("a row", "rows"), "another one"] == found


@pytest.mark.parametrize("file", sorted(TEMPLATES.glob("*.html")), ids=lambda file: file.name)
def test_no_text_of_a_template_is_left_unmarked(file: Path) -> None:
    assert [] == [*unmarked(file.read_text("utf-8"))]


def test_what_is_unmarked_is_found() -> None:
    source = """<p title="{{ _('Marked') }}">Plain <b>{{ name }}</b> {{ _("Marked") }} 3 · —</p>
<input placeholder="A word" value="no matter" {% if one %}checked{% endif %}>
{{ pill("silent", "bad") }} {{ ngettext("one row", "more rows", 3) }} {{ "two words" if one }}"""
    assert ["Plain", "A word", "silent", "two words"] == [*unmarked(source)]


@pytest.mark.parametrize("file", sorted(CONSOLE.glob("*.py")), ids=lambda file: file.name)
def test_no_sentence_of_a_refusal_is_left_unmarked(file: Path) -> None:
    """What the console refuses of its own; sentences of the layers below are data."""
    calls = [each for each in ast.walk(ast.parse(file.read_text("utf-8"))) if _refuses(each)]
    assert [] == [
        ast.unparse(each)
        for each in calls
        if isinstance(each, ast.Call)
        and any(isinstance(said, ast.JoinedStr) or _is_text(said) for said in each.args)
    ]


def _refuses(node: ast.AST) -> bool:
    match node:
        case ast.Call(ast.Name(name)):
            return name in REFUSALS
        case _:
            return False


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def unmarked(source: str) -> Iterator[str]:
    """Texts that are the same in every language, and are not among those that may be."""
    reader = Reader()
    reader.feed(plain(source))
    reader.close()
    for text in (*reader.texts, *literals(source)):
        if LETTER.search(text) and text not in SAID_ALIKE:
            yield text


def plain(source: str) -> str:
    """The template without what is filled in; every branch of it."""
    kept: list[str] = []
    for _, kind, value in jinja2.Environment().lex(source):
        if kind == "data":
            kept.append(value)
        elif kind == "variable_begin":
            kept.append("\0")
    return "".join(kept)


class Reader(HTMLParser):
    """Texts between tags and in attributes, each as far as nothing is filled in."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts += (part.strip() for part in data.split("\0"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in SHOWN:
                self.handle_data(value or "")


def literals(source: str) -> Iterator[str]:
    """Sentences in expressions, and what is given to macros to be shown."""
    tree = jinja2.Environment(extensions=["jinja2.ext.i18n"]).parse(source)
    calls = [each for each in tree.find_all(nodes.Call) if isinstance(each.node, nodes.Name)]
    marked = {id(each) for call in calls if _name(call) in {"_", "ngettext"} for each in call.args}
    for call in calls:
        if _name(call) in SAYING and isinstance(call.args[0], nodes.Const):
            marked.add(id(call.args[0]))
            yield str(call.args[0].value)
    for each in tree.find_all(nodes.Const):
        if id(each) not in marked and isinstance(each.value, str) and _sentence(each.value):
            yield each.value


def _name(call: nodes.Call) -> str:
    assert isinstance(call.node, nodes.Name)
    return call.node.name


def _sentence(text: str) -> bool:
    return len(re.findall(r"[^\W\d_]{2,}", text)) > 1 and " " in text
