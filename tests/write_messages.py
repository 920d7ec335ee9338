"""Writes the texts of the console into service/web/console/locale/*/console.po: make messages.

What was translated stays, what is gone is dropped, what is new waits there with an empty msgstr.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from service.ops import concern
from service.web.auth import Role
from service.web.console import languages
from service.web.problems import UNEXPECTED

CONSOLE = Path(languages.__file__).parent
TEMPLATES = CONSOLE / "templates"
TRANSLATED = sorted(set(languages.NAMES) - {languages.USUAL})
READ = {"silent": "false", "newstyle_gettext": "true"}
SAYING: Mapping[str, int] = {"text": 1, "mark": 1, "texts": 2}
"""Functions of `languages`, and how many texts each takes."""

Text = str | tuple[str, ...]
"""A text, or one with its plural."""


def main() -> None:
    found = extracted()
    for language in TRANSLATED:
        page = file(language)
        page.write_text(written(page.read_text("utf-8"), language, found), "utf-8")


def file(language: str) -> Path:
    return CONSOLE / "locale" / language / "console.po"


def extracted() -> Catalog:
    """Every text of the console, in English."""
    found = Catalog()
    for said in (*_in_templates(), *_in_python(), *_below()):
        found.add(said)
    return found


def written(page: str, language: str, found: Catalog) -> str:
    """The page anew: its head word for word, then every text there is, in order."""
    head, _, _ = page.partition("\n\n")
    known = read_po(BytesIO(page.encode()), locale=language)
    known.update(found, no_fuzzy_matching=True)
    body = BytesIO()
    write_po(
        body,
        known,
        width=100,
        no_location=True,
        omit_header=True,
        sort_output=True,
        ignore_obsolete=True,
    )
    return f"{head.rstrip()}\n\n{body.getvalue().decode().strip()}\n"


def _in_templates() -> Iterator[Text]:
    method, options = [("**.html", "jinja2.ext:babel_extract")], {"**.html": READ}
    for _, _, said, _, _ in extract_from_dir(TEMPLATES, method, options):
        yield said


def _in_python() -> Iterator[Text]:
    for module in sorted(CONSOLE.glob("*.py")):
        yield from in_python(module.read_text("utf-8"))


def in_python(source: str) -> Iterator[Text]:
    """What `languages` is given as it stands there; `form.text("reason")` is no such thing."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(ast.Attribute(ast.Name("languages"), name), arguments) if name in SAYING:
                said = tuple(_texts(arguments[: SAYING[name]]))
                if len(said) == SAYING[name]:
                    yield said if len(said) > 1 else said[0]
            case _:
                pass


def _texts(arguments: Iterable[ast.expr]) -> Iterator[str]:
    for each in arguments:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _below() -> Iterator[Text]:
    """Texts of the layers below, which know of no language."""
    for one, many in concern.SAYS.values():
        yield (one, many) if many else one
    yield from concern.CAUSES.values()
    yield from (role.name.lower() for role in Role)
    yield UNEXPECTED


if __name__ == "__main__":
    main()
