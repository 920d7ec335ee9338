"""Languages of the console: what a browser or a person prefers in, the texts of that out.

Texts stand in English in the templates; `locale/*/console.po` hold the others.
"""

import gettext
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from io import BytesIO

from aiohttp import web
from babel import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

NAMES: Mapping[str, str] = {"en": "English", "ru": "Русский", "zh": "中文"}
USUAL = "en"
COOKIE = "orderhook-language"

_present: ContextVar[str] = ContextVar("language", default=USUAL)


def choose(request: web.Request) -> str:
    """What somebody chose, else what the browser asks for."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in NAMES:
        return chosen
    wanted = [
        part.split(";")[0].strip().replace("-", "_")
        for part in request.headers.get("Accept-Language", "").split(",")[:20]
    ]
    return negotiate_locale(wanted, [*NAMES]) or USUAL


def speak(language: str) -> None:
    """What this request is answered in."""
    _present.set(language)


def present() -> str:
    return _present.get()


def text(message: str) -> str:
    return _texts(_present.get()).gettext(message) if message else ""


def load(language: str) -> None:
    """Read its texts before somebody asks for them."""
    _texts(language)


def mark(message: str) -> str:
    """A text that is said later, in the language of whoever reads it."""
    return message


def texts(singular: str, plural: str, number: int) -> str:
    return _texts(_present.get()).ngettext(singular, plural, number)


@cache
def _texts(language: str) -> gettext.NullTranslations:
    if language == USUAL:
        return gettext.NullTranslations()
    source = files("service.web.console") / "locale" / language / "console.po"
    compiled = BytesIO()
    with source.open("rb") as opened:
        write_mo(compiled, read_po(opened, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
